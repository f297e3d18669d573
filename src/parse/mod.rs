//! What a line says: a request, a part of a traceback, the server speaking of itself, or just a message.
//!
//! Gives a [`Record`] borrowed from the line, or a [`Reject`] with a reason from a closed set. Knows no files, no
//! routes and no clock. Bytes come from strangers: nothing here indexes or slices without a check.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

pub mod access;
pub mod clf;
pub mod custom;
pub mod daphne;
pub mod detect;
pub mod fields;
pub mod granian;
mod head;
pub mod hypercorn;
pub mod lifecycle;
pub mod logfmt;
pub mod loguru;
pub mod look;
pub mod lost;
pub mod nginx;
pub mod own;
pub mod pair;
pub mod pattern;
pub mod python;
pub mod reader;
pub mod redact;
pub mod rich;
pub mod server;
pub mod structlog;
pub mod timing;
pub mod traceback;
pub mod uvicorn;

use crate::time::Stamp;

/// The status of a request. 0 stands for "no answer" (`-` or 000: the client went away), else 100 to 599.
pub type Status = u16;

/// Whether a request was made by somebody logged in. Never who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub enum Auth {
    /// The log has no field that could tell.
    #[default]
    Unknown,
    /// The field is there and empty.
    Anonymous,
    /// The field is there and names somebody.
    Authenticated,
}

/// What a cache in front of or inside the service said about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub enum Cache {
    /// The log does not say.
    #[default]
    None,
    /// Answered from the cache.
    Hit,
    /// Asked behind the cache.
    Miss,
    /// In the cache, but too old; asked behind it.
    Expired,
    /// In the cache, too old, answered all the same.
    Stale,
    /// Not looked up.
    Bypass,
    /// A word we do not know.
    Other,
}

/// How exact a figure of time is written, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Ends {
    /// The form does not tell.
    #[default]
    Unknown,
    /// When the response's headers went out.
    Headers,
    /// With the last byte of the body.
    LastByte,
}

/// The part a line plays for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Role {
    /// The access line itself: always a request.
    #[default]
    Access,
    /// A middleware's line about a request (it may carry status and latency): a companion where the access line is
    /// there too, else the request itself.
    Timing,
    /// A line at a request's start only (no status, no latency): a companion always.
    Start,
    /// The router's or load balancer's line beside the application's: a companion where that is there too.
    Router,
}

/// One request as one line tells it. Borrowed from the line or from the reader's scratch buffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// Access line, timing line, or start line.
    pub role: Role,
    /// `GET`, `WEBSOCKET` …; empty where the line names none (shown as `-`).
    pub method: &'a [u8],
    /// The path as logged, query and fragment cut off; of an absolute URL the path alone. Empty where not named.
    pub path: &'a [u8],
    /// The route template where the log itself names it (`http.route` and the like); empty else.
    pub route: &'a [u8],
    /// 0 = no answer (`-`, 000); `None` where this line does not know it (timing lines).
    pub status: Option<Status>,
    /// Size of the answer in bytes, where written.
    pub bytes: Option<u64>,
    /// Latency in microseconds, where written with a known unit.
    pub latency_us: Option<u64>,
    /// Where that latency ends.
    pub ends: Ends,
    /// The line's own time.
    pub time: Option<Stamp>,
    /// Logged in or not.
    pub auth: Auth,
    /// The cache's word.
    pub cache: Cache,
    /// The application's version, empty where not logged.
    pub version: &'a [u8],
    /// The request's id, empty where not logged. Pairs lines; never shown.
    pub request_id: &'a [u8],
    /// The process that served it.
    pub pid: Option<u32>,
    /// Service named by the line itself (`service` key), empty where not.
    pub service: &'a [u8],
    /// Logged cache headers, empty where not logged.
    pub headers: Headers<'a>,
    /// An exception carried by the same record (JSON `exc_info`, `exception`): the traceback's text, newlines real.
    pub exception: &'a [u8],
}

/// Response headers about caching, where a format logs them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// `Cache-Control`, empty where not logged; `-` where logged and absent.
    pub cache_control: &'a [u8],
    /// `Vary`.
    pub vary: &'a [u8],
    /// `Age` in seconds.
    pub age: Option<u64>,
    /// True where a `Set-Cookie` was logged and present.
    pub set_cookie: bool,
}

/// Why a line that set out as an access line is not one. A closed set: the names stand in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reject {
    /// The line ends before its status.
    Cut,
    /// The status is no number from 100 to 599.
    Status,
    /// The request line has no method or no path.
    RequestLine,
    /// A number (bytes, duration) is none, or beyond what can be.
    Number,
    /// The time stamp is impossible.
    Time,
    /// The wrapper broke off (half a JSON object, a piece without its beginning).
    Wrapper,
    /// A JSON line that set out as an access record and broke.
    Json,
    /// Longer than [`crate::line::LONGEST`].
    TooLong,
    /// Tracebacks of several workers interleaved beyond telling apart.
    Interleaved,
    /// Bytes that are no text (a binary file).
    Binary,
}

impl Reject {
    /// Every reason, in the order of the report.
    pub const ALL: [Self; 10] = [
        Self::Cut,
        Self::Status,
        Self::RequestLine,
        Self::Number,
        Self::Time,
        Self::Wrapper,
        Self::Json,
        Self::TooLong,
        Self::Interleaved,
        Self::Binary,
    ];

    /// The reason's name in the report's `malformed_reasons`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Status => "status",
            Self::RequestLine => "request_line",
            Self::Number => "number",
            Self::Time => "time",
            Self::Wrapper => "wrapper",
            Self::Json => "json",
            Self::TooLong => "too_long",
            Self::Interleaved => "interleaved",
            Self::Binary => "binary",
        }
    }
}

/// What one written form makes of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is of this form, and `record` is filled in.
    Request,
    /// It set out in this form and broke.
    Malformed(Reject),
    /// It is not of this form.
    NotMine,
}

/// The exception at the end of a traceback, as its last lines print it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exception {
    /// The final type as printed (`KeyError`, `fastapi.exceptions.ResponseValidationError`); a group of exactly one is
    /// looked through.
    pub kind: String,
    /// The message as printed, at most 1,000 bytes, not yet redacted.
    pub message: String,
    /// The innermost application frame, `shop/cart.py:88`; empty where no frame is the application's own.
    pub place: String,
    /// Method and path where the report itself names the request (Flask, Django); empty else.
    pub request: (String, String),
    /// The request's id where the report names it.
    pub request_id: String,
    /// The process where the report names it.
    pub pid: Option<u32>,
    /// Who reported it: the server reports what a middleware may have reported before.
    pub reporter: traceback::Reporter,
    /// It spoiled no HTTP answer: raised by a background task after the answer, or in a WebSocket.
    pub no_answer: bool,
}
