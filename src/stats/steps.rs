//! What happened in each second, for whoever judges: kept as it comes while recording, put in order when it is fetched.
//!
//! Recording appends, so that listening costs a few nanoseconds a request; grouping by second waits for
//! [`Snapshot::take_steps`](super::snapshot::Snapshot::take_steps), or for each second of
//! [`Snapshot::waiting_steps`](super::snapshot::Snapshot::waiting_steps). Numbers of groups follow the snapshot's when it
//! renumbers them. Beside counts stand what explains them: exceptions, and redacted lines of requests that went wrong.

use std::collections::VecDeque;

use super::counts::ErrorRule;
use super::failures::FailureKey;
use super::group::GroupKey;
use super::slots::Slot;
use super::snapshot::SlotLines;
use crate::parse::redact;
use crate::route::RouteKey;
use smallvec::SmallVec;

/// What happened in one second: what judging folds over.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Seconds since 1970.
    pub second: u32,
    /// What each group did, in the order groups were opened; slots are tidy.
    pub groups: Vec<(GroupKey, Slot)>,
    /// Lines of each desk, ascending.
    pub lines: Vec<(u16, SlotLines)>,
    /// Exceptions, in the order they were settled.
    pub raised: Vec<Raise>,
    /// Lines of requests that went wrong: a few.
    pub examples: Vec<Example>,
}

impl Step {
    /// The room of it, for another second.
    #[must_use]
    pub fn emptied(self) -> Self {
        let Self { mut groups, mut lines, .. } = self;
        groups.clear();
        lines.clear();
        Self { groups, lines, ..Self::default() }
    }
}

/// What is looked at in seconds: they hold no more than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// What is an error, where routes are looked at only for what went wrong on them; `None` where each is of interest.
    pub blames: Option<ErrorRule>,
    /// Whether anybody looks at latencies.
    pub latencies: bool,
}

impl Default for Looks {
    /// Everything.
    fn default() -> Self {
        Self { blames: None, latencies: true }
    }
}

/// An exception, or the news which route it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// Which.
    pub key: FailureKey,
    /// The redacted message; `None` where this only names a route.
    pub message: Option<String>,
    /// The route it failed, where known by now: `GET /items/{id}`.
    pub route: Option<String>,
}

/// A line of a request that went wrong. Few are ever shown, so a line is redacted when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The service; `None` where nothing names it.
    pub service: Option<String>,
    /// `GET /items/{id}`.
    pub route: String,
    line: Line,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// As it came, with the path in it and the template that is shown instead.
    Raw {
        text: Box<[u8]>,
        path: Box<[u8]>,
        template: String,
    },
    Redacted(String),
}

/// Longer lines are redacted at once, which makes them short.
const LONG: usize = 2_048;

impl Example {
    /// A line about a request for `path`, of which `route` is the key.
    pub fn new(service: Option<&str>, route: &RouteKey, text: &[u8], path: &[u8]) -> Self {
        let line = if text.len() > LONG {
            Line::Redacted(redacted(text, path, &route.path))
        } else {
            Line::Raw { text: text.into(), path: path.into(), template: route.path.clone() }
        };
        Self { service: service.map(str::to_owned), route: format!("{} {}", route.method, route.path), line }
    }

    /// The redacted line.
    pub fn line(&self) -> String {
        match &self.line {
            Line::Raw { text, path, template } => redacted(text, path, template),
            Line::Redacted(line) => line.clone(),
        }
    }
}

fn redacted(text: &[u8], path: &[u8], template: &str) -> String {
    redact::example(&String::from_utf8_lossy(text), &String::from_utf8_lossy(path), template)
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) second: u32,
    pub(super) group: u32,
    /// [`NOT`] where not logged.
    pub(super) latency_us: u32,
    pub(super) bytes: u32,
    pub(super) status: u16,
}

impl Moment {
    /// The answer's bytes; 0 where not logged.
    fn bytes(&self) -> u64 {
        if self.bytes == NOT { 0 } else { u64::from(self.bytes) }
    }
}

