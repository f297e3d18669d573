//! The parts of the page below its head, each only where it has something to say.

use super::Page;
use super::head::tone;
use super::table::Align;
use super::table::Cell;
use super::table::Column;
use super::table::Table;
use super::table::Tone;
use crate::stats::summary::ExceptionFigures;
use crate::stats::summary::Figures;
use crate::stats::summary::Intake;
use crate::stats::summary::Latency;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::Summary;
use crate::time::Timestamp;
use crate::verdict::finding::Finding;
use crate::verdict::finding::Severity;
use crate::verdict::health::Status;
use crate::write::Report;
use crate::write::figures::bytes;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::fit;
use crate::write::figures::from_to;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::worst::time_spent_us;
use crate::write::worst::worst_first;

/// So many routes are shown.
const ROUTES: usize = 20;
/// So many exceptions, events and sources are shown.
const ENTRIES: usize = 10;

/// All of them, in their order.
pub(super) fn sections(summary: &Summary, report: &Report, page: &mut Page) {
    services(report, page);
    routes(summary, page);
    exceptions(&summary.exceptions, page);
    findings(&report.findings, page);
    lifecycle(summary, page);
    deploys(summary, page);
    input(&summary.input, page);
    missing(summary, page);
}

fn left(head: &'static str) -> Column {
    Column { head, align: Align::Left, rank: 0 }
}

fn right(head: &'static str, rank: u8) -> Column {
    Column { head, align: Align::Right, rank }
}

fn flexible(head: &'static str) -> Column {
    Column { head, align: Align::Flexible, rank: 0 }
}

fn name(service: Option<&String>) -> Cell {
    service.map_or(Cell::new("-", Tone::Quiet), |s| Cell::plain(clean(s).as_str()))
}

fn rest(shown: usize, all: usize, noun: &str, page: &mut Page) {
    if all > shown {
        let more = page.paint(Tone::Quiet, &format!("  … and {}", counted((all - shown) as u64, noun)));
        page.line(&more);
    }
}

fn services(report: &Report, page: &mut Page) {
    let services = &report.summary.services;
    if services.len() < 2 {
        return;
    }
    page.title("Services", "");
    let mut table = Table::default();
    table.column(flexible("service"), services.iter().map(|s| name(s.service.as_ref())));
    let health = |at: usize| report.service_health.get(at).map_or(Status::Unknown, |h| h.status);
    let words = (0..services.len()).map(|at| Cell::new(health(at).word(), tone(health(at))));
    table.column(left("health"), words);
    let figures: Vec<&Figures> = services.iter().map(|s| &s.figures).collect();
    figure_columns(&mut table, &figures);
    let drawn = table.draw(page.look.width, page.look.colour);
    page.text.push_str(&drawn);
}

fn routes(summary: &Summary, page: &mut Page) {
    if summary.routes.is_empty() {
        return;
    }
    page.title("Routes", "worst first: most errors, then most time spent");
    let order = worst_first(&summary.routes);
    let shown: Vec<&RouteFigures> = order.iter().copied().take(ROUTES).collect();
    let mut table = Table::default();
    if summary.services.len() > 1 {
        table.column(left("service"), shown.iter().map(|r| Cell::plain(name(r.service.as_ref()).text).cut(16)));
    }
    table.column(left("method"), shown.iter().map(|r| Cell::plain(clean(&r.method).as_str()).cut(9)));
    table.column(flexible("route"), shown.iter().map(|r| Cell::plain(clean(&r.route).as_str())));
    if shown.iter().any(|r| r.probe || r.streaming) {
        let mark = |r: &RouteFigures| {
            if r.probe {
                "probe"
            } else if r.streaming {
                "stream"
            } else {
                ""
            }
        };
        table.column(Column { rank: 3, ..left("") }, shown.iter().map(|r| Cell::new(mark(r), Tone::Quiet)));
    }
    let figures: Vec<&Figures> = shown.iter().map(|r| &r.figures).collect();
    figure_columns(&mut table, &figures);
    time_column(&mut table, &shown, &summary.routes);
    let drawn = table.draw(page.look.width, page.look.colour);
    page.text.push_str(&drawn);
    rest(shown.len(), order.len(), "more route", page);
}

