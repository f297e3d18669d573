//! Did the change hurt? Two sides of the same routes, tested and judged route by route.
//!
//! [`compare`] is a pure function of two [`Half`]s. The tests stand in `shares` (exact), `ranks` (latency) and `adjust`
//! (many at once); `judge` says which finds matter; `novelty` names the exceptions that are new; `cut` says which time
//! stands on which side of a change within one log; `sides` makes halves of snapshots.
//!
//! One family of tests holds each route's latency, its share of errors, of 4xx and of every status that can be for the
//! worse (3xx but 304, 4xx, 5xx and no answer); a share that is another one under a second name is tested once. Tests
//! that could not find anything whatever had happened (`shares::least` above the level) do not enter the family:
//! that depends on the margins alone, so it does not favour finds (P. Gilbert, 2005, JRSS C 54, 143-158). Within the family
//! a share of errors counts three times a latency, any other share a third: weights that are fixed beforehand and
//! sum up to the number of tests keep what Benjamini and Hochberg promise (C. Genovese, K. Roeder, L. Wasserman, 2006,
//! Biometrika 93, 509-524).

pub mod adjust;
pub mod cut;
mod judge;
mod novelty;
pub mod ranks;
pub mod shares;
pub mod sides;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::stats::counts::is_client_error;
use crate::stats::summary::ExceptionFigures;
use crate::stats::summary::Figures;
use crate::time::Timestamp;
use crate::verdict::command::Remedy;
use crate::verdict::wording::counted;
use ranks::Ranks;
use ranks::Tail;
use shares::Share;

/// One side of the change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Half {
    /// What it is called: a path, a version, `before v1.4.2`.
    pub label: String,
    /// The version it ran, where one is known: fills `{version}` and `{previous_version}`.
    pub version: Option<String>,
    /// First and last request's time.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Requests left out as warm-up.
    pub left_out: u64,
    /// Each route once.
    pub routes: Vec<RouteSide>,
    /// Exceptions of this side.
    pub exceptions: Vec<ExceptionFigures>,
}

/// One route on one side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteSide {
    /// Its service.
    pub service: Option<String>,
    /// `GET`, or `-`.
    pub method: String,
    /// The template, named the same on both sides.
    pub route: String,
    /// A health probe: shown, not judged.
    pub probe: bool,
    /// What is known of it.
    pub side: Side,
}

/// The figures of a set of requests, and the histogram behind their latency.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// The figures.
    pub figures: Figures,
    /// Buckets with counts, ascending; empty where no latency is to be judged (streams). Fine or coarse, but the same on
    /// both sides.
    pub buckets: Vec<(u16, u64)>,
}

/// From where on a change matters, and how sure it must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Of all finds, the share (0 to 1) that may be none.
    pub level: f64,
    /// p50 or p95 up by this share of itself …
    pub relative: f64,
    /// … and by so many microseconds;
    pub absolute_us: u64,
    /// or by this share …
    pub strong: f64,
    /// … and so many microseconds.
    pub strong_us: u64,
    /// A share of requests up by so much (0 to 1);
    pub share: f64,
    /// or the share of errors doubled and above what the promise allows (0 to 1).
    pub allowance: f64,
    /// Latencies needed on each side.
    pub latencies: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            level: 0.01,
            relative: 0.1,
            absolute_us: 5_000,
            strong: 0.5,
            strong_us: 1_000,
            share: 0.005,
            allowance: 0.001,
            latencies: 20,
        }
    }
}

/// The word for a route, and for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verdict {
    /// A change for the worse is sure and matters.
    Regressed,
    /// A change for the better is sure and matters.
    Improved,
    /// Neither.
    Same,
    /// Nothing could have been found with so few.
    #[default]
    TooFew,
}

impl Verdict {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Same => "same",
            Self::TooFew => "too few",
        }
    }
}

/// What a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// Requests that count as errors.
    Errors,
    /// 4xx.
    ClientErrors,
    /// One status; 0 for no answer.
    Status(u16),
}

