//! From the values of one line to a record: what makes a request, and what each field of it is.
//!
//! Shared by JSON and logfmt. A request is a status with a path, and a method unless the path is one beyond doubt.
//! Nothing is guessed: a value of the wrong type is as good as absent.

use super::names::Meaning;
use super::names::Names;
use super::names::Unit;
use super::raised;
use super::slots::Slot;
use super::slots::Slots;
use super::values;
use super::values::Said;
use super::walk::Kind;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Ends;
use crate::parse::Exception;
use crate::parse::Headers;
use crate::parse::Record;
use crate::parse::Reject;
use crate::parse::Role;
use crate::parse::Verdict;
use crate::parse::traceback;
use crate::time::Minute;
use crate::time::Stamp;
use std::cell::Cell;

/// The values of one line, and the texts they stand in.
pub(crate) struct Reading<'a> {
    /// The line.
    pub(crate) text: &'a [u8],
    /// Where unescaped values stand.
    pub(crate) unescaped: &'a [u8],
    /// The values.
    pub(crate) slots: &'a Slots,
    /// The last minute that was read.
    pub(crate) minute: &'a Cell<Minute>,
}

/// Messages at a request's start, as the usual middlewares write them.
const STARTS: [&[u8]; 10] = [
    b"request_started",
    b"request started",
    b"start request",
    b"started request",
    b"incoming request",
    b"request received",
    b"request_start",
    b"request start",
    b"incoming_request",
    b"http_request_started",
];

/// Loggers in which a server itself writes its requests.
const SERVERS: [&[u8]; 8] =
    [b"uvicorn.", b"gunicorn.", b"hypercorn.", b"granian", b"_granian", b"http.log.access", b"daphne", b"werkzeug"];

