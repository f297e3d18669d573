//! Archives to one summary: what to read, what is there twice, what snapshots hold already, and the sum of it all.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::batch;
use super::batch::File;
use super::batch::Job;
use super::batch::Told;
use super::pipeline::Settings;
use super::sequence;
use super::sequence::Follower;
use super::sequence::Keep;
use super::source::SourceForm;
use super::state::reader::Range;
use crate::error::Error;
use crate::input::archive::Archive;
use crate::input::discover::Discovery;
use crate::input::discover::History;
use crate::input::discover::Kind;
use crate::input::discover::discover;
use crate::input::identity::Digest;
use crate::input::identity::Head;
use crate::input::identity::duplicates;
use crate::stats::group::Layer;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::stored;
use crate::stats::stored::Counted;
use crate::stats::stored::Damage;
use crate::stats::stored::Part;
use crate::stats::stored::Source;
use crate::stats::summary::Asked;
use crate::stats::summary::SourceFigures;
use crate::time::Timestamp;

/// What a live run has saved.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Where.
    pub path: String,
    /// The span of time that is asked for.
    pub range: Range,
}

/// What a batch command reads, and how.
pub struct Ask<'a> {
    /// As typed; `-` is standard input.
    pub paths: Vec<String>,
    /// A live run's state, read already.
    pub state: Option<Saved>,
    /// How lines are read.
    pub settings: Arc<Settings>,
    /// How requests are counted.
    pub plan: Plan,
    /// The present.
    pub now: Timestamp,
    /// Threads that parse, at least 1.
    pub threads: usize,
    /// Parts are kept for a snapshot file.
    pub keep_parts: bool,
    /// Told how many bytes were read since the last call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was read.
pub struct Read {
    /// Everything counted, closed.
    pub snapshot: Snapshot,
    /// Sources in the order they were read, those that could not be read included.
    pub sources: Vec<SourceFigures>,
    /// Sources, or parts of snapshots, that were found twice and counted once.
    pub duplicates: u64,
    /// How each source was read, in the order of `sources`; `None` for parts of snapshots and what could not be read.
    pub forms: Vec<Option<Arc<SourceForm>>>,
    /// What was left out on purpose, for whoever asks.
    pub notes: Vec<String>,
    /// The parts of a snapshot file, where kept.
    pub parts: Vec<Part>,
}

impl Read {
    /// What shapes the summary, filled with what is known of the sources.
    pub fn asked(&self, asked: Asked) -> Asked {
        Asked { sources: self.sources.clone(), duplicates: self.duplicates, ..asked }
    }
}

/// How many bytes the files under `paths` hold, packed; for a progress bar.
pub fn size(paths: &[String]) -> u64 {
    let files = discover(paths).histories.into_iter().flat_map(|h| h.files);
    files.filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum()
}

/// Reads everything that was asked for.
pub fn read(ask: &Ask<'_>) -> Read {
    read_in_chunks(ask, batch::CHUNK)
}

/// Reads everything that was asked for, plain files of two `chunk`s and more cut into pieces of about `chunk` bytes where
/// there are several threads. The size changes no figure; a small one lets a test cut small files.
pub fn read_in_chunks(ask: &Ask<'_>, chunk: u64) -> Read {
    read_by(ask, chunk, batch::run)
}

/// Reads everything that was asked for in the order of time, and tells `follower` of each second once it is closed. What
/// stands in snapshots has no seconds.
pub fn read_judged(ask: &Ask<'_>, keep: Keep, follower: &mut dyn Follower) -> Read {
    read_judged_in_chunks(ask, batch::CHUNK, keep, follower)
}

/// The same, with stretches of about `chunk` bytes at most; see [`read_in_chunks`].
pub fn read_judged_in_chunks(ask: &Ask<'_>, chunk: u64, keep: Keep, follower: &mut dyn Follower) -> Read {
    read_by(ask, chunk, |job| sequence::run(job, keep, follower))
}

