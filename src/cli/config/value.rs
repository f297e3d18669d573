//! Durations, shares and sizes as they are written, in the configuration and on the command line.
//!
//! Each gives the value or a sentence that says what to write instead.

use std::time::Duration;

/// The units of a duration and their microseconds.
const UNITS: [(&str, f64); 9] = [
    ("us", 1.0),
    ("µs", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("min", 6e7),
    ("m", 6e7),
    ("h", 3.6e9),
    ("d", 8.64e10),
    ("w", 6.048e11),
];

/// A hundred years, in microseconds: no longer duration makes sense here.
const LONGEST_US: f64 = 3.2e15;

/// `300ms`, `1.5s`, `5m`, `1h30m`, `30d`: numbers with units, added up, to the microsecond.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let refused = || format!("'{text}' is no duration; write '300ms', '30s', '5m', '2h' or '30d'");
    if !rest.is_empty() && rest.parse::<f64>().is_ok() {
        return Err(if rest.starts_with('-') {
            refused()
        } else {
            format!("'{rest}' has no unit; write '{rest}s', '{rest}m' or '{rest}h'")
        });
    }
    let mut sum = 0.0;
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        let (number, behind) = rest.split_at(number_end);
        let unit_end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit_end);
        let scale = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, scale)| scale).ok_or_else(refused)?;
        sum += number.parse::<f64>().map_err(|_| refused())? * scale;
        rest = next;
    }
    if sum > LONGEST_US {
        return Err(format!("'{text}' is out of range: a hundred years at most"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a hundred years")]
    Ok(Duration::from_micros(sum.round() as u64))
}

/// `99.9%` or `0.999` as a share from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    let trimmed = text.trim();
    let refused = || format!("'{text}' is no share; write '99.9%' or '0.999'");
    let (number, scale) = trimmed.strip_suffix('%').map_or((trimmed, 1.0), |n| (n.trim_end(), 100.0));
    let value = number.parse::<f64>().map_err(|_| refused())?;
    if value > 1.0 && scale <= 1.0 && value <= 100.0 {
        return Err(format!("'{text}' is more than the whole; write '{number}%'"));
    }
    if !(0.0..=scale).contains(&value) {
        return Err(refused());
    }
    // Divided as decimals are read: 99.9 / 100 is 0.9990000000000001.
    Ok(format!("{:.12}", value / scale).parse().unwrap_or(value / scale))
}

/// `512MiB`, `1.5GB`, `4096` as a number of bytes.
pub fn size(text: &str) -> Result<u64, String> {
    const NAMES: [(&str, f64); 9] = [
        ("", 1.0),
        ("b", 1.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
    ];
    let trimmed = text.trim();
    let refused = || format!("'{text}' is no size; write '512MiB', '2GiB' or a number of bytes");
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let scale = NAMES.iter().find(|(name, _)| *name == unit).map(|(_, scale)| scale).ok_or_else(refused)?;
    let value = number.parse::<f64>().map_err(|_| refused())? * scale;
    if value > 9e15 {
        return Err(format!("'{text}' is out of range"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9e15")]
    Ok(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (micros, text) in [
            (300_000, "300ms"),
            (1_500_000, "1.5s"),
            (300_000_000, "5m"),
            (5_400_000_000, "1h30m"),
            (2_592_000_000_000, "30d"),
            (250, "250us"),
            (0, "0s"),
        ] {
            assert_eq!(Ok(Duration::from_micros(micros)), duration(text), "{text}");
        }
        for (sentence, text) in [
            ("'5' has no unit; write '5s', '5m' or '5h'", "5"),
            ("'' is no duration; write '300ms', '30s', '5m', '2h' or '30d'", ""),
            ("'-5m' is no duration; write '300ms', '30s', '5m', '2h' or '30d'", "-5m"),
            ("'5 parsecs' is no duration; write '300ms', '30s', '5m', '2h' or '30d'", "5 parsecs"),
            ("'1.2.3s' is no duration; write '300ms', '30s', '5m', '2h' or '30d'", "1.2.3s"),
            ("'9999999w' is out of range: a hundred years at most", "9999999w"),
        ] {
            assert_eq!(Err(sentence.to_owned()), duration(text));
        }
    }

    #[test]
    fn shares_are_percentages_or_parts_of_one() {
        for (value, text) in [(0.999, "99.9%"), (0.999, "0.999"), (0.9999, "99.99 %"), (1.0, "100%"), (0.0, "0"), (0.02, "2%")]
        {
            assert_eq!(Ok(value), share(text), "{text}");
        }
        for (sentence, text) in [
            ("'99.9' is more than the whole; write '99.9%'", "99.9"),
            ("'101%' is no share; write '99.9%' or '0.999'", "101%"),
            ("'nan' is no share; write '99.9%' or '0.999'", "nan"),
            ("'-1%' is no share; write '99.9%' or '0.999'", "-1%"),
        ] {
            assert_eq!(Err(sentence.to_owned()), share(text));
        }
    }

    #[test]
    fn sizes_are_in_bytes() {
        for (value, text) in [(4096, "4096"), (536_870_912, "512MiB"), (1_500_000_000, "1.5 GB"), (0, "0")] {
            assert_eq!(Ok(value), size(text), "{text}");
        }
        for text in ["", "MiB", "12 parsecs", "-1", "1e99", "99999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
