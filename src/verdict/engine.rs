//! Alerts from closed seconds: the one engine that live reading, archives and tests share.
//!
//! Pure: seconds come in by event time, changes come out with their reasons. Time without lines is passed over from one
//! moment that could change anything to the next, so a gap of a year costs as much as one of a week. What an alert's
//! figures mean is `lens.rs`' and `figure.rs`' matter, how it is worded `evidence.rs`'.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use smallvec::SmallVec;

use crate::stats::counts::ErrorRule;
use crate::stats::group::Layer;
use crate::verdict::alert::Change;
use crate::verdict::alert::Firing;
use crate::verdict::alert::Reading;
use crate::verdict::alert::fingerprint;
use crate::verdict::condition::Dimension;
use crate::verdict::condition::Signal;
use crate::verdict::evidence::Facts;
use crate::verdict::figure::Column;
use crate::verdict::figure::needs_latency;
use crate::verdict::figure::number;
use crate::verdict::lens::Judge;
use crate::verdict::lens::Kind;
use crate::verdict::lens::Lens;
use crate::verdict::lens::Plan;
use crate::verdict::lens::Scope;
use crate::verdict::notice::Decision;
use crate::verdict::notice::Known;
use crate::verdict::notice::Situation;
use crate::verdict::notice::Telling;
use crate::verdict::notice::decide;
use crate::verdict::notice::wake;
use crate::verdict::promise::Budget;
use crate::verdict::promise::Objective;
use crate::verdict::promise::exhausted_in_s;
use crate::verdict::promise::left;
use crate::verdict::rule::Mute;
use crate::verdict::rule::Rule;
use crate::verdict::rule::Severity;
use crate::verdict::second::Second;
use crate::verdict::service::Service;
use crate::verdict::service::Subject;
use crate::verdict::told::WindowLatency;
use crate::verdict::window::Sum;

/// What holds for all rules.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which statuses are errors.
    pub errors: ErrorRule,
    /// Probes count like any request.
    pub include_probes: bool,
    /// Which part of the service this vitalog sees, where it is one of several.
    pub instance: Option<String>,
    /// Seconds after which a page or ticket that lasts is told again; 0 for never.
    pub repeat_s: u32,
    /// The limits that were counted while recording, in their order, microseconds.
    pub limits_us: Vec<u64>,
}

/// One change of an alert, or a reminder; and whether it is worth telling.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Seconds since 1970: the end of the second that brought it.
    pub at: u32,
    /// What changed, with its reason.
    pub change: Change,
    /// Whether receivers are told, with its reason.
    pub decision: Decision,
    /// The alert.
    pub facts: Facts,
}

impl Notice {
    /// Whether receivers are to be told.
    pub fn tells(&self) -> bool {
        self.decision.tells()
    }
}

/// Services judged apart, at most; those beyond are not judged.
const SERVICES: usize = 1_000;
/// The form of the stored state.
const VERSION: u32 = 1;

/// Why stored state could not be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadError {
    /// A newer version wrote it: use that one, or start anew.
    Newer,
    /// It is no such state: start anew.
    Damaged,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newer => "the alert state was written by a newer version",
            Self::Damaged => "the alert state is damaged",
        })
    }
}

/// What survives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    now: u32,
    /// By lens: its key, and its judges' keys.
    lenses: Vec<(String, Vec<String>)>,
    services: Vec<Service>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    settings: Settings,
    mutes: Vec<Mute>,
    /// The end of the last closed second; 0 before the first.
    now: u32,
    services: Vec<Service>,
    /// Seconds that came after a later one and were left out.
    ignored: u64,
}

/// An alert in need of a decision: where it stands, and what changed.
#[derive(Debug, Clone, Copy)]
struct Hot {
    lens: usize,
    subject: usize,
    judge: usize,
    change: Change,
    bad: bool,
}

/// Those of one service in one step: a few, as a rule.
type Heat = SmallVec<[Hot; 4]>;

/// What all parts of one step share.
struct Step<'a> {
    plan: &'a Plan,
    settings: &'a Settings,
    mutes: &'a [Mute],
    now: u32,
}

