//! Where each field of a line begins and ends.
//!
//! A field that tells its own end (a number, a time, a word) is measured. Any other ends at the first following
//! literal that all fields up to the next such one bear out: a blank in `GET /a b 1.1` does not end the request line
//! because no status follows it, nor does a quote inside an agent. The first answer is taken and never taken back,
//! so that the work grows with the line's length alone.

use super::Compiled;
use super::MOST;
use super::Shape;
use super::Step;
use crate::parse::access::Memo;
use crate::parse::access::is_method;
use crate::parse::access::number;
use crate::parse::access::without_protocol;
use crate::time::Stamp;
use crate::time::clf;
use crate::time::iso;
use memchr::memchr;
use std::ops::Range;

/// What uvicorn writes for the status of a WebSocket that was let in.
pub(super) const ACCEPTED: &[u8] = b"[accepted]";

/// What has been found in a line so far.
pub(super) struct Scan<'a, 'm> {
    pub(super) text: &'a [u8],
    pub(super) memo: &'m mut Memo,
    pub(super) spans: [(u32, u32); MOST],
    pub(super) time: Option<Stamp>,
    /// The farthest place where the line stopped fitting.
    pub(super) stop: Stop,
    /// Whether a time stamp of an access line was there.
    pub(super) timed: bool,
}

/// A place where a line stopped fitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stop {
    /// The step whose literal or field did not fit; the number of steps for the text behind the last one.
    pub(super) step: usize,
    /// The literal before the field is what did not fit.
    pub(super) literal: bool,
    /// The line ended there.
    pub(super) ended: bool,
    /// Where that field or literal should have begun.
    pub(super) at: usize,
}

/// What stands before the access line where the server logs through Python's logging: hypercorn's own prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerPrefix {
    pub(super) length: usize,
    pub(super) time: Option<Stamp>,
    pub(super) pid: Option<u32>,
}

/// `[2026-11-23 00:36:26 +0000] [8006] [INFO] ` at the start of `text`.
pub(super) fn server_prefix(text: &[u8]) -> Option<ServerPrefix> {
    let inside = text.strip_prefix(b"[")?;
    if inside.get(4) != Some(&b'-') {
        return None;
    }
    let (time, taken) = iso(inside)?;
    let rest = inside.get(taken..)?.strip_prefix(b"] [")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let pid = number(rest.get(..digits)?)?;
    let rest = rest.get(digits..)?.strip_prefix(b"] [")?;
    let letters = rest.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let rest = rest.get(letters..)?.strip_prefix(b"] ")?;
    Some(ServerPrefix { length: text.len() - rest.len(), time: Some(time), pid: u32::try_from(pid).ok() })
}

impl<'a, 'm> Scan<'a, 'm> {
    pub(super) fn new(text: &'a [u8], memo: &'m mut Memo) -> Self {
        Self { text, memo, spans: [(0, 0); MOST], time: None, stop: Stop::default(), timed: false }
    }

    /// The bytes of step `step`'s field.
    pub(super) fn span(&self, step: usize) -> &'a [u8] {
        let (from, to) = self.spans.get(step).copied().unwrap_or_default();
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// All that stands from the beginning of step `step`'s field on, which was reached.
    pub(super) fn from(&self, step: usize) -> &'a [u8] {
        let from = self.spans.get(step).map_or(0, |s| s.0 as usize);
        self.text.get(from..).unwrap_or_default()
    }

    fn keep(&mut self, step: usize, range: Range<usize>) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        if let Some(span) = self.spans.get_mut(step) {
            *span = (place(range.start), place(range.end));
        }
    }

    /// Remembers where the line stopped fitting, if that is farther than before.
    fn stopped(&mut self, step: usize, literal: bool, ended: bool, at: usize) {
        let farther = (step, !literal) > (self.stop.step, !self.stop.literal) || self.stop == Stop::default();
        if farther {
            self.stop = Stop { step, literal, ended, at };
        }
    }
}

impl Compiled {
    /// Fits the whole line from `start` on.
    pub(super) fn scan(&self, found: &mut Scan<'_, '_>, start: usize) -> Result<(), ()> {
        let mut open = self.run(found, 0, start)?;
        while let Some((step, at)) = open {
            open = self.free(found, step, at)?;
        }
        Ok(())
    }

    /// Fits steps from `step` on at `at` while they tell their own ends: gives the next one that does not, and where
    /// it begins; `None` at the line's end.
    fn run(&self, found: &mut Scan<'_, '_>, mut step: usize, mut at: usize) -> Result<Option<(usize, usize)>, ()> {
        while let Some(this) = self.steps.get(step) {
            let rest = found.text.get(at..).unwrap_or_default();
            if !rest.starts_with(&this.literal) {
                found.stopped(step, true, this.literal.starts_with(rest), at);
                return Err(());
            }
            at += this.literal.len();
            if this.field.shape.is_free() {
                return Ok(Some((step, at)));
            }
            match self.measure(found, step, this, at) {
                Some(length) => {
                    found.keep(step, at..at + length);
                    at += length;
                }
                None => return Err(()),
            }
            step += 1;
        }
        let rest = found.text.get(at..).unwrap_or_default();
        let fits = rest == &*self.tail || rest.strip_prefix(&*self.tail).is_some_and(|r| r.iter().all(u8::is_ascii_whitespace));
        if !fits {
            found.stopped(step, true, rest.len() < self.tail.len() && self.tail.starts_with(rest), at);
            return Err(());
        }
        Ok(None)
    }

