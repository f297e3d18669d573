//! Whole lines: cut from the stream, the wrapper taken off, pieces put together.
//!
//! Gives a [`Line`]: the application's own text, and what the wrapper knew as a hint. Leaves the meaning of the
//! text to `parse`. Nothing here is an error: what cannot be unwrapped is a line as it stands, or counted.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

pub mod ansi;
pub mod blocks;
pub mod join;
pub mod parcel;
pub mod split;
pub mod unwrap;

mod cri;
mod docker;
mod hosted;
mod journald;
mod json;
pub mod pods;
mod prefix;
mod step;
mod syslog;
mod wrapper;

pub use unwrap::Unwrapper;

use crate::time::Stamp;

/// The longest line that is parsed, in bytes; a longer one is counted malformed and its rest skipped.
pub const LONGEST: usize = 1 << 20;

/// One whole line: the application's own text, and the wrapper's hints. Borrowed from the read buffer or from the
/// joiner's buffer; valid until the next line is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text the application wrote, without line end, wrapper or colour codes. May hold any byte.
    pub text: &'a [u8],
    /// What the wrapper said about it.
    pub hint: Hint<'a>,
}

/// What a wrapper knows about a line that the line itself may not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hint<'a> {
    /// When the wrapper took the line in.
    pub time: Option<Stamp>,
    /// Pod, container, unit, process name or replica: lines of different instances are never joined.
    pub instance: &'a [u8],
    /// The service this wrapper names (compose service, container, systemd unit, syslog ident), empty if none.
    pub service: &'a [u8],
    /// The process that wrote it, where the wrapper says so.
    pub pid: Option<u32>,
    /// True for standard error where the wrapper tells the streams apart.
    pub stderr: bool,
}

/// What is left of one raw line without its wrappers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeled<'a> {
    /// A whole line, with pieces that came before it.
    Line(Line<'a>),
    /// A piece of a line that goes on: nothing to count yet.
    Held,
    /// No line can be had from it; counts as one malformed line.
    Broken(Broken),
    /// There was a line, but its wrapper says that the text is not shown (journald): counts as a message.
    Lost,
}

/// Why no line could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The wrapper itself broke off: half a JSON object, a line whose other pieces never came.
    Wrapper,
    /// The pieces together are longer than [`LONGEST`].
    TooLong,
}

/// What one wrapper makes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Off<'a> {
    /// It has no such wrapper.
    Not,
    /// What was inside, and what the wrapper says of it.
    Inner(Line<'a>),
    /// The same, of a line that goes on.
    Piece(Line<'a>),
    /// It has half of such a wrapper.
    Broken,
    /// It has such a wrapper, which does not show the text.
    Lost,
}
