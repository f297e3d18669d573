//! Exceptions by kind and place, and the requests they belong to.
//!
//! [`Failures`] is what is kept and merged; [`Ties`] is what is carried from line to line to tie an exception to the
//! 500 it caused and to count one that was reported twice once. Reading tracebacks is left to `parse::traceback`,
//! judging what is new to the report.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use crate::parse::Exception;
use crate::parse::redact;
use crate::parse::traceback::Reporter;
use crate::stats::summary::ExceptionFigures;
use crate::time::Timestamp;

/// The most kinds of exceptions kept.
pub const KINDS: usize = 500;
/// The most routes kept of one kind.
pub const ROUTES: usize = 10;

/// Which exceptions count as the same: never the message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct FailureKey {
    /// `None` where nothing names it.
    pub service: Option<String>,
    /// The type as Python prints it.
    pub kind: String,
    /// The innermost application frame, empty where there is none.
    pub place: String,
}

/// Where an exception was seen: orders samples whatever the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Microseconds since 1970 UTC, `i64::MAX` where unknown.
    pub micros: i64,
    /// The source's own number, the same in every run.
    pub source: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

impl Mark {
    /// From a time that may be unknown.
    pub fn new(at: Option<Timestamp>, source: u64, offset: u64) -> Self {
        Self { micros: at.map_or(i64::MAX, Timestamp::micros), source, offset }
    }

    /// The time, where known.
    pub fn time(&self) -> Option<Timestamp> {
        (self.micros != i64::MAX).then_some(Timestamp(self.micros))
    }
}

/// One kind of exception.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// How often.
    pub count: u64,
    /// First and last time in microseconds since 1970 UTC; `None` where no time is known.
    pub span: Option<(i64, i64)>,
    /// The redacted message of the earliest one, empty where Python printed none.
    pub sample: Option<(Mark, String)>,
    /// Routes it failed, the 10 smallest by name.
    pub routes: BTreeSet<String>,
}

impl Failure {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.sample = match (self.sample.take(), other.sample) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.routes.extend(other.routes);
        while self.routes.len() > ROUTES {
            self.routes.pop_last();
        }
    }
}

/// A bounded table of exceptions. Merging is total and its order does not matter: the [`KINDS`] smallest keys are
/// kept with exact counts, because a key once left out is never among the smallest again; the rest is one number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failures {
    #[serde(with = "pairs")]
    kinds: BTreeMap<FailureKey, Failure>,
    /// Exceptions of kinds that found no place.
    over: u64,
}

impl Failures {
    /// Nothing seen.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Counts one exception of a service, seen at `mark`.
    pub fn record(&mut self, service: Option<&str>, exception: &Exception, mark: Mark) {
        let span = (mark.micros != i64::MAX).then_some((mark.micros, mark.micros));
        let sample = Some((mark, redact::message(&exception.message)));
        self.add(key(service, &exception.kind, &exception.place), Failure { count: 1, span, sample, routes: BTreeSet::new() });
    }

    /// Notes that a kind of exception failed a route (`GET /x`). Its count may stand in another table.
    pub fn tie(&mut self, service: Option<&str>, tie: &Tie) {
        let routes = BTreeSet::from([tie.route.clone()]);
        self.add(key(service, &tie.kind, &tie.place), Failure { routes, ..Failure::default() });
    }

    fn add(&mut self, key: FailureKey, failure: Failure) {
        self.kinds.entry(key).or_default().merge(failure);
        self.bound();
    }

    fn bound(&mut self) {
        while self.kinds.len() > KINDS {
            self.over += self.kinds.pop_last().map_or(0, |(_, left_out)| left_out.count);
        }
    }

    /// Adds another table.
    pub fn merge(&mut self, other: Self) {
        for (key, failure) in other.kinds {
            self.kinds.entry(key).or_default().merge(failure);
        }
        self.over += other.over;
        self.bound();
    }

