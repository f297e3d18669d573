//! The command line: arguments in, exit code out.
//!
//! One function a command. Reports go to standard output, everything about vitalog itself to standard error, each
//! message on one line that begins with `vitalog: `.

pub mod args;
pub mod check;
pub mod compare;
pub mod config;
pub mod deliver;
pub mod deploys;
pub mod exit;
pub mod explain;
pub mod gate;
pub mod init;
pub mod prepare;
pub mod progress;
pub mod replay;
pub mod rules;
pub mod settings;
pub mod tail;
pub mod when;

use std::ffi::OsString;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use clap::Parser;
use jiff::tz::TimeZone;

use crate::drive::analyze;
use crate::drive::sequence::Keep;
use crate::error::Error;
use crate::error::Fault;
use crate::stats::snapshot::Plan;
use crate::stats::stored;
use crate::stats::summary::Asked;
use crate::time::Timestamp;
use crate::verdict::finding::sum_up_and_find;
use crate::verdict::health::judge;
use crate::write::Report;
use crate::write::figures::clean;
use args::Command;
use args::CommandLine;
use exit::Exit;
use settings::Environment;
use settings::Settings;

/// Runs what was typed, `args` beginning with the program's name, and gives the exit code. `now` is the present.
pub fn main(args: impl IntoIterator<Item = OsString>, now: Timestamp) -> ExitCode {
    let line = match CommandLine::try_parse_from(args) {
        Ok(line) => line,
        Err(error) => return unparsed(&error).into(),
    };
    let ended = match line.command {
        Command::Analyze(analyze) => analyze_command(*analyze, now),
        Command::Tail(tail) => tail_command(*tail, now),
        Command::Mute(mute) => mute_command(&mute, now),
        Command::Compare(compare) => compare_command(*compare, now),
        Command::Replay(replay) => replay_command(*replay, now),
        Command::Check(check) => check_command(&check, now),
        Command::Init(init) => init_command(*init, now),
        Command::Explain(explain) => explain_command(*explain, now),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    };
    ended.unwrap_or_else(|error| tell(&error)).into()
}

/// `analyze`: settings, then the batch run.
fn analyze_command(analyze: args::Analyze, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(settings) = Settings::of(analyze, &around(&variable, now))? else { return Ok(nothing_to_read("analyze")) };
    if settings.verbose > 0
        && let Some(file) = &settings.config_file
    {
        say(&format!("configuration '{}'", clean(file.to_string_lossy().as_bytes())));
    }
    run_analyze(&settings, now)
}

/// `explain`: the same reading, watched.
fn explain_command(typed: args::Explain, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok(explain::explain(typed, &around(&variable, now))?.unwrap_or_else(|| nothing_to_read("explain")))
}

/// `check`: is the configuration valid?
fn check_command(typed: &args::Check, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    check::check(typed, &around(&variable, now))
}

/// `init`: a configuration from what logs show.
fn init_command(typed: args::Init, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok(init::init(typed, &around(&variable, now))?.unwrap_or_else(|| nothing_to_read("init")))
}

/// `replay`: an archive judged.
fn replay_command(typed: args::Replay, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok(replay::replay(typed, &around(&variable, now))?.unwrap_or_else(|| nothing_to_read("replay")))
}

/// `tail`: a live run.
fn tail_command(typed: args::Tail, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok(tail::tail(typed, &around(&variable, now))?.unwrap_or_else(|| nothing_to_read("tail")))
}

/// `mute`: silences in a running one's state.
fn mute_command(typed: &args::Mute, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    tail::mute(typed, &around(&variable, now))
}

/// `compare`: two readings, or one cut.
fn compare_command(typed: args::Compare, now: Timestamp) -> Result<Exit, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    Ok(compare::run(typed, &around(&variable, now))?.unwrap_or_else(|| nothing_to_read("compare")))
}

/// What the process finds around itself.
fn around(variable: &dyn Fn(&str) -> Option<String>, now: Timestamp) -> Environment<'_> {
    Environment {
        variable,
        now,
        zone: TimeZone::system(),
        stdin_is_terminal: io::stdin().is_terminal(),
        stdout_is_terminal: io::stdout().is_terminal(),
        stderr_is_terminal: io::stderr().is_terminal(),
        width: console_width(),
    }
}

/// No path, and a terminal on standard input.
fn nothing_to_read(name: &str) -> Exit {
    let mut command = CommandLine::command();
    command.build();
    let usage = command.find_subcommand_mut(name).map(clap::Command::render_usage).unwrap_or_default();
    say(&format!("nothing to read: name a log, or pipe one in (see 'vitalog {name} --help')\n{usage}"));
    Exit::Usage
}

