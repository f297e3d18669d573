//! What every access line is made of: the request line in its quotes, the status, figures of time, the time stamp.
//!
//! Gives the pieces to the written forms (`uvicorn`, `clf`, …), each of which says in which order they stand. What
//! stands before the request line is read by `head`. The request line is RFC 9112 section 3 as servers print it:
//! often unquoted inside, so that a blank or a quote in a path must be told from the end.

use super::Reject;
use super::Status;
use super::head::Items;
use crate::time::SECOND;
use crate::time::Stamp;
use crate::time::Timestamp;
use crate::time::clf;
use crate::time::iso;
use memchr::memchr;
use memchr::memchr_iter;
use memchr::memchr2;
use memchr::memchr3;
use serde::Deserialize;
use serde::Serialize;

/// The unit of a written duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// `ns`
    Nanoseconds,
    /// `us`
    Microseconds,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
}

impl Unit {
    /// The unit called `ns`, `us`, `µs`, `ms` or `s`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ns" => Some(Self::Nanoseconds),
            "us" | "µs" | "μs" => Some(Self::Microseconds),
            "ms" => Some(Self::Milliseconds),
            "s" => Some(Self::Seconds),
            _ => None,
        }
    }

    /// Its short name: `ns`, `us`, `ms`, `s`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    fn nanos(self) -> u64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }
}

/// How a source's figures are to be read where a line alone cannot tell. Decided once per source, before its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// The unit of a duration without a name. `None`: seconds where it has a decimal point, else it is no duration.
    pub bare_unit: Option<Unit>,
    /// `Some(true)`: dates like `22/11/2026` begin with the day; `Some(false)`: with the month; `None`: such dates give
    /// no time.
    pub day_first: Option<bool>,
    /// The lines end in named figures, some of them quoted (`rt=0.035 uct="0.001"`).
    pub named_tail: bool,
    /// The place of the user always holds a `-`, which then says nothing.
    pub no_users: bool,
}

/// How a source is read, and the time stamps last seen in it: a stamp whose text is the same again is not read again.
/// What is remembered never changes a result.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    /// How the figures are to be read.
    pub reading: Reading,
    clf: Seen<27, 18>,
    short: Seen<21, 18>,
    iso: Seen<26, 17>,
    pub(super) items: Items,
}

impl Memo {
    /// A memo that remembers nothing yet.
    pub fn new(reading: Reading) -> Self {
        Self { reading, ..Self::default() }
    }

    /// A `23/Nov/2026:00:47:16 +0000` (or without zone) that stands before a `]`: the stamp and its length.
    pub(super) fn clf(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        self.clf.read(text, clf)
    }

    /// The same where the form has no zone (daphne).
    pub(super) fn clf_short(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        self.short.read(text, clf)
    }

    /// A `2026-11-23 00:36:21 +0000` or a relative of it that stands before a `]`: the stamp and its length.
    pub(super) fn iso(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        self.iso.read(text, iso)
    }
}

/// The minute of the last stamp of `N - 1` bytes that was followed by `]`, with its text; its seconds stand at `AT`.
#[derive(Debug, Clone)]
struct Seen<const N: usize, const AT: usize> {
    text: [u8; N],
    /// The stamp at the minute's beginning.
    minute: Option<Stamp>,
}

impl<const N: usize, const AT: usize> Default for Seen<N, AT> {
    fn default() -> Self {
        Self { text: [0; N], minute: None }
    }
}

impl<const N: usize, const AT: usize> Seen<N, AT> {
    #[inline]
    fn read(&mut self, text: &[u8], read: fn(&[u8]) -> Option<(Stamp, usize)>) -> Option<(Stamp, usize)> {
        let chunk = text.first_chunk::<N>();
        if let (Some(minute), Some(chunk)) = (self.minute, chunk)
            && chunk.get(..AT) == self.text.get(..AT)
            && chunk.get(AT + 2..) == self.text.get(AT + 2..)
            && let Some(second) = Self::second(chunk)
        {
            return Some((later(minute, second), N - 1));
        }
        self.read_anew(text, read)
    }

