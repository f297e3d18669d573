//! Reads a source and gives its whole lines block by block.
//!
//! Thin: the cutting is `split.rs`', the unpacking `input/archive.rs`'. An error in the middle (packed data that ends
//! early) comes after everything that could be read, the last unfinished line included.

use crate::error::Error;
use crate::input::archive::Archive;
use crate::line::split::Block;
use crate::line::split::Position;
use crate::line::split::Splitter;

/// The whole lines of one source, block by block; the buffer is used again and again.
#[derive(Debug)]
pub struct Blocks {
    archive: Archive,
    splitter: Splitter,
    failure: Option<Error>,
    ended: bool,
}

impl Blocks {
    /// The lines of `archive` from where it stands.
    pub fn new(archive: Archive) -> Self {
        let splitter = Splitter::new(Position { offset: archive.position(), skipping: false });
        Self { archive, splitter, failure: None, ended: false }
    }

    /// The next block; `Ok(None)` at the end.
    ///
    /// # Errors
    /// What stopped the reading, once, after all that could be read; `Ok(None)` from then on.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, Error> {
        self.next_within(usize::MAX)
    }

    /// The same, of `most` bytes and the rest of the line that stands there at most.
    ///
    /// # Errors
    /// As [`Blocks::next_block`].
    pub fn next_within(&mut self, most: usize) -> Result<Option<Block<'_>>, Error> {
        while !self.ended {
            // Asked first: a block that is returned is borrowed for good.
            if self.splitter.has_block() {
                return Ok(self.splitter.next_within(most));
            }
            match self.archive.read(self.splitter.room()) {
                Ok(0) => self.ended = true,
                Ok(count) => self.splitter.filled(count),
                Err(error) => (self.ended, self.failure) = (true, Some(error)),
            }
        }
        if self.splitter.has_rest() {
            return Ok(self.splitter.finish());
        }
        self.failure.take().map_or(Ok(None), Err)
    }

    /// Calls `take` with every block that is left.
    ///
    /// # Errors
    /// What stopped the reading, after all that could be read was taken.
    pub fn each(mut self, mut take: impl FnMut(&Block<'_>)) -> Result<(), Error> {
        while let Some(block) = self.next_block()? {
            take(&block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_archive_that_ends_early_gives_its_lines_and_then_one_error() {
        let text: Vec<u8> = (0..90_000_u32).flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&text).unwrap();
        let content = packer.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.log.gz");
        std::fs::write(&path, &content[..content.len() / 2]).unwrap();

        let mut blocks = Blocks::new(Archive::open(&path).unwrap());
        let (mut read, mut inside) = (Vec::new(), 0);
        let error = loop {
            match blocks.next_block() {
                Ok(Some(block)) => {
                    assert_eq!(read.len() as u64, block.offset);
                    read.extend_from_slice(block.bytes);
                    inside += usize::from(block.ends_inside);
                }
                Ok(None) => panic!("no error"),
                Err(error) => break error,
            }
        };
        assert!(read.len() > text.len() / 3 && text.starts_with(&read));
        assert_eq!(usize::from(!read.ends_with(b"\n")), inside);
        assert!(error.message.contains("ends early"), "{error}");
        assert_eq!(Ok(None), blocks.next_block());
    }

    #[test]
    fn offsets_go_on_from_where_a_share_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, b"\xef\xbb\xbfone\ntwo\nthree").unwrap();
        for (expected, archive) in [
            (vec![(3, &b"one"[..]), (7, b"two"), (11, b"three")], Archive::open(&path).unwrap()),
            (vec![(7, &b"two"[..])], Archive::open_range(&path, 7, 11).unwrap()),
        ] {
            let (mut blocks, mut lines) = (Blocks::new(archive), Vec::new());
            while let Some(block) = blocks.next_block().unwrap() {
                lines.extend(block.lines().map(|line| (line.offset, line.bytes.to_vec())));
            }
            assert_eq!(expected, lines.iter().map(|(offset, bytes)| (*offset, &bytes[..])).collect::<Vec<_>>());
        }
    }
}
