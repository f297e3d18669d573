//! A server's own format string, compiled once to a parser that is as quick as the built-in ones.
//!
//! [`Compiled`] is a list of steps, each the literal text that stands before a field, and the field. The names of the
//! fields are told by `parse::python` (gunicorn, hypercorn, granian, Python logging) and `parse::nginx`; `scan` finds
//! where each field ends, `fill` reads what is needed. A line that does not fit is not ours; one that set out as this
//! format's access line and broke is malformed with a reason. Nothing is allocated for a line, no regex is used.

pub mod choice;
mod fill;
mod keys;
mod scan;
mod split;
pub mod strftime;

pub use keys::KeyMap;

pub(super) use fill::cache;

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

/// What a field says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Meaning {
    /// Nothing that is kept (addresses, agents, referrers, protocols).
    Nothing,
    /// The time of the line.
    Time,
    /// Milliseconds within the second of the time.
    Millis,
    /// Method, target and protocol in one.
    RequestLine,
    /// The method alone.
    Method,
    /// The path, with or without its query.
    Path,
    /// The status.
    Status,
    /// The size of the answer.
    Bytes,
    /// The latency, in this unit.
    Latency(Unit),
    /// The request's id.
    RequestId,
    /// Who was logged in, if anybody.
    User,
    /// What a cache said.
    Cache,
    /// `Cache-Control` of the answer.
    CacheControl,
    /// `Vary` of the answer.
    Vary,
    /// `Age` of the answer.
    Age,
    /// `Set-Cookie` of the answer.
    SetCookie,
    /// The application's version.
    Version,
    /// The process.
    Pid,
    /// The text of a log record, which has a form of its own.
    Message,
    /// The name of the logger.
    Logger,
    /// The level of a log record.
    Level,
}

/// How a field is written, which decides where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Any text: it ends at the first following literal that what comes behind bears out.
    Free,
    /// The same, but a blank behind a comma does not end it (`X-Forwarded-For`).
    List,
    /// A request line, whole.
    RequestLine,
    /// A path or a target: begins with a slash.
    Target,
    /// No blank inside, perhaps empty.
    Word,
    /// Letters, dashes and underscores.
    Token,
    /// `HTTP/1.1`, `1.1`, `2`.
    Protocol,
    /// A status phrase (`No Content`).
    Phrase,
    /// Three digits or a dash.
    Status,
    /// The same with its phrase (`200 OK`).
    StatusPhrase,
    /// Decimal digits, or a dash.
    Number,
    /// Decimal numbers with `, ` or ` : ` between them, or a dash.
    Numbers,
    /// Digits, perhaps in `<>`.
    Pid,
    /// `INFO:` and the blanks that make it nine wide.
    LevelPrefix,
    /// `23/Nov/2026:00:47:21 +0000`; true with its brackets.
    Clf(bool),
    /// `2026-11-23 00:36:48,110` and its relatives.
    Iso,
    /// Seconds since 1970 with decimals.
    Epoch,
    /// As the `datefmt` says.
    Dated,
}

impl Shape {
    fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::List | Self::RequestLine | Self::Target)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Clf(_) | Self::Iso | Self::Epoch | Self::Dated)
    }
}

/// A field of a format: what it says and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) meaning: Meaning,
    pub(super) shape: Shape,
    /// Where several fields of a format say the same, the lowest is taken.
    pub(super) rank: u8,
}

impl Field {
    pub(super) const fn new(meaning: Meaning, shape: Shape) -> Self {
        Self { meaning, shape, rank: 0 }
    }

    pub(super) const fn ranked(meaning: Meaning, shape: Shape, rank: u8) -> Self {
        Self { meaning, shape, rank }
    }
}

/// A field that says nothing and may be any text.
pub(super) const ANYTHING: Field = Field::new(Meaning::Nothing, Shape::Free);
/// A field that says nothing and has no blank inside.
pub(super) const WORD: Field = Field::new(Meaning::Nothing, Shape::Word);

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
        let source = Source { format: format.to_owned(), settings };
        Ok(Self { source, steps, tail, dated, keys, prefixed, message })
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

    /// Reads one line. `out` is filled only where the verdict is a request.
    pub fn parse<'a>(&self, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
        if self.message {
            return Verdict::NotMine;
        }
        let server = if self.prefixed { scan::server_prefix(text) } else { None };
        let start = server.as_ref().map_or(0, |s| s.length);
        let mut found = scan::Scan::new(text, memo);
        match self.scan(&mut found, start) {
            Ok(()) => self.fill(&found, server.as_ref(), out),
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
