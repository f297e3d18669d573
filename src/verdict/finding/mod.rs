//! Findings: what the logs show beside health, each with its route and one line of advice.
//!
//! Pure functions of the figures; nothing is said that was not logged. `caches` judges headers and hit ratios, `routes`
//! documentation, logins, streams and storms, `reading` the log itself. Texts hold figures alone: names stand in
//! `service` and `route` and are made safe where they are shown.

mod caches;
mod reading;
mod routes;

use std::collections::BTreeMap;
use std::thread;

use crate::parse::Auth;
use crate::stats::headers::HeaderCounts;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Summary;
use crate::stats::summary::named;
use crate::stats::summary::sum_up;
use crate::verdict::command::Remedy;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Limits;
use crate::verdict::compare::compare;
use crate::verdict::compare::sides::Asked;
use crate::verdict::compare::sides::Portion;
use crate::verdict::compare::sides::halves;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody is harmed, or the figures are wrong.
    Serious,
    /// Worth a look soon.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serious => "serious",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// From a closed set, e.g. `set_cookie_on_cacheable`.
    pub kind: &'static str,
    /// Its service; `None` where nothing names it or all are meant.
    pub service: Option<String>,
    /// `GET /items/{id}`; `None` where the whole log is meant.
    pub route: Option<String>,
    /// What was seen, with its figures.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// The headers of one route's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteHeaders {
    /// Its service.
    pub service: Option<String>,
    /// `GET`.
    pub method: String,
    /// The template.
    pub route: String,
    /// By login.
    pub by_auth: BTreeMap<Auth, HeaderCounts>,
}

/// What findings are made from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The figures.
    pub summary: &'a Summary,
    /// Headers, from [`headers`]; empty where none are logged.
    pub headers: &'a [RouteHeaders],
    /// Documented operations: service, method, template.
    pub documented: &'a [(Option<String>, String, String)],
    /// Anonymous requests compared with logged-in ones, from [`logins`].
    pub logins: Option<&'a Comparison>,
}

/// All findings: the gravest first, then by kind, service and route.
pub fn findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut all = caches::findings(evidence);
    all.extend(routes::findings(evidence));
    all.extend(reading::findings(evidence.summary));
    all.sort();
    all.dedup();
    all
}

/// All findings of a snapshot and its summary. The snapshot must be closed.
pub fn found_in(snapshot: &Snapshot, summary: &Summary, asked: &summary::Asked) -> Vec<Finding> {
    found_with(logins_of(snapshot, asked).as_ref(), snapshot, summary, asked)
}

/// The summary of a closed snapshot, and all findings: for whoever waits for both, and may use so many threads.
pub fn sum_up_and_find(snapshot: &Snapshot, asked: &summary::Asked, threads: usize) -> (Summary, Vec<Finding>) {
    if threads < 2 {
        let summary = sum_up(snapshot, asked);
        let findings = found_in(snapshot, &summary, asked);
        return (summary, findings);
    }
    thread::scope(|scope| {
        let logins = scope.spawn(|| logins_of(snapshot, asked));
        let summary = sum_up(snapshot, asked);
        let logins = logins.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let findings = found_with(logins.as_ref(), snapshot, &summary, asked);
        (summary, findings)
    })
}

fn logins_of(snapshot: &Snapshot, asked: &summary::Asked) -> Option<Comparison> {
    let sides = Asked {
        routes_max: asked.routes_max,
        errors: asked.errors.clone(),
        route: asked.route.clone(),
        include_probes: asked.include_probes,
    };
    logins(snapshot, &sides, &Limits::default())
}

fn found_with(logins: Option<&Comparison>, snapshot: &Snapshot, summary: &Summary, asked: &summary::Asked) -> Vec<Finding> {
    let mut documented = documented(snapshot);
    if let Some(glob) = &asked.route {
        documented.retain(|(_, method, route)| glob.matches(method, route));
    }
    findings(&Evidence { summary, headers: &headers(snapshot, asked.routes_max), documented: &documented, logins })
}

/// The documented operations of each service that was seen.
pub fn documented(snapshot: &Snapshot) -> Vec<(Option<String>, String, String)> {
    let operations = snapshot.desks().iter().flat_map(|desk| {
        let known = desk.router.templates().documented();
        known.map(|(method, path)| (desk.service.clone(), method.to_owned(), path.to_owned()))
    });
    operations.collect()
}

/// The headers of every route that has some, by name. The snapshot must be closed.
pub fn headers(snapshot: &Snapshot, routes_max: usize) -> Vec<RouteHeaders> {
    if snapshot.groups().iter().all(|g| g.tally.headers.is_none()) {
        return Vec::new();
    }
    let (names, groups) = named(snapshot, routes_max);
    let mut all: BTreeMap<usize, RouteHeaders> = BTreeMap::new();
    for group in groups {
        let (Some(counts), Some(name)) = (&group.group.tally.headers, names.get(group.name)) else { continue };
        let route = all.entry(group.name).or_insert_with(|| RouteHeaders {
            service: name.service.clone(),
            method: name.method.clone(),
            route: name.route.clone(),
            by_auth: BTreeMap::new(),
        });
        route.by_auth.entry(group.group.key.auth).or_default().add(counts);
    }
    let mut all: Vec<RouteHeaders> = all.into_values().collect();
    all.sort_by(|a, b| (&a.service, &a.route, &a.method).cmp(&(&b.service, &b.route, &b.method)));
    all
}

/// Anonymous requests on the side before, logged-in ones on the side after; `None` where the log does not tell them
/// apart. The snapshot must be closed.
pub fn logins(snapshot: &Snapshot, asked: &Asked, limits: &Limits) -> Option<Comparison> {
    let has = |auth| snapshot.groups().iter().any(|g| g.key.auth == auth);
    if !has(Auth::Anonymous) || !has(Auth::Authenticated) {
        return None;
    }
    let side = |auth| Portion { auth: Some(auth), ..Portion::whole(snapshot) };
    let (anonymous, known) = halves(&[side(Auth::Anonymous)], &[side(Auth::Authenticated)], asked);
    Some(compare(&anonymous, &known, limits, |_| Remedy::default()))
}

/// A finding about a route.
fn about(severity: Severity, kind: &'static str, route: &RouteFigures, text: String, advice: &'static str) -> Finding {
    let name = format!("{} {}", route.method, route.route);
    Finding { severity, kind, service: route.service.clone(), route: Some(name), text, advice }
}

/// A finding about the whole log.
fn about_all(severity: Severity, kind: &'static str, text: String, advice: &'static str) -> Finding {
    Finding { severity, kind, service: None, route: None, text, advice }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
fn part(n: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { n as f64 / all as f64 }
}

#[cfg(test)]
mod tests;
