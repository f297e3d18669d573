//! What a window counts, and the figure each signal makes of it.
//!
//! A subject counts only the columns that its rules ask for. Denominators leave out paths that no route answers
//! (`RouteKey.refused`); latencies leave out streams. A figure without enough behind it is `None`: it neither fires nor
//! resolves anything. Sliding is `window.rs`' matter, comparing the rules'.

use std::ops::Deref;

use crate::parse::Cache;
use crate::stats::counts::ErrorRule;
use crate::stats::counts::is_aborted;
use crate::stats::counts::is_client_error;
use crate::stats::group::Layer;
use crate::verdict::condition::Signal;
use crate::verdict::second::Seen;
use crate::verdict::second::Told;
use crate::verdict::window::Amount;
use crate::verdict::window::Sum;

/// One number that a window adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Requests, refused ones included.
    Requests,
    /// Requests that count in denominators.
    Counted,
    /// Of these: errors.
    Errors,
    /// Of these: 4xx.
    ClientErrors,
    /// Of these: the client went away.
    Aborted,
    /// Of these: one status.
    Status(u16),
    /// Counted requests with a latency, streams left out.
    Timed,
    /// The sum of these latencies in microseconds.
    SumUs,
    /// Of the timed ones: slower than the configuration's limit of this number.
    Over(usize),
    /// Answered from the cache.
    CacheHits,
    /// Looked up in the cache.
    CacheLookups,
    /// Lines of any kind, of both layers.
    Lines,
    /// Malformed lines, of both layers.
    Malformed,
    /// Exceptions of the application.
    Exceptions,
    /// Starts of the application server's parent process.
    Starts,
    /// Workers of it that died or were killed.
    WorkerDeaths,
}

impl Column {
    /// As many columns have no number of their own.
    const PLAIN: usize = 14;

    fn plain(self) -> Option<usize> {
        Some(match self {
            Self::Requests => 0,
            Self::Counted => 1,
            Self::Errors => 2,
            Self::ClientErrors => 3,
            Self::Aborted => 4,
            Self::Timed => 5,
            Self::SumUs => 6,
            Self::CacheHits => 7,
            Self::CacheLookups => 8,
            Self::Lines => 9,
            Self::Malformed => 10,
            Self::Exceptions => 11,
            Self::Starts => 12,
            Self::WorkerDeaths => 13,
            Self::Status(_) | Self::Over(_) => return None,
        })
    }
}

/// The columns a signal's figure is made of: the number itself first, then what has to be enough of.
pub fn columns(signal: Signal) -> &'static [Column] {
    use Column as C;
    match signal {
        Signal::ErrorRate => &[C::Errors, C::Counted],
        Signal::ClientErrorRate => &[C::ClientErrors, C::Counted],
        Signal::AbortedRate => &[C::Aborted, C::Counted],
        // The status itself is the caller's to add: see [`wanted`].
        Signal::StatusRate(_) => &[C::Counted],
        Signal::Quantile(_) | Signal::Max => &[C::Timed],
        Signal::Mean => &[C::SumUs, C::Timed],
        Signal::Rate | Signal::Requests => &[C::Requests],
        Signal::Errors => &[C::Errors, C::Requests],
        Signal::Exceptions => &[C::Exceptions, C::Lines],
        Signal::Restarts => &[C::Starts, C::Lines],
        Signal::WorkerDeaths => &[C::WorkerDeaths, C::Lines],
        Signal::CacheHitRatio => &[C::CacheHits, C::CacheLookups],
        Signal::MalformedRate => &[C::Malformed, C::Lines],
        Signal::Silence => &[C::Lines],
    }
}

/// All columns that judging by a signal needs, those of the evidence included.
pub fn wanted(signal: Signal) -> Vec<Column> {
    let mut all = columns(signal).to_vec();
    if let Signal::StatusRate(code) = signal {
        all.push(Column::Status(code));
    }
    all.extend([Column::Counted, Column::Errors]);
    all
}

