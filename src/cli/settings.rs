//! Arguments, environment and file made one: what a command needs, checked.
//!
//! What is typed wins over the environment, which wins over the file; the first two are joined by clap before they come
//! here. Does not read logs; reads the configuration file and nothing else.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::cli::args::Analyze;
use crate::cli::args::Color;
use crate::cli::config::Config;
use crate::cli::config::read;
use crate::cli::config::read::Surroundings;
use crate::cli::when::when;
use crate::cli::when::zone;
use crate::error::Error;
use crate::time::Timestamp;
use crate::verdict::condition;
use crate::verdict::condition::Condition;
use crate::verdict::health;
use crate::verdict::health::Status;
use crate::write::figures::clean;

/// What the process finds around itself; passed in so that settings are a function.
pub struct Environment<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The present.
    pub now: Timestamp,
    /// The system's zone.
    pub zone: TimeZone,
    /// Whether standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// The terminal's width; `None` where standard output is none.
    pub width: Option<usize>,
}

/// All that `analyze` needs.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file in use, if any.
    pub config_file: Option<PathBuf>,
    /// What it says.
    pub config: Config,
    /// What to read; `-` is standard input. Empty where a state alone is read.
    pub paths: Vec<OsString>,
    /// The form of the lines, as written; `None` for auto.
    pub format: Option<String>,
    /// The service of sources that nothing else names.
    pub service: Option<String>,
    /// File or URL of an openapi.json. A URL only where it was typed (or in the environment).
    pub openapi: Option<String>,
    /// The zone of times that name none.
    pub zone: TimeZone,
    /// What to call that zone in the report.
    pub zone_name: String,
    /// Threads; `None` for as many as there are cores.
    pub threads: Option<NonZeroUsize>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only before then.
    pub until: Option<Timestamp>,
    /// Only these routes.
    pub route: Option<String>,
    /// Whether probes count.
    pub include_probes: bool,
    /// Deploys that were typed.
    pub deploys: Vec<(Timestamp, Option<String>)>,
    /// File of deploys.
    pub deploys_file: Option<PathBuf>,
    /// A live run's state, to be read too.
    pub state: Option<PathBuf>,
    /// What to write. Never empty.
    pub outputs: Vec<Output>,
    /// What makes the exit code 1.
    pub fail_on: Vec<FailOn>,
    /// Whether text on standard output is coloured. Never in files.
    pub colour: bool,
    /// Columns of text on standard output.
    pub width: usize,
    /// Whether to show a progress bar.
    pub progress: bool,
    /// Only errors.
    pub quiet: bool,
    /// How much more to tell.
    pub verbose: u8,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Which page.
    pub form: Form,
    /// Where to; `None` for standard output.
    pub file: Option<PathBuf>,
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
    /// For spreadsheets.
    Csv,
    /// For merging later.
    Snapshot,
}

const FORMS: [(&str, Form); 5] = [
    ("text", Form::Text),
    ("json", Form::Json),
    ("markdown", Form::Markdown),
    ("csv", Form::Csv),
    ("snapshot", Form::Snapshot),
];

impl Form {
    /// The form's name in `--output`.
    pub fn name(self) -> &'static str {
        FORMS.iter().find(|(_, form)| *form == self).map_or("text", |(name, _)| name)
    }
}

/// What makes a run fail.
#[derive(Debug, Clone, PartialEq)]
pub enum FailOn {
    /// The service is unhealthy.
    Unhealthy,
    /// The service is degraded or unhealthy.
    Degraded,
    /// A figure is bad.
    Figure(Box<Condition>),
}

impl FailOn {
    /// The condition on a figure.
    pub fn condition(&self) -> Option<&Condition> {
        match self {
            Self::Figure(condition) => Some(condition),
            _ => None,
        }
    }

    /// The word, where it is about health.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Unhealthy => Some("unhealthy"),
            Self::Degraded => Some("degraded"),
            Self::Figure(_) => None,
        }
    }

    /// Whether `status` is what was to fail; `None` where it cannot be judged (exit 2: a gate that measured nothing
    /// never passes).
    pub fn holds(&self, status: Status) -> Option<bool> {
        match (self, status) {
            (Self::Figure(_), _) | (_, Status::Unknown) => None,
            (_, Status::Unhealthy) | (Self::Degraded, Status::Degraded) => Some(true),
            (_, Status::Healthy | Status::Degraded) => Some(false),
        }
    }
}

