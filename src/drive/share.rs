//! One thread's share of the work: whole files, chunks of large ones, and part in packed ones.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc::Sender;

use super::batch::Job;
use super::batch::empty;
use super::book::Book;
use super::clock;
use super::packed::Packed;
use super::pipeline::Carry;
use super::pipeline::Event;
use super::pipeline::Rests;
use super::pipeline::Walk;
use super::source::SourceForm;
use crate::error::Error;
use crate::input::archive::Archive;
use crate::line::blocks::Blocks;
use crate::line::split::Block;
use crate::parse::detect::Kind;
use crate::stats::group::Layer;
use crate::stats::intake::Intake;
use crate::stats::snapshot::Snapshot;
use crate::time::Timestamp;

/// Bytes walked before a chunk to learn what is open at its beginning; a chunk's length at most.
pub(super) const RUN_UP: u64 = 64 << 10;
/// Bytes looked at to find out a source's form.
pub(super) const HEAD: usize = 256 << 10;
/// The most events a piece may hold back before it must be walked in order.
pub(super) const EVENTS: usize = 100_000;
/// As many events are settled at a time where nothing came before: memory stays flat, and standard input can be read
/// but once.
const SETTLED: usize = 256;

/// One piece of work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    /// A file from its beginning to its end.
    Whole {
        /// Which.
        file: usize,
    },
    /// A large file that can only be read from its beginning, and opened again.
    Packed {
        /// Which.
        file: usize,
    },
    /// Whole lines of a large plain file.
    Chunk {
        /// Which.
        file: usize,
        /// First byte.
        from: u64,
        /// One past the last byte.
        to: u64,
    },
}

impl Task {
    pub(super) fn file(&self) -> usize {
        match self {
            Self::Whole { file } | Self::Packed { file } | Self::Chunk { file, .. } => *file,
        }
    }

    /// Whether it begins where `before` ends.
    pub(super) fn follows(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::Chunk { file, to, .. }, Self::Chunk { file: own, from, .. }) => file == own && to == from,
            _ => false,
        }
    }
}

/// A file's form, found by the first thread that needs it.
#[derive(Default)]
pub(super) struct Opened {
    found: OnceLock<Result<Arc<SourceForm>, Error>>,
    /// Of a history's first file: whether any of its files shows that a proxy wrote them.
    proxied: OnceLock<bool>,
    /// Of a packed file: what all who read it share.
    packed: OnceLock<Result<Packed, Error>>,
}

impl Opened {
    /// The form, where the file could be opened.
    pub(super) fn form(&self) -> Option<Arc<SourceForm>> {
        self.found.get()?.as_ref().ok().cloned()
    }

    /// Why it could not be opened.
    pub(super) fn error(&self) -> Option<Error> {
        self.found.get()?.as_ref().err().cloned()
    }

    pub(super) fn failed(&self, error: Error) {
        self.found.get_or_init(|| Err(error));
    }
}

/// The form by a file's own first bytes.
fn look(job: &Job<'_>, file: usize, archive: &mut Archive) -> SourceForm {
    let of = &job.files[file];
    let near = std::fs::metadata(&of.path).and_then(|m| m.modified()).map_or(job.now, clock::of);
    let number = u64::try_from(file).unwrap_or(u64::MAX);
    SourceForm::find(&of.shown, number, archive.head(HEAD), near, &job.settings)
}

/// What one thread made of (its share of) one file.
pub(super) struct Share {
    pub(super) file: usize,
    pub(super) snapshot: Snapshot,
    pub(super) pieces: Vec<Piece>,
    pub(super) error: Option<Error>,
    /// What its events were settled in, of a history's first file walked whole: nothing came before it.
    pub(super) book: Option<Book>,
}

impl Share {
    pub(super) fn new(file: usize, snapshot: Snapshot) -> Self {
        Self { file, snapshot, pieces: Vec::new(), error: None, book: None }
    }
}

