//! Deploy marks: moments at which a service changed, as somebody said, or as its log shows.
//!
//! [`settle`] makes one list of all evidence: marks that were given, versions that took over ([`Takeovers`]), and starts
//! and ends of runs ([`Turn`], from `doings`). A pure function, the same for an archive ([`marks`]) and for a live log,
//! whose evidence grows. Which start followed a crash is known to `parse::lifecycle::Runs`; what a change did is judged
//! by `verdict::compare`.
//!
//! Starts of one service within [`TOGETHER`] are one mark, and go with a given mark or a new version near them. A start
//! where nothing ran before is a mark only if another run of the service ended about then: else it is scaling. Nothing
//! is a mark before the service's first request: there is no before to compare with.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use super::slots::Track;
use super::snapshot::Desk;
use super::snapshot::Era;
use super::snapshot::Snapshot;
use super::summary::Deploy;
use crate::time::SECOND;
use crate::time::Timestamp;

/// Starts so near to each other are one mark, in microseconds.
pub const TOGETHER: i64 = 15 * 60 * SECOND;
/// A version has taken over when so many requests in a row are its own …
const RUN: u64 = 20;
/// … or this share of so many requests.
const MANY: (u64, u64) = (200, 95);
/// So many at the end of a log are enough.
const LAST: u64 = 5;

/// A run of a service began or ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub what: Turned,
    /// The service.
    pub service: Option<String>,
}

/// How a run turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Turned {
    /// It ended in order.
    Ended,
    /// It began where one had ended in order.
    Again,
    /// It began, and nothing is known of one before it at this place.
    First,
}

/// Where a mark comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// `--deploy`.
    Option,
    /// A line of `--deploys`.
    File,
    /// A logged version took over.
    Version,
    /// A pod's template hash took over.
    Pod,
    /// The service was started anew.
    Restart,
}

impl Source {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::File => "file",
            Self::Version => "version",
            Self::Pod => "pod",
            Self::Restart => "restart",
        }
    }
}

/// A deploy mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When the new state began.
    pub at: Timestamp,
    /// The service; `None` where none is named, or where it holds for all.
    pub service: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// What it says of itself: a version, the text that was given.
    pub label: Option<String>,
    /// The version that took over, where one is logged.
    pub version: Option<String>,
    /// The version before it.
    pub previous: Option<String>,
}

impl Mark {
    /// A mark that somebody gave.
    pub fn given(at: Timestamp, label: Option<String>, source: Source) -> Self {
        Self { at, service: None, source, label, version: None, previous: None }
    }

    /// As the report shows it.
    pub fn deploy(&self) -> Deploy {
        Deploy { service: self.service.clone(), at: Some(self.at), label: self.label.clone(), source: self.source.word() }
    }

    /// Whether it is about `service`.
    pub fn is_about(&self, service: Option<&str>) -> bool {
        self.source <= Source::File || self.service.as_deref() == service
    }
}

/// All marks of what was recorded, in order of time. `given` are those of options and files. The snapshot must be closed.
pub fn marks(snapshot: &Snapshot, given: &[Mark]) -> Vec<Mark> {
    let begun = begun(snapshot);
    let takeovers = courses(snapshot).into_iter().flat_map(|(service, course)| {
        let mut takeovers = Takeovers::new(service);
        for (slot, counts) in course {
            takeovers.see(slot, &counts);
        }
        takeovers.end()
    });
    let mut takeovers: Vec<Mark> = takeovers.collect();
    for mark in &mut takeovers {
        sharpen(mark, snapshot);
    }
    let turns: Vec<&Turn> = snapshot.doings().turns().collect();
    settle(given, &turns, &takeovers, &begun)
}

