//! Archives in one order of time: the seconds of all histories, each once, each judged when no history can add to it.
//!
//! Every history is read from its first file to its last with what really was open before; the one that is furthest
//! behind goes on first, so that only a few stretches of each wait (some ten thousand lines each), however long the archive is.
//! A second is closed for a history once a request has come that is later by more than the lateness, as in a live run,
//! and once it has ended for all. Histories are read on the job's threads, judging happens on the caller's. Where there is
//! but one history, stretches of a large file are walked before their turn (`ahead.rs`).

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

use super::ahead::Ahead;
use super::ahead::Range;
use super::ahead::Scout;
use super::ahead::Scouted;
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
use crate::input::archive::Archive;
use crate::input::archive::line_starts;
use crate::line::blocks::Blocks;
use crate::stats::snapshot::Looks;
use crate::stats::snapshot::Snapshot;
use crate::stats::snapshot::Step;
use crate::stats::snapshot::Waiting;
use crate::stats::snapshot::known::Known;
use crate::time::SECOND;
use crate::time::Timestamp;

/// Bytes of a history that are read at a time.
const STRETCH: u64 = 4 << 20;
/// The same of the only one: beginning anew is dear, and no other waits beside it.
const ONLY_STRETCH: u64 = 8 << 20;
/// The same where each stretch's figures are added to the total: that is dear.
const LONG_STRETCH: u64 = 16 << 20;

/// One second of all recordings that have one, each with what was recorded about then.
pub type Parts<'a> = [(&'a Step, &'a Snapshot)];

/// Whoever follows the seconds of archives.
pub trait Follower {
    /// A second is closed, later than all before it.
    fn second(&mut self, parts: &Parts<'_>);

    /// What it looks at, from beginning to end: seconds hold no more than that; see [`Snapshot::listen_for`].
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
        ahead: None,
        stretches: BTreeMap::new(),
        number: 0,
        heads: BinaryHeap::new(),
        fresh: Vec::new(),
        total: empty(job),
        told: job.files.iter().map(|_| Told::default()).collect(),
    };
    let looks = follower.looks();
    let readers = readers(job, &opened, keep, &looks);
    thread::scope(|scope| {
        let (ask, asked) = mpsc::channel::<Work<'_>>();
        let asked = Arc::new(Mutex::new(asked));
        let (answer, answers) = mpsc::channel::<Done<'_>>();
        let alone = readers.len() == 1;
        let queued = if alone { QUEUED } else { 0 };
        let threads = if alone { job.threads.min(SCOUTS) } else { job.threads.min(readers.len()) };
        for _ in 0..threads {
            let (asked, answer, opened, looks) = (Arc::clone(&asked), answer.clone(), &opened, &looks);
            scope.spawn(move || {
                loop {
                    let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let done = match next {
                        Ok(Work::Advance(mut reader)) => {
                            let stretch = reader.advance();
                            Done::Advanced(reader, Box::new(stretch))
                        }
                        Ok(Work::Scout(scout)) => Done::Scouted(Box::new(scout.walk(job, opened, keep, looks))),
                        Err(_) => break,
                    };
                    if answer.send(done).is_err() {
                        break;
                    }
                }
            });
        }
        drop(answer);
        sequence.ahead = (alone && job.threads > 1).then(Ahead::default);
        sequence.lanes = readers.into_iter().map(|reader| reader.lane(alone)).collect();
        let mut busy = 0;
        'reading: loop {
            // Those that are furthest behind hold all others up.
            while busy < threads + queued {
                let next = sequence.furthest_behind().map(Work::Advance);
                let Some(work) = next.or_else(|| sequence.scout().map(Box::new).map(Work::Scout)) else { break };
                if ask.send(work).is_err() {
                    break 'reading;
                }
                busy += 1;
            }
            // While others read, what is closed by now is judged: a little at a time, so that none waits for it.
            let more = sequence.judge(follower);
            let answer = if more || busy == 0 { answers.try_recv().ok() } else { answers.recv().ok() };
            match answer {
                Some(done) => {
                    busy -= 1;
                    sequence.take(done);
                }
                // What was put in order just now may let a reader go on.
                None if more || (busy == 0 && sequence.has_readers()) => {}
                None => break,
            }
        }
    });
    sequence.end(&opened)
}

/// What a thread is asked for.
enum Work<'a> {
    Advance(Box<Reader<'a>>),
    Scout(Box<Scout>),
}

/// What it answers.
enum Done<'a> {
    Advanced(Box<Reader<'a>>, Box<Stretch>),
    Scouted(Box<Scouted>),
}

