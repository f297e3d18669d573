//! structlog's console lines: `TIME [level    ] event   [logger] key=value key={'a': 1}`.
//!
//! Values are Python's `repr`: bare words, quoted strings, dicts (whose keys are read as nested names), lists and
//! tuples. Meanings are those of [`crate::parse::fields`]; the event is handed out where the pairs make no request.
//! Colours are gone before. The form is structlog 20 to 26's `ConsoleRenderer`.

use crate::parse::Record;
use crate::parse::Verdict;
use crate::parse::fields;
use crate::parse::fields::Found;
use crate::parse::fields::Names;
use crate::parse::fields::Scratch;
use crate::parse::fields::names::Meaning;
use crate::parse::fields::record::Reading;
use crate::parse::fields::walk;
use crate::parse::fields::walk::Kind;
use crate::parse::fields::walk::Value;
use crate::time;

const LEVELS: [&[u8]; 9] = [b"debug", b"info", b"warning", b"warn", b"error", b"critical", b"exception", b"notset", b"fatal"];

/// The most places where the event may end that are tried, and the deepest nesting of dicts.
const MOST_ENDS: usize = 64;
const DEEPEST: usize = 16;

/// What one console line is. `out` is overwritten on [`Found::Request`] and borrows from the line, or from `scratch`
/// where a value had escapes.
pub fn read<'a>(text: &'a [u8], names: &Names, scratch: &'a mut Scratch, out: &mut Record<'a>) -> Found<'a> {
    let Some((stamp, level, event_start)) = opening(text) else { return Found::NotMine };
    let end = event_end(text, event_start, names, scratch);
    put_span(names, scratch, b"event", event_start..end.event);
    put_span(names, scratch, b"level", level.0..level.1);
    if let Some((start, end)) = end.logger {
        put_span(names, scratch, b"logger", start..end);
    }
    scratch.unescaped.clear();
    scratch.slots.unescape(text, &mut scratch.unescaped, None);
    let scratch: &'a Scratch = scratch;
    let reading = Reading { text, unescaped: &scratch.unescaped, slots: &scratch.slots, minute: &scratch.minute };
    match reading.request(names, false, out) {
        Verdict::Request => {
            out.time = stamp.or(out.time);
            Found::Request(reading.raised())
        }
        Verdict::Malformed(reject) => Found::Malformed(reject),
        Verdict::NotMine => match fields::envelope(&reading, b"") {
            Found::Envelope(mut envelope) => {
                envelope.time = stamp.or(envelope.time);
                Found::Envelope(envelope)
            }
            other => other,
        },
    }
}

/// Time, the span of the level, and where the event begins.
fn opening(text: &[u8]) -> Option<(Option<time::Stamp>, (usize, usize), usize)> {
    let stamp = time::iso(text);
    let at = stamp.map_or(0, |(_, taken)| taken + 1);
    let rest = text.get(at..)?.strip_prefix(b"[")?;
    let close = memchr::memchr(b']', rest.get(..24.min(rest.len()))?)?;
    let level = rest.get(..close)?.trim_ascii_end();
    let behind = rest.get(close + 1..)?.strip_prefix(b" ")?;
    LEVELS.contains(&level).then_some((
        stamp.map(|(stamp, _)| stamp),
        (at + 1, at + 1 + level.len()),
        text.len() - behind.len(),
    ))
}

/// Where event and logger stand.
struct Ends {
    event: usize,
    logger: Option<(usize, usize)>,
}

/// Finds the first place from which a logger's name and pairs make up the rest of the line, and puts the pairs into
/// the slots. The whole rest is the event where there is no such place.
fn event_end(text: &[u8], start: usize, names: &Names, scratch: &mut Scratch) -> Ends {
    let rest = text.get(start..).unwrap_or_default();
    let blanks =
        memchr::memchr_iter(b' ', rest).filter(|at| rest.get(at + 1).is_some_and(|b| *b == b'[' || b.is_ascii_alphabetic()));
    let mut tried = 0;
    for blank in blanks {
        let at = start + blank + 1;
        let (logger, pairs_at) = logger_at(text, at).map_or((None, at), |(name, behind)| (Some(name), behind));
        let first_is_pair = logger.is_some() || pair_at(text, at).is_some();
        if !first_is_pair {
            continue;
        }
        tried += 1;
        if tried > MOST_ENDS {
            break;
        }
        scratch.slots.clear();
        if pairs(text, pairs_at, names, scratch).is_some() {
            let event = text.get(start..at).unwrap_or_default().trim_ascii_end().len();
            return Ends { event: start + event, logger };
        }
    }
    scratch.slots.clear();
    Ends { event: start + rest.trim_ascii_end().len(), logger: None }
}

