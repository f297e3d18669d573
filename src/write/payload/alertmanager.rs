//! Alerts for Alertmanager: what `POST /api/v2/alerts` takes (api/v2/openapi.yaml, `postableAlerts`).
//!
//! Labels say which alert it is and never change while it fires; all else is annotations. A firing alert names its end
//! too, since one without would end after Alertmanager's `resolve_timeout`, long before the next reminder.

use serde::Serialize;

use super::Batch;
use super::State;
use super::Telling;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::write::alert;

/// One `postableAlert`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted {
    labels: serde_json::Map<String, serde_json::Value>,
    annotations: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

pub(super) fn alerts(batch: Batch<'_>, hold_s: u64) -> Vec<Posted> {
    batch.tellings.iter().map(|telling| posted(telling, batch, hold_s)).collect()
}

fn posted(telling: &Telling, batch: Batch<'_>, hold_s: u64) -> Posted {
    let it = &telling.alert;
    let hold = i64::try_from(hold_s).unwrap_or(i64::MAX).saturating_mul(SECOND);
    let end = match it.state {
        State::Firing => Timestamp(batch.queued_at.0.saturating_add(hold)),
        State::Resolved => it.resolved_at.unwrap_or(batch.queued_at),
    };
    // A start behind the end would be refused.
    let start = it.started_at.map(|at| at.min(end));
    let truncated = (batch.truncated > 0).then(|| batch.truncated.to_string());
    let headline = alert::headline(telling);
    let text = alert::text(telling);
    Posted {
        labels: filled([
            ("alertname", Some(it.rule.as_str())),
            ("service", it.service.as_deref()),
            ("instance", it.instance.as_deref()),
            ("route", it.route.as_deref()),
            ("severity", Some(it.severity.word())),
        ]),
        annotations: filled([
            ("summary", Some(headline.as_str())),
            ("description", Some(text.as_str())),
            ("runbook_url", it.runbook.as_deref()),
            ("rollback", it.rollback.as_deref()),
            ("purge", it.purge.as_deref()),
            ("mute", it.mute.as_deref()),
            ("alert_id", Some(it.id.as_str())),
            ("fingerprint", Some(it.fingerprint.as_str())),
            ("truncated", truncated.as_deref()),
        ]),
        starts_at: start.map(|at| at.to_string()),
        ends_at: end.to_string(),
        generator_url: it.runbook.clone().filter(|address| plain(address)),
    }
}

/// What is there; an empty label is none to Alertmanager.
fn filled<const N: usize>(pairs: [(&str, Option<&str>); N]) -> serde_json::Map<String, serde_json::Value> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.filter(|v| !v.is_empty())?.into()))).collect()
}

/// Whether Alertmanager's check of addresses surely takes it.
fn plain(address: &str) -> bool {
    (address.starts_with("https://") || address.starts_with("http://"))
        && address.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&b))
}