/// A snapshot for one stretch.
pub(super) fn recording(job: &Job<'_>, keep: Keep, looks: &Looks, known: Known) -> Snapshot {
    let mut snapshot = empty(job);
    snapshot.listen_for(looks);
    snapshot.tell_folds();
    snapshot.know(known);
    if keep == Keep::Seconds {
        snapshot.only_steps();
    }
    snapshot
}

/// One reader a history, at its beginning.
fn readers<'a>(job: &'a Job<'a>, opened: &'a [Opened], keep: Keep, looks: &'a Looks) -> Vec<Box<Reader<'a>>> {
    let mut all: Vec<Box<Reader<'a>>> = Vec::new();
    for (file, of) in job.files.iter().enumerate() {
        match all.last_mut().filter(|last| last.history == of.history) {
            Some(last) => last.files.push_back(file),
            None => all.push(Box::new(Reader {
                job,
                opened,
                keep,
                looks,
                beside: false,
                alone: false,
                lane: all.len(),
                history: of.history,
                files: VecDeque::from([file]),
                file,
                ranges: VecDeque::new(),
                reading: None,
                form: None,
                carry: None,
                book: Book::default(),
                known: Known::default(),
            })),
        }
    }
    // Where histories are as many as threads, all of these are busy with them.
    let (beside, alone) = (all.len() < job.threads, all.len() == 1);
    for reader in &mut all {
        (reader.beside, reader.alone) = (beside, alone);
    }
    all
}

/// A history as far as it was read.
struct Reader<'a> {
    job: &'a Job<'a>,
    opened: &'a [Opened],
    keep: Keep,
    looks: &'a Looks,
    /// Packed files are unpacked on threads of their own.
    beside: bool,
    /// There is no other history.
    alone: bool,
    lane: usize,
    history: usize,
    /// Not begun yet.
    files: VecDeque<usize>,
    /// The file that was begun last, and where it is a large plain one what is still to be read of it in turn.
    file: usize,
    ranges: VecDeque<Range>,
    reading: Option<Reading>,
    /// Of the file that was begun last.
    form: Option<Arc<SourceForm>>,
    carry: Option<Carry>,
    book: Book,
    /// The routes as the last stretch left them: what a path is called is learned from the whole history.
    known: Known,
}

/// What a stretch is read from, and how many bytes of it, at least, are one.
struct Reading {
    blocks: Blocks,
    most: u64,
}

/// Stretches of a history that may wait for others.
const AHEAD: usize = 3;
/// What is given out of the only history beyond what threads can read: one that is done goes on while another judges.
const QUEUED: usize = 1;
/// Threads that read one history: judging keeps no more busy.
const SCOUTS: usize = 4;
/// Seconds that are judged before somebody looks whether a reader waits.
const AT_ONCE: usize = 64;

/// What a history told in some ten thousand lines of one file.
struct Stretch {
    file: Option<usize>,
    snapshot: Snapshot,
    /// The second that comes next, and those behind it.
    next: Option<Step>,
    waiting: Waiting,
    told: Told,
    /// The first second that was open when it began. What it tells of seconds before is late: it is told of in none.
    from: u32,
    /// The first second that is still open; all are closed at the end.
    open: u32,
    ended: bool,
}

