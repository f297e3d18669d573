//! Told: pages are pure (figures and verdicts in, bytes out), senders carry pages out.
//!
//! Every figure comes from `stats::summary`; here it is only dressed. Untrusted text passes through `figures` first.

pub mod chart;
pub mod csv;
pub mod figures;
pub mod json;
pub mod markdown;
pub mod payload;
pub mod prometheus;
pub mod retry;
pub mod serve;
pub mod text;
pub mod webhook;

use crate::stats::summary::Summary;
use crate::verdict::health::Health;

/// One report: what every page is made from.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The figures.
    pub summary: Summary,
    /// The verdict on all of it.
    pub health: Health,
    /// The verdict on each service, in the order of `summary.services`.
    pub service_health: Vec<Health>,
}
