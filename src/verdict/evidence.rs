//! What stands behind an alert, and how a person reads it.
//!
//! [`Facts`] come from the engine: pure figures of event time. [`dress`] adds what others know (exceptions, deploys,
//! commands) and words it: the `ALERT` object of the contract, whose `summary` stands alone on a phone's lock screen.
//! Nothing is run here; commands are filled in and quoted for a POSIX shell. Names come from the log: made safe where
//! they are shown.

use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::condition::Dimension;
use crate::verdict::figure::ratio;
use crate::verdict::rule::Severity;
use crate::verdict::told::Alert;
use crate::verdict::told::Deploy;
use crate::verdict::told::Evidence;
use crate::verdict::told::Raised;
use crate::verdict::told::State;
use crate::verdict::told::Telling;
use crate::verdict::told::WindowLatency;
use crate::verdict::wording::count;
use crate::verdict::wording::duration;
use crate::verdict::wording::limit;
use crate::verdict::wording::of_day;
use crate::verdict::wording::percent;
use crate::verdict::wording::span;

/// What the engine knows of one alert. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The same in every message about this firing.
    pub id: String,
    /// The same for every firing of this rule here.
    pub fingerprint: String,
    /// The service; `None` where nothing names it.
    pub service: Option<String>,
    /// The instance, where this vitalog sees only a part.
    pub instance: Option<String>,
    /// The rule's or promise's name.
    pub rule: String,
    /// How grave.
    pub severity: Severity,
    /// The route it watches, else the one to blame: `POST /checkout`.
    pub route: Option<String>,
    /// It watches the service and blames the route.
    pub blames: bool,
    /// It watches a pattern, not one route.
    pub pattern: bool,
    /// The signal's word.
    pub signal: String,
    /// How value and threshold are written.
    pub dimension: Dimension,
    /// What is measured; `None` where too little was seen.
    pub value: Option<f64>,
    /// What it is compared with.
    pub threshold: f64,
    /// Over how many seconds.
    pub window_s: u32,
    /// A promise about latency: bad is slower than this.
    pub slower_than_us: Option<u64>,
    /// When the condition began to hold.
    pub started: u32,
    /// When it fired.
    pub fired: u32,
    /// When it was over; `None` while it fires.
    pub resolved: Option<u32>,
    /// It resolves after so many good seconds.
    pub clear_for_s: u32,
    /// Requests in the window that count.
    pub requests: u64,
    /// Errors among them.
    pub errors: u64,
    /// Bad ones by this alert's measure: errors, or slow ones.
    pub bad: u64,
    /// Requests that could be bad: all that count, or those with a latency.
    pub judged: u64,
    /// Latencies, where the rule looks at them.
    pub latency_us: Option<WindowLatency>,
    /// Promises: what is left of the budget, 0 to 1.
    pub budget_left: Option<f64>,
    /// Seconds until the budget is gone at the pace of the last hour.
    pub exhausted_in_s: Option<u64>,
    /// Promises: their period.
    pub period_s: Option<u32>,
}

/// A deploy mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What it says, e.g. a version.
    pub label: Option<String>,
    /// `option`, `file`, `restart`, `version` or `pod`.
    pub source: String,
}

/// Commands and links of a service, as templates: `{path}`, `{route}`, `{method}`, `{version}`, `{previous_version}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// Where the runbook is.
    pub runbook: Option<String>,
    /// Rolls back.
    pub rollback: Option<String>,
    /// A deploy so long before the start makes rolling back worth printing, in seconds.
    pub rollback_within_s: u32,
    /// Purges `{path}` from the cache.
    pub purge: Option<String>,
    /// Stands for a placeholder in `{path}`.
    pub purge_wildcard: Option<String>,
}

/// What others know of the service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Exceptions of the time in question.
    pub exceptions: &'a [Raised],
    /// Deploy marks, ascending.
    pub deploys: &'a [Mark],
    /// Redacted lines.
    pub lines: &'a [String],
    /// Commands and links.
    pub commands: Option<&'a Commands>,
}

