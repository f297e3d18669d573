//! What can be typed: commands and options, closest to the shell.
//!
//! Definitions only; `settings` checks them and joins them with the configuration file. Help, completions and the man
//! page are made from here. An option that is not typed is taken from the environment (`VITALOG_…`). A command is
//! shown only once it works.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ArgAction;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap::builder::BoolishValueParser;

use crate::write::explain::fix::Server;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "vitalog", version, about = "The health of a Python web service, from the logs it already writes")]
#[command(after_help = EXIT_CODES, propagate_version = true, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 the service is judged bad · 2 wrong usage or configuration · \
3 some input could not be read · 4 state file not usable\n
Every option of a command is also read from the environment: VITALOG_FAIL_ON=unhealthy is '--fail-on unhealthy'.\n
Try:  vitalog analyze app.log";

/// The commands. A new one is a variant with its own struct, made of the groups below.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read logs to the end and print one report
    Analyze(Box<Analyze>),
    /// Follow logs: a health summary every minute, alerts at once
    Tail(Box<Tail>),
    /// Silence alerts of a running 'tail', through its state
    Mute(Box<Mute>),
    /// Did a change hurt? Two logs, or one before and after, route by route
    Compare(Box<Compare>),
    /// Show which alerts these rules would have raised on an archive, and when
    Replay(Box<Replay>),
    /// Measure first: write a commented configuration whose limits come from what the logs show
    Init(Box<Init>),
    /// Is this configuration valid, and what holds by it?
    Check(Check),
    /// Show what each line was taken for, and how to get the figures that are missing
    Explain(Box<Explain>),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man,
}

const ANALYZE_EXAMPLES: &str = "Examples:
  vitalog analyze app.log                      one log (or logs/, 'logs/*.log*')
  docker logs shop 2>&1 | vitalog analyze      from a pipe
  vitalog analyze app.log --openapi openapi.json --since 6h
  vitalog analyze app.log -o text -o json=report.json
  vitalog analyze app.log --fail-on unhealthy  exit 1 where it is unhealthy
  vitalog analyze load.log --fail-on 'p95 > 300ms' --fail-on 'error_rate > 1% on each'";

