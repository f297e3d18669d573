//! The course of time as plain data: what each group did in a second or a minute, under names that outlive a run.
//!
//! A [`Step`] names its groups by numbers that mean something within one snapshot only; a [`Second`] names them in words
//! and so can be kept and come back into another snapshot. What is kept where, and for how long, is `drive::state`'s.

use serde::Deserialize;
use serde::Serialize;

use super::AUTH;
use super::BY;
use super::CACHE;
use super::Counted;
use super::StoredDesk;
use super::StoredGroup;
use super::StoredKey;
use super::at;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::route::RouteKey;
use crate::stats::doings::Doings;
use crate::stats::failures::Failures;
use crate::stats::group::GroupKey;
use crate::stats::group::Layer;
use crate::stats::intake::Intake;
use crate::stats::latency::Fine;
use crate::stats::slots::Slot;
use crate::stats::slots::Track;
use crate::stats::slots::wide;
use crate::stats::snapshot::Era;
use crate::stats::snapshot::SlotLines;
use crate::stats::snapshot::Snapshot;
use crate::stats::snapshot::Step;
use crate::time::Timestamp;

/// One service on one side of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeskName {
    /// `None` where nothing names it.
    pub service: Option<String>,
    /// Which side.
    pub layer: Layer,
}

/// A group under its own name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupName {
    /// Its service and layer.
    pub desk: DeskName,
    key: Option<StoredKey>,
}

/// What happened in one second, under names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Second {
    /// Seconds since 1970.
    pub second: u32,
    /// What each group did; slots are tidy and carry the second as their number.
    pub groups: Vec<(GroupName, Slot)>,
    /// Lines of each desk.
    pub lines: Vec<(DeskName, SlotLines)>,
}

/// One group's course over a span of time.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Which group.
    pub name: GroupName,
    /// Its slots, all of one width.
    pub track: Track,
}

/// What is put together to a snapshot of a span of time.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// The width of all slots in seconds: 1, 60 or 900.
    pub width: u32,
    /// Each group once.
    pub courses: Vec<Course>,
    /// Lines by slot number and desk.
    pub lines: Vec<(u32, DeskName, SlotLines)>,
    /// What cannot be cut by time: exceptions, as they are to be shown.
    pub failures: Failures,
    /// The same for what servers said of themselves.
    pub doings: Doings,
}

impl DeskName {
    fn of(snapshot: &Snapshot, desk: u16) -> Self {
        let desk = &snapshot.desks()[usize::from(desk)];
        Self { service: desk.service.clone(), layer: desk.layer }
    }
}

impl GroupName {
    /// The name of a group of `snapshot`.
    pub fn of(snapshot: &Snapshot, key: &GroupKey) -> Self {
        let desk = &snapshot.desks()[usize::from(key.desk)];
        let route = desk.router.key(key.route);
        Self {
            desk: DeskName { service: desk.service.clone(), layer: desk.layer },
            key: Some(StoredKey::of(route, &desk.eras[usize::from(key.era)], key.auth, key.cache)),
        }
    }

    /// Its number within `snapshot`, opened where needed.
    pub fn key(&self, snapshot: &mut Snapshot) -> GroupKey {
        let desk = snapshot.desk(self.desk.service.as_deref(), self.desk.layer);
        let here = &mut snapshot.parts_mut().desks[desk];
        let stored = self.key.clone().unwrap_or_default();
        let era = here.open_era(stored.era.as_bytes(), stored.since);
        GroupKey {
            desk: u16::try_from(desk).unwrap_or(u16::MAX),
            era: u16::try_from(era).unwrap_or(u16::MAX),
            route: here.router.adopt(&stored.route()),
            auth: stored.auth(),
            cache: stored.cache(),
        }
    }
}

impl StoredKey {
    pub(super) fn of(route: &RouteKey, era: &Era, auth: Auth, cache: Cache) -> Self {
        Self {
            method: route.method.clone(),
            path: route.path.clone(),
            by: at(&BY, &route.by),
            refused: route.refused,
            probe: route.probe,
            streaming: route.streaming,
            era: era.version.clone(),
            since: era.since,
            auth: at(&AUTH, &auth),
            cache: at(&CACHE, &cache),
        }
    }

    pub(super) fn route(&self) -> RouteKey {
        RouteKey {
            method: self.method.clone(),
            path: self.path.clone(),
            by: BY[usize::from(self.by).min(BY.len() - 1)],
            refused: self.refused,
            probe: self.probe,
            streaming: self.streaming,
        }
    }

    pub(super) fn auth(&self) -> Auth {
        AUTH[usize::from(self.auth).min(AUTH.len() - 1)]
    }

    pub(super) fn cache(&self) -> Cache {
        CACHE[usize::from(self.cache).min(CACHE.len() - 1)]
    }
}

impl Second {
    /// A step of `snapshot` under names.
    pub fn of(step: &Step, snapshot: &Snapshot) -> Self {
        Self {
            second: step.second,
            groups: step.groups.iter().map(|(key, slot)| (GroupName::of(snapshot, key), slot.clone())).collect(),
            lines: step.lines.iter().map(|(desk, lines)| (DeskName::of(snapshot, *desk), *lines)).collect(),
        }
    }