/// The first request of each service, as far as it is known: to the second or the end of its first slot.
pub fn begun(snapshot: &Snapshot) -> BTreeMap<Option<String>, Timestamp> {
    let mut all: BTreeMap<Option<String>, Timestamp> = BTreeMap::new();
    for (desk, _, track) in tracks(snapshot) {
        let Some(first) = track.cursor().peek() else { continue };
        let end = Timestamp::from_seconds((i64::from(first) + 1) * i64::from(snapshot.width()));
        all.entry(desk.service.clone()).and_modify(|t| *t = end.min(*t)).or_insert(end);
    }
    if let (Some((first, _)), 1) = (snapshot.span(), all.len()) {
        for time in all.values_mut() {
            *time = first;
        }
    }
    all
}

/// Every course of time with its desk and the number of its era.
fn tracks(snapshot: &Snapshot) -> impl Iterator<Item = (&Desk, u16, &Track)> {
    let of_routes = snapshot.groups().iter().map(|g| (g.key.desk, g.key.era, &g.track));
    let of_services = snapshot.courses().iter().map(|c| (c.key.desk, c.key.era, &c.track));
    let all = of_routes.chain(of_services);
    all.filter_map(|(desk, era, track)| Some((snapshot.desks().get(usize::from(desk))?, era, track)))
}

/// Requests by version in each slot, by the slot's beginning.
type Course = BTreeMap<Timestamp, BTreeMap<String, u64>>;

/// The course of each service that has several versions. Where one is logged, pods are only where it ran.
fn courses(snapshot: &Snapshot) -> BTreeMap<Option<String>, Course> {
    let mut all: BTreeMap<Option<String>, Course> = BTreeMap::new();
    let mut services: Vec<&Option<String>> = snapshot.desks().iter().map(|d| &d.service).collect();
    services.sort();
    services.dedup();
    for service in services {
        let versions = versions(snapshot, service.as_deref());
        if versions.len() < 2 {
            continue;
        }
        let course = all.entry(service.clone()).or_default();
        for (desk, era, track) in tracks(snapshot) {
            let Some(era) = desk.eras.get(usize::from(era)).filter(|e| versions.contains(&e.version)) else { continue };
            if desk.service != *service {
                continue;
            }
            track.each(|slot| {
                let start = Timestamp::from_seconds(i64::from(slot.number) * i64::from(snapshot.width()));
                *course.entry(start).or_default().entry(era.version.clone()).or_default() += slot.requests();
            });
        }
    }
    all
}

/// The versions of a service, as they stand in its eras, without doubles: logged ones, else those of pods.
pub fn versions(snapshot: &Snapshot, service: Option<&str>) -> Vec<String> {
    let eras = || snapshot.desks().iter().filter(|d| d.service.as_deref() == service).flat_map(|d| &d.eras);
    let logged = eras().any(|e| !e.version.is_empty() && !e.is_pod());
    let mut all: Vec<String> =
        eras().filter(|e| !e.version.is_empty() && e.is_pod() != logged).map(|e| e.version.clone()).collect();
    all.sort();
    all.dedup();
    all
}

/// A version seen for the first time began with its first request, not with the slot that holds it.
fn sharpen(mark: &mut Mark, snapshot: &Snapshot) {
    let desks = snapshot.desks().iter().filter(|d| d.service == mark.service);
    let own = |era: &&Era| mark.version.as_deref() == Some(era.name());
    let first = desks.flat_map(|d| &d.eras).filter(own).filter_map(|e| e.span).map(|s| s.0).min();
    let end = mark.at.0.saturating_add(i64::from(snapshot.width()) * SECOND);
    mark.at = first.filter(|first| (mark.at.0..end).contains(&first.0)).unwrap_or(mark.at);
}

/// Which version serves, followed through time. What it holds is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Takeovers {
    service: Option<String>,
    current: Option<String>,
    /// The latest slots with some 200 requests: beginning, version, requests.
    recent: VecDeque<(Timestamp, String, u64)>,
    /// Since when each version serves without a long pause, and when it last did.
    stints: BTreeMap<String, (Timestamp, Timestamp)>,
    /// The version of the latest slots that had one alone: since when, and how many requests.
    run: Option<(String, Timestamp, u64)>,
    marks: Vec<Mark>,
}

