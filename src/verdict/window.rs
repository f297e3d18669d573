//! Sliding sums over event time: integer counts and coarse latencies, added and taken away exactly.
//!
//! A window of up to 10 minutes advances by 1 s, up to 6 h by 1 min, longer by 5 min, on boundaries since 1970; one that
//! is no whole number of advances is rounded up. At time `t` it holds what happened from its width before the last
//! boundary up to that boundary. Windows over one subject share a ring of cells for each advance, so memory is bounded by
//! the longest window of a ring. What the numbers mean is `figure.rs`' matter.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use crate::stats::latency::HIGHEST_US;
use crate::stats::latency::coarse;
use crate::stats::latency::coarse_highest;
use crate::stats::latency::nearest_rank;

/// By how many seconds a window of so many seconds advances.
pub fn advance_of(window_s: u32) -> u32 {
    match window_s {
        0..=600 => 1,
        601..=21_600 => 60,
        _ => 300,
    }
}

/// A window's place: its ring, and its sum there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    ring: usize,
    sum: usize,
}

/// The windows over one subject, and how many numbers each cell has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    columns: usize,
    /// By ring: its advance, and its windows in cells, with or without latencies.
    rings: Vec<(u32, Vec<(u32, bool)>)>,
}

impl Layout {
    /// The place of a window, made where it is new. `latency`: whether quantiles will be asked for.
    pub fn window(&mut self, seconds: u32, latency: bool) -> Place {
        let width = advance_of(seconds);
        let cells = seconds.max(1).div_ceil(width);
        let ring = self.rings.iter().position(|r| r.0 == width).unwrap_or_else(|| {
            self.rings.push((width, Vec::new()));
            self.rings.len() - 1
        });
        let sums = &mut self.rings[ring].1;
        let sum = sums.iter().position(|s| s.0 == cells).unwrap_or_else(|| {
            sums.push((cells, false));
            sums.len() - 1
        });
        sums[sum].1 |= latency;
        Place { ring, sum }
    }

    /// From now on every cell has as many numbers.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// Whether any window keeps latencies.
    pub fn latency(&self) -> bool {
        self.rings.iter().any(|r| r.1.iter().any(|s| s.1))
    }
}

/// What one subject did in one second, to be added to its windows.
#[derive(Debug, Clone, Default)]
pub struct Amount {
    /// One number for each column.
    pub values: Vec<u64>,
    /// The largest latency in microseconds.
    pub max_us: u64,
    /// Coarse buckets, in any order, with doubles.
    pub buckets: Vec<(u16, u32)>,
}

/// One advance's worth of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cell {
    /// Seconds since 1970 by the ring's advance.
    number: u32,
    values: Vec<u64>,
    max_us: u64,
    buckets: Vec<(u16, u32)>,
}

impl Cell {
    fn emptied(mut self, number: u32) -> Self {
        self.values.clear();
        self.buckets.clear();
        Self { number, max_us: 0, ..self }
    }

    fn add(&mut self, amount: &Amount, latency: bool) {
        self.values.resize(amount.values.len(), 0);
        self.values.iter_mut().zip(&amount.values).for_each(|(a, b)| *a += b);
        self.max_us = self.max_us.max(amount.max_us);
        if latency {
            self.buckets.extend_from_slice(&amount.buckets);
            if self.buckets.len() > 2 * usize::from(coarse(HIGHEST_US)) {
                self.tidy();
            }
        }
    }

    fn tidy(&mut self) {
        if self.buckets.capacity() == 0 {
            return;
        }
        self.buckets.sort_unstable();
        self.buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        if self.buckets.capacity() > 2 * self.buckets.len().max(4) {
            self.buckets.shrink_to_fit();
        }
    }
}

const PAGE: usize = 128;

/// Coarse latencies of a window: counts by bucket, in pages that exist only where values fell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    sums: Vec<u64>,
    count: u64,
}

