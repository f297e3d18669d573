//! Findings about the log itself: what it leaves out, and where its figures may mislead.

use std::collections::BTreeMap;

use super::Finding;
use super::Severity;
use super::about_all;
use super::part;
use crate::stats::summary::Figures;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::Summary;
use crate::verdict::wording::count;
use crate::verdict::wording::counted;
use crate::verdict::wording::duration;
use crate::verdict::wording::percent;

/// A larger share of malformed lines is no accident.
const MALFORMED: f64 = 0.01;
/// So many late lines, and this share of all requests, are a clock that jumped.
const LATE: (u64, f64) = (5, 0.000_1);
/// Latencies that tell a unit.
const TIMED: u64 = 100;
/// No Python service answers the middle request faster …
const TOO_FAST_US: u64 = 50;
/// … while its slowest hundredth stays below this; nor slower than the last of these.
const TOO_FAST_P99_US: u64 = 2_000;
const TOO_SLOW_US: u64 = 60_000_000;
/// Two logs of one traffic differ by no more than this factor.
const ALIKE: u64 = 2;
/// Requests that tell whether two logs are of one traffic.
const ENOUGH: u64 = 20;

pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(unit(&summary.total));
    all.extend(clock(summary));
    all.extend(unseen(summary));
    all.extend(malformed(summary));
    all.extend(lost(summary));
    all.extend(suppressed(summary));
    all.extend(overlaps(summary));
    all.extend(layers(&summary.input.sources));
    all
}

/// Whether durations look as if they had another unit than the one they are read with.
pub(super) fn unit_suspected(total: &Figures) -> bool {
    total.latency.is_some_and(|l| {
        let fast = (1..TOO_FAST_US).contains(&l.p50_us) && l.p99_us < TOO_FAST_P99_US;
        l.count >= TIMED && (fast || l.p50_us >= TOO_SLOW_US)
    })
}

fn unit(total: &Figures) -> Option<Finding> {
    let latency = total.latency.filter(|_| unit_suspected(total))?;
    let text = format!(
        "half of {} durations are below {}, 99 % below {}: they look like another unit than the one they are read with",
        count(latency.count),
        duration(latency.p50_us),
        duration(latency.p99_us)
    );
    let advice = "see which reading was taken with 'vitalog explain', and name the unit: [fields] latency_unit = \"ms\"";
    Some(about_all(Severity::Serious, "latency_unit", text, advice))
}

fn clock(summary: &Summary) -> Option<Finding> {
    let input = &summary.input;
    let many = input.late >= LATE.0 && part(input.late, input.requests) >= LATE.1;
    let text = format!("{} of {} stand behind newer ones", count(input.late), counted(input.requests, "request"));
    let advice = "the clock was set back, or files were joined out of order: these requests are in totals and in no window";
    many.then(|| about_all(Severity::Warning, "clock_jump", text, advice))
}

/// Requests that a killed worker took with it have no access line.
fn unseen(summary: &Summary) -> Option<Finding> {
    let lifecycle = &summary.lifecycle;
    let (timeouts, deaths) = (lifecycle.timeouts, lifecycle.worker_deaths);
    let worst = match (timeouts, deaths) {
        (0, 0) => return None,
        (0, n) => format!("{} died or were killed", counted(n, "worker")),
        (n, 0) => format!("{} were stopped for not answering in time", counted(n, "worker")),
        (n, m) => {
            format!("{} were stopped for not answering in time, {} died or were killed", counted(n, "worker"), count(m))
        }
    };
    let text = format!("{worst}: requests they held have no access line and stand in no figure here");
    let advice =
        "give slow work a time limit below the server's own, or read the proxy's log beside this one: it has the 502 and 504";
    Some(about_all(Severity::Warning, "timeouts_unseen", text, advice))
}

fn malformed(summary: &Summary) -> Option<Finding> {
    let input = &summary.input;
    let share = part(input.malformed, input.lines);
    let reason =
        input.malformed_reasons.iter().max_by_key(|(_, n)| **n).map(|(why, n)| format!(", {} of them '{why}'", count(*n)));
    let text = format!(
        "{} of {} are malformed ({}{})",
        count(input.malformed),
        counted(input.lines, "line"),
        percent(share),
        reason.unwrap_or_default()
    );
    let advice = "find the lines with 'vitalog explain'; several processes writing one file unlocked cut each other's lines";
    (share > MALFORMED).then(|| about_all(Severity::Warning, "malformed", text, advice))
}

fn lost(summary: &Summary) -> Option<Finding> {
    let bytes = summary.input.lost_bytes;
    let text = format!("{} were cut off before they could be read", counted(bytes, "byte"));
    let advice = "rotate by renaming instead of copytruncate, or follow the log more closely";
    (bytes > 0).then(|| about_all(Severity::Warning, "lines_lost", text, advice))
}

/// What journald or rsyslog dropped.
fn suppressed(summary: &Summary) -> Option<Finding> {
    let lines = summary.input.suppressed;
    let text =
        format!("journald or rsyslog dropped {} by their rate limit: these stand in no figure", counted(lines, "message"));
    let advice = "raise the limit: LogRateLimitBurst= of the unit, or RateLimitBurst= in journald.conf";
    (lines > 0).then(|| about_all(Severity::Warning, "lines_lost", text, advice))
}

/// Files of one log that overlap in time: processes that each rotate it for themselves delete what others wrote.
fn overlaps(summary: &Summary) -> Option<Finding> {
    let files = summary.input.sources.iter().filter(|s| s.overlaps).count() as u64;
    let text = format!("the times of {} of a rotated log overlap with those of the older one", counted(files, "file"));
    let advice =
        "let one process alone rotate (logrotate, or a queue to one handler); of several each throws away the others' lines";
    (files > 0).then(|| about_all(Severity::Warning, "lines_lost", text, advice))
}

/// Two access logs of one service in two forms, as busy as each other, both taken for the application's own.
fn layers(sources: &[SourceFigures]) -> Vec<Finding> {
    let mut services: BTreeMap<&Option<String>, BTreeMap<&str, u64>> = BTreeMap::new();
    for source in sources.iter().filter(|s| s.layer == "app") {
        if let Some(format) = &source.format {
            *services.entry(&source.service).or_default().entry(format).or_default() += source.requests;
        }
    }
    let both = services.into_iter().filter_map(|(service, forms)| {
        let mut requests: Vec<u64> = forms.values().copied().filter(|n| *n >= ENOUGH).collect();
        requests.sort_unstable_by(|a, b| b.cmp(a));
        let &[first, second, ..] = requests.as_slice() else { return None };
        (second.saturating_mul(ALIKE) >= first).then(|| Finding {
            severity: Severity::Warning,
            kind: "layers_unknown",
            service: service.clone(),
            route: None,
            text: format!(
                "two access logs in two forms with {} and {} requests: if one is a proxy's, each request counts twice",
                count(first),
                count(second)
            ),
            advice: "say which is which: [[service]] with paths and layer = \"edge\" or \"app\"",
        })
    });
    both.collect()
}
