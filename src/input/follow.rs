//! A growing file: rotation, truncation, deletion as a state machine driven by [`Follower::poll`].
//!
//! Gives chunks of whole lines and happenings; the last unfinished line waits until its end comes, or until no more of
//! its file is awaited. Takes no clock: time is passed in. Leaves lines and their meaning to later stages, and the
//! moment of looking to `watch.rs` and the driver. What was given counts as consumed: [`Follower::bookmark`] says how
//! to go on from there, and is to be saved together with what was made of the chunks.
//!
//! A content is known by its bytes, not by its name: its first ones, and those directly before the place that was
//! reached. So it is found again when it was renamed, copied or packed, and nothing is counted twice. The order of the
//! checks (the old file to its end, rotation before truncation) is that of mtail's `filestream.go`; identity follows
//! Vector's `fingerprinter.rs` and Fluent Bit's hash before the offset.

mod cut;
mod piece;
mod set;
mod siblings;
mod sweep;
mod trace;

pub use set::Following;
pub use set::Options;
pub use trace::Bookmark;
pub use trace::Kept;
pub use trace::Place;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::error::Error;
use crate::input::archive::failed;
use crate::input::archive::shown;
use crate::input::follow::piece::Handle;
use crate::input::follow::piece::Piece;
use crate::input::follow::piece::Reading;
use crate::input::follow::piece::STEP;
use crate::input::follow::piece::Step;
use crate::input::follow::trace::Trace;
use crate::input::follow::trace::first_bytes;
use crate::input::follow::trace::read_at;
use crate::input::identity::FileId;
use crate::input::identity::HEAD;

/// How long a rotated file is watched after it gave something, in microseconds: writers are late.
pub const GRACE_US: i64 = 30_000_000;
/// Rotated files watched at the same time; the oldest goes when there are more.
const WATCHED: usize = 12;
/// Contents remembered so that they do not count again.
const KNOWN: usize = 32;
/// Between two searches for what was not found, in microseconds.
const SEARCH_EVERY_US: i64 = 500_000;
/// Between two attempts to open or read what cannot be, in microseconds.
const RETRY_US: i64 = 1_000_000;

/// Consecutive whole lines of one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chunk<'a> {
    /// Whole lines, each with its newline, but for one that `ends_inside`. Empty where `too_long` is set, or where
    /// nothing but NUL bytes came.
    pub bytes: &'a [u8],
    /// The follower's number.
    pub source: u64,
    /// Counts the contents that stood under the path, from 1.
    pub generation: u64,
    /// Where `bytes` begins in the unpacked content.
    pub offset: u64,
    /// NUL bytes left out directly before `bytes`.
    pub hole: u64,
    /// True where the content ended inside this line.
    pub ends_inside: bool,
    /// True where this is the mark of one line that is too long: it counts as one line, its bytes are gone.
    pub too_long: bool,
    /// Lines that begin before this offset were there when live reading began.
    pub backlog: u64,
}

/// What became of a file, or of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Nothing stands under the path; told once, and read from its first byte when it comes.
    Missing,
    /// What was missing is there.
    Appeared,
    /// Another file stands under the path; the old one is read to its end.
    Rotated,
    /// The file was deleted, and another one stands in its place; the old one is read to its end.
    Replaced,
    /// The file was renamed or deleted, and nothing has taken its place yet.
    Vanished,
    /// The file was cut off in place. What was not read yet was looked for in copies; `lost` is what was seen of it and
    /// is in none, in bytes. What nobody saw cannot be counted.
    Truncated {
        /// In bytes; 0 where nothing is known to be lost.
        lost: u64,
    },
    /// A file that was not read to its end is in no rotated form of the log.
    Lost {
        /// What was seen of it and not read, in bytes.
        bytes: u64,
    },
    /// A file was taken up under the name of a rotated form.
    Recovered(PathBuf),
    /// The file may not be read; told once.
    Denied,
    /// The file may be read again.
    Granted,
    /// No regular file stands under the path; told once. Pipes and devices are streams, not followed.
    NotAFile,
    /// Something could not be read, and is tried again; told once.
    Failed(Error),
}

