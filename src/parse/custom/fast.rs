//! The way for usual lines: wanted fields read from the front and from the back, what nobody wants passed over.
//!
//! A plan is made once for a format. It never says that a line is broken: what it does not fit goes the long way
//! (`scan`), which knows escapes, quotes inside quotes and every other oddity.

use super::Meaning;
use super::Shape;
use super::Step;
use super::fill::latency;
use super::fill::put;
use super::scan::begins_with_digits;
use super::scan::measured;
use crate::parse::Auth;
use crate::parse::Record;
use crate::parse::access::Memo;
use crate::parse::access::first_blank;
use crate::parse::access::leading_digits;
use crate::parse::access::path;
use crate::parse::access::scaled;
use crate::parse::access::trailing_digits;
use crate::parse::access::usual;
use crate::parse::clf::has_port;
use crate::time::iso;
use memchr::memchr;
use memchr::memchr2;
use memchr::memrchr;

/// Which fields are read from where.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    ahead: Vec<Op>,
    /// As many fields of `ahead` are those of the common log format, which is read in one go.
    common: usize,
    /// Where fields are passed over, the literal before the first of them.
    over: Option<Literal>,
    /// The literals between the fields that are passed over.
    between: Vec<Literal>,
    /// From the last field backwards, each with the literal before it.
    behind: Vec<Op>,
    tail: Literal,
}

/// One field and the literal before it.
#[derive(Debug, Clone)]
struct Op {
    literal: Literal,
    how: How,
    meaning: Meaning,
    /// The literal behind it, where that ends it.
    next: Literal,
    /// The field itself, and whether a figure follows it, for one that is measured.
    step: Step,
    digits: bool,
}

/// How one field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Up to the next blank.
    Word,
    /// Up to the next literal.
    User,
    /// A stamp before a closing bracket; true where the brackets are part of the field.
    Clf(bool),
    /// A request line before its quote.
    Request,
    Status,
    /// A decimal number or a dash.
    Number,
    /// A stamp of ISO 8601's kind.
    Iso,
    /// A path up to the next literal.
    Target,
    /// Any text up to the next literal.
    Any,
    /// As the long way measures it.
    Measured,
    /// Back to the literal before it, or on to the end; without a blank.
    Back,
}

/// A literal text; up to eight bytes of it are compared as one number.
#[derive(Debug, Clone, Default)]
struct Literal {
    bytes: Box<[u8]>,
    /// At the low end, as it is compared at the start of a text.
    value: u64,
    mask: u64,
    /// How far both are shifted to be compared at the end of a text; 0 for a literal that is too long for it.
    shift: u32,
}

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let mut chunk = [0; 8];
        let mut mask = [0; 8];
        for ((byte, value), mask) in bytes.iter().zip(&mut chunk).zip(&mut mask) {
            *value = *byte;
            *mask = 0xff;
        }
        let shift = u32::try_from(8 * (8_usize.saturating_sub(bytes.len()))).unwrap_or(0);
        Self { bytes: bytes.into(), value: u64::from_le_bytes(chunk), mask: u64::from_le_bytes(mask), shift }
    }

    /// What follows the first place of the literal in `text`.
    #[inline]
    fn find<'a>(&self, mut text: &'a [u8]) -> Option<&'a [u8]> {
        let sign = *self.bytes.first()?;
        loop {
            text = text.get(memchr(sign, text)?..)?;
            if let Some(behind) = self.strip(text) {
                return Some(behind);
            }
            text = text.get(1..)?;
        }
    }

    /// What stands before the literal at the end of `text`.
    #[inline]
    fn strip_end<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match text.last_chunk::<8>() {
            Some(_) if self.bytes.is_empty() => Some(text),
            Some(chunk) if self.shift != 0 => {
                let same = u64::from_le_bytes(*chunk) & (self.mask << self.shift) == self.value << self.shift;
                same.then(|| text.get(..text.len() - self.bytes.len())).flatten()
            }
            _ => text.strip_suffix(&*self.bytes),
        }
    }

    /// What follows the literal at the start of `text`.
    #[inline]
    fn strip<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        match text.first_chunk::<8>() {
            Some(chunk) if self.bytes.len() <= 8 => {
                (u64::from_le_bytes(*chunk) & self.mask == self.value).then(|| text.get(self.bytes.len()..)).flatten()
            }
            _ => text.strip_prefix(&*self.bytes),
        }
    }
}

