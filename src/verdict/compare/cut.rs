//! One log cut at a change: which time stands before it and which after it.
//!
//! A side reaches to the neighbouring mark, a window's length at most, and both are equally long, counted from where the
//! service last answered before the change, and from where it first answered behind it; the warm-up there is left out. Two versions that serve together are compared over the same minutes. [`compared`] makes the whole
//! comparison of what was recorded: at the end of an archive, or live some minutes after a mark. Where the recording kept
//! the sides apart (its plan had the borders that [`Cut::borders`] names) the figures have three digits; else they are cut
//! at the borders of slots, and the comparison says so.

use std::collections::BTreeMap;

use super::Comparison;
use super::Half;
use super::Limits;
use super::RouteSide;
use super::compare;
use super::sides;
use super::sides::Asked;
use super::sides::Portion;
use super::sides::Window;
use crate::parse::Auth;
use crate::stats::deploys;
use crate::stats::deploys::Mark;
use crate::stats::snapshot::Snapshot;
use crate::time::DAY;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::command::Remedy;
use crate::verdict::wording::counted;

/// How far a side reaches where nothing limits it, in microseconds.
pub const WINDOW_US: i64 = DAY;
/// The warm-up, in microseconds; of a side at most a tenth.
pub const WARM_UP_US: i64 = 30 * SECOND;
/// A week, in microseconds.
const WEEK_US: i64 = 7 * DAY;

/// How far sides reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The longest a side may be, in microseconds.
    pub window_us: i64,
    /// The warm-up in microseconds; `None` for the usual one.
    pub warm_up_us: Option<i64>,
}

impl Default for Reach {
    fn default() -> Self {
        Self { window_us: WINDOW_US, warm_up_us: None }
    }
}

/// One log's two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// When the change was made.
    pub at: Timestamp,
    /// What it is called, where it has a name.
    pub label: Option<String>,
    /// The time before.
    pub before: Window,
    /// The time after, without the warm-up.
    pub after: Window,
    /// The warm-up.
    pub left_out: Window,
    /// The version before, where one is known.
    pub previous: Option<String>,
    /// The version after, where one is known.
    pub version: Option<String>,
    /// Requests are taken by version, not by time alone.
    pub by_version: bool,
    /// Both versions serve over the same minutes.
    pub together: bool,
}

impl Cut {
    /// At a mark. `marks` are all marks in order of time; those about the same service limit the sides. Fails where one
    /// side has no time at all: the error is a clause.
    pub fn at(mark: &Mark, snapshot: &Snapshot, marks: &[Mark], reach: &Reach) -> Result<Self, String> {
        let span = snapshot.span().ok_or("no request has a time")?;
        let about = |m: &&Mark| match &mark.service {
            Some(service) => m.is_about(Some(service)),
            None => true,
        };
        let end = Timestamp(span.1.0.saturating_add(1));
        let from = marks.iter().filter(about).map(|m| m.at).filter(|at| *at < mark.at).fold(span.0, Timestamp::max);
        let to = marks.iter().filter(about).map(|m| m.at).filter(|at| *at > mark.at).fold(end, Timestamp::min);
        if mark.at <= span.0 {
            return Err(format!("no request came before {} (the first one is of {})", mark.at, span.0));
        }
        if mark.at > span.1 {
            return Err(format!("no request came after {} (the last one is of {})", mark.at, span.1));
        }
        let (last, first) = pause(snapshot, mark.at);
        let warm = mark.at.0.saturating_add(warm_up(reach, to.0 - first.0));
        let (behind, ahead) = (last.0 - from.0, to.0 - first.0);
        let long = reach.window_us.min(behind).min(ahead).max(1);
        // what is longer by less than a tenth is as long
        let long = |all: i64| if all <= reach.window_us { all.min(long + long / 10) } else { long };
        Ok(Self {
            at: mark.at,
            label: mark.label.clone(),
            before: (Timestamp(last.0 - long(behind)), mark.at),
            after: (Timestamp(warm), Timestamp(first.0.saturating_add(long(ahead)).max(warm))),
            left_out: (mark.at, Timestamp(warm)),
            previous: mark.previous.clone(),
            version: mark.version.clone().or_else(|| mark.label.clone()),
            by_version: false,
            together: false,
        })
    }

