//! Which key means what: the usual names of JSON and logfmt keys, and the user's own.
//!
//! Keys are compared without case, `_` and `-` (`statusCode` is `status_code`); nested keys are joined with dots, and
//! a key that holds dots itself is the same (`{"http": {"route"…` and `{"http.route"…`). The names come from what the
//! libraries and servers write: OpenTelemetry semantic conventions 1.x, ECS 8, Datadog's and Google Cloud's standard
//! attributes, python-json-logger, structlog, django-structlog, loguru, pino, nginx, gunicorn, Caddy, Traefik.

use serde::Deserialize;
use serde::Serialize;

use crate::parse::access;
use crate::parse::custom;
use crate::parse::custom::KeyMap;

/// What a value tells about a request or about its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Meaning {
    /// The method.
    Method,
    /// The path, or the whole URL.
    Path,
    /// `GET /x HTTP/1.1` in one.
    RequestLine,
    /// The route's template.
    Route,
    /// The status.
    Status,
    /// Size of the answer.
    Bytes,
    /// How long it took.
    Latency,
    /// When.
    Time,
    /// Who was logged in.
    User,
    /// Whether somebody was logged in.
    LoggedIn,
    /// `Authorization`, or a session's cookie.
    Credential,
    /// What the cache said.
    Cache,
    /// The application's version.
    Version,
    /// The request's id.
    RequestId,
    /// The process.
    Pid,
    /// The service.
    Service,
    /// The level.
    Level,
    /// The logger's name.
    Logger,
    /// The message.
    Message,
    /// The traceback: text, or a list of what was raised.
    Exception,
    /// The type of what was raised, where it stands alone.
    Kind,
    /// The message of what was raised, where it stands alone.
    Said,
    /// The whole line as text once more (loguru), the traceback behind it.
    Whole,
    /// `Cache-Control`.
    CacheControl,
    /// `Vary`.
    Vary,
    /// `Age`.
    Age,
    /// `Set-Cookie`.
    SetCookie,
    /// Heroku's dyno, by which its router's lines are known.
    Dyno,
    /// What only Traefik writes; its bare `Duration` is nanoseconds.
    Proxied,
}

impl Meaning {
    /// How many there are.
    pub const COUNT: usize = Self::Proxied as usize + 1;
}

/// The unit a key or a value gives to a number of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Unit {
    /// Not said: seconds, unless the configuration says otherwise.
    #[default]
    Bare,
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The unit written `ns`, `us`, `ms`, `s` or in words; `None` for anything else.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        UNITS.iter().find(|(_, names)| names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name))).map(|(unit, _)| *unit)
    }
}

/// Units by the words that end a key or follow a number.
const UNITS: [(Unit, &[&str]); 4] = [
    (Unit::Milliseconds, &["ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds", "inms"]),
    (Unit::Microseconds, &["us", "usec", "usecs", "micro", "micros", "microsecond", "microseconds", "inus", "µs", "μs"]),
    (Unit::Nanoseconds, &["ns", "nsec", "nano", "nanos", "nanosecond", "nanoseconds", "inns"]),
    (Unit::Seconds, &["s", "sec", "secs", "second", "seconds", "inseconds", "insec"]),
];

/// What a key means, its unit, and how early it stands among the keys of the same meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The meaning.
    pub meaning: Meaning,
    /// The unit its name gives.
    pub unit: Unit,
    /// Smaller is preferred.
    pub rank: u16,
}

/// The map of keys to meanings: sorted by length and key, built once per run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    entries: Vec<(String, Entry)>,
    bare: Unit,
}

impl Default for Names {
    /// The usual names; a bare key of time is seconds.
    fn default() -> Self {
        let mut names = Self { entries: Vec::with_capacity(1024), bare: Unit::Seconds };
        for (meaning, keys) in USUAL {
            for key in *keys {
                names.add(key, *meaning, Unit::Bare);
            }
        }
        for (unit, keys) in TIMED {
            for key in *keys {
                names.add(key, Meaning::Latency, *unit);
            }
        }
        for base in DURATIONS {
            names.add_timed(base);
        }
        for prefix in ANSWER_HEADERS {
            for (meaning, headers) in HEADERS {
                for header in *headers {
                    names.add(&format!("{prefix}{header}"), *meaning, Unit::Bare);
                }
            }
        }
        names.sort();
        names
    }
}

