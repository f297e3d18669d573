//! The heart: everything counted and measured, as something that adds up.
//!
//! `empty`, `record`, `merge`; `stored` adds `store` and `load`. Merging is total and order does not matter: routes are
//! matched by their keys, histograms have fixed shapes, sums are integers, lists are bounded by rules that order cannot
//! change. Recording is done in batches: a request becomes one small `Hit`; every few thousand of them are gathered by
//! group, so that a group's counters, histogram and slots are touched together while they are near.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use super::courses::Course;
use super::courses::CourseKey;
use super::courses::Courses;
use super::doings::Doings;
use super::failures;
use super::failures::Failures;
use super::failures::Mark;
use super::failures::Tie;
use super::group::Group;
use super::group::GroupKey;
use super::group::Layer;
use super::headers::are_logged;
use super::intake::Intake;
use super::intake::Kind;
use super::intake::Kinds;
use super::latency::Bounds;
use super::slots::Slot;
use super::slots::Track;
pub use super::steps::Looks;
use super::steps::Moment;
pub use super::steps::Step;
use super::steps::Steps;
pub use super::steps::Waiting;
use super::tally::Tally;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Exception;
use crate::parse::Record;
use crate::parse::redact;
use crate::route::RouteId;
use crate::route::table::Router;
use crate::time::Timestamp;

pub mod known;
mod listen;

/// Makes a service's router: its templates differ, its rules do not.
pub type Routers = Arc<dyn Fn(Option<&str>) -> Router + Send + Sync>;

/// What a recording needs to know beforehand. Shared by all threads of a run.
#[derive(Clone)]
pub struct Plan {
    /// Limits that are counted exactly in totals.
    pub bounds: Arc<Bounds>,
    /// The configuration's limits alone, in microseconds: counted exactly in every slot.
    pub limits_us: Arc<[u64]>,
    /// Makes routers.
    pub routers: Routers,
    /// Moments at which a new part of time begins, ascending: what lies between two of them is kept apart from the rest,
    /// to three digits. Usually none.
    pub borders: Arc<[Timestamp]>,
    /// Slots are kept for each route, as snapshots and comparisons want them; else for each service alone.
    pub by_route: bool,
}

impl Plan {
    /// The border that begins the part of time in which `time` lies: `None` before the first one, and without a time.
    pub fn since(&self, time: Option<Timestamp>) -> Option<Timestamp> {
        let time = time?;
        let begun = self.borders.partition_point(|border| *border <= time);
        begun.checked_sub(1).and_then(|at| self.borders.get(at)).copied()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("limits_us", &self.limits_us).finish_non_exhaustive()
    }
}

/// Requests of one service on one side of a proxy: its routes and eras.
pub struct Desk {
    /// The service; `None` where nothing names it.
    pub service: Option<String>,
    /// Application or edge.
    pub layer: Layer,
    /// Its route keys.
    pub router: Router,
    /// Versions seen; the first stands for "none logged".
    pub eras: Vec<Era>,
    last_version: Vec<u8>,
    last_since: Option<Timestamp>,
    last_era: usize,
    /// By era and route: the group of each (auth, cache), `NONE` before the first request.
    lanes: Vec<Vec<[u32; LANES]>>,
}

/// One version of a service, within one part of time where the plan has borders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// As logged, at most 64 bytes; empty for "none logged". A pod's hash stands behind [`POD`].
    pub version: String,
    /// The border that begins it; `None` before the first one.
    pub since: Option<Timestamp>,
    /// First and last request of it; not kept for "none logged" without borders.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Requests of it, where `span` is kept.
    pub requests: u64,
}

/// What stands before a pod's template hash where that serves as version.
pub const POD: &str = "pod ";

impl Era {
    /// The version as people know it.
    pub fn name(&self) -> &str {
        self.version.strip_prefix(POD).unwrap_or(&self.version)
    }

    /// The version is a pod's template hash.
    pub fn is_pod(&self) -> bool {
        self.version.starts_with(POD)
    }
}

const LANES: usize = 21;
const NONE: u32 = u32::MAX;
/// Versions kept apart for one service and part of time; more become one.
const ERAS: usize = 64;
/// Renamed routes that are remembered.
const FOLDS: usize = 4_096;
/// Requests gathered before they enter their groups.
const BATCH: usize = 8192;
/// Marks a figure that does not fit in a hit's 32 bits: such a request is recorded by itself.
const ABSENT: u32 = u32::MAX;

