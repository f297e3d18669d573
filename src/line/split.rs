//! Cuts a stream of bytes into blocks of whole lines, whatever the chunking, and a block into its lines.
//!
//! Knows nothing of files or encodings; an unfinished line stays in the buffer until its end comes or `finish` is
//! called. A line longer than [`LONGEST`] bytes gives one mark and is dropped, so memory stays bounded. NUL bytes
//! before a line (the hole that a truncation under a writer leaves) are left out and counted. Reading into the buffer
//! is `blocks.rs`' part. The form of the buffer (fill, consume, roll) is that of ripgrep's `line_buffer.rs`.

use memchr::memchr;
use memchr::memchr3;
use memchr::memrchr;

use crate::line::LONGEST;

/// Bytes the buffer has at first; it grows only for a line that does not fit.
const FIRST_SIZE: usize = 256 << 10;
/// Bytes the buffer has at most: the longest line and its newline.
const LAST_SIZE: usize = LONGEST + 1;

/// Consecutive whole lines, borrowed from the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Whole lines, each with its newline, but for the very last of a source. Empty where `too_long` is set, or where
    /// nothing but NUL bytes came before the end.
    pub bytes: &'a [u8],
    /// Where `bytes` begins in the unpacked source.
    pub offset: u64,
    /// NUL bytes left out directly before `bytes`.
    pub hole: u64,
    /// True where the source ended inside the last line, without a newline.
    pub ends_inside: bool,
    /// True where this is the mark of one line that is too long: it counts as one line, its bytes are gone.
    pub too_long: bool,
}

impl<'a> Block<'a> {
    /// A share of a source that is whole lines already.
    pub fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset, hole: 0, ends_inside: false, too_long: false }
    }

    /// True where no line of it holds an escape, a carriage return or a NUL byte: then the lines of an unwrapped
    /// source are the application's text as they stand.
    pub fn is_plain(&self) -> bool {
        memchr3(0x1b, b'\r', 0, self.bytes).is_none()
    }

    /// Its lines in order; a too long line gives one line with `too_long` set.
    pub fn lines(&self) -> Lines<'a> {
        Lines { rest: self.bytes, offset: self.offset, hole: self.hole, too_long: self.too_long }
    }
}

/// One line as it stands in the source, without its end and without the NUL bytes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The line's bytes; empty where `too_long` is set.
    pub bytes: &'a [u8],
    /// Where the line begins in the unpacked source, its NUL bytes left out.
    pub offset: u64,
    /// NUL bytes that stood before it.
    pub hole: u64,
    /// True where the line was longer than [`LONGEST`].
    pub too_long: bool,
}

/// The lines of a block, in order.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u8],
    offset: u64,
    hole: u64,
    too_long: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = RawLine<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawLine<'a>> {
        if self.rest.is_empty() {
            let last = RawLine { bytes: b"", offset: self.offset, hole: self.hole, too_long: true };
            self.hole = 0;
            return std::mem::take(&mut self.too_long).then_some(last);
        }
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        // a hole at the very end is no line, as in `Splitter::finish`
        let ended = end == self.rest.len();
        let mut line = self.rest.get(..end)?;
        let mut offset = self.offset;
        let mut hole = std::mem::take(&mut self.hole);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.offset += end as u64 + 1;
        if line.first() == Some(&0) {
            let zeros = leading_zeros(line);
            line = line.get(zeros..)?;
            if line.is_empty() && ended {
                return None;
            }
            offset += zeros as u64;
            hole += zeros as u64;
        }
        while let Some((&b'\r', shorter)) = line.split_last() {
            line = shorter;
        }
        Some(RawLine { bytes: line, offset, hole, too_long: false })
    }
}

fn leading_zeros(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len())
}

/// What must be remembered of the cutting when a source is left and taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The first byte of the unpacked source that has not been given in a block.
    pub offset: u64,
    /// True inside a line that was too long: bytes up to the next newline are dropped.
    pub skipping: bool,
}

/// The cutter: bytes come in through [`Splitter::room`] and [`Splitter::filled`], blocks go out through
/// [`Splitter::next_block`] and, at the end, [`Splitter::finish`].
#[derive(Debug, Clone)]
pub struct Splitter {
    /// At most [`LAST_SIZE`] bytes.
    buffer: Vec<u8>,
    /// First byte that has not been given; at most `end`.
    start: usize,
    /// Behind the last newline found; what lies between `start` and here is whole lines.
    whole: usize,
    /// Everything before this has been searched for a newline.
    scanned: usize,
    /// Behind the last byte that came in; at most the buffer's length.
    end: usize,
    /// Place of `start` in the source.
    offset: u64,
    /// NUL bytes left out directly before `start`.
    hole: u64,
    skipping: bool,
}

