//! Which figures a log cannot give, why, and what would make it give them.
//!
//! Names the setting of the server whose lines were read; the whole change to paste is `vitalog explain --fix`'s to
//! print. A figure is unavailable where no line tells it at all; one that some lines tell is there.

use super::Summary;
use super::Unavailable;

/// The command that prints the whole change.
const FIX: &str = "'vitalog explain --fix'";

/// The settings that add what each server leaves out of its access line: for gunicorn and hypercorn alike.
const PERCENT: &str = "--access-logformat '… duration_us=%(D)s'";

/// What a server's own access line lacks, and how its own setting adds it. The first row that fits stands.
const SETTINGS: [(&str, &str, &str); 11] = [
    ("uvicorn", "time", "uvicorn --log-config with %(asctime)s before the line"),
    ("gunicorn", "latency", PERCENT),
    ("gunicorn", "time", "--access-logformat with %(t)s"),
    ("hypercorn", "latency", PERCENT),
    ("hypercorn", "time", "--access-logformat with %(t)s"),
    ("combined", "latency", "nginx: log_format with $request_time; gunicorn: --access-logformat '… duration_us=%(D)s'"),
    ("common", "latency", "nginx: log_format with $request_time; gunicorn: --access-logformat '… duration_us=%(D)s'"),
    ("nginx", "latency", "log_format with $request_time"),
    ("nginx", "cache", "log_format with $upstream_cache_status"),
    ("granian", "latency", "granian --access-log with its default format, or %(dt_ms).3f in its own"),
    ("granian", "time", "granian --access-log with its default format, or [%(time)s] in its own"),
];

/// What no line of `summary` tells, in the order latency, time, bytes, logged in, cache, version. Empty where no request is
/// looked at.
pub(super) fn unavailable(summary: &Summary) -> Vec<Unavailable> {
    if summary.total.requests == 0 && summary.routes.is_empty() {
        return Vec::new();
    }
    let total = &summary.total;
    let anywhere = |has: &dyn Fn(&super::Figures) -> bool| {
        has(total) || summary.routes.iter().any(|route| has(&route.figures)) || summary.services.iter().any(|s| has(&s.figures))
    };
    let figures = [
        ("latency", anywhere(&|f| f.latency.is_some())),
        ("time", summary.period.time_source != "none"),
        ("bytes", anywhere(&|f| f.bytes.is_some())),
        ("logged_in", anywhere(&|f| f.auth.is_some())),
        ("cache", anywhere(&|f| f.cache.is_some())),
        ("version", !summary.versions.is_empty()),
    ];
    let format = format(summary);
    let missing = figures.into_iter().filter(|(_, there)| !there);
    missing
        .map(|(figure, _)| Unavailable { figure, because: because(format, figure), enable_with: enable_with(format, figure) })
        .collect()
}

/// The form that most requests have, by the sources' first names.
fn format(summary: &Summary) -> Option<&str> {
    let first = |format: &'_ str| format.split('+').next().map(str::len);
    let source = summary.input.sources.iter().filter(|s| s.format.is_some()).max_by_key(|s| s.requests)?;
    let format = source.format.as_deref()?;
    format.get(..first(format)?)
}

fn because(format: Option<&str>, figure: &str) -> String {
    match (format, figure) {
        (Some("uvicorn"), "latency" | "time" | "bytes") => {
            format!("uvicorn's access line has no {}", if figure == "bytes" { "size" } else { figure })
        }
        (Some(server @ ("gunicorn" | "combined" | "common" | "nginx" | "hypercorn")), "latency") => {
            format!("the {server} lines of this log end without a duration")
        }
        (Some("granian"), "bytes") => "granian's access line cannot tell it".to_owned(),
        (_, "latency") => "no line tells how long a request took".to_owned(),
        (_, "time") => "no line has a time, and no wrapper adds one".to_owned(),
        (_, "bytes") => "no line tells the size of an answer".to_owned(),
        (_, "logged_in") => "no line tells whether somebody was logged in".to_owned(),
        (_, "cache") => "no line tells what a cache said".to_owned(),
        (_, _) => "no line names the application's version".to_owned(),
    }
}

fn enable_with(format: Option<&str>, figure: &str) -> String {
    let own = SETTINGS.iter().find(|(server, of, _)| format == Some(server) && *of == figure);
    match (own, figure) {
        (Some((_, _, setting)), _) => format!("{setting} ({FIX} prints the whole change)"),
        (None, "cache") => "the cache's word: nginx log_format with $upstream_cache_status, or '[fields] cache'".to_owned(),
        (None, "logged_in") => format!("a yes or no in the access line ({FIX} prints the change), or '[fields] user'"),
        (None, "version") => format!("the version in the access line ({FIX} prints the change), or '[fields] version'"),
        (None, _) => format!("the change that {FIX} prints"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summary::Figures;
    use crate::stats::summary::Latency;
    use crate::stats::summary::Period;
    use crate::stats::summary::SourceFigures;

    fn read(format: &str, time_source: &'static str, total: Figures) -> Summary {
        let total = Figures { requests: 3, ..total };
        let mut summary = Summary { total, period: Period { time_source, ..Period::default() }, ..Summary::default() };
        summary.input.sources =
            vec![SourceFigures { format: Some(format.to_owned()), requests: 3, ..SourceFigures::default() }];
        summary
    }

    fn names(summary: &Summary) -> Vec<&'static str> {
        unavailable(summary).iter().map(|u| u.figure).collect()
    }

    #[test]
    fn what_no_line_tells_is_unavailable_and_what_one_tells_is_not() {
        let all = ["latency", "time", "bytes", "logged_in", "cache", "version"];
        assert_eq!(all.to_vec(), names(&read("uvicorn", "none", Figures::default())));
        let timed = Figures { latency: Some(Latency::default()), bytes: Some(0), ..Figures::default() };
        assert_eq!(vec!["logged_in", "cache", "version"], names(&read("nginx", "line", timed)));
        assert_eq!(Vec::<&str>::new(), names(&Summary::default()), "nothing was asked: nothing is missing");
    }

    #[test]
    fn the_setting_named_is_that_of_the_server_whose_lines_were_read() {
        for (format, figure, word) in [
            ("uvicorn", "time", "%(asctime)s"),
            ("uvicorn+json", "time", "%(asctime)s"),
            ("gunicorn", "latency", "%(D)s"),
            ("hypercorn", "latency", "%(D)s"),
            ("nginx", "latency", "$request_time"),
            ("nginx", "cache", "$upstream_cache_status"),
            ("granian", "latency", "%(dt_ms)"),
            ("uvicorn", "latency", "vitalog explain --fix"),
            ("json", "version", "[fields] version"),
        ] {
            let missing = unavailable(&read(format, "none", Figures::default()));
            let said = &missing.iter().find(|u| u.figure == figure).unwrap().enable_with;
            assert!(said.contains(word), "{format} {figure}: {said}");
        }
    }
}