/// `analyze`
#[derive(Debug, Args)]
#[command(after_help = ANALYZE_EXAMPLES)]
pub struct Analyze {
    /// What to read
    #[command(flatten)]
    pub reading: Reading,
    /// What to look at
    #[command(flatten)]
    pub scope: Scope,
    /// What to write
    #[command(flatten)]
    pub output: Output,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

const COMPARE_EXAMPLES: &str = "Examples:
  vitalog compare before.log after.log         two logs, folders, quoted globs or snapshots
  vitalog compare app.log --at '2026-11-22 10:00'
  vitalog compare app.log --by version         the newest and the one before it, or version=1.4.1,1.4.2
  vitalog compare app.log                      at its last deploy, restart or new version
  vitalog compare app.log --at 2h -o markdown  the record of a change, for a pull request

Exit code 1: a route got worse. 'too few' says that nothing could have been found";

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
#[command(
    override_usage = "vitalog compare [OPTIONS] BEFORE AFTER\n       vitalog compare [OPTIONS] [PATH]... --at WHEN\n       \
vitalog compare [OPTIONS] [PATH]... --by version[=OLD,NEW]"
)]
pub struct Compare {
    /// What to read
    #[command(flatten)]
    pub reading: Reading,
    /// What is compared
    #[command(flatten)]
    pub change: Change,
    /// What to look at
    #[command(flatten)]
    pub scope: Scope,
    /// text, json, markdown or csv, to a file or to standard output (repeatable) [default: text]
    #[arg(short, long, value_name = "FORM[=FILE]", env = "VITALOG_OUTPUT", hide_env = true, help_heading = "Output")]
    pub output: Vec<OsString>,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

/// What is compared, and from where on a change matters.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Change")]
pub struct Change {
    /// The change was made then: one log before and after it
    #[arg(long, value_name = "WHEN", env = "VITALOG_AT", hide_env = true)]
    pub at: Option<String>,
    /// One log by 'version', the newest and the one before it, or by 'version=OLD,NEW'
    #[arg(long, value_name = "version[=OLD,NEW]", env = "VITALOG_BY", hide_env = true)]
    pub by: Option<String>,
    /// Leave out so much after the change [default: 30s, a tenth of that side at most; of two logs nothing]
    #[arg(long, value_name = "DURATION", env = "VITALOG_WARM_UP", hide_env = true)]
    pub warm_up: Option<String>,
    /// A side is at most so long [default: 24h]
    #[arg(long, value_name = "DURATION", env = "VITALOG_WINDOW", hide_env = true)]
    pub window: Option<String>,
    /// Only requests that were, or were not, logged in: authenticated or anonymous
    #[arg(long, value_name = "WHO", value_enum, env = "VITALOG_AUTH", hide_env = true, hide_possible_values = true)]
    pub auth: Option<Login>,
    /// Exit with 1 too where there were too few requests to tell
    #[arg(long, env = "VITALOG_REQUIRE_VERDICT", hide_env = true, value_parser = BoolishValueParser::new())]
    pub require_verdict: bool,
    /// p50 or p95 must rise by this share of itself to matter [default: 10%]
    #[arg(long, value_name = "SHARE", env = "VITALOG_MIN_SLOWDOWN", hide_env = true)]
    pub min_slowdown: Option<String>,
    /// ... and by so much [default: 5ms, or 1ms where it rises by half]
    #[arg(long, value_name = "DURATION", env = "VITALOG_MIN_DELAY", hide_env = true)]
    pub min_delay: Option<String>,
    /// A share of requests (errors, 4xx, one status) must rise by so much to matter [default: 0.5%]
    #[arg(long, value_name = "SHARE", env = "VITALOG_MIN_SHARE", hide_env = true)]
    pub min_share: Option<String>,
    /// Of all finds, the share that may be chance [default: 1%]
    #[arg(long, value_name = "SHARE", env = "VITALOG_LEVEL", hide_env = true)]
    pub level: Option<String>,
}

/// Whose requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Login {
    /// Of somebody logged in.
    Authenticated,
    /// Of nobody.
    Anonymous,
}

impl Compare {
    /// What it shares with `analyze`: how to read, what to look at, what to write.
    pub fn analyze(self) -> Analyze {
        let output = Output { output: self.output, fail_on: Vec::new() };
        Analyze { reading: self.reading, scope: self.scope, output, talk: self.talk }
    }
}

const EXPLAIN_EXAMPLES: &str = "Examples:
  vitalog explain app.log                      form, one example of every kind of line, what is impossible
  vitalog explain --line 'INFO:     10.0.0.1:5 - \"GET /x HTTP/1.1\" 200 OK'
  vitalog explain --fix app.log                the change that makes the missing figures possible
  vitalog explain --fix=gunicorn               the same for a server, without a log

Exit code 1: nothing of what was read is understood";

/// `explain`
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub struct Explain {
    /// What to read
    #[command(flatten)]
    pub reading: Reading,
    /// Explain this line alone
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["paths", "fix"], allow_hyphen_values = true)]
    pub line: Option<String>,
    /// Print the change to paste that makes the missing figures possible: for what was read, or for
    /// uvicorn, gunicorn, hypercorn, granian or nginx
    #[arg(long, value_name = "SERVER", num_args = 0..=1, require_equals = true, conflicts_with = "output")]
    pub fix: Option<Option<Server>>,
    /// text or json, to a file or to standard output (repeatable) [default: text]
    #[arg(short, long, value_name = "FORM[=FILE]", env = "VITALOG_OUTPUT", hide_env = true)]
    pub output: Vec<OsString>,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

