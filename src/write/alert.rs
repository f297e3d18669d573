//! One alert in the words of a person, for a terminal and for chats: a first line that stands alone, what shows it,
//! what helps, and how it ends.
//!
//! Expects a cleaned telling (`payload::Telling::cleaned`): here nothing is made safe. Figures are worded in `figures`;
//! the order of the lines is the contract's (section 5).

use crate::time::Timestamp;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::limit;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::figures::rate;
use crate::write::figures::span;
use crate::write::payload::Alert;
use crate::write::payload::State;
use crate::write::payload::Telling;

/// The parts of an alert's text, for whoever dresses them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words<'a> {
    /// Stands alone on a lock screen.
    pub headline: String,
    /// What shows it, a sentence a line.
    pub facts: Vec<String>,
    /// Redacted lines of the log, where the sink asked for them.
    pub lines: &'a [String],
    /// An address.
    pub runbook: Option<&'a str>,
    /// A command.
    pub rollback: Option<&'a str>,
    /// A command.
    pub purge: Option<&'a str>,
    /// A command.
    pub mute: Option<&'a str>,
    /// How it ends.
    pub end: Option<String>,
}

/// The whole text, one line after the other, each with its line break.
pub fn text(telling: &Telling) -> String {
    let words = words(telling);
    let mut out = words.headline;
    for fact in &words.facts {
        push(&mut out, fact);
    }
    for line in words.lines {
        push(&mut out, &format!("  {line}"));
    }
    let runbook = words.runbook.map(|address| format!("Runbook {address}"));
    let rollback = words.rollback.map(|command| format!("Roll back: {command}"));
    let purge = words.purge.map(|command| format!("Purge: {command}"));
    let help: Vec<String> = [runbook, rollback, purge].into_iter().flatten().collect();
    if !help.is_empty() {
        push(&mut out, &help.join(" · "));
    }
    if let Some(command) = words.mute {
        push(&mut out, &format!("Mute: {command}"));
    }
    if let Some(end) = &words.end {
        push(&mut out, end);
    }
    out.push('\n');
    out
}

fn push(out: &mut String, line: &str) {
    out.push('\n');
    out.push_str(line);
}

/// The first line: the alert's own summary, or one made from its figures.
pub fn headline(telling: &Telling) -> String {
    let it = &telling.alert;
    if !it.summary.is_empty() {
        return it.summary.clone();
    }
    let whose: Vec<&str> = [it.service.as_deref(), it.route.as_deref()].into_iter().flatten().collect();
    let whose = if whose.is_empty() { String::new() } else { format!(" {}", whose.join(" ")) };
    match it.state {
        State::Firing => {
            let severity = it.severity.word().to_uppercase();
            format!("{severity}{whose}: {}{}", figure(it), since(it))
        }
        State::Resolved => format!("RESOLVED{whose}: {}{}", it.rule, lasted(it)),
    }
}

/// The parts of the text.
pub fn words(telling: &Telling) -> Words<'_> {
    let it = &telling.alert;
    let headline = headline(telling);
    if it.state == State::Resolved {
        return Words { headline, ..Words::default() };
    }
    Words {
        headline,
        facts: [requests_and_budget(telling), cause(it)].into_iter().flatten().collect(),
        lines: &it.evidence.lines,
        runbook: it.runbook.as_deref(),
        rollback: it.rollback.as_deref(),
        purge: it.purge.as_deref(),
        mute: it.mute.as_deref(),
        end: telling.clear_for_s.map(|s| {
            if it.signal == "silence" {
                return "Resolves by itself with the next line.".to_owned();
            }
            let side = if it.value.zip(it.threshold).is_some_and(|(value, limit)| value < limit) { "above" } else { "below" };
            format!("Resolves by itself after {} {side} the limit.", span(s))
        }),
    }
}

/// The value and its limit, as the signal is read: `9.0 % errors (limit 1.44 %)`.
fn figure(it: &Alert) -> String {
    let Some(value) = it.value else { return it.rule.clone() };
    let signal = it.signal.as_str();
    let shares = match signal {
        "error_rate" => Some("errors".to_owned()),
        "client_error_rate" => Some("client errors".to_owned()),
        "aborted_rate" => Some("aborted".to_owned()),
        "malformed_rate" => Some("malformed lines".to_owned()),
        "cache_hit_ratio" => Some("cache hits".to_owned()),
        _ => signal.strip_prefix("status_").and_then(|rest| rest.strip_suffix("_rate")).map(|code| format!("answered {code}")),
    };
    let (shown, most) = if let Some(what) = shares {
        (format!("{} {what}", percent(value)), it.threshold.map(limit))
    } else if signal == "silence" {
        (format!("silent for {}", span(whole(value))), it.threshold.map(|s| span(whole(s))))
    } else if signal == "rate" {
        (format!("{} requests", rate(value)), it.threshold.map(rate))
    } else if in_seconds(signal) {
        (format!("{signal} {}", duration(whole(value * 1e6))), it.threshold.map(|s| duration(whole(s * 1e6))))
    } else if counts(signal) {
        let noun = signal.trim_end_matches('s').replace('_', " ");
        (counted(whole(value), &noun), it.threshold.map(|n| count(whole(n))))
    } else {
        (it.rule.clone(), None)
    };
    most.map_or_else(|| shown.clone(), |most| format!("{shown} (limit {most})"))
}

