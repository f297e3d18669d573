//! Outages of a finished reading: minutes in which most requests failed.
//!
//! The live twin is the outage rule (`error_rate > 50% over 1m`, 20 requests); this one looks back over the slots of a
//! report.

use std::collections::VecDeque;

use crate::stats::summary::Series;
use crate::stats::summary::SlotFigures;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::health::ENOUGH;
use crate::verdict::health::share;
use crate::verdict::wording::count;
use crate::verdict::wording::counted;
use crate::verdict::wording::moment;
use crate::verdict::wording::percent;

/// A window with more than this share of errors is an outage.
const OUTAGE_SHARE: f64 = 0.5;
/// The window of an outage, in seconds.
const OUTAGE_S: i64 = 60;

/// A stretch of time in which every window was an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// The first request of the first such window.
    start: Timestamp,
    /// The end of the last one.
    end: Timestamp,
    /// The worst window: requests, errors.
    worst: (u64, u64),
}

impl Outage {
    /// The outage in words, with its figure and time.
    pub(crate) fn reason(&self) -> String {
        let (requests, errors) = self.worst;
        let length = (self.end.0 - self.start.0) / SECOND;
        let lasting = if length > OUTAGE_S { format!(" to {}", moment(self.end)) } else { String::new() };
        format!(
            "outage from {}{lasting}: {} of {} failed ({}) at its worst",
            moment(self.start),
            count(errors),
            counted(requests, "request"),
            percent(share(errors, requests))
        )
    }
}

/// Every outage in order of time: windows of a minute moving over the slots (a slot alone where it is wider) that hold
/// at least [`ENOUGH`] requests, more than half of them errors. Windows that touch are one outage. A window ends with
/// the last slot at the latest.
pub(crate) fn outages(series: &Series) -> Vec<Outage> {
    let slot = i64::try_from(series.slot_seconds.max(1)).unwrap_or(OUTAGE_S).saturating_mul(SECOND);
    let width = slot.max(OUTAGE_S * SECOND);
    let mut found: Vec<Outage> = Vec::new();
    let mut held: VecDeque<&SlotFigures> = VecDeque::new();
    let (mut requests, mut errors) = (0_u64, 0_u64);
    let mut arriving = series.slots.iter().peekable();
    while let Some(next) = arriving.peek() {
        // The window changes when its oldest slot leaves or a new one enters, whichever is first.
        let leaves = held.front().map(|oldest| oldest.start.0.saturating_add(width));
        if leaves.is_some_and(|at| at <= next.start.0) {
            if let Some(old) = held.pop_front() {
                (requests, errors) = (requests - old.requests, errors - old.errors);
            }
            if leaves == Some(next.start.0) {
                continue;
            }
        } else {
            (requests, errors) = (requests + next.requests, errors + next.errors);
            held.extend(arriving.next());
        }
        if requests >= ENOUGH && share(errors, requests) > OUTAGE_SHARE {
            extend(&mut found, &held, slot, (requests, errors));
        }
    }
    found
}

/// Adds the window of the slots `held` to the last outage where it touches that, else as a new one.
fn extend(found: &mut Vec<Outage>, held: &VecDeque<&SlotFigures>, slot: i64, window: (u64, u64)) {
    let first_bad = held.iter().find(|s| s.errors > 0).map_or(Timestamp(0), |s| s.start);
    let last_bad = held.iter().rfind(|s| s.errors > 0).map_or(Timestamp(0), |s| Timestamp(s.start.0.saturating_add(slot)));
    match found.last_mut() {
        Some(last) if first_bad <= last.end => {
            last.end = last.end.max(last_bad);
            if share(window.1, window.0) > share(last.worst.1, last.worst.0) {
                last.worst = window;
            }
        }
        _ => found.push(Outage { start: first_bad, end: last_bad, worst: window }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_394_208 * SECOND);

    /// Slots of (seconds behind the start, requests, errors).
    pub(crate) fn slots(slot_seconds: u64, counts: &[(i64, u64, u64)]) -> Series {
        let slot = |&(at, requests, errors): &(i64, u64, u64)| SlotFigures {
            start: Timestamp(START.0 + at * SECOND),
            requests,
            errors,
            ..SlotFigures::default()
        };
        Series { slot_seconds, slots: counts.iter().map(slot).collect() }
    }

    #[test]
    fn an_outage_is_a_minute_that_mostly_fails() {
        let minute = |requests: u64, errors: u64| slots(1, &[(0, requests / 2, errors / 2), (59, requests / 2, errors / 2)]);
        let cases = [
            ("half of twenty is not more than half", 0, minute(20, 10)),
            ("twelve of twenty", 1, minute(20, 12)),
            ("eighteen are too few", 0, minute(18, 18)),
            ("a minute apart is two windows", 0, slots(1, &[(0, 10, 10), (60, 10, 10)])),
            ("what is older than a minute no longer dilutes", 1, slots(1, &[(0, 100, 0), (59, 30, 30), (300, 1, 0)])),
            ("good requests inside the minute dilute", 0, slots(1, &[(0, 100, 0), (30, 30, 30), (40, 70, 0), (300, 1, 0)])),
            ("two bursts far apart are two", 2, slots(1, &[(0, 30, 30), (500, 30, 30)])),
            ("one minute after the other is one", 1, slots(60, &[(0, 30, 30), (60, 30, 30), (120, 30, 0)])),
            ("a wide slot is its own window", 1, slots(900, &[(0, 30, 16), (900, 30, 15)])),
        ];
        for (name, number, series) in cases {
            assert_eq!(number, outages(&series).len(), "{name}");
        }
    }
}
