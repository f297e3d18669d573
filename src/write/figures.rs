//! Rates, sizes and untrusted text as pages show them.
//!
//! Everything that comes from a log, a path or a configuration becomes [`Safe`] before a page shows it; the sweep of
//! forbidden characters follows "Trojan Source" (Boucher and Anderson, 2021) for the bidirectional ones and ECMA-48
//! for the control ones. Counts, shares and durations are worded in `verdict::wording` and given on from here.

use std::fmt;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

pub use crate::verdict::wording::count;
pub use crate::verdict::wording::counted;
pub use crate::verdict::wording::duration;
pub use crate::verdict::wording::from_to;
pub use crate::verdict::wording::limit;
pub use crate::verdict::wording::moment;
pub use crate::verdict::wording::percent;
pub use crate::verdict::wording::span;

/// Text that can be shown anywhere text can: no control character (so no byte below 0x20 and no U+007F to U+009F), no
/// character that turns the direction of reading or hides, one line, bounded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Safe(String);

impl Safe {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many columns a terminal gives it.
    pub fn width(&self) -> usize {
        width(&self.0)
    }

    /// At most `room` columns wide: what is longer loses its middle to one `…`.
    pub fn fitted(&self, room: usize) -> String {
        fit(&self.0, room)
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The longest text a page for people shows, in bytes.
pub const SHOWN: usize = 512;

/// Untrusted bytes made safe to show, at most `most` bytes of UTF-8 (cut at the end, with `…`, counted in). Line breaks
/// and tabs become blanks; other forbidden characters and what is no UTF-8 become U+FFFD.
pub fn clean_to(untrusted: impl AsRef<[u8]>, most: usize) -> Safe {
    const CUT: char = '…';
    // Four bytes give at least one byte of output: nothing beyond matters.
    let bytes = untrusted.as_ref();
    let bytes = bytes.get(..most.saturating_mul(4).saturating_add(8)).unwrap_or(bytes);
    let mut out = String::with_capacity(bytes.len().min(most));
    let mut room = 0;
    for c in String::from_utf8_lossy(bytes).chars().map(replaced) {
        if out.len() + c.len_utf8() > most {
            out.truncate(room);
            if most >= CUT.len_utf8() {
                out.push(CUT);
            }
            return Safe(out);
        }
        out.push(c);
        if out.len() + CUT.len_utf8() <= most {
            room = out.len();
        }
    }
    Safe(out)
}

/// [`clean_to`] with the bound of pages for people.
pub fn clean(untrusted: impl AsRef<[u8]>) -> Safe {
    clean_to(untrusted, SHOWN)
}

/// Whether `c` may not reach a terminal, a page or a message: control characters, line separators, marks that turn or
/// hide text.
pub fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn replaced(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
        c if forbidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// How many columns a terminal gives `text`.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` in at most `room` columns: what is longer loses its middle to one `…`.
pub fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let tail_room = (room - 1) / 2;
    let head = columns(text.chars(), room - 1 - tail_room);
    let tail: Vec<char> = columns(text.chars().rev(), tail_room).chars().rev().collect();
    format!("{head}…{}", String::from_iter(tail))
}

/// As many of `chars` as fit in `room` columns.
fn columns(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    let takes = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    chars.take_while(takes).collect()
}

/// Requests a second, or a minute or an hour where that reads better: `12.3/s`, `4.2/min`.
pub fn rate(per_s: f64) -> String {
    let (value, unit) = match per_s {
        v if v >= 0.1 || v <= 0.0 => (v, "s"),
        v if v * 60.0 >= 0.1 => (v * 60.0, "min"),
        v => (v * 3600.0, "h"),
    };
    if value >= 100.0 { format!("{value:.0}/{unit}") } else { format!("{value:.1}/{unit}") }
}

/// A number of bytes in binary units with three significant digits: `512 B`, `1.21 MiB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        v if v < 9.995 => format!("{v:.2} {unit}"),
        v if v < 99.95 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_and_direction_marks_are_replaced() {
        for (shown, raw) in [
            ("plain /items/{id} ü 漢", "plain /items/{id} ü 漢".as_bytes()),
            ("\u{fffd}[31mred", b"\x1b[31mred"),
            ("a b c d", b"a\tb\nc\rd"),
            ("a\u{fffd}b", b"a\x00b"),
            ("a\u{fffd}b", b"a\xffb"),
            ("a\u{fffd}b", "a\u{9b}b".as_bytes()),
            ("a\u{fffd}gpj.exe", "a\u{202e}gpj.exe".as_bytes()),
            ("\u{fffd}\u{fffd}", "\u{2066}\u{200f}".as_bytes()),
        ] {
            assert_eq!(shown, clean(raw).as_str());
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!("ab…", clean_to("abüüü", 5).as_str());
        assert_eq!("abü", clean_to("abü", 4).as_str());
        assert_eq!("…", clean_to("abcd", 3).as_str());
        assert_eq!("", clean_to("abcd", 2).as_str());
    }

    #[test]
    fn what_is_too_wide_loses_its_middle() {
        for (shown, text, room) in [
            ("/items/{id}", "/items/{id}", 11),
            ("/item…/{id}", "/items/all/{id}", 11),
            ("…", "/items", 1),
            ("", "/items", 0),
            ("漢…字", "漢漢漢字", 5),
            ("漢…", "漢漢漢字", 4),
        ] {
            assert_eq!(shown, fit(text, room), "{room}");
        }
    }

    #[test]
    fn rates_and_sizes_take_the_unit_that_fits() {
        for (text, per_s) in [("0.0/s", 0.0), ("0.1/s", 0.1), ("3.0/min", 0.05), ("3.6/h", 0.001), ("1234/s", 1234.4)] {
            assert_eq!(text, rate(per_s));
        }
        for (text, n) in
            [("1023 B", 1023), ("1.00 KiB", 1024), ("1.00 MiB", (1 << 20) - 1), ("12.5 MiB", 25 << 19), ("16.0 EiB", u64::MAX)]
        {
            assert_eq!(text, bytes(n));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_get_a_forbidden_character_through(raw: Vec<u8>, most in 0_usize..64) {
            let safe = clean_to(&raw, most);
            prop_assert!(!safe.as_str().chars().any(forbidden));
            prop_assert!(safe.as_str().len() <= most);
        }

        #[test]
        fn fitted_text_is_never_wider_than_its_room(text: String, room in 0_usize..40) {
            let safe = clean(&text);
            prop_assert!(width(&safe.fitted(room)) <= room);
        }
    }
}
