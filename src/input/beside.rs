//! A source that is read ahead on a thread of its own: unpacking and parsing at once.
//!
//! What is read, errors and the end included, is what the source itself would give, in the same order. A few pieces
//! wait at most; a reader that is dropped ends the thread.

use std::io;
use std::io::Read;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::thread;

use crate::input::unpack::Source;

/// Bytes unpacked at a time, as many as a decoder gives.
const PIECE: usize = 64 << 10;
/// Pieces that may wait between unpacking and parsing.
const AHEAD: usize = 16;

/// The other side of the thread.
struct Beside {
    /// An empty piece is the end.
    filled: Receiver<io::Result<Vec<u8>>>,
    /// Buffers that are done with.
    back: Sender<Vec<u8>>,
    piece: Vec<u8>,
    given: usize,
    ended: bool,
}

/// The bytes of `source`, read ahead.
pub(crate) fn beside(source: Source) -> Source {
    let (full, filled) = mpsc::sync_channel(AHEAD);
    let (back, empty) = mpsc::channel();
    thread::spawn(move || {
        let mut source = source;
        loop {
            let mut piece: Vec<u8> = empty.try_recv().unwrap_or_default();
            piece.resize(PIECE, 0);
            let read = loop {
                match source.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            let ended = !matches!(read, Ok(n) if n > 0);
            let piece = read.map(|n| {
                piece.truncate(n);
                piece
            });
            if full.send(piece).is_err() || ended {
                break;
            }
        }
    });
    Box::new(Beside { filled, back, piece: Vec::new(), given: 0, ended: false })
}

impl Read for Beside {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.piece.len() && !self.ended {
            // The thread may have ended: then nobody needs the buffer.
            drop(self.back.send(std::mem::take(&mut self.piece)));
            self.given = 0;
            // It says when it ends; without a word it broke off.
            match self.filled.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) {
                Ok(piece) => (self.ended, self.piece) = (piece.is_empty(), piece),
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        let waiting = self.piece.get(self.given..).unwrap_or_default();
        let count = waiting.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `left` bytes in uneven steps, then an error where there is one.
    struct Uneven {
        left: usize,
        error: Option<io::ErrorKind>,
    }

    impl Read for Uneven {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.left.min(buffer.len()).min(1 + self.left % 70_001);
            if count == 0 {
                return self.error.take().map_or(Ok(0), |kind| Err(kind.into()));
            }
            for (at, byte) in buffer.iter_mut().take(count).enumerate() {
                *byte = (self.left - at).to_le_bytes()[0];
            }
            self.left -= count;
            Ok(count)
        }
    }

    #[test]
    fn what_is_read_ahead_is_what_the_source_gives_and_its_error_comes_last() {
        const BYTES: usize = 3_000_017;
        for error in [None, Some(io::ErrorKind::UnexpectedEof), Some(io::ErrorKind::OutOfMemory)] {
            let mut read = beside(Box::new(Uneven { left: BYTES, error }));
            let (mut bytes, mut buffer) = (Vec::new(), vec![0; 10_007]);
            let ended = loop {
                match read.read(&mut buffer) {
                    Ok(0) => break None,
                    Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                    Err(error) => break Some(error.kind()),
                }
            };
            assert_eq!(error, ended);
            assert_eq!(BYTES, bytes.len());
            assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (BYTES - at).to_le_bytes()[0]));
            assert_eq!(0, read.read(&mut buffer).unwrap(), "and nothing from then on");
        }
    }

    #[test]
    fn a_thread_that_breaks_off_is_an_error_and_no_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                std::panic::resume_unwind(Box::new("no more"));
            }
        }
        let error = beside(Box::new(Broken)).read(&mut [0; 9]).unwrap_err();
        assert_eq!(io::ErrorKind::BrokenPipe, error.kind());
    }
}
