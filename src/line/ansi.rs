//! Takes terminal escapes (colours, cursor moves, titles, links) and overwritten text off a line.
//!
//! Knows the forms of ECMA-48: CSI (`ESC [` … letter), OSC (`ESC ]` … `BEL` or `ESC \`) and two-byte escapes. Bytes
//! that only a hostile client would have put there must not hide what follows: an escape that is not finished in its
//! own form loses its introducer alone, and no form reaches over a double quote.

use memchr::memchr;
use memchr::memmem;

/// The longest link or title that is taken off, in bytes.
const LONGEST_STRING: usize = 2048;

/// True where `bytes` hold an escape at all.
#[inline]
pub fn is_coloured(bytes: &[u8]) -> bool {
    memchr(ESC, bytes).is_some()
}

/// `text` without its escapes: as it stands where it has none, else rewritten into `scratch` (whose content is lost).
#[inline]
pub fn clean<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if !is_coloured(text) {
        return text;
    }
    scratch.clear();
    strip(text, scratch);
    scratch
}

/// The same where the escape byte is written as `#033`, as rsyslog files it.
pub(crate) fn clean_octal<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    const WRITTEN: &[u8] = b"#033[";
    if memmem::find(text, WRITTEN).is_none() {
        return text;
    }
    scratch.clear();
    let mut rest = text;
    while let Some(at) = memmem::find(rest, WRITTEN) {
        let (before, behind) = rest.split_at(at);
        scratch.extend_from_slice(before);
        let parameters = behind.iter().skip(WRITTEN.len()).take_while(|b| matches!(b, 0x30..=0x3f)).count();
        let letter = behind.get(WRITTEN.len() + parameters).is_some_and(u8::is_ascii_alphabetic);
        rest = behind.get(WRITTEN.len() + parameters + usize::from(letter)..).unwrap_or_default();
    }
    scratch.extend_from_slice(rest);
    scratch
}

/// Appends `text` without its escapes to `out`.
pub fn strip(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(ESC, rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = escape.get(length(escape)..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

const ESC: u8 = 0x1b;

/// How many bytes the escape at the start of `bytes` takes; at least one.
fn length(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => control_sequence(bytes),
        Some(b']' | b'P' | b'_' | b'^' | b'X') => control_string(bytes),
        Some(b'(' | b')' | b'*' | b'+' | b'#' | b'%') => match bytes.get(2) {
            Some(0x30..=0x7e) => 3,
            _ => 2,
        },
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

fn control_sequence(bytes: &[u8]) -> usize {
    let parameters = bytes.iter().skip(2).take_while(|b| matches!(b, 0x30..=0x3f)).count();
    match bytes.get(2 + parameters) {
        Some(0x40..=0x7e) => 3 + parameters,
        _ => 2 + parameters,
    }
}

fn control_string(bytes: &[u8]) -> usize {
    for (at, &byte) in bytes.iter().enumerate().skip(2).take(LONGEST_STRING) {
        match byte {
            0x07 => return at + 1,
            ESC if bytes.get(at + 1) == Some(&b'\\') => return at + 2,
            b'"' | 0..=0x1f => break,
            _ => {}
        }
    }
    2
}

/// What a terminal would show of a text with carriage returns in it: the part after the last that is not at the end.
/// Not where that return lies within double quotes: there it is content, and what follows it must not pass for a line.
pub fn shown(text: &[u8]) -> &[u8] {
    let Some(last) = memchr::memrchr(b'\r', text) else { return text };
    if last + 1 == text.len() {
        return shown_before_end(text);
    }
    after_return(text, last)
}

fn shown_before_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b'\r').map_or(0, |at| at + 1);
    let text = text.get(..end).unwrap_or_default();
    memchr::memrchr(b'\r', text).map_or(text, |last| after_return(text, last))
}

fn after_return(text: &[u8], last: usize) -> &[u8] {
    let quotes = memchr::memchr_iter(b'"', text.get(..last).unwrap_or_default()).count();
    if quotes.is_multiple_of(2) { text.get(last + 1..).unwrap_or_default() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_go_and_text_stays() {
        for (expected, text) in [
            (
                "INFO:     Started server process [6778]",
                "\x1b[32mINFO\x1b[0m:     Started server process [\x1b[36m6778\x1b[0m]",
            ),
            ("web-1  | x", "\x1b[36mweb-1  | \x1b[0mx"),
            ("main.py:345 end", "\x1b]8;id=1;file:///srv/shop/main.py\x1b\\main.py\x1b]8;;\x1b\\:345 end"),
            ("titled", "\x1b]0;my title\x07titled"),
            ("ab", "a\x1b(Bb"),
            ("ab", "a\x1b[2K\x1b[?25l\x1b[38;5;12m\x1b=b"),
            ("cut ", "cut \x1b[38;5"),
            ("cut ", "cut \x1b"),
            ("0;never ends \" 200", "\x1b]0;never ends \" 200"),
            ("0;a\" 200 b\u{7}c", "\x1b]0;a\" 200 b\x07c"),
            ("GET /nopered 1.1\" 404", "GET /nope\x1b[31mred\x1b[0m 1.1\" 404"),
            ("GET /x HTTP/1.1\" 404", "GET /x\x1b[ HTTP/1.1\" 404"),
            ("GET /x\" 404", "GET /x\x1b\" 404"),
            ("", ""),
        ] {
            let mut scratch = Vec::new();
            assert_eq!(expected, String::from_utf8_lossy(clean(text.as_bytes(), &mut scratch)), "{text:?}");
        }
    }

    #[test]
    fn overwritten_text_is_left_out_but_quoted_text_stays() {
        for (expected, text) in [
            ("100%", "10%\r20%\r100%"),
            ("100%", "10%\r100%\r\r"),
            ("plain", "plain"),
            ("", "\r"),
            ("\"GET /a\r\"GET /forged HTTP/1.1\" 200", "\"GET /a\r\"GET /forged HTTP/1.1\" 200"),
            ("INFO: \"GET / HTTP/1.1\" 200", " 99%\rINFO: \"GET / HTTP/1.1\" 200"),
        ] {
            assert_eq!(expected.as_bytes(), shown(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn colours_that_a_syslog_server_wrote_in_octal_go() {
        for (expected, text) in [
            ("INFO:     x", "#033[32mINFO#033[0m:     x"),
            ("#033x #011 y", "#033x #011 y"),
            ("", "#033["),
            ("\" 200", "#033[31\" 200"),
        ] {
            assert_eq!(expected.as_bytes(), clean_octal(text.as_bytes(), &mut Vec::new()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_escape_is_left_and_nothing_is_added(text in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(ESC), Just(b'['), Just(b']'), Just(b'm'), Just(b';')], 0..80)) {
            let mut out = Vec::new();
            strip(&text, &mut out);
            prop_assert!(!is_coloured(&out));
            prop_assert!(out.len() <= text.len());
        }
    }
}
