//! The figures every output shows: computed once, here, so that two outputs can never disagree.
//!
//! Plain data in the order of the report; `write` only dresses it. Times are UTC, latencies whole microseconds, ratios
//! 0 to 1. `None` means that the log does not tell.

mod figures;
mod sum_up;
mod unavailable;

use std::collections::BTreeMap;

use crate::route::NamedBy;
use crate::time::Timestamp;

pub use figures::Sum;
pub use sum_up::Asked;
pub use sum_up::NamedGroup;
pub use sum_up::RouteName;
pub use sum_up::named;
pub use sum_up::sum_up;

/// Everything a report says about what was read, before anything is judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// The span of event time.
    pub period: Period,
    /// What was read, and what became of it.
    pub input: Intake,
    /// All requests but probes; the edge layer's where a service has both.
    pub total: Figures,
    /// Each service, by name (unnamed first).
    pub services: Vec<ServiceFigures>,
    /// Each route: most requests first, then by service, route, method.
    pub routes: Vec<RouteFigures>,
    /// Each exception: most frequent first, then by type and place.
    pub exceptions: Vec<ExceptionFigures>,
    /// The server speaking of itself.
    pub lifecycle: LifecycleFigures,
    /// Deploy marks in order of time.
    pub deploys: Vec<Deploy>,
    /// Versions seen, in order of first appearance.
    pub versions: Vec<VersionFigures>,
    /// The course of time, narrowed by `--route` like `total`.
    pub series: Series,
    /// What this log cannot tell, and how to make it.
    pub unavailable: Vec<Unavailable>,
}

/// The span of event time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Period {
    /// The first request's time.
    pub start: Option<Timestamp>,
    /// The last request's time.
    pub end: Option<Timestamp>,
    /// `end - start` in seconds.
    pub seconds: Option<f64>,
    /// `line`, `wrapper`, `arrival` or `none`.
    pub time_source: &'static str,
    /// The zone that stamps without one were read in, if there were any.
    pub zone_assumed: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intake {
    /// Each source in the order it was read.
    pub sources: Vec<SourceFigures>,
    /// Lines after unwrapping; the sum of the six kinds below.
    pub lines: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Lines that were requests.
    pub requests: u64,
    /// Lines about a request counted already.
    pub companion: u64,
    /// The server speaking of itself.
    pub lifecycle: u64,
    /// Lines of tracebacks.
    pub traceback: u64,
    /// Any other text.
    pub message: u64,
    /// Set out as access lines and broke.
    pub malformed: u64,
    /// Malformed lines by reason.
    pub malformed_reasons: BTreeMap<&'static str, u64>,
    /// Sources or parts of sources found twice and counted once.
    pub duplicates: u64,
    /// Requests too late for their window.
    pub late: u64,
    /// Requests without any time.
    pub undated: u64,
    /// Bytes that a truncation destroyed before they were read.
    pub lost_bytes: u64,
    /// Messages that vitalog wrote itself, as far as this run has read them.
    pub own: u64,
    /// Messages that journald or rsyslog say they dropped.
    pub suppressed: u64,
    /// Requests to health probes (left out of `total` unless asked for).
    pub probes: u64,
}

/// One source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceFigures {
    /// As given or found.
    pub path: String,
    /// The service it belongs to, where known.
    pub service: Option<String>,
    /// `edge` or `app`.
    pub layer: &'static str,
    /// The wrappers taken off, outermost first, joined by `+`; `None` for a bare log.
    pub wrapper: Option<String>,
    /// The written form found, e.g. `uvicorn`; several joined by `+`; `None` if nothing was understood.
    pub format: Option<String>,
    /// Lines after unwrapping.
    pub lines: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Requests.
    pub requests: u64,
    /// Why it could not be read (to its end).
    pub error: Option<String>,
    /// It begins, by its times, before the older file of the same log ends.
    pub overlaps: bool,
}

/// STATS of the contract: the figures of any set of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// How many.
    pub requests: u64,
    /// Requests a second over the period; `None` where undated or where the period is shorter than a second.
    pub rate_per_s: Option<f64>,
    /// Requests by status; key 0 is written `-`.
    pub status: BTreeMap<u16, u64>,
    /// 1xx to 5xx.
    pub classes: [u64; 5],
    /// Requests that count as errors (5xx unless configured).
    pub errors: u64,
    /// `errors / requests`; `None` without requests.
    pub error_rate: Option<f64>,
    /// 4xx.
    pub client_errors: u64,
    /// 499, 460 and `-`.
    pub aborted: u64,
    /// Bytes sent; `None` where no line says.
    pub bytes: Option<u64>,
    /// Latency; `None` where no line says.
    pub latency: Option<Latency>,
    /// By logged in or not; `None` where no line says.
    pub auth: Option<AuthFigures>,
    /// By the cache's word; `None` where no line says.
    pub cache: Option<CacheFigures>,
}

