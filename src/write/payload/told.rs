//! An alert as it is told: the contract's ALERT object, with its keys in their order, made safe and bounded.
//!
//! Knows nothing of how it came about; whoever judges fills it in.

use serde::Deserialize;
use serde::Serialize;

use crate::time::Timestamp;
use crate::write::figures::clean_to;

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

/// Whether an alert begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The condition holds.
    Firing,
    /// It holds no longer.
    Resolved,
}

/// The contract's ALERT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// `vitalog.alert/1`
    pub schema: String,
    /// Of this firing, the same when it is sent again and when it is resolved.
    pub id: String,
    /// Of (service, instance, rule, route).
    pub fingerprint: String,
    /// Whether it begins or ends.
    pub state: State,
    /// Whose it is.
    pub service: Option<String>,
    /// The part of the service that was seen, where it was not all.
    pub instance: Option<String>,
    /// The rule or promise.
    pub rule: String,
    /// How grave it is.
    pub severity: Severity,
    /// `POST /checkout`, or `None` for the whole service.
    pub route: Option<String>,
    /// `error_rate`, `p99` and the others of the language of conditions.
    pub signal: String,
    /// Latencies and durations in seconds, shares as 0 to 1, rates a second.
    pub value: Option<f64>,
    /// In the unit of `value`.
    pub threshold: Option<f64>,
    /// Length of the window in seconds.
    pub window_s: Option<u64>,
    /// Since when the condition held, in event time.
    #[serde(with = "written")]
    pub started_at: Option<Timestamp>,
    /// When it fired, in event time.
    #[serde(with = "written")]
    pub fired_at: Option<Timestamp>,
    /// When it was over, in event time; `None` while it fires.
    #[serde(with = "written")]
    pub resolved_at: Option<Timestamp>,
    /// The line that stands alone; empty where `write::alert` shall make it.
    pub summary: String,
    /// What shows it.
    pub evidence: Evidence,
    /// Where the runbook is.
    pub runbook: Option<String>,
    /// The command that rolls back, shell-quoted.
    pub rollback: Option<String>,
    /// The command that purges this route from the cache, shell-quoted.
    pub purge: Option<String>,
    /// The command that mutes it, shell-quoted.
    pub mute: Option<String>,
}

/// What shows that an alert is right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Requests in the window.
    pub requests: Option<u64>,
    /// Those that failed.
    pub errors: Option<u64>,
    /// Their share, 0 to 1.
    pub error_rate: Option<f64>,
    /// The latency object of a report's STATS; numbers only.
    pub latency_us: Option<serde_json::Map<String, serde_json::Value>>,
    /// The commonest first.
    pub exceptions: Vec<Raised>,
    /// Redacted lines of the log.
    pub lines: Vec<String>,
    /// The last deploy before it.
    pub deploy: Option<Deploy>,
    /// Share of the budget that is left, 0 to 1 (below 0 once overspent).
    pub budget_left: Option<f64>,
}

/// An exception, as a report lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// `KeyError`
    #[serde(rename = "type")]
    pub kind: String,
    /// Redacted.
    pub message: String,
    /// `shop/cart.py:88`
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// How often.
    pub count: u64,
    /// First seen.
    #[serde(with = "written")]
    pub first: Option<Timestamp>,
    /// Last seen.
    #[serde(with = "written")]
    pub last: Option<Timestamp>,
}

/// A deploy mark.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// When.
    #[serde(with = "written")]
    pub at: Option<Timestamp>,
    /// What was deployed, where it has a name.
    pub label: Option<String>,
    /// `option`, `file`, `restart`, `version` or `pod`.
    pub source: String,
}

/// An alert and what only its words need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// What is told.
    pub alert: Alert,
    /// How many seconds it must be good before it resolves by itself.
    pub clear_for_s: Option<u64>,
    /// Length in seconds of the period that the budget is for.
    pub period_s: Option<u64>,
    /// In how many seconds the budget is gone at this pace.
    pub gone_in_s: Option<u64>,
}

impl From<Alert> for Telling {
    fn from(alert: Alert) -> Self {
        Self { alert, clear_for_s: None, period_s: None, gone_in_s: None }
    }
}

/// Names, ids and places.
const NAME: usize = 256;
/// Summaries, messages and lines.
const LINE: usize = 512;
/// Commands and addresses.
const COMMAND: usize = 1024;
/// Exceptions in one alert.
const EXCEPTIONS: usize = 10;
/// Lines in one alert.
const LINES: usize = 10;

