//! Lines that a middleware writes about a request, in the forms people paste from tutorials.
//!
//! Method and path, then words, status and duration in any of the usual orders and dressings (`GET /x
//! completed_in=34.93ms status_code=403`, `Request: GET http://h/x - Status: 200 - Time: 0.0123s`, `GET /x -> 422
//! (0.001s)`, `GET /x 405 in 11.8 ms`), behind any logger's prefix; a request id with the rest behind it; or a
//! sentence about a duration alone. Paths stand here decoded and may hold anything, so the line is understood from its
//! end: what follows the path must be words of a closed set to the last byte, each figure once. Whether such a line is
//! the request itself or its server line's companion is `pair`'s to say.

use crate::parse::Record;
use crate::parse::Role;
use crate::parse::Status;
use crate::parse::Verdict;
use crate::parse::fields;
use crate::parse::fields::names::Unit;
use crate::parse::fields::record::path_of;
use crate::parse::fields::values;

/// How far from the start the method is looked for, and how far from the end the words behind the path.
const HEAD: usize = 320;
const TAIL: usize = 160;

const METHODS: [&[u8]; 10] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"WEBSOCKET"];

/// Keys of a request's id, as written before `=`.
const IDS: [&[u8]; 6] = [b"rid=", b"request_id=", b"req_id=", b"correlation_id=", b"reqid=", b"requestId="];

/// What stands before the method on a line at a request's start.
const STARTS: [&[u8]; 11] = [
    b"request:",
    b"request started:",
    b"request started",
    b"start request:",
    b"start request",
    b"incoming request:",
    b"incoming request",
    b"received request:",
    b"request received:",
    b"started",
    b"request start:",
];

/// Sentences that tell a duration and nothing else; the figure follows.
const SENTENCES: [&[u8]; 12] = [
    b"request took ",
    b"request took: ",
    b"process time: ",
    b"process time ",
    b"x-process-time: ",
    b"completed in ",
    b"response time: ",
    b"processing time: ",
    b"processed in ",
    b"request duration: ",
    b"request process time: ",
    b"time took to process the request and return response is ",
];

/// Whether `text` is a middleware's line about a request; `out` is overwritten if so. The role is [`Role::Timing`]
/// with a duration, [`Role::Start`] for a line at the request's start.
pub fn parse<'a>(text: &'a [u8], out: &mut Record<'a>) -> Verdict {
    let text = text.trim_ascii_end();
    let found = request(text).or_else(|| named_by_id(text)).or_else(|| sentence(text));
    let Some(record) = found else { return Verdict::NotMine };
    *out = record;
    out.time = fields::prefix_time(text);
    Verdict::Request
}

/// A line that names method and path.
fn request(text: &[u8]) -> Option<Record<'_>> {
    let head = head(text)?;
    let rest = text.get(head.target..)?;
    let before = text.get(..head.method_start)?;
    let record = |role, target| Record {
        role,
        method: head.method,
        path: path_of(target),
        request_id: id_in(before).map(|(id, _)| id).unwrap_or_default(),
        ..Record::default()
    };
    if let Some((target, tail)) = split_tail(rest, head.quoted) {
        let record = record(Role::Timing, target);
        return Some(Record { status: tail.status, latency_us: tail.latency_us, bytes: tail.bytes, ..record });
    }
    let said = before.trim_ascii_end();
    // an HTTP client tells the answer's status line behind the URL it asked: that is nobody's request to this service
    let asked_by_us = memchr::memmem::find(rest, b"\"HTTP/").is_some();
    let starts = !head.quoted && !asked_by_us && STARTS.iter().any(|start| ends_with(said, start));
    starts.then(|| record(Role::Start, rest.split(|&b| b == b' ').next().unwrap_or_default()))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    let at = text.len().saturating_sub(end.len());
    let free = at.checked_sub(1).and_then(|i| text.get(i)).is_none_or(|b| !b.is_ascii_alphanumeric());
    free && text.get(at..).is_some_and(|last| last.eq_ignore_ascii_case(end))
}

/// `rid=F8TPWN start request path=/x`, `rid=F8TPWN completed_in=47.43ms status_code=200`.
fn named_by_id(text: &[u8]) -> Option<Record<'_>> {
    let (request_id, id_end) = id_in(text.get(..HEAD.min(text.len()))?)?;
    let rest = text.get(id_end..)?.trim_ascii_start();
    if let Some(target) = rest.strip_prefix(b"start request path=") {
        return Some(Record { role: Role::Start, path: path_of(target), request_id, ..Record::default() });
    }
    let tail = tail(rest)?;
    let Tail { status, latency_us, bytes } = tail;
    Some(Record { role: Role::Timing, status, latency_us, bytes, request_id, ..Record::default() })
}