/// One request on its way into its group.
#[derive(Debug, Clone, Copy)]
struct Hit {
    group: u32,
    second: u32,
    latency_us: u32,
    bytes: u32,
    status: u16,
}

impl Hit {
    fn moment(&self) -> Moment {
        let Self { group, second, latency_us, bytes, status } = *self;
        Moment { second, group, latency_us, bytes, status }
    }
}

/// Lines of one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotLines {
    /// By kind.
    pub kinds: Kinds,
    /// Exceptions.
    pub exceptions: u64,
    /// Starts of the server's parent process.
    pub starts: u64,
    /// Workers that died or were killed.
    pub worker_deaths: u64,
}

impl SlotLines {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.kinds.add(&other.kinds);
        self.exceptions += other.exceptions;
        self.starts += other.starts;
        self.worker_deaths += other.worker_deaths;
    }
}

/// Everything counted and measured.
pub struct Snapshot {
    plan: Plan,
    desks: Vec<Desk>,
    groups: Vec<Group>,
    /// The course of time, where the plan does not want it by route.
    courses: Courses,
    hits: Vec<Hit>,
    /// The next hit of the same group in the batch; `NONE` at the end.
    links: Vec<u32>,
    /// First and last hit of each group in the batch.
    ends: Vec<(u32, u32)>,
    touched: Vec<u32>,
    width: u32,
    seconds: Option<(u32, u32)>,
    span: Option<(Timestamp, Timestamp)>,
    intake: Intake,
    /// By slot and desk.
    lines: BTreeMap<(u32, u16), SlotLines>,
    /// Lines of the second that is being read, by desk, before they enter `lines`.
    here: Vec<SlotLines>,
    here_second: Option<u32>,
    failures: Failures,
    /// The exceptions of each part of time, by the border that begins it; empty without borders.
    sided: BTreeMap<Option<Timestamp>, Failures>,
    doings: Doings,
    steps: Option<Steps>,
    /// Routes that go under another name.
    folds: Option<Vec<(Option<String>, String, String)>>,
    /// Only steps are kept of requests.
    bare: bool,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("groups", &self.groups.len()).field("span", &self.span).finish_non_exhaustive()
    }
}

/// The width of slots in seconds for a span of event time: 1 s up to 1 h, 1 min up to 14 days, 15 min beyond.
pub fn width_of(seconds: u32) -> u32 {
    match seconds {
        0..=3_600 => 1,
        3_601..=1_209_600 => 60,
        _ => 900,
    }
}

/// The slot a second lies in. The usual widths are constants to the compiler, which spares a division.
#[inline]
fn slot_of(second: u32, width: u32) -> u32 {
    match width {
        1 => second,
        60 => second / 60,
        900 => second / 900,
        width => second / width,
    }
}

fn second_of(time: Timestamp) -> u32 {
    u32::try_from(time.second().max(0)).unwrap_or(u32::MAX - 1)
}

impl Snapshot {
    /// Nothing counted yet.
    pub fn empty(plan: Plan) -> Self {
        Self {
            plan,
            desks: Vec::new(),
            groups: Vec::new(),
            courses: Courses::default(),
            hits: Vec::with_capacity(BATCH),
            links: Vec::with_capacity(BATCH),
            ends: Vec::new(),
            touched: Vec::new(),
            width: 1,
            seconds: None,
            span: None,
            intake: Intake::default(),
            lines: BTreeMap::new(),
            here: Vec::new(),
            here_second: None,
            failures: Failures::default(),
            sided: BTreeMap::new(),
            doings: Doings::default(),
            steps: None,
            folds: None,
            bare: false,
        }
    }

    /// Counts one exception of a service.
    pub fn exception(&mut self, service: Option<&str>, exception: &Exception, mark: Mark) {
        self.failed(mark.time(), |failures| failures.record(service, exception, mark));
        if self.listens() {
            let message = redact::message(&exception.message);
            self.raised(mark.time(), failures::key(service, &exception.kind, &exception.place), Some(message), None);
        }
    }

