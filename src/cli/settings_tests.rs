//! What is typed, what is in the file, and which of them wins.

use std::io::Write;

use clap::Parser;

use super::*;
use crate::cli::args::Command;
use crate::cli::args::CommandLine;

fn settings_in(typed: &[&str], terminal: bool, no_color: bool) -> Result<Option<Settings>, Error> {
    let line = CommandLine::try_parse_from(["vitalog", "analyze"].iter().chain(typed)).unwrap();
    let Command::Analyze(analyze) = line.command else { panic!("another command") };
    let variable = |name: &str| (no_color && name == "NO_COLOR").then(|| "1".to_owned());
    let around = Environment {
        variable: &variable,
        now: Timestamp(1_795_394_208_000_000),
        zone: TimeZone::UTC,
        stdin_is_terminal: terminal,
        stdout_is_terminal: terminal,
        stderr_is_terminal: terminal,
        width: terminal.then_some(120),
    };
    Settings::of(*analyze, &around)
}

fn settings(typed: &[&str]) -> Settings {
    settings_in(typed, false, false).unwrap().unwrap()
}

fn told(typed: &[&str]) -> String {
    settings_in(typed, true, false).unwrap_err().message
}

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

#[test]
fn what_is_typed_wins_over_the_file() {
    let file = file(b"[input]\npaths = ['a.log']\nformat = 'nginx'\ntimezone = 'Europe/Berlin'\nopenapi = 'o.json'\n");
    let config = file.path().to_str().unwrap();
    let from_file = settings(&["-c", config]);
    assert_eq!(vec![OsString::from("a.log")], from_file.paths);
    assert_eq!((Some("nginx"), Some("o.json")), (from_file.format.as_deref(), from_file.openapi.as_deref()));
    assert_eq!("Europe/Berlin", from_file.zone_name);
    let typed = settings(&["-c", config, "b.log", "--format", "uvicorn", "--timezone", "-05:00", "--openapi", "p.json"]);
    assert_eq!(vec![OsString::from("b.log")], typed.paths);
    assert_eq!(
        (Some("uvicorn"), Some("p.json"), "-05:00"),
        (typed.format.as_deref(), typed.openapi.as_deref(), typed.zone_name.as_str())
    );
    assert_eq!(None, settings(&["-c", config, "--format", "auto"]).format);
}

#[test]
fn no_path_is_standard_input_unless_that_is_a_terminal() {
    assert_eq!(vec![OsString::from("-")], settings(&[]).paths);
    assert!(settings_in(&[], true, false).unwrap().is_none());
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    for (coloured, typed, terminal, no_color) in [
        (true, "auto", true, false),
        (false, "auto", true, true),
        (false, "auto", false, false),
        (true, "always", false, true),
        (false, "never", true, false),
    ] {
        let settings = settings_in(&["a.log", "--color", typed], terminal, no_color).unwrap().unwrap();
        assert_eq!(coloured, settings.colour, "{typed} {terminal} {no_color}");
    }
}

#[test]
fn outputs_are_forms_with_or_without_a_file() {
    let settings = settings(&["a.log", "-o", "text", "-o", "json=out=1.json", "-o", "snapshot"]);
    let file = |name: &str| Some(PathBuf::from(name));
    let expected = [(Form::Text, None), (Form::Json, file("out=1.json")), (Form::Snapshot, None)];
    assert_eq!(expected.map(|(form, file)| Output { form, file })[..], settings.outputs[..]);
}

#[test]
fn times_are_read_in_the_zone_that_was_asked_for() {
    let typed = [
        "a.log",
        "--timezone",
        "Europe/Berlin",
        "--since",
        "2026-11-22 10:00",
        "--until",
        "now",
        "--deploy",
        "2026-11-22 11:00=v1=x",
    ];
    let settings = settings(&typed);
    assert_eq!(Some("2026-11-22T09:00:00Z".to_owned()), settings.since.map(|t| t.to_string()));
    let (at, label) = &settings.deploys[0];
    assert_eq!(("2026-11-22T10:00:00Z", Some("v1=x")), (at.to_string().as_str(), label.as_deref()));
}

#[test]
fn what_is_wrong_is_told_in_a_sentence() {
    for (sentence, typed) in [
        ("'--output yaml': the forms are text, json, markdown, csv, snapshot", ["-o", "yaml"]),
        ("'--output json=' names no file behind '='", ["-o", "json="]),
        ("'--output snapshot' is binary and not for a terminal; write '--output snapshot=FILE'", ["-o", "snapshot"]),
        (
            "'--timezone': 'Mars' is no time zone; write a name such as 'Europe/Berlin', 'UTC' or '+02:00'",
            ["--timezone", "Mars"],
        ),
        ("reading configuration '/nonexistent.toml': no such file", ["-c", "/nonexistent.toml"]),
        ("reading configuration '/': it is a directory", ["-c", "/"]),
        ("reading configuration '/dev/zero': it is larger than 1 MiB", ["-c", "/dev/zero"]),
    ] {
        assert_eq!(sentence, told(&[&["a.log"], &typed[..]].concat()));
    }
    assert!(told(&["a.log", "--since", "5"]).starts_with("'--since': '5' is no time; write "));
    assert!(told(&["a.log", "--since", "1h", "--until", "2h"]).starts_with("nothing lies between '--since' (2026-11-22T23:"));
    let binary = file(b"[tail]\n\xff\n");
    assert!(told(&["a.log", "-c", binary.path().to_str().unwrap()]).ends_with(": line 2 is not UTF-8"));
}

#[test]
fn a_condition_that_is_none_is_pointed_at() {
    let told = told(&["a.log", "--fail-on", "p95 >> 300ms"]);
    assert!(told.starts_with("'--fail-on': "), "{told}");
    assert!(told.contains("\n  p95 >> 300ms\n      ^\n"), "{told}");
    assert!(told.contains("error_rate, client_error_rate"), "{told}");
    assert!(matches!(settings(&["a.log", "--fail-on", "p95 > 300ms"]).fail_on[0], FailOn::Figure(_)));
}

#[test]
fn a_gate_that_measured_nothing_never_passes() {
    for (holds, gate, status) in [
        (None, FailOn::Unhealthy, Status::Unknown),
        (Some(true), FailOn::Unhealthy, Status::Unhealthy),
        (Some(false), FailOn::Unhealthy, Status::Degraded),
        (Some(true), FailOn::Degraded, Status::Degraded),
        (Some(true), FailOn::Degraded, Status::Unhealthy),
        (Some(false), FailOn::Degraded, Status::Healthy),
    ] {
        assert_eq!(holds, gate.holds(status), "{gate:?} {status:?}");
    }
}

#[test]
fn the_default_promise_holds_where_none_is_written() {
    assert_eq!(vec![health::Promise::default_one()], settings(&["a.log"]).health_promises());
    let file =
        file(b"[[promise]]\nname = 'most'\ntarget = '90%'\n[[promise]]\nname = 'fast'\ntarget = '99%'\nslower_than = '1s'\n");
    let promises = settings(&["a.log", "-c", file.path().to_str().unwrap()]).health_promises();
    assert_eq!(vec![health::Promise { name: "most".to_owned(), target: 0.9 }], promises);
}