/// What a field of a format string means as the value of a key.
fn of_format(field: custom::Meaning) -> Option<(Meaning, Unit)> {
    let unit = |unit| match unit {
        access::Unit::Nanoseconds => Unit::Nanoseconds,
        access::Unit::Microseconds => Unit::Microseconds,
        access::Unit::Milliseconds => Unit::Milliseconds,
        access::Unit::Seconds => Unit::Seconds,
    };
    let meaning = match field {
        custom::Meaning::Nothing | custom::Meaning::Millis => return None,
        custom::Meaning::Latency(of) => return Some((Meaning::Latency, unit(of))),
        custom::Meaning::Time => Meaning::Time,
        custom::Meaning::RequestLine => Meaning::RequestLine,
        custom::Meaning::Method => Meaning::Method,
        custom::Meaning::Path => Meaning::Path,
        custom::Meaning::Status => Meaning::Status,
        custom::Meaning::Bytes => Meaning::Bytes,
        custom::Meaning::RequestId => Meaning::RequestId,
        custom::Meaning::User => Meaning::User,
        custom::Meaning::Cache => Meaning::Cache,
        custom::Meaning::CacheControl => Meaning::CacheControl,
        custom::Meaning::Vary => Meaning::Vary,
        custom::Meaning::Age => Meaning::Age,
        custom::Meaning::SetCookie => Meaning::SetCookie,
        custom::Meaning::Version => Meaning::Version,
        custom::Meaning::Pid => Meaning::Pid,
        custom::Meaning::Message => Meaning::Message,
        custom::Meaning::Logger => Meaning::Logger,
        custom::Meaning::Level => Meaning::Level,
    };
    Some((meaning, Unit::Bare))
}

impl Names {
    /// What `path` (normalised as [`super::walk::add_key`] does) means. Around the usual names may stand `extra.`,
    /// `fields.`, `data.` and their like; the nearer to the top a key stands, the rather it counts.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Entry> {
        let mut path = path;
        let mut deeper = 0;
        loop {
            if let Ok(at) = self.entries.binary_search_by(|(key, _)| order(key.as_bytes(), path)) {
                let (_, entry) = self.entries.get(at)?;
                return Some(Entry { rank: entry.rank + deeper, ..*entry });
            }
            memchr::memchr(b'.', path)?;
            path = AROUND.iter().find_map(|around| path.strip_prefix(around.as_bytes()))?;
            deeper += 4000;
            if deeper > 12_000 {
                return None;
            }
        }
    }

    /// The unit of numbers of time that neither key nor value names.
    pub fn bare(&self) -> Unit {
        self.bare
    }

    /// Makes numbers of time under a bare key be of `unit`.
    #[must_use]
    pub fn with_latency_unit(mut self, unit: Unit) -> Self {
        self.bare = unit;
        self
    }

    /// Makes `key` the one that means `meaning`, in place of the usual ones. A latency's unit comes from the end of
    /// the key (`took_ms`), else it is bare.
    #[must_use]
    pub fn with_key(mut self, meaning: Meaning, key: &str) -> Self {
        let path = normal(key);
        self.entries.retain(|(known, entry)| entry.meaning != meaning && *known != path);
        let last = key.rsplit(['_', '-', '.']).next().unwrap_or_default();
        let unit = if last.len() < key.len() { Unit::of_name(last.as_bytes()) } else { None };
        let unit = unit.filter(|_| meaning == Meaning::Latency).unwrap_or_default();
        self.entries.push((path, Entry { meaning, unit, rank: 0 }));
        self.sort();
        self
    }

    /// Adds the keys of a server's own JSON format, rather than the usual ones of the same meaning.
    #[must_use]
    pub fn with_keys(mut self, keys: &KeyMap) -> Self {
        for (key, meaning) in &keys.entries {
            let path = normal(key);
            let Some((meaning, unit)) = of_format(*meaning) else { continue };
            self.entries.retain(|(known, _)| *known != path);
            self.entries.push((path, Entry { meaning, unit, rank: 0 }));
        }
        self.sort();
        self
    }

    fn add(&mut self, key: &str, meaning: Meaning, unit: Unit) {
        let rank = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        self.entries.push((normal(key), Entry { meaning, unit, rank }));
    }

    /// A duration's key with every unit behind it, and bare.
    fn add_timed(&mut self, base: &str) {
        let mut key = base.to_owned();
        for (unit, names) in UNITS {
            for name in names {
                key.truncate(base.len());
                key.push_str(name);
                self.add(&key, Meaning::Latency, unit);
            }
        }
        self.add(base, Meaning::Latency, Unit::Bare);
    }

    /// Sorts by length and key; of equal keys the first one named stays.
    fn sort(&mut self) {
        self.entries.sort_by(|a, b| order(a.0.as_bytes(), b.0.as_bytes()).then(a.1.rank.cmp(&b.1.rank)));
        self.entries.dedup_by(|later, first| later.0 == first.0);
    }
}

