//! Syslog lines: RFC 3164 and RFC 5424, on the wire and as rsyslog and journalctl file them.
//!
//! Forms: RFC 3164 section 4.1 (`<PRI>Nov 23 00:34:33 host ident[pid]: text`), the same without PRI, with an RFC 3339
//! time (rsyslog's own file form, `journalctl -o short-iso`), with a week day (`-o short-full`) or with seconds since
//! 1970 (`-o short-unix`); RFC 5424 section 6. The year that RFC 3164 lacks is found where all times are settled.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::step;
use crate::time;
use crate::time::Stamp;

/// Takes header and tag off.
pub(crate) fn peel(text: &[u8]) -> Off<'_> {
    let rest = without_priority(text);
    let wire = rest.len() < text.len();
    match rest.strip_prefix(b"1 ") {
        Some(inner) if wire => modern(inner),
        _ => classic(rest),
    }
    .unwrap_or(Off::Not)
}

/// What follows `<PRI>`, and a count of octets before it (RFC 6587); the line itself where there is none.
fn without_priority(text: &[u8]) -> &[u8] {
    let body = match step::split(text, b' ') {
        Some((count, after)) if after.first() == Some(&b'<') && step::number(count).is_some() => after,
        _ => text,
    };
    let inner = body.strip_prefix(b"<").and_then(|b| step::split(b, b'>'));
    inner.filter(|(pri, _)| pri.len() <= 3 && step::number(pri).is_some()).map_or(text, |(_, rest)| rest)
}

/// RFC 5424 behind `<PRI>1 `.
fn modern(text: &[u8]) -> Option<Off<'_>> {
    let (stamp, rest) = step::split(text, b' ')?;
    let stamp = if stamp == b"-" { None } else { Some(time::iso(stamp).filter(|(_, taken)| *taken == stamp.len())?.0) };
    let origin = rest;
    let (host, rest) = step::split(rest, b' ')?;
    let (ident, rest) = step::split(rest, b' ')?;
    let (process, rest) = step::split(rest, b' ')?;
    let (_, rest) = step::split(rest, b' ')?;
    let message = step::after_blank(behind_structured(rest)?)?;
    let named = ident != b"-";
    let hint = Hint {
        time: stamp,
        instance: if named { origin.get(..host.len() + 1 + ident.len())? } else { host },
        service: if named { ident } else { b"" },
        pid: step::pid(process),
        stderr: false,
    };
    Some(Off::Inner(Line { text: message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message), hint }))
}

/// What follows the structured data: `-`, or elements in brackets whose values may hold `\"`, `\\` and `\]`.
fn behind_structured(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text.strip_prefix(b"-") {
        Some(rest) => return Some(rest),
        None => text.strip_prefix(b"[")?,
    };
    let mut quoted = false;
    loop {
        let at = memchr::memchr3(b'"', b'\\', b']', rest)?;
        let byte = *rest.get(at)?;
        rest = rest.get(at + 1..)?;
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => rest = rest.get(1..)?,
            b']' if !quoted => match rest.strip_prefix(b"[") {
                Some(next) => rest = next,
                None => return Some(rest),
            },
            _ => {}
        }
    }
}

/// RFC 3164 and its relatives, behind PRI.
fn classic(text: &[u8]) -> Option<Off<'_>> {
    let (stamp, taken) = stamp(text)?;
    let rest = step::after_blank(text.get(taken..)?)?;
    let (first, behind) = step::word(rest);
    let (names, ident, pid, text) = if first.ends_with(b":") {
        let (ident, pid) = tag(first)?;
        (ident, ident, pid, behind)
    } else {
        let (second, behind) = step::word(behind);
        let (ident, pid) = tag(second)?;
        if !step::is_name(first, b".:_-%") || step::is_level(first) {
            return None;
        }
        (rest.get(..first.len() + 1 + ident.len())?, ident, pid, behind)
    };
    if step::is_level(ident) {
        return None;
    }
    if is_blob(text) {
        return Some(Off::Lost);
    }
    Some(Off::Inner(Line { text, hint: Hint { time: Some(stamp), instance: names, service: ident, pid, stderr: false } }))
}

fn stamp(text: &[u8]) -> Option<(Stamp, usize)> {
    match text.first()? {
        b'0'..=b'9' if text.get(10) == Some(&b'T') => time::iso(text).filter(|(stamp, _)| matches!(stamp, Stamp::Exact(_))),
        b'0'..=b'9' => {
            let (seconds, _) = step::split(text, b' ')?;
            Some((time::epoch(seconds).filter(|_| seconds.contains(&b'.'))?, seconds.len()))
        }
        _ => time::yearless(text).or_else(|| {
            let (day, rest) = step::split(text, b' ')?;
            let (stamp, taken) = time::iso(rest)?;
            (day.len() == 3 && matches!(stamp, Stamp::Exact(_))).then_some((stamp, 4 + taken))
        }),
    }
}