    /// Notes for the time `at` that an exception failed a route.
    pub fn tie(&mut self, service: Option<&str>, tie: &Tie, at: Option<Timestamp>) {
        self.failed(at, |failures| failures.tie(service, tie));
        self.raised(at, failures::key(service, &tie.kind, &tie.place), None, Some(tie.route.clone()));
    }

    /// The desk of a service and layer, opened where needed.
    pub fn desk(&mut self, service: Option<&str>, layer: Layer) -> usize {
        if let Some(at) = self.desks.iter().position(|d| d.layer == layer && d.service.as_deref() == service) {
            return at;
        }
        self.desks.push(Desk {
            service: service.map(str::to_owned),
            layer,
            router: (self.plan.routers)(service),
            eras: vec![Era::default()],
            last_version: Vec::new(),
            last_since: None,
            last_era: 0,
            lanes: vec![Vec::new()],
        });
        self.desks.len() - 1
    }

    /// Counts one request. `desk` comes from [`Snapshot::desk`]; the record's latency must be the request's own (none for
    /// WebSockets). Says which route it was counted under, until the next call.
    #[inline]
    pub fn request(&mut self, desk: usize, record: &Record<'_>, time: Option<Timestamp>) -> RouteId {
        let status = record.status.unwrap_or(0);
        if self.desks[desk].router.due() {
            self.flush();
            self.fold_all();
        }
        let here = &mut self.desks[desk];
        let route = here.router.id(record.method, record.path, record.route, status == 404 || status == 405);
        // Lengths first: comparing nothing with nothing by `memcmp` touches the address 1, which costs some 40 ns.
        let same = record.version.len() == here.last_version.len()
            && (record.version.is_empty() || record.version == here.last_version.as_slice());
        let bordered = !self.plan.borders.is_empty();
        let since = if bordered { self.plan.since(time) } else { None };
        let era = if same && here.last_since == since { here.last_era } else { here.era(record.version, since) };
        if (era > 0 || bordered)
            && let Some(era) = here.eras.get_mut(era)
        {
            era.requests += 1;
            if let Some(time) = time {
                era.span = Some(era.span.map_or((time, time), |s| (s.0.min(time), s.1.max(time))));
            }
        }
        // what the line does not say the route does; a 401 says that it was nobody
        let unsaid = record.auth == Auth::Unknown && status != 401;
        let auth = if unsaid && here.router.is_authenticated(route) { Auth::Authenticated } else { record.auth };
        let lane = auth as usize * 7 + record.cache as usize;
        let group = match here.lanes.get(era).and_then(|l| l.get(route.0 as usize)) {
            Some(lanes) if lanes[lane] != NONE => lanes[lane],
            _ => self.open_group(desk, era, route, auth, record.cache),
        };
        if are_logged(&record.headers) {
            self.headers(group, status, record);
        }
        let second = match time {
            Some(time) => {
                self.span = Some(self.span.map_or((time, time), |s| (s.0.min(time), s.1.max(time))));
                second_of(time)
            }
            None => ABSENT,
        };
        let small = |value: Option<u64>| match value {
            None => Some(ABSENT),
            Some(v) => u32::try_from(v).ok().filter(|v| *v != ABSENT),
        };
        match (small(record.latency_us), small(record.bytes)) {
            (Some(latency_us), Some(bytes)) => self.hits.push(Hit { group, second, latency_us, bytes, status }),
            _ => self.huge(group, second, status, record),
        }
        if self.hits.len() >= BATCH {
            self.flush();
        }
        route
    }

    /// The key behind a route of a desk.
    pub fn router(&self, desk: usize) -> &Router {
        &self.desks[desk].router
    }

    /// Counts the headers of an answer that a cache could keep.
    #[cold]
    fn headers(&mut self, group: u32, status: u16, record: &Record<'_>) {
        if (200..300).contains(&status) && matches!(record.method, b"" | b"GET" | b"HEAD") {
            self.groups[group as usize].tally.headers.get_or_insert_default().record(&record.headers);
        }
    }