/// The request's id written as a pair, and where it ends.
fn id_in(text: &[u8]) -> Option<(&[u8], usize)> {
    let equals = memchr::memchr_iter(b'=', text);
    for at in equals {
        let before = text.get(..=at)?;
        if IDS.iter().any(|id| ends_with(before, id)) {
            let value = text.get(at + 1..)?;
            let end = value.iter().position(|b| matches!(b, b' ' | b',' | b']' | b')' | b'|')).unwrap_or(value.len());
            let id = value.get(..end).filter(|id| !id.is_empty() && *id != b"-")?;
            return Some((id, at + 1 + end));
        }
    }
    None
}

/// A sentence about a duration: `INFO:api:Request took 0.123s`.
fn sentence(text: &[u8]) -> Option<Record<'_>> {
    if text.len() > HEAD || !text.iter().rev().take(14).any(u8::is_ascii_digit) {
        return None;
    }
    for words in SENTENCES {
        let at = text.windows(words.len()).position(|window| window.eq_ignore_ascii_case(words));
        let Some(at) = at else { continue };
        let before = text.get(..at)?.trim_ascii_end();
        let behind_prefix = before.last().is_none_or(|b| matches!(b, b':' | b'-' | b'|' | b']'));
        let figure = text.get(at + words.len()..)?;
        let latency_us = values::duration(figure, Unit::Bare);
        if behind_prefix && latency_us.is_some() {
            return Some(Record { role: Role::Timing, latency_us, ..Record::default() });
        }
    }
    None
}

/// Where method and target stand.
struct Head<'a> {
    method: &'a [u8],
    method_start: usize,
    target: usize,
    quoted: bool,
}

/// The first method that a target follows, directly or behind a label (`Method: GET, Path: /x`).
fn head(text: &[u8]) -> Option<Head<'_>> {
    let window = text.get(..HEAD.min(text.len()))?;
    let mut at = 0;
    while let Some(upper) = window.get(at..)?.iter().position(u8::is_ascii_uppercase) {
        let start = at + upper;
        let word = window.get(start..)?;
        let length = word.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        at = start + length;
        let method = window.get(start..at)?;
        let before = start.checked_sub(1).and_then(|i| window.get(i)).copied();
        let free = before.is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_' && b != b'/' && b != b'.');
        if !free || !METHODS.contains(&method) {
            continue;
        }
        let Some(target) = target_after(text, at) else { continue };
        let quoted = before == Some(b'"');
        let clean = memchr::memchr_iter(b'"', window.get(..start)?).count() == usize::from(quoted);
        return clean.then_some(Head { method, method_start: start - usize::from(quoted), target, quoted });
    }
    None
}

/// Where the target behind a method at `at` begins.
fn target_after(text: &[u8], at: usize) -> Option<usize> {
    let is_target = |pos: usize| {
        let rest = text.get(pos..).unwrap_or_default();
        rest.first() == Some(&b'/') || rest.starts_with(b"http://") || rest.starts_with(b"https://")
    };
    let rest = text.get(at..)?;
    let gap = rest.iter().take_while(|b| matches!(b, b' ' | b',' | b'|' | b';' | b'-')).count();
    if gap == 0 {
        return None;
    }
    if is_target(at + gap) {
        return rest.get(..gap)?.iter().all(|&b| b == b' ').then_some(at + gap);
    }
    let label = rest.get(gap..)?;
    let length = label.iter().take_while(|b| b.is_ascii_alphabetic() || **b == b'_').count();
    let known = [b"path".as_slice(), b"url", b"uri", b"endpoint", b"route", b"request_path"];
    let word = label.get(..length)?;
    let mark = label.get(length..)?;
    let skip = mark.iter().take_while(|b| matches!(b, b':' | b'=' | b' ')).count();
    let target = at + gap + length + skip;
    (skip > 0 && known.iter().any(|k| k.eq_ignore_ascii_case(word)) && is_target(target)).then_some(target)
}

/// What stands behind the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tail {
    status: Option<Status>,
    latency_us: Option<u64>,
    bytes: Option<u64>,
}