fn time(second: u32) -> Timestamp {
    Timestamp::from_seconds(i64::from(second))
}

/// `03:02`.
fn minute(second: u32) -> String {
    of_day(time(second)).chars().take(5).collect()
}

/// A value in its dimension, as people read it; a limit is not rounded.
pub fn figure(value: f64, dimension: Dimension, exact: bool) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
    let whole = value.round() as u64;
    match dimension {
        Dimension::Ratio if exact => limit(value),
        Dimension::Ratio => percent(value),
        Dimension::Time => duration(whole),
        Dimension::PerSecond => format!("{}/s", (value * 100.0).round() / 100.0),
        Dimension::Count => count(whole),
    }
}

/// What is wrong, in two to five words behind the figure.
fn complaint(facts: &Facts) -> String {
    let value = facts.value.map_or_else(|| "unknown".to_owned(), |v| figure(v, facts.dimension, false));
    let over = span(u64::from(facts.window_s));
    match facts.signal.as_str() {
        "error_rate" => format!("{value} errors"),
        "slow_rate" => format!("{value} slower than {}", duration(facts.slower_than_us.unwrap_or(0))),
        "client_error_rate" => format!("{value} client errors"),
        "aborted_rate" => format!("{value} aborted"),
        "malformed_rate" => format!("{value} of lines malformed"),
        "cache_hit_ratio" => format!("{value} cache hits"),
        "silence" => format!("silent for {value}"),
        "rate" => format!("{value} requests"),
        "requests" | "errors" | "exceptions" => format!("{value} {} in {over}", facts.signal),
        "restarts" => format!("{value} restarts in {over}"),
        "worker_deaths" => format!("{value} workers died in {over}"),
        signal => match signal.strip_prefix("status_").and_then(|s| s.strip_suffix("_rate")) {
            Some(code) => format!("{value} answered {code}"),
            None => format!("{signal} {value}"),
        },
    }
}

/// `PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 03:02 UTC`.
fn summary(facts: &Facts) -> String {
    let severity = facts.severity.word().to_uppercase();
    let route = if facts.blames { None } else { facts.route.as_deref() };
    let whom = [facts.service.as_deref(), route].into_iter().flatten().fold(String::new(), |all, word| all + " " + word);
    let threshold = figure(facts.threshold, facts.dimension, true);
    let most = match &facts.route {
        Some(route) if facts.blames => format!(", most on {route}"),
        _ => String::new(),
    };
    match facts.resolved {
        None => {
            format!("{severity}{whom}: {} (limit {threshold}) since {} UTC{most}", complaint(facts), minute(facts.started))
        }
        Some(at) => format!(
            "RESOLVED{whom}: {} '{}' is over after {}, {} to {} UTC{most}",
            facts.severity.word(),
            facts.rule,
            span(u64::from(at.saturating_sub(facts.started))),
            minute(facts.started),
            minute(at)
        ),
    }
}

/// A word as a POSIX shell reads it back: bare where that is safe, else in single quotes.
pub fn shell_quoted(word: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&b);
    if !word.is_empty() && word.bytes().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Fills `{name}` in a command, each value quoted for where it stands (bare, in double or in single quotes). `None` where
/// a value is not known.
fn filled(template: &str, value: impl Fn(&str) -> Option<Option<String>>) -> Option<String> {
    let mut out = String::with_capacity(template.len() + 32);
    let (mut rest, mut quote) = (template, None);
    while let Some(c) = rest.chars().next() {
        let name = rest.strip_prefix('{').and_then(|r| r.split_once('}')).map(|(name, _)| name);
        if let Some((name, known)) = name.and_then(|name| value(name).map(|known| (name, known))) {
            let known = known?;
            match quote {
                None => out.push_str(&shell_quoted(&known)),
                Some('\'') => out.push_str(&known.replace('\'', "'\\''")),
                Some(_) => known.chars().for_each(|c| {
                    if matches!(c, '"' | '\\' | '$' | '`') {
                        out.push('\\');
                    }
                    out.push(c);
                }),
            }
            rest = rest.get(name.len() + 2..).unwrap_or_default();
            continue;
        }
        let mut taken = c.len_utf8();
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None | Some('"'), '\\') => taken += rest.chars().nth(1).map_or(0, char::len_utf8),
            _ => {}
        }
        let (now, later) = rest.split_at(taken);
        out.push_str(now);
        rest = later;
    }
    Some(out)
}

