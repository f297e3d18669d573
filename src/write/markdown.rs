//! The report for a pull request or a job's summary, in GitHub's Markdown.
//!
//! The first line is a hidden marker, so that a job can find its comment and update it. Every value from a log stands
//! in a code span that it cannot end (GFM specification 0.29, sections 6.3 and 4.10): the fence is longer than any run
//! of backticks inside, and `|`, which would end a table's cell even there, is shown as `¦`. Below 60,000 characters.

use std::fmt::Write;
use std::io;

use crate::stats::summary::Intake;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Summary;
use crate::verdict::finding::Finding;
use crate::verdict::health::Status;
use crate::write::Report;
use crate::write::figures::bytes;
use crate::write::figures::clean_to;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::from_to;
use crate::write::figures::percent;
use crate::write::figures::rate;
use crate::write::worst::worst_first;

/// The first line, by which a job finds its comment.
pub const MARKER: &str = "<!-- vitalog -->";

/// So many routes are shown.
const ROUTES: usize = 20;
/// So many of anything else.
const ENTRIES: usize = 10;
/// The longest value, in bytes: with the counts above it keeps the page below 60,000 characters.
const LONGEST: usize = 300;

/// Writes the report as Markdown.
pub fn markdown(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = String::new();
    let filled = fill(report, &mut page);
    debug_assert!(filled.is_ok(), "a string takes everything");
    out.write_all(page.as_bytes())
}

fn fill(report: &Report, page: &mut String) -> std::fmt::Result {
    let summary = &report.summary;
    let mark = match report.health.status {
        Status::Healthy => "🟢",
        Status::Degraded => "🟡",
        Status::Unhealthy => "🔴",
        Status::Unknown => "⚪",
    };
    writeln!(page, "{MARKER}\n### {mark} vitalog: {}\n", report.health.status.word())?;
    for reason in report.health.reasons.iter().take(ENTRIES) {
        writeln!(page, "- {}", code(reason))?;
    }
    more(report.health.reasons.len(), ENTRIES, "more reason", page)?;
    if !report.health.reasons.is_empty() {
        page.push('\n');
    }
    if summary.input.lines == 0 {
        writeln!(page, "The input is empty.")?;
    } else {
        totals(summary, page)?;
    }
    routes(summary, page)?;
    exceptions(summary, page)?;
    findings(&report.findings, page)?;
    input(&summary.input, page)?;
    for missing in summary.unavailable.iter().take(ENTRIES) {
        let (because, with) = (code(&missing.because), code(&missing.enable_with));
        writeln!(page, "- Not in this log: {}. {because}; get it with {with}", missing.figure)?;
    }
    Ok(())
}