impl Spread {
    fn change(&mut self, buckets: &[(u16, u32)], add: bool) {
        for &(bucket, n) in buckets {
            let (page, at) = (usize::from(bucket) / PAGE, usize::from(bucket) % PAGE);
            if self.pages.len() <= page {
                self.pages.resize_with(page + 1, || None);
                self.sums.resize(page + 1, 0);
            }
            let cell = &mut self.pages[page].get_or_insert_with(|| Box::new([0; PAGE]))[at];
            let n = u64::from(n);
            if add {
                *cell += n;
                self.sums[page] += n;
                self.count += n;
            } else {
                *cell -= n;
                self.sums[page] -= n;
                self.count -= n;
                if self.sums[page] == 0 {
                    self.pages[page] = None;
                }
            }
        }
    }

    /// The highest value of the bucket that holds quantile `q` (0 to 1) by nearest rank; `None` without values.
    fn quantile_us(&self, q: f64) -> Option<u64> {
        let mut left = nearest_rank(self.count, q)?;
        for (first, (page, sum)) in self.pages.iter().zip(&self.sums).enumerate() {
            if *sum < left {
                left -= sum;
                continue;
            }
            for (at, n) in page.iter().flat_map(|p| p.iter()).enumerate() {
                if *n >= left {
                    return u16::try_from(first * PAGE + at).ok().map(coarse_highest);
                }
                left -= n;
            }
        }
        None
    }
}

/// One window's running sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sum {
    /// Its width in cells.
    cells: u32,
    latency: bool,
    /// The first cell it holds, counted from the ring's beginning.
    from: u64,
    values: Vec<u64>,
    spread: Spread,
    /// Cells whose largest latency no later cell reaches, ascending by number, descending by latency.
    peaks: VecDeque<(u32, u64)>,
}

impl Sum {
    fn add(&mut self, cell: &Cell) {
        self.values.resize(cell.values.len().max(self.values.len()), 0);
        self.values.iter_mut().zip(&cell.values).for_each(|(a, b)| *a += b);
        if self.latency {
            self.spread.change(&cell.buckets, true);
        }
        if cell.max_us > 0 {
            while self.peaks.back().is_some_and(|p| p.1 <= cell.max_us) {
                self.peaks.pop_back();
            }
            self.peaks.push_back((cell.number, cell.max_us));
        }
    }

    fn remove(&mut self, cell: &Cell) {
        self.values.iter_mut().zip(&cell.values).for_each(|(a, b)| *a -= b);
        if self.latency {
            self.spread.change(&cell.buckets, false);
        }
        while self.peaks.front().is_some_and(|p| p.0 <= cell.number) {
            self.peaks.pop_front();
        }
    }

    /// One number for each column, or none at all before anything was added.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// The exact largest latency in microseconds; 0 without any.
    pub fn max_us(&self) -> u64 {
        self.peaks.front().map_or(0, |p| p.1)
    }

    /// The latency at quantile `q` (0 to 1), microseconds: nearest rank over coarse buckets, a bucket standing for its
    /// highest value, but never beyond the window's exact largest latency. (A bucket's highest value is never below the
    /// smallest.)
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        self.spread.quantile_us(q).map(|us| us.min(self.max_us()))
    }
}

/// The cells of one advance, and the windows over them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Ring {
    width: u32,
    /// Cells below this number are in the windows, as far as these reach back.
    end: u32,
    /// The cell that is being filled.
    open: Option<Cell>,
    cells: VecDeque<Cell>,
    /// One that was done with, for the next: a window at rest takes no memory anew.
    #[serde(skip)]
    spare: Option<Cell>,
    #[serde(skip)]
    dropped: u64,
    #[serde(skip)]
    sums: Vec<Sum>,
}

impl Ring {
    fn new(width: u32) -> Self {
        Self { width, ..Self::default() }
    }

