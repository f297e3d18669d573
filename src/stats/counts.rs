//! Statuses and what they count as: errors, client errors, aborted.

/// Which statuses count as errors: whole classes (`5xx`) and single codes (`429`, `-`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    classes: [bool; 6],
    codes: Vec<u16>,
}

impl Default for ErrorRule {
    /// Every 5xx.
    fn default() -> Self {
        Self { classes: [false, false, false, false, false, true], codes: Vec::new() }
    }
}

impl ErrorRule {
    /// From words such as `5xx`, `429`, `-`; the first word that is none of these is given back.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut rule = Self { classes: [false; 6], codes: Vec::new() };
        for word in words {
            let class = word.strip_suffix("xx").and_then(|c| c.parse::<usize>().ok()).filter(|c| (1..=5).contains(c));
            let code = if word == "-" { Some(0) } else { word.parse::<u16>().ok().filter(|c| (100..=599).contains(c)) };
            match (class, code) {
                (Some(class), _) => rule.classes[class] = true,
                (None, Some(code)) => rule.codes.push(code),
                (None, None) => return Err(word),
            }
        }
        Ok(rule)
    }

    /// Does a status count as an error?
    #[inline]
    pub fn is_error(&self, status: u16) -> bool {
        self.classes.get(usize::from(status / 100)).copied().unwrap_or(false) || self.codes.contains(&status)
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
        let rule = ErrorRule::new(["5xx", "429", "-"]).unwrap();
        let errors: Vec<u16> = [0, 200, 404, 429, 499, 500, 599].into_iter().filter(|s| rule.is_error(*s)).collect();
        assert_eq!(vec![0, 429, 500, 599], errors);
        assert_eq!(Err("6xx"), ErrorRule::new(["5xx", "6xx"]));
    }
}