/// Where the file is looked for when none is named.
const PLACES: [&str; 2] = ["vitalog.toml", "/etc/vitalog/vitalog.toml"];

/// A longer configuration is none.
const LONGEST_CONFIG: u64 = 1 << 20;

impl Settings {
    /// The settings of an `analyze`. `None` where there is nothing to read: no path, and a terminal on standard input.
    pub fn of(mut args: Analyze, around: &Environment<'_>) -> Result<Option<Self>, Error> {
        // A variable of the environment that is set to nothing says nothing.
        let texts =
            [&mut args.reading.format, &mut args.reading.service, &mut args.reading.openapi, &mut args.reading.timezone];
        let more = [&mut args.scope.since, &mut args.scope.until, &mut args.scope.route];
        for text in texts.into_iter().chain(more) {
            text.take_if(|t| t.is_empty());
        }
        let (config_file, config) = configuration(args.reading.config.as_deref(), around)?;
        args.scope.state.take_if(|path| path.as_os_str().is_empty());
        let alone = args.scope.state.is_some() && args.reading.paths.is_empty();
        let paths = if alone { Some(Vec::new()) } else { paths(args.reading.paths, &config, around) };
        let Some(paths) = paths else { return Ok(None) };
        let named_zone = args.reading.timezone.or_else(|| config.input.timezone.clone());
        let (zone, zone_name) = match named_zone {
            Some(name) => (zone(&name).map_err(|why| Error::usage(format!("'--timezone': {why}")))?, name),
            None => (around.zone.clone(), around.zone.iana_name().unwrap_or("local").to_owned()),
        };
        let time = |option: &str, text: &str| {
            when(text, around.now, &zone).map_err(|why| Error::usage(format!("'{option}': {}", clean(why))))
        };
        let since = args.scope.since.as_deref().map(|text| time("--since", text)).transpose()?;
        let until = args.scope.until.as_deref().map(|text| time("--until", text)).transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            return Err(Error::usage(format!("nothing lies between '--since' ({since}) and '--until' ({until})")));
        }
        let deploy = |text: &String| {
            let (at, label) = text.split_once('=').map_or((text.as_str(), None), |(at, label)| (at, Some(label)));
            Ok((time("--deploy", at)?, label.filter(|l| !l.is_empty()).map(str::to_owned)))
        };
        let deploys = args.scope.deploy.iter().filter(|text| !text.is_empty()).map(deploy).collect::<Result<_, Error>>()?;
        let outputs = outputs(&args.output.output, around)?;
        let coloured = match args.talk.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => around.stdout_is_terminal && (around.variable)("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Ok(Some(Self {
            config_file,
            paths,
            format: args.reading.format.or_else(|| config.input.format.clone()).filter(|f| f != "auto"),
            service: args.reading.service,
            openapi: args.reading.openapi.or_else(|| config.input.openapi.clone()),
            config,
            zone,
            zone_name,
            threads: args.reading.threads,
            since,
            until,
            route: args.scope.route,
            include_probes: args.scope.include_probes,
            deploys,
            deploys_file: args.scope.deploys,
            state: args.scope.state,
            outputs,
            fail_on: args
                .output
                .fail_on
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| fail_on(text))
                .collect::<Result<_, _>>()?,
            colour: coloured,
            width: around.width.unwrap_or(80),
            progress: around.stderr_is_terminal && !args.talk.quiet,
            quiet: args.talk.quiet,
            verbose: args.talk.verbose,
        }))
    }

    /// The promises that health is judged by: those of the configuration about errors on all routes, or the default.
    pub fn health_promises(&self) -> Vec<health::Promise> {
        if self.config.promises.is_empty() {
            return vec![health::Promise::default_one()];
        }
        let about_errors = self.config.promises.iter().filter(|p| p.slower_than_us.is_none() && p.route.is_none());
        about_errors.map(|p| health::Promise { name: p.name.clone(), target: p.target }).collect()
    }
}

fn paths(typed: Vec<OsString>, config: &Config, around: &Environment<'_>) -> Option<Vec<OsString>> {
    if !typed.is_empty() {
        Some(typed)
    } else if !config.input.paths.is_empty() {
        Some(config.input.paths.iter().map(OsString::from).collect())
    } else if around.stdin_is_terminal {
        None
    } else {
        Some(vec!["-".into()])
    }
}