/// `[name]` at `at`: the name's span, and where the line goes on.
fn logger_at(text: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    let rest = text.get(at..)?.strip_prefix(b"[")?;
    let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')).count();
    (length > 0 && rest.get(length) == Some(&b']')).then_some(((at + 1, at + 1 + length), at + length + 2))
}

/// The key that ends in `=` at `at`: where its value begins.
fn pair_at(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')).count();
    (length > 0 && rest.get(length) == Some(&b'=')).then_some(at + length + 1)
}

/// Reads pairs from `at` to the line's end into the slots.
fn pairs(text: &[u8], mut at: usize, names: &Names, scratch: &mut Scratch) -> Option<()> {
    loop {
        at += text.get(at..)?.iter().take_while(|b| b.is_ascii_whitespace()).count();
        if at == text.len() {
            return Some(());
        }
        let value = pair_at(text, at)?;
        scratch.buffers.path.clear();
        walk::add_key(&mut scratch.buffers.path, text.get(at..value - 1)?, false);
        at = match text.get(value) {
            Some(b'{') => dict(text, value, names, scratch)?,
            Some(b'[' | b'(') => skip(text, value)?,
            _ => {
                let span = scalar(text, value, b" \t")?;
                put(names, scratch, span);
                span.next
            }
        };
    }
}

fn put(names: &Names, scratch: &mut Scratch, value: Value) {
    if let Some(entry) = names.find(&scratch.buffers.path) {
        scratch.slots.put(entry, value);
    }
}

fn put_span(names: &Names, scratch: &mut Scratch, key: &[u8], span: std::ops::Range<usize>) {
    let value = Value { kind: Kind::Text, start: span.start, end: span.end, next: span.end };
    let meaning = [(b"event".as_slice(), Meaning::Message), (b"level", Meaning::Level), (b"logger", Meaning::Logger)];
    let wanted = meaning.iter().find(|(known, _)| *known == key).map(|(_, meaning)| *meaning);
    if let Some(entry) = names.find(key).filter(|entry| Some(entry.meaning) == wanted) {
        scratch.slots.put(entry, value);
    }
}

/// A quoted string, or a bare word up to one of `ends`.
fn scalar(text: &[u8], at: usize, ends: &[u8]) -> Option<Value> {
    let rest = text.get(at..)?;
    let quote = *rest.first().unwrap_or(&b' ');
    if quote == b'\'' || quote == b'"' {
        let mut kind = Kind::Text;
        let mut end = at + 1;
        loop {
            end += memchr::memchr2(quote, b'\\', text.get(end..)?)?;
            if text.get(end) == Some(&quote) {
                return Some(Value { kind, start: at + 1, end, next: end + 1 });
            }
            kind = Kind::Escaped;
            end += 2;
        }
    }
    let length = rest.iter().position(|b| ends.contains(b)).unwrap_or(rest.len());
    let kind = match rest.get(..length)? {
        b"None" => Kind::Null,
        b"True" => Kind::True,
        b"False" => Kind::False,
        _ => Kind::Text,
    };
    Some(Value { kind, start: at, end: at + length, next: at + length })
}