/// The columns that every set of requests can have; those that none of them fills are left out.
fn figure_columns(table: &mut Table, rows: &[&Figures]) {
    table.column(right("requests", 0), rows.iter().map(|f| Cell::plain(count(f.requests))));
    table.column(right("errors", 0), rows.iter().map(|f| share_cell(f.errors, f.error_rate)));
    if rows.iter().any(|f| f.client_errors > 0) {
        table.column(right("4xx", 5), rows.iter().map(|f| count_cell(f.client_errors)));
    }
    if rows.iter().any(|f| f.latency.is_some()) {
        let cell = |f: &Figures, pick: fn(&Latency) -> u64| {
            f.latency.as_ref().map_or(Cell::new("-", Tone::Quiet), |l| Cell::plain(duration(pick(l))))
        };
        table.column(right("p50", 1), rows.iter().map(|f| cell(f, |l| l.p50_us)));
        table.column(right("p95", 0), rows.iter().map(|f| cell(f, |l| l.p95_us)));
        table.column(right("p99", 2), rows.iter().map(|f| cell(f, |l| l.p99_us)));
        table.column(right("max", 6), rows.iter().map(|f| cell(f, |l| l.max_us)));
    }
    if rows.iter().any(|f| f.bytes.is_some()) {
        table.column(right("sent", 7), rows.iter().map(|f| f.bytes.map_or_else(Cell::default, |n| Cell::plain(bytes(n)))));
    }
}

/// Each route's share of the time that all answers took.
#[expect(clippy::cast_precision_loss, reason = "a share is shown with three digits")]
fn time_column(table: &mut Table, shown: &[&RouteFigures], all: &[RouteFigures]) {
    let whole: u128 = all.iter().map(time_spent_us).sum();
    if whole > 0 {
        let share = |r: &RouteFigures| percent(time_spent_us(r) as f64 / whole as f64);
        table.column(right("time", 4), shown.iter().map(|r| Cell::plain(share(r))));
    }
}

fn count_cell(n: u64) -> Cell {
    if n == 0 { Cell::new("-", Tone::Quiet) } else { Cell::plain(count(n)) }
}

fn share_cell(errors: u64, share: Option<f64>) -> Cell {
    match share {
        Some(share) if errors > 0 => Cell::new(percent(share), if share >= 0.05 { Tone::Bad } else { Tone::Warn }),
        _ => Cell::new("-", Tone::Quiet),
    }
}

fn exceptions(exceptions: &[ExceptionFigures], page: &mut Page) {
    if exceptions.is_empty() {
        return;
    }
    page.title("Exceptions", "most frequent first");
    let widest = exceptions.iter().take(ENTRIES).map(|e| count(e.count).len()).max().unwrap_or(1);
    for exception in exceptions.iter().take(ENTRIES) {
        let place = exception.place.as_ref().map(|p| format!(" at {}", clean(p))).unwrap_or_default();
        let lead = format!("  {:>widest$}  ", count(exception.count));
        let new = if exception.new == Some(true) { "  new" } else { "" };
        let room = page.look.width.saturating_sub(lead.len() + new.len());
        let what = fit(&format!("{}{place}", clean(&exception.kind)), room);
        let line = format!("{lead}{what}{}", page.paint(Tone::Bad, new));
        page.line(&line);
        let seen = seen(exception.first, exception.last);
        let parts = exception.message.iter().chain(&exception.routes).map(|t| clean(t).to_string()).chain(seen);
        let about: Vec<String> = parts.filter(|p| !p.is_empty()).collect();
        page.paragraph(&" ".repeat(lead.len()), Tone::Quiet, &about.join(" · "));
    }
    rest(ENTRIES, exceptions.len(), "more kind", page);
}

fn seen(first: Option<Timestamp>, last: Option<Timestamp>) -> Option<String> {
    match (first, last) {
        (Some(first), Some(last)) if first < last => Some(from_to(first, last)),
        (first, last) => first.or(last).map(moment),
    }
}

