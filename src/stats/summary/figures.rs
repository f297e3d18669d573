//! From groups to figures: sums, rates, quantiles.

use std::collections::BTreeMap;

use super::AuthFigures;
use super::AuthPart;
use super::CacheFigures;
use super::Figures;
use super::Latency;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::stats::counts::ErrorRule;
use crate::stats::counts::is_aborted;
use crate::stats::counts::is_client_error;
use crate::stats::group::Group;
use crate::stats::latency::Fine;
use crate::stats::tally::Tally;

/// A sum of groups, before it becomes figures.
#[derive(Debug, Default)]
pub struct Sum {
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    sized: u64,
    latency: Fine,
    auth: BTreeMap<Auth, Part>,
    cache: BTreeMap<Cache, Part>,
}

#[derive(Debug, Default)]
struct Part {
    statuses: BTreeMap<u16, u64>,
    latency: Fine,
}

impl Sum {
    /// Adds a group; without its latency where the caller says so (streams).
    pub fn add(&mut self, group: &Group, with_latency: bool) {
        self.add_part(group, &group.tally, with_latency);
    }

    /// Adds a part of a group.
    pub fn add_part(&mut self, group: &Group, tally: &Tally, with_latency: bool) {
        let parts = [
            (group.key.auth != Auth::Unknown).then(|| self.auth.entry(group.key.auth).or_default()),
            (group.key.cache != Cache::None).then(|| self.cache.entry(group.key.cache).or_default()),
        ];
        for part in parts.into_iter().flatten() {
            for (status, n) in tally.statuses() {
                *part.statuses.entry(status).or_default() += n;
            }
            if with_latency {
                part.latency.merge(&tally.latency);
            }
        }
        for (status, n) in tally.statuses() {
            *self.statuses.entry(status).or_default() += n;
        }
        self.bytes += tally.bytes;
        self.sized += tally.sized;
        if with_latency {
            self.latency.merge(&tally.latency);
        }
    }

    /// Adds another sum; without its latency where the caller says so (streams).
    pub fn merge(&mut self, other: &Self, with_latency: bool) {
        fn into<K: Ord + Copy>(parts: &mut BTreeMap<K, Part>, others: &BTreeMap<K, Part>, with_latency: bool) {
            for (word, other) in others {
                let part = parts.entry(*word).or_default();
                count(&mut part.statuses, &other.statuses);
                if with_latency {
                    part.latency.merge(&other.latency);
                }
            }
        }
        fn count(statuses: &mut BTreeMap<u16, u64>, others: &BTreeMap<u16, u64>) {
            for (status, n) in others {
                *statuses.entry(*status).or_default() += n;
            }
        }
        into(&mut self.auth, &other.auth, with_latency);
        into(&mut self.cache, &other.cache, with_latency);
        count(&mut self.statuses, &other.statuses);
        self.bytes += other.bytes;
        self.sized += other.sized;
        if with_latency {
            self.latency.merge(&other.latency);
        }
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Latency at a quantile (0 to 1) in microseconds; `None` where no line says.
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        self.latency.quantile_us(q)
    }

    /// The histogram of latencies, ascending.
    pub fn buckets(&self) -> Vec<(u16, u64)> {
        self.latency.buckets()
    }

    /// The figures. `seconds` is the length of the period, `None` where undated.
    pub fn figures(&self, errors: &ErrorRule, seconds: Option<f64>) -> Figures {
        let requests = self.requests();
        let count = |is: &dyn Fn(u16) -> bool| self.statuses.iter().filter(|(s, _)| is(**s)).map(|(_, n)| n).sum();
        let failed = count(&|s| errors.is_error(s));
        let mut classes = [0; 5];
        for (status, n) in &self.statuses {
            if let Some(class) = usize::from(status / 100).checked_sub(1).and_then(|c| classes.get_mut(c)) {
                *class += n;
            }
        }
        Figures {
            requests,
            rate_per_s: seconds.filter(|s| *s >= 1.0).map(|s| real(requests) / s),
            status: self.statuses.clone(),
            classes,
            errors: failed,
            error_rate: ratio(failed, requests),
            client_errors: count(&is_client_error),
            aborted: count(&is_aborted),
            bytes: (self.sized > 0).then_some(self.bytes),
            latency: latency(&self.latency),
            auth: self.auth_figures(errors),
            cache: self.cache_figures(),
        }
    }

    /// Somebody must have been seen logged in: a field that is always empty tells nothing.
    fn auth_figures(&self, errors: &ErrorRule) -> Option<AuthFigures> {
        let authenticated = self.auth.get(&Auth::Authenticated)?;
        let known = self.auth.values();
        let mut rest = self.statuses.clone();
        for part in known {
            for (status, n) in &part.statuses {
                if let Some(left) = rest.get_mut(status) {
                    *left -= n;
                }
            }
        }
        let part = |statuses: &BTreeMap<u16, u64>, fine: Option<&Fine>| {
            let requests = statuses.values().sum();
            let failed = statuses.iter().filter(|(s, _)| errors.is_error(**s)).map(|(_, n)| n).sum();
            AuthPart { requests, errors: failed, error_rate: ratio(failed, requests), latency: fine.and_then(latency) }
        };
        let anonymous = self.auth.get(&Auth::Anonymous);
        Some(AuthFigures {
            authenticated: part(&authenticated.statuses, Some(&authenticated.latency)),
            anonymous: anonymous.map(|a| part(&a.statuses, Some(&a.latency))).unwrap_or_default(),
            unknown: part(&rest, None),
        })
    }

    fn cache_figures(&self) -> Option<CacheFigures> {
        if self.cache.is_empty() {
            return None;
        }
        let count = |word| self.cache.get(&word).map_or(0, |p: &Part| p.statuses.values().sum());
        let (hit, miss, expired, stale) = (count(Cache::Hit), count(Cache::Miss), count(Cache::Expired), count(Cache::Stale));
        Some(CacheFigures {
            hit,
            miss,
            expired,
            stale,
            bypass: count(Cache::Bypass),
            other: count(Cache::Other),
            hit_ratio: ratio(hit + stale, hit + miss + expired + stale),
            by_status_latency: self
                .cache
                .iter()
                .filter_map(|(word, part)| Some((cache_word(*word), latency(&part.latency)?)))
                .collect(),
        })
    }
}

fn cache_word(word: Cache) -> &'static str {
    match word {
        Cache::None => "none",
        Cache::Hit => "hit",
        Cache::Miss => "miss",
        Cache::Expired => "expired",
        Cache::Stale => "stale",
        Cache::Bypass => "bypass",
        Cache::Other => "other",
    }
}

/// Figures of a fine histogram; `None` without values.
pub(super) fn latency(fine: &Fine) -> Option<Latency> {
    let at = fine.quantiles_us([0.5, 0.9, 0.95, 0.99, 0.999])?;
    Some(Latency {
        count: fine.count(),
        min_us: fine.min_us()?,
        mean_us: (fine.sum_us() + fine.count() / 2) / fine.count(),
        p50_us: at[0],
        p90_us: at[1],
        p95_us: at[2],
        p99_us: at[3],
        p999_us: at[4],
        max_us: fine.max_us()?,
        digits: fine.digits(),
    })
}

/// `part / whole`; `None` for a whole of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| real(part) / real(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
fn real(n: u64) -> f64 {
    n as f64
}
