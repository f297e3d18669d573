//! The only reader of the wall clock.

use std::time::SystemTime;

use crate::time::Timestamp;

/// The present.
#[expect(clippy::disallowed_methods, reason = "this is the place that others are told to look at")]
pub fn now() -> Timestamp {
    of(SystemTime::now())
}

/// A moment of the system, as a file's date is one.
pub fn of(moment: SystemTime) -> Timestamp {
    let micros = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()),
        Err(before) => i64::try_from(before.duration().as_micros()).map(|m| -m),
    };
    Timestamp(micros.unwrap_or(i64::MAX))
}
