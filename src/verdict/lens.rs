//! Rules and promises made ready: who looks at which requests, over which windows.
//!
//! A lens is one way of looking at a service: all requests, each route by itself, or the routes of a pattern; perhaps
//! only logged-in ones. Rules that look the same way share its counts and windows. A [`Judge`] is one rule, or the rows
//! of one severity of one promise, over a lens. What is told of a reading is `alert.rs`' and `notice.rs`' matter.

use crate::parse::Auth;
use crate::route::RouteKey;
use crate::route::glob::RouteGlob;
use crate::verdict::alert::Reading;
use crate::verdict::alert::Timing;
use crate::verdict::condition::On;
use crate::verdict::condition::Op;
use crate::verdict::condition::Signal;
use crate::verdict::figure::At;
use crate::verdict::figure::Column;
use crate::verdict::figure::Columns;
use crate::verdict::figure::Formula;
use crate::verdict::figure::needs_latency;
use crate::verdict::figure::wanted;
use crate::verdict::promise::Objective;
use crate::verdict::promise::Row;
use crate::verdict::promise::Share;
use crate::verdict::promise::Standing;
use crate::verdict::promise::rows;
use crate::verdict::promise::stand;
use crate::verdict::rule::Cause;
use crate::verdict::rule::Rule;
use crate::verdict::rule::Severity;
use crate::verdict::window::Layout;
use crate::verdict::window::Meter;
use crate::verdict::window::Place;
use crate::verdict::window::Sum;
use crate::verdict::window::advance_of;

/// Which requests of a service belong together.
#[derive(Debug, Clone)]
pub enum Scope {
    /// All.
    All,
    /// Those of each route.
    Each,
    /// Those of a pattern's routes: as typed, and read.
    Pattern(String, RouteGlob),
}

impl Scope {
    fn key(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Each => "each".to_owned(),
            Self::Pattern(text, _) => format!("on {text}"),
        }
    }
}

/// One way of looking at a service, with all who look that way.
#[derive(Debug)]
pub struct Lens {
    /// Which requests belong together.
    pub scope: Scope,
    /// Only this service; `None` for each.
    pub service: Option<String>,
    /// Only requests that are logged in, or are not.
    pub auth: Option<Auth>,
    /// Health probes instead of all other requests.
    pub probes: bool,
    /// What is counted.
    pub columns: Columns,
    /// The windows.
    pub layout: Layout,
    /// Who judges.
    pub judges: Vec<Judge>,
    /// Promises whose budget is kept here.
    pub budgets: Vec<BudgetAt>,
}

/// Where a promise's budget is counted.
#[derive(Debug, Clone, Copy)]
pub struct BudgetAt {
    /// The promise, by number.
    pub objective: usize,
    /// Its period.
    pub period: Place,
    /// Its last hour.
    pub recent: Place,
    /// Where bad and all stand in a window.
    pub shares: Shares,
}

/// One rule, or the rows of one severity of one promise.
#[derive(Debug)]
pub struct Judge {
    /// The rule's or promise's name.
    pub name: String,
    /// How grave it is, learned silence aside.
    pub severity: Severity,
    /// What it is about.
    pub cause: Cause,
    /// How long it must hold and be good.
    pub timing: Timing,
    /// What it does.
    pub kind: Kind,
}

/// How a judge judges.
#[derive(Debug)]
pub enum Kind {
    /// A figure of one window against a value.
    Window {
        /// The rule.
        rule: Rule,
        /// Its window.
        place: Place,
        /// Its signal's figure.
        formula: Formula,
        /// Where the window's errors stand.
        errors: At,
        /// For how many seconds it must be observed.
        must_s: u32,
    },
    /// The time since the last line.
    Silence {
        /// The rule.
        rule: Rule,
    },
    /// Bad requests over pairs of windows.
    Burn {
        /// The promise, by number.
        objective: usize,
        /// What is bad.
        bad: Column,
        /// Of all these.
        all: Column,
        /// Where both stand in a window.
        shares: Shares,
        /// Each row with its long and its short window.
        rows: Vec<(Row, Place, Place)>,
    },
}

/// What is known of a service beside its windows. Times are seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// The present: the end of the last closed second.
    pub now: u32,
    /// The first second with a line.
    pub first: u32,
    /// The last second with a line.
    pub last: u32,
    /// The longest run of seconds without a line so far, not counting the one that lasts.
    pub longest_gap_s: u32,
}

impl Course {
    /// For how many seconds there has been something to observe.
    pub fn observed_s(&self) -> u32 {
        self.now.saturating_sub(self.first)
    }

    /// Whole seconds without a line.
    pub fn silent_s(&self) -> u32 {
        self.now.saturating_sub(self.last).saturating_sub(1)
    }
}

