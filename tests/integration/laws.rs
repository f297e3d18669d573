//! What holds whatever the input: chunks, threads and cuts change nothing, the same bytes count once, counts add up.
//!
//! Runs the library in this process, so that a plain file can be cut into far smaller chunks than in use. The logs are
//! samples, and logs put together from pieces (accesses, pairs of lines, tracebacks, broken lines) that are never split
//! where a law is about cutting at whole pieces.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::PipeReader;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use clap::Parser;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use vitalog::cli::args::Command;
use vitalog::cli::args::CommandLine;
use vitalog::cli::prepare;
use vitalog::cli::replay;
use vitalog::cli::rules;
use vitalog::cli::settings::Environment;
use vitalog::cli::settings::Settings;
use vitalog::drive::analyze::Ask;
use vitalog::drive::analyze::Read;
use vitalog::drive::analyze::read_in_chunks;
use vitalog::drive::analyze::read_judged_in_chunks;
use vitalog::drive::batch::CHUNK;
use vitalog::drive::batch::File;
use vitalog::drive::batch::Job;
use vitalog::drive::sequence;
use vitalog::drive::sequence::Follower;
use vitalog::drive::sequence::Keep;
use vitalog::drive::sequence::Parts;
use vitalog::line::split::Block;
use vitalog::line::split::Position;
use vitalog::line::split::Splitter;
use vitalog::stats::slots::Slot;
use vitalog::stats::snapshot::Plan;
use vitalog::stats::snapshot::SlotLines;
use vitalog::stats::stored;
use vitalog::stats::summary::sum_up;
use vitalog::time::Timestamp;
use vitalog::verdict::health::judge;
use vitalog::write;
use vitalog::write::Report;
use vitalog::write::json::object;

use crate::program::Folder;
use crate::program::root;
use crate::samples::expectations;

/// 2026-11-23, when the samples were made.
const NOW: Timestamp = Timestamp(1_795_394_208_000_000);

/// The report on what these arguments of `analyze` name, and the snapshot of it.
pub(crate) fn analyze(arguments: &[String], threads: usize, chunk: u64) -> (Value, Vec<u8>) {
    analyze_by(true, arguments, threads, chunk)
}

/// The same, with slots kept for each route or for services alone: then the snapshot is of no use.
pub(crate) fn analyze_by(by_route: bool, arguments: &[String], threads: usize, chunk: u64) -> (Value, Vec<u8>) {
    read_by(by_route, arguments, threads, &|ask| read_in_chunks(ask, chunk))
}

/// Every second that is told of when the same is read in the order of time, and the report where `keep` has one.
fn followed(arguments: &[String], threads: usize, chunk: u64, keep: Keep) -> (Vec<String>, Value) {
    let (seconds, report) = followed_by_parts(arguments, threads, chunk, keep);
    (seconds.told, report)
}

fn followed_by_parts(arguments: &[String], threads: usize, chunk: u64, keep: Keep) -> (Seconds, Value) {
    let seconds = RefCell::new(Seconds::default());
    let read = |ask: &Ask<'_>| read_judged_in_chunks(ask, chunk, keep, &mut *seconds.borrow_mut());
    let (report, _) = read_by(true, arguments, threads, &read);
    (seconds.into_inner(), report)
}

/// All that a follower is told, as text; the parts of a second added up.
#[derive(Default)]
struct Seconds {
    told: Vec<String>,
    /// The most parts that a second had.
    parts: usize,
}

impl Follower for Seconds {
    fn second(&mut self, parts: &Parts<'_>) {
        let mut groups: BTreeMap<String, Slot> = BTreeMap::new();
        let mut lines: BTreeMap<String, SlotLines> = BTreeMap::new();
        let (mut raised, mut examples, mut turns) = (Vec::new(), BTreeMap::<_, Vec<String>>::new(), BTreeSet::new());
        let second = parts.first().map_or(0, |(step, _)| step.second);
        for (step, all) in parts {
            assert_eq!(second, step.second);
            let desk = |at: u16| &all.desks()[usize::from(at)];
            let name = |at: u16| format!("{:?}", (desk(at).service.as_deref(), desk(at).layer));
            for (key, slot) in &step.groups {
                let version = desk(key.desk).eras[usize::from(key.era)].name();
                let route = desk(key.desk).router.key(key.route);
                let group = format!("{} {version:?} {route:?} {:?} {:?}", name(key.desk), key.auth, key.cache);
                let whole = groups.entry(group).or_insert_with(|| Slot::new(second));
                whole.add(slot);
                whole.tidy();
            }
            for (at, here) in &step.lines {
                lines.entry(name(*at)).or_default().add(here);
            }
            raised.extend(step.raised.iter().map(|raise| format!("{raise:?}")));
            for example in &step.examples {
                examples.entry(&example.service).or_default().push(example.line());
            }
            let here = all.doings().turns().filter(|turn| turn.at.second() == i64::from(second));
            turns.extend(here.map(|turn| format!("{turn:?}")));
        }
        // As many as one part keeps.
        for lines in examples.values_mut() {
            lines.truncate(2);
        }
        self.parts = self.parts.max(parts.len());
        self.told.push(format!("{second}:\n{groups:#?}\n{lines:#?}\n{raised:#?}\n{examples:#?}\n{turns:#?}"));
    }

