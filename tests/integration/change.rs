//! How often `compare` errs, and what it finds: few runs of what `cargo bench --bench change` asks a thousand times.

use vitalog::verdict::compare::Comparison;
use vitalog::verdict::compare::Verdict;

use crate::simulate;

fn runs(n: u64, run: impl Fn(u64) -> Comparison, found: impl Fn(&Comparison) -> bool) -> usize {
    (0..n).filter(|seed| found(&run(*seed))).count()
}

fn changed_route(comparison: &Comparison) -> bool {
    comparison.with(Verdict::Regressed).any(|r| r.route == "/r0")
}

#[test]
fn healthy_traffic_against_itself_is_not_regressed() {
    // One in two hundred is to be expected.
    let found = runs(30, simulate::healthy, |c| c.verdict == Verdict::Regressed);
    assert!(found <= 1, "{found} of 30");
}

#[test]
fn a_fifth_slower_is_found_with_a_thousand_a_side() {
    let found = runs(10, |seed| simulate::slower(seed, 5, 0.6), changed_route);
    assert!(found >= 9, "{found} of 10");
}

#[test]
fn five_times_the_errors_are_found_with_two_thousand_a_side() {
    let found = runs(8, simulate::failing, changed_route);
    assert!(found >= 7, "{found} of 8");
}
