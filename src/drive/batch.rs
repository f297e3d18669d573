//! Archives read to their end: files over threads, guesses checked, snapshots merged.
//!
//! Small files are walked whole, one thread each, packed ones unpacked beside. A large plain file is cut into chunks that
//! all threads share (`queue.rs`). A chunk begins with a guess of what is open at its beginning, made by walking a short
//! run-up before it without counting; when the file is done every guess is held against what the chunk before really left
//! open. If one differs the file is walked again in one go: nothing is ever counted on a wrong guess. In the same way each
//! file of a rotated set begins as if nothing were open, and is walked again if something was. A large packed file is one
//! thread's until others have nothing else to do: then they take part in it (`packed.rs`). What cannot be read twice,
//! standard input and pipes, is walked whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::book::Book;
use super::packed::READERS;
use super::packed::worth;
use super::pipeline::Carry;
use super::pipeline::Settings;
use super::pipeline::Walk;
use super::queue::Queue;
use super::share::Opened;
use super::share::Piece;
use super::share::Share;
use super::share::Task;
use super::share::Worker;
use super::share::walk_again;
use super::source::SourceForm;
use crate::error::Error;
use crate::input::archive::Archive;
use crate::input::archive::line_starts;
use crate::stats::intake::Intake;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::time::Timestamp;

/// Bytes of a large plain file that one thread takes at a time.
pub const CHUNK: u64 = 16 << 20;
/// Bytes of a chunk, at least: less is not worth a thread.
const SMALLEST: u64 = 4 << 20;

/// A file of a rotated log that begins so long before the older one ends was not made by one process, in microseconds.
const OVERLAP_US: i64 = 60 * crate::time::SECOND;

/// One file (or standard input, `-`) to read.
#[derive(Debug, Clone)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// As the report shows it.
    pub shown: String,
    /// Files with the same number are one history, in this order.
    pub history: usize,
    /// Bytes at its beginning that are counted elsewhere already.
    pub skip: u64,
}

/// What is to be read, and how.
pub struct Job<'a> {
    /// In the order of the report.
    pub files: &'a [File],
    /// How lines are read.
    pub settings: Arc<Settings>,
    /// How requests are counted.
    pub plan: Plan,
    /// The present: what missing dates are near to where a file has no date.
    pub now: Timestamp,
    /// Threads that parse, at least 1.
    pub threads: usize,
    /// Bytes of a large plain file that one thread takes at a time; changes no figure.
    pub chunk: u64,
    /// Keep each file's snapshot apart (for a snapshot file).
    pub keep_parts: bool,
    /// Told how many bytes were read since the last call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What came of one file.
#[derive(Debug, Default)]
pub struct Told {
    /// How it was read; `None` where it could not be opened.
    pub form: Option<Arc<SourceForm>>,
    /// What was read.
    pub intake: Intake,
    /// Why it could not be read (to its end).
    pub error: Option<Error>,
    /// Its own snapshot, where parts are kept.
    pub part: Option<Snapshot>,
    /// It begins, by its times, before the older file of the same log ends.
    pub overlaps: bool,
    /// Stretches of it that were walked before their turn; see `sequence`.
    pub ahead: u64,
}

/// Reads everything. The snapshot is closed; the files' results are in their order.
pub fn run(job: &Job<'_>) -> (Snapshot, Vec<Told>) {
    let opened: Vec<Opened> = job.files.iter().map(|_| Opened::default()).collect();
    let tasks = tasks(job);
    let expected: Vec<usize> = tasks.iter().map(Vec::len).collect();
    let useful = tasks.iter().flatten().map(|task| if let Task::Packed { .. } = task { READERS } else { 1 });
    let threads = job.threads.min(useful.sum());
    let packed = |task: &Task| matches!(task, Task::Packed { .. }).then(|| task.file());
    let packed: Vec<usize> = tasks.iter().flatten().filter_map(packed).collect();
    let queue = Queue::new(tasks, threads);
    let (send, shares) = mpsc::channel::<Share>();
    let mut joiner = Joiner::new(job, &opened, expected);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (send, opened, queue, packed) = (send.clone(), &opened, &queue, &packed);
            scope.spawn(move || {
                let mut worker = Worker::new(job, opened, send);
                let mut last = None;
                while let Some(task) = queue.take(last) {
                    worker.work(&task);
                    last = Some(task);
                }
                worker.send();
                for &file in packed {
                    // who took the task tells of errors
                    worker.packed(file).ok();
                }
            });
        }
        drop(send);
        for share in shares {
            joiner.take(share);
        }
    });
    joiner.end()
}

/// The tasks of each file: large plain files are cut; everything else is one task, in a large packed one many take part.
fn tasks(job: &Job<'_>) -> Vec<Vec<Task>> {
    let of_file = |(file, of): (usize, &File)| {
        let archive = (of.skip == 0 && job.threads > 1).then(|| Archive::beforehand(&of.path)).flatten();
        let Some(archive) = archive else { return vec![Task::Whole { file }] };
        let Some(length) = archive.plain_len() else {
            let packed = of.path.metadata().map_or(0, |m| m.len());
            return vec![if worth(packed, job.chunk) { Task::Packed { file } } else { Task::Whole { file } }];
        };
        // a file of a few chunks is shared out evenly
        let chunk = (length / job.threads as u64).clamp(SMALLEST.min(job.chunk), job.chunk);
        let borders = (length >= 2 * chunk).then(|| line_starts(&of.path, length, length.div_ceil(chunk)).ok()).flatten();
        match borders {
            Some(borders) => borders.windows(2).map(|b| Task::Chunk { file, from: b[0], to: b[1] }).collect(),
            None => vec![Task::Whole { file }],
        }
    };
    job.files.iter().enumerate().map(of_file).collect()
}

