//! Findings by table: one situation each, and the same without what makes it one.

use super::*;
use crate::parse::Headers;
use crate::route::NamedBy;
use crate::stats::summary::CacheFigures;
use crate::stats::summary::Figures;
use crate::stats::summary::Latency;
use crate::stats::summary::SourceFigures;
use crate::verdict::compare::Half;
use crate::verdict::compare::RouteSide;
use crate::verdict::compare::Side;

fn route(path: &str, statuses: &[(u16, u64)]) -> RouteFigures {
    let requests = statuses.iter().map(|s| s.1).sum();
    let mut figures = Figures { requests, status: statuses.iter().copied().collect(), ..Figures::default() };
    for (status, n) in statuses {
        figures.classes[usize::from(status / 100) - 1] += n;
    }
    RouteFigures {
        service: None,
        method: "GET".to_owned(),
        route: path.to_owned(),
        probe: false,
        streaming: false,
        named_by: NamedBy::Learned,
        figures,
    }
}

fn latency(p50_us: u64, p99_us: u64) -> Latency {
    Latency { count: 500, p50_us, p99_us, ..Latency::default() }
}

fn found(summary: &Summary) -> Vec<(&'static str, Option<String>)> {
    let evidence = Evidence { summary, headers: &[], documented: &[], logins: None };
    findings(&evidence).into_iter().map(|f| (f.kind, f.route)).collect()
}

fn with_route(change: impl FnOnce(&mut RouteFigures)) -> Summary {
    let mut one = route("/a", &[(200, 100)]);
    change(&mut one);
    Summary { routes: vec![one], ..Summary::default() }
}

#[test]
fn nothing_is_found_in_nothing_or_in_healthy_traffic() {
    assert!(found(&Summary::default()).is_empty());
    assert!(found(&with_route(|r| r.figures.latency = Some(latency(900, 20_000)))).is_empty());
}

#[test]
fn routes_are_judged_by_their_figures() {
    let a = || Some("GET /a".to_owned());
    let cache = |hit, miss, expired| {
        let looked_up = hit + miss + expired;
        Some(CacheFigures { hit, miss, expired, hit_ratio: Some(part(hit, looked_up)), ..CacheFigures::default() })
    };
    for (want, summary) in [
        (vec![("low_hit_ratio", a())], with_route(|r| r.figures.cache = cache(10, 80, 0))),
        (vec![], with_route(|r| r.figures.cache = cache(60, 40, 0))),
        (vec![], with_route(|r| r.figures.cache = cache(1, 20, 0))),
        (vec![("endless", a())], with_route(|r| r.figures.latency = Some(latency(31_000_000, 40_000_000)))),
        (
            vec![],
            with_route(|r| {
                r.figures.latency = Some(latency(31_000_000, 40_000_000));
                r.streaming = true;
            }),
        ),
        (vec![("retry_storm", a())], with_route(|r| *r = route("/a", &[(200, 100), (429, 15), (503, 15)]))),
        (vec![], with_route(|r| *r = route("/a", &[(200, 1000), (429, 30)]))),
    ] {
        assert_eq!(want, found(&summary));
    }
}

#[test]
fn the_reading_is_judged_by_its_counts() {
    let kinds = |change: &dyn Fn(&mut Summary)| {
        let mut summary = Summary::default();
        (summary.input.lines, summary.input.requests) = (1_000, 900);
        change(&mut summary);
        found(&summary).into_iter().map(|f| f.0).collect::<Vec<_>>()
    };
    assert_eq!(vec!["malformed"], kinds(&|s| s.input.malformed = 11));
    assert!(kinds(&|s| s.input.malformed = 10).is_empty());
    assert_eq!(vec!["clock_jump"], kinds(&|s| s.input.late = 5));
    assert!(kinds(&|s| s.input.late = 4).is_empty());
    assert_eq!(vec!["timeouts_unseen"], kinds(&|s| s.lifecycle.timeouts = 1));
    assert_eq!(vec!["timeouts_unseen"], kinds(&|s| s.lifecycle.worker_deaths = 1));
    assert_eq!(vec!["lines_lost"], kinds(&|s| s.input.lost_bytes = 1));
    assert_eq!(vec!["lines_lost"], kinds(&|s| s.input.suppressed = 1));
    let overlapping = SourceFigures { overlaps: true, ..SourceFigures::default() };
    assert_eq!(vec!["lines_lost"], kinds(&|s| s.input.sources.push(overlapping.clone())));
    assert_eq!(vec!["latency_unit"], kinds(&|s| s.total.latency = Some(latency(12, 900))));
    assert_eq!(vec!["latency_unit"], kinds(&|s| s.total.latency = Some(latency(90_000_000, 900_000_000))));
    assert!(kinds(&|s| s.total.latency = Some(latency(0, 900))).is_empty(), "nginx rounds to milliseconds");
}