/// Untrusted text as a code span; `|` becomes `¦`.
pub(super) fn code(untrusted: &str) -> String {
    let safe = clean_to(untrusted, LONGEST);
    let text = safe.as_str().trim().replace('|', "¦");
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let longest_run = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest_run + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

pub(super) fn more(all: usize, shown: usize, noun: &str, page: &mut String) -> std::fmt::Result {
    if all > shown { writeln!(page, "\n… and {}.", counted((all - shown) as u64, noun)) } else { Ok(()) }
}

fn totals(summary: &Summary, page: &mut String) -> std::fmt::Result {
    let total = &summary.total;
    let mut parts = vec![format!("**{}**", counted(total.requests, "request"))];
    parts.extend(total.rate_per_s.map(rate));
    if total.requests > 0 {
        let share = total.error_rate.filter(|_| total.errors > 0).map(|r| format!(" ({})", percent(r))).unwrap_or_default();
        parts.push(format!("**{}**{share}", counted(total.errors, "error")));
    }
    if let Some(l) = &total.latency {
        parts.push(format!("p50 {} · p95 {} · p99 {}", duration(l.p50_us), duration(l.p95_us), duration(l.p99_us)));
    }
    parts.extend(total.bytes.map(bytes));
    if let (Some(start), Some(end)) = (summary.period.start, summary.period.end) {
        parts.push(from_to(start, end));
    }
    writeln!(page, "{}\n", parts.join(" · "))
}

fn routes(summary: &Summary, page: &mut String) -> std::fmt::Result {
    if summary.routes.is_empty() {
        return Ok(());
    }
    let order = worst_first(&summary.routes);
    let shown: Vec<&RouteFigures> = order.iter().copied().take(ROUTES).collect();
    let with_service = summary.services.len() > 1;
    let with_latency = shown.iter().any(|r| r.figures.latency.is_some());
    let mut head = "| route | requests | errors |".to_owned();
    let mut rule = "|---|--:|--:|".to_owned();
    if with_latency {
        head.push_str(" p50 | p95 | p99 |");
        rule.push_str("--:|--:|--:|");
    }
    if with_service {
        head = format!("| service {head}");
        rule = format!("|---{rule}");
    }
    writeln!(page, "{head}\n{rule}")?;
    for route in shown {
        let figures = &route.figures;
        if with_service {
            write!(page, "| {} ", route.service.as_deref().map_or_else(|| "-".to_owned(), code))?;
        }
        let errors = figures.error_rate.filter(|_| figures.errors > 0).map_or_else(|| "-".to_owned(), percent);
        let name = code(&format!("{} {}", route.method, route.route));
        write!(page, "| {name} | {} | {errors} |", count(figures.requests))?;
        if with_latency {
            match &figures.latency {
                Some(l) => write!(page, " {} | {} | {} |", duration(l.p50_us), duration(l.p95_us), duration(l.p99_us))?,
                None => page.push_str(" - | - | - |"),
            }
        }
        page.push('\n');
    }
    more(order.len(), ROUTES, "more route", page)
}

fn exceptions(summary: &Summary, page: &mut String) -> std::fmt::Result {
    if summary.exceptions.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n**Exceptions**\n")?;
    for exception in summary.exceptions.iter().take(ENTRIES) {
        write!(page, "- {} × {}", count(exception.count), code(&exception.kind))?;
        if let Some(place) = &exception.place {
            write!(page, " at {}", code(place))?;
        }
        if let Some(message) = &exception.message {
            write!(page, ": {}", code(message))?;
        }
        writeln!(page, "{}", if exception.new == Some(true) { " (new)" } else { "" })?;
    }
    more(summary.exceptions.len(), ENTRIES, "more kind", page)
}

fn findings(findings: &[Finding], page: &mut String) -> std::fmt::Result {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n**Findings**\n")?;
    for finding in findings.iter().take(ENTRIES) {
        write!(page, "- {}: ", finding.severity.word())?;
        for name in finding.service.iter().chain(&finding.route) {
            write!(page, "{} ", code(name))?;
        }
        writeln!(page, "{}; {}", finding.text, finding.advice)?;
    }
    more(findings.len(), ENTRIES, "more finding", page)
}

fn input(input: &Intake, page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n**Input**\n")?;
    let sources = counted(input.sources.len() as u64, "source");
    writeln!(page, "- {} ({}) from {sources}", counted(input.lines, "line"), bytes(input.bytes))?;
    for source in input.sources.iter().filter(|s| s.error.is_some()).take(ENTRIES) {
        writeln!(page, "- could not read {}: {}", code(&source.path), code(source.error.as_deref().unwrap_or_default()))?;
    }
    if input.malformed > 0 {
        let reasons: Vec<String> = input.malformed_reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        writeln!(page, "- malformed: {} ({})", counted(input.malformed, "line"), reasons.join(", "))?;
    }
    for (n, what) in [(input.duplicates, "found twice, counted once"), (input.probes, "requests to health probes left out")] {
        if n > 0 {
            writeln!(page, "- {} {what}", count(n))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;

    fn page(report: &Report) -> String {
        let mut out = Vec::new();
        markdown(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_cannot_end_its_code_span() {
        for (span, raw) in [
            ("`/items`", "/items"),
            ("``a`b``", "a`b"),
            ("```` ``` ````", "```"),
            ("`` `x ``", "`x"),
            ("`a\\¦b`", "a\\|b"),
            ("`<img src=x>`", "<img src=x>"),
            ("`a  b`", "a\n\nb"),
            ("(empty)", " \n "),
        ] {
            assert_eq!(span, code(raw));
        }
    }

    #[test]
    fn the_marker_comes_first_then_health_then_the_worst_routes() {
        insta::assert_snapshot!(page(&example::full()), @r"
        <!-- vitalog -->
        ### 🔴 vitalog: unhealthy

        - `promise 'available' (99.9 %) broken: 25 of 4,293 requests failed (0.58 %, allowed 0.1 %), 2026-11-23 00:36:48 to 00:48:51 UTC`

        **4,293 requests** · 5.9/s · **25 errors** (0.58 %) · p50 12.3 ms · p95 73.8 ms · p99 123 ms · 12.4 MiB · 2026-11-23 00:36:48 to 00:48:51 UTC

        | route | requests | errors | p50 | p95 | p99 |
        |---|--:|--:|--:|--:|--:|
        | `POST /checkout` | 412 | 6.1 % | 47.5 ms | 285 ms | 475 ms |
        | `GET /organisations/{organisation}/projects/{project}/issues/{id}` | 1,203 | - | 9.00 ms | 54.0 ms | 90.0 ms |
        | `WEBSOCKET /live/{id}` | 12 | - | - | - | - |
        | `GET /health` | 300 | - | 200 µs | 1.20 ms | 2.00 ms |

        **Exceptions**

        - 25 × `KeyError` at `shop/cart.py:88`: `'…' is unknown` (new)

        **Findings**

        - warning: `shop` `GET /items/{id}` 11.1 % of 90 look-ups were answered by the cache; look at what varies the key

        **Input**

        - 9,400 lines (1.72 MiB) from 2 sources
        - could not read `old.log.gz`: `permission denied`
        - malformed: 12 lines (8 cut, 4 status)
        - 1 found twice, counted once
        - 300 requests to health probes left out
        - Not in this log: version. `no line names one`; get it with `[fields] version`
        ");
    }

    #[test]
    fn whatever_the_log_holds_the_page_stays_below_sixty_thousand_characters() {
        let mut report = example::hostile(&"`ab|".repeat(500));
        let summary = &mut report.summary;
        let route = summary.routes[0].clone();
        summary.routes.extend(std::iter::repeat_n(route, 500));
        let (exception, source, missing) =
            (summary.exceptions[0].clone(), summary.input.sources[1].clone(), summary.unavailable[1].clone());
        summary.exceptions.extend(std::iter::repeat_n(exception, 500));
        summary.input.sources.extend(std::iter::repeat_n(source, 500));
        summary.unavailable.extend(std::iter::repeat_n(missing, 500));
        report.health.reasons.extend(std::iter::repeat_n("`x|".repeat(300), 500));
        let text = page(&report);
        assert!(text.chars().count() < 60_000, "{}", text.chars().count());
        assert!(text.contains("… and 484 more routes."), "{text}");
    }
}
