//! What stands behind an alert, and how a person reads it.
//!
//! [`Facts`] come from the engine: pure figures of event time. [`dress`] adds what others know (exceptions, deploys,
//! commands) and words it: the `ALERT` object of the contract, whose `summary` stands alone on a phone's lock screen.
//! Nothing is run here; commands are filled in and quoted for a POSIX shell. Names come from the log: made safe where
//! they are shown.

use serde::Serialize;

use crate::time::Timestamp;
use crate::verdict::condition::Dimension;
use crate::verdict::rule::Severity;
use crate::verdict::wording::count;
use crate::verdict::wording::counted;
use crate::verdict::wording::duration;
use crate::verdict::wording::limit;
use crate::verdict::wording::of_day;
use crate::verdict::wording::percent;
use crate::verdict::wording::span;

/// Latencies of a window in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WindowLatency {
    /// Requests with a latency.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 95 % are at or below.
    pub p95: u64,
    /// 99 % are at or below.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

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

/// An exception that may explain an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The type as Python prints it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The redacted message.
    pub message: Option<String>,
    /// The innermost application frame.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// How often, since it was first seen.
    pub count: u64,
    /// When it was first seen.
    #[serde(serialize_with = "stamp_maybe")]
    pub first: Option<Timestamp>,
    /// Routes it failed: `GET /x`.
    pub routes: Vec<String>,
}

/// A deploy mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    #[serde(serialize_with = "stamp")]
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
    pub exceptions: &'a [Explained],
    /// Deploy marks, ascending.
    pub deploys: &'a [Mark],
    /// Redacted lines.
    pub lines: &'a [String],
    /// Commands and links.
    pub commands: Option<&'a Commands>,
}

/// The figures behind an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Requests in the window.
    pub requests: u64,
    /// Errors among them.
    pub errors: u64,
    /// Their ratio; null without requests.
    pub error_rate: Option<f64>,
    /// Latencies, where the rule looks at them.
    pub latency_us: Option<WindowLatency>,
    /// Exceptions, most first, three at most.
    pub exceptions: Vec<Explained>,
    /// Redacted lines.
    pub lines: Vec<String>,
    /// The last deploy before the start, where one is near.
    pub deploy: Option<Mark>,
    /// What is left of the budget, 0 to 1.
    pub budget_left: Option<f64>,
}

/// The contract's `ALERT`, its keys in its order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// `vitalog.alert/1`.
    pub schema: &'static str,
    /// See [`Facts::id`].
    pub id: String,
    /// See [`Facts::fingerprint`].
    pub fingerprint: String,
    /// `firing` or `resolved`.
    pub state: &'static str,
    /// The service.
    pub service: Option<String>,
    /// The instance.
    pub instance: Option<String>,
    /// The rule or promise.
    pub rule: String,
    /// `page`, `ticket` or `info`.
    pub severity: &'static str,
    /// `POST /checkout`.
    pub route: Option<String>,
    /// The signal's word.
    pub signal: String,
    /// In the signal's dimension: ratios 0 to 1, times in microseconds.
    pub value: Option<f64>,
    /// In the same.
    pub threshold: f64,
    /// The window in seconds.
    pub window_s: u32,
    /// When the condition began to hold.
    #[serde(serialize_with = "stamp")]
    pub started_at: Timestamp,
    /// When it fired.
    #[serde(serialize_with = "stamp")]
    pub fired_at: Timestamp,
    /// When it was over.
    #[serde(serialize_with = "stamp_maybe")]
    pub resolved_at: Option<Timestamp>,
    /// One line that stands alone.
    pub summary: String,
    /// The figures.
    pub evidence: Evidence,
    /// Where the runbook is.
    pub runbook: Option<String>,
    /// The command that rolls back, where a deploy is near.
    pub rollback: Option<String>,
    /// The command that purges the one route.
    pub purge: Option<String>,
    /// The command that mutes it.
    pub mute: String,
    /// The lines a person reads below the summary.
    #[serde(skip)]
    pub more: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn stamp<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn stamp_maybe<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}

