//! Which finds matter, in words; which route is the worst; the commands that take a change back.
//!
//! A find is a test that is significant among all; it matters where the figures moved far enough (`Limits`). What is for
//! the better is what would be for the worse with the sides exchanged.

use std::cmp::Reverse;

use super::Comparison;
use super::ERRORS;
use super::Family;
use super::LatencyTest;
use super::Limits;
use super::Of;
use super::Open;
use super::Reason;
use super::RouteChange;
use super::ShareTest;
use super::Verdict;
use super::real;
use super::shares;
use crate::stats::counts::is_client_error;
use crate::stats::summary::Figures;
use crate::stats::summary::Latency;
use crate::verdict::command::Remedy;
use crate::verdict::command::Values;
use crate::verdict::command::fill;
use crate::verdict::command::purge_path;
use crate::verdict::wording::count;
use crate::verdict::wording::counted;
use crate::verdict::wording::duration;
use crate::verdict::wording::percent;

/// A route with its verdict; `family` are the tests made on all routes.
pub(super) fn judged(open: Open, limits: &Limits, family: Family) -> RouteChange {
    let Open { route, after, latency, shares } = open;
    let (was, is) = (&route.side.figures, &after);
    let mut reasons = share_reasons(&shares, was, is, limits);
    if let (Some(test), Some(before), Some(after)) = (&latency, &was.latency, &is.latency) {
        reasons.extend(latency_reason(test, before, after, limits));
    }
    reasons.sort_by_key(|r| Reverse(r.worse));
    let verdict = if reasons.iter().any(|r| r.worse == Some(true)) {
        Verdict::Regressed
    } else if reasons.iter().any(|r| r.worse == Some(false)) {
        Verdict::Improved
    } else if let Some(why) = too_few(was, is, latency.is_some(), limits, family) {
        reasons.push(Reason { worse: None, text: why, bar: None });
        Verdict::TooFew
    } else {
        reasons.extend(doubt(&shares, was, is, limits, family));
        Verdict::Same
    };
    RouteChange {
        service: route.service,
        method: route.method,
        route: route.route,
        probe: route.probe,
        verdict,
        reasons,
        before: route.side.figures,
        after,
        latency,
        shares,
        week: None,
    }
}

/// Why nothing could have been found, if so: not even all requests failing where none had failed would stand out among
/// so many tests, and latency cannot be tested.
fn too_few(was: &Figures, is: &Figures, timed: bool, limits: &Limits, family: Family) -> Option<String> {
    match (was.requests, is.requests) {
        (0, n) => {
            let failed = is.error_rate.filter(|_| is.errors > 0).map(|share| format!(", {} errors", percent(share)));
            Some(format!("appeared: {} after the change, none before{}", counted(n, "request"), failed.unwrap_or_default()))
        }
        (n, 0) => Some(format!("vanished: no request after the change, {} before", count(n))),
        (n, m) => {
            let level = limits.level * ERRORS / family.mean_weight / real(family.tests.max(1) as u64);
            (!timed && shares::total_change(n, m) > level).then(|| {
                format!("{} before and {} after: not even a total failure would stand out", counted(n, "request"), count(m))
            })
        }
    }
}

/// Whether a latency rose far enough to matter.
fn rose(was_us: u64, is_us: u64, limits: &Limits) -> bool {
    let (was, by) = (real(was_us), real(is_us.saturating_sub(was_us)));
    let far = |relative: f64, us: u64| by > 0.0 && by >= was * relative && by >= real(us);
    far(limits.relative, limits.absolute_us) || far(limits.strong, limits.strong_us)
}

