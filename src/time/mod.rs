//! Points in time: microseconds since 1970 UTC; the written forms that are read, and the one that is printed.
//!
//! Knows no clock: the present comes in as data. Zones are jiff's; civil arithmetic is the proleptic Gregorian
//! calendar by the days-from-civil method (Howard Hinnant, "chrono-compatible low-level date algorithms").

pub mod zone;

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// A point in time: microseconds since 1970-01-01T00:00:00Z. Leap seconds are clamped into their minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

impl Timestamp {
    /// From whole seconds since 1970 UTC.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// The second it lies in, counted since 1970 UTC.
    pub fn second(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Microseconds since 1970 UTC.
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// RFC 3339 in UTC, with as many decimals as needed: none or six.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (in_day / HOUR, in_day / MINUTE % 60);
        let (second, micros) = (in_day / SECOND % 60, in_day % SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

/// A time as a line writes it, before the zone, the year or the day are known. `drive::pipeline` settles it with `zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stamp {
    /// With its zone: nothing left to find out.
    Exact(Timestamp),
    /// Date and time of day without a zone: microseconds since 1970 as if it were UTC.
    Local(i64),
    /// Without year and zone (RFC 3164): month 1 to 12, day 1 to 31, microseconds since midnight.
    Yearless {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// Microseconds since midnight.
        in_day: i64,
    },
    /// A time of day alone (honcho, rich): microseconds since midnight.
    OfDay(i64),
}

/// Days since 1970-01-01 of a civil date. `month` 1 to 12, `day` 1 to 31; no check is made.
pub fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let month = i64::from(month);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month (1 to 12) and day (1 to 31) of days since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * of_year + 2) / 153;
    let day = of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

/// Days of a month, leap years included.
pub fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Microseconds since 1970, as if UTC, of a checked civil date and time of day; `None` where it cannot be.
/// `second` may be 60 (clamped to 59.999999).
pub fn civil(year: i64, month: u8, day: u8, in_day: i64) -> Option<i64> {
    let possible = (1970..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    (possible && (0..DAY).contains(&in_day)).then(|| days_from_civil(year, month, day) * DAY + in_day)
}

/// A reader over the bytes of a written time: each step takes what it names or fails.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn skip(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.skip(1))
    }

    fn eat_any(&mut self, set: &[u8]) -> Option<u8> {
        let byte = self.peek()?;
        set.contains(&byte).then(|| {
            self.skip(1);
            byte
        })
    }

    /// Exactly `n` digits.
    fn digits(&mut self, n: usize) -> Option<i64> {
        let mut value = 0;
        for &byte in self.rest.get(..n)? {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        self.skip(n);
        Some(value)
    }

    /// `HH:MM:SS` and an optional fraction of one to nine digits behind `.` or `,`: microseconds since midnight.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.eat(b':')?;
        let minute = self.digits(2)?;
        self.eat(b':')?;
        let second = self.digits(2)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut micros = 0;
        if matches!(self.peek(), Some(b'.' | b',')) && self.rest.get(1).is_some_and(u8::is_ascii_digit) {
            self.skip(1);
            let mut scale = SECOND / 10;
            while let Some(byte) = self.peek().filter(u8::is_ascii_digit) {
                micros += i64::from(byte - b'0') * scale;
                scale /= 10;
                self.skip(1);
            }
        }
        let leap = second == 60;
        let whole = hour * HOUR + minute * MINUTE + second.min(59) * SECOND;
        Some(whole + if leap { SECOND - 1 } else { micros })
    }

    /// `Z`, `+hhmm`, `+hh:mm`, `+hh`, ` UTC`, ` GMT`, with or without one blank before it: the offset in microseconds.
    fn zone(&mut self) -> Option<i64> {
        let start = self.rest;
        let blank = self.eat(b' ').is_some();
        let offset = self.zone_itself(blank);
        if offset.is_none() {
            self.rest = start;
        }
        offset
    }

