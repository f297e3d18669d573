//! The server speaking of itself, counted and kept: starts, deaths, time-outs, and the first events by time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::deploys::Turn;
use super::deploys::Turned;
use super::failures::Mark;
use super::summary::Event;
use super::summary::LifecycleFigures;
use crate::parse::lifecycle::Kind;
use crate::parse::lifecycle::Origin;
use crate::time::Timestamp;

/// The most events kept.
pub const EVENTS: usize = 1_000;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Doing {
    /// Its service.
    pub service: Option<String>,
    /// The kind's word in the report.
    pub kind: String,
    /// The process.
    pub pid: Option<u32>,
    /// The line, made safe.
    pub text: String,
}

/// What servers did. Merging is total and order does not matter: the [`EVENTS`] earliest events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Doings {
    starts: u64,
    stops: u64,
    worker_starts: u64,
    worker_deaths: u64,
    timeouts: u64,
    reloads: u64,
    /// Requests that a killed worker took with it cannot be counted better than by its time-out.
    #[serde(with = "pairs")]
    events: BTreeMap<(Mark, Doing), u64>,
    /// Starts and ends of runs, for deploy marks.
    turns: BTreeSet<Turn>,
}

impl Doings {
    /// Counts one event.
    pub fn record(&mut self, kind: Kind, mark: Mark, doing: Doing) {
        match kind {
            Kind::Start => self.starts += 1,
            Kind::Stopped => self.stops += 1,
            Kind::WorkerStart | Kind::WorkerRespawn => self.worker_starts += 1,
            Kind::WorkerDeath | Kind::WorkerKilled => self.worker_deaths += 1,
            Kind::Timeout => self.timeouts += 1,
            Kind::Reload => self.reloads += 1,
            Kind::Ready | Kind::Stop | Kind::WorkerStop | Kind::WorkerRecycle | Kind::StartFailed | Kind::Note => {}
        }
        if kind != Kind::Note {
            *self.events.entry((mark, doing)).or_default() += 1;
            self.bound();
        }
    }

    /// Notes that a run of a service began or ended.
    pub fn turn(&mut self, service: Option<&str>, at: Timestamp, kind: Kind, origin: Origin) {
        let what = match (kind, origin) {
            (Kind::Stopped, _) => Turned::Ended,
            (Kind::Start, Origin::Ordered) => Turned::Again,
            (Kind::Start, Origin::First) => Turned::First,
            _ => return,
        };
        self.turns.insert(Turn { at, what, service: service.map(str::to_owned) });
        self.bound();
    }

    /// Starts and ends of runs in order of time: the latest [`EVENTS`].
    pub fn turns(&self) -> impl ExactSizeIterator<Item = &Turn> {
        self.turns.iter()
    }

    fn bound(&mut self) {
        while self.events.len() > EVENTS {
            self.events.pop_last();
        }
        while self.turns.len() > EVENTS {
            self.turns.pop_first();
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: Self) {
        self.starts += other.starts;
        self.stops += other.stops;
        self.worker_starts += other.worker_starts;
        self.worker_deaths += other.worker_deaths;
        self.timeouts += other.timeouts;
        self.reloads += other.reloads;
        for (event, n) in other.events {
            *self.events.entry(event).or_default() += n;
        }
        self.turns.extend(other.turns);
        self.bound();
    }

    /// Gives all events another source's number: where snapshots are loaded, the order of loading.
    pub fn renumber(&mut self, source: u64) {
        let events = std::mem::take(&mut self.events);
        self.events = events.into_iter().map(|((mark, doing), n)| ((Mark { source, ..mark }, doing), n)).collect();
    }

    /// The events with their times, in order.
    pub fn events(&self) -> impl Iterator<Item = (Option<Timestamp>, &Doing)> {
        self.events.iter().flat_map(|((mark, doing), n)| {
            (0..*n).map(move |_| ((mark.micros != i64::MAX).then_some(Timestamp(mark.micros)), doing))
        })
    }

    /// The report's figures.
    pub fn figures(&self) -> LifecycleFigures {
        LifecycleFigures {
            starts: self.starts,
            stops: self.stops,
            worker_starts: self.worker_starts,
            worker_deaths: self.worker_deaths,
            timeouts: self.timeouts,
            reloads: self.reloads,
            events: self
                .events()
                .take(EVENTS)
                .map(|(at, doing)| Event {
                    at,
                    service: doing.service.clone(),
                    kind: doing.kind.clone(),
                    pid: doing.pid,
                    text: doing.text.clone(),
                })
                .collect(),
        }
    }
}

/// Written as a list, since not every form has keys of several parts.
mod pairs {
    use super::BTreeMap;
    use super::Deserialize;
    use super::Doing;
    use super::Mark;

    type Events = BTreeMap<(Mark, Doing), u64>;

    pub(super) fn serialize<S: serde::Serializer>(events: &Events, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(events)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Events, D::Error> {
        Ok(Vec::<((Mark, Doing), u64)>::deserialize(from)?.into_iter().collect())
    }
}
