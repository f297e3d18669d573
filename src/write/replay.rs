//! A replay as people and programs read it: when which alert would have been raised, and what that would have cost.
//!
//! Expects a timeline as it was collected; alerts are made safe here.

use std::io;

use serde_json::Value;
use serde_json::json;

use crate::time::Timestamp;
use crate::verdict::promise::Budget;
use crate::verdict::rule::Severity;
use crate::verdict::timeline::FLAP_S;
use crate::verdict::timeline::Spell;
use crate::verdict::timeline::Timeline;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::from_to;
use crate::write::figures::limit;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::figures::span;
use crate::write::figures::width;
use crate::write::text::Look;
use crate::write::text::table::Tone;
use crate::write::text::table::paint;
use crate::write::text::table::wrap;

/// Firings shown as text; JSON has all.
const SHOWN: usize = 100;

fn time(second: u32) -> Timestamp {
    Timestamp::from_seconds(i64::from(second))
}

fn severities() -> [Severity; 3] {
    [Severity::Page, Severity::Ticket, Severity::Info]
}

fn told_of(timeline: &Timeline, severity: Severity) -> Vec<&Spell> {
    timeline.told().filter(|spell| spell.severity() == severity).collect()
}

/// Writes the timeline as text.
pub fn text(timeline: &Timeline, look: Look, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = Page { look: Look { width: look.width.max(40), ..look }, text: String::new() };
    page.head(timeline);
    let told: Vec<&Spell> = timeline.told().collect();
    for spell in told.iter().take(SHOWN) {
        page.spell(spell, timeline);
    }
    if told.len() > SHOWN {
        page.put(Tone::Quiet, &format!("{} more; '-o json' has all", counted((told.len() - SHOWN) as u64, "firing")));
    }
    page.held(timeline);
    page.budgets(&timeline.budgets);
    out.write_all(page.text.as_bytes())
}

struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn put(&mut self, tone: Tone, text: &str) {
        self.indented(0, tone, text);
    }

    fn indented(&mut self, depth: usize, tone: Tone, text: &str) {
        for part in wrap(text, self.look.width.saturating_sub(depth).max(20)) {
            self.text.extend([" ".repeat(depth).as_str(), &paint(self.look.colour, tone, &part), "\n"]);
        }
    }

    fn head(&mut self, timeline: &Timeline) {
        let Some((first, last)) = timeline.span else {
            self.put(
                Tone::Warn,
                "No line has a time: nothing can be replayed ('vitalog explain --fix' shows how to get times)",
            );
            return;
        };
        let counts: Vec<String> = severities()
            .iter()
            .map(|severity| (told_of(timeline, *severity).len() as u64, severity.word()))
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| if word == "info" { format!("{n} info") } else { counted(n, word) })
            .collect();
        let told = timeline.told().count() as u64;
        let period = format!("{} ({})", from_to(time(first), time(last + 1)), span(u64::from(last + 1 - first)));
        if told == 0 {
            self.put(Tone::Good, &format!("No alert would have been raised: {period}"));
            return;
        }
        let told = format!("{} would have been raised ({})", counted(told, "alert"), counts.join(", "));
        self.put(Tone::Strong, &format!("{told}: {period}"));
        let mut facts = vec![counted(timeline.notifications, "notification")];
        for severity in severities() {
            let firing_s = timeline.firing_s(severity);
            if firing_s > 0 {
                facts.push(format!("a {} fired for {}", severity.word(), span(firing_s)).replace("a info", "an info"));
            }
        }
        let flaps = timeline.told().filter(|s| s.flap).count() as u64;
        if flaps > 0 {
            facts.push(format!("{} (again within {})", counted(flaps, "flap"), span(u64::from(FLAP_S))));
        }
        self.put(Tone::Plain, &facts.join(" · "));
    }

    /// A firing: what, when, a bar on the whole time, and its first line.
    fn spell(&mut self, spell: &Spell, timeline: &Timeline) {
        let alert = spell.telling.alert.cleaned(false);
        let tone = match spell.severity() {
            Severity::Page => Tone::Bad,
            Severity::Ticket => Tone::Warn,
            Severity::Info => Tone::Quiet,
        };
        let end = timeline.span.map_or(spell.fired, |span| span.1 + 1);
        let lasted = span(u64::from(spell.resolved.unwrap_or(end).saturating_sub(spell.fired)));
        let lasted = if spell.resolved.is_some() { lasted } else { format!("{lasted}, still firing at the end") };
        let mut head = format!("{} UTC for {lasted}", moment(time(spell.fired)).trim_end_matches(" UTC"));
        let whom: Vec<&str> = [alert.service.as_deref(), alert.route.as_deref()].into_iter().flatten().collect();
        if !whom.is_empty() {
            head = format!("{head} · {}", whom.join(" "));
        }
        self.text.push('\n');
        self.put(tone, &format!("{:<6} {} · {head}", spell.severity().word().to_uppercase(), alert.rule));
        if let Some((first, _)) = timeline.span {
            let bar = bar(self.look.width - 7, (first, end), (spell.fired, spell.resolved.unwrap_or(end)));
            self.text.extend([" ".repeat(7).as_str(), &paint(self.look.colour, tone, &bar), "\n"]);
        }
        self.indented(7, Tone::Plain, &alert.summary);
        let mut facts = vec![counted(spell.notifications, "notification")];
        if let Some(delay) = spell.delay_s {
            facts.push(format!("fired {} after the first bad minute began", span(u64::from(delay))));
        }
        if spell.flap {
            facts.push("flaps".to_owned());
        }
        self.indented(7, Tone::Quiet, &facts.join(" · "));
    }

    fn held(&mut self, timeline: &Timeline) {
        let held = timeline.spells.iter().filter(|s| !s.told()).count() as u64;
        if held > 0 {
            let text =
                format!("{} held back: muted, or a graver one stood for it ('-o json' names each)", counted(held, "firing"));
            self.text.push('\n');
            self.put(Tone::Quiet, &text);
        }
        if timeline.left_out > 0 {
            self.put(Tone::Warn, &format!("{} beyond the most that are kept", counted(timeline.left_out, "firing")));
        }
    }

    fn budgets(&mut self, budgets: &[Budget]) {
        if !budgets.is_empty() {
            self.text.push_str("\nBudget at the end\n");
        }
        let name = |b: &Budget| {
            let service = b.service.as_ref().map(|s| format!("{} ", clean(s))).unwrap_or_default();
            format!("{service}{} ({})", clean(&b.promise), limit(b.target))
        };
        let widest = budgets.iter().map(|b| width(&name(b))).max().unwrap_or(0);
        for budget in budgets {
            let name = name(budget);
            let pad = " ".repeat(widest - width(&name));
            let bad = budget.period.ratio().map_or_else(String::new, |bad| {
                format!("{} of {} bad, {}", count(budget.period.bad), count(budget.period.all), percent(bad))
            });
            let left = match (budget.left, budget.warming_up) {
                (Some(left), _) => format!(" · {} left", percent(left)),
                (None, true) => " · warming up: less than half of its longest window was seen".to_owned(),
                (None, false) => " · less than half of its period was seen".to_owned(),
            };
            self.indented(2, Tone::Plain, &format!("{name}{pad}  {bad}{left}"));
        }
    }
}

