//! The keys of a format that is one JSON object: which key says what.
//!
//! Leaves the reading of JSON lines to `parse::fields`. Each field is replaced by a number of its own and the whole
//! read as JSON, so that nesting, numbers and strings need no rule of their own.

use super::Meaning;
use super::Step;
use super::split::Piece;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

/// The number that stands for the first field: no format is likely to have one like it.
const FIRST: u64 = 7_340_000_000;

/// Which key of a JSON line says what. Nested keys are joined by dots, in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyMap {
    /// Key and meaning; a key whose value is of several fields, or none, is left out.
    pub entries: Vec<(String, Meaning)>,
}

impl KeyMap {
    /// What the key `name` says.
    pub fn get(&self, name: &str) -> Option<Meaning> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, meaning)| *meaning)
    }

    /// The keys of the format cut into `pieces`; `None` where it is no JSON object.
    pub(super) fn of(pieces: &[Piece], steps: &[Step]) -> Option<Self> {
        let mut number = FIRST;
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Field { .. } => {
                    text.push_str(&number.to_string());
                    number += 1;
                }
            }
        }
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let Ok(Value::Object(top)) = serde_json::from_str(&text) else { return None };
        let mut entries = Vec::new();
        let mut open = vec![(String::new(), Value::Object(top))];
        while let Some((name, value)) = open.pop() {
            match value {
                Value::Object(inside) => {
                    let under = |key: String| if name.is_empty() { key } else { format!("{name}.{key}") };
                    open.extend(inside.into_iter().rev().map(|(key, value)| (under(key), value)));
                }
                Value::Number(n) => entries.extend(n.as_u64().and_then(|n| meaning(n, steps)).map(|m| (name, m))),
                Value::String(s) => entries.extend(s.parse().ok().and_then(|n| meaning(n, steps)).map(|m| (name, m))),
                Value::Null | Value::Bool(_) | Value::Array(_) => {}
            }
        }
        Some(Self { entries })
    }
}

fn meaning(number: u64, steps: &[Step]) -> Option<Meaning> {
    let index = usize::try_from(number.checked_sub(FIRST)?).ok()?;
    steps.get(index).map(|s| s.field.meaning)
}
