//! JSON lines, by the names of their fields.
//!
//! Tells a request (a record with path and status under any of the usual names), or gives the message and traceback a
//! logging library packed into JSON, so that the reader can look at those as at any other text. The walk is `walk`,
//! its shortcut `layout`, key names `names`, single values `values`; what makes a request of them is `record`. Leaves
//! the text of messages and tracebacks to the other forms of `parse`.

pub(crate) mod layout;
pub mod names;
pub(crate) mod raised;
pub(crate) mod record;
pub(crate) mod slots;
pub mod values;
pub(crate) mod walk;

use crate::parse::Exception;
use crate::parse::Record;
use crate::parse::Reject;
use crate::parse::Verdict;
use crate::time;
use crate::time::Minute;
use crate::time::Stamp;
use layout::Layouts;
use names::Meaning;
pub use names::Names;
use record::Reading;
use slots::Slots;
use std::cell::Cell;
pub use values::by_age;
pub use values::cache_word;

/// The longest text before a JSON object that is taken for a logger's prefix.
const LONGEST_PREFIX: usize = 160;

/// Buffers kept from line to line, so that nothing is allocated. Never changes what a line is read as.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(crate) buffers: walk::Buffers,
    pub(crate) slots: Slots,
    pub(crate) unescaped: Vec<u8>,
    pub(crate) minute: Cell<Minute>,
    layouts: Layouts,
    shortcut: bool,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            buffers: walk::Buffers::default(),
            slots: Slots::default(),
            unescaped: Vec::new(),
            minute: Cell::default(),
            layouts: Layouts::default(),
            shortcut: true,
        }
    }
}

impl Scratch {
    /// One that never takes the shortcut of a learnt layout: the same answers, more slowly.
    pub fn without_shortcut() -> Self {
        Self { shortcut: false, ..Self::default() }
    }
}

/// What a logging library packed into a line that is no request itself. Empty where not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The message, newlines real: to be offered to the access, timing, lifecycle and traceback parsers.
    pub message: &'a [u8],
    /// The traceback's text, newlines real.
    pub exception: &'a [u8],
    /// The exception where the line tells it as data (structlog's `dict_tracebacks`, a type and message of their own).
    pub raised: Option<Box<Exception>>,
    /// The line's own time.
    pub time: Option<Stamp>,
    /// The process.
    pub pid: Option<u32>,
    /// The service.
    pub service: &'a [u8],
    /// The application's version.
    pub version: &'a [u8],
    /// The request's id.
    pub request_id: &'a [u8],
    /// The level as written.
    pub level: &'a [u8],
    /// The logger's name.
    pub logger: &'a [u8],
}

/// What a JSON or logfmt line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// A request, the record filled in; with the exception where it is told as data.
    Request(Option<Box<Exception>>),
    /// It set out as a request and broke.
    Malformed(Reject),
    /// A packed message or exception. Boxed, like the exception: what most lines are passes in registers.
    Envelope(Box<Envelope<'a>>),
    /// Nothing of this form, or nothing in it.
    NotMine,
}

impl Found<'_> {
    /// The verdict alone.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Request(_) => Verdict::Request,
            Self::Malformed(reject) => Verdict::Malformed(*reject),
            Self::Envelope(_) | Self::NotMine => Verdict::NotMine,
        }
    }
}

/// Whether one JSON line is a request; see [`read`].
pub fn parse<'a>(text: &'a [u8], names: &Names, scratch: &'a mut Scratch, out: &mut Record<'a>) -> Verdict {
    read(text, names, scratch, out).verdict()
}

