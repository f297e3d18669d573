//! Lines kept for `explain`: the walk of `analyze`, watched.
//!
//! Every source is read in order from its beginning to its end, on one thread, by the very walk that counts in a
//! report; a `Watch` looks on and keeps one example of every kind of line. Memory is bounded: so many kinds, the first
//! broken lines, and what a snapshot holds. What the pages look like is `write::explain`'s.

mod redacted;
mod units;
mod watch;

use std::path::Path;
use std::sync::Arc;

use super::analyze;
use super::batch::File;
use super::clock;
use super::pipeline::Carry;
use super::pipeline::Event;
use super::pipeline::Settings;
use super::pipeline::Walk;
use super::source::SourceForm;
use crate::error::Error;
use crate::input::archive::Archive;
use crate::input::discover::Kind;
use crate::input::discover::discover;
use crate::line::blocks::Blocks;
use crate::line::split::Block;
use crate::parse::Exception;
use crate::stats::intake::Intake;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Asked;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::sum_up;
use crate::time::Timestamp;
use crate::write::explain::Explained;
use crate::write::explain::Source;
use watch::Watch;

/// Bytes looked at to find out a source's form: as many as `analyze` looks at.
const HEAD: usize = super::share::HEAD;

/// What is to be explained, and how it is read.
pub struct Ask<'a> {
    /// As typed; `-` is standard input.
    pub paths: Vec<String>,
    /// How lines are read.
    pub settings: Arc<Settings>,
    /// How routes are named.
    pub plan: Plan,
    /// What shapes a summary.
    pub asked: Asked,
    /// The present.
    pub now: Timestamp,
    /// Told how many bytes were read since the last call.
    pub progress: &'a dyn Fn(u64),
}

/// Explains everything that was asked for.
pub fn explain(ask: &Ask<'_>) -> Explained {
    let found = discover(&ask.paths);
    let mut sources: Vec<Source> = found.errors.iter().map(unread).collect();
    let (stored, logs): (Vec<_>, Vec<_>) = found.histories.into_iter().partition(|h| h.kind == Kind::Snapshot);
    for path in stored.iter().flat_map(|h| &h.files) {
        sources.push(Source { path: path.to_string_lossy().into_owned(), snapshot: true, layer: "app", ..Source::default() });
    }
    let files = analyze::files(&logs, &mut 0, &mut Vec::new());
    let mut before: Option<(usize, Carry)> = None;
    for (number, file) in files.iter().enumerate() {
        let carry = before.take().filter(|b| b.0 == file.history).map(|b| b.1);
        let last = files.get(number + 1).is_none_or(|next| next.history != file.history);
        let (source, carry) = of_file(ask, file, number, carry, last);
        sources.push(source);
        before = carry.map(|carry| (file.history, carry));
    }
    Explained { sources }
}

/// Explains one line (or a few) as if it were a source of its own.
pub fn explain_text(ask: &Ask<'_>, text: &[u8]) -> Explained {
    let form = Arc::new(SourceForm::find("(line)", 0, text, ask.now, &ask.settings));
    let mut course = Course::new(ask, &form, None);
    course.block(&Block::new(text, 0));
    Explained { sources: vec![course.end(None, true).0] }
}

fn unread(error: &Error) -> Source {
    let path = error.message.split('\'').nth(1).unwrap_or_default().to_owned();
    Source { path, layer: "app", error: Some(error.message.clone()), ..Source::default() }
}

/// One file, and what it leaves open for the next one of its history.
fn of_file(ask: &Ask<'_>, file: &File, number: usize, carry: Option<Carry>, last: bool) -> (Source, Option<Carry>) {
    let opened = if file.path.as_os_str() == "-" { Archive::stdin() } else { Archive::open(&file.path) };
    let mut archive = match opened {
        Ok(archive) => archive,
        Err(error) => return (Source { path: file.shown.clone(), ..unread(&error) }, None),
    };
    let near = date_of(&file.path).unwrap_or(ask.now);
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    let form = Arc::new(SourceForm::find(&file.shown, number, archive.head(HEAD), near, &ask.settings));
    let mut course = Course::new(ask, &form, carry);
    let ended = Blocks::new(archive).each(|block| {
        course.block(block);
        (ask.progress)(block.bytes.len() as u64);
    });
    let (source, carry) = course.end(ended.err(), last);
    (source, Some(carry))
}

fn date_of(path: &Path) -> Option<Timestamp> {
    std::fs::metadata(path).and_then(|m| m.modified()).map(clock::of).ok()
}

/// One source on its way.
struct Course<'a> {
    ask: &'a Ask<'a>,
    form: Arc<SourceForm>,
    walk: Walk,
    watch: Watch,
    snapshot: Snapshot,
    raised: Option<Exception>,
}

impl<'a> Course<'a> {
    fn new(ask: &'a Ask<'a>, form: &Arc<SourceForm>, carry: Option<Carry>) -> Self {
        Self {
            ask,
            walk: Walk::new(&ask.settings, form, carry),
            watch: Watch::new(form, &ask.settings, &ask.plan),
            snapshot: Snapshot::empty(ask.plan.clone()),
            form: Arc::clone(form),
            raised: None,
        }
    }

    fn block(&mut self, block: &Block<'_>) {
        let Self { walk, watch, snapshot, .. } = self;
        walk.observed(block, snapshot, &mut |seen| watch.see(seen));
        self.events();
    }

    /// Of what must be settled in order only the first exception is of interest.
    fn events(&mut self) {
        for event in self.walk.take_events().0 {
            if let Event::Raised { exception, .. } = event
                && self.raised.is_none()
            {
                self.raised = Some(*exception);
            }
        }
    }

    fn end(mut self, error: Option<Error>, last: bool) -> (Source, Carry) {
        let carry = self.walk.carry();
        if last {
            self.walk.finish(&mut self.snapshot);
            self.events();
        }
        let intake = self.walk.intake().clone();
        self.snapshot.close();
        let names = self.form.names();
        let format = (!names.is_empty()).then(|| names.join("+"));
        let figures = SourceFigures { format: format.clone(), requests: intake.kinds.request, ..SourceFigures::default() };
        let asked = Asked { sources: vec![figures], ..self.ask.asked.clone() };
        let summary = sum_up(&self.snapshot, &asked);
        let unread = self.watch.unread();
        let source = Source {
            path: self.form.path.clone(),
            snapshot: false,
            wrapper: self.form.unwrapper.name(),
            format,
            sure: self.form.form.sure(),
            understood: understood(&intake, unread),
            services: self.watch.services(&self.form, &self.ask.settings),
            layer: self.form.layer.word(),
            pairs: !self.form.pairing.is_none(),
            kinds: intake.kinds,
            bytes: intake.bytes,
            time_source: summary.period.time_source,
            zone_assumed: summary.period.zone_assumed.clone(),
            reasons: intake.reasons().into_iter().collect(),
            unavailable: summary.unavailable,
            error: error.map(|e| e.message),
            malformed: self.watch.malformed(),
            examples: self.watch.examples(&self.snapshot, self.ask.asked.routes_max, &intake, self.raised.as_ref()),
        };
        (source, carry)
    }
}

/// Of all lines about requests, the share that was understood.
fn understood(intake: &Intake, unread: u64) -> Option<f64> {
    let read = intake.kinds.request + intake.kinds.companion;
    let all = read + intake.kinds.malformed + unread;
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    (all > 0).then(|| read as f64 / all as f64)
}
