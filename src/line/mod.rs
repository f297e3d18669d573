//! Whole lines: cut from the stream, the wrapper taken off, pieces put together.
//!
//! Gives a [`Line`]: the application's own text, and what the wrapper knew as a hint. Leaves the meaning of the
//! text to `parse`. Nothing here is an error: what cannot be unwrapped is a line as it stands, or counted.

pub mod ansi;
pub mod cri;
pub mod docker;
pub mod join;
pub mod journald;
pub mod prefix;
pub mod split;
pub mod syslog;

use crate::time::Stamp;

/// The longest line that is parsed, in bytes; a longer one is counted malformed and its rest skipped.
pub const LONGEST: usize = 1 << 20;

/// One whole line: the application's own text, and the wrapper's hints. Borrowed from the read buffer or from the
/// joiner's buffer; valid until the next line is asked for.
#[derive(Debug, Clone, Copy, Default)]
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