    /// Finds the end of a field that does not tell it, together with all that follows up to the next such one.
    fn free(&self, found: &mut Scan<'_, '_>, step: usize, at: usize) -> Result<Option<(usize, usize)>, ()> {
        let Some(this) = self.steps.get(step) else { return Err(()) };
        let text = found.text;
        let next = self.literal(step + 1);
        if next.is_empty() && step + 1 == self.steps.len() {
            found.keep(step, at..text.len());
            let fits = bears(this, text.get(at..).unwrap_or_default(), true);
            if !fits {
                found.stopped(step, false, false, at);
            }
            return if fits { Ok(None) } else { Err(()) };
        }
        found.keep(step, at..at);
        let mut any = false;
        for lax in [false, true] {
            let mut from = at;
            while let Some(end) = find(text, from, next) {
                from = end + 1;
                let inside = text.get(at..end).unwrap_or_default();
                if !lax && this.quoted && ends_escaped(inside) || !bears(this, inside, lax) {
                    continue;
                }
                any = true;
                if let Ok(open) = self.run(found, step + 1, end) {
                    found.keep(step, at..end);
                    return Ok(open);
                }
            }
        }
        if !any {
            found.stopped(step, false, find(text, at, next).is_none(), at);
        }
        Err(())
    }

    /// The literal before step `step`, or the text behind the last one.
    fn literal(&self, step: usize) -> &[u8] {
        self.steps.get(step).map_or(&self.tail, |s| &s.literal)
    }

    /// The length of a field that tells its own end, `None` where it does not fit; that is noted then.
    fn measure(&self, found: &mut Scan<'_, '_>, step: usize, this: &Step, at: usize) -> Option<usize> {
        let rest = found.text.get(at..).unwrap_or_default();
        let before = if this.padded { rest.iter().take_while(|b| **b == b' ').count() } else { 0 };
        let field = rest.get(before..).unwrap_or_default();
        let length = if this.field.shape.is_time() {
            self.time(found, this.field.shape, field)
        } else {
            measured(this, field, self.literal(step + 1), self.digits_follow(step))
        };
        let Some(length) = length else {
            let cut = field.len() < 3 && field.iter().all(|b| b.is_ascii_digit() || *b == b' ');
            found.stopped(step, false, cut, at);
            return None;
        };
        let after = field.get(length..).unwrap_or_default();
        let after = if this.padded { after.iter().take_while(|b| **b == b' ').count() } else { 0 };
        let kept = self.literal(step + 1).iter().take_while(|b| **b == b' ').count();
        Some(before + length + after.saturating_sub(kept))
    }

    /// Whether the field behind step `step` begins with a digit or a dash.
    pub(super) fn digits_follow(&self, step: usize) -> bool {
        self.steps.get(step + 1).is_some_and(begins_with_digits)
    }

    fn time(&self, found: &mut Scan<'_, '_>, shape: Shape, field: &[u8]) -> Option<usize> {
        let (stamp, taken) = match shape {
            Shape::Clf(true) => {
                let (stamp, taken) = found.memo.clf(field.strip_prefix(b"[")?)?;
                (stamp, taken + 2)
            }
            Shape::Clf(_) => found.memo.clf(field).or_else(|| clf(field))?,
            Shape::Iso => found.memo.iso(field).or_else(|| iso(field))?,
            Shape::Epoch => {
                let length = decimal(field)?;
                (crate::time::epoch(field.get(..length)?)?, length)
            }
            _ => self.dated.as_ref()?.read(field)?,
        };
        found.time = Some(stamp);
        found.timed |= matches!(shape, Shape::Clf(_));
        Some(taken)
    }
}

/// Whether a field begins with a digit or a dash.
pub(super) fn begins_with_digits(step: &Step) -> bool {
    matches!(step.field.shape, Shape::Status | Shape::StatusPhrase | Shape::Number)
}