impl Engine {
    /// An engine for these rules and promises. `settings.limits_us` must hold the promises' limits.
    pub fn new(rules: &[Rule], objectives: &[Objective], mutes: Vec<Mute>, settings: Settings) -> Self {
        let plan = Plan::new(rules, objectives, &settings.limits_us);
        Self { plan, settings, mutes, now: 0, services: Vec::new(), ignored: 0 }
    }

    /// Sentences about promises that cannot work as written.
    pub fn warnings(&self) -> &[String] {
        &self.plan.warnings
    }

    /// The end of the last closed second, seconds since 1970; 0 before the first.
    pub fn now(&self) -> u32 {
        self.now
    }

    /// Whether any rule looks at routes each by itself, or at those of a pattern. If not, requests of routes alike may be
    /// told of as one, as long as nothing went wrong with them.
    pub fn looks_at_routes(&self) -> bool {
        self.plan.lenses.iter().any(|lens| !matches!(lens.scope, Scope::All))
    }

    /// Whether any rule or promise looks at latencies: whatever does counts them too, a promise's limit included.
    pub fn looks_at_latencies(&self) -> bool {
        self.plan.lenses.iter().any(|lens| lens.columns.contains(&Column::Timed))
    }

    /// Seconds that came after a later one and were left out of all windows.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Other mutes hold from now on.
    pub fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.mutes = mutes;
        self.services.iter_mut().flat_map(|s| s.subjects.iter_mut().flatten()).for_each(|s| s.wake = 0);
    }

    /// Takes one closed second in, later than all before it, and gives what it and the time before it changed.
    pub fn second(&mut self, second: &Second<'_>) -> Vec<Notice> {
        if second.second < self.now {
            self.ignored += 1;
            return Vec::new();
        }
        let mut notices = self.advance(second.second);
        self.absorb(second);
        self.tick(second.second + 1, &mut notices);
        notices
    }

    /// Time has passed up to the second `to` (not included) without any line beyond those taken in.
    pub fn advance(&mut self, to: u32) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Some(wake) = self.services.iter().map(Service::wake).min().filter(|wake| *wake <= to) {
            self.tick(wake.max(self.now), &mut notices);
        }
        self.now = self.now.max(to);
        notices
    }

    fn absorb(&mut self, second: &Second<'_>) {
        let of_group = second.groups.iter().map(|g| (g.service, g.layer));
        for (name, layer) in of_group.chain(second.lines.iter().map(|l| (l.service, l.layer))) {
            if let Some(at) = self.service(name, second.second) {
                self.services[at].heard(second.second);
                if layer == Layer::Edge {
                    self.services[at].has_edge();
                }
            }
        }
        let (lenses, settings) = (&self.plan.lenses, &self.settings);
        let find = |services: &[Service], name: Option<&str>| services.iter().position(|s| s.name.as_deref() == name);
        for seen in &second.groups {
            if let Some(at) = find(&self.services, seen.service) {
                self.services[at].requests(second.second, seen, lenses, &settings.errors, settings.include_probes);
            }
        }
        for told in &second.lines {
            if let Some(at) = find(&self.services, told.service) {
                self.services[at].lines(told, lenses);
            }
        }
    }

    fn service(&mut self, name: Option<&str>, second: u32) -> Option<usize> {
        if let Some(at) = self.services.iter().position(|s| s.name.as_deref() == name) {
            return Some(at);
        }
        if self.services.len() >= SERVICES {
            return None;
        }
        self.services.push(Service::new(name, second, &self.plan.lenses));
        Some(self.services.len() - 1)
    }

    fn tick(&mut self, now: u32, notices: &mut Vec<Notice>) {
        self.now = now;
        let step = Step { plan: &self.plan, settings: &self.settings, mutes: &self.mutes, now };
        let from = notices.len();
        for service in &mut self.services {
            step.judge(service, notices);
        }
        // Services are numbered as they come: told in the order of their names.
        notices[from..].sort_by(|a, b| a.facts.service.cmp(&b.facts.service));
    }

    /// A route is counted under another name from now on: its alerts are over, for that reason, and its windows are gone.
    pub fn renamed(&mut self, service: Option<&str>, method: &str, path: &str) -> Vec<Notice> {
        let mut notices = Vec::new();
        let step = Step { plan: &self.plan, settings: &self.settings, mutes: &self.mutes, now: self.now };
        let route = format!("{method} {path}");
        for service in self.services.iter_mut().filter(|s| s.name.as_deref() == service) {
            let mut hot: Heat = SmallVec::new();
            for (lens, subjects) in service.subjects.iter().enumerate() {
                for (at, subject) in subjects.iter().enumerate().filter(|s| s.1.route.as_deref() == Some(&route)) {
                    let firing = subject.machines.iter().enumerate().filter(|m| m.1.firing().is_some());
                    hot.extend(firing.map(|(judge, _)| Hot { lens, subject: at, judge, change: Change::Renamed, bad: false }));
                }
            }
            step.tell(service, hot, &mut notices);
            service.forget_route(&route);
        }
        notices
    }

    /// All alerts that fire, as of now: the gravest first.
    pub fn firing(&self) -> Vec<Facts> {
        let step = Step { plan: &self.plan, settings: &self.settings, mutes: &self.mutes, now: self.now };
        let mut all = Vec::new();
        for service in &self.services {
            for (lens, subjects) in self.plan.lenses.iter().zip(&service.subjects) {
                for subject in subjects {
                    for (judge, machine) in lens.judges.iter().zip(&subject.machines) {
                        all.extend(machine.firing().map(|firing| step.facts(service, lens, subject, judge, firing, None)));
                    }
                }
            }
        }
        all.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.fired.cmp(&b.fired)).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// The end of reading: what is left firing. Time stands still; nothing resolves by it.
    pub fn finish(self) -> Vec<Facts> {
        self.firing()
    }

    /// What is left of each promise's budget, by the service's name, then by promise.
    pub fn budget(&self) -> Vec<Budget> {
        let mut all = Vec::new();
        for service in &self.services {
            for (lens, subjects) in self.plan.lenses.iter().zip(&service.subjects) {
                for (at, subject) in lens.budgets.iter().flat_map(|b| subjects.iter().map(move |s| (b, s))) {
                    let objective = &self.plan.objectives[at.objective];
                    let period = at.shares.of(subject.meter.sum(at.period));
                    let recent = at.shares.of(subject.meter.sum(at.recent));
                    let observed_s = service.course(self.now).observed_s();
                    let left = left(objective, period, observed_s);
                    all.push(Budget {
                        service: service.name.clone(),
                        promise: objective.name.clone(),
                        target: objective.target,
                        period,
                        left,
                        exhausted_in_s: left.and_then(|left| exhausted_in_s(objective, left, recent)),
                        warming_up: lens.judges.iter().any(|judge| judge.warms_up(at.objective, observed_s)),
                    });
                }
            }
        }
        all.sort_by(|a: &Budget, b| a.service.cmp(&b.service));
        all
    }

    /// The state for a later [`Engine::load`], which goes on as if nothing had happened.
    pub fn store(&self) -> Vec<u8> {
        let lenses = self.plan.lenses.iter().map(|l| (l.key(), l.judges.iter().map(Judge::key).collect())).collect();
        let state = State { now: self.now, lenses, services: self.services.clone() };
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend(postcard::to_stdvec(&state).unwrap_or_default());
        bytes
    }

    /// Takes up stored state, as far as rules and promises are still the same: those that are new or changed begin anew.
    ///
    /// # Errors
    /// The state is newer than this program, or damaged; the engine is as it was.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let (version, rest) = bytes.split_first_chunk::<4>().ok_or(LoadError::Damaged)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            newer if newer > VERSION && newer < 1_000 => return Err(LoadError::Newer),
            _ => return Err(LoadError::Damaged),
        }
        let state: State = postcard::from_bytes(rest).map_err(|_| LoadError::Damaged)?;
        let origin: Vec<_> = self
            .plan
            .lenses
            .iter()
            .map(|lens| {
                let from = state.lenses.iter().position(|(key, _)| *key == lens.key());
                let judges = from.map_or(&[][..], |at| &state.lenses[at].1);
                let machine = |judge: &Judge| judges.iter().position(|key| *key == judge.key());
                (from, lens.judges.iter().map(machine).collect())
            })
            .collect();
        self.services = state.services;
        self.now = state.now;
        self.services.iter_mut().for_each(|service| service.furnish(&self.plan.lenses, &origin, state.now));
        Ok(())
    }
}

