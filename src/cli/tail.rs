//! `tail` and `mute`: what is typed made into a live run, and silences put into a running one's state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::args;
use super::config::value::duration;
use super::deploys;
use super::exit::Exit;
use super::prepare;
use super::rules;
use super::say;
use super::settings::Environment;
use super::settings::Form;
use super::settings::Settings;
use super::when::when;
use crate::drive::clock;
use crate::drive::live::Ended;
use crate::drive::live::Live;
use crate::drive::live::Options;
use crate::drive::live::Outside;
use crate::drive::live::Setup;
use crate::drive::state;
use crate::drive::state::mutes::Mute;
use crate::drive::state::mutes::Mutes;
use crate::error::Error;
use crate::stats::deploys::Mark;
use crate::stats::summary::Asked;
use crate::time::Timestamp;
use crate::write::figures::clean;
use crate::write::figures::moment;
use crate::write::serve;
use crate::write::serve::Limits;

/// What `tail` needs beside [`Settings`], as typed.
struct Typed {
    state: Option<PathBuf>,
    every: Option<String>,
    listen: Option<String>,
    from_start: bool,
    poll: bool,
    reset: bool,
}

/// Runs `tail`; `None` where there is nothing to read.
pub fn tail(typed: args::Tail, around: &Environment<'_>) -> Result<Option<Exit>, Error> {
    let own = Typed {
        state: typed.state.clone().filter(|p| !p.as_os_str().is_empty()),
        every: typed.every.clone().filter(|t| !t.is_empty()),
        listen: typed.listen.clone().filter(|t| !t.is_empty()),
        from_start: typed.from_start,
        poll: typed.poll,
        reset: typed.reset_state,
    };
    let again = typed.clone();
    let Some(settings) = Settings::of(typed.analyze(), around)? else { return Ok(None) };
    let form = form(&settings)?;
    let setup = made(&settings, own.every.as_deref())?;
    let options = options(&settings, &own, form, around)?;
    let zone = settings.zone.clone();
    let reload = || {
        let variable = |name: &str| std::env::var(name).ok();
        let around = Environment { variable: &variable, now: clock::now(), zone: TimeZone::system(), ..*around };
        let settings =
            Settings::of(again.clone().analyze(), &around)?.ok_or_else(|| Error::usage("nothing to read".to_owned()))?;
        made(&settings, own.every.as_deref())
    };
    let quiet = settings.quiet;
    let talk = |message: &str| {
        if !quiet {
            say(message);
        }
    };
    let outside = Outside {
        say: if quiet { &talk } else { &say },
        when: Arc::new(move |text, now| when(text, now, &zone)),
        deploys: &|| given(&settings),
        reload: &reload,
    };
    let live = Live::start(setup, options, outside)?;
    Ok(Some(match live.run() {
        Ended::Well => Exit::Done,
        Ended::Unread => Exit::Unread,
    }))
}

/// Text or JSON, on standard output alone.
fn form(settings: &Settings) -> Result<Form, Error> {
    match settings.outputs.as_slice() {
        [one] if one.file.is_none() && matches!(one.form, Form::Text | Form::Json) => Ok(one.form),
        _ => Err(Error::usage("'tail' writes text or json to standard output; write '-o text' or '-o json'".to_owned())),
    }
}

/// What the configuration and the options say, checked.
fn made(settings: &Settings, every: Option<&str>) -> Result<Setup, Error> {
    let config = &settings.config;
    let every = match every {
        Some(text) => duration(text).map_err(|why| Error::usage(format!("'--every {}': {}", clean(text), clean(&why))))?,
        None => config.tail.every,
    };
    if every < Duration::from_secs(1) {
        return Err(Error::usage("'--every' is at least 1s".to_owned()));
    }
    Ok(Setup {
        reading: Arc::new(prepare::reading(settings)?),
        asked: Asked { deploys: given(settings)?, ..prepare::asked(settings)? },
        plan: prepare::plan(settings)?,
        judging: rules::setup(config, settings.include_probes),
        sinks: rules::sinks(config)?,
        every_s: every.as_secs(),
        metrics_routes: config.tail.metrics_routes,
    })
}

/// Deploys that were given; their file may come later.
fn given(settings: &Settings) -> Result<Vec<Mark>, Error> {
    let there = settings.deploys_file.clone().filter(|path| path.exists());
    deploys::given(&Settings { deploys_file: there, ..settings.clone() }, clock::now())
}

