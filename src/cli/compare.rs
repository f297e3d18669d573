//! `compare`: two inputs, or one at a change; the verdict as text, JSON, Markdown or CSV, and as the exit code.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args;
use crate::cli::config::value;
use crate::cli::deliver;
use crate::cli::deploys;
use crate::cli::exit::Exit;
use crate::cli::prepare;
use crate::cli::progress;
use crate::cli::say;
use crate::cli::settings::Environment;
use crate::cli::settings::Form;
use crate::cli::settings::Settings;
use crate::cli::when::when;
use crate::drive::analyze;
use crate::drive::compare;
use crate::drive::compare::Sides;
use crate::error::Error;
use crate::parse::Auth;
use crate::verdict::command::Remedy;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Limits;
use crate::verdict::compare::Verdict;
use crate::verdict::compare::cut::How;
use crate::verdict::compare::cut::Reach;
use crate::verdict::compare::sides;
use crate::write;
use crate::write::figures::clean;
use crate::write::text::Look;

/// Runs `compare`. `None` where there is nothing to read: no path, and a terminal on standard input.
pub fn run(typed: args::Compare, around: &Environment<'_>) -> Result<Option<Exit>, Error> {
    let args::Change { at, by, warm_up, window, require_verdict, auth, min_slowdown, min_delay, min_share, level } =
        typed.change.clone();
    let paths = typed.reading.paths.len();
    let Some(settings) = Settings::of(typed.analyze(), around)? else { return Ok(None) };
    if settings.outputs.iter().any(|o| o.form == Form::Snapshot) {
        return Err(Error::usage("'--output snapshot': 'compare' writes text, json, markdown or csv"));
    }
    let sides = match (at.filter(|t| !t.is_empty()), by.filter(|t| !t.is_empty())) {
        (Some(_), Some(_)) => return Err(Error::usage("'--at' and '--by' exclude each other: by time, or by version")),
        (Some(at), None) => Sides::At(
            when(&at, around.now, &settings.zone).map_err(|why| Error::usage(format!("'--at': {}", clean(why.as_bytes()))))?,
        ),
        (None, Some(by)) => Sides::Versions(versions(&by)?),
        (None, None) if paths == 2 && settings.state.is_some() => {
            return Err(Error::usage("'--state' holds one log: cut it with '--at WHEN' or '--by version'"));
        }
        (None, None) if paths == 2 => Sides::Two,
        (None, None) if paths > 2 => {
            return Err(Error::usage(format!(
                "comparing {paths} paths: BEFORE and AFTER are two (quote a glob to make it one, or cut all of them with \
                 '--at WHEN' or '--by version')"
            )));
        }
        (None, None) => Sides::Last,
    };
    let reach = Reach {
        window_us: length("--window", window.as_deref())?.map_or(Reach::default().window_us, micros),
        warm_up_us: length("--warm-up", warm_up.as_deref())?.map(micros),
    };
    if reach.window_us == 0 {
        return Err(Error::usage("'--window 0s' leaves nothing to compare"));
    }
    let limits = limits(
        &settings,
        [("--min-slowdown", min_slowdown), ("--min-share", min_share), ("--level", level)],
        length("--min-delay", min_delay.as_deref())?,
    )?;
    let auth = auth.map(|auth| match auth {
        args::Login::Authenticated => Auth::Authenticated,
        args::Login::Anonymous => Auth::Anonymous,
    });
    let compared = read(&settings, around, sides, reach, limits, auth)?;
    let unread = compared.sources.iter().filter_map(|s| Some((s, s.error.as_ref()?)));
    let mut exit = Exit::Done;
    for (source, error) in unread {
        exit = Exit::Unread;
        if !settings.quiet {
            say(&format!("reading '{}': {}", clean(source.path.as_bytes()), clean(error.as_bytes())));
        }
    }
    for note in compared.notes.iter().filter(|_| settings.verbose > 0) {
        say(&clean(note.as_bytes()).to_string());
    }
    let comparison = compared.comparison?;
    let told = tell(&comparison, &settings)?;
    Ok(Some(exit.and(told).and(judged(comparison.verdict, require_verdict))))
}

/// What the verdict means for the exit code.
fn judged(verdict: Verdict, required: bool) -> Exit {
    match verdict {
        Verdict::Regressed => Exit::Bad,
        Verdict::TooFew if required => Exit::Bad,
        _ => Exit::Done,
    }
}

fn read(
    settings: &Settings,
    around: &Environment<'_>,
    sides: Sides,
    reach: Reach,
    limits: Limits,
    auth: Option<Auth>,
) -> Result<compare::Compared, Error> {
    let paths: Vec<String> = settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let asked = prepare::asked(settings)?;
    let given = deploys::given(settings, around.now)?;
    let passes = if sides == Sides::Two { 1 } else { 2 };
    let piped = paths.iter().any(|p| p == "-");
    let total = if settings.progress && !piped { Some(passes * analyze::size(&paths)) } else { None };
    let progress = progress::Progress::new(total, settings.progress);
    let remedy = |service: Option<&str>| remedy(settings, service);
    let ask = compare::Ask {
        read: analyze::Ask {
            paths,
            state: prepare::state(settings)?,
            settings: Arc::new(prepare::reading(settings)?),
            plan: prepare::plan(settings)?,
            now: around.now,
            threads: settings.threads.map_or_else(crate::cli::cores, NonZeroUsize::get),
            keep_parts: false,
            progress: &|bytes| progress.advance(bytes),
        },
        sides,
        given,
        reach,
        how: How {
            asked: sides::Asked {
                routes_max: asked.routes_max,
                errors: asked.errors,
                route: asked.route,
                include_probes: asked.include_probes,
            },
            limits,
            auth,
        },
        remedy: &remedy,
    };
    let compared = compare::run(&ask);
    progress.finish();
    Ok(compared)
}

