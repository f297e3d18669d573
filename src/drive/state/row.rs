//! What all groups did in one second, minute or quarter of an hour, as one row.
//!
//! Groups are numbers of the state's own table of names. A row is written by columns, which shrinks to about half of what
//! row by row gives, and remembers the limits its `over` counts belong to: a configuration may change between runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::stats::latency::coarse_highest;
use crate::stats::slots::Slot;
use crate::stats::snapshot::SlotLines;

/// One row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    /// The limits of `over`, in microseconds.
    pub(super) limits: Vec<u64>,
    /// By name.
    pub(super) groups: BTreeMap<u32, Slot>,
    /// By name.
    pub(super) lines: BTreeMap<u32, SlotLines>,
}

/// As it is written.
#[derive(Default, Serialize, Deserialize)]
struct Columns {
    limits: Vec<u64>,
    lines: Vec<(u32, SlotLines)>,
    /// Distances.
    names: Vec<u32>,
    statuses: Vec<u16>,
    /// Status and requests, one after the other.
    status: Vec<u16>,
    requests: Vec<u32>,
    bytes: Vec<u64>,
    timed: Vec<u32>,
    /// Above `min` times `timed`.
    sum: Vec<u64>,
    min: Vec<u64>,
    /// Above `min`.
    max: Vec<u64>,
    buckets: Vec<u16>,
    /// Distances.
    bucket: Vec<u16>,
    count: Vec<u32>,
    /// For each group `limits.len()` of them, or none at all in the row.
    over: Vec<u32>,
}