/// Joins what the threads made, file by file in their order.
struct Joiner<'a> {
    job: &'a Job<'a>,
    opened: &'a [Opened],
    /// Pieces still to come, by file.
    expected: Vec<usize>,
    waiting: BTreeMap<usize, Vec<Share>>,
    next: usize,
    /// `None` before the first share: that is not added to nothing but taken as it is.
    total: Option<Snapshot>,
    told: Vec<Told>,
    /// What the file before left open, and its history.
    before: Option<(usize, Carry)>,
    book: Book,
}

impl<'a> Joiner<'a> {
    fn new(job: &'a Job<'a>, opened: &'a [Opened], expected: Vec<usize>) -> Self {
        Self {
            job,
            opened,
            expected,
            waiting: BTreeMap::new(),
            next: 0,
            total: None,
            told: Vec::new(),
            before: None,
            book: Book::default(),
        }
    }

    fn take(&mut self, share: Share) {
        self.expected[share.file] -= share.pieces.len();
        self.waiting.entry(share.file).or_default().push(share);
        while self.next < self.expected.len() && self.expected[self.next] == 0 {
            let shares = self.waiting.remove(&self.next).unwrap_or_default();
            self.file(shares);
            self.next += 1;
        }
    }

    /// Settles one file: checks its guesses, settles its events in order, adds its snapshots.
    fn file(&mut self, mut shares: Vec<Share>) {
        let file = self.next;
        let history = self.job.files[file].history;
        if self.before.as_ref().is_some_and(|b| b.0 != history) {
            self.end_history();
        }
        let form = self.opened[file].form();
        let before = self.before.as_ref().map(|b| &b.1);
        if let Some(form) = &form
            && !holds(before, &shares, self.job.settings.lateness_us)
        {
            shares = vec![walk_again(self.job, file, form, before.cloned(), &mut self.book)];
        }
        let overlaps = before.and_then(|b| b.newest).zip(form.as_ref().and_then(|f| f.first_time));
        let overlaps = overlaps.is_some_and(|(newest, first)| newest.0 - first.0 > OVERLAP_US);
        let mut told = Told { error: self.opened[file].error(), overlaps, ..Told::default() };
        let mut part = if self.job.keep_parts { None } else { self.total.take() };
        let mut pieces = Vec::new();
        for share in shares {
            told.error = told.error.or(share.error);
            pieces.extend(share.pieces);
            match &mut part {
                Some(part) => part.merge(share.snapshot),
                None => part = Some(share.snapshot),
            }
            // only a history's first file has one
            self.book = share.book.unwrap_or(std::mem::take(&mut self.book));
        }
        let mut part = part.unwrap_or_else(|| empty(self.job));
        pieces.sort_by_key(|p| p.from);
        for piece in pieces {
            told.intake.add(&piece.intake);
            self.book.settle(piece.events, piece.lines, &mut part);
            self.before = Some((history, piece.end));
        }
        let last = self.job.files.get(file + 1).is_none_or(|next| next.history != history);
        if last && let (Some(form), Some((_, carry))) = (&form, self.before.take()) {
            finish(self.job, form, carry, &mut self.book, &mut part, &mut told.intake);
            self.book = Book::default();
        }
        told.form = form;
        if self.job.keep_parts {
            told.part = Some(part);
        } else {
            self.total = Some(part);
        }
        self.told.push(told);
    }

    /// A history ended without its last file telling: nothing can be open then.
    fn end_history(&mut self) {
        self.before = None;
        self.book = Book::default();
    }

    fn end(self) -> (Snapshot, Vec<Told>) {
        let mut total = self.total.unwrap_or_else(|| empty(self.job));
        total.close();
        (total, self.told)
    }
}

/// A snapshot for this job.
pub(super) fn empty(job: &Job<'_>) -> Snapshot {
    Snapshot::empty(job.plan.clone())
}

/// Ends a history: what waits is settled and counted.
fn finish(job: &Job<'_>, form: &Arc<SourceForm>, carry: Carry, book: &mut Book, out: &mut Snapshot, intake: &mut Intake) {
    let mut walk = Walk::new(&job.settings, form, Some(carry));
    walk.finish(out);
    let (events, lines) = walk.take_events();
    book.settle(events, lines, out);
    intake.add(walk.intake());
}

/// Whether every guess was right: what each piece supposed to be open is what the one before left open.
fn holds(before: Option<&Carry>, shares: &[Share], lateness_us: i64) -> bool {
    let mut pieces: Vec<&Piece> = shares.iter().flat_map(|s| &s.pieces).collect();
    pieces.sort_by_key(|p| p.from);
    let mut before = before;
    let mut newest = before.and_then(|b| b.newest);
    for piece in pieces {
        if piece.overflowed {
            return false;
        }
        if let Some(before) = before
            && !piece.may_follow(before, newest, lateness_us)
        {
            return false;
        }
        before = Some(&piece.end);
        newest = newest.max(piece.end.newest);
    }
    true
}