/// A service's commands, else those of all.
pub fn remedy<'s>(settings: &'s Settings, service: Option<&str>) -> Remedy<'s> {
    let health = &settings.config.health;
    let own = settings.config.services.iter().find(|s| Some(s.name.as_str()) == service);
    Remedy {
        rollback: own.and_then(|s| s.rollback.as_deref()).or(health.rollback.as_deref()),
        purge: own.and_then(|s| s.purge.as_deref()).or(health.purge.as_deref()),
        purge_wildcard: health.purge_wildcard.as_deref(),
    }
}

/// Writes each output.
fn tell(comparison: &Comparison, settings: &Settings) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for output in &settings.outputs {
        let look = Look { width: settings.width, colour: settings.colour && output.file.is_none() };
        let mut page = Vec::new();
        let drawn = match output.form {
            Form::Text => write::compare::text(comparison, look, &mut page),
            Form::Json => write::compare::json(comparison, &mut page),
            Form::Markdown => write::compare::markdown(comparison, &mut page),
            Form::Csv => write::compare::csv(comparison, &mut page),
            Form::Snapshot => Err(io::Error::other("no snapshot of a comparison")),
        };
        drawn.map_err(|e| Error::new(crate::error::Fault::Output, format!("drawing the comparison: {e}")))?;
        exit = exit.and(deliver::page(&page, output.file.as_deref())?);
    }
    Ok(exit)
}

/// `version`, or `version=OLD,NEW`.
fn versions(text: &str) -> Result<Option<(String, String)>, Error> {
    let pair = match text.trim().strip_prefix("version") {
        Some("") => return Ok(None),
        Some(rest) => rest.strip_prefix('=').and_then(|pair| pair.split_once(',')),
        None => None,
    };
    let pair = pair.map(|(old, new)| (old.trim(), new.trim())).filter(|(old, new)| !old.is_empty() && !new.is_empty());
    let Some((old, new)) = pair else {
        return Err(Error::usage(format!("'--by {}': write 'version' or 'version=OLD,NEW'", clean(text.as_bytes()))));
    };
    if old == new {
        return Err(Error::usage(format!("'--by version={0},{0}' names one version twice", clean(old.as_bytes()))));
    }
    Ok(Some((old.to_owned(), new.to_owned())))
}

fn length(option: &str, text: Option<&str>) -> Result<Option<Duration>, Error> {
    let text = text.filter(|t| !t.is_empty());
    text.map(value::duration).transpose().map_err(|why| Error::usage(format!("'{option}': {}", clean(why.as_bytes()))))
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// From where on a change matters: as typed, the allowance from the promise about errors on all routes.
fn limits(settings: &Settings, shares: [(&str, Option<String>); 3], min_delay: Option<Duration>) -> Result<Limits, Error> {
    let share = |(option, text): (&str, Option<String>)| {
        let typed = text.filter(|t| !t.is_empty()).map(|text| value::share(&text)).transpose();
        typed.map_err(|why| Error::usage(format!("'{option}': {}", clean(why.as_bytes()))))
    };
    let usual = Limits::default();
    let [slowdown, points, level] = shares.map(share);
    let (slowdown, points, level) = (slowdown?, points?, level?);
    let delay_us = min_delay.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
    let allowance = settings.health_promises().iter().map(|p| 1.0 - p.target).fold(f64::INFINITY, f64::min);
    Ok(Limits {
        level: level.unwrap_or(usual.level),
        relative: slowdown.unwrap_or(usual.relative),
        // what was typed is the least that matters, by the second rule too
        strong: usual.strong.max(slowdown.unwrap_or_default()),
        absolute_us: delay_us.unwrap_or(usual.absolute_us),
        strong_us: usual.strong_us.max(delay_us.unwrap_or_default()),
        share: points.unwrap_or(usual.share),
        allowance: if allowance.is_finite() { allowance } else { usual.allowance },
        ..usual
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_last_two_or_named() {
        assert_eq!(None, versions("version").unwrap());
        assert_eq!(Some(("1.0".to_owned(), "1.1".to_owned())), versions("version=1.0, 1.1").unwrap());
        for text in ["release", "version=", "version=1.0", "version=1.0,", "versions", "version=1,1"] {
            assert!(versions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_regression_fails_and_too_few_where_a_verdict_is_required() {
        for (want, verdict, required) in [
            (Exit::Bad, Verdict::Regressed, false),
            (Exit::Done, Verdict::Improved, true),
            (Exit::Done, Verdict::Same, true),
            (Exit::Done, Verdict::TooFew, false),
            (Exit::Bad, Verdict::TooFew, true),
        ] {
            assert_eq!(want, judged(verdict, required), "{verdict:?} {required}");
        }
    }
}
