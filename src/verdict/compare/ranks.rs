//! Do two sets of latencies come from one distribution? Tests on histograms: the values of one bucket are ties.
//!
//! Mann and Whitney's test (1947, Annals of Mathematical Statistics 18, 50-60) by its normal approximation, with the
//! correction for ties and for continuity, as it stands in scipy's `mannwhitneyu(method="asymptotic")`. It finds what
//! moves most of the requests. What slows down one in twenty hardly moves ranks, so the share of requests among the
//! slowest twentieth of both sides together is tested beside it: given the pooled values, that share is a table of
//! two by two.

use statrs::function::erf::erfc;

use super::real;
use super::shares::Share;
use super::shares::exact;

/// Buckets of a histogram with their counts, ascending, each once. Any numbering will do that grows with the latency
/// and is the same on both sides.
pub type Buckets = [(u16, u64)];

/// What the ranks tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranks {
    /// Two-sided.
    pub p: f64,
    /// The statistic of the side after: pairs in which it is the slower one, ties by half.
    pub u: f64,
    /// The share of pairs (0 to 1) in which the request after is slower than the one before, ties by half; a half where
    /// nothing changed.
    pub superiority: f64,
}

/// What the slowest twentieth tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    /// Two-sided.
    pub p: f64,
    /// Requests in the slowest twentieth of both sides together, and all.
    pub share: Share,
}

/// Each bucket with its counts before and after, in the order of both; `first` of two buckets comes first there.
fn together<'a>(
    before: impl Iterator<Item = &'a (u16, u64)>,
    after: impl Iterator<Item = &'a (u16, u64)>,
    first: impl Fn(u16, u16) -> u16,
) -> impl Iterator<Item = (u64, u64)> {
    let (mut was, mut is) = (before.peekable(), after.peekable());
    std::iter::from_fn(move || {
        let bucket = was.peek().into_iter().chain(is.peek()).map(|b| b.0).reduce(&first)?;
        let count = |side: Option<&(u16, u64)>| side.map_or(0, |b| b.1);
        Some((count(was.next_if(|b| b.0 == bucket)), count(is.next_if(|b| b.0 == bucket))))
    })
}

/// The sum of a histogram's counts.
pub fn size(buckets: &Buckets) -> u64 {
    buckets.iter().map(|b| b.1).sum()
}

/// Mann and Whitney's test; `None` where a side is empty. Where all values are one, nothing differs: `p` is 1.
pub fn mann_whitney(before: &Buckets, after: &Buckets) -> Option<Ranks> {
    let (of_before, of_after) = (real(size(before)), real(size(after)));
    if of_before <= 0.0 || of_after <= 0.0 {
        return None;
    }
    let (mut below, mut u, mut cubes) = (0.0, 0.0, 0.0);
    for (was, is) in together(before.iter(), after.iter(), u16::min) {
        let (was, is) = (real(was), real(is));
        u += is * (below + was / 2.0);
        below += was;
        cubes += (was + is) * ((was + is) * (was + is) - 1.0);
    }
    let (all, pairs) = (of_before + of_after, of_before * of_after);
    let variance = pairs / 12.0 * (all + 1.0 - cubes / (all * (all - 1.0)));
    let distance = (u - pairs / 2.0).abs() - 0.5;
    // Rounding leaves a little variance where all values are one.
    let p = if variance <= pairs * all * 1e-12 {
        1.0
    } else {
        erfc(distance / variance.sqrt() / std::f64::consts::SQRT_2).min(1.0)
    };
    Some(Ranks { p, u, superiority: u / pairs })
}

/// The exact test of the slowest twentieth; `None` where a side is empty. The twentieth is taken in whole buckets from
/// above, and holds at least a twentieth of all values.
pub fn tail(before: &Buckets, after: &Buckets) -> Option<Tail> {
    let (m, n) = (size(before), size(after));
    if m == 0 || n == 0 {
        return None;
    }
    let mut share = Share { before: (0, m), after: (0, n) };
    for (x, y) in together(before.iter().rev(), after.iter().rev(), u16::max) {
        share.before.0 += x;
        share.after.0 += y;
        if (share.before.0 + share.after.0) * 20 >= m + n {
            break;
        }
    }
    Some(Tail { p: exact(share), share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_side_without_values_cannot_be_compared() {
        assert_eq!(None, mann_whitney(&[], &[(3, 9)]));
        assert_eq!(None, tail(&[(3, 9)], &[]));
    }

    #[test]
    fn one_value_on_both_sides_is_no_difference() {
        let ranks = mann_whitney(&[(700, 1_000_000)], &[(700, 900_001)]).unwrap();
        assert_eq!((1.0, 0.5), (ranks.p, ranks.superiority));
        assert!(tail(&[(700, 1_000_000)], &[(700, 900_001)]).unwrap().p > 0.999_999);
    }

    /// 1, 2, 3 before and 4, 5, 6 after: U is 9 of 9, its variance 3·3·7/12, z = 4/√5.25.
    #[test]
    fn separated_values_have_the_p_value_counted_by_hand() {
        let ranks = mann_whitney(&[(1, 1), (2, 1), (3, 1)], &[(4, 1), (5, 1), (6, 1)]).unwrap();
        assert_eq!((9.0, 1.0), (ranks.u, ranks.superiority));
        assert!((0.080_855_598_8 - ranks.p).abs() < 1e-9, "{}", ranks.p);
    }

    #[test]
    fn a_slower_twentieth_is_found_where_ranks_hardly_move() {
        let before: Vec<(u16, u64)> = (0..1000).map(|i| (i, 1)).collect();
        let mut after: Vec<(u16, u64)> = (0..940).map(|i| (i * 50 / 47, 1)).collect();
        after.push((9_000, 60));
        let (ranks, tail) = (mann_whitney(&before, &after).unwrap(), tail(&before, &after).unwrap());
        assert!(tail.p < 1e-8 && ranks.p > 1e-3, "{} {}", tail.p, ranks.p);
        assert!(tail.share.is() > 3.0 * tail.share.was(), "{:?}", tail.share);
    }

    proptest! {
        #[test]
        fn the_statistic_is_the_count_of_pairs(before in prop::collection::btree_map(0_u16..30, 1_u64..5, 1..20), after in prop::collection::btree_map(0_u16..30, 1_u64..5, 1..20)) {
            let lists: Vec<Vec<(u16, u64)>> = [before, after].into_iter().map(|side| side.into_iter().collect()).collect();
            let mut pairs = 0.0;
            for (x, m) in &lists[0] {
                for (y, n) in &lists[1] {
                    pairs += real(m * n) * (f64::from(u8::from(y > x)) + f64::from(u8::from(y >= x))) / 2.0;
                }
            }
            let (there, back) = (mann_whitney(&lists[0], &lists[1]).unwrap(), mann_whitney(&lists[1], &lists[0]).unwrap());
            prop_assert!((pairs - there.u).abs() < 1e-9);
            prop_assert!((there.superiority + back.superiority - 1.0).abs() < 1e-12);
            prop_assert!((there.p - back.p).abs() < 1e-12 && (0.0..=1.0).contains(&there.p));
        }
    }
}
