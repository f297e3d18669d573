//! One packed file, parsed by several threads.
//!
//! Unpacking goes one way only, so the threads take turns: who is free unpacks the next piece and, while another unpacks
//! on, walks it. A thread whose piece follows its own last goes on with the same walk; any other piece begins with a guess
//! of what is open there, as a chunk of a plain file does, from the lines unpacked just before it. A [`Ledger`] puts the
//! pieces together in their order: guesses are checked, events settled, so that memory does not grow with the file. At the
//! end there is one piece, as from one walk; after a wrong guess it says so, and `batch` walks the file again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc::Sender;

use super::batch::Job;
use super::batch::empty;
use super::book::Book;
use super::pipeline::Walk;
use super::share::EVENTS;
use super::share::Piece;
use super::share::RUN_UP;
use super::share::Share;
use super::share::Taken;
use super::share::guess;
use super::source::SourceForm;
use crate::error::Error;
use crate::input::archive::Archive;
use crate::line::blocks::Blocks;
use crate::line::parcel::Parcel;
use crate::stats::snapshot::Snapshot;

/// Unpacked bytes that one thread takes at a time, at most.
const PIECE: u64 = 4 << 20;
/// As many are taken by all threads together.
const PIECES: u64 = 16 << 20;
/// A file of so many pieces, packed, is worth several threads: each counts into a snapshot of its own, which is dear where
/// there is little to count (measured: no gain below some 40 MiB unpacked, of gzip below 100).
const WORTH: u64 = 4;
/// Threads that read one file: unpacking keeps no more busy, and each holds a piece.
pub(super) const READERS: usize = 8;
/// A piece that waits for an earlier one weighs as much as so many events.
const WEIGHT: usize = 100;

/// Whether a packed file of so many bytes is worth several threads.
pub(super) fn worth(length: u64, chunk: u64) -> bool {
    length >= WORTH * PIECE.min(chunk)
}

/// One file, opened for all who read it.
pub(super) struct Packed {
    file: usize,
    form: Arc<SourceForm>,
    source: Mutex<Source>,
    ledger: Mutex<Ledger>,
}

/// What is still to be unpacked.
struct Source {
    /// `None` once it has ended.
    blocks: Option<Blocks>,
    /// Pieces given so far.
    given: u64,
    /// The lines unpacked last.
    before: Parcel,
}

/// What has been walked.
#[derive(Default)]
struct Ledger {
    /// Threads that are at it.
    readers: usize,
    /// Nothing is left to take.
    ended: bool,
    /// Pieces put together so far.
    next: u64,
    waiting: BTreeMap<u64, Piece>,
    /// What waits, in events.
    weight: usize,
    /// All pieces from the first one on.
    whole: Option<Piece>,
    /// More waits than can be held back.
    overflowed: bool,
    /// Of a history's first file: what events are settled in.
    book: Option<Book>,
    error: Option<Error>,
}

/// What one thread takes at a time, used again and again.
#[derive(Default)]
struct Portion {
    number: u64,
    parcel: Parcel,
    before: Parcel,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Packed {
    /// From where `archive` stands, its beginning.
    pub(super) fn new(job: &Job<'_>, file: usize, form: Arc<SourceForm>, archive: Archive) -> Self {
        let history = job.files[file].history;
        let first = job.files[..file].iter().all(|f| f.history != history);
        let source = Source { blocks: Some(Blocks::new(archive)), given: 0, before: Parcel::default() };
        let ledger = Ledger { book: first.then(Book::default), ..Ledger::default() };
        Self { file, form, source: Mutex::new(source), ledger: Mutex::new(ledger) }
    }

    /// Takes part until nothing is left to take. Who leaves last hands over what all pieces together tell.
    pub(super) fn read(&self, job: &Job<'_>, send: &Sender<Share>) {
        if !self.join() {
            return;
        }
        let mut share = Share::new(self.file, empty(job));
        let (mut portion, mut before) = (Portion::default(), None);
        while self.take(job, &mut portion) {
            before = Some(self.walk(job, &portion, before, &mut share));
        }
        // What is gathered is taken in here, beside the other threads, and not where shares are joined.
        share.snapshot.flush();
        self.leave(share, before.is_some(), send);
    }

    fn join(&self) -> bool {
        let mut ledger = lock(&self.ledger);
        let may = !ledger.ended && ledger.readers < READERS;
        ledger.readers += usize::from(may);
        may
    }

    /// Unpacks the next piece, and the lines before it; false where none is left.
    fn take(&self, job: &Job<'_>, portion: &mut Portion) -> bool {
        let size = PIECE.min(PIECES / job.threads.clamp(1, READERS) as u64);
        let size = usize::try_from(size.min(job.chunk)).unwrap_or(1);
        let run_up = usize::try_from(RUN_UP.min(job.chunk)).unwrap_or(1);
        let mut source = lock(&self.source);
        let Some(blocks) = &mut source.blocks else { return false };
        let filled = portion.parcel.fill(blocks, size);
        if !matches!(filled, Ok(true)) {
            let mut ledger = lock(&self.ledger);
            (ledger.ended, ledger.error) = (true, filled.err());
            source.blocks = None;
        }
        portion.number = source.given;
        source.given += 1;
        std::mem::swap(&mut portion.before, &mut source.before);
        source.before.end_of(&portion.parcel, run_up);
        true
    }

    /// Walks one piece, going on from `before` where that ended just there.
    fn walk(&self, job: &Job<'_>, portion: &Portion, before: Option<(u64, Walk)>, share: &mut Share) -> (u64, Walk) {
        let (mut walk, start) = match before {
            Some((number, mut walk)) if number + 1 == portion.number => {
                walk.begin_piece();
                let carry = walk.carry();
                (walk, Some(carry))
            }
            _ if portion.number == 0 => (Walk::new(&job.settings, &self.form, None), None),
            _ => {
                let (walk, carry) = guess(job, &self.form, portion.before.blocks());
                (walk, Some(carry))
            }
        };
        let mut taken = Taken::default();
        for block in portion.parcel.blocks() {
            walk.block(&block, &mut share.snapshot);
            (job.progress)(block.bytes.len() as u64);
            taken.take(&mut walk, EVENTS);
        }
        let piece = taken.piece(portion.number, start, &mut walk);
        let right = lock(&self.ledger).put(piece, job.settings.lateness_us, &mut share.snapshot);
        if !right {
            self.stop();
        }
        (portion.number, walk)
    }

    /// Nothing more is worth unpacking.
    fn stop(&self) {
        lock(&self.source).blocks = None;
        lock(&self.ledger).ended = true;
    }

    fn leave(&self, mut share: Share, walked: bool, send: &Sender<Share>) {
        let mut ledger = lock(&self.ledger);
        ledger.readers -= 1;
        let last = ledger.readers == 0;
        if last {
            ledger.end(&mut share);
        }
        if walked || last {
            // under the lock: the last one comes last; nobody listens any more only when the run was given up
            drop(send.send(share));
        }
    }
}

impl Ledger {
    /// Takes a piece in; false where the file must be walked again.
    fn put(&mut self, piece: Piece, lateness_us: i64, out: &mut Snapshot) -> bool {
        self.weight += WEIGHT + piece.events.len();
        self.waiting.insert(piece.from, piece);
        while let Some(piece) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.weight -= WEIGHT + piece.events.len();
            let whole = match self.whole.take() {
                Some(whole) => whole.then(piece, lateness_us),
                None => piece,
            };
            let whole = self.whole.insert(whole);
            if let Some(book) = &mut self.book {
                book.settle(std::mem::take(&mut whole.events), std::mem::take(&mut whole.lines), out);
            }
            self.overflowed |= whole.overflowed;
        }
        self.overflowed |= self.weight > EVENTS;
        !self.overflowed
    }

