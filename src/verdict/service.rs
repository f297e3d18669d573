//! One service under judgement: its subjects, its windows, its alerts, and which of its routes are to blame.
//!
//! Takes closed seconds in; what they mean for alerts is the engine's matter. Memory is bounded: so many subjects for a
//! lens, an hour of blame, so many routes a minute.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::Deserialize;
use serde::Serialize;

use crate::route::RouteKey;
use crate::stats::counts::ErrorRule;
use crate::stats::group::Layer;
use crate::verdict::alert::Machine;
use crate::verdict::figure::Column;
use crate::verdict::figure::Columns;
use crate::verdict::figure::Gathered;
use crate::verdict::figure::Requests;
use crate::verdict::lens::Course;
use crate::verdict::lens::Lens;
use crate::verdict::lens::Scope;
use crate::verdict::notice::Known;
use crate::verdict::notice::Telling;
use crate::verdict::second::Seen;
use crate::verdict::second::Told;
use crate::verdict::window::Meter;

/// Routes that one lens looks at each by itself, at most; a router keeps fewer.
const SUBJECTS: usize = 4_000;
/// Route keys whose subjects are remembered.
const SEATS: usize = 20_000;
/// Minutes of blame.
const BLAME_MIN: u32 = 61;
/// Routes to blame in a minute.
const BLAME_ROUTES: usize = 500;
/// A route is to blame for so many of ten bad requests.
const BLAME_TENTHS: u64 = 8;

/// One set of requests under judgement: its windows, and an alert for each judge.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Subject {
    /// `GET /x` where the lens looks at each route by itself.
    pub route: Option<String>,
    /// Its windows.
    pub meter: Meter,
    /// One for each judge of the lens.
    pub machines: Vec<Machine>,
    /// When time alone could change something next.
    #[serde(skip)]
    pub wake: u32,
    /// Something came in during the second that closes.
    #[serde(skip)]
    pub dirty: bool,
    #[serde(skip)]
    gathered: Gathered,
}

impl Subject {
    fn new(lens: &Lens, route: Option<String>) -> Self {
        let machines = lens.judges.iter().map(|_| Machine::default()).collect();
        Self { route, meter: Meter::new(&lens.layout), machines, ..Self::default() }
    }

    fn gather(&mut self) -> &mut Gathered {
        if !self.dirty {
            self.dirty = true;
            self.gathered.clear();
        }
        &mut self.gathered
    }

    /// Moves the windows up to `now`; what came in lies in the second before.
    pub fn advance(&mut self, now: u32, columns: &Columns) {
        if self.dirty {
            self.meter.add(now - 1, self.gathered.amount(columns));
            self.dirty = false;
        }
        self.meter.advance(now);
    }

    fn is_idle(&self) -> bool {
        !self.dirty && self.meter.is_empty() && self.machines.iter().all(Machine::is_inactive)
    }
}

/// Bad requests of a minute by route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Blame {
    minute: u32,
    /// Errors first, then those over each limit.
    routes: BTreeMap<String, Vec<u64>>,
}

/// By route key: its subject in each lens.
#[derive(Debug, Clone, Default)]
struct Seats {
    rows: Vec<(Arc<RouteKey>, Vec<Option<usize>>)>,
    by_key: HashMap<Arc<RouteKey>, usize, RandomState>,
    /// By address of a key: the row that it last was, plus one. Most routes of a second were there in the one before, and
    /// one that is the same in memory need not be looked at; another history's is compared, which is quicker than hashing.
    near: Vec<usize>,
}

/// Addresses that are remembered.
const NEAR: usize = 1_024;

impl Seats {
    fn find(&mut self, route: &Arc<RouteKey>) -> Option<usize> {
        let place = Arc::as_ptr(route).addr() / align_of::<RouteKey>() % NEAR;
        let near = self.near.get(place).and_then(|row| row.checked_sub(1));
        // Compares addresses first.
        if let Some(row) = near.filter(|row| self.rows[*row].0 == *route) {
            return Some(row);
        }
        let row = *self.by_key.get(route)?;
        self.near.resize(NEAR, 0);
        self.near[place] = row + 1;
        Some(row)
    }

