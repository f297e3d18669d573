//! Closed seconds to alerts as they are told: the same for archives and live logs, so that replaying an archive gives
//! the alerts that tailing it gave, with the same ids.
//!
//! [`Judge`] holds the engine and what explains an alert: the last exceptions, redacted lines and deploy marks, all by
//! event time. Judging itself is `verdict`'s; when a second is closed, and in which order sources are read, is
//! `sequence`'s for archives and `live`'s for logs that grow; who is told is the caller's.
//!
//! **Live**, with one listening `Snapshot` for all sources:
//! 1. `snapshot.listen()` once, before the first line; `Judge::new(&setup)`, then `Judge::load` of what was stored;
//! 2. as often as seconds close: `for step in snapshot.take_steps(end) { told.extend(judge.step(&step, &snapshot)) }`
//!    and then `told.extend(judge.advance(end))`, `end` being the first second that is still open (newest event time less
//!    the lateness; the wall clock less the lateness where no line comes): time without lines resolves and tells silence;
//! 3. `told` holds every change with its reason; receivers get those for which [`Told::tells`], in this order;
//! 4. `Judge::store` goes into the same transaction as positions and outbox;
//! 5. `Judge::set_mutes` when mutes come or go, `Judge::deployed` for marks given from outside, `Judge::firing` and
//!    `Judge::budget` for pages, `Judge::renamed` where a route goes under another name.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::stats::failures::FailureKey;
use crate::stats::snapshot::Snapshot;
use crate::stats::snapshot::Step;
use crate::stats::steps::Example;
use crate::stats::steps::Raise;
use crate::time::Timestamp;
use crate::verdict::engine::Engine;
use crate::verdict::engine::LoadError;
use crate::verdict::engine::Notice;
use crate::verdict::engine::Settings;
use crate::verdict::evidence::Commands;
use crate::verdict::evidence::Context;
use crate::verdict::evidence::Facts;
use crate::verdict::evidence::Mark;
use crate::verdict::evidence::dress;
use crate::verdict::promise::Budget;
use crate::verdict::promise::Objective;
use crate::verdict::rule::Mute;
use crate::verdict::rule::Rule;
use crate::verdict::second::Second;
use crate::verdict::told::Raised;
use crate::verdict::told::Telling;

/// What judging needs to know beforehand.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The promises.
    pub objectives: Vec<Objective>,
    /// Mutes of the configuration.
    pub mutes: Vec<Mute>,
    /// What holds for all rules; its limits are those of the recording's plan, in the same order.
    pub settings: Settings,
    /// Commands and links of services that have none of their own.
    pub commands: Commands,
    /// Those of single services.
    pub of_service: BTreeMap<String, Commands>,
}

/// One change of an alert, or a reminder, with what is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When, what changed, and whether it is worth telling.
    pub notice: Notice,
    /// The alert as receivers get it; not cleaned yet.
    pub telling: Telling,
}

impl Told {
    /// Whether receivers are to be told.
    pub fn tells(&self) -> bool {
        self.notice.tells()
    }
}

/// Judges closed seconds.
#[derive(Debug)]
pub struct Judge {
    engine: Engine,
    commands: Commands,
    of_service: BTreeMap<String, Commands>,
    /// Ascending; a service of `None` is every one.
    marks: Vec<(Option<String>, Mark)>,
    recent: Recent,
}

impl Judge {
    /// Nothing seen yet.
    pub fn new(setup: &Setup) -> Self {
        let engine = Engine::new(&setup.rules, &setup.objectives, setup.mutes.clone(), setup.settings.clone());
        Self {
            engine,
            commands: setup.commands.clone(),
            of_service: setup.of_service.clone(),
            marks: Vec::new(),
            recent: Recent::default(),
        }
    }

    /// Takes one closed second in, later than all before it, and gives what it and the time before it changed.
    pub fn step(&mut self, step: &Step, all: &Snapshot) -> Vec<Told> {
        self.steps(&[(step, all)])
    }

    /// The same for one second of several recordings: the steps of all that have one.
    pub fn steps(&mut self, parts: &[(&Step, &Snapshot)]) -> Vec<Told> {
        let mut whole = Second::default();
        for (step, all) in parts {
            whole.second = step.second;
            whole.extend(step, all.desks());
            step.raised.iter().for_each(|raise| self.recent.raise(step.second, raise));
            step.examples.iter().for_each(|example| self.recent.example(step.second, example));
        }
        let notices = self.engine.second(&whole);
        self.told(notices)
    }