    #[cold]
    fn huge(&mut self, group: u32, second: u32, status: u16, record: &Record<'_>) {
        self.flush();
        if second != ABSENT {
            self.reach(second, second);
        }
        self.groups[group as usize].tally.record(status, record.bytes, record.latency_us, &self.plan.bounds);
        if second != ABSENT {
            let limits = Arc::clone(&self.plan.limits_us);
            let bytes = record.bytes.unwrap_or(0);
            let number = second / self.width;
            let by_route = self.plan.by_route;
            let track = if by_route { &mut self.groups[group as usize].track } else { self.courses.track(group) };
            track.slot(number).record(status, bytes, record.latency_us, if by_route { &limits } else { &[] });
            if let Some(steps) = &mut self.steps {
                let mut slot = Slot::new(second);
                slot.record(status, bytes, record.latency_us, &limits);
                steps.huge(second, group, slot);
            }
        }
    }

    #[cold]
    fn open_group(&mut self, desk: usize, era: usize, route: RouteId, auth: Auth, cache: Cache) -> u32 {
        let key = GroupKey {
            desk: u16::try_from(desk).unwrap_or(u16::MAX),
            era: u16::try_from(era).unwrap_or(u16::MAX),
            route,
            auth,
            cache,
        };
        let group = u32::try_from(self.groups.len()).unwrap_or(NONE - 1);
        // a group is half a kilobyte: not twice as many at a time
        if self.groups.len() == self.groups.capacity() {
            self.groups.reserve_exact((self.groups.len() / 4).max(64));
        }
        self.groups.push(Group { key, tally: Tally::default(), track: Track::default() });
        if !self.plan.by_route
            && let Some(group) = self.groups.last()
        {
            self.courses.next_group(CourseKey::of(group, &self.desks));
        }
        self.ends.push((NONE, NONE));
        self.desks[desk].lane(key, group);
        group
    }

    /// Counts one line of a kind, at the time it belongs to.
    #[inline]
    pub fn line(&mut self, desk: usize, kind: Kind, time: Option<Timestamp>) {
        self.intake.count(kind);
        if let Some(time) = time {
            self.here(desk, second_of(time)).kinds.count(kind);
        }
    }

    /// Counts what happened in a second beside lines: an exception, a start, a worker's death.
    pub fn happened(&mut self, desk: usize, time: Option<Timestamp>, what: &SlotLines) {
        if let Some(time) = time {
            self.here(desk, second_of(time)).add(what);
        }
    }

    #[inline]
    fn here(&mut self, desk: usize, second: u32) -> &mut SlotLines {
        if self.here_second != Some(second) || self.here.len() <= desk {
            self.turn(desk, second);
        }
        &mut self.here[desk]
    }

    #[cold]
    fn turn(&mut self, desk: usize, second: u32) {
        if self.here_second != Some(second) {
            // lines of one slot are gathered over its seconds, unless somebody wants each of them
            let same = |last| slot_of(last, self.width) == slot_of(second, self.width);
            if self.steps.is_some() || !self.here_second.is_some_and(same) {
                self.settle();
            }
            self.here_second = Some(second);
        }
        self.here.resize(self.here.len().max(desk + 1), SlotLines::default());
    }

    /// The intake, to be counted into.
    pub fn intake_mut(&mut self) -> &mut Intake {
        &mut self.intake
    }

    /// What was read.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Counts into the exceptions of everything, and into those of the part of time that `time` lies in.
    fn failed(&mut self, time: Option<Timestamp>, count: impl Fn(&mut Failures)) {
        count(&mut self.failures);
        if !self.plan.borders.is_empty() {
            count(self.sided.entry(self.plan.since(time)).or_default());
        }
    }

    /// The exceptions.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    /// The exceptions of each part of time, by the border that begins it; empty without borders.
    pub fn failures_since(&self) -> &BTreeMap<Option<Timestamp>, Failures> {
        &self.sided
    }

    /// What servers said of themselves, to be counted into.
    pub fn doings_mut(&mut self) -> &mut Doings {
        &mut self.doings
    }

    /// What servers said of themselves.
    pub fn doings(&self) -> &Doings {
        &self.doings
    }

    /// Widens the slots where the span of event time now asks for it.
    fn reach(&mut self, first: u32, last: u32) {
        let (first, last) = self.seconds.map_or((first, last), |s| (s.0.min(first), s.1.max(last)));
        self.seconds = Some((first, last));
        self.widen(width_of(last - first));
    }

    fn widen(&mut self, width: u32) {
        if width <= self.width {
            return;
        }
        let by = width / self.width;
        for group in &mut self.groups {
            group.track.coarsen(by);
        }
        self.courses.coarsen(by);
        let mut lines = BTreeMap::<(u32, u16), SlotLines>::new();
        for ((slot, desk), here) in &self.lines {
            lines.entry((slot / by, *desk)).or_default().add(here);
        }
        self.lines = lines;
        self.width = width;
    }