/// Reads the dict at `at` into the slots, its keys behind the path at hand: where it ends.
fn dict(text: &[u8], at: usize, names: &Names, scratch: &mut Scratch) -> Option<usize> {
    let mut open = [0_usize; DEEPEST];
    let mut depth = 0;
    let mut at = at;
    loop {
        match text.get(at)? {
            b'{' => {
                scratch.buffers.path.push(b'.');
                *open.get_mut(depth)? = scratch.buffers.path.len();
                depth += 1;
                at += 1;
            }
            b'}' => {
                depth = depth.checked_sub(1)?;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b',' | b' ' => at += 1,
            b'\'' | b'"' => {
                let key = scalar(text, at, b":")?;
                scratch.buffers.path.truncate(*open.get(depth.checked_sub(1)?)?);
                walk::add_key(&mut scratch.buffers.path, text.get(key.start..key.end)?, false);
                at = key.next + text.get(key.next..)?.strip_prefix(b": ").map(|_| 2)?;
                match text.get(at)? {
                    b'{' => {}
                    b'[' | b'(' => at = skip(text, at)?,
                    _ => {
                        let value = scalar(text, at, b",}")?;
                        put(names, scratch, value);
                        at = value.next;
                    }
                }
            }
            _ => return None,
        }
    }
}

/// Where the bracket at `at` is closed; brackets in quotes do not count.
fn skip(text: &[u8], at: usize) -> Option<usize> {
    let (mut open, mut at) = (0_usize, at);
    loop {
        match text.get(at)? {
            b'[' | b'(' | b'{' => open += 1,
            b']' | b')' | b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            b'\'' | b'"' => {
                at = scalar(text, at, b"")?.next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Role;
    use crate::parse::fields::names::Unit;
    use crate::time::Stamp;

    const ACCESS: &str = "2026-11-23T01:36:54.973225 [info     ] 127.0.0.1:39576 - \"GET /products?category=a+b&page=2 HTTP/1.1\" 200 [api.access] duration=7133515 http={'url': 'http://127.0.0.1:18110/products?category=a+b&page=2', 'status_code': 200, 'method': 'GET', 'request_id': 'str71-00005', 'version': '1.1'} network={'client': {'ip': '127.0.0.1', 'port': 39576}} request_id=str71-00005";

    fn with<R>(line: &str, names: &Names, check: impl FnOnce(Found<'_>, &Record<'_>) -> R) -> R {
        let mut scratch = Scratch::default();
        let mut out = Record::default();
        let found = read(line.as_bytes(), names, &mut scratch, &mut out);
        check(found, &out)
    }

    #[test]
    fn pairs_and_dicts_make_a_request() {
        with(ACCESS, &Names::default().with_latency_unit(Unit::Nanoseconds), |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((b"GET".as_slice(), b"/products".as_slice(), Some(200)), (out.method, out.path, out.status));
            assert_eq!((Some(7134), b"str71-00005".as_slice(), Role::Timing), (out.latency_us, out.request_id, out.role));
            assert_eq!((Some(Stamp::Local(1_795_397_814_973_225)), b"".as_slice()), (out.time, out.version));
        });
        with(ACCESS, &Names::default(), |_, out| assert_eq!(Some(7_133_515_000_000), out.latency_us));
    }

    #[test]
    fn an_event_is_handed_out_without_its_dressing() {
        let table = [
            ("2026-11-23T01:36:54.140557 [info     ] catalogue loaded               [shop]", "catalogue loaded", "shop"),
            (
                "2026-11-23T01:36:57.348004 [info     ] order placed by u37            [shop] request_id=str71-00498",
                "order placed by u37",
                "shop",
            ),
            ("2026-11-23T01:36:55.044685 [error    ] Exception in ASGI application", "Exception in ASGI application", ""),
            ("[warning  ] odd [x] 1=2 text", "odd [x] 1=2 text", ""),
            ("[info     ] hello                          user='a b' n=3 l=[1, ']'] t=(1, 2)", "hello", ""),
        ];
        for (line, message, logger) in table {
            with(line, &Names::default(), |found, _| {
                let Found::Envelope(envelope) = found else { panic!("{line}: {found:?}") };
                assert_eq!((message.as_bytes(), logger.as_bytes()), (envelope.message, envelope.logger), "{line}");
            });
        }
    }

    #[test]
    fn other_lines_in_brackets_are_left_alone() {
        for line in
            ["[INFO] Starting granian", "[2026-11-23 00:47:39 +0000] [15293] [INFO] Starting gunicorn", "", "[info", "[info ]"]
        {
            with(line, &Names::default(), |found, _| assert_eq!(Found::NotMine, found, "{line}"));
        }
    }
}