/// The latency signals need windows with latencies.
pub fn needs_latency(signal: Signal) -> bool {
    matches!(signal, Signal::Quantile(_))
}

/// Columns in the order of a window's numbers, each once.
#[derive(Debug, Clone)]
pub struct Columns {
    all: Vec<Column>,
    /// For each of `all` where [`Gathered`] counts it; beyond all for one with a number of its own.
    plain: Vec<usize>,
    /// Where those without a number of their own stand; beyond all where they are not counted.
    places: [usize; Column::PLAIN],
    /// Those with a number of their own.
    others: Vec<Column>,
}

impl Columns {
    /// No column yet.
    pub fn new() -> Self {
        Self { all: Vec::new(), plain: Vec::new(), places: [usize::MAX; Column::PLAIN], others: Vec::new() }
    }

    /// Adds those that are not there yet.
    pub fn want(&mut self, columns: impl IntoIterator<Item = Column>) {
        for column in columns {
            if self.all.contains(&column) {
                continue;
            }
            match column.plain().and_then(|plain| self.places.get_mut(plain)) {
                Some(place) => *place = self.all.len(),
                None => self.others.push(column),
            }
            self.all.push(column);
            self.plain.push(column.plain().unwrap_or(usize::MAX));
        }
    }

    fn place(&self, column: Column) -> Option<usize> {
        let plain = column.plain().and_then(|plain| self.places.get(plain).copied());
        plain.or_else(|| self.all.iter().position(|c| *c == column))
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Columns {
    type Target = [Column];

    fn deref(&self) -> &[Column] {
        &self.all
    }
}

/// Where a column stands among a window's numbers.
#[derive(Debug, Clone, Copy)]
pub struct At(usize);

impl At {
    /// Its place, found once for all windows over `columns`, to which others may be added later.
    pub fn of(columns: &Columns, column: Column) -> Self {
        Self(columns.place(column).unwrap_or(usize::MAX))
    }

    /// A window's number there; 0 where it is not counted.
    #[inline]
    pub fn number(self, sum: &Sum) -> u64 {
        sum.values().get(self.0).copied().unwrap_or(0)
    }
}

/// A window's number for a column; 0 where it is not counted.
pub fn number(columns: &Columns, sum: &Sum, column: Column) -> u64 {
    At::of(columns, column).number(sum)
}

/// `part / whole`; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How many of what is counted stand behind a signal's figure: requests, lines, looked-up requests.
pub fn sample(signal: Signal, columns_here: &Columns, sum: &Sum) -> u64 {
    columns(signal).last().map_or(0, |column| number(columns_here, sum, *column))
}

/// How a signal's figure is made of a window's numbers.
#[derive(Debug, Clone, Copy)]
pub struct Formula {
    signal: Signal,
    /// The number itself.
    own: At,
    /// What stands behind it; see [`sample`].
    behind: At,
}

impl Formula {
    /// The signal's, for all windows over `columns_here`, to which others may be added later.
    pub fn of(signal: Signal, columns_here: &Columns) -> Self {
        let all = columns(signal);
        let own = if let Signal::StatusRate(code) = signal { Column::Status(code) } else { all[0] };
        let behind = all.last().copied().unwrap_or(own);
        Self { signal, own: At::of(columns_here, own), behind: At::of(columns_here, behind) }
    }

    /// The figure of one window, in the signal's dimension; `None` where less than `least` (1 at least) stands behind it.
    /// `observed_s` is how much of the window was observed, for rates. `Silence` is not told by windows.
    #[expect(clippy::cast_precision_loss, reason = "counts and microseconds stay below 2^53")]
    #[inline]
    pub fn figure(&self, sum: &Sum, least: u64, observed_s: u32) -> Option<f64> {
        let behind = self.behind.number(sum);
        if behind < least.max(1) {
            return None;
        }
        match self.signal {
            Signal::StatusRate(_)
            | Signal::ErrorRate
            | Signal::ClientErrorRate
            | Signal::AbortedRate
            | Signal::Mean
            | Signal::CacheHitRatio
            | Signal::MalformedRate => ratio(self.own.number(sum), behind),
            Signal::Quantile(q) => sum.quantile_us(q).map(|us| us as f64),
            Signal::Max => Some(sum.max_us() as f64),
            Signal::Rate => ratio(behind, u64::from(observed_s)),
            Signal::Requests | Signal::Errors | Signal::Exceptions | Signal::Restarts | Signal::WorkerDeaths => {
                Some(self.own.number(sum) as f64)
            }
            Signal::Silence => None,
        }
    }
}

/// Requests of one group in a second, as every column without a number of its own counts them: found once for all who
/// look at them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requests {
    plain: [u64; Column::PLAIN],
    /// Errors, by the rule that holds, even where the route counts in no denominator.
    pub errors: u64,
    /// Their latencies count.
    timed: bool,
}

impl Requests {
    /// Those of a group.
    pub fn of(seen: &Seen<'_>, rule: &ErrorRule) -> Self {
        let (mut requests, mut errors, mut client_errors, mut aborted) = (0, 0, 0, 0);
        for &(status, n) in &seen.slot.statuses {
            let n = u64::from(n);
            requests += n;
            errors += if rule.is_error(status) { n } else { 0 };
            // Most are none of these.
            if !(100..400).contains(&status) {
                client_errors += if is_client_error(status) { n } else { 0 };
                aborted += if is_aborted(status) { n } else { 0 };
            }
        }
        let mut own = Self { errors, timed: !seen.route.streaming && !seen.route.refused, ..Self::default() };
        own.set(Column::Requests, requests);
        if !seen.route.refused {
            own.set(Column::Counted, requests);
            own.set(Column::Errors, errors);
            own.set(Column::ClientErrors, client_errors);
            own.set(Column::Aborted, aborted);
            let (hit, looked_up) = match seen.cache {
                Cache::Hit | Cache::Stale => (requests, requests),
                Cache::Miss | Cache::Expired => (0, requests),
                _ => (0, 0),
            };
            own.set(Column::CacheHits, hit);
            own.set(Column::CacheLookups, looked_up);
        }
        if own.timed {
            own.set(Column::Timed, u64::from(seen.slot.timed));
            own.set(Column::SumUs, seen.slot.sum_us);
        }
        own
    }