fn latency_reason(test: &LatencyTest, was: &Latency, is: &Latency, limits: &Limits) -> Option<Reason> {
    let slower = |(was, is): (&Latency, &Latency), superiority: f64, tail: f64| {
        let (p50, p95) = (rose(was.p50_us, is.p50_us, limits), rose(was.p95_us, is.p95_us, limits));
        let by_ranks = test.ranks_significant && superiority > 0.5 && (p50 || p95);
        by_ranks || (test.tail_significant && tail > 0.0 && p95)
    };
    let (superiority, more) = (test.ranks.superiority, test.tail.share.is() - test.tail.share.was());
    let worse = match (slower((was, is), superiority, more), slower((is, was), 1.0 - superiority, -more)) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => return None,
    };
    let word = if worse { "slower" } else { "faster" };
    let moved = |name: &str, was: u64, is: u64| format!("{name} {} → {}{}", duration(was), duration(is), shift(was, is));
    let sentence = format!(
        "{word}: {}, {}, {}",
        moved("p95", was.p95_us, is.p95_us),
        moved("p50", was.p50_us, is.p50_us),
        moved("p99", was.p99_us, is.p99_us)
    );
    // The bar shows the quantile that moved more of itself.
    let p50_leads = ratio(was.p50_us, is.p50_us) > ratio(was.p95_us, is.p95_us);
    let (from, to) = if p50_leads { (was.p50_us, is.p50_us) } else { (was.p95_us, is.p95_us) };
    Some(Reason { worse: Some(worse), text: sentence, bar: Some((real(from), real(to))) })
}

/// By how much the larger is the larger.
fn ratio(a: u64, b: u64) -> f64 {
    real(a.max(b)) / real(a.min(b).max(1))
}

/// ` (+20 %)`; nothing from nothing.
fn shift(was: u64, is: u64) -> String {
    if was == 0 {
        return String::new();
    }
    let percent = (real(is) / real(was) - 1.0) * 100.0;
    if percent.abs() >= 1000.0 {
        format!(" (×{:.0})", real(is) / real(was))
    } else {
        format!(" ({percent:+.0} %)").replace('-', "−")
    }
}

/// What shares tell, errors first; a single status is named alone only where its class does not tell of it.
fn share_reasons(tests: &[ShareTest], was: &Figures, is: &Figures, limits: &Limits) -> Vec<Reason> {
    let mut reasons: Vec<(Of, Reason)> = Vec::new();
    for test in tests.iter().filter(|t| t.significant) {
        let worse = grew(test, limits);
        let better = !worse && grew(&ShareTest { share: exchanged(test.share), ..*test }, limits);
        let new = test.share.before.0 == 0;
        let told = match test.of {
            // A redirect is neither good nor bad, unless the route never gave that one before.
            Of::Status(300..=399) => worse && new,
            Of::Status(status) => {
                (worse || better) && !reasons.iter().any(|(of, r)| covers(*of, status, is) && r.worse == Some(worse))
            }
            Of::Errors | Of::ClientErrors => worse || better,
        };
        if told {
            let reason = Reason {
                worse: Some(worse),
                text: share_text(test, worse, was, is),
                bar: Some((test.share.was(), test.share.is())),
            };
            reasons.push((test.of, reason));
        }
    }
    reasons.into_iter().map(|(_, reason)| reason).collect()
}

/// A share that grew far, by a test that would be a find if it were the only one: said, and not counted.
fn doubt(tests: &[ShareTest], was: &Figures, is: &Figures, limits: &Limits, family: Family) -> Option<Reason> {
    let near = tests.iter().filter(|t| !t.significant && t.p <= limits.level && grew(t, limits));
    let test = near.min_by(|a, b| a.p.total_cmp(&b.p))?;
    let grown = share_text(test, true, was, is);
    let sentence = format!("perhaps {grown}: among {} tests, chance alone may do that", family.tests);
    Some(Reason { worse: None, text: sentence, bar: None })
}

fn exchanged(share: shares::Share) -> shares::Share {
    shares::Share { before: share.after, after: share.before }
}

/// Whether a share grew far enough to matter.
fn grew(test: &ShareTest, limits: &Limits) -> bool {
    let (was, is) = (test.share.was(), test.share.is());
    let doubled = test.of == Of::Errors && is > limits.allowance && is >= was * 2.0;
    is > was && (is - was >= limits.share || doubled)
}

/// Whether a reason about a class tells of a status too.
fn covers(of: Of, status: u16, is: &Figures) -> bool {
    match of {
        Of::Errors => status >= 500 && is.errors > 0,
        Of::ClientErrors => is_client_error(status),
        Of::Status(_) => false,
    }
}

