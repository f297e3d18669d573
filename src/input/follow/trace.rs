//! How far a content was read, and how it would be known again: what a bookmark holds.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::input::identity::FileId;
use crate::input::identity::HEAD;
use crate::input::identity::Head;
use crate::input::identity::Identity;
use crate::input::identity::Start;
use crate::input::identity::Steps;

/// Bytes before the place that was reached which must still stand there.
pub(super) const MARK: usize = 64;
/// UTF-8's byte order mark.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A place in a content: where the first line starts that has not been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Unpacked bytes before it.
    pub offset: u64,
    /// True inside a line that was too long: bytes up to the next newline are dropped.
    pub skipping: bool,
}

/// A content and how far it was read: enough to find it again under another name, copied or packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// By what it is known.
    pub identity: Identity,
    /// Where to go on. An offset of [`u64::MAX`] says that nothing of it is wanted any more.
    pub place: Place,
    /// As its chunks told.
    pub generation: u64,
    /// The largest size it was seen with, in bytes: what lies between the place and here is lost if it is not found.
    pub seen: u64,
}

/// All that must be saved to go on reading after the process was killed at any moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Bookmark {
    /// The newest generation given so far.
    pub generation: u64,
    /// What was rotated away and is still being watched, oldest first; bounded.
    pub rotated: Vec<Kept>,
    /// What stood under the path.
    pub current: Option<Kept>,
    /// Contents that are done with, so that no copy of them counts again; bounded.
    pub known: Vec<Kept>,
}

/// The reading of one content.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    head: Known,
    mark: Head,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
enum Known {
    /// Of the bytes that were read.
    Growing(Start),
    /// From a bookmark; the bytes are to be looked at before reading goes on.
    Kept(Head, Steps),
}

impl Trace {
    /// Of a content of which nothing was read.
    pub(super) fn new() -> Self {
        Self { head: Known::Growing(Start::default()), mark: Head::of(b""), place: Place::default() }
    }

    pub(super) fn from_kept(kept: &Kept) -> Self {
        let Identity { head, steps, mark, .. } = kept.identity;
        Self { head: Known::Kept(head, steps), mark, place: kept.place }
    }

    /// Of a plain file that counts as read up to `place`.
    pub(super) fn up_to(place: Place, file: &File) -> io::Result<Self> {
        let mut first = vec![0; HEAD + BOM.len()];
        let room = usize::try_from(place.offset).unwrap_or(usize::MAX).min(first.len());
        first.truncate(room);
        let count = read_at(file, &mut first, 0)?;
        first.truncate(count);
        let text = without_bom(&first);
        let mut start = Start::default();
        start.add(text);
        let bare = place.offset - (first.len() - text.len()) as u64;
        let mut last = vec![0; usize::try_from(bare).unwrap_or(MARK).min(MARK)];
        let from = place.offset - last.len() as u64;
        let count = read_at(file, &mut last, from)?;
        if count < last.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { head: Known::Growing(start), mark: Head::of(&last), place })
    }

    pub(super) fn head(&self) -> Head {
        match &self.head {
            Known::Growing(start) => start.head(),
            Known::Kept(head, _) => *head,
        }
    }

    fn steps(&self) -> Steps {
        match &self.head {
            Known::Growing(start) => start.steps(),
            Known::Kept(_, steps) => *steps,
        }
    }

    pub(super) fn mark(&self) -> Head {
        self.mark
    }

    /// Bytes that are to be read again before the place that was reached.
    pub(super) fn mark_len(&self) -> usize {
        usize::try_from(self.mark.length).unwrap_or(0)
    }

    pub(super) fn kept(&self, file: FileId, generation: u64, seen: u64) -> Kept {
        let identity = Identity { file, head: self.head(), steps: self.steps(), mark: self.mark };
        Kept { identity, place: self.place, generation, seen: seen.max(self.place.offset) }
    }

    /// Takes the first bytes of what was found for what was kept: false where they are others.
    pub(super) fn begin_with(&mut self, first: &[u8]) -> bool {
        let Known::Kept(head, _) = &self.head else { return true };
        let first = without_bom(first);
        if !head.fits(first) {
            return false;
        }
        let mut start = Start::default();
        start.add(&first[..usize::try_from(head.length).unwrap_or(0)]);
        self.head = Known::Growing(start);
        true
    }

    /// Moves on over the last `count` of `bytes`; before them stands what the mark was made of.
    pub(super) fn advance(&mut self, bytes: &[u8], count: usize) {
        let mut new = &bytes[bytes.len() - count..];
        let mut known = bytes;
        if self.place.offset == 0 && new.starts_with(BOM) {
            new = &new[BOM.len()..];
            known = new;
        }
        if let Known::Growing(start) = &mut self.head {
            start.add(new);
        }
        self.mark = Head::of(&known[known.len().saturating_sub(MARK)..]);
        self.place.offset += count as u64;
    }
}

/// Bytes from the start of a content without a byte order mark.
pub(super) fn without_bom(first: &[u8]) -> &[u8] {
    first.strip_prefix(BOM).unwrap_or(first)
}

/// True where the bytes before the kept place stand in `file`.
pub(super) fn holds(file: &File, kept: &Kept) -> bool {
    let mark = kept.identity.mark;
    let mut last = vec![0; usize::try_from(mark.length).unwrap_or(0).min(MARK)];
    let Some(from) = kept.place.offset.checked_sub(last.len() as u64) else { return false };
    read_at(file, &mut last, from).is_ok_and(|count| count == last.len()) && Head::of(&last) == mark
}

/// The first bytes of a file, without a byte order mark.
pub(super) fn first_bytes(file: &File, count: usize) -> io::Result<Vec<u8>> {
    let mut first = vec![0; count + BOM.len()];
    let got = read_at(file, &mut first, 0)?;
    first.truncate(got);
    let mut text = without_bom(&first).to_vec();
    text.truncate(count);
    Ok(text)
}

/// As many bytes as there are and `buffer` takes.
pub(super) fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], from + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