/// Where on the whole time a firing lies; a mark at least.
fn bar(room: usize, whole: (u32, u32), part: (u32, u32)) -> String {
    let room = room.clamp(10, 100);
    let length = u64::from(whole.1.saturating_sub(whole.0)).max(1);
    let place = |second: u32| {
        let at = u64::from(second.clamp(whole.0, whole.1) - whole.0) * room as u64 / length;
        usize::try_from(at).unwrap_or(0).min(room)
    };
    let from = place(part.0).min(room - 1);
    let to = place(part.1).max(from + 1);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(room - to))
}

/// Writes `vitalog.replay/1`: alerts as receivers would have known them at the end, and each firing with its story.
pub fn json(timeline: &Timeline, warnings: &[String], out: &mut impl io::Write) -> io::Result<()> {
    let severity = |severity: Severity| {
        let told = told_of(timeline, severity);
        json!({ "alerts": told.len(), "firing_s": timeline.firing_s(severity), "flaps": told.iter().filter(|s| s.flap).count() })
    };
    let object = json!({
        "schema": "vitalog.replay/1",
        "version": env!("CARGO_PKG_VERSION"),
        "period": timeline.span.map(|(first, last)| json!({
            "start": time(first).to_string(),
            "end": time(last + 1).to_string(),
            "seconds": last + 1 - first,
        })),
        "notifications": timeline.notifications,
        "page": severity(Severity::Page),
        "ticket": severity(Severity::Ticket),
        "info": severity(Severity::Info),
        "alerts": timeline.told().map(|spell| spell.telling.alert.cleaned(true)).collect::<Vec<_>>(),
        "firings": timeline.spells.iter().map(|spell| firing(spell, timeline)).collect::<Vec<_>>(),
        "firings_left_out": timeline.left_out,
        "budgets": timeline.budgets.iter().map(budget).collect::<Vec<_>>(),
        "warnings": warnings.iter().map(|w| clean(w).as_str().to_owned()).collect::<Vec<_>>(),
    });
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

fn firing(spell: &Spell, timeline: &Timeline) -> Value {
    let alert = spell.telling.alert.cleaned(false);
    let end = timeline.span.map_or(spell.fired, |span| span.1 + 1);
    json!({
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "service": alert.service,
        "rule": alert.rule,
        "severity": alert.severity,
        "route": alert.route,
        "started_at": time(spell.started).to_string(),
        "fired_at": time(spell.fired).to_string(),
        "resolved_at": spell.resolved.map(|at| time(at).to_string()),
        "firing_s": spell.resolved.unwrap_or(end).saturating_sub(spell.fired),
        "delay_s": spell.delay_s,
        "notifications": spell.notifications,
        "held": spell.held.as_ref().map(|why| clean(why).as_str().to_owned()),
        "flap": spell.flap,
        "summary": alert.summary,
    })
}

fn budget(budget: &Budget) -> Value {
    json!({
        "service": budget.service.as_ref().map(|s| clean(s).as_str().to_owned()),
        "promise": clean(&budget.promise).as_str(),
        "target": budget.target,
        "requests": budget.period.all,
        "bad": budget.period.bad,
        "budget_left": budget.left,
        "exhausted_in_s": budget.exhausted_in_s,
        "warming_up": budget.warming_up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_where_a_firing_lies() {
        for (want, part) in [
            ("██········", (0, 200)),
            ("·█········", (100, 101)),
            ("·········█", (1000, 1000)),
            ("·····█████", (500, 1000)),
            ("██████████", (0, 5000)),
        ] {
            assert_eq!(want, bar(10, (0, 1000), part), "{part:?}");
        }
    }

    #[test]
    fn nothing_dated_says_so() {
        let mut out = Vec::new();
        text(&Timeline::default(), Look::default(), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("No line has a time"));
    }
}