fn time(second: u32) -> Timestamp {
    Timestamp::from_seconds(i64::from(second))
}

/// `03:02`.
fn minute(second: u32) -> String {
    of_day(time(second)).chars().take(5).collect()
}

/// A value in its dimension.
fn figure(value: f64, dimension: Dimension, exact: bool) -> String {
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
pub fn dress(facts: &Facts, context: &Context<'_>) -> Alert {
    let none = Commands::default();
    let commands = context.commands.unwrap_or(&none);
    let started = time(facts.started);
    let reach = i64::from(commands.rollback_within_s) * crate::time::SECOND;
    let near = context.deploys.iter().rfind(|m| m.at <= started && started.micros() - m.at.micros() <= reach).cloned();
    let mut exceptions: Vec<Explained> = context.exceptions.to_vec();
    if let Some(route) = facts.route.as_ref().filter(|_| !facts.pattern) {
        exceptions.retain(|e| e.routes.is_empty() || e.routes.contains(route));
    }
    exceptions.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.kind, &a.place).cmp(&(&b.kind, &b.place))));
    exceptions.truncate(3);
    let mut alert = Alert {
        schema: "vitalog.alert/1",
        id: facts.id.clone(),
        fingerprint: facts.fingerprint.clone(),
        state: if facts.resolved.is_some() { "resolved" } else { "firing" },
        service: facts.service.clone(),
        instance: facts.instance.clone(),
        rule: facts.rule.clone(),
        severity: facts.severity.word(),
        route: facts.route.clone(),
        signal: facts.signal.clone(),
        value: facts.value,
        threshold: facts.threshold,
        window_s: facts.window_s,
        started_at: started,
        fired_at: time(facts.fired),
        resolved_at: facts.resolved.map(time),
        summary: summary(facts),
        evidence: Evidence {
            requests: facts.requests,
            errors: facts.errors,
            error_rate: crate::verdict::figure::ratio(facts.errors, facts.requests),
            latency_us: facts.latency_us,
            exceptions,
            lines: context.lines.to_vec(),
            deploy: near.clone(),
            budget_left: facts.budget_left,
        },
        runbook: commands.runbook.clone(),
        rollback: near.as_ref().and_then(|near| rollback(commands, context.deploys, near)),
        purge: purge(facts, commands),
        mute: mute(facts),
        more: Vec::new(),
    };
    alert.more = more(facts, &alert);
    alert
}

/// The lines below the summary.
fn more(facts: &Facts, alert: &Alert) -> Vec<String> {
    let mut lines = Vec::new();
    let mut figures = Vec::new();
    if facts.judged > 0 {
        let word = if facts.slower_than_us.is_some() { "slow" } else { "failed" };
        let over = span(u64::from(facts.window_s));
        figures.push(format!("{} of {} {word} in {over}", count(facts.bad), count(facts.judged)));
    }
    if let Some(left) = facts.budget_left {
        let period = match facts.period_s {
            Some(2_592_000) => "month's budget".to_owned(),
            other => format!("budget of {}", span(u64::from(other.unwrap_or(0)))),
        };
        let gone = match facts.exhausted_in_s {
            Some(s) if left > 0.0 => format!(", gone in {} at this pace", roughly(s)),
            _ => String::new(),
        };
        figures.push(format!("{period} {:.0} % left{gone}", left * 100.0));
    }
    if !figures.is_empty() {
        lines.push(figures.join("; "));
    }
    if facts.resolved.is_some() {
        return lines;
    }
    if let Some(first) = alert.evidence.exceptions.first() {
        lines.push(told_exception(first, alert.evidence.deploy.as_ref()));
    } else if let Some(deploy) = &alert.evidence.deploy {
        let before = roughly(u64::try_from(alert.started_at.second() - deploy.at.second()).unwrap_or(0));
        lines.push(format!("Began {before} after deploy{}", labelled(deploy)));
    }
    let commands = [("Runbook", &alert.runbook), ("Roll back:", &alert.rollback), ("Purge:", &alert.purge)]
        .map(|(word, command)| command.as_ref().map(|command| format!("{word} {command}")));
    let commands: Vec<String> = commands.into_iter().flatten().collect();
    if !commands.is_empty() {
        lines.push(commands.join(" · "));
    }
    lines.push(format!("Mute: {}", alert.mute));
    lines.push(match facts.signal.as_str() {
        "silence" => "Resolves by itself with the next line.".to_owned(),
        _ => format!("Resolves by itself after {} below the limit.", span(u64::from(facts.clear_for_s))),
    });
    lines
}

