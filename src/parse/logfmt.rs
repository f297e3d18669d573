//! logfmt lines: `key=value` pairs, values bare or quoted with escapes.
//!
//! Reads what structlog's `LogfmtRenderer`, granian's and gunicorn's formats written as pairs, and Heroku's router
//! write. Before the first pair a logger's short prefix may stand. Meanings of keys and values are those of
//! [`crate::parse::fields`]; a request needs its method here, because prose has equals signs too.

use crate::parse::Record;
use crate::parse::Verdict;
use crate::parse::fields;
use crate::parse::fields::Found;
use crate::parse::fields::Names;
use crate::parse::fields::Scratch;
use crate::parse::fields::record::Reading;
use crate::parse::fields::walk;
use crate::parse::fields::walk::Kind;
use crate::parse::fields::walk::Value;

/// The longest text before the first pair.
const LONGEST_PREFIX: usize = 160;
/// The most pairs of one line that are looked at.
const MOST_PAIRS: usize = 256;

/// Whether one logfmt line is a request; see [`read`].
pub fn parse<'a>(text: &'a [u8], names: &Names, scratch: &'a mut Scratch, out: &mut Record<'a>) -> Verdict {
    read(text, names, scratch, out).verdict()
}

/// What one logfmt line is. `out` is overwritten on [`Found::Request`] and borrows from the line, or from `scratch`
/// where a value had escapes. A line needs two pairs to be of this form.
pub fn read<'a>(text: &'a [u8], names: &Names, scratch: &'a mut Scratch, out: &mut Record<'a>) -> Found<'a> {
    scratch.slots.clear();
    let Some(first) = first_pair(text) else { return Found::NotMine };
    let mut pos = first;
    let mut pairs = 0;
    while let Some(pair) = next_pair(text, pos) {
        let Pair { key, value } = pair;
        pos = value.next;
        pairs += 1;
        if pairs > MOST_PAIRS {
            return Found::NotMine;
        }
        scratch.buffers.take_key(key);
        if let Some(entry) = names.find(scratch.buffers.path()) {
            scratch.slots.put(entry, value);
        }
    }
    if pairs < 2 || !rest_is_blank(text, pos) {
        return Found::NotMine;
    }
    scratch.unescaped.clear();
    scratch.slots.unescape(text, &mut scratch.unescaped, None);
    let scratch: &'a Scratch = scratch;
    let reading = Reading { text, unescaped: &scratch.unescaped, slots: &scratch.slots, minute: &scratch.minute };
    let prefix = text.get(..first).unwrap_or_default();
    match reading.request(names, false, out) {
        Verdict::Request => {
            out.time = out.time.or_else(|| fields::prefix_time(prefix));
            Found::Request(reading.raised())
        }
        Verdict::Malformed(reject) => Found::Malformed(reject),
        Verdict::NotMine if first == 0 => fields::envelope(&reading, prefix),
        Verdict::NotMine => Found::NotMine,
    }
}

fn rest_is_blank(text: &[u8], pos: usize) -> bool {
    text.get(pos..).unwrap_or_default().iter().all(u8::is_ascii_whitespace)
}

struct Pair<'a> {
    key: &'a [u8],
    value: Value,
}

fn in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'#')
}

/// Where the first key begins: behind a prefix of words without pairs, or of a prefix that touches it (`INFO:api:`).
fn first_pair(text: &[u8]) -> Option<usize> {
    let head = text.get(..LONGEST_PREFIX.min(text.len()))?;
    let equals = memchr::memchr(b'=', head)?;
    let before = head.get(..equals)?;
    let key = before.iter().rev().take_while(|b| in_key(**b)).count();
    let start = equals - key;
    let prefix = before.get(..start)?;
    (key > 0 && !prefix.contains(&b'"')).then_some(start)
}

/// The pair that begins at or after the blanks at `pos`.
fn next_pair(text: &[u8], pos: usize) -> Option<Pair<'_>> {
    let rest = text.get(pos..)?;
    let start = pos + rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b',')).count();
    let rest = text.get(start..)?;
    let length = rest.iter().take_while(|b| in_key(**b)).count();
    if length == 0 || rest.get(length) != Some(&b'=') {
        return None;
    }
    let key = rest.get(..length)?;
    let value = value(text, start + length + 1)?;
    Some(Pair { key, value })
}

/// The value at `pos`: quoted with `"` (a backslash escapes the next byte), or up to the next blank. A quote that no
/// blank follows is part of the value: format strings of servers escape nothing.
fn value(text: &[u8], pos: usize) -> Option<Value> {
    let rest = text.get(pos..)?;
    if rest.first() != Some(&b'"') {
        let end = rest.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
        let comma = usize::from(end > 0 && rest.get(end - 1) == Some(&b','));
        let bare = rest.get(..end - comma)?;
        let kind = if matches!(bare, b"null" | b"None" | b"nil") { Kind::Null } else { Kind::Text };
        return Some(Value { kind, start: pos, end: pos + bare.len(), next: pos + end });
    }
    let start = pos + 1;
    let mut kind = Kind::Text;
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            if text.get(at + 1).is_none_or(|b| matches!(b, b' ' | b'\t' | b',' | b'\r')) {
                return Some(Value { kind, start, end: at, next: at + 1 });
            }
            at += 1;
            continue;
        }
        kind = Kind::Escaped;
        at += 2;
    }
}

