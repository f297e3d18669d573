//! `replay`: the alerts that these rules would have raised on an archive. Sends nothing.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::cli::args;
use crate::cli::cores;
use crate::cli::deliver;
use crate::cli::deploys;
use crate::cli::exit::Exit;
use crate::cli::prepare;
use crate::cli::progress;
use crate::cli::rules;
use crate::cli::say;
use crate::cli::settings::Environment;
use crate::cli::settings::Form;
use crate::cli::settings::Settings;
use crate::drive::analyze;
use crate::drive::analyze::Read;
use crate::drive::deploys::Deploys;
use crate::drive::deploys::shown;
use crate::drive::judge;
use crate::drive::judge::Judge;
use crate::drive::sequence::Follower;
use crate::drive::sequence::Keep;
use crate::drive::sequence::Parts;
use crate::drive::state::reader::Reader;
use crate::error::Error;
use crate::stats::counts::ErrorRule;
use crate::stats::deploys::Mark;
use crate::stats::deploys::Turn;
use crate::stats::snapshot::Looks;
use crate::stats::snapshot::Snapshot;
use crate::time::Timestamp;
use crate::verdict::rule::Severity;
use crate::verdict::timeline::Timeline;
use crate::write::figures::clean;
use crate::write::replay;
use crate::write::text::Look;

/// Runs `replay`. `None` where there is nothing to read: no path, and a terminal on standard input.
pub fn replay(mut typed: args::Replay, around: &Environment<'_>) -> Result<Option<Exit>, Error> {
    let fail_on = typed.fail_on_alert;
    // What is typed wins over the environment.
    let surrounding = (around.variable)("VITALOG_STATE").map(PathBuf::from);
    typed.state.take_if(|state| !typed.reading.paths.is_empty() && Some(&*state) == surrounding.as_ref());
    let Some(settings) = Settings::of(typed.analyze(), around)? else { return Ok(None) };
    if let Some(other) = settings.outputs.iter().find(|o| !matches!(o.form, Form::Text | Form::Json)) {
        return Err(Error::usage(format!("'--output {}': 'replay' writes text or json", other.form.name())));
    }
    if settings.state.is_some() && !settings.paths.is_empty() {
        return Err(Error::usage("'--state': 'replay' reads a state alone (leave the paths out)".to_owned()));
    }
    let setup = rules::setup(&settings.config, settings.include_probes);
    let played = play(&settings, &setup, around.now)?;
    for warning in played.warnings.iter().filter(|_| !settings.quiet) {
        say(&clean(warning).to_string());
    }
    let exit = told(&settings, &played)?.and(judged(&played, fail_on));
    Ok(Some(exit))
}

/// What a replay gave.
pub struct Played {
    /// What would have happened.
    pub timeline: Timeline,
    /// What was read.
    pub read: Read,
    /// Sentences about promises that cannot work as written.
    pub warnings: Vec<String>,
}

/// Reads everything that `settings` name and judges it by `setup`.
pub fn play(settings: &Settings, setup: &judge::Setup, now: Timestamp) -> Result<Played, Error> {
    let paths: Vec<String> = settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let piped = paths.iter().any(|p| p == "-");
    let total = if settings.progress && !piped { Some(analyze::size(&paths)) } else { None };
    let progress = progress::Progress::new(total, settings.progress);
    let ask = analyze::Ask {
        paths,
        settings: Arc::new(prepare::reading(settings)?),
        plan: prepare::plan(settings)?,
        now,
        threads: settings.threads.map_or_else(cores, NonZeroUsize::get),
        keep_parts: false,
        state: None,
        progress: &|bytes| progress.advance(bytes),
    };
    let judge = Judge::new(setup);
    let mut player = Player {
        by_route: judge.looks_at_routes(),
        judge,
        timeline: Timeline::default(),
        given: deploys::given(settings, now)?,
        deploys: Deploys::default(),
        turns: BTreeSet::new(),
        until: 0,
        errors: &setup.settings.errors,
        include_probes: setup.settings.include_probes,
    };
    let read = analyze::read_judged(&ask, Keep::Seconds, &mut player);
    if let Some(path) = &settings.state {
        player.follow(path, settings, Snapshot::empty(ask.plan))?;
    }
    progress.finish();
    let Player { judge, mut timeline, .. } = player;
    timeline.budgets = judge.budget();
    for source in read.sources.iter().filter(|_| !settings.quiet) {
        if let Some(error) = &source.error {
            say(&format!("reading '{}': {}", clean(source.path.as_bytes()), clean(error.as_bytes())));
        }
    }
    for note in read.notes.iter().filter(|_| settings.verbose > 0) {
        say(&clean(note.as_bytes()).to_string());
    }
    Ok(Played { timeline, read, warnings: judge.warnings().to_vec() })
}

/// Starts and ends of runs that are remembered.
const TURNS: usize = 1_000;

/// Judges the seconds of an archive, and notes what comes of it.
struct Player<'a> {
    judge: Judge,
    /// Some rule looks at routes each by itself.
    by_route: bool,
    timeline: Timeline,
    given: Vec<Mark>,
    deploys: Deploys,
    /// Starts and ends of runs before `until`.
    turns: BTreeSet<Turn>,
    /// Seconds before it are judged.
    until: u32,
    errors: &'a ErrorRule,
    include_probes: bool,
}

