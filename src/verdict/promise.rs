//! Promises (SLOs): burn rates over several windows, and the budget that is left.
//!
//! The rows are those of the SRE Workbook, chapter 5, "Alerting on SLOs", section 6 (multiwindow, multi-burn-rate), in
//! the contract's form: windows are fixed, each row stands for the share of the period's budget that may be spent within
//! its long window (2 % in 1 h, 5 % in 6 h, 10 % in 24 h, 10 % in 3 d). A burn rate is how many times faster than
//! allowed the budget goes, so a row's burn is `share × period / long window`: 14.4, 6, 3 and 1 for 30 days. Its limit
//! on the ratio of bad requests is `burn × (1 − target)`.

use crate::route::glob::RouteGlob;
use crate::verdict::figure::ratio;
use crate::verdict::health::wilson_lower;
use crate::verdict::rule::Severity;
use crate::verdict::wording::limit;
use crate::verdict::wording::span;

/// A promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Its name, unlike the others' and the rules'.
    pub name: String,
    /// The share of good requests, above 0 and below 1.
    pub target: f64,
    /// The time it holds over, in seconds.
    pub period_s: u32,
    /// Requests slower than this (microseconds) are bad; `None` where errors are. Must be one of the limits that are
    /// counted while recording.
    pub slower_than_us: Option<u64>,
    /// Narrows it to some routes: as typed, and read.
    pub route: Option<(String, RouteGlob)>,
    /// Only this service; `None` for each.
    pub service: Option<String>,
    /// How long it must be good before it resolves, in seconds.
    pub clear_for_s: u32,
}

impl Objective {
    /// What holds without configuration: `available`, 99.9 % over 30 days.
    pub fn available() -> Self {
        Self {
            name: "available".to_owned(),
            target: 0.999,
            period_s: 30 * 86_400,
            slower_than_us: None,
            route: None,
            service: None,
            clear_for_s: super::rule::CLEAR_FOR_S,
        }
    }

    /// The share of requests that may be bad.
    pub fn allowed(&self) -> f64 {
        1.0 - self.target
    }
}

/// The limits that must be counted exactly for these promises: ascending, each once, microseconds.
pub fn limits_us(objectives: &[Objective]) -> Vec<u64> {
    let mut all: Vec<u64> = objectives.iter().filter_map(|o| o.slower_than_us).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// One pair of windows and its burn rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// What it is worth.
    pub severity: Severity,
    /// The long window in seconds.
    pub long_s: u32,
    /// The short window in seconds.
    pub short_s: u32,
    /// How many times faster than allowed.
    pub burn: f64,
    /// The ratio of bad requests that both windows must exceed.
    pub limit: f64,
}

/// (severity, share of the budget, long window, short window).
const ROWS: [(Severity, f64, u32, u32); 4] = [
    (Severity::Page, 0.02, 3_600, 300),
    (Severity::Page, 0.05, 21_600, 1_800),
    (Severity::Ticket, 0.10, 86_400, 7_200),
    (Severity::Ticket, 0.10, 259_200, 21_600),
];

/// The rows of a promise, and a sentence for each that makes no sense for it: one whose limit no ratio can exceed (burn
/// r needs a target above 1 − 1/r), and one so mild that it would fire while the promise is kept (short periods).
pub fn rows(objective: &Objective) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for (severity, share, long_s, short_s) in ROWS {
        let burn = share * f64::from(objective.period_s) / f64::from(long_s);
        // Freed from what multiplying left behind the tenth decimal: 14.4 is 14.4.
        let burn = (burn * 1e10).round() / 1e10;
        let over = burn * objective.allowed();
        let row = format!("{} at burn {burn} over {}", severity.word(), span(u64::from(long_s)));
        if over >= 1.0 {
            let least = limit(1.0 - 1.0 / burn);
            warnings.push(format!(
                "promise '{}': {row} is left out: at {} even a total outage does not burn so fast; it needs a target above {least}",
                objective.name,
                limit(objective.target)
            ));
        } else if burn < 1.0 {
            warnings.push(format!(
                "promise '{}': {row} is left out: over a period of {} it would fire while the promise is kept",
                objective.name,
                span(u64::from(objective.period_s))
            ));
        } else {
            rows.push(Row { severity, long_s, short_s, burn, limit: over });
        }
    }
    (rows, warnings)
}

/// Bad and all requests of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Bad ones.
    pub bad: u64,
    /// All that count.
    pub all: u64,
}

impl Share {
    /// Their ratio; `None` of nothing.
    pub fn ratio(self) -> Option<f64> {
        ratio(self.bad, self.all)
    }
}

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Half of the long window is not observed yet.
    WarmingUp,
    /// No request in the short window.
    NoData,
    /// Both windows are over the limit, and surely so.
    Tripped,
    /// The short window is below 0.9 of the limit.
    Good,
    /// Neither.
    Between,
}

/// A promise resolves below this share of its limit.
pub const HYSTERESIS: f64 = 0.9;
/// Errors in the long window, below which nothing is a page.
const PAGE_ERRORS: u64 = 5;
/// Errors in the long window, below which nothing is a ticket.
const TICKET_ERRORS: u64 = 3;
/// One bad request in the short window tells nobody that it still goes on: a page wants two.
const PAGE_STILL: u64 = 2;