impl Explain {
    /// What it shares with `analyze`: how to read and how to talk.
    pub fn analyze(self) -> Analyze {
        let scope = Scope {
            since: None,
            until: None,
            route: None,
            include_probes: true,
            deploy: Vec::new(),
            deploys: None,
            state: None,
        };
        Analyze { reading: self.reading, scope, output: Output { output: Vec::new(), fail_on: Vec::new() }, talk: self.talk }
    }
}

const REPLAY_EXAMPLES: &str = "Examples:
  vitalog replay 'logs/*.log*'                 the alerts of the rules of the house, or of vitalog.toml
  vitalog replay logs/ -c new.toml             would these rules have woken anyone?
  vitalog replay app.log -o json               each alert, each firing, the budgets
  vitalog replay app.log --fail-on-alert page  exit 1 where one would have paged
  vitalog replay --state shop.db --since 7d    of what a 'tail' saved, to the minute

Nothing is sent. Live and replay share one engine: the alerts are those that 'tail' would have raised, with the same ids.";

/// `replay`
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// What to read
    #[command(flatten)]
    pub reading: Reading,
    /// Only from then on: '2026-11-22 10:00', RFC 3339, a date, now, today, yesterday, or an age (15m, 6h, 2d)
    #[arg(long, value_name = "WHEN", env = "VITALOG_SINCE", hide_env = true, help_heading = "Scope")]
    pub since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "WHEN", env = "VITALOG_UNTIL", hide_env = true, help_heading = "Scope")]
    pub until: Option<String>,
    /// Count requests to health probes too
    #[arg(long, env = "VITALOG_INCLUDE_PROBES", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Scope")]
    pub include_probes: bool,
    /// Something was deployed then (repeatable)
    #[arg(long, value_name = "WHEN[=LABEL]", env = "VITALOG_DEPLOY", hide_env = true, help_heading = "Scope")]
    pub deploy: Vec<String>,
    /// File of deploys, a line each: TIME LABEL
    #[arg(long, value_name = "FILE", env = "VITALOG_DEPLOYS", hide_env = true, help_heading = "Scope")]
    pub deploys: Option<PathBuf>,
    /// Read what a 'tail' saved in this state, by the minute, instead of logs; it may be running
    #[arg(long, value_name = "FILE", env = "VITALOG_STATE", hide_env = true, help_heading = "Scope")]
    pub state: Option<PathBuf>,
    /// text or json, to a file or to standard output (repeatable) [default: text]
    #[arg(short, long, value_name = "FORM[=FILE]", env = "VITALOG_OUTPUT", hide_env = true, help_heading = "Output")]
    pub output: Vec<OsString>,
    /// Exit with 1 where such an alert, or a graver one, would have been raised: page or ticket
    #[arg(long, value_name = "SEVERITY", value_enum, env = "VITALOG_FAIL_ON_ALERT", hide_env = true)]
    #[arg(help_heading = "Output", hide_possible_values = true)]
    pub fail_on_alert: Option<AtLeast>,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

/// The mildest alert that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AtLeast {
    /// Pages alone.
    Page,
    /// Tickets and pages.
    Ticket,
}

impl Replay {
    /// What it shares with `analyze`: how to read and how to talk.
    pub fn analyze(self) -> Analyze {
        let Self { since, until, include_probes, deploy, deploys, state, .. } = self;
        let scope = Scope { since, until, route: None, include_probes, deploy, deploys, state };
        let output = Output { output: self.output, fail_on: Vec::new() };
        Analyze { reading: self.reading, scope, output, talk: self.talk }
    }
}

const INIT_EXAMPLES: &str = "Examples:
  vitalog init app.log                         writes vitalog.toml, and says how often it would have fired
  vitalog init 'logs/*.log*' -                 prints it
  vitalog init app.log -c shop.toml --force    over what is there";

