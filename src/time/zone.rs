//! Written times settled: the zone, the year and the day that a stamp leaves out.
//!
//! Zones and their rules are jiff's (the system's database, a bundled one where there is none). What a stamp leaves out
//! is found from the source's last time and the file's date, never from the present.

use jiff::civil;
use jiff::tz::AmbiguousOffset;
use jiff::tz::TimeZone;

use super::DAY;
use super::HOUR;
use super::MINUTE;
use super::SECOND;
use super::Stamp;
use super::Timestamp;
use super::civil_from_days;
use super::days_from_civil;
use super::days_in_month;

/// A zone by which local times are read.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// The zone of an IANA name (`Europe/Berlin`), `UTC`, or a fixed offset (`+02:00`); `None` if there is none such.
    pub fn named(name: &str) -> Option<Self> {
        let fixed = || {
            let offset = name.strip_prefix("UTC").unwrap_or(name);
            let (sign, digits) = match offset.as_bytes().first()? {
                b'+' => (1, &offset[1..]),
                b'-' => (-1, &offset[1..]),
                _ => return None,
            };
            let digits = digits.replace(':', "");
            let (hours, minutes) = (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..).filter(|m| !m.is_empty()));
            let minutes = minutes.map_or(Some(0), |m| m.parse::<i32>().ok())?;
            let seconds = sign * (hours * 3600 + minutes * 60);
            jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
        };
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Some(Self::utc());
        }
        let zone = TimeZone::get(name).ok().or_else(fixed)?;
        Some(Self { zone, name: name.to_owned() })
    }

    /// A zone with the name that the report gives it.
    pub fn new(zone: TimeZone, name: impl Into<String>) -> Self {
        Self { zone, name: name.into() }
    }

    /// UTC.
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// The system's zone (`TZ`, else its setting, else UTC).
    pub fn system() -> Self {
        let zone = TimeZone::system();
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        Self { zone, name }
    }

    /// Its name, as the report gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The moment of a local time (microseconds since 1970 as if UTC). A time that happens twice is the first, unless
    /// that steps back from `last` by more than 30 minutes; a time that the clock leaves out is read with the offset
    /// before the gap.
    pub fn moment(&self, local: i64, last: Option<Timestamp>) -> Timestamp {
        let Some(datetime) = datetime(local) else { return Timestamp(local) };
        let at = |offset: jiff::tz::Offset| Timestamp(local - i64::from(offset.seconds()) * SECOND);
        match self.zone.to_ambiguous_timestamp(datetime).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Gap { before, .. } => at(before),
            AmbiguousOffset::Fold { before, after } => {
                let first = at(before);
                if last.is_some_and(|last| last.micros() - first.micros() > 30 * MINUTE) { at(after) } else { first }
            }
        }
    }

    /// The local time of a moment: microseconds since 1970 as if UTC.
    pub fn local(&self, moment: Timestamp) -> i64 {
        let Ok(exact) = jiff::Timestamp::from_microsecond(moment.micros()) else { return moment.micros() };
        moment.micros() + i64::from(self.zone.to_offset(exact).seconds()) * SECOND
    }

    /// How long the offset at a local time surely holds: the offset in microseconds and the local hour it was found
    /// for, if that whole hour has one offset.
    fn steady(&self, local: i64) -> Option<(i64, i64)> {
        let hour = local.div_euclid(HOUR);
        let offset = |local: i64| match self.zone.to_ambiguous_timestamp(datetime(local)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(i64::from(offset.seconds()) * SECOND),
            _ => None,
        };
        let (first, last) = (offset(hour * HOUR)?, offset(hour * HOUR + HOUR - 1)?);
        (first == last).then_some((first, hour))
    }
}

fn datetime(local: i64) -> Option<civil::DateTime> {
    let (year, month, day) = civil_from_days(local.div_euclid(DAY));
    let in_day = local.rem_euclid(DAY);
    let part = |n: i64| i8::try_from(n).ok();
    civil::DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        part(in_day / HOUR)?,
        part(in_day / MINUTE % 60)?,
        part(in_day / SECOND % 60)?,
        i32::try_from(in_day % SECOND * 1000).ok()?,
    )
    .ok()
}

/// A stamp settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The moment.
    pub time: Timestamp,
    /// Something was not written and had to be assumed: the zone, the year or the day.
    pub assumed: bool,
    /// It may depend on the source's last time.
    pub by_last: bool,
}

/// Settles stamps of one source.
#[derive(Debug, Clone)]
pub struct Dating {
    zone: Zone,
    /// The file's date: what a missing year or day is nearest to.
    near: Timestamp,
    steady: Option<(i64, i64)>,
}

impl Dating {
    /// By a zone and the date of the file (or the present, live).
    pub fn new(zone: Zone, near: Timestamp) -> Self {
        Self { zone, near, steady: None }
    }

