//! The report as one JSON object, `vitalog.report/1`.
//!
//! Keys stand in the order of the contract, times are RFC 3339 UTC, ratios have six significant digits, and what the
//! log does not tell is null. The bytes are a pure function of the report. Text from the log is made safe but not
//! shortened to what people read.

use std::io;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::stats::summary::AuthPart;
use crate::stats::summary::CacheFigures;
use crate::stats::summary::Deploy;
use crate::stats::summary::Event;
use crate::stats::summary::ExceptionFigures;
use crate::stats::summary::Figures;
use crate::stats::summary::Intake;
use crate::stats::summary::Latency;
use crate::stats::summary::LifecycleFigures;
use crate::stats::summary::Period;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Series;
use crate::stats::summary::ServiceFigures;
use crate::stats::summary::SlotFigures;
use crate::stats::summary::SourceFigures;
use crate::stats::summary::Unavailable;
use crate::stats::summary::VersionFigures;
use crate::time::Timestamp;
use crate::verdict::finding::Finding;
use crate::verdict::health::Health;
use crate::write::Report;
use crate::write::figures::clean_to;

/// The longest text from a log in the object, in bytes.
const LONGEST: usize = 4096;

/// Writes the report as one line of JSON.
pub fn json(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Written(report))?;
    out.write_all(b"\n")
}

/// The report as a JSON value, for pages that carry it inside something else.
pub fn object(report: &Report) -> Value {
    serde_json::to_value(Written(report)).unwrap_or_default()
}

/// The report as it is written, its slots one by one: a value of them all would take most of the memory of a run.
struct Written<'a>(&'a Report);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(report) = self;
        let summary = &report.summary;
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("schema", "vitalog.report/1")?;
        map.serialize_entry("version", env!("CARGO_PKG_VERSION"))?;
        map.serialize_entry("period", &period(&summary.period))?;
        map.serialize_entry("health", &health(&report.health))?;
        map.serialize_entry("input", &input(&summary.input))?;
        map.serialize_entry("total", &stats(&summary.total))?;
        map.serialize_entry("services", &services(report))?;
        map.serialize_entry("routes", &list(&summary.routes, route))?;
        map.serialize_entry("exceptions", &list(&summary.exceptions, exception))?;
        map.serialize_entry("lifecycle", &lifecycle(&summary.lifecycle))?;
        map.serialize_entry("deploys", &list(&summary.deploys, deploy))?;
        map.serialize_entry("versions", &list(&summary.versions, version))?;
        map.serialize_entry("series", &WrittenSeries(&summary.series))?;
        map.serialize_entry("alerts", &json!([]))?;
        map.serialize_entry("findings", &list(&report.findings, finding))?;
        map.serialize_entry("unavailable", &list(&summary.unavailable, unavailable))?;
        map.end()
    }
}

struct WrittenSeries<'a>(&'a Series);

impl Serialize for WrittenSeries<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("slot_seconds", &self.0.slot_seconds)?;
        map.serialize_entry("slots", &WrittenSlots(&self.0.slots))?;
        map.end()
    }
}

struct WrittenSlots<'a>(&'a [SlotFigures]);

impl Serialize for WrittenSlots<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.0.iter().map(WrittenSlot))
    }
}

struct WrittenSlot<'a>(&'a SlotFigures);

impl Serialize for WrittenSlot<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(slot) = self;
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("start", &slot.start.to_string())?;
        map.serialize_entry("requests", &slot.requests)?;
        map.serialize_entry("errors", &slot.errors)?;
        map.serialize_entry("client_errors", &slot.client_errors)?;
        map.serialize_entry("p50_us", &slot.p50_us)?;
        map.serialize_entry("p95_us", &slot.p95_us)?;
        map.serialize_entry("p99_us", &slot.p99_us)?;
        map.serialize_entry("max_us", &slot.max_us)?;
        map.end()
    }
}

pub(super) fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    items.iter().map(one).collect()
}

pub(super) fn text(untrusted: &str) -> String {
    clean_to(untrusted, LONGEST).as_str().to_owned()
}

pub(super) fn some_text(untrusted: Option<&String>) -> Option<String> {
    untrusted.map(|t| text(t))
}

pub(super) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|t| t.to_string())
}

/// Six significant digits, so that a figure reads the same however it was summed up. What is no number is null.
pub(super) fn six_digits(value: f64) -> Option<f64> {
    format!("{value:.5e}").parse().ok().filter(|v: &f64| v.is_finite())
}

fn period(period: &Period) -> Value {
    json!({
        "start": time(period.start),
        "end": time(period.end),
        "seconds": period.seconds.filter(|s| s.is_finite()).map(|s| (s * 1e6).round() / 1e6),
        "time_source": if period.time_source.is_empty() { "none" } else { period.time_source },
        "zone_assumed": some_text(period.zone_assumed.as_ref()),
    })
}

fn health(health: &Health) -> Value {
    json!({ "status": health.status.word(), "reasons": list(&health.reasons, |r| text(r).into()) })
}