    fn renamed(&mut self, service: Option<&str>, method: &str, path: &str) {
        self.told.push(format!("{service:?} {method} {path} renamed"));
    }
}

/// The first second that two readings tell apart, as a sentence.
fn first_apart(expected: &[String], got: &[String]) -> Option<String> {
    if expected.len() != got.len() {
        return Some(format!("{} seconds became {}", expected.len(), got.len()));
    }
    let (a, b) = expected.iter().zip(got).find(|(a, b)| a != b)?;
    let (line, other) = a.lines().zip(b.lines()).find(|(a, b)| a != b).unwrap_or((a, b));
    Some(format!("{}: expected {line}, got {other}", a.lines().next()?))
}

type ReadIt<'a> = &'a dyn Fn(&Ask<'_>) -> Read;

fn read_by(by_route: bool, arguments: &[String], threads: usize, read: ReadIt<'_>) -> (Value, Vec<u8>) {
    let settings = settings(arguments);
    let ask = Ask {
        state: None,
        paths: settings.paths.iter().map(|path| path.to_str().unwrap().to_string()).collect(),
        settings: prepare::reading(&settings).unwrap().into(),
        plan: Plan { by_route, ..prepare::plan(&settings).unwrap() },
        now: NOW,
        threads,
        keep_parts: true,
        progress: &|_| (),
    };
    let read = read(&ask);
    let summary = sum_up(&read.snapshot, &read.asked(prepare::asked(&settings).unwrap()));
    let (health, service_health) = judge(&summary, &[], &settings.health_promises());
    (object(&Report { summary, health, service_health, findings: Vec::new() }), stored::store(&read.parts))
}

/// What these arguments of `analyze` mean.
fn settings(arguments: &[String]) -> Settings {
    let typed = ["vitalog", "analyze"].map(String::from).into_iter().chain(arguments.iter().cloned());
    let Command::Analyze(typed) = CommandLine::try_parse_from(typed).unwrap().command else { panic!("another command") };
    let around = Environment {
        variable: &|_| None,
        now: NOW,
        zone: TimeZone::UTC,
        stdin_is_terminal: true,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        width: None,
    };
    Settings::of(*typed, &around).unwrap().unwrap()
}

/// The alerts that the rules of a configuration would have raised on what `arguments` name.
fn replayed(arguments: &[String], config: &Path) -> Value {
    let config = ["--config", config.to_str().unwrap()].map(String::from);
    let settings = settings(&[arguments, &config].concat());
    let setup = rules::setup(&settings.config, settings.include_probes);
    let played = replay::play(&settings, &setup, NOW).unwrap();
    let mut page = Vec::new();
    write::replay::json(&played.timeline, &played.warnings, &mut page).unwrap();
    serde_json::from_slice(&page).unwrap()
}

/// The report on one file or folder.
fn report(path: &Path) -> Value {
    analyze(&[path.to_str().unwrap().to_string()], 1, CHUNK).0
}

/// The report without what tells of files rather than of the service.
fn without_sources(mut report: Value) -> Value {
    report["input"]["sources"] = Value::Null;
    report["input"]["duplicates"] = Value::Null;
    report
}

/// The first place where two reports differ, as a sentence; `None` where they are the same bytes.
pub(crate) fn difference(expected: &Value, got: &Value) -> Option<String> {
    fn first(at: &str, expected: &Value, got: &Value) -> Option<String> {
        match (expected, got) {
            (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => {
                left.iter().find_map(|(key, value)| first(&format!("{at}/{key}"), value, &right[key]))
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                left.iter().zip(right).enumerate().find_map(|(n, (l, r))| first(&format!("{at}/{n}"), l, r))
            }
            _ if expected == got => None,
            _ => Some(format!("{at}: expected {expected}, got {got}")),
        }
    }
    let (bytes, seen) = (expected.to_string(), got.to_string());
    (seen != bytes).then(|| first("", expected, got).unwrap_or_else(|| "the order of keys".into()))
}

/// Whether each line was counted as exactly one kind, and each request once.
pub(crate) fn adds_up(report: &Value) -> Option<String> {
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap();
    let kinds = ["requests", "companion", "lifecycle", "traceback", "message", "malformed"];
    let kinds: u64 = kinds.iter().map(|kind| count(&format!("/input/{kind}"))).sum();
    let routes = report["routes"].as_array().unwrap();
    let of = |probe: bool| routes.iter().filter(|r| r["probe"] == probe).map(|r| r["requests"].as_u64().unwrap()).sum::<u64>();
    let statuses = |of: &Value| of["status"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    let reasons: u64 = report["input"]["malformed_reasons"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let by_source = |key: &str| {
        report["input"]["sources"].as_array().unwrap().iter().map(|source| source[key].as_u64().unwrap()).sum::<u64>()
    };
    let sums = [
        ("the kinds of lines", count("/input/lines"), kinds),
        ("malformed by reason", count("/input/malformed"), reasons),
        ("lines by source", count("/input/lines"), by_source("lines")),
        ("requests by source", count("/input/requests"), by_source("requests")),
        ("requests by route", count("/total/requests"), of(false)),
        ("probes by route", count("/input/probes"), of(true)),
        ("requests and probes", count("/input/requests"), of(false) + of(true)),
        ("statuses", count("/total/requests"), statuses(&report["total"])),
        ("statuses by route", count("/input/requests"), routes.iter().map(statuses).sum()),
    ];
    sums.iter().find(|(_, whole, sum)| whole != sum).map(|(what, whole, sum)| format!("{what}: {sum} make no {whole}"))
}

/// The arguments for each sample, without the chosen outputs.
pub(crate) fn samples() -> Vec<(String, Vec<String>)> {
    let absolute = |word: String| match word.strip_prefix("@samples/") {
        Some(rest) => format!("@{}", root().join("samples").join(rest).display()),
        None if word.starts_with("samples/") => root().join(word).display().to_string(),
        None => word,
    };
    let arguments = |files: Vec<String>, options: Vec<String>| files.into_iter().chain(options).map(absolute).collect();
    expectations().into_iter().map(|(name, expected)| (name, arguments(expected.files, expected.options))).collect()
}

/// Lines that belong together, written by one process: they are never cut apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece {
    Access,
    Pair,
    Raised,
    Grouped,
    Said,
    Broken,
    Started,
}

pub(crate) fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        10 => Just(Piece::Access),
        10 => Just(Piece::Pair),
        1 => Just(Piece::Raised),
        1 => Just(Piece::Grouped),
        1 => Just(Piece::Said),
        1 => Just(Piece::Broken),
        1 => Just(Piece::Started),
    ]
}

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/srv/shop/main.py\", line 88, in checkout
    order = await place(cart)
  File \"/srv/shop/orders.py\", line 41, in place
    return totals[cart.key]
           ~~~~~~^^^^^^^^^^
KeyError: 'total'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/srv/shop/main.py\", line 90, in checkout
    raise PaymentError(\"declined\") from error
main.PaymentError: declined
";
const GROUP: &str = "  + Exception Group Traceback (most recent call last):
  |   File \"/srv/shop/main.py\", line 12, in gather
  |     raise ExceptionGroup(\"two\", errors)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File \"/srv/shop/main.py\", line 7, in one
    |     raise KeyError(1)
    | KeyError: 1
    +---------------- 2 ----------------
    | ValueError: no
    +------------------------------------
";

impl Piece {
    /// Piece number `n`, written at its own second.
    pub(crate) fn write(self, n: usize, log: &mut Vec<u8>) {
        let at = format!("2026-11-23 10:{:02}:{:02},{:03}", n / 600 % 60, n / 10 % 60, n % 10 * 100 + n % 7);
        let path = ["/products", "/orders/1842", "/users/44/orders", "/cart", "/health", "/wp-login.php"][n * 7 % 11 % 6];
        let method = if n.is_multiple_of(5) { "POST" } else { "GET" };
        let status = [200, 200, 200, 201, 404, 422][n * 5 % 6];
        let access = |status: u16| {
            let line = format!("\"{method} {path}?page={n} HTTP/1.1\" {status}");
            format!("{at} - uvicorn.access - INFO - 127.0.0.1:{} - {line}\n", 40_000 + n)
        };
        let text = match self {
            Self::Access => access(status),
            Self::Pair => {
                let took = format!("{method} {path} completed_in={}.{:02}ms status_code={status}", n % 90, n % 100);
                format!("{at} - shop.timing - INFO - {took}\n{}", access(status))
            }
            Self::Raised => {
                format!("{}{at} - uvicorn.error - ERROR - Exception in ASGI application\n{TRACEBACK}", access(500))
            }
            Self::Grouped => {
                format!("{}{at} - uvicorn.error - ERROR - Exception in ASGI application\n{GROUP}", access(500))
            }
            Self::Said => format!("{at} - shop - INFO - order {n} placed\nand a second line of it\n"),
            Self::Broken => format!("{at} - uvicorn.access - INFO - 127.0.0.1:1 - \"GET /cut HTTP/1.1\" 99999\n"),
            Self::Started => format!("{at} - uvicorn.error - INFO - Started server process [{n}]\n"),
        };
        log.extend(text.bytes());
    }
}

/// A log of these pieces, and where each begins.
pub(crate) fn written(pieces: &[Piece]) -> (Vec<u8>, Vec<usize>) {
    let (mut log, mut starts) = (Vec::new(), Vec::new());
    for (n, piece) in pieces.iter().enumerate() {
        starts.push(log.len());
        piece.write(n, &mut log);
    }
    (log, starts)
}

/// `log` in files at these places, oldest first, in no rotated set.
fn parts(folder: &Folder, log: &[u8], places: &[usize]) -> Vec<String> {
    let mut borders: Vec<usize> = places.iter().copied().chain([0, log.len()]).collect();
    borders.sort_unstable();
    borders.dedup();
    borders
        .windows(2)
        .enumerate()
        .map(|(n, border)| {
            let name = format!("part{n:03}.txt");
            folder.write(&name, &log[border[0]..border[1]]);
            folder.path(&name).to_str().unwrap().to_string()
        })
        .collect()
}

/// The report on the snapshots of these files, one snapshot each.
fn merged(folder: &Folder, parts: &[String], options: &[String]) -> Value {
    let mut snapshots = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let arguments: Vec<String> = [part.clone()].into_iter().chain(options.iter().cloned()).collect();
        let (_, bytes) = analyze(&arguments, 1, CHUNK);
        let name = format!("part{n:03}.snap");
        folder.write(&name, bytes);
        snapshots.push(folder.path(&name).to_str().unwrap().to_string());
    }
    snapshots.extend(options.iter().cloned());
    analyze(&snapshots, 1, CHUNK).0
}

/// Places in a sample between two dated requests of its own, with nothing that belongs together around, and at least a
/// hundred lines apart: a file of a few lines may hold no mark of its form.
fn quiet_places(log: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let good = |line: &&[u8]| {
        let text = String::from_utf8_lossy(line);
        text.contains("2026")
            && text.contains("HTTP/1.")
            && ["\" 200", "\" 201", "\" 404"].iter().any(|status| text.contains(status))
    };
    let (mut at, mut last) = (0, 0);
    for (n, line) in lines.iter().enumerate() {
        let around = lines.get(n.saturating_sub(6)..n + 6);
        if n >= last + 100 && around.is_some_and(|lines| lines.iter().all(good)) {
            places.push(at);
            last = n;
        }
        at += line.len();
    }
    places
}

#[test]
fn no_number_of_threads_or_cuts_changes_a_byte_of_a_samples_report() {
    let mut wrong = Vec::new();
    for (name, arguments) in samples() {
        let (one, _) = analyze(&arguments, 1, CHUNK);
        wrong.extend(adds_up(&one).map(|sum| format!("{name}: {sum}")));
        for (threads, chunk) in [(2, CHUNK), (2, 20_000), (7, 3000), (7, 400)] {
            for by_route in [true, false] {
                let (other, _) = analyze_by(by_route, &arguments, threads, chunk);
                let differs = difference(&one, &other);
                let way = if by_route { "" } else { ", slots of services" };
                wrong.extend(differs.map(|how| format!("{name} with {threads} threads and chunks of {chunk}{way}: {how}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_sample_read_in_the_order_of_time_gives_the_same_report_and_seconds_on_any_number_of_threads() {
    let mut wrong = Vec::new();
    for (name, arguments) in samples() {
        let (report, _) = analyze(&arguments, 1, CHUNK);
        let (one, _) = followed(&arguments, 1, CHUNK, Keep::All);
        for (threads, chunk) in [(1, 400), (2, CHUNK), (5, 400), (2, 3000)] {
            for keep in [Keep::All, Keep::Seconds] {
                let (many, own) = followed(&arguments, threads, chunk, keep);
                let differs = difference(&report, &own).filter(|_| keep == Keep::All);
                let differs = differs.or_else(|| first_apart(&one, &many));
                wrong.extend(differs.map(|how| format!("{name}, {threads} threads, stretches of {chunk}: {how}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rules about counts of services alone, touchy enough for samples to set them off.
const ABOUT_COUNTS: &str = r#"
[health]
errors = ["4xx", "5xx"]
[routes]
streaming = ["GET /d"]
[[promise]]
name = "answered"
target = "99.5%"
[[rule]]
name = "any error"
when = "errors >= 1 over 10s"
severity = "ticket"
clear_for = "5s"
[[rule]]
name = "logged in"
when = "requests >= 1 over 10s"
auth = "authenticated"
severity = "ticket"
clear_for = "5s"
"#;
/// Rules about latencies of services.
const ABOUT_LATENCIES: &str = r#"
[[promise]]
name = "quick"
target = "99.5%"
slower_than = "20ms"
[[rule]]
name = "slow"
when = "p50 > 5ms over 1m"
severity = "page"
clear_for = "5s"
[[rule]]
name = "slowest"
when = "max > 14ms over 1m"
clear_for = "5s"
"#;
/// Combined, and microseconds.
pub(crate) const MICROSECONDS: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;
/// One that nothing sets off and that looks at latencies.
const ABOUT_ONE_LATENCY: &str = r#"
[[rule]]
name = "never slow"
when = "max > 1000h over 1m"
severity = "ticket"
"#;
/// One more that nothing sets off: now every route is told of by itself.
const ABOUT_ROUTES: &str = r#"
[[rule]]
name = "never"
when = "requests > 1000000000 over 1m on each"
severity = "ticket"
"#;

#[test]
fn leaving_out_what_no_rule_looks_at_changes_no_alert() {
    let folder = Folder::new();
    folder.write("counts.toml", ABOUT_COUNTS);
    folder.write("timed.toml", format!("{ABOUT_COUNTS}{ABOUT_ONE_LATENCY}"));
    folder.write("services.toml", format!("{ABOUT_COUNTS}{ABOUT_LATENCIES}"));
    folder.write("routes.toml", format!("{ABOUT_COUNTS}{ABOUT_LATENCIES}{ABOUT_ROUTES}"));
    let mut log = String::new();
    for n in 0..3_000_u32 {
        let (minute, second) = (n / 60, n % 60);
        let path = ["/a", "/b/7", "/health", "/c", "/d"][n as usize % 5];
        let status = if (600..900).contains(&n) && n % 5 == 3 { 503 } else { 200 };
        let user = ["-", "bob"][n as usize % 2];
        let us = match path {
            "/d" => 15_000,
            "/b/7" if n > 1_800 => 30_000,
            _ => 9_000 + n,
        };
        writeln!(
            log,
            "::1 - {user} [23/Nov/2026:10:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} 7 \"-\" \"-\" {us}"
        )
        .unwrap();
    }
    folder.write("app.log", log);
    let own = folder.path("app.log").display().to_string();
    let own = [("own".to_owned(), vec![own, "--format".to_owned(), MICROSECONDS.to_owned()])];
    let (mut wrong, mut alerts) = (Vec::new(), [0, 0]);
    for (name, arguments) in samples().into_iter().chain(own) {
        if arguments.iter().any(|argument| argument == "--config") {
            continue;
        }
        for (pair, (less, more)) in [("counts.toml", "timed.toml"), ("services.toml", "routes.toml")].into_iter().enumerate() {
            let [one, each] = [less, more].map(|config| replayed(&arguments, &folder.path(config)));
            alerts[pair] += one["alerts"].as_array().map_or(0, Vec::len);
            wrong.extend(difference(&each, &one).map(|how| format!("{name}, {less}: {how}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(alerts.iter().all(|alerts| *alerts > 20), "{alerts:?}");
}

#[test]
fn a_rule_on_latencies_alone_fires_in_a_replay() {
    let folder = Folder::new();
    let mut log = String::new();
    for n in 0..600_u32 {
        let (minute, second, us) = (n / 60, n % 60, if n < 300 { 2_000 } else { 9_000 });
        writeln!(log, "::1 - - [23/Nov/2026:10:{minute:02}:{second:02} +0000] \"GET /a HTTP/1.1\" 200 7 \"-\" \"-\" {us}")
            .unwrap();
    }
    folder.write("app.log", log);
    let arguments = [folder.path("app.log").display().to_string(), "--format".to_owned(), MICROSECONDS.to_owned()];
    for (when, fires) in [("p50 > 5ms", true), ("mean > 5ms", true), ("max >= 9ms", true), ("max > 9ms", false)] {
        let rule = format!("[[rule]]\nname = \"slow\"\nwhen = \"{when} over 1m\"\nseverity = \"page\"\nclear_for = \"5s\"\n");
        folder.write("rule.toml", rule);
        let told = replayed(&arguments, &folder.path("rule.toml"));
        let slow = told["alerts"].as_array().unwrap().iter().filter(|alert| alert["rule"] == "slow").count();
        assert_eq!(usize::from(fires), slow, "{when}: {told}");
    }
    folder.write("promise.toml", "[[promise]]\nname = \"quick\"\ntarget = \"99%\"\nslower_than = \"5ms\"\n");
    let told = replayed(&arguments, &folder.path("promise.toml"));
    let budget = &told["budgets"][0];
    assert_eq!((300, 600), (budget["bad"].as_u64().unwrap(), budget["requests"].as_u64().unwrap()), "{budget}");
}

#[test]
fn one_second_longer_than_many_stretches_is_told_whole() {
    let mut log = Vec::new();
    for n in 0..40_000 {
        let second = if n < 39_000 { 0 } else { 7 };
        let line = "000 - uvicorn.access - INFO - 127.0.0.1:4 - \"GET /a HTTP/1.1\" 200";
        writeln!(log, "2026-11-23 10:00:0{second},{line}").unwrap();
    }
    let folder = Folder::new();
    folder.write("app.log", log);
    let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
    for threads in [1, 3] {
        for keep in [Keep::All, Keep::Seconds] {
            let (seconds, report) = followed_by_parts(&arguments, threads, 300_000, keep);
            assert!(seconds.parts > 6, "only {} stretches", seconds.parts);
            assert_eq!(2, seconds.told.len());
            for (told, count) in seconds.told.iter().zip(["39000", "1000"]) {
                let (_, statuses) = told.split_once("statuses: [").unwrap();
                let numbers: Vec<&str> = statuses.split_whitespace().take(3).collect();
                assert_eq!(["(", "200,", &format!("{count},")], numbers[..]);
            }
            assert_eq!(40_000, report["input"]["sources"][0]["requests"]);
        }
    }
}

/// A line of a logger, some tenths of a second after ten in the morning.
fn logged(tenths: i64, logger: &str, message: &str) -> String {
    let at = Timestamp(1_795_428_000_000_000 + tenths * 100_000);
    let (second, milli) = (at.second().rem_euclid(86_400), tenths.rem_euclid(10) * 100);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("2026-11-23 {hour:02}:{minute:02}:{second:02},{milli:03} - {logger} - INFO - {message}\n")
}

#[test]
fn lines_that_come_late_are_told_of_alike_whoever_is_ahead() {
    let mut log = String::new();
    for n in 0..6_000 {
        log += &logged(n, "uvicorn.access", "127.0.0.1:4 - \"GET /a HTTP/1.1\" 200");
        if n > 1_000 && n % 40 == 7 {
            log += &logged(n - 900, "app", "KeyError: 'late by a minute and a half'");
        }
    }
    let folder = Folder::new();
    folder.write("app.log", log);
    let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
    let (one, _) = followed(&arguments, 1, 9_000, Keep::Seconds);
    assert_eq!(600, one.len(), "each second once");
    for threads in [1, 2, 4, 2, 4, 2, 4] {
        assert_eq!(None, first_apart(&one, &followed(&arguments, threads, 9_000, Keep::Seconds).0), "{threads} threads");
    }
}

#[test]
fn a_route_goes_under_another_name_at_the_same_line_whoever_is_ahead() {
    let letters =
        |n: i64| -> String { (0..4).map(|i| char::from(b'a' + u8::try_from(n / 20_i64.pow(i) % 20).unwrap())).collect() };
    let mut log = String::new();
    for n in 0..9_000 {
        let status = if n > 3_500 && n % 5 == 0 { 500 } else { 200 };
        let message = format!("127.0.0.1:4 - \"GET /page/{} HTTP/1.1\" {status}", letters(n));
        log += &logged(n * 3, "uvicorn.access", &message);
    }
    let folder = Folder::new();
    folder.write("app.log", log);
    let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
    for chunk in [130_000, 300_000] {
        let (one, _) = followed(&arguments, 1, chunk, Keep::Seconds);
        assert!(one.iter().any(|told| told.contains("renamed")));
        for threads in [2, 4] {
            let (many, _) = followed(&arguments, threads, chunk, Keep::Seconds);
            assert_eq!(None, first_apart(&one, &many), "{threads} threads, stretches of {chunk}");
        }
    }
}

#[test]
fn stretches_of_an_ordinary_log_are_walked_before_their_turn() {
    let log: String = (0..9_000).map(|n| logged(n, "uvicorn.access", "127.0.0.1:4 - \"GET /a HTTP/1.1\" 200")).collect();
    let folder = Folder::new();
    folder.write("app.log", log);
    let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
    let settings = settings(&arguments);
    let file = File { path: folder.path("app.log"), shown: "app.log".to_owned(), history: 0, skip: 0 };
    for (threads, fewest) in [(1, 0), (2, 40)] {
        let read = AtomicU64::new(0);
        let job = Job {
            files: std::slice::from_ref(&file),
            settings: prepare::reading(&settings).unwrap().into(),
            plan: prepare::plan(&settings).unwrap(),
            now: NOW,
            threads,
            chunk: 10_000,
            keep_parts: false,
            progress: &|bytes| {
                read.fetch_add(bytes, Ordering::Relaxed);
            },
        };
        let (_, told) = sequence::run(&job, Keep::Seconds, &mut Seconds::default());
        assert!(told[0].ahead >= fewest && (threads > 1 || told[0].ahead == 0), "{} of some 80", told[0].ahead);
        assert_eq!(told[0].intake.bytes, read.into_inner(), "each byte is progress once");
    }
}

#[test]
fn a_sample_cut_where_nothing_is_split_gives_the_report_of_the_whole() {
    let (mut wrong, mut cut) = (Vec::new(), 0);
    for (name, arguments) in samples() {
        let path = Path::new(&arguments[0]);
        if path.is_dir() {
            continue;
        }
        let log = fs::read(path).unwrap();
        let places = quiet_places(&log);
        if places.is_empty() {
            continue;
        }
        cut += 1;
        let folder = Folder::new();
        let parts = parts(&folder, &log, &places);
        let whole = without_sources(analyze(&arguments, 1, CHUNK).0);
        let sum = without_sources(merged(&folder, &parts, &arguments[1..]));
        wrong.extend(difference(&whole, &sum).map(|how| format!("{name} cut at {places:?}: {how}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cut >= 5, "only {cut} samples have a place to cut at");
}

#[test]
fn a_file_that_grew_since_its_snapshot_counts_once() {
    let log = fs::read(root().join("samples/nginx.log")).unwrap();
    for place in [30_000, log.len() / 2, log.len()] {
        let place = log[..place].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let folder = Folder::new();
        folder.write("access.log", &log[..place]);
        let path = folder.path("access.log").to_str().unwrap().to_string();
        let (_, snapshot) = analyze(std::slice::from_ref(&path), 1, CHUNK);
        folder.write("then.snap", snapshot);
        folder.write("access.log", &log);
        let both = [folder.path("then.snap").to_str().unwrap().to_string(), path.clone()];
        let (sum, _) = analyze(&both, 1, CHUNK);
        assert_eq!(1, sum["input"]["duplicates"], "the overlap is reported");
        assert_eq!(None, difference(&without_sources(report(Path::new(&path))), &without_sources(sum)), "grown from {place}");
    }
}

#[test]
fn a_rotated_file_beside_its_packed_copy_counts_once() {
    let log = fs::read(root().join("samples/nginx.log")).unwrap();
    let folder = Folder::new();
    folder.write("logs/access.log.1", &log);
    let once = report(&folder.path("logs"));
    folder.write("logs/access.log.1.gz", gzip(&log));
    let both = report(&folder.path("logs"));
    assert_eq!((Some(0), Some(1)), (once["input"]["duplicates"].as_u64(), both["input"]["duplicates"].as_u64()));
    assert_eq!(None, difference(&without_sources(once), &without_sources(both)));
}

#[test]
fn a_rotated_set_gives_the_report_of_the_unrotated_file() {
    let log = fs::read(root().join("samples/uvicorn-asctime.log")).unwrap();
    let whole = {
        let folder = Folder::new();
        folder.write("logs/app.log", &log);
        without_sources(report(&folder.path("logs")))
    };
    // any line's end will do: a rotated set is one history, tracebacks over its borders included
    let ends: Vec<usize> = log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for first in ends.iter().copied().skip(40).step_by(23) {
        let second = ends[ends.partition_point(|end| *end <= first) + 7..].first().copied().unwrap_or(log.len());
        let folder = Folder::new();
        folder.write("logs/app.log.2", &log[..first]);
        folder.write("logs/app.log.1", &log[first..second]);
        folder.write("logs/app.log", &log[second..]);
        let rotated = without_sources(report(&folder.path("logs")));
        assert_eq!(None, difference(&whole, &rotated), "rotated at {first} and {second}");
    }
}

#[test]
fn a_pipe_with_a_name_is_read_from_its_first_byte_to_its_last() {
    let log = fs::read(root().join("samples/nginx.log")).unwrap();
    let folder = Folder::new();
    folder.write("app.log", &log);
    let whole = report(&folder.path("app.log"));
    let filled = |content: &[u8], count: usize| {
        let one = || {
            let (from, mut to) = std::io::pipe().unwrap();
            // all of it has room in the pipe
            to.write_all(content).unwrap();
            from
        };
        let pipes: Vec<PipeReader> = (0..count).map(|_| one()).collect();
        let names: Vec<String> = pipes.iter().map(|pipe| format!("/dev/fd/{}", pipe.as_raw_fd())).collect();
        (pipes, names)
    };
    for content in [log.clone(), gzip(&log)] {
        for (threads, count) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            let (_open, names) = filled(&content, count);
            let (piped, _) = analyze(&names, threads, CHUNK);
            for (source, name) in piped["input"]["sources"].as_array().unwrap().iter().zip(&names) {
                let read = ["bytes", "lines", "requests"].map(|key| &source[key]);
                assert_eq!(["bytes", "lines", "requests"].map(|key| &whole["input"]["sources"][0][key]), read, "{name}");
            }
            let (_open, names) = filled(&content, count);
            let (_, judged) = followed(&names, threads, CHUNK, Keep::All);
            assert_eq!(None, difference(&piped["total"], &judged["total"]), "{threads} threads");
        }
    }
}

/// Packed.
pub(crate) fn gzip(log: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(log).unwrap();
    packer.finish().unwrap()
}

/// Samples of which wild logs are made.
const SNIPPETS: [&str; 8] =
    ["uvicorn", "nginx-json", "docker-json", "cri", "journald-json", "syslog-rfc3164", "structlog-logfmt", "compose"];

#[test]
fn a_quiet_day_of_a_rotated_set_counts_with_the_rest() {
    let log = fs::read(root().join("samples/nginx.log")).unwrap();
    // lines 87 to 96 hold nothing that only nginx writes
    let ends: Vec<usize> = log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let folder = Folder::new();
    folder.write("logs/site.log.2", &log[..ends[85]]);
    folder.write("logs/site.log.1", &log[ends[85]..ends[95]]);
    folder.write("logs/site.log", &log[ends[95]..]);
    assert_eq!(250, report(&folder.path("logs"))["total"]["requests"]);
}

/// Bytes that have something of a log: pieces of samples, repeated, cut and mixed with noise.
pub(crate) fn wild() -> impl Strategy<Value = Vec<u8>> {
    let snippet = (select(&SNIPPETS[..]), any::<u16>(), 1_usize..900).prop_map(|(name, at, length)| {
        let log = fs::read(root().join(format!("samples/{name}.log"))).unwrap();
        let from = usize::from(at) * 37 % log.len();
        log[from..(from + length).min(log.len())].to_vec()
    });
    let part = prop_oneof![4 => snippet, 2 => prop::collection::vec(any::<u8>(), 0..80), 1 => Just(b"\n".to_vec())];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_lines(log in wild(), sizes in prop::collection::vec(1_usize..5000, 1..20)) {
        let mut whole: Vec<Vec<u8>> = log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if whole.last().is_some_and(Vec::is_empty) {
            whole.pop();
        }
        // NUL bytes at a line's head are a hole, not text, and carriage returns at its end belong to its end
        let text = |line: &[u8]| {
            let mut text: Vec<u8> = line.iter().copied().skip_while(|byte| *byte == 0).collect();
            text.truncate(text.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1));
            text
        };
        let whole: Vec<Vec<u8>> = whole.iter().map(|line| text(line)).collect();
        let (mut splitter, mut lines) = (Splitter::new(Position::default()), Vec::new());
        let mut take = |block: Block<'_>| lines.extend(block.lines().map(|line| line.bytes.to_vec()));
        let (mut rest, mut sizes) = (log.as_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let room = splitter.room();
            let count = sizes.next().unwrap().min(&room.len()).min(&rest.len()).to_owned();
            room[..count].copy_from_slice(&rest[..count]);
            splitter.filled(count);
            rest = &rest[count..];
            while let Some(block) = splitter.next_block() {
                take(block);
            }
        }
        while let Some(block) = splitter.finish() {
            take(block);
        }
        prop_assert_eq!(whole, lines);
    }

    #[test]
    fn hundreds_of_cuts_over_threads_change_nothing(
        pieces in prop::collection::vec(piece(), 1..600),
        chunk in 150_u64..2000,
    ) {
        let folder = Folder::new();
        folder.write("app.log", written(&pieces).0);
        let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
        let (one, _) = analyze(&arguments, 1, CHUNK);
        prop_assert_eq!(None, adds_up(&one));
        for threads in [2, 7] {
            prop_assert_eq!(None, difference(&one, &analyze(&arguments, threads, chunk).0), "{} threads", threads);
            let (merged, _) = analyze_by(false, &arguments, threads, chunk);
            prop_assert_eq!(None, difference(&one, &merged), "{} threads, slots of services", threads);
        }
    }

    #[test]
    fn hundreds_of_stretches_before_their_turn_tell_the_same_seconds(
        pieces in prop::collection::vec(piece(), 1..600),
        chunk in 150_u64..9000,
    ) {
        let folder = Folder::new();
        folder.write("app.log", written(&pieces).0);
        let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
        let (one, _) = followed(&arguments, 1, chunk, Keep::Seconds);
        for threads in [2, 7] {
            prop_assert_eq!(None, first_apart(&one, &followed(&arguments, threads, chunk, Keep::Seconds).0));
        }
    }

    #[test]
    fn cut_between_pieces_and_merged_is_the_whole(
        pieces in prop::collection::vec(piece(), 1..400),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        // forty pairs at every head: a source whose pairs are told by position shows so in its first lines
        let (log, starts) = written(&[vec![Piece::Pair; 40], pieces].concat());
        let folder = Folder::new();
        folder.write("app.log", &log);
        let whole = without_sources(report(&folder.path("app.log")));
        let places: Vec<usize> = places.iter().map(|place| *place.get(&starts)).collect();
        let parts = parts(&folder, &log, &places);
        prop_assert_eq!(None, difference(&whole, &without_sources(merged(&folder, &parts, &[]))));
    }

    #[test]
    fn counts_add_up_on_any_bytes_for_any_number_of_threads(log in wild()) {
        let folder = Folder::new();
        folder.write("app.log", log);
        let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
        let (one, _) = analyze(&arguments, 1, CHUNK);
        prop_assert_eq!(None, adds_up(&one));
        prop_assert_eq!(None, difference(&one, &analyze(&arguments, 2, 200).0));
    }
}