    /// The kinds that were seen from `from` to before `to`, by their first and last times; counts are those of all times.
    #[must_use]
    pub fn within(&self, from: Timestamp, to: Timestamp) -> Self {
        let seen = |f: &Failure| f.span.is_some_and(|(first, last)| from.micros() <= last && first < to.micros());
        let kinds = self.kinds.iter().filter(|(_, f)| seen(f)).map(|(key, f)| (key.clone(), f.clone())).collect();
        Self { kinds, over: 0 }
    }

    /// All that was counted, those without a place included.
    pub fn total(&self) -> u64 {
        self.over + self.kinds.values().map(|f| f.count).sum::<u64>()
    }

    /// Exceptions of kinds beyond [`KINDS`].
    pub fn over(&self) -> u64 {
        self.over
    }

    /// Each kind, by key.
    pub fn kinds(&self) -> impl Iterator<Item = (&FailureKey, &Failure)> {
        self.kinds.iter().filter(|(_, f)| f.count > 0)
    }

    /// The report's rows: most frequent first, then by type and place. What is new is not judged here.
    pub fn figures(&self) -> Vec<ExceptionFigures> {
        let mut rows: Vec<_> = self.kinds().map(|(key, f)| row(key, f)).collect();
        rows.sort_by(|a, b| {
            let names = |r: &ExceptionFigures| (r.kind.clone(), r.place.clone(), r.service.clone());
            b.count.cmp(&a.count).then_with(|| names(a).cmp(&names(b)))
        });
        rows
    }
}

pub(super) fn key(service: Option<&str>, kind: &str, place: &str) -> FailureKey {
    FailureKey { service: service.map(str::to_owned), kind: kind.to_owned(), place: place.to_owned() }
}

fn row(key: &FailureKey, failure: &Failure) -> ExceptionFigures {
    ExceptionFigures {
        service: key.service.clone(),
        kind: key.kind.clone(),
        message: failure.sample.as_ref().map(|(_, text)| text.clone()).filter(|text| !text.is_empty()),
        place: Some(key.place.clone()).filter(|place| !place.is_empty()),
        count: failure.count,
        first: failure.span.map(|(first, _)| Timestamp(first)),
        last: failure.span.map(|(_, last)| Timestamp(last)),
        routes: failure.routes.iter().cloned().collect(),
        new: None,
    }
}

/// Written as a list, since a form such as JSON has no keys of several parts.
mod pairs {
    use super::BTreeMap;
    use super::Deserialize;
    use super::Failure;
    use super::FailureKey;

    pub(super) fn serialize<S: serde::Serializer>(kinds: &BTreeMap<FailureKey, Failure>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(kinds)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<FailureKey, Failure>, D::Error> {
        Ok(Vec::<(FailureKey, Failure)>::deserialize(from)?.into_iter().collect())
    }
}

/// Requests and exceptions that wait for each other, at most so many of each.
const WAITING: usize = 256;
/// Lines between an exception and the access line of its request, at most.
pub const REACH_LINES: u64 = 4096;
/// Lines between an exception and the access line of its request where no id ties them. Lines of tracebacks do not
/// count.
const NEAR_LINES: u64 = 8;
/// Time between them, in microseconds.
const NEAR_US: i64 = 2_000_000;
/// Lines between two reports of one exception where no id tells that it is one.
const TWICE_LINES: u64 = 64;
/// So many more ties in one direction than in the other settle which way a log is written.
const SETTLED: i8 = 3;

/// Where in its stream a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spot {
    /// Its number, lines of tracebacks left out: a number that stands still inside a traceback.
    pub line: u64,
    /// Microseconds since 1970 UTC, where known.
    pub micros: Option<i64>,
}

/// A request that failed with 500.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failed<'a> {
    /// Where its access line stands.
    pub spot: Spot,
    /// The route's name, `GET /items/{id}`.
    pub route: &'a str,
    /// `GET`, empty where not known.
    pub method: &'a str,
    /// The path as logged, without query.
    pub path: &'a str,
    /// Empty where not logged.
    pub request_id: &'a str,
    /// `None` where not logged.
    pub pid: Option<u32>,
}

