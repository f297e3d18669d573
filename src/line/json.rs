//! The top-level members of one JSON object, and the text of a JSON string: as much of JSON as a wrapper needs.
//!
//! Leaves JSON records of applications to `parse`. Reads what RFC 8259 allows and is lenient within numbers and
//! nested values, which are stepped over without recursion. Numbers, arrays and objects are given as they are written.

use memchr::memchr;
use memchr::memchr2;

/// One member's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// What stands between the quotes, escapes and all.
    Text(&'a [u8]),
    /// Any other value as written.
    Other(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The text of a string that holds no escape (names, numbers in quotes); empty else.
    pub(crate) fn plain(self) -> &'a [u8] {
        match self {
            Self::Text(text) if memchr(b'\\', text).is_none() => text,
            _ => b"",
        }
    }
}

/// Gives each member of the object that is the whole of `text` to `member`, the key as written; false where `text`
/// is no whole object (members before the break have been given then).
pub(crate) fn members<'a>(text: &'a [u8], mut member: impl FnMut(&'a [u8], Value<'a>)) -> bool {
    walk(text, &mut member).is_some_and(|rest| blank(rest).is_empty())
}

fn walk<'a>(text: &'a [u8], member: &mut impl FnMut(&'a [u8], Value<'a>)) -> Option<&'a [u8]> {
    let mut rest = blank(expect(blank(text), b'{')?);
    if let Some(end) = expect(rest, b'}') {
        return Some(end);
    }
    loop {
        let (key, after) = string(rest)?;
        let (value, after) = value(blank(expect(blank(after), b':')?))?;
        member(key, value);
        let after = blank(after);
        match after.split_first()? {
            (b',', next) => rest = blank(next),
            (b'}', end) => return Some(end),
            _ => return None,
        }
    }
}

fn blank(mut text: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t' | b'\r' | b'\n', rest)) = text.split_first() {
        text = rest;
    }
    text
}

fn expect(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.split_first().filter(|(first, _)| **first == byte).map(|(_, rest)| rest)
}

/// A string at the start of `text`: its content as written and what follows.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = expect(text, b'"')?;
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inner.get(at..)?)?;
        if inner.get(at) == Some(&b'"') {
            return Some((inner.get(..at)?, inner.get(at + 1..)?));
        }
        at += 2;
    }
}

fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text.first()? {
        b'"' => string(text).map(|(inner, rest)| (Value::Text(inner), rest)),
        b'{' | b'[' => nested(text),
        _ => {
            let end = text.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t')).filter(|&e| e > 0)?;
            Some((Value::Other(text.get(..end)?), text.get(end..)?))
        }
    }
}

/// An array or object at the start of `text`, by counting brackets outside strings.
fn nested(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        match rest.first()? {
            b'"' => {
                rest = string(rest)?.1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        rest = rest.get(1..)?;
        if depth == 0 {
            let taken = text.len() - rest.len();
            return Some((Value::Other(text.get(..taken)?), rest));
        }
    }
}

/// Appends the text that the written string content `raw` stands for. Half a surrogate pair becomes U+FFFD, as does an
/// escape that does not exist.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = escape.get(2..).unwrap_or_default();
        match escape.get(1) {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(&byte @ (b'"' | b'\\' | b'/')) => out.push(byte),
            Some(b'u') => {
                let (letter, after) = unicode(rest);
                let mut room = [0; 4];
                out.extend_from_slice(letter.encode_utf8(&mut room).as_bytes());
                rest = after;
            }
            _ => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
    out.extend_from_slice(rest);
}

/// The letter behind `\u`, its second half included, and what follows.
fn unicode(text: &[u8]) -> (char, &[u8]) {
    let Some((first, rest)) = hex(text) else { return (char::REPLACEMENT_CHARACTER, text) };
    if (0xd800..0xdc00).contains(&first) {
        let second = rest.strip_prefix(b"\\u").and_then(hex).filter(|(low, _)| (0xdc00..0xe000).contains(low));
        if let Some((low, after)) = second {
            let letter = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00));
            return (letter.unwrap_or(char::REPLACEMENT_CHARACTER), after);
        }
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let mut value = 0;
    for &digit in digits {
        value = value * 16 + char::from(digit).to_digit(16)?;
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    use proptest::prelude::*;

    fn keys(text: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        members(text.as_bytes(), |key, _| found.push(String::from_utf8_lossy(key).into_owned())).then_some(found)
    }

    #[test]
    fn members_of_a_whole_object_are_given_in_order() {
        for (expected, text) in [
            (Some(vec![]), "{}"),
            (Some(vec!["a"]), r#" { "a" : "b\"}" } "#),
            (Some(vec!["a", "b", "c", "d"]), r#"{"a":{"x":["}","\\"]},"b":[1,{"y":null}],"c":-1.5e3,"d":true}"#),
            (None, r#"{"a":"b"} x"#),
            (None, r#"{"a":"b"#),
            (None, r#"{"a":"b\"#),
            (None, r#"{"a":[1,{}"#),
            (None, r#"{"a"}"#),
            (None, r#"{"a":}"#),
            (None, "[1]"),
            (None, ""),
        ] {
            let expected = expected.map(|k| k.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(expected, keys(text), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_stepped_over() {
        let deep = format!(r#"{{"a":{}{},"b":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Some(vec!["a".to_owned(), "b".to_owned()]), keys(&deep));
    }

    #[test]
    fn half_pairs_and_unknown_escapes_become_the_replacement_character() {
        for (expected, raw) in [
            ("a\u{fffd}b", r"a\ud83db"),
            ("\u{fffd}\u{fffd}", r"\ud83d\ud83d"),
            ("\u{fffd}", r"\ude00"),
            ("😀", r"\ud83d\ude00"),
            ("\u{fffd}zz", r"\uzz"),
            ("\u{fffd}", r"\q"),
            ("\u{fffd}", "\\"),
        ] {
            let mut out = Vec::new();
            unescape(raw.as_bytes(), &mut out);
            assert_eq!(expected, String::from_utf8_lossy(&out), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_written_string_is_read_back(text in any::<String>(), ascii in any::<bool>()) {
            let mut written = String::new();
            for letter in serde_json::json!({ "k": text }).to_string().chars() {
                if letter.is_ascii() || !ascii {
                    written.push(letter);
                } else {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        write!(written, "\\u{unit:04x}").unwrap();
                    }
                }
            }
            let mut out = Vec::new();
            let whole = members(written.as_bytes(), |_, value| {
                if let Value::Text(raw) = value {
                    unescape(raw, &mut out);
                }
            });
            prop_assert!(whole);
            prop_assert_eq!(text.as_bytes(), &out[..]);
        }

        #[test]
        fn any_bytes_are_survived(text in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b':'), Just(b',')], 0..60)) {
            members(&text, |_, _| ());
            unescape(&text, &mut Vec::new());
        }
    }
}
