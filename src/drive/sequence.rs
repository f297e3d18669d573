//! Archives in one order of time: the seconds of all histories, each once, each judged when no history can add to it.
//!
//! Every history is read from its first file to its last with what really was open before; the one that is furthest
//! behind goes on first, so that only a stretch of each waits (some thousand lines of it), however long the archive is.
//! A second is closed for a history once a request has come that is later by more than the lateness, as in a live run,
//! and once it has ended for all. Histories are read on the job's threads, judging happens on the caller's.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

use smallvec::SmallVec;

use super::batch::Job;
use super::batch::Told;
use super::batch::empty;
use super::book::Book;
use super::pipeline::Carry;
use super::pipeline::Walk;
use super::share::Opened;
use super::share::Worker;
use super::share::behind;
use super::share::open;
use super::source::SourceForm;
use crate::line::blocks::Blocks;
use crate::stats::snapshot::Desk;
use crate::stats::snapshot::Looks;
use crate::stats::snapshot::Snapshot;
use crate::stats::snapshot::Step;
use crate::stats::snapshot::Waiting;
use crate::time::SECOND;
use crate::time::Timestamp;

/// Bytes of a history that are read at a time.
const STRETCH: u64 = 4 << 20;
/// The same where each stretch's figures are added to the total: that is dear.
const LONG_STRETCH: u64 = 16 << 20;

/// One second of all recordings that have one, each with what was recorded about then.
pub type Parts<'a> = [(&'a Step, &'a Snapshot)];

/// Whoever follows the seconds of archives.
pub trait Follower {
    /// A second is closed, later than all before it.
    fn second(&mut self, parts: &Parts<'_>);

    /// What it looks at: seconds hold no more than that; see [`Snapshot::waiting_steps`].
    fn looks(&self) -> Looks {
        Looks::default()
    }

    /// A route of a service (service, method, path) is counted under another name from now on.
    fn renamed(&mut self, _: Option<&str>, _: &str, _: &str) {}
}

/// What is kept beside the seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Everything, as [`batch::run`](super::batch::run) gives it.
    All,
    /// Only what the intake tells: the snapshot has no figures of requests.
    Seconds,
}

