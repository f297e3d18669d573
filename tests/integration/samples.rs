//! Every file in `samples/` gives the figures that `tests/samples/cut.py` counted without us. A new sample is a row there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::program::Folder;
use crate::program::root;
use crate::program::run;

/// What must be found in a sample. WebSocket lines stand apart; `null` where the counting reader does not see them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) files: Vec<String>,
    pub(crate) options: Vec<String>,
    lines: u64,
    requests: u64,
    status: BTreeMap<String, u64>,
    websockets: Option<BTreeMap<String, u64>>,
    /// Lines by kind; `rest` is lifecycle lines and messages together.
    kinds: Option<BTreeMap<String, u64>>,
    duplicate_lines: Option<u64>,
}

pub(crate) fn expectations() -> BTreeMap<String, Expected> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("tests/samples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let expected =
                serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), expected);
        }
    }
    found
}

/// Statuses over all routes, apart for WebSockets.
fn statuses(report: &Value) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let (mut plain, mut sockets) = (BTreeMap::new(), BTreeMap::new());
    for route in report["routes"].as_array().unwrap() {
        let side = if route["method"] == "WEBSOCKET" { &mut sockets } else { &mut plain };
        for (code, count) in route["status"].as_object().unwrap() {
            *side.entry(code.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    (plain, sockets)
}

/// What is wrong with a report, in words.
fn differences(expected: &Expected, report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, want: String, got: String| {
        if want != got {
            wrong.push(format!("{what}: expected {want}, got {got}"));
        }
    };
    let input = &report["input"];
    let kinds = ["requests", "companion", "lifecycle", "traceback", "message", "malformed"];
    let kind = |name: &str| input[name].as_u64().unwrap();
    let (plain, sockets) = statuses(report);
    compare("lines", expected.lines.to_string(), kind("lines").to_string());
    compare("the kinds' sum", kind("lines").to_string(), kinds.map(kind).iter().sum::<u64>().to_string());
    compare("status", format!("{:?}", expected.status), format!("{plain:?}"));
    compare("requests", expected.requests.to_string(), plain.values().sum::<u64>().to_string());
    if let Some(want) = &expected.websockets {
        compare("WebSockets", format!("{want:?}"), format!("{sockets:?}"));
    }
    for (name, want) in expected.kinds.iter().flatten() {
        let got = if name == "rest" { kind("lifecycle") + kind("message") } else { kind(name) };
        compare(name, want.to_string(), got.to_string());
    }
    if expected.duplicate_lines.is_some() {
        compare("duplicates reported", "true".into(), (input["duplicates"] != 0).to_string());
    }
    wrong
}

#[test]
fn every_sample_gives_what_was_counted_without_us() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (name, expected) in expectations() {
        let mut arguments = vec!["analyze".to_string(), "-o".into(), "json".into(), "--include-probes".into()];
        arguments.extend(expected.files.iter().chain(&expected.options).cloned());
        let outcome = run(&mut folder.vitalog(&arguments), None);
        if outcome.code == Some(0) {
            wrong.extend(differences(&expected, &outcome.report()).iter().map(|words| format!("{name}: {words}")));
        } else {
            wrong.push(format!("{name}: exit {:?}: {}", outcome.code, outcome.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_sample_is_described_and_expected() {
    let readme = fs::read_to_string(root().join("samples/README.md")).unwrap();
    let files: BTreeSet<String> = fs::read_dir(root().join("samples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    let expected = expectations();
    for name in &files {
        assert!(readme.contains(&format!("`{name}")), "samples/README.md does not name {name}");
        if let Some(stem) = name.strip_suffix(".log") {
            assert!(expected.contains_key(stem), "tests/samples/{stem}.json is missing");
        }
    }
    for (name, expected) in &expected {
        for file in &expected.files {
            assert!(root().join(file).exists(), "tests/samples/{name}.json names {file}, which is not there");
        }
    }
}
