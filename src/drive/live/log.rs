//! One log of a live run: how it is read, what is open in it, and what its position needs to be saved with.
//!
//! A log is read only once its form is known: from its first lines where there are enough of them, else from what has
//! come within a few seconds, and then once more when there are more. The lines that decided are kept with the state,
//! so that a restart reads as before. Where lines come from is `input::follow`'s and `streams`' matter.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::drive::book::Book;
use crate::drive::pipeline::Carry;
use crate::drive::pipeline::Settings;
use crate::drive::pipeline::Walk;
use crate::drive::source::SourceForm;
use crate::drive::state::Position;
use crate::input::archive::Archive;
use crate::line::split::Block;
use crate::parse::detect::SAMPLE;
use crate::parse::pair::Pairer;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::stored;
use crate::stats::summary::Asked;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::sum_up;
use crate::time::Timestamp;
use crate::write::figures::clean_to;

/// Bytes of a log that its form is found from.
pub(super) const HEAD: usize = 64 << 10;
/// So long is waited for enough lines, in microseconds: what a log is read as is said within a second.
const PATIENCE_US: i64 = 700_000;
/// Between two looks at the first bytes of a log whose form is not known, in microseconds.
const HEAD_US: i64 = 250_000;
/// Lines at which a form that was found from few is looked for again.
const AGAIN: [usize; 3] = [20, 60, SAMPLE];
/// A day: stamps without one are near the present.
const NEAR_US: i64 = 86_400_000_000;

/// What one log has given since the state began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) requests: u64,
}

/// Consecutive whole lines and how they came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) block: Block<'a>,
    /// Lines that begin before this offset were there when live reading began.
    pub(super) backlog: u64,
    /// When the others came.
    pub(super) now: Timestamp,
}

/// One log.
pub(super) struct Log {
    /// A path as followed, `-`, or `journal:UNIT`; its name in the state.
    pub(super) name: String,
    number: u64,
    form: Option<Arc<SourceForm>>,
    /// The lines its form was found from, until there are enough of them.
    sample: Vec<u8>,
    /// Lines in it when the form was found last.
    decided_on: usize,
    /// The lines its form was found from, packed, until they are saved.
    unsaved_form: Option<Vec<u8>>,
    /// When its first bytes were looked at last, on the steady clock.
    head_at: Option<i64>,
    /// When its first bytes were seen, on the steady clock.
    first_seen: Option<i64>,
    walk: Option<Walk>,
    carry: Option<Carry>,
    last_arrived: Option<Timestamp>,
    book: Book,
    given: Given,
    /// Where it stands in its file, as last told by whoever follows it.
    bookmark: Vec<u8>,
    /// What is saved is older.
    changed: bool,
    /// On the steady clock, when lines came last.
    pub(super) read_at: Option<i64>,
    /// The newest time of a request, and when that came on the steady clock.
    pub(super) newest: Option<(Timestamp, i64)>,
    resumed: bool,
    /// Why it cannot be read now.
    pub(super) trouble: Option<String>,
}

impl Log {
    pub(super) fn new(name: String, number: u64) -> Self {
        Self {
            name,
            number,
            form: None,
            sample: Vec::new(),
            decided_on: 0,
            unsaved_form: None,
            head_at: None,
            first_seen: None,
            walk: None,
            carry: None,
            last_arrived: None,
            book: Book::default(),
            given: Given::default(),
            bookmark: Vec::new(),
            changed: false,
            read_at: None,
            newest: None,
            resumed: false,
            trouble: None,
        }
    }

    /// Takes up what was saved; damaged parts begin anew.
    pub(super) fn resume(&mut self, position: &Position, steady: i64) {
        self.carry = postcard::from_bytes(&position.carry).ok();
        if let Ok((book, given)) = postcard::from_bytes(&position.book) {
            (self.book, self.given) = (book, given);
        }
        self.bookmark.clone_from(&position.bookmark);
        self.resumed = true;
        self.newest = self.carry.as_ref().and_then(|c| c.newest).map(|newest| (newest, steady));
    }

