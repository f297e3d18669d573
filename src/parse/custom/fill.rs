//! What the fields of a fitted line say, and why a line that set out did not fit.
//!
//! A figure that is a dash is not there. A status beyond 100 to 599 and a duration beyond a year are no figures: the
//! line is malformed then.

use super::Compiled;
use super::Meaning;
use super::Message;
use super::Shape;
use super::scan::ACCEPTED;
use super::scan::Scan;
use super::scan::ServerPrefix;
use super::scan::begins_request;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Record;
use crate::parse::Reject;
use crate::parse::Verdict;
use crate::parse::access::Unit;
use crate::parse::access::apart;
use crate::parse::access::micros;
use crate::parse::access::number;
use crate::parse::access::path;
use crate::parse::clf;
use crate::parse::clf::has_port;
use crate::parse::fields::by_age;
use crate::parse::fields::cache_word;
use crate::time::Stamp;
use crate::time::Timestamp;
use memchr::memmem;

/// The longest duration that can be, in microseconds: a year.
const LONGEST_US: u64 = 366 * 86_400 * 1_000_000;

impl Compiled {
    /// The record of a fitted line.
    pub(super) fn fill<'a>(&self, found: &Scan<'a, '_>, server: Option<&ServerPrefix>, out: &mut Record<'a>) -> Verdict {
        let mut record =
            Record { pid: server.and_then(|s| s.pid), time: found.time.or(server.and_then(|s| s.time)), ..Record::default() };
        let mut no_users = found.memo.reading.no_users;
        for (index, step) in self.steps.iter().enumerate() {
            let text = match step.field.meaning {
                Meaning::Nothing if step.field.shape == Shape::Client => {
                    no_users |= has_port(found.span(index));
                    continue;
                }
                Meaning::Nothing | Meaning::Time => continue,
                _ if step.padded => found.span(index).trim_ascii(),
                _ => found.span(index),
            };
            if let Err(reject) = put(&mut record, step.field.meaning, text) {
                return Verdict::Malformed(reject);
            }
        }
        if no_users && record.auth == Auth::Anonymous {
            record.auth = Auth::Unknown;
        }
        if record.status == Some(101) {
            record.latency_us = None;
        }
        if record.status == Some(101) || record.method == b"WebSocket" {
            record.method = b"WEBSOCKET";
        }
        *out = record;
        Verdict::Request
    }

    /// Whether the line that stopped fitting had set out as this format's access line, and what broke it.
    pub(super) fn broken(&self, found: &Scan<'_, '_>) -> Verdict {
        let stop = found.stop;
        let at = |shape: Shape| {
            self.steps
                .iter()
                .position(|s| s.field.shape == shape)
                .filter(|p| *p < stop.step || *p == stop.step && !stop.literal)
        };
        let request = at(Shape::RequestLine).is_some_and(|step| {
            let text = found.from(step);
            let quoted = self.steps.get(step).is_some_and(|s| s.quoted);
            begins_request(text)
                && (quoted || [&b" HTTP/"[..], b" 1.1", b" 2 "].iter().any(|p| memmem::find(text, p).is_some()))
        });
        let method = at(Shape::Token).is_some_and(|step| {
            let is_method = self.steps.get(step).is_some_and(|s| s.field.meaning == Meaning::Method);
            is_method && found.span(step).len() >= 3 && found.span(step).iter().all(u8::is_ascii_uppercase)
        });
        if !(found.timed || request || method) {
            return Verdict::NotMine;
        }
        if stop.ended {
            return Verdict::Malformed(Reject::Cut);
        }
        let blamed = if stop.literal { stop.step.checked_sub(1) } else { Some(stop.step) };
        let field = blamed.and_then(|step| self.steps.get(step)).map(|s| s.field.shape);
        Verdict::Malformed(match field {
            Some(Shape::Status | Shape::StatusPhrase | Shape::Phrase) => Reject::Status,
            Some(Shape::RequestLine | Shape::Target | Shape::Token | Shape::Protocol) => Reject::RequestLine,
            Some(Shape::Clf(_) | Shape::Iso | Shape::Epoch | Shape::Dated) => Reject::Time,
            Some(Shape::Number | Shape::Numbers | Shape::Pid) => Reject::Number,
            _ => Reject::Cut,
        })
    }

    /// The log record of a fitted line.
    pub(super) fn record<'a>(&self, found: &Scan<'a, '_>) -> Message<'a> {
        let mut message = Message { time: found.time, ..Message::default() };
        for (index, step) in self.steps.iter().enumerate() {
            let text = found.span(index);
            match step.field.meaning {
                Meaning::Message => message.text = text,
                Meaning::Logger => message.logger = text.trim_ascii(),
                Meaning::Level => {
                    let mut words = text.split(|b| !b.is_ascii_alphabetic());
                    message.level = words.find(|w| !w.is_empty()).unwrap_or_default();
                }
                Meaning::RequestId => message.request_id = present(text),
                Meaning::Pid => message.pid = pid(text),
                Meaning::Millis => message.time = message.time.map(|t| with_millis(t, text)),
                _ => {}
            }
        }
        message
    }
}