/// One contiguous run of a file.
pub(super) struct Piece {
    pub(super) from: u64,
    /// What was guessed to be open at its beginning; `None` for the beginning of a file.
    pub(super) start: Option<Carry>,
    pub(super) rests: Rests,
    pub(super) end: Carry,
    pub(super) intake: Intake,
    pub(super) events: Vec<Event>,
    pub(super) lines: u64,
    /// More events than can be held back.
    pub(super) overflowed: bool,
}

impl Piece {
    /// One piece of both, where `next` begins where this ends. It has overflowed where `next` does not stand on this.
    pub(super) fn then(mut self, next: Self, lateness_us: i64) -> Self {
        let follows = next.may_follow(&self.end, self.end.newest, lateness_us);
        let events = next.events.into_iter().map(|mut event| {
            event.shift(self.lines);
            event
        });
        self.events.extend(events);
        self.intake.add(&next.intake);
        let newest = self.end.newest.max(next.end.newest);
        Self {
            rests: self.rests.then(next.rests),
            end: Carry { newest, ..next.end },
            lines: self.lines + next.lines,
            overflowed: self.overflowed || next.overflowed || !follows || self.events.len() > EVENTS,
            ..self
        }
    }

    /// Whether it stands on what really came before: `before` was left open, `newest` was the newest request.
    pub(super) fn may_follow(&self, before: &Carry, newest: Option<Timestamp>, lateness_us: i64) -> bool {
        let guess = self.start.as_ref();
        let last = guess.and_then(|g| g.last);
        let same_open = guess.map_or_else(|| before.is_settled(), |guess| guess.same_open(before));
        let same_last = last == before.last || !self.rests.on_last;
        same_open && same_last && self.rests.late_alike(guess.and_then(|g| g.newest), newest, lateness_us)
    }
}

