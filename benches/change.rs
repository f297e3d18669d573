//! How often `compare` calls healthy traffic regressed, and how much of a change it finds. Prints figures; fails where a
//! promise of the README does not hold. The quick form is `tests/integration/change.rs`.
#![allow(missing_docs, clippy::print_stdout, reason = "a program of its own")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "simulated figures")]

#[path = "generate/random.rs"]
mod random;
mod simulate;

use vitalog::verdict::compare::Comparison;
use vitalog::verdict::compare::Verdict;

const RUNS: u64 = 1_000;

/// The share of runs in which `regressed` holds of the comparison.
fn share(name: &str, least: f64, most: f64, run: impl Fn(u64) -> Comparison, regressed: impl Fn(&Comparison) -> bool) -> bool {
    let found = (0..RUNS).filter(|seed| regressed(&run(*seed))).count();
    let share = found as f64 / RUNS as f64;
    let promise = match (least, most) {
        (0.0, 1.0) => "no promise".to_owned(),
        (0.0, most) => format!("at most {:.0} %", most * 100.0),
        (least, _) => format!("at least {:.0} %", least * 100.0),
    };
    println!("{name:<62} {found:>5} of {RUNS} ({:.1} %, {promise})", share * 100.0);
    (least..=most).contains(&share)
}

fn changed_route(comparison: &Comparison) -> bool {
    comparison.with(Verdict::Regressed).any(|r| r.route == "/r0")
}

fn main() {
    let whole = |c: &Comparison| c.verdict == Verdict::Regressed;
    let kept = [
        share("healthy traffic, 40 routes, split by coin: regressed", 0.0, 0.01, simulate::healthy, whole),
        share(
            "1 of 40 routes a fifth slower, 1,000 a side, spread 0.5",
            0.9,
            1.0,
            |s| simulate::slower(s, 40, 0.5),
            changed_route,
        ),
        share(
            "1 of 40 routes a fifth slower, 1,000 a side, spread 0.7",
            0.85,
            1.0,
            |s| simulate::slower(s, 40, 0.7),
            changed_route,
        ),
        share(
            "1 of 40 routes a fifth slower, 1,000 a side, spread 1.0",
            0.0,
            1.0,
            |s| simulate::slower(s, 40, 1.0),
            changed_route,
        ),
        share(
            "the only route a fifth slower, 1,000 a side, spread 1.0",
            0.0,
            1.0,
            |s| simulate::slower(s, 1, 1.0),
            changed_route,
        ),
        share("1 of 40 routes fails 2.5 % instead of 0.5 %, 2,000 a side", 0.9, 1.0, simulate::failing, changed_route),
    ];
    assert!(kept.into_iter().all(|kept| kept), "a promise does not hold");
}
