//! Made-up traffic of a service before and after a change, for asking how often `compare` errs and how much it finds.
//!
//! Forty routes, the busiest asked fifty times as often as the quietest. Latencies are log-normal with a median of 2 to
//! 200 ms, and one in a hundred takes ten to a thousand times as long. Up to half a percent of answers are 500 or 502, up
//! to a tenth are 401, 404 or 422.

use std::collections::BTreeMap;

use vitalog::stats::latency::fine;
use vitalog::stats::summary::Figures;
use vitalog::stats::summary::Latency;
use vitalog::verdict::command::Remedy;
use vitalog::verdict::compare::Comparison;
use vitalog::verdict::compare::Half;
use vitalog::verdict::compare::Limits;
use vitalog::verdict::compare::RouteSide;
use vitalog::verdict::compare::Side;
use vitalog::verdict::compare::compare;

use crate::random::Random;
use crate::random::normal_quantile;

/// Routes of the service.
const ROUTES: u64 = 40;

/// How one route answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    median_us: f64,
    sigma: f64,
    errors: f64,
    client_errors: f64,
    /// Requests on both sides together.
    requests: u64,
}

/// A number from 0 to 1, neither of them.
fn unit(random: &mut Random) -> f64 {
    ((random.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

impl Route {
    /// A healthy one: `rank` from 0, the busiest.
    fn healthy(rank: u64, random: &mut Random) -> Self {
        Self {
            median_us: 2_000.0 * 100.0_f64.powf(unit(random)),
            sigma: 0.4 + 0.8 * unit(random),
            errors: 0.005 * unit(random),
            client_errors: 0.1 * unit(random).powi(2),
            requests: 200 + 9_800 / (rank + 1),
        }
    }

    /// One with so many requests on both sides together, a median of 50 ms and a spread.
    pub(crate) fn of(requests: u64, sigma: f64, errors: f64) -> Self {
        Self { median_us: 50_000.0, sigma, errors, client_errors: 0.02, requests }
    }

    fn answer(&self, random: &mut Random) -> (u16, u64) {
        let status = match unit(random) {
            u if u < self.errors => [500, 502][random.below(2) as usize],
            u if u < self.errors + self.client_errors => [401, 404, 422][random.below(3) as usize],
            _ => 200,
        };
        let stuck = if random.below(100) == 0 { 10.0 * 100.0_f64.powf(unit(random)) } else { 1.0 };
        let us = self.median_us * (self.sigma * normal_quantile(unit(random))).exp() * stuck;
        (status, us.min(6e10) as u64)
    }
}

/// Answers of one route as a side.
fn side(mut answers: Vec<(u16, u64)>) -> Side {
    answers.sort_unstable_by_key(|a| a.1);
    let requests = answers.len() as u64;
    let mut status: BTreeMap<u16, u64> = BTreeMap::new();
    let mut buckets: Vec<(u16, u64)> = Vec::new();
    for &(code, us) in &answers {
        *status.entry(code).or_default() += 1;
        match buckets.last_mut() {
            Some(last) if last.0 == fine(us) => last.1 += 1,
            _ => buckets.push((fine(us), 1)),
        }
    }
    let class = |digit| status.iter().filter(|(s, _)| **s / 100 == digit).map(|(_, n)| n).sum::<u64>();
    let (errors, client_errors) = (class(5), class(4));
    let at = |q: f64| answers[((q * requests as f64).ceil() as usize).max(1) - 1].1;
    let latency = (requests > 0).then(|| Latency {
        count: requests,
        mean_us: answers.iter().map(|a| a.1).sum::<u64>() / requests,
        p50_us: at(0.5),
        p95_us: at(0.95),
        p99_us: at(0.99),
        ..Latency::default()
    });
    let figures = Figures { requests, errors, client_errors, status, latency, ..Figures::default() };
    Side { figures, buckets }
}

fn half(sides: Vec<Vec<(u16, u64)>>) -> Half {
    let route = |(at, answers): (usize, Vec<(u16, u64)>)| RouteSide {
        method: "GET".to_owned(),
        route: format!("/r{at}"),
        side: side(answers),
        ..RouteSide::default()
    };
    Half { routes: sides.into_iter().enumerate().map(route).collect(), ..Half::default() }
}

/// Healthy traffic of forty routes, each request thrown on one of two sides, compared. Where `changed` is given, route 0
/// is that one before and after, half of its requests on each side.
pub(crate) fn run(seed: u64, routes: u64, changed: Option<(Route, Route)>, slower: f64) -> Comparison {
    let mut random = Random::new(seed);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for rank in 0..routes {
        let (mut was, mut is) = (Vec::new(), Vec::new());
        if let (0, Some((old, new))) = (rank, &changed) {
            was.extend((0..old.requests / 2).map(|_| old.answer(&mut random)));
            is.extend((0..new.requests / 2).map(|_| new.answer(&mut random)).map(|(s, us)| (s, (us as f64 * slower) as u64)));
        } else {
            let route = Route::healthy(rank, &mut random);
            for _ in 0..route.requests {
                let side = if random.below(2) == 0 { &mut was } else { &mut is };
                side.push(route.answer(&mut random));
            }
        }
        before.push(was);
        after.push(is);
    }
    compare(&half(before), &half(after), &Limits::default(), |_| Remedy::default())
}

/// Healthy traffic against itself.
pub(crate) fn healthy(seed: u64) -> Comparison {
    run(seed, ROUTES, None, 1.0)
}

/// One of `routes` routes with 1,000 requests a side gets a fifth slower.
pub(crate) fn slower(seed: u64, routes: u64, sigma: f64) -> Comparison {
    let route = Route::of(2_000, sigma, 0.001);
    run(seed, routes, Some((route, route)), 1.2)
}

/// One of forty routes with 2,000 requests a side fails 2.5 % instead of 0.5 %.
pub(crate) fn failing(seed: u64) -> Comparison {
    run(seed, ROUTES, Some((Route::of(4_000, 0.7, 0.005), Route::of(4_000, 0.7, 0.025))), 1.0)
}
