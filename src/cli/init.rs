//! `init`: measure first. Reads logs, writes a commented configuration whose limits come from what they show, and
//! replays it on the same logs to say how often it would have fired.
//!
//! A promise is one that the past has kept with room to spare; a route's limit is twice its own p99, and above its p99.9.
//! Each figure names its origin. The file is read back by the parser of every other command before anybody gets it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::args;
use crate::cli::config::read;
use crate::cli::cores;
use crate::cli::deliver;
use crate::cli::exit::Exit;
use crate::cli::prepare;
use crate::cli::progress;
use crate::cli::replay;
use crate::cli::rules;
use crate::cli::say;
use crate::cli::settings::Environment;
use crate::cli::settings::Settings;
use crate::drive::analyze;
use crate::error::Error;
use crate::error::Fault;
use crate::stats::summary::RouteFigures;
use crate::stats::summary::Summary;
use crate::stats::summary::sum_up;
use crate::verdict::rule::Severity;
use crate::verdict::timeline::Timeline;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::from_to;
use crate::write::figures::limit;
use crate::write::figures::percent;

/// Where the configuration goes unless it is named.
const FILE: &str = "vitalog.toml";
/// Routes that get a limit of their own.
const ROUTES: usize = 10;
/// Requests of a route in one window before its rule speaks: its p99 then rests on several requests.
const ENOUGH: u64 = 300;
/// Promises, strictest first.
const TARGETS: [f64; 9] = [0.9999, 0.9995, 0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8];

/// Runs `init`. `None` where there is nothing to read.
pub fn init(typed: args::Init, around: &Environment<'_>) -> Result<Option<Exit>, Error> {
    let mut reading = typed.reading;
    let print = reading.paths.iter().any(|path| path == "-");
    reading.paths.retain(|path| path != "-");
    let file = reading.config.take().unwrap_or_else(|| PathBuf::from(FILE));
    if !print && !typed.force && file.exists() {
        let name = clean(file.to_string_lossy().as_bytes());
        return Err(Error::usage(format!("'{name}' exists ('--force' overwrites it, '-' prints the new one)")));
    }
    // What is measured must not depend on the file that is to be written.
    reading.config = Some(PathBuf::from(if cfg!(windows) { "NUL" } else { "/dev/null" }));
    let piped = reading.paths.is_empty();
    let analyze = args::Analyze::reading(reading, typed.talk);
    let Some(mut settings) = Settings::of(analyze, around)? else { return Ok(None) };
    let is_pipe = |path: &OsString| std::fs::metadata(path).is_ok_and(|what| !what.is_file() && !what.is_dir());
    if piped || settings.paths.iter().any(|path| path == "-" || is_pipe(path)) {
        return Err(Error::usage("'init' reads its logs twice: name files, not a pipe".to_owned()));
    }
    let (summary, unread) = measure(&settings, around)?;
    if summary.input.requests == 0 {
        return Err(Error::usage("no request was read: there is nothing to measure ('vitalog explain' shows why)".to_owned()));
    }
    let body = written(&settings, &summary);
    let parsed = read::Surroundings { variable: around.variable, now: around.now, zone: around.zone.clone() };
    settings.config = read::read("the new configuration", &body, &parsed).map_err(Error::usage)?;
    let setup = rules::setup(&settings.config, settings.include_probes);
    let played = replay::play(&settings, &setup, around.now)?;
    let fired = would_have_fired(&played.timeline);
    let page = format!("{}# {fired}\n\n{body}", head(&settings, &summary));
    let mut exit = if unread { Exit::Unread } else { Exit::Done };
    if print {
        exit = deliver::page(page.as_bytes(), None)?.and(exit);
    } else {
        put(&file, &page, typed.force)?;
    }
    if !settings.quiet {
        let to = if print { String::new() } else { format!("wrote '{}'. ", clean(file.to_string_lossy().as_bytes())) };
        say(&format!("{to}{fired}"));
    }
    Ok(Some(exit))
}

fn measure(settings: &Settings, around: &Environment<'_>) -> Result<(Summary, bool), Error> {
    let paths: Vec<String> = settings.paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let total = settings.progress.then(|| analyze::size(&paths));
    let progress = progress::Progress::new(total, settings.progress);
    let found = analyze::read(&analyze::Ask {
        paths,
        settings: Arc::new(prepare::reading(settings)?),
        plan: prepare::plan(settings)?,
        now: around.now,
        threads: settings.threads.map_or_else(cores, std::num::NonZeroUsize::get),
        keep_parts: false,
        state: None,
        progress: &|bytes| progress.advance(bytes),
    });
    progress.finish();
    let asked = found.asked(prepare::asked(settings)?);
    let unread = found.sources.iter().any(|source| source.error.is_some());
    Ok((sum_up(&found.snapshot, &asked), unread))
}