impl Stretch {
    /// Goes on to the next second, if there is one.
    fn go_on(&mut self) -> Option<u32> {
        loop {
            let done = self.next.take().unwrap_or_default();
            self.next = self.snapshot.next_step(&mut self.waiting, done);
            match self.next.as_ref().map(|step| step.second) {
                Some(second) if second < self.from => {}
                second => return second,
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// Its lane. Where there are several, its first lines tell from when on it is needed.
    fn lane(self: Box<Self>, alone: bool) -> Lane<'a> {
        let begins = self.files.front().filter(|_| !alone).and_then(|file| {
            let worker = Worker::new(self.job, self.opened, mpsc::channel().0);
            let form = worker.form(*file, &mut Archive::beforehand(&self.job.files[*file].path)?);
            Some(first_open(form.first_time, self.job.settings.lateness_us))
        });
        Lane { reader: Some(self), ended: false, open: begins.unwrap_or(0), file: None, waiting: 0 }
    }

    /// Reads on for a stretch, to the end of a file at most.
    fn advance(&mut self) -> Stretch {
        let snapshot = recording(self.job, self.keep, self.looks, std::mem::take(&mut self.known));
        let mut stretch = Stretch {
            file: None,
            snapshot,
            next: None,
            waiting: Waiting::default(),
            told: Told::default(),
            from: 0,
            open: 0,
            ended: false,
        };
        self.begin(&mut stretch);
        match (self.reading.take(), self.form.clone()) {
            (Some(reading), Some(form)) => self.walk(reading, &form, &mut stretch),
            (_, form) if stretch.told.error.is_none() && self.files.is_empty() && self.ranges.is_empty() => {
                self.finish(form.as_ref(), &mut stretch);
            }
            _ => {}
        }
        stretch.snapshot.close();
        self.known = stretch.snapshot.hand_over();
        let newest = self.carry.as_ref().and_then(|carry| carry.newest);
        stretch.open = if stretch.ended { u32::MAX } else { first_open(newest, self.job.settings.lateness_us) };
        stretch
    }

    /// Opens what is next where nothing is open: a large plain file's first stretch comes with the next call.
    fn begin(&mut self, stretch: &mut Stretch) {
        if self.reading.is_some() {
            return;
        }
        if let Some((from, to)) = self.ranges.pop_front() {
            match Archive::open_range(&self.job.files[self.file].path, from, to) {
                Ok(archive) => self.reading = Some(Reading { blocks: Blocks::new(archive), most: u64::MAX }),
                Err(error) => stretch.told.error = Some(error),
            }
            return;
        }
        let Some(file) = self.files.pop_front() else { return };
        self.file = file;
        stretch.file = Some(file);
        let worker = Worker::new(self.job, self.opened, mpsc::channel().0);
        let opened = open(self.job, file).and_then(|mut archive| {
            self.form = Some(worker.form(file, &mut archive));
            let archive = behind(self.job, file, archive)?;
            Ok(if self.beside { archive.unpacked_beside() } else { archive })
        });
        match opened {
            Ok(archive) => match self.cut(file, &archive) {
                Some(ranges) => self.ranges = ranges,
                None => self.reading = Some(Reading { blocks: Blocks::new(archive), most: self.most() }),
            },
            Err(error) => {
                self.opened[file].failed(error.clone());
                stretch.told.error = Some(error);
            }
        }
    }

    /// Bytes of a stretch.
    fn most(&self) -> u64 {
        let most = match self.keep {
            Keep::All => LONG_STRETCH,
            Keep::Seconds if self.alone => ONLY_STRETCH,
            Keep::Seconds => STRETCH,
        };
        most.min(self.job.chunk)
    }

    /// The stretches of a file of which any can be opened for itself.
    fn cut(&self, file: usize, archive: &Archive) -> Option<VecDeque<Range>> {
        let of = &self.job.files[file];
        let most = self.most();
        let length = archive.plain_len().filter(|length| *length > most && of.skip == 0)?;
        let borders = line_starts(&of.path, length, length.div_ceil(most)).ok()?;
        Some(borders.windows(2).map(|b| (b[0], b[1])).collect())
    }

    /// What was walked before its turn, where that was as it would have been in its turn.
    fn accept(&mut self, scouted: Scouted) -> Option<Stretch> {
        let mut share = scouted.share.ok().filter(|share| share.error.is_none())?;
        let piece = share.pieces.pop().filter(|piece| !piece.overflowed)?;
        let newest = self.carry.as_ref().and_then(|carry| carry.newest);
        let lateness_us = self.job.settings.lateness_us;
        let follows = self.carry.as_ref().is_none_or(|before| piece.may_follow(before, newest, lateness_us));
        let mut snapshot = share.snapshot;
        if !follows || !self.known.learn(&snapshot, &scouted.begun) {
            return None;
        }
        (self.job.progress)(piece.intake.bytes);
        self.book.settle(piece.events, piece.lines, &mut snapshot);
        snapshot.close();
        let newest = newest.max(piece.end.newest);
        self.carry = Some(Carry { newest, ..piece.end });
        Some(Stretch {
            file: Some(share.file),
            snapshot,
            next: None,
            waiting: Waiting::default(),
            told: Told { intake: piece.intake, ahead: 1, ..Told::default() },
            from: 0,
            open: first_open(newest, lateness_us),
            ended: false,
        })
    }

    fn walk(&mut self, reading: Reading, form: &Arc<SourceForm>, stretch: &mut Stretch) {
        let Reading { mut blocks, most } = reading;
        stretch.file = Some(self.file);
        let mut walk = Walk::new(&self.job.settings, form, self.carry.take());
        let (mut bytes, mut goes_on) = (0, false);
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
            self.reading = Some(Reading { blocks, most });
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
    /// Stretches that are walked before their turn, where there is but one history and threads to spare.
    ahead: Option<Ahead>,
    /// Stretches that are not judged to their end, by number, with their lane.
    stretches: BTreeMap<u64, (usize, Stretch)>,
    number: u64,
    /// The next second of each stretch, and its number.
    heads: BinaryHeap<Reverse<(u32, u64)>>,
    /// Stretches whose seconds are still to be put in order, by number.
    fresh: Vec<u64>,
    total: Snapshot,
    told: Vec<Told>,
}

impl<'a> Sequence<'a> {
    /// The reader of the history whose seconds others wait for, unless it is reading already. One that is ahead goes on
    /// only while little of it waits; so does any while there is something to judge.
    fn furthest_behind(&mut self) -> Option<Box<Reader<'a>>> {
        let last = self.open();
        let idle = self.is_idle();
        let waits = self.ahead.as_ref().is_some_and(|ahead| !ahead.is_done());
        let may = |lane: &&mut Lane<'a>| {
            lane.reader.as_ref().is_some_and(|reader| !waits || !reader.ranges.is_empty())
                && (lane.waiting < AHEAD || (idle && lane.open == last))
        };
        self.lanes.iter_mut().filter(may).min_by_key(|lane| lane.open)?.reader.take()
    }

    /// A stretch that may be walked before its turn.
    fn scout(&mut self) -> Option<Scout> {
        let idle = self.is_idle();
        let (ahead, lane) = (self.ahead.as_mut()?, self.lanes.first()?);
        let known = &lane.reader.as_ref()?.known;
        let little = lane.waiting + ahead.begun() < AHEAD + self.job.threads.min(SCOUTS) + QUEUED;
        if little || (idle && ahead.begun() == 0) { ahead.scout(known) } else { None }
    }

    /// Whether there is nothing to judge before more is read.
    fn is_idle(&self) -> bool {
        self.fresh.is_empty() && self.closed(self.open()).is_none()
    }

    /// Whether there is something to read that nobody reads.
    fn has_readers(&self) -> bool {
        self.lanes.iter().any(|lane| lane.reader.is_some())
    }

    /// The first second that some history can still add to.
    fn open(&self) -> u32 {
        self.lanes.iter().filter(|lane| !lane.ended).map(|lane| lane.open).min().unwrap_or(u32::MAX)
    }

    fn take(&mut self, done: Done<'a>) {
        match done {
            Done::Advanced(mut reader, stretch) => {
                if let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.is_done() && ahead.pays()) {
                    ahead.begin(reader.file, std::mem::take(&mut reader.ranges));
                }
                let at = reader.lane;
                self.put(at, *stretch);
                if let Some(lane) = self.lanes.get_mut(at).filter(|lane| !lane.ended) {
                    lane.reader = Some(reader);
                }
            }
            Done::Scouted(scouted) => {
                if let Some(ahead) = &mut self.ahead {
                    ahead.put(*scouted);
                }
            }
        }
        self.join();
    }

