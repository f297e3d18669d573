//! Which seconds are over: the logs' own times, moved on by a clock that nobody sets.
//!
//! Each log has a clock of its own: the newest time it told, and what has passed since that came. A log that gives
//! lines, or has some that are not read yet, holds the others back, because its seconds may still be given to; one that
//! has been silent holds nobody. So an archive that is read in closes by its own times, a living log closes in silence
//! too, and neither a clock that was set nor a log whose clock is wrong closes what is still to come.

use crate::time::SECOND;
use crate::time::Timestamp;

/// What is known of one log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand {
    /// The newest time it told, and when on the steady clock.
    pub(super) newest: (Timestamp, i64),
    /// When it gave lines last, on the steady clock.
    pub(super) read_at: Option<i64>,
    /// It has lines that are not read yet.
    pub(super) behind: bool,
}

/// A log whose clock is further behind the furthest holds it back no longer, in microseconds: its times must be wrong.
pub(super) const WRONG_US: i64 = 600 * SECOND;
/// How far a log that still has much to read may be ahead of one that has more, in microseconds.
const APART_US: i64 = 120 * SECOND;

impl Hand {
    /// What its clock shows.
    fn shows(&self, steady: i64) -> i64 {
        let (newest, at) = self.newest;
        if self.behind { newest.micros() } else { newest.micros().saturating_add(steady - at) }
    }

    fn speaks(&self, steady: i64, lateness_us: i64) -> bool {
        self.behind || self.read_at.is_some_and(|at| steady - at <= lateness_us.max(SECOND))
    }
}

/// Seconds before this one are over, as far as the clocks tell; `None` where no log has told a time. `now` is the
/// present: no second of the future is ever over.
pub(super) fn over(hands: &[Hand], steady: i64, now: Timestamp, lateness_us: i64) -> Option<u32> {
    let furthest = hands.iter().map(|h| h.shows(steady)).max()?;
    let speaking = hands.iter().filter(|h| h.speaks(steady, lateness_us));
    let slowest = speaking.map(|h| (h.shows(steady), h.behind)).filter(|(at, behind)| *behind || furthest - at <= WRONG_US);
    let clock = slowest.map(|s| s.0).min().unwrap_or(furthest).min(now.micros());
    u32::try_from(clock.saturating_sub(lateness_us).div_euclid(SECOND)).ok()
}

/// Which of these logs should wait until others have caught up: an archive of a day must not be read to its end while
/// that of another service is at its first hour. By their place in `hands`; `None` stands for a log without times.
pub(super) fn ahead(hands: &[Option<Hand>]) -> Vec<usize> {
    let behind = hands.iter().flatten().filter(|h| h.behind).map(|h| h.newest.0.micros());
    let Some(slowest) = behind.min() else { return Vec::new() };
    let far = |hand: &Hand| hand.behind && hand.newest.0.micros().saturating_sub(slowest) > APART_US;
    (0..hands.len()).filter(|at| hands[*at].as_ref().is_some_and(far)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: i64 = 30 * SECOND;

    fn hand(newest_s: i64, at_s: i64, read_s: i64, behind: bool) -> Hand {
        Hand { newest: (Timestamp::from_seconds(newest_s), at_s * SECOND), read_at: Some(read_s * SECOND), behind }
    }

    fn over_at(hands: &[Hand], steady_s: i64) -> Option<u32> {
        over(hands, steady_s * SECOND, Timestamp::from_seconds(10_000), LATE)
    }

    #[test]
    fn a_second_is_over_when_its_log_is_late_enough_beyond_it() {
        for (expected, hands, steady_s, why) in [
            (None, vec![], 5, "no log has told a time"),
            (Some(970), vec![hand(1_000, 5, 5, false)], 5, "the newest time less the lateness"),
            (Some(980), vec![hand(1_000, 5, 5, false)], 15, "silence moves the clock on"),
            (Some(970), vec![hand(1_000, 5, 5, true)], 500, "what is not read yet may lie in any second"),
            (Some(870), vec![hand(1_000, 5, 5, false), hand(900, 5, 5, false)], 5, "the slower one holds back"),
            (Some(1_010), vec![hand(1_000, 5, 45, false), hand(900, 5, 5, false)], 45, "a silent one holds nobody"),
            (Some(1_870), vec![hand(1_900, 5, 5, false), hand(900, 5, 5, false)], 5, "a clock that must be wrong holds nobody"),
            (Some(870), vec![hand(1_900, 5, 5, false), hand(900, 5, 5, true)], 5, "but one that is read in does"),
            (Some(9_970), vec![hand(20_000, 5, 5, false)], 5, "nothing of the future is over"),
        ] {
            assert_eq!(expected, over_at(&hands, steady_s), "{why}");
        }
    }

    #[test]
    fn who_is_far_ahead_waits_for_who_is_behind() {
        let hands = [Some(hand(1_000, 1, 1, true)), Some(hand(1_121, 1, 1, true)), None, Some(hand(9_000, 1, 1, false))];
        assert_eq!(vec![1], ahead(&hands));
        assert_eq!(Vec::<usize>::new(), ahead(&hands[1..]));
    }
}
