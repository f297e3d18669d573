//! Rules as plain values: what is watched, when it is bad, how grave that is; and the rules that hold by themselves.
//!
//! Text becomes a rule in `cli`; conditions are read by `condition.rs`. What a rule's figure is at a time is the
//! engine's matter.

use serde::Deserialize;
use serde::Serialize;

use crate::parse::Auth;
use crate::route::glob::RouteGlob;
use crate::time::Timestamp;
use crate::verdict::condition::Condition;
use crate::verdict::condition::Signal;
use crate::verdict::condition::parse;

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// To be looked at on a working day.
    Ticket,
    /// To be looked at now.
    Page,
}

impl Severity {
    /// The word in alerts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// What alerts are about: those about one cause at one service are one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Requests that fail.
    Errors,
    /// Requests that are slow.
    Latency,
    /// Requests that are refused or given up.
    Clients,
    /// Too much, too little, nothing at all.
    Traffic,
    /// Processes that start, die, are killed.
    Processes,
    /// The cache.
    Cache,
    /// Lines that cannot be read.
    Input,
    /// Health probes.
    Probes,
}

impl Cause {
    /// What a signal is about.
    pub fn of(signal: Signal) -> Self {
        match signal {
            Signal::ErrorRate | Signal::Errors | Signal::Exceptions => Self::Errors,
            Signal::StatusRate(code) if code >= 500 => Self::Errors,
            Signal::ClientErrorRate | Signal::AbortedRate | Signal::StatusRate(_) => Self::Clients,
            Signal::Quantile(_) | Signal::Mean | Signal::Max => Self::Latency,
            Signal::Rate | Signal::Requests | Signal::Silence => Self::Traffic,
            Signal::Restarts | Signal::WorkerDeaths => Self::Processes,
            Signal::CacheHitRatio => Self::Cache,
            Signal::MalformedRate => Self::Input,
        }
    }
}

/// The window of a rule that names none, in seconds.
pub const WINDOW_S: u32 = 300;
/// How long a rule must be good before it resolves, in seconds, unless it says otherwise.
pub const CLEAR_FOR_S: u32 = 300;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, unlike the others' and the promises'.
    pub name: String,
    /// When the service is bad.
    pub condition: Condition,
    /// How long it must hold before it fires, in seconds.
    pub for_s: u32,
    /// How long it must be good before it resolves, in seconds.
    pub clear_for_s: u32,
    /// Fewer requests (lines, for signals told by lines) in the window say nothing; `None` for the signal's default.
    pub min_requests: Option<u64>,
    /// It does not fire on fewer errors in the window.
    pub min_errors: u64,
    /// How grave it is.
    pub severity: Severity,
    /// Only this service; `None` for each.
    pub service: Option<String>,
    /// Only requests that are logged in, or are not.
    pub auth: Option<Auth>,
    /// Health probes instead of all other requests.
    pub probes: bool,
    /// Silence alone: the value counts as the least; what was usual before decides (see [`defaults`]).
    pub learned: bool,
}

impl Rule {
    /// A ticket as soon as `condition` holds, resolved after five good minutes.
    pub fn new(name: &str, condition: Condition) -> Self {
        Self {
            name: name.to_owned(),
            condition,
            for_s: 0,
            clear_for_s: CLEAR_FOR_S,
            min_requests: None,
            min_errors: 0,
            severity: Severity::Ticket,
            service: None,
            auth: None,
            probes: false,
            learned: false,
        }
    }

    /// Its window in seconds.
    pub fn window_s(&self) -> u32 {
        self.condition.over_s.unwrap_or(WINDOW_S)
    }

    /// What must stand behind a figure.
    pub fn least(&self) -> u64 {
        self.min_requests.unwrap_or_else(|| self.condition.signal.min_requests())
    }
}