/// Latency figures in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// Requests with a latency.
    pub count: u64,
    /// Exact.
    pub min_us: u64,
    /// Exact, rounded to the microsecond.
    pub mean_us: u64,
    /// 50 % at or below.
    pub p50_us: u64,
    /// 90 %.
    pub p90_us: u64,
    /// 95 %.
    pub p95_us: u64,
    /// 99 %.
    pub p99_us: u64,
    /// 99.9 %.
    pub p999_us: u64,
    /// Exact.
    pub max_us: u64,
    /// Significant digits of the quantiles: 3 (0.1 %) or 2 (1 %).
    pub digits: u8,
}

/// A route's split by logged in or not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AuthFigures {
    /// Logged in.
    pub authenticated: AuthPart,
    /// Not logged in.
    pub anonymous: AuthPart,
    /// Not said.
    pub unknown: AuthPart,
}

/// One side of the split.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AuthPart {
    /// How many.
    pub requests: u64,
    /// Of them errors.
    pub errors: u64,
    /// `errors / requests`; `None` without requests.
    pub error_rate: Option<f64>,
    /// Latency.
    pub latency: Option<Latency>,
}

/// A route's split by the cache's word.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheFigures {
    /// Answered from the cache.
    pub hit: u64,
    /// Asked behind it.
    pub miss: u64,
    /// Too old.
    pub expired: u64,
    /// Too old, answered all the same.
    pub stale: u64,
    /// Not looked up.
    pub bypass: u64,
    /// Another word.
    pub other: u64,
    /// `(hit + stale) / (hit + miss + expired + stale)`: of the looked-up ones; `None` if none was.
    pub hit_ratio: Option<f64>,
    /// Latency by word.
    pub by_status_latency: BTreeMap<&'static str, Latency>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceFigures {
    /// Its name; `None` where nothing names it.
    pub service: Option<String>,
    /// Its figures.
    pub figures: Figures,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteFigures {
    /// Its service.
    pub service: Option<String>,
    /// `GET`, or `-`.
    pub method: String,
    /// The template.
    pub route: String,
    /// A health probe.
    pub probe: bool,
    /// A stream.
    pub streaming: bool,
    /// Where the name comes from.
    pub named_by: NamedBy,
    /// Its figures.
    pub figures: Figures,
}

/// One kind of exception: same service, type and place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExceptionFigures {
    /// Its service.
    pub service: Option<String>,
    /// The type as Python prints it.
    pub kind: String,
    /// One redacted sample; `None` where Python printed none.
    pub message: Option<String>,
    /// The innermost application frame, `shop/cart.py:88`.
    pub place: Option<String>,
    /// How often.
    pub count: u64,
    /// First seen.
    pub first: Option<Timestamp>,
    /// Last seen.
    pub last: Option<Timestamp>,
    /// Routes it failed, `GET /x`, sorted, at most 10.
    pub routes: Vec<String>,
    /// New since the last deploy mark or start; `None` where that cannot be told.
    pub new: Option<bool>,
}

/// The server speaking of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LifecycleFigures {
    /// Starts of a server's parent process.
    pub starts: u64,
    /// Orderly stops.
    pub stops: u64,
    /// Starts of worker processes.
    pub worker_starts: u64,
    /// Workers that died or were killed.
    pub worker_deaths: u64,
    /// Workers killed for not answering.
    pub timeouts: u64,
    /// Reloads.
    pub reloads: u64,
    /// The first 1,000 events by time.
    pub events: Vec<Event>,
}

/// One lifecycle event.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When; `None` where undated.
    pub at: Option<Timestamp>,
    /// Its service.
    pub service: Option<String>,
    /// `start`, `ready`, `stop`, `worker_start`, `worker_death`, `timeout`, `reload` …
    pub kind: String,
    /// The process.
    pub pid: Option<u32>,
    /// The line, made safe.
    pub text: String,
}

/// One deploy mark.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deploy {
    /// Its service.
    pub service: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What the mark says, e.g. a version.
    pub label: Option<String>,
    /// `option`, `file`, `restart`, `version` or `pod`.
    pub source: &'static str,
}

/// One version of a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionFigures {
    /// Its service.
    pub service: Option<String>,
    /// As logged.
    pub version: String,
    /// Requests it served.
    pub requests: u64,
    /// First seen.
    pub first: Option<Timestamp>,
    /// Last seen.
    pub last: Option<Timestamp>,
}

/// The course of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// 1, 60 or 900.
    pub slot_seconds: u64,
    /// From the first to the last slot with requests; empty slots between are left out.
    pub slots: Vec<SlotFigures>,
}

/// One slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SlotFigures {
    /// Its beginning.
    pub start: Timestamp,
    /// Requests.
    pub requests: u64,
    /// Of them errors.
    pub errors: u64,
    /// 4xx.
    pub client_errors: u64,
    /// Quantiles to two digits; `None` without latencies.
    pub p50_us: Option<u64>,
    /// 95 %.
    pub p95_us: Option<u64>,
    /// 99 %.
    pub p99_us: Option<u64>,
    /// Exact.
    pub max_us: Option<u64>,
}

/// A figure this log cannot give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// `latency`, `time`, `bytes`, `logged_in`, `cache` or `version`.
    pub figure: &'static str,
    /// Why, in one clause.
    pub because: String,
    /// The setting or command that adds it.
    pub enable_with: String,
}