/// Reads everything, and tells `follower` of each closed second, in ascending order.
pub fn run(job: &Job<'_>, keep: Keep, follower: &mut dyn Follower) -> (Snapshot, Vec<Told>) {
    let opened: Vec<Opened> = job.files.iter().map(|_| Opened::default()).collect();
    let mut sequence = Sequence {
        job,
        keep,
        lanes: Vec::new(),
        stretches: BTreeMap::new(),
        number: 0,
        heads: BinaryHeap::new(),
        fresh: Vec::new(),
        judged: 0,
        total: empty(job),
        told: job.files.iter().map(|_| Told::default()).collect(),
    };
    let readers = readers(job, &opened, keep);
    thread::scope(|scope| {
        let (ask, asked) = mpsc::channel::<Box<Reader<'_>>>();
        let asked = Arc::new(Mutex::new(asked));
        let (answer, answers) = mpsc::channel::<(Box<Reader<'_>>, Stretch)>();
        for _ in 0..job.threads.min(readers.len()) {
            let (asked, answer) = (Arc::clone(&asked), answer.clone());
            scope.spawn(move || {
                loop {
                    let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(mut reader) = next else { break };
                    let stretch = reader.advance();
                    if answer.send((reader, stretch)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(answer);
        let alone = readers.len() == 1;
        sequence.lanes = readers.into_iter().map(|reader| reader.lane(alone)).collect();
        let mut busy = 0;
        'reading: loop {
            // Those that are furthest behind hold all others up.
            while busy < job.threads {
                let Some(reader) = sequence.furthest_behind() else { break };
                if ask.send(reader).is_err() {
                    break 'reading;
                }
                busy += 1;
            }
            // While others read, what is closed by now is judged: a little at a time, so that none waits for it.
            let more = sequence.judge(follower);
            let answer = if more || busy == 0 { answers.try_recv().ok() } else { answers.recv().ok() };
            match answer {
                Some((reader, stretch)) => {
                    busy -= 1;
                    sequence.take(reader, stretch);
                }
                // What was put in order just now may let a reader go on.
                None if more || (busy == 0 && sequence.has_readers()) => {}
                None => break,
            }
        }
    });
    sequence.end(&opened)
}

/// One reader a history, at its beginning.
fn readers<'a>(job: &'a Job<'a>, opened: &'a [Opened], keep: Keep) -> Vec<Box<Reader<'a>>> {
    let mut all: Vec<Box<Reader<'a>>> = Vec::new();
    for (file, of) in job.files.iter().enumerate() {
        match all.last_mut().filter(|last| last.history == of.history) {
            Some(last) => last.files.push_back(file),
            None => all.push(Box::new(Reader {
                job,
                opened,
                keep,
                beside: false,
                lane: all.len(),
                history: of.history,
                files: VecDeque::from([file]),
                reading: None,
                form: None,
                carry: None,
                book: Book::default(),
                known: Vec::new(),
            })),
        }
    }
    // Where histories are as many as threads, all of these are busy with them.
    let beside = all.len() < job.threads;
    for reader in &mut all {
        reader.beside = beside;
    }
    all
}

/// A history as far as it was read.
struct Reader<'a> {
    job: &'a Job<'a>,
    opened: &'a [Opened],
    keep: Keep,
    /// Packed files are unpacked on threads of their own.
    beside: bool,
    lane: usize,
    history: usize,
    /// Not begun yet.
    files: VecDeque<usize>,
    reading: Option<(usize, Blocks)>,
    /// Of the file that was begun last.
    form: Option<Arc<SourceForm>>,
    carry: Option<Carry>,
    book: Book,
    /// The routes as the last stretch left them: what a path is called is learned from the whole history.
    known: Vec<Desk>,
}

/// Stretches of a history that may wait for others.
const AHEAD: usize = 3;
/// Seconds that are judged before somebody looks whether a reader waits.
const AT_ONCE: usize = 64;

/// What a history told in some thousand lines of one file.
struct Stretch {
    file: Option<usize>,
    snapshot: Snapshot,
    /// The second that comes next, and those behind it.
    next: Option<Step>,
    waiting: Waiting,
    told: Told,
    /// The first second that is still open; all are closed at the end.
    open: u32,
    ended: bool,
}

impl Stretch {
    /// Goes on to the next second, if there is one.
    fn go_on(&mut self) -> Option<u32> {
        let done = self.next.take().unwrap_or_default();
        self.next = self.snapshot.next_step(&mut self.waiting, done);
        self.next.as_ref().map(|step| step.second)
    }
}

impl<'a> Reader<'a> {
    /// Its lane. Where there are several, its first lines tell from when on it is needed.
    fn lane(self: Box<Self>, alone: bool) -> Lane<'a> {
        let first = self.files.front().copied().filter(|file| !alone && self.job.files[*file].path.as_os_str() != "-");
        let begins = first.and_then(|file| {
            let worker = Worker::new(self.job, self.opened, mpsc::channel().0);
            let form = worker.form(file, &mut open(self.job, file).ok()?);
            Some(first_open(form.first_time, self.job.settings.lateness_us))
        });
        Lane { reader: Some(self), ended: false, open: begins.unwrap_or(0), file: None, waiting: 0 }
    }

    /// Reads on for a stretch, to the end of a file at most.
    fn advance(&mut self) -> Stretch {
        let mut snapshot = empty(self.job);
        snapshot.listen();
        snapshot.tell_folds();
        snapshot.know_routes(std::mem::take(&mut self.known));
        if self.keep == Keep::Seconds {
            snapshot.only_steps();
        }
        let mut stretch = Stretch {
            file: None,
            snapshot,
            next: None,
            waiting: Waiting::default(),
            told: Told::default(),
            open: 0,
            ended: false,
        };
        self.begin(&mut stretch);
        match (self.reading.take(), self.form.clone()) {
            (Some(reading), Some(form)) => self.walk(reading, &form, &mut stretch),
            (_, form) if self.files.is_empty() => self.finish(form.as_ref(), &mut stretch),
            _ => {}
        }
        stretch.snapshot.close();
        self.known = stretch.snapshot.hand_over();
        let newest = self.carry.as_ref().and_then(|carry| carry.newest);
        stretch.open = if stretch.ended { u32::MAX } else { first_open(newest, self.job.settings.lateness_us) };
        stretch
    }

    /// Opens the next file where none is open.
    fn begin(&mut self, stretch: &mut Stretch) {
        if self.reading.is_some() {
            return;
        }
        let Some(file) = self.files.pop_front() else { return };
        stretch.file = Some(file);
        let worker = Worker::new(self.job, self.opened, mpsc::channel().0);
        let opened = open(self.job, file).and_then(|mut archive| {
            self.form = Some(worker.form(file, &mut archive));
            let archive = behind(self.job, file, archive)?;
            Ok(if self.beside { archive.unpacked_beside() } else { archive })
        });
        match opened {
            Ok(archive) => self.reading = Some((file, Blocks::new(archive))),
            Err(error) => {
                self.opened[file].failed(error.clone());
                stretch.told.error = Some(error);
            }
        }
    }

    fn walk(&mut self, (file, mut blocks): (usize, Blocks), form: &Arc<SourceForm>, stretch: &mut Stretch) {
        stretch.file = Some(file);
        let mut walk = Walk::new(&self.job.settings, form, self.carry.take());
        let (mut bytes, mut goes_on) = (0, false);
        let most = if self.keep == Keep::All { LONG_STRETCH } else { STRETCH };
        let most = most.min(self.job.chunk);
        loop {
            match blocks.next_block() {
                Ok(Some(block)) => {
                    walk.block(&block, &mut stretch.snapshot);
                    let read = block.bytes.len() as u64;
                    (self.job.progress)(read);
                    bytes += read;
                    let (events, lines) = walk.take_events();
                    self.book.settle(events, lines, &mut stretch.snapshot);
                    goes_on = bytes >= most;
                    if goes_on {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    stretch.told.error = Some(error);
                    break;
                }
            }
        }
        stretch.told.intake = walk.intake().clone();
        self.carry = Some(walk.carry());
        if goes_on {
            self.reading = Some((file, blocks));
        }
    }

    /// What waited is settled.
    fn finish(&mut self, form: Option<&Arc<SourceForm>>, stretch: &mut Stretch) {
        stretch.ended = true;
        let (Some(form), Some(carry)) = (form, self.carry.take()) else { return };
        let mut walk = Walk::new(&self.job.settings, form, Some(carry));
        walk.finish(&mut stretch.snapshot);
        let (events, lines) = walk.take_events();
        self.book.settle(events, lines, &mut stretch.snapshot);
        stretch.told.intake = walk.intake().clone();
    }
}

/// The first second that a request may still come for: see `pipeline`'s lateness.
fn first_open(newest: Option<Timestamp>, lateness_us: i64) -> u32 {
    let Some(newest) = newest else { return 0 };
    let closed = newest.micros().saturating_sub(lateness_us).saturating_sub(1).div_euclid(SECOND);
    u32::try_from(closed.max(0)).unwrap_or(u32::MAX - 1)
}

/// One history as the sequence sees it.
struct Lane<'a> {
    /// `None` while it reads.
    reader: Option<Box<Reader<'a>>>,
    ended: bool,
    open: u32,
    /// The file read last.
    file: Option<usize>,
    /// Stretches of it that are not judged to their end.
    waiting: usize,
}

struct Sequence<'a> {
    job: &'a Job<'a>,
    keep: Keep,
    lanes: Vec<Lane<'a>>,
    /// Stretches that are not judged to their end, by number, with their lane.
    stretches: BTreeMap<u64, (usize, Stretch)>,
    number: u64,
    /// The next second of each stretch, and its number.
    heads: BinaryHeap<Reverse<(u32, u64)>>,
    /// Stretches whose seconds are still to be put in order, by number.
    fresh: Vec<u64>,
    /// Seconds before it are judged.
    judged: u32,
    total: Snapshot,
    told: Vec<Told>,
}

