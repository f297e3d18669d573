//! The user's own template (minijinja, Jinja2's language) made into a body.
//!
//! A template sees `alert` (the first), `alerts`, `text` (the words for people), `truncated` and the filter `tojson`.
//! Nothing is escaped by itself: bodies are JSON or plain text, not HTML; `{{ alert.summary | tojson }}` gives a quoted
//! string. A name that does not exist is an error when the configuration is read, where every key is tried once on a
//! full alert; when an alert is told, what it has not is empty, because a late error would swallow the alert.

use std::fmt;
use std::sync::Arc;

use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::UndefinedBehavior;
use serde::Serialize;

use super::Alert;
use super::BYTES;
use super::Batch;
use super::Body;
use super::Deploy;
use super::JSON;
use super::Raised;
use super::Severity;
use super::Telling;
use crate::time::Timestamp;
use crate::verdict::told::WindowLatency;
use crate::write::alert;

/// Steps a template may take: far more than the largest message needs, far fewer than would be felt.
const FUEL: u64 = 5_000_000;
const NAME: &str = "template";

/// A template that was tried once.
#[derive(Clone)]
pub struct Template(Arc<Environment<'static>>);

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(…)")
    }
}

#[derive(Serialize)]
struct Given<'a> {
    alert: Option<&'a Alert>,
    alerts: Vec<&'a Alert>,
    text: String,
    truncated: u64,
}

impl Template {
    /// A template, tried on a full alert. The error names the line and what is wrong there.
    pub fn new(source: &str) -> Result<Self, String> {
        let mut trial = environment(source, UndefinedBehavior::Strict)?;
        trial.set_fuel(Some(FUEL));
        let full = [full()];
        rendered(&trial, Batch { tellings: &full, truncated: 0, queued_at: Timestamp(0) })?;
        Ok(Self(Arc::new(environment(source, UndefinedBehavior::Chainable)?)))
    }

    pub(super) fn body(&self, batch: Batch<'_>) -> Result<Body, String> {
        let bytes = rendered(&self.0, batch)?.into_bytes();
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
        Ok(Body { content_type: if json { JSON } else { "text/plain; charset=utf-8" }, bytes })
    }
}

fn environment(source: &str, undefined: UndefinedBehavior) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(undefined);
    environment.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { minijinja::escape_formatter(out, state, value) }
        },
    );
    environment.set_fuel(Some(FUEL));
    environment.add_template_owned(NAME, source.to_owned()).map_err(|e| told(&e))?;
    Ok(environment)
}

fn rendered(environment: &Environment<'_>, batch: Batch<'_>) -> Result<String, String> {
    let texts: Vec<String> = batch.tellings.iter().map(alert::text).collect();
    let given = Given {
        alert: batch.tellings.first().map(|telling| &telling.alert),
        alerts: batch.tellings.iter().map(|telling| &telling.alert).collect(),
        text: texts.join("\n"),
        truncated: batch.truncated,
    };
    let mut out = Bounded(Vec::new());
    let template = environment.get_template(NAME).map_err(|e| told(&e))?;
    template.render_captured_to(minijinja::value::Serde(&given), &mut out).map(drop).map_err(|e| told(&e))?;
    String::from_utf8(out.0).map_err(|_| "the template made text that is no UTF-8".to_owned())
}

/// What a template writes, as far as a message may be long.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + part.len() > BYTES {
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where and what, without any value of an alert.
fn told(error: &minijinja::Error) -> String {
    let place = error.line().map(|line| format!("line {line} of the template: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    match error.kind() {
        minijinja::ErrorKind::WriteFailure => format!("the template makes more than {} KiB", BYTES >> 10),
        kind => format!("{place}{kind}{detail}"),
    }
}

/// An alert in which nothing is missing.
fn full() -> Telling {
    let at = Some(Timestamp(0));
    let some = || Some("x".to_owned());
    let mut it = Alert::new("x", "x", Severity::Page);
    (it.service, it.instance, it.route) = (some(), some(), some());
    (it.value, it.threshold, it.window_s) = (Some(1.0), Some(1.0), Some(1));
    (it.started_at, it.fired_at, it.resolved_at) = (at, at, at);
    (it.runbook, it.rollback, it.purge, it.mute) = (some(), some(), some(), some());
    it.evidence.requests = Some(1);
    it.evidence.errors = Some(1);
    it.evidence.error_rate = Some(1.0);
    it.evidence.budget_left = Some(1.0);
    it.evidence.latency_us = Some(WindowLatency { count: 1, p50: 1, p90: 1, p95: 1, p99: 1, p999: 1, max: 1, digits: 2 });
    it.evidence.lines = vec!["x".to_owned()];
    it.evidence.exceptions =
        vec![Raised { message: some(), place: some(), count: 1, first: at, last: at, ..Raised::default() }];
    it.evidence.deploy = Some(Deploy { at, label: some(), source: "option".to_owned() });
    it.into()
}