/// An exception and the route it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// The type.
    pub kind: String,
    /// The innermost application frame.
    pub place: String,
    /// `GET /items/{id}`.
    pub route: String,
}

/// What an exception turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// It was reported before, for the same request: it does not count.
    pub again: bool,
    /// The request it failed, if its access line came before; else [`Ties::request`] may tell later.
    pub tie: Option<Tie>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    spot: Spot,
    route: String,
    target: (String, String),
    id: String,
    pid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    spot: Spot,
    kind: String,
    place: String,
    target: (String, String),
    id: String,
    pid: Option<u32>,
    reporter: Reporter,
    /// No 500 comes of it.
    no_answer: bool,
    tied: bool,
    /// The server's report of it has come.
    repeated: bool,
}

/// Ties the exceptions of one instance of one service to the requests they failed: by request id, else by the request
/// that the report names, else by process, order and time, in the direction in which this log is written.
///
/// Starlette's access line comes before the traceback, that of bare ASGI and WSGI after it. A failing background task
/// or WebSocket has an exception and no 500. Bounded, and a function of the order of lines alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ties {
    requests: VecDeque<Request>,
    reports: VecDeque<Report>,
    /// Above zero where access lines come first.
    lean: i8,
}

impl Ties {
    /// A request answered 500: the exception that was reported before it, if one belongs to it.
    pub fn request(&mut self, failed: &Failed<'_>) -> Option<Tie> {
        let request = Request {
            spot: failed.spot,
            route: failed.route.to_owned(),
            target: (failed.method.to_owned(), clipped(failed.path)),
            id: clipped(failed.request_id),
            pid: failed.pid,
        };
        let backward = self.lean < SETTLED;
        // Lines come in order: beyond the first that is out of reach all are.
        let reach = self.reports.iter().enumerate().rev().take_while(|(_, report)| reaches(request.spot, report.spot));
        let best = reach.filter(|(_, report)| !report.tied);
        let best = best.filter_map(|(i, report)| bond(&request, report, backward).map(|bond| (bond, i)));
        if let Some((_, i)) = best.min()
            && let Some(report) = self.reports.get_mut(i)
        {
            report.tied = true;
            self.lean = (self.lean - 1).max(-2 * SETTLED);
            return Some(Tie { kind: report.kind.clone(), place: report.place.clone(), route: request.route });
        }
        push(&mut self.requests, request);
        None
    }

