//! Points in time and zones as they are typed: `--since`, `--until`, `--deploy`, `--timezone`.
//!
//! Pure: the present and the zone come in. The forms are those of the contract: RFC 3339, `2026-11-22 10:00`, a date
//! alone, `now`, `today`, `yesterday`, and an age such as `15m`, `6h` or `2d`.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use crate::cli::config::value;
use crate::time;
use crate::time::DAY;
use crate::time::Stamp;
use crate::time::Timestamp;

/// The point in time that `text` means at `now`; what names no zone is read in `zone`. A local time that happens twice
/// is the first, one that does not happen is as much later as the clock was put forward. The error is a sentence.
pub fn when(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let midnight = |days_back: i64| {
        let local = local(now, zone).ok_or_else(|| "the present is out of range".to_owned())?;
        settle(Stamp::Local(local.div_euclid(DAY) * DAY - days_back * DAY), zone)
            .ok_or_else(|| format!("'{text}' is out of range"))
    };
    match text {
        "now" => return Ok(now),
        "today" => return midnight(0),
        "yesterday" => return midnight(1),
        _ => {}
    }
    let starts_as_date =
        text.get(..5).is_some_and(|t| t.ends_with(['-', '/']) && t.bytes().take(4).all(|b| b.is_ascii_digit()));
    if starts_as_date {
        return dated(text)
            .and_then(|stamp| settle(stamp, zone))
            .ok_or_else(|| format!("'{text}' is no time there is; {FORMS}"));
    }
    let age = value::duration(text).map_err(|_| format!("'{text}' is no time; {FORMS}"))?;
    let age = i64::try_from(age.as_micros()).map_err(|_| format!("'{text}' is out of range"))?;
    Ok(Timestamp(now.0.saturating_sub(age)))
}

const FORMS: &str =
    "write '2026-11-22T10:00:00Z', '2026-11-22 10:00', '2026-11-22', 'today', 'yesterday' or an age such as '6h'";

/// The zone called `text`: an IANA name, `UTC`, `local`, or an offset such as `+02:00`. The error is a sentence.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("local") {
        return Ok(TimeZone::system());
    }
    if ["utc", "z", "gmt"].iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Ok(TimeZone::UTC);
    }
    if text.starts_with(['+', '-']) {
        let offset = dated(&format!("2000-01-01T00:00:00{text}")).and_then(|stamp| match stamp {
            Stamp::Exact(at) => i32::try_from((946_684_800 - at.second()).clamp(-86_400, 86_400)).ok(),
            _ => None,
        });
        if let Some(offset) = offset.and_then(|seconds| Offset::from_seconds(seconds).ok()) {
            return Ok(TimeZone::fixed(offset));
        }
    }
    TimeZone::get(text)
        .map_err(|_| format!("'{text}' is no time zone; write a name such as 'Europe/Berlin', 'UTC' or '+02:00'"))
}

/// A date, with or without a time of day, seconds and a zone: the whole of `text`.
fn dated(text: &str) -> Option<Stamp> {
    let whole = |text: &str| time::iso(text.as_bytes()).filter(|(_, taken)| *taken == text.len()).map(|(stamp, _)| stamp);
    let without_seconds = || whole(&format!("{}:00{}", text.get(..16)?, text.get(16..)?));
    let date_alone = || whole(&format!("{text}T00:00:00")).filter(|_| text.len() == 10);
    whole(text).or_else(without_seconds).or_else(date_alone)
}

/// What a clock in `zone` shows at `at`: microseconds since 1970 as if it were UTC.
fn local(at: Timestamp, zone: &TimeZone) -> Option<i64> {
    let instant = jiff::Timestamp::from_microsecond(at.0).ok()?;
    at.0.checked_add(i64::from(zone.to_offset(instant).seconds()) * time::SECOND)
}

fn settle(stamp: Stamp, zone: &TimeZone) -> Option<Timestamp> {
    match stamp {
        Stamp::Exact(at) => Some(at),
        Stamp::Local(local) => {
            let civil: DateTime = jiff::Timestamp::from_microsecond(local).ok()?.to_zoned(TimeZone::UTC).datetime();
            Some(Timestamp(civil.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond()))
        }
        Stamp::Yearless { .. } | Stamp::OfDay(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 00:36:48 UTC, 01:36:48 in Berlin.
    const NOW: Timestamp = Timestamp(1_795_394_208_000_000);

    fn berlin(text: &str) -> String {
        when(text, NOW, &zone("Europe/Berlin").unwrap()).map_or_else(|e| e, |t| t.to_string())
    }

    #[test]
    fn every_form_means_its_point_in_time() {
        for (expected, text) in [
            ("2026-11-23T00:36:48Z", "now"),
            ("2026-11-22T23:00:00Z", "today"),
            ("2026-11-21T23:00:00Z", "yesterday"),
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00.500000Z", "2026-11-22T10:00:00.5Z"),
            ("2026-11-22T08:00:00Z", "2026-11-22T10:00:00+02:00"),
            ("2026-11-22T09:00:00Z", "2026-11-22 10:00"),
            ("2026-11-22T08:00:00Z", "2026-11-22 10:00+02:00"),
            ("2026-11-22T09:00:07Z", "2026-11-22 10:00:07"),
            ("2026-11-21T23:00:00Z", "2026-11-22"),
            ("2026-07-21T22:00:00Z", "2026-07-22"),
            ("2026-11-23T00:21:48Z", "15m"),
            ("2026-11-22T18:36:48Z", "6h"),
            ("2026-11-21T00:36:48Z", "2d"),
            // Happens twice: the first. Does not happen: as much later as the clock was put forward.
            ("2026-10-25T00:30:00Z", "2026-10-25 02:30"),
            ("2026-03-29T01:30:00Z", "2026-03-29 02:30"),
        ] {
            assert_eq!(expected, berlin(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms_there_are() {
        for text in
            ["", "soon", "5", "2026-02-30", "2026-11-22 25:00", "2026-11-22x", "2026-1-2", "ü026-11-22", "99999999999999d"]
        {
            let error = when(text, NOW, &TimeZone::UTC).unwrap_err();
            assert!(error.starts_with(&format!("'{text}' is ")), "{error}");
        }
    }

    #[test]
    fn zones_have_names_or_offsets() {
        for (expected, name) in
            [("2026-11-22T10:00:00Z", "UTC"), ("2026-11-22T08:00:00Z", "+02:00"), ("2026-11-22T15:30:00Z", "-0530")]
        {
            assert_eq!(expected, when("2026-11-22 10:00", NOW, &zone(name).unwrap()).unwrap().to_string());
        }
        for name in ["", "Mars/Base", "+99:00", "../../etc/passwd"] {
            assert!(zone(name).unwrap_err().contains("is no time zone"), "{name}");
        }
    }
}