impl Plan {
    /// The plan for a format, `None` where a field is wanted that stands between others that tell no end.
    pub(super) fn new(steps: &[Step], tail: &[u8]) -> Option<Self> {
        Self::with(steps, tail, false).or_else(|| Self::with(steps, tail, true))
    }

    /// The same, `any` text read from the front too where it must be.
    fn with(steps: &[Step], tail: &[u8], any: bool) -> Option<Self> {
        let next = |index: usize| steps.get(index + 1).map_or(tail, |s| &*s.literal);
        let op = |index: usize, step: &Step, how: How| Op {
            literal: Literal::new(&step.literal),
            how,
            meaning: step.field.meaning,
            next: Literal::new(next(index)),
            step: step.clone(),
            digits: steps.get(index + 1).is_some_and(begins_with_digits),
        };
        let mut plan = Self { tail: Literal::new(tail), ..Self::default() };
        let mut first = 0;
        while let Some(step) = steps.get(first)
            && let Some(how) = forwards(step, next(first), steps.get(first + 1), any)
        {
            plan.ahead.push(op(first, step, how));
            first += 1;
        }
        plan.common = common(&plan.ahead);
        let Some(step) = steps.get(first) else { return Some(plan) };
        plan.over = Some(Literal::new(&step.literal));
        let mut last = steps.len();
        while let Some(step) = last.checked_sub(1).filter(|l| *l > first).and_then(|l| steps.get(l))
            && let Some(how) = backwards(step)
        {
            last -= 1;
            plan.behind.push(op(last, step, how));
        }
        plan.between = steps.get(first + 1..last).unwrap_or_default().iter().map(|s| Literal::new(&s.literal)).collect();
        let unwanted = |s: &Step| s.field.meaning == Meaning::Nothing;
        steps.get(first..last)?.iter().all(unwanted).then_some(plan)
    }