fn input(input: &Intake) -> Value {
    json!({
        "sources": list(&input.sources, source),
        "lines": input.lines,
        "bytes": input.bytes,
        "requests": input.requests,
        "companion": input.companion,
        "lifecycle": input.lifecycle,
        "traceback": input.traceback,
        "message": input.message,
        "malformed": input.malformed,
        "malformed_reasons": input.malformed_reasons,
        "duplicates": input.duplicates,
        "late": input.late,
        "undated": input.undated,
        "lost_bytes": input.lost_bytes,
        "probes": input.probes,
    })
}

fn source(source: &SourceFigures) -> Value {
    json!({
        "path": text(&source.path),
        "service": some_text(source.service.as_ref()),
        "layer": source.layer,
        "wrapper": some_text(source.wrapper.as_ref()),
        "format": some_text(source.format.as_ref()),
        "lines": source.lines,
        "bytes": source.bytes,
        "requests": source.requests,
        "error": some_text(source.error.as_ref()),
    })
}

/// STATS, as an object of its own.
pub fn stats(figures: &Figures) -> Value {
    Value::Object(stats_keys(Map::new(), figures))
}

/// STATS behind the keys that `object` holds already.
fn stats_keys(mut object: Map<String, Value>, figures: &Figures) -> Map<String, Value> {
    let status = figures.status.iter().map(|(&code, &n)| (status_word(code), n.into()));
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(figures.classes);
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("requests", figures.requests.into());
    put("rate_per_s", figures.rate_per_s.and_then(six_digits).into());
    put("status", Value::Object(status.collect()));
    put("classes", Value::Object(classes.map(|(class, n)| (class.to_owned(), n.into())).collect()));
    put("errors", figures.errors.into());
    put("error_rate", figures.error_rate.and_then(six_digits).into());
    put("client_errors", figures.client_errors.into());
    put("aborted", figures.aborted.into());
    put("bytes", figures.bytes.into());
    put("latency_us", latency(figures.latency.as_ref()));
    put(
        "auth",
        figures.auth.as_ref().map_or(Value::Null, |auth| {
            json!({
                "authenticated": auth_part(&auth.authenticated),
                "anonymous": auth_part(&auth.anonymous),
                "unknown": auth_part(&auth.unknown),
            })
        }),
    );
    put("cache", figures.cache.as_ref().map_or(Value::Null, cache));
    object
}

/// `200`; `-` where the client went away.
fn status_word(code: u16) -> String {
    if code == 0 { "-".to_owned() } else { code.to_string() }
}

fn latency(latency: Option<&Latency>) -> Value {
    latency.map_or(Value::Null, |l| {
        json!({
            "count": l.count,
            "min": l.min_us,
            "mean": l.mean_us,
            "p50": l.p50_us,
            "p90": l.p90_us,
            "p95": l.p95_us,
            "p99": l.p99_us,
            "p999": l.p999_us,
            "max": l.max_us,
            "digits": l.digits,
        })
    })
}

fn auth_part(part: &AuthPart) -> Value {
    json!({
        "requests": part.requests,
        "errors": part.errors,
        "error_rate": part.error_rate.and_then(six_digits),
        "latency_us": latency(part.latency.as_ref()),
    })
}

fn cache(cache: &CacheFigures) -> Value {
    let by_status = cache.by_status_latency.iter().map(|(&word, l)| (word.to_owned(), latency(Some(l))));
    json!({
        "hit": cache.hit,
        "miss": cache.miss,
        "expired": cache.expired,
        "stale": cache.stale,
        "bypass": cache.bypass,
        "other": cache.other,
        "hit_ratio": cache.hit_ratio.and_then(six_digits),
        "by_status_latency_us": Value::Object(by_status.collect()),
    })
}

fn services(report: &Report) -> Value {
    let unknown = Health::default();
    let one = |(at, service): (usize, &ServiceFigures)| {
        let mut object = Map::new();
        object.insert("service".to_owned(), some_text(service.service.as_ref()).into());
        object.insert("health".to_owned(), health(report.service_health.get(at).unwrap_or(&unknown)));
        Value::Object(stats_keys(object, &service.figures))
    };
    report.summary.services.iter().enumerate().map(one).collect()
}

fn route(route: &RouteFigures) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("service", some_text(route.service.as_ref()).into());
    put("method", text(&route.method).into());
    put("route", text(&route.route).into());
    put("probe", route.probe.into());
    put("streaming", route.streaming.into());
    put("named_by", route.named_by.word().into());
    Value::Object(stats_keys(object, &route.figures))
}

pub(super) fn exception(exception: &ExceptionFigures) -> Value {
    json!({
        "service": some_text(exception.service.as_ref()),
        "type": text(&exception.kind),
        "message": some_text(exception.message.as_ref()),
        "where": some_text(exception.place.as_ref()),
        "count": exception.count,
        "first": time(exception.first),
        "last": time(exception.last),
        "routes": list(&exception.routes, |r| text(r).into()),
        "new": exception.new,
    })
}

