//! One packed file parsed by several threads, cut into far smaller pieces than in use: the report is that of one thread.
//!
//! The logs are those of `laws`, packed; and what is nasty to cut: damaged data, several members, giant lines, holes,
//! late times, tracebacks longer than what a guess looks at.

use std::fs;
use std::io::Write;

use proptest::prelude::*;
use serde_json::Value;
use vitalog::drive::batch::CHUNK;

use crate::laws::adds_up;
use crate::laws::analyze;
use crate::laws::analyze_by;
use crate::laws::difference;
use crate::logs::MICROSECONDS;
use crate::logs::Piece;
use crate::logs::gzip;
use crate::logs::piece;
use crate::logs::samples;
use crate::logs::wild;
use crate::logs::written;
use crate::program::Folder;
use crate::program::root;

/// Threads, and bytes of a piece.
const WAYS: [(usize, u64); 5] = [(2, CHUNK), (2, 3000), (3, 800), (4, 400), (2, 1)];

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Three members, their borders somewhere in a line.
fn members(bytes: &[u8]) -> Vec<u8> {
    let (first, rest) = bytes.split_at(bytes.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    [gzip(first), gzip(second), gzip(third)].concat()
}

fn utf16(bytes: &[u8]) -> Vec<u8> {
    format!("\u{feff}{}", String::from_utf8_lossy(bytes)).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

type Pack = fn(&[u8]) -> Vec<u8>;

/// How logs are packed, and how that is called.
const PACKERS: [(&str, Pack); 6] = [
    ("gzip", gzip),
    ("zstd", zstd),
    ("bzip2", bzip2),
    ("members", members),
    ("utf16", utf16),
    ("gzip of utf16", |bytes| gzip(&utf16(bytes))),
];

/// Where any way to read what `arguments` name differs from reading it with one thread; and the report of that.
fn differences(arguments: &[String]) -> (Value, Vec<String>) {
    let (one, _) = analyze(arguments, 1, CHUNK);
    let mut wrong: Vec<String> = adds_up(&one).into_iter().collect();
    for (threads, chunk) in WAYS {
        for by_route in [true, false] {
            let (other, _) = analyze_by(by_route, arguments, threads, chunk);
            let how = difference(&one, &other);
            wrong.extend(how.map(|how| format!("{threads} threads, pieces of {chunk}, by route {by_route}: {how}")));
        }
    }
    (one, wrong)
}

/// The same of these bytes in a file.
fn read(content: &[u8], options: &[&str]) -> (Value, Vec<String>) {
    let folder = Folder::new();
    folder.write("app.log", content);
    let path = folder.path("app.log").to_str().unwrap().to_string();
    let arguments: Vec<String> = [path].into_iter().chain(options.iter().map(ToString::to_string)).collect();
    differences(&arguments)
}

#[test]
fn no_number_of_threads_or_pieces_changes_a_byte_of_a_packed_samples_report() {
    let (mut wrong, mut read, mut packers) = (Vec::new(), 0, PACKERS.iter().cycle());
    for (name, mut arguments) in samples() {
        let Ok(log) = fs::read(&arguments[0]) else { continue };
        let (way, pack) = packers.next().unwrap();
        let folder = Folder::new();
        folder.write("app.log", pack(&log));
        arguments[0] = folder.path("app.log").to_str().unwrap().to_string();
        let (_, differs) = differences(&arguments);
        wrong.extend(differs.into_iter().map(|how| format!("{name} as {way}, {how}")));
        read += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 20, "only {read} samples");
}

#[test]
fn damaged_data_counts_what_can_be_had_and_tells_its_error_once() {
    let log = fs::read(root().join("samples/uvicorn-asctime.log")).unwrap().repeat(4);
    for (name, pack) in [("gzip", gzip as Pack), ("zstd", zstd), ("bzip2", bzip2), ("gzip", members)] {
        let packed = pack(&log);
        let mut broken = packed.clone();
        let middle = packed.len() / 2;
        broken[middle..middle + 40].fill(0x55);
        let early = [3, 2].map(|part| packed[..packed.len() - packed.len() / part / 2].to_vec());
        for content in early.into_iter().chain([broken, [packed, b"no end".to_vec()].concat()]) {
            let (report, wrong) = read(&content, &[]);
            assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
            let error = report["input"]["sources"][0]["error"].as_str().unwrap_or_default();
            assert!(error.starts_with(&format!("the {name} data ")), "{name}: {report:.300}");
        }
    }
}

#[test]
fn what_is_nasty_to_cut_gives_the_same_report_in_pieces() {
    let access = |n: usize, second: usize| {
        let line = format!("\"GET /a/{n} HTTP/1.1\" {} 7 \"-\" \"-\" {}", [200, 500][usize::from(n.is_multiple_of(9))], n * 7);
        format!("::1 - - [23/Nov/2026:10:{:02}:{:02} +0000] {line}\n", second / 60, second % 60)
    };
    let lines = |from: usize| -> Vec<u8> { (from..from + 90).flat_map(|n| access(n, n).into_bytes()).collect() };
    let giant = [vec![b'x'; (1 << 20) + 3], b"\n".to_vec()].concat();
    let long = [b"::1 - - [23/Nov/2026:10:01:31 +0000] \"GET /".to_vec(), vec![b'y'; 30_000], b" HTTP/1.1\" 200 7\n".to_vec()];
    let late: Vec<u8> = (0..400).flat_map(|n| access(n, if n % 50 < 40 { n } else { n / 2 }).into_bytes()).collect();
    let ahead: Vec<u8> = [access(1, 3000).into_bytes(), lines(0), lines(90)].concat();
    for (what, content) in [
        ("nothing", Vec::new()),
        ("one line without an end", b"GET".to_vec()),
        ("empty lines", b"\n".repeat(50)),
        ("no newline at the end", [&lines(0)[..], b"::1 - - [23/Nov/2026:10:40:00 +0000] \"GET /b HTTP/1.1\" 200 7"].concat()),
        ("a line longer than a piece", [lines(0), long.concat(), lines(90)].concat()),
        ("too long lines", [lines(0), giant.clone(), giant.clone(), lines(90), giant].concat()),
        ("holes", [&[0; 3000][..], &lines(0), &[0; 3000], &lines(90), &[0; 9]].concat()),
        ("carriage returns", String::from_utf8(lines(0)).unwrap().replace('\n', "\r\n").into_bytes()),
        ("a byte order mark", [b"\xef\xbb\xbf", &lines(0)[..]].concat()),
        ("late lines", late),
        ("late lines after one that is ahead of all", ahead),
    ] {
        for pack in [gzip as Pack, zstd] {
            let (_, wrong) = read(&pack(&content), &["--format", MICROSECONDS]);
            assert!(wrong.is_empty(), "{what}: {}", wrong.join("\n"));
        }
    }
}

#[test]
fn a_traceback_longer_than_any_guess_looks_at_is_one_exception() {
    let mut log = Vec::new();
    for n in 0..300_usize {
        let steps = if n.is_multiple_of(50) { 60 } else { 1 };
        Piece::Access.write(2 * n, &mut log);
        log.extend(b"2026-11-23 10:00:00,000 - uvicorn.error - ERROR - Exception in ASGI application\n");
        log.extend(b"Traceback (most recent call last):\n");
        log.extend(b"  File \"/srv/shop/main.py\", line 88, in checkout\n    order = await place(cart)\n".repeat(steps));
        log.extend(b"KeyError: 'total'\n");
    }
    Piece::Access.write(600, &mut log);
    let (report, wrong) = read(&zstd(&log), &[]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(300, report["exceptions"][0]["count"], "{}", report["exceptions"]);
}

#[test]
fn packed_files_of_one_history_carry_on_what_the_file_before_left_open() {
    let log = fs::read(root().join("samples/uvicorn-asctime.log")).unwrap();
    let ends: Vec<usize> = log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for first in ends.iter().copied().skip(40).step_by(67) {
        let second = ends[ends.partition_point(|end| *end <= first) + 7..].first().copied().unwrap_or(log.len());
        let folder = Folder::new();
        folder.write("logs/app.log.3.gz", gzip(&log[..first]));
        folder.write("logs/app.log.2.gz", zstd(&log[first..second]));
        folder.write("logs/app.log.1.gz", members(&log[second..]));
        folder.write("logs/other.log.1.gz", gzip(&log));
        let (_, wrong) = differences(&[folder.path("logs").to_str().unwrap().to_string()]);
        assert!(wrong.is_empty(), "rotated at {first} and {second}: {}", wrong.join("\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn hundreds_of_pieces_over_threads_change_nothing(
        pieces in prop::collection::vec(piece(), 1..600),
        rest in wild(),
        chunk in 100_u64..1000,
    ) {
        let folder = Folder::new();
        folder.write("app.log", zstd(&[written(&pieces).0, rest].concat()));
        let arguments = [folder.path("app.log").to_str().unwrap().to_string()];
        let (one, _) = analyze(&arguments, 1, CHUNK);
        prop_assert_eq!(None, adds_up(&one));
        for threads in 2..5 {
            prop_assert_eq!(None, difference(&one, &analyze(&arguments, threads, chunk).0), "{} threads", threads);
        }
    }
}
