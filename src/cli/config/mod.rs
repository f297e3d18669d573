//! The configuration file: its tables as plain, checked values.
//!
//! Every table and key of the contract (section 5) is known here; [`read`] fills them from TOML and tells every error
//! in one run. What is not written stays `None` or has the default that its comment names. What other stages own has
//! their types: promises, rules and mutes are `verdict`'s, sinks are `write`'s.

mod problem;
pub mod read;
mod section;
pub mod value;

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::stats::group::Layer;
use crate::verdict::promise::Objective;
use crate::verdict::rule::Mute;
use crate::verdict::rule::Rule;
use crate::write::payload::Hidden;
use crate::write::webhook::Plan;

/// A configuration file. The default is an empty file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// `[input]`
    pub input: Input,
    /// `[[service]]`
    pub services: Vec<Service>,
    /// `[fields]`
    pub fields: Fields,
    /// `[routes]`
    pub routes: Routes,
    /// `[health]`
    pub health: Health,
    /// `[[promise]]`; where there is none, `available` at 99.9 % holds.
    pub promises: Vec<Objective>,
    /// `[[rule]]`
    pub rules: Vec<Rule>,
    /// `[[mute]]`
    pub mutes: Vec<Mute>,
    /// `[[sink]]`
    pub sinks: Vec<Plan>,
    /// `[tail]`
    pub tail: Tail,
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Read where no path is typed.
    pub paths: Vec<String>,
    /// As `--format`.
    pub format: Option<String>,
    /// As `--openapi`.
    pub openapi: Option<String>,
    /// As `--timezone`; a zone that exists.
    pub timezone: Option<String>,
}

/// One service and the sources that belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name, unlike the others'.
    pub name: String,
    /// Globs of its sources.
    pub paths: Vec<String>,
    /// Its openapi.json.
    pub openapi: Option<String>,
    /// Which layer its sources are; `None` where the format tells.
    pub layer: Option<Layer>,
    /// The command that rolls it back.
    pub rollback: Option<String>,
    /// The command that purges a route from its cache.
    pub purge: Option<String>,
    /// Where its runbook is.
    pub runbook: Option<String>,
}

/// Names of fields in JSON and logfmt lines, beside the usual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The latency.
    pub latency: Option<String>,
    /// The unit of a latency that names none.
    pub latency_unit: Option<LatencyUnit>,
    /// Who was logged in.
    pub user: Option<String>,
    /// The cache's word.
    pub cache: Option<String>,
    /// The service's version.
    pub version: Option<String>,
    /// The route.
    pub route: Option<String>,
}

/// The unit of a logged latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

/// How paths become routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// Templates such as `/items/{item_id}`, in the order they are tried.
    pub templates: Vec<String>,
    /// Paths of health probes; `None` keeps the usual list, an empty list means there are none.
    pub probes: Option<Vec<String>>,
    /// Routes that are streams.
    pub streaming: Vec<String>,
    /// Routes that only somebody logged in is answered on, for logs that do not say who is.
    pub authenticated: Vec<String>,
    /// How many routes are kept apart (default 500).
    pub max: usize,
}

impl Default for Routes {
    fn default() -> Self {
        Self { templates: Vec::new(), probes: None, streaming: Vec::new(), authenticated: Vec::new(), max: 500 }
    }
}

/// What counts as an error, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Statuses that count as errors (default 500 to 599).
    pub errors: Vec<RangeInclusive<u16>>,
    /// The command that rolls back.
    pub rollback: Option<String>,
    /// A deploy so long before an incident makes `rollback` worth printing (default 2 h).
    pub rollback_within: Duration,
    /// The command that purges `{path}` from the cache.
    pub purge: Option<String>,
    /// What stands for a placeholder in `{path}`.
    pub purge_wildcard: Option<String>,
    /// Where the runbook is.
    pub runbook: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            errors: vec![500..=599],
            rollback: None,
            rollback_within: Duration::from_secs(2 * 3600),
            purge: None,
            purge_wildcard: None,
            runbook: None,
        }
    }
}

/// How `tail` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The state file.
    pub state: Option<String>,
    /// How long minute counts are kept (default 35 d).
    pub keep: Duration,
    /// How large the state file may grow, in bytes (default 512 MiB).
    pub max_size: u64,
    /// Between two summaries (default 1 min).
    pub every: Duration,
    /// The web page's address.
    pub listen: Option<String>,
    /// Names by which the web page may be asked for.
    pub hosts: Vec<String>,
    /// What the web page asks for away from loopback.
    pub token: Option<Hidden>,
    /// How many routes have series of their own in `/metrics` (default 100).
    pub metrics_routes: usize,
    /// How late a request may come and still count in its window (default 30 s).
    pub lateness: Duration,
    /// Between two reminders of an alert that is still firing (default 4 h).
    pub repeat_every: Duration,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            state: None,
            keep: Duration::from_secs(35 * 86_400),
            max_size: 512 << 20,
            every: Duration::from_secs(60),
            listen: None,
            hosts: Vec::new(),
            token: None,
            metrics_routes: 100,
            lateness: Duration::from_secs(30),
            repeat_every: Duration::from_secs(4 * 3600),
        }
    }
}
