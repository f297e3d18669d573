//! The file's TOML to a [`Config`]: all that is wrong in one run, each with its place.
//!
//! `${NAME}` is taken from the environment in a sink's url, headers and secret, nowhere else. Knows no files: text in,
//! values out.

use std::collections::BTreeSet;
use std::ops::Range;
use std::ops::RangeInclusive;

use jiff::tz::TimeZone;
use toml::de::DeTable;
use toml::de::DeValue;

use super::Config;
use super::Fields;
use super::Health;
use super::Input;
use super::LatencyUnit;
use super::Routes;
use super::Service;
use super::Tail;
use super::problem::Problem;
use super::problem::told;
use super::section;
use super::section::Section;
use crate::cli::when;
use crate::parse::Auth;
use crate::route::glob::RouteGlob;
use crate::stats::group::Layer;
use crate::time::Timestamp;
use crate::verdict::condition;
use crate::verdict::promise::Objective;
use crate::verdict::rule::Mute;
use crate::verdict::rule::Rule;
use crate::verdict::rule::Severity;
use crate::write::payload::Hidden;
use crate::write::webhook;
use crate::write::webhook::Format;
use crate::write::webhook::Plan;

/// What the file is read against.
pub struct Surroundings<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The present, for times such as `today`.
    pub now: Timestamp,
    /// For times without a zone, unless `[input] timezone` says.
    pub zone: TimeZone,
}

/// The tables there are.
const TABLES: [&str; 10] = ["input", "service", "fields", "routes", "health", "promise", "rule", "mute", "sink", "tail"];

const AUTH: [(&str, Auth); 2] = [("authenticated", Auth::Authenticated), ("anonymous", Auth::Anonymous)];
const SEVERITIES: [(&str, Severity); 3] = [("page", Severity::Page), ("ticket", Severity::Ticket), ("info", Severity::Info)];

/// The configuration that `source` writes down. The error tells everything that is wrong, `name` being what the file
/// is called in it.
pub fn read(name: &str, source: &str, around: &Surroundings<'_>) -> Result<Config, String> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let (document, broken) = DeTable::parse_recoverable(source);
    let mut problems: Vec<Problem> = Vec::new();
    for error in broken {
        problems.push(Problem { at: error.span().unwrap_or(0..0), message: error.message().trim().replace('\n', ", ") });
    }
    let config = tables(document.into_inner(), around, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(told(name, source, problems)) }
}

fn tables(mut document: DeTable<'_>, around: &Surroundings<'_>, problems: &mut Vec<Problem>) -> Config {
    let mut config = Config::default();
    if let Some(mut s) = one(&mut document, "input", "[input]", problems) {
        config.input = input(&mut s);
        s.finish();
    }
    let zone = config.input.timezone.as_deref().and_then(|name| when::zone(name).ok()).unwrap_or_else(|| around.zone.clone());
    config.services = each(&mut document, "service", "[[service]]", problems, service);
    if let Some(mut s) = one(&mut document, "fields", "[fields]", problems) {
        config.fields = fields(&mut s);
        s.finish();
    }
    if let Some(mut s) = one(&mut document, "routes", "[routes]", problems) {
        config.routes = routes(&mut s);
        s.finish();
    }
    if let Some(mut s) = one(&mut document, "health", "[health]", problems) {
        config.health = health(&mut s);
        s.finish();
    }
    config.promises = each(&mut document, "promise", "[[promise]]", problems, promise);
    config.rules = each(&mut document, "rule", "[[rule]]", problems, rule);
    config.mutes = each(&mut document, "mute", "[[mute]]", problems, |s| Some(mute(s, around.now, &zone)));
    config.sinks = each(&mut document, "sink", "[[sink]]", problems, |s| sink(s, around.variable));
    if let Some(mut s) = one(&mut document, "tail", "[tail]", problems) {
        config.tail = tail(&mut s);
        s.finish();
    }
    for sink in &mut config.sinks {
        sink.repeat_every = config.tail.repeat_every;
    }
    for (key, _) in &document {
        problems.push(Problem { at: key.span(), message: section::unknown(key.get_ref(), "the file", &TABLES) });
    }
    config
}

