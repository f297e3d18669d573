//! Stretches of a plain file that are walked before their turn.
//!
//! A history is read in order, but a large file can be opened anywhere: while one stretch is walked, those behind it are
//! walked too, on a guess of what is open at their beginning (see `batch.rs`) and with what was known of routes when they
//! were begun. Nothing is told of a stretch before its guess was held against what was really left open; where that
//! differs, or a route could have got another name, the stretch is walked again in its turn.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;

use super::batch::Job;
use super::sequence::Keep;
use super::sequence::recording;
use super::share::Opened;
use super::share::Share;
use super::share::Worker;
use crate::error::Error;
use crate::stats::snapshot::Looks;
use crate::stats::snapshot::known::Extent;
use crate::stats::snapshot::known::Known;

/// From the first byte to one past the last: whole lines.
pub(super) type Range = (u64, u64);

/// Stretches that had to be walked again before a history is read in order alone.
const AGAIN: usize = 8;

/// The stretches of one file, the next one in turn first.
#[derive(Default)]
pub(super) struct Ahead {
    file: usize,
    left: VecDeque<Range>,
    /// Being walked, and walked before their turn.
    begun: VecDeque<Range>,
    done: BTreeMap<u64, Scouted>,
    again: usize,
}

/// A stretch to be walked before its turn.
pub(super) struct Scout {
    file: usize,
    range: Range,
    known: Known,
    begun: Extent,
}

/// One that was.
pub(super) struct Scouted {
    file: usize,
    range: Range,
    /// What was known when it was begun.
    pub(super) begun: Extent,
    pub(super) share: Result<Share, Error>,
}

impl Scout {
    /// Walks it.
    pub(super) fn walk(self, job: &Job<'_>, opened: &[Opened], keep: Keep, looks: &Looks) -> Scouted {
        let Self { file, range, known, begun } = self;
        let mut share = Share::new(file, recording(job, keep, looks, known));
        // Only what is accepted has been read.
        let job = &Job { progress: &|_| {}, settings: Arc::clone(&job.settings), plan: job.plan.clone(), ..*job };
        let walked = Worker::new(job, opened, mpsc::channel().0).chunk(file, range.0, range.1, &mut share);
        share.snapshot.flush();
        Scouted { file, range, begun, share: walked.map(|()| share) }
    }
}

impl Ahead {
    /// The stretches of a file that is to be read.
    pub(super) fn begin(&mut self, file: usize, ranges: VecDeque<Range>) {
        (self.file, self.left) = (file, ranges);
    }

    /// Whether walking before their turn has paid so far.
    pub(super) fn pays(&self) -> bool {
        self.again < AGAIN
    }

    /// Whether all stretches of the file had their turn.
    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty() && self.begun.is_empty()
    }

    /// Stretches that are begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.len()
    }

    /// The next one to be walked.
    pub(super) fn scout(&mut self, known: &Known) -> Option<Scout> {
        let range = self.left.pop_front()?;
        self.begun.push_back(range);
        let (known, begun) = known.copy();
        Some(Scout { file: self.file, range, known, begun })
    }

    pub(super) fn put(&mut self, scouted: Scouted) {
        // What was given up may still come.
        if scouted.file == self.file && self.begun.contains(&scouted.range) {
            self.done.insert(scouted.range.0, scouted);
        }
    }

    /// The next one in turn, if it was walked.
    pub(super) fn next(&mut self) -> Option<(Range, Scouted)> {
        let range = *self.begun.front()?;
        let scouted = self.done.remove(&range.0)?;
        self.begun.pop_front();
        Some((range, scouted))
    }

    /// One has to be walked again in its turn; gives all that are to be walked so from now on.
    pub(super) fn again(&mut self, range: Range) -> VecDeque<Range> {
        self.again += 1;
        let mut ranges = VecDeque::from([range]);
        if !self.pays() {
            self.done.clear();
            ranges.extend(self.begun.drain(..).chain(self.left.drain(..)));
        }
        ranges
    }
}
