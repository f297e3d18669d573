//! From a snapshot to the whole summary: routes named, layers told apart, the course of time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::ExceptionFigures;
use super::Intake;
use super::Period;
use super::RouteFigures;
use super::Series;
use super::ServiceFigures;
use super::SlotFigures;
use super::SourceFigures;
use super::Summary;
use super::VersionFigures;
use super::figures::Sum;
use super::unavailable::unavailable;
use crate::route::NamedBy;
use crate::route::glob::RouteGlob;
use crate::route::learn::Counted;
use crate::route::learn::name;
use crate::stats::counts::ErrorRule;
use crate::stats::counts::is_client_error;
use crate::stats::courses::Course;
use crate::stats::deploys;
use crate::stats::deploys::Mark;
use crate::stats::deploys::marks;
use crate::stats::group::Group;
use crate::stats::group::Layer;
use crate::stats::latency::HIGHEST_US;
use crate::stats::latency::coarse;
use crate::stats::latency::coarse_highest;
use crate::stats::latency::nearest_rank;
use crate::stats::slots::Slot;
use crate::stats::slots::TrackCursor;
use crate::stats::snapshot::Snapshot;
use crate::time::SECOND;
use crate::time::Timestamp;

/// What shapes a summary beside what was counted.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Probes count in totals.
    pub include_probes: bool,
    /// Narrows `total`, `routes` and `series`.
    pub route: Option<RouteGlob>,
    /// Most routes listed under their own names.
    pub routes_max: usize,
    /// What counts as an error.
    pub errors: ErrorRule,
    /// The sources in the order they were read.
    pub sources: Vec<SourceFigures>,
    /// Sources found twice.
    pub duplicates: u64,
    /// The zone stamps without one were read in.
    pub zone: Option<String>,
    /// Deploy marks that were given.
    pub deploys: Vec<Mark>,
}

/// A group beside the name its route has in this summary.
pub struct NamedGroup<'a> {
    /// The group.
    pub group: &'a Group,
    /// Its name: an index into the list of names.
    pub name: usize,
}

/// A route as the report names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteName {
    /// Its service.
    pub service: Option<String>,
    /// The template.
    pub route: String,
    /// The method.
    pub method: String,
    /// How it was found.
    pub by: NamedBy,
    /// A probe.
    pub probe: bool,
    /// A stream.
    pub streaming: bool,
}

/// Names every group's route: a pure function of all keys and their counts.
pub fn named(snapshot: &Snapshot, routes_max: usize) -> (Vec<RouteName>, Vec<NamedGroup<'_>>) {
    let mut names: Vec<RouteName> = Vec::new();
    let mut known: BTreeMap<RouteName, usize> = BTreeMap::new();
    let mut groups = Vec::new();
    for (at, desk) in (0u16..).zip(snapshot.desks()) {
        if hidden(snapshot, usize::from(at)) {
            continue;
        }
        let own: Vec<&Group> = snapshot.groups().iter().filter(|g| g.key.desk == at).collect();
        let mut keys: BTreeMap<_, Counted<'_>> = BTreeMap::new();
        for group in &own {
            let key = desk.router.key(group.key.route);
            let counted =
                keys.entry(group.key.route).or_insert(Counted { key, requests: 0, not_found: 0, client_errors: 0, denied: 0 });
            for (status, n) in group.tally.statuses() {
                counted.requests += n;
                match status {
                    404 | 405 => counted.not_found += n,
                    400..500 => counted.client_errors += n,
                    _ => {}
                }
                counted.denied += if matches!(status, 401 | 403 | 407 | 429) { n } else { 0 };
            }
        }
        let ids: Vec<_> = keys.keys().copied().collect();
        let counted: Vec<Counted<'_>> = keys.into_values().collect();
        let found = name(&counted, routes_max);
        let mut of_id = BTreeMap::new();
        for (id, found) in ids.into_iter().zip(found) {
            let route = RouteName {
                service: desk.service.clone(),
                route: found.route,
                method: found.method,
                by: found.by,
                probe: found.probe,
                streaming: found.streaming,
            };
            let index = *known.entry(route.clone()).or_insert_with(|| {
                names.push(route);
                names.len() - 1
            });
            of_id.insert(id, index);
        }
        groups.extend(own.into_iter().filter_map(|group| Some(NamedGroup { group, name: *of_id.get(&group.key.route)? })));
    }
    (names, groups)
}

