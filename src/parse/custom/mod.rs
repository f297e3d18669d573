//! A server's own format string, compiled once to a parser that is as quick as the built-in ones.
//!
//! [`Compiled`] is a list of steps, each the literal text that stands before a field, and the field. The names of the
//! fields are told by `parse::python` (gunicorn, hypercorn, granian, Python logging) and `parse::nginx`; `scan` finds
//! where each field ends, `fill` reads what is needed. A line that does not fit is not ours; one that set out as this
//! format's access line and broke is malformed with a reason. Nothing is allocated for a line, no regex is used.

pub mod choice;
mod fast;
mod field;
mod fill;
mod keys;
mod scan;
mod split;
pub mod strftime;

pub use field::Meaning;
pub use keys::KeyMap;

pub(super) use field::ANYTHING;
pub(super) use field::CLIENT;
pub(super) use field::Field;
pub(super) use field::Shape;
pub(super) use field::WORD;
pub(super) use fill::cache;

use super::Ends;
use super::Record;
use super::Verdict;
use super::access::Memo;
use super::access::Unit;
use crate::error::Error;
use crate::time::Stamp;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use strftime::Strftime;

/// The most fields a format may have.
const MOST: usize = 40;
/// The longest format string, in bytes.
const LONGEST: usize = 16 << 10;

/// Whose way of writing fields a format string follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// `%(name)s`: gunicorn, hypercorn and granian access formats, Python logging.
    Percent,
    /// `{name}`: Python logging with `style="{"`, loguru.
    Brace,
    /// `$name` or `${name}`: Python logging with `style="$"`.
    Dollar,
    /// `$name` or `${name}`: nginx.
    Nginx,
}

/// What a format string needs beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// How fields are written; `None` to tell it from the text.
    pub dialect: Option<Dialect>,
    /// The `datefmt` of `asctime` (strftime); `None` is Python's default, `2026-11-23 00:36:48,110`.
    pub datefmt: Option<String>,
}

/// A format string and its settings: all that a [`Compiled`] is made from, and what it is stored as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The format string as the server has it.
    pub format: String,
    /// What else is needed to read it.
    pub settings: Settings,
}

/// Why a format string cannot be compiled, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The position in the format string, in bytes.
    pub at: usize,
    /// What is wrong there, and what to write instead.
    pub message: String,
}

impl FormatError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// The same as an error of usage that shows where in `format` it breaks. `what` names the setting it came from.
    pub fn in_setting(&self, what: &str, format: &str) -> Error {
        let near: String = format.get(self.at..).unwrap_or_default().chars().take(24).collect();
        let place =
            if near.is_empty() { "at its end".to_owned() } else { format!("at byte {}, '{}'", self.at, near.escape_debug()) };
        Error::usage(format!("{what}: cannot use this format, {place}: {}", self.message))
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.message)
    }
}

impl std::error::Error for FormatError {}

/// The literal text before a field, and the field.
#[derive(Debug, Clone)]
struct Step {
    literal: Box<[u8]>,
    field: Field,
    /// It stands in double quotes: an escaped one does not end it.
    quoted: bool,
    /// Written with a width: blanks may stand on either side.
    padded: bool,
}

/// A format string as a parser.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Source", into = "Source")]
pub struct Compiled {
    source: Source,
    steps: Vec<Step>,
    tail: Box<[u8]>,
    /// For usual lines.
    plan: Option<fast::Plan>,
    dated: Option<Strftime>,
    keys: Option<KeyMap>,
    /// Server lines of hypercorn's and gunicorn's kind (`[time] [pid] [INFO] `) may stand before it.
    prefixed: bool,
    message: bool,
}

impl TryFrom<Source> for Compiled {
    type Error = FormatError;

    fn try_from(source: Source) -> Result<Self, FormatError> {
        Self::new(&source.format, source.settings)
    }
}

impl From<Compiled> for Source {
    fn from(compiled: Compiled) -> Self {
        compiled.source
    }
}

/// Two are equal where they were made from the same.
impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// The names of the fields in `format`, in their order; none where it is no format.
pub(super) fn names(format: &str, dialect: Dialect) -> Vec<String> {
    let pieces = split::split(format, dialect).unwrap_or_default();
    let name = |piece| if let split::Piece::Field { name, .. } = piece { Some(name) } else { None };
    pieces.into_iter().filter_map(name).collect()
}