/// The table `key`, if it is written.
fn one<'p, 'i>(
    document: &mut DeTable<'i>,
    key: &str,
    title: &'static str,
    problems: &'p mut Vec<Problem>,
) -> Option<Section<'p, 'i>> {
    let (name, value) = document.remove_entry(key)?;
    let kind = value.get_ref().type_str();
    if let DeValue::Table(table) = value.into_inner() {
        return Some(Section::new(title, name.span(), table, problems));
    }
    problems.push(Problem { at: name.span(), message: format!("'{key}' is written as a table, {title}, not as {kind}") });
    None
}

/// Every table of the list `key`, in the order of the file; two with one name are one too many.
fn each<'i, T: Named>(
    document: &mut DeTable<'i>,
    key: &str,
    title: &'static str,
    problems: &mut Vec<Problem>,
    mut read: impl FnMut(&mut Section<'_, 'i>) -> Option<T>,
) -> Vec<T> {
    let Some((name, value)) = document.remove_entry(key) else { return Vec::new() };
    let DeValue::Array(list) = value.into_inner() else {
        problems
            .push(Problem { at: name.span(), message: format!("write '{title}', with two brackets: there may be several") });
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for item in list {
        let at: Range<usize> = item.span();
        let DeValue::Table(table) = item.into_inner() else {
            problems.push(Problem { at, message: format!("'{key}' is written as tables, {title}") });
            continue;
        };
        let mut section = Section::new(title, at.clone(), table, problems);
        let read = read(&mut section);
        section.finish();
        if let Some(one) = read {
            if let Some(name) = one.name().filter(|name| !names.insert(name.clone())) {
                let what = if key == "sink" {
                    "two sinks with one url and format".to_owned()
                } else {
                    format!("two {title} named '{name}'")
                };
                problems.push(Problem { at, message: what });
            }
            found.push(one);
        }
    }
    found
}

/// What two of a kind may not share.
trait Named {
    fn name(&self) -> Option<String>;
}

impl Named for Service {
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Named for Objective {
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Named for Rule {
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Named for Mute {
    fn name(&self) -> Option<String> {
        None
    }
}

impl Named for Plan {
    fn name(&self) -> Option<String> {
        Some(format!("{:?} {}", self.format, self.url.reveal()))
    }
}

fn input(s: &mut Section<'_, '_>) -> Input {
    Input {
        paths: s.get("paths", section::texts).unwrap_or_default(),
        format: s.get("format", section::text),
        openapi: s.get("openapi", section::text),
        timezone: s.get("timezone", |v| section::text(v).and_then(|name| when::zone(&name).map(|_| name))),
    }
}

fn service(s: &mut Section<'_, '_>) -> Option<Service> {
    let name = s.need("name", section::text);
    let service = Service {
        name: String::new(),
        paths: s.get("paths", section::texts).unwrap_or_default(),
        openapi: s.get("openapi", section::text),
        layer: s.get("layer", |v| section::one_of(v, &[("edge", Layer::Edge), ("app", Layer::App)])),
        rollback: s.get("rollback", section::text),
        purge: s.get("purge", section::text),
        runbook: s.get("runbook", section::text),
    };
    Some(Service { name: name?, ..service })
}

fn fields(s: &mut Section<'_, '_>) -> Fields {
    let units = [("ns", LatencyUnit::Ns), ("us", LatencyUnit::Us), ("ms", LatencyUnit::Ms), ("s", LatencyUnit::S)];
    Fields {
        latency: s.get("latency", section::text),
        latency_unit: s.get("latency_unit", |v| section::one_of(v, &units)),
        user: s.get("user", section::text),
        cache: s.get("cache", section::text),
        version: s.get("version", section::text),
        route: s.get("route", section::text),
    }
}

fn routes(s: &mut Section<'_, '_>) -> Routes {
    let paths = |v: &DeValue<'_>| {
        let paths = section::texts(v)?;
        match paths.iter().find(|p| !p.starts_with('/')) {
            Some(path) => Err(format!("'{path}' does not begin with '/'")),
            None => Ok(paths),
        }
    };
    Routes {
        templates: s.get("templates", paths).unwrap_or_default(),
        probes: s.get("probes", paths),
        streaming: s.get("streaming", section::texts).unwrap_or_default(),
        authenticated: s.get("authenticated", section::texts).unwrap_or_default(),
        max: s.get("max", |v| section::number(v, 1..=100_000)).map_or(Routes::default().max, as_usize),
    }
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn health(s: &mut Section<'_, '_>) -> Health {
    let usual = Health::default();
    Health {
        errors: s.get("errors", statuses).unwrap_or(usual.errors),
        rollback: s.get("rollback", section::text),
        rollback_within: s.get("rollback_within", section::duration).unwrap_or(usual.rollback_within),
        purge: s.get("purge", section::text),
        purge_wildcard: s.get("purge_wildcard", section::text),
        runbook: s.get("runbook", section::text),
    }
}

/// `["5xx", "429", 499]` as ranges of statuses.
fn statuses(value: &DeValue<'_>) -> Result<Vec<RangeInclusive<u16>>, String> {
    let one = |value: &DeValue<'_>| {
        let text = match value {
            DeValue::Integer(n) => n.as_str().to_owned(),
            other => section::text(other)?,
        };
        let class = text.strip_suffix("xx").and_then(|digit| digit.parse::<u16>().ok()).filter(|d| (1..=5).contains(d));
        let code = text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        let range = class.map(|d| d * 100..=d * 100 + 99).or(code.map(|code| code..=code));
        range.ok_or_else(|| format!("'{text}' is no status; write '5xx' or '503'"))
    };
    match value {
        DeValue::Array(list) => list.iter().map(|v| one(v.get_ref())).collect(),
        alone => Ok(vec![one(alone)?]),
    }
}

fn promise(s: &mut Section<'_, '_>) -> Option<Objective> {
    let target = |v: &DeValue<'_>| match section::share(v)? {
        share if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a promise is more than nothing and less than all: write '99.9%'".to_owned()),
    };
    let usual = Objective::available();
    let (name, target) = (s.need("name", section::text), s.need("target", target));
    let slower_than = s.get("slower_than", section::some_time);
    let promise = Objective {
        slower_than_us: slower_than.map(|limit| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)),
        route: s.get("route", route),
        period_s: s.get("period", section::some_time).map_or(usual.period_s, seconds),
        clear_for_s: s.get("clear_for", section::duration).map_or(usual.clear_for_s, seconds),
        ..usual
    };
    Some(Objective { name: name?, target: target?, ..promise })
}

/// Whole seconds, a begun one included.
fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// A pattern of routes: as written, and read.
fn route(value: &DeValue<'_>) -> Result<(String, RouteGlob), String> {
    let text = section::text(value)?;
    RouteGlob::new(&text).map(|glob| (text, glob)).map_err(|error| error.message)
}

fn rule(s: &mut Section<'_, '_>) -> Option<Rule> {
    let when = s.pointed("when", |text| condition::parse(text).map_err(|error| (error.at, error.message)));
    let name = s.get("name", section::text);
    let (hold, clear_for) = (s.get("for", section::duration), s.get("clear_for", section::duration));
    let min_requests = s.get("min_requests", |v| section::number(v, 1..=1_000_000_000));
    let severity = s.get("severity", |v| section::one_of(v, &SEVERITIES));
    let auth = s.get("auth", |v| section::one_of(v, &AUTH));
    let service = s.get("service", section::text);
    let when = when?;
    let rule = Rule::new(&name.unwrap_or_else(|| when.text.clone()), when);
    Some(Rule {
        for_s: hold.map_or(rule.for_s, seconds),
        clear_for_s: clear_for.map_or(rule.clear_for_s, seconds),
        min_requests,
        severity: severity.unwrap_or(rule.severity),
        auth,
        service,
        ..rule
    })
}

fn mute(s: &mut Section<'_, '_>, now: Timestamp, zone: &TimeZone) -> Mute {
    let time = |v: &DeValue<'_>| match v {
        DeValue::Datetime(written) => when::when(&written.to_string(), now, zone),
        other => section::text(other).and_then(|text| when::when(&text, now, zone)),
    };
    let mute = Mute {
        service: s.get("service", section::text),
        rule: s.get("rule", section::text),
        route: s.get("route", route).map(|(_, glob)| glob),
        from: s.get("from", time),
        until: s.get("until", time),
        reason: s.get("reason", section::text),
    };
    if let (Some(from), Some(until)) = (mute.from, mute.until)
        && until <= from
    {
        let place = s.place();
        s.wrong(place, "'until' is not after 'from'".to_owned());
    }
    mute
}

