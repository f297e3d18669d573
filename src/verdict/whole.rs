//! One condition over the whole of what was read, for `--fail-on CONDITION` without a window.
//!
//! Figures are those of the report, to three digits. `on each` asks of every route that has the requests its signal
//! needs; all else is judged whatever the count, as long as there is one. What was not logged has no answer.

use std::collections::BTreeMap;

use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Asked;
use crate::stats::summary::Figures;
use crate::stats::summary::Sum;
use crate::stats::summary::Summary;
use crate::stats::summary::named;
use crate::verdict::condition::Condition;
use crate::verdict::condition::On;
use crate::verdict::condition::Op;
use crate::verdict::condition::Signal;
use crate::verdict::figure::ratio;

/// The figure that a condition is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The route or pattern; `None` for everything.
    pub route: Option<String>,
    /// The figure, in the signal's dimension.
    pub value: f64,
    /// Whether the condition holds.
    pub met: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No request was read.
    NoRequest,
    /// None on the route that is asked about.
    NoneThere,
    /// No route has so many requests.
    TooFew(u64),
    /// The log does not tell this figure: `latency`, `time` or `cache`.
    Figure(&'static str),
}

/// The condition's figure over everything.
///
/// # Errors
/// There is none: why.
pub fn whole(condition: &Condition, snapshot: &Snapshot, summary: &Summary, asked: &Asked) -> Result<Found, Lack> {
    if summary.input.requests == 0 {
        return Err(Lack::NoRequest);
    }
    let found = |route: Option<String>, value: f64| Found { route, value, met: condition.op.holds(value, condition.value) };
    if let Some(value) = of_lines(condition.signal, summary) {
        return Ok(found(None, value));
    }
    let sums = sums(condition, snapshot, asked);
    let seconds = summary.period.seconds;
    let measured = |sum: &Sum| measure(condition.signal, sum, &sum.figures(&asked.errors, seconds));
    match &condition.on {
        On::All | On::Route(_) => {
            let (route, sum) = sums.into_iter().next().filter(|s| s.1.requests() > 0).ok_or(match condition.on {
                On::All => Lack::NoRequest,
                _ => Lack::NoneThere,
            })?;
            Ok(found(route, measured(&sum)?))
        }
        On::Each => {
            let least = condition.signal.min_requests();
            let enough: Vec<_> = sums.into_iter().filter(|s| s.1.requests() >= least).collect();
            if enough.is_empty() {
                return Err(Lack::TooFew(least));
            }
            let mut lack = None;
            let all = enough.into_iter().filter_map(|(route, sum)| match measured(&sum) {
                Ok(value) => Some(found(route, value)),
                Err(why) => {
                    lack = Some(why);
                    None
                }
            });
            let worst = all.reduce(|a, b| if worse(condition.op, b.value, a.value) { b } else { a });
            worst.ok_or(lack.unwrap_or(Lack::NoRequest))
        }
    }
}

/// Whether a figure is worse than another.
fn worse(op: Op, a: f64, b: f64) -> bool {
    match op {
        Op::Above | Op::AtLeast => a > b,
        Op::Below | Op::AtMost => a < b,
    }
}

/// What is told by lines and not by requests.
#[expect(clippy::cast_precision_loss, reason = "counts of lines")]
fn of_lines(signal: Signal, summary: &Summary) -> Option<f64> {
    match signal {
        Signal::Exceptions => Some(summary.exceptions.iter().map(|e| e.count).sum::<u64>() as f64),
        Signal::Restarts => Some(summary.lifecycle.starts as f64),
        Signal::WorkerDeaths => Some(summary.lifecycle.worker_deaths as f64),
        Signal::MalformedRate => ratio(summary.input.malformed, summary.input.lines),
        _ => None,
    }
}

/// The requests that are asked about, by route where each is; probes left out as in the report.
fn sums(condition: &Condition, snapshot: &Snapshot, asked: &Asked) -> Vec<(Option<String>, Sum)> {
    let (names, groups) = named(snapshot, asked.routes_max);
    let mut sums: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    if matches!(condition.on, On::All) {
        sums.entry(None).or_default();
    }
    for group in groups {
        let name = &names[group.name];
        if name.probe && !asked.include_probes {
            continue;
        }
        let shown = || match &name.service {
            Some(service) => format!("{service} {} {}", name.method, name.route),
            None => format!("{} {}", name.method, name.route),
        };
        let subject = match &condition.on {
            On::All => None,
            On::Each => Some(shown()),
            On::Route(glob) if glob.matches(&name.method, &name.route) => condition.route.clone(),
            On::Route(_) => continue,
        };
        sums.entry(subject).or_default().add(group.group, !name.streaming);
    }
    sums.into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests, and microseconds")]
fn measure(signal: Signal, sum: &Sum, figures: &Figures) -> Result<f64, Lack> {
    let all = figures.requests;
    let share = |part: u64| ratio(part, all).ok_or(Lack::NoRequest);
    let latency = figures.latency.ok_or(Lack::Figure("latency"));
    match signal {
        Signal::ErrorRate => share(figures.errors),
        Signal::ClientErrorRate => share(figures.client_errors),
        Signal::AbortedRate => share(figures.aborted),
        Signal::StatusRate(code) => share(figures.status.get(&code).copied().unwrap_or(0)),
        Signal::Quantile(q) => sum.quantile_us(q).map(|us| us as f64).ok_or(Lack::Figure("latency")),
        Signal::Mean => Ok(latency?.mean_us as f64),
        Signal::Max => Ok(latency?.max_us as f64),
        Signal::Rate => figures.rate_per_s.ok_or(Lack::Figure("time")),
        Signal::Requests => Ok(all as f64),
        Signal::Errors => Ok(figures.errors as f64),
        Signal::CacheHitRatio => figures.cache.as_ref().and_then(|c| c.hit_ratio).ok_or(Lack::Figure("cache")),
        Signal::Silence => Err(Lack::Figure("time")),
        Signal::Exceptions | Signal::Restarts | Signal::WorkerDeaths | Signal::MalformedRate => Err(Lack::NoRequest),
    }
}