/// Versions whose stints are known at once.
const STINTS: usize = 64;

impl Takeovers {
    /// Nothing seen yet of this service.
    pub fn new(service: Option<String>) -> Self {
        Self { service, ..Self::default() }
    }

    /// The requests of each version in the slot that begins at `start`; slots come in order of time. Versions are written
    /// as in eras.
    pub fn see(&mut self, start: Timestamp, counts: &BTreeMap<String, u64>) {
        for (version, n) in counts.iter().filter(|c| *c.1 > 0) {
            let stint = self.stints.entry(version.clone()).or_insert((start, start));
            let paused = start.0.saturating_sub(stint.1.0) > TOGETHER;
            *stint = (if paused { start } else { stint.0 }, start);
            self.recent.push_back((start, version.clone(), *n));
        }
        while self.stints.len() > STINTS {
            let oldest = self.stints.iter().min_by_key(|(_, stint)| stint.1).map(|(version, _)| version.clone());
            oldest.map(|version| self.stints.remove(&version));
        }
        let mut total: u64 = self.recent.iter().map(|r| r.2).sum();
        while self.recent.front().is_some_and(|front| total - front.2 >= MANY.0) {
            total -= self.recent.pop_front().map_or(0, |front| front.2);
        }
        let mut served = counts.iter().filter(|c| *c.1 > 0);
        match (served.next(), served.next()) {
            (Some((version, n)), None) => match &mut self.run {
                Some((own, _, all)) if own == version => *all += n,
                run => *run = Some((version.clone(), start, *n)),
            },
            (Some(_), Some(_)) => self.run = None,
            (None, _) => {}
        }
        if self.current.is_none() {
            self.current = counts.iter().max_by_key(|c| *c.1).map(|(version, _)| version.clone());
        }
        let by_run = self.run.as_ref().filter(|run| run.2 >= RUN).map(|run| (run.0.clone(), run.1));
        let leads = |version: &String| {
            let own: u64 = self.recent.iter().filter(|r| r.1 == *version).map(|r| r.2).sum();
            total >= MANY.0 && own * 100 >= total * MANY.1
        };
        let taken = by_run.or_else(|| counts.keys().find(|version| leads(version)).map(|version| (version.clone(), start)));
        if let Some((version, since)) = taken {
            self.take_over(version, since);
        }
    }

    fn take_over(&mut self, version: String, since: Timestamp) {
        if self.current.as_ref() == Some(&version) {
            return;
        }
        let name = |version: &str| Era { version: version.to_owned(), ..Era::default() }.name().to_owned();
        let stint = self.stints.get(&version).map_or(since, |stint| stint.0);
        let at = if since.0 - stint.0 <= TOGETHER { stint } else { since };
        let source = if (Era { version: version.clone(), ..Era::default() }).is_pod() { Source::Pod } else { Source::Version };
        self.marks.push(Mark {
            at,
            service: self.service.clone(),
            source,
            label: Some(name(&version)),
            previous: self.current.as_deref().map(name),
            version: Some(name(&version)),
        });
        self.current = Some(version);
        self.run = None;
    }