#[test]
fn two_forms_as_busy_as_each_other_may_be_two_layers() {
    let source = |format: &str, layer, requests| SourceFigures {
        format: Some(format.to_owned()),
        layer,
        requests,
        ..SourceFigures::default()
    };
    for (want, sources) in [
        (1, vec![source("combined", "app", 1_000), source("uvicorn", "app", 900)]),
        (0, vec![source("combined", "edge", 1_000), source("uvicorn", "app", 900)]),
        (0, vec![source("uvicorn", "app", 1_000), source("uvicorn", "app", 900)]),
        (0, vec![source("combined", "app", 1_000), source("uvicorn", "app", 100)]),
    ] {
        let mut summary = Summary::default();
        summary.input.sources = sources;
        assert_eq!(want, found(&summary).len(), "{:?}", summary.input.sources);
    }
}

#[test]
fn documents_are_held_against_what_was_called() {
    let mut known = route("/items/{id}", &[(200, 40)]);
    known.named_by = NamedBy::Openapi;
    let mut static_file = route("/static/x.css", &[(200, 19)]);
    static_file.figures.client_errors = 0;
    let routes = vec![known, route("/secret", &[(200, 25)]), static_file, route("/wp-login.php", &[(403, 900)])];
    let summary = Summary { routes, ..Summary::default() };
    let operation = |path: &str| (None, "GET".to_owned(), path.to_owned());
    let documented =
        [operation("/items/{id}"), operation("/old"), (Some("other".to_owned()), "GET".to_owned(), "/x".to_owned())];
    let evidence = Evidence { summary: &summary, headers: &[], documented: &documented, logins: None };
    let found: Vec<_> = findings(&evidence).into_iter().map(|f| (f.kind, f.route.unwrap_or_default())).collect();
    assert_eq!(vec![("never_called", "GET /old".to_owned()), ("undocumented", "GET /secret".to_owned())], found);
}

#[test]
fn headers_are_judged_by_login_and_by_what_differs() {
    let counts = |rows: &[(u64, &str, bool)]| {
        let mut counts = HeaderCounts::default();
        for (n, control, set_cookie) in rows {
            let headers = Headers { cache_control: control.as_bytes(), set_cookie: *set_cookie, ..Headers::default() };
            (0..*n).for_each(|_| counts.record(&headers));
        }
        counts
    };
    for (want, auth, rows) in [
        (vec![(Severity::Serious, "public_to_logged_in")], Auth::Authenticated, vec![(30, "public", false)]),
        (vec![(Severity::Warning, "public_to_logged_in")], Auth::Authenticated, vec![(30, "-", false)]),
        (vec![], Auth::Authenticated, vec![(30, "private", true)]),
        (vec![], Auth::Anonymous, vec![(30, "public", false)]),
        (vec![(Severity::Serious, "set_cookie_on_cacheable")], Auth::Unknown, vec![(30, "max-age=9", true)]),
        (vec![(Severity::Warning, "directives_change")], Auth::Unknown, vec![(30, "no-store", false), (9, "max-age=9", false)]),
        (vec![], Auth::Unknown, vec![(300, "no-store", false), (1, "max-age=9", false)]),
        (vec![(Severity::Warning, "directives_change")], Auth::Unknown, vec![(30, "no-store", false), (9, "-", false)]),
    ] {
        let headers = [RouteHeaders { by_auth: BTreeMap::from([(auth, counts(&rows))]), ..RouteHeaders::default() }];
        let evidence = Evidence { summary: &Summary::default(), headers: &headers, documented: &[], logins: None };
        let got: Vec<_> = findings(&evidence).into_iter().map(|f| (f.severity, f.kind)).collect();
        assert_eq!(want, got, "{rows:?}");
    }
}

#[test]
fn logged_in_requests_that_fail_more_are_found_by_a_test() {
    let half = |errors: u64| {
        let figures =
            Figures { requests: 500, errors, status: [(200, 500 - errors), (500, errors)].into(), ..Figures::default() };
        let side = Side { figures, ..Side::default() };
        Half {
            routes: vec![RouteSide { method: "GET".to_owned(), route: "/me".to_owned(), side, ..RouteSide::default() }],
            ..Half::default()
        }
    };
    for (want, known) in [(vec!["logged_in_worse"], 60), (vec![], 2)] {
        let logins = compare(&half(1), &half(known), &Limits::default(), |_| Remedy::default());
        let evidence = Evidence { summary: &Summary::default(), headers: &[], documented: &[], logins: Some(&logins) };
        assert_eq!(want, findings(&evidence).iter().map(|f| f.kind).collect::<Vec<_>>());
    }
}

#[test]
fn the_gravest_finding_stands_first() {
    let mut summary = with_route(|r| *r = route("/a", &[(200, 100), (429, 50)]));
    summary.total.latency = Some(latency(12, 900));
    assert_eq!(vec!["latency_unit", "retry_storm"], found(&summary).into_iter().map(|f| f.0).collect::<Vec<_>>());
}