    /// Between two versions: those that were asked for, else the newest one and the one before it. Where the later one took
    /// over that is the change; where both only ever served together they are compared over the same minutes. Fails where
    /// there are no two versions: the error is a clause.
    pub fn by_version(
        snapshot: &Snapshot,
        wanted: Option<(&str, &str)>,
        marks: &[Mark],
        reach: &Reach,
    ) -> Result<Self, String> {
        let served = served(snapshot);
        let (old, new) = match wanted {
            Some((old, new)) => (old.to_owned(), new.to_owned()),
            None => newest(&served, marks)?,
        };
        let span = |version: &str| {
            let known: Vec<&str> = served.keys().map(String::as_str).collect();
            served.get(version).map(|s| s.span).ok_or_else(|| match known.as_slice() {
                [] => NO_VERSION.to_owned(),
                known => format!("version '{version}' is not in the log (it has '{}')", known.join("', '")),
            })
        };
        let (was, is) = (span(&old)?, span(&new)?);
        let took = marks.iter().rfind(|m| m.version.as_ref() == Some(&new) && m.previous.as_ref() == Some(&old));
        let overlap = was.1.min(is.1).0 - was.0.max(is.0).0;
        let cut = match took {
            Some(mark) => Self::at(mark, snapshot, marks, reach)?,
            None if overlap > 0 => Self::together((&old, was), (&new, is), reach),
            None => {
                let long = reach.window_us.min(was.1.0 - was.0.0 + 1).min(is.1.0 - is.0.0 + 1);
                let (end, begin) = (Timestamp(was.1.0.saturating_add(1)), Timestamp(is.0.0 + warm_up(reach, long)));
                Self {
                    at: is.0,
                    label: Some(new.clone()),
                    before: (Timestamp(end.0 - long), end),
                    after: (begin, Timestamp(is.0.0 + long)),
                    left_out: (is.0, begin),
                    previous: None,
                    version: None,
                    by_version: true,
                    together: false,
                }
            }
        };
        Ok(Self { previous: Some(old), version: Some(new), by_version: true, ..cut })
    }

    /// Two versions that serve over the same minutes: from the first request of the later one to the last of either.
    pub fn together(previous: (&str, Window), version: (&str, Window), reach: &Reach) -> Self {
        let at = version.1.0.max(previous.1.0);
        let end = version.1.1.min(previous.1.1).0.saturating_add(1);
        let to = Timestamp(end.min(at.0.saturating_add(reach.window_us)));
        let warm = warm_up(reach, to.0 - at.0);
        let both = (Timestamp(at.0 + warm), to);
        Self {
            at,
            label: Some(version.0.to_owned()),
            before: both,
            after: both,
            left_out: (at, both.0),
            previous: Some(previous.0.to_owned()),
            version: Some(version.0.to_owned()),
            by_version: true,
            together: true,
        }
    }

    /// The same by version over all the time that each served: what a recording that cannot be made again has kept apart.
    /// `None` where one served on both sides of the other.
    #[must_use]
    pub fn over_all_time(&self, snapshot: &Snapshot) -> Option<Self> {
        let served = served(snapshot);
        let span = |version: &Option<String>| served.get(version.as_ref()?).map(|s| s.span);
        let (was, is) = (span(&self.previous)?, span(&self.version)?);
        let whole = |span: Window| (span.0, Timestamp(span.1.0.saturating_add(1)));
        let apart = was.1 < is.0 || is.1 < was.0;
        let cut = Self { before: whole(was), after: whole(is), left_out: (is.0, is.0), ..self.clone() };
        (self.by_version && apart).then_some(cut)
    }