/// Stands for a figure that was not logged.
pub(super) const NOT: u32 = u32::MAX;
/// Exceptions between two fetches, at most; those beyond are counted in totals alone.
const RAISED: usize = 20_000;
/// Groups of one second for which room is made before they come.
const ROOM: usize = 64;
/// Lines between two fetches, at most.
const EXAMPLES: usize = 2_000;
/// Lines of one second and service, at most.
const EXAMPLES_HERE: usize = 2;

/// Seconds kept for whoever listens.
#[derive(Debug, Default)]
pub(super) struct Steps {
    moments: Vec<Moment>,
    /// Those with a figure of more than 32 bits: second, group, and the slot they make.
    huge: Vec<(u32, u32, Slot)>,
    /// By second and desk, in the order of coming.
    lines: Vec<(u32, u16, SlotLines)>,
    raised: Vec<(u32, Raise)>,
    examples: Vec<(u32, Example)>,
}

impl Steps {
    pub(super) fn extend(&mut self, moments: impl Iterator<Item = Moment>) {
        self.moments.extend(moments);
    }

    pub(super) fn huge(&mut self, second: u32, group: u32, slot: Slot) {
        self.huge.push((second, group, slot));
    }

    pub(super) fn lines(&mut self, second: u32, desk: u16, lines: &SlotLines) {
        match self.lines.last_mut().filter(|last| (last.0, last.1) == (second, desk)) {
            Some(last) => last.2.add(lines),
            None => self.lines.push((second, desk, *lines)),
        }
    }

    pub(super) fn raise(&mut self, second: u32, raise: Raise) {
        if self.raised.len() < RAISED {
            self.raised.push((second, raise));
        }
    }

    /// Whether one more line of this second and service is wanted.
    pub(super) fn wants_example(&self, second: u32, service: Option<&str>) -> bool {
        let here = self.examples.iter().rev().take_while(|e| e.0 == second).filter(|e| e.1.service.as_deref() == service);
        self.examples.len() < EXAMPLES && here.count() < EXAMPLES_HERE
    }

    pub(super) fn example(&mut self, second: u32, example: Example) {
        self.examples.push((second, example));
    }

    /// Where the stream of requests stands, for [`Steps::back_to`].
    pub(super) fn place(&self) -> (usize, usize) {
        (self.moments.len(), self.huge.len())
    }

    /// Forgets the requests since `place`.
    pub(super) fn back_to(&mut self, place: (usize, usize)) {
        self.moments.truncate(place.0);
        self.huge.truncate(place.1);
    }

    /// Whether any request waits.
    pub(super) fn has_requests(&self) -> bool {
        !(self.moments.is_empty() && self.huge.is_empty())
    }

    /// Groups have other numbers from now on.
    pub(super) fn renumber(&mut self, new: &[u32]) {
        let to = |group: &mut u32| *group = new.get(*group as usize).copied().unwrap_or(*group);
        self.moments.iter_mut().for_each(|moment| to(&mut moment.group));
        self.huge.iter_mut().for_each(|huge| to(&mut huge.1));
    }

    /// Takes what happened before the second `end`.
    pub(super) fn take(&mut self, end: u32) -> Waiting {
        let mut lines = apart(&mut self.lines, |l| l.0 < end);
        let mut moments = apart(&mut self.moments, |m| m.second < end);
        let mut huge = apart(&mut self.huge, |h| h.0 < end);
        let mut raised = apart(&mut self.raised, |r| r.0 < end);
        let mut examples = apart(&mut self.examples, |e| e.0 < end);
        // As a rule they come in order of time, and few share a second.
        moments.sort_by_key(|m| m.second);
        huge.sort_by_key(|h| (h.0, h.1));
        lines.sort_by_key(|l| (l.0, l.1));
        raised.sort_by_key(|r| r.0);
        examples.sort_by_key(|e| e.0);
        Waiting {
            moments,
            taken: 0,
            huge: huge.into(),
            lines: lines.into(),
            raised: raised.into(),
            examples: examples.into(),
            alike: None,
            without_latencies: false,
        }
    }
}

