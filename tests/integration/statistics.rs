//! The statistics of `compare` against scipy's answers, which `tests/stats/twin.py` writes down and checks.

use serde_json::Value;
use vitalog::verdict::compare::adjust::adjusted;
use vitalog::verdict::compare::ranks::mann_whitney;
use vitalog::verdict::compare::shares::Share;
use vitalog::verdict::compare::shares::exact;
use vitalog::verdict::compare::shares::score;

const EXPECTED: &str = include_str!("../stats/expected.json");

fn rows(key: &str, least: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(EXPECTED).unwrap();
    let rows = all[key].as_array().unwrap().clone();
    assert!(rows.len() >= least, "{} {key}", rows.len());
    rows
}

fn numbers(row: &Value) -> Vec<f64> {
    row.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
}

fn buckets(side: &Value) -> Vec<(u16, u64)> {
    serde_json::from_value(side.clone()).unwrap()
}

/// To a millionth of the value itself, down to what a number can hold.
fn assert_close(want: f64, got: f64, what: &str) {
    assert!((want - got).abs() <= 1e-6 * want.abs() + 1e-290, "{what}: scipy says {want}, vitalog {got}");
}

#[test]
fn tables_have_scipys_exact_and_score_p_values() {
    for row in rows("tables", 200) {
        let count = |at: usize| row[at].as_u64().unwrap();
        let share = Share { before: (count(0), count(1)), after: (count(2), count(3)) };
        let p = numbers(&row);
        assert_close(p[4], exact(share), &format!("exact {row}"));
        assert_close(p[5], score(share), &format!("score {row}"));
    }
}

#[test]
fn samples_have_scipys_rank_statistic_and_p_value() {
    for row in rows("samples", 200) {
        let ranks = mann_whitney(&buckets(&row[0]), &buckets(&row[1])).unwrap();
        let what = format!("{row}");
        assert_close(row[2].as_f64().unwrap(), ranks.u, &what);
        assert_close(row[3].as_f64().unwrap(), ranks.p, &what);
    }
}

#[test]
fn lists_of_p_values_are_adjusted_as_scipy_does() {
    for row in rows("lists", 40) {
        for (want, got) in numbers(&row[1]).into_iter().zip(adjusted(&numbers(&row[0]))) {
            assert_close(want, got, "adjusted");
        }
    }
}
