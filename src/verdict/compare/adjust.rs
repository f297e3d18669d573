//! Many tests at once: how small must a p value be, so that of all that is called a find one in a hundred is none?
//!
//! Y. Benjamini and Y. Hochberg (1995), JRSS B 57, 289-300.

use super::real;

/// The adjusted value of each p value, in their order: at a level, those at or below it are finds. Values that are no
/// number count as 1.
pub fn adjusted(p: &[f64]) -> Vec<f64> {
    let sound: Vec<f64> = p.iter().map(|p| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) }).collect();
    let mut order: Vec<usize> = (0..sound.len()).collect();
    order.sort_by(|a, b| sound[*b].total_cmp(&sound[*a]));
    let mut out = vec![1.0; sound.len()];
    let mut least = 1.0_f64;
    for (at, index) in order.into_iter().enumerate() {
        let rank = sound.len() - at;
        least = least.min(sound[index] * real(sound.len() as u64) / real(rank as u64));
        out[index] = least;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_paper_by_hand() {
        let want = [0.04, 0.05, 0.05, 0.05, 0.9];
        for (want, got) in want.iter().zip(adjusted(&[0.008, 0.039, 0.04, 0.02, 0.9])) {
            assert!((want - got).abs() < 1e-12, "{want} {got}");
        }
    }

    #[test]
    fn nothing_one_and_what_is_no_number_are_taken() {
        assert!(adjusted(&[]).is_empty());
        assert_eq!(vec![0.3], adjusted(&[0.3]));
        assert_eq!(vec![1.0, 0.02], adjusted(&[f64::NAN, 0.01]));
    }
}
