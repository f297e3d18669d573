//! One alert as an event for PagerDuty (Events API v2, `POST /v2/enqueue`): `trigger` while it fires, `resolve` when it
//! is over, held together by the fingerprint.

use serde::Serialize;

use super::Evidence;
use super::Hidden;
use super::Severity;
use super::State;
use super::Telling;
use crate::write::alert;
use crate::write::figures::clean_to;

/// The longest summary that PagerDuty takes, in characters; bytes are never fewer.
const SUMMARY: usize = 1024;
/// The longest key that PagerDuty takes.
const KEY: usize = 255;

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "PagerDuty's names")]
pub(super) struct Event<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: String,
    client: &'static str,
    links: Vec<Link<'a>>,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Link<'a> {
    href: &'a str,
    text: &'static str,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    class: &'a str,
    custom_details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    alert_id: &'a str,
    text: String,
    signal: &'a str,
    value: Option<f64>,
    threshold: Option<f64>,
    window_s: Option<u64>,
    evidence: &'a Evidence,
    rollback: Option<&'a str>,
    purge: Option<&'a str>,
    mute: Option<&'a str>,
}

pub(super) fn event<'a>(telling: &'a Telling, routing_key: &'a Hidden) -> Event<'a> {
    let it = &telling.alert;
    let runbook = it.runbook.as_deref().filter(|address| address.starts_with("https://") || address.starts_with("http://"));
    Event {
        routing_key: routing_key.reveal(),
        event_action: match it.state {
            State::Firing => "trigger",
            State::Resolved => "resolve",
        },
        dedup_key: clean_to(&it.fingerprint, KEY).as_str().to_owned(),
        client: "vitalog",
        links: runbook.map(|href| Link { href, text: "Runbook" }).into_iter().collect(),
        payload: Payload {
            summary: clean_to(alert::headline(telling), SUMMARY).as_str().to_owned(),
            source: it.instance.as_deref().or(it.service.as_deref()).filter(|name| !name.is_empty()).unwrap_or("vitalog"),
            severity: match it.severity {
                Severity::Page => "critical",
                Severity::Ticket => "warning",
                Severity::Info => "info",
            },
            timestamp: it.fired_at.or(it.started_at).map(|at| at.to_string()),
            component: it.route.as_deref(),
            group: it.service.as_deref(),
            class: &it.rule,
            custom_details: Details {
                alert_id: &it.id,
                text: alert::text(telling),
                signal: &it.signal,
                value: it.value,
                threshold: it.threshold,
                window_s: it.window_s,
                evidence: &it.evidence,
                rollback: it.rollback.as_deref(),
                purge: it.purge.as_deref(),
                mute: it.mute.as_deref(),
            },
        },
    }
}