/// Shorter before longer: most keys differ in length, which is cheaper to compare than their text.
fn order(one: &[u8], other: &[u8]) -> std::cmp::Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn normal(key: &str) -> String {
    let mut path = Vec::with_capacity(key.len());
    super::walk::add_key(&mut path, key.as_bytes(), false);
    // leaving out and lowering ASCII leaves text text
    String::from_utf8(path).unwrap_or_default()
}

/// What may stand around the usual names.
const AROUND: [&str; 17] = [
    "record.extra.",
    "extra.",
    "fields.",
    "data.",
    "context.",
    "ctx.",
    "jsonpayload.",
    "attributes.",
    "attrs.",
    "properties.",
    "payload.",
    "event.",
    "message.",
    "msg.",
    "props.",
    "mdc.",
    "access.",
];

/// Keys by meaning, the surest first.
const USUAL: &[(Meaning, &[&str])] = &[
    (
        Meaning::Method,
        &[
            "http.request.method",
            "http.method",
            "http_method",
            "request_method",
            "method",
            "request.method",
            "req.method",
            "httpRequest.requestMethod",
            "http.request_method",
            "RequestMethod",
            "verb",
            "cs_method",
        ],
    ),
    (
        Meaning::Path,
        &[
            "url.path",
            "http.target",
            "request_path",
            "path",
            "request.path",
            "req.path",
            "url_path",
            "http.path",
            "http.url_details.path",
            "http_path",
            "RequestPath",
            "request_uri",
            "uri",
            "request.uri",
            "req.uri",
            "url.original",
            "http.url",
            "url.full",
            "http_url",
            "request_url",
            "url",
            "request.url",
            "req.url",
            "httpRequest.requestUrl",
            "request.url.path",
            "http.request.path",
            "http.uri",
            "raw_path",
            "request.raw_path",
            "request_target",
            "target",
            "cs_uri_stem",
            "endpoint",
            "request.endpoint",
        ],
    ),
    (Meaning::RequestLine, &["request_line", "request.line", "requestline", "request", "http.request", "req", "http_request"]),
    (
        Meaning::Route,
        &[
            "http.route",
            "route",
            "route_template",
            "route_path",
            "request.route",
            "req.route",
            "path_template",
            "url_rule",
            "http_route",
            "url.template",
            "path_format",
            "endpoint_template",
        ],
    ),
    (
        Meaning::Status,
        &[
            "http.response.status_code",
            "http.status_code",
            "status_code",
            "http_status",
            "http_status_code",
            "response_status",
            "response_status_code",
            "response_code",
            "response.status_code",
            "response.status",
            "res.status_code",
            "res.status",
            "http.status",
            "httpRequest.status",
            "http.response.status",
            "DownstreamStatus",
            "OriginStatus",
            "sc_status",
            "status",
            "response.code",
            "code",
        ],
    ),
    (
        Meaning::Bytes,
        &[
            "http.response.body.size",
            "http.response.body.bytes",
            "http.response.bytes",
            "body_bytes_sent",
            "bytes_sent",
            "response_length",
            "response_size",
            "response_bytes",
            "httpRequest.responseSize",
            "response.bytes",
            "response.size",
            "response.content_length",
            "response.length",
            "network.bytes_written",
            "DownstreamContentSize",
            "content_length",
            "res.content_length",
            "bytes",
            "size",
            "body_size",
        ],
    ),
    (
        Meaning::Time,
        &[
            "@timestamp",
            "msec",
            "record.time.repr",
            "record.time.timestamp",
            "timestamp",
            "asctime",
            "datetime",
            "time",
            "ts",
            "time_iso8601",
            "iso_time",
            "eventTime",
            "event_time",
            "created",
            "time_local",
            "date",
            "StartUTC",
            "record.time",
            "logged_at",
            "t",
        ],
    ),
    (
        Meaning::User,
        &[
            "enduser.id",
            "user.id",
            "user_id",
            "uid",
            "user.name",
            "username",
            "user_name",
            "user",
            "remote_user",
            "usr.id",
            "request.user_id",
            "request.user",
            "account_id",
            "current_user",
            "ClientUsername",
            "principal",
        ],
    ),
    (
        Meaning::LoggedIn,
        &["authenticated", "is_authenticated", "user_authenticated", "user.is_authenticated", "logged_in", "is_logged_in"],
    ),
    (
        Meaning::Credential,
        &[
            "http.request.headers.authorization",
            "http.request.header.authorization",
            "request.headers.authorization",
            "req.headers.authorization",
            "request_headers.authorization",
            "headers.authorization",
            "http_authorization",
            "authorization",
            "session_cookie",
            "cookies.session",
            "cookies.sessionid",
            "request.cookies.session",
            "request.cookies.sessionid",
            "request.cookies.session_id",
            "req.cookies.session",
            "cookie_session",
            "cookie_sessionid",
        ],
    ),
    (
        Meaning::Cache,
        &[
            "upstream_cache_status",
            "cf_cache_status",
            "CacheCacheStatus",
            "cache_status",
            "x_cache_status",
            "x_cache",
            "cache",
            "cache_hit",
            "httpRequest.cacheHit",
            "http.cache_status",
            "cache_outcome",
            "cache_result",
        ],
    ),
    (
        Meaning::Version,
        &[
            "service.version",
            "app_version",
            "version",
            "release",
            "app.version",
            "service_version",
            "dd.version",
            "resource.service.version",
            "serviceContext.version",
            "build",
            "git_sha",
            "commit_sha",
        ],
    ),
    (
        Meaning::RequestId,
        &[
            "request_id",
            "http.request.id",
            "http.request_id",
            "request.id",
            "req_id",
            "reqid",
            "rid",
            "x_request_id",
            "correlation_id",
            "x_correlation_id",
            "req.id",
            "request_uuid",
            "http.x_request_id",
            "requestid",
        ],
    ),
    (Meaning::Pid, &["pid", "process.pid", "process.id", "process_id", "record.process.id", "process"]),
    (
        Meaning::Service,
        &["service.name", "service", "service_name", "dd.service", "serviceContext.service", "resource.service.name"],
    ),
    (Meaning::Level, &["log.level", "levelname", "level", "severity", "record.level.name", "log_level", "loglevel", "lvl"]),
    (Meaning::Logger, &["logger", "logger_name", "log.logger", "record.name", "name", "logger.name"]),
    (Meaning::Message, &["record.message", "message", "msg", "event", "log.message"]),
    (
        Meaning::Exception,
        &[
            "exc_info",
            "exception",
            "exc_text",
            "exception.stacktrace",
            "error.stack_trace",
            "error.stack",
            "stack_trace",
            "stacktrace",
            "traceback",
            "exc",
            "error.traceback",
            "record.exception",
        ],
    ),
    (
        Meaning::Kind,
        &["exception.type", "error.type", "error.kind", "exc_type", "exception_type", "error_type", "record.exception.type"],
    ),
    (
        Meaning::Said,
        &["exception.message", "error.message", "exc_value", "exception_message", "error_message", "record.exception.value"],
    ),
    (Meaning::Whole, &["text"]),
    (Meaning::CacheControl, &["cache_control", "http_cache_control", "sent_http_cache_control"]),
    (Meaning::Vary, &["vary", "sent_http_vary"]),
    (Meaning::Age, &["age", "sent_http_age", "cache_age"]),
    (Meaning::SetCookie, &["set_cookie", "sent_http_set_cookie"]),
    (Meaning::Dyno, &["dyno"]),
    (Meaning::Proxied, &["OriginDuration", "Overhead"]),
];