fn outputs(typed: &[OsString], around: &Environment<'_>) -> Result<Vec<Output>, Error> {
    let wanted = typed.iter().filter(|text| !text.is_empty());
    let mut outputs: Vec<Output> = wanted.map(|text| output(text)).collect::<Result<_, _>>()?;
    if outputs.is_empty() {
        outputs.push(Output { form: Form::Text, file: None });
    }
    if around.stdout_is_terminal && outputs.iter().any(|o| o.form == Form::Snapshot && o.file.is_none()) {
        return Err(Error::usage("'--output snapshot' is binary and not for a terminal; write '--output snapshot=FILE'"));
    }
    Ok(outputs)
}

/// `FORM[=FILE]`; the file's name need not be UTF-8.
fn output(typed: &OsStr) -> Result<Output, Error> {
    let bytes = typed.as_encoded_bytes();
    let named = FORMS.iter().find_map(|(name, form)| {
        let rest = bytes.strip_prefix(name.as_bytes())?;
        rest.is_empty().then_some((*form, None)).or_else(|| Some((*form, Some(rest.strip_prefix(b"=")?))))
    });
    match named {
        Some((form, None)) => Ok(Output { form, file: None }),
        Some((_, Some(b""))) => Err(Error::usage(format!("'--output {}' names no file behind '='", clean(bytes)))),
        Some((form, Some(file))) => Ok(Output { form, file: Some(PathBuf::from(tail_of(typed, file.len()))) }),
        None => {
            let known: Vec<&str> = FORMS.iter().map(|(name, _)| *name).collect();
            Err(Error::usage(format!("'--output {}': the forms are {}", clean(bytes), known.join(", "))))
        }
    }
}

/// The last `length` bytes of `text`, which begin behind an ASCII character.
#[cfg(unix)]
fn tail_of(text: &OsStr, length: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt;
    let bytes = text.as_bytes();
    OsStr::from_bytes(bytes.get(bytes.len() - length..).unwrap_or_default()).to_owned()
}

#[cfg(not(unix))]
fn tail_of(text: &OsStr, length: usize) -> OsString {
    let text = text.to_string_lossy();
    text.get(text.len().saturating_sub(length)..).unwrap_or_default().into()
}

fn fail_on(text: &str) -> Result<FailOn, Error> {
    match text.trim() {
        "unhealthy" => Ok(FailOn::Unhealthy),
        "degraded" => Ok(FailOn::Degraded),
        other => match condition::parse(other) {
            Ok(condition) => Ok(FailOn::Figure(Box::new(condition))),
            Err(error) => Err(Error::usage(format!(
                "'--fail-on': {}\nwrite 'unhealthy', 'degraded' or 'SIGNAL OP VALUE [over DURATION] [on ROUTE | on each]', \
                 such as 'p95 > 300ms' or 'error_rate > 1% over 5m on POST /checkout'\nsignals: {}",
                error.pointed(clean(other).as_str()),
                condition::SIGNALS
            ))),
        },
    }
}

/// What the configuration file in use says.
pub fn config_of(named: Option<&Path>, around: &Environment<'_>) -> Result<Config, Error> {
    configuration(named, around).map(|(_, config)| config)
}

/// The file in use and what it says.
pub(super) fn configuration(named: Option<&Path>, around: &Environment<'_>) -> Result<(Option<PathBuf>, Config), Error> {
    let found = || PLACES.iter().map(PathBuf::from).find(|place| place.exists());
    let Some(path) = named.map(Path::to_path_buf).or_else(found) else { return Ok((None, Config::default())) };
    let name = clean(path.to_string_lossy().as_bytes());
    let source = contents(&path).map_err(|why| Error::usage(format!("reading configuration '{name}': {why}")))?;
    let around = Surroundings { variable: around.variable, now: around.now, zone: around.zone.clone() };
    let config = read::read(name.as_str(), &source, &around).map_err(Error::usage)?;
    Ok((Some(path), config))
}

/// Why a file cannot be read.
pub(super) fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The file's text: at most 1 MiB, whatever kind of file it is.
fn contents(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path).map_err(|e| told(&e))?.take(LONGEST_CONFIG + 1).read_to_end(&mut bytes).map_err(|e| told(&e))?;
    if bytes.len() as u64 > LONGEST_CONFIG {
        return Err("it is larger than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