    fn zone_itself(&mut self, blank: bool) -> Option<i64> {
        match self.peek()? {
            b'Z' if !blank => {
                self.skip(1);
                Some(0)
            }
            b'U' | b'G' if self.rest.starts_with(b"UTC") || self.rest.starts_with(b"GMT") => {
                self.skip(3);
                Some(0)
            }
            sign @ (b'+' | b'-') => {
                self.skip(1);
                let hours = self.digits(2)?;
                let _ = self.eat(b':');
                let minutes = if self.peek().is_some_and(|b| b.is_ascii_digit()) { self.digits(2)? } else { 0 };
                if blank && self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-') || hours > 18 || minutes > 59 {
                    return None;
                }
                let offset = hours * HOUR + minutes * MINUTE;
                Some(if sign == b'-' { -offset } else { offset })
            }
            _ => None,
        }
    }

    /// ` CDT]`: passed over.
    fn zone_name(&mut self) {
        let letters = self.rest.iter().skip(1).take_while(|b| b.is_ascii_uppercase()).count();
        if self.peek() == Some(b' ') && (2..=5).contains(&letters) && self.rest.get(letters + 1) == Some(&b']') {
            self.skip(letters + 1);
        }
    }

    fn month_name(&mut self) -> Option<u8> {
        let name = self.rest.get(..3)?;
        let at = MONTHS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(name))?;
        self.skip(3);
        u8::try_from(at + 1).ok()
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn settled(civil: i64, offset: Option<i64>) -> Stamp {
    offset.map_or(Stamp::Local(civil), |o| Stamp::Exact(Timestamp(civil - o)))
}

/// `2026-11-23T00:36:48.314330Z` and its relatives (blank for `T`, `/` for `-`, `,` before the fraction, zone with or
/// without colon, or none) at the start of `bytes`: the stamp and the number of bytes it takes.
pub fn iso(bytes: &[u8]) -> Option<(Stamp, usize)> {
    iso_of_micros(bytes).or_else(|| iso_of_any_form(bytes))
}

/// The form that most loggers of JSON write, `2026-11-23T00:36:48.314330Z`, all digits at their places.
#[inline]
fn iso_of_micros(bytes: &[u8]) -> Option<(Stamp, usize)> {
    const LENGTH: usize = 27;
    let chunk = bytes.first_chunk::<LENGTH>()?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', ref fraction @ .., b'Z'] =
        chunk
    else {
        return None;
    };
    let mut wrong = false;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0_i64, |sum, byte| {
            let digit = byte.wrapping_sub(b'0');
            wrong |= digit > 9;
            sum * 10 + i64::from(digit)
        })
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let (hour, minute, second) = (number(&[h1, h2]), number(&[n1, n2]), number(&[s1, s2]));
    let micros = number(fraction);
    if wrong || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let in_day = hour * HOUR + minute * MINUTE + second * SECOND + micros;
    let civil = civil(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?, in_day)?;
    Some((Stamp::Exact(Timestamp(civil)), LENGTH))
}

/// The last minute that was read in that form: lines of one log stand close together, and most say the same minute again.
/// Only a shortcut: it gives what [`iso`] gives, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Minute {
    /// `2026-11-23T00:36`, and when that began; `None` before any.
    seen: Option<([u8; 16], i64)>,
}

impl Minute {
    /// That of the time at the start of `bytes`, where it is written in that form.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (Stamp::Exact(Timestamp(at)), _) = iso_of_micros(bytes)? else { return None };
        Some(Self { seen: Some((*bytes.first_chunk()?, at - at.rem_euclid(MINUTE))) })
    }

    /// The time at the start of `bytes`, where it lies in this minute and is written in that form.
    #[inline]
    pub fn stamp(&self, bytes: &[u8]) -> Option<Stamp> {
        let (text, start) = self.seen?;
        let (minute, rest) = bytes.split_first_chunk::<16>()?;
        let &[b':', s1, s2, b'.', f1, f2, f3, f4, f5, f6, b'Z'] = rest.first_chunk::<11>()? else { return None };
        if u128::from_le_bytes(*minute) != u128::from_le_bytes(text) || s1 > b'5' {
            return None;
        }
        let digits = [s1, s2, f1, f2, f3, f4, f5, f6].map(|b| b.wrapping_sub(b'0'));
        if digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let micros = digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(*digit));
        Some(Stamp::Exact(Timestamp(start + micros)))
    }
}