/// What a judge reads at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Read {
    /// What is read.
    pub reading: Reading,
    /// Promises: the rows that trip, one bit each.
    pub rows: u8,
    /// How grave it would be.
    pub severity: Severity,
    /// When the passing of time alone could change the reading.
    pub wake: Option<u32>,
}

/// The figure behind a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// What is measured, `None` where too little was seen.
    pub value: Option<f64>,
    /// What it is compared with.
    pub limit: f64,
    /// Over how many seconds.
    pub window_s: u32,
    /// That window; silence has none.
    pub place: Option<Place>,
}

/// After so long without history nothing is learned about silence.
const LEARNING_S: u32 = 3_600;
/// After so long a learned silence is a ticket.
const LEARNED_S: u32 = 7 * 86_400;

/// Silence that counts: seconds.
fn silence_limit_us(rule: &Rule, course: &Course) -> f64 {
    let usual = if rule.learned { 4.0 * f64::from(course.longest_gap_s) * 1e6 } else { 0.0 };
    rule.condition.value.max(usual)
}

/// How long a window must be observed before it counts: wholly where little traffic is what is looked for, half where it
/// is longer than ten minutes.
fn must_observe_s(rule: &Rule) -> u32 {
    let condition = &rule.condition;
    let little = matches!(condition.op, Op::Below | Op::AtMost);
    match condition.signal {
        Signal::Rate => rule.window_s(),
        Signal::Requests if little => rule.window_s(),
        _ if advance_of(rule.window_s()) > 1 => rule.window_s().div_ceil(2),
        _ => 0,
    }
}

/// What a rule reads in its window, observed long enough.
fn read_window(rule: &Rule, formula: &Formula, errors: At, sum: &Sum) -> Reading {
    let condition = &rule.condition;
    match formula.figure(sum, rule.least(), rule.window_s()) {
        None => Reading::NoData,
        Some(value) if !condition.op.holds(value, condition.value) => Reading::Good,
        Some(_) if errors.number(sum) < rule.min_errors => Reading::Between,
        Some(_) => Reading::Bad,
    }
}

impl Judge {
    /// Under which its state is kept over a restart.
    pub fn key(&self) -> String {
        format!("{} {}", self.severity.word(), self.name)
    }

    /// What it reads. `rows`: those that tripped while its alert fires.
    pub fn read(&self, meter: &Meter, course: &Course, rows: u8) -> Read {
        match &self.kind {
            Kind::Window { rule, place, formula, errors, must_s } => {
                let observed = Read { reading: Reading::WarmingUp, rows: 0, severity: self.severity, wake: None };
                if course.observed_s() < *must_s {
                    return Read { wake: Some(course.first.saturating_add(*must_s)), ..observed };
                }
                Read { reading: read_window(rule, formula, *errors, meter.sum(*place)), ..observed }
            }
            Kind::Silence { rule } => self.read_silence(rule, course),
            Kind::Burn { shares, rows: table, .. } => {
                let share = |place| shares.of(meter.sum(place));
                let table = table.iter().map(|(row, long, short)| {
                    let wake = course.first.saturating_add(row.long_s.div_ceil(2));
                    (stand(row, share(*long), share(*short), course.observed_s()), wake)
                });
                self.read_rows(table, course, rows)
            }
        }
    }