fn options(settings: &Settings, typed: &Typed, form: Form, around: &Environment<'_>) -> Result<Options, Error> {
    let tail = &settings.config.tail;
    let by_systemd = || {
        (around.variable)("STATE_DIRECTORY")
            .filter(|d| !d.is_empty())
            .map(|dirs| PathBuf::from(dirs.split(':').next().unwrap_or_default()).join("vitalog.db"))
    };
    let path = typed.state.clone().or_else(|| tail.state.as_ref().map(PathBuf::from)).or_else(by_systemd);
    if typed.reset && path.is_none() {
        return Err(Error::usage("'--reset-state' needs the state's file: '--state FILE'".to_owned()));
    }
    let listen = typed.listen.as_deref().or(tail.listen.as_deref()).map(serve::address).transpose()?;
    let listen = listen.map(|address| serve::Settings {
        address,
        hosts: tail.hosts.clone(),
        token: tail.token.as_ref().map(|t| t.reveal().to_owned()),
        limits: Limits::default(),
        ranges: Arc::new(|_| Err(serve::Refused::Cannot("not ready".to_owned()))),
        whole: None,
    });
    let limits_us = rules::setup(&settings.config, false).settings.limits_us;
    Ok(Options {
        paths: settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect(),
        from_start: typed.from_start || settings.since.is_some(),
        poll: typed.poll,
        deploys: settings.deploys_file.clone(),
        state: state::Settings {
            path,
            keep_s: i64::try_from(tail.keep.as_secs()).unwrap_or(i64::MAX),
            max_size: tail.max_size,
            limits_us,
        },
        reset: typed.reset,
        listen,
        json: form == Form::Json,
        terminal: around.stdout_is_terminal,
        colour: settings.colour,
        quiet: settings.quiet,
    })
}

/// Runs `mute`.
pub fn mute(typed: &args::Mute, around: &Environment<'_>) -> Result<Exit, Error> {
    let by_systemd =
        || (around.variable)("STATE_DIRECTORY").filter(|d| !d.is_empty()).map(|d| PathBuf::from(d).join("vitalog.db"));
    let config = super::settings::config_of(typed.config.as_deref(), around)?;
    let path = typed.state.clone().or_else(|| config.tail.state.as_ref().map(PathBuf::from)).or_else(by_systemd);
    let path = path.ok_or_else(|| Error::usage("which tail is to be silent? name its state: '--state FILE'".to_owned()))?;
    let mut mutes = Mutes::open(&path)?;
    if typed.list {
        return listed(&mutes.list()?, around.now);
    }
    if let Some(id) = typed.remove {
        if !mutes.remove(id)? {
            return Err(Error::usage(format!("there is no mute {id} ('vitalog mute --list' shows them)")));
        }
        say(&format!("mute {id} is removed"));
        return Ok(Exit::Done);
    }
    let Some(length) = typed.length.as_deref() else {
        return Err(Error::usage("how long? write '--for 2h' (or '--list', '--remove ID')".to_owned()));
    };
    let length = duration(length).map_err(|why| Error::usage(format!("'--for {}': {}", clean(length), clean(&why))))?;
    if let Some(route) = &typed.route {
        crate::route::glob::RouteGlob::new(route)?;
    }
    let until = around.now.micros().saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX));
    let mute = Mute {
        id: 0,
        service: typed.service.clone(),
        rule: typed.rule.clone(),
        route: typed.route.clone(),
        from: around.now,
        until: Timestamp(until),
        reason: typed.reason.clone(),
    };
    let id = mutes.add(&mute, around.now)?;
    super::printed(format!("mute {id}: {}\n", described(&Mute { id, ..mute })).as_bytes())
}

fn listed(mutes: &[Mute], now: Timestamp) -> Result<Exit, Error> {
    let holding: Vec<&Mute> = mutes.iter().filter(|m| m.until > now).collect();
    let mut page = String::new();
    for mute in &holding {
        page.extend([mute.id.to_string(), "  ".to_owned(), described(mute), "\n".to_owned()]);
    }
    if holding.is_empty() {
        page.push_str("nothing is muted\n");
    }
    super::printed(page.as_bytes())
}

fn described(mute: &Mute) -> String {
    let part = |word: &str, value: &Option<String>| value.as_ref().map(|v| format!("{word} {}", clean(v)));
    let parts = [part("service", &mute.service), part("rule", &mute.rule), part("route", &mute.route)];
    let what: Vec<String> = parts.into_iter().flatten().collect();
    let what = if what.is_empty() { "everything".to_owned() } else { what.join(", ") };
    let reason = mute.reason.as_ref().map(|r| format!(" ({})", clean(r))).unwrap_or_default();
    format!("{what}, until {}{reason}", moment(mute.until))
}
