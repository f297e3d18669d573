//! Prefixes of hosting platforms' own clients: `heroku logs` and `aws logs tail`.
//!
//! Forms: Heroku `TIME app[web.1]: text` and `TIME heroku[router]: text`; AWS `TIME STREAM text`. Heroku's router
//! lines stay lines: what they say of a request is for `parse` to read.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::step;
use crate::time;
use crate::time::Stamp;

/// Takes `TIME source[process]: ` off. The instance is the dyno (`web.1`); for lines of the platform itself
/// `heroku/router` or `heroku/web.1`, the latter written into `scratch`.
pub(crate) fn heroku<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> Off<'a> {
    let Some((stamp, [source, process, text])) = heroku_parts(text) else { return Off::Not };
    let instance = match (source, process) {
        (b"app", process) => process,
        (b"heroku", b"router") => b"heroku/router",
        _ => {
            scratch.clear();
            for part in [source, b"/", process] {
                scratch.extend_from_slice(part);
            }
            scratch
        }
    };
    Off::Inner(Line { text, hint: Hint { time: Some(stamp), instance, ..Hint::default() } })
}

fn heroku_parts(text: &[u8]) -> Option<(Stamp, [&[u8]; 3])> {
    let (stamp, rest) = stamp(text)?;
    let (tag, text) = step::word(rest);
    let (source, process) = step::split(tag.strip_suffix(b"]:")?, b'[')?;
    let platform = matches!(source, b"app" | b"heroku");
    (platform && step::is_name(process, b"._-")).then_some((stamp, [source, process, text]))
}

/// Takes `TIME STREAM ` off, where the stream's name has a slash in it (`ecs/shop/0123…`, `2026/11/23/[$LATEST]…`).
/// The instance is the stream.
pub(crate) fn awslogs(text: &[u8]) -> Off<'_> {
    let line = || {
        let (stamp, rest) = stamp(text)?;
        let (stream, text) = step::word(rest);
        let named = stream.contains(&b'/') && step::is_name(stream, b"/_.-[]$:#");
        named.then_some(Line { text, hint: Hint { time: Some(stamp), instance: stream, ..Hint::default() } })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// A time with its zone written as an offset, and what follows its blank.
fn stamp(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (stamp, taken) = time::iso(text)?;
    let offset = taken.checked_sub(6).and_then(|at| text.get(at)).is_some_and(|b| matches!(b, b'+' | b'-'));
    (offset && text.get(10) == Some(&b'T')).then_some((stamp, text.get(taken..)?.strip_prefix(b" ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(off: Off<'_>) -> Option<(String, String)> {
        match off {
            Off::Inner(line) => Some((
                String::from_utf8_lossy(line.hint.instance).into_owned(),
                String::from_utf8_lossy(line.text).into_owned(),
            )),
            _ => None,
        }
    }

    #[test]
    fn source_and_text_are_told_apart() {
        for (expected, raw) in [
            (Some(("web.1", "INFO:     x")), "2026-11-23T00:34:43.990472+00:00 app[web.1]: INFO:     x"),
            (Some(("web.1", "  File")), "2026-11-23T00:34:43.990472+00:00 app[web.1]:   File"),
            (Some(("web.1", "")), "2026-11-23T00:34:43.990472+00:00 app[web.1]: "),
            (Some(("heroku/router", "at=info path=\"/\"")), "2026-11-23T00:34:45.2+00:00 heroku[router]: at=info path=\"/\""),
            (Some(("heroku/web.1", "State changed")), "2026-11-23T00:34:46.9+00:00 heroku[web.1]: State changed"),
            (None, "2026-11-23T00:34:43.990472+00:00 host uvicorn[7]: x"),
            (None, "2026-11-23T00:34:43.990472+00:00 cron[7]: x"),
            (None, "INFO:     x"),
        ] {
            let expected = expected.map(|(i, t)| (i.to_owned(), t.to_owned()));
            assert_eq!(expected, show(heroku(raw.as_bytes(), &mut Vec::new())), "{raw}");
        }
        for (expected, raw) in [
            (
                Some(("ecs/shop/0123456789abcdef", "INFO:     x")),
                "2026-11-23T00:34:51.614837+00:00 ecs/shop/0123456789abcdef INFO:     x",
            ),
            (Some(("2026/11/23/[$LATEST]ab12", "")), "2026-11-23T00:34:51.614837+00:00 2026/11/23/[$LATEST]ab12 "),
            (None, "2026-11-23T00:34:51.614837+00:00 /path x"),
            (None, "2026-11-23T00:34:51.614837+00:00 INFO x"),
            (None, "2026-11-23T00:34:51.614837Z a/b x"),
        ] {
            let expected = expected.map(|(i, t)| (i.to_owned(), t.to_owned()));
            assert_eq!(expected, show(awslogs(raw.as_bytes())), "{raw}");
        }
    }
}
