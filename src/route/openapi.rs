//! A service's openapi.json, read for what it says about routes: paths in declared order, methods, the root path, and which
//! answers are streams.
//!
//! Leaves matching to `template.rs` and fetching to `drive/fetch.rs`. The form is OpenAPI 3.0 to 3.2 (spec.openapis.org);
//! FastAPI writes 3.1. Everything else in a document is passed over.

use serde_json::Value;

use crate::error::Error;

/// Paths a document may have.
const MOST_PATHS: usize = 20_000;
/// Fields of a path item that are operations (OpenAPI 3.2, section "Path Item Object").
const OPERATIONS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// What a document says about routes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// In declared order.
    pub paths: Vec<PathItem>,
    /// Paths of the `servers`, longest first, without a final slash and without empty ones.
    pub roots: Vec<String>,
}

/// One path with its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathItem {
    /// `/items/{item_id}`
    pub path: String,
    /// Upper case, in declared order.
    pub methods: Vec<String>,
    /// Those of `methods` that answer with `text/event-stream`.
    pub streams: Vec<String>,
}

/// What the document `json` says about routes.
///
/// # Errors
/// Usage, where it is no JSON, no OpenAPI 3 document, or has a path without `/` in front; the caller names the file.
pub fn read(json: &[u8]) -> Result<Document, Error> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let value: Value =
        serde_json::from_slice(json).map_err(|e| Error::usage(format!("the OpenAPI document is no JSON: {e}")))?;
    let version = value.get("openapi").and_then(Value::as_str);
    if !version.is_some_and(|v| v.starts_with("3.")) {
        let found = match (version, value.get("swagger").and_then(Value::as_str)) {
            (Some(v), _) => format!("its version is '{}'", v.escape_debug()),
            (_, Some(_)) => "it is a Swagger 2 document".to_owned(),
            _ => "it has no 'openapi' field".to_owned(),
        };
        return Err(Error::usage(format!("this is no OpenAPI 3 document: {found} (FastAPI serves one under /openapi.json)")));
    }
    let empty = serde_json::Map::new();
    let paths = match value.get("paths") {
        Some(Value::Object(paths)) => paths,
        // Version 3.1 allows a document of webhooks or components alone.
        None => &empty,
        Some(_) => return Err(Error::usage("the OpenAPI document's 'paths' is no object")),
    };
    if paths.len() > MOST_PATHS {
        return Err(Error::usage(format!("the OpenAPI document has {} paths; at most {MOST_PATHS} are read", paths.len())));
    }
    let paths = paths.iter().filter(|(path, _)| !path.starts_with("x-")).map(|(path, item)| path_item(path, item));
    Ok(Document { paths: paths.collect::<Result<_, _>>()?, roots: roots(&value) })
}

fn path_item(path: &str, item: &Value) -> Result<PathItem, Error> {
    let shown = path.escape_debug();
    let item = item.as_object().ok_or_else(|| Error::usage(format!("the OpenAPI document's path '{shown}' is no object")))?;
    if !path.starts_with('/') || path.len() > 2048 || path.chars().any(char::is_control) {
        return Err(Error::usage(format!("the OpenAPI document's path '{shown}' does not begin with '/', or is no path")));
    }
    let mut found = PathItem { path: path.to_owned(), methods: Vec::new(), streams: Vec::new() };
    for (name, operation) in item {
        if OPERATIONS.contains(&name.as_str()) {
            let method = name.to_ascii_uppercase();
            if is_stream(operation) {
                found.streams.push(method.clone());
            }
            found.methods.push(method);
        }
    }
    Ok(found)
}

/// Whether any answer below 400 is `text/event-stream`.
fn is_stream(operation: &Value) -> bool {
    let answers = operation.get("responses").and_then(Value::as_object);
    answers.is_some_and(|all| {
        all.iter().filter(|(status, _)| !status.starts_with(['4', '5'])).any(|(_, answer)| {
            let kinds = answer.get("content").and_then(Value::as_object);
            kinds
                .is_some_and(|kinds| kinds.keys().any(|k| k.trim_start().to_ascii_lowercase().starts_with("text/event-stream")))
        })
    })
}

fn roots(value: &Value) -> Vec<String> {
    let servers = value.get("servers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let urls = servers.iter().filter_map(|s| s.get("url").and_then(Value::as_str));
    let mut roots: Vec<String> = urls.filter_map(root).collect();
    roots.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    roots.dedup();
    roots
}

/// The path of a server's URL; `None` where it has none or holds a variable.
fn root(url: &str) -> Option<String> {
    let path = match url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//")) {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    let path = path.split(['?', '#']).next()?.trim_end_matches('/');
    (path.starts_with('/') && !path.contains(['{', '}'])).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_methods_roots_and_streams_are_read() {
        let json = br#"{"openapi":"3.1.0","info":{},"servers":[{"url":"https://x.example/api/v1/"},{"url":"/api"},{"url":"/{v}"},{"url":"https://y.example"}],
            "paths":{"/z":{"summary":"s","parameters":[],"get":{"responses":{"200":{"content":{"text/event-stream; charset=utf-8":{}}}}},"post":{}},
            "/a/{b}":{"delete":{"responses":{"500":{"content":{"text/event-stream":{}}}}}},"x-note":1}}"#;
        let got = read(json).unwrap();
        let item = |path: &str, methods: &[&str], streams: &[&str]| PathItem {
            path: path.to_owned(),
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            streams: streams.iter().map(|m| (*m).to_owned()).collect(),
        };
        assert_eq!(vec![item("/z", &["GET", "POST"], &["GET"]), item("/a/{b}", &["DELETE"], &[])], got.paths);
        assert_eq!(vec!["/api/v1".to_owned(), "/api".to_owned()], got.roots);
    }

    #[test]
    fn what_is_no_document_is_refused_with_the_reason() {
        for (want, json) in [
            ("is no JSON", "<html>"),
            ("is no JSON", ""),
            ("no 'openapi' field", "{}"),
            ("no 'openapi' field", "[]"),
            ("Swagger 2", r#"{"swagger":"2.0","paths":{}}"#),
            ("its version is '4.0'", r#"{"openapi":"4.0","paths":{}}"#),
            ("'paths' is no object", r#"{"openapi":"3.0.2","paths":[]}"#),
            ("does not begin with '/'", r#"{"openapi":"3.0.2","paths":{"a":{}}}"#),
            ("is no object", r#"{"openapi":"3.0.2","paths":{"/a":7}}"#),
        ] {
            let message = read(json.as_bytes()).unwrap_err().message;
            assert!(message.contains(want), "{message}");
        }
        assert_eq!(Document::default(), read(br#"{"openapi":"3.1.0","webhooks":{}}"#).unwrap());
    }
}
