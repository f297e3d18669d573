//! Times as a `datefmt` writes them: strftime directives compiled once.
//!
//! Directives are those of Python's `datetime` documentation in the C locale, glibc's `%e %k %l %D %F %R %T %r %s`
//! and the unpadded `%-d`. The week numbers (`%U %W %V %G %u %w`) are read and say nothing.

use super::FormatError;
use crate::time::DAY;
use crate::time::HOUR;
use crate::time::MINUTE;
use crate::time::SECOND;
use crate::time::Stamp;
use crate::time::Timestamp;
use crate::time::civil;
use crate::time::civil_from_days;
use crate::time::days_from_civil;
use crate::time::days_in_month;

/// A compiled `datefmt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strftime {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(u8),
    /// A number: what it is, and the most digits it has.
    Number(Unit, u8),
    Fraction,
    MonthName,
    DayName,
    HalfDay,
    Zone,
    ZoneName,
    Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    DayOfYear,
    Nothing,
}

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

/// What has been read of a time.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    year: Option<i64>,
    month: Option<u8>,
    day: Option<u8>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    offset: Option<i64>,
    epoch: Option<i64>,
}

impl Strftime {
    /// The reader of what `format` writes.
    ///
    /// # Errors
    /// Where a directive is not known.
    pub fn new(format: &str) -> Result<Self, FormatError> {
        let mut parts = Vec::new();
        let mut signs = format.bytes().enumerate();
        while let Some((at, byte)) = signs.next() {
            if byte != b'%' {
                parts.push(Part::Literal(byte));
                continue;
            }
            let mut sign = signs.next();
            while let Some((_, b'-' | b'_' | b'#' | b'E' | b'O')) = sign {
                sign = signs.next();
            }
            let Some((_, letter)) = sign else {
                return Err(FormatError::new(at, "a percent sign at the end of the datefmt; the sign itself is written %%"));
            };
            if !directive(letter, &mut parts) {
                return Err(FormatError::new(
                    at,
                    format!("the datefmt has '%{}', which is no directive of strftime", char::from(letter).escape_default()),
                ));
            }
        }
        Ok(Self { parts })
    }

    /// The time at the start of `text` and the bytes it takes; `None` where it is not of this form, or impossible.
    pub fn read(&self, text: &[u8]) -> Option<(Stamp, usize)> {
        let mut seen = Seen::default();
        let mut rest = text;
        for part in &self.parts {
            let taken = seen.take(*part, rest)?;
            rest = rest.get(taken..)?;
        }
        Some((seen.stamp()?, text.len() - rest.len()))
    }
}

/// Adds what `%letter` stands for; false where it is nothing.
fn directive(letter: u8, parts: &mut Vec<Part>) -> bool {
    let composed = |text: &str, parts: &mut Vec<Part>| {
        let mut directed = false;
        for byte in text.bytes() {
            match (directed, byte) {
                (true, letter) => directed = !directive(letter, parts),
                (false, b'%') => directed = true,
                (false, byte) => parts.push(Part::Literal(byte)),
            }
        }
    };
    let part = match letter {
        b'Y' => Part::Number(Unit::Year, 4),
        b'y' => Part::Number(Unit::ShortYear, 2),
        b'm' => Part::Number(Unit::Month, 2),
        b'd' | b'e' => Part::Number(Unit::Day, 2),
        b'H' | b'I' | b'k' | b'l' => Part::Number(Unit::Hour, 2),
        b'M' => Part::Number(Unit::Minute, 2),
        b'S' => Part::Number(Unit::Second, 2),
        b'j' => Part::Number(Unit::DayOfYear, 3),
        b'U' | b'W' | b'V' | b'u' | b'w' | b'g' | b'C' => Part::Number(Unit::Nothing, 2),
        b'G' => Part::Number(Unit::Nothing, 4),
        b'f' | b'L' => Part::Fraction,
        b'b' | b'B' | b'h' => Part::MonthName,
        b'a' | b'A' => Part::DayName,
        b'p' | b'P' => Part::HalfDay,
        b'z' => Part::Zone,
        b'Z' => Part::ZoneName,
        b's' => Part::Epoch,
        b'%' => Part::Literal(b'%'),
        b'n' => Part::Literal(b'\n'),
        b't' => Part::Literal(b'\t'),
        _ => {
            let text = match letter {
                b'T' | b'X' => "%H:%M:%S",
                b'R' => "%H:%M",
                b'D' | b'x' => "%m/%d/%y",
                b'F' => "%Y-%m-%d",
                b'r' => "%I:%M:%S %p",
                b'c' => "%a %b %e %H:%M:%S %Y",
                _ => return false,
            };
            composed(text, parts);
            return true;
        }
    };
    parts.push(part);
    true
}