    /// An exception: whether it was told before, and the request that it failed, if that came before it.
    pub fn exception(&mut self, exception: &Exception, spot: Spot) -> Told {
        let mut report = Report {
            spot,
            kind: exception.kind.clone(),
            place: exception.place.clone(),
            target: (exception.request.0.clone(), clipped(&exception.request.1)),
            id: clipped(&exception.request_id),
            pid: exception.pid,
            reporter: exception.reporter,
            no_answer: exception.no_answer,
            tied: false,
            repeated: false,
        };
        if let Some(first) = self.reports.iter_mut().find(|first| is_again(first, &report)) {
            first.repeated = true;
            return Told { again: true, tie: None };
        }
        let forward = self.lean > -SETTLED;
        let best = self.requests.iter().enumerate().rev().take_while(|(_, request)| reaches(request.spot, report.spot));
        let best = best.filter_map(|(i, request)| bond(request, &report, forward).map(|bond| (bond, i))).min();
        let request = best.and_then(|(_, i)| self.requests.remove(i));
        if request.is_some() {
            report.tied = true;
            self.lean = (self.lean + 1).min(2 * SETTLED);
        }
        let tie = request.map(|r| Tie { kind: report.kind.clone(), place: report.place.clone(), route: r.route });
        push(&mut self.reports, report);
        Told { again: false, tie }
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(256).collect()
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= WAITING {
        list.pop_front();
    }
    list.push_back(item);
}

/// How well two belong together, best first: 0 by id, 1 by the request named, 2 by order and time. `None` if not.
fn bond(request: &Request, report: &Report, this_way: bool) -> Option<u8> {
    let known = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
    if known(&request.id, &report.id) {
        return (request.id == report.id).then_some(0);
    }
    let strangers = request.pid.is_some() && report.pid.is_some() && request.pid != report.pid;
    if strangers || report.no_answer {
        return None;
    }
    let near = near(request.spot, report.spot, NEAR_LINES, NEAR_US);
    if !report.target.1.is_empty() {
        let method = !known(&request.target.0, &report.target.0) || request.target.0 == report.target.0;
        // Another thread's lines may stand between, so named requests may be further away.
        let reach = self::near(request.spot, report.spot, 8 * NEAR_LINES, NEAR_US);
        return (method && request.target.1 == report.target.1 && reach).then_some(1);
    }
    (near && this_way).then_some(2)
}

fn reaches(a: Spot, b: Spot) -> bool {
    a.line.abs_diff(b.line) <= REACH_LINES
}

fn near(a: Spot, b: Spot, lines: u64, micros: i64) -> bool {
    let close = a.micros.zip(b.micros).is_none_or(|(a, b)| a.abs_diff(b) <= micros.unsigned_abs());
    close && a.line.abs_diff(b.line) <= lines
}

/// Whether `second` tells what `first` told: the same exception for the same request, or, where no id tells, the
/// server's report after one that a middleware made.
fn is_again(first: &Report, second: &Report) -> bool {
    let alike = || first.kind.rsplit('.').next() == second.kind.rsplit('.').next();
    if !first.id.is_empty() && !second.id.is_empty() {
        return first.id == second.id && alike();
    }
    let pids = first.pid.is_none() || second.pid.is_none() || first.pid == second.pid;
    let order = first.reporter == Reporter::Application && second.reporter == Reporter::Server && !first.repeated;
    order && pids && near(first.spot, second.spot, TWICE_LINES, 5 * NEAR_US) && first.place == second.place && alike()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(kind: &str, id: &str, reporter: Reporter) -> Exception {
        Exception {
            kind: kind.to_owned(),
            message: "order 12345 of 'anna'".to_owned(),
            place: "shop/cart.py:88".to_owned(),
            request_id: id.to_owned(),
            reporter,
            ..Exception::default()
        }
    }

    fn app(kind: &str) -> Exception {
        exception(kind, "", Reporter::Application)
    }

    fn server(kind: &str) -> Exception {
        exception(kind, "", Reporter::Server)
    }

    fn at(line: u64) -> Spot {
        Spot { line, micros: None }
    }

    fn failed(line: u64, route: &str) -> Failed<'_> {
        Failed { spot: at(line), route, ..Failed::default() }
    }

    fn route(tie: Option<Tie>) -> Option<String> {
        tie.map(|t| t.route)
    }

    #[test]
    fn an_exception_is_tied_in_either_direction() {
        let mut ties = Ties::default();
        assert_eq!(None, ties.request(&failed(1, "GET /a")));
        assert_eq!(Some("GET /a".to_owned()), route(ties.exception(&server("KeyError"), at(2)).tie));
        assert_eq!(Told::default(), ties.exception(&server("OSError"), at(30)));
        assert_eq!(Some("GET /b".to_owned()), route(ties.request(&failed(31, "GET /b"))));
        assert_eq!(None, ties.request(&failed(32, "GET /c")), "one exception fails one request");
    }

    #[test]
    fn requests_and_exceptions_far_apart_have_nothing_to_do_with_each_other() {
        let mut ties = Ties::default();
        ties.request(&failed(1, "GET /a"));
        assert_eq!(None, ties.exception(&server("KeyError"), at(40)).tie);
        let mut ties = Ties::default();
        ties.request(&Failed { spot: Spot { line: 1, micros: Some(0) }, ..failed(1, "GET /a") });
        assert_eq!(None, ties.exception(&server("KeyError"), Spot { line: 2, micros: Some(3_000_000) }).tie);
    }

