//! Which failure deserves another try, and when. Pure: status or failure in, verdict out; the present and chance are
//! passed in.
//!
//! Statuses are read as RFC 9110 (section 15) and RFC 8470 mean them, `Retry-After` as RFC 9110 section 10.2.3 writes
//! it, dates in all three forms of section 5.6.7. What is sent and who waits is left to `webhook`.

use crate::time::SECOND;
use crate::time::Timestamp;
use crate::time::civil;

/// The longest wait that a receiver may ask for, in seconds.
pub const RETRY_AFTER_MOST_S: i64 = 600;
/// The longest wait between two tries that nobody asked for, in seconds.
pub const BACK_OFF_MOST_S: i64 = 60;
/// However a receiver fails, one hour sees no more tries than this: waits of at least 1, 2, 4, 8, 16 and then 30 s.
pub const TRIES_AN_HOUR: u32 = 125;

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its header `Retry-After`, as it came.
        retry_after: Option<&'a str>,
    },
    /// No answer.
    Failure(Failure),
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Copy)]
pub enum Failure {
    /// The name has no address.
    Resolve,
    /// Nobody took the connection, or not in time.
    Connect(&'static str),
    /// No trusted connection could be made.
    Tls(&'static str),
    /// The whole try took too long.
    Timeout,
    /// The connection broke before the answer came.
    Broken,
    /// What came back is no HTTP.
    NoHttp,
    /// The message itself cannot be sent: the same again would fail the same.
    Unsendable(&'static str),
}

impl Failure {
    fn why(self) -> &'static str {
        match self {
            Self::Resolve => "the host's name cannot be resolved",
            Self::Connect(why) | Self::Tls(why) | Self::Unsendable(why) => why,
            Self::Timeout => "no answer in time",
            Self::Broken => "the connection was closed before an answer came",
            Self::NoHttp => "the answer is not HTTP",
        }
    }
}

/// What to do about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Delivered,
    /// It is to be sent again, unchanged.
    Again {
        /// Not earlier than this.
        not_before: Timestamp,
        /// What happened, without the address.
        why: String,
    },
    /// It would fail again: it is given up.
    Never {
        /// What happened, without the address.
        why: String,
    },
}

/// Judges one try made at `now`, the one after `failures` in a row that failed. `chance` is between 0 and 1.
pub fn judge(outcome: Outcome<'_>, failures: u32, now: Timestamp, chance: f64) -> Verdict {
    let back_off = back_off(failures, chance);
    match outcome {
        Outcome::Failure(failure @ Failure::Unsendable(_)) => Verdict::Never { why: failure.why().to_owned() },
        Outcome::Failure(failure) => {
            Verdict::Again { not_before: Timestamp(now.0.saturating_add(back_off)), why: failure.why().to_owned() }
        }
        Outcome::Answer { status, retry_after } => match status {
            200..=299 => Verdict::Delivered,
            300..=399 => Verdict::Never { why: format!("status {status}: redirects are not followed (set the final address)") },
            408 | 425 | 429 | 500..=599 => {
                let asked = retry_after.and_then(|text| wait(text, now)).unwrap_or(0).min(RETRY_AFTER_MOST_S * SECOND);
                Verdict::Again {
                    not_before: Timestamp(now.0.saturating_add(asked.max(back_off))),
                    why: format!("status {status}"),
                }
            }
            400..=499 => Verdict::Never { why: format!("status {status} is final") },
            _ => Verdict::Never { why: format!("status {status} means nothing here") },
        },
    }
}

/// How long to wait after the failure that comes behind `failures` others in a row, in microseconds: by chance between
/// half and all of 2, 4, 8 … 60 s.
pub fn back_off(failures: u32, chance: f64) -> i64 {
    let most = (2_i64 << failures.min(6)).min(BACK_OFF_MOST_S) * SECOND;
    let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 60 million")]
    let part = (chance * (most / 2) as f64) as i64;
    most / 2 + part
}

/// What `Retry-After` asks for, in microseconds from `now`; `None` where it makes no sense.
fn wait(text: &str, now: Timestamp) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // What is too long to be a number is longer than any wait that is granted.
        return Some(text.parse::<i64>().map_or(i64::MAX, |s| s.saturating_mul(SECOND)));
    }
    http_date(text).map(|at| at.0.saturating_sub(now.0).max(0))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words.as_slice() {
        [name, day, month, year, time, "GMT"] if name.ends_with(',') => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = u8::try_from(MONTHS.iter().position(|name| name == month)? + 1).ok()?;
    let year = match (year.len(), number(year)?) {
        // RFC 850's two digits: this century, as none of these dates is old.
        (2, short) => 2000 + short,
        (4, long) => long,
        _ => return None,
    };
    let mut parts = time.split(':');
    let [hour, minute, second] = [parts.next()?, parts.next()?, parts.next()?].map(|part| number(part).unwrap_or(99));
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let in_day = (hour * 3600 + minute * 60 + second.min(59)) * SECOND;
    civil(year, month, u8::try_from(number(day)?).ok()?, in_day).map(Timestamp)
}

