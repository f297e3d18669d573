//! The user's own regular expression with named groups, `/…/`.
//!
//! The names say what a group is; an unknown name is refused with the list. Syntax and limits are the `regex` crate's:
//! no back-references, linear time. Slower than the other forms by its nature.

use super::Auth;
use super::Record;
use super::Reject;
use super::Verdict;
use super::access::Memo;
use super::access::Unit;
use super::access::apart;
use super::access::micros;
use super::access::number;
use super::access::path;
use super::custom::FormatError;
use super::custom::cache;
use crate::time::Stamp;
use crate::time::clf;
use crate::time::epoch;
use crate::time::iso;
use crate::time::of_day;
use crate::time::yearless;
use regex::bytes::Regex;
use regex::bytes::RegexBuilder;
use serde::Deserialize;
use serde::Serialize;

/// The longest pattern, in bytes.
const LONGEST: usize = 4 << 10;
/// The most memory a compiled pattern may take, in bytes.
const LARGEST: usize = 1 << 20;

/// The groups that are known.
pub const GROUPS: [&str; 19] = [
    "method",
    "path",
    "request",
    "route",
    "status",
    "bytes",
    "time",
    "latency",
    "latency_s",
    "latency_ms",
    "latency_us",
    "latency_ns",
    "request_id",
    "user",
    "pid",
    "version",
    "cache",
    "service",
    "host",
];

/// A regular expression as a parser.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    regex: Regex,
    /// The known groups in it: the group's number, and its place in [`GROUPS`].
    groups: Vec<(usize, usize)>,
}

impl TryFrom<String> for Pattern {
    type Error = FormatError;

    fn try_from(pattern: String) -> Result<Self, FormatError> {
        Self::new(&pattern)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.source().to_owned()
    }
}

/// Two are equal where they were made from the same.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Pattern {
    /// The parser of the pattern, which stands without its slashes.
    ///
    /// # Errors
    /// Where it is no regular expression, too large, has an unknown group or tells neither status nor path: with the
    /// position in the pattern.
    pub fn new(pattern: &str) -> Result<Self, FormatError> {
        if pattern.len() > LONGEST {
            return Err(FormatError::new(LONGEST, "a pattern has at most 4 KiB"));
        }
        let mut builder = RegexBuilder::new(pattern);
        let regex =
            builder.size_limit(LARGEST).dfa_size_limit(LARGEST).nest_limit(64).build().map_err(|e| refused(pattern, &e))?;
        let mut groups = Vec::new();
        for (index, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            let Some(known) = GROUPS.iter().position(|g| *g == name) else {
                let at = pattern.find(&format!("<{name}>")).map_or(0, |at| at + 1);
                return Err(FormatError::new(
                    at,
                    format!("no group is called '{name}'; known: {} (write (?:…) for one without a name)", GROUPS.join(" ")),
                ));
            };
            groups.push((index, known));
        }
        let told =
            groups.iter().any(|(_, known)| GROUPS.get(*known).is_some_and(|g| matches!(*g, "status" | "path" | "request")));
        if !told {
            return Err(FormatError::new(
                0,
                "the pattern tells no request: it needs a group 'status', 'path' or 'request', as in (?P<status>[0-9]{3})",
            ));
        }
        Ok(Self { regex, groups })
    }

    /// The pattern it was made from.
    pub fn source(&self) -> &str {
        self.regex.as_str()
    }

    /// Reads one line: not ours where the pattern does not match; malformed where a matched figure is none.
    pub fn parse<'a>(&self, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
        let Some(found) = self.regex.captures(text) else { return Verdict::NotMine };
        let mut record = Record::default();
        for (index, known) in &self.groups {
            let (Some(group), Some(name)) = (found.get(*index), GROUPS.get(*known)) else { continue };
            if let Err(reject) = put(&mut record, name, group.as_bytes(), memo) {
                return Verdict::Malformed(reject);
            }
        }
        if record.status == Some(101) {
            record.latency_us = None;
        }
        *out = record;
        Verdict::Request
    }
}

/// Where and why the expression is none, out of the error's own drawing.
fn refused(pattern: &str, error: &regex::Error) -> FormatError {
    let text = error.to_string();
    let drawn = text
        .lines()
        .find(|line| !line.trim().is_empty() && line.trim().bytes().all(|b| b == b'^'))
        .and_then(|line| line.find('^'));
    let column = drawn.and_then(|at| at.checked_sub(4)).unwrap_or(0);
    let at = pattern.char_indices().nth(column).map_or(pattern.len(), |(at, _)| at);
    let why = text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it is larger than 1 MiB when compiled");
    FormatError::new(at, why)
}