    fn read_silence(&self, rule: &Rule, course: &Course) -> Read {
        let limit = silence_limit_us(rule, course);
        let holds = rule.condition.op.holds(f64::from(course.silent_s()) * 1e6, limit);
        let learning = rule.learned && course.observed_s() < LEARNING_S;
        let learned = rule.learned && course.observed_s() >= LEARNED_S;
        let reading = match holds {
            _ if learning => Reading::WarmingUp,
            true => Reading::Bad,
            false => Reading::Good,
        };
        let whole = match rule.condition.op {
            Op::Above | Op::AtMost => (limit / 1e6).floor() + 1.0,
            Op::AtLeast | Op::Below => (limit / 1e6).ceil(),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
        let turns = course.last.saturating_add(1).saturating_add(whole as u32);
        let knows = course.first.saturating_add(LEARNING_S);
        let wake = [turns, knows].into_iter().filter(|t| *t > course.now).min();
        let severity = if learned { self.severity.max(Severity::Ticket) } else { self.severity };
        Read { reading, rows: 0, severity, wake }
    }

    fn read_rows(&self, table: impl Iterator<Item = (Standing, u32)>, course: &Course, held: u8) -> Read {
        let mut read = Read { reading: Reading::Good, rows: 0, severity: self.severity, wake: None };
        let (mut warming, mut any, mut no_data, mut between) = (true, false, false, false);
        for (at, (standing, observed)) in table.enumerate() {
            if observed > course.now {
                read.wake = Some(read.wake.map_or(observed, |w| w.min(observed)));
            }
            warming &= standing == Standing::WarmingUp;
            let counts = held == 0 || held >> at & 1 == 1;
            any |= counts && standing != Standing::WarmingUp;
            no_data |= counts && standing == Standing::NoData;
            between |= counts && standing == Standing::Between;
            if standing == Standing::Tripped {
                read.rows |= 1 << at;
            }
        }
        read.reading = match () {
            () if read.rows > 0 => Reading::Bad,
            () if warming || !any => Reading::WarmingUp,
            () if no_data => Reading::NoData,
            () if between => Reading::Between,
            () => Reading::Good,
        };
        read
    }

    /// The figure behind a reading: of a promise, its first row among `rows` (the first of all where that is empty).
    pub fn seen(&self, meter: &Meter, course: &Course, rows: u8) -> Seen {
        match &self.kind {
            Kind::Window { rule, place, formula, .. } => Seen {
                value: formula.figure(meter.sum(*place), 1, rule.window_s()),
                limit: rule.condition.value,
                window_s: rule.window_s(),
                place: Some(*place),
            },
            Kind::Silence { rule } => Seen {
                value: Some(f64::from(course.silent_s()) * 1e6),
                limit: silence_limit_us(rule, course),
                window_s: course.silent_s(),
                place: None,
            },
            Kind::Burn { shares, rows: table, .. } => {
                let at = usize::try_from(rows.trailing_zeros()).unwrap_or(0);
                let Some((row, _, short)) = table.get(at).or(table.first()) else {
                    return Seen { value: None, limit: 0.0, window_s: 0, place: None };
                };
                let value = shares.of(meter.sum(*short)).ratio();
                Seen { value, limit: row.limit, window_s: row.short_s, place: Some(*short) }
            }
        }
    }

    /// The window whose memory outlives an incident: the longest that its alert waits for, in seconds.
    pub fn memory_s(&self, rows: u8) -> u32 {
        match &self.kind {
            Kind::Window { rule, .. } => rule.window_s(),
            Kind::Silence { .. } => 0,
            Kind::Burn { rows: table, .. } => {
                let tripped = table.iter().enumerate().filter(|(at, _)| rows >> at & 1 == 1);
                tripped.map(|(_, (row, _, _))| row.short_s).max().unwrap_or(0)
            }
        }
    }

    /// Whether it is about this promise and one of its rows does not count yet.
    pub fn warms_up(&self, objective: usize, observed_s: u32) -> bool {
        match &self.kind {
            Kind::Burn { objective: own, rows, .. } => {
                *own == objective && rows.iter().any(|(row, _, _)| observed_s < row.long_s.div_ceil(2))
            }
            _ => false,
        }
    }

    /// The column whose routes are to blame, where routes can be.
    pub fn blames(&self) -> Option<Column> {
        match &self.kind {
            Kind::Window { rule, .. } if matches!(rule.condition.signal, Signal::ErrorRate | Signal::Errors) => {
                Some(Column::Errors)
            }
            Kind::Burn { bad, .. } => Some(*bad),
            _ => None,
        }
    }
}

/// Where bad and all of a promise stand in its windows.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    bad: At,
    all: At,
}

impl Shares {
    /// Their places among `columns`, which must hold both.
    fn new(columns: &Columns, bad: Column, all: Column) -> Self {
        Self { bad: At::of(columns, bad), all: At::of(columns, all) }
    }

    /// Bad and all of one window.
    pub fn of(&self, sum: &Sum) -> Share {
        Share { bad: self.bad.number(sum), all: self.all.number(sum) }
    }
}