    /// The moment a stamp means. `last` is the source's last time.
    #[inline]
    pub fn settle(&mut self, stamp: Stamp, last: Option<Timestamp>) -> Settled {
        let (time, assumed, by_last) = match stamp {
            Stamp::Exact(moment) => (moment, false, false),
            Stamp::Local(local) => (self.local(local, last), true, self.steady.is_none()),
            Stamp::Yearless { month, day, in_day } => (self.yearless(month, day, in_day, last), true, self.steady.is_none()),
            Stamp::OfDay(in_day) => (self.of_day(in_day, last), true, true),
        };
        Settled { time, assumed, by_last }
    }

    fn local(&mut self, local: i64, last: Option<Timestamp>) -> Timestamp {
        let hour = local.div_euclid(HOUR);
        if let Some((offset, steady)) = self.steady
            && steady == hour
        {
            return Timestamp(local - offset);
        }
        self.steady = self.zone.steady(local);
        self.zone.moment(local, last)
    }

    fn yearless(&mut self, month: u8, day: u8, in_day: i64, last: Option<Timestamp>) -> Timestamp {
        let near = self.zone.local(self.near);
        let (year, ..) = civil_from_days(near.div_euclid(DAY));
        let best = (year - 4..=year + 4)
            .filter(|year| day <= days_in_month(*year, month))
            .map(|year| days_from_civil(year, month, day) * DAY + in_day)
            .min_by_key(|local| (local - near).abs());
        self.local(best.unwrap_or(near), last)
    }

    fn of_day(&mut self, in_day: i64, last: Option<Timestamp>) -> Timestamp {
        let near = self.zone.local(last.unwrap_or(self.near));
        let today = near.div_euclid(DAY);
        // before any time is known the file's date is the end of the log, not its middle
        let days = if last.is_some() { -1..=1 } else { -1..=0 };
        let best = days.map(|d| (today + d) * DAY + in_day).filter(|local| last.is_some() || *local <= near + MINUTE);
        let best = best.min_by_key(|local| (local - near).abs()).unwrap_or((today - 1) * DAY + in_day);
        self.local(best, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::iso;

    fn utc(text: &str) -> Timestamp {
        match iso(text.as_bytes()) {
            Some((Stamp::Exact(t), _)) => t,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn local(text: &str) -> i64 {
        match iso(text.as_bytes()) {
            Some((Stamp::Local(t), _)) => t,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_hour_that_happens_twice_is_the_first_unless_that_steps_back() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let twice = local("2026-10-25 02:10:00");
        assert_eq!(utc("2026-10-25T00:10:00Z"), berlin.moment(twice, None));
        assert_eq!(utc("2026-10-25T00:10:00Z"), berlin.moment(twice, Some(utc("2026-10-25T00:20:00Z"))));
        assert_eq!(utc("2026-10-25T01:10:00Z"), berlin.moment(twice, Some(utc("2026-10-25T00:59:59Z"))));
    }

    #[test]
    fn an_hour_that_is_left_out_is_shifted_and_never_lost() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(utc("2026-03-29T01:30:00Z"), berlin.moment(local("2026-03-29 02:30:00"), None));
    }

    #[test]
    fn the_quick_way_gives_what_the_slow_way_gives() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let mut dating = Dating::new(berlin.clone(), utc("2026-10-26T00:00:00Z"));
        let mut last = None;
        for minute in 0..(3 * 24 * 60) {
            let at = local("2026-10-24 00:00:00") + minute * MINUTE;
            let want = berlin.moment(at, last);
            assert_eq!(want, dating.settle(Stamp::Local(at), last).time);
            last = Some(want);
        }
    }

    #[test]
    fn a_missing_year_is_the_one_nearest_to_the_files_date() {
        let mut dating = Dating::new(Zone::utc(), utc("2027-01-02T00:00:00Z"));
        let dec = Stamp::Yearless { month: 12, day: 31, in_day: 0 };
        let jan = Stamp::Yearless { month: 1, day: 1, in_day: 0 };
        assert_eq!(utc("2026-12-31T00:00:00Z"), dating.settle(dec, None).time);
        assert_eq!(utc("2027-01-01T00:00:00Z"), dating.settle(jan, None).time);
        let leap = Stamp::Yearless { month: 2, day: 29, in_day: 0 };
        assert_eq!(utc("2028-02-29T00:00:00Z"), dating.settle(leap, None).time);
    }

    #[test]
    fn a_missing_day_follows_the_last_line_over_midnight() {
        let mut dating = Dating::new(Zone::utc(), utc("2026-11-23T00:10:00Z"));
        assert_eq!(utc("2026-11-22T23:59:00Z"), dating.settle(Stamp::OfDay(23 * HOUR + 59 * MINUTE), None).time);
        let last = Some(utc("2026-11-22T23:59:00Z"));
        assert_eq!(utc("2026-11-23T00:01:00Z"), dating.settle(Stamp::OfDay(MINUTE), last).time);
    }

    #[test]
    fn zones_are_named_or_fixed() {
        assert_eq!(utc("2026-11-23T10:00:00Z"), Zone::named("+02:00").unwrap().moment(local("2026-11-23 12:00:00"), None));
        assert_eq!(utc("2026-11-23T17:30:00Z"), Zone::named("UTC-0530").unwrap().moment(local("2026-11-23 12:00:00"), None));
        assert!(Zone::named("Mars/Olympus").is_none());
    }
}