    /// Takes the gathered hits into their groups. Called by itself; before anything is read from the groups.
    pub fn flush(&mut self) {
        let dated = self.hits.iter().filter(|h| h.second != ABSENT).map(|h| h.second);
        if let Some(first) = dated.clone().min() {
            let last = dated.max().unwrap_or(first);
            self.reach(first, last);
        }
        self.see_groups();
        if let Some(steps) = &mut self.steps {
            steps.extend(self.hits.iter().filter(|h| h.second != ABSENT).map(Hit::moment));
            if self.bare {
                self.hits.clear();
                return;
            }
        }
        if !self.plan.by_route {
            self.flush_courses();
        }
        self.links.clear();
        self.links.resize(self.hits.len(), NONE);
        for (i, hit) in (0..).zip(&self.hits) {
            let ends = &mut self.ends[hit.group as usize];
            if ends.0 == NONE {
                ends.0 = i;
                self.touched.push(hit.group);
            } else {
                self.links[ends.1 as usize] = i;
            }
            ends.1 = i;
        }
        for &group in &self.touched {
            let mut at = std::mem::replace(&mut self.ends[group as usize], (NONE, NONE)).0;
            let Group { tally, track, .. } = &mut self.groups[group as usize];
            while at != NONE {
                let second = self.hits[at as usize].second;
                let number = if self.plan.by_route { slot_of(second, self.width) } else { 0 };
                let mut slot = (second != ABSENT && self.plan.by_route).then(|| track.slot(number));
                // as a rule the next one lies in the same slot
                while at != NONE {
                    let hit = self.hits[at as usize];
                    if self.plan.by_route
                        && hit.second != second
                        && (second == ABSENT || hit.second == ABSENT || slot_of(hit.second, self.width) != number)
                    {
                        break;
                    }
                    let latency_us = (hit.latency_us != ABSENT).then_some(u64::from(hit.latency_us));
                    let bytes = (hit.bytes != ABSENT).then_some(u64::from(hit.bytes));
                    tally.record(hit.status, bytes, latency_us, &self.plan.bounds);
                    if let Some(slot) = &mut slot {
                        slot.record(hit.status, bytes.unwrap_or(0), latency_us, &self.plan.limits_us);
                    }
                    at = self.links[at as usize];
                }
            }
        }
        self.touched.clear();
        self.hits.clear();
    }

    /// The gathered hits enter the courses, in the order they came: as a rule that of time, so that the next one lies in the
    /// same slot of the same course.
    fn flush_courses(&mut self) {
        let width = self.width;
        let (of_group, courses) = self.courses.parts();
        let mut hits = self.hits.iter().filter(|hit| hit.second != ABSENT);
        let mut next = hits.next();
        while let Some(first) = next {
            let course = of_group[first.group as usize];
            let number = slot_of(first.second, width);
            let (from, slot) = (number * width, courses[course as usize].track.slot(number));
            let same = |hit: &&Hit| hit.second.wrapping_sub(from) < width && of_group[hit.group as usize] == course;
            while let Some(hit) = next.filter(same) {
                let latency_us = (hit.latency_us != ABSENT).then_some(u64::from(hit.latency_us));
                let bytes = if hit.bytes == ABSENT { 0 } else { u64::from(hit.bytes) };
                slot.record(hit.status, bytes, latency_us, &[]);
                next = hits.next();
            }
        }
    }

    /// Brings all routers back to their bounds. No hit may be waiting.
    #[cold]
    fn fold_all(&mut self) {
        for desk in 0..self.desks.len() {
            let moved = self.desks[desk].router.fold();
            if !moved.is_empty() {
                self.note_folds(desk, &moved);
                self.fold(desk, &moved.into_iter().collect());
            }
        }
    }