/// Seconds that were taken and are to be told of, in order. Each is made when it is asked for, in the room of one that is
/// done with: what an archive did in an hour never lies in memory second by second.
#[derive(Debug, Default)]
pub struct Waiting {
    /// By second; those before `taken` were told.
    moments: Vec<Moment>,
    taken: usize,
    /// By second and group.
    huge: VecDeque<(u32, u32, Slot)>,
    /// By second and desk.
    lines: VecDeque<(u32, u16, SlotLines)>,
    raised: VecDeque<(u32, Raise)>,
    examples: VecDeque<(u32, Example)>,
    alike: Option<Alike>,
    /// Latencies are left out.
    without_latencies: bool,
}

/// What need not be told apart by route: where nothing went wrong on a route in a second, one of its kind stands for it.
#[derive(Debug)]
pub(super) struct Alike {
    /// By group: the one that stands for it.
    pub(super) stands: Vec<u32>,
    /// Which statuses are wrong.
    pub(super) errors: ErrorRule,
    /// Latencies above this are, in microseconds.
    pub(super) slow_us: u64,
}

impl Alike {
    fn is_wrong(&self, moment: &Moment) -> bool {
        self.errors.is_error(moment.status) || (moment.latency_us != NOT && u64::from(moment.latency_us) > self.slow_us)
    }

    /// The group that stands for another.
    #[inline]
    fn stand(&self, group: u32) -> u32 {
        self.stands.get(group as usize).copied().unwrap_or(group)
    }

    /// Puts the moments of one second under the groups that stand for theirs.
    fn put_together(&self, moments: &mut [Moment]) {
        let mut wrong: SmallVec<[u32; 8]> = moments.iter().filter(|m| self.is_wrong(m)).map(|m| m.group).collect();
        wrong.sort_unstable();
        wrong.dedup();
        for moment in moments.iter_mut().filter(|m| wrong.binary_search(&m.group).is_err()) {
            moment.group = self.stand(moment.group);
        }
    }

    /// Counts the moments of one second in which nothing went wrong, without latencies: no more than a few groups stand
    /// for all, so that nothing need be sorted.
    fn count(&self, moments: &[Moment], key: impl Fn(u32) -> GroupKey, step: &mut Step) {
        // By group and status: as a rule one or two.
        let mut kinds: SmallVec<[(u32, u16, u32, u64); 8]> = SmallVec::new();
        let mut last = 0;
        for moment in moments {
            let kind = (self.stand(moment.group), moment.status);
            if kinds.get(last).is_none_or(|k| (k.0, k.1) != kind) {
                last = kinds.iter().position(|k| (k.0, k.1) == kind).unwrap_or(kinds.len());
                if last == kinds.len() {
                    kinds.push((kind.0, kind.1, 0, 0));
                }
            }
            if let Some(kind) = kinds.get_mut(last) {
                kind.2 += 1;
                kind.3 += moment.bytes();
            }
        }
        kinds.sort_unstable();
        for (group, status, n, bytes) in kinds {
            slot_of(step, key(group)).count(status, n, bytes);
        }
    }
}

impl Waiting {
    /// From now on routes alike are told of as one.
    pub(super) fn tell_alike(&mut self, alike: Alike) {
        self.alike = Some(alike);
    }

    /// From now on no latencies are told, but those of requests with a figure of more than 32 bits.
    pub(super) fn leave_latencies_out(&mut self) {
        self.without_latencies = true;
    }