impl walk::Buffers {
    /// Makes `key` the path at hand, normalised.
    fn take_key(&mut self, key: &[u8]) {
        self.path.clear();
        walk::add_key(&mut self.path, key, false);
    }

    fn path(&self) -> &[u8] {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Auth;
    use crate::parse::Role;
    use crate::time;

    fn with<R>(line: &str, check: impl FnOnce(Found<'_>, &Record<'_>) -> R) -> R {
        let mut scratch = Scratch::default();
        let mut out = Record::default();
        let found = read(line.as_bytes(), &Names::default(), &mut scratch, &mut out);
        check(found, &out)
    }

    #[test]
    fn granians_pairs_are_a_request_of_the_server() {
        let line = r#"time="2026-11-23 00:36:43 +0000" addr=127.0.0.1 method=GET path="/search" qs="limit=5" status=422 dur_ms=15.344 scheme=http proto=HTTP/1.1"#;
        with(line, |found, out| {
            assert_eq!(Verdict::Request, found.verdict());
            assert_eq!((b"GET".as_slice(), b"/search".as_slice(), Some(422)), (out.method, out.path, out.status));
            assert_eq!((Some(15_344), Role::Access), (out.latency_us, out.role));
            assert_eq!(time::iso(b"2026-11-23T00:36:43Z").map(|(stamp, _)| stamp), out.time);
        });
    }

    #[test]
    fn structlogs_pairs_are_a_middlewares_request() {
        let line = "timestamp=2026-11-23T00:37:03.647909Z level=info logger=api.access event=http_request method=DELETE path=/products status=405 duration=0.017020 user=- user_agent=- request_id=str71-00000";
        with(line, |found, out| {
            assert_eq!(Verdict::Request, found.verdict());
            assert_eq!((Some(17_020), Auth::Anonymous, Role::Timing), (out.latency_us, out.auth, out.role));
            assert_eq!(b"str71-00000", out.request_id);
        });
    }

    #[test]
    fn herokus_router_says_service_and_means_the_time() {
        let line = r#"at=info method=GET path="/search?limit=5" host=shop.example.com request_id=uvi71-00003 fwd="203.0.113.125" dyno=web.1 connect=0ms service=13ms status=422 bytes=87 protocol=https"#;
        with(line, |found, out| {
            assert_eq!(Verdict::Request, found.verdict());
            assert_eq!((Role::Router, Some(13_000), Some(87)), (out.role, out.latency_us, out.bytes));
            assert_eq!((b"/search".as_slice(), b"".as_slice()), (out.path, out.service));
        });
    }

    #[test]
    fn a_prefix_may_stand_before_and_touch_the_first_pair() {
        for line in [
            "2026-11-23 00:36:43,110 - api - INFO - method=GET path=/x status=200 duration=0.01",
            "INFO:api:method=GET path=/x status=200 duration=0.01",
            "INFO:     method=GET, path=/x, status=200, duration=0.01",
        ] {
            with(line, |found, out| {
                assert_eq!(Verdict::Request, found.verdict(), "{line}");
                assert_eq!((b"/x".as_slice(), Some(10_000)), (out.path, out.latency_us), "{line}");
            });
        }
    }

    #[test]
    fn quoted_text_is_never_read_as_pairs() {
        let line =
            r#"event=http_request level=info method=GET path="/nope\" status=200 path=/forged \"" status=404 duration=0.001"#;
        with(line, |found, out| {
            assert_eq!(Verdict::Request, found.verdict());
            assert_eq!((br#"/nope" status=200 path=/forged ""#.as_slice(), Some(404)), (out.path, out.status));
        });
    }

    #[test]
    fn a_quote_that_was_not_escaped_is_part_of_its_value() {
        with(r#"addr=127.0.0.1 method=GET path="/categories/q"t" qs="" status=200 dur_ms=23.639"#, |found, out| {
            assert_eq!(Verdict::Request, found.verdict());
            assert_eq!((br#"/categories/q"t"#.as_slice(), Some(200)), (out.path, out.status));
        });
    }

    #[test]
    fn prose_with_equals_signs_is_no_request() {
        for line in [
            "status=200 path=/fake",
            "completed_in=12ms",
            "method=GET path=/x status=ok",
            "a = b",
            "x=\"",
            "=",
            "GET /x a=1 b=2",
        ] {
            with(line, |found, _| assert_ne!(Verdict::Request, found.verdict(), "{line}"));
        }
    }

    #[test]
    fn a_traceback_in_a_value_is_unpacked() {
        let line = r#"timestamp=2026-11-23T00:37:03.701088Z level=error logger=uvicorn.error event="Exception in ASGI application\n" request_id=r2 exception="Traceback (most recent call last):\n  File \"/srv/x.py\", line 4, in f\nKeyError: 'a'""#;
        with(line, |found, _| {
            let Found::Envelope(envelope) = found else { panic!("{found:?}") };
            assert_eq!(b"Exception in ASGI application\n", envelope.message);
            assert_eq!(
                b"Traceback (most recent call last):\n  File \"/srv/x.py\", line 4, in f\nKeyError: 'a'",
                envelope.exception
            );
            assert_eq!(b"r2", envelope.request_id);
        });
    }
}