fn number(text: &str) -> Option<i64> {
    (text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_394_208 * SECOND);

    fn answer(status: u16, retry_after: Option<&str>) -> Outcome<'_> {
        Outcome::Answer { status, retry_after }
    }

    /// Seconds until the next try.
    fn after(verdict: &Verdict) -> Option<i64> {
        match verdict {
            Verdict::Again { not_before, .. } => Some((not_before.0 - NOW.0) / SECOND),
            _ => None,
        }
    }

    #[test]
    fn every_status_has_its_verdict() {
        for status in 0..=1000_u16 {
            let verdict = judge(answer(status, None), 0, NOW, 0.0);
            match status {
                200..=299 => assert_eq!(Verdict::Delivered, verdict, "{status}"),
                408 | 425 | 429 | 500..=599 => assert_eq!(Some(1), after(&verdict), "{status}"),
                300..=399 => {
                    assert!(
                        matches!(&verdict, Verdict::Never { why } if why.contains("redirects are not followed") && why.contains(&status.to_string()))
                    );
                }
                _ => assert!(matches!(&verdict, Verdict::Never { why } if why.contains(&status.to_string())), "{status}"),
            }
        }
    }

    #[test]
    fn every_failure_but_a_message_that_cannot_be_sent_is_tried_again() {
        for failure in [
            Failure::Resolve,
            Failure::Connect("refused"),
            Failure::Tls("unknown issuer"),
            Failure::Timeout,
            Failure::Broken,
            Failure::NoHttp,
        ] {
            assert_eq!(Some(1), after(&judge(Outcome::Failure(failure), 0, NOW, 0.0)), "{failure:?}");
        }
        let never = judge(Outcome::Failure(Failure::Unsendable("a header cannot be sent")), 0, NOW, 0.0);
        assert_eq!(Verdict::Never { why: "a header cannot be sent".to_owned() }, never);
    }

    #[test]
    fn retry_after_is_honoured_within_ten_minutes() {
        for (expected, status, text) in [
            (30, 429, "30"),
            (30, 503, " 30 "),
            (600, 429, "600"),
            (600, 429, "3600"),
            (600, 429, "99999999999999999999999999"),
            (1, 429, "0"),
            (1, 429, "-5"),
            (1, 429, "soon"),
            (1, 429, ""),
            (1, 429, "1.5"),
            // 2026-11-23T00:36:48Z is the present.
            (72, 429, "Mon, 23 Nov 2026 00:38:00 GMT"),
            (72, 408, "Monday, 23-Nov-26 00:38:00 GMT"),
            (72, 500, "Mon Nov 23 00:38:00 2026"),
            (1, 429, "Mon, 23 Nov 2026 00:30:00 GMT"),
            (600, 429, "Tue, 24 Nov 2026 00:30:00 GMT"),
            (1, 429, "Mon, 31 Feb 2026 00:38:00 GMT"),
            (1, 429, "Mon, 23 Nov 2026 00:38 GMT"),
        ] {
            assert_eq!(Some(expected), after(&judge(answer(status, Some(text)), 0, NOW, 0.0)), "{text}");
        }
    }

    #[test]
    fn a_wait_is_never_shorter_than_the_back_off() {
        assert_eq!(Some(60), after(&judge(answer(429, Some("5")), 9, NOW, 1.0)));
    }

    #[test]
    fn the_back_off_doubles_up_to_a_minute() {
        let longest: Vec<i64> = (0..8).map(|failures| back_off(failures, 1.0) / SECOND).collect();
        assert_eq!(vec![2, 4, 8, 16, 32, 60, 60, 60], longest);
        let shortest: Vec<i64> = (0..8).map(|failures| back_off(failures, 0.0) / SECOND).collect();
        assert_eq!(vec![1, 2, 4, 8, 16, 30, 30, 30], shortest);
    }

    proptest! {
        #[test]
        fn a_wait_keeps_within_its_bounds(failures: u32, chance: f64, status in 500_u16..600, text in "\\PC{0,12}|[0-9]{1,22}") {
            let Verdict::Again { not_before, .. } = judge(answer(status, Some(&text)), failures, NOW, chance) else {
                panic!("a 5xx is tried again")
            };
            let wait = not_before.0 - NOW.0;
            prop_assert!((SECOND..=RETRY_AFTER_MOST_S * SECOND).contains(&wait), "{wait}");
            prop_assert!((SECOND..=BACK_OFF_MOST_S * SECOND).contains(&back_off(failures, chance)));
        }

        #[test]
        fn an_hour_sees_a_bounded_number_of_tries(chances in prop::collection::vec(0.0..1.0, 200)) {
            let (mut at, mut tries) = (NOW, 0);
            for (failures, chance) in chances.into_iter().enumerate() {
                if at.0 - NOW.0 >= 3600 * SECOND {
                    break;
                }
                tries += 1;
                match judge(answer(500, None), u32::try_from(failures).unwrap(), at, chance) {
                    Verdict::Again { not_before, .. } => at = not_before,
                    other => panic!("{other:?}"),
                }
            }
            prop_assert!(tries <= TRIES_AN_HOUR, "{tries}");
        }
    }
}
