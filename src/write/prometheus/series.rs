//! Which routes have series of their own, and counters that never fall.
//!
//! A report names routes anew each time, so counts move between names: a position that turns out to be a value makes many
//! routes one. A counter must not. What is kept here is what each series has shown; each look at the snapshot adds to it
//! what is new since the look before. Within one service and method what moved from vanished names to another is taken
//! off the names that grew most. So every request is counted in one series, once, and sums stay right.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::label;
use crate::route::table::NOT_FOUND;
use crate::route::table::OTHER;
use crate::stats::latency::OTEL_US;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::named;

/// Methods that are shown as they are; what else a log holds is `_OTHER`, as OpenTelemetry asks.
const METHODS: [&str; 12] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", "WEBSOCKET", "-"];

/// The cells of a series: statuses (0 to 999), then buckets, then the sum of latencies.
const BUCKETS: u16 = 1_000;
const SUM: u16 = 1_100;

/// The labels of a series, safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Empty where nothing names it.
    pub service: String,
    /// One of a closed set.
    pub method: String,
    /// The template.
    pub route: String,
}

/// The counters of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells(BTreeMap<u16, u64>);

impl Cells {
    /// Requests by status, ascending; 0 is no answer.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.range(..BUCKETS).map(|(status, n)| (*status, *n))
    }

    /// Requests by duration: each of OpenTelemetry's bounds beyond the one before, then what is slower than the last.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        (0u16..).take(OTEL_US.len() + 1).map(|at| self.0.get(&(BUCKETS + at)).copied().unwrap_or(0))
    }

    /// Requests with a duration.
    pub fn timed(&self) -> u64 {
        self.buckets().sum()
    }

    /// The sum of the durations in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.0.get(&SUM).copied().unwrap_or(0)
    }

    fn add(&mut self, cell: u16, n: u64) {
        if n > 0 {
            let sum = self.0.entry(cell).or_default();
            *sum = sum.saturating_add(n);
        }
    }

    /// An answer that is neither 404 nor 405.
    fn proves(&self) -> bool {
        self.statuses().any(|(status, _)| !matches!(status, 404 | 405))
    }
}

/// All series. Part of what live state saves: a restart must not make a counter fall.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    rows: BTreeMap<Key, Cells>,
    /// Routes with a series of their own.
    admitted: BTreeSet<Key>,
    /// What the snapshot held at the last look.
    seen: BTreeMap<Key, Cells>,
}

impl Series {
    /// Each series by its labels.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Cells)> {
        self.rows.iter()
    }

    /// Takes in what a closed snapshot holds more than at the last look. `most` routes have series of their own; true
    /// where that set has changed: what is saved should be saved again then.
    pub fn update(&mut self, snapshot: &Snapshot, routes_max: usize, most: usize) -> bool {
        self.take(cells(snapshot, routes_max), most)
    }

    fn take(&mut self, now: BTreeMap<Key, Cells>, most: usize) -> bool {
        let changed = self.admit(&now, most);
        let mut kinds: BTreeMap<(&str, &str), Vec<&Key>> = BTreeMap::new();
        for key in now.keys().chain(self.seen.keys().filter(|k| !now.contains_key(k))) {
            kinds.entry((&key.service, &key.method)).or_default().push(key);
        }
        let none = Cells::default();
        for keys in kinds.values() {
            let pairs: Vec<_> =
                keys.iter().map(|k| (*k, self.seen.get(k).unwrap_or(&none), now.get(k).unwrap_or(&none))).collect();
            let touched: BTreeSet<u16> = pairs.iter().flat_map(|p| p.1.0.keys().chain(p.2.0.keys())).copied().collect();
            for cell in touched {
                for (key, more) in grown(&pairs, cell) {
                    let key = shown(key, &self.admitted);
                    self.rows.entry(key).or_default().add(cell, more);
                }
            }
        }
        self.seen = now;
        changed
    }

    /// Gives places to routes that have proved themselves, first come, first served; takes them from names that are gone.
    fn admit(&mut self, now: &BTreeMap<Key, Cells>, most: usize) -> bool {
        let gone: Vec<Key> = self.admitted.iter().filter(|k| !now.contains_key(k)).cloned().collect();
        for key in &gone {
            self.admitted.remove(key);
            if let Some(cells) = self.rows.remove(key) {
                let other = self.rows.entry(Key { route: OTHER.to_owned(), ..key.clone() }).or_default();
                cells.0.iter().for_each(|(cell, n)| other.add(*cell, *n));
            }
        }
        let before = self.admitted.len();
        for (key, cells) in now {
            if self.admitted.len() >= most {
                break;
            }
            if cells.proves() && ![OTHER, NOT_FOUND].contains(&key.route.as_str()) {
                self.admitted.insert(key.clone());
            }
        }
        !gone.is_empty() || before != self.admitted.len()
    }
}