    fn set(&mut self, column: Column, n: u64) {
        if let Some(value) = column.plain().and_then(|at| self.plain.get_mut(at)) {
            *value = n;
        }
    }
}

/// What one subject did in one second, before it enters windows.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    plain: [u64; Column::PLAIN],
    /// In the order of those columns that have a number of their own.
    others: Vec<u64>,
    amount: Amount,
}

impl Gathered {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.plain = [0; Column::PLAIN];
        self.others.clear();
        self.amount.max_us = 0;
        self.amount.buckets.clear();
    }

    /// Adds what requests of one group did, `requests` being those of its slot. `latency`: buckets too.
    pub fn requests(&mut self, columns: &Columns, seen: &Seen<'_>, requests: &Requests, latency: bool) {
        self.plain.iter_mut().zip(&requests.plain).for_each(|(a, b)| *a += b);
        if !columns.others.is_empty() {
            self.others.resize(columns.others.len(), 0);
            for (column, value) in columns.others.iter().zip(&mut self.others) {
                *value += match *column {
                    Column::Status(code) if !seen.route.refused => {
                        seen.slot.statuses.iter().find(|s| s.0 == code).map_or(0, |s| u64::from(s.1))
                    }
                    Column::Over(limit) if requests.timed => seen.slot.over.get(limit).copied().map_or(0, u64::from),
                    _ => 0,
                };
            }
        }
        if requests.timed {
            self.amount.max_us = self.amount.max_us.max(seen.slot.max_us);
            if latency {
                self.amount.buckets.extend_from_slice(&seen.slot.buckets);
            }
        }
    }

    /// Adds what lines of one service and layer were.
    pub fn lines(&mut self, told: &Told<'_>) {
        let app = |n: u64| if told.layer == Layer::App { n } else { 0 };
        let counts = [
            (Column::Lines, told.lines.kinds.lines()),
            (Column::Malformed, told.lines.kinds.malformed),
            (Column::Exceptions, app(told.lines.exceptions)),
            (Column::Starts, app(told.lines.starts)),
            (Column::WorkerDeaths, app(told.lines.worker_deaths)),
        ];
        for (column, n) in counts {
            if let Some(value) = column.plain().and_then(|at| self.plain.get_mut(at)) {
                *value += n;
            }
        }
    }

    /// All of it, in the order of `columns`.
    pub fn amount(&mut self, columns: &Columns) -> &Amount {
        let mut others = self.others.iter();
        let plain = &self.plain;
        let number = |at: &usize| plain.get(*at).or_else(|| others.next()).copied().unwrap_or(0);
        self.amount.values.clear();
        self.amount.values.extend(columns.plain.iter().map(number));
        &self.amount
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Auth;
    use crate::route::NamedBy;
    use crate::route::RouteKey;
    use crate::stats::slots::Slot;
    use crate::verdict::window::Layout;
    use crate::verdict::window::Meter;

    fn key(refused: bool, streaming: bool) -> Arc<RouteKey> {
        let (method, path) = ("GET".to_owned(), "/x".to_owned());
        Arc::new(RouteKey { method, path, by: NamedBy::Pattern, refused, probe: false, streaming })
    }

    fn slot(requests: &[(u16, Option<u64>)]) -> Slot {
        let mut slot = Slot::new(0);
        for (status, us) in requests {
            slot.record(*status, 0, *us, &[1000]);
        }
        slot.tidy();
        slot
    }

    fn judged(signal: Signal, least: u64, requests: &[(Arc<RouteKey>, Cache, Slot)]) -> Option<f64> {
        let mut columns = Columns::new();
        columns.want(wanted(signal));
        let mut layout = Layout::default();
        let place = layout.window(10, true);
        layout.set_columns(columns.len());
        let mut meter = Meter::new(&layout);
        let mut second = Gathered::default();
        for (route, cache, slot) in requests {
            let seen = Seen { service: None, layer: Layer::App, route, auth: Auth::Unknown, cache: *cache, slot };
            second.requests(&columns, &seen, &Requests::of(&seen, &ErrorRule::default()), true);
        }
        meter.add(100, second.amount(&columns));
        meter.advance(101);
        Formula::of(signal, &columns).figure(meter.sum(place), least, 10)
    }

    #[test]
    fn each_signal_has_its_figure() {
        let ok = |us| (200, Some(us));
        let plain =
            slot(&[ok(500), ok(1500), (500, Some(2500)), (429, None), (499, None), (0, None), (404, None), (200, None)]);
        let all = [
            (key(false, false), Cache::Hit, plain),
            (key(true, false), Cache::Miss, slot(&[(404, Some(9_000_000)), (404, None)])),
            (key(false, true), Cache::Stale, slot(&[(101, Some(8_000_000)), (503, None)])),
        ];
        for (want, signal) in [
            (Some(0.2), Signal::ErrorRate),
            (Some(0.3), Signal::ClientErrorRate),
            (Some(0.2), Signal::AbortedRate),
            (Some(0.1), Signal::StatusRate(404)),
            (Some(1503.0), Signal::Quantile(0.5)),
            (Some(2500.0), Signal::Quantile(0.99)),
            (Some(1500.0), Signal::Mean),
            (Some(2500.0), Signal::Max),
            (Some(1.2), Signal::Rate),
            (Some(12.0), Signal::Requests),
            (Some(2.0), Signal::Errors),
            (Some(1.0), Signal::CacheHitRatio),
            (None, Signal::MalformedRate),
            (None, Signal::Silence),
        ] {
            assert_eq!(want, judged(signal, 1, &all), "{signal}");
        }
        assert_eq!(Some(0.2), judged(Signal::ErrorRate, 10, &all));
        assert_eq!(None, judged(Signal::ErrorRate, 11, &all));
        assert_eq!(None, judged(Signal::Quantile(0.5), 4, &all));
    }
}