/// One thread.
pub(super) struct Worker<'a> {
    job: &'a Job<'a>,
    opened: &'a [Opened],
    send: Sender<Share>,
    share: Option<Share>,
    last: Option<Task>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(job: &'a Job<'a>, opened: &'a [Opened], send: Sender<Share>) -> Self {
        Self { job, opened, send, share: None, last: None }
    }

    /// The form of a file, found once.
    pub(super) fn form(&self, file: usize, archive: &mut Archive) -> Arc<SourceForm> {
        let found = self.opened[file].found.get_or_init(|| Ok(self.find(file, archive)));
        found.clone().unwrap_or_else(|_| self.find(file, archive))
    }

    /// A quiet day's few lines may show nothing of the proxy that wrote them: its whole history has one side.
    fn find(&self, file: usize, archive: &mut Archive) -> Arc<SourceForm> {
        let mut form = look(self.job, file, archive);
        let unsure = form.layer == Layer::App && matches!(form.form.kinds.first(), None | Some(Kind::Combined | Kind::Common));
        let said =
            self.job.settings.services.iter().any(|s| s.layer.is_some() && s.paths.iter().any(|p| p.matches(&form.path)));
        if unsure && !said {
            let history = self.job.files[file].history;
            let mut files = (0..self.job.files.len()).filter(|f| self.job.files[*f].history == history);
            let first = files.clone().next().unwrap_or(file);
            let shows = |other: usize| {
                let path = &self.job.files[other].path;
                let head = (other != file).then(|| Archive::beforehand(path)).flatten();
                head.is_some_and(|mut archive| look(self.job, other, &mut archive).layer == Layer::Edge)
            };
            if *self.opened[first].proxied.get_or_init(|| files.any(shows)) {
                form.layer = Layer::Edge;
            }
        }
        Arc::new(form)
    }

    pub(super) fn work(&mut self, task: &Task) {
        let file = task.file();
        // what does not follow is a share of its own: within one time only goes on
        if !self.last.replace(*task).is_some_and(|last| task.follows(&last)) {
            self.send();
        }
        let mut share = self.share.take().unwrap_or_else(|| Share::new(file, empty(self.job)));
        let walked = match task {
            Task::Whole { .. } => self.whole(file, &mut share),
            Task::Packed { .. } => match self.packed(file) {
                // it hands its shares over itself
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Task::Chunk { from, to, .. } => self.chunk(file, *from, *to, &mut share),
        };
        if let Err(error) = walked {
            self.opened[file].failed(error.clone());
            share.error = share.error.or(Some(error));
            share.pieces.push(Piece::nothing(u64::MAX));
        }
        self.share = Some(share);
    }

    /// Takes part in a packed file, as long as anything of it is left.
    pub(super) fn packed(&self, file: usize) -> Result<(), Error> {
        let open = || {
            let mut archive = open(self.job, file)?;
            let form = self.form(file, &mut archive);
            Ok(Packed::new(self.job, file, form, archive))
        };
        let packed = self.opened[file].packed.get_or_init(open).as_ref().map_err(Error::clone)?;
        packed.read(self.job, &self.send);
        Ok(())
    }

    /// Hands over what was made so far.
    pub(super) fn send(&mut self) {
        if let Some(mut share) = self.share.take() {
            // What is gathered is taken in here, beside the other threads, and not where shares are joined.
            share.snapshot.flush();
            // nobody listens any more only when the run was given up
            drop(self.send.send(share));
        }
    }

    fn whole(&self, file: usize, share: &mut Share) -> Result<(), Error> {
        let mut archive = open(self.job, file)?;
        let form = self.form(file, &mut archive);
        let mut archive = behind(self.job, file, archive)?;
        if self.job.threads > 1 {
            archive = archive.unpacked_beside();
        }
        let mut walk = Walk::new(&self.job.settings, &form, None);
        let mut taken = Taken::default();
        let files = self.job.files;
        let mut book = files[..file].iter().all(|f| f.history != files[file].history).then(Book::default);
        let ended = Blocks::new(archive).each(|block| {
            walk.block(block, &mut share.snapshot);
            (self.job.progress)(block.bytes.len() as u64);
            match &mut book {
                Some(book) if walk.waiting_events() >= SETTLED => {
                    let (events, lines) = walk.take_events();
                    book.settle(events, lines, &mut share.snapshot);
                }
                Some(_) => {}
                None => taken.take(&mut walk, EVENTS),
            }
        });
        share.book = book;
        share.error = ended.err();
        share.pieces.push(taken.piece(0, None, &mut walk));
        Ok(())
    }

    /// Walks whole lines of a plain file, on a guess of what is open before them.
    pub(super) fn chunk(&self, file: usize, from: u64, to: u64, share: &mut Share) -> Result<(), Error> {
        let path = &self.job.files[file].path;
        let form = match self.opened[file].form() {
            Some(form) => form,
            None => self.form(file, &mut Archive::open(path)?),
        };
        let (mut walk, start) = if from == 0 {
            (Walk::new(&self.job.settings, &form, None), None)
        } else {
            let (walk, carry) = self.run_up(file, from, &form)?;
            (walk, Some(carry))
        };
        let mut taken = Taken::default();
        let ended = Blocks::new(Archive::open_range(path, from, to)?).each(|block| {
            walk.block(block, &mut share.snapshot);
            (self.job.progress)(block.bytes.len() as u64);
            taken.take(&mut walk, EVENTS);
        });
        share.error = share.error.take().or(ended.err());
        share.pieces.push(taken.piece(from, start, &mut walk));
        Ok(())
    }

    /// A walk from `from` on, by a little of what comes before.
    fn run_up(&self, file: usize, from: u64, form: &Arc<SourceForm>) -> Result<(Walk, Carry), Error> {
        let begin = from.saturating_sub(RUN_UP.min(self.job.chunk));
        let mut archive = Archive::open_range(&self.job.files[file].path, begin, from)?;
        let mut bytes = vec![0; usize::try_from(from - begin).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match archive.read(&mut bytes[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let bytes = &bytes[..filled];
        let skip = if begin == 0 { Some(0) } else { memchr::memchr(b'\n', bytes).map(|at| at + 1) };
        let block = skip.map(|skip| Block::new(&bytes[skip..], begin + skip as u64));
        Ok(guess(self.job, form, block.into_iter()))
    }
}

/// Walks a little of what comes before a piece, without counting: a walk from there on, and what is open by the look of it.
pub(super) fn guess<'a>(job: &Job<'_>, form: &Arc<SourceForm>, before: impl Iterator<Item = Block<'a>>) -> (Walk, Carry) {
    let carry = Carry { last: None, ..Walk::new(&job.settings, form, None).carry() };
    let mut walk = Walk::new(&job.settings, form, Some(carry));
    let mut muted = empty(job);
    for block in before {
        walk.block(&block, &mut muted);
    }
    let carry = walk.carry();
    walk.begin_counting();
    (walk, carry)
}

pub(super) fn open(job: &Job<'_>, file: usize) -> Result<Archive, Error> {
    let of = &job.files[file];
    if of.path.as_os_str() == "-" { Archive::stdin() } else { Archive::open(&of.path) }
}

/// Behind what is counted elsewhere already.
pub(super) fn behind(job: &Job<'_>, file: usize, mut archive: Archive) -> Result<Archive, Error> {
    let of = &job.files[file];
    if of.skip == 0 {
        return Ok(archive);
    }
    if let Some(length) = archive.plain_len() {
        return Archive::open_range(&of.path, of.skip, length);
    }
    let mut left = usize::try_from(of.skip).unwrap_or(usize::MAX);
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        let most = left.min(buffer.len());
        match archive.read(&mut buffer[..most])? {
            0 => break,
            n => left -= n,
        }
    }
    Ok(archive)
}

/// Events taken out of a walk while it goes on.
#[derive(Default)]
pub(super) struct Taken {
    events: Vec<Event>,
    lines: u64,
    overflowed: bool,
}

impl Taken {
    pub(super) fn take(&mut self, walk: &mut Walk, most: usize) {
        self.overflowed |= walk.waiting_events() > most;
        if self.overflowed {
            drop(walk.take_events());
        }
    }

    pub(super) fn piece(mut self, from: u64, start: Option<Carry>, walk: &mut Walk) -> Piece {
        let (events, lines) = walk.take_events();
        self.events.extend(events);
        Piece {
            from,
            start,
            rests: walk.rests(),
            end: walk.carry(),
            intake: walk.intake().clone(),
            events: self.events,
            lines: self.lines + lines,
            overflowed: self.overflowed,
        }
    }
}

impl Piece {
    /// Of a file that could not be read.
    pub(super) fn nothing(from: u64) -> Self {
        Self {
            from,
            start: None,
            rests: Rests::default(),
            end: Carry::default(),
            intake: Intake::default(),
            events: Vec::new(),
            lines: 0,
            overflowed: false,
        }
    }
}

/// Walks a file once more from its beginning to its end, with what really came before it; events are settled in `book`.
pub(super) fn walk_again(job: &Job<'_>, file: usize, form: &Arc<SourceForm>, before: Option<Carry>, book: &mut Book) -> Share {
    let mut share = Share::new(file, empty(job));
    let mut walk = Walk::new(&job.settings, form, before);
    let archive = match open(job, file).and_then(|archive| behind(job, file, archive)) {
        Ok(archive) => archive,
        Err(error) => {
            share.error = Some(error);
            return share;
        }
    };
    let archive = if job.threads > 1 { archive.unpacked_beside() } else { archive };
    let ended = Blocks::new(archive).each(|block| {
        walk.block(block, &mut share.snapshot);
        if walk.waiting_events() >= SETTLED {
            let (events, lines) = walk.take_events();
            book.settle(events, lines, &mut share.snapshot);
        }
    });
    share.error = ended.err();
    share.pieces.push(Taken::default().piece(0, None, &mut walk));
    share
}