fn read_by(ask: &Ask<'_>, chunk: u64, run: impl FnOnce(&Job<'_>) -> (Snapshot, Vec<Told>)) -> Read {
    let Discovery { histories, errors, mut notes } = discover(&ask.paths);
    let (stored, logs): (Vec<History>, Vec<History>) = histories.into_iter().partition(|h| h.kind == Kind::Snapshot);
    let mut held = Held::default();
    let mut sources: Vec<SourceFigures> = errors.iter().map(unread).collect();
    for history in &stored {
        for path in &history.files {
            match parts_of(path) {
                Ok(parts) => held.take(parts),
                Err(error) => sources.push(SourceFigures { path: shown(path), ..unread(&error) }),
            }
        }
    }
    let mut duplicate = 0;
    let mut files = files(&logs, &mut duplicate, &mut notes);
    held.leave_out(&mut files, &mut notes);
    let job = Job {
        files: &files,
        settings: Arc::clone(&ask.settings),
        plan: ask.plan.clone(),
        now: ask.now,
        threads: ask.threads,
        chunk,
        keep_parts: ask.keep_parts,
        progress: ask.progress,
    };
    let (mut snapshot, told) = run(&job);
    let mut forms: Vec<Option<Arc<SourceForm>>> = sources.iter().map(|_| None).collect();
    let mut parts = Vec::new();
    for (number, part) in (0..).zip(held.parts) {
        let mut counted = part.counted.snapshot(ask.plan.clone());
        counted.doings_mut().renumber(number);
        snapshot.merge(counted);
        sources.push(of_part(&part.source));
        forms.push(None);
        if ask.keep_parts {
            parts.push(part);
        }
    }
    for (file, told) in files.iter().zip(told) {
        sources.push(figures(file, &told));
        forms.push(told.form.clone());
        if let Some(mut own) = told.part {
            let source = source(file, sources.last().cloned().unwrap_or_default(), told.form.as_deref());
            parts.push(Part { source, counted: Counted::of(&mut own) });
            snapshot.merge(own);
        }
    }
    if let Some(saved) = &ask.state {
        snapshot.merge(saved.range.counted.snapshot(ask.plan.clone()));
        sources.push(of_state(saved, &ask.plan));
        forms.push(None);
    }
    snapshot.close();
    Read { snapshot, sources, duplicates: duplicate + held.duplicates, forms, notes, parts }
}

fn unread(error: &Error) -> SourceFigures {
    let path = error.message.split('\'').nth(1).unwrap_or_default().to_owned();
    let error = Some(why(error, &path));
    SourceFigures { path, layer: "app", error, ..SourceFigures::default() }
}

