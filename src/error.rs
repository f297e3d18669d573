//! What went wrong: what was being done, to which path or setting, and why it failed.
//!
//! Leaves the exit code to `cli/exit.rs` and the printing to `cli/mod.rs`. The form of a message is the
//! house's own: lower case, no full stop, the remedy last in brackets.

use std::fmt;

/// What kind of failure it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Wrong usage or configuration, or a condition that cannot be judged (exit 2).
    Usage,
    /// An input could not be read (exit 3); the remedy stands in the message.
    Input,
    /// The state file is held by another writer, or newer than this program (exit 4).
    State,
    /// An output could not be written (exit 3), unless it is a closed pipe.
    Output,
}

/// One failure, told on one line: what was being done, on what, why, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Which kind, for the exit code.
    pub fault: Fault,
    /// The whole message without the program's name; no secret, no control byte.
    pub message: String,
}

impl Error {
    /// A failure of kind `fault` with its message.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Fault::Usage, message)
    }

    /// An input that could not be read.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Fault::Input, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
