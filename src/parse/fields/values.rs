//! What a value says once its key is known: escapes, numbers, times, durations, the cache's word.
//!
//! Plain functions over bytes; they allocate nothing and refuse what is not of the wanted form with `None`.

use super::names::Unit;
use crate::parse::Cache;
use crate::parse::Status;
use crate::time;
use crate::time::Minute;
use crate::time::Stamp;
use std::cell::Cell;

/// Adds the text of a JSON string (without its quotes, already checked) to `into`. A surrogate without its partner
/// becomes U+FFFD.
pub(crate) fn unescape(raw: &[u8], into: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        into.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        let mut taken = at + 2;
        match escape {
            b'b' => into.push(8),
            b'f' => into.push(12),
            b'n' => into.push(b'\n'),
            b'r' => into.push(b'\r'),
            b't' => into.push(b'\t'),
            b'u' => {
                let (character, more) = code_point(rest.get(taken..).unwrap_or_default());
                taken += more;
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => into.push(other),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}

/// The character written by the hex digits behind `\u`, and how many bytes they and a second half take.
fn code_point(behind: &[u8]) -> (char, usize) {
    let Some(first) = hex(behind) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if let Some(character) = char::from_u32(first) {
        return (character, 4);
    }
    let second = behind.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).and_then(hex);
    match second {
        Some(low @ 0xdc00..=0xdfff) if first < 0xdc00 => {
            let joined = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |sum, &b| Some(sum * 16 + char::from(b).to_digit(16)?))
}

/// A whole number that fits.
pub(crate) fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0')))
}

/// What stands under a key of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// A status.
    Status(Status),
    /// A whole number that is none.
    Impossible,
    /// Something else.
    Nothing,
}

