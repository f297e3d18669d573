//! Figures in the words of a person: counts, shares, durations and times of day.
//!
//! Verdicts need them first, for their reasons; `write::figures` adds what only pages need. Leaves the safety of
//! untrusted text to `write::figures`.

use crate::time::DAY;
use crate::time::HOUR;
use crate::time::MINUTE;
use crate::time::Timestamp;
use crate::time::civil_from_days;

/// A count with a comma between groups of three digits: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 request`, `2 requests`: a count and its noun, whose plural is made with `s`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A share (0 to 1) in percent: two decimals below 1 %, one above. What is not nothing never reads `0 %`, what is not
/// all never reads `100 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        v if v.is_nan() => "-".to_owned(),
        v if v <= 0.0 => "0 %".to_owned(),
        v if v >= 100.0 => "100 %".to_owned(),
        v if v < 0.01 => "<0.01 %".to_owned(),
        v if v < 0.995 => format!("{v:.2} %"),
        v if v < 99.95 => format!("{v:.1} %"),
        v if v < 99.995 => format!("{v:.2} %"),
        _ => ">99.99 %".to_owned(),
    }
}

/// A limit (0 to 1) in percent with the digits it needs, four decimals at most: `0.1 %`, `1.44 %`, `99.9 %`.
pub fn limit(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A latency in microseconds with three significant digits and the unit that fits: `437 µs`, `4.37 ms`, `43.7 s`;
/// from ten minutes on as [`span`].
pub fn duration(us: u64) -> String {
    let mut scale = 1;
    while us / scale >= 1000 {
        scale *= 10;
    }
    let rounded = us.saturating_add(scale / 2) / scale * scale;
    match rounded {
        0..1000 => format!("{rounded} µs"),
        1000..1_000_000 => format!("{} ms", three_digits(rounded, 1000)),
        1_000_000..600_000_000 => format!("{} s", three_digits(rounded, 1_000_000)),
        _ => span(us / 1_000_000),
    }
}

/// `value / unit` with three significant digits, more only where the whole part has more.
fn three_digits(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    match whole {
        0..10 => format!("{whole}.{:02}", rest * 100 / unit),
        10..100 => format!("{whole}.{}", rest * 10 / unit),
        _ => whole.to_string(),
    }
}

/// A span of whole seconds in its two largest units: `45 s`, `12 min 3 s`, `1 h 5 min`, `6 d 3 h`.
pub fn span(seconds: u64) -> String {
    let two = |big: u64, unit: &str, small: u64, sub: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {sub}") }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A point in time to the second: `2026-11-23 00:36:48 UTC`.
pub fn moment(at: Timestamp) -> String {
    format!("{} {} UTC", day(at), of_day(at))
}

/// From one point in time to another, the date said once where it is the same:
/// `2026-11-23 00:36:48 to 00:48:51 UTC`.
pub fn from_to(start: Timestamp, end: Timestamp) -> String {
    let (first, last) = (day(start), day(end));
    let last = if first == last { String::new() } else { format!("{last} ") };
    format!("{first} {} to {last}{} UTC", of_day(start), of_day(end))
}

/// The date in UTC: `2026-11-23`.
fn day(at: Timestamp) -> String {
    let (year, month, day) = civil_from_days(at.micros().div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The time of day in UTC to the second: `00:36:48`.
pub fn of_day(at: Timestamp) -> String {
    let in_day = at.micros().rem_euclid(DAY);
    format!("{:02}:{:02}:{:02}", in_day / HOUR, in_day % HOUR / MINUTE, in_day % MINUTE / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three_digits() {
        for (text, n) in [("0", 0), ("999", 999), ("1,000", 1000), ("12,345,678", 12_345_678)] {
            assert_eq!(text, count(n));
        }
        assert_eq!("1 line", counted(1, "line"));
        assert_eq!("0 lines", counted(0, "line"));
    }

    #[test]
    fn a_share_that_is_not_nothing_or_all_never_reads_so() {
        for (text, share) in [
            ("0 %", 0.0),
            ("<0.01 %", 0.000_01),
            ("0.04 %", 0.0004),
            ("0.99 %", 0.009_94),
            ("1.0 %", 0.009_96),
            ("9.0 %", 0.09),
            ("61.2 %", 0.6122),
            ("99.97 %", 0.9997),
            (">99.99 %", 0.999_999),
            ("100 %", 1.0),
        ] {
            assert_eq!(text, percent(share), "{share}");
        }
        for (text, share) in [("0.1 %", 0.001), ("1.44 %", 0.0144), ("99.9 %", 0.999), ("99.99 %", 0.9999), ("5 %", 0.05)] {
            assert_eq!(text, limit(share));
        }
    }

    #[test]
    fn a_duration_has_three_digits_and_the_unit_that_fits() {
        for (text, us) in [
            ("0 µs", 0),
            ("999 µs", 999),
            ("1.00 ms", 1000),
            ("4.37 ms", 4368),
            ("10.0 ms", 9996),
            ("43.7 ms", 43_700),
            ("437 ms", 437_400),
            ("1.00 s", 999_600),
            ("43.7 s", 43_660_000),
            ("437 s", 437_000_000),
            ("10 min", 600_000_000),
            ("3 h 5 min", 11_100_000_000),
        ] {
            assert_eq!(text, duration(us), "{us}");
        }
        assert!(duration(u64::MAX).ends_with(" h"));
    }

    #[test]
    fn a_span_has_two_units_at_most() {
        for (text, seconds) in [("45 s", 45), ("12 min 3 s", 723), ("1 h", 3600), ("1 h 5 min", 3900), ("6 d 3 h", 529_200)] {
            assert_eq!(text, span(seconds));
        }
    }

    #[test]
    fn a_date_is_said_once_where_it_is_the_same() {
        let start = Timestamp::from_seconds(1_795_394_208);
        assert_eq!("2026-11-23 00:36:48 UTC", moment(start));
        assert_eq!("2026-11-23 00:36:48 to 00:48:51 UTC", from_to(start, Timestamp(start.0 + 723_900_000)));
        assert_eq!("2026-11-23 00:36:48 to 2026-11-24 00:36:48 UTC", from_to(start, Timestamp(start.0 + DAY)));
    }
}