impl<'a> Sequence<'a> {
    /// The reader of the history whose seconds others wait for, unless it is reading already. One that is ahead goes on
    /// only while little of it waits; so does any while there is something to judge.
    fn furthest_behind(&mut self) -> Option<Box<Reader<'a>>> {
        let last = self.open();
        let idle = self.fresh.is_empty() && self.closed(last).is_none();
        let may = |lane: &&mut Lane<'a>| lane.reader.is_some() && (lane.waiting < AHEAD || (idle && lane.open == last));
        self.lanes.iter_mut().filter(may).min_by_key(|lane| lane.open)?.reader.take()
    }

    /// Whether there is something to read that nobody reads.
    fn has_readers(&self) -> bool {
        self.lanes.iter().any(|lane| lane.reader.is_some())
    }

    /// The first second that some history can still add to.
    fn open(&self) -> u32 {
        self.lanes.iter().filter(|lane| !lane.ended).map(|lane| lane.open).min().unwrap_or(u32::MAX)
    }

    fn take(&mut self, reader: Box<Reader<'a>>, mut stretch: Stretch) {
        let at = reader.lane;
        let Some(lane) = self.lanes.get_mut(at) else { return };
        lane.ended = stretch.ended;
        lane.open = lane.open.max(stretch.open);
        lane.file = stretch.file.or(lane.file);
        stretch.file = lane.file;
        lane.waiting += 1;
        if !lane.ended {
            lane.reader = Some(reader);
        }
        if let Some(told) = stretch.file.and_then(|file| self.told.get_mut(file)) {
            told.intake.add(&stretch.told.intake);
            told.error = told.error.take().or(stretch.told.error.take());
        }
        self.stretches.insert(self.number, (at, stretch));
        self.fresh.push(self.number);
        self.number += 1;
    }

    /// Puts the seconds of what was read last in order: here and not where it was read, as reading one history takes
    /// longer than judging it.
    fn order(&mut self, looks: impl Fn() -> Looks) {
        for number in std::mem::take(&mut self.fresh) {
            let Some((_, stretch)) = self.stretches.get_mut(&number) else { continue };
            stretch.waiting = stretch.snapshot.waiting_steps(&looks());
            match stretch.go_on() {
                Some(second) => self.heads.push(Reverse((second, number))),
                None => self.settle(number),
            }
        }
    }

    /// The first second that is to be told of, where none before `open` can change any more.
    fn closed(&self, open: u32) -> Option<u32> {
        self.heads.peek().map(|head| head.0.0).filter(|next| *next < open)
    }

    /// Tells of some seconds that no history can add to, and whether there are more.
    fn judge(&mut self, follower: &mut dyn Follower) -> bool {
        self.order(|| follower.looks());
        let open = self.open();
        let mut here: Vec<u64> = Vec::new();
        for _ in 0..AT_ONCE {
            let Some(next) = self.closed(open) else { return false };
            here.clear();
            while let Some(Reverse((_, number))) = self.heads.peek().filter(|head| head.0.0 == next) {
                here.push(*number);
                self.heads.pop();
            }
            // Threads answer in any order; histories have one.
            here.sort_by_key(|number| (self.stretches.get(number).map(|stretch| stretch.0), *number));
            if next >= self.judged {
                let stretches = here.iter().filter_map(|number| self.stretches.get(number));
                let parts: SmallVec<[(&Step, &Snapshot); 4]> =
                    stretches.filter_map(|(_, s)| Some((s.next.as_ref()?, &s.snapshot))).collect();
                follower.second(&parts);
                self.judged = next + 1;
            }
            for number in &here {
                let Some((_, stretch)) = self.stretches.get_mut(number) else { continue };
                if let Some(next) = stretch.go_on() {
                    self.heads.push(Reverse((next, *number)));
                    continue;
                }
                for (service, method, path) in stretch.snapshot.take_folds() {
                    follower.renamed(service.as_deref(), &method, &path);
                }
                self.settle(*number);
            }
        }
        self.closed(open).is_some()
    }

    /// Puts away what was judged to its end.
    fn settle(&mut self, number: u64) {
        let Some((lane, stretch)) = self.stretches.remove(&number) else { return };
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.waiting -= 1;
        }
        let part = match stretch.file.and_then(|file| self.told.get_mut(file)) {
            Some(told) if self.job.keep_parts => told.part.get_or_insert_with(|| empty(self.job)),
            _ => &mut self.total,
        };
        if self.keep == Keep::All {
            part.merge(stretch.snapshot);
        } else {
            part.intake_mut().add(stretch.snapshot.intake());
        }
    }

    fn end(mut self, opened: &[Opened]) -> (Snapshot, Vec<Told>) {
        for (told, opened) in self.told.iter_mut().zip(opened) {
            told.form = opened.form();
            told.error = told.error.take().or(opened.error());
        }
        self.total.close();
        (self.total, self.told)
    }
}