    fn insert(&mut self, route: &Arc<RouteKey>, seats: Vec<Option<usize>>) {
        self.by_key.insert(Arc::clone(route), self.rows.len());
        self.rows.push((Arc::clone(route), seats));
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// One service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Service {
    /// Its name; `None` where nothing names it.
    pub name: Option<String>,
    /// A proxy's log was seen: requests are taken from it alone.
    edge: bool,
    first: u32,
    last: u32,
    longest_gap_s: u32,
    /// Alerts that receivers know of.
    pub known: Vec<Known>,
    /// By lens.
    pub subjects: Vec<Vec<Subject>>,
    blame: VecDeque<Blame>,
    /// Where the requests of each route key belong. A cache.
    #[serde(skip)]
    seats: Seats,
    #[serde(skip)]
    word: String,
}

impl Service {
    /// A service that is first seen in a second.
    pub fn new(name: Option<&str>, second: u32, lenses: &[Lens]) -> Self {
        let subjects = lenses
            .iter()
            .map(|lens| {
                let single = lens.looks_at(name) && !matches!(lens.scope, Scope::Each);
                if single { vec![Subject::new(lens, None)] } else { Vec::new() }
            })
            .collect();
        Self { name: name.map(str::to_owned), first: second, last: second, subjects, ..Self::default() }
    }

    /// Its course up to `now`.
    pub fn course(&self, now: u32) -> Course {
        Course { now, first: self.first, last: self.last, longest_gap_s: self.longest_gap_s }
    }

    /// From now on requests are taken from the proxy's log alone.
    pub fn has_edge(&mut self) {
        self.edge = true;
    }

    /// Takes requests of a group in.
    pub fn requests(&mut self, second: u32, seen: &Seen<'_>, lenses: &[Lens], errors: &ErrorRule, include_probes: bool) {
        if self.edge && seen.layer == Layer::App {
            return;
        }
        let Some(row) = self.seats.find(seen.route) else {
            self.seat(seen.route, lenses, include_probes);
            return self.requests(second, seen, lenses, errors, include_probes);
        };
        let requests = Requests::of(seen, errors);
        let seats = &self.seats.rows[row].1;
        for ((lens, seat), subjects) in lenses.iter().zip(seats).zip(&mut self.subjects) {
            let Some(subject) = seat.and_then(|seat| subjects.get_mut(seat)) else { continue };
            if lens.auth.is_none_or(|a| a == seen.auth) {
                subject.gather().requests(&lens.columns, seen, &requests, lens.layout.latency());
            }
        }
        if !seen.route.refused && !seen.route.probe {
            self.note_blame(second, seen, requests.errors);
        }
    }

    /// Takes lines in.
    pub fn lines(&mut self, told: &Told<'_>, lenses: &[Lens]) {
        for (lens, subjects) in lenses.iter().zip(&mut self.subjects) {
            if lens.counts_lines() {
                for subject in subjects {
                    subject.gather().lines(told);
                }
            }
        }
    }

    /// Notes that the second had any line at all. To be called before [`Service::course`] is asked for its end.
    pub fn heard(&mut self, second: u32) {
        self.longest_gap_s = self.longest_gap_s.max(second.saturating_sub(self.last).saturating_sub(1));
        self.last = self.last.max(second);
    }

    /// Finds the subject of a route in each lens.
    fn seat(&mut self, route: &Arc<RouteKey>, lenses: &[Lens], include_probes: bool) {
        if self.seats.rows.len() >= SEATS {
            self.seats.clear();
        }
        let name = self.name.clone();
        let mut seats = Vec::with_capacity(lenses.len());
        for (at, lens) in lenses.iter().enumerate() {
            let auth = lens.auth.unwrap_or_default();
            let seat = if !lens.looks_at(name.as_deref()) || !lens.takes(route, auth, include_probes) {
                None
            } else if matches!(lens.scope, Scope::Each) {
                self.subject_of(at, lens, &format!("{} {}", route.method, route.path))
            } else {
                Some(0)
            };
            seats.push(seat);
        }
        self.seats.insert(route, seats);
    }

    fn subject_of(&mut self, at: usize, lens: &Lens, route: &str) -> Option<usize> {
        if let Some(seat) = self.subjects[at].iter().position(|s| s.route.as_deref() == Some(route)) {
            return Some(seat);
        }
        if self.subjects[at].len() >= SUBJECTS {
            self.subjects[at].retain(|s| !s.is_idle());
            self.seats.clear();
        }
        let free = self.subjects[at].len();
        (free < SUBJECTS).then(|| {
            self.subjects[at].push(Subject::new(lens, Some(route.to_owned())));
            free
        })
    }

