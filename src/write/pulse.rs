//! The health summary of an interval: what `tail` says every minute.
//!
//! One line a service that stands alone in any log, with its time and its name, and below it the same way what is
//! wrong: reasons, the routes that fail, exceptions that were never seen before. As JSON one object a line of at most
//! [`BYTES`] bytes. When a summary is due, and over what, is left to `drive::live`.

use serde_json::Value;
use serde_json::json;

use crate::stats::summary::ExceptionFigures;
use crate::stats::summary::Figures;
use crate::stats::summary::RouteFigures;
use crate::time::Timestamp;
use crate::verdict::health::Health;
use crate::verdict::health::Status;
use crate::write::Report;
use crate::write::figures::bytes;
use crate::write::figures::clean;
use crate::write::figures::clean_to;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::moment;
use crate::write::figures::percent;
use crate::write::figures::rate;
use crate::write::figures::span;
use crate::write::json;
use crate::write::text::table::Tone;
use crate::write::text::table::paint;
use crate::write::worst::worst_first;

/// The longest JSON object, its line end included.
pub const BYTES: usize = 8 << 10;
/// Routes that an object names.
const ROUTES: usize = 10;
/// Failing routes, reasons and new exceptions that text names, each.
const SHOWN: usize = 3;
/// The longest text of a log in an object, in bytes; a second try makes it shorter.
const LONGEST: [usize; 3] = [200, 80, 24];

/// What happened in one interval.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    /// When it was made.
    pub at: Timestamp,
    /// How long the interval was, in seconds.
    pub seconds: u64,
    /// What came in, and how the service is.
    pub report: Report,
    /// Exceptions that were not seen before the interval.
    pub new_exceptions: Vec<ExceptionFigures>,
    /// Starts of server processes and deaths of workers, by service.
    pub restarts: Vec<(Option<String>, u64, u64)>,
    /// Bytes that lie there unread.
    pub lag_bytes: u64,
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Whether to colour.
    pub colour: bool,
}

/// One service's share, or that of everything where no service is named.
struct Share<'a> {
    service: Option<&'a str>,
    health: &'a Health,
    figures: &'a Figures,
    routes: Vec<&'a RouteFigures>,
    exceptions: Vec<&'a ExceptionFigures>,
    restarts: (u64, u64),
}

impl Pulse {
    fn shares<'a>(&'a self) -> Vec<Share<'a>> {
        let summary = &self.report.summary;
        let services: Vec<(Option<&'a str>, &'a Health, &'a Figures)> = match summary.services.len() {
            0 => vec![(None, &self.report.health, &summary.total)],
            1 => vec![(summary.services[0].service.as_deref(), &self.report.health, &summary.total)],
            _ => {
                let healths = &self.report.service_health;
                summary.services.iter().zip(healths).map(|(s, h)| (s.service.as_deref(), h, &s.figures)).collect()
            }
        };
        let alone = services.len() == 1;
        let ranked = worst_first(&summary.routes);
        let share = |(service, health, figures): (Option<&'a str>, &'a Health, &'a Figures)| {
            let own = |of: &Option<String>| alone || of.as_deref() == service;
            let restarts = self.restarts.iter().filter(|r| own(&r.0)).fold((0, 0), |sum, r| (sum.0 + r.1, sum.1 + r.2));
            let routes = ranked.iter().copied().filter(|r| own(&r.service) && !r.probe).collect();
            let exceptions = self.new_exceptions.iter().filter(|e| own(&e.service)).collect();
            Share { service, health, figures, routes, exceptions, restarts }
        };
        services.into_iter().map(share).collect()
    }

    /// Whether nothing came in that vitalog did not write itself.
    pub fn is_idle(&self) -> bool {
        let input = &self.report.summary.input;
        input.lines == input.own && self.report.summary.total.requests == 0
    }
}

/// The summary as text: every line stands alone.
pub fn text(pulse: &Pulse, look: Look) -> String {
    let mut out = String::new();
    for share in pulse.shares() {
        lines(pulse, &share, look, &mut out);
    }
    out
}