/// A share's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareTest {
    /// Of what.
    pub of: Of,
    /// The counts.
    pub share: Share,
    /// Two-sided.
    pub p: f64,
    /// Whether some spread over the sides could have been significant; else it is no part of the family.
    pub possible: bool,
    /// Among all tests; 1 where it is none of them.
    pub adjusted_p: f64,
    /// At the level of the limits.
    pub significant: bool,
}

/// A latency's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyTest {
    /// All ranks.
    pub ranks: Ranks,
    /// The slowest twentieth.
    pub tail: Tail,
    /// Of both: the ranks have nine tenths of the level, the tail one.
    pub p: f64,
    /// Among all tests.
    pub adjusted_p: f64,
    /// By the ranks.
    pub ranks_significant: bool,
    /// By the tail.
    pub tail_significant: bool,
}

/// One reason, in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Whether this is for the worse; `None` where it is neither.
    pub worse: Option<bool>,
    /// A sentence with figures before and after; holds no text from a log.
    pub text: String,
    /// The figure before and after, for a bar: in the same unit, both at least 0.
    pub bar: Option<(f64, f64)>,
}

/// One route, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteChange {
    /// Its service.
    pub service: Option<String>,
    /// `GET`, or `-`.
    pub method: String,
    /// The template.
    pub route: String,
    /// A health probe: no part of the verdict on the whole.
    pub probe: bool,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// Its figures before; no requests where it has appeared.
    pub before: Figures,
    /// Its figures after; no requests where it has vanished.
    pub after: Figures,
    /// Its latency's test; `None` with too few on a side.
    pub latency: Option<LatencyTest>,
    /// Its shares' tests, errors first.
    pub shares: Vec<ShareTest>,
    /// The figures of the same hours as `after`, a week earlier; shown beside, no part of the verdict.
    pub week: Option<Figures>,
}

/// One side, without its routes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// What it is called.
    pub label: String,
    /// Its version.
    pub version: Option<String>,
    /// First and last request's time.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Requests compared, probes included.
    pub requests: u64,
    /// Requests left out as warm-up.
    pub left_out: u64,
}

/// The whole comparison: what every page about it is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// The side before.
    pub before: About,
    /// The side after.
    pub after: About,
    /// When the change was made, where the caller knows it.
    pub changed_at: Option<Timestamp>,
    /// `Regressed` where a route is; else `Improved` where one is; else `Same`; `TooFew` where all are.
    pub verdict: Verdict,
    /// The same hours as after, a week earlier, where the log reaches so far.
    pub week: Option<About>,
    /// How the sides were cut, where there is something to say, in sentences.
    pub notes: Vec<String>,
    /// Each route, worst first.
    pub routes: Vec<RouteChange>,
    /// Exceptions that were not there before.
    pub new_exceptions: Vec<ExceptionFigures>,
    /// The command that takes the change back; `None` unless something regressed.
    pub rollback: Option<String>,
    /// A command a line, for each regressed route that can be purged.
    pub purge: Option<String>,
}

