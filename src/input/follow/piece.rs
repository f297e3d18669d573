//! One content being read: a file that is open, closed for a while, or packed since.
//!
//! Every read fetches the mark and what stands behind it at once: a truncation cannot slip in between. Knows nothing of
//! names and of what else was rotated; that is `sweep.rs`'.

use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::error::Error;
use crate::input::archive::Archive;
use crate::input::follow::Chunk;
use crate::input::follow::cut::Cut;
use crate::input::follow::cut::cut;
use crate::input::follow::trace::BOM;
use crate::input::follow::trace::Kept;
use crate::input::follow::trace::MARK;
use crate::input::follow::trace::Trace;
use crate::input::follow::trace::holds;
use crate::input::identity::FileId;
use crate::input::identity::Head;

/// Bytes read at once, and what a buffer has at first.
pub(super) const STEP: usize = 256 << 10;

/// Where the bytes come from.
pub(super) enum Handle {
    /// Not open: idle, or to be found.
    Closed,
    Plain(File),
    Packed(Box<Packed>),
}

/// A packed content: it is complete, and can only be read from its start.
pub(super) struct Packed {
    archive: Archive,
    /// The last bytes before the place, and what stands behind it.
    buffer: Vec<u8>,
    /// True once the place has been reached.
    arrived: bool,
}

impl Packed {
    pub(super) fn new(archive: Archive) -> Self {
        Self { archive, buffer: Vec::new(), arrived: false }
    }
}

/// How a reading ended.
pub(super) enum Step {
    /// Everything there is was given, but for an unfinished line.
    Drained,
    /// There is more.
    More,
    /// What was read before is not there any more.
    Broken,
    /// Complete and given to its end; with what was wrong on the way.
    Done(Option<Error>),
    Failed(io::Error),
}

pub(super) struct Piece {
    pub(super) file: FileId,
    /// Where it was found.
    pub(super) path: PathBuf,
    pub(super) handle: Handle,
    pub(super) trace: Trace,
    pub(super) generation: u64,
    /// The largest size it was seen with.
    pub(super) seen: u64,
    /// Size and time of change when it was last read to its end.
    drained_at: Option<(u64, i64, i64)>,
    /// Below this, lines were there when live reading began.
    pub(super) backlog: u64,
    /// True for what was cut off in place and is looked for in a copy.
    pub(super) truncated: bool,
    /// Its place among its siblings, 0 the oldest.
    pub(super) rank: usize,
    /// Since when it has given nothing, and how often it was asked since.
    pub(super) quiet_since: i64,
    pub(super) quiet_looks: u32,
    /// True once a failure was told.
    pub(super) failing: bool,
}

/// What one reading needs.
pub(super) struct Reading<'a> {
    pub(super) source: u64,
    pub(super) longest: usize,
    pub(super) buffer: &'a mut Vec<u8>,
    /// Bytes that may still be read in this look.
    pub(super) budget: &'a mut u64,
    pub(super) give: &'a mut dyn FnMut(Chunk<'_>),
}

