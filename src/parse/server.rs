//! A server's own configuration file, searched for the format of its access log.
//!
//! Understands uvicorn's `--log-config` (YAML, JSON, INI: `logging.config`'s dictionary and file schema),
//! `gunicorn.conf.py` and hypercorn's Python and TOML files, and `nginx.conf`. Python files are read as text: nothing is
//! ever executed. What a format means is left to `parse::custom`.

mod assigned;
mod dictionary;
mod directives;

use super::custom::Compiled;
use super::custom::Dialect;
use super::custom::KeyMap;
use super::custom::Settings;
use crate::error::Error;
use serde_json::Map;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest configuration file, in bytes.
const LARGEST: u64 = 1 << 20;

/// gunicorn's default access format.
const GUNICORN: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

/// The formats that a configuration file names, the access log's own first. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// In the order in which they should be tried.
    pub formats: Vec<Format>,
}

/// One format of a configuration file.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// Where it stands, for people: `formatter 'access'`, `log_format timing`, `access_log_format`.
    pub name: String,
    /// The log file that is written so, where the configuration says (nginx); `None` else.
    pub file: Option<String>,
    /// How its lines are written.
    pub written: Written,
}

/// How the lines of a format are written.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// As a format string says. Where that is one JSON object, [`Compiled::keys`] has its keys.
    Text(Box<Compiled>),
    /// As JSON objects with these keys.
    Json(KeyMap),
    /// In a form that is known by this name.
    Known(&'static str),
}

/// The formats in the configuration file at `path`.
///
/// # Errors
/// Where the file cannot be read, is larger than 1 MiB, is no configuration this program knows, or does not hold its
/// format as plain text: with what to do instead.
pub fn find(path: &Path) -> Result<Found, Error> {
    let shown = path.display();
    let failed = |why: &dyn std::fmt::Display| Error::usage(format!("reading the format from '{shown}': {why}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| failed(&e))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(&"larger than 1 MiB (give the server's configuration file, or the format string itself)"));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed(&"not UTF-8 text (give the server's configuration file)"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let formats = read(path, text).map_err(|why| failed(&why))?;
    if formats.is_empty() {
        return Err(failed(&"no access format in it (give the format string itself: --format '%(h)s … %(D)s')"));
    }
    Ok(Found { formats })
}

/// Tells what kind of file it is, by its name and then by its look.
fn read(path: &Path, text: &str) -> Result<Vec<Format>, String> {
    let ends = |suffix: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(suffix));
    let has = |word: &str| text.lines().any(|line| line.trim_start().starts_with(word));
    if ends("py") {
        return python(text);
    }
    if ends("toml") {
        return toml(text);
    }
    if ends("json") || text.trim_start().starts_with('{') {
        let value = serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))?;
        return dictionary::formats(&value);
    }
    if ends("yaml") || ends("yml") {
        return dictionary::formats(&yaml(text)?);
    }
    if has("log_format ") || has("access_log ") || has("http {") {
        return directives::formats(text);
    }
    if ends("ini") || ends("cfg") || has("[formatters]") || has("[loggers]") {
        return dictionary::formats(&ini(text)?);
    }
    if has("formatters:") {
        return dictionary::formats(&yaml(text)?);
    }
    if text.contains("access_log_format") {
        return python(text);
    }
    Err("no configuration of uvicorn, gunicorn, hypercorn or nginx that this program knows (known endings: .yaml .json .ini .py .toml .conf)".to_owned())
}

/// `access_log_format` of a gunicorn or hypercorn Python file.
fn python(text: &str) -> Result<Vec<Format>, String> {
    let settings = assigned::strings(text);
    let plain = |name: &str| settings.get(name).and_then(|s| s.as_ref().ok()).map(String::as_str);
    if plain("worker_class").is_some_and(|class| class.to_ascii_lowercase().contains("uvicorn")) {
        let name = "worker_class".to_owned();
        return Ok(vec![Format { name, file: None, written: Written::Known("uvicorn") }]);
    }
    for name in ["access_log_format", "accesslog_format"] {
        match settings.get(name) {
            Some(Ok(format)) => return Ok(vec![compiled(name.to_owned(), None, format, Settings::default())?]),
            Some(Err(line)) => {
                let how =
                    "is computed there and Python files are never executed (give the value itself: --format '%(h)s … %(D)s')";
                return Err(format!("line {line}: {name} {how}"));
            }
            None => {}
        }
    }
    if let Some(Ok(file)) = settings.get("logconfig") {
        return Err(format!("its format is in another file (use --format '@{file}')"));
    }
    for name in ["logconfig_dict", "logconfig_json", "logger_class"] {
        if let Some(Err(line)) = settings.get(name) {
            return Err(format!(
                "line {line}: {name} is not evaluated (give the access formatter's 'format' itself: --format '%(asctime)s … %(message)s')"
            ));
        }
    }
    Ok(vec![compiled("gunicorn's default".to_owned(), None, GUNICORN, Settings::default())?])
}

