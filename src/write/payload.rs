//! What a sink is sent: alerts in, bodies out, one form a file. Pure functions: the same alerts give the same bytes,
//! so that a message sent again is the message sent before.
//!
//! [`Alert`] is the contract's ALERT (section 5), key by key. Everything in it passes [`Alert::cleaned`] before any
//! form sees it, so no form needs to care for control bytes or length. Who gets which alert, how many go into one
//! message and how it travels is left to `webhook`; the words for people are `alert`'s.

mod alertmanager;
mod pagerduty;
mod slack;
mod template;
mod told;

pub use template::Template;

pub use crate::verdict::rule::Severity;
pub use crate::verdict::told::Alert;
pub use crate::verdict::told::Deploy;
pub use crate::verdict::told::Evidence;
pub use crate::verdict::told::Raised;
pub use crate::verdict::told::State;
pub use crate::verdict::told::Telling;

use std::fmt;

use serde::Serialize;

use crate::time::Timestamp;

/// The most alerts in one message.
pub const ALERTS: usize = 100;
/// The largest body, in bytes.
pub const BYTES: usize = 256 << 10;

/// Text that is never printed: addresses with tokens, keys, passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// The form of what a sink is sent.
#[derive(Debug, Clone)]
pub enum Form {
    /// vitalog's own JSON: one ALERT as it is; several as `{ "schema": "vitalog.alerts/1", "truncated", "alerts" }`.
    Vitalog,
    /// An array for Alertmanager's `POST /api/v2/alerts`.
    Alertmanager {
        /// How many seconds after it was told a firing alert ends by itself if nothing more is heard of it. Must be
        /// longer than the time between two reminders: Alertmanager would take 5 minutes otherwise.
        hold_s: u64,
    },
    /// A message for a Slack webhook.
    Slack,
    /// One event for PagerDuty's Events API v2.
    Pagerduty {
        /// The integration key that the event carries.
        routing_key: Hidden,
    },
    /// What the user's own template makes.
    Template(Template),
    /// No alerts: only that reading works.
    Heartbeat,
}

impl Form {
    /// The word in the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Vitalog => "vitalog",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Slack => "slack",
            Self::Pagerduty { .. } => "pagerduty",
            Self::Template(_) => "template",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// How many alerts one message may hold; nothing for a heartbeat.
    pub fn most(&self) -> usize {
        match self {
            Self::Pagerduty { .. } => 1,
            Self::Heartbeat => 0,
            _ => ALERTS,
        }
    }
}

/// What one message says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// The alerts, cleaned, at least one, at most [`Form::most`].
    pub tellings: &'a [Telling],
    /// How many alerts could not be kept for this sink since the message before.
    pub truncated: u64,
    /// When the message was put into the outbox.
    pub queued_at: Timestamp,
}

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// For the header `Content-Type`.
    pub content_type: &'static str,
    /// At most [`BYTES`] long.
    pub bytes: Vec<u8>,
}

const JSON: &str = "application/json";

/// The body of one message. The error says why there is none: nothing to send, a template that fails, or a body that
/// grew larger than [`BYTES`]; it holds neither the alert nor a secret.
pub fn body(form: &Form, batch: Batch<'_>) -> Result<Body, String> {
    let Some(first) = batch.tellings.first() else {
        return Err("a message without alerts".to_owned());
    };
    let body = match form {
        Form::Vitalog => json(&own(batch))?,
        Form::Alertmanager { hold_s } => json(&alertmanager::alerts(batch, *hold_s))?,
        Form::Slack => json(&slack::message(batch))?,
        Form::Pagerduty { routing_key } => json(&pagerduty::event(first, routing_key))?,
        Form::Template(template) => template.body(batch)?,
        Form::Heartbeat => return Err("a heartbeat carries no alerts".to_owned()),
    };
    match body.bytes.len() {
        0..=BYTES => Ok(body),
        n => Err(format!("the message has {n} bytes, more than {} KiB", BYTES >> 10)),
    }
}

fn json(value: &impl Serialize) -> Result<Body, String> {
    let bytes = serde_json::to_vec(value).map_err(|_| "the alert cannot be written as JSON".to_owned())?;
    Ok(Body { content_type: JSON, bytes })
}

/// vitalog's own form.
#[derive(Serialize)]
#[serde(untagged)]
enum Own<'a> {
    One(&'a Alert),
    Many { schema: &'static str, truncated: u64, alerts: Vec<&'a Alert> },
}

fn own(batch: Batch<'_>) -> Own<'_> {
    match (batch.tellings, batch.truncated) {
        ([one], 0) => Own::One(&one.alert),
        (several, truncated) => {
            Own::Many { schema: "vitalog.alerts/1", truncated, alerts: several.iter().map(|telling| &telling.alert).collect() }
        }
    }
}

#[cfg(test)]
mod tests;