    /// Takes what was walked before its turn and has its turn now.
    fn join(&mut self) {
        let Some(mut reader) = self.lanes.first_mut().and_then(|lane| lane.reader.take()) else { return };
        while reader.ranges.is_empty()
            && let Some((range, scouted)) = self.ahead.as_mut().and_then(Ahead::next)
        {
            match (reader.accept(scouted), &mut self.ahead) {
                (Some(stretch), _) => self.put(reader.lane, stretch),
                (None, Some(ahead)) => reader.ranges = ahead.again(range),
                (None, None) => {}
            }
        }
        if let Some(lane) = self.lanes.get_mut(reader.lane) {
            lane.reader = Some(reader);
        }
    }

    fn put(&mut self, at: usize, mut stretch: Stretch) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        lane.ended = stretch.ended;
        stretch.from = lane.open;
        lane.open = lane.open.max(stretch.open);
        lane.file = stretch.file.or(lane.file);
        stretch.file = lane.file;
        lane.waiting += 1;
        if let Some(told) = stretch.file.and_then(|file| self.told.get_mut(file)) {
            told.intake.add(&stretch.told.intake);
            told.ahead += stretch.told.ahead;
            told.error = told.error.take().or(stretch.told.error.take());
        }
        self.stretches.insert(self.number, (at, stretch));
        self.fresh.push(self.number);
        self.number += 1;
    }

    /// Puts the seconds of what was read last in order: here and not where it was read, as reading one history takes
    /// longer than judging it.
    fn order(&mut self) {
        for number in std::mem::take(&mut self.fresh) {
            let Some((_, stretch)) = self.stretches.get_mut(&number) else { continue };
            stretch.waiting = stretch.snapshot.waiting_steps();
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
        self.order();
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
            let stretches = here.iter().filter_map(|number| self.stretches.get(number));
            let parts: SmallVec<[(&Step, &Snapshot); 4]> =
                stretches.filter_map(|(_, s)| Some((s.next.as_ref()?, &s.snapshot))).collect();
            follower.second(&parts);
            drop(parts);
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