    /// The next second, in the `room` of another. `key` names a group, `limits_us` are those counted exactly.
    pub(super) fn next(&mut self, key: impl Fn(u32) -> GroupKey, limits_us: &[u64], room: Step) -> Option<Step> {
        let second = self.second()?;
        let mut step = Step { second, ..room.emptied() };
        let rest = self.moments.get_mut(self.taken..).unwrap_or_default();
        let here = rest.iter().position(|m| m.second != second).unwrap_or(rest.len());
        let moments = rest.get_mut(..here).unwrap_or_default();
        self.taken += here;
        let huge = self.huge.front().is_some_and(|h| h.0 == second);
        match &self.alike {
            Some(alike) if self.without_latencies && !huge && !moments.iter().any(|m| alike.is_wrong(m)) => {
                alike.count(moments, &key, &mut step);
            }
            alike => {
                if let Some(alike) = alike {
                    alike.put_together(moments);
                }
                self.group(here, key, limits_us, &mut step);
            }
        }
        while let Some((_, desk, lines)) = next_if(&mut self.lines, |l| l.0 == second) {
            match step.lines.last_mut().filter(|last| last.0 == desk) {
                Some(last) => last.1.add(&lines),
                None => step.lines.push((desk, lines)),
            }
        }
        step.raised.extend(std::iter::from_fn(|| next_if(&mut self.raised, |r| r.0 == second)).map(|r| r.1));
        step.examples.extend(std::iter::from_fn(|| next_if(&mut self.examples, |e| e.0 == second)).map(|e| e.1));
        Some(step)
    }

    /// Puts the last `count` moments that were taken into their groups' slots, and the huge ones of their second.
    fn group(&mut self, count: usize, key: impl Fn(u32) -> GroupKey, limits_us: &[u64], step: &mut Step) {
        let second = step.second;
        let moments = self.moments.get_mut(self.taken - count..self.taken).unwrap_or_default();
        moments.sort_unstable_by_key(|m| m.group);
        step.groups.reserve(count.min(ROOM));
        for of_group in moments.chunk_by(|a, b| a.group == b.group) {
            let Some(first) = of_group.first() else { continue };
            while let Some((_, group, slot)) = next_if(&mut self.huge, |h| h.0 == second && h.1 < first.group) {
                add(step, key(group), &slot);
            }
            let slot = slot_of(step, key(first.group));
            for moment in of_group {
                let bytes = moment.bytes();
                if moment.latency_us == NOT || self.without_latencies {
                    slot.count(moment.status, 1, bytes);
                } else {
                    slot.record(moment.status, bytes, Some(u64::from(moment.latency_us)), limits_us);
                }
            }
            slot.tidy();
        }
        while let Some((_, group, slot)) = next_if(&mut self.huge, |h| h.0 == second) {
            add(step, key(group), &slot);
        }
    }

    /// The second that comes next.
    fn second(&self) -> Option<u32> {
        // No second has this number.
        let none = u32::MAX;
        let next = self.moments.get(self.taken).map_or(none, |m| m.second);
        let next = next.min(self.huge.front().map_or(none, |h| h.0));
        let next = next.min(self.lines.front().map_or(none, |l| l.0));
        let next = next.min(self.raised.front().map_or(none, |r| r.0));
        let next = next.min(self.examples.front().map_or(none, |e| e.0));
        (next != none).then_some(next)
    }
}

fn next_if<T>(queue: &mut VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(is) { queue.pop_front() } else { None }
}

fn add(step: &mut Step, key: GroupKey, slot: &Slot) {
    let here = slot_of(step, key);
    here.add(slot);
    here.tidy();
}

/// Where what a group did is to be added; groups come ascending.
fn slot_of(step: &mut Step, key: GroupKey) -> &mut Slot {
    if step.groups.last().is_none_or(|(same, _)| *same != key) {
        step.groups.push((key, Slot::new(step.second)));
    }
    let last = step.groups.len() - 1;
    &mut step.groups[last].1
}