fn sink(s: &mut Section<'_, '_>, variable: &dyn Fn(&str) -> Option<String>) -> Option<Plan> {
    let formats = [
        ("vitalog", Format::Vitalog),
        ("alertmanager", Format::Alertmanager),
        ("slack", Format::Slack),
        ("pagerduty", Format::Pagerduty),
        ("template", Format::Template),
        ("heartbeat", Format::Heartbeat),
    ];
    let secret = |v: &DeValue<'_>| section::text(v).and_then(|text| expanded(&text, variable));
    let url = s.need("url", |v| secret(v).and_then(address));
    let heartbeat = s.get("type", |v| section::one_of(v, &[("webhook", false), ("heartbeat", true)])).unwrap_or(false);
    let format = s.get("format", |v| section::one_of(v, &formats)).unwrap_or(Format::Vitalog);
    let format = if heartbeat { Format::Heartbeat } else { format };
    let template = s.get("template", section::text);
    if (format == Format::Template) != template.is_some() {
        let place = s.place();
        s.wrong(place, "format 'template' and a 'template' belong together".to_owned());
    }
    let headers = |v: &DeValue<'_>| {
        let table = v.as_table().ok_or("a table is needed: { Name = \"value\" }")?;
        table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), secret(value.get_ref())?))).collect()
    };
    let keys = |v: &DeValue<'_>| section::texts(v)?.iter().map(|text| expanded(text, variable)).collect();
    let severities = |v: &DeValue<'_>| match v {
        DeValue::Array(list) => list.iter().map(|one| section::one_of(one.get_ref(), &SEVERITIES)).collect(),
        one => Ok(vec![section::one_of(one, &SEVERITIES)?]),
    };
    let sink = Plan {
        url: Hidden::new(""),
        format,
        template,
        headers: s.get("headers", headers).unwrap_or_default(),
        secrets: s.get("secret", keys).unwrap_or_default(),
        timeout: s.get("timeout", section::some_time).unwrap_or(std::time::Duration::from_secs(10)),
        severities: s.get("severities", severities).unwrap_or_else(|| vec![Severity::Page, Severity::Ticket]),
        lines: s.get("lines", section::flag).unwrap_or(false),
        repeat_every: Tail::default().repeat_every,
    };
    let sink = Plan { url: url?, ..sink };
    // Whatever else keeps it from being sent to: a header, a key, the template.
    if (format == Format::Template) == sink.template.is_some()
        && let Err(why) = webhook::Sink::new(&sink)
    {
        let place = s.place();
        s.wrong(place, why);
    }
    Some(sink)
}

