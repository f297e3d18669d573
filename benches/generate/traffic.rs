//! Who asks what, when, and how it is answered. Leaves the written form to `form`.
//!
//! 95.0 / 1.0 / 3.0 / 1.0 % of the answers are 2xx / 3xx / 4xx / 5xx; a third of the requests have a query; latency is
//! log-normal by route; a tenth of the 4xx are scanners on paths that no route serves; one lines in a thousand is no
//! access line; for half a percent of the log one route is slow and fails.

use super::form::Form;
use super::form::Writer;
use super::random::Random;
use super::random::normal_quantile;
use super::routes::INCIDENT;
use super::routes::ROUTES;
use super::routes::SCANNED;
use super::truth::Truth;

/// A log to write.
pub(crate) struct Plan {
    pub(crate) form: Form,
    /// 0 never ends.
    pub(crate) bytes: u64,
    pub(crate) seed: u64,
    /// Seconds since 1970.
    pub(crate) start: Option<u64>,
    pub(crate) span: Option<u64>,
    /// Bytes a second.
    pub(crate) rate: Option<u64>,
}

/// One request, before it is written.
pub(crate) struct Request {
    /// Index into `ROUTES`; `None` for a path that no route serves.
    pub(crate) route: Option<usize>,
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    pub(crate) status: u16,
    pub(crate) latency_us: u32,
    /// `None` where the answer has no body.
    pub(crate) body: Option<u64>,
}

const QUANTILES: usize = 4096;
const SLOTS: usize = 1 << 14;
const GIB: u64 = 1 << 30;
const SIX_DAYS_S: u64 = 6 * 86_400;
/// 2026-11-17 00:00 UTC.
const START_S: u64 = 1_794_873_600;
/// Thousandths of the mean traffic, by hour of the day; 24,000 in all.
const HOURS: [u64; 24] = [
    420, 330, 280, 260, 280, 380, 560, 820, 1040, 1180, 1240, 1280, 1330, 1290, 1260, 1270, 1330, 1440, 1540, 1620, 1580, 1330,
    1080, 860,
];

/// The stream of lines.
pub(crate) struct Traffic {
    random: Random,
    writer: Writer,
    bytes: u64,
    written: u64,
    lines: u64,
    clock_ns: u64,
    ns_per_byte: f64,
    even: bool,
    /// Zipf's law, as slots to draw from.
    slots: Vec<u8>,
    /// By route, latencies at evenly spaced quantiles.
    latencies_us: Vec<[u32; QUANTILES]>,
    truth: Option<Truth>,
}

impl Traffic {
    /// The beginning of the log that `plan` describes.
    pub(crate) fn new(plan: &Plan, with_truth: bool) -> Self {
        let span_s = plan.span.unwrap_or((SIX_DAYS_S * plan.bytes).div_ceil(GIB));
        let ns_per_byte = match plan.rate {
            Some(rate) => 1e9 / rate as f64,
            None if plan.bytes == 0 => 1e9 * SIX_DAYS_S as f64 / GIB as f64,
            None => 1e9 * span_s as f64 / plan.bytes as f64,
        };
        Self {
            random: Random::new(plan.seed),
            writer: Writer::new(plan.form),
            bytes: if plan.bytes == 0 { u64::MAX } else { plan.bytes },
            written: 0,
            lines: 0,
            clock_ns: plan.start.unwrap_or(START_S) * 1_000_000_000,
            ns_per_byte,
            even: plan.rate.is_some(),
            slots: zipf(),
            latencies_us: ROUTES.iter().map(|route| log_normal(f64::from(route.median_us), route.sigma)).collect(),
            truth: with_truth.then(Truth::new),
        }
    }

    /// Appends about `wanted` bytes of whole lines; false when the log had already ended.
    pub(crate) fn fill(&mut self, block: &mut Vec<u8>, wanted: usize) -> bool {
        if self.written >= self.bytes {
            return false;
        }
        let end = block.len() + wanted;
        while block.len() < end && self.written < self.bytes {
            let before = block.len();
            self.lines += if self.random.below(5000) == 0 {
                self.writer.aside(block, self.clock_ns, &mut self.random)
            } else {
                let request = self.request();
                self.writer.request(block, &request, self.clock_ns, &mut self.random);
                if let Some(truth) = &mut self.truth {
                    truth.record(request.route, request.status, request.latency_us);
                }
                1
            };
            let length = (block.len() - before) as u64;
            self.written += length;
            self.advance(length);
        }
        true
    }