    /// After a router has folded its keys: groups that are one now become one.
    fn fold(&mut self, desk: usize, moved: &BTreeMap<RouteId, RouteId>) {
        let before = self.numbered(|key| {
            let to = moved.get(&key.route).filter(|_| usize::from(key.desk) == desk);
            GroupKey { route: to.copied().unwrap_or(key.route), ..key }
        });
        let mut kept: BTreeMap<GroupKey, Group> = BTreeMap::new();
        for mut group in std::mem::take(&mut self.groups) {
            if usize::from(group.key.desk) == desk
                && let Some(to) = moved.get(&group.key.route)
            {
                group.key.route = *to;
            }
            take_in(&mut kept, group);
        }
        self.rebuild(kept);
        self.renumber(&before);
    }

    /// The course of time of whole services; empty where the plan wants it by route.
    pub fn courses(&self) -> &[Course] {
        self.courses.all()
    }

    fn rebuild(&mut self, kept: BTreeMap<GroupKey, Group>) {
        self.groups = kept.into_values().collect();
        if let Some(steps) = &mut self.steps {
            steps.forget_groups();
        }
        self.ends = vec![(NONE, NONE); self.groups.len()];
        for desk in &mut self.desks {
            desk.lanes.iter_mut().for_each(Vec::clear);
        }
        for (i, group) in (0..).zip(&self.groups) {
            self.desks[usize::from(group.key.desk)].lane(group.key, i);
        }
        if !self.plan.by_route {
            self.courses.forget_groups();
            for group in &mut self.groups {
                let key = CourseKey::of(group, &self.desks);
                self.courses.next_group(key);
                if !group.track.is_empty() {
                    self.courses.add(key, std::mem::take(&mut group.track));
                }
            }
        }
    }

    /// Adds another snapshot of the same plan; order does not matter. Steps that nobody fetched are lost.
    pub fn merge(&mut self, mut other: Self) {
        other.flush();
        self.flush();
        other.settle();
        self.settle();
        let seconds = match (self.seconds, other.seconds) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        let width = seconds.map_or(1, |s| width_of(s.1 - s.0)).max(self.width).max(other.width);
        self.widen(width);
        other.widen(width);
        self.seconds = seconds;
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.intake.add(&other.intake);
        self.failures.merge(std::mem::take(&mut other.failures));
        for (since, failures) in std::mem::take(&mut other.sided) {
            self.sided.entry(since).or_default().merge(failures);
        }
        self.doings.merge(std::mem::take(&mut other.doings));
        let before = self.numbered(|key| key);
        let mut kept: BTreeMap<GroupKey, Group> = BTreeMap::new();
        for group in std::mem::take(&mut self.groups) {
            take_in(&mut kept, group);
        }
        let desks: Vec<Adopted> = other.desks.iter().map(|desk| self.adopt(desk)).collect();
        for ((slot, desk), here) in &other.lines {
            let desk = u16::try_from(desks[usize::from(*desk)].desk).unwrap_or(u16::MAX);
            self.lines.entry((*slot, desk)).or_default().add(here);
        }
        for course in other.courses.take() {
            let to = &desks[usize::from(course.key.desk)];
            let desk = u16::try_from(to.desk).unwrap_or(u16::MAX);
            let key = CourseKey { desk, era: to.eras[usize::from(course.key.era)], ..course.key };
            self.courses.add(key, course.track);
        }
        for mut group in std::mem::take(&mut other.groups) {
            let from = usize::from(group.key.desk);
            let key = other.desks[from].router.key(group.key.route);
            let to = &desks[from];
            group.key.desk = u16::try_from(to.desk).unwrap_or(u16::MAX);
            group.key.era = to.eras[usize::from(group.key.era)];
            group.key.route = self.desks[to.desk].router.adopt(key);
            take_in(&mut kept, group);
        }
        self.rebuild(kept);
        self.renumber(&before);
        self.fold_all();
    }