/// Up to `most` digits, blanks before them counted in (`%e`): the value and the bytes taken.
fn digits(text: &[u8], most: usize) -> Option<(i64, usize)> {
    let blanks = text.iter().take(most.saturating_sub(1)).take_while(|b| **b == b' ').count();
    let mut value = 0;
    let mut taken = blanks;
    for byte in text.iter().skip(blanks).take(most - blanks).take_while(|b| b.is_ascii_digit()) {
        value = value * 10 + i64::from(byte - b'0');
        taken += 1;
    }
    (taken > blanks).then_some((value, taken))
}

fn letters(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    text.get(..length).unwrap_or_default()
}

/// `+0100`, `+01:00`, `+01`, `Z`: the offset in microseconds and the bytes taken. Python writes nothing at all where a
/// time has no zone.
fn zone(text: &[u8]) -> (Option<i64>, usize) {
    let Some((&sign, rest)) = text.split_first() else { return (None, 0) };
    if sign == b'Z' {
        return (Some(0), 1);
    }
    let two = |at: usize| digits(rest.get(at..at + 2)?, 2).filter(|(_, n)| *n == 2).map(|(v, _)| v);
    let (true, Some(hours)) = (matches!(sign, b'+' | b'-'), two(0)) else { return (None, 0) };
    let colon = usize::from(rest.get(2) == Some(&b':'));
    let (minutes, taken) = two(2 + colon).map_or((0, 3), |m| (m, 5 + colon));
    let offset = hours * HOUR + minutes * MINUTE;
    (Some(if sign == b'-' { -offset } else { offset }), taken)
}

impl Seen {
    /// Takes `part` from the start of `text`: the bytes it takes.
    fn take(&mut self, part: Part, text: &[u8]) -> Option<usize> {
        match part {
            Part::Literal(byte) => (text.first() == Some(&byte)).then_some(1),
            Part::Number(unit, most) => {
                let (value, taken) = digits(text, usize::from(most))?;
                self.number(unit, value)?;
                Some(taken)
            }
            Part::Fraction => {
                let length = text.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
                self.micros =
                    text.get(..length)?.iter().chain(b"000000").take(6).fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
                (length > 0).then_some(length)
            }
            Part::MonthName => {
                let word = letters(text);
                let lower = |name: &str| {
                    word.len() >= 3 && name.as_bytes().get(..word.len()).is_some_and(|n| n.eq_ignore_ascii_case(word))
                };
                self.month = Some(u8::try_from(MONTHS.iter().position(|m| lower(m))? + 1).ok()?);
                Some(word.len())
            }
            Part::DayName => Some(letters(text).len()).filter(|n| *n >= 3),
            Part::HalfDay => {
                let word = text.get(..2)?;
                self.afternoon = Some(word.eq_ignore_ascii_case(b"PM"));
                (self.afternoon == Some(true) || word.eq_ignore_ascii_case(b"AM")).then_some(2)
            }
            Part::Zone => {
                let (offset, taken) = zone(text);
                self.offset = offset;
                Some(taken)
            }
            Part::ZoneName => {
                let name = letters(text);
                if matches!(name, b"UTC" | b"GMT" | b"Z") {
                    self.offset = self.offset.or(Some(0));
                }
                Some(name.len())
            }
            Part::Epoch => {
                let length = text.iter().take(11).take_while(|b| b.is_ascii_digit()).count();
                self.epoch = Some(digits(text.get(..length)?, 11)?.0);
                Some(length)
            }
        }
    }

    /// Keeps a number that can be what it should be.
    fn number(&mut self, unit: Unit, value: i64) -> Option<()> {
        let small = u8::try_from(value.min(255)).ok()?;
        match unit {
            Unit::Year => self.year = Some(value),
            Unit::ShortYear => self.year = Some(if value < 69 { 2000 + value } else { 1900 + value }),
            Unit::Month => self.month = (1..=12).contains(&small).then_some(small),
            Unit::Day => self.day = (1..=31).contains(&small).then_some(small),
            Unit::Hour => self.hour = value,
            Unit::Minute => self.minute = value,
            Unit::Second => self.second = value,
            Unit::DayOfYear => self.day_of_year = Some(value),
            Unit::Nothing => {}
        }
        let fits = match unit {
            Unit::Month => self.month.is_some(),
            Unit::Day => self.day.is_some(),
            Unit::Hour => value < 24,
            Unit::Minute => value < 60,
            Unit::Second => value <= 60,
            Unit::DayOfYear => (1..=366).contains(&value),
            Unit::Year | Unit::ShortYear | Unit::Nothing => true,
        };
        fits.then_some(())
    }