/// How a row stands, given its two windows and for how many seconds there has been something to observe.
pub fn stand(row: &Row, long: Share, short: Share, observed_s: u32) -> Standing {
    if observed_s < row.long_s.div_ceil(2) {
        return Standing::WarmingUp;
    }
    let Some(now) = short.ratio() else { return Standing::NoData };
    let (least, still) = if row.severity == Severity::Page { (PAGE_ERRORS, PAGE_STILL) } else { (TICKET_ERRORS, 1) };
    let over = |share: Share| share.ratio().is_some_and(|r| r > row.limit);
    let enough = long.bad >= least && short.bad >= still;
    // Wilson's bound last: it takes longest.
    if enough && over(long) && over(short) && wilson_lower(long.bad, long.all) > row.limit {
        Standing::Tripped
    } else if now < HYSTERESIS * row.limit {
        Standing::Good
    } else {
        Standing::Between
    }
}

/// What is left of a promise's budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The service.
    pub service: Option<String>,
    /// The promise.
    pub promise: String,
    /// The share of good requests it promises.
    pub target: f64,
    /// Bad and all requests of the period so far.
    pub period: Share,
    /// What is left, 0 to 1; `None` until half the period was observed.
    pub left: Option<f64>,
    /// Seconds until nothing is left at the pace of the last hour; `None` where that keeps the promise or is unknown.
    pub exhausted_in_s: Option<u64>,
    /// Half of the longest row's window is not observed yet.
    pub warming_up: bool,
}

/// What is left of a budget (0 to 1) after `period`; `None` until half the period was observed, or without requests.
pub fn left(objective: &Objective, period: Share, observed_s: u32) -> Option<f64> {
    if observed_s < objective.period_s.div_ceil(2) {
        return None;
    }
    period.ratio().map(|r| (1.0 - r / objective.allowed()).clamp(0.0, 1.0))
}

/// Seconds until `left` is gone at the pace of the window `recent`: `left × period / burn`. `None` where the pace is
/// none that the promise forbids.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds, positive and far below 2^63")]
pub fn exhausted_in_s(objective: &Objective, left: f64, recent: Share) -> Option<u64> {
    let burn = recent.ratio()? / objective.allowed();
    (burn > 1.0).then(|| (left * f64::from(objective.period_s) / burn) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective(target: f64, days: u32) -> Objective {
        Objective { target, period_s: days * 86_400, ..Objective::available() }
    }

    #[test]
    fn thirty_days_have_the_workbooks_burn_rates() {
        let (rows, warnings) = rows(&objective(0.999, 30));
        let burns: Vec<f64> = rows.iter().map(|r| r.burn).collect();
        assert_eq!(vec![14.4, 6.0, 3.0, 1.0], burns);
        assert!(warnings.is_empty());
        assert!((rows[0].limit - 0.0144).abs() < 1e-12);
    }

    #[test]
    fn burn_rates_scale_with_the_period_and_impossible_rows_are_left_out() {
        for (target, days, want) in [
            (0.999, 7, vec![3.36, 1.4]),
            (0.999, 90, vec![43.2, 18.0, 9.0, 3.0]),
            (0.95, 30, vec![14.4, 6.0, 3.0, 1.0]),
            // Burn 14.4 needs more than 1 − 1/14.4 = 93.06 %, burn 6 more than 83.3 %.
            (0.93, 30, vec![6.0, 3.0, 1.0]),
            (0.83, 30, vec![3.0, 1.0]),
        ] {
            let (rows, warnings) = rows(&objective(target, days));
            assert_eq!(want, rows.iter().map(|r| r.burn).collect::<Vec<_>>(), "{target} over {days} days");
            assert_eq!(4 - want.len(), warnings.len());
        }
        assert_eq!(
            "promise 'available': page at burn 14.4 over 1 h is left out: at 93 % even a total outage does not burn so fast; it \
             needs a target above 93.0556 %",
            rows(&objective(0.93, 30)).1[0]
        );
    }

    #[test]
    fn a_row_trips_only_when_both_windows_and_the_guards_say_so() {
        let row = rows(&objective(0.999, 30)).0[0];
        let share = |bad, all| Share { bad, all };
        for (name, want, long, short, observed) in [
            ("both over", Standing::Tripped, share(72, 3600), share(72, 300), 1800),
            ("half of the hour is needed", Standing::WarmingUp, share(72, 3600), share(72, 300), 1799),
            ("long not over", Standing::Between, share(51, 3600), share(51, 300), 3600),
            ("short good again", Standing::Good, share(60, 3600), share(3, 300), 3600),
            ("short below the limit, not below 0.9", Standing::Between, share(200, 10_000), share(14, 1000), 3600),
            ("four errors", Standing::Between, share(4, 8), share(4, 4), 3600),
            ("one failure in ten requests", Standing::Between, share(1, 10), share(1, 1), 3600),
            ("not surely over", Standing::Between, share(55, 3600), share(55, 300), 3600),
            ("no request", Standing::NoData, share(60, 3600), share(0, 0), 3600),
        ] {
            assert_eq!(want, stand(&row, long, short, observed), "{name}");
        }
    }

    #[test]
    fn the_budget_is_told_from_half_the_period_on() {
        let objective = objective(0.999, 30);
        let share = Share { bad: 390, all: 1_000_000 };
        assert_eq!(None, left(&objective, share, 15 * 86_400 - 1));
        let left = left(&objective, share, 15 * 86_400).unwrap();
        assert!((left - 0.61).abs() < 1e-9);
        // 0.61 of 30 days at 50 times the pace: 8.8 h.
        let hours = exhausted_in_s(&objective, left, Share { bad: 500, all: 10_000 }).unwrap() / 3600;
        assert_eq!(8, hours);
        assert_eq!(None, exhausted_in_s(&objective, left, Share { bad: 1, all: 1000 }));
    }
}