/// The series a route is counted in.
fn shown(key: &Key, admitted: &BTreeSet<Key>) -> Key {
    if admitted.contains(key) || key.route == NOT_FOUND {
        return key.clone();
    }
    Key { route: OTHER.to_owned(), ..key.clone() }
}

/// By how much each name grew in one cell, after what only moved between names is taken off.
fn grown<'a>(pairs: &[(&'a Key, &Cells, &Cells)], cell: u16) -> Vec<(&'a Key, u64)> {
    let at = |cells: &Cells| cells.0.get(&cell).copied().unwrap_or(0);
    let mut moved: u64 = pairs.iter().map(|(_, before, now)| at(before).saturating_sub(at(now))).sum();
    let mut more: Vec<(&Key, u64)> =
        pairs.iter().map(|(key, before, now)| (*key, at(now).saturating_sub(at(before)))).filter(|m| m.1 > 0).collect();
    if moved > 0 {
        more.sort_by_key(|m| std::cmp::Reverse(m.1));
        for (_, n) in &mut more {
            let off = moved.min(*n);
            *n -= off;
            moved -= off;
        }
    }
    more
}

/// What a snapshot holds, by the labels it would be shown under.
fn cells(snapshot: &Snapshot, routes_max: usize) -> BTreeMap<Key, Cells> {
    let (names, groups) = named(snapshot, routes_max);
    let mut all: BTreeMap<Key, Cells> = BTreeMap::new();
    for one in groups {
        let name = &names[one.name];
        let method = if METHODS.contains(&name.method.as_str()) { name.method.as_str() } else { "_OTHER" };
        let service = name.service.as_deref().map_or_else(String::new, label);
        let cells = all.entry(Key { service, method: method.to_owned(), route: label(&name.route) }).or_default();
        for (status, n) in one.group.tally.statuses() {
            cells.add(status.min(BUCKETS - 1), n);
        }
        let latency = &one.group.tally.latency;
        if !name.streaming && latency.count() > 0 {
            let mut before = 0;
            for (at, below) in (0u16..).zip(latency.at_or_below_each(&OTEL_US).into_iter().chain([latency.count()])) {
                cells.add(BUCKETS + at, below - before);
                before = below;
            }
            cells.add(SUM, latency.sum_us());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Record;
    use crate::route::table::Router;
    use crate::route::table::Settings;
    use crate::stats::group::Layer;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;
    use proptest::prelude::*;

    fn snapshot() -> Snapshot {
        Snapshot::empty(Plan {
            bounds: Arc::new(Bounds::default()),
            limits_us: Arc::new([]),
            routers: Arc::new(|_| Router::new(Arc::default(), Settings::default())),
            borders: Arc::default(),
            by_route: true,
        })
    }

    fn request(all: &mut Snapshot, method: &str, path: &str, status: u16, latency_us: Option<u64>) {
        let desk = all.desk(Some("shop"), Layer::App);
        let record =
            Record { method: method.as_bytes(), path: path.as_bytes(), status: Some(status), latency_us, ..Record::default() };
        all.request(desk, &record, None);
    }

    fn requests(series: &Series) -> BTreeMap<(String, u16), u64> {
        series.rows().flat_map(|(k, c)| c.statuses().map(|(s, n)| ((k.route.clone(), s), n)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn buckets_are_exact_at_their_bounds() {
        let mut all = snapshot();
        // one at each bound, one a microsecond beyond it
        for us in OTEL_US {
            request(&mut all, "GET", "/", 200, Some(us));
            request(&mut all, "GET", "/", 200, Some(us + 1));
        }
        all.close();
        let mut series = Series::default();
        assert!(series.update(&all, 500, 100));
        let (_, cells) = series.rows().next().unwrap();
        let mut want = vec![2; OTEL_US.len() + 1];
        (want[0], want[OTEL_US.len()]) = (1, 1);
        assert_eq!(want, cells.buckets().collect::<Vec<_>>());
        assert_eq!(OTEL_US.iter().sum::<u64>() * 2 + OTEL_US.len() as u64, cells.sum_us());
    }

    #[test]
    fn routes_beyond_the_most_are_one_and_the_first_keep_their_places() {
        let mut all = snapshot();
        let mut series = Series::default();
        request(&mut all, "GET", "/z", 200, None);
        request(&mut all, "GET", "/y", 404, None);
        all.close();
        assert!(series.update(&all, 500, 2));
        for path in ["/a", "/b", "/y"] {
            request(&mut all, "GET", path, 200, None);
        }
        request(&mut all, "BREW", "/z", 200, None);
        all.close();
        assert!(series.update(&all, 500, 2));
        let routes: Vec<_> = series.rows().map(|(k, _)| (k.method.as_str(), k.route.as_str())).collect();
        let want = [("GET", "(not found)"), ("GET", "(other)"), ("GET", "/a"), ("GET", "/z"), ("_OTHER", "(other)")];
        assert_eq!(want.to_vec(), routes);
        let other: u64 = series.rows().filter(|r| r.0.route == "(other)").flat_map(|r| r.1.statuses()).map(|s| s.1).sum();
        assert_eq!(3, other);
        assert!(!series.update(&all, 500, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn counters_never_fall_and_sums_stay_right(
            looks in prop::collection::vec(prop::collection::vec((0u8..60, prop::sample::select(vec![200u16, 404, 500]), 0u64..2_000_000), 0..80), 1..8),
            most in 0usize..6,
            restart in 0usize..8,
        ) {
            let mut all = snapshot();
            let (mut series, mut before, mut sum) = (Series::default(), BTreeMap::new(), BTreeMap::<u16, u64>::new());
            for (at, hits) in looks.iter().enumerate() {
                for &(n, status, us) in hits {
                    // a position that takes so many values becomes a placeholder: names vanish
                    let path = if n < 50 { format!("/shop/name-{n}/x") } else { format!("/{n}") };
                    request(&mut all, "GET", &path, status, Some(us));
                    *sum.entry(status).or_default() += 1;
                }
                all.close();
                series.update(&all, 500, most);
                if at == restart {
                    series = postcard::from_bytes(&postcard::to_stdvec(&series).unwrap()).unwrap();
                }
                let now = requests(&series);
                let mut got: BTreeMap<u16, u64> = BTreeMap::new();
                for ((_, status), n) in &now {
                    *got.entry(*status).or_default() += n;
                }
                prop_assert_eq!(&sum, &got);
                for (key, n) in &before {
                    prop_assert!(now.get(key).is_none_or(|m| m >= n), "{key:?} fell from {n}");
                }
                prop_assert_eq!(sum.values().sum::<u64>(), series.rows().map(|r| r.1.timed()).sum::<u64>());
                prop_assert!(series.rows().filter(|r| !r.0.route.starts_with('(')).count() <= most);
                before = now;
            }
        }
    }
}
