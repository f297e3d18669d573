//! Logs read and compared: two inputs, or one cut at a change.
//!
//! Where one log is cut, it is read twice: the first time finds its marks and how far it reaches, the second keeps the
//! sides apart while recording, so that their figures have three digits. A short one is read a third time between, to
//! learn to the microsecond where it paused. What cannot be read twice (standard input,
//! snapshots) is cut at the borders of slots. Which time stands on which side, and what is a change, `verdict::compare`
//! says.

use std::sync::Arc;

use super::analyze;
use super::analyze::Read;
use super::pipeline::Settings;
use crate::error::Error;
use crate::stats::deploys::Mark;
use crate::stats::deploys::Source;
use crate::stats::deploys::marks;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::SourceFigures;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::command::Remedy;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Half;
use crate::verdict::compare::compare;
use crate::verdict::compare::cut::Cut;
use crate::verdict::compare::cut::How;
use crate::verdict::compare::cut::Reach;
use crate::verdict::compare::cut::compared;
use crate::verdict::compare::sides;
use crate::verdict::compare::sides::Portion;

/// What is compared with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sides {
    /// The first path with the second.
    Two,
    /// One log, at its last mark.
    Last,
    /// One log, before and after a moment.
    At(Timestamp),
    /// One log, by version: those two, else the newest and the one before it.
    Versions(Option<(String, String)>),
}

/// What is asked for.
pub struct Ask<'a> {
    /// What is read, and how.
    pub read: analyze::Ask<'a>,
    /// What is compared.
    pub sides: Sides,
    /// Marks that were given.
    pub given: Vec<Mark>,
    /// How far sides reach. For two inputs the warm-up alone counts, and only where it was asked for.
    pub reach: Reach,
    /// How it is judged.
    pub how: How,
    /// A service's templates for taking a change back.
    pub remedy: &'a dyn Fn(Option<&str>) -> Remedy<'a>,
}

/// What came of it.
pub struct Compared {
    /// The comparison; an error where there is nothing to compare.
    pub comparison: Result<Comparison, Error>,
    /// What was read, and what could not be.
    pub sources: Vec<SourceFigures>,
    /// What was left out on purpose, for whoever asks.
    pub notes: Vec<String>,
}

/// Reads and compares.
pub fn run(ask: &Ask<'_>) -> Compared {
    if ask.sides == Sides::Two { two(ask) } else { one(ask) }
}

/// Reads `paths` with other settings and another plan.
fn read(ask: &analyze::Ask<'_>, paths: Vec<String>, settings: Arc<Settings>, plan: Plan) -> Read {
    // a state is read with all that is asked for, never with one of two inputs
    let state = ask.state.clone().filter(|_| paths == ask.paths);
    analyze::read(&analyze::Ask {
        paths,
        state,
        settings,
        plan,
        now: ask.now,
        threads: ask.threads,
        keep_parts: false,
        progress: ask.progress,
    })
}

/// Whether the same can be read once more: files of lines, not standard input alone.
fn is_readable_again(paths: &[String], read: &Read) -> bool {
    !paths.iter().any(|p| p == "-") && read.forms.iter().any(Option::is_some)
}

fn two(ask: &Ask<'_>) -> Compared {
    let mut sides = ask.read.paths.iter().map(|path| {
        let paths = vec![path.clone()];
        (paths.clone(), read(&ask.read, paths, Arc::clone(&ask.read.settings), ask.read.plan.clone()))
    });
    let empty = || (Vec::new(), read(&ask.read, Vec::new(), Arc::clone(&ask.read.settings), ask.read.plan.clone()));
    let (before_paths, mut before) = sides.next().unwrap_or_else(empty);
    let (after_paths, mut after) = sides.next().unwrap_or_else(empty);
    drop(sides);
    let warm_up = ask.reach.warm_up_us.filter(|us| *us > 0).zip(after.snapshot.span());
    let left_out = warm_up.map(|(us, (first, _))| (first, Timestamp(first.0.saturating_add(us))));
    if let Some((_, begin)) = left_out
        && is_readable_again(&after_paths, &after)
    {
        let plan = Plan { borders: Arc::new([begin]), ..ask.read.plan.clone() };
        after = read(&ask.read, after_paths.clone(), Arc::clone(&ask.read.settings), plan);
    }
    let name = |paths: &[String]| paths.first().cloned().unwrap_or_default();
    let comparison =
        compare_two((&name(&before_paths), &before.snapshot), (&name(&after_paths), &after.snapshot), left_out, ask);
    before.sources.append(&mut after.sources);
    before.notes.append(&mut after.notes);
    Compared { comparison, sources: before.sources, notes: before.notes }
}

fn compare_two(
    before: (&str, &Snapshot),
    after: (&str, &Snapshot),
    left_out: Option<sides::Window>,
    ask: &Ask<'_>,
) -> Result<Comparison, Error> {
    let spans = (before.1.span(), after.1.span());
    if let (Some(was), Some(is)) = spans
        && was.0 > is.0
    {
        return Err(Error::usage(format!(
            "comparing: BEFORE ('{}') begins at {}, after AFTER ('{}') at {} (exchange them)",
            before.0, was.0, after.0, is.0
        )));
    }
    let portion = |snapshot| Portion { auth: ask.how.auth, ..Portion::whole(snapshot) };
    let (was, whole) = (portion(before.1), portion(after.1));
    let is = Portion { window: left_out.map(|(_, begin)| (begin, Timestamp(i64::MAX))), ..whole };
    let made = sides::sides(&[&[was], &[is]], &ask.how.asked);
    let [mut was, mut is]: [Half; 2] = made.halves.try_into().unwrap_or_default();
    (was.label, is.label) = (before.0.to_owned(), after.0.to_owned());
    (was.version, is.version) = (only_version(before.1), only_version(after.1));
    if let Some(window) = left_out {
        is.left_out = sides::requests(&Portion { window: Some(window), ..whole }, &[whole]);
    }
    let mut all = compare(&was, &is, &ask.how.limits, ask.remedy);
    if made.coarse {
        all.notes.push("the warm-up is cut at the borders of slots, and latencies are told to two digits".to_owned());
    }
    all.changed_at = spans.0.zip(spans.1).filter(|(was, is)| was.1 < is.0).map(|(_, is)| is.0);
    both(all)
}

