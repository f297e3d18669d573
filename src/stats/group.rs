//! The unit of counting: requests of one service, era, route key, logged in or not, and cache outcome.
//!
//! Every other figure is a sum of groups.

use serde::Deserialize;
use serde::Serialize;

use super::slots::Track;
use super::tally::Tally;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::route::RouteId;

/// Which side of a proxy a source was written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Layer {
    /// By the application's own server.
    #[default]
    App,
    /// By a proxy in front of it.
    Edge,
}

impl Layer {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Edge => "edge",
        }
    }
}

/// What makes requests one group, within one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The service and layer, an index into the snapshot's desks.
    pub desk: u16,
    /// The era, an index into the desk's eras; 0 where no version is known.
    pub era: u16,
    /// The route key, within the desk's router.
    pub route: RouteId,
    /// Logged in or not.
    pub auth: Auth,
    /// The cache's word.
    pub cache: Cache,
}

/// One group's totals and its course of time.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which.
    pub key: GroupKey,
    /// Its totals.
    pub tally: Tally,
    /// Its slots.
    pub track: Track,
}