/// What one JSON line is: the whole line one object, or one behind a logger's short prefix. `out` is overwritten on
/// [`Found::Request`] and borrows from the line, or from `scratch` where a value had escapes.
pub fn read<'a>(text: &'a [u8], names: &Names, scratch: &'a mut Scratch, out: &mut Record<'a>) -> Found<'a> {
    let Some((prefix, text)) = object(text) else { return Found::NotMine };
    scratch.slots.clear();
    let followed = scratch.shortcut && scratch.layouts.follow(text, &mut scratch.slots);
    if !followed {
        scratch.layouts.begin();
        let Scratch { buffers, slots, layouts, .. } = &mut *scratch;
        let whole = walk::walk(text, names, buffers, |entry, value| {
            if let Some(entry) = entry {
                slots.put(entry, value);
            }
            layouts.note(entry, value);
        });
        if whole.is_none() {
            let set_out = prefix.is_empty() && Reading::set_out(slots);
            return if set_out { Found::Malformed(Reject::Json) } else { Found::NotMine };
        }
    }
    scratch.unescaped.clear();
    let spared = scratch.slots.get(Meaning::Kind).is_none().then_some(Meaning::Whole);
    scratch.slots.unescape(text, &mut scratch.unescaped, spared);
    if !followed && scratch.shortcut && decide(text, names, scratch) {
        scratch.layouts.learn(text);
    }
    settle(text, prefix, names, scratch, out)
}

/// Whether the line is worth learning: a request, or a message.
fn decide(text: &[u8], names: &Names, scratch: &Scratch) -> bool {
    let reading = Reading { text, unescaped: &scratch.unescaped, slots: &scratch.slots, minute: &scratch.minute };
    reading.text(Meaning::Message).is_some() || reading.request(names, true, &mut Record::default()) == Verdict::Request
}

/// The values at hand as record or envelope.
fn settle<'a>(text: &'a [u8], prefix: &[u8], names: &Names, scratch: &'a Scratch, out: &mut Record<'a>) -> Found<'a> {
    let reading = Reading { text, unescaped: &scratch.unescaped, slots: &scratch.slots, minute: &scratch.minute };
    match reading.request(names, true, out) {
        Verdict::Request => {
            out.time = out.time.or_else(|| prefix_time(prefix));
            Found::Request(reading.raised())
        }
        Verdict::Malformed(reject) => Found::Malformed(reject),
        Verdict::NotMine => envelope(&reading, prefix),
    }
}

pub(crate) fn envelope<'a>(reading: &Reading<'a>, prefix: &[u8]) -> Found<'a> {
    let envelope = Envelope {
        message: reading.text(Meaning::Message).unwrap_or_default(),
        exception: reading.exception(),
        raised: reading.raised(),
        time: reading.time().or_else(|| prefix_time(prefix)),
        pid: reading.pid(),
        service: reading.text(Meaning::Service).unwrap_or_default(),
        version: reading.text(Meaning::Version).unwrap_or_default(),
        request_id: reading.request_id(),
        level: reading.text(Meaning::Level).unwrap_or_default(),
        logger: reading.text(Meaning::Logger).unwrap_or_default(),
    };
    let told = !envelope.message.is_empty() || !envelope.exception.is_empty() || envelope.raised.is_some();
    if told { Found::Envelope(Box::new(envelope)) } else { Found::NotMine }
}

/// The time at the start of a logger's prefix.
pub(crate) fn prefix_time(prefix: &[u8]) -> Option<Stamp> {
    let prefix = prefix.trim_ascii_start();
    let prefix = prefix.strip_prefix(b"[").unwrap_or(prefix);
    time::iso(prefix).or_else(|| time::clf(prefix)).map(|(stamp, _)| stamp)
}

