//! What holds whatever the input: chunks, threads and cuts change nothing, the same bytes count once, counts add up.
//!
//! Runs the library in this process, so that a plain file can be cut into far smaller chunks than in use. The logs are
//! samples, and logs put together from pieces (accesses, pairs of lines, tracebacks, broken lines) that are never split
//! where a law is about cutting at whole pieces.

use std::fs;
use std::io::PipeReader;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use clap::Parser;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;
use vitalog::cli::args::Command;
use vitalog::cli::args::CommandLine;
use vitalog::cli::prepare;
use vitalog::cli::settings::Environment;
use vitalog::cli::settings::Settings;
use vitalog::drive::analyze::Ask;
use vitalog::drive::analyze::Read;
use vitalog::drive::analyze::read_in_chunks;
use vitalog::drive::batch::CHUNK;
use vitalog::drive::sequence::Keep;
use vitalog::line::split::Block;
use vitalog::line::split::Position;
use vitalog::line::split::Splitter;
use vitalog::stats::snapshot::Plan;
use vitalog::stats::stored;
use vitalog::stats::summary::sum_up;
use vitalog::time::Timestamp;
use vitalog::verdict::health::judge;
use vitalog::write::Report;
use vitalog::write::json::object;

use crate::judged::followed;
use crate::logs::Piece;
use crate::logs::gzip;
use crate::logs::piece;
use crate::logs::samples;
use crate::logs::wild;
use crate::logs::written;
use crate::program::Folder;
use crate::program::root;

/// 2026-11-23, when the samples were made.
pub(crate) const NOW: Timestamp = Timestamp(1_795_394_208_000_000);

/// The report on what these arguments of `analyze` name, and the snapshot of it.
pub(crate) fn analyze(arguments: &[String], threads: usize, chunk: u64) -> (Value, Vec<u8>) {
    analyze_by(true, arguments, threads, chunk)
}

/// The same, with slots kept for each route or for services alone: then the snapshot is of no use.
pub(crate) fn analyze_by(by_route: bool, arguments: &[String], threads: usize, chunk: u64) -> (Value, Vec<u8>) {
    read_by(by_route, arguments, threads, &|ask| read_in_chunks(ask, chunk))
}

type ReadIt<'a> = &'a dyn Fn(&Ask<'_>) -> Read;

pub(crate) fn read_by(by_route: bool, arguments: &[String], threads: usize, read: ReadIt<'_>) -> (Value, Vec<u8>) {
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
pub(crate) fn settings(arguments: &[String]) -> Settings {
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