    #[test]
    fn a_request_id_ties_over_other_lines_and_forbids_other_ties() {
        let mut ties = Ties::default();
        ties.request(&Failed { request_id: "r-1", ..failed(1, "GET /a") });
        ties.request(&Failed { request_id: "r-2", ..failed(2, "GET /b") });
        assert_eq!(None, ties.exception(&exception("KeyError", "r-3", Reporter::Server), at(3)).tie);
        let told = ties.exception(&exception("KeyError", "r-1", Reporter::Server), at(900));
        assert_eq!(Some("GET /a".to_owned()), route(told.tie));
    }

    #[test]
    fn a_request_id_ties_as_far_as_lines_are_kept_and_no_further() {
        let report = |line| (exception("KeyError", "r-1", Reporter::Server), at(line));
        let request = |line| Failed { request_id: "r-1", ..failed(line, "GET /a") };
        for (lines, tied) in [(REACH_LINES, true), (REACH_LINES + 1, false)] {
            // Behind one that is out of reach in any case.
            let mut ties = Ties::default();
            ties.request(&Failed { request_id: "r-0", ..failed(0, "GET /c") });
            ties.request(&request(1));
            ties.request(&Failed { request_id: "r-2", ..failed(1 + lines, "GET /b") });
            let (exception, spot) = report(1 + lines);
            assert_eq!(tied, ties.exception(&exception, spot).tie.is_some(), "{lines}");
            let mut ties = Ties::default();
            ties.exception(&self::exception("OSError", "r-0", Reporter::Server), at(0));
            ties.exception(&exception, at(1));
            ties.exception(&self::exception("OSError", "r-3", Reporter::Server), at(2));
            assert_eq!(tied, ties.request(&request(1 + lines)).is_some(), "{lines} behind");
        }
    }

    #[test]
    fn the_request_a_report_names_is_the_one() {
        let mut ties = Ties::default();
        let named = Exception { request: ("POST".to_owned(), "/orders".to_owned()), ..app("KeyError") };
        ties.exception(&named, at(1));
        assert_eq!(None, ties.request(&Failed { method: "GET", path: "/search", ..failed(2, "GET /search") }));
        let request = Failed { method: "POST", path: "/orders", ..failed(20, "POST /orders") };
        assert_eq!(Some("POST /orders".to_owned()), route(ties.request(&request)));
    }

    #[test]
    fn a_background_task_takes_no_request() {
        let mut ties = Ties::default();
        ties.request(&failed(1, "GET /a"));
        let apart = Exception { no_answer: true, ..server("KeyError") };
        assert_eq!(Told::default(), ties.exception(&apart, at(2)));
        assert_eq!(Some("GET /a".to_owned()), route(ties.exception(&server("OSError"), at(3)).tie));
    }

    #[test]
    fn processes_are_told_apart() {
        let mut ties = Ties::default();
        ties.request(&Failed { pid: Some(1), ..failed(1, "GET /a") });
        let other = Exception { pid: Some(2), ..server("KeyError") };
        assert_eq!(None, ties.exception(&other, at(2)).tie);
    }

    #[test]
    fn a_log_that_is_written_one_way_is_not_tied_the_other_way() {
        let mut ties = Ties::default();
        for n in 0..4 {
            ties.request(&failed(100 * n, "GET /a"));
            assert!(ties.exception(&server("KeyError"), at(100 * n + 1)).tie.is_some());
        }
        ties.exception(&server("OSError"), at(1_000));
        assert_eq!(None, ties.request(&failed(1_001, "GET /b")));
        assert_eq!(Some("GET /b".to_owned()), route(ties.exception(&server("KeyError"), at(1_002)).tie));
    }

