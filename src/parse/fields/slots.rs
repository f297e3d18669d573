//! For each meaning the value that stands for it in the line at hand.
//!
//! Where several keys of a line mean the same, the one that stands first in `names.rs` counts, but for nulls: those
//! count only where nothing else does. The same key twice: the later one.

use super::names::Entry;
use super::names::Meaning;
use super::names::Unit;
use super::walk::Kind;
use super::walk::Value;
use std::cmp::Reverse;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: u32,
    pub(crate) end: u32,
    rank: u16,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    /// True where the span is in the unescaped text instead of the line.
    pub(crate) unescaped: bool,
}

/// One place for each [`Meaning`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    places: [Option<Slot>; Meaning::COUNT],
    /// A value with escapes was put.
    escaped: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Self { places: [None; Meaning::COUNT], escaped: false }
    }
}

impl Slots {
    /// Empties every place.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The value for `meaning`, if the line has one.
    pub(crate) fn get(&self, meaning: Meaning) -> Option<Slot> {
        self.places.get(meaning as usize).copied().flatten()
    }

    /// Puts a value in its place, unless a better one is there.
    pub(crate) fn put(&mut self, entry: Entry, value: Value) {
        let Some(place) = self.places.get_mut(entry.meaning as usize) else { return };
        let worth = |kind, rank| (kind != Kind::Null, Reverse(rank));
        let better = place.is_none_or(|old| worth(value.kind, entry.rank) >= worth(old.kind, old.rank));
        let (Ok(start), Ok(end)) = (u32::try_from(value.start), u32::try_from(value.end)) else { return };
        if better {
            self.escaped |= value.kind == Kind::Escaped;
            *place = Some(Slot { start, end, rank: entry.rank, kind: value.kind, unit: entry.unit, unescaped: false });
        }
    }

    /// Replaces every escaped value but those of `but` by its unescaped text, which is added to `into`.
    pub(crate) fn unescape(&mut self, text: &[u8], into: &mut Vec<u8>, but: Option<Meaning>) {
        if !self.escaped {
            return;
        }
        for (number, place) in self.places.iter_mut().enumerate() {
            let Some(slot) = place else { continue };
            if slot.kind != Kind::Escaped || but.is_some_and(|m| m as usize == number) {
                continue;
            }
            let from = into.len();
            super::values::unescape(text.get(slot.start as usize..slot.end as usize).unwrap_or_default(), into);
            let (Ok(start), Ok(end)) = (u32::try_from(from), u32::try_from(into.len())) else { continue };
            (slot.start, slot.end, slot.kind, slot.unescaped) = (start, end, Kind::Text, true);
        }
    }
}