/// Silence for some alerts: they fire and resolve, but nobody is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mute {
    /// Only this service's.
    pub service: Option<String>,
    /// Only this rule's or promise's.
    pub rule: Option<String>,
    /// Only on routes this pattern matches; alerts on no route are not meant then.
    pub route: Option<RouteGlob>,
    /// From then on; `None` for always.
    pub from: Option<Timestamp>,
    /// Until then; `None` for ever.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl Mute {
    /// Whether an alert of this service, rule and route (`GET /x`) is meant, at whatever time.
    pub fn concerns(&self, service: Option<&str>, rule: &str, route: Option<&str>) -> bool {
        let is_route = |glob: &RouteGlob| {
            route.is_some_and(|route| {
                let (method, path) = route.split_once(' ').unwrap_or(("", route));
                glob.matches(method, path)
            })
        };
        self.service.as_deref().is_none_or(|s| service == Some(s))
            && self.rule.as_deref().is_none_or(|r| r == rule)
            && self.route.as_ref().is_none_or(is_route)
    }

    /// Whether it is in force at `now`, seconds since 1970.
    pub fn holds(&self, now: u32) -> bool {
        let now = i64::from(now);
        self.from.is_none_or(|t| t.second() <= now) && self.until.is_none_or(|t| now < t.second())
    }

    /// The next time after `now` at which it begins or ends.
    pub fn turns(&self, now: u32) -> Option<u32> {
        let second = |t: Option<Timestamp>| t.and_then(|t| u32::try_from(t.second()).ok()).filter(|t| *t > now);
        second(self.from).into_iter().chain(second(self.until)).min()
    }
}

/// The rules that hold where the configuration has none, beside the promise `available`: an outage, a sustained failure
/// at whatever volume, crash loops, killed workers, failing probes, unreadable input, and silence (for the record; a
/// ticket only after seven days, and only when longer than four times the longest gap seen).
pub fn defaults() -> Vec<Rule> {
    let rule = |name: &str, when: &str, severity: Severity| {
        let condition = parse(when).unwrap_or_else(|_| unreachable!("the conditions below are well-formed"));
        Rule { severity, ..Rule::new(name, condition) }
    };
    let page = Severity::Page;
    let ticket = Severity::Ticket;
    vec![
        rule("outage", "error_rate > 50% over 1m", page),
        Rule { min_requests: Some(5), min_errors: 5, ..rule("sustained failure", "error_rate >= 50% over 6h", ticket) },
        rule("crash loop", "restarts > 5 over 10m", ticket),
        rule("killed workers", "worker_deaths > 2 over 10m", ticket),
        Rule { min_requests: Some(3), probes: true, ..rule("probes failing", "error_rate > 50% over 5m", ticket) },
        Rule { min_requests: Some(100), ..rule("unreadable input", "malformed_rate > 5% over 10m", ticket) },
        Rule { clear_for_s: 60, learned: true, ..rule("silence", "silence > 5m", Severity::Info) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_the_house_have_their_limits() {
        let all = defaults();
        let told: Vec<_> = all.iter().map(|r| (r.name.as_str(), r.condition.text.as_str(), r.least(), r.severity)).collect();
        assert_eq!(("outage", "error_rate > 50% over 1m", 20, Severity::Page), told[0]);
        assert_eq!(("sustained failure", "error_rate >= 50% over 6h", 5, Severity::Ticket), told[1]);
        assert!(all.iter().skip(1).all(|r| r.severity < Severity::Page));
    }

    #[test]
    fn a_mute_means_what_it_names_for_as_long_as_it_says() {
        let at = |s: i64| Some(Timestamp::from_seconds(s));
        let route = Some(RouteGlob::new("POST /checkout").unwrap());
        let mute = Mute { service: Some("shop".to_owned()), route, from: at(100), until: at(200), ..Mute::default() };
        assert!(mute.concerns(Some("shop"), "any", Some("POST /checkout")));
        assert!(!mute.concerns(Some("shop"), "any", None));
        assert!(!mute.concerns(None, "any", Some("POST /checkout")));
        assert!(!mute.concerns(Some("shop"), "any", Some("GET /checkout")));
        assert_eq!([false, true, true, false], [99, 100, 199, 200].map(|t| mute.holds(t)));
        assert_eq!([Some(100), Some(200), None], [99, 100, 200].map(|t| mute.turns(t)));
    }
}