fn state(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

impl Piece {
    pub(super) fn new(file: FileId, path: PathBuf, handle: Handle, trace: Trace, generation: u64, now: i64) -> Self {
        Self {
            file,
            path,
            handle,
            trace,
            generation,
            seen: 0,
            drained_at: None,
            backlog: 0,
            truncated: false,
            rank: 0,
            quiet_since: now,
            quiet_looks: 0,
            failing: false,
        }
    }

    /// As a bookmark holds it: closed until it is found.
    pub(super) fn from_kept(kept: &Kept, path: PathBuf, now: i64) -> Self {
        let trace = Trace::from_kept(kept);
        let mut piece = Self::new(kept.identity.file, path, Handle::Closed, trace, kept.generation, now);
        piece.seen = kept.seen;
        piece
    }

    pub(super) fn kept(&self) -> Kept {
        self.trace.kept(self.file, self.generation, self.seen)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.handle, Handle::Closed)
    }

    pub(super) fn plain(&self) -> Option<&File> {
        match &self.handle {
            Handle::Plain(file) => Some(file),
            _ => None,
        }
    }

    /// True where a file in this state has nothing that was not read.
    pub(super) fn is_drained(&self, metadata: &Metadata) -> bool {
        self.drained_at == Some(state(metadata))
    }

    /// True where what was read still stands in its file.
    pub(super) fn is_whole(&self, opened: &File) -> bool {
        let shrunk = || self.trace.place.offset == 0 && opened.metadata().is_ok_and(|m| m.len() < self.seen);
        holds(opened, &self.kept()) && !shrunk()
    }

    /// Bytes that were seen and not given.
    pub(super) fn unread(&self) -> u64 {
        self.seen.saturating_sub(self.trace.place.offset)
    }

    /// Asks for what is new; what `lost` is told of was seen, not given, and cut off.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, lost: &mut u64) -> Step {
        let before = self.trace.place.offset;
        let step = match self.handle {
            Handle::Closed => Step::Drained,
            Handle::Plain(_) => self.read_plain(reading, lost).unwrap_or_else(Step::Failed),
            Handle::Packed(_) => self.read_packed(reading),
        };
        if self.trace.place.offset > before {
            self.quiet_looks = 0;
        }
        step
    }

    fn read_plain(&mut self, reading: &mut Reading<'_>, lost: &mut u64) -> io::Result<Step> {
        let Handle::Plain(file) = &self.handle else { return Ok(Step::Drained) };
        let metadata = file.metadata()?;
        if self.is_drained(&metadata) {
            return Ok(Step::Drained);
        }
        if metadata.len() < self.seen && self.trace.place.offset == 0 || metadata.len() < self.trace.place.offset {
            return Ok(Step::Broken);
        }
        loop {
            let marked = self.trace.mark_len();
            let from = self.trace.place.offset - marked as u64;
            let Handle::Plain(file) = &self.handle else { return Ok(Step::Drained) };
            let count = read_once(file, reading.buffer, from)?;
            let bytes = &reading.buffer[..count];
            if count < marked || Head::of(&bytes[..marked]) != self.trace.mark() {
                return Ok(Step::Broken);
            }
            let end = from + count as u64;
            let full = count == reading.buffer.len();
            if !full && end < self.seen {
                *lost += self.seen - end;
                self.seen = end;
            }
            self.seen = self.seen.max(end).max(if full { metadata.len() } else { 0 });
            let backlog = self.backlog;
            let used = give(
                &mut self.trace,
                self.generation,
                backlog,
                &bytes[marked..],
                reading.source,
                reading.longest,
                reading.give,
            );
            self.trace.advance(&bytes[..marked + used], used);
            *reading.budget = reading.budget.saturating_sub(used as u64);
            if !full {
                self.drained_at = Some(state(&metadata));
                return Ok(Step::Drained);
            }
            if used == 0 {
                let room = (reading.buffer.len() * 2).min(MARK + reading.longest + 1);
                reading.buffer.resize(room, 0);
            } else if *reading.budget == 0 {
                return Ok(Step::More);
            }
        }
    }

    fn read_packed(&mut self, reading: &mut Reading<'_>) -> Step {
        let Handle::Packed(packed) = &mut self.handle else { return Step::Drained };
        loop {
            if *reading.budget == 0 {
                return Step::More;
            }
            let used = packed.buffer.len();
            let wanted = if packed.arrived { STEP } else { packed.missing(self.trace.place.offset) };
            packed.buffer.resize(used + wanted, 0);
            let result = if wanted == 0 { Ok(1) } else { packed.archive.read(&mut packed.buffer[used..]) };
            let count = if wanted == 0 { 0 } else { *result.as_ref().unwrap_or(&0) };
            packed.buffer.truncate(used + count);
            *reading.budget = reading.budget.saturating_sub(count as u64);
            let ended = !matches!(result, Ok(1..));
            if !packed.arrived {
                if ended {
                    return Step::Broken;
                }
                packed.keep_mark(MARK);
                if packed.archive.position() < self.trace.place.offset {
                    continue;
                }
                packed.arrived = true;
                packed.keep_mark(self.trace.mark_len());
                if Head::of(&packed.buffer) != self.trace.mark() {
                    return Step::Broken;
                }
                if self.trace.place.offset == 0 {
                    self.trace.place.offset = packed.archive.position();
                }
                continue;
            }
            let marked = self.trace.mark_len();
            let (backlog, generation) = (self.backlog, self.generation);
            let fresh = &packed.buffer[marked..];
            let mut used = give(&mut self.trace, generation, backlog, fresh, reading.source, reading.longest, reading.give);
            if ended {
                used += give_rest(&self.trace, generation, backlog, &fresh[used..], reading.source, reading.give);
            }
            self.trace.advance(&packed.buffer[..marked + used], used);
            let keep = packed.buffer.len() - marked - used + self.trace.mark_len();
            packed.keep_mark(keep);
            if ended {
                self.seen = self.trace.place.offset;
                return Step::Done(result.err());
            }
        }
    }

    /// Gives the last line, which has no end, because no more of this file is awaited.
    pub(super) fn finish(&mut self, reading: &mut Reading<'_>) {
        let Handle::Plain(file) = &self.handle else { return };
        let marked = self.trace.mark_len();
        let from = self.trace.place.offset - marked as u64;
        let Ok(count) = read_once(file, reading.buffer, from) else { return };
        let bytes = &reading.buffer[..count];
        if count < marked || Head::of(&bytes[..marked]) != self.trace.mark() {
            return;
        }
        let (backlog, generation) = (self.backlog, self.generation);
        let used = give_rest(&self.trace, generation, backlog, &bytes[marked..], reading.source, reading.give);
        self.trace.advance(&bytes[..marked + used], used);
        self.seen = self.seen.max(self.trace.place.offset);
    }
}