fn labelled(deploy: &Mark) -> String {
    deploy.label.as_ref().map_or_else(String::new, |label| format!(" {label}"))
}

/// `KeyError at shop/cart.py:88, 37 times, first seen 4 min after deploy v1.4.2`.
fn told_exception(exception: &Explained, deploy: Option<&Mark>) -> String {
    let place = exception.place.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
    let mut line = format!("{}{place}, {}", exception.kind, counted(exception.count, "time"));
    if let (Some(first), Some(deploy)) = (exception.first, deploy)
        && first >= deploy.at
    {
        let after = roughly(u64::try_from(first.second() - deploy.at.second()).unwrap_or(0));
        line = line + ", first seen " + &after + " after deploy" + &labelled(deploy);
    }
    line
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
    fn a_person_reads_what_the_contract_shows() {
        let facts = checkout();
        let at = |before: i64| Timestamp::from_seconds(i64::from(facts.started) - before);
        let deploys = [Mark { at: at(600), label: Some("v1.4.2".to_owned()), source: "option".to_owned() }];
        let exceptions = [Explained {
            kind: "KeyError".to_owned(),
            message: None,
            place: Some("shop/cart.py:88".to_owned()),
            count: 37,
            first: Some(at(340)),
            routes: vec!["POST /checkout".to_owned()],
        }];
        let commands = Commands {
            runbook: Some("https://wiki.example.com/shop".to_owned()),
            rollback: Some("kubectl rollout undo deploy/shop".to_owned()),
            rollback_within_s: 7200,
            ..Commands::default()
        };
        let context = Context { exceptions: &exceptions, deploys: &deploys, lines: &[], commands: Some(&commands) };
        let alert = dress(&facts, &context);
        assert_eq!("PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 03:02 UTC", alert.summary);
        assert_eq!(
            [
                "37 of 412 failed in 5 min; month's budget 61 % left, gone in 9 h at this pace",
                "KeyError at shop/cart.py:88, 37 times, first seen 4 min after deploy v1.4.2",
                "Runbook https://wiki.example.com/shop · Roll back: kubectl rollout undo deploy/shop",
                "Mute: vitalog mute --service shop --rule available --route 'POST /checkout' --for 2h",
                "Resolves by itself after 5 min below the limit.",
            ],
            alert.more[..]
        );
        let late = Commands { rollback_within_s: 599, ..commands.clone() };
        assert_eq!(None, dress(&facts, &Context { commands: Some(&late), ..context }).rollback);
    }

    #[test]
    fn keys_stand_in_the_contracts_order() {
        let json = serde_json::to_value(dress(&checkout(), &Context::default())).unwrap();
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            "schema id fingerprint state service instance rule severity route signal value threshold window_s started_at \
             fired_at resolved_at summary evidence runbook rollback purge mute",
            keys(&json)
        );
        assert_eq!(
            "requests errors error_rate latency_us exceptions lines deploy budget_left",
            keys(json.get("evidence").unwrap())
        );
        assert_eq!("2026-11-23T03:02:10Z", json.get("started_at").unwrap());
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