    fn adopt(&mut self, other: &Desk) -> Adopted {
        let desk = self.desk(other.service.as_deref(), other.layer);
        let eras = other
            .eras
            .iter()
            .map(|era| {
                let at = self.desks[desk].era(era.version.as_bytes(), era.since);
                let own = &mut self.desks[desk].eras[at];
                own.requests += era.requests;
                own.span = match (own.span, era.span) {
                    (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                    (a, b) => a.or(b),
                };
                u16::try_from(at).unwrap_or(u16::MAX)
            })
            .collect();
        Adopted { desk, eras }
    }

    /// Lines of the current second enter their slot.
    fn settle(&mut self) {
        let Some(second) = self.here_second.take() else { return };
        for (desk, here) in (0u16..).zip(&mut self.here) {
            let here = std::mem::take(here);
            if here == SlotLines::default() {
                continue;
            }
            if !self.bare {
                self.lines.entry((second / self.width, desk)).or_default().add(&here);
            }
            if let Some(steps) = &mut self.steps {
                steps.lines(second, desk, &here);
            }
        }
    }

    /// Makes everything recorded visible to the readers below.
    pub fn close(&mut self) {
        self.flush();
        self.settle();
        self.fold_all();
    }

    /// The plan it was recorded with.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Services and layers, in the order they were first seen.
    pub fn desks(&self) -> &[Desk] {
        &self.desks
    }

    /// All groups, in no meaningful order. Call [`Snapshot::close`] before.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The width of slots in seconds.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// First and last request's time.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// Lines by slot and desk. Call [`Snapshot::close`] before.
    pub fn lines(&self) -> &BTreeMap<(u32, u16), SlotLines> {
        &self.lines
    }

    pub(super) fn parts_mut(&mut self) -> Parts<'_> {
        Parts {
            desks: &mut self.desks,
            seconds: &mut self.seconds,
            span: &mut self.span,
            width: &mut self.width,
            intake: &mut self.intake,
            lines: &mut self.lines,
            failures: &mut self.failures,
            sided: &mut self.sided,
            doings: &mut self.doings,
        }
    }

    pub(super) fn seconds(&self) -> Option<(u32, u32)> {
        self.seconds
    }

    pub(super) fn put_groups(&mut self, groups: Vec<Group>) {
        let mut kept = BTreeMap::new();
        for group in groups {
            take_in(&mut kept, group);
        }
        self.rebuild(kept);
    }
}

/// What loading fills in.
pub(super) struct Parts<'a> {
    pub(super) desks: &'a mut Vec<Desk>,
    pub(super) seconds: &'a mut Option<(u32, u32)>,
    pub(super) span: &'a mut Option<(Timestamp, Timestamp)>,
    pub(super) width: &'a mut u32,
    pub(super) intake: &'a mut Intake,
    pub(super) lines: &'a mut BTreeMap<(u32, u16), SlotLines>,
    pub(super) failures: &'a mut Failures,
    pub(super) sided: &'a mut BTreeMap<Option<Timestamp>, Failures>,
    pub(super) doings: &'a mut Doings,
}

struct Adopted {
    desk: usize,
    eras: Vec<u16>,
}

fn take_in(kept: &mut BTreeMap<GroupKey, Group>, group: Group) {
    match kept.entry(group.key) {
        std::collections::btree_map::Entry::Vacant(free) => {
            free.insert(group);
        }
        std::collections::btree_map::Entry::Occupied(mut same) => {
            same.get_mut().tally.merge(&group.tally);
            same.get_mut().track.merge(group.track);
        }
    }
}

impl Desk {
    /// The era of a version, opened where needed. More than 64 versions: the rest is one.
    pub(super) fn open_era(&mut self, version: &[u8], since: Option<Timestamp>) -> usize {
        self.era(version, since)
    }

    fn era(&mut self, version: &[u8], since: Option<Timestamp>) -> usize {
        let name = String::from_utf8_lossy(version.get(..64).unwrap_or(version)).into_owned();
        let is = |e: &Era, name: &str| e.version == name && e.since == since;
        let at = self.eras.iter().position(|e| is(e, &name)).unwrap_or_else(|| {
            let full = self.eras.len() >= ERAS && self.eras.iter().filter(|e| e.since == since).count() >= ERAS;
            let name = if full { "(other)".to_owned() } else { name };
            self.eras.iter().position(|e| is(e, &name)).unwrap_or_else(|| {
                self.eras.push(Era { version: name, since, ..Era::default() });
                self.lanes.push(Vec::new());
                self.eras.len() - 1
            })
        });
        self.last_version.clear();
        self.last_version.extend_from_slice(version);
        self.last_since = since;
        self.last_era = at;
        at
    }

    fn lane(&mut self, key: GroupKey, group: u32) {
        let lanes = &mut self.lanes[usize::from(key.era)];
        let route = key.route.0 as usize;
        if lanes.len() <= route {
            lanes.resize(route + 1, [NONE; LANES]);
        }
        lanes[route][key.auth as usize * 7 + key.cache as usize] = group;
    }
}