/// The target and what is behind it: the longest tail that is understood to its last byte. An error's text may follow.
fn split_tail(rest: &[u8], quoted: bool) -> Option<(&[u8], Tail)> {
    if quoted {
        let quote = memchr::memrchr(b'"', rest)?;
        let (target, behind) = (rest.get(..quote)?, rest.get(quote + 1..)?);
        let protocol = memchr::memmem::rfind(target, b" HTTP/").is_some();
        let target = target.strip_suffix(b" 1.1").or_else(|| target.strip_suffix(b" 1.0")).unwrap_or(target);
        // an access line with a duration behind its status, which must tell its unit: granian's bare one is in ms
        let unit = || matches!(behind.trim_ascii_end(), [.., b's'] | [.., b's', b')' | b']']);
        let tail = tail(behind).filter(|tail| !protocol || tail.status.is_some() && unit())?;
        return Some((if protocol { without_protocol(target) } else { target }, tail));
    }
    ends_in(rest).or_else(|| {
        let error = memchr::memmem::find(rest, b" - Error: ")?;
        ends_in(rest.get(..error)?)
    })
}

fn ends_in(rest: &[u8]) -> Option<(&[u8], Tail)> {
    let from = rest.len().saturating_sub(TAIL);
    for at in memchr::memchr2_iter(b' ', b'|', rest.get(from..)?) {
        let at = from + at;
        let Some(tail) = tail(rest.get(at..)?) else { continue };
        let target = rest.get(..at)?.trim_ascii_end();
        let target = target.strip_suffix(b",").or_else(|| target.strip_suffix(b":")).unwrap_or(target);
        let target = without_protocol(target);
        // a sentence that names a path and a duration is prose, not a line about a request
        let prose = tail.status.is_none() && memchr::memchr(b' ', target).is_some();
        // a figure of unknown name stands between the protocol and what was understood
        let more = memchr::memmem::find(target, b" HTTP/").and_then(|at| target.get(at + 6..));
        let more = more.is_some_and(|behind| memchr::memmem::find(behind, b" | ").is_some());
        return (!prose && !more).then_some((target, tail));
    }
    None
}

/// `/x HTTP/1.1` to `/x`.
fn without_protocol(target: &[u8]) -> &[u8] {
    let at = memchr::memmem::rfind(target, b" HTTP/");
    let cut = at.and_then(|at| {
        let version = target.get(at + 6..)?;
        version.iter().all(|b| b.is_ascii_digit() || *b == b'.').then(|| target.get(..at))?
    });
    cut.unwrap_or(target)
}

/// What a word says about the figure behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Nothing,
    Status,
    Time,
    Bytes,
    /// A word of a status's phrase, which stands behind one.
    Phrase,
}

/// Words that tell what follows, compared without case and `_`.
const LABELS: &[(Label, &[&str])] = &[
    (Label::Status, &["status", "statuscode", "code", "responsestatus", "httpstatus", "responsecode"]),
    (
        Label::Time,
        &[
            "time",
            "took",
            "in",
            "completedin",
            "completed",
            "processtime",
            "processingtime",
            "processedin",
            "duration",
            "elapsed",
            "latency",
            "responsetime",
            "requesttime",
            "xprocesstime",
            "handledin",
            "timetaken",
            "elapsedtime",
            "processed",
            "executiontime",
            "totaltime",
            "after",
            "requestduration",
            "rt",
            "dur",
            "finishedin",
        ],
    ),
    (Label::Bytes, &["bytes", "size", "length", "contentlength", "responsesize"]),
    (
        Label::Nothing,
        &[
            "response",
            "request",
            "process",
            "processing",
            "finished",
            "returned",
            "with",
            "total",
            "http",
            "result",
            "x",
            "responded",
            "done",
            "for",
            "execution",
            "taken",
        ],
    ),
    (
        Label::Phrase,
        &[
            "ok",
            "created",
            "accepted",
            "no",
            "content",
            "moved",
            "permanently",
            "found",
            "see",
            "other",
            "not",
            "modified",
            "temporary",
            "redirect",
            "permanent",
            "bad",
            "unauthorized",
            "forbidden",
            "method",
            "allowed",
            "unprocessable",
            "entity",
            "too",
            "many",
            "requests",
            "internal",
            "server",
            "error",
            "gateway",
            "timeout",
            "service",
            "unavailable",
            "conflict",
            "gone",
        ],
    ),
];

fn label(word: &[u8]) -> Option<Label> {
    let same = |known: &str| {
        let mut letters = word.iter().filter(|b| **b != b'_').map(u8::to_ascii_lowercase);
        known.bytes().all(|b| letters.next() == Some(b)) && letters.next().is_none()
    };
    LABELS.iter().find(|(_, words)| words.iter().any(|known| same(known))).map(|(label, _)| *label)
}