/// Takes those for which `is` holds, in their order.
fn apart<T>(all: &mut Vec<T>, is: impl Fn(&T) -> bool) -> Vec<T> {
    if all.iter().all(&is) {
        return std::mem::take(all);
    }
    all.extract_if(.., |one| is(one)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Record;
    use crate::route::table;
    use crate::route::table::Router;
    use crate::route::template::Templates;
    use crate::stats::group::Layer;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;
    use crate::stats::snapshot::Snapshot;
    use crate::time::Timestamp;

    fn listening() -> Snapshot {
        let plan = Plan {
            bounds: Arc::new(Bounds::new(&[])),
            limits_us: Arc::from([]),
            borders: Arc::from([]),
            by_route: true,
            routers: Arc::new(|_| Router::new(Arc::new(Templates::build(&[], &[]).unwrap()), table::Settings::default())),
        };
        let mut snapshot = Snapshot::empty(plan);
        snapshot.listen();
        snapshot
    }

    fn get(path: &str, status: u16) -> Record<'_> {
        Record { method: b"GET", path: path.as_bytes(), status: Some(status), latency_us: Some(1000), ..Record::default() }
    }

    /// Requests of `GET /kept` by second, and of all others.
    fn counted(steps: &[Step], snapshot: &Snapshot, desk: usize) -> (Vec<(u32, u64)>, u64) {
        let (mut kept, mut others) = (Vec::new(), 0);
        for step in steps {
            for (key, slot) in &step.groups {
                match snapshot.router(desk).key(key.route).path.as_str() {
                    "/kept" => kept.push((step.second, slot.requests())),
                    _ => others += slot.requests(),
                }
            }
        }
        (kept, others)
    }

    #[test]
    fn seconds_that_wait_keep_their_groups_when_routes_are_folded() {
        let mut snapshot = listening();
        let desk = snapshot.desk(None, Layer::App);
        for n in 0..60_000_u32 {
            let time = Some(Timestamp::from_seconds(i64::from(n / 20_000)));
            let own = format!("/page/some-title-{}/x{n}y", n % 7919);
            snapshot.request(desk, &get(if n % 100 == 0 { "/kept" } else { &own }, 200), time);
        }
        let steps = snapshot.take_steps(u32::MAX);
        assert_eq!((vec![(0, 200), (1, 200), (2, 200)], 59_400), counted(&steps, &snapshot, desk));
    }

    #[test]
    fn what_comes_late_is_in_totals_and_in_no_second() {
        let mut snapshot = listening();
        let desk = snapshot.desk(None, Layer::App);
        let at = |s| Some(Timestamp::from_seconds(s));
        snapshot.request(desk, &get("/kept", 200), at(100));
        snapshot.late_request(desk, &get("/kept", 200), at(10));
        snapshot.late_request(desk, &Record { latency_us: Some(1 << 40), ..get("/kept", 200) }, at(11));
        snapshot.request(desk, &get("/kept", 200), at(101));
        let steps = snapshot.take_steps(u32::MAX);
        assert_eq!((vec![(100, 1), (101, 1)], 0), counted(&steps, &snapshot, desk));
        assert_eq!(4, snapshot.groups()[0].tally.requests());
    }

    #[test]
    fn only_seconds_that_are_over_are_fetched() {
        let mut snapshot = listening();
        let desk = snapshot.desk(None, Layer::App);
        for n in [3, 1, 2, 1] {
            snapshot.request(desk, &get("/kept", 200), Some(Timestamp::from_seconds(n)));
        }
        let early = snapshot.take_steps(2);
        assert_eq!(vec![(1, 2)], counted(&early, &snapshot, desk).0);
        let rest = snapshot.take_steps(u32::MAX);
        assert_eq!(vec![(2, 1), (3, 1)], counted(&rest, &snapshot, desk).0);
    }

    #[test]
    fn a_few_lines_of_what_went_wrong_are_kept() {
        let mut snapshot = listening();
        let desk = snapshot.desk(None, Layer::App);
        for n in 0..10 {
            let at = Some(Timestamp::from_seconds(n / 5));
            let route = snapshot.request(desk, &get("/kept", 500), at);
            snapshot.example(desk, route, at, format!("GET /kept {n}").as_bytes(), b"/kept");
        }
        let steps = snapshot.take_steps(u32::MAX);
        let lines: Vec<_> = steps.iter().map(|s| s.examples.iter().map(Example::line).collect::<Vec<_>>()).collect();
        assert_eq!(vec![vec!["GET /kept 0", "GET /kept 1"], vec!["GET /kept 5", "GET /kept 6"]], lines);
        assert_eq!("GET /kept", steps[0].examples[0].route);
    }
}
