//! Patterns over route names, as `--route`, rules, promises and `[routes] streaming` write them.
//!
//! `GET /items/*`: the method first where it matters (`*` and none mean any), `*` for anything within a segment, `**` for
//! anything across segments. Every other character is itself, braces and brackets too, because templates are full of
//! them. Knows nothing of paths on the wire: it is matched against a route's name.

use crate::error::Error;

/// One compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteGlob {
    /// Upper case; empty for any.
    method: String,
    /// What every path begins with, up to the first star.
    head: Vec<u8>,
    /// The first star and what follows it; empty for a pattern without stars.
    tail: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    /// `*`: anything but `/`, also nothing.
    Within,
    /// `**`: anything, also nothing.
    Across,
}

impl RouteGlob {
    /// The pattern that `text` writes.
    ///
    /// # Errors
    /// Usage, where no path stands in it or it is longer than 1,024 bytes.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (method, path) = match text.split_once(char::is_whitespace) {
            Some((first, rest)) if is_method(first) => (first, rest.trim_start()),
            _ => ("", text),
        };
        if path.is_empty() || path.len() > 1024 {
            return Err(Error::usage(format!(
                "route pattern '{text}' has no path of 1 to 1,024 bytes; write 'GET /items/*' or '/items/**'"
            )));
        }
        let mut pieces = Vec::with_capacity(path.len());
        for byte in path.bytes() {
            match (byte, pieces.last()) {
                (b'*', Some(Piece::Within)) => {
                    pieces.pop();
                    pieces.push(Piece::Across);
                }
                (b'*', Some(Piece::Across)) => {}
                (b'*', _) => pieces.push(Piece::Within),
                _ => pieces.push(Piece::Byte(byte)),
            }
        }
        let method = if method == "*" { String::new() } else { method.to_ascii_uppercase() };
        let stars = pieces.iter().position(|p| !matches!(p, Piece::Byte(_))).unwrap_or(pieces.len());
        Ok(Self { method, head: path.as_bytes()[..stars].to_vec(), tail: pieces.split_off(stars) })
    }

    /// Whether the route `method path` is meant. Time is at most the product of the two lengths.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method.eq_ignore_ascii_case(method)) && self.path_matches(path.as_bytes())
    }

    /// Whether the pattern is one path and nothing else.
    pub(super) fn is_exact(&self) -> bool {
        self.tail.is_empty()
    }

    fn path_matches(&self, path: &[u8]) -> bool {
        let Some(rest) = path.strip_prefix(self.head.as_slice()) else { return false };
        match self.tail.as_slice() {
            [] => rest.is_empty(),
            [Piece::Across] => true,
            [Piece::Within] => memchr::memchr(b'/', rest).is_none(),
            tail => reaches(tail, rest),
        }
    }
}

/// Carries every place of the pattern that is reachable from byte to byte.
fn reaches(pieces: &[Piece], path: &[u8]) -> bool {
    let mut reached = vec![false; pieces.len() + 1];
    reached[0] = true;
    skip_stars(pieces, &mut reached);
    for &byte in path {
        let mut next = vec![false; pieces.len() + 1];
        for (at, piece) in pieces.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match piece {
                Piece::Byte(b) if *b == byte => next[at + 1] = true,
                Piece::Within if byte != b'/' => next[at] = true,
                Piece::Across => next[at] = true,
                Piece::Byte(_) | Piece::Within => {}
            }
        }
        skip_stars(pieces, &mut next);
        reached = next;
    }
    reached[pieces.len()]
}

fn skip_stars(pieces: &[Piece], reached: &mut [bool]) {
    for (at, piece) in pieces.iter().enumerate() {
        if reached[at] && !matches!(piece, Piece::Byte(_)) {
            reached[at + 1] = true;
        }
    }
}

fn is_method(word: &str) -> bool {
    matches!(word, "*" | "-") || (word.len() <= 16 && word.bytes().all(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_braces_and_stars_mean_what_the_contract_says() {
        for (want, glob, method, path) in [
            (true, "/items/{item_id}", "GET", "/items/{item_id}"),
            (false, "/items/{item_id}", "GET", "/items/7"),
            (true, "GET /items/*", "GET", "/items/{item_id}"),
            (false, "GET /items/*", "POST", "/items/{item_id}"),
            (true, "get /items/*", "GET", "/items/{id}"),
            (true, "* /items", "DELETE", "/items"),
            (false, "/items/*", "GET", "/items/{id}/reviews"),
            (true, "/items/**", "GET", "/items/{id}/reviews"),
            (false, "/items/**", "GET", "/items"),
            (true, "**", "GET", "/"),
            (true, "/*", "GET", "/"),
            (true, "**/export", "GET", "/a/b/export"),
            (true, "/api/*/users/**x", "GET", "/api/v1/users/a/b/x"),
            (true, "(not found)", "GET", "(not found)"),
            (true, "GET (other)", "GET", "(other)"),
            (true, "- /x", "-", "/x"),
            (false, "/a.c", "GET", "/abc"),
            (true, "/a[b]?", "GET", "/a[b]?"),
            (true, "/***", "GET", "/a/b"),
        ] {
            assert_eq!(want, RouteGlob::new(glob).unwrap().matches(method, path), "{glob} on {method} {path}");
        }
    }

    #[test]
    fn a_pattern_without_a_path_is_refused() {
        for bad in ["", "  ", &"x".repeat(1025)] {
            assert!(RouteGlob::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        let glob = RouteGlob::new(&"*a".repeat(200)).unwrap();
        assert!(!glob.matches("GET", &"a".repeat(199)));
    }
}