    /// Drops what is known of a route by itself.
    pub fn forget_route(&mut self, route: &str) {
        for subjects in &mut self.subjects {
            subjects.retain(|s| s.route.as_deref() != Some(route));
        }
        self.seats.clear();
    }

    fn note_blame(&mut self, second: u32, seen: &Seen<'_>, failed: u64) {
        let slow = !seen.route.streaming && seen.slot.over.iter().any(|n| *n > 0);
        if failed == 0 && !slow {
            return;
        }
        let minute = second / 60;
        if self.blame.back().is_none_or(|b| b.minute != minute) {
            self.blame.push_back(Blame { minute, routes: BTreeMap::new() });
            while self.blame.front().is_some_and(|b| b.minute + BLAME_MIN <= minute) {
                self.blame.pop_front();
            }
        }
        let Some(blame) = self.blame.back_mut() else { return };
        self.word.clear();
        // Writing to a string cannot fail.
        write!(self.word, "{} {}", seen.route.method, seen.route.path).unwrap_or_default();
        if !blame.routes.contains_key(&self.word) {
            if blame.routes.len() >= BLAME_ROUTES {
                return;
            }
            blame.routes.insert(self.word.clone(), Vec::new());
        }
        let Some(counts) = blame.routes.get_mut(&self.word) else { return };
        counts.resize(counts.len().max(1 + seen.slot.over.len()), 0);
        counts[0] += failed;
        if !seen.route.streaming {
            counts[1..].iter_mut().zip(&seen.slot.over).for_each(|(a, b)| *a += u64::from(*b));
        }
    }

    /// The route that made at least eight of ten bad requests (errors, or those over a limit) in the minutes that the
    /// last `window_s` seconds before `now` touch, an hour at most.
    pub fn blamed(&self, column: Column, window_s: u32, now: u32) -> Option<String> {
        let at = match column {
            Column::Errors => 0,
            Column::Over(limit) => 1 + limit,
            _ => return None,
        };
        let from = now.saturating_sub(window_s.min(3_600)) / 60;
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (route, counts) in self.blame.iter().filter(|b| b.minute >= from).flat_map(|b| &b.routes) {
            *sums.entry(route).or_default() += counts.get(at).copied().unwrap_or(0);
        }
        let all: u64 = sums.values().sum();
        let (route, most) = sums.into_iter().max_by_key(|(_, n)| *n)?;
        (all > 0 && most * 10 >= all * BLAME_TENTHS).then(|| route.to_owned())
    }

    /// The next time at which time alone could change something.
    pub fn wake(&self) -> u32 {
        self.subjects.iter().flatten().map(|s| s.wake).min().unwrap_or(u32::MAX)
    }

    /// Fits stored subjects to lenses: `origin` gives, for each lens, the number it was stored under and, for each judge,
    /// the number its alerts were stored under. Alerts of rules that are gone are forgotten, and what they held back is
    /// let go at `now`.
    pub fn furnish(&mut self, lenses: &[Lens], origin: &[(Option<usize>, Vec<Option<usize>>)], now: u32) {
        let mut old: Vec<Option<Vec<Subject>>> = std::mem::take(&mut self.subjects).into_iter().map(Some).collect();
        let fresh = Self::new(self.name.as_deref(), self.first, lenses);
        for ((lens, (from, judges)), fresh) in lenses.iter().zip(origin).zip(fresh.subjects) {
            let stored = from.and_then(|at| old.get_mut(at)).and_then(Option::take);
            let mut subjects = stored.unwrap_or(fresh);
            for subject in &mut subjects {
                subject.meter.furnish(&lens.layout);
                let machines = std::mem::take(&mut subject.machines);
                let machine = |at: &Option<usize>| at.and_then(|at| machines.get(at)).cloned().unwrap_or_default();
                subject.machines = judges.iter().map(machine).collect();
            }
            self.subjects.push(subjects);
        }
        let subjects = || self.subjects.iter().flatten();
        let is_left = |id: &str| subjects().flat_map(|s| &s.machines).filter_map(Machine::firing).any(|f| f.id == id);
        let known: Vec<Known> = self.known.iter().filter(|known| is_left(&known.id)).cloned().collect();
        self.known = known;
        for machine in self.subjects.iter_mut().flatten().flat_map(|s| &mut s.machines) {
            if let Some(firing) = machine.firing_mut()
                && let Telling::Held { by, released: released @ None } = &mut firing.telling
                && !self.known.iter().any(|known| known.id == *by)
            {
                *released = Some(now);
            }
        }
    }
}
