//! What the server shows, as the live loop last published it: immutable, swapped as a whole.
//!
//! Readers take the newest and keep it as long as they need; the loop never waits for them. Pages that take work are made
//! by the first who asks, on the server's side.

use std::sync::OnceLock;

use hyper::body::Bytes;

use crate::write::Report;
use crate::write::json;

/// Whether input and state are as they should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// All is well.
    pub ok: bool,
    /// What is not, one line each; shown to who may read the rest, too.
    pub reasons: Vec<String>,
}

/// One state of affairs.
#[derive(Debug, Default)]
pub struct Published {
    /// Figures and verdicts since the state began.
    pub report: Report,
    /// `/api/alerts`: a JSON array.
    pub alerts: Bytes,
    /// `/metrics`.
    pub metrics: Bytes,
    /// One event of `/api/events`: a JSON object on one line; empty for none.
    pub event: Bytes,
    /// `/readyz`.
    pub ready: Ready,
    page: OnceLock<Bytes>,
}

impl Published {
    /// From its parts.
    pub fn new(report: Report, alerts: Vec<u8>, metrics: Vec<u8>, event: Vec<u8>, ready: Ready) -> Self {
        Self { report, alerts: alerts.into(), metrics: metrics.into(), event: event.into(), ready, page: OnceLock::new() }
    }

    /// The report as JSON; made once.
    pub(super) fn page(&self) -> Bytes {
        let made = || {
            let mut page = Vec::new();
            // Writing to memory cannot fail.
            drop(json::json(&self.report, &mut page));
            Bytes::from(page)
        };
        self.page.get_or_init(made).clone()
    }
}