    #[cold]
    fn read_anew(&mut self, text: &[u8], read: fn(&[u8]) -> Option<(Stamp, usize)>) -> Option<(Stamp, usize)> {
        let (stamp, taken) = read(text)?;
        if let Some(chunk) = text.first_chunk::<N>()
            && taken == N - 1
            && chunk.last() == Some(&b']')
            && let Some(second) = Self::second(chunk)
            && matches!(stamp, Stamp::Exact(_) | Stamp::Local(_))
        {
            *self = Self { text: *chunk, minute: Some(later(stamp, -second)) };
        }
        (text.get(taken) == Some(&b']')).then_some((stamp, taken))
    }

    /// The second within its minute, 0 to 59.
    #[inline]
    fn second(chunk: &[u8; N]) -> Option<i64> {
        let (tens, ones) = (chunk.get(AT)?.wrapping_sub(b'0'), chunk.get(AT + 1)?.wrapping_sub(b'0'));
        (tens < 6 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    }
}

/// A stamp some seconds later, in the same minute.
#[inline]
fn later(stamp: Stamp, seconds: i64) -> Stamp {
    match stamp {
        Stamp::Exact(Timestamp(micros)) => Stamp::Exact(Timestamp(micros + seconds * SECOND)),
        Stamp::Local(micros) => Stamp::Local(micros + seconds * SECOND),
        other => other,
    }
}

/// A request line taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    /// Empty where there is none, or where the bytes are no request (a TLS handshake on a plain port).
    pub(super) method: &'a [u8],
    /// Without query and fragment; empty where there is none.
    pub(super) path: &'a [u8],
    /// What stands behind the closing quote.
    pub(super) rest: &'a [u8],
}

/// The request line at the start of `text`, which begins behind the opening quote. `None` where it does not end.
///
/// The end is the first quote behind a protocol (`HTTP/1.1`, or hypercorn's bare `1.1`); without any protocol, the
/// first quote that a status follows.
#[inline]
pub(super) fn request(text: &[u8]) -> Option<RequestLine<'_>> {
    match usual(text) {
        Some(usual) => Some(usual),
        None => unusual(text),
    }
}

/// One blank before the target and one behind it, then the protocol and the quote.
#[expect(
    clippy::inline_always,
    reason = "returned through memory, it is read in other pieces than it was written in, and stalls"
)]
#[inline(always)]
pub(super) fn usual(text: &[u8]) -> Option<RequestLine<'_>> {
    let (method, text) = match text {
        [b'G', b'E', b'T', b' ', text @ ..] => (&b"GET"[..], text),
        [b'P', b'O', b'S', b'T', b' ', text @ ..] => (&b"POST"[..], text),
        _ => {
            let blank = text.iter().take(20).position(|&b| b == b' ')?;
            let (method, text) = text.split_at_checked(blank)?;
            (is_method(method).then_some(method)?, text.get(1..)?)
        }
    };
    let stop = target_end(text)?;
    let (path, behind) = text.split_at_checked(stop)?;
    let text = if behind.first() == Some(&b' ') { behind } else { behind.get(memchr(b' ', behind)?..)? };
    let ([b'H', b'T', b'T', b'P', b'/', _, b'.', _, b'"', rest @ ..]
    | [b'1', b'.', b'0' | b'1', b'"', rest @ ..]
    | [b'2' | b'3', b'"', rest @ ..]) = text.get(1..)?
    else {
        return None;
    };
    let path = if path.first() == Some(&b'/') { path } else { odd_path(path) };
    Some(RequestLine { method, path, rest })
}

#[cold]
fn unusual(text: &[u8]) -> Option<RequestLine<'_>> {
    let ends = || memchr_iter(b'"', text).filter(|&at| closes(text, at));
    let at = ends()
        .find(|&at| text.get(..at).is_some_and(|inside| without_protocol(inside).is_some()))
        .or_else(|| ends().find(|&at| text.get(at + 1..).is_some_and(answer_follows)))?;
    let (inside, rest) = (text.get(..at)?, text.get(at + 1..)?);
    let (method, path) = apart(inside);
    Some(RequestLine { method, path, rest })
}

