//! What the `--format` option means: a known form by its name, a server's file, a regular expression, a format string.

use super::Compiled;
use super::Settings;
use crate::error::Error;
use crate::parse::pattern::Pattern;
use crate::parse::server;
use crate::parse::server::Found;
use std::path::Path;

/// The forms that are known by name.
pub const KNOWN: [&str; 13] = [
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "granian",
    "daphne",
    "common",
    "combined",
    "nginx",
    "json",
    "logfmt",
    "loguru",
    "structlog",
    "timing",
];

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// To be told from each source's first lines.
    Auto,
    /// A form known by its name, one of [`KNOWN`].
    Known(&'static str),
    /// The formats of a server's configuration file.
    Server(Found),
    /// A regular expression.
    Pattern(Box<Pattern>),
    /// A format string.
    Format(Box<Compiled>),
}

/// What `text`, the value of `--format`, means.
///
/// # Errors
/// Where it is none of these, or one of them that breaks: with the place and the remedy.
pub fn from_option(text: &str) -> Result<Choice, Error> {
    let text = text.trim_matches(|c: char| c == '\n' || c == '\r');
    if text == "auto" {
        return Ok(Choice::Auto);
    }
    if let Some(known) = KNOWN.iter().find(|k| **k == text) {
        return Ok(Choice::Known(known));
    }
    if let Some(file) = text.strip_prefix('@') {
        return server::find(Path::new(file)).map(Choice::Server);
    }
    if let Some(pattern) = text.strip_prefix('/') {
        let Some(pattern) = pattern.strip_suffix('/').filter(|p| !p.is_empty()) else {
            return Err(Error::usage("'--format': a regular expression stands between two slashes: '/…/' (a file is '@FILE')"));
        };
        let compiled = Pattern::new(pattern).map_err(|e| e.in_setting("'--format'", pattern))?;
        return Ok(Choice::Pattern(Box::new(compiled)));
    }
    if text.contains(['%', '$', '{']) {
        let compiled = Compiled::new(text, Settings::default()).map_err(|e| e.in_setting("'--format'", text))?;
        return Ok(Choice::Format(Box::new(compiled)));
    }
    let near = KNOWN.iter().chain(&["auto"]).map(|k| (strsim::damerau_levenshtein(k, text), k)).min();
    let meant = near.filter(|(distance, _)| *distance <= 2).map(|(_, k)| format!("did you mean '{k}'? ")).unwrap_or_default();
    let known = KNOWN.join(", ");
    Err(Error::usage(format!(
        "'--format {}' is no format ({meant}known: auto, {known}; or '%(h)s … %(s)s', '@FILE', '/regex/')",
        text.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_told_by_its_look() {
        assert_eq!(Ok(Choice::Auto), from_option("auto"));
        assert_eq!(Ok(Choice::Known("nginx")), from_option("nginx"));
        assert!(matches!(from_option("$remote_addr \"$request\" $status"), Ok(Choice::Format(_))));
        assert!(matches!(from_option("{asctime} {message}"), Ok(Choice::Format(_))));
        assert!(matches!(from_option("/(?P<status>[0-9]{3})/"), Ok(Choice::Pattern(_))));
    }

    #[test]
    fn what_is_no_format_is_refused_with_the_remedy() {
        for (words, text) in [
            ("did you mean 'gunicorn'", "gunicron"),
            ("reading the format from 'no-such-file.py'", "@no-such-file.py"),
            ("two slashes", "/var/log/app.log"),
            ("at byte 11", "/(?P<path>.)(/"),
            ("Apache", "%h %l %u"),
            ("known: auto", ""),
        ] {
            let error = from_option(text).err().unwrap();
            assert!(error.message.contains(words), "{text}: {error}");
        }
    }
}
