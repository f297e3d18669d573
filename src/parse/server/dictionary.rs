//! The formatters that a logging configuration gives to the access logger and to the others.
//!
//! The schema is `logging.config.dictConfig`'s (Python's documentation); default formats are those of
//! `uvicorn.logging`, JSON formatters those of python-json-logger.

use super::Format;
use super::Written;
use super::compiled;
use super::style;
use crate::parse::custom::Dialect;
use crate::parse::custom::KeyMap;
use crate::parse::custom::Meaning;
use crate::parse::custom::Settings;
use crate::parse::custom::names;
use crate::parse::python;
use serde_json::Value;

/// The loggers that write access lines, the first that is there is taken.
const ACCESS: [&str; 6] = ["uvicorn.access", "gunicorn.access", "hypercorn.access", "granian.access", "uvicorn", "gunicorn"];

/// The access logger's format first, then those of all other handlers; each once.
pub(super) fn formats(config: &Value) -> Result<Vec<Format>, String> {
    if config.get("formatters").is_none() && config.get("handlers").is_none() {
        return Err("no logging configuration: neither 'formatters' nor 'handlers' in it".to_owned());
    }
    let access = access_formatter(config)?;
    let mut all = vec![formatter(config, &access)?];
    let others = config.get("handlers").and_then(Value::as_object).into_iter().flatten();
    let mut seen = vec![access];
    for name in others.filter_map(|(_, handler)| handler.get("formatter")?.as_str()) {
        if !seen.iter().any(|s| s == name) {
            seen.push(name.to_owned());
            all.extend(formatter(config, name));
        }
    }
    Ok(all)
}

/// The name of the formatter behind the access logger; empty for Python's own default.
fn access_formatter(config: &Value) -> Result<String, String> {
    let logger = |name: &str| config.get("loggers").and_then(|l| l.get(name));
    let root = config.get("root").or_else(|| logger("root")).or_else(|| logger(""));
    let mut candidates = ACCESS.iter().filter_map(|name| logger(name)).chain(root);
    let first = candidates.find_map(|l| l.get("handlers")?.as_array()?.iter().find_map(Value::as_str));
    if let Some(name) = first {
        let Some(handler) = config.get("handlers").and_then(|h| h.get(name)) else {
            return Err(format!("handler '{name}' is used by the access logger and is not defined"));
        };
        return Ok(handler.get("formatter").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    Err("no handler for 'uvicorn.access' nor for the root logger in it".to_owned())
}

fn formatter(config: &Value, name: &str) -> Result<Format, String> {
    let shown = if name.is_empty() { "logging's default format".to_owned() } else { format!("formatter '{name}'") };
    let none = Value::Null;
    let entry = match config.get("formatters").and_then(|f| f.get(name)) {
        Some(entry) => entry,
        None if name.is_empty() => &none,
        None => return Err(format!("{shown} is used and is not defined")),
    };
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let class = text("()").or_else(|| text("class")).unwrap_or_default();
    let lower = class.to_ascii_lowercase();
    if lower.contains("structlog") {
        return Ok(Format { name: shown, file: None, written: Written::Known("structlog") });
    }
    if lower.contains("json") || lower.contains("logstash") || lower.contains("ecs") {
        return Ok(Format { name: shown, file: None, written: Written::Json(keys(entry)) });
    }
    let default = match class.rsplit('.').next() {
        Some("AccessFormatter") => r#"%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s"#,
        Some("DefaultFormatter" | "ColourizedFormatter") => "%(levelprefix)s %(message)s",
        _ => "%(message)s",
    };
    let format = text("access_fmt").or_else(|| text("fmt")).or_else(|| text("format")).unwrap_or(default);
    let settings = Settings { dialect: text("style").map(style), datefmt: text("datefmt").map(str::to_owned) };
    compiled(shown, None, format, settings)
}

/// The keys of a JSON formatter: the attributes its format names, renamed, and its constant ones.
fn keys(entry: &Value) -> KeyMap {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let format = entry.get("fmt").or_else(|| entry.get("format"));
    let dialect = text("style").map_or(Dialect::Percent, style);
    let attributes: Vec<String> = match format {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(format)) => names(format, dialect),
        _ => vec!["message".to_owned()],
    };
    let renamed =
        |name: &str| entry.get("rename_fields").and_then(|r| r.get(name)).and_then(Value::as_str).unwrap_or(name).to_owned();
    let meaning = |name: &str| python::field(name).map_or(Meaning::Nothing, |f| f.meaning);
    let mut entries: Vec<(String, Meaning)> = attributes.iter().map(|name| (renamed(name), meaning(name))).collect();
    match entry.get("timestamp") {
        Some(Value::Bool(true)) => entries.push(("timestamp".to_owned(), Meaning::Time)),
        Some(Value::String(key)) => entries.push((key.clone(), Meaning::Time)),
        _ => {}
    }
    KeyMap { entries }
}