/// Keys of time whose unit is fixed by who writes them, whatever their name says.
const TIMED: &[(Unit, &[&str])] =
    &[(Unit::Seconds, &["http.server.request.duration", "httpRequest.latency"]), (Unit::Nanoseconds, &["event.duration"])];

/// Keys of time, each also with every unit behind it; the surest first.
const DURATIONS: &[&str] = &[
    "http.duration",
    "http.latency",
    "http.elapsed",
    "request_duration",
    "request_time",
    "response_time",
    "process_time",
    "processing_time",
    "processed_time",
    "duration",
    "elapsed",
    "elapsed_time",
    "latency",
    "request_timetaken",
    "time_taken",
    "took",
    "total_time",
    "execution_time",
    "response_duration",
    "handler_time",
    "request_latency",
    "response_latency",
    "request.duration",
    "response.duration",
    "response.time",
    "response.elapsed",
    "request.time",
    "time_elapsed",
    "duration_time",
    "dur",
    "rt",
    "runtime",
    "completed_in",
    "x_process_time",
    "x_response_time",
    "res.response_time",
    "perf.duration",
    "server_time",
    "total_duration",
];

/// Where answers' headers stand.
const ANSWER_HEADERS: [&str; 8] = [
    "http.response.headers.",
    "http.response.header.",
    "response.headers.",
    "response_headers.",
    "resp_headers.",
    "res.headers.",
    "headers.",
    "response.header.",
];

