//! An alert as it is told: the contract's ALERT object, its keys in their order.
//!
//! `evidence::dress` fills it in; `write::payload` makes it safe and bounded before anybody sees it.

use serde::Deserialize;
use serde::Serialize;

use crate::time::Timestamp;
use crate::verdict::rule::Severity;

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
    /// The line that stands alone; empty where `write::alert` makes it.
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

/// Latencies of a window in microseconds, from coarse buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowLatency {
    /// Requests with a latency.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 90 % are at or below.
    pub p90: u64,
    /// 95 % are at or below.
    pub p95: u64,
    /// 99 % are at or below.
    pub p99: u64,
    /// 99.9 % are at or below.
    pub p999: u64,
    /// The largest.
    pub max: u64,
    /// Significant digits.
    pub digits: u8,
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
    /// Latencies of the window, where the rule looks at them.
    pub latency_us: Option<WindowLatency>,
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
    pub message: Option<String>,
    /// `shop/cart.py:88`
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// How often, from a window before the alert began on.
    pub count: u64,
    /// First seen.
    #[serde(with = "written")]
    pub first: Option<Timestamp>,
    /// Last seen.
    #[serde(with = "written")]
    pub last: Option<Timestamp>,
    /// Routes it failed: `GET /x`.
    #[serde(default)]
    pub routes: Vec<String>,
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
    /// Bad ones by this alert's measure (errors, or slow ones), and those that could be bad; where that is counted.
    pub bad_of: Option<(u64, u64)>,
}

impl From<Alert> for Telling {
    fn from(alert: Alert) -> Self {
        Self { alert, clear_for_s: None, period_s: None, gone_in_s: None, bad_of: None }
    }
}

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
