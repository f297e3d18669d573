//! What to do with the bytes behind the last whole line: one decision at a time.
//!
//! The same rules as the batch half's cutter, without a buffer: a follower reads the unfinished line again when the file
//! has grown, so that ten thousand quiet files need no memory of their own.

use memchr::memchr;
use memchr::memrchr;

/// The next step over bytes that begin at the start of a line, or inside one that is being skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many bytes belong to a line that was too long; true where it ends with them.
    Skip(usize, bool),
    /// So many NUL bytes stand before the next line.
    Hole(usize),
    /// So many bytes are whole lines.
    Lines(usize),
    /// A line too long begins; so many bytes of it are here.
    TooLong(usize),
    /// An unfinished line, or nothing.
    Open,
}

/// Decides about `data`; a line of more than `longest` bytes is too long.
pub(super) fn cut(data: &[u8], skipping: bool, longest: usize) -> Cut {
    if data.is_empty() {
        return Cut::Open;
    }
    if skipping {
        let newline = memchr(b'\n', data);
        return Cut::Skip(newline.map_or(data.len(), |at| at + 1), newline.is_some());
    }
    if data.first() == Some(&0) {
        return Cut::Hole(data.iter().position(|b| *b != 0).unwrap_or(data.len()));
    }
    // No line that ends in here is too long.
    let data = data.get(..=longest).unwrap_or(data);
    match memrchr(b'\n', data) {
        Some(newline) => Cut::Lines(newline + 1),
        None if data.len() > longest => Cut::TooLong(data.len()),
        None => Cut::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_beginning_has_its_step() {
        for (expected, data, skipping) in [
            (Cut::Open, &b""[..], false),
            (Cut::Open, b"half", false),
            (Cut::Open, b"exactly8", false),
            (Cut::TooLong(9), b"more than", false),
            (Cut::TooLong(9), b"more than\n", false),
            (Cut::Lines(9), b"exactly8\nmore\n", false),
            (Cut::Lines(2), b"a\nmore than 8\n", false),
            (Cut::Lines(4), b"a\nb\nc", false),
            (Cut::Hole(2), b"\0\0a\n", false),
            (Cut::Hole(2), b"\0\0", false),
            (Cut::Skip(2, true), b"x\ny\n", true),
            (Cut::Skip(3, false), b"\0xy", true),
        ] {
            assert_eq!(expected, cut(data, skipping, 8), "{data:?}");
        }
    }
}
