//! What a recording keeps for those who want every second of it: who judges, and who gates.
//!
//! Seconds themselves are `steps.rs`' matter; here is what a snapshot tells them of and asks them for.

use std::collections::BTreeMap;

use super::FOLDS;
use super::Snapshot;
use super::second_of;
use crate::parse::Record;
use crate::route::RouteId;
use crate::stats::counts::ErrorRule;
use crate::stats::failures::FailureKey;
use crate::stats::group::GroupKey;
use crate::stats::steps::Alike;
use crate::stats::steps::Example;
use crate::stats::steps::Looks;
use crate::stats::steps::Raise;
use crate::stats::steps::Stands;
use crate::stats::steps::Step;
use crate::stats::steps::Steps;
use crate::stats::steps::Waiting;
use crate::time::Timestamp;

impl Snapshot {
    /// From now on every second's doings are kept until [`Snapshot::take_steps`] fetches them.
    pub fn listen(&mut self) {
        self.steps.get_or_insert_default();
    }

    /// The same where less than everything is looked at: seconds hold no more. Where routes are looked at only for what
    /// went wrong on them, one of a kind (probes, refused paths; login, cache, version) stands for all of it: without
    /// latencies for every request that is no error; with them (streams are a kind of their own then) in every second in
    /// which a route had no error and was not slower than a limit. Its own requests are then no figure of that route.
    pub fn listen_for(&mut self, looks: &Looks) {
        self.steps = Some(Steps::new(looks.clone()));
    }

    /// Counts nothing of requests but for those who listen.
    pub fn only_steps(&mut self) {
        self.bare = true;
    }

    /// Whether somebody listens.
    pub fn listens(&self) -> bool {
        self.steps.is_some()
    }

    /// Counts a request that came when its second had been closed: it is in no step.
    pub fn late_request(&mut self, desk: usize, record: &Record<'_>, time: Option<Timestamp>) -> RouteId {
        if self.steps.is_none() {
            return self.request(desk, record, time);
        }
        self.flush();
        self.set_deaf(true);
        let route = self.request(desk, record, time);
        self.flush();
        self.set_deaf(false);
        route
    }

    fn set_deaf(&mut self, deaf: bool) {
        if let Some(steps) = &mut self.steps {
            steps.set_deaf(deaf);
        }
    }

    pub(super) fn raised(&mut self, time: Option<Timestamp>, key: FailureKey, message: Option<String>, route: Option<String>) {
        if let (Some(steps), Some(time)) = (&mut self.steps, time) {
            steps.raise(second_of(time), Raise { key, message, route });
        }
    }

    /// Keeps a line of a request for `path` that went wrong for whoever listens, as far as there is room.
    pub fn example(&mut self, desk: usize, route: RouteId, time: Option<Timestamp>, text: &[u8], path: &[u8]) {
        let (Some(steps), Some(time)) = (&mut self.steps, time) else { return };
        let desk = &self.desks[desk];
        if steps.wants_example(second_of(time), desk.service.as_deref()) {
            let example = Example::new(desk.service.as_deref(), desk.router.shared_key(route), text, path);
            steps.example(second_of(time), example);
        }
    }

    /// Says of each new group what kind it is, where others may stand for it.
    pub(super) fn see_groups(&mut self) {
        let Some(steps) = &mut self.steps else { return };
        while let Some(group) = steps.unknown().and_then(|at| self.groups.get(at)) {
            let route = self.desks[usize::from(group.key.desk)].router.key(group.key.route);
            // Whether it is a stream matters for latencies alone, and may turn out later.
            steps.know(group.key, [route.probe, false, route.refused]);
        }
    }

    /// What groups are called, by their present numbers, as far as anybody needs to know: while seconds wait.
    pub(super) fn numbered(&self, name: impl Fn(GroupKey) -> GroupKey) -> Vec<GroupKey> {
        match &self.steps {
            Some(steps) if steps.has_requests() => self.groups.iter().map(|group| name(group.key)).collect(),
            _ => Vec::new(),
        }
    }

    /// Seconds that wait follow when groups have other numbers.
    pub(super) fn renumber(&mut self, before: &[GroupKey]) {
        self.see_groups();
        let Some(steps) = self.steps.as_mut().filter(|_| !before.is_empty()) else { return };
        let places: BTreeMap<GroupKey, u32> = (0..).zip(&self.groups).map(|(at, group)| (group.key, at)).collect();
        let new: Vec<u32> = before.iter().map(|key| places.get(key).copied().unwrap_or(0)).collect();
        steps.renumber(&new);
    }

    /// Keys that are no more still name what they were, until their numbers are given anew.
    pub(super) fn note_folds(&mut self, desk: usize, moved: &[(RouteId, RouteId)]) {
        let Some(folds) = &mut self.folds else { return };
        let desk = &self.desks[desk];
        for (old, _) in moved.iter().take(FOLDS.saturating_sub(folds.len())) {
            let key = desk.router.key(*old);
            folds.push((desk.service.clone(), key.method.clone(), key.path.clone()));
        }
    }

    /// From now on routes that are counted under another name are remembered until [`Snapshot::take_folds`] fetches them.
    pub fn tell_folds(&mut self) {
        self.folds.get_or_insert_default();
    }

    /// Service, method and path of routes that are counted under another name since the last call. At most some thousands.
    pub fn take_folds(&mut self) -> Vec<(Option<String>, String, String)> {
        self.folds.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes the seconds before `end` out of the stream of steps, ascending. Nothing without [`Snapshot::listen`].
    pub fn take_steps(&mut self, end: u32) -> Vec<Step> {
        self.close();
        let mut waiting = self.steps.as_mut().map(|steps| steps.take(end)).unwrap_or_default();
        std::iter::from_fn(|| self.next_step(&mut waiting, Step::default())).collect()
    }

    /// Takes all seconds, to be fetched one by one with [`Snapshot::next_step`] while nothing more is recorded.
    pub fn waiting_steps(&mut self) -> Waiting {
        self.close();
        let Some(steps) = &mut self.steps else { return Waiting::default() };
        let mut waiting = steps.take(u32::MAX);
        let Looks { blames, latencies } = steps.looks().clone();
        if let Some(errors) = blames.filter(|_| latencies) {
            waiting.tell_alike(self.alike(errors));
        }
        waiting
    }

    /// The next of the seconds taken, in the room of one that is done with.
    pub fn next_step(&self, waiting: &mut Waiting, room: Step) -> Option<Step> {
        waiting.next(|group| self.groups[group as usize].key, &self.plan.limits_us, room)
    }

    fn alike(&self, errors: ErrorRule) -> Alike {
        let mut stands = Stands::default();
        for group in &self.groups {
            let route = self.desks[usize::from(group.key.desk)].router.key(group.key.route);
            stands.know(group.key, [route.probe, route.streaming, route.refused]);
        }
        let slow_us = self.plan.limits_us.iter().copied().min().unwrap_or(u64::MAX);
        Alike { stands, errors, slow_us }
    }
}
