//! `vitalog.explain/1`: one object, its keys in a fixed order, what is not known null.

use std::io;

use serde_json::Value;
use serde_json::json;

use super::Example;
use super::Explained;
use super::Fields;
use super::Place;
use super::Source;
use crate::write::figures::clean_to;

/// The longest text from a log in the object, in bytes.
const LONGEST: usize = 4096;

/// Writes the explanation as one line of JSON.
pub fn json(explained: &Explained, out: &mut impl io::Write) -> io::Result<()> {
    let object = json!({
        "schema": "vitalog.explain/1",
        "version": env!("CARGO_PKG_VERSION"),
        "understood": explained.understood(),
        "sources": explained.sources.iter().map(source).collect::<Vec<_>>(),
    });
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

fn text(untrusted: &str) -> String {
    clean_to(untrusted, LONGEST).as_str().to_owned()
}

fn some(untrusted: Option<&String>) -> Option<String> {
    untrusted.map(|t| text(t))
}

/// A share to six digits.
fn share(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn source(source: &Source) -> Value {
    let kinds = &source.kinds;
    let reasons: serde_json::Map<String, Value> = source.reasons.iter().map(|(r, n)| ((*r).to_owned(), (*n).into())).collect();
    let unavailable = |u: &crate::stats::summary::Unavailable| json!({ "figure": u.figure, "because": text(&u.because), "enable_with": text(&u.enable_with) });
    json!({
        "path": text(&source.path),
        "snapshot": source.snapshot,
        "wrapper": some(source.wrapper.as_ref()),
        "format": some(source.format.as_ref()),
        "sure": source.sure.map(share),
        "understood": source.understood.map(share),
        "services": source.services.iter().map(|s| text(s)).collect::<Vec<_>>(),
        "layer": source.layer,
        "pairs": source.pairs,
        "time_source": if source.time_source.is_empty() { "none" } else { source.time_source },
        "zone_assumed": some(source.zone_assumed.as_ref()),
        "lines": kinds.lines(),
        "bytes": source.bytes,
        "requests": kinds.request,
        "companion": kinds.companion,
        "lifecycle": kinds.lifecycle,
        "traceback": kinds.traceback,
        "message": kinds.message,
        "malformed_lines": kinds.malformed,
        "malformed_reasons": reasons,
        "examples": source.examples.iter().map(example).collect::<Vec<_>>(),
        "malformed": source.malformed.iter().map(place).collect::<Vec<_>>(),
        "unavailable": source.unavailable.iter().map(unavailable).collect::<Vec<_>>(),
        "error": some(source.error.as_ref()),
    })
}

fn example(example: &Example) -> Value {
    json!({
        "kind": example.kind,
        "format": example.format,
        "lines": example.lines,
        "line": example.line,
        "offset": example.offset,
        "text": text(&example.text),
        "fields": example.fields.as_ref().map(fields),
        "seen": some(example.seen.as_ref()),
    })
}

fn fields(fields: &Fields) -> Value {
    json!({
        "method": text(&fields.method),
        "route": fields.route.as_ref().map(|(route, _)| text(route)),
        "named_by": fields.route.as_ref().map(|(_, by)| *by),
        "status": fields.status,
        "bytes": fields.bytes,
        "latency": fields.latency.as_ref().map(|l| json!({ "us": l.us, "unit": l.unit, "ends": l.ends })),
        "time": fields.time,
        "request_id": fields.request_id,
        "logged_in": fields.logged_in,
        "cache": fields.cache,
        "version": some(fields.version.as_ref()),
    })
}

fn place(place: &Place) -> Value {
    json!({ "line": place.line, "offset": place.offset, "reason": place.reason, "text": text(&place.text) })
}