    #[test]
    fn two_reports_of_one_failure_count_once() {
        let mut ties = Ties::default();
        assert!(!ties.exception(&exception("main.PayError", "r-1", Reporter::Application), at(1)).again);
        assert!(ties.exception(&exception("PayError", "r-1", Reporter::Server), at(500)).again);
        assert!(!ties.exception(&exception("PayError", "r-2", Reporter::Server), at(501)).again);
        // Without ids: only the server's report after a middleware's, each once.
        assert!(!ties.exception(&app("KeyError"), at(600)).again);
        assert!(!ties.exception(&app("KeyError"), at(601)).again);
        assert!(ties.exception(&server("KeyError"), at(602)).again);
        assert!(ties.exception(&server("KeyError"), at(603)).again);
        assert!(!ties.exception(&server("KeyError"), at(604)).again);
    }

    #[test]
    fn what_waits_is_bounded_and_survives_being_stored() {
        let mut ties = Ties::default();
        let long = "x".repeat(5_000);
        for n in 0..2_000 {
            ties.request(&Failed { path: &long, request_id: &long, ..failed(n * 100, "GET /a") });
            ties.exception(&exception(&n.to_string(), &n.to_string(), Reporter::Server), at(n * 100 + 50));
        }
        assert!(ties.requests.len() <= WAITING && ties.reports.len() <= WAITING);
        let stored = serde_json::to_string(&ties).unwrap();
        assert_eq!(ties, serde_json::from_str(&stored).unwrap());
    }

    #[test]
    fn counts_span_sample_and_routes_do_not_depend_on_order() {
        let mark = |micros: i64| Mark { micros, source: 1, offset: 7 };
        let mut parts: Vec<Failures> = (0..4)
            .map(|n| {
                let mut part = Failures::empty();
                part.record(Some("shop"), &Exception { message: format!("message {n}"), ..app("KeyError") }, mark(10 - n));
                let tie = Tie { kind: "KeyError".to_owned(), place: "shop/cart.py:88".to_owned(), route: format!("GET /{n}") };
                part.tie(Some("shop"), &tie);
                part
            })
            .collect();
        let merged = |parts: &[Failures]| {
            parts.iter().fold(Failures::empty(), |mut all, part| {
                all.merge(part.clone());
                all
            })
        };
        let forward = merged(&parts);
        parts.reverse();
        assert_eq!(forward, merged(&parts));
        let rows = forward.figures();
        assert_eq!(1, rows.len());
        assert_eq!((4, Some(Timestamp(7)), Some(Timestamp(10))), (rows[0].count, rows[0].first, rows[0].last));
        assert_eq!(Some("message 3"), rows[0].message.as_deref());
        assert_eq!(vec!["GET /0", "GET /1", "GET /2", "GET /3"], rows[0].routes);
        let stored = serde_json::to_string(&forward).unwrap();
        assert_eq!(forward, serde_json::from_str(&stored).unwrap());
    }

    #[test]
    fn kinds_beyond_the_bound_are_one_number_whatever_the_order() {
        let kind = |n: u64| app(&format!("Error{:04}", n * 7919 % 2_003));
        let mut one = Failures::empty();
        let (mut left, mut right) = (Failures::empty(), Failures::empty());
        for n in 0..4_000 {
            one.record(None, &kind(n), Mark::default());
            let half = if n % 3 == 0 { &mut left } else { &mut right };
            half.record(None, &kind(n), Mark::default());
        }
        right.merge(left);
        assert_eq!(one, right);
        assert_eq!((KINDS, 4_000), (one.kinds().count(), one.total()));
        assert_eq!(3_000, one.over() / 1_000 * 1_000);
    }

    #[test]
    fn messages_are_kept_redacted() {
        let mut table = Failures::empty();
        table.record(None, &app("KeyError"), Mark::new(None, 0, 0));
        let rows = table.figures();
        assert_eq!(Some("order … of '…'"), rows[0].message.as_deref());
        assert_eq!((None, Some("shop/cart.py:88")), (rows[0].first, rows[0].place.as_deref()));
    }
}
