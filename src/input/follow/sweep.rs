//! Looking through rotated forms: what is missing is found there, what nobody has read yet is taken up.
//!
//! Done at every change under the path and at every start that finds one. In one folder and one moment: the file under
//! the path was opened before the names are listed, so whatever was rotated away since is left for the next time.

use std::fs::File;

use crate::input::follow::Follower;
use crate::input::follow::GRACE_US;
use crate::input::follow::Happening;
use crate::input::follow::Place;
use crate::input::follow::Progress;
use crate::input::follow::Room;
use crate::input::follow::SEARCH_EVERY_US;
use crate::input::follow::Tell;
use crate::input::follow::piece::Handle;
use crate::input::follow::piece::Packed;
use crate::input::follow::piece::Piece;
use crate::input::follow::siblings::Candidate;
use crate::input::follow::siblings::Content;
use crate::input::follow::siblings::MOST;
use crate::input::follow::siblings::siblings;
use crate::input::follow::trace::Kept;
use crate::input::follow::trace::Trace;
use crate::input::follow::trace::first_bytes;
use crate::input::identity::FileId;
use crate::input::identity::Head;
use crate::input::identity::Identity;
use crate::input::identity::Start;

/// The shortest content that is believed to be the same under another name while the first still stands.
pub(super) const TELLING: u64 = 1024;
/// Files that are remembered as history at the first look: the newest so many.
const HISTORY: usize = 20;

/// What a rotated form turned out to be.
enum Verdict {
    /// Nothing of it is wanted.
    Nothing,
    /// It cannot be told yet.
    Unsure,
    /// Its content was read up to here.
    From(Kept),
    /// Nobody has read it.
    New,
}

impl Follower {
    /// The first look has been taken: what stands beside the log is history, unless it came with it.
    /// `file` was opened under the path; what was rotated away behind it has come since.
    pub(super) fn start_with_history(&mut self, file: Option<FileId>) {
        if self.progress != Progress::New {
            return;
        }
        self.progress = Progress::Started;
        let history = self.history.take().unwrap_or_else(|| siblings(&self.path, HISTORY));
        for path in history.iter().skip(history.len().saturating_sub(HISTORY)) {
            let Ok(Some(candidate)) = Candidate::open(path, 0) else { continue };
            if file == Some(candidate.file) {
                break;
            }
            if let Some(kept) = wholly_read(&candidate) {
                self.remember(kept);
            }
        }
    }

    /// Finds what is closed and does not stand under the path, and takes up what is new.
    pub(super) fn sweep(&mut self, now: i64, room: &mut Room, tell: &mut Tell<'_>) {
        let (mut candidates, mut unsure) = self.candidates();
        candidates.retain(|candidate| !room.is_taken(candidate.file, self.source));
        let mut rest = Vec::new();
        for candidate in candidates {
            match self.rotated.iter_mut().find(|piece| piece.file == candidate.file && !piece.is_closed()) {
                Some(piece) => piece.rank = candidate.rank,
                None => rest.push(candidate),
            }
        }
        let rest = self.locate(rest, now, tell, |candidate, kept| candidate.file == kept.identity.file);
        let rest = self.locate(rest, now, tell, |_, _| true);
        for candidate in rest {
            match self.judge(&candidate) {
                Verdict::Nothing => {}
                Verdict::Unsure => unsure = true,
                Verdict::From(kept) => {
                    let mut piece = Piece::from_kept(&kept, candidate.path.clone(), now);
                    piece.backlog = if self.sees_backlog() { candidate.size } else { 0 };
                    attach(&mut piece, candidate);
                    self.forget(&kept);
                    self.rotated.push(piece);
                }
                Verdict::New => self.take_up(candidate, now, tell),
            }
        }
        self.rotated.sort_by_key(|piece| piece.rank);
        let open = self.rotated.iter().filter(|piece| !piece.is_closed());
        room.taken.extend(open.map(|piece| (piece.file, self.source)));
        self.settle(unsure, now, room, tell);
    }

    /// The rotated forms that are older than what stands under the path, opened; true where one could not be.
    fn candidates(&self) -> (Vec<Candidate>, bool) {
        let (mut found, mut unsure) = (Vec::new(), false);
        for (rank, path) in siblings(&self.path, MOST).into_iter().enumerate() {
            match Candidate::open(&path, rank + 1) {
                // It was rotated away since: what is younger waits for the next look.
                Ok(Some(candidate)) if self.file() == Some(candidate.file) => break,
                Ok(Some(candidate)) => found.push(candidate),
                Ok(None) => {}
                Err(_) => unsure = true,
            }
        }
        (found, unsure)
    }

    /// Opens what was closed where a candidate is its continuation; gives back the candidates that are not.
    fn locate(
        &mut self,
        candidates: Vec<Candidate>,
        now: i64,
        tell: &mut Tell<'_>,
        likely: impl Fn(&Candidate, &Kept) -> bool,
    ) -> Vec<Candidate> {
        let mut rest = Vec::new();
        let backlog = self.sees_backlog();
        for candidate in candidates {
            let fits = |piece: &&mut Piece| {
                let kept = piece.kept();
                let unread = kept.place.offset == 0 && kept.identity.file == candidate.file;
                let untouched = unread && !piece.truncated && candidate.size >= kept.seen;
                piece.is_closed() && likely(&candidate, &kept) && (untouched || candidate.continues(&kept))
            };
            let Some(piece) = self.rotated.iter_mut().find(fits) else {
                rest.push(candidate);
                continue;
            };
            let truncated = std::mem::take(&mut piece.truncated);
            let lost = piece.seen.saturating_sub(candidate.size);
            let path = candidate.path.clone();
            piece.quiet_since = now;
            piece.backlog = if backlog { candidate.size } else { 0 };
            attach(piece, candidate);
            if truncated {
                piece.seen = piece.seen.saturating_sub(lost);
                self.tell(Happening::Truncated { lost }, tell);
            }
            self.tell(Happening::Recovered(path), tell);
        }
        rest
    }

