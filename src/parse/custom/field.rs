//! What the fields of formats say, and how they are written.
//!
//! Which name stands for which field is told by `parse::python` and `parse::nginx`.

use crate::parse::access::Unit;
use serde::Deserialize;
use serde::Serialize;

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
pub(in crate::parse) enum Shape {
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
    /// The same, and the client's address: one with a port is of a server that knows no users.
    Client,
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
    pub(super) fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::List | Self::RequestLine | Self::Target)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Clf(_) | Self::Iso | Self::Epoch | Self::Dated)
    }
}

/// A field of a format: what it says and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::parse) struct Field {
    pub(in crate::parse) meaning: Meaning,
    pub(in crate::parse) shape: Shape,
    /// Where several fields of a format say the same, the lowest is taken.
    pub(in crate::parse) rank: u8,
}

impl Field {
    pub(in crate::parse) const fn new(meaning: Meaning, shape: Shape) -> Self {
        Self { meaning, shape, rank: 0 }
    }

    pub(in crate::parse) const fn ranked(meaning: Meaning, shape: Shape, rank: u8) -> Self {
        Self { meaning, shape, rank }
    }
}

/// A field that says nothing and may be any text.
pub(in crate::parse) const ANYTHING: Field = Field::new(Meaning::Nothing, Shape::Free);
/// A field that says nothing and has no blank inside.
pub(in crate::parse) const WORD: Field = Field::new(Meaning::Nothing, Shape::Word);

/// The client's address.
pub(in crate::parse) const CLIENT: Field = Field::new(Meaning::Nothing, Shape::Client);
