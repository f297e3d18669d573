//! `explain`: what each source is, what each kind of line was taken for, what is impossible here; and `--fix`.

use std::io;
use std::sync::Arc;

use crate::cli::args;
use crate::cli::deliver;
use crate::cli::exit::Exit;
use crate::cli::prepare;
use crate::cli::progress;
use crate::cli::say;
use crate::cli::settings::Environment;
use crate::cli::settings::Form;
use crate::cli::settings::Settings;
use crate::drive::analyze;
use crate::drive::examples;
use crate::error::Error;
use crate::write::explain::Explained;
use crate::write::explain::fix;
use crate::write::explain::fix::Server;
use crate::write::explain::json;
use crate::write::explain::text;
use crate::write::figures::clean;
use crate::write::text::Look;

/// Runs `explain`. `None` where there is nothing to read: no path, no line, no server named, and a terminal on standard
/// input.
pub fn explain(typed: args::Explain, around: &Environment<'_>) -> Result<Option<Exit>, Error> {
    let args::Explain { line, fix, output, .. } = &typed;
    let (line, fix, output) = (line.clone(), *fix, output.clone());
    if let Some(Some(server)) = fix {
        return deliver::page(fix::page(&[server]).as_bytes(), None).map(Some);
    }
    let mut analyze = typed.analyze();
    analyze.output.output = output;
    if line.is_some() {
        analyze.reading.paths = vec!["-".into()];
    } else if fix.is_some() && analyze.reading.paths.is_empty() && around.stdin_is_terminal {
        return deliver::page(fix::page(&Server::ALL).as_bytes(), None).map(Some);
    }
    let Some(settings) = Settings::of(analyze, around)? else { return Ok(None) };
    if let Some(other) = settings.outputs.iter().find(|o| !matches!(o.form, Form::Text | Form::Json)) {
        return Err(Error::usage(format!("'--output {}': 'explain' writes text or json", other.form.name())));
    }
    let explained = read(&settings, around, line.as_deref())?;
    for source in explained.sources.iter().filter(|_| !settings.quiet) {
        if let Some(error) = &source.error {
            say(&clean(error.as_bytes()).to_string());
        }
    }
    let told = if fix.is_some() {
        deliver::page(fix::page(&fix::servers(&explained)).as_bytes(), None)?
    } else {
        tell(&explained, &settings)?
    };
    let judged = match () {
        () if explained.unread() => Exit::Unread,
        () if fix.is_none() && !explained.understood() => Exit::Bad,
        () => Exit::Done,
    };
    Ok(Some(told.and(judged)))
}

fn read(settings: &Settings, around: &Environment<'_>, line: Option<&str>) -> Result<Explained, Error> {
    let paths: Vec<String> = settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let piped = paths.iter().any(|p| p == "-");
    let total = if settings.progress && !piped { Some(analyze::size(&paths)) } else { None };
    let progress = progress::Progress::new(total, settings.progress && line.is_none());
    let ask = examples::Ask {
        paths,
        settings: Arc::new(prepare::reading(settings)?),
        plan: prepare::plan(settings)?,
        asked: prepare::asked(settings)?,
        now: around.now,
        progress: &|bytes| progress.advance(bytes),
    };
    let explained = match line {
        Some(line) => examples::explain_text(&ask, line.as_bytes()),
        None => examples::explain(&ask),
    };
    progress.finish();
    Ok(explained)
}

fn tell(explained: &Explained, settings: &Settings) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for output in &settings.outputs {
        let mut page = Vec::new();
        let look = Look { width: settings.width, colour: settings.colour && output.file.is_none() };
        let drawn = match output.form {
            Form::Json => json(explained, &mut page),
            _ => text(explained, look, &mut page),
        };
        drawn.map_err(|error: io::Error| Error::usage(error.to_string()))?;
        exit = exit.and(deliver::page(&page, output.file.as_deref())?);
    }
    Ok(exit)
}