impl<'a> Reading<'a> {
    /// The bytes of a slot.
    fn bytes(&self, slot: Slot) -> &'a [u8] {
        let within = if slot.unescaped { self.unescaped } else { self.text };
        within.get(slot.start..slot.end).unwrap_or_default()
    }

    /// The text for `meaning`, where it is text.
    pub(crate) fn text(&self, meaning: Meaning) -> Option<&'a [u8]> {
        self.slots.get(meaning).filter(|slot| slot.kind == Kind::Text).map(|slot| self.bytes(slot))
    }

    /// The text or number for `meaning`.
    fn plain(&self, meaning: Meaning) -> Option<&'a [u8]> {
        let slot = self.slots.get(meaning)?;
        matches!(slot.kind, Kind::Text | Kind::Number).then(|| self.bytes(slot))
    }

    /// The text for `meaning`, or the first of an array of texts; `-` where it is null or empty.
    fn header(&self, meaning: Meaning) -> Option<&'a [u8]> {
        let slot = self.slots.get(meaning)?;
        let text = match slot.kind {
            Kind::Text | Kind::Number | Kind::True | Kind::False => self.bytes(slot),
            Kind::Array => {
                let inner = self.bytes(slot).get(1..).unwrap_or_default().trim_ascii_start();
                inner.strip_prefix(b"\"").and_then(|rest| rest.split(|&b| b == b'"').next()).unwrap_or_default()
            }
            Kind::Null | Kind::Escaped => b"",
        };
        Some(if text.is_empty() { b"-" } else { text })
    }

    /// The line's own time.
    pub(crate) fn time(&self) -> Option<Stamp> {
        values::stamp(self.plain(Meaning::Time)?, self.minute)
    }

    /// The process.
    pub(crate) fn pid(&self) -> Option<u32> {
        u32::try_from(values::whole(self.plain(Meaning::Pid)?)?).ok()
    }

    /// Method and target: of their own keys, else of the request line.
    fn request_line(&self) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        let (method, target) = (self.text(Meaning::Method), self.text(Meaning::Path));
        let (split_method, split_target) = match self.text(Meaning::RequestLine).and_then(split_line) {
            Some((method, target)) => (Some(method), Some(target)),
            None => (None, None),
        };
        (method.or(split_method), target.or(split_target))
    }

    /// Fills `out` if the line tells of a request. `certain` forms (JSON) may leave the method out.
    pub(crate) fn request(&self, names: &Names, certain: bool, out: &mut Record<'a>) -> Verdict {
        let (method, target) = self.request_line();
        let Some(target) = target else { return Verdict::NotMine };
        let known = method.is_some_and(is_method);
        let path = path_of(target);
        let rooted = path.starts_with(b"/");
        let empty = target.is_empty() && method.is_some_and(<[u8]>::is_empty);
        if !(known || rooted && certain && method.is_none() || empty) {
            return Verdict::NotMine;
        }
        let status = match self.plain(Meaning::Status).map_or(Said::Nothing, values::status) {
            Said::Status(status) => Some(status),
            Said::Impossible => return Verdict::Malformed(Reject::Status),
            Said::Nothing if known && rooted && self.starts() => None,
            Said::Nothing => return Verdict::NotMine,
        };
        *out = Record {
            role: self.role(status.is_some()),
            method: if known { method.unwrap_or_default() } else { b"" },
            path,
            status,
            ends: Ends::Unknown,
            ..Record::default()
        };
        self.details(names, out);
        Verdict::Request
    }

    /// Everything but what makes it a request.
    fn details(&self, names: &Names, out: &mut Record<'a>) {
        out.route = self.text(Meaning::Route).filter(|route| route.starts_with(b"/")).unwrap_or_default();
        out.bytes = self.plain(Meaning::Bytes).and_then(values::whole);
        out.latency_us = if out.role == Role::Start { None } else { self.latency(names, out.role) };
        out.time = self.time();
        out.auth = self.auth();
        out.cache = self.header(Meaning::Cache).map_or(Cache::None, values::cache_word);
        out.version = self.plain(Meaning::Version).unwrap_or_default();
        out.request_id = self.request_id();
        out.pid = self.pid();
        out.service = if out.role == Role::Router { b"" } else { self.text(Meaning::Service).unwrap_or_default() };
        out.headers = Headers {
            cache_control: self.header(Meaning::CacheControl).unwrap_or_default(),
            vary: self.header(Meaning::Vary).unwrap_or_default(),
            age: self.header(Meaning::Age).and_then(values::whole),
            set_cookie: self.header(Meaning::SetCookie).is_some_and(|cookie| cookie != b"-"),
        };
        out.cache = values::by_age(out.cache, out.headers.age);
        out.exception = self.exception();
    }

    /// The request's id, empty where it has none.
    pub(crate) fn request_id(&self) -> &'a [u8] {
        self.plain(Meaning::RequestId).filter(|id| *id != b"-").unwrap_or_default()
    }

    fn starts(&self) -> bool {
        self.text(Meaning::Message).is_some_and(|message| STARTS.iter().any(|start| message.eq_ignore_ascii_case(start)))
    }

    /// A record with a logger's level that no server's logger wrote comes from a middleware: the server's own line may
    /// stand beside it.
    fn role(&self, answered: bool) -> Role {
        let logger = self.text(Meaning::Logger).unwrap_or_default();
        let server = SERVERS.iter().any(|server| server.first() == logger.first() && logger.starts_with(server));
        if !answered {
            Role::Start
        } else if self.slots.get(Meaning::Dyno).is_some() {
            Role::Router
        } else if self.slots.get(Meaning::Level).is_some() && !server && self.slots.get(Meaning::Proxied).is_none() {
            Role::Timing
        } else {
            Role::Access
        }
    }

    fn latency(&self, names: &Names, role: Role) -> Option<u64> {
        if role == Role::Router {
            return values::duration(self.text(Meaning::Service)?, Unit::Milliseconds);
        }
        let slot = self.slots.get(Meaning::Latency)?;
        let unit = match slot.unit() {
            Unit::Bare if self.slots.get(Meaning::Proxied).is_some() => Unit::Nanoseconds,
            Unit::Bare => names.bare(),
            unit => unit,
        };
        values::duration(self.plain(Meaning::Latency)?, unit)
    }

    fn auth(&self) -> Auth {
        if let Some(flag) = self.slots.get(Meaning::LoggedIn) {
            match (flag.kind, self.bytes(flag)) {
                (Kind::True, _) | (Kind::Text | Kind::Number, b"true" | b"True" | b"1" | b"yes") => return Auth::Authenticated,
                (Kind::False, _) | (Kind::Text | Kind::Number, b"false" | b"False" | b"0" | b"no") => return Auth::Anonymous,
                _ => {}
            }
        }
        if let Some(user) = self.slots.get(Meaning::User) {
            return match (user.kind, self.bytes(user)) {
                (Kind::Null | Kind::False, _) => Auth::Anonymous,
                (Kind::Text, b"" | b"-" | b"None" | b"null" | b"anonymous" | b"Anonymous" | b"AnonymousUser") => {
                    Auth::Anonymous
                }
                (Kind::Array | Kind::Escaped, _) => Auth::Unknown,
                _ => Auth::Authenticated,
            };
        }
        match self.slots.get(Meaning::Credential) {
            Some(_) if self.header(Meaning::Credential) == Some(b"-") => Auth::Anonymous,
            Some(_) => Auth::Authenticated,
            None => Auth::Unknown,
        }
    }

    /// The traceback's text, empty where the line carries none.
    pub(crate) fn exception(&self) -> &'a [u8] {
        if let Some(text) = self.text(Meaning::Exception).filter(|text| !matches!(*text, b"" | b"None" | b"NoneType: None")) {
            return text;
        }
        let whole = self.text(Meaning::Whole).filter(|_| self.slots.get(Meaning::Kind).is_some());
        whole.and_then(|text| text.iter().position(|&b| b == b'\n').and_then(|at| text.get(at + 1..))).unwrap_or_default()
    }

    /// The exception where it is told as data, and no text of it is there.
    pub(crate) fn raised(&self) -> Option<Box<Exception>> {
        if let Some(slot) = self.slots.get(Meaning::Exception).filter(|slot| slot.kind == Kind::Array) {
            return traceback::of_stacks(self.bytes(slot)).map(Box::new);
        }
        let kind = self.text(Meaning::Kind)?;
        if !self.exception().is_empty() {
            return None;
        }
        raised::of_names(kind, self.text(Meaning::Said).unwrap_or_default()).map(Box::new)
    }

    /// True where the values read so far say that the line set out as a request's.
    pub(crate) fn set_out(slots: &Slots) -> bool {
        let has = |meaning| usize::from(slots.get(meaning).is_some());
        has(Meaning::Method) + has(Meaning::Path) + has(Meaning::Status) + has(Meaning::RequestLine) >= 2
    }
}