/// `init`
#[derive(Debug, Args)]
#[command(after_help = INIT_EXAMPLES)]
pub struct Init {
    /// What to measure
    #[command(flatten)]
    pub reading: Reading,
    /// Overwrite the file that is there
    #[arg(long, env = "VITALOG_FORCE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub force: bool,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

impl Analyze {
    /// Reads everything there, with all else as it is by itself.
    pub fn reading(reading: Reading, talk: Talk) -> Self {
        let (deploy, deploys, state) = (Vec::new(), None, None);
        let scope = Scope { since: None, until: None, route: None, include_probes: false, deploy, deploys, state };
        Self { reading, scope, output: Output { output: Vec::new(), fail_on: Vec::new() }, talk }
    }
}

const CHECK_EXAMPLES: &str = "Examples:
  vitalog check                                ./vitalog.toml, or the rules of the house where there is none
  vitalog check shop.toml --send               and one marked test alert to each sink

Exit code 2: it is not valid; every error is told, with its line";

/// `check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct Check {
    /// The configuration [default: ./vitalog.toml, else /etc/vitalog/vitalog.toml, where they exist]
    pub file: Option<PathBuf>,
    /// The same, as other commands name it
    #[arg(short, long, value_name = "FILE", env = "VITALOG_CONFIG", hide_env = true, hide = true)]
    pub config: Option<PathBuf>,
    /// Send one marked test alert to each sink
    #[arg(long, env = "VITALOG_SEND", hide_env = true, value_parser = BoolishValueParser::new())]
    pub send: bool,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

const TAIL_EXAMPLES: &str = "Examples:
  vitalog tail app.log                         from its end; a summary every minute
  docker logs -f shop 2>&1 | vitalog tail -    from a pipe
  vitalog tail /var/log/shop --state shop.db   a folder; a restart goes on where this one stopped
  vitalog tail journal:shop.service --listen 9100
  vitalog tail app.log -o json                 an object a line

SIGTERM and SIGINT save the state and end with 0; SIGHUP reads the configuration again.";

/// `tail`
#[derive(Debug, Clone, Args)]
#[command(after_help = TAIL_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Tail {
    /// What to read
    #[command(flatten)]
    pub reading: Reading,
    /// Read from the start, and count only from then on: '2026-11-22 10:00', RFC 3339, a date, or an age (15m, 6h, 2d)
    #[arg(long, value_name = "WHEN", env = "VITALOG_SINCE", hide_env = true, help_heading = "Scope")]
    pub since: Option<String>,
    /// Count requests to health probes too
    #[arg(long, env = "VITALOG_INCLUDE_PROBES", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Scope")]
    pub include_probes: bool,
    /// Something was deployed then (repeatable)
    #[arg(long, value_name = "WHEN[=LABEL]", env = "VITALOG_DEPLOY", hide_env = true, help_heading = "Scope")]
    pub deploy: Vec<String>,
    /// File of deploys, a line each: TIME LABEL; followed while running
    #[arg(long, value_name = "FILE", env = "VITALOG_DEPLOYS", hide_env = true, help_heading = "Scope")]
    pub deploys: Option<PathBuf>,
    /// Where positions, counts and alerts are kept, so that a restart goes on where this one stopped
    /// [default: `$STATE_DIRECTORY/vitalog.db` where systemd sets it, else memory]
    #[arg(long, value_name = "FILE", env = "VITALOG_STATE", hide_env = true, help_heading = "Following")]
    pub state: Option<PathBuf>,
    /// Begin with a new state; the old one is kept beside
    #[arg(long, env = "VITALOG_RESET_STATE", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Following")]
    pub reset_state: bool,
    /// Read what is there already, too
    #[arg(long, env = "VITALOG_FROM_START", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Following")]
    pub from_start: bool,
    /// Look once a second instead of being told by the system, as network file systems need
    #[arg(long, env = "VITALOG_POLL", hide_env = true, value_parser = BoolishValueParser::new())]
    #[arg(help_heading = "Following")]
    pub poll: bool,
    /// Between two summaries [default: 1m]
    #[arg(long, value_name = "DURATION", env = "VITALOG_EVERY", hide_env = true, help_heading = "Output")]
    pub every: Option<String>,
    /// text or json, an object a line [default: text]
    #[arg(short, long, value_name = "FORM", env = "VITALOG_OUTPUT", hide_env = true, help_heading = "Output")]
    pub output: Vec<OsString>,
    /// Serve /metrics, /api/report, /api/alerts, /healthz and /readyz: 9100 (loopback) or an address and a port
    #[arg(long, value_name = "ADDR", env = "VITALOG_LISTEN", hide_env = true, help_heading = "Output")]
    pub listen: Option<String>,
    /// Without effect: files are always followed
    #[arg(short = 'f', short_alias = 'F', hide = true)]
    pub follow: bool,
    /// How to talk
    #[command(flatten)]
    pub talk: Talk,
}