/// Method and path of what stands between the quotes.
pub(super) fn apart(inside: &[u8]) -> (&[u8], &[u8]) {
    let line = without_protocol(inside).unwrap_or(inside);
    let blank = memchr(b' ', line).unwrap_or(line.len());
    let (method, target) = (line.get(..blank).unwrap_or_default(), line.get(blank + 1..).unwrap_or_default());
    match method {
        b"-" => (&[], path(target)),
        _ if is_method(method) => (method, path(target)),
        _ => (&[], &[]),
    }
}

/// A quote that may be the closing one: not escaped, and followed by a blank or the end.
fn closes(text: &[u8], at: usize) -> bool {
    let escapes = text.get(..at).unwrap_or_default().iter().rev().take_while(|&&b| b == b'\\').count();
    escapes % 2 == 0 && matches!(text.get(at + 1), None | Some(b' '))
}

/// What stands before ` HTTP/1.1`, ` HTTP/2` or a bare ` 1.1`; `None` where it does not end so.
pub(super) fn without_protocol(inside: &[u8]) -> Option<&[u8]> {
    let blank = memchr::memrchr(b' ', inside)?;
    let (line, protocol) = (inside.get(..blank)?, inside.get(blank + 1..)?);
    let version = protocol.strip_prefix(b"HTTP/").unwrap_or(protocol);
    let bare = version.len() == protocol.len();
    let known = match version {
        [b'0'..=b'3', b'.', b'0'..=b'9'] => true,
        [b'2' | b'3'] => memchr(b' ', line).is_some() || !bare,
        _ => false,
    };
    known.then_some(line)
}

/// Whether ` 200`, ` -`, ` [accepted]` or nothing at all stands here.
fn answer_follows(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b' ', b'-', tail @ ..] | [b' ', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', tail @ ..] => {
            matches!(tail.first(), None | Some(b' '))
        }
        _ => rest.starts_with(b" [accepted]"),
    }
}

/// Letters, and dashes or underscores between them (`M-SEARCH`), at most 20.
#[inline]
pub(super) fn is_method(method: &[u8]) -> bool {
    matches!(method, [b'A'..=b'Z' | b'a'..=b'z', ..])
        && method.len() <= 20
        && method.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'))
}

/// Whether it looks like the start of a request as clients send it: capitals, then a path or nothing more.
pub(super) fn sets_out(inside: &[u8]) -> bool {
    let blank = memchr(b' ', inside).unwrap_or(inside.len());
    let (method, target) = (inside.get(..blank).unwrap_or_default(), inside.get(blank + 1..).unwrap_or_default());
    let method_fits = method.len() <= 20 && (method == b"WebSocket" || method.iter().all(u8::is_ascii_uppercase));
    method_fits && matches!(target.first(), None | Some(b'/' | b'h' | b'*'))
}

/// The path of a request target: query and fragment cut off, of an absolute URL the path alone, empty for a target
/// that a server could not name (`-`, `None`).
pub(super) fn path(target: &[u8]) -> &[u8] {
    let path = memchr2(b'?', b'#', target).and_then(|end| target.get(..end)).unwrap_or(target);
    if path.first() == Some(&b'/') { path } else { odd_path(path) }
}

#[cold]
fn odd_path(path: &[u8]) -> &[u8] {
    if matches!(path, b"-" | b"None") {
        return &[];
    }
    let host = path.strip_prefix(b"http://").or_else(|| path.strip_prefix(b"https://"));
    match host.or_else(|| path.strip_prefix(b"ws://")).or_else(|| path.strip_prefix(b"wss://")) {
        Some(host) => memchr(b'/', host).and_then(|slash| host.get(slash..)).unwrap_or(b"/"),
        None => path,
    }
}

/// The status behind one blank at the start of `rest`, and what follows it.
#[inline]
pub(super) fn status(rest: &[u8]) -> Result<(Status, &[u8]), Reject> {
    match rest {
        [] | [b' '] | [b' ', b'0'..=b'9'] | [b' ', b'0'..=b'9', b'0'..=b'9'] => Err(Reject::Cut),
        [b' ', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            let ends = matches!(rest.first(), None | Some(b' ' | b'\r' | b'\t'));
            if ends && (value == 0 || (100..=599).contains(&value)) { Ok((value, rest)) } else { Err(Reject::Status) }
        }
        [b' ', b'-', rest @ ..] if matches!(rest.first(), None | Some(b' ')) => Ok((0, rest)),
        _ => Err(Reject::Status),
    }
}