/// The application's side of a service whose edge was read too: never added up with it.
fn hidden(snapshot: &Snapshot, desk: usize) -> bool {
    let desks = snapshot.desks();
    desks[desk].layer == Layer::App && desks.iter().any(|d| d.layer == Layer::Edge && d.service == desks[desk].service)
}

/// The whole summary of a closed snapshot.
pub fn sum_up(snapshot: &Snapshot, asked: &Asked) -> Summary {
    let period = period(snapshot, asked);
    let (names, groups) = named(snapshot, asked.routes_max);
    let chosen: Vec<bool> =
        names.iter().map(|n| asked.route.as_ref().is_none_or(|glob| glob.matches(&n.method, &n.route))).collect();
    let counts = |name: usize| asked.include_probes || !names[name].probe;
    let mut total = Sum::default();
    let mut services: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    let mut own: Vec<Vec<&Group>> = names.iter().map(|_| Vec::new()).collect();
    for NamedGroup { group, name } in &groups {
        own[*name].push(group);
    }
    let mut routes = Vec::new();
    let mut probes = 0;
    // one route's histograms at a time
    for (at, (name, own)) in names.iter().zip(own).enumerate() {
        let mut sum = Sum::default();
        for group in own {
            sum.add(group, true);
        }
        if name.probe {
            probes += sum.requests();
        }
        if counts(at) {
            services.entry(name.service.clone()).or_default().merge(&sum, !name.streaming);
            if chosen[at] {
                total.merge(&sum, !name.streaming);
            }
        }
        if chosen[at] && sum.requests() > 0 {
            routes.push(RouteFigures {
                service: name.service.clone(),
                method: name.method.clone(),
                route: name.route.clone(),
                probe: name.probe,
                streaming: name.streaming,
                named_by: name.by,
                figures: sum.figures(&asked.errors, period.seconds),
            });
        }
    }
    routes.sort_by(|a, b| {
        let order =
            |r: &RouteFigures| (std::cmp::Reverse(r.figures.requests), r.service.clone(), r.route.clone(), r.method.clone());
        order(a).cmp(&order(b))
    });
    let in_series: BTreeSet<usize> = (0..names.len()).filter(|n| chosen[*n] && counts(*n)).collect();
    let series = series(snapshot, asked, &names, groups.iter().filter(|g| in_series.contains(&g.name)));
    let figures = |sum: &Sum| sum.figures(&asked.errors, period.seconds);
    let marks = marks(snapshot, &asked.deploys);
    let mut exceptions = snapshot.failures().figures();
    for exception in &mut exceptions {
        exception.new = is_new(exception, &marks);
    }
    let mut summary = Summary {
        total: figures(&total),
        services: services.iter().map(|(s, sum)| ServiceFigures { service: s.clone(), figures: figures(sum) }).collect(),
        routes,
        series,
        versions: versions(snapshot),
        exceptions,
        deploys: marks.iter().map(Mark::deploy).collect(),
        lifecycle: snapshot.doings().figures(),
        input: intake(snapshot, asked, probes),
        period,
        ..Summary::default()
    };
    summary.unavailable = unavailable(&summary);
    summary
}

fn period(snapshot: &Snapshot, asked: &Asked) -> Period {
    let intake = snapshot.intake();
    let span = snapshot.span();
    #[expect(clippy::cast_precision_loss, reason = "a span of 285 years of microseconds is exact to the microsecond")]
    let seconds = span.map(|s| (s.1.micros() - s.0.micros()) as f64 / SECOND as f64);
    let time_source = match () {
        () if intake.time_of_line > 0 => "line",
        () if intake.time_of_wrapper > 0 => "wrapper",
        () if intake.time_of_neighbour > 0 => "line",
        () if intake.time_of_arrival > 0 => "arrival",
        () => "none",
    };
    Period {
        start: span.map(|s| s.0),
        end: span.map(|s| s.1),
        seconds,
        time_source,
        zone_assumed: asked.zone.clone().filter(|_| intake.zone_assumed > 0),
    }
}