impl Alert {
    /// An alert of which only the names are known, to be filled in.
    pub fn new(id: impl Into<String>, rule: impl Into<String>, severity: Severity) -> Self {
        let id = id.into();
        Self {
            schema: "vitalog.alert/1".to_owned(),
            fingerprint: id.clone(),
            id,
            state: State::Firing,
            service: None,
            instance: None,
            rule: rule.into(),
            severity,
            route: None,
            signal: String::new(),
            value: None,
            threshold: None,
            window_s: None,
            started_at: None,
            fired_at: None,
            resolved_at: None,
            summary: String::new(),
            evidence: Evidence::default(),
            runbook: None,
            rollback: None,
            purge: None,
            mute: None,
        }
    }

    /// The same alert with every text safe to show and bounded, without lines unless `lines`. A command or address
    /// that is too long is left out: half a command is worse than none.
    #[must_use]
    pub fn cleaned(&self, lines: bool) -> Self {
        let mut alert = self.clone();
        for text in [&mut alert.schema, &mut alert.id, &mut alert.fingerprint, &mut alert.rule, &mut alert.signal] {
            sweep(text, NAME);
        }
        for text in [&mut alert.service, &mut alert.instance, &mut alert.route].into_iter().flatten() {
            sweep(text, NAME);
        }
        sweep(&mut alert.summary, LINE);
        for command in [&mut alert.runbook, &mut alert.rollback, &mut alert.purge, &mut alert.mute] {
            *command = command.take().and_then(whole);
        }
        for number in [&mut alert.value, &mut alert.threshold] {
            *number = number.filter(|n| n.is_finite());
        }
        alert.evidence.clean(lines);
        alert
    }
}

impl Evidence {
    fn clean(&mut self, lines: bool) {
        for share in [&mut self.error_rate, &mut self.budget_left] {
            *share = share.filter(|n| n.is_finite());
        }
        self.latency_us = self.latency_us.take().map(|all| {
            let known = all.into_iter().filter(|(_, value)| value.is_number() || value.is_null());
            known.take(16).map(|(key, value)| (clean_to(&key, 32).as_str().to_owned(), value)).collect()
        });
        self.exceptions.truncate(EXCEPTIONS);
        for raised in &mut self.exceptions {
            sweep(&mut raised.kind, NAME);
            sweep(&mut raised.message, LINE);
            if let Some(place) = &mut raised.place {
                sweep(place, NAME);
            }
        }
        self.lines.truncate(if lines { LINES } else { 0 });
        for line in &mut self.lines {
            sweep(line, LINE);
        }
        if let Some(deploy) = &mut self.deploy {
            sweep(&mut deploy.source, NAME);
            if let Some(label) = &mut deploy.label {
                sweep(label, NAME);
            }
        }
    }
}

impl Telling {
    /// The same with [`Alert::cleaned`].
    #[must_use]
    pub fn cleaned(&self, lines: bool) -> Self {
        Self { alert: self.alert.cleaned(lines), ..*self }
    }

    /// A firing alert that says it is a test, at `now`.
    pub fn test(now: Timestamp) -> Self {
        let mut alert = Alert::new(format!("test-{}", now.second()), "test", Severity::Info);
        "vitalog-test".clone_into(&mut alert.fingerprint);
        "test".clone_into(&mut alert.signal);
        (alert.started_at, alert.fired_at) = (Some(now), Some(now));
        "TEST vitalog: this sink works; nothing is wrong".clone_into(&mut alert.summary);
        alert.into()
    }
}

fn sweep(text: &mut String, most: usize) {
    let clean = clean_to(&*text, most);
    if clean.as_str() != text {
        clean.as_str().clone_into(text);
    }
}

fn whole(command: String) -> Option<String> {
    if command.len() > COMMAND {
        return None;
    }
    let clean = clean_to(&command, COMMAND);
    (clean.as_str() == command).then_some(command)
}

/// Times as the contract writes them: RFC 3339 UTC, or null.
mod written {
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    use crate::time;
    use crate::time::Stamp;
    use crate::time::Timestamp;

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => out.collect_str(at),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(input)? else { return Ok(None) };
        match time::iso(text.as_bytes()) {
            Some((Stamp::Exact(at), taken)) if taken == text.len() => Ok(Some(at)),
            _ => Err(D::Error::custom("a time in RFC 3339 is needed")),
        }
    }
}
