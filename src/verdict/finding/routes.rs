//! Findings about routes: logins, documentation, streams, storms.

use std::collections::BTreeSet;

use super::Evidence;
use super::Finding;
use super::Severity;
use super::about;
use super::part;
use super::reading::unit_suspected;
use crate::route::NamedBy;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Summary;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Verdict;
use crate::verdict::wording::count;
use crate::verdict::wording::duration;
use crate::verdict::wording::percent;

/// A path that is called so often is no accident.
const OFTEN: u64 = 20;
/// Documented routes that nobody called are named up to here, then counted.
const NAMED: usize = 50;
/// So long does no answer take that is meant to end.
const ENDLESS_US: u64 = 30_000_000;
/// Latencies that tell a middle.
const TIMED: u64 = 5;
/// So many refusals, and this share of a route, are a storm.
const STORM: (u64, f64) = (20, 0.1);

pub(super) fn findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut all = logged_in_worse(evidence.logins);
    all.extend(never_called(evidence));
    all.extend(undocumented(evidence));
    all.extend(endless(evidence.summary));
    all.extend(storms(evidence.summary));
    all
}

fn logged_in_worse(logins: Option<&Comparison>) -> Vec<Finding> {
    let worse = logins.into_iter().flat_map(|c| c.with(Verdict::Regressed)).filter(|r| !r.probe);
    let finding = |route: &crate::verdict::compare::RouteChange| {
        let reason = route.reasons.iter().find(|r| r.worse == Some(true))?;
        Some(Finding {
            severity: Severity::Warning,
            kind: "logged_in_worse",
            service: route.service.clone(),
            route: Some(format!("{} {}", route.method, route.route)),
            text: format!("logged-in requests fare worse than anonymous ones (→): {}", reason.text),
            advice: "try this route logged in: what is looked up for a user, and what the cache skips for one, is what differs",
        })
    };
    worse.filter_map(finding).collect()
}

fn never_called(evidence: &Evidence<'_>) -> Vec<Finding> {
    let routes = &evidence.summary.routes;
    let called: BTreeSet<_> = routes.iter().map(|r| (&r.service, r.method.as_str(), r.route.as_str())).collect();
    let seen = |service: &Option<String>| routes.iter().any(|r| r.service == *service);
    let silent: BTreeSet<_> = evidence
        .documented
        .iter()
        .filter(|(service, method, route)| seen(service) && !called.contains(&(service, method.as_str(), route.as_str())))
        .collect();
    let finding = |(service, method, route): &(Option<String>, String, String)| Finding {
        severity: Severity::Info,
        kind: "never_called",
        service: service.clone(),
        route: Some(format!("{method} {route}")),
        text: "documented, and nobody called it".to_owned(),
        advice: "if nobody needs it, mark it deprecated and take it away",
    };
    let mut all: Vec<Finding> = silent.iter().take(NAMED).map(|operation| finding(operation)).collect();
    if let Some(more) = silent.len().checked_sub(NAMED).filter(|n| *n > 0) {
        all.push(Finding {
            severity: Severity::Info,
            kind: "never_called",
            service: None,
            route: None,
            text: format!("{} more documented operations that nobody called", count(more as u64)),
            advice: "check that the document belongs to this log: its prefix or root path may differ",
        });
    }
    all
}

/// Called often, answered, and not in the service's document.
fn undocumented(evidence: &Evidence<'_>) -> Vec<Finding> {
    let has_document = |route: &RouteFigures| evidence.documented.iter().any(|(service, _, _)| *service == route.service);
    let answered = |r: &RouteFigures| r.figures.classes[1] + r.figures.classes[2];
    let unknown = evidence.summary.routes.iter().filter(|r| {
        r.named_by == NamedBy::Learned && !r.probe && r.method != "WEBSOCKET" && answered(r) >= OFTEN && has_document(r)
    });
    unknown
        .map(|route| {
            let text = format!("called {} times, and the document does not know it", count(route.figures.requests));
            let advice =
                "document it (include_in_schema, a mounted application's own document), or name it under [routes] templates";
            about(Severity::Info, "undocumented", route, text, advice)
        })
        .collect()
}

fn endless(summary: &Summary) -> Vec<Finding> {
    if unit_suspected(&summary.total) {
        return Vec::new();
    }
    let slow = summary.routes.iter().filter(|r| !r.streaming).filter_map(|route| {
        let latency = route.figures.latency.filter(|l| l.count >= TIMED && l.p50_us > ENDLESS_US)?;
        let text = format!("half of {} answers took longer than {}", count(latency.count), duration(latency.p50_us));
        let advice = "if it is a stream or a long poll, list it under [routes] streaming; its time is no latency then";
        Some(about(Severity::Warning, "endless", route, text, advice))
    });
    slow.collect()
}

fn storms(summary: &Summary) -> Vec<Finding> {
    let storm = |route: &RouteFigures| {
        let figures = &route.figures;
        let of = |status: u16| figures.status.get(&status).copied().unwrap_or(0);
        let (limited, busy) = (of(429), of(503));
        let share = part(limited + busy, figures.requests);
        (limited + busy >= STORM.0 && share >= STORM.1).then(|| {
            let text = format!(
                "{} of {} requests were turned away ({} with 429, {} with 503)",
                percent(share),
                count(figures.requests),
                count(limited),
                count(busy)
            );
            let advice = "clients try again at once: send Retry-After, and let them wait longer each time, with jitter";
            about(Severity::Warning, "retry_storm", route, text, advice)
        })
    };
    summary.routes.iter().filter(|r| !r.probe).filter_map(storm).collect()
}
