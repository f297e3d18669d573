//! Statuses and what they count as: errors, client errors, aborted.

use std::ops::RangeInclusive;

/// Which statuses count as errors. The default is 500 to 599.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    ranges: Vec<RangeInclusive<u16>>,
}

impl Default for ErrorRule {
    fn default() -> Self {
        Self { ranges: vec![500..=599] }
    }
}

impl ErrorRule {
    /// The statuses of these ranges.
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self { ranges }
    }

    /// Does a status count as an error?
    #[inline]
    pub fn is_error(&self, status: u16) -> bool {
        self.ranges.iter().any(|r| r.contains(&status))
    }
}

/// 4xx.
pub fn is_client_error(status: u16) -> bool {
    (400..500).contains(&status)
}

/// The client went away before the answer: nginx's 499, load balancers' 460, and no status at all.
pub fn is_aborted(status: u16) -> bool {
    matches!(status, 0 | 460 | 499)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_single_codes_count_as_told() {
        let rule = ErrorRule::new(vec![500..=599, 429..=429]);
        let errors: Vec<u16> = [0, 200, 404, 429, 499, 500, 599].into_iter().filter(|s| rule.is_error(*s)).collect();
        assert_eq!(vec![429, 500, 599], errors);
    }
}
