//! Deploy marks that are given: `--deploy WHEN[=LABEL]`, and the lines of `--deploys`, `TIME LABEL` each.
//!
//! The settings hold what was typed, read; here the file's lines are read, one at a time so that a live run can follow
//! it. Blank lines and such that begin with `#` say nothing.

use std::path::Path;

use jiff::tz::TimeZone;

use crate::cli::settings::Settings;
use crate::cli::when::when;
use crate::error::Error;
use crate::stats::deploys::Mark;
use crate::stats::deploys::Source;
use crate::time::Timestamp;
use crate::write::figures::clean;

/// The longest label that is kept, in characters.
const LABEL: usize = 64;

/// All marks that the settings give.
pub fn given(settings: &Settings, now: Timestamp) -> Result<Vec<Mark>, Error> {
    let typed = settings.deploys.iter().map(|(at, label)| Mark::given(*at, label.as_deref().map(short), Source::Option));
    let mut all: Vec<Mark> = typed.collect();
    if let Some(path) = &settings.deploys_file {
        all.extend(file(path, now, &settings.zone)?);
    }
    Ok(all)
}

fn file(path: &Path, now: Timestamp, zone: &TimeZone) -> Result<Vec<Mark>, Error> {
    let name = path.to_string_lossy();
    let wrong = |why: String| Error::usage(format!("'--deploys': reading '{}': {why}", clean(name.as_bytes())));
    let text = std::fs::read(path).map_err(|e| wrong(crate::cli::settings::told(&e)))?;
    let text = String::from_utf8_lossy(&text);
    let marks = (1..)
        .zip(text.lines())
        .map(|(number, text)| line(text, now, zone).map_err(|why| wrong(format!("line {number}: {}", clean(why.as_bytes())))));
    Ok(marks.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

/// The mark of one line of a `--deploys` file; `None` for one that says nothing. The time may be of two words
/// (`2026-11-22 10:00`). The error is a sentence.
pub fn line(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Option<Mark>, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let split = |at: usize| {
        let (time, label) = text.split_at(at);
        when(time, now, zone).map(|time| (time, label.trim()))
    };
    let mut blanks = text.match_indices(char::is_whitespace).map(|(at, _)| at).chain([text.len()]);
    let (one, two) = (blanks.next().unwrap_or(text.len()), blanks.next());
    let (at, label) = two.and_then(|two| split(two).ok()).map_or_else(|| split(one), Ok)?;
    Ok(Some(Mark::given(at, Some(short(label)).filter(|l| !l.is_empty()), Source::File)))
}

fn short(label: &str) -> String {
    label.chars().take(LABEL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_394_208_000_000);

    fn told(text: &str) -> String {
        match line(text, NOW, &TimeZone::UTC) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(mark)) => format!("{} {}", mark.at, mark.label.unwrap_or_else(|| "-".to_owned())),
            Err(why) => why,
        }
    }

    #[test]
    fn a_line_is_a_time_and_a_label() {
        for (want, text) in [
            ("2026-11-22T10:00:00Z v1.4.2", "2026-11-22T10:00:00Z v1.4.2"),
            ("2026-11-22T09:00:00Z v1.4.2-3-gabcdef by ci", "2026-11-22T10:00:00+01:00\tv1.4.2-3-gabcdef by ci"),
            ("2026-11-22T10:00:00Z v1", "2026-11-22 10:00 v1"),
            ("2026-11-22T10:00:07Z -", "2026-11-22 10:00:07"),
            ("2026-11-22T00:00:00Z v1", "2026-11-22 v1"),
            ("2026-11-22T10:00:00Z -", "  2026-11-22T10:00:00Z  "),
            ("nothing", ""),
            ("nothing", "# what we shipped"),
        ] {
            assert_eq!(want, told(text), "{text}");
        }
    }

    #[test]
    fn what_has_no_time_is_refused_with_the_forms_there_are() {
        for text in ["v1.4.2", "v1.4.2 2026-11-22"] {
            assert!(told(text).starts_with("'v1.4.2' is no time; write '2026-"), "{}", told(text));
        }
    }
}
