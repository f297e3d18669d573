//! One closed second as judging sees it: borrowed, plain, and independent of how it was recorded.
//!
//! Leaves the order of time to whoever closes seconds. [`Second::of`] is the view of a recorded `Step`.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::parse::Auth;
use crate::parse::Cache;
use crate::route::RouteKey;
use crate::stats::group::Layer;
use crate::stats::slots::Slot;
use crate::stats::snapshot::Desk;
use crate::stats::snapshot::SlotLines;
use crate::stats::snapshot::Step;

/// What requests of one group did in a second.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The service; `None` where nothing names it.
    pub service: Option<&'a str>,
    /// Application or edge.
    pub layer: Layer,
    /// The route's own key: alerts on a route carry its method and path.
    pub route: &'a Arc<RouteKey>,
    /// Logged in or not.
    pub auth: Auth,
    /// The cache's word.
    pub cache: Cache,
    /// Counts and coarse latencies, tidy.
    pub slot: &'a Slot,
}

/// What lines of one service and layer were in a second.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The service; `None` where nothing names it.
    pub service: Option<&'a str>,
    /// Application or edge.
    pub layer: Layer,
    /// Lines by kind, exceptions, starts, worker deaths.
    pub lines: &'a SlotLines,
}

/// One closed second. The order of its parts does not matter.
#[derive(Debug, Clone, Default)]
pub struct Second<'a> {
    /// Seconds since 1970.
    pub second: u32,
    /// Requests by group.
    pub groups: SmallVec<[Seen<'a>; 8]>,
    /// Lines by service and layer.
    pub lines: SmallVec<[Told<'a>; 2]>,
}

impl<'a> Second<'a> {
    /// The view of a step, with the desks of the snapshot it was recorded in.
    pub fn of(step: &'a Step, desks: &'a [Desk]) -> Self {
        let mut whole = Self { second: step.second, ..Self::default() };
        whole.extend(step, desks);
        whole
    }

    /// Adds what another recording saw of the second.
    pub fn extend(&mut self, step: &'a Step, desks: &'a [Desk]) {
        self.groups.extend(step.groups.iter().filter_map(|(key, slot)| {
            let desk = desks.get(usize::from(key.desk))?;
            let route = desk.router.shared_key(key.route);
            Some(Seen { service: desk.service.as_deref(), layer: desk.layer, route, auth: key.auth, cache: key.cache, slot })
        }));
        self.lines.extend(step.lines.iter().filter_map(|(desk, lines)| {
            let desk = desks.get(usize::from(*desk))?;
            Some(Told { service: desk.service.as_deref(), layer: desk.layer, lines })
        }));
    }
}