fn findings(findings: &[Finding], page: &mut Page) {
    if findings.is_empty() {
        return;
    }
    page.title("Findings", "the gravest first");
    for finding in findings.iter().take(ENTRIES) {
        let tone = match finding.severity {
            Severity::Serious => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Info => Tone::Quiet,
        };
        let where_to = finding.service.iter().chain(&finding.route).map(|t| clean(t).to_string()).collect::<Vec<_>>().join(" ");
        let lead = if where_to.is_empty() { where_to } else { format!("{}: ", fit(&where_to, page.look.width / 2)) };
        page.paragraph(&format!("  {:<9}", finding.severity.word()), tone, &format!("{lead}{}", clean(&finding.text)));
        page.paragraph("           ", Tone::Quiet, finding.advice);
    }
    rest(ENTRIES, findings.len(), "more finding", page);
}

fn lifecycle(summary: &Summary, page: &mut Page) {
    let l = &summary.lifecycle;
    let counts = [
        (l.starts, "start"),
        (l.stops, "stop"),
        (l.worker_starts, "worker start"),
        (l.worker_deaths, "worker death"),
        (l.timeouts, "worker timeout"),
        (l.reloads, "reload"),
    ];
    let said: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(*n, what)).collect();
    if said.is_empty() {
        return;
    }
    page.title("Lifecycle", "");
    page.paragraph("  ", Tone::Plain, &said.join(", "));
    let worth = |kind: &str| matches!(kind, "start" | "stop" | "worker_death" | "timeout" | "reload");
    let events: Vec<_> = l.events.iter().filter(|e| worth(&e.kind)).collect();
    let mut table = Table::default();
    let shown = || events.iter().take(ENTRIES);
    if shown().any(|e| e.at.is_some()) {
        table.column(left(""), shown().map(|e| Cell::new(e.at.map(moment).unwrap_or_default(), Tone::Quiet)));
    }
    table.column(left(""), shown().map(|e| Cell::plain(clean(e.kind.replace('_', " ")).as_str())));
    table.column(flexible(""), shown().map(|e| Cell::plain(clean(sentence(&e.text)).as_str())));
    let drawn = table.draw(page.look.width, page.look.colour);
    page.text.push_str(&drawn);
    rest(ENTRIES, events.len(), "more event", page);
}

/// What a server said, without the time, process and level before it, which stand in columns of their own.
fn sentence(text: &str) -> &str {
    let ends = ["] ", " - ", ":     "].iter().filter_map(|mark| text.rfind(mark).map(|at| at + mark.len()));
    ends.max().and_then(|at| text.get(at..)).filter(|said| !said.is_empty()).unwrap_or(text)
}

fn deploys(summary: &Summary, page: &mut Page) {
    let several = summary.services.len() > 1;
    let of = |service: Option<&String>| if several { name(service).text } else { String::new() };
    if !summary.deploys.is_empty() {
        page.title("Deploys", "");
        let shown = &summary.deploys[summary.deploys.len().saturating_sub(ENTRIES)..];
        let mut table = Table::default();
        table.column(left(""), shown.iter().map(|d| Cell::plain(d.at.map(moment).unwrap_or_default())));
        table.column(flexible(""), shown.iter().map(|d| Cell::plain(d.label.as_ref().map(clean).unwrap_or_default().as_str())));
        table.column(left(""), shown.iter().map(|d| Cell::new(d.source, Tone::Quiet)));
        table.column(left(""), shown.iter().map(|d| Cell::plain(of(d.service.as_ref())).cut(16)));
        let drawn = table.draw(page.look.width, page.look.colour);
        page.text.push_str(&drawn);
        rest(shown.len(), summary.deploys.len(), "earlier mark", page);
    }
    if !summary.versions.is_empty() {
        page.title("Versions", "");
        let shown = &summary.versions[summary.versions.len().saturating_sub(ENTRIES)..];
        let mut table = Table::default();
        table.column(flexible("version"), shown.iter().map(|v| Cell::plain(clean(&v.version).as_str())));
        table.column(right("requests", 0), shown.iter().map(|v| Cell::plain(count(v.requests))));
        table.column(left("seen"), shown.iter().map(|v| Cell::new(seen(v.first, v.last).unwrap_or_default(), Tone::Quiet)));
        table.column(left(""), shown.iter().map(|v| Cell::plain(of(v.service.as_ref())).cut(16)));
        let drawn = table.draw(page.look.width, page.look.colour);
        page.text.push_str(&drawn);
    }
}

