//! What happened in each second, for whoever judges: kept as it comes while recording, put in order when it is fetched.
//!
//! Recording appends, so that listening costs a few nanoseconds a request, and where nobody looks at latencies counts
//! requests of a kind together at once; grouping by second waits for
//! [`Snapshot::take_steps`](super::snapshot::Snapshot::take_steps), or for each second of
//! [`Snapshot::waiting_steps`](super::snapshot::Snapshot::waiting_steps). Numbers of groups follow the snapshot's when it
//! renumbers them. Beside counts stand what explains them: exceptions, and redacted lines of requests that went wrong.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use super::counts::ErrorRule;
use super::failures::FailureKey;
use super::group::GroupKey;
use super::slots::Slot;
use super::snapshot::SlotLines;
use crate::parse::redact;
use crate::route::RouteId;
use crate::route::RouteKey;
use smallvec::SmallVec;

/// What happened in one second: what judging folds over.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Seconds since 1970.
    pub second: u32,
    /// What each group did, each once; slots are tidy.
    pub groups: Vec<(GroupKey, Slot)>,
    /// Lines of each desk, ascending.
    pub lines: Vec<(u16, SlotLines)>,
    /// Exceptions, in the order they were settled.
    pub raised: Vec<Raise>,
    /// Lines of requests that went wrong: a few.
    pub examples: Vec<Example>,
    /// Slots that are done with: their memory serves again.
    pub spare: Vec<Slot>,
}

impl Step {
    /// The room of it, for another second.
    #[must_use]
    pub fn emptied(self) -> Self {
        let Self { mut groups, mut lines, mut raised, mut examples, mut spare, .. } = self;
        let free = SPARE.saturating_sub(spare.len());
        spare.extend(groups.drain(..).take(free).map(|(_, slot)| slot));
        lines.clear();
        raised.clear();
        examples.clear();
        Self { second: 0, groups, lines, raised, examples, spare }
    }

    /// Where what a group did is to be added; what one did comes in one go.
    fn slot_of(&mut self, key: GroupKey) -> &mut Slot {
        if self.groups.last().is_none_or(|(same, _)| *same != key) {
            let mut slot = self.spare.pop().unwrap_or_default();
            slot.clear(self.second);
            self.groups.push((key, slot));
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last].1
    }