impl Step<'_> {
    /// Moves a service's subjects up to now as far as anything can have changed, and decides what is told.
    fn judge(&self, service: &mut Service, notices: &mut Vec<Notice>) {
        let course = service.course(self.now);
        let mut hot: Heat = SmallVec::new();
        let mut subjects = std::mem::take(&mut service.subjects);
        for (at, (lens, subjects)) in self.plan.lenses.iter().zip(&mut subjects).enumerate() {
            for (number, subject) in subjects.iter_mut().enumerate() {
                if !subject.dirty && subject.wake > self.now {
                    continue;
                }
                subject.advance(self.now, &lens.columns);
                let mut wake = subject.meter.wake().unwrap_or(u32::MAX);
                let Subject { meter, machines, route, .. } = subject;
                for (judge_at, (judge, machine)) in lens.judges.iter().zip(machines.iter_mut()).enumerate() {
                    let held = machine.firing().map_or(0, |f| f.rows);
                    let read = judge.read(meter, &course, held);
                    let change = machine.step(self.now, read.reading, judge.timing, read.severity);
                    let later = |due: Option<u32>| due.filter(|due| *due > self.now).unwrap_or(u32::MAX);
                    wake = wake.min(later(machine.wake(judge.timing))).min(later(read.wake));
                    let Some(firing) = machine.firing_mut() else { continue };
                    firing.rows |= read.rows;
                    if matches!(change, Change::Fired(_)) {
                        firing.name(&self.fingerprint(service.name.as_deref(), lens, route.as_deref(), judge));
                        let blames = judge.blames().filter(|_| lens.whole() && !lens.probes);
                        let window_s = judge.memory_s(firing.rows);
                        firing.blamed = blames.and_then(|column| service.blamed(column, window_s, self.now));
                    }
                    let bad = read.reading == Reading::Bad;
                    hot.push(Hot { lens: at, subject: number, judge: judge_at, change, bad });
                }
                subject.wake = wake;
            }
        }
        service.subjects = subjects;
        if !hot.is_empty() {
            self.tell(service, hot, notices);
        }
    }

    fn fingerprint(&self, service: Option<&str>, lens: &Lens, route: Option<&str>, judge: &Judge) -> String {
        let pattern = match &lens.scope {
            Scope::Pattern(text, _) => Some(text.as_str()),
            _ => None,
        };
        fingerprint(service, self.settings.instance.as_deref(), &judge.name, route.or(pattern))
    }

    /// Decides what is told of firing alerts: what is over first, then the gravest and widest.
    fn tell(&self, service: &mut Service, mut hot: Heat, notices: &mut Vec<Notice>) {
        let lenses = &self.plan.lenses;
        hot.sort_by_key(|h| {
            let judge = &lenses[h.lens].judges[h.judge];
            let route = service.subjects[h.lens][h.subject].route.clone();
            (!is_over(h.change), std::cmp::Reverse(judge.severity), !lenses[h.lens].whole(), h.lens, h.judge, route)
        });
        for hot in hot {
            let lens = &lenses[hot.lens];
            let judge = &lens.judges[hot.judge];
            let Some(mut firing) = service.subjects[hot.lens][hot.subject].machines[hot.judge].lift() else { continue };
            let decision = self.decide(service, lens, hot, &firing);
            if self.note(service, lens, judge, &mut firing, hot, &decision) {
                let subject = &service.subjects[hot.lens][hot.subject];
                let over = is_over(hot.change).then_some(self.now);
                let facts = self.facts(service, lens, subject, judge, &firing, over);
                notices.push(Notice { at: self.now, change: hot.change, decision, facts });
            }
            self.put_back(service, judge, firing, hot);
        }
    }

    fn decide(&self, service: &Service, lens: &Lens, hot: Hot, firing: &Firing) -> Decision {
        let judge = &lens.judges[hot.judge];
        let own = route_of(lens, &service.subjects[hot.lens][hot.subject]);
        let route = own.or(firing.blamed.as_deref());
        let name = service.name.as_deref();
        let concerned = self.mutes.iter().filter(|m| m.concerns(name, &judge.name, route));
        let muted = concerned.into_iter().find(|m| m.holds(self.now)).map(|m| m.reason.as_deref().unwrap_or(""));
        let situation = Situation {
            telling: &firing.telling,
            bad: hot.bad,
            over: is_over(hot.change),
            cause: judge.cause,
            severity: firing.severity,
            whole: lens.whole(),
            route,
            muted,
            known: &service.known,
            window_s: judge.memory_s(firing.rows),
            repeat_s: self.repeat_s(firing.severity),
        };
        decide(self.now, &situation)
    }

    fn repeat_s(&self, severity: Severity) -> Option<u32> {
        (self.settings.repeat_s > 0 && severity > Severity::Info).then_some(self.settings.repeat_s)
    }

    /// Notes a decision in the alert and in what receivers know; whether it is worth a notice.
    fn note(
        &self,
        service: &mut Service,
        lens: &Lens,
        judge: &Judge,
        firing: &mut Firing,
        hot: Hot,
        decision: &Decision,
    ) -> bool {
        let telling = match decision {
            Decision::New | Decision::MuteOver | Decision::Outlasts(_) => {
                let own = route_of(lens, &service.subjects[hot.lens][hot.subject]);
                let route = own.or(firing.blamed.as_deref()).map(str::to_owned);
                let (id, severity) = (firing.id.clone(), firing.severity);
                service.known.push(Known { id, cause: judge.cause, severity, whole: lens.whole(), route });
                Some(Telling::Told(self.now))
            }
            Decision::Repeat(_) => Some(Telling::Told(self.now)),
            Decision::Muted(_) if !matches!(firing.telling, Telling::Told(_)) => Some(Telling::Muted),
            Decision::Held(by) if !matches!(firing.telling, Telling::Held { released: None, .. }) => {
                Some(Telling::Held { by: by.clone(), released: None })
            }
            _ => None,
        };
        let changed = telling.as_ref().is_some_and(|telling| *telling != firing.telling);
        if let Some(telling) = telling {
            firing.telling = telling;
        }
        is_over(hot.change) || matches!(hot.change, Change::Fired(_)) || changed
    }

    /// Puts an alert back where it stands, or away where it is over: then others that it held back are let go.
    fn put_back(&self, service: &mut Service, judge: &Judge, firing: Firing, hot: Hot) {
        if is_over(hot.change) {
            service.subjects[hot.lens][hot.subject].machines[hot.judge].forget();
            service.known.retain(|known| known.id != firing.id);
            self.let_go(service, &firing.id);
            return;
        }
        let mutes = self.mutes.iter().filter_map(|m| m.turns(self.now));
        let deadlines = mutes
            .chain(wake(&firing.telling, judge.memory_s(firing.rows), self.repeat_s(firing.severity)))
            .filter(|t| *t > self.now)
            .min();
        let subject = &mut service.subjects[hot.lens][hot.subject];
        subject.wake = subject.wake.min(deadlines.unwrap_or(u32::MAX));
        subject.machines[hot.judge].lay_down(firing);
    }

    fn let_go(&self, service: &mut Service, id: &str) {
        for (lens, subjects) in self.plan.lenses.iter().zip(&mut service.subjects) {
            for subject in subjects {
                for (judge, machine) in lens.judges.iter().zip(&mut subject.machines) {
                    if let Some(firing) = machine.firing_mut()
                        && let Telling::Held { by, released } = &mut firing.telling
                        && by == id
                    {
                        *released = Some(self.now);
                        let due = self.now.saturating_add(judge.memory_s(firing.rows).max(1));
                        subject.wake = subject.wake.min(due);
                    }
                }
            }
        }
    }

    fn facts(
        &self,
        service: &Service,
        lens: &Lens,
        subject: &Subject,
        judge: &Judge,
        firing: &Firing,
        resolved: Option<u32>,
    ) -> Facts {
        let course = service.course(self.now);
        let seen = judge.seen(&subject.meter, &course, firing.rows);
        let sum = seen.place.map(|place| subject.meter.sum(place));
        let at = |column| sum.map_or(0, |sum| number(&lens.columns, sum, column));
        let own = route_of(lens, subject);
        let (requests, errors) = (at(Column::Counted), at(Column::Errors));
        let mut facts = Facts {
            id: firing.id.clone(),
            fingerprint: self.fingerprint(service.name.as_deref(), lens, subject.route.as_deref(), judge),
            service: service.name.clone(),
            instance: self.settings.instance.clone(),
            rule: judge.name.clone(),
            severity: firing.severity,
            route: own.or(firing.blamed.as_deref()).map(str::to_owned),
            blames: own.is_none() && firing.blamed.is_some(),
            pattern: matches!(lens.scope, Scope::Pattern(..)),
            signal: "error_rate".to_owned(),
            dimension: Dimension::Ratio,
            value: seen.value,
            threshold: seen.limit,
            window_s: seen.window_s,
            slower_than_us: None,
            started: firing.started,
            fired: firing.fired,
            resolved,
            clear_for_s: judge.timing.clear_for_s,
            requests,
            errors,
            bad: errors,
            judged: requests,
            latency_us: None,
            budget_left: None,
            exhausted_in_s: None,
            period_s: None,
        };
        match &judge.kind {
            Kind::Window { rule, .. } | Kind::Silence { rule } => {
                let signal = rule.condition.signal;
                facts.signal = signal.to_string();
                facts.dimension = signal.dimension();
                if needs_latency(signal) {
                    let quantile = |q| sum.and_then(|sum| sum.quantile_us(q));
                    facts.latency_us = latency(at(Column::Timed), sum.map_or(0, Sum::max_us), quantile);
                }
                if !matches!(signal, Signal::ErrorRate | Signal::Errors) {
                    facts.judged = 0;
                }
            }
            Kind::Burn { objective, bad, all, .. } => {
                let promise = &self.plan.objectives[*objective];
                if promise.slower_than_us.is_some() {
                    "slow_rate".clone_into(&mut facts.signal);
                }
                facts.slower_than_us = promise.slower_than_us;
                (facts.bad, facts.judged, facts.period_s) = (at(*bad), at(*all), Some(promise.period_s));
                if let Some(budget) = lens.budgets.iter().find(|b| b.objective == *objective) {
                    let sum = |place| budget.shares.of(subject.meter.sum(place));
                    facts.budget_left = left(promise, sum(budget.period), course.observed_s());
                    facts.exhausted_in_s = facts.budget_left.and_then(|l| exhausted_in_s(promise, l, sum(budget.recent)));
                }
            }
        }
        facts
    }
}

/// The route or pattern a subject is about by itself.
fn route_of<'s>(lens: &'s Lens, subject: &'s Subject) -> Option<&'s str> {
    match &lens.scope {
        Scope::Pattern(text, _) => Some(text),
        _ => subject.route.as_deref(),
    }
}

fn is_over(change: Change) -> bool {
    matches!(change, Change::Resolved(_) | Change::Renamed)
}

fn latency(count: u64, max: u64, quantile: impl Fn(f64) -> Option<u64>) -> Option<WindowLatency> {
    let [p50, p90, p95, p99, p999] = [0.5, 0.9, 0.95, 0.99, 0.999].map(quantile);
    Some(WindowLatency { count, p50: p50?, p90: p90?, p95: p95?, p99: p99?, p999: p999?, max, digits: 2 })
}

#[cfg(test)]
mod tests;