impl Happening {
    /// Bytes that are known to be lost with it.
    pub fn lost_bytes(&self) -> u64 {
        match self {
            Self::Truncated { lost } => *lost,
            Self::Lost { bytes } => *bytes,
            _ => 0,
        }
    }
}

/// What a look gives, in order.
#[derive(Debug)]
pub enum Told<'a> {
    /// Lines.
    Chunk(Chunk<'a>),
    /// What became of the log with this number and path.
    Happening(u64, &'a Path, Happening),
}

/// Takes what a look gives.
pub type Tell<'a> = dyn FnMut(Told<'_>) + 'a;

/// Where reading starts in a file that is there when it is looked at for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// Behind its last whole line.
    #[default]
    End,
    /// At its first byte.
    Start,
}

/// What all followers use in turn; at most a longest line's size.
#[derive(Debug)]
pub struct Room {
    buffer: Vec<u8>,
    longest: usize,
    /// Which follower answers for a file: one content counts once, whatever the number of its names.
    taken: HashMap<FileId, u64>,
    /// What followers have let go of: if it stands under another path, reading goes on there.
    done: HashMap<FileId, Kept>,
}

/// Contents that followers have let go of, at most.
const DONE: usize = 4096;

impl Room {
    /// Lines of more than `longest` bytes are given as a mark.
    pub fn new(longest: usize) -> Self {
        Self { buffer: vec![0; STEP], longest, taken: HashMap::new(), done: HashMap::new() }
    }

    fn is_taken(&self, file: FileId, source: u64) -> bool {
        self.taken.get(&file).is_some_and(|by| *by != source)
    }

    fn let_go(&mut self, kept: &Kept) {
        self.taken.remove(&kept.identity.file);
        if self.done.len() >= DONE {
            self.done.clear();
        }
        self.done.insert(kept.identity.file, *kept);
    }
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// True where there is more than the budget allowed: look again at once.
    pub more: bool,
    /// True where no more files could be opened.
    pub starved: bool,
}

/// One log that is followed: the file under its path, and what was rotated away.
pub struct Follower {
    path: PathBuf,
    source: u64,
    begin: Begin,
    /// What does not stand under the path any more, oldest first.
    rotated: Vec<Piece>,
    current: Option<Piece>,
    known: VecDeque<Kept>,
    generation: u64,
    progress: Progress,
    /// Files that are rotated forms since before the log itself was found; `None`: all there are at the first look.
    history: Option<Vec<PathBuf>>,
    /// True where the log was found while others were followed already: what stands beside it may be new.
    found_later: bool,
    trouble: Trouble,
    retry_at: i64,
    /// True where rotated forms are to be looked through.
    sweep: bool,
    sweep_at: i64,
    /// Until when something that was not found is looked for again.
    search_until: Option<i64>,
    /// What the bookmark was made of that was taken last.
    saved: Option<[u64; 5]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has been looked at.
    New,
    /// What stood beside the log at first is known.
    Started,
    /// The first look is over.
    Begun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Missing,
    Denied,
    NotAFile,
    Failed,
}

impl Follower {
    /// Of the log under `path`, whose chunks carry the number `source`; nothing is opened yet.
    pub fn new(path: PathBuf, source: u64, begin: Begin) -> Self {
        Self {
            path,
            source,
            begin,
            rotated: Vec::new(),
            current: None,
            known: VecDeque::new(),
            generation: 0,
            progress: Progress::New,
            history: None,
            found_later: false,
            trouble: Trouble::None,
            retry_at: i64::MIN,
            sweep: false,
            sweep_at: i64::MIN,
            search_until: None,
            saved: None,
        }
    }

    /// The same log after a restart. Before the file under the path, what was rotated away in the meantime is read.
    pub fn resume(path: PathBuf, source: u64, bookmark: &Bookmark) -> Self {
        let mut follower = Self::new(path, source, Begin::Start);
        let piece = |kept: &Kept| Piece::from_kept(kept, follower.path.clone(), i64::MIN);
        let (rotated, current) = (bookmark.rotated.iter().map(piece).collect(), bookmark.current.as_ref().map(piece));
        (follower.rotated, follower.current) = (rotated, current);
        follower.sweep = !follower.rotated.is_empty();
        follower.known = bookmark.known.iter().copied().collect();
        follower.generation = bookmark.generation;
        follower.progress = Progress::Started;
        follower
    }