/// All lenses of a configuration, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Plan {
    /// The lenses.
    pub lenses: Vec<Lens>,
    /// The promises, by number.
    pub objectives: Vec<Objective>,
    /// Sentences about promises that cannot work as written.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Makes rules and promises ready. `limits_us` are those counted while recording, in their order.
    pub fn new(rules: &[Rule], objectives: &[Objective], limits_us: &[u64]) -> Self {
        let mut plan = Self { objectives: objectives.to_vec(), ..Self::default() };
        for rule in rules {
            plan.take_rule(rule);
        }
        for (at, objective) in objectives.iter().enumerate() {
            plan.take_objective(at, objective, limits_us);
        }
        for lens in &mut plan.lenses {
            lens.layout.set_columns(lens.columns.len());
        }
        plan
    }

    fn lens(&mut self, scope: Scope, service: Option<&str>, auth: Option<Auth>, probes: bool) -> &mut Lens {
        let key = scope.key();
        let is_it = |l: &Lens| l.scope.key() == key && l.service.as_deref() == service && l.auth == auth && l.probes == probes;
        let at = self.lenses.iter().position(is_it).unwrap_or_else(|| {
            let service = service.map(str::to_owned);
            let (columns, layout, judges, budgets) = (Columns::new(), Layout::default(), Vec::new(), Vec::new());
            self.lenses.push(Lens { scope, service, auth, probes, columns, layout, judges, budgets });
            self.lenses.len() - 1
        });
        &mut self.lenses[at]
    }

    fn take_rule(&mut self, rule: &Rule) {
        let scope = match (&rule.condition.on, &rule.condition.route) {
            (On::All, _) => Scope::All,
            (On::Each, _) => Scope::Each,
            (On::Route(glob), text) => Scope::Pattern(text.clone().unwrap_or_default(), glob.clone()),
        };
        let signal = rule.condition.signal;
        let lens = self.lens(scope, rule.service.as_deref(), rule.auth, rule.probes);
        lens.columns.want(wanted(signal));
        let kind = if signal == Signal::Silence {
            Kind::Silence { rule: rule.clone() }
        } else {
            let place = lens.layout.window(rule.window_s(), needs_latency(signal));
            let (formula, errors) = (Formula::of(signal, &lens.columns), At::of(&lens.columns, Column::Errors));
            Kind::Window { rule: rule.clone(), place, formula, errors, must_s: must_observe_s(rule) }
        };
        let cause = if rule.probes { Cause::Probes } else { Cause::of(signal) };
        lens.judges.push(Judge {
            name: rule.name.clone(),
            severity: rule.severity,
            cause,
            timing: Timing { for_s: rule.for_s, clear_for_s: rule.clear_for_s },
            kind,
        });
    }

    fn take_objective(&mut self, at: usize, objective: &Objective, limits_us: &[u64]) {
        let (bad, all) = match objective.slower_than_us {
            None => (Column::Errors, Column::Counted),
            Some(us) => {
                let Some(limit) = limits_us.iter().position(|l| *l == us) else {
                    self.warnings.push(format!(
                        "promise '{}' is left out: its limit is not counted exactly in this recording",
                        objective.name
                    ));
                    return;
                };
                (Column::Over(limit), Column::Timed)
            }
        };
        let (table, warnings) = rows(objective);
        self.warnings.extend(warnings);
        let scope = match &objective.route {
            None => Scope::All,
            Some((text, glob)) => Scope::Pattern(text.clone(), glob.clone()),
        };
        let lens = self.lens(scope, objective.service.as_deref(), None, false);
        lens.columns.want(vec![bad, all, Column::Counted, Column::Errors]);
        let period = lens.layout.window(objective.period_s, false);
        let recent = lens.layout.window(3_600, false);
        let shares = Shares::new(&lens.columns, bad, all);
        lens.budgets.push(BudgetAt { objective: at, period, recent, shares });
        for severity in [Severity::Page, Severity::Ticket] {
            let rows: Vec<_> = table
                .iter()
                .filter(|row| row.severity == severity)
                .map(|row| (*row, lens.layout.window(row.long_s, false), lens.layout.window(row.short_s, false)))
                .collect();
            if rows.is_empty() {
                continue;
            }
            lens.judges.push(Judge {
                name: objective.name.clone(),
                severity,
                cause: if objective.slower_than_us.is_some() { Cause::Latency } else { Cause::Errors },
                timing: Timing { for_s: 0, clear_for_s: objective.clear_for_s },
                kind: Kind::Burn { objective: at, bad, all, shares, rows },
            });
        }
    }
}

impl Lens {
    /// Under which its counts are kept over a restart.
    pub fn key(&self) -> String {
        format!("{} {:?} {:?} {} {:?}", self.scope.key(), self.service, self.auth, self.probes, &*self.columns)
    }

    /// Whether it looks at this service.
    pub fn looks_at(&self, service: Option<&str>) -> bool {
        self.service.is_none() || self.service.as_deref() == service
    }

    /// Whether it looks at a service as a whole, so that others may be held back by what it sees.
    pub fn whole(&self) -> bool {
        matches!(self.scope, Scope::All) && self.auth.is_none()
    }

    /// Whether it counts lines: only where nothing narrows it.
    pub fn counts_lines(&self) -> bool {
        self.whole() && !self.probes
    }

    /// Whether requests of this route, logged in or not, are meant at all; which subject they belong to is the scope's
    /// matter.
    pub fn takes(&self, route: &RouteKey, auth: Auth, include_probes: bool) -> bool {
        let probe = route.probe && !include_probes;
        let scope = match &self.scope {
            Scope::All => true,
            Scope::Each => !route.refused,
            Scope::Pattern(_, glob) => glob.matches(&route.method, &route.path),
        };
        (if self.probes { route.probe } else { !probe }) && self.auth.is_none_or(|a| a == auth) && scope
    }
}
