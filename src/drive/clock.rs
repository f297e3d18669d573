//! The only reader of the clocks.

use std::sync::OnceLock;
use std::time::Instant;
use std::time::SystemTime;

use crate::time::Timestamp;

/// The present.
#[expect(clippy::disallowed_methods, reason = "this is the place that others are told to look at")]
pub fn now() -> Timestamp {
    of(SystemTime::now())
}

/// Microseconds of a clock that nobody sets, since this was asked first.
#[expect(clippy::disallowed_methods, reason = "this is the place that others are told to look at")]
pub fn steady() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// A moment of the system, as a file's date is one.
pub fn of(moment: SystemTime) -> Timestamp {
    let micros = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()),
        Err(before) => i64::try_from(before.duration().as_micros()).map(|m| -m),
    };
    Timestamp(micros.unwrap_or(i64::MAX))
}