/// `200`, `"200"`, `200.0`, `"200 OK"`, `"-"`.
pub(crate) fn status(text: &[u8]) -> Said {
    if let [hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text {
        return Said::Status(u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0'));
    }
    let text = text.split(|&b| b == b' ').next().unwrap_or_default();
    if text == b"-" {
        return Said::Status(0);
    }
    let text = text.strip_suffix(b".0").unwrap_or(text);
    match (whole(text), text.len()) {
        (Some(0), 1 | 3) => Said::Status(0),
        (Some(n @ 100..=599), 3) => Said::Status(u16::try_from(n).unwrap_or(0)),
        (Some(_), _) => Said::Impossible,
        (None, _) => Said::Nothing,
    }
}

/// The time written in `text`: ISO, with or without brackets, CLF, or seconds and their parts since 1970. `minute` is the
/// last one that was read, and changes no answer.
pub(crate) fn stamp(text: &[u8], minute: &Cell<Minute>) -> Option<Stamp> {
    if let Some(stamp) = minute.get().stamp(text) {
        return Some(stamp);
    }
    if let Some(new) = Minute::of(text) {
        minute.set(new);
    }
    let text = text.strip_prefix(b"[").map_or(text, |t| t.strip_suffix(b"]").unwrap_or(t));
    match text.get(2).copied()? {
        b'/' => time::clf(text).map(|(stamp, _)| stamp),
        _ if matches!(text.get(4), Some(b'-' | b'/')) => time::iso(text).map(|(stamp, _)| stamp),
        _ => time::epoch(text),
    }
}

/// The duration written in `text` in microseconds, rounded to the nearest: a decimal number (`1.2e-3` too) with the
/// unit behind it (`12ms`, `0.1 s`) or, without one, in `unit`; or `0:00:00.012`. `None` for what is negative, not
/// finite or no number. [`Unit::Bare`] counts as seconds here.
pub(crate) fn duration(text: &[u8], unit: Unit) -> Option<u64> {
    if let Some(us) = plain_duration(text, unit) {
        return Some(us);
    }
    let end = text.iter().position(|b| !matches!(b, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E')).unwrap_or(text.len());
    let (mut figures, mut behind) = text.split_at_checked(end)?;
    if behind.first() == Some(&b':') {
        return clock(text);
    }
    behind = behind.trim_ascii();
    let exponent_was_unit = figures.last().is_some_and(|b| matches!(b, b'e' | b'E' | b'+' | b'-'));
    if exponent_was_unit {
        return None;
    }
    let unit = if behind.is_empty() { unit } else { Unit::of_name(behind)? };
    let power = match unit {
        Unit::Nanoseconds => -3,
        Unit::Microseconds => 0,
        Unit::Milliseconds => 3,
        Unit::Seconds | Unit::Bare => 6,
    };
    figures = figures.strip_prefix(b"+").unwrap_or(figures);
    decimal(figures, power)
}

/// What most loggers write: a few digits and their decimals, none of them less than a microsecond.
#[inline]
fn plain_duration(text: &[u8], unit: Unit) -> Option<u64> {
    let mut scale = match unit {
        Unit::Nanoseconds => return None,
        Unit::Microseconds => 1,
        Unit::Milliseconds => 1_000,
        Unit::Seconds | Unit::Bare => 1_000_000,
    };
    if text.len() > 12 || !text.first()?.is_ascii_digit() {
        return None;
    }
    let (mut value, mut seen_dot) = (0_u64, false);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u64::from(byte - b'0');
                if seen_dot {
                    scale /= 10;
                }
            }
            b'.' if !seen_dot => seen_dot = true,
            _ => return None,
        }
    }
    (scale > 0).then(|| value * scale)
}

/// A decimal number times ten to `power`, to the nearest whole, exact without floating point.
pub(crate) fn decimal(figures: &[u8], power: i32) -> Option<u64> {
    let mantissa_end = figures.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(figures.len());
    let (mantissa, exponent) = figures.split_at_checked(mantissa_end)?;
    let mut power = power.checked_add(if exponent.is_empty() { 0 } else { signed(exponent.get(1..)?)? })?;
    let (mut value, mut any, mut seen_dot) = (0_u128, false, false);
    for &byte in mantissa {
        match byte {
            b'.' if !seen_dot => seen_dot = true,
            b'0'..=b'9' => {
                any = true;
                if value >= 10_u128.pow(30) {
                    power += i32::from(!seen_dot);
                } else {
                    value = value * 10 + u128::from(byte - b'0');
                    power -= i32::from(seen_dot);
                }
            }
            _ => return None,
        }
    }
    if !any {
        return None;
    }
    while power > 0 && value > 0 {
        value = value.checked_mul(10)?;
        power -= 1;
    }
    if power < -60 {
        return Some(0);
    }
    while power < -1 {
        value /= 10;
        power += 1;
    }
    if power == -1 {
        value = (value + 5) / 10;
    }
    u64::try_from(value).ok()
}

fn signed(text: &[u8]) -> Option<i32> {
    let (minus, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let value = i32::try_from(whole(digits)?.min(9999)).ok()?;
    Some(if minus { -value } else { value })
}

/// `H:MM:SS.ffffff`, as Python prints a `timedelta` below a day.
fn clock(text: &[u8]) -> Option<u64> {
    let mut parts = text.split(|&b| b == b':');
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let seconds = decimal(parts.next()?, 6)?;
    let whole = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000_000)?;
    (parts.next().is_none() && minutes < 60).then(|| whole.checked_add(seconds)).flatten()
}

/// What a cache's word says, in the vocabulary of nginx (`$upstream_cache_status`), Varnish, `CloudFront` (`Hit from
/// cloudfront`), Fastly (`HIT, MISS`: one word a layer, the last is the one that answered), Cloudflare, Squid
/// (`TCP_HIT:…`), and RFC 9211 (`cache; hit`). Empty and `-` are no word at all.
pub fn cache_word(text: &[u8]) -> Cache {
    let text = text.rsplit(|&b| b == b',').next().unwrap_or_default().trim_ascii();
    if text.is_empty() || text == b"-" {
        return Cache::None;
    }
    let mut words = text.split(|b| !b.is_ascii_alphanumeric() && *b != b'=').filter(|word| !word.is_empty());
    let decided = words.find_map(|word| {
        CACHE_WORDS.iter().find(|(_, known)| known.iter().any(|k| k.as_bytes().eq_ignore_ascii_case(word))).map(|(c, _)| *c)
    });
    let stale = text.to_ascii_lowercase().ends_with(b"hit-stale");
    if stale { Cache::Stale } else { decided.unwrap_or(Cache::Other) }
}

/// A cache's word, or what an `Age` (in seconds) says where it gave none: only an answer that was kept grows older.
pub fn by_age(word: Cache, age: Option<u64>) -> Cache {
    if word == Cache::None && age.is_some_and(|seconds| seconds > 0) { Cache::Hit } else { word }
}

const CACHE_WORDS: &[(Cache, &[&str])] = &[
    (Cache::Hit, &["hit", "refreshhit", "originshieldhit", "revalidated", "memhit", "true", "hits"]),
    (Cache::Miss, &["miss", "fwd=miss", "fwd=uri", "false", "refreshmiss"]),
    (Cache::Expired, &["expired", "fwd=stale"]),
    (Cache::Stale, &["stale", "updating", "grace"]),
    (Cache::Bypass, &["bypass", "dynamic", "pass", "none", "uncacheable", "fwd=bypass", "fwd=method", "fwd=request"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_usual_duration_is_what_the_exact_one_says(text in "[0-9.]{0,14}", scale in 0_usize..4) {
            let (unit, power) =
                [(Unit::Microseconds, 0), (Unit::Milliseconds, 3), (Unit::Seconds, 6), (Unit::Bare, 6)][scale];
            if let Some(us) = plain_duration(text.as_bytes(), unit) {
                prop_assert_eq!(decimal(text.as_bytes(), power), Some(us));
            }
        }
    }

    #[test]
    fn a_duration_to_the_microsecond_takes_the_usual_way() {
        assert_eq!(Some(272_319), plain_duration(b"272.319", Unit::Milliseconds));
        assert_eq!(Some(1_272_319), plain_duration(b"1.272319", Unit::Seconds));
        assert_eq!(None, plain_duration(b"1.2723195", Unit::Seconds));
    }

    #[test]
    fn an_age_tells_of_a_cache_that_gave_no_word() {
        for (want, word, age) in [
            (Cache::Hit, Cache::None, Some(7)),
            (Cache::None, Cache::None, Some(0)),
            (Cache::None, Cache::None, None),
            (Cache::Miss, Cache::Miss, Some(7)),
        ] {
            assert_eq!(want, by_age(word, age));
        }
    }

    #[test]
    fn durations_are_read_in_the_unit_they_name() {
        let table: [(Option<u64>, &str, Unit); 18] = [
            (Some(26_864), "26.864", Unit::Milliseconds),
            (Some(26_864), "0.026864", Unit::Bare),
            (Some(9_234), "9234005", Unit::Nanoseconds),
            (Some(9_235), "9234500", Unit::Nanoseconds),
            (Some(123_000), "0.123s", Unit::Milliseconds),
            (Some(12_000), "12ms", Unit::Bare),
            (Some(11_800), "11.8 ms", Unit::Bare),
            (Some(34), "34 µs", Unit::Bare),
            (Some(12), "1.2e-05", Unit::Seconds),
            (Some(1_500_000), "1.5E0", Unit::Seconds),
            (Some(105_247), "0:00:00.105247", Unit::Bare),
            (Some(0), "0.0", Unit::Seconds),
            (None, "-1", Unit::Seconds),
            (None, "NaN", Unit::Seconds),
            (None, "Infinity", Unit::Seconds),
            (None, "1e999", Unit::Seconds),
            (None, "fast", Unit::Seconds),
            (None, "", Unit::Seconds),
        ];
        for (expected, text, unit) in table {
            assert_eq!(expected, duration(text.as_bytes(), unit), "{text} {unit:?}");
        }
    }

    #[test]
    fn a_status_is_three_digits_or_no_answer() {
        let table = [
            ("200", Said::Status(200)),
            ("404 Not Found", Said::Status(404)),
            ("200.0", Said::Status(200)),
            ("-", Said::Status(0)),
            ("0", Said::Status(0)),
            ("999", Said::Impossible),
            ("20", Said::Impossible),
            ("two hundred", Said::Nothing),
            ("ok", Said::Nothing),
        ];
        for (text, expected) in table {
            assert_eq!(expected, status(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn each_cache_speaks_its_own_words() {
        let table = [
            ("HIT", Cache::Hit),
            ("MISS", Cache::Miss),
            ("EXPIRED", Cache::Expired),
            ("STALE", Cache::Stale),
            ("UPDATING", Cache::Stale),
            ("REVALIDATED", Cache::Hit),
            ("BYPASS", Cache::Bypass),
            ("DYNAMIC", Cache::Bypass),
            ("Hit from cloudfront", Cache::Hit),
            ("RefreshHit from cloudfront", Cache::Hit),
            ("OriginShieldHit from cloudfront", Cache::Hit),
            ("HIT-STALE", Cache::Stale),
            ("HIT, MISS", Cache::Miss),
            ("MISS, HIT", Cache::Hit),
            ("TCP_MISS:DIRECT", Cache::Miss),
            ("ExampleCache; hit; ttl=376", Cache::Hit),
            ("ExampleCache; fwd=uri-miss", Cache::Miss),
            ("-", Cache::None),
            ("", Cache::None),
            ("SCARCE", Cache::Other),
        ];
        for (text, expected) in table {
            assert_eq!(expected, cache_word(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn escapes_become_their_characters_and_lone_surrogates_the_replacement() {
        let table = [
            (r"zo\u00eb", "zoë"),
            (r#"a\"b\\c\/d\n\t"#, "a\"b\\c/d\n\t"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ude00\u0041", "\u{fffd}A"),
            (r"\ud83d\u0041", "\u{fffd}A"),
        ];
        for (raw, expected) in table {
            let mut text = Vec::new();
            unescape(raw.as_bytes(), &mut text);
            assert_eq!(expected.as_bytes(), text, "{raw}");
        }
    }
}