    /// The word its sample is saved under.
    pub(super) fn form_word(name: &str) -> String {
        format!("form/{name}")
    }

    /// The form it was read in before.
    pub(super) fn resume_form(&mut self, saved: &[u8], settings: &Settings, now: Timestamp) {
        if let Ok(sample) = stored::grow(saved)
            && !sample.is_empty()
        {
            self.decide(&sample, settings, now);
        }
    }

    /// How it is read; `None` while that is not known.
    pub(super) fn form(&self) -> Option<&Arc<SourceForm>> {
        self.form.as_ref()
    }

    /// Whether more of its first lines would tell more.
    pub(super) fn wants_sample(&self) -> bool {
        self.form.is_none()
    }

    /// Whether its first bytes are there, and more are waited for.
    pub(super) fn has_head(&self) -> bool {
        self.first_seen.is_some()
    }

    /// Whether its first bytes are to be looked at again: thousands of empty files must not be opened at every look.
    pub(super) fn is_head_due(&mut self, steady: i64) -> bool {
        let due = self.head_at.is_none_or(|at| steady - at >= HEAD_US);
        if due {
            self.head_at = Some(steady);
        }
        due
    }

    /// Its first bytes, as far as they are there. True once they are enough, or were waited for long enough: then the
    /// form is known. `steady` is `None` where nothing more can be waited for.
    pub(super) fn see_head(&mut self, head: &[u8], settings: &Settings, now: Timestamp, steady: Option<i64>) -> bool {
        let few = head.len() < HEAD && lines_of(head) < SAMPLE;
        let waits = |since: i64, steady: i64| lines_of(head) == 0 || steady - since < PATIENCE_US;
        if let Some(steady) = steady.filter(|_| few)
            && waits(*self.first_seen.get_or_insert(steady), steady)
        {
            return false;
        }
        self.decide(head, settings, now);
        true
    }

    fn decide(&mut self, head: &[u8], settings: &Settings, now: Timestamp) {
        let form = SourceForm::find(&self.name, self.number, head, now, settings);
        self.park();
        if let Some(carry) = &mut self.carry
            && carry.pairer.waiting() == 0
        {
            carry.pairer = Pairer::new(form.pairing);
        }
        self.form = Some(Arc::new(form));
        self.decided_on = lines_of(head);
        self.sample = if self.decided_on < SAMPLE && head.len() < HEAD { head.to_vec() } else { Vec::new() };
        self.unsaved_form = Some(stored::shrink(head));
    }

    /// Other settings hold from now on: the form is found again, from the same first lines where they are there still.
    pub(super) fn change_settings(&mut self, settings: &Settings, now: Timestamp) {
        self.park();
        if self.form.is_none() {
            return;
        }
        let sample = std::mem::take(&mut self.sample);
        let head = if sample.is_empty() { head_of(Path::new(&self.name)) } else { sample };
        if !head.is_empty() {
            self.decide(&head, settings, now);
        }
    }

    /// Whether it goes on where an earlier run stopped.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// What a reader of its figures must know: form, time, latency, from where it is read, and what helps.
    pub(super) fn introduction(&self, settings: &Arc<Settings>, plan: &Plan, asked: &Asked, from: &str) -> String {
        let name = clean_to(&self.name, 200);
        let Some(form) = &self.form else { return format!("'{}': nothing in it yet", name.as_str()) };
        let names = form.names();
        let read = if names.is_empty() { "no access line understood yet".to_owned() } else { names.join("+") };
        let wrapper = form.unwrapper.name().map(|w| format!(" in {w}")).unwrap_or_default();
        let head = self.unsaved_form.as_deref().and_then(|packed| stored::grow(packed).ok()).unwrap_or_default();
        let mut tried = Snapshot::empty(plan.clone());
        let mut walk = Walk::new(settings, form, None);
        let whole = memchr::memrchr(b'\n', &head).map_or(0, |at| at + 1);
        walk.block(&Block::new(&head[..whole], 0), &mut tried);
        walk.finish(&mut tried);
        tried.close();
        let summary = sum_up(&tried, asked);
        let lacks = |figure: &str| summary.unavailable.iter().any(|u| u.figure == figure);
        let has = |figure: &str| if lacks(figure) { format!("no {figure}") } else { figure.to_owned() };
        let figures = format!("{}, {}", has("time"), has("latency"));
        let helps = if lacks("time") || lacks("latency") {
            format!(" ('vitalog explain --fix {}' prints what adds it)", quoted(name.as_str()))
        } else {
            String::new()
        };
        format!("'{}': {read}{wrapper}, {figures}, read {from}{helps}", name.as_str())
    }