/// The version that alone is logged.
fn only_version(snapshot: &Snapshot) -> Option<String> {
    let eras = snapshot.desks().iter().flat_map(|d| &d.eras).filter(|e| !e.version.is_empty());
    let mut names: Vec<&str> = eras.map(crate::stats::snapshot::Era::name).collect();
    names.sort_unstable();
    names.dedup();
    if let [one] = names.as_slice() { Some((*one).to_owned()) } else { None }
}

/// The comparison, unless a side has nothing to compare.
fn both(all: Comparison) -> Result<Comparison, Error> {
    let missing = match (all.before.requests, all.after.requests) {
        (0, 0) => "on either side",
        (0, _) => "before the change",
        (_, 0) => "after the change",
        _ => return Ok(all),
    };
    Err(Error::usage(format!("comparing: there is no request {missing} (see what was read with 'vitalog analyze')")))
}

fn one(ask: &Ask<'_>) -> Compared {
    let paths = &ask.read.paths;
    let borders = if let Sides::At(at) = ask.sides { vec![at] } else { Vec::new() };
    let plan = Plan { borders: borders.into(), ..ask.read.plan.clone() };
    let mut found = read(&ask.read, paths.clone(), Arc::clone(&ask.read.settings), plan);
    let comparison = cut(ask, &found.snapshot).and_then(|mut cut| {
        if is_readable_again(paths, &found) {
            if is_short(&cut, found.snapshot.width()) && !found.snapshot.plan().borders.contains(&cut.at) {
                let plan = Plan { borders: Arc::new([cut.at]), ..ask.read.plan.clone() };
                found.snapshot = read(&ask.read, paths.clone(), Arc::clone(&ask.read.settings), plan).snapshot;
                cut = self::cut(ask, &found.snapshot)?;
            }
            let (settings, plan) = kept_apart(ask, &cut, &found.snapshot);
            let again = read(&ask.read, paths.clone(), settings, plan);
            found.snapshot = again.snapshot;
        } else if let Some(whole) = cut.over_all_time(&found.snapshot) {
            cut = whole;
        }
        both(compared(&found.snapshot, &cut, &ask.how, ask.remedy))
    });
    Compared { comparison, sources: found.sources, notes: found.notes }
}

/// Whether sides are so short that a slot's width makes a difference: where they begin and end is then asked for exactly.
fn is_short(cut: &Cut, width_s: u32) -> bool {
    let slots = |window: sides::Window| (window.1.0 - window.0.0) / (i64::from(width_s) * SECOND);
    slots(cut.before).min(slots(cut.after)) < 100
}

/// Where one log is cut.
fn cut(ask: &Ask<'_>, snapshot: &Snapshot) -> Result<Cut, Error> {
    let name = ask.read.paths.join("', '");
    let wrong = |why: String| Error::usage(format!("comparing '{name}': {why}"));
    if snapshot.span().is_none() {
        let hint = "'vitalog explain --fix' prints what adds it; two inputs need none";
        return Err(wrong(format!("no request in it has a time ({hint})")));
    }
    let mut given = ask.given.clone();
    if let Sides::At(at) = ask.sides
        && !given.iter().any(|m| m.at == at)
    {
        given.push(Mark::given(at, None, Source::Option));
    }
    let marks = marks(snapshot, &given);
    match &ask.sides {
        Sides::At(at) => {
            let mark = marks.iter().filter(|m| m.at == *at).max_by_key(|m| m.label.is_some());
            let mark = mark.cloned().unwrap_or_else(|| Mark::given(*at, None, Source::Option));
            Cut::at(&mark, snapshot, &marks, &ask.reach).map_err(|why| wrong(format!("'--at': {why}")))
        }
        Sides::Versions(wanted) => {
            let wanted = wanted.as_ref().map(|(old, new)| (old.as_str(), new.as_str()));
            Cut::by_version(snapshot, wanted, &marks, &ask.reach).map_err(|why| wrong(format!("'--by version': {why}")))
        }
        Sides::Last | Sides::Two => {
            let usable = marks.iter().rev().find_map(|m| Cut::at(m, snapshot, &marks, &ask.reach).ok());
            let hint = "say when it changed with '--at WHEN', or give two inputs, BEFORE and AFTER";
            usable.ok_or_else(|| wrong(format!("no deploy, restart or change of version is found within it ({hint})")))
        }
    }
}

/// Settings and plan that record the sides of a cut apart, and nothing that lies beyond them.
fn kept_apart(ask: &Ask<'_>, cut: &Cut, snapshot: &Snapshot) -> (Arc<Settings>, Plan) {
    let mut borders = cut.borders();
    let week = snapshot.span().is_some_and(|(first, _)| first <= cut.week_earlier().0);
    if !week {
        borders.retain(|border| *border >= cut.before.0.min(cut.left_out.0));
    }
    let mut settings = Settings::clone(&ask.read.settings);
    settings.since = settings.since.max(borders.first().copied());
    settings.until = settings.until.into_iter().chain(borders.last().copied()).min();
    (Arc::new(settings), Plan { borders: borders.into(), ..ask.read.plan.clone() })
}