    /// Gives the ring its windows, filled from the cells that are there.
    fn furnish(&mut self, columns: usize, sums: &[(u32, bool)]) {
        self.dropped = 0;
        self.sums = sums
            .iter()
            .map(|&(cells, latency)| {
                let horizon = self.end.saturating_sub(cells);
                let from = self.cells.partition_point(|c| c.number < horizon);
                let mut sum = Sum { cells, latency, from: from as u64, values: vec![0; columns], ..Sum::default() };
                self.cells.iter().skip(from).for_each(|cell| sum.add(cell));
                sum
            })
            .collect();
    }

    fn add(&mut self, second: u32, amount: &Amount) {
        let number = second / self.width;
        if self.open.as_ref().is_some_and(|open| open.number != number) {
            self.close();
        }
        let latency = self.sums.iter().any(|s| s.latency);
        let spare = &mut self.spare;
        let open = self.open.get_or_insert_with(|| spare.take().unwrap_or_default().emptied(number));
        open.add(amount, latency);
    }

    fn close(&mut self) {
        if let Some(mut cell) = self.open.take() {
            cell.tidy();
            self.sums.iter_mut().for_each(|sum| sum.add(&cell));
            self.cells.push_back(cell);
        }
    }

    fn advance(&mut self, now: u32) {
        let end = now / self.width;
        if end <= self.end {
            return;
        }
        self.end = end;
        if self.open.as_ref().is_some_and(|open| open.number < end) {
            self.close();
        }
        let mut needed = u64::MAX;
        for sum in &mut self.sums {
            let horizon = end.saturating_sub(sum.cells);
            while let Some(cell) = usize::try_from(sum.from - self.dropped).ok().and_then(|at| self.cells.get(at))
                && cell.number < horizon
            {
                sum.remove(cell);
                sum.from += 1;
            }
            needed = needed.min(sum.from);
        }
        while self.dropped < needed
            && let Some(cell) = self.cells.pop_front()
        {
            self.spare = Some(cell);
            self.dropped += 1;
        }
    }

    /// The next time at which a window changes if nothing more happens.
    fn wake(&self) -> Option<u32> {
        let mut next = self.open.as_ref().map_or(u32::MAX, |open| open.number + 1);
        for sum in &self.sums {
            let at = usize::try_from(sum.from - self.dropped).unwrap_or(usize::MAX);
            if let Some(first) = self.cells.get(at) {
                next = next.min(first.number + sum.cells + 1);
            }
        }
        (next != u32::MAX).then(|| next.saturating_mul(self.width))
    }
}

/// All windows over one subject.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Meter {
    rings: Vec<Ring>,
}

impl Meter {
    /// Empty windows.
    pub fn new(layout: &Layout) -> Self {
        let mut meter = Self::default();
        meter.furnish(layout);
        meter
    }

    /// Fits a stored meter to a layout: the windows are filled from the cells that are there.
    pub fn furnish(&mut self, layout: &Layout) {
        let mut old = std::mem::take(&mut self.rings);
        for (width, sums) in &layout.rings {
            let at = old.iter().position(|r| r.width == *width);
            let mut ring = at.map_or_else(|| Ring::new(*width), |at| old.swap_remove(at));
            ring.furnish(layout.columns, sums);
            self.rings.push(ring);
        }
    }

    /// Adds what happened in a second, which must not lie before one that was added earlier.
    pub fn add(&mut self, second: u32, amount: &Amount) {
        self.rings.iter_mut().for_each(|ring| ring.add(second, amount));
    }

    /// Moves every window up to its last boundary at or before `now`.
    pub fn advance(&mut self, now: u32) {
        self.rings.iter_mut().for_each(|ring| ring.advance(now));
    }

    /// One window, as of the last advance.
    pub fn sum(&self, place: Place) -> &Sum {
        &self.rings[place.ring].sums[place.sum]
    }

    /// The next time at which any window changes if nothing more happens.
    pub fn wake(&self) -> Option<u32> {
        self.rings.iter().filter_map(Ring::wake).min()
    }