    /// Says which rotated forms stood beside the log before it was found.
    #[must_use]
    fn with_history(mut self, history: Vec<PathBuf>) -> Self {
        self.history = Some(history);
        self
    }

    /// The log was not there when following began: all of it is new, what was rotated away from it since included.
    #[must_use]
    fn found_later(mut self) -> Self {
        self.found_later = true;
        self
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number its chunks carry.
    pub fn source(&self) -> u64 {
        self.source
    }

    /// How to go on behind the last chunk that was given.
    pub fn bookmark(&self) -> Bookmark {
        Bookmark {
            generation: self.generation,
            rotated: self.rotated.iter().map(Piece::kept).collect(),
            current: self.current.as_ref().map(Piece::kept),
            known: self.known.iter().copied().collect(),
        }
    }

    /// Its bookmark, if that has changed since this was asked last.
    pub(super) fn take_change(&mut self) -> Option<Bookmark> {
        let sum = |piece: &Piece| {
            let place = piece.trace.place;
            let numbers = [place.offset, u64::from(place.skipping), piece.seen, piece.file.inode, piece.generation];
            numbers.iter().fold(1, |sum: u64, number| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*number))
        };
        let last = self.known.back().map_or(0, |kept| kept.identity.file.inode);
        let rotated = self.rotated.iter().fold(0, |all: u64, piece| all.rotate_left(7) ^ sum(piece));
        let state = [self.generation, self.known.len() as u64, last, rotated, self.current.as_ref().map_or(0, sum)];
        (self.saved.replace(state) != Some(state)).then(|| self.bookmark())
    }

    /// Bytes that were seen and are not given yet.
    pub fn unread(&self) -> u64 {
        self.rotated.iter().chain(&self.current).map(Piece::unread).sum()
    }

    /// How many files it holds open.
    pub fn open_files(&self) -> usize {
        self.rotated.iter().chain(&self.current).filter(|piece| !piece.is_closed()).count()
    }

    /// The file it holds, or held last, under the path.
    pub fn file(&self) -> Option<FileId> {
        self.current.as_ref().map(|piece| piece.file)
    }