fn lines(pulse: &Pulse, share: &Share<'_>, look: Look, out: &mut String) {
    let at = moment(pulse.at);
    let at = at.get(..19).unwrap_or(&at).replacen(' ', "T", 1);
    let name = share.service.map(|s| format!(" {}", clean_to(s, LONGEST[0]).as_str())).unwrap_or_default();
    let lead = format!("{at}Z{name}");
    let status = share.health.status;
    let tone = match status {
        Status::Healthy => Tone::Good,
        Status::Degraded => Tone::Warn,
        Status::Unhealthy => Tone::Bad,
        Status::Unknown => Tone::Quiet,
    };
    let mut parts = vec![format!("{lead} {}", paint(look.colour, tone, status.word()))];
    let figures = share.figures;
    if figures.requests == 0 {
        parts.push(format!("no requests in {}", span(pulse.seconds)));
    } else {
        let per_s = figures.rate_per_s.map(|r| format!(" ({})", rate(r))).unwrap_or_default();
        parts.push(format!("{}{per_s}", counted(figures.requests, "request")));
        let share = figures.error_rate.filter(|_| figures.errors > 0).map(|r| format!(" ({})", percent(r)));
        parts.push(format!("{}{}", counted(figures.errors, "error"), share.unwrap_or_default()));
    }
    if let Some(l) = &figures.latency {
        let [p50, p95, p99] = [l.p50_us, l.p95_us, l.p99_us].map(duration);
        parts.push(format!("p50 {p50} p95 {p95} p99 {p99}"));
    }
    for (n, noun) in [(share.restarts.0, "start"), (share.restarts.1, "worker death")] {
        if n > 0 {
            parts.push(counted(n, noun));
        }
    }
    if pulse.lag_bytes > 0 {
        parts.push(format!("{} behind", bytes(pulse.lag_bytes)));
    }
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&parts.join(" · "));
    let bad = matches!(status, Status::Degraded | Status::Unhealthy);
    let reasons: Vec<&String> = share.health.reasons.iter().take(if bad { SHOWN } else { 0 }).collect();
    for reason in &reasons {
        line(&format!("{lead}   - {}", clean(reason.as_str())));
    }
    // what a reason says of a route is not said twice
    let said = |route: &RouteFigures| reasons.iter().any(|r| r.starts_with(&format!("{} {}:", route.method, route.route)));
    for route in share.routes.iter().filter(|r| r.figures.errors > 0 && !said(r)).take(SHOWN) {
        let f = &route.figures;
        let rate = f.error_rate.map(percent).unwrap_or_default();
        let p95 = f.latency.map(|l| format!(", p95 {}", duration(l.p95_us))).unwrap_or_default();
        let name = format!("{} {}", clean_to(&route.method, 24), clean_to(&route.route, LONGEST[0]));
        line(&format!("{lead}   {name}: {} of {} failed ({rate}){p95}", count(f.errors), count(f.requests)));
    }
    for exception in share.exceptions.iter().take(SHOWN) {
        line(&format!("{lead}   new exception: {}", named(exception)));
    }
    if share.exceptions.len() > SHOWN {
        line(&format!("{lead}   {}", counted((share.exceptions.len() - SHOWN) as u64, "more new exception")));
    }
}

fn named(exception: &ExceptionFigures) -> String {
    let kind = clean_to(&exception.kind, LONGEST[0]);
    let place = exception.place.as_ref().map(|p| format!(" at {}", clean_to(p, LONGEST[0]).as_str())).unwrap_or_default();
    let message = exception.message.as_ref().map(|m| format!(": {}", clean_to(m, LONGEST[0]).as_str())).unwrap_or_default();
    let times = if exception.count > 1 { format!(" ({} times)", count(exception.count)) } else { String::new() };
    format!("{}{place}{message}{times}", kind.as_str())
}

/// The summary as JSON: one object a service, each on a line of at most [`BYTES`] bytes.
pub fn json(pulse: &Pulse) -> String {
    let mut out = String::new();
    for share in pulse.shares() {
        out.push_str(&object(pulse, &share));
        out.push('\n');
    }
    out
}

/// One object, made smaller until it fits: texts are cut shorter, then there are fewer of them.
fn object(pulse: &Pulse, share: &Share<'_>) -> String {
    let tries = [(ROUTES, 5, 8), (ROUTES, 3, 4), (ROUTES, 1, 2)];
    let written = |(most, (routes, exceptions, reasons)): (usize, (usize, usize, usize))| {
        value(pulse, share, most, routes, exceptions, reasons).to_string()
    };
    let mut all = LONGEST.into_iter().zip(tries).map(written);
    let fits = all.find(|text| text.len() < BYTES);
    fits.unwrap_or_else(|| value(pulse, share, LONGEST[2], 0, 0, 0).to_string())
}

