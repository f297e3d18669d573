//! The layout learnt from accepted lines: the text between two values is compared as it stands, values are scanned.
//!
//! A log's JSON lines come from one call of one serialiser, so keys, order and blanks repeat. Where the text between
//! the values equals that of an earlier line, the keys are the same, and only values are looked at; else the full walk
//! runs. Both give the same slots for every line: a layout is a shortcut, never a second reading.

use super::names::Entry;
use super::slots::Slots;
use super::walk::Kind;
use super::walk::Value;
use super::walk::clean_value;
use super::walk::is_clean;
use super::walk::value;

/// Layouts kept at a time, and the most values and bytes one may have.
const KEPT: usize = 4;
const MOST_VALUES: usize = 96;
const MOST_BYTES: usize = 8192;

/// The text before a value, how deep it stands, and what its key means.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Its length, and where it ends in `words`.
    length: usize,
    words_end: usize,
    depth: usize,
    entry: Option<Entry>,
    /// No other key of the line means the same.
    alone: bool,
}

#[derive(Debug, Clone, Default)]
struct Layout {
    /// Texts before values, eight bytes at a time, each with a mask of those that count.
    words: Vec<(u64, u64)>,
    steps: Vec<Step>,
    /// What stands behind the last value.
    tail: Vec<u8>,
}

/// The layouts of the last lines that did not follow a known one. Reading with or without them gives the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layouts {
    kept: [Layout; KEPT],
    /// The one that was right last time.
    last: usize,
    /// The one to forget next.
    oldest: usize,
    /// What the full walk saw, to be learnt if the line is accepted.
    seen: Vec<(Option<Entry>, Value)>,
    too_many: bool,
}

impl Layouts {
    /// Fills `slots` from `text` if it follows a known layout. On `false` the slots may be half filled.
    pub(crate) fn follow(&mut self, text: &[u8], slots: &mut Slots) -> bool {
        let clean = is_clean(text);
        for turn in 0..KEPT {
            let number = (self.last + turn) % KEPT;
            if self.kept.get(number).is_some_and(|layout| layout.follow(text, clean, slots)) {
                self.last = number;
                return true;
            }
            slots.clear();
        }
        false
    }

    /// Begins a line that follows no known layout.
    pub(crate) fn begin(&mut self) {
        self.seen.clear();
        self.too_many = false;
    }

    /// Notes a value of the full walk.
    pub(crate) fn note(&mut self, entry: Option<Entry>, value: Value) {
        if self.seen.len() < MOST_VALUES {
            self.seen.push((entry, value));
        } else {
            self.too_many = true;
        }
    }

    /// Learns the line just walked.
    pub(crate) fn learn(&mut self, text: &[u8]) {
        if self.too_many || text.len() > MOST_BYTES || self.seen.is_empty() {
            return;
        }
        let Some(layout) = self.kept.get_mut(self.oldest) else { return };
        layout.words.clear();
        layout.steps.clear();
        let mut from = 0;
        let mut depth = 0;
        for &(entry, value) in &self.seen {
            let quote = usize::from(matches!(value.kind, Kind::Text | Kind::Escaped));
            let literal = text.get(from..value.start - quote).unwrap_or_default();
            depth = depth_after(literal, depth);
            layout.words.extend(words_of(literal));
            let same =
                |other: &(Option<Entry>, Value)| entry.is_some() && other.0.map(|o| o.meaning) == entry.map(|e| e.meaning);
            let alone = self.seen.iter().filter(|other| same(other)).count() == 1;
            layout.steps.push(Step { length: literal.len(), words_end: layout.words.len(), depth, entry, alone });
            from = value.next;
        }
        layout.tail.clear();
        layout.tail.extend_from_slice(text.get(from..).unwrap_or_default());
        self.last = self.oldest;
        self.oldest = (self.oldest + 1) % KEPT;
    }
}

/// How many objects are open after the text between two values. Braces in its keys are no braces.
fn depth_after(literal: &[u8], mut depth: usize) -> usize {
    let (mut quoted, mut escape) = (false, false);
    for &byte in literal {
        match byte {
            _ if escape => escape = false,
            b'\\' if quoted => escape = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth
}

/// A text eight bytes at a time, zeros behind it, each with a mask of the bytes that are there.
fn words_of(literal: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    literal.chunks(8).map(|bytes| {
        let word = bytes.iter().rev().fold(0, |word, &b| word << 8 | u64::from(b));
        (word, u64::MAX >> (64 - 8 * bytes.len()))
    })
}

/// Whether `rest` begins with a text given as words. No text holds a zero byte, so none is found behind the end.
#[inline]
fn begins(rest: &[u8], words: &[(u64, u64)]) -> bool {
    let (eights, tail) = rest.as_chunks::<8>();
    if let Some(eights) = eights.get(..words.len()) {
        return eights.iter().zip(words).all(|(eight, (word, mask))| (u64::from_le_bytes(*eight) ^ word) & mask == 0);
    }
    let last = tail.iter().rev().fold(0, |word, &b| word << 8 | u64::from(b));
    let mut all = eights.iter().map(|eight| u64::from_le_bytes(*eight)).chain([last]);
    words.iter().all(|(word, mask)| all.next().is_some_and(|bytes| (bytes ^ word) & mask == 0))
}

impl Layout {
    fn follow(&self, text: &[u8], clean: bool, slots: &mut Slots) -> bool {
        if self.steps.is_empty() {
            return false;
        }
        let (mut pos, mut from) = (0, 0);
        for step in &self.steps {
            let (Some(rest), Some(words)) = (text.get(pos..), self.words.get(from..step.words_end)) else { return false };
            if !begins(rest, words) {
                return false;
            }
            pos += step.length;
            let value = if clean { clean_value(text, pos, step.depth) } else { value(text, pos, step.depth) };
            let Some(value) = value else { return false };
            match step.entry {
                Some(entry) if step.alone => slots.set(entry, value),
                Some(entry) => slots.put(entry, value),
                None => {}
            }
            pos = value.next;
            from = step.words_end;
        }
        text.get(pos..) == Some(self.tail.as_slice())
    }
}