    /// Adds what groups did beside to what is there of them already.
    fn add(&mut self, beside: impl Iterator<Item = (GroupKey, Slot)>) {
        let mut places: BTreeMap<GroupKey, usize> = (0..).zip(&self.groups).map(|(at, (key, _))| (*key, at)).collect();
        for (key, slot) in beside {
            let at = *places.entry(key).or_insert(self.groups.len());
            if at == self.groups.len() {
                self.groups.push((key, Slot::new(self.second)));
            }
            let here = &mut self.groups[at].1;
            here.add(&slot);
            here.tidy();
        }
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

impl Looks {
    /// Whether it matters which route answered so, without latencies.
    fn tells_apart(&self, status: u16) -> bool {
        self.blames.as_ref().is_none_or(|errors| errors.is_error(status))
    }
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
    /// What its request was counted under.
    pub route: Arc<RouteKey>,
    /// The line as it came, and behind it the path in it; or redacted.
    text: Vec<u8>,
    /// Where the path begins; `None` for a redacted line.
    path_at: Option<usize>,
}

/// Longer lines are redacted at once, which makes them short.
const LONG: usize = 2_048;

impl Example {
    /// A line about a request for `path`, of which `route` is the key.
    pub fn new(service: Option<&str>, route: &Arc<RouteKey>, text: &[u8], path: &[u8]) -> Self {
        let (text, path_at) = if text.len() > LONG {
            (redacted(text, path, &route.path).into_bytes(), None)
        } else {
            ([text, path].concat(), Some(text.len()))
        };
        Self { service: service.map(str::to_owned), route: Arc::clone(route), text, path_at }
    }

    /// Another one of the same service, in the memory of this one.
    #[must_use]
    pub fn becoming(mut self, other: &Self) -> Self {
        self.text.clear();
        self.text.extend_from_slice(&other.text);
        Self { route: Arc::clone(&other.route), path_at: other.path_at, ..self }
    }

    /// The redacted line.
    pub fn line(&self) -> String {
        match self.path_at.and_then(|at| self.text.split_at_checked(at)) {
            Some((text, path)) => redacted(text, path, &self.route.path),
            None => String::from_utf8_lossy(&self.text).into_owned(),
        }
    }
}

fn redacted(text: &[u8], path: &[u8], template: &str) -> String {
    redact::example(&String::from_utf8_lossy(text), &String::from_utf8_lossy(path), template)
}

/// One request.
#[derive(Debug, Clone, Copy, Default)]
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
/// Exceptions between two fetches, at most; those beyond are counted in totals alone. More than any stretch of an archive
/// or look at a log can hold.
const RAISED: usize = 100_000;
/// Groups of one second for which room is made before they come.
const ROOM: usize = 64;
/// Slots whose memory is kept for the next second.
const SPARE: usize = 64;
/// Kinds of a second among which one more request looks for its own.
const KINDS: usize = 32;
/// Lines between two fetches, at most.
const EXAMPLES: usize = 20_000;
/// Lines of one second and service, at most.
const EXAMPLES_HERE: usize = 2;

/// Requests of one group and status in one second, counted together.
#[derive(Debug, Clone, Copy, Default)]
struct Lump {
    second: u32,
    group: u32,
    status: u16,
    n: u32,
    bytes: u64,
}

/// What groups have in common that stand for each other: all of the key but its route, and the route's kind.
type Alikeness = (GroupKey, [bool; 3]);

/// Which group stands for which where routes are not told apart: the first of its kind.
#[derive(Debug, Default)]
pub(super) struct Stands {
    by_group: Vec<u32>,
    first: BTreeMap<Alikeness, u32>,
    /// What stood for what before groups got other numbers.
    former: BTreeMap<u32, Alikeness>,
}

impl Stands {
    /// The next group, and the kind of its route.
    pub(super) fn know(&mut self, key: GroupKey, kind: [bool; 3]) {
        let own = u32::try_from(self.by_group.len()).unwrap_or(u32::MAX);
        self.by_group.push(*self.first.entry((GroupKey { route: RouteId(0), ..key }, kind)).or_insert(own));
    }

    /// The group that stands for another.
    #[inline]
    fn of(&self, group: u32) -> u32 {
        self.by_group.get(group as usize).copied().unwrap_or(group)
    }
}

/// Seconds kept for whoever listens.
#[derive(Debug, Default)]
pub(super) struct Steps {
    looks: Looks,
    /// Where latencies are looked at: request by request.
    moments: Vec<Moment>,
    /// Where they are not.
    lumps: Vec<Lump>,
    /// Where those of the last second begin.
    from: usize,
    stands: Stands,
    /// Those with a figure of more than 32 bits: second, group, and the slot they make.
    huge: Vec<(u32, u32, Slot)>,
    /// By second and desk, in the order of coming.
    lines: Vec<(u32, u16, SlotLines)>,
    raised: Vec<(u32, Raise)>,
    examples: Vec<(u32, Example)>,
    /// Requests that come now are in none.
    deaf: bool,
}

impl Steps {
    pub(super) fn new(looks: Looks) -> Self {
        Self { looks, ..Self::default() }
    }

    /// What is looked at.
    pub(super) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Takes requests in, in the order of their coming. Groups must be known, where [`Steps::unknown`] asks for them.
    pub(super) fn extend(&mut self, moments: impl Iterator<Item = Moment>) {
        match self.looks.latencies {
            _ if self.deaf => {}
            true => self.moments.extend(moments),
            false => moments.for_each(|moment| self.count(&moment)),
        }
    }

    /// Counts a request with its kind: its status and its group, or the one that stands for it.
    fn count(&mut self, moment: &Moment) {
        let Moment { second, status, .. } = *moment;
        let group = if self.looks.tells_apart(status) { moment.group } else { self.stands.of(moment.group) };
        if self.lumps.get(self.from).is_none_or(|lump| lump.second != second) {
            self.from = self.lumps.len();
        }
        let here = self.lumps.get_mut(self.from..).unwrap_or_default();
        match here.iter_mut().take(KINDS).find(|lump| (lump.group, lump.status) == (group, status)) {
            Some(lump) => (lump.n, lump.bytes) = (lump.n + 1, lump.bytes + moment.bytes()),
            None => self.lumps.push(Lump { second, group, status, n: 1, bytes: moment.bytes() }),
        }
    }

    /// The first group of which it is not known yet which one stands for it, if that is of interest.
    pub(super) fn unknown(&self) -> Option<usize> {
        (!self.looks.latencies && self.looks.blames.is_some()).then_some(self.stands.by_group.len())
    }

    /// The next group, and the kind of its route.
    pub(super) fn know(&mut self, key: GroupKey, kind: [bool; 3]) {
        self.stands.know(key, kind);
    }

    /// Groups get other numbers.
    pub(super) fn forget_groups(&mut self) {
        let former = std::mem::take(&mut self.stands.first).into_iter().map(|(alike, group)| (group, alike)).collect();
        self.stands = Stands { former, ..Stands::default() };
    }

    pub(super) fn huge(&mut self, second: u32, group: u32, slot: Slot) {
        if !self.deaf {
            self.huge.push((second, group, slot));
        }
    }

    /// Whether requests that come from now on are in no second.
    pub(super) fn set_deaf(&mut self, deaf: bool) {
        self.deaf = deaf;
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

    /// Whether any request waits.
    pub(super) fn has_requests(&self) -> bool {
        !(self.moments.is_empty() && self.lumps.is_empty() && self.huge.is_empty())
    }

    /// Groups have other numbers from now on, and are known by them. Where one stood for others, one that is of their kind
    /// now does, whatever became of it.
    pub(super) fn renumber(&mut self, new: &[u32]) {
        let to = |group: &mut u32| *group = new.get(*group as usize).copied().unwrap_or(*group);
        self.moments.iter_mut().for_each(|moment| to(&mut moment.group));
        let Self { lumps, stands, looks, .. } = self;
        for lump in lumps {
            let alike = stands.former.get(&lump.group).filter(|_| !looks.tells_apart(lump.status));
            match alike.and_then(|alike| stands.first.get(alike)) {
                Some(stand) => lump.group = *stand,
                None => to(&mut lump.group),
            }
        }
        self.huge.iter_mut().for_each(|huge| to(&mut huge.1));
    }

    /// Takes what happened before the second `end`.
    pub(super) fn take(&mut self, end: u32) -> Waiting {
        let mut lines = apart(&mut self.lines, |l| l.0 < end);
        let mut moments = apart(&mut self.moments, |m| m.second < end);
        let mut lumps = apart(&mut self.lumps, |l| l.second < end);
        self.from = self.lumps.len();
        let mut huge = apart(&mut self.huge, |h| h.0 < end);
        let mut raised = apart(&mut self.raised, |r| r.0 < end);
        let mut examples = apart(&mut self.examples, |e| e.0 < end);
        // As a rule they come in order of time, and few share a second.
        moments.sort_by_key(|m| m.second);
        lumps.sort_by_key(|l| l.second);
        huge.sort_by_key(|h| (h.0, h.1));
        lines.sort_by_key(|l| (l.0, l.1));
        raised.sort_by_key(|r| r.0);
        examples.sort_by_key(|e| e.0);
        Waiting {
            moments: Taken::new(moments),
            lumps: Taken::new(lumps),
            huge: huge.into(),
            lines: lines.into(),
            raised: raised.into(),
            examples: examples.into(),
            alike: None,
        }
    }
}

/// What is told of one second after another.
#[derive(Debug, Default)]
struct Taken<T> {
    /// By second.
    all: Vec<T>,
    /// Those before it were told.
    told: usize,
}

impl<T> Taken<T> {
    fn new(all: Vec<T>) -> Self {
        Self { all, told: 0 }
    }

    fn first(&self) -> Option<&T> {
        self.all.get(self.told)
    }

    /// Goes on behind those for which `is` holds, and gives them.
    fn next_while(&mut self, is: impl Fn(&T) -> bool) -> &mut [T] {
        let rest = self.all.get_mut(self.told..).unwrap_or_default();
        let here = rest.iter().position(|one| !is(one)).unwrap_or(rest.len());
        self.told += here;
        rest.get_mut(..here).unwrap_or_default()
    }
}

/// Seconds that were taken and are to be told of, in order. Each is made when it is asked for, in the room of one that is
/// done with: what an archive did in an hour never lies in memory second by second.
#[derive(Debug, Default)]
pub struct Waiting {
    moments: Taken<Moment>,
    lumps: Taken<Lump>,
    /// By second and group.
    huge: VecDeque<(u32, u32, Slot)>,
    /// By second and desk.
    lines: VecDeque<(u32, u16, SlotLines)>,
    raised: VecDeque<(u32, Raise)>,
    examples: VecDeque<(u32, Example)>,
    alike: Option<Alike>,
}

/// What need not be told apart by route: where nothing went wrong on a route in a second, one of its kind stands for it.
#[derive(Debug)]
pub(super) struct Alike {
    pub(super) stands: Stands,
    /// Which statuses are wrong.
    pub(super) errors: ErrorRule,
    /// Latencies above this are, in microseconds.
    pub(super) slow_us: u64,
}

impl Alike {
    fn is_wrong(&self, moment: &Moment) -> bool {
        self.errors.is_error(moment.status) || (moment.latency_us != NOT && u64::from(moment.latency_us) > self.slow_us)
    }

    /// Puts the moments of one second under the groups that stand for theirs.
    fn put_together(&self, moments: &mut [Moment]) {
        let mut wrong: SmallVec<[u32; 8]> = moments.iter().filter(|m| self.is_wrong(m)).map(|m| m.group).collect();
        wrong.sort_unstable();
        wrong.dedup();
        for moment in moments.iter_mut().filter(|m| wrong.binary_search(&m.group).is_err()) {
            moment.group = self.stands.of(moment.group);
        }
    }
}

impl Waiting {
    /// From now on routes alike are told of as one.
    pub(super) fn tell_alike(&mut self, alike: Alike) {
        self.alike = Some(alike);
    }

    /// The next second, in the `room` of another. `key` names a group, `limits_us` are those counted exactly.
    pub(super) fn next(&mut self, key: impl Fn(u32) -> GroupKey, limits_us: &[u64], room: Step) -> Option<Step> {
        let second = self.second()?;
        let mut step = Step { second, ..room.emptied() };
        let lumps = self.lumps.next_while(|l| l.second == second);
        lumps.sort_unstable_by_key(|l| (l.group, l.status));
        for lump in lumps {
            step.slot_of(key(lump.group)).count(lump.status, lump.n, lump.bytes);
        }
        let moments = self.moments.next_while(|m| m.second == second);
        if let Some(alike) = &self.alike {
            alike.put_together(moments);
        }
        group(moments, &key, limits_us, &mut step);
        if self.huge.front().is_some_and(|h| h.0 == second) {
            let here = std::iter::from_fn(|| next_if(&mut self.huge, |h| h.0 == second));
            step.add(here.map(|(_, group, slot)| (key(group), slot)));
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

    /// The second that comes next.
    fn second(&self) -> Option<u32> {
        // No second has this number.
        let none = u32::MAX;
        let next = self.moments.first().map_or(none, |m| m.second);
        let next = next.min(self.lumps.first().map_or(none, |l| l.second));
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

/// Puts the moments of one second into their groups' slots.
fn group(moments: &mut [Moment], key: impl Fn(u32) -> GroupKey, limits_us: &[u64], step: &mut Step) {
    moments.sort_unstable_by_key(|m| m.group);
    step.groups.reserve(moments.len().min(ROOM));
    for of_group in moments.chunk_by(|a, b| a.group == b.group) {
        let Some(first) = of_group.first() else { continue };
        let slot = step.slot_of(key(first.group));
        for moment in of_group {
            let latency_us = (moment.latency_us != NOT).then_some(u64::from(moment.latency_us));
            slot.record(moment.status, moment.bytes(), latency_us, limits_us);
        }
        slot.tidy();
    }
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

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

    /// One request of a test: second, path, status, bytes, whether it comes when its second is over.
    type Came = (u32, String, u16, u64, bool);

    /// More than 32 bits hold: such requests are kept by themselves, with their latency.
    const HUGE: u64 = 1 << 33;

    fn came() -> impl Strategy<Value = Vec<Came>> {
        let path = prop_oneof![
            8 => "/page/[a-h][a-f]",
            1 => Just("/health".to_owned()),
        ];
        let status = prop_oneof![6 => Just(200_u16), 2 => Just(404), 1 => Just(500), 1 => Just(503)];
        let bytes = prop_oneof![9 => 0..9_u64, 1 => HUGE..HUGE + 9];
        let one = (1..5_u32, path, status, bytes, prop::bool::weighted(0.1));
        // As a rule in the order of time: then many share a second.
        (prop::collection::vec(one, 0..300), prop::bool::weighted(0.7)).prop_map(|(mut all, ordered)| {
            if ordered {
                all.sort_by_key(|came: &Came| came.0);
            }
            all
        })
    }

    /// What is told of these requests, by second, what they have in common, and status: how many, and bytes of answers.
    fn told(all: &[Came], looks: &Looks, common: impl Fn(&RouteKey, u16) -> String) -> BTreeMap<(u32, String, u16), u64> {
        let mut snapshot = listening();
        snapshot.listen_for(looks);
        let desk = snapshot.desk(None, Layer::App);
        for (second, path, status, bytes, late) in all {
            let time = Some(Timestamp::from_seconds(i64::from(*second)));
            let record = Record { bytes: Some(*bytes), ..get(path, *status) };
            let take = if *late { Snapshot::late_request } else { Snapshot::request };
            take(&mut snapshot, desk, &record, time);
        }
        let mut waiting = snapshot.waiting_steps();
        let (mut sums, mut room, mut timed) = (BTreeMap::new(), Step::default(), 0);
        while let Some(step) = snapshot.next_step(&mut waiting, room) {
            let mut bytes = BTreeMap::<_, u64>::new();
            let keys: BTreeSet<_> = step.groups.iter().map(|(key, _)| key).collect();
            assert_eq!(keys.len(), step.groups.len());
            for (key, slot) in &step.groups {
                let key = snapshot.router(desk).key(key.route);
                assert!(slot.statuses.is_sorted());
                timed += usize::try_from(slot.timed).unwrap();
                for (status, n) in &slot.statuses {
                    *sums.entry((step.second, common(key, *status), *status)).or_default() += u64::from(*n);
                }
                *bytes.entry(step.second).or_default() += slot.bytes;
            }
            sums.extend(bytes.into_iter().map(|(second, bytes)| ((second, String::new(), 0), bytes)));
            room = step;
        }
        assert_eq!(all.iter().filter(|came| came.3 >= HUGE && !came.4).count(), timed);
        sums
    }

    /// The same, added up from the requests themselves.
    fn summed(all: &[Came], common: impl Fn(&str, u16) -> String) -> BTreeMap<(u32, String, u16), u64> {
        let mut sums = BTreeMap::new();
        for (second, path, status, bytes, _) in all.iter().filter(|came| !came.4) {
            *sums.entry((*second, common(path, *status), *status)).or_default() += 1;
            *sums.entry((*second, String::new(), 0)).or_default() += bytes;
        }
        sums
    }

    proptest! {
        /// Where latencies are no matter, seconds still hold every request: each route's errors, and of all others how
        /// many probes, refused ones and requests of any other route.
        #[test]
        fn without_latencies_errors_are_told_by_route_and_all_others_by_kind(all in came()) {
            let looks = Looks { blames: Some(ErrorRule::default()), latencies: false };
            let kind = |probe, refused| format!("{probe} {refused}");
            let got = told(&all, &looks, |key, status| {
                if status >= 500 { key.path.clone() } else { kind(key.probe, key.refused) }
            });
            let want = summed(&all, |path, status| {
                if status >= 500 { path.to_owned() } else { kind(path == "/health", status == 404 && path != "/health") }
            });
            prop_assert_eq!(want, got);
        }

        /// Where every route is looked at, each has its own numbers, however many there are in a second.
        #[test]
        fn without_latencies_every_route_has_its_own_numbers_where_it_is_looked_at(all in came()) {
            let got = told(&all, &Looks { blames: None, latencies: false }, |key, _| key.path.clone());
            prop_assert_eq!(summed(&all, |path, _| path.to_owned()), got);
        }
    }

    /// Requests of `GET /kept` by second, and of all others.
    fn counted(steps: &[Step], snapshot: &Snapshot, desk: usize) -> (Vec<(u32, u64)>, u64) {
        of("/kept", steps, snapshot, desk)
    }

    /// Requests of a path by second, and of all others.
    fn of(path: &str, steps: &[Step], snapshot: &Snapshot, desk: usize) -> (Vec<(u32, u64)>, u64) {
        let (mut kept, mut others) = (Vec::new(), 0);
        for step in steps {
            for (key, slot) in &step.groups {
                if snapshot.router(desk).key(key.route).path == path {
                    kept.push((step.second, slot.requests()));
                } else {
                    others += slot.requests();
                }
            }
        }
        (kept, others)
    }

    #[test]
    fn seconds_that_wait_keep_their_groups_when_routes_are_folded() {
        let of_errors = Looks { blames: Some(ErrorRule::default()), latencies: false };
        let of_all = Looks { blames: None, latencies: false };
        // With one that stands for its kind: a probe's own, and a route's errors.
        let cases = [
            ("/kept", 200, Looks::default()),
            ("/kept", 200, of_all),
            ("/kept", 500, of_errors.clone()),
            ("/health", 200, of_errors),
        ];
        for (path, status, looks) in cases {
            let mut snapshot = listening();
            snapshot.listen_for(&looks);
            let desk = snapshot.desk(None, Layer::App);
            for n in 0..60_000_u32 {
                let time = Some(Timestamp::from_seconds(i64::from(n / 20_000)));
                let own = format!("/page/some-title-{}/x{n}y", n % 7919);
                snapshot.request(desk, &get(if n % 100 == 50 { path } else { &own }, status), time);
            }
            let steps = snapshot.take_steps(u32::MAX);
            assert_eq!((vec![(0, 200), (1, 200), (2, 200)], 59_400), of(path, &steps, &snapshot, desk), "{path} {looks:?}");
        }
    }

    /// Of 20 names that the log gives, each a probe's, most are one route in the end, which is none.
    #[test]
    fn a_probe_is_told_of_as_one_whatever_becomes_of_the_first() {
        let limits = table::Limits { most: 4, ..table::Limits::default() };
        let settings = table::Settings { limits, ..table::Settings::default() };
        let routers = Arc::new(move |_: Option<&str>| Router::new(Arc::default(), settings.clone()));
        let mut snapshot = Snapshot::empty(Plan { routers, ..listening().plan().clone() });
        snapshot.listen_for(&Looks { blames: Some(ErrorRule::default()), latencies: false });
        let desk = snapshot.desk(None, Layer::App);
        let mut probes = 0;
        for n in 0..20 {
            for path in [format!("/health/{}", char::from(b'a' + n)), "/kept".to_owned()] {
                let record = Record { route: path.as_bytes(), ..get(&path, 200) };
                let route = snapshot.request(desk, &record, Some(Timestamp::from_seconds(1)));
                probes += u64::from(snapshot.router(desk).key(route).probe);
            }
        }
        let steps = snapshot.take_steps(u32::MAX);
        let slots = steps.iter().flat_map(|step| &step.groups);
        let told = slots.filter(|(key, _)| snapshot.router(desk).key(key.route).probe).map(|(_, slot)| slot.requests());
        let left = snapshot.router(desk).len();
        assert!(probes > 4 && left < 10, "{probes} requests of probes, {left} routes in the end");
        assert_eq!(probes, told.sum::<u64>());
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
        assert_eq!("/kept", steps[0].examples[0].route.path);
    }

    /// Eight mebibytes of an archive, ten requests a second of 100 bytes each.
    #[test]
    fn every_second_of_a_long_stretch_keeps_its_lines() {
        let mut snapshot = listening();
        let desk = snapshot.desk(None, Layer::App);
        for n in 0..2 * 8_388 {
            let at = Some(Timestamp::from_seconds(n / 2));
            let route = snapshot.request(desk, &get("/kept", 500), at);
            snapshot.example(desk, route, at, b"GET /kept", b"/kept");
        }
        let steps = snapshot.take_steps(u32::MAX);
        assert_eq!((8_388, true), (steps.len(), steps.iter().all(|step| step.examples.len() == 2)));
    }
}
