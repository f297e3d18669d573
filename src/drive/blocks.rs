//! Every block of whole lines of one opened source, unpacked on a thread of its own where that pays.

use std::sync::mpsc;
use std::thread;

use crate::error::Error;
use crate::input::archive::Archive;
use crate::line::blocks::Blocks;
use crate::line::split::Block;
use crate::line::split::Position;
use crate::line::split::Splitter;

/// Bytes unpacked at a time.
const PIECE: usize = 256 << 10;
/// Pieces that may wait between unpacking and parsing.
const AHEAD: usize = 4;

/// Calls `take` with every block of `archive`. Packed sources are unpacked on a second thread where `beside` says so.
///
/// # Errors
/// What stopped the reading, after all that could be read was taken.
pub(super) fn each_block(archive: Archive, beside: bool, mut take: impl FnMut(&Block<'_>)) -> Result<(), Error> {
    if beside && archive.compressed() {
        return unpacked_beside(archive, take);
    }
    let mut blocks = Blocks::new(archive);
    while let Some(block) = blocks.next_block()? {
        take(&block);
    }
    Ok(())
}

fn unpacked_beside(mut archive: Archive, mut take: impl FnMut(&Block<'_>)) -> Result<(), Error> {
    let (full, filled) = mpsc::sync_channel::<Result<Vec<u8>, Error>>(AHEAD);
    let (back, empty) = mpsc::channel::<Vec<u8>>();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let mut piece = empty.try_recv().unwrap_or_default();
                piece.resize(PIECE, 0);
                let read = archive.read(&mut piece);
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
        let mut splitter = Splitter::new(Position::default());
        let mut failure = None;
        while let Ok(piece) = filled.recv() {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            let mut rest = piece.as_slice();
            while !rest.is_empty() {
                let room = splitter.room();
                let n = room.len().min(rest.len());
                room[..n].copy_from_slice(&rest[..n]);
                splitter.filled(n);
                rest = &rest[n..];
                while let Some(block) = splitter.next_block() {
                    take(&block);
                }
            }
            // the other thread may have ended: then nobody needs the buffer
            drop(back.send(piece));
        }
        while let Some(block) = splitter.finish() {
            take(&block);
        }
        failure.map_or(Ok(()), Err)
    })
}