    /// The marks found since the last call, ascending by when they were sure.
    pub fn take(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    /// The log has ended: a few requests are enough for its last version.
    fn end(mut self) -> Vec<Mark> {
        if let Some((version, since, n)) = self.run.clone()
            && n >= LAST
        {
            self.take_over(version, since);
        }
        self.marks
    }
}

fn near(a: Timestamp, b: Timestamp) -> bool {
    a.0.abs_diff(b.0) <= TOGETHER.unsigned_abs()
}

/// One list of marks from all evidence, ascending. `turns` ascend; `begun` tells the first request of each service.
pub fn settle(given: &[Mark], turns: &[&Turn], takeovers: &[Mark], begun: &BTreeMap<Option<String>, Timestamp>) -> Vec<Mark> {
    let mut all: Vec<Mark> = given.to_vec();
    all.sort();
    all.dedup();
    let said = all.len();
    let mut absorbed = vec![false; said];
    for takeover in takeovers {
        let nearest = (0..said).filter(|i| !absorbed[*i] && near(all[*i].at, takeover.at));
        match nearest.min_by_key(|i| all[*i].at.0.abs_diff(takeover.at.0)) {
            Some(i) => {
                absorbed[i] = true;
                all[i].version.clone_from(&takeover.version);
                all[i].previous.clone_from(&takeover.previous);
                if all[i].label.is_none() {
                    all[i].label.clone_from(&takeover.label);
                }
            }
            None => all.push(takeover.clone()),
        }
    }
    let ended = |service: &Option<String>, at: Timestamp| {
        turns.iter().any(|t| t.what == Turned::Ended && t.service == *service && near(t.at, at))
    };
    let starts = turns.iter().filter(|t| match t.what {
        Turned::Ended => false,
        Turned::Again => true,
        Turned::First => ended(&t.service, t.at),
    });
    for start in starts.filter(|t| begun.get(&t.service).is_some_and(|first| *first < t.at)) {
        let own = all.iter_mut().filter(|m| m.is_about(start.service.as_deref()) && near(m.at, start.at));
        match own.min_by_key(|m| m.at.0.abs_diff(start.at.0)) {
            // a new process comes before its first request
            Some(mark) if matches!(mark.source, Source::Version | Source::Pod) => mark.at = mark.at.min(start.at),
            Some(_) => {}
            None => all.push(Mark {
                at: start.at,
                service: start.service.clone(),
                source: Source::Restart,
                label: None,
                version: None,
                previous: None,
            }),
        }
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_394_000 + second)
    }

    fn turn(second: i64, what: Turned, service: &str) -> Turn {
        Turn { at: at(second), what, service: Some(service.to_owned()) }
    }

    fn settled(given: &[Mark], turns: &[Turn], takeovers: &[Mark]) -> Vec<String> {
        let begun = BTreeMap::from([(Some("shop".to_owned()), at(0)), (Some("mail".to_owned()), at(0))]);
        let turns: Vec<&Turn> = turns.iter().collect();
        let told = |m: &Mark| {
            let label = m.label.as_ref().map(|l| format!(" {l}")).unwrap_or_default();
            format!("{}{label} {}", m.source.word(), m.at.second() - at(0).second())
        };
        settle(given, &turns, takeovers, &begun).iter().map(told).collect()
    }

    /// Marks of a course with one slot a second, each with requests of some versions.
    fn taken(course: &[(i64, &[(&str, u64)])]) -> Vec<String> {
        let mut takeovers = Takeovers::new(None);
        for (second, counts) in course {
            takeovers.see(at(*second), &counts.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect());
        }
        let told = |m: Mark| {
            format!("{}→{} {}", m.previous.unwrap_or_default(), m.version.unwrap_or_default(), m.at.second() - at(0).second())
        };
        takeovers.end().into_iter().map(told).collect()
    }

    #[test]
    fn starts_within_a_quarter_of_an_hour_are_one_mark() {
        let starts = [
            turn(100, Turned::Again, "shop"),
            turn(900, Turned::Again, "shop"),
            turn(950, Turned::Again, "mail"),
            turn(1001, Turned::Again, "shop"),
        ];
        assert_eq!(vec!["restart 100", "restart 950", "restart 1001"], settled(&[], &starts, &[]));
    }

    #[test]
    fn nothing_is_a_mark_before_the_first_request() {
        assert!(settled(&[], &[turn(-1, Turned::Again, "shop"), turn(5, Turned::Again, "unknown")], &[]).is_empty());
    }

