//! Entries of the systemd journal as `journalctl -o json` writes them: one object a line.
//!
//! Form: systemd's "Journal JSON format": a field is a string, an array of byte values where it is no printable text,
//! null where it is too long to show, or an array of those where the entry has the field more than once. The short
//! forms of journalctl are read in `syslog.rs`.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::json;
use crate::line::json::Value;
use crate::line::step;
use crate::time::Stamp;
use crate::time::Timestamp;

/// Takes the entry off; `scratch` holds the message where it was written with escapes or as bytes.
pub(crate) fn peel<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> Off<'a> {
    if text.first() != Some(&b'{') {
        return Off::Not;
    }
    let (mut message, mut hint, mut names) = (None, Hint::default(), Names::default());
    let whole = json::members(text, |key, value| match key {
        b"MESSAGE" => message = Some(value),
        b"__REALTIME_TIMESTAMP" => {
            hint.time = step::number(value.plain()).and_then(|us| i64::try_from(us).ok()).map(|us| Stamp::Exact(Timestamp(us)));
        }
        b"_PID" => hint.pid = step::number(value.plain()).and_then(|pid| u32::try_from(pid).ok()),
        b"CONTAINER_NAME" => names.container = value.plain(),
        b"_SYSTEMD_USER_UNIT" => names.user_unit = value.plain(),
        b"_SYSTEMD_UNIT" => names.unit = value.plain(),
        b"SYSLOG_IDENTIFIER" => names.ident = value.plain(),
        _ => {}
    });
    if !whole {
        return if text.starts_with(b"{\"") { Off::Broken } else { Off::Not };
    }
    let Some(message) = message.filter(|_| hint.time.is_some()) else { return Off::Not };
    hint.instance = names.instance();
    hint.service = hint.instance.strip_suffix(b".service").unwrap_or(hint.instance);
    match text_of(message, scratch) {
        Some(text) => Off::Inner(Line { text, hint }),
        None => Off::Lost,
    }
}

#[derive(Default)]
struct Names<'a> {
    container: &'a [u8],
    user_unit: &'a [u8],
    unit: &'a [u8],
    ident: &'a [u8],
}

impl<'a> Names<'a> {
    /// The most telling name: the container's, the unit's, the identifier.
    fn instance(&self) -> &'a [u8] {
        [self.container, self.user_unit, self.unit, self.ident].into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }
}

/// The message's bytes; `None` where the journal did not show them.
fn text_of<'a>(message: Value<'a>, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    scratch.clear();
    match message {
        Value::Text(raw) if memchr::memchr(b'\\', raw).is_none() => return Some(raw),
        Value::Text(raw) => json::unescape(raw, scratch),
        Value::Other(array) => {
            let inner = array.strip_prefix(b"[")?.strip_suffix(b"]")?;
            for number in inner.split(|&b| b == b',') {
                scratch.push(u8::try_from(step::number(number.trim_ascii())?).ok()?);
            }
        }
    }
    Some(scratch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_a_string_bytes_or_lost() {
        let head = r#""__REALTIME_TIMESTAMP": "1795394042830343", "_SYSTEMD_UNIT": "shop.service", "_PID": "6778""#;
        for (expected, message) in [
            (Some("INFO: é \"x\""), r#""INFO: \u00e9 \"x\"""#),
            (Some("\x1b[32mIN"), "[27, 91, 51, 50, 109, 73, 78]"),
            (Some("\x1b["), "[27,91]"),
            (None, "null"),
            (None, "[300]"),
            (None, "[]"),
            (None, r#"["one", "two"]"#),
        ] {
            let raw = format!("{{{head}, \"MESSAGE\": {message}}}");
            let mut scratch = Vec::new();
            let got = match peel(raw.as_bytes(), &mut scratch) {
                Off::Inner(line) => {
                    assert_eq!((&b"shop.service"[..], &b"shop"[..]), (line.hint.instance, line.hint.service));
                    assert_eq!(
                        (Some(6778), Some(Stamp::Exact(Timestamp(1_795_394_042_830_343)))),
                        (line.hint.pid, line.hint.time)
                    );
                    Some(line.text.to_vec())
                }
                Off::Lost => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(expected.map(|t| t.as_bytes().to_vec()), got, "{message}");
        }
    }

    #[test]
    fn half_an_entry_is_broken_and_other_json_is_not_an_entry() {
        let mut scratch = Vec::new();
        assert_eq!(Off::Broken, peel(br#"{"MESSAGE": "cut"#, &mut scratch));
        assert_eq!(Off::Not, peel(br#"{"MESSAGE": "no time"}"#, &mut scratch));
        assert_eq!(Off::Not, peel(b"-- Boot 0123 --", &mut scratch));
    }

    proptest! {
        #[test]
        fn any_bytes_of_a_message_come_back(message in prop::collection::vec(any::<u8>(), 1..60)) {
            let raw = serde_json::json!({ "__REALTIME_TIMESTAMP": "1", "MESSAGE": message }).to_string();
            let mut scratch = Vec::new();
            match peel(raw.as_bytes(), &mut scratch) {
                Off::Inner(line) => prop_assert_eq!(&message[..], line.text),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