fn lifecycle(lifecycle: &LifecycleFigures) -> Value {
    json!({
        "starts": lifecycle.starts,
        "stops": lifecycle.stops,
        "worker_starts": lifecycle.worker_starts,
        "worker_deaths": lifecycle.worker_deaths,
        "timeouts": lifecycle.timeouts,
        "reloads": lifecycle.reloads,
        "events": list(&lifecycle.events, event),
    })
}

fn event(event: &Event) -> Value {
    json!({
        "service": some_text(event.service.as_ref()),
        "at": time(event.at),
        "kind": text(&event.kind),
        "pid": event.pid,
        "text": text(&event.text),
    })
}

fn deploy(deploy: &Deploy) -> Value {
    json!({
        "service": some_text(deploy.service.as_ref()),
        "at": time(deploy.at),
        "label": some_text(deploy.label.as_ref()),
        "source": deploy.source,
    })
}

fn version(version: &VersionFigures) -> Value {
    json!({
        "service": some_text(version.service.as_ref()),
        "version": text(&version.version),
        "requests": version.requests,
        "first": time(version.first),
        "last": time(version.last),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "severity": finding.severity.word(),
        "service": some_text(finding.service.as_ref()),
        "route": some_text(finding.route.as_ref()),
        "text": text(&finding.text),
        "advice": finding.advice,
    })
}

fn unavailable(missing: &Unavailable) -> Value {
    json!({ "figure": missing.figure, "because": text(&missing.because), "enable_with": text(&missing.enable_with) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The keys of the contract, section 4, as it writes them.
    #[test]
    fn keys_stand_in_the_order_of_the_contract() {
        const STATS: &str =
            "requests rate_per_s status classes errors error_rate client_errors aborted bytes latency_us auth cache";
        let report = object(&example::full());
        let cases = [
            (
                "",
                "schema version period health input total services routes exceptions lifecycle deploys versions series alerts \
                 findings unavailable",
            ),
            ("/period", "start end seconds time_source zone_assumed"),
            ("/health", "status reasons"),
            (
                "/input",
                "sources lines bytes requests companion lifecycle traceback message malformed malformed_reasons duplicates late \
                 undated lost_bytes probes",
            ),
            ("/input/sources/0", "path service layer wrapper format lines bytes requests error"),
            ("/total", STATS),
            ("/total/classes", "1xx 2xx 3xx 4xx 5xx"),
            ("/total/latency_us", "count min mean p50 p90 p95 p99 p999 max digits"),
            ("/total/auth", "authenticated anonymous unknown"),
            ("/total/auth/anonymous", "requests errors error_rate latency_us"),
            ("/total/cache", "hit miss expired stale bypass other hit_ratio by_status_latency_us"),
            ("/services/0", &format!("service health {STATS}")),
            ("/routes/0", &format!("service method route probe streaming named_by {STATS}")),
            ("/exceptions/0", "service type message where count first last routes new"),
            ("/lifecycle", "starts stops worker_starts worker_deaths timeouts reloads events"),
            ("/lifecycle/events/0", "service at kind pid text"),
            ("/deploys/0", "service at label source"),
            ("/versions/0", "service version requests first last"),
            ("/series", "slot_seconds slots"),
            ("/series/slots/0", "start requests errors client_errors p50_us p95_us p99_us max_us"),
            ("/unavailable/0", "figure because enable_with"),
        ];
        for (place, expected) in cases {
            let expected: Vec<&str> = expected.split(' ').filter(|k| !k.is_empty()).collect();
            assert_eq!(expected, keys(report.pointer(place).unwrap()), "{place}");
        }
    }

    #[test]
    fn what_the_log_does_not_tell_is_null() {
        let report = object(&example::bare());
        let nulls =
            ["/period/start", "/period/end", "/period/seconds", "/period/zone_assumed", "/total/rate_per_s", "/total/bytes"];
        let more = ["/total/latency_us", "/total/auth", "/total/cache", "/routes/0/service", "/input/sources/0/wrapper"];
        for place in nulls.into_iter().chain(more) {
            assert_eq!(Some(&Value::Null), report.pointer(place), "{place}");
        }
        assert_eq!(Value::Null, object(&Report::default())["total"]["error_rate"], "no request, no rate");
    }

    #[test]
    fn figures_have_the_units_of_the_contract() {
        let report = object(&example::full());
        for (expected, place) in [
            (json!("vitalog.report/1"), "/schema"),
            (json!("2026-11-23T00:36:48Z"), "/period/start"),
            (json!(723.0), "/period/seconds"),
            (json!({ "-": 3, "200": 4268, "500": 25 }), "/total/status"),
            (json!(0.005_823_43), "/total/error_rate"),
            (json!(5.937_76), "/total/rate_per_s"),
            (json!(12_300), "/total/latency_us/p50"),
            (json!(0.666_667), "/total/cache/hit_ratio"),
            (json!("unhealthy"), "/services/0/health/status"),
            (json!([]), "/alerts"),
            (json!("warning"), "/findings/0/severity"),
        ] {
            assert_eq!(Some(&expected), report.pointer(place), "{place}");
        }
    }
}