fn iso_of_any_form(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut at = Cursor { rest: bytes };
    let year = at.digits(4)?;
    let dash = at.eat_any(b"-/")?;
    let month = at.digits(2)?;
    at.eat(dash)?;
    let day = at.digits(2)?;
    at.eat_any(b"T t_")?;
    let in_day = at.time_of_day()?;
    let civil = civil(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?, in_day)?;
    let offset = at.zone();
    Some((settled(civil, offset), bytes.len() - at.rest.len()))
}

/// `23/Nov/2026:00:47:16 +0000` (without zone too, as daphne writes it; with a blank before the clock, as werkzeug
/// does) at the start of `bytes`: the stamp and the number of bytes it takes. A zone that is only named (`CDT`) is passed
/// over: such names mean several zones, so the time is one without zone.
pub fn clf(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut at = Cursor { rest: bytes };
    let day = at.digits(2)?;
    at.eat(b'/')?;
    let month = at.month_name()?;
    at.eat(b'/')?;
    let year = at.digits(4)?;
    at.eat_any(b": ")?;
    let in_day = at.time_of_day()?;
    let civil = civil(year, month, u8::try_from(day).ok()?, in_day)?;
    let offset = at.zone();
    if offset.is_none() {
        at.zone_name();
    }
    Some((settled(civil, offset), bytes.len() - at.rest.len()))
}

/// `Nov 23 00:35:28` or `Nov  3 00:35:28` (RFC 3164) at the start of `bytes`: the stamp and the bytes it takes.
pub fn yearless(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut at = Cursor { rest: bytes };
    let month = at.month_name()?;
    at.eat(b' ')?;
    let day = if at.eat(b' ').is_some() { at.digits(1)? } else { at.digits(2)? };
    at.eat(b' ')?;
    let in_day = at.time_of_day()?;
    let day = u8::try_from(day).ok().filter(|d| (1..=days_in_month(2024, month)).contains(d))?;
    Some((Stamp::Yearless { month, day, in_day }, bytes.len() - at.rest.len()))
}