/// Eight times the byte `0x01`.
pub(super) const EACH: u64 = 0x0101_0101_0101_0101;

/// The digits at the start of eight bytes: how many, and their value. Without branches, as lengths vary from line to
/// line (the arithmetic is that of Daniel Lemire's "Quickly parsing eight digits").
#[inline]
pub(super) fn leading_digits(chunk: [u8; 8]) -> (u32, u64) {
    let bytes = u64::from_le_bytes(chunk) ^ (EACH * 0x30);
    let count = (not_digits(bytes).trailing_zeros() / 8).min(8);
    (count, eight_digits(bytes.checked_shl(64 - 8 * count).unwrap_or(0)))
}

/// The digits at the end of eight bytes: how many, and their value.
#[inline]
pub(super) fn trailing_digits(chunk: [u8; 8]) -> (u32, u64) {
    // the last byte first, so that a carry out of a byte that is no digit reaches only those before it
    let bytes = u64::from_be_bytes(chunk) ^ (EACH * 0x30);
    let count = (not_digits(bytes).trailing_zeros() / 8).min(8);
    let kept = if count == 8 { bytes } else { bytes & ((1 << (8 * count)) - 1) };
    (count, eight_digits(kept.swap_bytes()))
}

/// The high bit of the lowest byte beyond 9, and of any above it.
#[inline]
fn not_digits(bytes: u64) -> u64 {
    (bytes.wrapping_add(EACH * 0x76) | bytes) & (EACH * 0x80)
}

/// The value of eight bytes from 0 to 9, the first the most significant.
#[inline]
fn eight_digits(bytes: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = bytes.wrapping_mul(10).wrapping_add(bytes >> 8);
    let low = (pairs & PAIRS).wrapping_mul(0x000f_4240_0000_0064);
    let high = (pairs >> 16 & PAIRS).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}

/// The high bit of the lowest byte that is `sign`, and perhaps of bytes above it.
#[inline]
fn matches(bytes: u64, sign: u8) -> u64 {
    let others = bytes ^ (EACH * u64::from(sign));
    others.wrapping_sub(EACH) & !others & (EACH * 0x80)
}

/// Where the first blank, `?` or `#` stands. Eight bytes at a time, as targets are short.
#[inline]
fn target_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>())
        && at < 64
    {
        let bytes = u64::from_le_bytes(*chunk);
        let found = matches(bytes, b' ') | matches(bytes, b'?') | matches(bytes, b'#');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + memchr3(b' ', b'?', b'#', text.get(at..)?)?)
}

/// Whether `sign` is in `text`. Eight bytes at a time, for short texts.
#[inline]
pub(super) fn has(text: &[u8], sign: u8) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else { return text.contains(&sign) };
    if text.len() > 16 {
        return memchr(sign, text).is_some();
    }
    matches(u64::from_le_bytes(*first), sign) | matches(u64::from_le_bytes(*last), sign) != 0
}

/// Where the first blank stands in the first 48 bytes.
#[inline]
pub(super) fn first_blank(text: &[u8]) -> Option<usize> {
    for (turn, chunk) in text.chunks_exact(8).take(6).enumerate() {
        let chunk: [u8; 8] = chunk.try_into().ok()?;
        let blanks = matches(u64::from_le_bytes(chunk), b' ');
        if blanks != 0 {
            return Some(turn * 8 + blanks.trailing_zeros() as usize / 8);
        }
    }
    None
}

/// All of `digits` as a number; `None` where one is none, where there is none, or beyond 18 digits.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// A decimal number of `unit` in whole microseconds, the rest cut off; `None` where it is no plain decimal number.
#[inline]
pub fn micros(text: &[u8], unit: Unit) -> Option<u64> {
    if text.len() > 32 {
        return None;
    }
    let (mut whole, mut fraction, mut scale) = (0_u64, 0_u64, 1_u64);
    let mut bytes = text.iter();
    let mut digits = 0;
    for &byte in bytes.by_ref() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            if byte == b'.' {
                break;
            }
            return None;
        }
        whole = whole * 10 + u64::from(digit);
        digits += 1;
        if digits > 18 {
            return None;
        }
    }
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // behind the ninth place nothing reaches a nanosecond
        if scale < 1_000_000_000 {
            fraction = fraction * 10 + u64::from(digit);
            scale *= 10;
        }
    }
    let nanos = whole.checked_mul(unit.nanos())?.checked_add(fraction * unit.nanos() / scale)?;
    (digits > 0).then_some(nanos / 1000)
}