impl Tail {
    /// What it shares with `analyze`.
    pub fn analyze(self) -> Analyze {
        let scope = Scope {
            since: self.since,
            until: None,
            route: None,
            include_probes: self.include_probes,
            deploy: self.deploy,
            deploys: self.deploys,
            state: None,
        };
        let output = Output { output: self.output, fail_on: Vec::new() };
        Analyze { reading: self.reading, scope, output, talk: self.talk }
    }
}

const MUTE_EXAMPLES: &str = "Examples:
  vitalog mute --state shop.db --service shop --rule available --route 'POST /checkout' --for 2h
  vitalog mute --state shop.db --for 30m --reason 'database moves'
  vitalog mute --state shop.db --list
  vitalog mute --state shop.db --remove 3";

/// `mute`
#[derive(Debug, Args)]
#[command(after_help = MUTE_EXAMPLES)]
pub struct Mute {
    /// The state of the running 'tail' [default: the configuration's, else `$STATE_DIRECTORY/vitalog.db`]
    #[arg(long, value_name = "FILE", env = "VITALOG_STATE", hide_env = true)]
    pub state: Option<PathBuf>,
    /// Configuration file
    #[arg(short, long, value_name = "FILE", env = "VITALOG_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Only this service's alerts
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only this rule's or promise's
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// Only on these routes
    #[arg(long, value_name = "GLOB")]
    pub route: Option<String>,
    /// How long: 30m, 2h, 3d
    #[arg(long = "for", value_name = "DURATION", conflicts_with_all = ["list", "remove"])]
    pub length: Option<String>,
    /// Why, for who looks at the list
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Show what is muted now
    #[arg(long, conflicts_with_all = ["remove", "service", "rule", "route", "reason"])]
    pub list: bool,
    /// End this mute
    #[arg(long, value_name = "ID", conflicts_with_all = ["service", "rule", "route", "reason"])]
    pub remove: Option<i64>,
}

/// What to read and how to understand it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct Reading {
    /// Files, directories, globs, or '-' for standard input (the default where that is a pipe)
    #[arg(value_name = "PATH", help_heading = "Arguments")]
    pub paths: Vec<OsString>,
    /// Configuration file [default: ./vitalog.toml, else /etc/vitalog/vitalog.toml, where they exist]
    #[arg(short, long, value_name = "FILE", env = "VITALOG_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Form of the lines: auto, a server's name, its format string, @FILE or /regex/ [default: auto]
    #[arg(long, env = "VITALOG_FORMAT", hide_env = true)]
    pub format: Option<String>,
    /// Service that sources belong to which nothing else names
    #[arg(long, value_name = "NAME", env = "VITALOG_SERVICE", hide_env = true)]
    pub service: Option<String>,
    /// openapi.json of the service, for the names of its routes
    #[arg(long, value_name = "FILE|URL", env = "VITALOG_OPENAPI", hide_env = true)]
    pub openapi: Option<String>,
    /// Zone of times that name none, such as Europe/Berlin or +02:00 [default: the system's]
    #[arg(long, value_name = "ZONE", env = "VITALOG_TIMEZONE", hide_env = true, allow_hyphen_values = true)]
    pub timezone: Option<String>,
    /// Threads that read [default: as many as there are cores]
    #[arg(long, value_name = "N", env = "VITALOG_THREADS", hide_env = true)]
    pub threads: Option<NonZeroUsize>,
}

