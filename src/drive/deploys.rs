//! Deploy marks found as seconds close, of a live log or an archive: what was given, what the log shows.
//!
//! What a mark is, `stats::deploys` says; here the evidence is gathered that it asks for, bounded, and saved with the
//! state so that a restart forgets no version. Marks are settled anew when there is new evidence.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::stats::deploys::Mark;
use crate::stats::deploys::Source;
use crate::stats::deploys::TOGETHER;
use crate::stats::deploys::Takeovers;
use crate::stats::deploys::Turn;
use crate::stats::deploys::settle;
use crate::stats::deploys::versions;
use crate::stats::snapshot::Snapshot;
use crate::stats::snapshot::Step;
use crate::time::Timestamp;
use crate::verdict::evidence;

/// Marks that are remembered.
const MARKS: usize = 200;
/// Services whose versions are followed.
const SERVICES: usize = 1_000;

/// What is known of deploys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Deploys {
    takeovers: Vec<(Option<String>, Takeovers)>,
    /// Versions that took over.
    found: Vec<Mark>,
    /// The first second with a request, by service.
    begun: BTreeMap<Option<String>, Timestamp>,
    /// All marks, ascending.
    marks: Vec<Mark>,
    /// Marks whose verdict was given, and how many seconds behind them.
    judged: Vec<(Mark, u32)>,
    /// Marks of which the sinks were told.
    told: Vec<Mark>,
    /// Starts and ends of runs that were taken into account.
    turns: usize,
    /// There is evidence that is not settled.
    #[serde(skip)]
    fresh: bool,
    /// It differs from what is saved.
    #[serde(skip)]
    changed: bool,
}

impl Deploys {
    /// What was saved; nothing where that cannot be read.
    pub(crate) fn load(saved: Option<&Vec<u8>>) -> Self {
        let loaded = saved.and_then(|bytes| postcard::from_bytes(bytes).ok());
        Self { fresh: true, ..loaded.unwrap_or_default() }
    }

    /// What is to be saved, if it has changed.
    pub(crate) fn take_change(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.changed).then(|| postcard::to_stdvec(self).unwrap_or_default())
    }

    /// All marks, ascending.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Takes a closed second in, whose numbers are those of `all`.
    pub(crate) fn see(&mut self, step: &Step, all: &Snapshot) {
        let at = Timestamp::from_seconds(step.second.into());
        if self.is_told_nothing(step, all) {
            return;
        }
        let mut counts: BTreeMap<&Option<String>, BTreeMap<String, u64>> = BTreeMap::new();
        for (key, slot) in &step.groups {
            let Some(desk) = all.desks().get(usize::from(key.desk)) else { continue };
            let of = counts.entry(&desk.service).or_default();
            if let Some(era) = desk.eras.get(usize::from(key.era)).filter(|e| !e.version.is_empty()) {
                *of.entry(era.version.clone()).or_default() += slot.requests();
            }
        }
        for (service, mut counts) in counts {
            if self.begun.len() < SERVICES && !self.begun.contains_key(service) {
                self.begun.insert(service.clone(), at);
                (self.fresh, self.changed) = (true, true);
            }
            if counts.is_empty() {
                continue;
            }
            let shown = versions(all, service.as_deref());
            counts.retain(|version, _| shown.contains(version));
            let known = self.takeovers.iter().position(|(name, _)| name == service);
            let Some(place) = known.or_else(|| (self.takeovers.len() < SERVICES).then_some(self.takeovers.len())) else {
                continue;
            };
            if known.is_none() {
                self.takeovers.push((service.clone(), Takeovers::new(service.clone())));
            }
            let Some((_, takeovers)) = self.takeovers.get_mut(place) else { continue };
            takeovers.see(at, &counts);
            let taken = takeovers.take();
            self.fresh |= !taken.is_empty();
            self.found.extend(taken);
            // what was seen of versions is part of what a restart must know
            self.changed = true;
        }
        let beyond = self.found.len().saturating_sub(MARKS);
        self.found.drain(..beyond);
    }

    /// Whether a second is of services that have begun, without a version.
    fn is_told_nothing(&self, step: &Step, all: &Snapshot) -> bool {
        let mut last = None;
        step.groups.iter().all(|(key, _)| {
            let Some(desk) = all.desks().get(usize::from(key.desk)) else { return true };
            let unversioned = desk.eras.get(usize::from(key.era)).is_none_or(|e| e.version.is_empty());
            let begun = last == Some(key.desk) || self.begun.contains_key(&desk.service);
            last = Some(key.desk);
            unversioned && begun
        })
    }

    /// Other marks are given from now on.
    pub(crate) fn given_anew(&mut self) {
        self.fresh = true;
    }

    /// Settles what is known with all starts and ends of runs so far, and gives marks that are new.
    pub(crate) fn settle<'t>(&mut self, given: &[Mark], turns: impl ExactSizeIterator<Item = &'t Turn>) -> Vec<Mark> {
        if !self.fresh && turns.len() == self.turns {
            return Vec::new();
        }
        (self.fresh, self.turns) = (false, turns.len());
        let mut marks = settle(given, &turns.collect::<Vec<_>>(), &self.found, &self.begun);
        let beyond = marks.len().saturating_sub(MARKS);
        marks.drain(..beyond);
        let new = marks.iter().filter(|mark| !self.marks.iter().any(|known| same(known, mark))).cloned().collect();
        self.changed |= marks != self.marks;
        self.marks = marks;
        new
    }

    /// Marks that lie `after_s` seconds before `now` or longer, whose verdict of then was not given. They count as given.
    pub(crate) fn due(&mut self, after_s: u32, now: u32) -> Vec<Mark> {
        let reached = |mark: &&Mark| mark.at.second() + i64::from(after_s) <= i64::from(now);
        let given = |mark: &&Mark| self.judged.iter().any(|(known, s)| *s == after_s && same(known, mark));
        let due: Vec<Mark> = self.marks.iter().filter(reached).filter(|mark| !given(mark)).cloned().collect();
        self.changed |= !due.is_empty();
        self.judged.extend(due.iter().map(|mark| (mark.clone(), after_s)));
        let beyond = self.judged.len().saturating_sub(4 * MARKS);
        self.judged.drain(..beyond);
        due
    }

    /// Whether the sinks are to be told of a deploy: once.
    pub(crate) fn tell(&mut self, mark: &Mark) -> bool {
        if self.told.iter().any(|known| same(known, mark)) {
            return false;
        }
        self.told.push(mark.clone());
        let beyond = self.told.len().saturating_sub(MARKS);
        self.told.drain(..beyond);
        self.changed = true;
        true
    }
}

/// Whether a mark is about one service, not about all.
pub(crate) fn is_about_one(mark: &Mark) -> bool {
    mark.source > Source::File
}

/// A mark may move a little when more is known of it.
fn same(a: &Mark, b: &Mark) -> bool {
    a.service == b.service && a.at.0.abs_diff(b.at.0) <= TOGETHER.unsigned_abs() && (a.label == b.label || a.label.is_none())
}

/// A mark as alerts show it, and whose it is.
pub(crate) fn shown(mark: &Mark) -> (Option<String>, evidence::Mark) {
    let evidence = evidence::Mark { at: mark.at, label: mark.label.clone(), source: mark.source.word().to_owned() };
    (mark.service.clone(), evidence)
}