/// A path with each segment that is a placeholder replaced; `None` where one is and nothing replaces it.
fn purged_path(path: &str, wildcard: Option<&str>) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        let (_, after) = behind.split_once('}')?;
        out.push_str(before);
        out.push_str(wildcard?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// The command that purges the affected route alone; `None` where no single route is affected.
fn purge(facts: &Facts, commands: &Commands) -> Option<String> {
    let (method, path) = facts.route.as_deref()?.split_once(' ')?;
    if facts.pattern && path.contains('*') || !path.starts_with('/') {
        return None;
    }
    let filled_in = purged_path(path, commands.purge_wildcard.as_deref());
    filled(commands.purge.as_deref()?, |name| match name {
        "path" => Some(filled_in.clone()),
        "route" => Some(Some(format!("{method} {path}"))),
        "method" => Some(Some(method.to_owned())),
        _ => None,
    })
}

/// The command that rolls back the deploy at `near`; `None` without one, or where it needs a version that is not known.
fn rollback(commands: &Commands, deploys: &[Mark], near: &Mark) -> Option<String> {
    let label = |mark: &Mark| mark.label.clone();
    let previous = deploys.iter().rfind(|m| m.at < near.at && m.label != near.label).and_then(label);
    filled(commands.rollback.as_deref()?, |name| match name {
        "version" => Some(label(near)),
        "previous_version" => Some(previous.clone()),
        _ => None,
    })
}

/// The command that mutes an alert for two hours.
fn mute(facts: &Facts) -> String {
    let mut out = "vitalog mute".to_owned();
    for (option, value) in
        [("--service", facts.service.as_deref()), ("--rule", Some(facts.rule.as_str())), ("--route", facts.route.as_deref())]
    {
        if let Some(value) = value {
            out = out + " " + option + " " + &shell_quoted(value);
        }
    }
    out + " --for 2h"
}

/// The alert as receivers get it.
pub fn dress(facts: &Facts, context: &Context<'_>) -> Telling {
    let none = Commands::default();
    let commands = context.commands.unwrap_or(&none);
    let started = time(facts.started);
    let reach = i64::from(commands.rollback_within_s) * SECOND;
    let near = context.deploys.iter().rfind(|m| m.at <= started && started.micros() - m.at.micros() <= reach);
    // Times are told in seconds, whatever the rule was written in.
    let unit = if facts.dimension == Dimension::Time { 1e6 } else { 1.0 };
    let alert = Alert {
        state: if facts.resolved.is_some() { State::Resolved } else { State::Firing },
        fingerprint: facts.fingerprint.clone(),
        service: facts.service.clone(),
        instance: facts.instance.clone(),
        route: facts.route.clone(),
        signal: facts.signal.clone(),
        value: facts.value.map(|value| rounded(value / unit)),
        threshold: Some(rounded(facts.threshold / unit)),
        window_s: Some(u64::from(facts.window_s)),
        started_at: Some(started),
        fired_at: Some(time(facts.fired)),
        resolved_at: facts.resolved.map(time),
        summary: summary(facts),
        evidence: Evidence {
            requests: Some(facts.requests),
            errors: Some(facts.errors),
            error_rate: ratio(facts.errors, facts.requests),
            latency_us: facts.latency_us,
            exceptions: exceptions(facts, context.exceptions),
            lines: context.lines.to_vec(),
            deploy: near.map(|m| Deploy { at: Some(m.at), label: m.label.clone(), source: m.source.clone() }),
            budget_left: facts.budget_left,
        },
        runbook: commands.runbook.clone(),
        rollback: near.and_then(|near| rollback(commands, context.deploys, near)),
        purge: purge(facts, commands),
        mute: Some(mute(facts)),
        ..Alert::new(facts.id.clone(), facts.rule.clone(), facts.severity)
    };
    Telling {
        alert,
        clear_for_s: Some(u64::from(facts.clear_for_s)),
        period_s: facts.period_s.map(u64::from),
        gone_in_s: facts.exhausted_in_s,
        bad_of: (facts.judged > 0).then_some((facts.bad, facts.judged)),
    }
}

/// Without what arithmetic left behind the twelfth decimal: 14.4 × 0.1 % is 0.0144.
fn rounded(value: f64) -> f64 {
    (value * 1e12).round() / 1e12
}

/// Those that may explain it, most first, three at most.
fn exceptions(facts: &Facts, seen: &[Raised]) -> Vec<Raised> {
    let mut all: Vec<Raised> = seen.to_vec();
    if let Some(route) = facts.route.as_ref().filter(|_| !facts.pattern) {
        all.retain(|e| e.routes.is_empty() || e.routes.contains(route));
    }
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.kind, &a.place).cmp(&(&b.kind, &b.place))));
    all.truncate(3);
    all
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn checkout() -> Facts {
        // 2026-11-23 03:02:10 UTC.
        let started = 1_795_402_930;
        Facts {
            id: "1".to_owned(),
            fingerprint: "f".to_owned(),
            service: Some("shop".to_owned()),
            instance: None,
            rule: "available".to_owned(),
            severity: Severity::Page,
            route: Some("POST /checkout".to_owned()),
            blames: false,
            pattern: true,
            signal: "error_rate".to_owned(),
            dimension: Dimension::Ratio,
            value: Some(37.0 / 412.0),
            threshold: 0.0144,
            window_s: 300,
            slower_than_us: None,
            started,
            fired: started,
            resolved: None,
            clear_for_s: 300,
            requests: 412,
            errors: 37,
            bad: 37,
            judged: 412,
            latency_us: None,
            budget_left: Some(0.61),
            exhausted_in_s: Some(32_700),
            period_s: Some(2_592_000),
        }
    }

    #[test]
    fn a_deploy_is_near_or_it_is_none_of_this_alerts_business() {
        let facts = checkout();
        let at = |before: i64| Timestamp::from_seconds(i64::from(facts.started) - before);
        let deploys = [Mark { at: at(600), label: Some("v1.4.2".to_owned()), source: "option".to_owned() }];
        let commands = Commands { rollback: Some("undo".to_owned()), rollback_within_s: 600, ..Commands::default() };
        let told = |commands: &Commands| {
            dress(&facts, &Context { deploys: &deploys, commands: Some(commands), ..Context::default() }).alert
        };
        let alert = told(&commands);
        assert_eq!((Some("undo"), Some(at(600))), (alert.rollback.as_deref(), alert.evidence.deploy.unwrap().at));
        let alert = told(&Commands { rollback_within_s: 599, ..commands });
        assert_eq!((None, None), (alert.rollback, alert.evidence.deploy));
    }

    #[test]
    fn times_are_told_in_seconds() {
        let facts = Facts { dimension: Dimension::Time, value: Some(1_200_000.0), threshold: 800_000.0, ..checkout() };
        let alert = dress(&facts, &Context::default()).alert;
        assert_eq!((Some(1.2), Some(0.8)), (alert.value, alert.threshold));
    }

    #[test]
    fn exceptions_of_other_routes_explain_nothing_here() {
        let raised = |kind: &str, count, route: Option<&str>| Raised {
            kind: kind.to_owned(),
            count,
            routes: route.map(str::to_owned).into_iter().collect(),
            ..Raised::default()
        };
        let seen = [raised("A", 1, Some("POST /checkout")), raised("B", 9, Some("GET /x")), raised("C", 5, None)];
        let kinds = |facts: &Facts| exceptions(facts, &seen).into_iter().map(|e| e.kind).collect::<String>();
        assert_eq!("CA", kinds(&Facts { pattern: false, ..checkout() }));
        assert_eq!("BCA", kinds(&checkout()));
    }

    #[test]
    fn the_first_line_says_what_is_wrong() {
        use Dimension as D;
        let facts = checkout();
        let said = |signal: &str, dimension, value: f64, threshold: f64| {
            let signal = signal.to_owned();
            summary(&Facts { signal, dimension, value: Some(value), threshold, route: None, ..facts.clone() })
        };
        for (want, got) in [
            ("PAGE shop: p99 1.21 s (limit 800 ms) since 03:02 UTC", said("p99", D::Time, 1_212_415.0, 800_000.0)),
            ("PAGE shop: 12.0 % answered 429 (limit 10 %) since 03:02 UTC", said("status_429_rate", D::Ratio, 0.12, 0.1)),
            ("PAGE shop: silent for 12 min (limit 300 s) since 03:02 UTC", said("silence", D::Time, 720e6, 300e6)),
            ("PAGE shop: 7 restarts in 5 min (limit 5) since 03:02 UTC", said("restarts", D::Count, 7.0, 5.0)),
            ("PAGE shop: 2.5/s requests (limit 10/s) since 03:02 UTC", said("rate", D::PerSecond, 2.5, 10.0)),
        ] {
            assert_eq!(want, got);
        }
        let blames = Facts { blames: true, ..facts.clone() };
        assert_eq!("PAGE shop: 9.0 % errors (limit 1.44 %) since 03:02 UTC, most on POST /checkout", summary(&blames));
        let over = Facts { resolved: Some(facts.started + 1380), ..facts };
        assert_eq!("RESOLVED shop POST /checkout: page 'available' is over after 23 min, 03:02 to 03:25 UTC", summary(&over));
    }

    #[test]
    fn commands_are_quoted_for_where_values_stand() {
        let commands = |template: &str, wildcard: Option<&str>| Commands {
            purge: Some(template.to_owned()),
            purge_wildcard: wildcard.map(str::to_owned),
            ..Commands::default()
        };
        let facts = |route: &str| Facts { route: Some(route.to_owned()), pattern: false, ..checkout() };
        for (want, route, template, wildcard) in [
            (Some("curl -X PURGE https://cdn{x}/items"), "GET /items", "curl -X PURGE https://cdn{x}{path}", None),
            (Some("p https://c'/items/*'"), "GET /items/{id}", "p https://c{path}", Some("*")),
            (None, "GET /items/{id}", "p https://c{path}", None),
            (Some("p 'GET /items/{id}'"), "GET /items/{id}", "p {route}", None),
            (Some("p '/it'\\''s;rm'"), "GET /it's;rm", "p {path}", None),
            (Some("p 'a/it'\\''s'"), "GET /it's", "p 'a{path}'", None),
            (Some("p \"a/\\$(x)\""), "GET /$(x)", "p \"a{path}\"", None),
            (Some("p GET"), "GET /a", "p {method}", None),
            (None, "GET (other)", "p {path}", None),
        ] {
            assert_eq!(want, purge(&facts(route), &commands(template, wildcard)).as_deref(), "{route} {template}");
        }
        assert_eq!(None, purge(&Facts { pattern: true, ..facts("GET /items/*") }, &commands("p {path}", Some("*"))));
    }

    #[test]
    fn a_rollback_names_versions_or_is_none() {
        let mark = |at: i64, label: Option<&str>| Mark {
            at: Timestamp::from_seconds(at),
            label: label.map(str::to_owned),
            source: "version".to_owned(),
        };
        let commands = Commands { rollback: Some("to {previous_version} from {version}".to_owned()), ..Commands::default() };
        let (old, new) = (mark(1, Some("v1")), mark(2, Some("v 2")));
        assert_eq!(Some("to v1 from 'v 2'"), rollback(&commands, &[old, new.clone()], &new).as_deref());
        assert_eq!(None, rollback(&commands, std::slice::from_ref(&new), &new));
    }
}
