//! The totals of one group: requests by status, bytes, latency to three digits, headers where they are logged.

use super::headers::HeaderCounts;
use super::latency::Bounds;
use super::latency::Fine;

/// Totals; order of recording and merging does not matter.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests by status, in order of first appearance until [`Tally::statuses`] sorts them.
    statuses: Vec<(u16, u64)>,
    /// Bytes sent.
    pub bytes: u64,
    /// Requests that named their bytes.
    pub sized: u64,
    /// Latency of the requests that named it.
    pub latency: Fine,
    /// What answers said about keeping them; `None` where no line tells.
    pub headers: Option<Box<HeaderCounts>>,
}

impl Tally {
    /// Counts one request.
    #[inline]
    pub fn record(&mut self, status: u16, bytes: Option<u64>, latency_us: Option<u64>, bounds: &Bounds) {
        self.add_status(status, 1);
        if let Some(bytes) = bytes {
            self.bytes += bytes;
            self.sized += 1;
        }
        if let Some(us) = latency_us {
            self.latency.record(us, bounds);
        }
    }

    /// Counts `n` requests of a status.
    #[inline]
    pub fn add_status(&mut self, status: u16, n: u64) {
        match self.statuses.iter_mut().find(|s| s.0 == status) {
            Some(s) => s.1 += n,
            None => self.statuses.push((status, n)),
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        for &(status, n) in &other.statuses {
            self.add_status(status, n);
        }
        self.bytes += other.bytes;
        self.sized += other.sized;
        self.latency.merge(&other.latency);
        if let Some(headers) = &other.headers {
            self.headers.get_or_insert_default().add(headers);
        }
    }

    /// Requests by status, ascending.
    pub fn statuses(&self) -> Vec<(u16, u64)> {
        let mut all = self.statuses.clone();
        all.sort_unstable();
        all
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.statuses.iter().map(|s| s.1).sum()
    }
}