fn value(pulse: &Pulse, share: &Share<'_>, most: usize, routes: usize, exceptions: usize, reasons: usize) -> Value {
    let safe = |text: &str| clean_to(text, most).as_str().to_owned();
    let input = &pulse.report.summary.input;
    let mut total = json::stats(share.figures);
    if let Some(total) = total.as_object_mut() {
        // in a minute's summary the splits would take the room of the routes
        total.retain(|key, _| !matches!(key.as_str(), "auth" | "cache"));
    }
    json!({
        "type": "summary",
        "time": pulse.at.to_string(),
        "service": share.service.map(safe),
        "seconds": pulse.seconds,
        "health": {
            "status": share.health.status.word(),
            "reasons": share.health.reasons.iter().take(reasons).map(|r| safe(r)).collect::<Vec<_>>(),
        },
        "total": total,
        "routes": share.routes.iter().take(routes).map(|r| route(r, &safe)).collect::<Vec<_>>(),
        "new_exceptions": share.exceptions.iter().take(exceptions).map(|e| json!({
            "type": safe(&e.kind),
            "message": e.message.as_deref().map(safe),
            "where": e.place.as_deref().map(safe),
            "count": e.count,
        })).collect::<Vec<_>>(),
        "restarts": share.restarts.0,
        "worker_deaths": share.restarts.1,
        "input": { "lines": input.lines, "malformed": input.malformed, "late": input.late, "lost_bytes": input.lost_bytes,
                   "lag_bytes": pulse.lag_bytes },
    })
}

fn route(route: &RouteFigures, safe: &impl Fn(&str) -> String) -> Value {
    let f = &route.figures;
    json!({
        "method": safe(&route.method),
        "route": safe(&route.route),
        "requests": f.requests,
        "errors": f.errors,
        "error_rate": f.error_rate.and_then(json::six_digits),
        "client_errors": f.client_errors,
        "latency_us": f.latency.map(|l| json!({ "count": l.count, "p50": l.p50_us, "p95": l.p95_us, "p99": l.p99_us, "max": l.max_us })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;
    use crate::write::figures::forbidden;

    fn pulse(report: Report) -> Pulse {
        let new_exceptions = report.summary.exceptions.clone();
        let at = Timestamp::from_seconds(1_790_000_000);
        Pulse { at, seconds: 60, report, new_exceptions, restarts: vec![(Some("shop".to_owned()), 1, 2)], lag_bytes: 2_048 }
    }

    #[test]
    fn every_line_names_its_time_and_its_service() {
        let text = text(&pulse(example::full()), Look::default());
        assert!(text.lines().count() > 2, "{text}");
        for line in text.lines() {
            assert!(line.starts_with("2026-09-21T14:13:20Z shop "), "{line}");
        }
        let first = text.lines().next().unwrap();
        for part in ["unhealthy", "4,293 requests (5.9/s)", "25 errors (0.58 %)", "p95 73.8 ms", "1 start", "2 worker deaths"] {
            assert!(first.contains(part), "{part} in {first}");
        }
        assert!(first.ends_with("2.00 KiB behind"), "{first}");
        assert!(text.contains("POST /checkout: 25 of 412 failed (6.1 %), p95 285 ms"), "{text}");
        assert!(text.contains("new exception: KeyError at shop/cart.py:88"), "{text}");
    }

    #[test]
    fn an_object_never_outgrows_its_line_whatever_the_log_said() {
        let long = "\u{1b}[31m\"\\ü".repeat(2_000);
        let mut report = example::hostile(&long);
        let one = report.summary.routes[0].clone();
        report.summary.routes = vec![one; 40];
        report.health.reasons = vec![long.clone(); 30];
        let pulse = pulse(report);
        let mut routes = Vec::new();
        for line in json(&pulse).lines() {
            assert!(line.len() < BYTES, "{} bytes", line.len());
            assert!(!line.chars().any(forbidden));
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(Some("summary"), value["type"].as_str());
            routes.extend(value["routes"].as_array().map(Vec::len));
        }
        assert_eq!(vec![0, 10], routes, "all routes are the second service's");
        assert!(!text(&pulse, Look::default()).replace('\n', "").chars().any(forbidden));
    }
}