/// `ident[pid]:` or `ident:`, whole.
fn tag(word: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let inner = word.strip_suffix(b":")?;
    let (ident, pid) = match inner.strip_suffix(b"]").and_then(|i| step::split(i, b'[')) {
        Some((ident, pid)) => (ident, Some(step::pid(pid)?)),
        None => (inner, None),
    };
    (ident.first().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'(')) && !ident.contains(&b':'))
        .then_some((ident, pid))
}

/// `[79B blob data]` or `[1.2K blob data]`, what journalctl shows for a text that is not printable.
fn is_blob(text: &[u8]) -> bool {
    text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b" blob data]")).is_some_and(|count| {
        !count.is_empty() && count.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'B' | b'K' | b'M'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// Instance, service, pid, text.
    fn told(raw: &str) -> Option<(String, String, Option<u32>, String)> {
        let show = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        match peel(raw.as_bytes()) {
            Off::Inner(Line { text, hint }) => Some((show(hint.instance), show(hint.service), hint.pid, show(text))),
            _ => None,
        }
    }

    #[test]
    fn host_name_process_and_text_are_told_apart() {
        for ((instance, service, pid, text), raw) in [
            (
                ("shop-web-01 shop", "shop", Some(7094), "22/11/2026 x"),
                "<131>Nov 23 00:34:33 shop-web-01 shop[7094]: 22/11/2026 x",
            ),
            (("host uvicorn", "uvicorn", Some(7), "  File"), "Dec 31 23:59:50 host uvicorn[7]:   File"),
            (("h kernel", "kernel", None, "x"), "Nov  3 00:34:33 h kernel: x"),
            (("shop", "shop", Some(9), "no host"), "<30>Nov 23 00:34:33 shop[9]: no host"),
            (("shop-web-01 uvicorn", "uvicorn", Some(1), ""), "2026-11-23T00:34:43+0000 shop-web-01 uvicorn[1]: "),
            (("h gunicorn", "gunicorn", Some(1), ""), "2026-11-23T00:34:43.123456+00:00 h gunicorn[1]:"),
            (("h u", "u", Some(1), "x"), "Mon 2026-11-23 00:34:43 UTC h u[1]: x"),
            (("h u", "u", Some(1), "x"), "1795394042.830343 h u[1]: x"),
            (
                ("shop-web-01 shop", "shop", Some(8355), "event=x"),
                "<131>1 2026-11-23T00:37:02.408876Z shop-web-01 shop 8355 - - event=x",
            ),
            (("h shop", "shop", None, "user=zoë"), "<134>1 2026-11-23T00:37:03.75Z h shop - access - \u{feff}user=zoë"),
            (("h a", "a", Some(8), "x ]y"), r#"<131>1 2026-11-23T00:37:02Z h a 8 - [m s="7"][x@3 k="a\"b\]c"] x ]y"#),
            (("h", "", None, ""), "<131>1 - h - - - -"),
            (("h a", "a", Some(8), "x"), "57 <131>1 2026-11-23T00:37:02Z h a 8 - - x"),
        ] {
            let expected = Some((instance.to_owned(), service.to_owned(), pid, text.to_owned()));
            assert_eq!(expected, told(raw), "{raw}");
        }
    }

    #[test]
    fn lines_of_applications_are_not_taken_for_syslog() {
        for raw in [
            "INFO:     Started server process [1]",
            "2026-11-23T00:34:43+0000 INFO shop: text",
            "2026-11-23T00:34:43+0000 shop INFO: text",
            "2026-11-23 00:34:43,110 - uvicorn - INFO: text",
            "-- Journal begins at Sun 2026-11-01 10:00:00 UTC. --",
            "<b>1 2 3</b>",
            "<131>1 2026-11-23T00:37:02Z h a 8 - [open x",
            "Nov 23 00:34:33 host last message repeated 3 times",
            "",
        ] {
            assert_eq!(None, told(raw), "{raw}");
        }
    }

    #[test]
    fn a_text_that_journalctl_did_not_show_is_lost() {
        assert_eq!(Off::Lost, peel(b"Nov 23 00:34:33 h shop[1]: [79B blob data]"));
        assert_eq!(Off::Lost, peel(b"Nov 23 00:34:33 h shop[1]: [1.2K blob data]"));
    }

    #[test]
    fn the_time_is_read_as_written() {
        let stamp = |raw: &[u8]| match peel(raw) {
            Off::Inner(line) => line.hint.time,
            _ => None,
        };
        let expected = Stamp::Yearless { month: 12, day: 31, in_day: 86_390_000_000 };
        assert_eq!(Some(expected), stamp(b"Dec 31 23:59:50 host uvicorn[7]: x"));
        let moment = Some(Stamp::Exact(Timestamp(1_795_394_042_000_000)));
        assert_eq!(moment, stamp(b"2026-11-23T00:34:02+0000 h u[1]: x"));
        assert_eq!(moment, stamp(b"<1>1 2026-11-23T00:34:02Z h u 1 - - x"));
    }
}
