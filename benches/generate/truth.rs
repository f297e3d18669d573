//! What a reader of the generated log must find: counts, and exact nearest-rank percentiles.

use std::collections::BTreeMap;
use std::io::Result;
use std::io::Write;

use super::routes::ROUTES;

/// Everything about one group of requests.
#[derive(Default, Clone)]
struct Group {
    client_errors: u64,
    errors: u64,
    latencies_us: Vec<u32>,
}

impl Group {
    fn record(&mut self, status: u16, latency_us: u32) {
        self.client_errors += u64::from((400..500).contains(&status));
        self.errors += u64::from(status >= 500);
        self.latencies_us.push(latency_us);
    }

    /// Smallest value with at least `percent` of all values at or below it.
    fn percentile(&self, percent: usize) -> u32 {
        let rank = (self.latencies_us.len() * percent).div_ceil(100).max(1);
        self.latencies_us.get(rank - 1).copied().unwrap_or(0)
    }

    fn figures(&mut self) -> String {
        self.latencies_us.sort_unstable();
        format!(
            "\"n\": {}, \"4xx\": {}, \"5xx\": {}, \"p50\": {}, \"p95\": {}, \"p99\": {}, \"max\": {}",
            self.latencies_us.len(),
            self.client_errors,
            self.errors,
            self.percentile(50),
            self.percentile(95),
            self.percentile(99),
            self.latencies_us.last().copied().unwrap_or(0)
        )
    }
}

/// Kept while the log is written; 4 bytes a request.
#[derive(Clone)]
pub(crate) struct Truth {
    /// By route, and last the paths that no route serves.
    groups: Vec<Group>,
    statuses: BTreeMap<u16, u64>,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

impl Truth {
    pub(crate) fn new() -> Self {
        Self { groups: vec![Group::default(); ROUTES.len() + 1], statuses: BTreeMap::new(), lines: 0, bytes: 0 }
    }

    /// One request of `ROUTES[route]`, or of no route.
    pub(crate) fn record(&mut self, route: Option<usize>, status: u16, latency_us: u32) {
        self.groups[route.unwrap_or(ROUTES.len())].record(status, latency_us);
        *self.statuses.entry(status).or_default() += 1;
    }

    /// One JSON object. Latencies are microseconds; a group without a route has `"route": null`.
    pub(crate) fn write(mut self, out: &mut impl Write) -> Result<()> {
        let mut total = Group::default();
        for group in &self.groups {
            total.latencies_us.extend(&group.latencies_us);
            total.client_errors += group.client_errors;
            total.errors += group.errors;
        }
        writeln!(out, "{{\"bytes\": {}, \"lines\": {}, \"requests\": {},", self.bytes, self.lines, total.latencies_us.len())?;
        let statuses: Vec<String> = self.statuses.iter().map(|(code, n)| format!("\"{code}\": {n}")).collect();
        writeln!(out, " \"status\": {{{}}},\n \"total\": {{{}}},\n \"routes\": [", statuses.join(", "), total.figures())?;
        for (index, route) in ROUTES.iter().enumerate() {
            let figures = self.groups[index].figures();
            writeln!(out, "  {{\"method\": \"{}\", \"route\": \"{}\", {figures}}},", route.method, route.template)?;
        }
        writeln!(out, "  {{\"method\": \"GET\", \"route\": null, {}}}]}}", self.groups[ROUTES.len()].figures())
    }
}