    /// Time has passed up to the second `to` (not included) without any line beyond those taken in.
    pub fn advance(&mut self, to: u32) -> Vec<Told> {
        let notices = self.engine.advance(to);
        self.told(notices)
    }

    /// A route is counted under another name from now on: its alerts are over.
    pub fn renamed(&mut self, service: Option<&str>, method: &str, path: &str) -> Vec<Told> {
        let notices = self.engine.renamed(service, method, path);
        self.told(notices)
    }

    /// Something was deployed; `None` for every service.
    pub fn deployed(&mut self, service: Option<&str>, mark: Mark) {
        let at = self.marks.partition_point(|(_, known)| known.at <= mark.at);
        self.marks.insert(at, (service.map(str::to_owned), mark));
        if self.marks.len() > MARKS {
            self.marks.remove(0);
        }
    }

    /// Other mutes hold from now on.
    pub fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.engine.set_mutes(mutes);
    }

    /// The alerts that fire, the gravest first.
    pub fn firing(&self) -> Vec<Telling> {
        self.engine.firing().iter().map(|facts| self.dressed(facts, self.engine.now())).collect()
    }

    /// What is left of each promise's budget.
    pub fn budget(&self) -> Vec<Budget> {
        self.engine.budget()
    }

    /// Sentences about promises that cannot work as written.
    pub fn warnings(&self) -> &[String] {
        self.engine.warnings()
    }

    /// Whether any rule looks at routes each by itself, or at those of a pattern.
    pub fn looks_at_routes(&self) -> bool {
        self.engine.looks_at_routes()
    }

    /// Whether any rule or promise looks at latencies.
    pub fn looks_at_latencies(&self) -> bool {
        self.engine.looks_at_latencies()
    }

    /// The end of the last closed second, seconds since 1970; 0 before the first.
    pub fn now(&self) -> u32 {
        self.engine.now()
    }

    /// The state for a later [`Judge::load`]; evidence that waits for alerts to come is not part of it.
    pub fn store(&self) -> Vec<u8> {
        self.engine.store()
    }

    /// Takes up stored state.
    ///
    /// # Errors
    /// The state is newer than this program, or damaged; the judge is as it was.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.engine.load(bytes)
    }

    fn told(&self, notices: Vec<Notice>) -> Vec<Told> {
        let telling = |notice: &Notice| self.dressed(&notice.facts, notice.at);
        notices.into_iter().map(|notice| Told { telling: telling(&notice), notice }).collect()
    }

    fn dressed(&self, facts: &Facts, now: u32) -> Telling {
        let service = facts.service.as_deref();
        let from = facts.started.saturating_sub(facts.window_s.max(60));
        let ours = |of: &Option<String>| of.is_none() || of.as_deref() == service;
        let marks: Vec<Mark> = self.marks.iter().filter(|(of, _)| ours(of)).map(|(_, mark)| mark.clone()).collect();
        let route = facts.route.as_deref().filter(|_| !facts.pattern);
        dress(
            facts,
            &Context {
                exceptions: &self.recent.exceptions(service, from, now),
                deploys: &marks,
                lines: &self.recent.lines(service, route, from),
                commands: Some(service.and_then(|s| self.of_service.get(s)).unwrap_or(&self.commands)),
            },
        )
    }
}

/// Deploy marks remembered.
const MARKS: usize = 1_000;
/// Kinds of exceptions remembered.
const KINDS: usize = 500;
/// Exceptions remembered one by one.
const RAISED: usize = 50_000;
/// Routes of one kind of exception remembered.
const ROUTES: usize = 10;
/// Routes of which lines are remembered.
const LINED: usize = 500;
/// Lines shown with an alert, and remembered of one route.
const LINES: usize = 3;

/// Lines, and when they came.
type Lined = VecDeque<(u32, Example)>;

/// What explains alerts: bounded, by event time.
#[derive(Debug, Default)]
struct Recent {
    kinds: Vec<(FailureKey, Raised)>,
    /// When which of `kinds` came, in the order of coming.
    raised: VecDeque<(u32, usize)>,
    /// By service and route (`GET /items/{id}`).
    lines: BTreeMap<Option<String>, BTreeMap<String, Lined>>,
    word: String,
}