impl Packed {
    /// Bytes to read towards `offset`.
    fn missing(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.archive.position())).unwrap_or(STEP).min(STEP)
    }

    fn keep_mark(&mut self, count: usize) {
        let surplus = self.buffer.len().saturating_sub(count);
        self.buffer.drain(..surplus);
    }
}

/// One call, so that all of the bytes are of one moment.
fn read_once(file: &File, buffer: &mut Vec<u8>, from: u64) -> io::Result<usize> {
    if buffer.is_empty() {
        buffer.resize(STEP, 0);
    }
    loop {
        match file.read_at(buffer, from) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Gives what is whole of `data`, which begins at the trace's place: how many bytes that took.
fn give(
    trace: &mut Trace,
    generation: u64,
    backlog: u64,
    data: &[u8],
    source: u64,
    longest: usize,
    give: &mut dyn FnMut(Chunk<'_>),
) -> usize {
    let base = trace.place.offset;
    let mut chunk = Chunk { source, generation, backlog, ..Chunk::default() };
    let mut at = if base == 0 && data.starts_with(BOM) { BOM.len() } else { 0 };
    loop {
        chunk.offset = base + at as u64;
        match cut(&data[at..], trace.place.skipping, longest) {
            Cut::Skip(count, over) => {
                trace.place.skipping = !over;
                at += count;
            }
            Cut::Hole(count) => {
                chunk.hole += count as u64;
                at += count;
            }
            Cut::Lines(count) => {
                give(Chunk { bytes: &data[at..at + count], ..chunk });
                chunk.hole = 0;
                at += count;
            }
            Cut::TooLong(count) => {
                give(Chunk { too_long: true, ..chunk });
                trace.place.skipping = true;
                chunk.hole = 0;
                at += count;
            }
            Cut::Open => break,
        }
    }
    if chunk.hole > 0 {
        give(chunk);
    }
    // A mark alone is no progress: it is taken with the first line.
    if at == BOM.len() && base == 0 && data.starts_with(BOM) { 0 } else { at }
}

/// Gives `data` as the last line, which has no end.
fn give_rest(trace: &Trace, generation: u64, backlog: u64, data: &[u8], source: u64, give: &mut dyn FnMut(Chunk<'_>)) -> usize {
    let start = if trace.place.offset == 0 && data.starts_with(BOM) { BOM.len() } else { 0 };
    if data.len() > start && !trace.place.skipping {
        let offset = trace.place.offset + start as u64;
        give(Chunk { bytes: &data[start..], source, generation, offset, backlog, ends_inside: true, ..Chunk::default() });
    }
    data.len()
}