impl Row {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.lines.is_empty()
    }

    /// Adds one group's slot. `limits` are those of its `over`; slots of one row share them.
    pub(super) fn put(&mut self, name: u32, slot: &Slot) {
        let here = self.groups.entry(name).or_default();
        here.add(slot);
        here.tidy();
    }

    pub(super) fn put_lines(&mut self, name: u32, lines: &SlotLines) {
        self.lines.entry(name).or_default().add(lines);
    }

    /// Adds another row. Counts at a limit survive only where both rows have them.
    pub(super) fn add(&mut self, other: &Self) {
        if self.groups.is_empty() {
            self.limits.clone_from(&other.limits);
        }
        let shared: Vec<u64> = self.limits.iter().copied().filter(|l| other.limits.contains(l)).collect();
        if !other.groups.is_empty() {
            self.keep_limits(&shared);
        }
        let wanted = self.limits.clone();
        for (name, slot) in &other.groups {
            if other.limits == wanted {
                self.put(*name, slot);
            } else {
                let mut slot = slot.clone();
                narrow(&mut slot, &other.limits, &wanted);
                self.put(*name, &slot);
            }
        }
        for (name, lines) in &other.lines {
            self.put_lines(*name, lines);
        }
    }

    fn keep_limits(&mut self, wanted: &[u64]) {
        if self.limits == wanted {
            return;
        }
        for slot in self.groups.values_mut() {
            narrow(slot, &self.limits, wanted);
        }
        self.limits = wanted.to_vec();
    }

    /// Brings `over` into the order of `limits`; a limit the row does not have is counted from the buckets.
    pub(super) fn fit(&mut self, limits: &[u64]) {
        if self.limits == limits {
            return;
        }
        for slot in self.groups.values_mut() {
            let over = std::mem::take(&mut slot.over);
            if slot.timed == 0 && over.is_empty() {
                continue;
            }
            slot.over = limits
                .iter()
                .map(|limit| {
                    let known = self.limits.iter().position(|l| l == limit).and_then(|at| over.get(at)).copied();
                    known.unwrap_or_else(|| slot.buckets.iter().filter(|b| coarse_highest(b.0) > *limit).map(|b| b.1).sum())
                })
                .collect();
        }
        self.limits = limits.to_vec();
    }

    /// Latencies, and counts at limits, are as if they had not been logged.
    pub(super) fn forget_latencies(&mut self) {
        for slot in self.groups.values_mut() {
            (slot.timed, slot.sum_us, slot.min_us, slot.max_us) = (0, 0, 0, 0);
            slot.buckets.clear();
            slot.over.clear();
        }
    }

    /// Splits into counts (statuses, bytes, counts at limits, lines) and latencies.
    pub(super) fn split(self) -> (Self, Self) {
        let mut delays = Self::default();
        let mut counts = self;
        for (name, slot) in &mut counts.groups {
            if slot.timed == 0 {
                continue;
            }
            let delay = Slot {
                timed: std::mem::take(&mut slot.timed),
                sum_us: std::mem::take(&mut slot.sum_us),
                min_us: std::mem::take(&mut slot.min_us),
                max_us: std::mem::take(&mut slot.max_us),
                buckets: std::mem::take(&mut slot.buckets),
                ..Slot::default()
            };
            delays.groups.insert(*name, delay);
        }
        (counts, delays)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut c = Columns { lines: self.lines.iter().map(|(n, l)| (*n, *l)).collect(), ..Columns::default() };
        let with_over = self.groups.values().any(|s| !s.over.is_empty());
        if with_over {
            c.limits.clone_from(&self.limits);
        }
        let mut last = 0;
        for (name, slot) in &self.groups {
            c.names.push(name - last);
            last = *name;
            c.statuses.push(u16::try_from(slot.statuses.len()).unwrap_or(u16::MAX));
            for (status, n) in slot.statuses.iter().take(usize::from(u16::MAX)) {
                c.status.push(*status);
                c.requests.push(*n);
            }
            c.bytes.push(slot.bytes);
            c.timed.push(slot.timed);
            if slot.timed > 0 {
                c.sum.push(slot.sum_us.wrapping_sub(slot.min_us.wrapping_mul(u64::from(slot.timed))));
                c.min.push(slot.min_us);
                c.max.push(slot.max_us - slot.min_us);
                c.buckets.push(u16::try_from(slot.buckets.len()).unwrap_or(u16::MAX));
                let mut before = 0;
                for (bucket, n) in slot.buckets.iter().take(usize::from(u16::MAX)) {
                    c.bucket.push(bucket - before);
                    before = *bucket;
                    c.count.push(*n);
                }
            }
            if with_over {
                c.over.extend((0..self.limits.len()).map(|at| slot.over.get(at).copied().unwrap_or(0)));
            }
        }
        postcard::to_stdvec(&c).unwrap_or_default()
    }

    /// `None` where the bytes are no row.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let c: Columns = postcard::from_bytes(bytes).ok()?;
        let mut row = Self { lines: c.lines.into_iter().collect(), limits: c.limits, ..Self::default() };
        let (mut status, mut requests) = (c.status.into_iter(), c.requests.into_iter());
        let (mut bytes, mut timed, mut statuses) = (c.bytes.into_iter(), c.timed.into_iter(), c.statuses.into_iter());
        let (mut sum, mut min, mut max) = (c.sum.into_iter(), c.min.into_iter(), c.max.into_iter());
        let (mut buckets, mut bucket, mut count) = (c.buckets.into_iter(), c.bucket.into_iter(), c.count.into_iter());
        let mut over = c.over.into_iter();
        let (mut name, with_over) = (0u32, over.len() > 0);
        for distance in c.names {
            name = name.checked_add(distance)?;
            let mut slot = Slot::default();
            for _ in 0..statuses.next()? {
                slot.statuses.push((status.next()?, requests.next()?));
            }
            (slot.bytes, slot.timed) = (bytes.next()?, timed.next()?);
            if slot.timed > 0 {
                slot.min_us = min.next()?;
                slot.max_us = slot.min_us.checked_add(max.next()?)?;
                slot.sum_us = sum.next()?.wrapping_add(slot.min_us.wrapping_mul(u64::from(slot.timed)));
                let mut before = 0u16;
                for _ in 0..buckets.next()? {
                    before = before.checked_add(bucket.next()?)?;
                    slot.buckets.push((before, count.next()?));
                }
            }
            if with_over {
                slot.over = over.by_ref().take(row.limits.len()).collect();
                if slot.over.iter().all(|n| *n == 0) && slot.timed == 0 && slot.statuses.is_empty() {
                    slot.over.clear();
                }
            }
            row.groups.insert(name, slot);
        }
        Some(row)
    }
}