/// A figure of time whose unit may still follow.
#[derive(Clone, Copy)]
struct Figure<'a> {
    digits: &'a [u8],
    unit: Option<Unit>,
    labelled: bool,
}

/// Reads `text` whole as words, figures and marks; it must hold a duration, and nothing unknown or twice.
fn tail(text: &[u8]) -> Option<Tail> {
    let mut found = Tail::default();
    let mut time: Option<Figure<'_>> = None;
    let (mut expects, mut said_unit) = (Label::Nothing, None);
    let is_mark = |b: &u8| matches!(b, b' ' | b'-' | b'>' | b'=' | b'|' | b',' | b':' | b'(' | b')' | b'[' | b']' | b';');
    let mut words = text.split(|b| is_mark(b)).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let digits = word.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let (figure, behind) = word.split_at_checked(digits)?;
        if figure.is_empty() {
            match (Unit::of_name(word), label(word)) {
                (Some(unit), _) if expects == Label::Time => said_unit = Some(unit),
                (_, Some(Label::Nothing)) => {}
                (_, Some(Label::Phrase)) if found.status.is_some() => {}
                (_, Some(Label::Phrase)) => return None,
                (_, said) => expects = said?,
            }
            continue;
        }
        let unit = if behind.is_empty() {
            words.next_if(|next| Unit::of_name(next).is_some()).and_then(Unit::of_name)
        } else {
            Some(Unit::of_name(behind)?)
        };
        let labelled = expects == Label::Time;
        if unit.is_some() || labelled || expects == Label::Nothing && figure.contains(&b'.') {
            if time.replace(Figure { digits: figure, unit: unit.or(said_unit), labelled }).is_some() {
                return None;
            }
        } else if expects == Label::Bytes {
            found.bytes = Some(values::whole(figure)?);
        } else {
            let values::Said::Status(status) = values::status(figure) else { return None };
            if found.status.replace(status).is_some() {
                return None;
            }
        }
        expects = Label::Nothing;
    }
    let time = time?;
    let decided = time.unit.is_some() || time.labelled || time.digits.contains(&b'.');
    found.latency_us = values::duration(time.digits, time.unit.unwrap_or_default());
    (decided && found.latency_us.is_some()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row<'a> = (&'a str, Role, &'a str, &'a str, Option<u16>, Option<u64>, &'a str);

    #[test]
    fn lines_that_middlewares_write_are_understood() {
        let (timing, start) = (Role::Timing, Role::Start);
        let table: &[Row<'_>] = &[
            (
                "2026-11-23 00:38:22,110 - shop.timing - INFO - GET /admin/stats completed_in=34.93ms status_code=403",
                timing,
                "GET",
                "/admin/stats",
                Some(403),
                Some(34_930),
                "",
            ),
            ("DEBUG: GET /x HTTP/1.1 took 0.03s status 200", timing, "GET", "/x", Some(200), Some(30_000), ""),
            (
                "2026-11-23 00:38:29,091 loglevel=INFO   logger=shop log_requests() L55   rid=LPSCOH start request path=/static/app.js",
                start,
                "",
                "/static/app.js",
                None,
                None,
                "LPSCOH",
            ),
            (
                "2026-11-23 00:38:29,154 loglevel=INFO   logger=shop log_requests() L62   rid=F8TPWN completed_in=47.43ms status_code=200",
                timing,
                "",
                "",
                Some(200),
                Some(47_430),
                "F8TPWN",
            ),
            (
                "INFO:middleware:Request: HEAD http://127.0.0.1:18110/health?x=1 - Status: 200 - Time: 0.0230s",
                timing,
                "HEAD",
                "/health",
                Some(200),
                Some(23_000),
                "",
            ),
            (
                "ERROR:middleware:Request: GET http://127.0.0.1:18110/products/666 - Status: 500 - Time: 0.0219s - Error: ResponseValidationError()",
                timing,
                "GET",
                "/products/666",
                Some(500),
                Some(21_900),
                "",
            ),
            (
                "2026-11-23 00:37:09.297 | DEBUG    | logsetup:log_middle:211 - GET /products/abc -> 422 (0.001s)",
                timing,
                "GET",
                "/products/abc",
                Some(422),
                Some(1000),
                "",
            ),
            ("GET /export/orders.csv 405 in 11.8 ms", timing, "GET", "/export/orders.csv", Some(405), Some(11_800), ""),
            ("INFO:root:GET /x Status: 200 Time: 0.012s", timing, "GET", "/x", Some(200), Some(12_000), ""),
            ("GET /x - 200 - 0.0123s", timing, "GET", "/x", Some(200), Some(12_300), ""),
            ("POST /x - Completed in 0.12s", timing, "POST", "/x", None, Some(120_000), ""),
            ("GET http://127.0.0.1:8000/x completed in 0.0123s", timing, "GET", "/x", None, Some(12_300), ""),
            ("Request: GET /x | Status: 200 | Process Time: 0.123s", timing, "GET", "/x", Some(200), Some(123_000), ""),
            ("Method: GET, Path: /x, Status: 404, Time: 12.5 ms", timing, "GET", "/x", Some(404), Some(12_500), ""),
            ("\"GET /x\" 200 0.012s", timing, "GET", "/x", Some(200), Some(12_000), ""),
            ("\"GET /x 1.1\" 200 0.01s", timing, "GET", "/x", Some(200), Some(10_000), ""),
            ("GET /x 200 0.0150", timing, "GET", "/x", Some(200), Some(15_000), ""),
            ("GET /x 200 OK (12 ms)", timing, "GET", "/x", Some(200), Some(12_000), ""),
            ("GET /x status=200 duration_ms", timing, "", "", None, None, "none"),
            ("INFO:api:Request took 0.123s", timing, "", "", None, Some(123_000), ""),
            ("2026-11-23 00:00:00,000 - api - INFO - Process time: 0.25", timing, "", "", None, Some(250_000), ""),
            ("X-Process-Time: 0.25", timing, "", "", None, Some(250_000), ""),
            ("INFO:     Incoming request: GET /x", start, "GET", "/x", None, None, ""),
        ];
        for (line, role, method, path, status, latency_us, id) in table {
            let mut out = Record::default();
            let verdict = parse(line.as_bytes(), &mut out);
            if *id == "none" {
                assert_eq!(Verdict::NotMine, verdict, "{line}");
                continue;
            }
            assert_eq!(Verdict::Request, verdict, "{line}");
            assert_eq!((*role, method.as_bytes(), path.as_bytes()), (out.role, out.method, out.path), "{line}");
            assert_eq!((*status, *latency_us, id.as_bytes()), (out.status, out.latency_us, out.request_id), "{line}");
        }
    }

    #[test]
    fn a_path_may_hold_anything_that_looks_like_the_rest() {
        let table = [
            ("GET /nope/a\" 200 OK \"b completed_in=0.39ms status_code=404", "/nope/a\" 200 OK \"b"),
            (
                "GET /nope/\",\"status_code\":200,\"path\":\"/forged2 completed_in=0.29ms status_code=404",
                "/nope/\",\"status_code\":200,\"path\":\"/forged2",
            ),
            (
                "GET /nopeINFO:     203.0.113.66:1 - \"GET /forged HTTP/1.1\" 200 OK completed_in=6.32ms status_code=404",
                "/nopeINFO:     203.0.113.66:1 - \"GET /forged HTTP/1.1\" 200 OK",
            ),
            ("GET /nope 200 completed_in=1ms completed_in=0.29ms status_code=404", "/nope 200 completed_in=1ms"),
        ];
        for (line, path) in table {
            let mut out = Record::default();
            assert_eq!(Verdict::Request, parse(line.as_bytes(), &mut out), "{line}");
            assert_eq!((path.as_bytes(), Some(404)), (out.path, out.status), "{line}");
        }
    }

    #[test]
    fn prose_and_access_lines_are_left_alone() {
        for line in [
            "User said: \"GET /fake HTTP/1.1\" 200 OK is what I saw",
            "INFO:     127.0.0.1:36812 - \"GET /admin/stats HTTP/1.1\" 403 Forbidden",
            "2026-11-23 00:00:00 client error: GET /fake 200",
            "completed_in=12ms",
            "status=200 path=/fake",
            "INFO:     203.0.113.66:1 - \"GET /forged HTTP/1.1\" 200 OK - Status: 404 - Time: 0.0181s",
            "GET /x 200 15",
            "User requested GET /x and we sent 200 emails in 3 s",
            "HTTP Request: GET https://api.example.com/v1/x \"HTTP/1.1 200 OK\"",
            "INFO:httpx:HTTP Request: POST https://api.example.com/v1/chat \"HTTP/1.1 200 OK\"",
            "the job completed in 3s",
            "order placed by alice",
            "",
        ] {
            assert_eq!(Verdict::NotMine, parse(line.as_bytes(), &mut Record::default()), "{line}");
        }
    }
}