fn intake(snapshot: &Snapshot, asked: &Asked, probes: u64) -> Intake {
    let intake = snapshot.intake();
    Intake {
        sources: asked.sources.clone(),
        lines: intake.kinds.lines(),
        bytes: intake.bytes,
        requests: intake.kinds.request,
        companion: intake.kinds.companion,
        lifecycle: intake.kinds.lifecycle,
        traceback: intake.kinds.traceback,
        message: intake.kinds.message,
        malformed: intake.kinds.malformed,
        own: intake.own,
        malformed_reasons: intake.reasons(),
        duplicates: asked.duplicates,
        late: intake.late,
        undated: intake.undated,
        lost_bytes: intake.lost_bytes,
        suppressed: intake.suppressed,
        probes,
    }
}

/// Whether an exception was never seen before the last mark about its service; `None` where there is none, or no time.
fn is_new(exception: &ExceptionFigures, marks: &[Mark]) -> Option<bool> {
    let last = marks.iter().rfind(|m| m.is_about(exception.service.as_deref()))?;
    Some(exception.first? >= last.at)
}

/// Each version of each service; hashes of pods only where a service logs no version.
fn versions(snapshot: &Snapshot) -> Vec<VersionFigures> {
    let mut found: BTreeMap<(&Option<String>, &str), VersionFigures> = BTreeMap::new();
    for desk in snapshot.desks() {
        let known = deploys::versions(snapshot, desk.service.as_deref());
        for era in desk.eras.iter().filter(|e| known.contains(&e.version)) {
            let own = found.entry((&desk.service, era.name())).or_insert_with(|| VersionFigures {
                service: desk.service.clone(),
                version: era.name().to_owned(),
                ..VersionFigures::default()
            });
            own.requests += era.requests;
            own.first = own.first.into_iter().chain(era.span.map(|s| s.0)).min();
            own.last = own.last.into_iter().chain(era.span.map(|s| s.1)).max();
        }
    }
    let mut all: Vec<VersionFigures> = found.into_values().collect();
    all.sort_by(|a, b| (a.first, &a.service, &a.version).cmp(&(b.first, &b.service, &b.version)));
    all
}

