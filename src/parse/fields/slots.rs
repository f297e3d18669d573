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
    pub(crate) start: usize,
    pub(crate) end: usize,
    entry: Entry,
    pub(crate) kind: Kind,
    /// True where the span is in the unescaped text instead of the line.
    pub(crate) unescaped: bool,
}

impl Slot {
    #[inline]
    fn new(entry: Entry, value: Value) -> Self {
        Self { start: value.start, end: value.end, entry, kind: value.kind, unescaped: false }
    }

    /// The unit that its key says.
    pub(crate) fn unit(&self) -> Unit {
        self.entry.unit
    }
}

/// One place for each [`Meaning`].
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    /// What stands in a place whose bit is not set has no meaning.
    places: [Slot; Meaning::COUNT],
    filled: u64,
    /// A value with escapes was put.
    escaped: bool,
}

const _: () = assert!(Meaning::COUNT <= 64, "a bit for each meaning");

impl Default for Slots {
    fn default() -> Self {
        let entry = Entry { meaning: Meaning::Method, rank: 0, unit: Unit::Bare };
        let free = Slot { start: 0, end: 0, entry, kind: Kind::Null, unescaped: false };
        Self { places: [free; Meaning::COUNT], filled: 0, escaped: false }
    }
}

impl Slots {
    /// Empties every place.
    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.filled, self.escaped) = (0, false);
    }

    /// The value for `meaning`, if the line has one.
    #[inline]
    pub(crate) fn get(&self, meaning: Meaning) -> Option<Slot> {
        let place = meaning as usize;
        if self.filled >> place & 1 == 1 { self.places.get(place).copied() } else { None }
    }

    /// Puts a value in its place, unless a better one is there.
    pub(crate) fn put(&mut self, entry: Entry, value: Value) {
        let worth = |kind, rank| (kind != Kind::Null, Reverse(rank));
        let old = self.get(entry.meaning);
        if old.is_none_or(|old| worth(value.kind, entry.rank) >= worth(old.kind, old.entry.rank)) {
            self.set(entry, value);
        }
    }

    /// Puts a value in its place, whatever is there.
    #[inline]
    pub(crate) fn set(&mut self, entry: Entry, value: Value) {
        let Some(place) = self.places.get_mut(entry.meaning as usize) else { return };
        *place = Slot::new(entry, value);
        self.filled |= 1 << entry.meaning as usize;
        self.escaped |= value.kind == Kind::Escaped;
    }

    /// Replaces every escaped value but those of `but` by its unescaped text, which is added to `into`.
    pub(crate) fn unescape(&mut self, text: &[u8], into: &mut Vec<u8>, but: Option<Meaning>) {
        if !self.escaped {
            return;
        }
        for (number, slot) in self.places.iter_mut().enumerate().filter(|(number, _)| self.filled >> number & 1 == 1) {
            if slot.kind != Kind::Escaped || but.is_some_and(|m| m as usize == number) {
                continue;
            }
            let from = into.len();
            super::values::unescape(text.get(slot.start..slot.end).unwrap_or_default(), into);
            (slot.start, slot.end, slot.kind, slot.unescaped) = (from, into.len(), Kind::Text, true);
        }
    }
}

#[cfg(test)]
impl PartialEq for Slots {
    fn eq(&self, other: &Self) -> bool {
        let all = |slots: &Self| -> Vec<Option<Slot>> {
            let place = |place: usize| (slots.filled >> place & 1 == 1).then(|| slots.places[place]);
            (0..Meaning::COUNT).map(place).collect()
        };
        all(self) == all(other)
    }
}
