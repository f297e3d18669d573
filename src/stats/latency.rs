//! Latencies in microseconds, kept so that they add up: histograms of two fixed shapes.
//!
//! The numbering of buckets is HdrHistogram's (Gil Tene, hdrhistogram.org) with unit 1 µs: *fine* has three significant
//! digits (2,048 sub-buckets), *coarse* two (256). Because the shapes never change, merging cannot fail and order cannot
//! matter. What is kept for a bucket is a plain count; a histogram with few values is a short list, a fuller one an
//! array of pages that exist only where values fell.
//!
//! Figures that depend on a limit (a promise's `slower_than`, a Prometheus bucket) must be exact and not read from a
//! bucket: values that share a fine bucket with a limit are compared with it while recording ([`Bounds`]).

use std::collections::BTreeMap;

#[cfg(test)]
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde::Serialize;

/// The highest latency that is kept apart, one day; beyond it values are clipped and counted.
pub const HIGHEST_US: u64 = 86_400_000_000;

/// The bounds that OpenTelemetry advises for `http.server.request.duration`, in microseconds
/// (semantic conventions for HTTP metrics 1.23).
pub const OTEL_US: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000, 7_500_000,
    10_000_000,
];

const FINE_BITS: u32 = 11;
const COARSE_BITS: u32 = 8;

