//! A comparison as the dated record of a change, fit for a pull request: measured before, changed, measured after, and the
//! command that takes it back. The first line is a hidden marker; values from a log stand in code spans.

use std::fmt::Write;
use std::io;

use super::arrow;
use super::name;
use super::week_earlier;
use crate::stats::summary::Figures;
use crate::stats::summary::Latency;
use crate::verdict::compare::About;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::RouteChange;
use crate::verdict::compare::Verdict;
use crate::write::figures::clean_to;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::from_to;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::markdown::code;
use crate::write::markdown::more;

/// The first line, by which a job finds its comment.
pub const MARKER: &str = "<!-- vitalog compare -->";

/// So many routes are shown.
const ROUTES: usize = 20;
/// So many of anything else.
const ENTRIES: usize = 5;
/// The longest command, in bytes.
const COMMAND: usize = 2048;

/// Writes the comparison as Markdown.
pub fn markdown(comparison: &Comparison, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = String::new();
    let filled = fill(comparison, &mut page);
    debug_assert!(filled.is_ok(), "a string takes everything");
    out.write_all(page.as_bytes())
}

fn fill(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    let word = comparison.verdict.word();
    writeln!(page, "{MARKER}\n### {} vitalog compare: {word}\n", mark(comparison.verdict))?;
    writeln!(page, "{}.\n", capital(&comparison.headline()))?;
    sides(comparison, page)?;
    reasons(comparison, page)?;
    table(comparison, page)?;
    exceptions(comparison, page)?;
    commands(comparison, page)
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "🔴",
        Verdict::Improved | Verdict::Same => "🟢",
        Verdict::TooFew => "⚪",
    }
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn sides(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    let measured = |about: &About| about.period.map_or_else(|| "no times in this log".to_owned(), |(a, b)| from_to(a, b));
    let called = |about: &About| if name(about).is_empty() { "-".to_owned() } else { code(name(about)) };
    let (before, after) = (&comparison.before, &comparison.after);
    writeln!(page, "| | side | measured | requests | left out as warm-up |\n|---|---|---|--:|--:|")?;
    let row = |word: &str, about: &About| {
        let (requests, left_out) = (count(about.requests), count(about.left_out));
        format!("| {word} | {} | {} | {requests} | {left_out} |", called(about), measured(about))
    };
    writeln!(page, "{}", row("before", before))?;
    if let Some(at) = comparison.changed_at {
        writeln!(page, "| changed | | {} | | |", moment(at))?;
    }
    writeln!(page, "{}", row("after", after))?;
    if let Some(week) = &comparison.week {
        writeln!(page, "{}", row("beside", week))?;
    }
    for note in &comparison.notes {
        writeln!(page, "\n{}.", capital(&clean_to(note, COMMAND).to_string()))?;
    }
    Ok(())
}

/// Method and route, with the service where there is one.
fn route_name(route: &RouteChange) -> String {
    let service = route.service.as_ref().map(|s| format!("{s} ")).unwrap_or_default();
    code(&format!("{service}{} {}", route.method, route.route))
}

fn reasons(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    for (verdict, title) in [(Verdict::Regressed, "Regressed"), (Verdict::Improved, "Improved")] {
        let all = comparison.with(verdict).count();
        if all > 0 {
            writeln!(page, "\n**{title}**\n")?;
        }
        for route in comparison.with(verdict).take(ROUTES) {
            writeln!(page, "- {}", route_name(route))?;
            for reason in route.reasons.iter().take(ENTRIES) {
                writeln!(page, "  - {}", reason.text)?;
            }
            if let Some(week) = &route.week {
                writeln!(page, "  - {}", week_earlier(week))?;
            }
        }
        more(all, ROUTES, "more route", page)?;
    }
    Ok(())
}

fn table(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    if comparison.routes.is_empty() {
        return Ok(());
    }
    let shown: Vec<&RouteChange> = comparison.routes.iter().take(ROUTES).collect();
    let timed = shown.iter().any(|r| r.before.latency.is_some() || r.after.latency.is_some());
    writeln!(page, "\n**Before → after**\n")?;
    let (head, rule) = if timed { (" p50 | p95 | p99 |", "--:|--:|--:|") } else { ("", "") };
    writeln!(page, "| route | verdict | requests | errors | 4xx |{head}\n|---|---|--:|--:|--:|{rule}")?;
    for route in shown {
        let both = |of: &dyn Fn(&Figures) -> String| arrow(of(&route.before), of(&route.after));
        let verdict = if route.probe { format!("{} (probe)", route.verdict.word()) } else { route.verdict.word().to_owned() };
        let requests = both(&|f| count(f.requests));
        let (errors, client) = (both(&|f| share(f.errors, f.requests)), both(&|f| share(f.client_errors, f.requests)));
        write!(page, "| {} | {verdict} | {requests} | {errors} | {client} |", route_name(route))?;
        if timed {
            let quantile =
                |pick: fn(&Latency) -> u64| both(&|f| f.latency.as_ref().map_or_else(|| "-".to_owned(), |l| duration(pick(l))));
            write!(page, " {} | {} | {} |", quantile(|l| l.p50_us), quantile(|l| l.p95_us), quantile(|l| l.p99_us))?;
        }
        page.push('\n');
    }
    more(comparison.routes.len(), ROUTES, "more route", page)
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with three digits")]
fn share(part: u64, all: u64) -> String {
    if part == 0 { "-".to_owned() } else { percent(part as f64 / all as f64) }
}

fn exceptions(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    if comparison.new_exceptions.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n**New exceptions**\n")?;
    for exception in comparison.new_exceptions.iter().take(ENTRIES) {
        write!(page, "- {} × {}", count(exception.count), code(&exception.kind))?;
        if let Some(place) = &exception.place {
            write!(page, " at {}", code(place))?;
        }
        for route in exception.routes.iter().take(ENTRIES) {
            write!(page, ", {}", code(route))?;
        }
        page.push('\n');
    }
    more(comparison.new_exceptions.len(), ENTRIES, "more kind", page)
}

fn commands(comparison: &Comparison, page: &mut String) -> std::fmt::Result {
    for (title, command) in [("Take it back", &comparison.rollback), ("Purge", &comparison.purge)] {
        let Some(command) = command else { continue };
        let mut lines: Vec<String> = command.lines().take(ENTRIES).map(|l| clean_to(l, COMMAND).to_string()).collect();
        let left = command.lines().count().saturating_sub(ENTRIES);
        if left > 0 {
            lines.push(format!("# … and {}", counted(left as u64, "more command")));
        }
        let text = lines.join("\n");
        let run = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(run.max(2) + 1);
        writeln!(page, "\n**{title}**\n\n{fence}sh\n{text}\n{fence}")?;
    }
    Ok(())
}
