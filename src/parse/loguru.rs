//! loguru's own text: `TIME | LEVEL    | module:function:line - MESSAGE`.
//!
//! Takes the dressing off and hands out the message with its time and level, to be offered to the access, timing,
//! lifecycle and traceback parsers. `serialize=True` is JSON and read by [`crate::parse::fields`]. The form is
//! loguru 0.7's default `LOGURU_FORMAT`.

use crate::parse::fields::Envelope;
use crate::time;

/// The parts of a loguru line; `None` where it is none. Message and names borrow from the line.
pub fn read(text: &[u8]) -> Option<Envelope<'_>> {
    let (stamp, taken) = time::iso(text)?;
    let rest = text.get(taken..)?.strip_prefix(b" | ")?;
    let bar = memchr::memchr(b'|', rest.get(..40.min(rest.len()))?)?;
    let level = rest.get(..bar)?.trim_ascii_end();
    if level.is_empty() || !level.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let rest = rest.get(bar + 1..)?.strip_prefix(b" ")?;
    let dash = memchr::memmem::find(rest, b" - ")?;
    let place = rest.get(..dash)?;
    let mut parts = place.rsplitn(3, |&b| b == b':');
    let line = parts.next()?;
    let logger = parts.next().and(parts.next())?;
    let named = !place.contains(&b' ') && !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    named.then(|| Envelope {
        message: rest.get(dash + 3..).unwrap_or_default(),
        time: Some(stamp),
        level,
        logger,
        ..Envelope::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Stamp;

    #[test]
    fn the_message_is_handed_out_with_time_level_and_module() {
        let line = b"2026-11-23 00:37:09.283 | INFO     | uvicorn.protocols.http.httptools_impl:send:482 - 127.0.0.1:39144 - \"GET / HTTP/1.1\" 200";
        let expected = Envelope {
            message: b"127.0.0.1:39144 - \"GET / HTTP/1.1\" 200",
            time: Some(Stamp::Local(1_795_394_229_283_000)),
            level: b"INFO",
            logger: b"uvicorn.protocols.http.httptools_impl",
            ..Envelope::default()
        };
        assert_eq!(Some(expected), read(line));
    }

    #[test]
    fn other_lines_with_bars_are_left_alone() {
        for line in
            ["2026-11-23 00:37:09.283 | INFO | hello - world", "2026-11-23 00:37:09 - x", "web_1  | INFO:     Started", ""]
        {
            assert_eq!(None, read(line.as_bytes()), "{line}");
        }
    }
}
