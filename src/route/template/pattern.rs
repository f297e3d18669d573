//! One template's text, compiled, and whether a path is made of it.
//!
//! The converters are Starlette's (`convertors.py`, 1.x). Time is bounded by the lengths of both, whatever is asked.

use crate::error::Error;

/// What a template's path is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Vec<u8>),
    /// `[^/]+`
    Any,
    /// `[0-9]+`
    Int,
    /// `[0-9]+(\.[0-9]+)?`
    Float,
    /// Hexadecimal digits as 8-4-4-4-12, each `-` optional.
    Uuid,
    /// `.*`
    Path,
    /// `.+`: a document's last parameter at the second try.
    Rest,
}

pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, Error> {
    let bad = |why: &str| Error::usage(format!("route template '{template}' {why}"));
    if !template.starts_with('/') || template.len() > 2048 {
        return Err(bad("does not begin with '/', or is longer than 2,048 bytes"));
    }
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (text, from) = rest.split_at(open);
        let (name, after) = from[1..].split_once('}').ok_or_else(|| bad("has a '{' without its '}'"))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.as_bytes().to_vec()));
        }
        pieces.push(match name.split_once(':').map(|(_, kind)| kind) {
            None | Some("str") => Piece::Any,
            Some("int") => Piece::Int,
            Some("float") => Piece::Float,
            Some("uuid") => Piece::Uuid,
            Some("path") => Piece::Path,
            Some(kind) => return Err(bad(&format!("has the unknown converter '{kind}' (known: str, int, float, uuid, path)"))),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.as_bytes().to_vec()));
    }
    Ok(pieces)
}

/// Whether the whole of `text` is made of `pieces`: every end that each piece can have is carried on, so that time is at
/// most pieces × bytes (twice for the few that look ahead).
pub(super) fn fits(pieces: &[Piece], text: &[u8]) -> bool {
    let (text, more) = match pieces {
        [Piece::Text(first), more @ ..] => match text.strip_prefix(first.as_slice()) {
            Some(text) => (text, more),
            None => return false,
        },
        _ => (text, pieces),
    };
    let (text, more) = match more {
        [more @ .., Piece::Text(last)] => match text.strip_suffix(last.as_slice()) {
            Some(text) => (text, more),
            None => return false,
        },
        _ => (text, more),
    };
    match more {
        [] => return text.is_empty(),
        [Piece::Any] => return !text.is_empty() && memchr::memchr(b'/', text).is_none(),
        [Piece::Rest] => return !text.is_empty(),
        _ => {}
    }
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for piece in more {
        ends = piece.ends(text, &ends);
    }
    ends[text.len()]
}

impl Piece {
    /// Where this piece can end if it begins at one of `starts`.
    fn ends(&self, text: &[u8], starts: &[bool]) -> Vec<bool> {
        let mut ends = vec![false; text.len() + 1];
        match self {
            Self::Text(want) => {
                for at in (0..text.len()).filter(|at| starts[*at]) {
                    if text[at..].starts_with(want) {
                        ends[at + want.len()] = true;
                    }
                }
            }
            Self::Any => run(text, starts, &mut ends, |b| b != b'/'),
            Self::Int => run(text, starts, &mut ends, |b| b.is_ascii_digit()),
            Self::Rest => run(text, starts, &mut ends, |_| true),
            Self::Path => {
                run(text, starts, &mut ends, |_| true);
                for (end, start) in ends.iter_mut().zip(starts) {
                    *end |= *start;
                }
            }
            Self::Float => {
                let mut whole = vec![false; text.len() + 1];
                run(text, starts, &mut whole, |b| b.is_ascii_digit());
                let mut dots = vec![false; text.len() + 1];
                for at in (0..text.len()).filter(|at| whole[*at] && text[*at] == b'.') {
                    dots[at + 1] = true;
                }
                run(text, &dots, &mut ends, |b| b.is_ascii_digit());
                for (end, whole) in ends.iter_mut().zip(whole) {
                    *end |= whole;
                }
            }
            Self::Uuid => {
                for at in (0..text.len()).filter(|at| starts[*at]) {
                    if let Some(len) = uuid(&text[at..]) {
                        ends[at + len] = true;
                    }
                }
            }
        }
        ends
    }
}

/// Marks every end of a run of at least one byte of `kind` from any of `starts`.
fn run(text: &[u8], starts: &[bool], ends: &mut [bool], kind: impl Fn(u8) -> bool) {
    let mut open = false;
    for (at, &byte) in text.iter().enumerate() {
        open = (open || starts[at]) && kind(byte);
        ends[at + 1] |= open;
    }
}

/// The length of the UUID at the beginning of `text`.
pub(super) fn uuid(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (index, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 && text.get(at) == Some(&b'-') {
            at += 1;
        }
        if !text.get(at..at + digits)?.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        at += digits;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converters_take_what_starlette_takes() {
        for (want, template, path) in [
            (true, "/a/{b}", "/a/x"),
            (false, "/a/{b}", "/a/"),
            (false, "/a/{b}", "/a/x/y"),
            (true, "/a/{b:path}", "/a/"),
            (true, "/a/{b:path}", "/a/x/y"),
            (false, "/a/{b:path}", "/a"),
            (true, "/a/{b:path}/meta", "/a/x/y/meta"),
            (false, "/a/{b:path}/meta", "/a/meta"),
            (true, "/{n:int}", "/12"),
            (false, "/{n:int}", "/-12"),
            (false, "/{n:int}", "/1.2"),
            (true, "/{n:float}", "/1.2"),
            (true, "/{n:float}", "/1"),
            (false, "/{n:float}", "/1."),
            (true, "/{n:float}.5", "/1.2.5"),
            (true, "/{u:uuid}", "/2bcbde7eaf1d-4ea4-b4fb-eefd9846c68e"),
            (false, "/{u:uuid}", "/2bcbde7e-af1d-4ea4-b4fb-eefd9846c68"),
            (true, "/{a}.json", "/x.json"),
            (false, "/{a}.json", "/.json"),
            (true, "/{a}-{b}", "/x-y-z"),
            (false, "/{a}-{b}", "/x-"),
            (true, "/@{user}", "/@me"),
            (true, "/", "/"),
            (false, "/a", "/a/"),
        ] {
            assert_eq!(want, fits(&pieces(template).unwrap(), path.as_bytes()), "{template} on {path}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_is_refused() {
        for bad in ["items", "", "/a/{b", "/a/{b:bool}"] {
            assert!(pieces(bad).is_err(), "{bad}");
        }
    }
}
