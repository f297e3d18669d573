//! A comparison for people at a terminal: the verdict, the sides, each changed route with its reasons and a bar, the rest
//! in one table, and the commands, each whole on a line of its own however long it is.

use std::io;

use super::arrow;
use super::side;
use super::week_earlier;
use crate::stats::summary::Figures;
use crate::stats::summary::Latency;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Reason;
use crate::verdict::compare::RouteChange;
use crate::verdict::compare::Verdict;
use crate::write::figures::clean;
use crate::write::figures::clean_to;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::fit;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::text::Look;
use crate::write::text::Page;
use crate::write::text::table::Align;
use crate::write::text::table::Cell;
use crate::write::text::table::Column;
use crate::write::text::table::Table;
use crate::write::text::table::Tone;

/// So many changed routes are shown, and so many others.
const ROUTES: usize = 20;
/// So many reasons of one route, and so many exceptions.
const ENTRIES: usize = 5;
/// The longest bar, in columns.
const BAR: u8 = 32;
/// The longest command, in bytes.
const COMMAND: usize = 4096;

/// Writes the comparison as text.
pub fn text(comparison: &Comparison, look: Look, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = Page::new(look);
    let word = format!("● {}", comparison.verdict.word().to_uppercase());
    let line = format!("{}  {}", page.paint(tone(comparison.verdict), &word), comparison.headline());
    page.line(&line);
    page.line("");
    page.entry("before", &side(&comparison.before));
    if let Some(at) = comparison.changed_at {
        page.entry("changed", &moment(at));
    }
    page.entry("after", &side(&comparison.after));
    if let Some(week) = &comparison.week {
        page.entry("beside", &side(week));
    }
    for note in &comparison.notes {
        page.entry("note", &clean(note).to_string());
    }
    changed(comparison, &mut page);
    others(comparison, &mut page);
    exceptions(comparison, &mut page);
    commands(comparison, &mut page);
    out.write_all(page.text.as_bytes())
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Regressed => Tone::Bad,
        Verdict::Improved => Tone::Good,
        Verdict::Same => Tone::Strong,
        Verdict::TooFew => Tone::Quiet,
    }
}

/// Name, method and service of a route, made safe.
fn name(route: &RouteChange) -> String {
    let service = route.service.as_ref().map(|s| format!("{} ", clean(s))).unwrap_or_default();
    format!("{service}{} {}", clean(&route.method), clean(&route.route))
}

fn changed(comparison: &Comparison, page: &mut Page) {
    let routes: Vec<_> = comparison.routes.iter().filter(|r| r.verdict <= Verdict::Improved).collect();
    if routes.is_empty() {
        return;
    }
    page.title("Changed", "worst first, before → after");
    for route in routes.iter().take(ROUTES) {
        let word = format!("  {:<11}", route.verdict.word());
        let requests = format!("  {} requests", arrow(count(route.before.requests), count(route.after.requests)));
        let probe = if route.probe { " (probe)" } else { "" };
        let room = page.look.width.saturating_sub(word.chars().count() + requests.chars().count() + probe.len());
        let shown = fit(&name(route), room);
        let line = format!(
            "{}{}{probe}{}",
            page.paint(tone(route.verdict), &word),
            page.paint(Tone::Strong, &shown),
            page.paint(Tone::Quiet, &requests)
        );
        page.line(&line);
        for reason in route.reasons.iter().take(ENTRIES) {
            page.paragraph("             ", Tone::Plain, &reason.text);
            bars(reason, page);
        }
        if let Some(week) = &route.week {
            page.paragraph("             ", Tone::Quiet, &week_earlier(week));
        }
    }
    rest(routes.len(), ROUTES, "more changed route", page);
}

/// Two bars on one scale.
fn bars(reason: &Reason, page: &mut Page) {
    let Some((before, after)) = reason.bar else { return };
    let most = before.max(after);
    for (word, value, tone) in
        [("before", before, Tone::Quiet), ("after", after, if reason.worse == Some(true) { Tone::Bad } else { Tone::Good })]
    {
        let drawn = page.paint(tone, &bar(value, most));
        let line = format!("             {word:<7}{drawn}");
        page.line(line.trim_end());
    }
}