    /// What was written up to now, where it was kept.
    pub(crate) fn truth(self) -> Option<Truth> {
        let mut truth = self.truth?;
        (truth.lines, truth.bytes) = (self.lines, self.written);
        Some(truth)
    }

    fn advance(&mut self, bytes: u64) {
        let hour = (self.clock_ns / 3_600_000_000_000 % 24) as usize;
        let share = if self.even { 1000 } else { HOURS[hour] };
        let mean_ns = (bytes as f64 * self.ns_per_byte) as u64 * 1000 / share;
        self.clock_ns += self.random.below(2 * mean_ns + 1);
    }

    fn request(&mut self) -> Request {
        let roll = self.random.below(10_000);
        if roll < 30 {
            let path = SCANNED[self.random.below(SCANNED.len() as u64) as usize];
            let latency_us = 300 + self.random.below(900) as u32;
            return Request { route: None, method: "GET", template: path, status: 404, latency_us, body: Some(22) };
        }
        let draw = self.random.next();
        let index = usize::from(self.slots[draw as usize % SLOTS]);
        let route = &ROUTES[index];
        let usual = u64::from(self.latencies_us[index][(draw >> 20) as usize % QUANTILES]);
        let usual = usual + usual * ((draw >> 40) & 0xff) / 4096;
        let troubled = route.template == INCIDENT && (620..625).contains(&(self.written.saturating_mul(1000) / self.bytes));
        let status = if troubled && draw >> 63 == 1 {
            500
        } else {
            status(route.success, route.method, route.template, roll, draw >> 48)
        };
        let latency = match status {
            504 => 30_000_000 + (draw >> 44) % 40_000,
            503 => 1_500 + (draw >> 44) % 3_000,
            401 | 403 | 422 | 429 | 303 | 304 => usual / 4,
            _ if troubled => usual * 6,
            _ => usual,
        };
        let body = match status {
            204 | 304 => None,
            400.. => Some(22 + (draw >> 50) % 180),
            _ => Some(180 + (draw >> 34) % 4_000),
        };
        let latency_us = latency.max(90) as u32;
        Request { route: Some(index), method: route.method, template: route.template, status, latency_us, body }
    }
}

/// The answer's status; `roll` is below 10,000 and not below 30, `detail` has 16 bits.
fn status(success: u16, method: &str, template: &str, roll: u64, detail: u64) -> u16 {
    match roll {
        30..300 => match detail % 100 {
            0..40 if template.contains('{') => 404,
            0..60 => 401,
            60..85 => 422,
            85..93 => 403,
            _ => 429,
        },
        300..400 if method == "GET" => 304,
        300..400 => 303,
        400..500 => match detail % 100 {
            0..60 => 500,
            60..85 => 503,
            _ => 504,
        },
        _ => success,
    }
}

/// Slots in which route `n` (from 1) has a share of 1/n.
fn zipf() -> Vec<u8> {
    let whole: f64 = (1..=ROUTES.len()).map(|n| 1.0 / n as f64).sum();
    let mut sum = 0.0;
    let mut slots = Vec::with_capacity(SLOTS);
    for n in 1..=ROUTES.len() {
        sum += 1.0 / n as f64 / whole;
        slots.resize((sum * SLOTS as f64).round() as usize, (n - 1) as u8);
    }
    slots.resize(SLOTS, 0);
    slots
}

/// Evenly spaced quantiles of a log-normal distribution.
fn log_normal(median: f64, sigma: f64) -> [u32; QUANTILES] {
    std::array::from_fn(|i| {
        let z = normal_quantile((i as f64 + 0.5) / QUANTILES as f64);
        (median * (sigma * z).exp()) as u32
    })
}