    /// Reads a line into `out`, which must be empty; `None` where it is no usual one (`out` may hold parts of it then).
    pub(super) fn read<'a>(&self, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Option<()> {
        if self.common > 0
            && let Some(rest) = read_common(text, memo, out)
        {
            return self.read_from(self.common, rest, memo, out);
        }
        self.read_from(0, text, memo, out)
    }

    /// Reads on from the field of that number.
    #[inline]
    fn read_from<'a>(&self, first: usize, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Option<()> {
        let mut client: &[u8] = b"";
        let mut rest = text;
        for op in self.ahead.get(first..)? {
            rest = op.literal.strip(rest)?;
            rest = match op.how {
                How::Word => {
                    let blank = if rest.first() == Some(&b'-') && rest.get(1) == Some(&b' ') { 1 } else { first_blank(rest)? };
                    let (word, behind) = rest.split_at_checked(blank)?;
                    (word.last() != Some(&b',')).then_some(())?;
                    match op.meaning {
                        Meaning::Nothing if op.step.field.shape == Shape::Client => client = word,
                        Meaning::Nothing => {}
                        meaning => put(out, meaning, word).ok()?,
                    }
                    behind
                }
                How::User => user(op, rest, client, memo, out)?,
                How::Clf(brackets) => {
                    let inside = if brackets { rest.strip_prefix(b"[")? } else { rest };
                    let (stamp, taken) = memo.clf(inside)?;
                    out.time = Some(stamp);
                    inside.get(taken + usize::from(brackets)..)?
                }
                How::Request => {
                    let request = usual(rest)?;
                    (out.method, out.path) = (request.method, request.path);
                    // from the closing quote on, with which the next literal begins
                    rest.get(rest.len() - request.rest.len() - 1..)?
                }
                How::Status => {
                    out.status = Some(three_digits(*rest.first_chunk::<3>()?)?);
                    rest.get(3..)?
                }
                How::Number => number(op.meaning, rest, out)?,
                How::Iso => {
                    let (stamp, taken) = memo.iso(rest).or_else(|| iso(rest))?;
                    out.time = Some(stamp);
                    rest.get(taken..)?
                }
                How::Target | How::Any => {
                    let length = up_to(rest, &op.next)?;
                    let (target, behind) = rest.split_at_checked(length)?;
                    if op.how == How::Target {
                        (target.first() == Some(&b'/')).then_some(())?;
                        out.path = path(target);
                    }
                    behind
                }
                How::Measured => {
                    let length = measured(&op.step, rest, &op.next.bytes, op.digits)?;
                    let (value, behind) = rest.split_at_checked(length)?;
                    if !matches!(op.meaning, Meaning::Nothing | Meaning::Level) {
                        put(out, op.meaning, value).ok()?;
                    }
                    behind
                }
                How::Back => {
                    no_blank(rest)?;
                    put(out, op.meaning, rest).ok()?;
                    &[]
                }
            };
        }
        if let Some(over) = &self.over {
            rest = over.strip(rest)?;
            rest = self.tail.strip_end(rest)?;
            for op in &self.behind {
                let value = if op.how == How::Number { last_number(op.meaning, rest, out)? } else { last_word(op, rest, out)? };
                rest = op.literal.strip_end(rest.get(..rest.len() - value)?)?;
            }
            (rest.last() != Some(&b'\\')).then_some(())?;
            for literal in &self.between {
                rest = literal.find(rest)?;
            }
        } else if self.tail.bytes.len() != rest.len() || self.tail.strip(rest).is_none() {
            return None;
        }
        // a socket and its method are the long way's
        (!matches!(out.status, Some(101)) && out.method != b"WebSocket").then_some(())
    }
}

/// How many of the fields are `CLIENT - USER [TIME] "REQUEST" STATUS BYTES`; 0 where they are others.
fn common(ahead: &[Op]) -> usize {
    let mut text: Vec<u8> = Vec::new();
    for (number, op) in (1..).zip(ahead) {
        text.extend_from_slice(&op.literal.bytes);
        text.extend_from_slice(match (op.how, op.meaning) {
            (How::Word, Meaning::Nothing) if op.step.field.shape == Shape::Client => b"client",
            (How::Word, Meaning::Nothing) => b"-",
            (How::User, _) => b"user",
            (How::Clf(true), _) => b"[time]",
            (How::Clf(false), _) => b"time",
            (How::Request, _) => b"request",
            (How::Status, _) => b"status",
            (How::Number, Meaning::Bytes) => b"bytes",
            _ => return 0,
        });
        if text == b"client - user [time] \"request\" status bytes" {
            return number;
        }
    }
    0
}

/// The usual line of that form, of somebody not logged in: what follows the size. `None` for any other, which the fields
/// are tried on one by one.
#[inline]
fn read_common<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Option<&'a [u8]> {
    let (client, rest) = text.split_at_checked(first_blank(text)?)?;
    let rest = rest.strip_prefix(b" - - [")?;
    (client.last() != Some(&b',')).then_some(())?;
    let (stamp, taken) = memo.clf(rest)?;
    let request = usual(rest.get(taken..)?.strip_prefix(b"] \"")?)?;
    let &[b' ', a, b, c, b' '] = request.rest.first_chunk::<5>()? else { return None };
    let code = three_digits([a, b, c])?;
    let rest = number(Meaning::Bytes, request.rest.get(5..)?, out)?;
    out.time = Some(stamp);
    out.auth = if memo.reading.no_users || has_port(client) { Auth::Unknown } else { Auth::Anonymous };
    (out.method, out.path) = (request.method, request.path);
    out.status = Some(code);
    Some(rest)
}