/// The length of a field that is no time and tells its own end before the literal `next`; `digits`: a figure follows.
pub(super) fn measured(step: &Step, field: &[u8], next: &[u8], digits: bool) -> Option<usize> {
    let shape = step.field.shape;
    let count = |ok: fn(&u8) -> bool| field.iter().take_while(|b| ok(b)).count();
    match shape {
        Shape::Word | Shape::Client => word(field, next),
        Shape::Token => Some(count(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'))).filter(|n| *n <= 32),
        Shape::Protocol => {
            let known = matches!(
                field,
                [b'H' | b'h', b'T' | b't', b'T' | b't', b'P' | b'p', b'/', ..] | [b'0'..=b'9' | b'-' | b'w', ..]
            );
            known.then(|| count(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-')))
        }
        Shape::Status => status(field),
        Shape::StatusPhrase if field.starts_with(ACCEPTED) => Some(ACCEPTED.len()),
        Shape::StatusPhrase => {
            let length = status(field)?;
            Some(length + phrase(field.get(length..)?, next, digits)?)
        }
        Shape::Phrase => phrase(field, next, digits),
        Shape::Number | Shape::Numbers if step.quoted && field.first() == Some(&b'"') => Some(0),
        Shape::Number => decimal(field),
        Shape::Numbers => numbers(field),
        Shape::Pid => match field.strip_prefix(b"<") {
            Some(inside) => memchr(b'>', inside.get(..inside.len().min(12))?).map(|end| end + 2),
            None => decimal(field),
        },
        Shape::LevelPrefix => {
            let letters = count(u8::is_ascii_uppercase);
            let blanks = field.get(letters + 1..)?.iter().take_while(|b| **b == b' ').count();
            let wide = 8_usize.saturating_sub(letters).min(blanks);
            (letters > 0 && field.get(letters) == Some(&b':')).then_some(letters + 1 + wide)
        }
        _ => None,
    }
}

/// A status phrase (empty too): letters up to the next literal, behind which the next field may begin.
fn phrase(field: &[u8], next: &[u8], digits: bool) -> Option<usize> {
    let letters =
        |inside: &[u8]| inside.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'\'' | b'-' | b'<' | b'>' | b'?'));
    if next.is_empty() {
        return letters(field).then_some(field.len());
    }
    let mut from = 0;
    loop {
        let end = find(field, from, next)?;
        if !field.get(..end).is_some_and(letters) {
            return None;
        }
        let behind = field.get(end + next.len());
        if !digits || behind.is_some_and(|b| b.is_ascii_digit() || *b == b'-') {
            return Some(end);
        }
        from = end + 1;
    }
}

/// Whether `inside` can be this field. Strictly, a request line ends with its protocol.
fn bears(step: &Step, inside: &[u8], lax: bool) -> bool {
    match step.field.shape {
        Shape::RequestLine if lax => step.quoted || begins_request(inside),
        Shape::RequestLine => begins_request(inside) && without_protocol(inside).is_some(),
        Shape::Target => {
            matches!(inside, [] | [b'/' | b'*' | b'-', ..] | b"None")
                || inside.starts_with(b"http")
                || lax && !inside.contains(&b' ')
        }
        Shape::List => !inside.ends_with(b","),
        _ => true,
    }
}

/// A method or a dash, a blank, and a target.
pub(super) fn begins_request(inside: &[u8]) -> bool {
    let Some(blank) = inside.iter().take(33).position(|b| *b == b' ') else { return false };
    let (method, rest) = inside.split_at_checked(blank).unwrap_or_default();
    (is_method(method) || method == b"-") && matches!(rest.get(1), Some(b'/' | b'*' | b'h' | b'N'))
}

/// Whether an odd number of backslashes stands at the end, so that the quote behind is escaped.
fn ends_escaped(inside: &[u8]) -> bool {
    inside.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// The first place of `literal` in `text` from `from` on.
fn find(text: &[u8], from: usize, literal: &[u8]) -> Option<usize> {
    let pivot = literal.iter().position(|b| *b != b' ').unwrap_or(0);
    let sign = *literal.get(pivot)?;
    let mut at = from + pivot;
    loop {
        at += memchr(sign, text.get(at..)?)?;
        if text.get(at - pivot..).is_some_and(|t| t.starts_with(literal)) {
            return Some(at - pivot);
        }
        at += 1;
    }
}

/// No blank inside, up to the next literal.
fn word(field: &[u8], next: &[u8]) -> Option<usize> {
    let blank = memchr(b' ', field).unwrap_or(field.len());
    if next.is_empty() || next.starts_with(b" ") {
        return Some(blank);
    }
    find(field, 0, next).filter(|end| *end <= blank)
}

/// Three digits or a dash.
fn status(field: &[u8]) -> Option<usize> {
    match field {
        [b'-', ..] => Some(1),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', ..] => Some(3),
        _ => None,
    }
}

/// `12`, `0.012`, `-3`, `1e-05`, `-`.
fn decimal(field: &[u8]) -> Option<usize> {
    let sign = usize::from(field.first() == Some(&b'-'));
    let digits = |from: usize| field.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let mut length = sign + digits(sign);
    if length == 0 {
        return None;
    }
    if field.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if field.get(length) == Some(&b'e') && matches!(field.get(length + 1), Some(b'-' | b'+')) && digits(length + 2) > 0 {
        length += 2 + digits(length + 2);
    }
    Some(length)
}

/// `0.001, 0.002 : 0.003`, one of them perhaps a dash.
fn numbers(field: &[u8]) -> Option<usize> {
    let mut length = decimal(field)?;
    loop {
        let rest = field.get(length..)?;
        let gap = if rest.starts_with(b", ") {
            2
        } else if rest.starts_with(b" : ") {
            3
        } else {
            return Some(length);
        };
        let Some(more) = rest.get(gap..).and_then(decimal) else { return Some(length) };
        length += gap + more;
    }
}
