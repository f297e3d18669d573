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
        while !self.ended {
            // Asked twice because a borrow that is returned cannot be given back in the same loop.
            if self.splitter.has_block() {
                return Ok(self.splitter.next_block());
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
}