/// Which part of what was read is looked at.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scope")]
pub struct Scope {
    /// Only from then on: '2026-11-22 10:00', RFC 3339, a date, now, today, yesterday, or an age (15m, 6h, 2d)
    #[arg(long, value_name = "WHEN", env = "VITALOG_SINCE", hide_env = true)]
    pub since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "WHEN", env = "VITALOG_UNTIL", hide_env = true)]
    pub until: Option<String>,
    /// Only these routes: 'POST /checkout', '/items/*' (within a segment), '/api/**' (across)
    #[arg(long, value_name = "GLOB", env = "VITALOG_ROUTE", hide_env = true)]
    pub route: Option<String>,
    /// Count requests to health probes too
    #[arg(long, env = "VITALOG_INCLUDE_PROBES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub include_probes: bool,
    /// Something was deployed then (repeatable)
    #[arg(long, value_name = "WHEN[=LABEL]", env = "VITALOG_DEPLOY", hide_env = true)]
    pub deploy: Vec<String>,
    /// File of deploys, a line 'TIME LABEL' each
    #[arg(long, value_name = "FILE", env = "VITALOG_DEPLOYS", hide_env = true)]
    pub deploys: Option<PathBuf>,
    /// Read what a 'tail' saved in this state too, or alone where no path is typed; it may be running
    #[arg(long, value_name = "FILE", env = "VITALOG_STATE", hide_env = true)]
    pub state: Option<PathBuf>,
}

/// What is written, and what fails.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// text, json, markdown, csv or snapshot, to a file or to standard output (repeatable) [default: text]
    #[arg(short, long, value_name = "FORM[=FILE]", env = "VITALOG_OUTPUT", hide_env = true)]
    pub output: Vec<OsString>,
    /// Exit with 1 where a condition holds: 'p95 > 300ms', 'max > 2s over 5m on POST /checkout',
    /// unhealthy, degraded (repeatable)
    #[arg(long, value_name = "CONDITION", env = "VITALOG_FAIL_ON", hide_env = true)]
    pub fail_on: Vec<String>,
}

/// How vitalog speaks of itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct Talk {
    /// Colours in text: auto, always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", env = "VITALOG_COLOR", hide_env = true)]
    #[arg(hide_possible_values = true)]
    pub color: Color,
    /// Only errors on standard error, no progress
    #[arg(short, long, env = "VITALOG_QUIET", hide_env = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Tell more on standard error
    #[arg(short, long, action = ArgAction::Count, env = "VITALOG_VERBOSE", hide_env = true, conflicts_with = "quiet")]
    pub verbose: u8,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Whatever the output is.
    Always,
    /// Not at all.
    Never,
}

impl ValueEnum for Server {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn commands_that_do_not_work_are_not_shown() {
        let help = CommandLine::command().render_help().to_string();
        for (shown, word) in
            [(true, "analyze"), (true, "explain"), (true, "tail"), (true, "mute"), (false, "completions"), (true, "compare")]
        {
            assert_eq!(shown, help.contains(&format!("  {word}")), "{word}\n{help}");
        }
    }

    #[test]
    fn every_option_is_also_read_from_the_environment() {
        let command = CommandLine::command();
        let analyze = command.find_subcommand("analyze").unwrap();
        for option in analyze.get_opts() {
            let long = option.get_long().unwrap().to_uppercase().replace('-', "_");
            assert_eq!(Some(format!("VITALOG_{long}").as_ref()), option.get_env(), "{long}");
        }
    }
}