/// A status.
#[inline]
fn three_digits(digits: [u8; 3]) -> Option<u16> {
    let [a, b, c] = digits.map(|digit| u16::from(digit.wrapping_sub(b'0')));
    let code = a * 100 + b * 10 + c;
    (a < 10 && b < 10 && c < 10 && (100..=599).contains(&code)).then_some(code)
}

/// How a field that is read from the front can be read, `None` where it cannot.
fn forwards(step: &Step, next: &[u8], after: Option<&Step>, any: bool) -> Option<How> {
    if step.padded || matches!(step.field.meaning, Meaning::Millis | Meaning::Message) {
        return None;
    }
    match step.field.shape {
        Shape::Word | Shape::Client | Shape::List if next.starts_with(b" ") => Some(How::Word),
        Shape::Free if step.field.meaning == Meaning::RequestId && next.starts_with(b" ") => Some(How::Word),
        Shape::Free if step.field.meaning == Meaning::User => {
            let timed = after.is_some_and(|s| matches!(s.field.shape, Shape::Clf(_) | Shape::RequestLine));
            (timed && (next.ends_with(b" ") || next.ends_with(b"[") || next.ends_with(b"\""))).then_some(How::User)
        }
        Shape::Clf(brackets) if brackets || next.starts_with(b"]") => Some(How::Clf(brackets)),
        Shape::Iso => Some(How::Iso),
        Shape::RequestLine if step.quoted => Some(How::Request),
        Shape::Status if !next.is_empty() => Some(How::Status),
        Shape::Number if matches!(step.field.meaning, Meaning::Bytes | Meaning::Latency(_) | Meaning::Nothing) => {
            Some(How::Number)
        }
        Shape::Target if !next.is_empty() => Some(How::Target),
        Shape::Free if any && step.field.meaning == Meaning::Nothing && !next.is_empty() => Some(How::Any),
        Shape::Word | Shape::Free if next.is_empty() && step.field.meaning == Meaning::RequestId => Some(How::Back),
        Shape::Word
        | Shape::Client
        | Shape::Token
        | Shape::Protocol
        | Shape::Phrase
        | Shape::StatusPhrase
        | Shape::Pid
        | Shape::LevelPrefix => Some(How::Measured),
        _ => None,
    }
}

/// The first place of a literal, which is no escaped quote.
#[inline]
fn up_to(rest: &[u8], next: &Literal) -> Option<usize> {
    let length = memchr(*next.bytes.first()?, rest)?;
    (length == 0 || rest.get(length - 1) != Some(&b'\\')).then_some(length)
}

/// Whether neither a blank nor a quote is in `value`.
fn no_blank(value: &[u8]) -> Option<()> {
    memchr2(b' ', b'"', value).is_none().then_some(())
}

/// The same from the back.
fn backwards(step: &Step) -> Option<How> {
    if step.padded || step.literal.is_empty() {
        return None;
    }
    match (step.field.shape, step.field.meaning) {
        (Shape::Number, Meaning::Bytes | Meaning::Latency(_) | Meaning::Nothing) => Some(How::Number),
        (Shape::Numbers, Meaning::Nothing) if !step.quoted => Some(How::Number),
        (Shape::Word, Meaning::Cache | Meaning::RequestId | Meaning::Nothing) | (Shape::Free, Meaning::RequestId) => {
            Some(How::Back)
        }
        (Shape::Pid, _) | (Shape::Numbers, Meaning::Nothing) => Some(How::Back),
        _ => None,
    }
}

/// Who was logged in: a dash, or a name up to the literal behind it.
#[inline]
fn user<'a>(op: &Op, rest: &'a [u8], client: &[u8], memo: &Memo, out: &mut Record<'_>) -> Option<&'a [u8]> {
    if let [b'-', behind @ ..] = rest
        && op.next.strip(behind).is_some()
    {
        let knows = !memo.reading.no_users && !has_port(client);
        out.auth = if knows { Auth::Anonymous } else { Auth::Unknown };
        return Some(behind);
    }
    let near = rest.get(..rest.len().min(72))?;
    let sign = if op.next.bytes.contains(&b'"') { b'"' } else { b'[' };
    let stop = memchr(sign, near)?;
    let before = op.next.bytes.iter().position(|b| *b == sign).unwrap_or(op.next.bytes.len());
    let end = stop.checked_sub(before)?;
    op.next.strip(rest.get(end..)?)?;
    let (name, behind) = rest.split_at_checked(end)?;
    (!name.is_empty() && memchr(b'"', name).is_none()).then_some(())?;
    out.auth = Auth::Authenticated;
    Some(behind)
}