#[inline]
fn index(value: u64, bits: u32) -> u16 {
    let bucket = 64 - (value | ((1 << bits) - 1)).leading_zeros() - bits;
    let index = (u64::from(bucket) << (bits - 1)) + (value >> bucket);
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn highest_of(index: u16, bits: u32) -> u64 {
    let index = u64::from(index);
    let half = 1 << (bits - 1);
    let bucket = (index / half).saturating_sub(1);
    let sub = index - bucket * half;
    ((sub + 1) << bucket) - 1
}

/// Coarse buckets are below this.
pub(super) const COARSE_BUCKETS: usize = 4096;

/// The fine bucket (three digits) of a latency; at most 28,672 for [`HIGHEST_US`].
#[inline]
pub fn fine(us: u64) -> u16 {
    index(us.min(HIGHEST_US), FINE_BITS)
}

/// The coarse bucket (two digits) of a latency; at most 3,968 for [`HIGHEST_US`].
#[inline]
pub fn coarse(us: u64) -> u16 {
    index(us.min(HIGHEST_US), COARSE_BITS)
}

/// The highest value of a fine bucket.
pub fn fine_highest(bucket: u16) -> u64 {
    highest_of(bucket, FINE_BITS)
}

/// The lowest value of a coarse bucket.
#[inline]
pub fn coarse_lowest(bucket: u16) -> u64 {
    let (index, half) = (u64::from(bucket.min(coarse(HIGHEST_US))), 1 << (COARSE_BITS - 1));
    let shift = (index / half).saturating_sub(1);
    (index - shift * half) << shift
}

/// The highest value of a coarse bucket.
pub fn coarse_highest(bucket: u16) -> u64 {
    highest_of(bucket, COARSE_BITS)
}

/// The limits that are counted exactly: OpenTelemetry's bounds and those of the configuration. Ascending, without
/// doubles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    limits_us: Vec<u64>,
    marked: Vec<u64>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Bounds {
    /// OpenTelemetry's bounds and `more`, in microseconds.
    pub fn new(more: &[u64]) -> Self {
        let mut limits_us: Vec<u64> = OTEL_US.iter().chain(more).copied().collect();
        limits_us.sort_unstable();
        limits_us.dedup();
        let mut marked = vec![0; 1 << (16 - 6)];
        for &limit in &limits_us {
            let bucket = usize::from(fine(limit));
            marked[bucket / 64] |= 1 << (bucket % 64);
        }
        Self { limits_us, marked }
    }

    /// The limits in microseconds, ascending.
    pub fn limits_us(&self) -> &[u64] {
        &self.limits_us
    }

    #[inline]
    fn shares_a_bucket(&self, bucket: u16) -> bool {
        let bucket = usize::from(bucket);
        self.marked[bucket / 64] >> (bucket % 64) & 1 == 1
    }
}

/// Values in a page of the fine array.
const PAGE: usize = 256;
/// As many values stay a list; more become pages.
const FEW: usize = 384;
/// As many values wait before they enter the pages: a page's cache line is then fetched once for several of them.
const WAIT: usize = 1024;

/// A histogram of three significant digits with exact count, sum, smallest and largest value and exact counts at the
/// limits it was recorded with.
#[derive(Debug, Clone, Default)]
pub struct Fine {
    /// All values of a short histogram; of a fuller one those that have not entered its pages yet.
    few: Vec<u16>,
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    /// What a page's 32 bits could not hold, by bucket.
    spilled: BTreeMap<u16, u64>,
    /// Values at or below a limit that share the limit's own bucket.
    at_limit: BTreeMap<u64, u64>,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    /// Values above [`HIGHEST_US`], kept in its bucket.
    clipped: u64,
    /// Some values are known to two digits only.
    coarse: bool,
}

impl Fine {
    /// Records one latency.
    #[inline]
    pub fn record(&mut self, us: u64, bounds: &Bounds) {
        let bucket = fine(us);
        if self.count == 0 || us < self.min_us {
            self.min_us = us;
        }
        self.max_us = self.max_us.max(us);
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        if us > HIGHEST_US {
            self.clipped += 1;
        }
        if bounds.shares_a_bucket(bucket) {
            for &limit in bounds.limits_us.iter().filter(|l| fine(**l) == bucket && us <= **l) {
                *self.at_limit.entry(limit).or_default() += 1;
            }
        }
        if self.few.len() == self.few.capacity() {
            self.make_room();
        }
        self.few.push(bucket);
    }

    /// Lets the list grow, or empties it into the pages.
    #[cold]
    fn make_room(&mut self) {
        let most = if self.pages.is_empty() { FEW } else { WAIT };
        if self.few.len() < most {
            self.few.reserve_exact(self.few.len().clamp(8, most - self.few.len()));
            return;
        }
        let mut waiting = std::mem::take(&mut self.few);
        for bucket in waiting.drain(..) {
            let at = usize::from(bucket);
            // As a rule its page is there, and the cell far from full.
            match self.pages.get_mut(at / PAGE).and_then(Option::as_mut).map(|page| &mut page[at % PAGE]) {
                Some(cell) if *cell < u32::MAX => *cell += 1,
                _ => self.add(bucket, 1),
            }
        }
        self.few = waiting;
    }

    fn add(&mut self, bucket: u16, n: u64) {
        self.open_pages();
        let at = usize::from(bucket);
        let page = self.pages[at / PAGE].get_or_insert_with(|| Box::new([0; PAGE]));
        let cell = &mut page[at % PAGE];
        if let Some(sum) = u32::try_from(n).ok().and_then(|n| cell.checked_add(n)) {
            *cell = sum;
        } else {
            *self.spilled.entry(bucket).or_default() += n;
        }
    }

    /// Adds values of which only the coarse buckets, the sum and the ends are known: each counts as the highest value of
    /// its bucket, so that quantiles are right to two digits and counts at limits to the bucket.
    pub fn record_coarse(&mut self, buckets: &[(u16, u64)], sum_us: u64, min_us: u64, max_us: u64) {
        let count: u64 = buckets.iter().map(|b| b.1).sum();
        if count == 0 {
            return;
        }
        self.min_us = if self.count == 0 { min_us } else { self.min_us.min(min_us) };
        self.max_us = self.max_us.max(max_us);
        self.count += count;
        self.sum_us = self.sum_us.saturating_add(sum_us);
        self.coarse = true;
        for &(bucket, n) in buckets {
            self.add(fine(coarse_highest(bucket)), n);
        }
    }

    /// Adds another histogram; order does not matter.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min_us = if self.count == 0 { other.min_us } else { self.min_us.min(other.min_us) };
        self.max_us = self.max_us.max(other.max_us);
        self.coarse |= other.coarse;
        self.count += other.count;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.clipped += other.clipped;
        for (&limit, &n) in &other.at_limit {
            *self.at_limit.entry(limit).or_default() += n;
        }
        if self.pages.is_empty() && other.pages.is_empty() && self.few.len() + other.few.len() <= FEW {
            self.few.reserve_exact(other.few.len());
            self.few.extend_from_slice(&other.few);
            return;
        }
        // no cell can overflow while all values together fit in one: then pages are added as they lie
        if self.count > u64::from(u32::MAX) || !other.spilled.is_empty() {
            return other.each(|bucket, n| self.add(bucket, n));
        }
        for &bucket in &other.few {
            self.add(bucket, 1);
        }
        for (at, page) in other.pages.iter().enumerate() {
            if let Some(page) = page {
                self.add_page(at, page);
            }
        }
    }

    fn add_page(&mut self, at: usize, more: &[u32; PAGE]) {
        self.open_pages();
        match &mut self.pages[at] {
            Some(page) => page.iter_mut().zip(more).for_each(|(cell, n)| *cell += n),
            free => *free = Some(Box::new(*more)),
        }
    }

    fn open_pages(&mut self) {
        if self.pages.is_empty() {
            self.pages.resize_with(usize::from(fine(HIGHEST_US)) / PAGE + 1, || None);
        }
    }

    /// Calls `tell` with each bucket and its count; a bucket may come more than once, in no order.
    pub fn each(&self, mut tell: impl FnMut(u16, u64)) {
        for &bucket in &self.few {
            tell(bucket, 1);
        }
        self.each_of_pages(&mut tell);
        for (&bucket, &n) in &self.spilled {
            tell(bucket, n);
        }
    }

    fn each_of_pages(&self, mut tell: impl FnMut(u16, u64)) {
        let mut first: u16 = 0;
        for page in &self.pages {
            if let Some(page) = page {
                let (eights, _) = page.as_chunks::<8>();
                for (eight, cells) in (first..).step_by(8).zip(eights) {
                    // most are empty, and eight are looked at as fast as one
                    if cells.iter().fold(0, |any, n| any | n) == 0 {
                        continue;
                    }
                    for (bucket, &n) in (eight..).zip(cells) {
                        if n > 0 {
                            tell(bucket, u64::from(n));
                        }
                    }
                }
            }
            first += 256;
        }
    }

    /// Each bucket once with its count, ascending.
    pub fn buckets(&self) -> Vec<(u16, u64)> {
        let full = |page: &Option<Box<[u32; PAGE]>>| page.as_ref().map_or(0, |page| page.iter().filter(|n| **n > 0).count());
        let mut all = Vec::with_capacity(self.pages.iter().map(full).sum());
        if self.few.is_empty() && self.spilled.is_empty() {
            self.each(|bucket, n| all.push((bucket, n)));
            return all;
        }
        let waiting = gather(self.few.iter().map(|b| (*b, 1)).chain(self.spilled.iter().map(|(b, n)| (*b, *n))).collect());
        let mut waiting = waiting.into_iter().peekable();
        self.each_of_pages(|bucket, n| {
            while let Some(before) = waiting.next_if(|w| w.0 < bucket) {
                all.push(before);
            }
            let more = waiting.next_if(|w| w.0 == bucket).map_or(0, |w| w.1);
            all.push((bucket, n + more));
        });
        all.extend(waiting);
        all
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact sum in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The smallest value, `None` without values.
    pub fn min_us(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min_us)
    }

    /// The largest value, `None` without values.
    pub fn max_us(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_us)
    }

    /// Values above [`HIGHEST_US`].
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// How many values are at or below `limit_us`: exact if the limit was among the [`Bounds`] while recording, else
    /// to the bucket.
    pub fn at_or_below(&self, limit_us: u64) -> u64 {
        let own = fine(limit_us);
        let mut below = 0;
        self.each(|bucket, n| below += if bucket < own { n } else { 0 });
        below + self.at_limit.get(&limit_us).copied().unwrap_or(0)
    }

    /// [`Fine::at_or_below`] for each of `limits_us`, which ascend, in one pass.
    pub fn at_or_below_each(&self, limits_us: &[u64]) -> Vec<u64> {
        let own: Vec<u16> = limits_us.iter().map(|l| fine(*l)).collect();
        let mut below = vec![0; limits_us.len()];
        self.each(|bucket, n| {
            if let Some(first) = below.get_mut(own.partition_point(|o| *o <= bucket)) {
                *first += n;
            }
        });
        let mut sum = 0;
        for (limit, below) in limits_us.iter().zip(&mut below) {
            sum += *below;
            *below = sum + self.at_limit.get(limit).copied().unwrap_or(0);
        }
        below
    }

    /// As hdrhistogram's own type: what every quantile must agree with.
    #[cfg(test)]
    pub fn histogram(&self) -> Histogram<u64> {
        let mut all =
            Histogram::new_with_bounds(1, HIGHEST_US, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"));
        self.each(|bucket, n| all.saturating_record_n(fine_highest(bucket), n));
        all
    }

    /// The value at quantile `q` (0 to 1): the smallest recorded one with at least `q` of all at or below it, to three
    /// digits, never beyond smallest and largest; `None` without values.
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        self.quantiles_us([q]).map(|[value]| value)
    }

    /// The values at several quantiles, ascending; see [`Fine::quantile_us`]. Short histograms are read as the list they
    /// are, fuller ones bucket by bucket as hdrhistogram does it.
    pub fn quantiles_us<const N: usize>(&self, at: [f64; N]) -> Option<[u64; N]> {
        if self.count == 0 {
            return None;
        }
        if self.pages.is_empty() && self.spilled.is_empty() {
            let mut all = self.few.clone();
            all.sort_unstable();
            return Some(at.map(|q| {
                let rank = nearest_rank(all.len() as u64, q).unwrap_or(1);
                let bucket = usize::try_from(rank - 1).ok().and_then(|i| all.get(i)).copied().unwrap_or(0);
                fine_highest(bucket).clamp(self.min_us, self.max_us.max(self.min_us))
            }));
        }
        let all = self.buckets();
        let total: u64 = all.iter().map(|b| b.1).sum();
        let (mut seen, mut rest) = (0, all.iter().copied());
        let mut here = 0;
        Some(at.map(|q| {
            let rank = hdr_rank(total, q);
            while seen < rank
                && let Some((bucket, n)) = rest.next()
            {
                (seen, here) = (seen + n, bucket);
            }
            fine_highest(here).clamp(self.min_us, self.max_us.max(self.min_us))
        }))
    }

    /// For storing: plain data in one order.
    pub fn pack(&self) -> FinePacked {
        FinePacked {
            buckets: self.buckets(),
            at_limit: self.at_limit.iter().map(|(l, n)| (*l, *n)).collect(),
            count: self.count,
            sum_us: self.sum_us,
            min_us: self.min_us,
            max_us: self.max_us,
            clipped: self.clipped,
            coarse: self.coarse,
        }
    }

    /// Significant digits of all its values: 3, or 2 where some came by [`Fine::record_coarse`].
    pub fn digits(&self) -> u8 {
        if self.coarse { 2 } else { 3 }
    }

    /// From stored data. Buckets beyond the shape are clipped into its last.
    pub fn unpack(packed: &FinePacked) -> Self {
        let mut all = Self {
            at_limit: packed.at_limit.iter().copied().collect(),
            count: packed.count,
            sum_us: packed.sum_us,
            min_us: packed.min_us,
            max_us: packed.max_us,
            clipped: packed.clipped,
            coarse: packed.coarse,
            ..Self::default()
        };
        let values: u64 = packed.buckets.iter().map(|b| b.1).sum();
        for &(bucket, n) in &packed.buckets {
            let bucket = bucket.min(fine(HIGHEST_US));
            if values <= FEW as u64 {
                all.few.extend((0..n).map(|_| bucket));
            } else {
                all.add(bucket, n);
            }
        }
        all
    }
}