/// `text` with every `${NAME}` taken from the environment. The error names the variable, never a value.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Hidden, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or("'${' has no '}'")?;
        out.push_str(before);
        out.push_str(&variable(name).ok_or_else(|| format!("the environment has no '{name}'"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(Hidden::new(out))
}

fn address(url: Hidden) -> Result<Hidden, String> {
    let text = url.reveal();
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fine = host.is_some_and(|h| !h.is_empty() && !h.starts_with('/'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if fine { Ok(url) } else { Err("an address that begins with 'https://' or 'http://' is needed".to_owned()) }
}

fn tail(s: &mut Section<'_, '_>) -> Tail {
    let usual = Tail::default();
    let token = |v: &DeValue<'_>| match section::text(v)? {
        text if text.contains("${") => Err("'${NAME}' is read in a sink's url, headers and secret only".to_owned()),
        text => Ok(Hidden::new(text)),
    };
    Tail {
        state: s.get("state", section::text),
        keep: s.get("keep", section::some_time).unwrap_or(usual.keep),
        max_size: s.get("max_size", section::size).unwrap_or(usual.max_size),
        every: s.get("every", section::some_time).unwrap_or(usual.every),
        listen: s.get("listen", section::text),
        hosts: s.get("hosts", section::texts).unwrap_or_default(),
        token: s.get("token", token),
        metrics_routes: s.get("metrics_routes", |v| section::number(v, 1..=100_000)).map_or(usual.metrics_routes, as_usize),
        lateness: s.get("lateness", section::duration).unwrap_or(usual.lateness),
        repeat_every: s.get("repeat_every", section::some_time).unwrap_or(usual.repeat_every),
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
