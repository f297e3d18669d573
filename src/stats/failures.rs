//! stub
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {}
impl Failures {
    pub fn merge(&mut self, _o: &Self) {}
}