    fn end(&mut self, share: &mut Share) {
        let mut whole = self.whole.take().unwrap_or_else(|| Piece::nothing(0));
        whole.overflowed |= self.overflowed;
        share.pieces.push(whole);
        (share.book, share.error) = (self.book.take(), self.error.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::pipeline::Carry;
    use crate::parse::traceback::Folder;
    use crate::route::table;
    use crate::route::table::Router;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;
    use crate::time::Timestamp;

    /// Piece `n` of a file, of `n` + 1 lines: it supposes and leaves open what a piece in its place would.
    fn piece(n: u64) -> Piece {
        let last = |n: u64| Carry { last: Some(Timestamp(n.cast_signed())), ..Carry::default() };
        let start = (n > 0).then(|| last(n - 1));
        Piece { start, end: last(n), lines: n + 1, ..Piece::nothing(n) }
    }

    fn share() -> Share {
        let snapshot = Snapshot::empty(Plan {
            bounds: Arc::new(Bounds::new(&[])),
            limits_us: Arc::from([]),
            routers: Arc::new(|_: Option<&str>| Router::new(Arc::default(), table::Settings::default())),
            borders: Arc::from([]),
            by_route: true,
        });
        Share::new(0, snapshot)
    }

    #[test]
    fn pieces_are_put_together_in_their_order_whichever_ends_first() {
        let (mut ledger, mut share) = (Ledger::default(), share());
        for n in [2, 0, 3, 1] {
            assert!(ledger.put(piece(n), 0, &mut share.snapshot), "{n}");
        }
        ledger.end(&mut share);
        let [whole] = &share.pieces[..] else { panic!("{} pieces", share.pieces.len()) };
        assert!(whole.start.is_none() && !whole.overflowed);
        assert_eq!((1 + 2 + 3 + 4, Some(Timestamp(3))), (whole.lines, whole.end.last));
    }

    #[test]
    fn a_piece_that_supposed_what_was_not_open_is_no_good_and_nothing_after_it() {
        let (mut ledger, mut share) = (Ledger::default(), share());
        let wrong = Piece { start: Some(Carry { folders: vec![(7, Folder::default())], ..Carry::default() }), ..piece(1) };
        assert!(ledger.put(piece(0), 0, &mut share.snapshot));
        assert!(!ledger.put(wrong, 0, &mut share.snapshot));
        assert!(!ledger.put(piece(2), 0, &mut share.snapshot));
        ledger.end(&mut share);
        assert!(share.pieces[0].overflowed);
    }

    #[test]
    fn what_waits_for_a_piece_that_does_not_end_is_bounded() {
        let (mut ledger, mut share) = (Ledger::default(), share());
        let most = EVENTS / WEIGHT;
        let waiting = (1..1_000_000).take_while(|n| ledger.put(piece(*n), 0, &mut share.snapshot)).count();
        assert_eq!(most, waiting);
        ledger.put(piece(0), 0, &mut share.snapshot);
        ledger.end(&mut share);
        assert!(share.pieces[0].overflowed, "the file is walked again");
    }
}