    /// Takes lines in. Its form must be known.
    pub(super) fn take(&mut self, lines: &Lines<'_>, settings: &Arc<Settings>, steady: i64, out: &mut Snapshot) {
        self.learn(lines.block.bytes, settings, lines.now);
        let Some(form) = &self.form else { return };
        if lines.now.micros() - form.near.micros() > NEAR_US {
            let newer = SourceForm { near: lines.now, ..(**form).clone() };
            self.park();
            self.form = Some(Arc::new(newer));
        }
        let Some(form) = &self.form else { return };
        let walk = self.walk.get_or_insert_with(|| {
            let mut walk = Walk::new(settings, form, self.carry.take());
            walk.set_last_arrived(self.last_arrived);
            walk
        });
        let (before, after) = cut(&lines.block, lines.backlog);
        for (block, arrived) in [(before, None), (after, Some(lines.now))] {
            if let Some(block) = block {
                walk.arrived(arrived);
                walk.block(&block, out);
            }
        }
        let (events, spanned) = walk.take_events();
        self.book.settle(events, spanned, out);
        self.note(steady);
        self.read_at = Some(steady);
        self.changed = true;
    }

    /// A form that was found from few lines is looked for again when there are more.
    fn learn(&mut self, bytes: &[u8], settings: &Settings, now: Timestamp) {
        if self.sample.is_empty() {
            return;
        }
        let room = HEAD.saturating_sub(self.sample.len()).min(bytes.len());
        self.sample.extend_from_slice(&bytes[..room]);
        let lines = lines_of(&self.sample);
        let due = AGAIN.iter().any(|at| self.decided_on < *at && lines >= *at);
        if due || self.sample.len() >= HEAD {
            let sample = std::mem::take(&mut self.sample);
            self.decide(&sample, settings, now);
        }
    }

    fn note(&mut self, steady: i64) {
        let Some(newest) = self.walk.as_ref().and_then(Walk::newest) else { return };
        if self.newest.is_none_or(|known| known.0 < newest) {
            self.newest = Some((newest, steady));
        }
    }

    /// Whether lines wait for others about the same request, or a traceback for its end.
    pub(super) fn waits(&self) -> bool {
        match (&self.walk, &self.carry) {
            (Some(walk), _) => walk.waits(),
            (None, Some(carry)) => !carry.is_settled(),
            (None, None) => false,
        }
    }

    /// Settles what waits for lines that do not come.
    pub(super) fn settle(&mut self, settings: &Arc<Settings>, now: Timestamp, ended: bool, out: &mut Snapshot) {
        let Some(form) = &self.form else { return };
        let mut walk = self.walk.take().unwrap_or_else(|| {
            let mut walk = Walk::new(settings, form, self.carry.take());
            walk.set_last_arrived(self.last_arrived);
            walk
        });
        walk.arrived(Some(now));
        if ended {
            walk.finish(out);
        } else {
            walk.settle(out);
        }
        let (events, spanned) = walk.take_events();
        self.book.settle(events, spanned, out);
        self.walk = Some(walk);
        self.changed = true;
    }

    /// Ends the walk for now: the snapshot it counted into is about to be taken away.
    pub(super) fn park(&mut self) {
        if let Some(walk) = self.walk.take() {
            let kinds = &walk.intake().kinds;
            self.given.lines += kinds.lines();
            self.given.requests += kinds.request;
            self.given.bytes += walk.intake().bytes;
            self.last_arrived = walk.last_arrived();
            self.carry = Some(walk.carry());
        }
    }