    /// The files it answers for: no other follower should read them.
    pub(super) fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        self.rotated.iter().chain(&self.current).map(|piece| piece.file)
    }

    /// Closes the file under the path if nothing of it is unread; it is opened again when it has changed.
    pub fn close_idle(&mut self) {
        if let Some(piece) = &mut self.current
            && piece.quiet_looks > 0
        {
            piece.handle = Handle::Closed;
        }
    }

    /// Closes the file under the path though it has more to give; it is opened again at the next look, where it stood.
    pub(super) fn close_unread(&mut self) {
        if let Some(piece) = self.current.as_mut().filter(|piece| matches!(piece.handle, Handle::Plain(_))) {
            piece.handle = Handle::Closed;
        }
    }

    /// Looks: gives what is new, reading up to `budget` bytes. `now` is microseconds of any steady clock.
    pub fn poll(&mut self, now: i64, budget: &mut u64, room: &mut Room, tell: &mut Tell<'_>) -> Look {
        let mut look = Look::default();
        self.examine(now, &mut look, room, tell);
        look.more = true;
        // A truncation found in the middle puts a copy before what is read: then once more.
        for _ in 0..4 {
            self.sweep |= self.begins();
            if self.sweep && now >= self.sweep_at {
                self.verify(now, tell);
                self.sweep(now, room, tell);
            }
            match self.read_all(now, budget, room, tell) {
                Round::Drained => {
                    look.more = false;
                    self.retire(now, room, tell);
                    break;
                }
                Round::More => break,
                Round::Again => {}
            }
        }
        self.progress = Progress::Begun;
        look
    }

    /// True where the first bytes have come into a file that was empty: it may have been emptied again in between.
    fn begins(&mut self) -> bool {
        let Some(piece) = self.current.as_mut().filter(|c| c.trace.place.offset == 0 && c.seen == 0) else { return false };
        let size = piece.plain().and_then(|file| file.metadata().ok()).map_or(0, |m| m.len());
        piece.seen = size;
        size > 0
    }

    /// Looks at the path, and takes up what stands there.
    fn examine(&mut self, now: i64, look: &mut Look, room: &mut Room, tell: &mut Tell<'_>) {
        if now < self.retry_at {
            return;
        }
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => {
                self.detach(now);
                self.start_with_history(None);
                self.trouble(Trouble::NotAFile, Happening::NotAFile, tell);
                return;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                self.start_with_history(None);
                if self.detach(now) {
                    self.tell(Happening::Vanished, tell);
                    self.trouble = Trouble::Missing;
                } else {
                    self.trouble(Trouble::Missing, Happening::Missing, tell);
                }
                return;
            }
            Err(error) => return self.cannot(now, &error, look, tell),
        };
        let file = FileId::of(&metadata);
        let same = self.current.as_ref().filter(|current| current.file == file);
        if same.is_some_and(|current| !current.is_closed() || current.is_drained(&metadata)) {
            self.well(tell);
            return;
        }
        match self.arrive(now, room, tell) {
            Ok(()) => self.well(tell),
            Err(error) => self.cannot(now, &error, look, tell),
        }
    }

    /// Tells why the path cannot be read; what is open is read on.
    fn cannot(&mut self, now: i64, error: &io::Error, look: &mut Look, tell: &mut Tell<'_>) {
        if is_starved(error) {
            look.starved = true;
            return;
        }
        self.start_with_history(None);
        if error.kind() == io::ErrorKind::PermissionDenied {
            self.retry_at = now.saturating_add(RETRY_US);
            self.trouble(Trouble::Denied, Happening::Denied, tell);
        } else if error.kind() != io::ErrorKind::NotFound {
            self.retry_at = now.saturating_add(RETRY_US);
            self.trouble(Trouble::Failed, Happening::Failed(failed(&shown(&self.path), error)), tell);
        }
    }

    fn trouble(&mut self, trouble: Trouble, happening: Happening, tell: &mut Tell<'_>) {
        if self.trouble != trouble {
            self.trouble = trouble;
            self.tell(happening, tell);
        }
    }

    fn well(&mut self, tell: &mut Tell<'_>) {
        match std::mem::replace(&mut self.trouble, Trouble::None) {
            Trouble::Missing | Trouble::NotAFile => self.tell(Happening::Appeared, tell),
            Trouble::Denied | Trouble::Failed => self.tell(Happening::Granted, tell),
            Trouble::None => {}
        }
    }

    fn tell(&self, happening: Happening, tell: &mut Tell<'_>) {
        tell(Told::Happening(self.source, &self.path, happening));
    }

    /// What stood under the path is rotated now; false where nothing did.
    fn detach(&mut self, now: i64) -> bool {
        let Some(mut piece) = self.current.take() else { return false };
        (piece.quiet_since, piece.quiet_looks) = (now, 0);
        self.sweep |= piece.is_closed();
        self.rotated.push(piece);
        true
    }

    /// Opens what stands under the path: the file it was, one of those rotated away, or a new one.
    fn arrive(&mut self, now: i64, room: &mut Room, tell: &mut Tell<'_>) -> io::Result<()> {
        let opened = File::open(&self.path)?;
        let metadata = opened.metadata()?;
        let file = FileId::of(&metadata);
        let mut replaced = None;
        if let Some(current) = &mut self.current {
            let moved = current.is_closed() && current.trace.place.offset >= sweep::TELLING && {
                let kept = current.kept();
                trace::holds(&opened, &kept) && kept.identity.head.fits(&first_bytes(&opened, HEAD)?)
            };
            if current.file == file || moved {
                current.file = file;
                return self.reopen(now, opened, &metadata, tell);
            }
            replaced = Some(is_linked(current));
        }
        self.detach(now);
        if let Some(linked) = replaced {
            self.tell(if linked { Happening::Rotated } else { Happening::Replaced }, tell);
        }
        if let Some(at) = self.rotated.iter().position(|piece| piece.file == file) {
            // Renamed away and back, or closed when it was looked for.
            let mut piece = self.rotated.remove(at);
            if piece.is_closed() {
                self.current = Some(piece);
                return self.reopen(now, opened, &metadata, tell);
            }
            piece.path.clone_from(&self.path);
            self.current = Some(piece);
            return Ok(());
        }
        if room.is_taken(file, self.source) {
            return Ok(());
        }
        room.taken.insert(file, self.source);
        let first = self.progress == Progress::New;
        self.start_with_history(Some(file));
        let mut piece = self.fresh(file, self.path.clone(), Handle::Closed, now);
        let begins = first_bytes(&opened, HEAD)?;
        let stands = |kept: &&Kept| {
            let reached = kept.identity.file == file && (1..=metadata.len()).contains(&kept.place.offset);
            reached && kept.identity.head.fits(&begins) && trace::holds(&opened, kept)
        };
        let known = self.known.iter().rev().find(stands).or_else(|| room.done.get(&file).filter(stands)).copied();
        if let Some(kept) = known {
            piece.trace = Trace::from_kept(&kept);
            piece.trace.begin_with(&begins);
            if self.known.contains(&kept) {
                self.forget(&kept);
            }
        } else if first && !self.found_later {
            if self.begin == Begin::End {
                piece.trace = Trace::up_to(last_line_end(&opened, metadata.len())?, &opened)?;
            }
            piece.seen = metadata.len();
        }
        if self.sees_backlog() || self.trouble == Trouble::Denied {
            piece.backlog = metadata.len();
        }
        piece.handle = Handle::Plain(opened);
        self.current = Some(piece);
        self.sweep |= !first || self.found_later;
        self.sweep_at = i64::MIN;
        Ok(())
    }

    /// The file under the path is open again; what it holds may be something else.
    fn reopen(&mut self, now: i64, opened: File, metadata: &Metadata, tell: &mut Tell<'_>) -> io::Result<()> {
        let backlog = self.sees_backlog();
        let Some(piece) = &mut self.current else { return Ok(()) };
        if backlog {
            (piece.backlog, piece.quiet_since) = (metadata.len(), now);
        }
        let first = first_bytes(&opened, HEAD)?;
        let same = piece.trace.begin_with(&first);
        piece.handle = Handle::Plain(opened);
        piece.path.clone_from(&self.path);
        if !same {
            self.cut_off(self.rotated.len(), now, tell);
        }
        Ok(())
    }

    /// True until the end of the first look: what is there then is backlog, unless all of the log came later.
    fn sees_backlog(&self) -> bool {
        self.progress != Progress::Begun && !self.found_later
    }

    fn fresh(&mut self, file: FileId, path: PathBuf, handle: Handle, now: i64) -> Piece {
        self.generation += 1;
        Piece::new(file, path, handle, Trace::new(), self.generation, now)
    }

    /// The file of a piece (the one under the path behind the rotated ones) was emptied, and may have been written
    /// again: what was not read is looked for in copies, what stands there now is new. A file of which only an end is
    /// missing goes on where it is.
    fn cut_off(&mut self, at: usize, now: i64, tell: &mut Tell<'_>) {
        let generation = self.generation + 1;
        let Some(piece) = self.rotated.get_mut(at).or(self.current.as_mut()) else { return };
        let Handle::Plain(opened) = std::mem::replace(&mut piece.handle, Handle::Closed) else { return };
        if let Some(trace) = shortened(piece, &opened) {
            let mut rest = Piece::new(piece.file, piece.path.clone(), Handle::Plain(opened), trace, piece.generation, now);
            rest.backlog = piece.backlog;
            *piece = rest;
            self.tell(Happening::Truncated { lost: 0 }, tell);
            return;
        }
        let next = Piece::new(piece.file, piece.path.clone(), Handle::Plain(opened), Trace::new(), generation, now);
        let mut gone = Piece::from_kept(&piece.kept(), piece.path.clone(), now);
        gone.truncated = true;
        *piece = next;
        self.generation = generation;
        self.rotated.insert(at, gone);
        (self.sweep, self.sweep_at) = (true, i64::MIN);
    }

    /// Before rotated forms are looked through: is what was read still where it was?
    fn verify(&mut self, now: i64, tell: &mut Tell<'_>) {
        let mut at = 0;
        while let Some(piece) = self.rotated.get(at).or(self.current.as_ref().filter(|_| at == self.rotated.len())) {
            if piece.plain().is_some_and(|opened| !piece.is_whole(opened)) {
                let before = self.rotated.len();
                self.cut_off(at, now, tell);
                at += self.rotated.len() - before;
            }
            at += 1;
        }
    }

    /// Reads what is open, the oldest first.
    fn read_all(&mut self, now: i64, budget: &mut u64, room: &mut Room, tell: &mut Tell<'_>) -> Round {
        let mut at = 0;
        while at <= self.rotated.len() {
            if *budget == 0 {
                return Round::More;
            }
            let is_current = at == self.rotated.len();
            if is_current {
                self.continue_copy();
            }
            let Some(piece) = self.rotated.get_mut(at).or(self.current.as_mut()) else { break };
            let mut lost = 0;
            let mut give = |chunk: Chunk<'_>| tell(Told::Chunk(chunk));
            let mut reading =
                Reading { source: self.source, longest: room.longest, buffer: &mut room.buffer, budget, give: &mut give };
            let step = piece.read(&mut reading, &mut lost);
            if lost > 0 {
                tell(Told::Happening(self.source, &self.path, Happening::Truncated { lost }));
            }
            match step {
                Step::Drained => {
                    piece.failing = false;
                    if piece.quiet_looks == 0 {
                        piece.quiet_since = now;
                    }
                    piece.quiet_looks = piece.quiet_looks.saturating_add(1);
                }
                Step::More => return Round::More,
                Step::Broken if matches!(piece.handle, Handle::Packed(_)) => {
                    self.give_up(at, room, tell);
                    continue;
                }
                Step::Broken => {
                    self.cut_off(at, now, tell);
                    return Round::Again;
                }
                Step::Done(error) => {
                    if let Some(error) = error {
                        tell(Told::Happening(self.source, &self.path, Happening::Failed(error)));
                    }
                    let piece = self.rotated.remove(at);
                    self.release(&piece.kept(), room);
                    self.remember(piece.kept());
                    continue;
                }
                Step::Failed(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                    piece.handle = Handle::Closed;
                    self.sweep |= !is_current;
                }
                Step::Failed(error) => {
                    if !std::mem::replace(&mut piece.failing, true) {
                        let error = failed(&shown(&piece.path), &error);
                        tell(Told::Happening(self.source, &self.path, Happening::Failed(error)));
                    }
                }
            }
            at += 1;
        }
        Round::Drained
    }

    /// Where the file under the path is a copy of the one before it (rewritten by an editor, restored), goes on where
    /// that one was left.
    fn continue_copy(&mut self) {
        let Some(current) = self.current.as_mut().filter(|c| c.trace.place.offset == 0) else { return };
        let Some(opened) = current.plain() else { return };
        let Some(before) = self.rotated.iter().rev().find(|piece| piece.trace.place.offset >= sweep::TELLING) else { return };
        let kept = before.kept();
        if before.is_closed() || before.file == current.file || !trace::holds(opened, &kept) {
            return;
        }
        let Ok(first) = first_bytes(opened, HEAD) else { return };
        let mut trace = Trace::from_kept(&kept);
        if trace.begin_with(&first) {
            current.trace = trace;
        }
    }

    /// What is not there any more: tells what is lost with it.
    fn give_up(&mut self, at: usize, room: &mut Room, tell: &mut Tell<'_>) {
        let piece = self.rotated.remove(at);
        self.release(&piece.kept(), room);
        let happening = match piece.unread() {
            lost if piece.truncated => Some(Happening::Truncated { lost }),
            0 => None,
            bytes => Some(Happening::Lost { bytes }),
        };
        if let Some(happening) = happening {
            self.tell(happening, tell);
        }
        let mut kept = piece.kept();
        if kept.place.offset > 0 {
            kept.place.offset = u64::MAX;
            self.remember(kept);
        }
    }

    /// Lets go of rotated files of which nothing more is awaited, their last unfinished lines given.
    fn retire(&mut self, now: i64, room: &mut Room, tell: &mut Tell<'_>) {
        let mut surplus = self.rotated.len().saturating_sub(WATCHED);
        let mut at = 0;
        while let Some(piece) = self.rotated.get_mut(at) {
            let waited = now.saturating_sub(piece.quiet_since) >= GRACE_US && piece.quiet_looks >= 2;
            if piece.is_closed() || piece.quiet_looks == 0 || !(waited || surplus > 0) {
                at += 1;
                continue;
            }
            surplus = surplus.saturating_sub(1);
            let mut give = |chunk: Chunk<'_>| tell(Told::Chunk(chunk));
            let (buffer, budget) = (&mut room.buffer, &mut 0);
            piece.finish(&mut Reading { source: self.source, longest: room.longest, buffer, budget, give: &mut give });
            let piece = self.rotated.remove(at);
            self.release(&piece.kept(), room);
            self.remember(piece.kept());
        }
    }

    /// The file is no longer this follower's: under another path it may be another's.
    fn release(&self, kept: &Kept, room: &mut Room) {
        if self.files().all(|file| file != kept.identity.file) {
            room.let_go(kept);
        }
    }

    /// Drops what is remembered of the same content.
    fn forget(&mut self, kept: &Kept) {
        let same = |old: &Kept| match kept.generation {
            0 => old.generation == 0 && old.identity.file == kept.identity.file,
            generation => old.generation == generation,
        };
        self.known.retain(|old| !same(old));
    }

    fn remember(&mut self, kept: Kept) {
        self.forget(&kept);
        self.known.push_back(kept);
        while self.known.len() > KNOWN {
            self.known.pop_front();
        }
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("path", &self.path).field("source", &self.source).finish_non_exhaustive()
    }
}