fn share_text(test: &ShareTest, worse: bool, was: &Figures, is: &Figures) -> String {
    let share = test.share;
    let more = if worse { "more" } else { "fewer" };
    let (what, inside) = match test.of {
        Of::Errors => (format!("{more} errors"), most(was, is, worse, |s| s >= 500)),
        Of::ClientErrors => (format!("{more} client errors (4xx)"), most(was, is, worse, is_client_error)),
        Of::Status(0) => (format!("{more} requests without an answer"), None),
        Of::Status(status) if share.before.0 == 0 => (format!("status {status} is new"), None),
        Of::Status(status) => (format!("{more} answers {status}"), None),
    };
    let inside = inside.map(|s| format!(", most of them {s}")).unwrap_or_default();
    format!(
        "{what}: {} → {} ({} of {} → {} of {}{inside})",
        percent(share.was()),
        percent(share.is()),
        count(share.before.0),
        count(share.before.1),
        count(share.after.0),
        count(share.after.1)
    )
}

/// The most frequent status of a class on the side that has more of it, with a word where it is new.
fn most(was: &Figures, is: &Figures, worse: bool, class: impl Fn(u16) -> bool) -> Option<String> {
    let side = if worse { is } else { was };
    let (status, _) = side.status.iter().filter(|(s, _)| class(**s)).max_by_key(|(s, n)| (**n, Reverse(**s)))?;
    let new = worse && !was.status.contains_key(status);
    Some(if new { format!("{status} (new on this route)") } else { status.to_string() })
}

/// Regressed routes first, then improved, same, too few; among regressed the one that fails most requests more than
/// before, then the one that takes most time more; else by requests and name. Probes last.
pub(super) fn worst_first(routes: &mut [RouteChange]) {
    let name = |r: &RouteChange| (r.service.clone(), r.route.clone(), r.method.clone());
    routes.sort_by(|a, b| {
        let order = |r: &RouteChange| (r.probe, r.verdict);
        order(a)
            .cmp(&order(b))
            .then_with(|| failed_more(b).total_cmp(&failed_more(a)))
            .then_with(|| slower_by(b).total_cmp(&slower_by(a)))
            .then_with(|| (b.before.requests + b.after.requests).cmp(&(a.before.requests + a.after.requests)))
            .then_with(|| name(a).cmp(&name(b)))
    });
}

/// Requests after the change that would have been answered well before; 0 where no reason says so.
fn failed_more(route: &RouteChange) -> f64 {
    let shares = route.shares.iter().filter(|s| s.significant && route.verdict == Verdict::Regressed);
    shares.map(|s| (s.share.is() - s.share.was()) * real(s.share.after.1)).fold(0.0, f64::max)
}

/// Time that answers after the change took more, in microseconds.
fn slower_by(route: &RouteChange) -> f64 {
    match (&route.before.latency, &route.after.latency) {
        (Some(was), Some(is)) if route.verdict == Verdict::Regressed => (real(is.mean_us) - real(was.mean_us)) * real(is.count),
        _ => 0.0,
    }
}

/// Fills in the commands for what regressed.
pub(super) fn take_back<'r>(comparison: &mut Comparison, remedy: impl Fn(Option<&str>) -> Remedy<'r>) {
    let regressed: Vec<&RouteChange> = comparison.with(Verdict::Regressed).filter(|r| !r.probe).collect();
    let values = |route: &RouteChange| Values {
        method: Some(route.method.clone()),
        route: Some(route.route.clone()),
        path: purge_path(&route.route, remedy(route.service.as_deref()).purge_wildcard),
        version: comparison.after.version.clone(),
        previous_version: comparison.before.version.clone(),
    };
    let rollback = regressed.iter().find_map(|r| fill(remedy(r.service.as_deref()).rollback?, &values(r)));
    let mut purge: Vec<String> =
        regressed.iter().filter_map(|r| fill(remedy(r.service.as_deref()).purge?, &values(r))).collect();
    purge.dedup();
    (comparison.rollback, comparison.purge) = (rollback, (!purge.is_empty()).then(|| purge.join("\n")));
}