/// Why a source could not be read, without its path, which stands beside it.
fn why(error: &Error, path: &str) -> String {
    let message = error.message.as_str();
    message.strip_prefix(&format!("reading '{path}': ")).unwrap_or(message).to_owned()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(super) fn files(histories: &[History], duplicate: &mut u64, notes: &mut Vec<String>) -> Vec<File> {
    let mut all: Vec<File> = Vec::new();
    for (number, history) in histories.iter().enumerate() {
        all.extend(history.files.iter().map(|path| File { path: path.clone(), shown: shown(path), history: number, skip: 0 }));
    }
    let paths: Vec<PathBuf> = all.iter().map(|f| f.path.clone()).collect();
    let mut doubles = if paths.len() > 1 { duplicates(&paths) } else { Vec::new() };
    doubles.sort_by_key(|d| std::cmp::Reverse(d.copy));
    for double in doubles {
        *duplicate += 1;
        let whole = if double.prefix { "the beginning of" } else { "the same as" };
        notes.push(format!("'{}' is {whole} '{}': counted once", all[double.copy].shown, shown(&paths[double.original])));
        all.remove(double.copy);
    }
    all
}

fn parts_of(path: &Path) -> Result<Vec<Part>, Error> {
    let name = shown(path);
    let bytes = std::fs::read(path).map_err(|e| Error::input(format!("reading '{name}': {e}")))?;
    stored::load(&bytes).map_err(|damage| {
        let why = match damage {
            Damage::NotOurs => "it is no snapshot",
            Damage::Newer => "it was made by a newer vitalog (read it with that)",
            Damage::Broken => "the snapshot is damaged (make it again)",
        };
        Error::input(format!("reading '{name}': {why}"))
    })
}

/// Parts of snapshots, each content once.
#[derive(Default)]
struct Held {
    parts: Vec<Part>,
    duplicates: u64,
}

impl Held {
    fn take(&mut self, parts: Vec<Part>) {
        for part in parts {
            // the same beginning: one source at two moments, of which the later holds the earlier
            let same = |own: &Part| match (own.source.head, part.source.head) {
                (Some(a), Some(b)) => a == b && a.length > 0 && (a.length >= SURE || own.source.digest == part.source.digest),
                _ => false,
            };
            match self.parts.iter_mut().find(|own| same(own)) {
                None => self.parts.push(part),
                Some(own) => {
                    self.duplicates += 1;
                    if own.source.bytes < part.source.bytes {
                        *own = part;
                    }
                }
            }
        }
    }

    /// Files whose bytes a part holds are left out, or read from where it ends.
    fn leave_out(&mut self, files: &mut Vec<File>, notes: &mut Vec<String>) {
        files.retain_mut(|file| {
            let Some(head) = head_of(&file.path) else { return true };
            let known = self.parts.iter().find(|p| {
                p.source.bytes > 0
                    && p.source.head.is_some_and(|h| h.length > 0 && h.fits(&head))
                    && digest_of(&file.path, p.source.bytes) == Some(p.source.digest)
            });
            let Some(part) = known else { return true };
            self.duplicates += 1;
            file.skip = part.source.bytes;
            let length = length_of(&file.path);
            let whole = length == Some(file.skip);
            let rest = if whole { "it is left out" } else { "only the rest of it is read" };
            notes.push(format!("'{}' stands in a snapshot already: {rest}", file.shown));
            !whole
        });
    }
}

/// A beginning so long is a file's own.
const SURE: u64 = 1024;

fn head_of(path: &Path) -> Option<Vec<u8>> {
    Some(Archive::beforehand(path)?.head(4096).to_vec())
}

fn each_byte(path: &Path, mut take: impl FnMut(&[u8]) -> bool) -> Option<()> {
    let mut archive = Archive::beforehand(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = archive.read(&mut buffer).ok()?;
        if n == 0 || !take(&buffer[..n]) {
            return Some(());
        }
    }
}

/// The digest of a file's first `bytes` bytes; `None` where it has fewer.
fn digest_of(path: &Path, bytes: u64) -> Option<[u64; 2]> {
    let mut digest = Digest::new();
    each_byte(path, |piece| {
        let want = usize::try_from(bytes - digest.len()).unwrap_or(usize::MAX);
        digest.add(&piece[..piece.len().min(want)]);
        digest.len() < bytes
    })?;
    (digest.len() == bytes).then(|| digest.finish())
}

fn length_of(path: &Path) -> Option<u64> {
    let mut length = 0;
    each_byte(path, |piece| {
        length += piece.len() as u64;
        true
    })?;
    Some(length)
}

fn figures(file: &File, told: &Told) -> SourceFigures {
    let form = told.form.as_deref();
    let names = form.map(SourceForm::names).unwrap_or_default();
    SourceFigures {
        path: file.shown.clone(),
        service: form.and_then(|f| f.service.clone()),
        layer: form.map_or("app", |f| f.layer.word()),
        wrapper: form.and_then(|f| f.unwrapper.name()),
        format: (!names.is_empty()).then(|| names.join("+")),
        lines: told.intake.kinds.lines(),
        bytes: told.intake.bytes,
        requests: told.intake.kinds.request,
        error: told.error.as_ref().map(|e| why(e, &file.shown)),
        overlaps: told.overlaps,
    }
}

fn source(file: &File, figures: SourceFigures, form: Option<&SourceForm>) -> Source {
    let length = length_of(&file.path);
    Source {
        path: figures.path,
        service: figures.service,
        layer: form.map(|f| f.layer).unwrap_or_default(),
        wrapper: figures.wrapper,
        format: figures.format,
        lines: figures.lines,
        bytes: length.unwrap_or(figures.bytes),
        requests: figures.requests,
        error: figures.error,
        head: head_of(&file.path).map(|head| Head::of(&head)),
        digest: length.and_then(|l| digest_of(&file.path, l)).unwrap_or_default(),
    }
}

fn of_state(saved: &Saved, plan: &Plan) -> SourceFigures {
    let snapshot = saved.range.counted.snapshot(plan.clone());
    let kinds = &snapshot.intake().kinds;
    SourceFigures {
        path: saved.path.clone(),
        layer: Layer::App.word(),
        lines: kinds.lines(),
        bytes: snapshot.intake().bytes,
        requests: kinds.request,
        ..SourceFigures::default()
    }
}

fn of_part(source: &Source) -> SourceFigures {
    SourceFigures {
        path: source.path.clone(),
        service: source.service.clone(),
        layer: source.layer.word(),
        wrapper: source.wrapper.clone(),
        format: source.format.clone(),
        lines: source.lines,
        bytes: source.bytes,
        requests: source.requests,
        error: source.error.clone(),
        ..SourceFigures::default()
    }
}