impl Recent {
    fn raise(&mut self, second: u32, raise: &Raise) {
        let known = self.kinds.iter().position(|(key, _)| *key == raise.key);
        let Some(at) = known.or_else(|| (self.kinds.len() < KINDS).then_some(self.kinds.len())) else { return };
        if known.is_none() {
            let place = Some(raise.key.place.clone()).filter(|place| !place.is_empty());
            let new = Raised { kind: raise.key.kind.clone(), place, ..Raised::default() };
            self.kinds.push((raise.key.clone(), new));
        }
        let Some((_, kind)) = self.kinds.get_mut(at) else { return };
        if let Some(route) = raise.route.as_ref().filter(|route| !kind.routes.contains(route))
            && kind.routes.len() < ROUTES
        {
            kind.routes.push(route.clone());
        }
        let Some(message) = &raise.message else { return };
        let time = Timestamp::from_seconds(i64::from(second));
        kind.first = Some(kind.first.map_or(time, |first| first.min(time)));
        if kind.message.is_none() && !message.is_empty() {
            kind.message = Some(message.clone());
        }
        if self.raised.len() >= RAISED {
            self.raised.pop_front();
        }
        self.raised.push_back((second, at));
    }

    /// Those of a service that came from `from` to `until`.
    fn exceptions(&self, service: Option<&str>, from: u32, until: u32) -> Vec<Raised> {
        let mut counts: BTreeMap<usize, (u64, u32)> = BTreeMap::new();
        for (second, at) in self.raised.iter().filter(|(second, _)| (from..=until).contains(second)) {
            let count = counts.entry(*at).or_default();
            *count = (count.0 + 1, count.1.max(*second));
        }
        let ours = counts.into_iter().filter_map(|(at, count)| Some((self.kinds.get(at)?, count)));
        ours.filter(|((key, _), _)| key.service.as_deref() == service)
            .map(|((_, kind), (count, last))| Raised {
                count,
                last: Some(Timestamp::from_seconds(i64::from(last))),
                ..kind.clone()
            })
            .collect()
    }

    fn example(&mut self, second: u32, example: &Example) {
        self.word.clear();
        // Writing to a string cannot fail.
        write!(self.word, "{} {}", example.route.method, example.route.path).unwrap_or_default();
        if let Some(lines) = self.lines.get_mut(&example.service).and_then(|of| of.get_mut(&self.word)) {
            let oldest = if lines.len() >= LINES { lines.pop_front() } else { None };
            let line = oldest.map_or_else(|| example.clone(), |(_, line)| line.becoming(example));
            return lines.push_back((second, line));
        }
        if self.lines.values().map(BTreeMap::len).sum::<usize>() >= LINED {
            self.forget_oldest();
        }
        let of_service = self.lines.entry(example.service.clone()).or_default();
        of_service.entry(self.word.clone()).or_default().push_back((second, example.clone()));
    }

    /// Forgets the lines of the route that has had none for longest.
    fn forget_oldest(&mut self) {
        let all = self.lines.iter().flat_map(|(of, routes)| routes.iter().map(move |(route, lines)| (of, route, lines)));
        let newest = |lines: &Lined| lines.back().map_or(0, |line| line.0);
        let oldest = all.min_by_key(|(.., lines)| newest(lines)).map(|(of, route, _)| (of.clone(), route.clone()));
        if let Some((of, route)) = oldest
            && let Some(routes) = self.lines.get_mut(&of)
        {
            routes.remove(&route);
            if routes.is_empty() {
                self.lines.remove(&of);
            }
        }
    }