fn put<'a>(record: &mut Record<'a>, name: &str, text: &'a [u8], memo: &Memo) -> Result<(), Reject> {
    let absent = matches!(text, b"" | b"-");
    match name {
        "request" => (record.method, record.path) = apart(text),
        "status" => record.status = Some(if absent { 0 } else { status(text)? }),
        "path" => record.path = path(text),
        "user" => record.auth = if absent { Auth::Anonymous } else { Auth::Authenticated },
        "cache" => record.cache = cache(text),
        _ if absent => {}
        "method" => record.method = text,
        "route" => record.route = text,
        "bytes" => record.bytes = Some(number(text).ok_or(Reject::Number)?),
        "time" => record.time = Some(time(text).ok_or(Reject::Time)?),
        "request_id" => record.request_id = text,
        "pid" => record.pid = Some(number(text).and_then(|n| u32::try_from(n).ok()).ok_or(Reject::Number)?),
        "version" => record.version = text,
        "service" => record.service = text,
        _ => {
            let unit = name.strip_prefix("latency_").and_then(Unit::from_name);
            if name.starts_with("latency") {
                record.latency_us = Some(latency(text, unit, memo).ok_or(Reject::Number)?);
            }
        }
    }
    Ok(())
}

fn status(text: &[u8]) -> Result<u16, Reject> {
    let code = number(text).and_then(|n| u16::try_from(n).ok());
    code.filter(|c| *c == 0 || (100..=599).contains(c)).ok_or(Reject::Status)
}

/// A figure in `unit`; without one the unit behind the figure, else the source's, else seconds.
fn latency(text: &[u8], unit: Option<Unit>, memo: &Memo) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let (figure, written) = text.split_at_checked(digits)?;
    let written = std::str::from_utf8(written.trim_ascii()).ok()?;
    let unit = match (unit, written) {
        (Some(unit), "") => unit,
        (None, "") => memo.reading.bare_unit.unwrap_or(Unit::Seconds),
        (_, name) => Unit::from_name(name)?,
    };
    micros(figure, unit)
}

/// Any written time that is known.
fn time(text: &[u8]) -> Option<Stamp> {
    let text = text.strip_prefix(b"[").map_or(text, |t| t.strip_suffix(b"]").unwrap_or(t));
    let read = [iso, clf, yearless, of_day].into_iter().find_map(|form| form(text));
    read.map(|(stamp, _)| stamp).or_else(|| epoch(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(pattern: &str, line: &'a str) -> (Verdict, Record<'a>) {
        let mut record = Record::default();
        let verdict = Pattern::new(pattern).unwrap().parse(line.as_bytes(), &mut Memo::default(), &mut record);
        (verdict, record)
    }

    #[test]
    fn named_groups_fill_the_record() {
        let pattern =
            r"^(?P<time>\S+) (?P<method>\S+) (?P<path>\S+) -> (?P<status>\S+) in (?P<latency_ms>[\d.]+)ms by (?P<user>\S+)$";
        let (verdict, record) = read(pattern, "2026-11-23T00:36:48Z GET /a/7?q=1 -> 503 in 12.5ms by bob");
        assert_eq!(Verdict::Request, verdict);
        assert_eq!(
            (&b"GET"[..], &b"/a/7"[..], Some(503), Some(12_500), Auth::Authenticated),
            (record.method, record.path, record.status, record.latency_us, record.auth)
        );
        assert_eq!(Some(1_795_394_208), record.time.map(|t| if let Stamp::Exact(t) = t { t.second() } else { 0 }));
        assert_eq!(Verdict::NotMine, read(pattern, "hello").0);
        assert_eq!(Verdict::Malformed(Reject::Status), read(r"(?P<status>\d+)", "status 2000").0);
    }

    #[test]
    fn a_latency_without_a_unit_is_seconds_and_one_with_is_not() {
        let us = |pattern, line| read(pattern, line).1.latency_us;
        assert_eq!(Some(250_000), us(r"(?P<status>\d{3}) (?P<latency>\S+)", "200 0.25"));
        assert_eq!(Some(250), us(r"(?P<status>\d{3}) (?P<latency>\S+)", "200 0.25ms"));
        assert_eq!(Some(7), us(r"(?P<status>\d{3}) (?P<latency_us>\S+)", "200 7"));
    }

    #[test]
    fn a_bad_pattern_is_refused_where_it_breaks() {
        for (at, word, pattern) in [
            (1, "unclosed group", "a(b"),
            (14, "repetition", "(?P<status>.)(*"),
            (4, "no group is called 'stat'", "(?P<stat>x)"),
            (0, "status", "(?P<method>x)"),
            (0, "larger", r"(?P<status>\w{400}{40})"),
            (11, "look-around", "(?P<path>x)(?=y)"),
        ] {
            let error = Pattern::new(pattern).err().unwrap();
            assert!(error.message.contains(word), "{pattern}: {error}");
            assert_eq!(at, error.at, "{pattern}: {error}");
        }
        assert_eq!(Some(LONGEST), Pattern::new(&"a".repeat(LONGEST + 1)).err().map(|e| e.at));
    }

    #[test]
    fn stored_and_loaded_it_is_the_same() {
        let pattern = Pattern::new(r"(?P<status>\d{3})").unwrap();
        assert_eq!(pattern, serde_json::from_str(&serde_json::to_string(&pattern).unwrap()).unwrap());
    }
}