/// The number at the start of `rest`, and what follows it.
#[inline]
fn number<'a>(meaning: Meaning, rest: &'a [u8], out: &mut Record<'_>) -> Option<&'a [u8]> {
    if let Some(chunk) = rest.first_chunk::<8>() {
        let (count, value) = leading_digits(*chunk);
        let behind = rest.get(count as usize..)?;
        if count > 0 && count < 8 && behind.first() != Some(&b'.') {
            whole(meaning, value, out)?;
            return Some(behind);
        }
    }
    let length = match rest.first() {
        Some(b'-') => 1,
        _ => rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count(),
    };
    let (figure, behind) = rest.split_at_checked(length)?;
    (length > 0).then_some(())?;
    written(meaning, figure, out)?;
    Some(behind)
}

/// The number at the end of `rest`: its length.
#[inline]
fn last_number(meaning: Meaning, rest: &[u8], out: &mut Record<'_>) -> Option<usize> {
    if let Some(chunk) = rest.last_chunk::<8>() {
        let (count, value) = trailing_digits(*chunk);
        let before = rest.get(rest.len() - count as usize - 1);
        if count > 0 && count < 8 && !matches!(before, Some(b'.' | b'-')) {
            whole(meaning, value, out)?;
            return Some(count as usize);
        }
    }
    let length = match rest.last() {
        Some(b'-') => 1,
        _ => rest.iter().rev().take(24).take_while(|b| b.is_ascii_digit() || **b == b'.').count(),
    };
    let before = rest.get(..rest.len() - length)?;
    let listed = before.ends_with(b", ") || before.ends_with(b" : ") || matches!(before.last(), Some(b'-' | b'+' | b'e'));
    (length > 0 && !listed).then_some(())?;
    written(meaning, rest.get(rest.len() - length..)?, out)?;
    Some(length)
}

/// The word between the literal before the field and the end of `rest`: its length.
fn last_word<'a>(op: &Op, rest: &'a [u8], out: &mut Record<'a>) -> Option<usize> {
    let value = rest.get(memrchr(*op.literal.bytes.last()?, rest)? + 1..)?;
    no_blank(value)?;
    if matches!(op.step.field.shape, Shape::Numbers | Shape::Pid) {
        (measured(&op.step, value, &op.next.bytes, false) == Some(value.len())).then_some(())?;
    }
    put(out, op.meaning, value).ok()?;
    Some(value.len())
}

/// A whole number of less than eight digits.
#[inline]
fn whole(meaning: Meaning, value: u64, out: &mut Record<'_>) -> Option<()> {
    match meaning {
        Meaning::Bytes => out.bytes = Some(value),
        Meaning::Latency(unit) => out.latency_us = Some(scaled(value, unit)?),
        _ => {}
    }
    Some(())
}

/// A number with decimals, or a dash.
#[inline]
fn written(meaning: Meaning, figure: &[u8], out: &mut Record<'_>) -> Option<()> {
    if figure.first() == Some(&b'.') || figure.last() == Some(&b'.') {
        return None;
    }
    match meaning {
        Meaning::Nothing => (memchr(b'.', figure) == memrchr(b'.', figure)).then_some(()),
        Meaning::Latency(unit) => {
            out.latency_us = latency(figure, unit).ok()?;
            Some(())
        }
        Meaning::Bytes if figure.contains(&b'.') => None,
        Meaning::Bytes => {
            out.bytes = if figure == b"-" { None } else { Some(crate::parse::access::number(figure)?) };
            Some(())
        }
        _ => None,
    }
}
