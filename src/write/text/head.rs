//! The top of the page: the few lines that matter.

use super::Page;
use super::table::Tone;
use crate::stats::summary::Figures;
use crate::stats::summary::Summary;
use crate::verdict::health::Status;
use crate::write::Report;
use crate::write::figures::bytes;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::from_to;
use crate::write::figures::percent;
use crate::write::figures::rate;
use crate::write::figures::span;

/// So many reasons are shown.
const REASONS: usize = 8;

/// The colour of a state.
pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Healthy => Tone::Good,
        Status::Degraded => Tone::Warn,
        Status::Unhealthy => Tone::Bad,
        Status::Unknown => Tone::Strong,
    }
}

/// Health, requests, errors, latency, period, and what is missing.
pub(super) fn head(report: &Report, page: &mut Page) {
    let (summary, health) = (&report.summary, &report.health);
    let word = format!("● {}", health.status.word().to_uppercase());
    let word = page.paint(tone(health.status), &word);
    page.line(&word);
    for reason in health.reasons.iter().take(REASONS) {
        page.paragraph("  - ", Tone::Plain, clean(reason).as_str());
    }
    if health.reasons.len() > REASONS {
        page.paragraph("  - ", Tone::Quiet, &counted((health.reasons.len() - REASONS) as u64, "more reason"));
    }
    page.line("");
    let total = &summary.total;
    if total.requests == 0 {
        page.entry("requests", &format!("none in {}", counted(summary.input.lines, "line")));
    } else {
        let per_s = total.rate_per_s.map(|r| format!(" ({})", rate(r))).unwrap_or_default();
        page.entry("requests", &format!("{}{per_s}", count(total.requests)));
        let failed = failures(total);
        page.entry("errors", &failed);
    }
    if let Some(l) = &total.latency {
        let [p50, p95, p99, max] = [l.p50_us, l.p95_us, l.p99_us, l.max_us].map(duration);
        page.entry("latency", &format!("p50 {p50} · p95 {p95} · p99 {p99} · max {max}"));
    }
    if let Some(period) = period(summary) {
        page.entry("period", &period);
    }
    if let Some(sent) = total.bytes {
        page.entry("sent", &bytes(sent));
    }
    missing(summary, page);
}

/// Where latency or time, without which little can be judged, is not in this log: what adds them, and whatever else
/// this log cannot tell.
fn missing(summary: &Summary, page: &mut Page) {
    let needed = |figure: &str| matches!(figure, "latency" | "time");
    let figures: Vec<&str> = summary.unavailable.iter().map(|u| u.figure).collect();
    if !figures.iter().any(|figure| needed(figure)) {
        return;
    }
    let figures = figures.join(", ").replace('_', " ");
    page.entry("missing", &format!("{figures}: not in this log ('vitalog explain --fix' prints what adds them)"));
    for figure in summary.unavailable.iter().filter(|u| needed(u.figure)) {
        page.entry("", &format!("{} with {}", figure.figure, clean(&figure.enable_with)));
    }
}

fn failures(total: &Figures) -> String {
    let share = total.error_rate.filter(|_| total.errors > 0).map(|r| format!(" ({})", percent(r))).unwrap_or_default();
    let mut parts = vec![format!("{}{share}", count(total.errors))];
    let others = [(total.client_errors, "client errors (4xx)"), (total.aborted, "aborted by the client")];
    parts.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))));
    parts.join(" · ")
}

fn period(summary: &Summary) -> Option<String> {
    let period = &summary.period;
    let (start, end) = (period.start?, period.end?);
    let seconds = u64::try_from((end.0 - start.0) / 1_000_000).unwrap_or(0);
    let source = match period.time_source {
        "wrapper" => ", times from the wrapper",
        "arrival" => ", times of arrival",
        _ => "",
    };
    let zone = period.zone_assumed.as_ref().map(|z| format!(", stamps without a zone read as {}", clean(z)));
    Some(format!("{} ({}{source}{})", from_to(start, end), span(seconds), zone.unwrap_or_default()))
}
