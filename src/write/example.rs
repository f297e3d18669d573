//! Reports made by hand, for the tests of the pages.

use std::collections::BTreeMap;

use crate::route::NamedBy;
use crate::stats::summary::AuthFigures;
use crate::stats::summary::AuthPart;
use crate::stats::summary::CacheFigures;
use crate::stats::summary::Deploy;
use crate::stats::summary::Event;
use crate::stats::summary::ExceptionFigures;
use crate::stats::summary::Figures;
use crate::stats::summary::Intake;
use crate::stats::summary::Latency;
use crate::stats::summary::LifecycleFigures;
use crate::stats::summary::Period;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Series;
use crate::stats::summary::ServiceFigures;
use crate::stats::summary::SlotFigures;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::Summary;
use crate::stats::summary::Unavailable;
use crate::stats::summary::VersionFigures;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::finding::Finding;
use crate::verdict::finding::Severity;
use crate::verdict::health::Health;
use crate::verdict::health::Status;
use crate::write::Report;

/// 2026-11-23 00:36:48 UTC and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp((1_795_394_208 + seconds) * SECOND)
}

pub(crate) fn latency(count: u64, mean_us: u64) -> Latency {
    Latency {
        count,
        min_us: mean_us / 4,
        mean_us,
        p50_us: mean_us / 2,
        p90_us: mean_us * 2,
        p95_us: mean_us * 3,
        p99_us: mean_us * 5,
        p999_us: mean_us * 8,
        max_us: mean_us * 10,
        digits: 3,
    }
}

pub(crate) fn figures(requests: u64, errors: u64, mean_us: Option<u64>) -> Figures {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let rate = |part: u64| (requests > 0).then(|| part as f64 / requests as f64);
    Figures {
        requests,
        rate_per_s: None,
        status: [(200, requests - errors), (500, errors)].into_iter().filter(|(_, n)| *n > 0).collect(),
        classes: [0, requests - errors, 0, 0, errors],
        errors,
        error_rate: rate(errors),
        latency: mean_us.map(|us| latency(requests, us)),
        ..Figures::default()
    }
}

pub(crate) fn route(method: &str, path: &str, requests: u64, errors: u64, mean_us: Option<u64>) -> RouteFigures {
    RouteFigures {
        service: None,
        method: method.to_owned(),
        route: path.to_owned(),
        probe: false,
        streaming: false,
        named_by: NamedBy::Learned,
        figures: figures(requests, errors, mean_us),
    }
}

/// What uvicorn's default line can tell: no time, no latency, no bytes.
pub(crate) fn bare() -> Report {
    let source = SourceFigures {
        path: "app.log".to_owned(),
        layer: "app",
        format: Some("uvicorn".to_owned()),
        lines: 57,
        bytes: 4096,
        requests: 50,
        ..SourceFigures::default()
    };
    let input =
        Intake { sources: vec![source], lines: 57, bytes: 4096, requests: 50, undated: 50, message: 7, ..Intake::default() };
    let missing = |figure, because: &str, enable_with: &str| Unavailable {
        figure,
        because: because.to_owned(),
        enable_with: enable_with.to_owned(),
    };
    Report {
        summary: Summary {
            period: Period { time_source: "none", ..Period::default() },
            input,
            total: figures(50, 1, None),
            services: vec![ServiceFigures { service: None, figures: figures(50, 1, None) }],
            routes: vec![route("GET", "/items/{id}", 40, 0, None), route("POST", "/checkout", 10, 1, None)],
            unavailable: vec![
                missing("latency", "uvicorn's default line has none", "a middleware that writes it"),
                missing("time", "uvicorn's default line has none", "uvicorn --log-config log.yaml with %(asctime)s"),
            ],
            ..Summary::default()
        },
        health: Health { status: Status::Healthy, reasons: vec![] },
        service_health: vec![Health { status: Status::Healthy, reasons: vec![] }],
        findings: Vec::new(),
    }
}

