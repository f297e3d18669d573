//! The layout learnt from accepted lines: the text between two values is compared as it stands, values are scanned.
//!
//! A log's JSON lines come from one call of one serialiser, so keys, order and blanks repeat. Where the text between
//! the values equals that of an earlier line, the keys are the same, and only values are looked at; else the full walk
//! runs. Both give the same slots for every line: a layout is a shortcut, never a second reading.

use super::names::Entry;
use super::slots::Slots;
use super::walk::Kind;
use super::walk::Value;
use super::walk::value;

/// Layouts kept at a time, and the most values and bytes one may have.
const KEPT: usize = 4;
const MOST_VALUES: usize = 96;
const MOST_BYTES: usize = 8192;

/// The text before a value (its end in `literals`), how deep it stands, and what its key means.
#[derive(Debug, Clone, Copy)]
struct Step {
    literal_end: usize,
    depth: usize,
    entry: Option<Entry>,
}

#[derive(Debug, Clone, Default)]
struct Layout {
    literals: Vec<u8>,
    steps: Vec<Step>,
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
        for turn in 0..KEPT {
            let number = (self.last + turn) % KEPT;
            if self.kept.get(number).is_some_and(|layout| layout.follow(text, slots)) {
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
        layout.literals.clear();
        layout.steps.clear();
        let mut from = 0;
        let mut depth = 0;
        for &(entry, value) in &self.seen {
            let quote = usize::from(matches!(value.kind, Kind::Text | Kind::Escaped));
            let literal = text.get(from..value.start - quote).unwrap_or_default();
            depth = depth_after(literal, depth);
            layout.literals.extend_from_slice(literal);
            layout.steps.push(Step { literal_end: layout.literals.len(), depth, entry });
            from = value.next;
        }
        layout.literals.extend_from_slice(text.get(from..).unwrap_or_default());
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

impl Layout {
    fn follow(&self, text: &[u8], slots: &mut Slots) -> bool {
        if self.steps.is_empty() {
            return false;
        }
        let (mut pos, mut from) = (0, 0);
        for step in &self.steps {
            let Some(literal) = self.literals.get(from..step.literal_end) else { return false };
            if !text.get(pos..).is_some_and(|rest| rest.starts_with(literal)) {
                return false;
            }
            let Some(value) = value(text, pos + literal.len(), step.depth) else { return false };
            if let Some(entry) = step.entry {
                slots.put(entry, value);
            }
            pos = value.next;
            from = step.literal_end;
        }
        text.get(pos..) == self.literals.get(from..)
    }
}