    /// What a candidate is that continues nothing that was being read.
    fn judge(&self, candidate: &Candidate) -> Verdict {
        let same = |kept: &&Kept| {
            kept.identity.file == candidate.file && (kept.identity.head.fits(&candidate.head) || kept.place.offset == 0)
        };
        if let Some(kept) = self.known.iter().rev().find(same) {
            if self.is_copy_of_open(candidate) || candidate.is_packed() || candidate.size <= kept.place.offset {
                return Verdict::Nothing;
            }
            if kept.place.offset == 0 || candidate.continues(kept) {
                return Verdict::From(*kept);
            }
        }
        if candidate.head.is_empty() {
            return Verdict::Unsure;
        }
        if self.is_copy_of_open(candidate) {
            return Verdict::Nothing;
        }
        let beyond = |kept: &Kept| kept.place.offset == u64::MAX || candidate.size <= kept.place.offset;
        let covers = |kept: &Kept| {
            if (candidate.head.len() as u64) < kept.identity.head.length {
                return kept.identity.steps.fit(&candidate.head);
            }
            let begins = kept.identity.head.length > 0 && kept.identity.head.fits(&candidate.head);
            begins && (beyond(kept) || candidate.continues(kept))
        };
        // What is closed and continues here was found before; a copy may also end before the place.
        if self.rotated.iter().filter(|piece| piece.is_closed()).any(|piece| covers(&piece.kept())) {
            return Verdict::Nothing;
        }
        match self.known.iter().rev().find(|kept| covers(kept)) {
            Some(kept) if beyond(kept) => Verdict::Nothing,
            Some(kept) => Verdict::From(*kept),
            None => Verdict::New,
        }
    }

    /// True where an open file begins with all that can be seen of the candidate: a copy, or one in the making.
    fn is_copy_of_open(&self, candidate: &Candidate) -> bool {
        let seen = &candidate.head;
        let begins = |file: &File| first_bytes(file, seen.len()).is_ok_and(|first| first == *seen);
        !seen.is_empty() && self.rotated.iter().chain(&self.current).filter_map(Piece::plain).any(begins)
    }

    fn take_up(&mut self, candidate: Candidate, now: i64, tell: &mut Tell<'_>) {
        // What was cut off before any of it was given can only be this.
        let untouched = |piece: &&mut Piece| piece.is_closed() && piece.trace.place.offset == 0 && piece.seen > 0;
        let path = candidate.path.clone();
        let backlog = if self.sees_backlog() { candidate.size } else { 0 };
        if let Some(piece) = self.rotated.iter_mut().find(untouched) {
            let lost = piece.seen.saturating_sub(candidate.size);
            piece.seen -= lost;
            (piece.quiet_since, piece.backlog) = (now, backlog);
            let truncated = std::mem::take(&mut piece.truncated);
            attach(piece, candidate);
            if truncated {
                self.tell(Happening::Truncated { lost }, tell);
            }
        } else {
            let mut piece = self.fresh(candidate.file, path.clone(), Handle::Closed, now);
            piece.backlog = backlog;
            attach(&mut piece, candidate);
            self.rotated.push(piece);
        }
        self.tell(Happening::Recovered(path), tell);
    }

    /// Decides whether to look again, and gives up what is nowhere.
    fn settle(&mut self, unsure: bool, now: i64, room: &mut Room, tell: &mut Tell<'_>) {
        let until = *self.search_until.get_or_insert(now.saturating_add(GRACE_US));
        if unsure && now < until {
            (self.sweep, self.sweep_at) = (true, now.saturating_add(SEARCH_EVERY_US));
            return;
        }
        (self.sweep, self.search_until) = (false, None);
        while let Some(at) = self.rotated.iter().position(Piece::is_closed) {
            self.give_up(at, room, tell);
        }
    }
}

/// Opens a piece in what was found for it.
fn attach(piece: &mut Piece, candidate: Candidate) {
    piece.trace.begin_with(&candidate.head);
    piece.file = candidate.file;
    piece.rank = candidate.rank;
    piece.path = candidate.path;
    piece.handle = match candidate.content {
        Content::Plain(file) => Handle::Plain(file),
        Content::Packed(archive) => Handle::Packed(Box::new(Packed::new(*archive))),
    };
}

/// A file that was there before anything was read: nothing of what it holds now is wanted.
fn wholly_read(candidate: &Candidate) -> Option<Kept> {
    let (offset, mark) = match &candidate.content {
        Content::Packed(_) => (u64::MAX, Head::of(b"")),
        Content::Plain(file) => {
            let place = Place { offset: candidate.size, skipping: false };
            (candidate.size, Trace::up_to(place, file).ok()?.mark())
        }
    };
    let mut start = Start::default();
    start.add(&candidate.head);
    let identity = Identity { file: candidate.file, head: start.head(), steps: start.steps(), mark };
    let place = Place { offset, skipping: false };
    Some(Kept { identity, place, generation: 0, seen: candidate.size })
}
