//! Whole lines taken out of the stream, to be walked elsewhere while the stream is read on.
//!
//! A parcel gives the blocks it was filled with, marks of too long lines and holes included; where they are walked changes
//! no figure. Its buffers are used again and again.

use memchr::memchr;

use crate::error::Error;
use crate::line::blocks::Blocks;
use crate::line::split::Block;

/// The most blocks of one parcel: marks of too long lines take no bytes of it.
const BLOCKS: usize = 1000;

/// Consecutive blocks of one source.
#[derive(Debug, Default)]
pub struct Parcel {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

/// A block without its bytes, which end at `end`.
#[derive(Debug)]
struct Mark {
    end: usize,
    offset: u64,
    hole: u64,
    ends_inside: bool,
    too_long: bool,
}

impl Parcel {
    /// Takes whole lines out of `blocks` in place of what it held: as many bytes as `size`, and the rest of the line that
    /// stands there. False where the source has ended.
    ///
    /// # Errors
    /// What stopped the reading; what came before is in the parcel.
    pub fn fill(&mut self, blocks: &mut Blocks, size: usize) -> Result<bool, Error> {
        self.clear();
        while self.bytes.len() < size && self.marks.len() < BLOCKS {
            match blocks.next_within(size - self.bytes.len())? {
                Some(block) => self.push(&block),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Takes the last lines of `other` in place of what it held: those that begin within its last `most` bytes.
    pub fn end_of(&mut self, other: &Self, most: usize) {
        self.clear();
        let from = other.bytes.len().saturating_sub(most);
        let mut start = 0;
        for block in other.blocks() {
            // the byte before `from` may end a line
            let newline = |before: usize| memchr(b'\n', block.bytes.get(before..)?).map(|at| before + at + 1);
            let skipped = if from <= start { Some(0) } else { newline(from - start - 1) };
            start += block.bytes.len();
            if let Some(skipped) = skipped.filter(|skipped| *skipped == 0 || *skipped < block.bytes.len()) {
                let bytes = block.bytes.get(skipped..).unwrap_or_default();
                self.push(&Block { bytes, offset: block.offset + skipped as u64, ..block });
            }
        }
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let mut start = 0;
        self.marks.iter().map(move |mark| {
            let Mark { end, offset, hole, ends_inside, too_long } = *mark;
            let bytes = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            Block { bytes, offset, hole, ends_inside, too_long }
        })
    }

    fn push(&mut self, block: &Block<'_>) {
        let Block { bytes, offset, hole, ends_inside, too_long } = *block;
        self.bytes.extend_from_slice(bytes);
        self.marks.push(Mark { end: self.bytes.len(), offset, hole, ends_inside, too_long });
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::archive::Archive;
    use crate::line::LONGEST;

    type Told = (Vec<u8>, u64, u64, bool);

    fn told<'a>(blocks: impl Iterator<Item = Block<'a>>) -> Vec<Told> {
        blocks
            .flat_map(|block| block.lines().map(|l| (l.bytes.to_vec(), l.offset, l.hole, l.too_long)).collect::<Vec<_>>())
            .collect()
    }

    fn opened(content: &[u8]) -> (tempfile::TempDir, Blocks) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, content).unwrap();
        let blocks = Blocks::new(Archive::open(&path).unwrap());
        (folder, blocks)
    }

    fn nasty() -> Vec<u8> {
        let long = vec![b'x'; LONGEST + 9];
        let lines: Vec<u8> = (0..5000).flat_map(|n| format!("line {n}\r\n{}", "\n".repeat(n % 3)).into_bytes()).collect();
        [b"\xef\xbb\xbf\0\0one\n", &lines[..], &long, b"\n\0\0\0", &long, b"\ntwo\n\0\0\n", &lines, b"no end"].concat()
    }

    #[test]
    fn parcels_of_any_size_give_the_lines_of_the_source_at_their_offsets() {
        let content = nasty();
        let (_folder, mut blocks) = opened(&content);
        let mut whole = Vec::new();
        while let Some(block) = blocks.next_block().unwrap() {
            whole.extend(told(std::iter::once(block)));
        }
        assert_eq!(2, whole.iter().filter(|line| line.3).count());
        for size in [1, 10, 999, 70_000, 4 << 20] {
            let (_folder, mut blocks) = opened(&content);
            let (mut parcel, mut lines, mut more) = (Parcel::default(), Vec::new(), true);
            while more {
                more = parcel.fill(&mut blocks, size).unwrap();
                assert!(parcel.bytes.len() < size + 20, "a line more at most");
                lines.extend(told(parcel.blocks()));
            }
            assert!(whole == lines, "by {size}");
        }
    }

    #[test]
    fn the_end_of_a_parcel_is_its_last_whole_lines() {
        let (_folder, mut blocks) = opened(b"aa\nbb\n\0cc\ndd\nee");
        let mut parcel = Parcel::default();
        assert!(!parcel.fill(&mut blocks, 100).unwrap());
        let mut end = Parcel::default();
        for (most, expected) in [
            (0, &[][..]),
            (1, &[]),
            (2, &[(&b"ee"[..], 13)]),
            (4, &[(b"ee", 13)]),
            (5, &[(b"dd", 10), (b"ee", 13)]),
            (9, &[(b"cc", 7), (b"dd", 10), (b"ee", 13)]),
            (99, &[(b"aa", 0), (b"bb", 3), (b"cc", 7), (b"dd", 10), (b"ee", 13)]),
        ] {
            end.end_of(&parcel, most);
            let lines: Vec<_> = end.blocks().flat_map(|b| b.lines().map(|l| (l.bytes, l.offset)).collect::<Vec<_>>()).collect();
            assert_eq!(expected, lines, "{most}");
        }
    }

    #[test]
    fn lines_without_end_fill_a_parcel_too() {
        let long = [vec![b'x'; LONGEST + 1], b"\n".to_vec()].concat();
        let (_folder, mut blocks) = opened(&long.repeat(20));
        let mut parcel = Parcel::default();
        assert!(!parcel.fill(&mut blocks, 100).unwrap());
        assert_eq!((20, 0), (parcel.marks.len(), parcel.bytes.len()));
    }
}