fn input(input: &Intake, page: &mut Page) {
    page.title("Input", "");
    let sources = counted(input.sources.len() as u64, "source");
    let kinds = [
        (input.requests, "requests"),
        (input.companion, "second lines of a request"),
        (input.lifecycle, "lifecycle"),
        (input.traceback, "traceback"),
        (input.message, "messages"),
    ];
    let kinds: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
    let read = format!("{} ({}) from {sources}", counted(input.lines, "line"), bytes(input.bytes));
    page.entry("read", &if kinds.is_empty() { read } else { format!("{read}: {}", kinds.join(", ")) });
    troubles(input, page);
    let mut table = Table::default();
    let shown = || input.sources.iter().take(ENTRIES);
    let form = |s: &SourceFigures| {
        let parts = s.wrapper.iter().chain(&s.format).map(|t| clean(t).fitted(24));
        parts.collect::<Vec<_>>().join(" > ")
    };
    table.column(flexible(""), shown().map(|s| Cell::plain(clean(&s.path).as_str())));
    table.column(left(""), shown().map(|s| Cell::new(form(s), Tone::Quiet)));
    table.column(right("", 0), shown().map(|s| Cell::plain(counted(s.lines, "line"))));
    let drawn = table.draw(page.look.width, page.look.colour);
    page.text.push_str(&drawn);
    rest(ENTRIES, input.sources.len(), "more source", page);
}

fn troubles(input: &Intake, page: &mut Page) {
    for source in input.sources.iter().filter(|s| s.error.is_some()).take(ENTRIES) {
        let why = source.error.as_ref().map(clean).unwrap_or_default();
        page.paragraph("  unreadable ", Tone::Bad, &format!("{}: {why}", clean(&source.path)));
    }
    if input.malformed > 0 {
        let reasons: Vec<String> = input.malformed_reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        page.paragraph("  malformed  ", Tone::Warn, &format!("{}: {}", counted(input.malformed, "line"), reasons.join(", ")));
    }
    if input.lost_bytes > 0 {
        page.paragraph(
            "  lost       ",
            Tone::Warn,
            &format!("{} truncated away before they were read", bytes(input.lost_bytes)),
        );
    }
    if input.duplicates > 0 {
        page.entry("duplicates", &format!("{} found twice, counted once", counted(input.duplicates, "part")));
    }
    if input.undated > 0 {
        page.entry("undated", &format!("{} without a time: in totals, in no window", counted(input.undated, "request")));
    }
    if input.late > 0 {
        page.entry("late", &format!("{} out of order: in totals, in no window", counted(input.late, "request")));
    }
    if input.probes > 0 {
        page.entry("probes", &format!("{} to health probes, left out (--include-probes)", counted(input.probes, "request")));
    }
}

fn missing(summary: &Summary, page: &mut Page) {
    if summary.unavailable.is_empty() {
        return;
    }
    page.title("Not in this log", "");
    for missing in &summary.unavailable {
        page.entry(missing.figure, clean(&missing.because).as_str());
        page.entry("", &format!("get it with: {}", clean(&missing.enable_with)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_sentence_stands_without_what_its_logger_wrote() {
        for (expected, text) in [
            ("Starting gunicorn 27.0.1", "[2026-11-23 00:47:21 +0000] [7375] [INFO] Starting gunicorn 27.0.1"),
            ("Started server process [6607]", "INFO:     Started server process [6607]"),
            ("Shutting down", "2026-11-23 00:35:00,259 - uvicorn.error - INFO - Shutting down"),
            ("Started server process [8238]", "Started server process [8238]"),
            ("odd] ", "odd] "),
        ] {
            assert_eq!(expected, sentence(text));
        }
    }
}