    /// The borders that a recording needs to keep the sides apart, those of a week earlier included.
    pub fn borders(&self) -> Vec<Timestamp> {
        let own = [self.before.0, self.before.1, self.left_out.0, self.left_out.1, self.after.0, self.after.1];
        let mut all: Vec<Timestamp> = own.into_iter().flat_map(|t| [t, Timestamp(t.0.saturating_sub(WEEK_US))]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The time of `after` a week earlier.
    pub fn week_earlier(&self) -> Window {
        (Timestamp(self.after.0.0 - WEEK_US), Timestamp(self.after.1.0 - WEEK_US))
    }
}

const NO_VERSION: &str = "no version is logged, and no line names a pod of a Deployment ('vitalog explain --fix' prints what \
logs the version, '--at WHEN' compares by time)";

/// When a version served, and how much.
#[derive(Debug, Clone, Copy)]
struct Served {
    span: Window,
    requests: u64,
}

/// Each version, as people know it.
fn served(snapshot: &Snapshot) -> BTreeMap<String, Served> {
    let mut all: BTreeMap<String, Served> = BTreeMap::new();
    for desk in snapshot.desks() {
        let known = deploys::versions(snapshot, desk.service.as_deref());
        for era in desk.eras.iter().filter(|e| known.contains(&e.version)) {
            let Some(span) = era.span.or(snapshot.span()) else { continue };
            let own = all.entry(era.name().to_owned()).or_insert(Served { span, requests: 0 });
            own.span = (own.span.0.min(span.0), own.span.1.max(span.1));
            own.requests += era.requests;
        }
    }
    all
}

/// The version before, and the newest: the last that took over, or one that began since and serves beside it.
fn newest(served: &BTreeMap<String, Served>, marks: &[Mark]) -> Result<(String, String), String> {
    let last = marks.iter().rev().find_map(|m| Some((m.previous.clone()?, m.version.clone()?)));
    let took_over = |version: &String| marks.iter().any(|m| m.version.as_ref() == Some(version) && m.previous.is_some());
    let (newest, _) = served.iter().max_by_key(|(_, s)| s.span.0).ok_or(NO_VERSION)?;
    match last {
        Some(last) if took_over(newest) || served.get(&last.1).is_some_and(|s| s.span.0 >= served[newest].span.0) => Ok(last),
        last => {
            let main = last.map(|l| l.1).filter(|v| v != newest);
            let most = || served.iter().filter(|(v, _)| *v != newest).max_by_key(|(_, s)| s.requests).map(|(v, _)| v.clone());
            let old = main.or_else(most).ok_or_else(|| format!("'{newest}' is the only version in the log"))?;
            Ok((old, newest.clone()))
        }
    }
}

/// The end of what was answered before a moment, and the beginning of what was answered from it on: while a service
/// restarts it serves neither side. To the microsecond where the recording has a border or a new version there, else to
/// the slot.
fn pause(snapshot: &Snapshot, at: Timestamp) -> Window {
    let (mut last, mut first) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    for group in snapshot.groups() {
        let era = snapshot.desks().get(usize::from(group.key.desk)).and_then(|d| d.eras.get(usize::from(group.key.era)));
        match era.and_then(|e| e.span) {
            Some((_, end)) if end < at => last = last.max(Timestamp(end.0 + 1)),
            Some((begin, _)) if begin >= at => first = first.min(begin),
            _ => {
                let width = i64::from(snapshot.width());
                let mut cursor = group.track.cursor();
                while let Some(number) = cursor.peek() {
                    let start = Timestamp::from_seconds(i64::from(number) * width);
                    let end = Timestamp::from_seconds((i64::from(number) + 1) * width);
                    if start < at {
                        last = last.max(end.min(at));
                    }
                    if end > at {
                        first = first.min(start.max(at));
                        break;
                    }
                    cursor.next_slot();
                }
            }
        }
    }
    (if last.0 == i64::MIN { at } else { last }, if first.0 == i64::MAX { at } else { first })
}

fn warm_up(reach: &Reach, long: i64) -> i64 {
    reach.warm_up_us.map_or(WARM_UP_US.min(long / 10), |typed| typed.min(long)).max(0)
}

/// What is compared, and how it is judged.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Shapes the sides.
    pub asked: Asked,
    /// From where on a change matters.
    pub limits: Limits,
    /// Requests logged in, or not logged in, alone.
    pub auth: Option<Auth>,
}

/// The comparison of what was recorded, cut. The snapshot must be closed; `remedy` gives a service's templates.
pub fn compared<'r>(snapshot: &Snapshot, cut: &Cut, how: &How, remedy: impl Fn(Option<&str>) -> Remedy<'r>) -> Comparison {
    let portion = |version, window| Portion { version, auth: how.auth, window: Some(window), ..Portion::whole(snapshot) };
    let named = |version: &'_ Option<String>| version.clone().filter(|_| cut.by_version);
    let (previous, version) = (named(&cut.previous), named(&cut.version));
    let (before, after) = (portion(previous.as_deref(), cut.before), portion(version.as_deref(), cut.after));
    let week = portion(None, cut.week_earlier());
    let has_week = snapshot.span().is_some_and(|(first, _)| first <= cut.week_earlier().0);
    let weeks: &[Portion<'_>] = if has_week { std::slice::from_ref(&week) } else { &[] };
    let made = sides::sides(&[&[before], &[after], weeks], &how.asked);
    let [mut was, mut is, week]: [Half; 3] = made.halves.try_into().unwrap_or_default();
    label(cut, &mut was, &mut is);
    is.left_out = sides::requests(&portion(version.as_deref(), cut.left_out), &[before]);
    if cut.together {
        was.left_out = sides::requests(&portion(previous.as_deref(), cut.left_out), &[before]);
    }
    let mut all = compare(&was, &is, &how.limits, remedy);
    all.changed_at = Some(cut.at);
    all.notes.extend(notes(cut, snapshot, made.coarse));
    beside(&mut all, week);
    all
}

fn label(cut: &Cut, was: &mut Half, is: &mut Half) {
    (was.version, is.version) = (cut.previous.clone(), cut.version.clone());
    match (&cut.label, &cut.previous) {
        _ if cut.by_version => {
            was.label = cut.previous.clone().unwrap_or_default();
            is.label = cut.version.clone().unwrap_or_default();
        }
        (Some(label), previous) => {
            was.label = previous.clone().unwrap_or_else(|| format!("before {label}"));
            is.label.clone_from(label);
        }
        (None, _) => (was.label, is.label) = (format!("before {}", cut.at), format!("after {}", cut.at)),
    }
}

fn notes(cut: &Cut, snapshot: &Snapshot, coarse: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if cut.together {
        notes.push("both versions served together: they are compared over the same minutes".to_owned());
    }
    if coarse {
        notes.push(format!(
            "the sides were not kept apart while recording: they are cut at slots of {}, latencies to two digits",
            counted(u64::from(snapshot.width()), "second")
        ));
    }
    notes
}

/// Puts the same hours of a week earlier beside.
fn beside(all: &mut Comparison, week: Half) {
    if week.routes.is_empty() {
        return;
    }
    let label = "the same hours a week earlier".to_owned();
    all.week = Some(super::about(&Half { label, ..week.clone() }));
    let mut routes: BTreeMap<(Option<String>, String, String), RouteSide> =
        week.routes.into_iter().map(|r| ((r.service.clone(), r.method.clone(), r.route.clone()), r)).collect();
    for route in &mut all.routes {
        let key = (route.service.clone(), route.method.clone(), route.route.clone());
        route.week = routes.remove(&key).map(|r| r.side.figures);
    }
}
