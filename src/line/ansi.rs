//! Takes terminal escapes (colours, cursor moves, titles, links) off a line.
//!
//! Knows the forms of ECMA-48: CSI (`ESC [` … letter), OSC (`ESC ]` … `BEL` or `ESC \`) and two-byte escapes. Bytes
//! that only a hostile client would have put there must not hide what follows: an escape that is not finished in its
//! own form loses its introducer alone, and no form reaches over a double quote.

use memchr::memchr;

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
            ("GET /nopered 1.1\" 404", "GET /nope\x1b[31mred\x1b[0m 1.1\" 404"),
            ("GET /x HTTP/1.1\" 404", "GET /x\x1b[ HTTP/1.1\" 404"),
            ("GET /x\" 404", "GET /x\x1b\" 404"),
            ("", ""),
        ] {
            let mut scratch = Vec::new();
            assert_eq!(expected, String::from_utf8_lossy(clean(text.as_bytes(), &mut scratch)), "{text:?}");
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