impl Splitter {
    /// A cutter that goes on where `position` says.
    pub fn new(position: Position) -> Self {
        let Position { offset, skipping } = position;
        Self { buffer: vec![0; FIRST_SIZE], start: 0, whole: 0, scanned: 0, end: 0, offset, hole: 0, skipping }
    }

    /// Up to where everything has been given out: the start of the unfinished line.
    pub fn position(&self) -> Position {
        Position { offset: self.offset, skipping: self.skipping }
    }

    /// Where the next bytes belong. Never empty after [`Splitter::next_block`] has said `None`.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.whole, self.scanned, self.end) = (0, 0, 0, 0);
        } else if self.buffer.len() - self.end < self.buffer.len() / 4 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.scanned -= self.start;
            self.whole = self.whole.saturating_sub(self.start);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() - self.end < self.buffer.len() / 4 && self.buffer.len() < LAST_SIZE {
                self.buffer.resize((self.buffer.len() * 2).min(LAST_SIZE), 0);
            }
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `count` bytes came into the room.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The next whole lines, or the mark of a line that is too long; `None` where more bytes are needed.
    pub fn next_block(&mut self) -> Option<Block<'_>> {
        self.next_within(usize::MAX)
    }

    /// The same, of `most` bytes and the rest of the line that stands there at most.
    pub fn next_within(&mut self, most: usize) -> Option<Block<'_>> {
        if !self.has_block() {
            return None;
        }
        if self.whole > self.start {
            let near = self.start.saturating_add(most.max(1)) - 1;
            let newline = self.buffer.get(near..self.whole).and_then(|rest| memchr(b'\n', rest));
            return Some(self.give(newline.map_or(self.whole, |at| near + at + 1), false));
        }
        self.skipping = true;
        let mark = Block { bytes: b"", offset: self.offset, hole: self.hole, ends_inside: false, too_long: true };
        self.hole = 0;
        self.advance(self.end - self.start);
        Some(mark)
    }

    /// True where [`Splitter::next_block`] has something to give.
    pub fn has_block(&mut self) -> bool {
        if self.whole > self.start {
            return true;
        }
        if self.skipping {
            self.skip_to_newline();
        }
        self.leave_hole_out();
        let open = self.buffer.get(self.scanned..self.end).unwrap_or_default();
        if let Some(newline) = memrchr(b'\n', open) {
            self.whole = self.scanned + newline + 1;
        }
        self.scanned = self.end;
        self.whole > self.start || self.end - self.start > LONGEST
    }

    /// True where [`Splitter::finish`] has something to give.
    pub fn has_rest(&self) -> bool {
        self.start < self.end || self.hole > 0
    }

    /// The last line, which has no newline; also what was left out before the end without a line. To be asked once
    /// [`Splitter::next_block`] has said `None` and no more bytes come.
    pub fn finish(&mut self) -> Option<Block<'_>> {
        self.has_rest().then(|| self.give(self.end, true))
    }

    fn give(&mut self, to: usize, ends_inside: bool) -> Block<'_> {
        let (from, offset, hole) = (self.start, self.offset, self.hole);
        (self.start, self.scanned, self.hole) = (to, self.scanned.max(to), 0);
        self.offset += (to - from) as u64;
        let bytes = self.buffer.get(from..to).unwrap_or_default();
        Block { bytes, offset, hole, ends_inside, too_long: false }
    }

    fn skip_to_newline(&mut self) {
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        let newline = memchr(b'\n', rest);
        let count = newline.map_or(rest.len(), |at| at + 1);
        self.skipping = newline.is_none();
        self.advance(count);
    }

    fn leave_hole_out(&mut self) {
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        if !self.skipping && rest.first() == Some(&0) {
            let zeros = leading_zeros(rest);
            self.hole += zeros as u64;
            self.advance(zeros);
        }
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.scanned = self.scanned.max(self.start);
        self.offset += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Told = (Vec<u8>, u64, bool);

    /// Lines with their NUL bytes before them and whether they were too long, by the cutter.
    fn cut(source: &[u8], chunks: &[usize]) -> (Vec<Told>, u64) {
        let mut splitter = Splitter::new(Position::default());
        let (mut lines, mut trailing) = (Vec::new(), 0);
        let mut note = |block: Block<'_>| {
            if block.bytes.is_empty() && !block.too_long {
                trailing += block.hole;
            }
            lines.extend(block.lines().map(|l| (l.bytes.to_vec(), l.hole, l.too_long)));
        };
        let mut rest = source;
        let mut sizes = chunks.iter().copied().cycle();
        while !rest.is_empty() {
            let room = splitter.room();
            let count = sizes.next().unwrap().clamp(1, room.len()).min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            splitter.filled(count);
            while let Some(block) = splitter.next_block() {
                note(block);
            }
        }
        if let Some(block) = splitter.finish() {
            note(block);
        }
        assert_eq!(source.len() as u64, splitter.position().offset);
        (lines, trailing)
    }

    /// The same by brute force on the whole.
    fn naive(source: &[u8]) -> (Vec<Told>, u64) {
        let mut parts: Vec<&[u8]> = source.split(|&b| b == b'\n').collect();
        let last = parts.pop().unwrap();
        let mut lines: Vec<Told> = parts.into_iter().map(naive_line).collect();
        let zeros = leading_zeros(last);
        if zeros == last.len() {
            return (lines, zeros as u64);
        }
        lines.push(naive_line(last));
        (lines, 0)
    }

    fn naive_line(raw: &[u8]) -> Told {
        let zeros = leading_zeros(raw);
        let text = &raw[zeros..];
        if text.len() > LONGEST {
            return (Vec::new(), zeros as u64, true);
        }
        let end = text.iter().rposition(|&b| b != b'\r').map_or(0, |p| p + 1);
        (text[..end].to_vec(), zeros as u64, false)
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"\n".to_vec()), Just(b"\r\n".to_vec()), Just(vec![0; 5]), Just(b"a line".to_vec()),
                Just(b"\rb".to_vec()), prop::collection::vec(any::<u8>(), 0..9),
            ], 0..60),
            chunks in prop::collection::vec(1_usize..40, 1..6),
        ) {
            let source = pieces.concat();
            prop_assert_eq!(naive(&source), cut(&source, &chunks));
        }
    }

    #[test]
    fn a_line_longer_than_the_limit_is_one_mark_and_the_next_is_whole() {
        for extra in [-1_isize, 0, 1, 2, 300_000, 3 << 20] {
            let long = vec![b'x'; LONGEST.checked_add_signed(extra).unwrap()];
            for (source, chunk) in [
                ([b"one\n", long.as_slice(), b"\ntwo\n"].concat(), 65_536),
                ([b"one\n\0\0\0", long.as_slice(), b"\r\n\0two"].concat(), 1 << 20),
                ([long.as_slice(), b"\n", long.as_slice()].concat(), 100_000),
            ] {
                assert!(naive(&source) == cut(&source, &[chunk]), "{extra} {chunk}");
            }
        }
    }

    // found by the fuzz target `line`
    #[test]
    fn a_hole_at_the_end_is_no_line_however_a_source_is_cut() {
        for source in [&b"a\n\0\0"[..], b"\0", b"a\n\0\0\n", b"a\n\0b", b"a\n"] {
            let expected = naive(source).0.len();
            assert_eq!(expected, Block::new(source, 0).lines().count(), "{source:?}");
        }
    }

    #[test]
    fn endless_nul_bytes_are_a_hole_and_no_line() {
        let (lines, trailing) = cut(&vec![0; 5 << 20], &[70_000]);
        assert_eq!((0, 5 << 20), (lines.len(), trailing));
        let hole = [vec![0; 3 << 20], b"first\nsecond".to_vec()].concat();
        let expected = vec![(b"first".to_vec(), 3 << 20, false), (b"second".to_vec(), 0, false)];
        assert_eq!((expected, 0), cut(&hole, &[65_536]));
    }

    #[test]
    fn the_buffer_stays_within_its_bound() {
        let mut splitter = Splitter::new(Position::default());
        for _ in 0..64 {
            let room = splitter.room();
            room.fill(b'x');
            let count = room.len();
            splitter.filled(count);
            while splitter.next_block().is_some() {}
        }
        assert_eq!(LAST_SIZE, splitter.buffer.len());
    }

    #[test]
    fn an_offset_leads_to_its_line() {
        let source = b"ab\r\n\0\0cd\n\nlast";
        let offsets: Vec<_> = Block::new(source, 100).lines().map(|l| (l.offset, l.bytes)).collect();
        assert_eq!(vec![(100, &b"ab"[..]), (106, b"cd"), (109, b""), (110, b"last")], offsets);
    }

    #[test]
    fn a_cutter_taken_up_inside_a_giant_line_drops_its_rest() {
        let mut splitter = Splitter::new(Position { offset: 7, skipping: true });
        splitter.room()[..9].copy_from_slice(b"xx\nwhole\n");
        splitter.filled(9);
        assert_eq!(Some(Block::new(b"whole\n", 10)), splitter.next_block());
    }
}