    /// The time that was written, as far as it was.
    fn stamp(&self) -> Option<Stamp> {
        if let Some(seconds) = self.epoch {
            return Some(Stamp::Exact(Timestamp(seconds * SECOND + self.micros)));
        }
        let hour = match self.afternoon {
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let leap = self.second == 60;
        let in_day =
            hour * HOUR + self.minute * MINUTE + self.second.min(59) * SECOND + if leap { SECOND - 1 } else { self.micros };
        let (year, month, day) = match (self.year, self.month, self.day, self.day_of_year) {
            (Some(year), Some(month), Some(day), _) => (year, month, day),
            (Some(year), _, _, Some(day)) => civil_from_days(days_from_civil(year, 1, 1) + day - 1),
            (None, Some(month), Some(day), _) if day <= days_in_month(2024, month) => {
                return Some(Stamp::Yearless { month, day, in_day });
            }
            (None, None, None, None) => return Some(Stamp::OfDay(in_day)),
            _ => return None,
        };
        let local = civil(year, month, day, in_day.min(DAY - 1))?;
        Some(self.offset.map_or(Stamp::Local(local), |offset| Stamp::Exact(Timestamp(local - offset))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Option<(Stamp, usize)> {
        Strftime::new(format).unwrap().read(text.as_bytes())
    }

    /// 2026-11-22 19:34:34 as if UTC: `date -u -d '2026-11-22 19:34:34' +%s`.
    const EVENING: i64 = 1_795_376_074 * SECOND;

    #[test]
    fn one_evening_is_the_same_however_it_is_written() {
        for (format, text) in [
            ("%d/%m/%Y %I:%M:%S %p", "22/11/2026 07:34:34 PM"),
            ("%m/%d/%Y %I:%M:%S %p", "11/22/2026 07:34:34 pm"),
            ("%Y-%m-%d %H:%M:%S", "2026-11-22 19:34:34"),
            ("%F %T", "2026-11-22 19:34:34"),
            ("%a %d %b %Y %X", "Sun 22 Nov 2026 19:34:34"),
            ("%A, %-d. %B %y %-H:%M:%S", "Sunday, 22. November 26 19:34:34"),
            ("%c", "Sun Nov 22 19:34:34 2026"),
            ("%Y %j %H%M%S", "2026 326 193434"),
            ("%Y%m%d%H%M%S", "20261122193434"),
        ] {
            assert_eq!(Some((Stamp::Local(EVENING), text.len())), read(format, text), "{format}");
        }
    }

    #[test]
    fn a_zone_makes_a_time_exact_and_a_foreign_name_does_not() {
        let exact = |micros| Some(Stamp::Exact(Timestamp(micros)));
        let stamp = |format, text| read(format, text).map(|(s, _)| s);
        assert_eq!(exact(EVENING - HOUR), stamp("%Y-%m-%dT%H:%M:%S%z", "2026-11-22T19:34:34+0100"));
        assert_eq!(exact(EVENING + 5 * HOUR + 30 * MINUTE), stamp("%F %T %z", "2026-11-22 19:34:34 -05:30"));
        assert_eq!(exact(EVENING), stamp("%F %T %Z", "2026-11-22 19:34:34 UTC"));
        assert_eq!(exact(EVENING), stamp("%s", "1795376074"));
        assert_eq!(Some(Stamp::Local(EVENING)), stamp("%F %T %Z", "2026-11-22 19:34:34 CET"));
        assert_eq!(Some(Stamp::Local(EVENING)), stamp("%F %T%z", "2026-11-22 19:34:34"));
    }

    #[test]
    fn what_was_not_written_stays_open() {
        let in_day = 19 * HOUR + 34 * MINUTE + 34 * SECOND;
        assert_eq!(Some((Stamp::OfDay(in_day + 250_000), 12)), read("%H:%M:%S.%f", "19:34:34.250 x"));
        assert_eq!(Some((Stamp::Yearless { month: 11, day: 2, in_day }, 15)), read("%b %e %T", "Nov  2 19:34:34"));
    }

    #[test]
    fn midnight_and_noon_of_the_twelve_hour_clock() {
        assert_eq!(Some((Stamp::OfDay(0), 8)), read("%I:%M %p", "12:00 AM"));
        assert_eq!(Some((Stamp::OfDay(12 * HOUR), 8)), read("%I:%M %p", "12:00 PM"));
        assert_eq!(None, read("%I:%M %p", "13:00 PM"));
    }

    #[test]
    fn impossible_times_and_directives_are_refused() {
        assert_eq!(None, read("%d/%m/%Y", "11/22/2026"));
        assert_eq!(None, read("%Y-%m-%d", "2026-02-29"));
        assert_eq!(None, read("%H:%M", "24:00"));
        assert_eq!(Some(2), Strftime::new("%H%q").err().map(|e| e.at));
        assert_eq!(Some(2), Strftime::new("%H%").err().map(|e| e.at));
    }
}
