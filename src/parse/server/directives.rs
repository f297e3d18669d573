//! The log formats of an `nginx.conf` that its access logs use.
//!
//! Grammar of directives, quotes and comments as nginx's documentation ("Configuration file's structure") and
//! `ngx_http_log_module` tell it. Included files are not followed.

use super::Format;
use super::compiled;
use crate::parse::custom::Dialect;
use crate::parse::custom::Settings;
use std::collections::BTreeMap;

/// nginx's predefined format.
pub(super) const COMBINED: &str =
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// The formats in the order of the `access_log` directives that use them; all that are defined where none is used.
pub(super) fn formats(text: &str) -> Result<Vec<Format>, String> {
    let mut defined = BTreeMap::from([("combined".to_owned(), COMBINED.to_owned())]);
    let mut order = Vec::new();
    let mut used: Vec<(String, Option<String>)> = Vec::new();
    for words in directives(text) {
        let mut words = words.into_iter();
        match words.next().as_deref() {
            Some("log_format") => {
                let Some(name) = words.next() else { continue };
                let format: String = words.skip_while(|w| w.starts_with("escape=")).collect();
                order.push(name.clone());
                defined.insert(name, format);
            }
            Some("access_log") => {
                let file = words.next().filter(|f| f != "off");
                let name = words.next().filter(|w| !w.contains('=')).unwrap_or_else(|| "combined".to_owned());
                let entry = (name, file);
                if entry.1.is_some() && !used.contains(&entry) {
                    used.push(entry);
                }
            }
            _ => {}
        }
    }
    if used.is_empty() {
        used = order.into_iter().map(|name| (name, None)).collect();
    }
    let mut formats = Vec::new();
    for (name, file) in used {
        let Some(format) = defined.get(&name) else {
            return Err(format!("access_log uses log_format '{name}', which is not in this file (give the file that has it)"));
        };
        let settings = Settings { dialect: Some(Dialect::Nginx), datefmt: None };
        formats.push(compiled(format!("log_format {name}"), file, format, settings)?);
    }
    Ok(formats)
}

/// The simple directives of all blocks, each as its words, quotes and escapes taken off.
fn directives(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ';' | '{' | '}' => {
                let statement = std::mem::take(&mut words);
                if first == ';' {
                    all.push(statement);
                }
                1
            }
            '\'' | '"' => {
                let (word, taken) = quoted(rest, first);
                words.push(word);
                taken
            }
            c if c.is_whitespace() => c.len_utf8(),
            _ => {
                let length = bare(rest);
                words.push(rest.get(..length).unwrap_or_default().to_owned());
                length
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    all
}

/// The length of a word without quotes; `${name}` does not open a block.
fn bare(rest: &str) -> usize {
    let mut inside = false;
    let mut last = ' ';
    for (at, c) in rest.char_indices() {
        if c == '{' && last == '$' {
            inside = true;
        } else if c == '}' && inside {
            inside = false;
        } else if c.is_whitespace() || c == ';' || c == '{' || c == '}' {
            return at.max(1);
        }
        last = c;
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> (String, usize) {
    let mut word = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
            match c {
                't' => word.push('\t'),
                'n' => word.push('\n'),
                'r' => word.push('\r'),
                '"' | '\'' | '\\' => word.push(c),
                _ => word.extend(['\\', c]),
            }
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return (word, at + 1);
        } else {
            word.push(c);
        }
    }
    (word, rest.len())
}