/// How reading everything ended.
enum Round {
    Drained,
    More,
    Again,
}

/// EMFILE and ENFILE, which have no kind of their own.
fn is_starved(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// True where the piece's file still has a name; believed where that cannot be seen.
fn is_linked(piece: &Piece) -> bool {
    use std::os::unix::fs::MetadataExt;
    piece.plain().and_then(|file| file.metadata().ok()).is_none_or(|metadata| metadata.nlink() > 0)
}

/// Where to go on in a file that has lost an end but kept its beginning: only a long one is believed to, because
/// servers begin with the same lines again and again.
fn shortened(piece: &Piece, opened: &File) -> Option<Trace> {
    let head = piece.trace.head();
    let size = opened.metadata().ok()?.len();
    if head.length < HEAD as u64 || !head.fits(&first_bytes(opened, HEAD).ok()?) {
        return None;
    }
    let offset = piece.trace.place.offset.min(size);
    let mut last = [0];
    read_at(opened, &mut last, offset.checked_sub(1)?).ok()?;
    // Behind a cut line only what is written next is new.
    let inside = last != *b"\n" && offset < size;
    Trace::up_to(Place { offset, skipping: inside || piece.trace.place.skipping }, opened).ok()
}

/// Behind the last newline before `size`; where none is near, inside a line that is to be skipped.
fn last_line_end(opened: &File, size: u64) -> io::Result<Place> {
    let mut end = size;
    let mut buffer = vec![0; 64 << 10];
    while end > 0 {
        let from = end.saturating_sub(buffer.len() as u64);
        let wanted = usize::try_from(end - from).unwrap_or(buffer.len());
        let count = read_at(opened, &mut buffer[..wanted], from)?;
        if let Some(newline) = memchr::memrchr(b'\n', &buffer[..count]) {
            return Ok(Place { offset: from + newline as u64 + 1, skipping: false });
        }
        if size - from > 1 << 20 {
            return Ok(Place { offset: size, skipping: true });
        }
        end = from;
    }
    Ok(Place::default())
}