/// The course of time over the given groups, or over whole services where it was kept for these: all cursors walk
/// together, a window of slots at a time.
fn series<'a>(
    snapshot: &Snapshot,
    asked: &Asked,
    names: &[RouteName],
    groups: impl Iterator<Item = &'a NamedGroup<'a>>,
) -> Series {
    let mut cursors: Vec<(TrackCursor<'_>, bool)> = groups.map(|g| (g.group.track.cursor(), names[g.name].streaming)).collect();
    let shown =
        |course: &&Course| !hidden(snapshot, usize::from(course.key.desk)) && (asked.include_probes || !course.key.probe);
    let courses = snapshot.courses().iter().filter(shown);
    cursors.extend(courses.map(|course| (course.track.cursor(), course.key.streaming)));
    let spans = snapshot.span().map_or(0, |(first, last)| (last.second() - first.second()) / i64::from(snapshot.width()));
    let mut slots = Vec::with_capacity(usize::try_from(spans + 1).unwrap_or(0).min(MOST_SLOTS));
    let mut window: Vec<(SlotFigures, Dense)> = (0..WINDOW).map(|_| Default::default()).collect();
    while let Some(first) = cursors.iter_mut().filter_map(|c| c.0.peek()).min() {
        for (cursor, streaming) in &mut cursors {
            while let Some(number) = cursor.peek().filter(|n| *n - first < WINDOW) {
                let Some(slot) = cursor.next_slot() else { break };
                let (here, latencies) = &mut window[(number - first) as usize];
                for &(status, n) in &slot.statuses {
                    let n = u64::from(n);
                    here.requests += n;
                    here.errors += if asked.errors.is_error(status) { n } else { 0 };
                    here.client_errors += if is_client_error(status) { n } else { 0 };
                }
                if !*streaming && slot.timed > 0 {
                    latencies.add(slot);
                }
            }
        }
        for (number, (here, latencies)) in (first..).zip(&mut window) {
            if here.requests > 0 {
                here.start = Timestamp::from_seconds(i64::from(number) * i64::from(snapshot.width()));
                latencies.tell(here);
                slots.push(std::mem::take(here));
            }
        }
    }
    Series { slot_seconds: u64::from(snapshot.width()), slots }
}

/// Slots for which room is made at once: more than a week of minutes.
const MOST_SLOTS: usize = 16_384;
/// Slots that are filled at a time: every track is looked at once for so many.
const WINDOW: u32 = 32;

/// Coarse latencies of one slot over all groups, as an array that is used again and again.
#[derive(Default)]
struct Dense {
    counts: Vec<u64>,
    /// A bit for each count that is not nothing: few of some thousand.
    used: Vec<u64>,
    min_us: u64,
    max_us: u64,
    count: u64,
}

impl Dense {
    fn add(&mut self, slot: &Slot) {
        if self.count == 0 {
            (self.min_us, self.max_us) = (u64::MAX, 0);
            self.counts.resize(usize::from(coarse(HIGHEST_US)) + 1, 0);
            self.used.resize(self.counts.len().div_ceil(64), 0);
        }
        self.min_us = self.min_us.min(slot.min_us);
        self.max_us = self.max_us.max(slot.max_us);
        let Self { counts, used, .. } = self;
        let mut sum = 0;
        for &(bucket, n) in &slot.buckets {
            let bucket = usize::from(bucket);
            if let (Some(count), Some(used)) = (counts.get_mut(bucket), used.get_mut(bucket / 64)) {
                *count += u64::from(n);
                sum += u64::from(n);
                *used |= 1 << (bucket % 64);
            }
        }
        self.count += sum;
    }

    /// Fills in the slot's quantiles and forgets them.
    fn tell(&mut self, here: &mut SlotFigures) {
        if self.count == 0 {
            return;
        }
        // every quantile on one way through the buckets, which are left empty
        let ranks = [0.5, 0.95, 0.99].map(|q| nearest_rank(self.count, q).unwrap_or(u64::MAX));
        let mut found = [None; 3];
        let (mut seen, mut next, mut goal) = (0, 0, ranks[0]);
        for (first, used) in (0_usize..).step_by(64).zip(&mut self.used) {
            let mut left = std::mem::take(used);
            while left != 0 {
                let bucket = first + left.trailing_zeros() as usize;
                left &= left - 1;
                seen += self.counts.get_mut(bucket).map_or(0, std::mem::take);
                while seen >= goal
                    && let Some(found) = found.get_mut(next)
                {
                    let us = u16::try_from(bucket).map_or(HIGHEST_US, coarse_highest);
                    *found = Some(us.clamp(self.min_us, self.max_us.max(self.min_us)));
                    next += 1;
                    goal = ranks.get(next).copied().unwrap_or(u64::MAX);
                }
            }
        }
        [here.p50_us, here.p95_us, here.p99_us] = found;
        here.max_us = Some(self.max_us);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_of_a_slot_are_the_nearest_ranks_of_its_buckets(
            rounds in prop::collection::vec(prop::collection::vec((0_u64..100_000_000_000, 0_u32..60), 0..80), 1..4),
        ) {
            let mut dense = Dense::default();
            for values in rounds {
                let mut all: Vec<u64> = values.iter().map(|(us, shift)| us >> shift).collect();
                for some in all.chunks(7) {
                    let mut slot = Slot::new(0);
                    for us in some {
                        slot.record(200, 0, Some(*us), &[]);
                    }
                    slot.tidy();
                    dense.add(&slot);
                }
                let mut here = SlotFigures::default();
                dense.tell(&mut here);
                all.sort_unstable();
                let (Some(least), Some(most)) = (all.first().copied(), all.last().copied()) else {
                    prop_assert_eq!(None, here.p50_us);
                    continue;
                };
                let at = |hundredths: usize| {
                    let rank = (all.len() * hundredths).div_ceil(100);
                    all.get(rank - 1).map(|us| coarse_highest(coarse(*us)).clamp(least, most))
                };
                prop_assert_eq!([at(50), at(95), at(99), Some(most)], [here.p50_us, here.p95_us, here.p99_us, here.max_us]);
            }
        }
    }
}