/// Keeps of a slot's counts those at `wanted`, all of which are among `limits`.
fn narrow(slot: &mut Slot, limits: &[u64], wanted: &[u64]) {
    let over = std::mem::take(&mut slot.over);
    if !over.is_empty() {
        slot.over = wanted.iter().filter_map(|w| over.get(limits.iter().position(|l| l == w)?).copied()).collect();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    type Hit = (u32, u16, u64, Option<u64>);

    pub(in crate::drive::state) fn hits() -> impl Strategy<Value = Vec<Hit>> {
        let status = prop::sample::select(vec![200u16, 201, 404, 500, 0]);
        prop::collection::vec((0u32..9, status, 0u64..5000, prop::option::of(0u64..90_000_000_000)), 0..60)
    }

    pub(in crate::drive::state) fn row(hits: &[Hit], limits: &[u64]) -> Row {
        let mut row = Row { limits: limits.to_vec(), ..Row::default() };
        for &(name, status, bytes, us) in hits {
            let mut slot = Slot::default();
            slot.record(status, bytes, us, limits);
            row.put(name, &slot);
            row.put_lines(name % 2, &SlotLines { exceptions: 1, ..SlotLines::default() });
        }
        row
    }

    /// Rows are the same whether a count at no limit is written as zeros or left out.
    fn plain(mut row: Row) -> Row {
        row.limits.clear();
        row
    }

    proptest! {
        #[test]
        fn writing_loses_nothing(hits in hits()) {
            let row = row(&hits, &[]);
            prop_assert_eq!(Some(row.clone()), Row::decode(&row.encode()));
        }

        #[test]
        fn counts_at_limits_are_written_too(hits in hits()) {
            let row = row(&hits, &[300_000, 1_000_000]);
            let back = Row::decode(&row.encode()).unwrap();
            for (name, slot) in &row.groups {
                let over = if slot.over.is_empty() { vec![0, 0] } else { slot.over.to_vec() };
                let read = &back.groups[name].over;
                prop_assert!(read.as_slice() == over || (read.is_empty() && over == [0, 0]), "{:?} {:?}", over, read);
            }
        }

        #[test]
        fn rows_added_are_the_row_of_all(hits in hits(), cut in 0usize..60) {
            let cut = cut.min(hits.len());
            let mut left = row(&hits[..cut], &[5]);
            left.add(&row(&hits[cut..], &[5]));
            prop_assert_eq!(plain(row(&hits, &[5])), plain(left));
        }

        #[test]
        fn counts_and_latencies_together_are_the_whole(hits in hits()) {
            let whole = row(&hits, &[]);
            let (mut counts, delays) = whole.clone().split();
            counts.add(&delays);
            prop_assert_eq!(whole, counts);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes: Vec<u8>) {
            Row::decode(&bytes);
        }
    }

    #[test]
    fn a_changed_configuration_keeps_the_counts_it_shares() {
        let mut old = row(&[(1, 200, 0, Some(400_000))], &[300_000, 900_000]);
        old.add(&row(&[(1, 200, 0, Some(400_000))], &[300_000, 500_000]));
        assert_eq!(vec![300_000], old.limits);
        assert_eq!([2], old.groups[&1].over.as_slice());
        old.fit(&[100_000, 300_000]);
        assert_eq!([2, 2], old.groups[&1].over.as_slice());
    }
}