/// A whole number of `unit` in microseconds.
#[inline]
pub(super) fn scaled(figure: u64, unit: Unit) -> Option<u64> {
    Some(figure.checked_mul(unit.nanos())? / 1000)
}

/// A duration that has no name: its unit behind it (`10ms`), else as `reading` says.
pub(super) fn bare_micros(text: &[u8], reading: Reading) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let (figure, unit) = text.split_at_checked(digits)?;
    let unit = match unit {
        [] if memchr(b'.', figure).is_some() => Some(reading.bare_unit.unwrap_or(Unit::Seconds)),
        [] => reading.bare_unit,
        _ => std::str::from_utf8(unit).ok().and_then(Unit::from_name),
    };
    micros(figure, unit?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<(String, String, String)> {
        let show = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        request(text.as_bytes()).map(|l| (show(l.method), show(l.path), show(l.rest)))
    }

    #[test]
    fn a_request_line_ends_where_its_protocol_ends() {
        for (method, path, rest, text) in [
            ("GET", "/", " 200", "GET / HTTP/1.1\" 200"),
            ("GET", "/a", " 200", "GET /a?q=1&r=\"x HTTP/1.1\" 200"),
            ("GET", "/a", " 200", "GET /a#top HTTP/2.0\" 200"),
            ("POST", "/a b/c", " 201", "POST /a b/c HTTP/1.1\" 201"),
            ("GET", "/nope/a\" 200 OK \"b", " 404 0.4", "GET /nope/a\" 200 OK \"b HTTP/1.1\" 404 0.4"),
            ("GET", "/nope/\"><svg/onload=alert(1)>", " 404", "GET /nope/\"><svg/onload=alert(1)> HTTP/1.1\" 404"),
            ("GET", "/x", " 200 3", "GET /x 1.1\" 200 3"),
            ("GET", "/x y", " 200 3", "GET /x y 2\" 200 3"),
            ("GET", "/old", " 200 3", "GET /old\" 200 3"),
            ("WebSocket", "/ws/1", " [accepted]", "WebSocket /ws/1?token=ok\" [accepted]"),
            ("", "/ws/1", " 101 0.1", "- /ws/1 HTTP/1.1\" 101 0.1"),
            ("", "", " 408 0", "-\" 408 0"),
            ("", "", " 400 157", "\\x16\\x03\\x01\\x02 \\x00\" 400 157"),
            ("GET", "/p", " 200 1", "GET http://shop.example/p?x HTTP/1.1\" 200 1"),
            ("GET", "", " 500 1", "GET None? HTTP/1.1\" 500 1"),
            ("OPTIONS", "*", " 200 1", "OPTIONS * HTTP/1.1\" 200 1"),
        ] {
            assert_eq!(Some((method.into(), path.into(), rest.into())), line(text), "{text}");
        }
        for text in ["GET /x", "GET", "", "GET /x HTTP/1.1", "GET /a\\\" 200"] {
            assert_eq!(None, line(text), "{text}");
        }
    }

    #[test]
    fn a_status_is_a_dash_or_stands_between_100_and_599() {
        let read = |text: &'static str| status(text.as_bytes()).map(|(code, _)| code);
        for (code, text) in [(200, " 200"), (0, " - -"), (0, " 000 0"), (599, " 599 x"), (100, " 100")] {
            assert_eq!(Ok(code), read(text), "{text}");
        }
        for text in [" 600", " 999 OK", " 099", " 2000", " OK", "200", " 2x0"] {
            assert_eq!(Err(Reject::Status), read(text), "{text}");
        }
        for text in ["", " ", " 2", " 20"] {
            assert_eq!(Err(Reject::Cut), read(text), "{text}");
        }
    }

    #[test]
    fn a_duration_is_whole_microseconds_of_its_unit() {
        for (us, text, unit) in [
            (24_956, "0.024956", Unit::Seconds),
            (100_630, "100.630", Unit::Milliseconds),
            (9_234, "9234005", Unit::Nanoseconds),
            (3_000_000, "3", Unit::Seconds),
            (1, "1.999999999", Unit::Microseconds),
        ] {
            assert_eq!(Some(us), micros(text.as_bytes(), unit), "{text}");
        }
        for text in ["", "-1", "1e9", "NaN", "99999999999999999999", ".5", "1.2.3"] {
            assert_eq!(None, micros(text.as_bytes(), Unit::Seconds), "{text}");
        }
    }

    #[test]
    fn digits_at_either_end_of_eight_bytes_are_read_at_once() {
        for (count, value, text) in [
            (8, 12_345_678, "12345678"),
            (0, 0, " 2345678"),
            (1, 7, "7 999999"),
            (7, 1_234_567, "1234567:"),
            (2, 10, "10\u{e9}\u{e9}99"),
            (3, 5, "005/2222"),
        ] {
            let chunk: [u8; 8] = text.as_bytes().try_into().expect("eight bytes");
            assert_eq!((count, value), leading_digits(chunk), "{text}");
        }
        for (count, value, text) in [
            (8, 12_345_678, "12345678"),
            (0, 0, "1234567 "),
            (1, 7, "999999 7"),
            (7, 1_234_567, ":1234567"),
            (2, 10, "99\u{e9}\u{e9}10"),
            (3, 5, "2222/005"),
        ] {
            let chunk: [u8; 8] = text.as_bytes().try_into().expect("eight bytes");
            assert_eq!((count, value), trailing_digits(chunk), "{text}");
        }
        for (at, text) in
            [(Some(9), "127.0.0.1 - - [23/N"), (Some(0), " 2345678"), (None, "12345678"), (Some(15), "198.51.100.114x ")]
        {
            assert_eq!(at, first_blank(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_nameless_integer_is_no_duration_until_its_unit_is_told() {
        let told = Reading { bare_unit: Some(Unit::Microseconds), ..Reading::default() };
        assert_eq!(None, bare_micros(b"25755", Reading::default()));
        assert_eq!(Some(25_755), bare_micros(b"25755", told));
        assert_eq!(Some(35_000), bare_micros(b"0.035", Reading::default()));
        assert_eq!(Some(10_000), bare_micros(b"10ms", Reading::default()));
        assert_eq!(None, bare_micros(b"10kB", told));
    }

    #[test]
    fn the_end_of_a_target_is_its_first_blank_or_sign() {
        for text in ["", " ", "/a HTTP", "/a?b c", "/a#b", "/longer/than/eight?x=1#y HTTP/1.1", "/none/of/them/in/here"] {
            assert_eq!(text.find([' ', '?', '#']), target_end(text.as_bytes()), "{text}");
            let long = format!("/{}{text}", "x".repeat(90));
            assert_eq!(long.find([' ', '?', '#']), target_end(long.as_bytes()), "{long}");
            for sign in [b' ', b'?', b'/', b'z'] {
                assert_eq!(text.as_bytes().contains(&sign), has(text.as_bytes(), sign), "{text}");
                assert_eq!(long.as_bytes().contains(&sign), has(long.as_bytes(), sign), "{long}");
            }
        }
    }

    #[test]
    fn a_remembered_stamp_is_the_stamp_that_would_be_read() {
        let mut memo = Memo::default();
        for text in [
            "23/Nov/2026:00:47:21 +0000] \"",
            "23/Nov/2026:00:47:59 +0000] \"",
            "23/Nov/2026:00:47:60 +0000] \"",
            "23/Nov/2026:00:47:6x +0000] \"",
            "23/Nov/2026:00:47:05 +0000] \"",
            "23/Nov/2026:00:48:05 +0000] \"",
            "23/Nov/2026:00:47:21 +0000] \"",
            "23/Nov/2026:00:47:21 +0100] \"",
            "23/Nov/2026:00:47:21] \"         ",
        ] {
            let fresh = clf(text.as_bytes());
            assert_eq!(fresh, memo.clf(text.as_bytes()), "{text}");
            assert_eq!(fresh, memo.clf_short(text.as_bytes()), "{text}");
        }
        assert_eq!(None, memo.clf(b"23/Nov/2026:00:47:21 +0000) \"      "));
    }
}