/// Puts one field into the record.
pub(super) fn put<'a>(record: &mut Record<'a>, meaning: Meaning, text: &'a [u8]) -> Result<(), Reject> {
    match meaning {
        Meaning::RequestLine => (record.method, record.path) = apart(text),
        Meaning::Method => record.method = if text == b"-" { &[] } else { text },
        Meaning::Path => record.path = path(text),
        Meaning::Status => record.status = Some(status(text)?),
        Meaning::Bytes => record.bytes = amount(text)?,
        Meaning::Latency(unit) => record.latency_us = latency(text, unit)?,
        Meaning::RequestId => record.request_id = present(text),
        Meaning::User if record.auth == Auth::Authenticated => {}
        Meaning::User => record.auth = if present(text).is_empty() { Auth::Anonymous } else { Auth::Authenticated },
        Meaning::Cache => match cache(text) {
            Cache::None => {}
            word => record.cache = word,
        },
        Meaning::CacheControl => record.headers.cache_control = logged(text),
        Meaning::Vary => record.headers.vary = logged(text),
        Meaning::Age => {
            record.headers.age = number(text);
            record.cache = by_age(record.cache, record.headers.age);
        }
        Meaning::SetCookie => record.headers.set_cookie = !present(text).is_empty(),
        Meaning::Version => record.version = present(text),
        Meaning::Pid => record.pid = pid(text),
        Meaning::Millis => record.time = record.time.map(|t| with_millis(t, text)),
        Meaning::Nothing | Meaning::Time | Meaning::Message | Meaning::Logger | Meaning::Level => {}
    }
    Ok(())
}

/// Empty where a dash or nothing stands for absence.
fn present(text: &[u8]) -> &[u8] {
    if text == b"-" { &[] } else { text }
}

/// A dash where the header was logged and absent.
fn logged(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}

fn status(text: &[u8]) -> Result<u16, Reject> {
    if text == b"-" {
        return Ok(0);
    }
    if text == ACCEPTED {
        return Ok(101);
    }
    let code = text.get(..3).and_then(number).and_then(|n| u16::try_from(n).ok());
    code.filter(|c| *c == 0 || (100..=599).contains(c)).ok_or(Reject::Status)
}

fn amount(text: &[u8]) -> Result<Option<u64>, Reject> {
    match text {
        b"" | b"-" => Ok(None),
        _ => number(text).map(Some).ok_or(Reject::Number),
    }
}

/// A duration in microseconds; several (of upstream servers tried in turn) are added. A clock that was set back
/// meanwhile makes a negative one, which says nothing.
pub(super) fn latency(text: &[u8], unit: Unit) -> Result<Option<u64>, Reject> {
    if let Some(one) = micros(text, unit).filter(|us| *us <= LONGEST_US) {
        return Ok(Some(one));
    }
    let mut sum = None;
    for part in text.split(|b| matches!(b, b',' | b' ' | b':')).filter(|p| !matches!(*p, b"" | b"-")) {
        if part.first() == Some(&b'-') {
            return Ok(None);
        }
        let us = micros(part, unit).or_else(|| scientific(part, unit)).filter(|us| *us <= LONGEST_US).ok_or(Reject::Number)?;
        sum = Some(sum.unwrap_or(0_u64).saturating_add(us));
    }
    Ok(sum)
}

/// `5.3e-05`, as Python prints a small float: cut to whole microseconds.
#[cold]
fn scientific(text: &[u8], unit: Unit) -> Option<u64> {
    let at = text.iter().position(|b| *b == b'e')?;
    let (mantissa, exponent) = text.split_at_checked(at)?;
    let exponent: i32 = std::str::from_utf8(exponent.get(1..)?).ok()?.parse().ok()?;
    let dot = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len());
    let decimals = i32::try_from(mantissa.len().saturating_sub(dot + 1)).ok()?;
    let power = match unit {
        Unit::Seconds => 6,
        Unit::Milliseconds => 3,
        Unit::Microseconds => 0,
        Unit::Nanoseconds => -3,
    } + exponent.checked_sub(decimals)?;
    let mut value = 0_u64;
    for digit in mantissa.iter().filter(|b| **b != b'.') {
        value = value.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?))?;
    }
    if power >= 0 {
        value.checked_mul(10_u64.checked_pow(power.unsigned_abs())?)
    } else {
        Some(10_u64.checked_pow(power.unsigned_abs()).map_or(0, |p| value / p))
    }
}

/// Digits, perhaps in `<>`.
fn pid(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii();
    let inside = text.strip_prefix(b"<").and_then(|t| t.strip_suffix(b">")).unwrap_or(text);
    number(inside).and_then(|n| u32::try_from(n).ok())
}

fn with_millis(stamp: Stamp, text: &[u8]) -> Stamp {
    let more = i64::try_from(micros(text, Unit::Milliseconds).unwrap_or(0).min(999_999)).unwrap_or(0);
    let add = |us: i64| us - us.rem_euclid(crate::time::SECOND) + more;
    match stamp {
        Stamp::Exact(t) => Stamp::Exact(Timestamp(add(t.micros()))),
        Stamp::Local(us) => Stamp::Local(add(us)),
        Stamp::OfDay(us) => Stamp::OfDay(add(us)),
        Stamp::Yearless { month, day, in_day } => Stamp::Yearless { month, day, in_day: add(in_day) },
    }
}

/// nginx's words and those of caches that answer in `X-Cache` (`Hit from cloudfront`, `MISS, HIT`: the last is nearest).
pub(in crate::parse) fn cache(text: &[u8]) -> Cache {
    match clf::cache(text) {
        Cache::Other => cache_word(text),
        known => known,
    }
}