    /// Nothing in any window, nothing on its way.
    pub fn is_empty(&self) -> bool {
        self.rings.iter().all(|r| r.open.is_none() && r.cells.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(n: u64, latencies: &[u64]) -> Amount {
        Amount {
            values: vec![n, latencies.len() as u64],
            max_us: latencies.iter().copied().max().unwrap_or(0),
            buckets: latencies.iter().map(|us| (coarse(*us), 1)).collect(),
        }
    }

    #[test]
    fn windows_advance_by_their_width() {
        for (want, window) in [(1, 1), (1, 600), (60, 601), (60, 21_600), (300, 21_601), (300, 2_592_000)] {
            assert_eq!(want, advance_of(window), "{window}");
        }
    }

    #[test]
    fn a_minute_enters_a_long_window_when_it_is_over_and_leaves_whole() {
        let mut layout = Layout::default();
        let hour = layout.window(3600, false);
        layout.set_columns(2);
        let mut meter = Meter::new(&layout);
        meter.add(7201, &amount(5, &[]));
        meter.advance(7259);
        assert_eq!(0, meter.sum(hour).values()[0]);
        assert_eq!(Some(7260), meter.wake());
        meter.advance(7260);
        assert_eq!(5, meter.sum(hour).values()[0]);
        assert_eq!(Some(7260 + 3600), meter.wake());
        meter.advance(7260 + 3599);
        assert_eq!(5, meter.sum(hour).values()[0]);
        meter.advance(7260 + 3600);
        assert_eq!(0, meter.sum(hour).values()[0]);
        assert!(meter.is_empty());
    }

    /// Seconds with a number and some latencies each, for three widths at once.
    fn days() -> impl Strategy<Value = Vec<(u32, u64, Vec<u64>)>> {
        let gap = prop_oneof![8 => 1u32..4, 1 => 50u32..400, 1 => 5000u32..30_000];
        prop::collection::vec((gap, 1u64..9, prop::collection::vec(1u64..90_000_000_000, 0..5)), 1..120)
    }

    proptest! {
        #[test]
        fn every_window_is_the_sum_over_the_raw_records(days in days(), cut in 0usize..120) {
            const WINDOWS: [u32; 5] = [10, 300, 1800, 7200, 86_400];
            let mut layout = Layout::default();
            let places = WINDOWS.map(|w| layout.window(w, w != 300));
            layout.set_columns(2);
            let mut meter = Meter::new(&layout);
            let mut raw: Vec<(u32, u64, Vec<u64>)> = Vec::new();
            let mut now = 1_000_000;
            for (at, (gap, n, latencies)) in days.into_iter().enumerate() {
                now += gap - 1;
                if gap > 60 {
                    meter.advance(now - 7);
                }
                meter.add(now, &amount(n, &latencies));
                raw.push((now, n, latencies));
                now += 1;
                meter.advance(now);
                if at == cut {
                    let stored = postcard::to_stdvec(&meter).unwrap();
                    meter = postcard::from_bytes(&stored).unwrap();
                    meter.furnish(&layout);
                }
                for (window, place) in WINDOWS.into_iter().zip(places) {
                    let width = advance_of(window);
                    let end = now / width * width;
                    let start = end - window.div_ceil(width) * width;
                    let inside = || raw.iter().filter(|r| (start..end).contains(&r.0));
                    let sum = meter.sum(place);
                    prop_assert_eq!(inside().map(|r| r.1).sum::<u64>(), sum.values()[0]);
                    let mut all: Vec<u64> = inside().flat_map(|r| r.2.iter().copied()).collect();
                    let max = all.iter().copied().max();
                    prop_assert_eq!(max.unwrap_or(0), sum.max_us());
                    for us in &mut all {
                        *us = coarse_highest(coarse(*us));
                    }
                    all.sort_unstable();
                    if window != 300 {
                        for (q, rank) in [(0.5, all.len().div_ceil(2)), (0.75, (3 * all.len()).div_ceil(4))] {
                            let want = rank.checked_sub(1).map(|i| all[i].min(max.unwrap()));
                            prop_assert_eq!(want, sum.quantile_us(q));
                        }
                    }
                }
            }
        }
    }
}
