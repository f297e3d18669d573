//! Archives read in the order of time: the same seconds and alerts for any number of threads, whatever comes late and
//! whatever no rule looks at. Cut into far smaller stretches than in use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use serde_json::Value;
use vitalog::cli::prepare;
use vitalog::cli::replay;
use vitalog::cli::rules;
use vitalog::drive::analyze::Ask;
use vitalog::drive::analyze::read_judged_in_chunks;
use vitalog::drive::batch::CHUNK;
use vitalog::drive::batch::File;
use vitalog::drive::batch::Job;
use vitalog::drive::sequence;
use vitalog::drive::sequence::Follower;
use vitalog::drive::sequence::Keep;
use vitalog::drive::sequence::Parts;
use vitalog::stats::slots::Slot;
use vitalog::stats::snapshot::SlotLines;
use vitalog::write;

use crate::laws::NOW;
use crate::laws::analyze;
use crate::laws::difference;
use crate::laws::read_by;
use crate::laws::settings;
use crate::logs::MICROSECONDS;
use crate::logs::logged;
use crate::logs::piece;
use crate::logs::samples;
use crate::logs::written;
use crate::program::Folder;

/// Every second that is told of when the same is read in the order of time, and the report where `keep` has one.
pub(crate) fn followed(arguments: &[String], threads: usize, chunk: u64, keep: Keep) -> (Vec<String>, Value) {
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
pub(crate) fn first_apart(expected: &[String], got: &[String]) -> Option<String> {
    if expected.len() != got.len() {
        return Some(format!("{} seconds became {}", expected.len(), got.len()));
    }
    let (a, b) = expected.iter().zip(got).find(|(a, b)| a != b)?;
    let (line, other) = a.lines().zip(b.lines()).find(|(a, b)| a != b).unwrap_or((a, b));
    Some(format!("{}: expected {line}, got {other}", a.lines().next()?))
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
/// One that nothing sets off and that looks at latencies.
const ABOUT_ONE_LATENCY: &str = r#"
[[rule]]
name = "never slow"
when = "max > 1000h over 1m"
severity = "ticket"
"#;
/// About what each route answers, at any speed.
const ABOUT_FAILING_ROUTES: &str = r#"
[[rule]]
name = "failing"
when = "error_rate > 10% over 10s on each"
severity = "page"
clear_for = "5s"
[[rule]]
name = "busy"
when = "requests >= 2 over 10s on each"
severity = "ticket"
clear_for = "5s"
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
    folder.write("each.toml", format!("{ABOUT_COUNTS}{ABOUT_FAILING_ROUTES}"));
    folder.write("each-timed.toml", format!("{ABOUT_COUNTS}{ABOUT_FAILING_ROUTES}{ABOUT_ONE_LATENCY}"));
    let pairs = [("counts.toml", "timed.toml"), ("services.toml", "routes.toml"), ("each.toml", "each-timed.toml")];
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
    let (mut wrong, mut alerts) = (Vec::new(), [0, 0, 0]);
    for (name, arguments) in samples().into_iter().chain(own) {
        if arguments.iter().any(|argument| argument == "--config") {
            continue;
        }
        for (pair, (less, more)) in pairs.into_iter().enumerate() {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

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
}