/// How often the rules would have fired, in a sentence.
fn would_have_fired(timeline: &Timeline) -> String {
    let of = |severity: Severity| timeline.told().filter(|s| s.severity() == severity).count() as u64;
    let (pages, tickets, infos) = (of(Severity::Page), of(Severity::Ticket), of(Severity::Info));
    let mut counts = Vec::new();
    if pages > 0 {
        counts.push(counted(pages, "page"));
    }
    if tickets > 0 {
        counts.push(counted(tickets, "ticket"));
    }
    if infos > 0 {
        counts.push(format!("{infos} for the record"));
    }
    match timeline.span {
        None => "No line has a time: how often it would have fired cannot be told.".to_owned(),
        Some(_) if counts.is_empty() => "On these logs it would never have fired.".to_owned(),
        Some(_) => format!("On these logs it would have fired: {} ('vitalog replay' shows when).", counts.join(", ")),
    }
}

fn put(file: &Path, page: &str, force: bool) -> Result<(), Error> {
    let name = clean(file.to_string_lossy().as_bytes()).to_string();
    let wrong = |error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::usage(format!("'{name}' exists ('--force' overwrites it)")),
        _ => Error::new(Fault::Output, format!("writing '{name}': {error}")),
    };
    let mut options = OpenOptions::new();
    options.write(true).create(force).create_new(!force).truncate(force);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).and_then(|mut file| file.write_all(page.as_bytes())).map_err(|error| wrong(&error))
}

/// Adds a line.
pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What was measured, as comments.
fn head(settings: &Settings, summary: &Summary) -> String {
    let mut out = "# Written by 'vitalog init' from what these logs show. Change it as you like, then:\n\
                   #   vitalog check                 is it valid?\n\
                   #   vitalog replay PATH…          how often would it have fired?\n#\n"
        .to_owned();
    for source in &summary.input.sources {
        let form = source.format.as_deref().unwrap_or("nothing understood");
        let wrapper = source.wrapper.as_deref().map(|w| format!(" in {w}")).unwrap_or_default();
        let requests = counted(source.requests, "request");
        line(&mut out, &format!("# {}: {}{}, {requests}", clean(&source.path), clean(form), clean(wrapper)));
    }
    let period = summary.period.start.zip(summary.period.end);
    let period = period.map_or_else(|| "no line has a time".to_owned(), |(from, to)| from_to(from, to));
    line(&mut out, &format!("# {} in all: {period}", counted(summary.total.requests, "request")));
    if settings.format.is_some() {
        out.push_str("# The form of the lines was given.\n");
    }
    out
}

/// The tables.
fn written(settings: &Settings, summary: &Summary) -> String {
    let mut out = String::from("[input]\n");
    let paths: Vec<String> = settings.paths.iter().map(|path| quoted(&path.to_string_lossy())).collect();
    line(&mut out, &format!("paths = [{}]", paths.join(", ")));
    for (key, value) in [("format", settings.format.as_ref()), ("openapi", settings.openapi.as_ref())] {
        if let Some(value) = value {
            line(&mut out, &format!("{key} = {}", quoted(value)));
        }
    }
    if summary.period.zone_assumed.is_some() {
        let zone = quoted(&settings.zone_name);
        line(&mut out, &format!("# Times that name no zone were read in this one.\ntimezone = {zone}"));
    }
    services(summary, &mut out);
    routes(summary, &mut out);
    promises(summary, &mut out);
    limits(summary, &mut out);
    out.push_str(
        "\n# What helps a person who is woken: printed with alerts, never run.\n# [health]\n\
         # rollback = \"kubectl rollout undo deploy/shop\"\n# runbook = \"https://…\"\n\n\
         # Who is told, beside standard output ('vitalog check --send' tries each).\n# [[sink]]\n\
         # url = \"${HOOK_URL}\"\n# format = \"slack\"\n",
    );
    out
}

fn services(summary: &Summary, out: &mut String) {
    let named: Vec<String> =
        summary.services.iter().filter_map(|s| s.service.as_deref()).map(|s| clean(s).to_string()).collect();
    if !named.is_empty() {
        line(out, &format!("\n# Services that the lines name by themselves: {}", named.join(", ")));
    }
}

fn routes(summary: &Summary, out: &mut String) {
    let busy: Vec<&RouteFigures> = summary.routes.iter().filter(|r| !r.probe).take(2 * ROUTES).collect();
    out.push_str("\n# Routes, the busiest first; 'openapi' above, or templates here, name them for sure.\n");
    for route in &busy {
        let share = percent(real(route.figures.requests) / real(summary.total.requests.max(1)));
        let p99 = route.figures.latency.map(|l| format!(", p99 {}", duration(l.p99_us))).unwrap_or_default();
        line(out, &format!("#   {:>8}  {share:>7}  {}{p99}", count(route.figures.requests), shown(route)));
    }
    let more = summary.routes.len().saturating_sub(busy.len());
    if more > 0 {
        line(out, &format!("#   and {}", counted(more as u64, "more route")));
    }
    out.push_str("# [routes]\n# templates = [\"/items/{item_id}\"]\n");
}

