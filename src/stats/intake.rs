//! Lines read, by kind; malformed ones by reason; what was late, undated or lost.
//!
//! The sum law of the report stands here: every line is exactly one kind.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::parse::Reject;

/// What a line was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An access line.
    Request,
    /// Another line about a request that is counted already.
    Companion,
    /// The server speaking of itself.
    Lifecycle,
    /// A line of a traceback.
    Traceback,
    /// Any other text.
    Message,
    /// Set out as an access line and broke.
    Malformed(Reject),
}

/// Lines by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// Lines that were requests.
    pub request: u64,
    /// Companions.
    pub companion: u64,
    /// Lifecycle lines.
    pub lifecycle: u64,
    /// Traceback lines.
    pub traceback: u64,
    /// Messages.
    pub message: u64,
    /// Malformed lines.
    pub malformed: u64,
}

impl Kinds {
    /// Counts one line.
    #[inline]
    pub fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Request => self.request += 1,
            Kind::Companion => self.companion += 1,
            Kind::Lifecycle => self.lifecycle += 1,
            Kind::Traceback => self.traceback += 1,
            Kind::Message => self.message += 1,
            Kind::Malformed(_) => self.malformed += 1,
        }
    }

    /// All lines.
    pub fn lines(&self) -> u64 {
        self.request + self.companion + self.lifecycle + self.traceback + self.message + self.malformed
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.request += other.request;
        self.companion += other.companion;
        self.lifecycle += other.lifecycle;
        self.traceback += other.traceback;
        self.message += other.message;
        self.malformed += other.malformed;
    }
}

/// What was read from one source, or from all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intake {
    /// Lines by kind.
    pub kinds: Kinds,
    /// Malformed lines by reason, in the order of [`Reject::ALL`].
    pub rejects: [u64; Reject::ALL.len()],
    /// Bytes after decompression.
    pub bytes: u64,
    /// Requests behind their window.
    pub late: u64,
    /// Requests without any time.
    pub undated: u64,
    /// Bytes destroyed before they were read.
    pub lost_bytes: u64,
    /// Messages that journald or rsyslog say they dropped.
    pub suppressed: u64,
    /// Requests whose time came from the line itself.
    pub time_of_line: u64,
    /// Requests whose time came from a wrapper.
    pub time_of_wrapper: u64,
    /// Requests whose time is that of an earlier or later line.
    pub time_of_neighbour: u64,
    /// Requests whose time is that of reading.
    pub time_of_arrival: u64,
    /// Requests whose time was read in the assumed zone.
    pub zone_assumed: u64,
    /// Messages that vitalog wrote itself. Of this run alone: it is not stored.
    #[serde(skip)]
    pub own: u64,
}

impl Intake {
    /// Counts one line.
    #[inline]
    pub fn count(&mut self, kind: Kind) {
        self.kinds.count(kind);
        if let Kind::Malformed(reject) = kind {
            self.rejects[reject as usize] += 1;
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.kinds.add(&other.kinds);
        for (n, more) in self.rejects.iter_mut().zip(&other.rejects) {
            *n += more;
        }
        self.bytes += other.bytes;
        self.late += other.late;
        self.undated += other.undated;
        self.lost_bytes += other.lost_bytes;
        self.suppressed += other.suppressed;
        self.time_of_line += other.time_of_line;
        self.time_of_wrapper += other.time_of_wrapper;
        self.time_of_neighbour += other.time_of_neighbour;
        self.time_of_arrival += other.time_of_arrival;
        self.zone_assumed += other.zone_assumed;
        self.own += other.own;
    }

    /// Malformed lines by reason; reasons that did not occur are left out.
    pub fn reasons(&self) -> BTreeMap<&'static str, u64> {
        Reject::ALL.iter().zip(self.rejects).filter(|(_, n)| *n > 0).map(|(r, n)| (r.name(), n)).collect()
    }
}