/// Two histograms are equal when they hold the same counts, however they keep them.
impl PartialEq for Fine {
    fn eq(&self, other: &Self) -> bool {
        self.pack() == other.pack()
    }
}

/// A [`Fine`] as plain data: buckets ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinePacked {
    buckets: Vec<(u16, u64)>,
    at_limit: Vec<(u64, u64)>,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    clipped: u64,
    coarse: bool,
}

/// Sorts buckets and adds up the doubles.
pub fn gather(mut all: Vec<(u16, u64)>) -> Vec<(u16, u64)> {
    all.sort_unstable();
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    all
}

/// The rank (1 to `count`) of quantile `q` as hdrhistogram 7.6 takes it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts stay below 2^52"
)]
fn hdr_rank(count: u64, q: f64) -> u64 {
    ((q.min(1.0) * count as f64).ceil() as u64).max(1)
}

/// The rank (1 to `count`) of quantile `q`; `None` without values. Figures of `q` are decimal fractions such as 0.99,
/// whose binary form may lie a little above: the rank is taken a hair below.
pub fn nearest_rank(count: u64, q: f64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts stay below 2^52"
    )]
    let rank = (q * count as f64 - 1e-9 * count as f64).ceil() as u64;
    Some(rank.clamp(1, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_those_of_the_least_known_value() {
        let (mut fine, mut coarse) = (Fine::default(), Fine::default());
        fine.record(1_234, &Bounds::new(&[]));
        coarse.record_coarse(&[(super::coarse(1_234), 1)], 1_234, 1_234, 1_234);
        assert_eq!((3, 2), (fine.digits(), coarse.digits()));
        assert_eq!(2, Fine::unpack(&coarse.pack()).digits());
        fine.merge(&coarse);
        assert_eq!(2, fine.digits());
        coarse = Fine::default();
        coarse.merge(&Fine::default());
        assert_eq!(3, coarse.digits());
    }

    #[test]
    fn buckets_are_numbered_as_hdrhistogram_does() {
        let three = Histogram::<u64>::new_with_bounds(1, HIGHEST_US, 3).unwrap();
        let two = Histogram::<u64>::new_with_bounds(1, HIGHEST_US, 2).unwrap();
        for value in [0, 1, 2, 999, 2047, 2048, 2049, 4095, 4096, 123_456, 30_000_000, 3_600_000_001, HIGHEST_US] {
            assert_eq!(three.highest_equivalent(value), fine_highest(fine(value)), "fine {value}");
            assert_eq!(two.highest_equivalent(value), coarse_highest(coarse(value)), "coarse {value}");
            assert_eq!(two.lowest_equivalent(value), coarse_lowest(coarse(value)), "coarse {value}");
        }
    }

    #[test]
    fn values_beyond_a_day_are_clipped_counted_and_kept_as_the_largest() {
        let mut all = Fine::default();
        all.record(HIGHEST_US * 2, &Bounds::default());
        assert_eq!((1, Some(HIGHEST_US * 2), Some(HIGHEST_US * 2)), (all.clipped(), all.max_us(), all.quantile_us(0.5)));
    }

    #[test]
    fn a_count_past_32_bits_is_kept() {
        let mut all = Fine::default();
        all.add(7, u64::from(u32::MAX));
        all.add(7, 5);
        assert_eq!(vec![(7, u64::from(u32::MAX) + 5)], all.buckets());
    }

    proptest! {
        #[test]
        fn quantiles_of_a_full_histogram_are_hdrhistograms(values in prop::collection::vec(0u64..100_000_000, 385..3000), mut at in prop::array::uniform4(0.0f64..1.0)) {
            let mut all = Fine::default();
            for v in &values { all.record(*v, &Bounds::default()); }
            at.sort_by(f64::total_cmp);
            let theirs = all.histogram();
            let want = at.map(|q| theirs.value_at_quantile(q).clamp(all.min_us, all.max_us));
            prop_assert_eq!(Some(want), all.quantiles_us(at));
        }

        #[test]
        fn quantiles_are_the_nearest_rank_within_a_thousandth(mut values in prop::collection::vec(0u64..100_000_000, 1..900), q in 0.0f64..1.0) {
            let mut all = Fine::default();
            for v in &values { all.record(*v, &Bounds::default()); }
            values.sort_unstable();
            let want = values[usize::try_from(nearest_rank(values.len() as u64, q).unwrap()).unwrap() - 1];
            let got = all.quantile_us(q).unwrap();
            prop_assert!(got >= want && got - want <= want / 1000, "{got} {want}");
        }

        #[test]
        fn counts_at_a_limit_are_exact(values in prop::collection::vec(0u64..40_000, 0..600), limit in 1u64..40_000) {
            let bounds = Bounds::new(&[limit]);
            let mut all = Fine::default();
            for v in &values { all.record(*v, &bounds); }
            for &l in bounds.limits_us() {
                prop_assert_eq!(values.iter().filter(|v| **v <= l).count() as u64, all.at_or_below(l));
            }
            let one_by_one: Vec<u64> = bounds.limits_us().iter().map(|l| all.at_or_below(*l)).collect();
            prop_assert_eq!(one_by_one, all.at_or_below_each(bounds.limits_us()));
        }

        #[test]
        fn parts_merged_are_the_whole_and_storing_loses_nothing(values in prop::collection::vec(0u64..9_000_000_000, 0..1200), cut in 0usize..1200) {
            let bounds = Bounds::default();
            let (mut left, mut right, mut whole) = (Fine::default(), Fine::default(), Fine::default());
            for (i, v) in values.iter().enumerate() {
                if i < cut { left.record(*v, &bounds) } else { right.record(*v, &bounds) }
                whole.record(*v, &bounds);
            }
            let mut other_way = right.clone();
            other_way.merge(&left);
            left.merge(&right);
            prop_assert_eq!(&whole, &left);
            prop_assert_eq!(&whole, &other_way);
            prop_assert_eq!(&whole, &Fine::unpack(&whole.pack()));
        }
    }
}