fn shown(route: &RouteFigures) -> String {
    let service = route.service.as_deref().map(|s| format!("{s} ")).unwrap_or_default();
    clean(format!("{service}{} {}", route.method, route.route)).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn real(n: u64) -> f64 {
    n as f64
}

/// The strictest promise that a share of bad requests keeps with a fifth of the budget to spare, no stricter than so few
/// requests can show.
fn kept(bad: u64, all: u64) -> Option<f64> {
    let most = if all < 1_000 {
        0.99
    } else if all < 100_000 {
        0.999
    } else {
        1.0
    };
    // a count that is just within stays within, whatever a target's last binary digit
    TARGETS.into_iter().find(|target| *target <= most && real(bad) <= 0.8 * (1.0 - target) * real(all) + 1e-6)
}

fn promises(summary: &Summary, out: &mut String) {
    let total = &summary.total;
    out.push_str("\n# Promises that the past has kept, with room to spare. Alerts on burn rates follow from each.\n");
    let told = format!("{} of {} requests failed", count(total.errors), count(total.requests));
    if let Some(target) = kept(total.errors, total.requests) {
        let share = total.error_rate.map(percent).unwrap_or_default();
        line(out, &format!("[[promise]]\nname = \"available\"\n# {told}: {share}"));
        line(out, &format!("target = \"{}\"", limit(target).replace(' ', "")));
    } else {
        line(out, &format!("[[promise]]\nname = \"available\"\n# {told}: no promise was kept. This is what to reach"));
        out.push_str("target = \"99%\"\n");
    }
    let Some(latency) = total.latency else {
        let help = summary.unavailable.iter().find(|u| u.figure == "latency");
        let help = help.map(|u| format!("{} ({})", u.because, u.enable_with)).unwrap_or_default();
        line(out, &format!("\n# No promise about latency: {}", clean(help)));
        return;
    };
    let slower = room_above(latency.p99_us, latency.p999_us);
    line(out, "\n[[promise]]\nname = \"fast\"\ntarget = \"99%\"");
    line(out, &format!("# p99 of all requests was {}, p99.9 {}", duration(latency.p99_us), duration(latency.p999_us)));
    line(out, &format!("slower_than = \"{}\"", milliseconds(slower)));
}

/// Twice the p99, and a fifth above the p99.9, rounded up to two digits.
fn room_above(usual_us: u64, rare_us: u64) -> u64 {
    let least = (2 * usual_us).max(rare_us + rare_us / 5).max(1_000);
    let mut digit = 1;
    while least / digit >= 100 {
        digit *= 10;
    }
    least.div_ceil(digit) * digit
}

fn milliseconds(us: u64) -> String {
    if us.is_multiple_of(1_000_000) {
        format!("{}s", us / 1_000_000)
    } else if us.is_multiple_of(1_000) {
        format!("{}ms", us / 1_000)
    } else {
        format!("{us}us")
    }
}

fn limits(summary: &Summary, out: &mut String) {
    let busy = summary.routes.iter().filter(|r| !r.probe && !r.streaming && r.figures.requests >= ENOUGH);
    let mut limits = busy.filter_map(|r| Some((r, r.figures.latency.filter(|l| l.count >= ENOUGH)?))).take(ROUTES).peekable();
    if limits.peek().is_some() {
        line(out, "\n# A limit for each busy route: twice its own p99, and above its p99.9.");
    }
    let mut names: Vec<String> = Vec::new();
    for (route, latency) in limits {
        // A pattern says which route it is; services that share a path share the limit of the busier one.
        let pattern = format!("{} {}", route.method, route.route);
        if !route.route.starts_with('/') || route.method == "-" || names.contains(&pattern) {
            continue;
        }
        let worst = room_above(latency.p99_us, latency.p999_us);
        line(
            out,
            &format!(
                "[[rule]]\nname = {}\n# p99 was {}, p99.9 {}, of {}\nwhen = {}\nmin_requests = {ENOUGH}\nseverity = \"ticket\"\n",
                quoted(&format!("slow {pattern}")),
                duration(latency.p99_us),
                duration(latency.p999_us),
                counted(latency.count, "request"),
                quoted(&format!("p99 > {} over 15m on {pattern}", milliseconds(worst)))
            ),
        );
        names.push(pattern);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_one_that_the_past_has_kept() {
        for (target, bad, all) in [
            (Some(0.999), 0, 50_000),
            (Some(0.9999), 0, 500_000),
            (Some(0.9995), 200, 500_000),
            (Some(0.99), 0, 100),
            // 0.9 % bad would leave a tenth of a budget of 1 %: too little.
            (Some(0.98), 450, 50_000),
            (None, 30_000, 50_000),
        ] {
            assert_eq!(target, kept(bad, all), "{bad} of {all}");
        }
    }

    #[test]
    fn a_limit_has_room_above_what_was_seen() {
        for (limit, p99, p999) in [(810_000, 402_113, 500_000), (1_200_000, 402_113, 1_000_000), (1_000, 100, 200)] {
            assert_eq!(limit, room_above(p99, p999));
        }
        assert_eq!(["810ms", "2s", "1500us"], [810_000, 2_000_000, 1_500].map(milliseconds));
    }

    #[test]
    fn a_string_of_toml_holds_whatever_a_log_says() {
        assert_eq!(r#""a\"b\\c\u001B""#, quoted("a\"b\\c\u{1b}"));
    }
}
