//! Told: pages are pure (figures and verdicts in, bytes out), senders carry pages out.
//!
//! Every figure comes from `stats::summary`; here it is only dressed. Untrusted text passes through `figures` first.

pub mod alert;
pub mod compare;
pub mod csv;
pub mod deploy;
#[cfg(test)]
pub(crate) mod example;
pub mod explain;
pub mod figures;
pub mod json;
pub mod markdown;
pub mod payload;
pub mod prometheus;
pub mod pulse;
pub mod replay;
pub mod retry;
pub mod serve;
pub mod text;
pub mod webhook;
pub mod worst;

use crate::stats::summary::Summary;
use crate::verdict::finding::Finding;
use crate::verdict::health::Health;

/// One report: what every page is made from.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The figures.
    pub summary: Summary,
    /// The verdict on all of it.
    pub health: Health,
    /// The verdict on each service, in the order of `summary.services`.
    pub service_health: Vec<Health>,
    /// What the logs show beside health, the gravest first.
    pub findings: Vec<Finding>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every page of `report` that is text.
    fn pages(report: &Report) -> Vec<(&'static str, String)> {
        let drawn = |draw: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
            let mut out = Vec::new();
            draw(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let look = |width| text::Look { width, colour: false };
        vec![
            ("json", drawn(&|out| json::json(report, out))),
            ("text", drawn(&|out| text::text(report, look(80), out))),
            ("wide text", drawn(&|out| text::text(report, look(200), out))),
            ("markdown", drawn(&|out| markdown::markdown(report, out))),
            ("csv", drawn(&|out| csv::csv(report, out))),
        ]
    }

    fn let_through(page: &str) -> Option<char> {
        page.replace("\r\n", "\n").chars().find(|&c| c != '\n' && figures::forbidden(c))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_page_lets_a_forbidden_character_through(raw: Vec<u8>, marks in "[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{2066}-\u{2069}`|]{0,20}") {
            let text = format!("{}{marks}", String::from_utf8_lossy(&raw));
            for (name, page) in pages(&example::hostile(&text)) {
                prop_assert_eq!(None, let_through(&page), "{}", name);
            }
        }

        #[test]
        fn no_line_of_text_is_wider_than_its_page(text in "\\PC{0,200}", room in 80_usize..200) {
            let mut out = Vec::new();
            text::text(&example::hostile(&text), text::Look { width: room, colour: false }, &mut out).unwrap();
            for line in String::from_utf8(out).unwrap().lines() {
                prop_assert!(figures::width(line) <= room, "{} columns: {line}", figures::width(line));
            }
        }
    }
}
