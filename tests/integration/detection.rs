//! What a source is, from its first 200 lines; and that a wrong guess cannot be missed in the report.

use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use vitalog::drive::pipeline::Settings;
use vitalog::drive::source::SourceForm;
use vitalog::parse::look::Chosen;
use vitalog::time::Timestamp;
use vitalog::time::zone::Zone;

use crate::program::Folder;
use crate::program::root;
use crate::program::run;

/// Sample, form and wrapper, as `samples/README.md` says who wrote it.
const TABLE: [(&str, &str, &str); 29] = [
    ("asgi-logger", "uvicorn", ""),
    ("compose", "uvicorn", "compose"),
    ("cri", "uvicorn", "cri"),
    ("daphne", "daphne", ""),
    ("docker-json", "json", "docker"),
    ("fastapi-run", "uvicorn", ""),
    ("granian", "granian", ""),
    ("granian-custom", "logfmt", ""),
    ("gunicorn", "gunicorn", ""),
    ("gunicorn-json", "json", ""),
    ("gunicorn-micros", "gunicorn", ""),
    ("gunicorn-uvicornworker", "uvicorn", ""),
    ("honcho", "uvicorn", "honcho"),
    ("hypercorn", "hypercorn", ""),
    ("journald-json", "uvicorn", "journald"),
    ("kubectl-timestamps", "uvicorn", "kubectl"),
    ("loguru-json", "json", ""),
    ("nginx", "nginx", ""),
    ("nginx-json", "json", ""),
    ("nginx-timing", "nginx", ""),
    ("structlog-json", "json", ""),
    ("structlog-logfmt", "logfmt", ""),
    ("syslog-rfc3164", "uvicorn", "syslog"),
    ("uvicorn", "uvicorn", ""),
    ("uvicorn-ampm", "uvicorn", ""),
    ("uvicorn-asctime", "uvicorn", ""),
    ("uvicorn-colors", "uvicorn", ""),
    ("uvicorn-isotime", "uvicorn", ""),
    ("uvicorn-json", "json", ""),
];

fn settings() -> Settings {
    Settings {
        forms: Arc::new(Chosen::default()),
        zone: Zone::utc(),
        since: None,
        until: None,
        lateness_us: 30_000_000,
        services: Vec::new(),
        service: None,
    }
}

/// The first `n` lines of a sample.
fn head(name: &str, n: usize) -> Vec<u8> {
    let text = fs::read(root().join("samples").join(format!("{name}.log"))).unwrap();
    text.split_inclusive(|b| *b == b'\n').take(n).flatten().copied().collect()
}

#[test]
fn the_first_200_lines_of_every_sample_tell_its_form_and_wrapper() {
    let settings = settings();
    let mut wrong = Vec::new();
    for (name, form, wrapper) in TABLE {
        let found = SourceForm::find("app.log", 0, &head(name, 200), Timestamp(1_795_000_000_000_000), &settings);
        let got = (found.names().join("+"), found.unwrapper.name().unwrap_or_default());
        if got != (form.to_owned(), wrapper.to_owned()) {
            wrong.push(format!("{name}: {form} in '{wrapper}', got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_plain_sample_is_in_the_table() {
    let mut names: Vec<String> = fs::read_dir(root().join("samples"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_string_lossy().strip_suffix(".log").map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(TABLE.map(|row| row.0).to_vec(), names);
}

#[test]
fn a_malformed_share_above_one_percent_is_a_finding() {
    let folder = Folder::new();
    let kinds = |broken: usize| -> Vec<String> {
        let mut text = String::new();
        for n in 0..1000 {
            let status = if n < broken { "2OO" } else { "200" };
            writeln!(text, "INFO:     127.0.0.1:5{n} - \"GET /items/{n} HTTP/1.1\" {status} OK").unwrap();
        }
        folder.write("app.log", text);
        let report = run(&mut folder.vitalog(&["analyze", "app.log", "-o", "json"]), None).report();
        assert_eq!(broken as u64, report["input"]["malformed"].as_u64().unwrap());
        report["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert!(kinds(11).contains(&"malformed".to_owned()));
    assert!(!kinds(10).contains(&"malformed".to_owned()));
}