/// The prefix and the object: the line itself, or what begins at `{"` behind a short prefix and reaches to the end.
fn object(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let trimmed = text.trim_ascii();
    if trimmed.first() == Some(&b'{') {
        return Some((b"", trimmed));
    }
    if trimmed.last() != Some(&b'}') || !trimmed.first()?.is_ascii_graphic() || trimmed.first() == Some(&b'"') {
        return None;
    }
    let head = trimmed.get(..LONGEST_PREFIX.min(trimmed.len()))?;
    let at = memchr::memmem::find(head, b"{\"")?;
    let prefix = trimmed.get(..at)?;
    (!prefix.contains(&b'"')).then_some((prefix, trimmed.get(at..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Auth;
    use crate::parse::Cache;
    use crate::parse::Role;
    use crate::time::Timestamp;
    use proptest::prelude::*;
    use serde_json::Value as Json;
    use slots::Slot;
    use std::cmp::Reverse;
    use walk::Kind;

    fn with<R>(line: &str, check: impl FnOnce(Found<'_>, &Record<'_>) -> R) -> R {
        let mut scratch = Scratch::default();
        let mut out = Record::default();
        let found = read(line.as_bytes(), &Names::default(), &mut scratch, &mut out);
        check(found, &out)
    }

    const STRUCTLOG: &str = r#"{"method": "GET", "path": "/products", "query": "category=q%22t&page=9", "status_code": 200, "duration_ms": 30.278, "user_id": "zo\u00eb", "http_version": "1.1", "client": {"ip": "127.0.0.1", "port": 39282}, "request_id": "str71-00001", "level": "info", "logger": "api.access", "timestamp": "2026-11-23T00:36:48.297410Z", "event": "request_finished"}"#;
    const GUNICORN: &str = r#"{"remote_ip":"127.0.0.1","request_id":"gun71-00004","response_code":200,"request_method":"GET","request_path":"/users/me","request_querystring":"","request_timetaken_us":9028,"response_length":"15","user":"bob","time":"[23/Nov/2026:00:47:40 +0000]"}"#;
    const NGINX: &str = r#"{"time":"2026-11-23T00:52:33+00:00","msec":"1795395153.125","remote_addr":"127.0.0.1","x_forwarded_for":"2001:db8::a75c","host":"127.0.0.1","method":"GET","uri":"/products?page=1","protocol":"HTTP/1.1","status":200,"bytes":45,"referer":"","agent":"weird \"quoted\" agent\\v1","request_time":0.012,"upstream_addr":"127.0.0.1:18110","upstream_status":"200","upstream_response_time":"0.013","cache":"MISS","user":"","cache_control":"public, max-age=120","rid":"ngi71-00019"}"#;
    const LOGURU: &str = r#"{"text": "2026-11-23 00:37:17.892 | INFO     | logsetup:log_middle:204 - POST /orders 401 in 20.9 ms\n", "record": {"elapsed": {"repr": "0:00:00.848292", "seconds": 0.848292}, "exception": null, "extra": {"method": "POST", "path": "/orders", "status_code": 401, "elapsed_ms": 20.874, "user": null, "request_id": "log71-00000"}, "file": {"name": "logsetup.py", "path": "/srv/shop/logsetup.py"}, "function": "log_middle", "level": {"icon": "x", "name": "INFO", "no": 20}, "line": 204, "message": "POST /orders 401 in 20.9 ms", "module": "logsetup", "name": "logsetup", "process": {"id": 8596, "name": "MainProcess"}, "time": {"repr": "2026-11-23 00:37:17.892250+00:00", "timestamp": 1795394237.89225}}}"#;
    /// Without a backslash.
    const CLEAN: &str = r#"{"timestamp": "2026-11-17T00:00:00.584055Z", "level": "info", "event": "request", "method": "GET", "path": "/reports/80829", "route": "/reports/{id}", "status_code": 200, "duration_ms": 395.869, "cached": null, "size": 0, "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "tries": 1e2}"#;
    /// Longer than what is searched for a quote word by word.
    const LONG: &str = "0123456789 0123456789 0123456789 0123456789 0123456789";
    const PACKED: &str = r#"{"timestamp": "2026-11-23 00:34:39,674", "level": "INFO", "name": "uvicorn.access", "message": "127.0.0.1:48140 - \"GET /health HTTP/1.1\" 200", "service": "web"}"#;

    #[test]
    fn structlogs_record_is_a_middlewares_request() {
        with(STRUCTLOG, |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((b"GET".as_slice(), b"/products".as_slice(), Some(200)), (out.method, out.path, out.status));
            assert_eq!((Some(30_278), Auth::Authenticated, Role::Timing), (out.latency_us, out.auth, out.role));
            assert_eq!((b"str71-00001".as_slice(), b"".as_slice()), (out.request_id, out.version));
            assert_eq!(Some(Stamp::Exact(Timestamp(1_795_394_208_297_410))), out.time);
        });
    }

    #[test]
    fn gunicorns_record_is_the_servers_own_line() {
        with(GUNICORN, |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((b"/users/me".as_slice(), Some(9028), Some(15)), (out.path, out.latency_us, out.bytes));
            assert_eq!((Role::Access, Auth::Authenticated), (out.role, out.auth));
            assert_eq!(Some(Stamp::Exact(Timestamp(1_795_394_860_000_000))), out.time);
        });
    }

    #[test]
    fn nginxs_record_has_cache_and_finer_time() {
        with(NGINX, |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((b"/products".as_slice(), Some(12_000), Cache::Miss), (out.path, out.latency_us, out.cache));
            assert_eq!((b"public, max-age=120".as_slice(), Auth::Anonymous), (out.headers.cache_control, out.auth));
            assert_eq!(Some(Stamp::Exact(Timestamp(1_795_395_153_125_000))), out.time);
            assert_eq!(b"ngi71-00019", out.request_id);
        });
    }

    #[test]
    fn logurus_record_has_its_fields_in_extra() {
        with(LOGURU, |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((b"POST".as_slice(), b"/orders".as_slice(), Some(401)), (out.method, out.path, out.status));
            assert_eq!((Some(20_874), Some(8596), Auth::Anonymous), (out.latency_us, out.pid, out.auth));
            assert_eq!(Some(Stamp::Exact(Timestamp(1_795_394_237_892_250))), out.time);
        });
    }

    #[test]
    fn an_access_line_in_the_message_is_handed_out_with_what_stands_around() {
        with(PACKED, |found, _| {
            let Found::Envelope(envelope) = found else { panic!("{found:?}") };
            assert_eq!(b"127.0.0.1:48140 - \"GET /health HTTP/1.1\" 200", envelope.message);
            assert_eq!((b"web".as_slice(), b"uvicorn.access".as_slice()), (envelope.service, envelope.logger));
            assert_eq!(Some(Stamp::Local(1_795_394_079_674_000)), envelope.time);
        });
    }

    #[test]
    fn the_standards_nested_names_are_read() {
        let table = [
            r#"{"http":{"request":{"method":"GET"},"response":{"status_code":503},"route":"/x/{id}"},"url":{"path":"/x/1"},"http.server.request.duration":0.25}"#,
            r#"{"http.method":"GET","http.target":"/x/1?q","http.status_code":"503","http.route":"/x/{id}","duration":0.25}"#,
            r#"{"httpRequest":{"requestMethod":"GET","requestUrl":"https://h.example.com/x/1?q=2","status":503,"latency":"0.25s"},"route":"/x/{id}"}"#,
            r#"{"level":"info","logger":"http.log.access","request":{"method":"GET","uri":"/x/1"},"status":503,"duration":0.25,"route":"/x/{id}"}"#,
            r#"{"RequestMethod":"GET","RequestPath":"/x/1","DownstreamStatus":503,"Duration":250000000,"OriginDuration":9,"route":"/x/{id}"}"#,
            r#"{"event":{"method":"GET","path":"/x/1","status":503,"duration_ms":250.0},"route":"/x/{id}"}"#,
            r#"INFO:api:{"method":"GET","path":"/x/1","status":503,"duration_ms":250.0,"route":"/x/{id}"}"#,
        ];
        for line in table {
            with(line, |found, out| {
                assert_eq!(Verdict::Request, found.verdict(), "{line}");
                assert_eq!((b"GET".as_slice(), b"/x/1".as_slice(), Some(503)), (out.method, out.path, out.status), "{line}");
                assert_eq!((b"/x/{id}".as_slice(), Some(250_000)), (out.route, out.latency_us), "{line}");
            });
        }
    }

    #[test]
    fn what_is_no_access_record_is_no_request() {
        let deep = format!("{}1{}", "{\"a\":".repeat(3000), "}".repeat(3000));
        let table = [
            (r#"{"n": 0, "nested": {"a": [{"b": null}]}, "text": "GET /fake HTTP/1.1 200"}"#, Verdict::NotMine),
            (r#"{"broken": "#, Verdict::NotMine),
            (r#"{"method":"GET","path":"/half""#, Verdict::Malformed(Reject::Json)),
            ("[1,2,3]", Verdict::NotMine),
            ("\"string\"", Verdict::NotMine),
            ("null", Verdict::NotMine),
            (r#"{"method": "GET", "path": 7, "status_code": "two hundred"}"#, Verdict::NotMine),
            (r#"{"method": "GET", "path": "/x", "status_code": 999}"#, Verdict::Malformed(Reject::Status)),
            (r#"{"method": "GET", "path": "/x", "status": "ok"}"#, Verdict::NotMine),
            (r#"{"path": "C:\\x", "status": 200}"#, Verdict::NotMine),
            (r#"{"path": "/x", "status": 200}"#, Verdict::Request),
            (r#"{"method": "", "uri": "", "status": 400}"#, Verdict::Request),
            (r#"{"method":"GET","path":"/x","status":200,"duration":NaN}"#, Verdict::Request),
            (r#"{"method":"GET","path":"/x","status":200,"duration":-0.1}"#, Verdict::Request),
            (deep.as_str(), Verdict::NotMine),
        ];
        for (line, expected) in table {
            with(line, |found, out| {
                assert_eq!(expected, found.verdict(), "{line}");
                assert_eq!(None, out.latency_us, "{line}");
            });
        }
    }

    #[test]
    fn tracebacks_are_handed_out_with_real_newlines() {
        let packed = r#"{"message": "Exception in ASGI application\n", "exc_info": "Traceback (most recent call last):\n  File \"/srv/x.py\", line 1, in f\nKeyError: 'a'", "process": 7155}"#;
        with(packed, |found, _| {
            let Found::Envelope(envelope) = found else { panic!("{found:?}") };
            assert_eq!(
                b"Traceback (most recent call last):\n  File \"/srv/x.py\", line 1, in f\nKeyError: 'a'",
                envelope.exception
            );
            assert_eq!((Some(7155), None), (envelope.pid, envelope.raised));
        });
        let loguru = r#"{"text": "T | ERROR | m:f:1 - Boom\n\nTraceback (most recent call last):\nKeyError: 'a'\n", "record": {"exception": {"type": "KeyError", "value": "'a'", "traceback": true}, "message": "Boom", "extra": {}}}"#;
        with(loguru, |found, _| {
            let Found::Envelope(envelope) = found else { panic!("{found:?}") };
            assert_eq!(b"\nTraceback (most recent call last):\nKeyError: 'a'\n", envelope.exception);
        });
        let stacks = r#"{"event": "boom", "exception": [{"exc_type": "KeyError", "exc_value": "'a'", "frames": []}]}"#;
        with(stacks, |found, _| {
            let Found::Envelope(envelope) = found else { panic!("{found:?}") };
            assert_eq!(Some("KeyError"), envelope.raised.as_ref().map(|e| e.kind.as_str()));
        });
    }

    #[test]
    fn a_start_alone_is_a_start() {
        let line = r#"{"event": "request_started", "request": "GET /x?q=1 HTTP/1.1", "request_id": "a", "level": "info"}"#;
        with(line, |found, out| {
            assert_eq!(Found::Request(None), found);
            assert_eq!((Role::Start, None, b"/x".as_slice()), (out.role, out.status, out.path));
        });
    }

    #[test]
    fn who_was_logged_in_is_told_by_user_flag_or_credential() {
        let table = [
            (r#""user_id": 7"#, Auth::Authenticated),
            (r#""user": {"id": "u7"}"#, Auth::Authenticated),
            (r#""user": "AnonymousUser""#, Auth::Anonymous),
            (r#""user": "-""#, Auth::Anonymous),
            (r#""user": null, "username": "bob""#, Auth::Authenticated),
            (r#""user": "bob", "authenticated": false"#, Auth::Anonymous),
            (r#""request": {"headers": {"Authorization": ["REDACTED"]}}"#, Auth::Authenticated),
            (r#""ip": "127.0.0.1""#, Auth::Unknown),
        ];
        for (pair, expected) in table {
            let line = format!(r#"{{"method": "GET", "path": "/x", "status": 200, {pair}}}"#);
            with(&line, |_, out| assert_eq!(expected, out.auth, "{pair}"));
        }
    }

    fn json(depth: u32) -> impl Strategy<Value = Json> {
        let text = prop_oneof![
            "[a-z/ ]{0,6}",
            ".{0,4}",
            Just("GET".to_owned()),
            Just("/x/1?q".to_owned()),
            Just("a\"b\\c\n\u{1}\u{1f600}".to_owned()),
            Just("2026-11-23T00:00:00Z".to_owned()),
            Just("12ms".to_owned())
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            (100_u16..700).prop_map(Json::from),
            (-1.0e3_f64..1.0e6).prop_map(Json::from),
            text.prop_map(Json::from)
        ];
        leaf.prop_recursive(depth, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                proptest::collection::vec((key(), inner), 0..5).prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("method"),
            Just("path"),
            Just("status"),
            Just("status_code"),
            Just("statusCode"),
            Just("duration_ms"),
            Just("duration"),
            Just("http"),
            Just("http.route"),
            Just("request"),
            Just("extra"),
            Just("record"),
            Just("message"),
            Just("level"),
            Just("time"),
            Just("user"),
            Just("id"),
            Just("exception"),
            Just("text"),
            Just("é\"\n"),
            Just("x"),
            Just("")
        ]
        .prop_map(str::to_owned)
    }

    fn object_line() -> impl Strategy<Value = String> {
        (proptest::collection::vec((key(), json(3)), 0..9), any::<bool>()).prop_map(|(pairs, pretty)| {
            let object = Json::Object(pairs.into_iter().collect());
            if pretty { serde_json::to_string_pretty(&object).unwrap() } else { object.to_string() }
        })
    }

    /// Every leaf of an object with its normalised path, arrays whole, objects left out.
    fn leaves(prefix: &[u8], object: &serde_json::Map<String, Json>, into: &mut Vec<(Vec<u8>, Json)>) {
        for (key, value) in object {
            let mut path = prefix.to_vec();
            walk::add_key(&mut path, key.as_bytes(), false);
            match value {
                Json::Object(inner) => {
                    path.push(b'.');
                    leaves(&path, inner, into);
                }
                leaf => into.push((path, leaf.clone())),
            }
        }
    }

    fn same(slot: Slot, line: &str, unescaped: &[u8], value: &Json) -> bool {
        let within = if slot.unescaped { unescaped } else { line.as_bytes() };
        let bytes = within.get(slot.start..slot.end).unwrap();
        match (slot.kind, value) {
            (Kind::Null, Json::Null) | (Kind::True, Json::Bool(true)) | (Kind::False, Json::Bool(false)) => true,
            (Kind::Text, Json::String(text)) => bytes == text.as_bytes(),
            (Kind::Number | Kind::Array, other) => serde_json::from_slice::<Json>(bytes).is_ok_and(|read| read == *other),
            _ => false,
        }
    }

    fn check_against_serde(line: &str) {
        let names = Names::default();
        let mut scratch = Scratch::without_shortcut();
        let Scratch { buffers, slots, unescaped, .. } = &mut scratch;
        let ours = walk::walk(line.as_bytes(), &names, buffers, |entry, value| {
            if let Some(entry) = entry {
                slots.put(entry, value);
            }
        });
        let theirs = serde_json::from_str::<Json>(line);
        let Ok(Json::Object(object)) = theirs else {
            let huge = line.as_bytes().windows(2).any(|two| two[0].is_ascii_digit() && matches!(two[1], b'e' | b'E'));
            let beyond = huge || ["NaN", "Infinity", "\\ud", "\\uD"].iter().any(|more| line.contains(more));
            assert!(ours.is_none() || beyond, "accepted: {line}");
            return;
        };
        assert!(ours.is_some(), "refused: {line}");
        slots.unescape(line.as_bytes(), unescaped, None);
        let mut all = Vec::new();
        leaves(b"", &object, &mut all);
        let meant: Vec<_> = all.iter().filter_map(|(path, value)| names.find(path).map(|entry| (entry, value))).collect();
        for (entry, _) in &meant {
            let same_meaning = meant.iter().filter(|(other, _)| other.meaning == entry.meaning);
            let best = same_meaning.max_by_key(|(e, v)| (!v.is_null(), Reverse(e.rank))).unwrap();
            let slot = slots.get(entry.meaning).unwrap();
            assert!(same(slot, line, unescaped, best.1), "{:?} in {line}", entry.meaning);
        }
    }

    #[test]
    fn a_line_of_known_layout_is_not_walked_again() {
        let mut scratch = Scratch::default();
        for line in [CLEAN, GUNICORN, STRUCTLOG, PACKED] {
            read(line.as_bytes(), &Names::default(), &mut scratch, &mut Record::default());
        }
        let other = CLEAN.replace("/80829", "/7?a=b%20c").replace("395.869", "7").replace("Linux", &LONG.repeat(2));
        for line in [CLEAN, &other.replace("1e2", "\"none\""), &other.replace("1e2", "0.5"), GUNICORN, STRUCTLOG, PACKED] {
            assert!(scratch.layouts.follow(line.as_bytes(), &mut Slots::default()), "{line}");
        }
        assert!(!scratch.layouts.follow(CLEAN.replace("level", "lever").as_bytes(), &mut Slots::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_walk_reads_what_serde_json_reads(line in object_line()) {
            check_against_serde(&line);
        }

        #[test]
        fn the_walk_refuses_what_serde_json_refuses(line in object_line(), at in any::<prop::sample::Index>(), put in "[\\x01-\\x03{}:,\"\\\\\\[\\]0-9.eE+nultf -]{0,2}", cut in 0_usize..3) {
            let start = at.index(line.len());
            let end = (start + cut).min(line.len());
            if line.is_char_boundary(start) && line.is_char_boundary(end) {
                let mut broken = line.clone();
                broken.replace_range(start..end, &put);
                // The same key twice is settled by serde_json before the twin sees it.
                if serde_json::from_str::<Json>(&broken).is_ok_and(|json| json.to_string().len() + 8 < broken.len()) {
                    return Ok(());
                }
                check_against_serde(&broken);
            }
        }

        #[test]
        fn a_learnt_layout_changes_no_answer(lines in proptest::collection::vec(
            (prop_oneof![object_line(), Just(STRUCTLOG.to_owned()), Just(CLEAN.to_owned()), Just(GUNICORN.to_owned()), Just(NGINX.to_owned()), Just(LOGURU.to_owned()), Just(PACKED.to_owned())],
             any::<prop::sample::Index>(), prop_oneof![Just(""), Just("\""), Just("7"), Just("null"), Just("{}"), Just("\\"), Just("\u{1}"), Just(LONG)], 0_usize..3), 1..12)) {
            let names = Names::default();
            let mut learning = Scratch::default();
            let mut plain = Scratch::without_shortcut();
            for (line, at, put, cut) in lines {
                let start = at.index(line.len());
                let end = (start + cut).min(line.len());
                let mut changed = line.clone().into_bytes();
                changed.splice(start..end, put.bytes());
                for text in [line.as_bytes(), &changed, line.as_bytes()] {
                    let (mut ours, mut theirs) = (Record::default(), Record::default());
                    let found = format!("{:?}", read(text, &names, &mut learning, &mut ours));
                    let expected = format!("{:?}", read(text, &names, &mut plain, &mut theirs));
                    prop_assert_eq!(&expected, &found);
                    prop_assert_eq!(format!("{:?}", theirs), format!("{:?}", ours));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut line = b"{\"path\":\"".to_vec();
            line.extend(&bytes);
            drop(read(&line, &Names::default(), &mut Scratch::default(), &mut Record::default()));
        }
    }
}
