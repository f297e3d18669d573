//! Lines of the Kubernetes container runtime interface: `TIME stdout F text`.
//!
//! Form: `kubernetes/design-proposals`, "CRI logging format": an RFC 3339 time, the stream, tags parted by colons of
//! which the first is `P` (the line goes on) or `F` (it is whole), and the text. Joining is `join.rs`'.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::time;

/// Takes time, stream and tag off.
pub(crate) fn peel(text: &[u8]) -> Off<'_> {
    parts(text).unwrap_or(Off::Not)
}

fn parts(text: &[u8]) -> Option<Off<'_>> {
    let (stamp, taken) = time::iso(text)?;
    let rest = text.get(taken..)?.strip_prefix(b" std")?;
    let (stderr, rest) = match rest.split_at_checked(4)? {
        (b"out ", rest) => (false, rest),
        (b"err ", rest) => (true, rest),
        _ => return None,
    };
    let (tags, text) = match memchr::memchr(b' ', rest) {
        Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
        None => (rest, &b""[..]),
    };
    let line = Line { text, hint: Hint { time: Some(stamp), stderr, ..Hint::default() } };
    match (tags.first()?, tags.get(1)) {
        (b'F', None | Some(b':')) => Some(Off::Inner(line)),
        (b'P', None | Some(b':')) => Some(Off::Piece(line)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_tag_and_text_are_told_apart() {
        for (expected, raw) in [
            (Some((false, true, "INFO:     Started")), "2026-11-23T00:47:58.548969672Z stderr F INFO:     Started"),
            (Some((true, false, "first ")), "2026-11-23T01:47:58.5+01:00 stdout P first "),
            (Some((false, false, "")), "2026-11-23T00:47:58.548969672Z stdout F "),
            (Some((false, false, "")), "2026-11-23T00:47:58.548969672Z stdout F"),
            (Some((false, false, "x")), "2026-11-23T00:47:58.548969672Z stdout F:tag x"),
            (None, "2026-11-23T00:47:58.548969672Z stdout FULL x"),
            (None, "2026-11-23T00:47:58.548969672Z stdout"),
            (None, "INFO:     as it stands"),
        ] {
            let got = match peel(raw.as_bytes()) {
                Off::Inner(line) => Some((false, line.hint.stderr, line.text)),
                Off::Piece(line) => Some((true, line.hint.stderr, line.text)),
                _ => None,
            };
            assert_eq!(expected.map(|(piece, err, text)| (piece, err, text.as_bytes())), got, "{raw}");
        }
    }
}
