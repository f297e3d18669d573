//! Is a share the same on both sides? Two-sided tests of a table of two by two counts.
//!
//! Fisher's exact test (R. A. Fisher, 1935, JRSS 98, 39-82), at any count: given the margins, the probabilities of all
//! tables follow from each other by one ratio, so they are walked outwards from the likeliest one and no factorial is
//! taken. Only where the walk would be longer than some millions of steps (a standard deviation above
//! `WALKED`, that is from about five thousand million requests on) the score test takes its place; there the two
//! agree to many digits. Which tests can find anything at all is told by [`least`], after R. E. Tarone (1990,
//! Biometrics 46, 515-522).

use statrs::function::erf::erfc;

use super::real;

/// One share on both sides: so many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Before: with the property, and all.
    pub before: (u64, u64),
    /// After: with the property, and all.
    pub after: (u64, u64),
}

/// The largest standard deviation of a cell that is still walked.
const WALKED: f64 = 20_000.0;
/// Tables as likely as the one seen count as at least as extreme, in spite of rounding (R's `fisher.test` has the same).
const TIE: f64 = 1.0 + 1e-7;
/// What is smaller than this share of a sum does not change it any more.
const NOTHING: f64 = 1e-18;
/// From so many in the smallest margin on, some table is always beyond any level.
const PLENTY: u64 = 40;

impl Share {
    /// The share before (0 to 1); 0 without requests.
    pub fn was(self) -> f64 {
        part(self.before)
    }

    /// The share after.
    pub fn is(self) -> f64 {
        part(self.after)
    }

    /// The margins: requests before and after, those with the property, and the sum.
    fn margins(self) -> Option<Margins> {
        let (before, after) = (self.before.1, self.after.1);
        let with = self.before.0.checked_add(self.after.0)?;
        let all = before.checked_add(after)?;
        let consistent = self.before.0 <= before && self.after.0 <= after;
        consistent.then_some(Margins { before, after, with, all })
    }
}

fn part((with, all): (u64, u64)) -> f64 {
    if all == 0 { 0.0 } else { real(with) / real(all) }
}

#[derive(Debug, Clone, Copy)]
struct Margins {
    before: u64,
    after: u64,
    with: u64,
    all: u64,
}

impl Margins {
    /// The fewest and the most of those with the property that can stand before.
    fn range(self) -> (u64, u64) {
        (self.with.saturating_sub(self.after), self.with.min(self.before))
    }

    /// The likeliest count before.
    fn mode(self) -> u64 {
        let (low, high) = self.range();
        let product = (u128::from(self.with) + 1) * (u128::from(self.before) + 1);
        u64::try_from(product / (u128::from(self.all) + 2)).unwrap_or(high).clamp(low, high)
    }

    /// The standard deviation of the count before.
    fn deviation(self) -> f64 {
        let (all, with) = (real(self.all), real(self.with));
        let variance = real(self.before) * (with / all) * (1.0 - with / all) * (real(self.after) / (all - 1.0).max(1.0));
        variance.sqrt()
    }

    /// How much likelier `k + 1` before is than `k`.
    fn ratio(self, k: u64) -> f64 {
        let (up, down) =
            (real(self.before - k) * real(self.with - k), real(k + 1) * (real(self.after + k + 1) - real(self.with)));
        up / down
    }
}

/// The probability of a table at least as unlikely as this one, where the share is the same on both sides (two-sided,
/// 0 to 1). 1 where a side or the property is empty.
pub fn exact(share: Share) -> f64 {
    let Some(margins) = share.margins() else { return 1.0 };
    let (low, high) = margins.range();
    if low == high {
        return 1.0;
    }
    if margins.deviation() > WALKED {
        return score(share);
    }
    at_most_as_likely(margins, share.before.0)
}

/// The share of all probability that lies on tables as likely as `seen` or less, everything relative to the mode's.
fn at_most_as_likely(margins: Margins, seen: u64) -> f64 {
    let mode = margins.mode();
    let Some(own) = weight(margins, mode, seen) else { return 0.0 };
    let bound = own * TIE;
    let (mut whole, mut tail) = (1.0, if bound >= 1.0 { 1.0 } else { 0.0 });
    let mut walk = |next: &mut dyn FnMut() -> Option<f64>| {
        let mut weight = 1.0;
        while let Some(ratio) = next() {
            weight *= ratio;
            whole += weight;
            if weight <= bound {
                tail += weight;
            }
            if weight <= own.min(1.0) * NOTHING || weight <= 0.0 {
                break;
            }
        }
    };
    let (low, high) = margins.range();
    let mut up = mode;
    walk(&mut || {
        let ratio = (up < high).then(|| margins.ratio(up))?;
        up += 1;
        Some(ratio)
    });
    let mut down = mode;
    walk(&mut || {
        down = down.checked_sub(1).filter(|k| *k >= low)?;
        Some(1.0 / margins.ratio(down))
    });
    f64::min(tail / whole, 1.0)
}

/// The probability of `seen` by that of `mode`; `None` where it is too small for a number.
fn weight(margins: Margins, mode: u64, seen: u64) -> Option<f64> {
    let mut weight = 1.0;
    for k in mode..seen {
        weight *= margins.ratio(k);
        if weight <= 0.0 {
            return None;
        }
    }
    for k in (seen..mode).rev() {
        weight /= margins.ratio(k);
        if weight <= 0.0 {
            return None;
        }
    }
    Some(weight)
}