/// What a batch run gives back: the report, and the snapshot it was made from in its stored form.
struct Outcome {
    report: Report,
    answers: Vec<gate::Answer>,
    stored: Box<dyn Fn() -> Vec<u8>>,
}

/// Reads, judges and writes as `settings` say.
fn run_analyze(settings: &Settings, now: Timestamp) -> Result<Exit, Error> {
    let outcome = read(settings, now)?;
    let delivered = deliver::deliver(&outcome.report, &outcome.stored, settings, &mut io::stdout().lock());
    Ok(delivered.and(gate::judged(&outcome.report, &outcome.answers, settings)))
}

/// The batch run over everything that `settings` name.
fn read(settings: &Settings, now: Timestamp) -> Result<Outcome, Error> {
    let paths: Vec<String> = settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let asked = Asked { deploys: deploys::given(settings, now)?, ..prepare::asked(settings)? };
    let piped = paths.iter().any(|p| p == "-");
    let total = if settings.progress && !piped { Some(analyze::size(&paths)) } else { None };
    let progress = progress::Progress::new(total, settings.progress);
    let keep_parts = settings.outputs.iter().any(|o| o.form == settings::Form::Snapshot);
    let ask = analyze::Ask {
        paths,
        state: prepare::state(settings)?,
        settings: Arc::new(prepare::reading(settings)?),
        // A report shows the course of time of the whole alone, unless routes are left out of it.
        plan: Plan { by_route: keep_parts || asked.route.is_some(), ..prepare::plan(settings)? },
        now,
        threads: settings.threads.map_or_else(cores, NonZeroUsize::get),
        keep_parts,
        progress: &|bytes| progress.advance(bytes),
    };
    let mut windows = gate::Windows::of(settings);
    let found = if windows.is_empty() { analyze::read(&ask) } else { analyze::read_judged(&ask, Keep::All, &mut windows) };
    progress.finish();
    for source in found.sources.iter().filter(|_| !settings.quiet) {
        if let Some(error) = &source.error {
            say(&format!("reading '{}': {}", clean(source.path.as_bytes()), clean(error.as_bytes())));
        }
    }
    for note in found.notes.iter().filter(|_| settings.verbose > 0) {
        say(&clean(note.as_bytes()).to_string());
    }
    let asked = found.asked(asked);
    let (summary, findings) = sum_up_and_find(&found.snapshot, &asked, ask.threads);
    let (health, service_health) = judge(&summary, &[], &settings.health_promises());
    let answers = gate::answers(settings, windows, &found.snapshot, &summary, &asked);
    let parts = found.parts;
    Ok(Outcome {
        report: Report { summary, health, service_health, findings },
        answers,
        stored: Box::new(move || stored::store(&parts)),
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Columns of the terminal that standard output is.
fn console_width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Help and version are a success; anything else is wrong usage.
fn unparsed(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    if let Some(wrong) = error.use_stderr().then(|| text.strip_prefix("error: ")).flatten() {
        say(wrong.trim_end());
    } else {
        // A closed pipe behind `--help` is no failure.
        drop(error.print());
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// Tells a failure on standard error and gives its exit code.
fn tell(error: &Error) -> Exit {
    say(&error.message);
    error.fault.into()
}

/// One message about vitalog itself. Where standard error is closed there is nobody to tell.
pub fn say(message: &str) {
    drop(writeln!(io::stderr(), "vitalog: {message}"));
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut page = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "vitalog", &mut page);
    printed(&page)
}

fn man() -> Result<Exit, Error> {
    let mut page = Vec::new();
    man_page(&mut page).map_err(|e| unwritten(&e))?;
    printed(&page)
}

/// One page: the program's, then the options of each command that is shown.
fn man_page(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = CommandLine::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(page)?;
    for shown in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let mut options = Vec::new();
        clap_mangen::Man::new(shown.clone()).render_options_section(&mut options)?;
        let title = format!(".SH \"OPTIONS OF {}\"", shown.get_name().to_uppercase());
        page.extend(String::from_utf8_lossy(&options).replacen(".SH OPTIONS", &title, 1).bytes());
    }
    Ok(())
}

/// Writes a page to standard output; a closed pipe is a quiet success.
fn printed(page: &[u8]) -> Result<Exit, Error> {
    let mut out = io::stdout().lock();
    match out.write_all(page).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(Exit::Done),
    }
}

fn unwritten(error: &io::Error) -> Error {
    Error::new(Fault::Output, format!("writing to standard output: {error}"))
}