    /// The last lines of a service, or of one of its routes, since `from`; in the order of time.
    fn lines(&self, service: Option<&str>, route: Option<&str>, from: u32) -> Vec<String> {
        let of_service = self.lines.iter().filter(|(of, _)| of.as_deref() == service).flat_map(|(_, routes)| routes);
        let ours = of_service.filter(|(on, _)| route.is_none_or(|r| r == *on));
        let mut all: Vec<&(u32, Example)> = ours.flat_map(|(_, lines)| lines).filter(|line| line.0 >= from).collect();
        all.sort_by_key(|line| line.0);
        all.iter().rev().take(LINES).rev().map(|line| line.1.line()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Exception;
    use crate::parse::Record;
    use crate::route::table;
    use crate::route::table::Router;
    use crate::stats::failures;
    use crate::stats::failures::Tie;
    use crate::stats::group::Layer;
    use crate::stats::latency::Bounds;
    use crate::stats::snapshot::Plan;
    use crate::verdict::rule;

    fn listening() -> Snapshot {
        let routers = Arc::new(|_: Option<&str>| Router::new(Arc::default(), table::Settings::default()));
        let mut snapshot = Snapshot::empty(Plan {
            bounds: Arc::new(Bounds::new(&[])),
            limits_us: Arc::from([]),
            routers,
            borders: Arc::from([]),
            by_route: true,
        });
        snapshot.listen();
        snapshot
    }

    fn setup() -> Setup {
        let commands = Commands { rollback: Some("undo".to_owned()), rollback_within_s: 7200, ..Commands::default() };
        let of_service = BTreeMap::from([("shop".to_owned(), commands)]);
        Setup { rules: rule::defaults(), objectives: vec![Objective::available()], of_service, ..Setup::default() }
    }

    const START: i64 = 1_795_392_000;

    /// Ten requests a second; from the third minute on, for two minutes, nine of them fail.
    fn outage(snapshot: &mut Snapshot) {
        let desk = snapshot.desk(Some("shop"), Layer::App);
        for n in 0..12_000 {
            let second = START + n / 10;
            let at = Some(Timestamp::from_seconds(second));
            let bad = (180..300).contains(&(n / 10)) && n % 10 > 0;
            let status = Some(if bad { 500 } else { 200 });
            let record = Record { method: b"POST", path: b"/checkout", status, ..Record::default() };
            let route = snapshot.request(desk, &record, at);
            if bad {
                snapshot.example(desk, route, at, b"POST /checkout 500", record.path);
                let exception =
                    Exception { kind: "KeyError".to_owned(), place: "cart.py:88".to_owned(), ..Exception::default() };
                let offset = n.unsigned_abs();
                snapshot.exception(Some("shop"), &exception, failures::Mark::new(at, 0, offset));
                let route = "POST /checkout".to_owned();
                let tie = Tie { kind: "KeyError".to_owned(), place: "cart.py:88".to_owned(), route };
                snapshot.tie(Some("shop"), &tie, at);
            }
        }
    }

    #[test]
    fn an_alert_comes_with_what_explains_it() {
        let mut snapshot = listening();
        outage(&mut snapshot);
        let mut judge = Judge::new(&setup());
        let mark = Mark { at: Timestamp::from_seconds(START + 120), label: Some("v2".to_owned()), source: "option".to_owned() };
        judge.deployed(None, mark);
        let mut told = Vec::new();
        for step in snapshot.take_steps(u32::MAX) {
            told.extend(judge.step(&step, &snapshot));
        }
        let fired = told.iter().find(|t| t.tells()).expect("an outage pages");
        let alert = &fired.telling.alert;
        assert_eq!(("outage", Some("POST /checkout")), (alert.rule.as_str(), alert.route.as_deref()));
        let raised = &alert.evidence.exceptions[0];
        assert_eq!(("KeyError", alert.evidence.errors), (raised.kind.as_str(), Some(raised.count)));
        assert_eq!(Some(START + 180), raised.first.map(Timestamp::second));
        assert_eq!(vec!["POST /checkout"], raised.routes);
        assert_eq!(vec!["POST /checkout 500"; 3], alert.evidence.lines);
        assert_eq!(Some("undo"), alert.rollback.as_deref());
        assert!(told.iter().any(|t| t.tells() && t.telling.alert.resolved_at.is_some()), "and is over");
    }

    #[test]
    fn seconds_fetched_one_by_one_or_all_at_once_are_judged_alike() {
        let ids = |fetch: &dyn Fn(&mut Snapshot, &mut Judge) -> Vec<Told>| {
            let mut snapshot = listening();
            outage(&mut snapshot);
            let told = fetch(&mut snapshot, &mut Judge::new(&setup()));
            told.into_iter().map(|t| (t.notice.at, t.telling.alert.id)).collect::<Vec<_>>()
        };
        let whole = ids(&|snapshot, judge| {
            let steps = snapshot.take_steps(u32::MAX);
            steps.iter().flat_map(|step| judge.step(step, snapshot)).collect()
        });
        let live = ids(&|snapshot, judge| {
            let mut told = Vec::new();
            for end in (u32::try_from(START).unwrap()..).step_by(7).take(180) {
                for step in snapshot.take_steps(end) {
                    told.extend(judge.step(&step, snapshot));
                }
                told.extend(judge.advance(end));
            }
            told
        });
        assert!(whole.len() >= 2);
        assert_eq!(whole, live);
    }
}