    /// As a step whose numbers are those of `snapshot`; what is not known there yet is opened.
    pub fn step(&self, snapshot: &mut Snapshot) -> Step {
        let mut groups: Vec<(GroupKey, Slot)> = Vec::with_capacity(self.groups.len());
        for (name, slot) in &self.groups {
            let key = name.key(snapshot);
            match groups.iter_mut().find(|g| g.0 == key) {
                Some((_, same)) => {
                    same.add(slot);
                    same.tidy();
                }
                None => groups.push((key, slot.clone())),
            }
        }
        let mut lines: Vec<(u16, SlotLines)> = Vec::with_capacity(self.lines.len());
        for (desk, here) in &self.lines {
            let desk = u16::try_from(snapshot.desk(desk.service.as_deref(), desk.layer)).unwrap_or(u16::MAX);
            match lines.iter_mut().find(|l| l.0 == desk) {
                Some((_, same)) => same.add(here),
                None => lines.push((desk, *here)),
            }
        }
        lines.sort_by_key(|l| l.0);
        Step { second: self.second, groups, lines, ..Step::default() }
    }
}

impl Counted {
    /// Totals alone: no slots and no lines by slot. Slots of a long life would grow without end; a live state keeps them
    /// beside, bounded.
    #[must_use]
    pub fn without_slots(mut self) -> Self {
        for desk in &mut self.desks {
            desk.lines.clear();
            desk.groups.iter_mut().for_each(|g| g.slots.clear());
        }
        (self.width, self.seconds) = (1, None);
        self
    }

    /// Exceptions and what servers said of themselves, as they were counted.
    pub fn told(&self) -> (Failures, Doings) {
        (self.failures.clone(), self.doings.clone())
    }

    /// From the course of time: figures are right to the slot, latencies to two digits.
    pub fn of_span(span: Span) -> Self {
        let width = span.width.max(1);
        let mut all = Self { width, failures: span.failures, doings: span.doings, ..Self::default() };
        let mut ends: Option<(u32, u32)> = None;
        for course in span.courses {
            let Some(key) = course.name.key else { continue };
            let (mut group, mut requests) = (empty(key), 0);
            let mut latency = Fine::default();
            course.track.each(|slot| {
                let (first, last) = (slot.number * width, slot.number * width + width - 1);
                ends = Some(ends.map_or((first, last), |e| (e.0.min(first), e.1.max(last))));
                add_statuses(&mut group.statuses, &slot.statuses);
                requests += slot.requests();
                group.bytes += slot.bytes;
                group.sized += if slot.bytes > 0 { slot.requests() } else { 0 };
                latency.record_coarse(&wide(&slot.buckets), slot.sum_us, slot.min_us, slot.max_us);
            });
            group.statuses.sort_unstable();
            group.latency = latency.pack();
            group.slots = course.track.store();
            let desk = all.desk_of(&course.name.desk);
            if let Some(era) = desk.eras.iter_mut().find(|e| e.version == group.key.era && e.since == group.key.since) {
                era.requests += if era.version.is_empty() { 0 } else { requests };
            } else {
                desk.eras.push(Era { version: group.key.era.clone(), since: group.key.since, span: None, requests });
            }
            desk.groups.push(group);
        }
        for (number, name, lines) in span.lines {
            all.intake.kinds.add(&lines.kinds);
            all.desk_of(&name).lines.push((number, lines));
        }
        all.desks.sort_by(|a, b| (&a.service, a.layer).cmp(&(&b.service, b.layer)));
        all.seconds = ends;
        all.span = ends.map(|e| (Timestamp::from_seconds(e.0.into()), Timestamp::from_seconds(i64::from(e.1) + 1)));
        // The rows do not say where a time came from, only that there was one.
        all.intake = Intake { time_of_line: all.intake.kinds.request, ..all.intake };
        all
    }

    fn desk_of(&mut self, name: &DeskName) -> &mut StoredDesk {
        let at = self.desks.iter().position(|d| d.service == name.service && d.layer == name.layer).unwrap_or_else(|| {
            let eras = vec![Era::default()];
            self.desks.push(StoredDesk { service: name.service.clone(), layer: name.layer, eras, ..StoredDesk::default() });
            self.desks.len() - 1
        });
        &mut self.desks[at]
    }
}

fn empty(key: StoredKey) -> StoredGroup {
    StoredGroup {
        key,
        statuses: Vec::new(),
        bytes: 0,
        sized: 0,
        latency: Fine::default().pack(),
        slots: Vec::new(),
        headers: None,
    }
}

fn add_statuses(all: &mut Vec<(u16, u64)>, more: &[(u16, u32)]) {
    for &(status, n) in more {
        match all.iter_mut().find(|s| s.0 == status) {
            Some(s) => s.1 += u64::from(n),
            None => all.push((status, u64::from(n))),
        }
    }
}