impl Follower for Player<'_> {
    fn second(&mut self, parts: &Parts<'_>) {
        self.note(parts);
        self.mark(parts);
        let told = self.judge.steps(parts);
        self.take(told);
    }

    fn looks(&self) -> Looks {
        let blames = (!self.by_route).then(|| self.errors.clone());
        Looks { blames, latencies: self.judge.looks_at_latencies() }
    }

    fn renamed(&mut self, service: Option<&str>, method: &str, path: &str) {
        let told = self.judge.renamed(service, method, path);
        self.take(told);
    }
}

/// What is to be known of a replay of a state.
const BY_THE_MINUTE: &str = "a state keeps minutes, and seconds of the last ten minutes: times are right to the minute, and \
     latencies older than two days are not judged";

impl Player<'_> {
    /// Follows what a live run saved.
    fn follow(&mut self, path: &Path, settings: &Settings, mut all: Snapshot) -> Result<(), Error> {
        let mut state = Reader::open(path)?;
        self.given.extend(Deploys::load(state.kept("deploys")?.as_ref()).marks().iter().cloned());
        let (since, until) = (settings.since.unwrap_or(Timestamp(0)), settings.until.unwrap_or(Timestamp(i64::MAX)));
        let limits = Arc::clone(&all.plan().limits_us);
        let covers = state.follow(since, until, &limits, &mut |second| {
            let step = second.step(&mut all);
            self.second(&[(&step, &all)]);
        })?;
        let second = |time: Timestamp| u32::try_from(time.second()).unwrap_or(0);
        self.timeline.span = covers.map(|(from, to)| (second(from), second(to).saturating_sub(1)));
        if !settings.quiet {
            say(BY_THE_MINUTE);
        }
        Ok(())
    }

    fn take(&mut self, told: Vec<judge::Told>) {
        for told in told {
            self.timeline.take(told.notice.change, &told.notice.decision, &told.notice.facts, &told.telling);
        }
    }

    /// Notes the second's requests and errors by service, and by route where alerts may be about one.
    fn note(&mut self, parts: &Parts<'_>) {
        for (step, all) in parts {
            let desks = all.desks();
            self.timeline.passed(step.second);
            let mut here: SmallVec<[(u16, u64, u64); 4]> = SmallVec::new();
            for (key, slot) in &step.groups {
                let Some(desk) = desks.get(usize::from(key.desk)) else { continue };
                let route = desk.router.key(key.route);
                if route.probe && !self.include_probes {
                    continue;
                }
                let bad = slot.statuses.iter().filter(|s| self.errors.is_error(s.0)).map(|s| u64::from(s.1)).sum();
                let all = slot.requests();
                match here.iter_mut().find(|h| h.0 == key.desk) {
                    Some(own) => (own.1, own.2) = (own.1 + all, own.2 + bad),
                    None => here.push((key.desk, all, bad)),
                }
                if bad > 0 && self.by_route {
                    let route = format!("{} {}", route.method, route.path);
                    self.timeline.minute(step.second, desk.service.as_deref(), Some(&route), all, bad);
                }
            }
            for (desk, all, bad) in here {
                let service = desks.get(usize::from(desk)).and_then(|d| d.service.as_deref());
                self.timeline.minute(step.second, service, None, all, bad);
            }
        }
    }

    /// Deploys that are known by the end of a second: an alert names the last one.
    fn mark(&mut self, parts: &Parts<'_>) {
        let Some(second) = parts.first().map(|(step, _)| step.second) else { return };
        for (step, all) in parts {
            self.deploys.see(step, all);
            let at = |turn: &Turn| turn.at.second();
            let open = |turn: &&Turn| at(turn) < i64::from(self.until);
            let here = |turn: &&Turn| at(turn) <= i64::from(second);
            self.turns.extend(all.doings().turns().skip_while(open).take_while(here).cloned());
        }
        self.until = second + 1;
        while self.turns.len() > TURNS {
            self.turns.pop_first();
        }
        for mark in self.deploys.settle(&self.given, self.turns.iter()) {
            let (service, mark) = shown(&mark);
            self.judge.deployed(service.as_deref(), mark);
        }
    }
}

fn told(settings: &Settings, played: &Played) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for output in &settings.outputs {
        let mut page = Vec::new();
        let look = Look { width: settings.width, colour: settings.colour && output.file.is_none() };
        let drawn = match output.form {
            Form::Json => replay::json(&played.timeline, &played.warnings, &mut page),
            _ => replay::text(&played.timeline, look, &mut page),
        };
        drawn.map_err(|error: io::Error| Error::usage(error.to_string()))?;
        exit = exit.and(deliver::page(&page, output.file.as_deref())?);
    }
    Ok(exit)
}

/// What was found, as an exit code.
fn judged(played: &Played, fail_on: Option<args::AtLeast>) -> Exit {
    let unread = played.read.sources.iter().any(|source| source.error.is_some());
    let mut exit = if unread { Exit::Unread } else { Exit::Done };
    let Some(least) = fail_on else { return exit };
    let least = match least {
        args::AtLeast::Page => Severity::Page,
        args::AtLeast::Ticket => Severity::Ticket,
    };
    if played.timeline.span.is_none() {
        let help = "no line has a time, or there is none ('vitalog explain --fix' shows how to get times)";
        say(&format!("'--fail-on-alert' cannot be judged: {help}"));
        exit = exit.and(Exit::Usage);
    } else if played.timeline.told().any(|spell| spell.severity() >= least) {
        exit = exit.and(Exit::Bad);
    }
    exit
}