    /// What is to be saved, if that has changed. To be asked after [`Log::park`].
    pub(super) fn position(&mut self, bookmark: Option<Vec<u8>>) -> Option<Position> {
        let changed = std::mem::take(&mut self.changed);
        if !changed && bookmark.is_none() {
            return None;
        }
        if let Some(bookmark) = bookmark {
            self.bookmark = bookmark;
        }
        Some(Position {
            source: self.name.clone(),
            bookmark: self.bookmark.clone(),
            carry: self.carry.as_ref().and_then(|c| postcard::to_stdvec(c).ok()).unwrap_or_default(),
            book: postcard::to_stdvec(&(&self.book, &self.given)).unwrap_or_default(),
            saved: Timestamp::default(),
        })
    }

    /// The lines its form was found from, packed, if that is not saved yet.
    pub(super) fn take_form(&mut self) -> Option<Vec<u8>> {
        self.unsaved_form.take()
    }

    /// For the report.
    pub(super) fn figures(&self) -> SourceFigures {
        let form = self.form.as_deref();
        let names = form.map(SourceForm::names).unwrap_or_default();
        let open = self.walk.as_ref().map(Walk::intake);
        SourceFigures {
            path: self.name.clone(),
            service: form.and_then(|f| f.service.clone()),
            layer: form.map_or("app", |f| f.layer.word()),
            wrapper: form.and_then(|f| f.unwrapper.name()),
            format: (!names.is_empty()).then(|| names.join("+")),
            lines: self.given.lines + open.map_or(0, |i| i.kinds.lines()),
            bytes: self.given.bytes + open.map_or(0, |i| i.bytes),
            requests: self.given.requests + open.map_or(0, |i| i.kinds.request),
            error: self.trouble.clone(),
            ..SourceFigures::default()
        }
    }
}

/// The first bytes of a file; nothing where it cannot be read.
pub(super) fn head_of(path: &Path) -> Vec<u8> {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        return Vec::new();
    }
    Archive::open(path).map(|mut archive| archive.head(HEAD).to_vec()).unwrap_or_default()
}

fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The lines of a block that begin before `backlog`, and the others.
fn cut<'a>(block: &Block<'a>, backlog: u64) -> (Option<Block<'a>>, Option<Block<'a>>) {
    let end = block.offset + block.bytes.len() as u64;
    if block.offset >= backlog {
        return (None, Some(*block));
    }
    if end <= backlog || block.too_long {
        return (Some(*block), None);
    }
    // The line that begins before the border ends behind it.
    let border = usize::try_from(backlog - block.offset).unwrap_or(usize::MAX) - 1;
    let Some(at) = memchr::memchr(b'\n', &block.bytes[border..]).map(|at| border + at + 1) else { return (Some(*block), None) };
    let before = Block { bytes: &block.bytes[..at], ends_inside: false, ..*block };
    let after = Block { bytes: &block.bytes[at..], offset: block.offset + at as u64, hole: 0, ..*block };
    (Some(before), (!after.bytes.is_empty()).then_some(after))
}

fn lines_of(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_cut_where_the_first_line_begins_that_came_later() {
        let block = Block::new(b"one\ntwo\nsix\n", 100);
        let parts = |backlog| {
            let (before, after) = cut(&block, backlog);
            (before.map_or(b"".as_slice(), |b| b.bytes), after.map(|b| (b.offset, b.bytes)).unwrap_or_default())
        };
        assert_eq!((&b""[..], (100, &b"one\ntwo\nsix\n"[..])), parts(0));
        assert_eq!((&b""[..], (100, &b"one\ntwo\nsix\n"[..])), parts(100));
        assert_eq!((&b"one\n"[..], (104, &b"two\nsix\n"[..])), parts(101));
        assert_eq!((&b"one\n"[..], (104, &b"two\nsix\n"[..])), parts(104));
        assert_eq!((&b"one\ntwo\n"[..], (108, &b"six\n"[..])), parts(105));
        assert_eq!((&b"one\ntwo\nsix\n"[..], (0, &b""[..])), parts(112));
        assert_eq!((&b"one\ntwo\nsix\n"[..], (0, &b""[..])), parts(900));
    }
}