/// Headers of answers by meaning.
const HEADERS: &[(Meaning, &[&str])] = &[
    (Meaning::Cache, &["cf-cache-status", "x-cache-status", "x-cache", "cache-status"]),
    (Meaning::CacheControl, &["cache-control"]),
    (Meaning::Vary, &["vary"]),
    (Meaning::Age, &["age"]),
    (Meaning::SetCookie, &["set-cookie"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &Names, key: &str) -> Option<(Meaning, Unit)> {
        names.find(normal(key).as_bytes()).map(|entry| (entry.meaning, entry.unit))
    }

    #[test]
    fn usual_names_are_known_in_any_spelling() {
        let names = Names::default();
        let table = [
            ("statusCode", Meaning::Status, Unit::Bare),
            ("http.response.status_code", Meaning::Status, Unit::Bare),
            ("duration_ms", Meaning::Latency, Unit::Milliseconds),
            ("responseTimeMs", Meaning::Latency, Unit::Milliseconds),
            ("request_timetaken_us", Meaning::Latency, Unit::Microseconds),
            ("process_time", Meaning::Latency, Unit::Bare),
            ("elapsed_seconds", Meaning::Latency, Unit::Seconds),
            ("extra.elapsed_ms", Meaning::Latency, Unit::Milliseconds),
            ("record.extra.path", Meaning::Path, Unit::Bare),
            ("httpRequest.latency", Meaning::Latency, Unit::Seconds),
            ("event.duration", Meaning::Latency, Unit::Nanoseconds),
            ("resp_headers.Cache-Control", Meaning::CacheControl, Unit::Bare),
        ];
        for (key, meaning, unit) in table {
            assert_eq!(Some((meaning, unit)), found(&names, key), "{key}");
        }
        for key in ["trace_id", "record.file.path", "record.elapsed.seconds", "items", "http.version", "client.ip", "alarms"] {
            assert_eq!(None, found(&names, key), "{key}");
        }
    }

    #[test]
    fn a_named_key_takes_the_place_of_the_usual_ones() {
        let names = Names::default().with_key(Meaning::Latency, "took.wall_ms").with_latency_unit(Unit::Nanoseconds);
        assert_eq!(Some((Meaning::Latency, Unit::Milliseconds)), found(&names, "took.wall_ms"));
        assert_eq!(None, found(&names, "duration"));
        assert_eq!(Unit::Nanoseconds, names.bare());
        let names = Names::default().with_key(Meaning::Route, "endpoint");
        assert_eq!(Some((Meaning::Route, Unit::Bare)), found(&names, "endpoint"));
        assert_eq!(None, found(&names, "http.route"));
    }

    #[test]
    fn storing_and_loading_gives_the_same_names() {
        let names = Names::default().with_key(Meaning::User, "who");
        let stored = serde_json::to_string(&names).unwrap();
        assert_eq!(names, serde_json::from_str::<Names>(&stored).unwrap());
    }
}
