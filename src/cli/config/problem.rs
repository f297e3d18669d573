//! What is wrong in a configuration file: where, what, and what to write instead.
//!
//! Shows the line itself, but never what may be a secret: of a line below `[[sink]]`, or one that sets a token, only
//! the part before the value.

use std::ops::Range;

use crate::write::figures::clean_to;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where, in bytes of the file.
    pub(crate) at: Range<usize>,
    /// A sentence without the place.
    pub(crate) message: String,
}

/// All of them as they are printed, in the order of the file, one block each: `FILE:LINE:COLUMN: what`, then the line.
pub(crate) fn told(name: &str, source: &str, mut problems: Vec<Problem>) -> String {
    problems.sort_by_key(|p| p.at.start);
    problems.dedup();
    problems.iter().map(|p| block(name, source, p)).collect::<Vec<_>>().join("\n")
}

fn block(name: &str, source: &str, problem: &Problem) -> String {
    let start = floor(source, problem.at.start);
    let before = source.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let number = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let line = source.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
    let header = before.lines().rev().map(str::trim).find(|l| l.starts_with('[') && !l.contains('='));
    let shown = clean_to(redacted(line, header), 160);
    let margin = " ".repeat(number.to_string().len());
    let message = clean_to(&problem.message, 600);
    let caret = if column <= shown.as_str().chars().count() {
        format!("\n  {margin} | {}^", " ".repeat(column - 1))
    } else {
        String::new()
    };
    format!("{name}:{number}:{column}: {message}\n  {number} | {shown}{caret}")
}

/// The last boundary of a character at or before `at`.
fn floor(source: &str, at: usize) -> usize {
    (0..=at.min(source.len())).rev().find(|&i| source.is_char_boundary(i)).unwrap_or(0)
}

/// The line without what may be a secret, given the table header above it.
fn redacted(line: &str, header: Option<&str>) -> String {
    let below_sink = header.is_some_and(|h| h.contains("sink"));
    let words = ["token", "secret", "url", "headers", "authorization", "sink"];
    let lower = line.to_ascii_lowercase();
    let comment = line.trim_start().starts_with('#');
    if line.trim_start().starts_with('[') && !line.contains('=')
        || !(below_sink || comment || words.iter().any(|w| lower.contains(w)))
    {
        return line.to_owned();
    }
    match line.split_once('=') {
        Some((key, _)) => format!("{key}= …"),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, word: &str) -> String {
        let start = source.find(word).unwrap();
        told("v.toml", source, vec![Problem { at: start..start + word.len(), message: "wrong".to_owned() }])
    }

    #[test]
    fn the_place_and_the_line_are_shown() {
        assert_eq!("v.toml:2:1: wrong\n  2 | every = 1\n    | ^", shown("[tail]\nevery = 1\nx = 2\n", "every"));
        assert_eq!("v.toml:1:5: wrong\n  1 | a = ü\n    |     ^", shown("a = ü", "ü"));
    }

    #[test]
    fn what_may_be_a_secret_is_not() {
        for (source, word) in [
            ("[[sink]]\nformt = \"hunter2\"\n", "formt"),
            ("[[sink]]\nurl = \"https://x/hunter2\"", "url"),
            ("[tail]\ntoken = \"hunter2\"\n", "token"),
            ("[[sink]]\nheaders = {\n  X = \"hunter2\"\n}", "X"),
            ("[[sink]]\n hunter2\n", " "),
            ("sink = [{ name = \"hunter2\" }]", "sink"),
        ] {
            let text = shown(source, word);
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