impl Comparison {
    /// The routes with a verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &RouteChange> {
        self.routes.iter().filter(move |r| r.verdict == verdict)
    }

    /// The verdict in a sentence, its figures last.
    pub fn headline(&self) -> String {
        let count = |verdict| self.with(verdict).filter(|r| !r.probe).count() as u64;
        let all = counted(self.routes.iter().filter(|r| !r.probe).count() as u64, "route");
        match self.verdict {
            Verdict::Regressed => format!("{} of {all} got worse", count(Verdict::Regressed)),
            Verdict::Improved => format!("{} of {all} got better, none worse", count(Verdict::Improved)),
            Verdict::Same => match count(Verdict::TooFew) {
                0 => format!("nothing that matters changed on {all}"),
                few => format!("nothing that matters changed; {few} of {all} had too few requests to tell"),
            },
            Verdict::TooFew => "too few requests to tell".to_owned(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
fn real(n: u64) -> f64 {
    n as f64
}

/// Compares two sides: each route that either has, tested, judged and put in order. `remedy` gives a service's templates
/// for taking the change back.
pub fn compare<'r>(before: &Half, after: &Half, limits: &Limits, remedy: impl Fn(Option<&str>) -> Remedy<'r>) -> Comparison {
    let mut routes = paired(before, after, limits);
    adjust_all(&mut routes, limits);
    let family = Family { tests: routes.iter().map(|r| r.finds().count()).sum(), mean_weight: mean_weight(&routes) };
    let mut routes: Vec<RouteChange> = routes.into_iter().map(|open| judge::judged(open, limits, family)).collect();
    judge::worst_first(&mut routes);
    let verdict = routes.iter().filter(|r| !r.probe).map(|r| r.verdict).min().unwrap_or_default();
    let mut comparison = Comparison {
        before: about(before),
        after: about(after),
        verdict,
        new_exceptions: novelty::new_exceptions(&before.exceptions, &after.exceptions),
        routes,
        ..Comparison::default()
    };
    judge::take_back(&mut comparison, remedy);
    comparison
}

fn about(half: &Half) -> About {
    About {
        label: half.label.clone(),
        version: half.version.clone(),
        period: half.period,
        requests: half.routes.iter().map(|r| r.side.figures.requests).sum(),
        left_out: half.left_out,
    }
}

/// A route whose tests are made and not yet judged.
#[derive(Debug)]
struct Open {
    route: RouteSide,
    after: Figures,
    latency: Option<LatencyTest>,
    shares: Vec<ShareTest>,
}

impl Open {
    /// The p values of its part in the family with their weights, latency first.
    fn finds(&self) -> impl Iterator<Item = (f64, f64)> {
        let weight = |of: Of| if of == Of::Errors { ERRORS } else { OTHERS };
        let shares = self.shares.iter().filter(|s| s.possible).map(move |s| (s.p, weight(s.of)));
        self.latency.iter().map(|l| (l.p, LATENCY)).chain(shares)
    }
}

/// All tests that are adjusted together.
#[derive(Debug, Clone, Copy)]
struct Family {
    tests: usize,
    mean_weight: f64,
}

/// One route on either side.
type Both<'a> = (Option<&'a RouteSide>, Option<&'a RouteSide>);

/// Each route of either side with its tests, not yet adjusted, in order of name.
fn paired(before: &Half, after: &Half, limits: &Limits) -> Vec<Open> {
    let mut all: BTreeMap<(&Option<String>, &str, &str), Both<'_>> = BTreeMap::new();
    for route in &before.routes {
        all.entry((&route.service, &route.route, &route.method)).or_default().0 = Some(route);
    }
    for route in &after.routes {
        all.entry((&route.service, &route.route, &route.method)).or_default().1 = Some(route);
    }
    let open = |(_, (before, after)): (_, Both<'_>)| {
        let RouteSide { service, method, route, probe, .. } = before.or(after)?;
        let latency = before.zip(after).and_then(|(was, is)| latency_test(&was.side, &is.side, limits));
        // The histograms are done with.
        let figures = |route: Option<&RouteSide>| route.map(|r| r.side.figures.clone()).unwrap_or_default();
        let (before, after) = (figures(before), figures(after));
        let shares = share_tests(&before, &after, limits);
        let (service, method, route) = (service.clone(), method.clone(), route.clone());
        let side = Side { figures: before, buckets: Vec::new() };
        Some(Open { route: RouteSide { service, method, route, probe: *probe, side }, after, latency, shares })
    };
    all.into_iter().filter_map(open).collect()
}

/// The ranks' part of the level.
const RANKS: f64 = 0.9;

fn latency_test(before: &Side, after: &Side, limits: &Limits) -> Option<LatencyTest> {
    if ranks::size(&before.buckets).min(ranks::size(&after.buckets)) < limits.latencies.max(1) {
        return None;
    }
    let ranks = ranks::mann_whitney(&before.buckets, &after.buckets)?;
    let tail = ranks::tail(&before.buckets, &after.buckets)?;
    let p = (ranks.p / RANKS).min(tail.p / (1.0 - RANKS)).min(1.0);
    Some(LatencyTest { ranks, tail, p, adjusted_p: 1.0, ranks_significant: false, tail_significant: false })
}

/// Whether more of a status can be for the worse.
fn may_be_worse(status: u16) -> bool {
    !matches!(status, 100..=299 | 304)
}

fn share_tests(before: &Figures, after: &Figures, limits: &Limits) -> Vec<ShareTest> {
    if before.requests == 0 || after.requests == 0 {
        return Vec::new();
    }
    let share = |a: u64, b: u64| Share { before: (a, before.requests), after: (b, after.requests) };
    let of = |status: u16| {
        let count = |figures: &Figures| figures.status.get(&status).copied().unwrap_or(0);
        share(count(before), count(after))
    };
    let mut asked = vec![
        (Of::Errors, share(before.errors, after.errors)),
        (Of::ClientErrors, share(before.client_errors, after.client_errors)),
    ];
    let statuses: BTreeSet<u16> = before.status.keys().chain(after.status.keys()).copied().collect();
    asked.extend(statuses.into_iter().filter(|s| may_be_worse(*s)).map(|s| (Of::Status(s), of(s))));
    let mut tests: Vec<ShareTest> = Vec::new();
    for (of, share) in asked {
        let again = tests.iter().any(|t| t.share == share && is_part(of, t.of));
        if share.before.0 + share.after.0 > 0 && !again {
            let possible = shares::least(share) <= limits.level;
            tests.push(ShareTest { of, share, p: shares::exact(share), possible, adjusted_p: 1.0, significant: false });
        }
    }
    tests
}

/// Whether one share may be another under a second name: a single status and the class that it alone makes.
fn is_part(of: Of, whole: Of) -> bool {
    match (of, whole) {
        (Of::Status(status), Of::ClientErrors) => is_client_error(status),
        (Of::Status(_) | Of::ClientErrors, Of::Errors) => true,
        _ => false,
    }
}

/// Adjusts all tests together and says which are finds.
fn adjust_all(routes: &mut [Open], limits: &Limits) {
    let mean = mean_weight(routes);
    let p: Vec<f64> = routes.iter().flat_map(Open::finds).map(|(p, weight)| (p * mean / weight).min(1.0)).collect();
    let adjusted = adjust::adjusted(&p);
    let cutoff =
        p.iter().zip(&adjusted).filter(|(_, a)| **a <= limits.level).map(|(p, _)| *p).fold(f64::NEG_INFINITY, f64::max);
    let mut adjusted = adjusted.into_iter();
    for route in routes {
        if let Some(latency) = &mut route.latency {
            latency.adjusted_p = adjusted.next().unwrap_or(1.0);
            let cutoff = cutoff * LATENCY / mean;
            latency.ranks_significant = latency.ranks.p / RANKS <= cutoff;
            latency.tail_significant = latency.tail.p / (1.0 - RANKS) <= cutoff;
        }
        for share in route.shares.iter_mut().filter(|s| s.possible) {
            share.adjusted_p = adjusted.next().unwrap_or(1.0);
            share.significant = share.adjusted_p <= limits.level;
        }
    }
}

/// How much a latency's test counts in the family …
const LATENCY: f64 = 1.0;
/// … a share of errors: nothing hurts as much, and it is the last to have many requests …
const ERRORS: f64 = 3.0;
/// … and any other share, of which a route has several.
const OTHERS: f64 = 1.0 / 3.0;

/// What the weights of a family come to on average: divided by it they sum up to the number of tests.
fn mean_weight(routes: &[Open]) -> f64 {
    let (sum, n) = routes.iter().flat_map(Open::finds).fold((0.0, 0_u64), |(sum, n), (_, weight)| (sum + weight, n + 1));
    // alone, a test of errors weighs as much as itself
    if n == 0 { ERRORS } else { sum / real(n) }
}

#[cfg(test)]
mod tests;