    #[test]
    fn a_start_beside_running_ones_is_scaling_and_one_that_replaces_is_a_mark() {
        assert!(settled(&[], &[turn(100, Turned::First, "shop")], &[]).is_empty());
        let replaced = [turn(100, Turned::First, "shop"), turn(130, Turned::Ended, "shop")];
        assert_eq!(vec!["restart 100"], settled(&[], &replaced, &[]));
        let other = [turn(100, Turned::First, "shop"), turn(130, Turned::Ended, "mail")];
        assert!(settled(&[], &other, &[]).is_empty());
    }

    #[test]
    fn what_was_given_stands_and_takes_in_what_is_seen_near_it() {
        let given = [Mark::given(at(100), None, Source::Option), Mark::given(at(160), Some("cart".to_owned()), Source::File)];
        let version = |second, name: &str| Mark {
            version: Some(name.to_owned()),
            service: Some("shop".to_owned()),
            ..Mark::given(at(second), Some(name.to_owned()), Source::Version)
        };
        let start = [turn(104, Turned::Again, "shop")];
        assert_eq!(vec!["option 2.0 100", "file cart 160"], settled(&given, &start, &[version(105, "2.0")]));
        // a roll-back soon after is a mark of its own, and begins with its start
        let starts = [turn(104, Turned::Again, "shop"), turn(500, Turned::Again, "shop")];
        assert_eq!(
            vec!["option 2.0 100", "version 1.9 500"],
            settled(&given[..1], &starts, &[version(105, "2.0"), version(510, "1.9")])
        );
    }

    #[test]
    fn a_version_takes_over_when_it_serves_alone_and_so_does_an_old_one() {
        let a: &[(&str, u64)] = &[("1.0", 12)];
        let b: &[(&str, u64)] = &[("1.1", 12)];
        assert_eq!(vec!["1.0→1.1 2"], taken(&[(0, a), (1, a), (2, b), (3, b), (4, b)]));
        assert_eq!(vec!["1.0→1.1 2", "1.1→1.0 2000"], taken(&[(0, a), (2, b), (3, b), (2000, a), (2001, a)]));
        assert!(taken(&[(0, a), (1, a), (2, a)]).is_empty());
    }

    #[test]
    fn a_canary_takes_over_only_when_the_old_one_is_gone() {
        let both: &[(&str, u64)] = &[("1.0", 9), ("1.1", 11)];
        let new: &[(&str, u64)] = &[("1.1", 30)];
        let first: (i64, &[(&str, u64)]) = (0, &[("1.0", 30)]);
        let hour: Vec<(i64, &[(&str, u64)])> = std::iter::once(first).chain((1..3_600).map(|s| (s, both))).collect();
        assert!(taken(&hour).is_empty());
        assert_eq!(vec!["1.0→1.1 3600"], taken(&[hour.as_slice(), &[(3_600, new)]].concat()));
        // a straggler in a hundred does not keep the old one
        let mostly: &[(&str, u64)] = &[("1.0", 1), ("1.1", 120)];
        assert_eq!(vec!["1.0→1.1 5"], taken(&[(0, &[("1.0", 30)]), (5, mostly), (6, mostly), (7, mostly)]));
    }

    #[test]
    fn a_few_requests_at_the_end_are_enough() {
        let a: &[(&str, u64)] = &[("1.0", 12)];
        assert_eq!(vec!["1.0→1.1 5"], taken(&[(0, a), (5, &[("1.1", 5)])]));
        assert!(taken(&[(0, a), (5, &[("1.1", 4)])]).is_empty());
    }

    #[test]
    fn pods_are_told_as_such() {
        let mut takeovers = Takeovers::new(None);
        for (second, version) in [(0, "pod 7d9c6b5f4"), (5, "pod 66b8d7c9f")] {
            takeovers.see(at(second), &BTreeMap::from([(version.to_owned(), 30)]));
        }
        let marks = takeovers.end();
        assert_eq!(Some("66b8d7c9f"), marks[0].label.as_deref());
        assert_eq!((Source::Pod, Some("7d9c6b5f4")), (marks[0].source, marks[0].previous.as_deref()));
    }
}
