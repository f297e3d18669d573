//! What may be shown of a kept line. `parse::redact` says how single values are hidden; here is decided which way fits
//! which line, and where in doubt more is hidden.

use serde_json::Map;
use serde_json::Value;

use crate::parse::redact;

/// A line about a request, its target shown as `route`.
pub(super) fn request(line: &str, method: &str, path: &str, route: &str) -> String {
    if let Some(json) = object(line) {
        return clip(&shown(json, method, path, route));
    }
    // a target that is written otherwise than it was read cannot be found: then nothing in quotes is shown
    if path.len() > 1 && !line.contains(path) {
        redact::message(line)
    } else {
        without_query(&redact::example(line, path, route))
    }
}

/// A line that set out as one about a request and broke: nothing that may be a target or an address.
pub(super) fn broken(line: &str) -> String {
    if line.contains('{') {
        return redact::message(line);
    }
    let mut out = String::new();
    let mut left_open = false;
    for word in line.split_inclusive([' ', '"']) {
        let bare = word.trim_end_matches([' ', '"']);
        let dots = bare.matches('.').count();
        let target = bare.starts_with('/') || bare.contains(['?', '@', '&']) || bare.contains("://");
        let address = dots >= 2 && bare.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b':'));
        // a decoded target goes on behind its blanks
        left_open = target || left_open && !bare.starts_with("HTTP/") && !word.ends_with('"');
        if target || address || left_open {
            out.push('…');
            out.push_str(word.get(bare.len()..).unwrap_or_default());
        } else {
            out.push_str(word);
        }
    }
    redact::example(&out, "", "")
}

fn clip(text: &str) -> String {
    if text.chars().count() <= redact::LONGEST {
        text.to_owned()
    } else {
        text.chars().take(redact::LONGEST - 1).chain(['…']).collect()
    }
}

/// What stands behind a `?` up to the next blank or quote is gone.
fn without_query(line: &str) -> String {
    let mut out = String::new();
    let mut hidden = false;
    for c in line.chars() {
        hidden = if hidden { !matches!(c, ' ' | '"' | '\'' | ',') } else { c == '?' };
        if !hidden {
            out.push(c);
        }
    }
    out
}

fn object(line: &str) -> Option<Map<String, Value>> {
    let begin = line.find('{')?;
    match serde_json::from_str(line.get(begin..)?.trim_end()) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Keys whose text says nothing about a person.
const PLAIN: [&str; 20] = [
    "level",
    "levelname",
    "severity",
    "logger",
    "name",
    "logger_name",
    "time",
    "timestamp",
    "ts",
    "asctime",
    "@timestamp",
    "status",
    "status_code",
    "cache",
    "upstream_cache_status",
    "version",
    "release",
    "service",
    "protocol",
    "schema",
];

/// The object with its values hidden but for those that are known to be harmless.
fn shown(object: Map<String, Value>, method: &str, path: &str, route: &str) -> String {
    let shown: Map<String, Value> = object
        .into_iter()
        .map(|(key, value)| {
            let value = value_shown(&key, value, method, path, route);
            (key, value)
        })
        .collect();
    Value::Object(shown).to_string()
}

fn value_shown(key: &str, value: Value, method: &str, path: &str, route: &str) -> Value {
    match value {
        Value::Object(inner) => Value::Object(
            inner
                .into_iter()
                .map(|(key, value)| {
                    let value = value_shown(&key, value, method, path, route);
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(all) if all.is_empty() => Value::Array(all),
        Value::Array(_) => "…".into(),
        Value::String(text) => {
            let key = key.to_ascii_lowercase();
            let harmless = PLAIN.contains(&key.as_str()) && text.len() <= 64
                || text == method
                || text == route
                || text.is_empty()
                || text == "-";
            let target = text.split(['?', '#']).next().unwrap_or_default();
            let number = !text.is_empty()
                && text.len() <= 16
                && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && text.matches('.').count() < 2;
            if harmless || number {
                text.into()
            } else if !path.is_empty() && (target == path || target.ends_with(path) && target.contains("://")) {
                route.into()
            } else if !path.is_empty() && path != "/" && text.contains(path) {
                without_query(&redact::example(&text, path, route)).into()
            } else {
                "…".into()
            }
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_request_shows_the_route_and_nobody() {
        for (expected, line, path, route) in [
            (
                "INFO:     - - \"GET /items/{id} HTTP/1.1\" 200 OK",
                "INFO:     10.0.0.1:5 - \"GET /items/7?a=b HTTP/1.1\" 200 OK",
                "/items/7",
                "/items/{id}",
            ),
            (
                "- - - [23/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5",
                "10.0.0.1 - - [23/Nov/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5",
                "/",
                "/",
            ),
            (
                r#"{"level":"INFO","path":"/u/{id}","who":"…","status":200,"a":{"ip":"…"}}"#,
                r#"{"level":"INFO","path":"/u/7?t=1","who":"anna","status":200,"a":{"ip":"10.0.0.1"}}"#,
                "/u/7",
                "/u/{id}",
            ),
            // the target stands there decoded, or in another dress
            ("- - \"…\" 200", "10.0.0.1 - \"GET /caf\u{e9}/7 HTTP/1.1\" 200", "/caf%C3%A9/7", "/caf%C3%A9/{id}"),
        ] {
            let got = request(line, "GET", path, route);
            assert!(got == expected || expected.starts_with("- - \"…") && !got.contains("/caf"), "{got}");
        }
    }

    #[test]
    fn a_broken_line_shows_no_target_and_no_address() {
        for (expected, line) in [
            ("INFO:     - - \"GET …", "INFO:     10.0.0.1:5 - \"GET /items/7?tok"),
            ("INFO:     … - \"GET … HTTP/1.1\" 2000 OK", "INFO:     10.0.0.1: - \"GET /items/7 HTTP/1.1\" 2000 OK"),
            ("INFO:     … - \"GET … … HTTP/1.1\" 2000 OK", "INFO:     10.0.0.1: - \"GET /items/my anna HTTP/1.1\" 2000 OK"),
        ] {
            let got = broken(line);
            assert!(!got.contains("10.0") && !got.contains("anna") && !got.contains("tok"), "{got}");
            assert_eq!(expected.contains("2000 OK"), got.contains("2000 OK"), "{got}");
        }
    }
}