/// `00:47:52` or `00:47:52.123` at the start of `bytes`: the stamp and the bytes it takes.
pub fn of_day(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut at = Cursor { rest: bytes };
    let in_day = at.time_of_day()?;
    Some((Stamp::OfDay(in_day), bytes.len() - at.rest.len()))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970 (told apart by size: all are written for years 2001
/// to 2286), with an optional fraction, as the whole of `bytes`.
pub fn epoch(bytes: &[u8]) -> Option<Stamp> {
    let dot = bytes.iter().position(|&b| b == b'.').unwrap_or(bytes.len());
    let (whole, fraction) = (bytes.get(..dot)?, bytes.get(dot + 1..).unwrap_or_default());
    if !(9..=19).contains(&whole.len()) || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut value: i64 = 0;
    for &byte in whole {
        value = value.checked_mul(10)?.checked_add(i64::from(byte.checked_sub(b'0').filter(|d| *d < 10)?))?;
    }
    let micros = match whole.len() {
        9..=10 => {
            let part = fraction.iter().chain(b"000000").take(6).fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
            value * SECOND + part
        }
        11..=13 => value * 1000,
        14..=16 => value,
        _ => value / 1000,
    };
    Some(Stamp::Exact(Timestamp(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        match iso(text.as_bytes()) {
            Some((Stamp::Exact(t), _)) => t,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn written_forms_of_one_moment_are_the_same_moment() {
        let moment = utc("2026-11-23T00:36:48Z");
        assert_eq!(1_795_394_208, moment.second());
        for (text, taken) in
            [("2026-11-23 01:36:48 +0100", 25), ("2026-11-22T19:36:48-05:00", 25), ("2026/11/23 00:36:48+00", 22)]
        {
            assert_eq!(Some((Stamp::Exact(moment), taken)), iso(text.as_bytes()), "{text}");
        }
        assert_eq!(Some((Stamp::Exact(moment), 26)), clf(b"23/Nov/2026:00:36:48 +0000] \"GET"));
        assert_eq!(Some(Stamp::Exact(moment)), epoch(b"1795394208"));
        assert_eq!(Some(Stamp::Exact(moment)), epoch(b"1795394208000"));
    }

    #[test]
    fn a_time_without_zone_stays_local() {
        assert_eq!(Some((Stamp::Local(1_795_394_208_110_000), 23)), iso(b"2026-11-23 00:36:48,110 - x"));
        assert_eq!(Some((Stamp::Local(1_795_394_208_000_000), 20)), clf(b"23/Nov/2026:00:36:48] x"));
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in
            ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T00:60:00Z", "2026-11-23"]
        {
            assert_eq!(None, iso(text.as_bytes()), "{text}");
        }
        assert_eq!(None, yearless(b"Feb 30 00:00:00"));
        assert!(yearless(b"Feb 29 00:00:00").is_some());
    }

    #[test]
    fn a_minute_seen_before_is_read_as_any_other() {
        let minute = Minute::of(b"2026-11-23T00:36:48.314330Z").unwrap();
        let mut taken = 0;
        for text in [
            "2026-11-23T00:36:48.314330Z",
            "2026-11-23T00:36:00.000000Z\"",
            "2026-11-23T00:36:59.999999Z",
            "2026-11-23T00:36:60.000000Z",
            "2026-11-23T00:36:48.31433Z",
            "2026-11-23T00:36:4:.314330Z",
            "2026-11-23T00:36:48.314330+",
            "2026-11-23T00:37:48.314330Z",
            "2026-11-23 00:36:48.314330Z",
            "2026-11-23T00:36:48",
            "",
        ] {
            if let Some(stamp) = minute.stamp(text.as_bytes()) {
                assert_eq!(iso(text.as_bytes()).map(|(stamp, _)| stamp), Some(stamp), "{text}");
                taken += 1;
            }
        }
        assert_eq!(3, taken);
        assert_eq!(None, Minute::default().stamp(b"2026-11-23T00:36:48.314330Z"));
        assert_eq!(None, Minute::default().stamp(&[&[0; 16][..], b":48.314330Z"].concat()));
        assert!(Minute::of(b"2026-11-23T00:36:48").is_none());
    }

    #[test]
    fn a_leap_second_is_clamped_into_its_minute() {
        assert_eq!("2016-12-31T23:59:59.999999Z", utc("2016-12-31T23:59:60Z").to_string());
    }

    #[test]
    fn printing_and_reading_give_the_same() {
        for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-23T00:36:48.314330Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(text, utc(text).to_string());
        }
    }

    #[test]
    fn digits_at_their_places_are_read_as_any_form_is() {
        let right = "2026-11-23T00:36:48.314330Z";
        for at in 0..right.len() {
            for sign in ["0", "9", "6", "-", ":", "x", "\u{0}", " ", "Z"] {
                let text = format!("{}{sign}{}", &right[..at], &right[at + 1..]);
                let (short, any) = (iso_of_micros(text.as_bytes()), iso_of_any_form(text.as_bytes()));
                assert!(short.is_none() || short == any, "{text}");
                assert_eq!(any, iso(text.as_bytes()), "{text}");
            }
        }
        assert!(iso_of_micros(right.as_bytes()).is_some() && iso_of_micros(&right.as_bytes()[..26]).is_none());
    }
}
