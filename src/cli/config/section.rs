//! One table of the file, taken apart key by key.
//!
//! A key that is asked for is known; what is left when all were asked for is not, and is told with the nearest known
//! one. Values are read by the small functions below, each of which gives the value or a sentence.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::problem::Problem;
use super::value;

/// A table, where it stands, and what is wrong in it so far.
pub(crate) struct Section<'p, 'i> {
    title: &'static str,
    at: Range<usize>,
    table: DeTable<'i>,
    known: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'p, 'i> Section<'p, 'i> {
    pub(crate) fn new(title: &'static str, at: Range<usize>, table: DeTable<'i>, problems: &'p mut Vec<Problem>) -> Self {
        Self { title, at, table, known: Vec::new(), problems }
    }

    /// The value of `key` as `read` understands it; `None` where it is not written or wrong.
    pub(crate) fn get<T>(&mut self, key: &'static str, read: impl FnOnce(&DeValue<'i>) -> Result<T, String>) -> Option<T> {
        let value = self.take(key)?;
        match read(value.get_ref()) {
            Ok(read) => Some(read),
            Err(why) => {
                self.wrong(value.span(), format!("{key}: {why}"));
                None
            }
        }
    }

    /// As [`Self::get`], but it must be written.
    pub(crate) fn need<T>(&mut self, key: &'static str, read: impl FnOnce(&DeValue<'i>) -> Result<T, String>) -> Option<T> {
        if !self.table.contains_key(key) {
            self.wrong(self.at.clone(), format!("{} needs '{key}'", self.title));
        }
        self.get(key, read)
    }

    /// The string of `key`, which must be written, as `read` understands it; its error points into the string.
    pub(crate) fn pointed<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Result<T, (usize, String)>) -> Option<T> {
        let Some(value) = self.take(key) else {
            self.wrong(self.at.clone(), format!("{} needs '{key}'", self.title));
            return None;
        };
        let (start, at) = (value.span().start, value.span());
        match text(value.get_ref()).map(|text| read(&text)) {
            Ok(Ok(read)) => Some(read),
            // behind the opening quote
            Ok(Err((place, why))) => {
                self.wrong(start + 1 + place..at.end, format!("{key}: {why}"));
                None
            }
            Err(why) => {
                self.wrong(at, format!("{key}: {why}"));
                None
            }
        }
    }

    /// The value of `key` as it stands.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    pub(crate) fn wrong(&mut self, at: Range<usize>, message: String) {
        self.problems.push(Problem { at, message });
    }

    /// Where the table stands.
    pub(crate) fn place(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Tells the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in &self.table {
            let message = unknown(key.get_ref(), self.title, &self.known);
            self.problems.push(Problem { at: key.span(), message });
        }
    }
}

/// `unknown key 'treshold' in [[rule]]; did you mean 'threshold'?`, or all known ones where none is near.
pub(crate) fn unknown(key: &str, title: &str, known: &[&'static str]) -> String {
    // Among equally near ones the one that begins alike.
    let alike = |k: &str| k.chars().zip(key.chars()).take_while(|(a, b)| a == b).count();
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(key, k), *k));
    let near = near.min_by_key(|(distance, k)| (*distance, std::cmp::Reverse(alike(k)), *k));
    match near.filter(|(distance, near)| *distance <= near.len().max(key.len()).div_ceil(2).min(3)) {
        Some((_, near)) => format!("unknown key '{key}' in {title}; did you mean '{near}'?"),
        None => format!("unknown key '{key}' in {title}; known are {}", known.join(", ")),
    }
}

pub(crate) fn text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("a string is needed, not {}", a(value)))?;
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A list of strings; one alone may stand without brackets.
pub(crate) fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(list) => list.iter().map(|one| text(one.get_ref())).collect(),
        one if one.is_str() => Ok(vec![text(one)?]),
        other => Err(format!("a list of strings is needed, not {}", a(other))),
    }
}

pub(crate) fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("'true' or 'false' is needed, not {}", a(value)))
}

pub(crate) fn number(value: &DeValue<'_>, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let needed = || format!("a whole number from {} to {} is needed", range.start(), range.end());
    let integer = value.as_integer().ok_or_else(|| format!("{}, not {}", needed(), a(value)))?;
    let number = u64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| needed())?;
    if range.contains(&number) { Ok(number) } else { Err(needed()) }
}

pub(crate) fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    match value {
        DeValue::String(text) => value::duration(text),
        DeValue::Integer(n) => value::duration(n.as_str()),
        DeValue::Float(n) => value::duration(n.as_str()),
        other => Err(format!("a duration such as '5m' is needed, not {}", a(other))),
    }
}

/// A duration that is not nothing.
pub(crate) fn some_time(value: &DeValue<'_>) -> Result<Duration, String> {
    duration(value).and_then(|d| if d.is_zero() { Err("it must be more than nothing".to_owned()) } else { Ok(d) })
}

pub(crate) fn share(value: &DeValue<'_>) -> Result<f64, String> {
    match value {
        DeValue::String(text) => value::share(text),
        DeValue::Integer(n) => value::share(n.as_str()),
        DeValue::Float(n) => value::share(n.as_str()),
        other => Err(format!("a share such as '99.9%' is needed, not {}", a(other))),
    }
}

pub(crate) fn size(value: &DeValue<'_>) -> Result<u64, String> {
    match value {
        DeValue::String(text) => value::size(text),
        DeValue::Integer(n) if n.radix() == 10 => value::size(n.as_str()),
        other => Err(format!("a size such as '512MiB' is needed, not {}", a(other))),
    }
}

/// One of `words`, and what it stands for.
pub(crate) fn one_of<T: Copy>(value: &DeValue<'_>, words: &[(&'static str, T)]) -> Result<T, String> {
    let word = text(value)?;
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(known, _)| format!("'{known}'")).collect();
        format!("'{word}' is none of {}", known.join(", "))
    })
}

fn a(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}