/// A log record of the application, its message still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Message<'a> {
    /// The message alone.
    pub text: &'a [u8],
    /// When it was written.
    pub time: Option<Stamp>,
    /// The process that wrote it.
    pub pid: Option<u32>,
    /// The logger's name (`uvicorn.access`), empty where not written.
    pub logger: &'a [u8],
    /// The level's name as written, empty where not written.
    pub level: &'a [u8],
    /// The request's id, empty where not written.
    pub request_id: &'a [u8],
}

impl Compiled {
    /// The parser of `format`.
    ///
    /// # Errors
    /// Where the string is no format, names a field that no server has, has two fields with nothing between them, or
    /// names neither a request nor a message: with the position and the remedy.
    pub fn new(format: &str, settings: Settings) -> Result<Self, FormatError> {
        if format.len() > LONGEST {
            return Err(FormatError::new(LONGEST, "a format string has at most 16 KiB"));
        }
        let dialect = settings.dialect.unwrap_or_else(|| split::dialect(format));
        let pieces = split::split(format, dialect)?;
        let dated = settings.datefmt.as_deref().map(Strftime::new).transpose()?;
        let (mut steps, tail) = split::steps(&pieces, dialect, dated.is_some())?;
        let message = steps.iter().any(|s| s.field.meaning == Meaning::Message);
        let keys = KeyMap::of(&pieces, &steps);
        split::keep_best(&mut steps);
        let settings = Settings { dialect: Some(dialect), datefmt: settings.datefmt };
        let prefixed = dialect == Dialect::Percent && !message && !split::begins_like_a_server_line(&steps);
        let plan = if message { None } else { fast::Plan::new(&steps, &tail) };
        let source = Source { format: format.to_owned(), settings };
        Ok(Self { source, steps, tail, plan, dated, keys, prefixed, message })
    }

    /// The format string it was made from.
    pub fn source(&self) -> &str {
        &self.source.format
    }

    /// How its fields are written.
    pub fn dialect(&self) -> Dialect {
        self.source.settings.dialect.unwrap_or(Dialect::Percent)
    }

    /// Whether it is a log record with a message in it: then [`Compiled::message`] takes it off, and the message is to
    /// be read by another form. [`Compiled::parse`] takes no line of such a format.
    pub fn has_message(&self) -> bool {
        self.message
    }

    /// Where the format is one JSON object: which key says what, in the order written. `None` for any other format.
    pub fn keys(&self) -> Option<&KeyMap> {
        self.keys.as_ref()
    }

    /// The unit its latency is read in, `None` where it has none.
    pub fn latency_unit(&self) -> Option<Unit> {
        self.steps.iter().find_map(|s| match s.field.meaning {
            Meaning::Latency(unit) => Some(unit),
            _ => None,
        })
    }

    /// Reads one line. `out`, which must be empty, is filled where the verdict is a request, and empty else.
    pub fn parse<'a>(&self, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
        if self.message {
            return Verdict::NotMine;
        }
        let verdict = self.parse_any(text, memo, out);
        if verdict != Verdict::Request {
            *out = Record::default();
        } else if out.latency_us.is_some() && self.dialect() == Dialect::Nginx {
            out.ends = Ends::LastByte;
        }
        verdict
    }

    fn parse_any<'a>(&self, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
        let server = if self.prefixed && text.first() == Some(&b'[') { scan::server_prefix(text) } else { None };
        let start = server.as_ref().map_or(0, |s| s.length);
        if let Some(plan) = &self.plan
            && plan.read(text.get(start..).unwrap_or_default(), memo, out).is_some()
        {
            if let Some(server) = &server {
                out.time = out.time.or(server.time);
                out.pid = out.pid.or(server.pid);
            }
            return Verdict::Request;
        }
        self.parse_long(text, server.as_ref(), memo, out)
    }

    /// The same for a line that is not as usual.
    fn parse_long<'a>(
        &self,
        text: &'a [u8],
        server: Option<&scan::ServerPrefix>,
        memo: &mut Memo,
        out: &mut Record<'a>,
    ) -> Verdict {
        let mut found = scan::Scan::new(text, memo);
        match self.scan(&mut found, server.map_or(0, |s| s.length)) {
            Ok(()) => self.fill(&found, server, out),
            Err(()) => self.broken(&found),
        }
    }

    /// Takes a log record's own text out of a line; `None` where the line does not fit or the format has no message.
    pub fn message<'a>(&self, text: &'a [u8], memo: &mut Memo) -> Option<Message<'a>> {
        if !self.message {
            return None;
        }
        let mut found = scan::Scan::new(text, memo);
        self.scan(&mut found, 0).ok()?;
        Some(self.record(&found))
    }
}

#[cfg(test)]
mod tests;
