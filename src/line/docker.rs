//! Lines of Docker's json-file driver: one object a line with `log`, `stream` and `time`.
//!
//! Form: moby `daemon/logger/jsonfilelog/jsonlog`. A line of the application that is longer than 16 KiB comes as
//! several objects, all but the last without the newline at the end of `log`; putting them together is `join.rs`'.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::json;
use crate::line::json::Value;
use crate::time;

/// The shortest `log` without a newline that is a piece of a longer line: Docker cuts at 16 KiB, up to three bytes
/// earlier where that would split a letter. A shorter one is the end of a stream.
const SHORTEST_PIECE: usize = 16 * 1024 - 3;

/// Takes the object off; `scratch` holds the text where it was written with escapes.
pub(crate) fn peel<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> Off<'a> {
    if text.first() != Some(&b'{') {
        return Off::Not;
    }
    let (mut log, mut hint, mut known) = (None, Hint::default(), false);
    let whole = json::members(text, |key, value| match (key, value) {
        (b"log", Value::Text(raw)) => log = Some(raw),
        (b"stream", value) => (known, hint.stderr) = (true, value.plain() == b"stderr"),
        (b"time", value) => {
            hint.time = time::iso(value.plain()).map(|(stamp, _)| stamp);
            known |= hint.time.is_some();
        }
        _ => {}
    });
    match log {
        _ if !whole && text.starts_with(b"{\"") => Off::Broken,
        Some(raw) if whole && known => {
            let (text, ended) = text_of(raw, scratch);
            let line = Line { text, hint };
            if ended || text.len() < SHORTEST_PIECE { Off::Inner(line) } else { Off::Piece(line) }
        }
        _ => Off::Not,
    }
}

/// The text of `log` without its newline, and whether it had one.
fn text_of<'a>(raw: &'a [u8], scratch: &'a mut Vec<u8>) -> (&'a [u8], bool) {
    let (body, ended) = match raw.strip_suffix(b"\\n") {
        Some(body) if trailing_backslashes(body).is_multiple_of(2) => (body, true),
        _ => (raw, false),
    };
    if memchr::memchr(b'\\', body).is_none() {
        return (body, ended);
    }
    scratch.clear();
    json::unescape(body, scratch);
    (scratch, ended)
}

fn trailing_backslashes(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|b| **b == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Stamp;
    use proptest::prelude::*;

    fn told(raw: &str) -> String {
        let mut scratch = Vec::new();
        match peel(raw.as_bytes(), &mut scratch) {
            Off::Inner(line) => format!("{}{}", String::from_utf8_lossy(line.text), if line.hint.stderr { " E" } else { "" }),
            Off::Piece(line) => format!("piece of {}", line.text.len()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_text_is_what_the_application_wrote() {
        for (expected, raw) in [
            ("INFO:     ready", r#"{"log":"INFO:     ready\n","stream":"stdout","time":"2026-11-23T00:47:55.596712636Z"}"#),
            (r#"{"a": "é<\n"} E"#, r#"{"stream":"stderr","time":"x","log":"{\"a\": \"\u00e9\u003c\\n\"}\n"}"#),
            ("x", r#"{"log":"x\n","stream":"stdout","attrs":{"tag":"{}"},"time":"2026-11-23T00:47:55Z"}"#),
            ("short end", r#"{"log":"short end","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#),
            (r"ends in \n", r#"{"log":"ends in \\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#),
            ("", r#"{"log":"\n","stream":"stdout"}"#),
            ("Not", r#"{"log":"no wrapper"}"#),
            ("Not", r#"{"message":"the app's own","stream":"stdout"}"#),
            ("Not", "INFO:     as it stands"),
            ("Broken", r#"{"log":"half a line\n","stream":"std"#),
        ] {
            assert_eq!(expected, told(raw), "{raw}");
        }
    }

    #[test]
    fn sixteen_kibibytes_without_a_newline_are_a_piece() {
        for (expected, length) in [("piece of 16384", 16_384), ("piece of 16381", 16_381)] {
            let raw = format!(r#"{{"log":"{}","stream":"stdout"}}"#, "x".repeat(length));
            assert_eq!(expected, told(&raw));
        }
    }

    #[test]
    fn the_time_is_the_wrappers() {
        let mut scratch = Vec::new();
        let raw = br#"{"log":"x\n","stream":"stdout","time":"1970-01-01T00:00:01.596712636Z"}"#;
        let Off::Inner(line) = peel(raw, &mut scratch) else { panic!() };
        assert_eq!(Some(Stamp::Exact(time::Timestamp(1_596_712))), line.hint.time);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_json_library(log in any::<String>(), newline in any::<bool>(), stderr in any::<bool>()) {
            prop_assume!(!log.ends_with('\n'));
            let stream = if stderr { "stderr" } else { "stdout" };
            let written = serde_json::json!({ "log": if newline { log.clone() + "\n" } else { log.clone() }, "stream": stream });
            let mut scratch = Vec::new();
            match peel(written.to_string().as_bytes(), &mut scratch) {
                Off::Inner(line) => prop_assert_eq!((log.as_bytes(), stderr), (line.text, line.hint.stderr)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