/// `access_log_format` of hypercorn's TOML file.
fn toml(text: &str) -> Result<Vec<Format>, String> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| format!("no TOML: {}", e.message()))?;
    let name = ["access_log_format", "accesslog_format"].into_iter().find(|name| table.contains_key(*name));
    let Some((name, format)) = name.and_then(|name| Some((name, table.get(name)?.as_str()?))) else { return Ok(Vec::new()) };
    Ok(vec![compiled(name.to_owned(), None, format, Settings::default())?])
}

/// A format string of a file as a [`Format`].
fn compiled(name: String, file: Option<String>, format: &str, settings: Settings) -> Result<Format, String> {
    let compiled = Compiled::new(format, settings).map_err(|e| e.in_setting(&name, format).message)?;
    Ok(Format { name, file, written: Written::Text(Box::new(compiled)) })
}

/// How deep a configuration may be nested.
const DEEPEST: usize = 64;

/// A YAML document as the value it is; tags are dropped.
fn yaml(text: &str) -> Result<Value, String> {
    use saphyr::LoadableYamlNode;
    let deep = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count() > 4096;
    if deep || text.lines().any(|line| line.len() - line.trim_start_matches([' ', '-', '?']).len() > 512) {
        return Err("nested too deep for a logging configuration".to_owned());
    }
    let documents = saphyr::Yaml::load_from_str(text).map_err(|e| format!("no YAML: {e}"))?;
    documents.first().and_then(|node| plain(node, 0)).ok_or_else(|| "nested too deep for a logging configuration".to_owned())
}

fn plain(node: &saphyr::Yaml<'_>, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    if let saphyr::Yaml::Tagged(_, inside) = node {
        return plain(inside, depth + 1);
    }
    if let Some(sequence) = node.as_sequence() {
        return sequence.iter().map(|item| plain(item, depth + 1)).collect::<Option<Vec<_>>>().map(Value::Array);
    }
    if let Some(mapping) = node.as_mapping() {
        let mut map = Map::new();
        for (key, value) in mapping {
            map.insert(key.as_str().unwrap_or_default().to_owned(), plain(value, depth + 1)?);
        }
        return Some(Value::Object(map));
    }
    let truth = node.as_bool().map(Value::Bool);
    Some(truth.or_else(|| node.as_str().map(Value::from)).or_else(|| node.as_integer().map(Value::from)).unwrap_or(Value::Null))
}

/// `logging.config.fileConfig`'s sections in the shape of its dictionary.
fn ini(text: &str) -> Result<Value, String> {
    let option = ini::ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: true,
        ..ini::ParseOption::default()
    };
    let file = ini::Ini::load_from_str_opt(text, option).map_err(|e| format!("no INI: line {}: {}", e.line + 1, e.msg))?;
    let (mut formatters, mut handlers, mut loggers) = (Map::new(), Map::new(), Map::new());
    for (section, properties) in &file {
        let Some(section) = section else { continue };
        let mut entry: Map<String, Value> = properties.iter().map(|(k, v)| (k.to_ascii_lowercase(), Value::from(v))).collect();
        if let Some(list) = properties.get("handlers") {
            let names = list.split(',').map(str::trim).filter(|n| !n.is_empty());
            entry.insert("handlers".to_owned(), names.map(Value::from).collect());
        }
        if let Some(name) = section.strip_prefix("formatter_") {
            formatters.insert(name.to_owned(), Value::Object(entry));
        } else if let Some(name) = section.strip_prefix("handler_") {
            handlers.insert(name.to_owned(), Value::Object(entry));
        } else if let Some(name) = section.strip_prefix("logger_") {
            let name = properties.get("qualname").unwrap_or(name);
            loggers.insert(name.to_owned(), Value::Object(entry));
        }
    }
    Ok(serde_json::json!({ "formatters": formatters, "handlers": handlers, "loggers": loggers }))
}

/// A format string of `logging`'s, in the style its configuration names.
fn style(name: &str) -> Dialect {
    match name {
        "{" => Dialect::Brace,
        "$" => Dialect::Dollar,
        _ => Dialect::Percent,
    }
}

#[cfg(test)]
mod tests;