fn in_seconds(signal: &str) -> bool {
    matches!(signal, "mean" | "max")
        || signal.strip_prefix('p').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn counts(signal: &str) -> bool {
    matches!(signal, "requests" | "errors" | "exceptions" | "restarts" | "worker_deaths")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast keeps within the type's range")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// ` since 03:02 UTC`, with the date where it began on another day than it fired.
fn since(it: &Alert) -> String {
    let Some(start) = it.started_at else { return String::new() };
    let written = moment(start);
    let same_day = it.fired_at.is_none_or(|fired| moment(fired).get(..10) == written.get(..10));
    let shown = if same_day { written.get(11..16) } else { written.get(..16) };
    format!(" since {} UTC", shown.unwrap_or(&written))
}

fn lasted(it: &Alert) -> String {
    between(it.started_at, it.resolved_at).map(|s| format!(" is over after {}", span(s))).unwrap_or_default()
}

/// Whole seconds from one to the other.
fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    u64::try_from(to?.second() - from?.second()).ok()
}

/// `37 of 412 failed in 5 min; month's budget 61 % left, gone in 9 h at this pace`.
fn requests_and_budget(telling: &Telling) -> Option<String> {
    let parts: Vec<String> = [requests(telling), budget(telling)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn requests(telling: &Telling) -> Option<String> {
    let it = &telling.alert;
    let window = it.window_s.map(|s| format!(" in {}", span(s))).unwrap_or_default();
    let (all, word) = (it.evidence.requests?, if it.signal == "slow_rate" { "slow" } else { "failed" });
    let bad_of = telling.bad_of.or_else(|| it.evidence.errors.filter(|errors| *errors > 0).map(|errors| (errors, all)));
    match bad_of {
        Some((bad, all)) => Some(format!("{} of {} {word}{window}", count(bad), count(all))),
        None if all == 0 => None,
        None => Some(format!("{}{window}", counted(all, "request"))),
    }
}

fn budget(telling: &Telling) -> Option<String> {
    let left = telling.alert.evidence.budget_left?;
    let whose = match telling.period_s {
        Some(period) if (28 * 86_400..=31 * 86_400).contains(&period) => "month's budget",
        Some(604_800) => "week's budget",
        Some(86_400) => "day's budget",
        _ => "budget",
    };
    if left <= 0.0 {
        return Some(format!("{whose} used up"));
    }
    let left = if left < 0.01 { percent(left) } else { format!("{:.0} %", (left * 100.0).floor()) };
    let gone = telling.gone_in_s.map(|s| format!(", gone in {} at this pace", roughly(s))).unwrap_or_default();
    Some(format!("{whose} {left} left{gone}"))
}

/// `KeyError at shop/cart.py:88, 37 times, first seen 4 min after deploy v1.4.2`, or the deploy alone.
fn cause(it: &Alert) -> Option<String> {
    let deploy = it.evidence.deploy.as_ref();
    let name = |before: &str| {
        let label = deploy.and_then(|deploy| deploy.label.as_deref());
        label.map_or_else(|| before.to_owned(), |label| format!("{before} {label}"))
    };
    let deployed = deploy.and_then(|deploy| deploy.at);
    let Some(raised) = it.evidence.exceptions.first() else {
        let age = between(deployed, it.started_at)?;
        return Some(format!("{} was {} before it began", name("Last deploy"), roughly(age)));
    };
    let mut said = raised.kind.clone();
    if let Some(place) = &raised.place {
        said.push_str(" at ");
        said.push_str(place);
    }
    said.push_str(", ");
    said.push_str(&counted(raised.count, "time"));
    let others = it.evidence.exceptions.len() - 1;
    if others > 0 {
        said.push_str(", beside ");
        said.push_str(&counted(others as u64, "other exception"));
    }
    if let Some(age) = between(deployed, raised.first) {
        said = format!("{said}, first seen {} after {}", roughly(age), name("deploy"));
    } else if let Some(age) = between(deployed, it.started_at) {
        said = format!("{said}; {} was {} before", name("last deploy"), roughly(age));
    }
    Some(said)
}

/// A span in its largest unit.
fn roughly(seconds: u64) -> String {
    span(match seconds {
        0..60 => seconds,
        60..3_600 => seconds / 60 * 60,
        3_600..86_400 => seconds / 3_600 * 3_600,
        _ => seconds / 86_400 * 86_400,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::payload::Deploy;
    use crate::write::payload::Raised;
    use crate::write::payload::Severity;

    /// The contract's own example; 03:02 UTC on some day.
    pub(crate) fn checkout() -> Telling {
        let start = Timestamp::from_seconds(1_795_402_920);
        let mut it = Alert::new("a1", "available", Severity::Page);
        it.service = Some("shop".to_owned());
        it.route = Some("POST /checkout".to_owned());
        it.signal = "error_rate".to_owned();
        (it.value, it.threshold, it.window_s) = (Some(37.0 / 412.0), Some(0.0144), Some(300));
        (it.started_at, it.fired_at) = (Some(start), Some(start));
        it.evidence.requests = Some(412);
        it.evidence.errors = Some(37);
        it.evidence.budget_left = Some(0.61);
        let deployed = Timestamp::from_seconds(start.second() - 600);
        it.evidence.exceptions = vec![Raised {
            kind: "KeyError".to_owned(),
            place: Some("shop/cart.py:88".to_owned()),
            count: 37,
            first: Some(Timestamp::from_seconds(start.second() - 340)),
            ..Raised::default()
        }];
        it.evidence.deploy = Some(Deploy { at: Some(deployed), label: Some("v1.4.2".to_owned()), source: "file".to_owned() });
        it.runbook = Some("https://runbooks.example.com/shop".to_owned());
        it.rollback = Some("kubectl rollout undo deploy/shop".to_owned());
        it.mute = Some("vitalog mute --service shop --rule available --route 'POST /checkout' --for 2h".to_owned());
        Telling {
            alert: it,
            clear_for_s: Some(300),
            period_s: Some(30 * 86_400),
            gone_in_s: Some(9 * 3600 + 300),
            bad_of: Some((37, 412)),
        }
    }

    #[test]
    fn the_example_of_the_contract_reads_as_it_is_written_there() {
        let expected = "\
PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 03:02 UTC
37 of 412 failed in 5 min; month's budget 61 % left, gone in 9 h at this pace
KeyError at shop/cart.py:88, 37 times, first seen 4 min after deploy v1.4.2
Runbook https://runbooks.example.com/shop · Roll back: kubectl rollout undo deploy/shop
Mute: vitalog mute --service shop --rule available --route 'POST /checkout' --for 2h
Resolves by itself after 5 min below the limit.
";
        assert_eq!(expected, text(&checkout()));
    }

    #[test]
    fn a_resolved_alert_says_what_is_over_and_how_long_it_took() {
        let mut telling = checkout();
        telling.alert.state = State::Resolved;
        telling.alert.resolved_at = telling.alert.started_at.map(|at| Timestamp(at.0 + 23 * 60_000_000));
        assert_eq!("RESOLVED shop POST /checkout: available is over after 23 min\n", text(&telling));
    }

    #[test]
    fn every_signal_has_its_figure() {
        for (expected, signal, value, threshold) in [
            ("5.0 % errors (limit 0.1 %)", "error_rate", 0.05, 0.001),
            ("12.0 % answered 429 (limit 10 %)", "status_429_rate", 0.12, 0.1),
            ("p99 1.20 s (limit 800 ms)", "p99", 1.2, 0.8),
            ("mean 20.0 ms (limit 10.0 ms)", "mean", 0.02, 0.01),
            ("silent for 12 min (limit 10 min)", "silence", 720.0, 600.0),
            ("4 restarts (limit 3)", "restarts", 4.0, 3.0),
            ("1 worker death (limit 0)", "worker_deaths", 1.0, 0.0),
            ("12.0 % cache hits (limit 50 %)", "cache_hit_ratio", 0.12, 0.5),
            ("3.0/s requests (limit 10.0/s)", "rate", 3.0, 10.0),
            ("the rule", "something new", 3.0, 10.0),
        ] {
            let mut it = Alert::new("a", "the rule", Severity::Page);
            it.signal = signal.to_owned();
            (it.value, it.threshold) = (Some(value), Some(threshold));
            assert_eq!(expected, figure(&it), "{signal}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let it = Alert::new("a", "crash loop", Severity::Ticket);
        assert_eq!("TICKET: crash loop\n", text(&it.into()));
    }

    #[test]
    fn a_start_on_another_day_names_the_day() {
        let mut telling = checkout();
        telling.alert.fired_at = telling.alert.started_at.map(|at| Timestamp(at.0 + 86_400_000_000));
        assert!(headline(&telling).ends_with("since 2026-11-23 03:02 UTC"), "{}", headline(&telling));
    }

    #[test]
    fn a_limit_from_below_is_left_upwards() {
        let mut telling = checkout();
        (telling.alert.value, telling.alert.threshold) = (Some(0.1), Some(0.5));
        assert_eq!(Some("Resolves by itself after 5 min above the limit.".to_owned()), words(&telling).end);
    }

    #[test]
    fn a_deploy_without_exception_is_named_with_its_age() {
        let mut telling = checkout();
        telling.alert.evidence.exceptions.clear();
        let said = cause(&telling.alert);
        assert_eq!(Some("Last deploy v1.4.2 was 10 min before it began".to_owned()), said);
    }

    #[test]
    fn a_budget_that_is_gone_is_said_to_be() {
        let mut telling = checkout();
        telling.alert.evidence.budget_left = Some(-0.2);
        assert_eq!(Some("month's budget used up".to_owned()), budget(&telling));
        telling.alert.evidence.budget_left = Some(0.0042);
        telling.period_s = None;
        telling.gone_in_s = None;
        assert_eq!(Some("budget 0.42 % left".to_owned()), budget(&telling));
    }
}