/// Pearson's score test of two shares without correction (two-sided): the normal approximation of [`exact`].
pub fn score(share: Share) -> f64 {
    let Some(margins) = share.margins() else { return 1.0 };
    let pooled = real(margins.with) / real(margins.all).max(1.0);
    let variance = pooled * (1.0 - pooled) * (1.0 / real(margins.before).max(1.0) + 1.0 / real(margins.after).max(1.0));
    if variance <= 0.0 || margins.before == 0 || margins.after == 0 {
        return 1.0;
    }
    erfc((share.is() - share.was()).abs() / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// The smallest value [`exact`] can have with these margins: where it is above a level, the test cannot find anything,
/// however those with the property are spread over the sides.
pub fn least(share: Share) -> f64 {
    let Some(margins) = share.margins() else { return 1.0 };
    let (low, high) = margins.range();
    if low == high {
        return 1.0;
    }
    let smallest = margins.before.min(margins.after).min(margins.with).min(margins.all - margins.with);
    if smallest >= PLENTY {
        return 0.0;
    }
    f64::min(at_most_as_likely(margins, low), at_most_as_likely(margins, high))
}

/// What [`exact`] gives where so many requests all had the property on one side and none on the other: where this is
/// above a level, nothing could have been found with so few.
pub fn total_change(before: u64, after: u64) -> f64 {
    exact(Share { before: (0, before), after: (after, after) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(a: u64, n: u64, b: u64, m: u64) -> Share {
        Share { before: (a, n), after: (b, m) }
    }

    fn close(want: f64, got: f64, what: &str) {
        assert!((want - got).abs() <= 1e-12 + 1e-9 * want, "{what}: {want} {got}");
    }

    /// Fisher's own tea: 3 of 4 cups right.
    #[test]
    fn small_tables_have_the_values_counted_by_hand() {
        for (want, a, n, b, m) in [
            (34.0 / 70.0, 3, 4, 1, 4),
            (2.0 / 70.0, 4, 4, 0, 4),
            (1.0, 2, 4, 2, 4),
            // 5 of 15 drawn from 5: 1 / C(15,5) at one end, and no table is as unlikely at the other.
            (1.0 / 3003.0, 5, 5, 0, 10),
            (2.0 / 252.0, 0, 5, 5, 5),
        ] {
            close(want, exact(table(a, n, b, m)), &format!("{a}/{n} {b}/{m}"));
        }
    }

    #[test]
    fn an_empty_side_or_property_tells_nothing() {
        for (a, n, b, m) in [(0, 0, 0, 0), (0, 0, 7, 9), (0, 50, 0, 60), (50, 50, 60, 60), (3, 5, 0, 0)] {
            for test in [exact, score, least] {
                close(1.0, test(table(a, n, b, m)), &format!("{a}/{n} {b}/{m}"));
            }
        }
        close(1.0, exact(table(9, 5, 1, 5)), "more than all");
    }

    #[test]
    fn large_counts_are_walked_and_huge_ones_scored() {
        let large = table(1_000_000, 200_000_000, 1_002_000, 200_000_000);
        assert!((exact(large) / score(large) - 1.0).abs() < 0.01 && (exact(large) / score(large) - 1.0).abs() > 1e-6);
        let huge = table(5_000_000_000, 10_000_000_000, 5_000_300_000, 10_000_000_000);
        close(score(huge), exact(huge), "the score test's own");
    }

    #[test]
    fn what_can_be_found_depends_on_the_margins() {
        close(2.0 / 252.0, total_change(5, 5), "five a side");
        close(1.0, total_change(0, 500), "nothing before");
        close(1.0, least(table(1, 1, 0, 1)), "two requests");
        close(0.0, least(table(50, 500, 50, 500)), "plenty");
    }

    /// Each table's probability by plain multiplication.
    fn twin(share: Share) -> f64 {
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |c, i| c * real(n - i) / real(i + 1));
        let Some(m) = share.margins() else { return 1.0 };
        let (low, high) = m.range();
        let p = |k: u64| choose(m.before, k) * choose(m.after, m.with - k) / choose(m.all, m.with);
        let own = p(share.before.0);
        (low..=high).map(p).filter(|p| *p <= own * TIE).sum::<f64>().min(1.0)
    }

    proptest! {
        #[test]
        fn the_walk_gives_the_sum_over_all_tables(n in 0_u64..90, m in 0_u64..90, a in 0_u64..90, b in 0_u64..90) {
            let share = table(a.min(n), n, b.min(m), m);
            let (want, got) = (twin(share), exact(share));
            prop_assert!((want - got).abs() <= 1e-9 * want, "{want} {got}");
            prop_assert!(least(share) <= got * TIE);
        }

        #[test]
        fn sides_can_be_exchanged(n in 0_u64..100_000, m in 0_u64..100_000, a in 0_u64..2_000, b in 0_u64..2_000) {
            let (there, back) = (exact(table(a.min(n), n, b.min(m), m)), exact(table(b.min(m), m, a.min(n), n)));
            prop_assert!((there - back).abs() <= 1e-8 * there.max(back), "{there} {back}");
            prop_assert!((0.0..=1.0).contains(&there));
        }
    }
}