/// A bar of eighths of a column; what is not nothing has at least one eighth.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 256")]
fn bar(value: f64, most: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (share * 8.0 * f64::from(BAR)).round() as usize;
    let eighths = if value > 0.0 { eighths.max(1) } else { eighths };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn others(comparison: &Comparison, page: &mut Page) {
    let routes: Vec<_> = comparison.routes.iter().filter(|r| r.verdict > Verdict::Improved).collect();
    if routes.is_empty() {
        return;
    }
    page.title("Other routes", "before → after");
    let shown: Vec<&RouteChange> = routes.iter().copied().take(ROUTES).collect();
    let column = |head, align, rank| Column { head, align, rank };
    let mut table = Table::default();
    table.column(column("", Align::Left, 0), shown.iter().map(|r| Cell::new(standing(r), Tone::Quiet)));
    table.column(column("route", Align::Flexible, 0), shown.iter().map(|r| Cell::plain(name(r))));
    let both = |r: &RouteChange, of: &dyn Fn(&Figures) -> String| Cell::plain(arrow(of(&r.before), of(&r.after)));
    table.column(column("requests", Align::Right, 0), shown.iter().map(|r| both(r, &|f| count(f.requests))));
    if shown.iter().any(|r| r.before.errors + r.after.errors > 0) {
        let errors = |f: &Figures| f.error_rate.filter(|_| f.errors > 0).map_or_else(|| "-".to_owned(), percent);
        table.column(column("errors", Align::Right, 2), shown.iter().map(|r| both(r, &errors)));
    }
    if shown.iter().any(|r| r.before.latency.is_some() || r.after.latency.is_some()) {
        let quantile = |pick: fn(&Latency) -> u64| {
            move |f: &Figures| f.latency.as_ref().map_or_else(|| "-".to_owned(), |l| duration(pick(l)))
        };
        table.column(column("p50", Align::Right, 3), shown.iter().map(|r| both(r, &quantile(|l| l.p50_us))));
        table.column(column("p95", Align::Right, 1), shown.iter().map(|r| both(r, &quantile(|l| l.p95_us))));
    }
    let drawn = table.draw(page.look.width, page.look.colour);
    page.text.push_str(&drawn);
    rest(routes.len(), ROUTES, "more route", page);
    doubts(&routes, page);
}

/// What may have changed, and is not sure.
fn doubts(routes: &[&RouteChange], page: &mut Page) {
    let unsure = || routes.iter().filter(|r| r.verdict == Verdict::Same).filter_map(|r| Some((r, r.reasons.first()?)));
    if unsure().next().is_none() {
        return;
    }
    page.title("Not sure", "ask again with more requests");
    for (route, reason) in unsure().take(ENTRIES) {
        page.paragraph("  ", Tone::Plain, &format!("{}: {}", fit(&name(route), page.look.width / 2), reason.text));
    }
    rest(unsure().count(), ENTRIES, "more route", page);
}

/// The verdict, or the plainer word for a route that stands on one side alone.
fn standing(route: &RouteChange) -> &'static str {
    match (route.before.requests, route.after.requests) {
        (0, _) => "appeared",
        (_, 0) => "vanished",
        _ => route.verdict.word(),
    }
}

fn exceptions(comparison: &Comparison, page: &mut Page) {
    if comparison.new_exceptions.is_empty() {
        return;
    }
    page.title("New exceptions", "not seen before the change");
    for exception in comparison.new_exceptions.iter().take(ENTRIES) {
        let place = exception.place.as_ref().map(|p| format!(" at {}", clean(p))).unwrap_or_default();
        let routes: Vec<String> = exception.routes.iter().take(3).map(|r| clean(r).to_string()).collect();
        let routes = if routes.is_empty() { String::new() } else { format!(" · {}", routes.join(", ")) };
        let lead = format!("  {:>6}  ", count(exception.count));
        page.paragraph(&lead, Tone::Plain, &format!("{}{place}{routes}", clean(&exception.kind)));
    }
    rest(comparison.new_exceptions.len(), ENTRIES, "more kind", page);
}

fn commands(comparison: &Comparison, page: &mut Page) {
    for (title, note, command) in [
        ("Roll back", "takes the change back", &comparison.rollback),
        ("Purge", "the regressed routes alone", &comparison.purge),
    ] {
        let Some(command) = command else { continue };
        page.title(title, note);
        for line in command.lines().take(ROUTES) {
            page.line(&format!("  {}", clean_to(line, COMMAND)));
        }
    }
}

fn rest(all: usize, shown: usize, noun: &str, page: &mut Page) {
    if all > shown {
        let more = page.paint(Tone::Quiet, &format!("  … and {}", counted((all - shown) as u64, noun)));
        page.line(&more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_nothing_for_something() {
        for (want, value, most) in [("", 0.0, 0.0), ("", 0.0, 5.0), ("▏", 0.001, 100.0)] {
            assert_eq!(want, bar(value, most));
        }
        assert_eq!("█".repeat(usize::from(BAR)), bar(7.0, 7.0));
        assert_eq!("█".repeat(usize::from(BAR / 2)), bar(3.5, 7.0));
    }
}