/// `GET`, `WEBSOCKET`, `PROPFIND` …
pub(crate) fn is_method(text: &[u8]) -> bool {
    (3..=20).contains(&text.len()) && text.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
}

/// Method and target of `GET /x HTTP/1.1`, with or without the protocol, or as Django shows it.
fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_prefix(b"<WSGIRequest: ").or_else(|| line.strip_prefix(b"<ASGIRequest: ")).unwrap_or(line);
    let line = line.strip_suffix(b">").unwrap_or(line);
    let blank = line.iter().position(|&b| b == b' ')?;
    let (method, target) = (line.get(..blank)?, line.get(blank + 1..)?);
    let end = memchr::memmem::rfind(target, b" HTTP/").unwrap_or(target.len());
    let target = target.get(..end)?;
    let target = target.strip_prefix(b"'").and_then(|t| t.strip_suffix(b"'")).unwrap_or(target);
    let right = method.iter().all(u8::is_ascii_uppercase) && is_method(method);
    (right && (target.starts_with(b"/") || target.starts_with(b"*") || is_url(target))).then_some((method, target))
}

fn is_url(target: &[u8]) -> bool {
    [b"http://".as_slice(), b"https://", b"ws://", b"wss://"].iter().any(|scheme| target.starts_with(scheme))
}

/// The path of a target or an absolute URL, query and fragment cut off.
pub(crate) fn path_of(target: &[u8]) -> &[u8] {
    let mut path = target;
    if is_url(target) {
        let host = memchr::memmem::find(target, b"://").map_or(0, |at| at + 3);
        let behind = target.get(host..).unwrap_or_default();
        let slash = behind.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(behind.len());
        path = behind.get(slash..).unwrap_or_default();
        if !path.starts_with(b"/") {
            return b"/";
        }
    }
    let end = memchr::memchr2(b'?', b'#', path).unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}