/// Every part of a report filled, every optional figure there.
pub(crate) fn full() -> Report {
    let mut total = figures(4293, 25, Some(24_600));
    total.rate_per_s = Some(4293.0 / 723.0);
    total.status.insert(0, 3);
    total.client_errors = 120;
    total.aborted = 3;
    total.bytes = Some(13_000_000);
    let part = AuthPart { requests: 10, errors: 1, error_rate: Some(0.1), latency: None };
    total.auth = Some(AuthFigures { authenticated: part, ..AuthFigures::default() });
    total.cache = Some(CacheFigures {
        hit: 2,
        miss: 1,
        hit_ratio: Some(2.0 / 3.0),
        by_status_latency: BTreeMap::from([("hit", latency(2, 500))]),
        ..CacheFigures::default()
    });
    let mut long = route("GET", "/organisations/{organisation}/projects/{project}/issues/{id}", 1203, 0, Some(18_000));
    long.figures.bytes = Some(9_000_000);
    let mut probe = route("GET", "/health", 300, 0, Some(400));
    probe.probe = true;
    let mut socket = route("WEBSOCKET", "/live/{id}", 12, 0, None);
    socket.streaming = true;
    let broken = "promise 'available' (99.9 %) broken: 25 of 4,293 requests failed (0.58 %, allowed 0.1 %), 2026-11-23 00:36:48 to 00:48:51 UTC";
    Report {
        summary: Summary {
            period: Period {
                start: Some(at(0)),
                end: Some(at(723)),
                seconds: Some(723.0),
                time_source: "line",
                zone_assumed: Some("Europe/Berlin".to_owned()),
            },
            input: intake(),
            total: total.clone(),
            services: vec![ServiceFigures { service: Some("shop".to_owned()), figures: total }],
            routes: vec![long, route("POST", "/checkout", 412, 25, Some(95_000)), probe, socket],
            exceptions: vec![exception()],
            lifecycle: lifecycle(),
            deploys: vec![Deploy {
                service: Some("shop".to_owned()),
                at: Some(at(60)),
                label: Some("v1.4.2".to_owned()),
                source: "option",
            }],
            versions: vec![VersionFigures {
                service: Some("shop".to_owned()),
                version: "1.4.2".to_owned(),
                requests: 4000,
                first: Some(at(60)),
                last: Some(at(723)),
            }],
            series: Series {
                slot_seconds: 1,
                slots: vec![SlotFigures { start: at(0), requests: 5, p50_us: Some(12_300), ..SlotFigures::default() }],
            },
            unavailable: vec![Unavailable {
                figure: "version",
                because: "no line names one".to_owned(),
                enable_with: "[fields] version".to_owned(),
            }],
        },
        health: Health { status: Status::Unhealthy, reasons: vec![broken.to_owned()] },
        service_health: vec![Health { status: Status::Unhealthy, reasons: vec![broken.to_owned()] }],
        findings: vec![Finding {
            severity: Severity::Warning,
            kind: "low_hit_ratio",
            service: Some("shop".to_owned()),
            route: Some("GET /items/{id}".to_owned()),
            text: "11.1 % of 90 look-ups were answered by the cache".to_owned(),
            advice: "look at what varies the key",
        }],
    }
}

fn intake() -> Intake {
    let source = |path: &str, error: Option<&str>| SourceFigures {
        path: path.to_owned(),
        service: Some("shop".to_owned()),
        layer: "app",
        wrapper: Some("docker".to_owned()),
        format: Some("gunicorn".to_owned()),
        lines: 4700,
        bytes: 900_000,
        requests: 4293,
        error: error.map(str::to_owned),
        overlaps: false,
    };
    Intake {
        sources: vec![source("web.log", None), source("old.log.gz", Some("permission denied"))],
        lines: 9400,
        bytes: 1_800_000,
        requests: 4593,
        companion: 4000,
        lifecycle: 9,
        traceback: 600,
        message: 186,
        malformed: 12,
        malformed_reasons: BTreeMap::from([("cut", 8), ("status", 4)]),
        duplicates: 1,
        late: 2,
        undated: 5,
        lost_bytes: 2048,
        own: 0,
        suppressed: 0,
        probes: 300,
    }
}

fn exception() -> ExceptionFigures {
    ExceptionFigures {
        service: Some("shop".to_owned()),
        kind: "KeyError".to_owned(),
        message: Some("'…' is unknown".to_owned()),
        place: Some("shop/cart.py:88".to_owned()),
        count: 25,
        first: Some(at(65)),
        last: Some(at(720)),
        routes: vec!["POST /checkout".to_owned()],
        new: Some(true),
    }
}

fn lifecycle() -> LifecycleFigures {
    let event = |seconds, kind: &str, text: &str| Event {
        at: Some(at(seconds)),
        service: Some("shop".to_owned()),
        kind: kind.to_owned(),
        pid: Some(17),
        text: text.to_owned(),
    };
    LifecycleFigures {
        starts: 1,
        worker_starts: 2,
        worker_deaths: 1,
        events: vec![
            event(1, "start", "Listening at: http://[::]:8000"),
            event(300, "worker_death", "Worker (pid:17) was sent SIGKILL!"),
        ],
        ..LifecycleFigures::default()
    }
}

/// The full report with `text` in every place that can hold text from a log.
pub(crate) fn hostile(text: &str) -> Report {
    let mut report = full();
    let some = || Some(text.to_owned());
    let summary = &mut report.summary;
    summary.period.zone_assumed = some();
    for source in &mut summary.input.sources {
        (source.path, source.service, source.wrapper, source.format) = (text.to_owned(), some(), some(), some());
        source.error = some();
    }
    summary.services.push(ServiceFigures { service: some(), figures: figures(5, 0, None) });
    for route in &mut summary.routes {
        (route.service, route.method, route.route) = (some(), text.to_owned(), text.to_owned());
    }
    for exception in &mut summary.exceptions {
        (exception.service, exception.kind, exception.message, exception.place) = (some(), text.to_owned(), some(), some());
        exception.routes = vec![text.to_owned()];
    }
    for event in &mut summary.lifecycle.events {
        (event.service, event.text) = (some(), text.to_owned());
    }
    summary.lifecycle.events.push(Event { kind: text.to_owned(), ..Event::default() });
    summary.deploys.push(Deploy { service: some(), label: some(), ..Deploy::default() });
    summary.versions.push(VersionFigures { service: some(), version: text.to_owned(), ..VersionFigures::default() });
    summary.unavailable.push(Unavailable { figure: "x", because: text.to_owned(), enable_with: text.to_owned() });
    for finding in &mut report.findings {
        (finding.service, finding.route) = (some(), some());
    }
    report.health.reasons.push(text.to_owned());
    report.service_health.push(Health { status: Status::Degraded, reasons: vec![text.to_owned()] });
    report
}
