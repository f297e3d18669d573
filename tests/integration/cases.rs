//! Runs `tests/cases/*.toml`. One case is one run of the program; the keys are those of `Case`. A case goes where the
//! behaviour can be shown by input, arguments and output alone.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::program::Folder;
use crate::program::Outcome;
use crate::program::root;
use crate::program::run;

/// One run and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The behaviour, as a sentence.
    says: String,
    /// Arguments of `vitalog`, as a shell would split them at blanks; or `args` where a blank stands inside one.
    #[serde(default)]
    run: String,
    #[serde(default)]
    args: Vec<String>,
    /// Files to write first, by name. `samples` is there by itself.
    #[serde(default)]
    files: BTreeMap<String, String>,
    stdin: Option<String>,
    /// Variables of the environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    exit: i32,
    /// The whole of stdout.
    stdout: Option<String>,
    #[serde(default)]
    stdout_has: Vec<String>,
    #[serde(default)]
    stdout_lacks: Vec<String>,
    #[serde(default)]
    stderr_has: Vec<String>,
    /// By JSON pointer into the report on stdout (`/total/requests`).
    #[serde(default)]
    json: BTreeMap<String, Value>,
    /// By name of a route (`GET /items/{id}`), the keys of its entry that must be so.
    #[serde(default)]
    routes: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Case {
    fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        if outcome.code != Some(self.exit) {
            wrong.push(format!("expected exit {}, got {:?}", self.exit, outcome.code));
        }
        if let Some(stdout) = self.stdout.as_ref().filter(|stdout| **stdout != outcome.out) {
            wrong.push(format!("expected on stdout:\n{stdout}"));
        }
        for (text, words, there) in [
            (&outcome.out, &self.stdout_has, true),
            (&outcome.out, &self.stdout_lacks, false),
            (&outcome.err, &self.stderr_has, true),
        ] {
            let bad = words.iter().filter(|word| text.contains(word.as_str()) != there);
            wrong.extend(bad.map(|word| format!("expected {} '{word}'", if there { "to read" } else { "not to read" })));
        }
        if !self.json.is_empty() || !self.routes.is_empty() {
            match serde_json::from_str(&outcome.out) {
                Ok(report) => wrong.extend(self.json_differences(&report)),
                Err(error) => wrong.push(format!("expected JSON: {error}")),
            }
        }
        if !wrong.is_empty() {
            wrong.push(format!("stdout:\n{}\nstderr:\n{}", outcome.out, outcome.err));
        }
        wrong
    }

    fn json_differences(&self, report: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for (pointer, want) in &self.json {
            let got = report.pointer(pointer);
            if got != Some(want) {
                wrong.push(format!("{pointer}: expected {want}, got {got:?}"));
            }
        }
        for (name, wanted) in &self.routes {
            let found = report["routes"].as_array().into_iter().flatten().find(|route| {
                format!("{} {}", route["method"].as_str().unwrap_or(""), route["route"].as_str().unwrap_or("")) == *name
            });
            let Some(route) = found else {
                wrong.push(format!("expected a route {name}"));
                continue;
            };
            for (key, want) in wanted {
                if route[key] != *want {
                    wrong.push(format!("{name} {key}: expected {want}, got {}", route[key]));
                }
            }
        }
        wrong
    }
}

#[test]
fn every_case_comes_out_as_it_says() {
    let mut wrong = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(root().join("tests/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let name = path.file_stem().unwrap().to_string_lossy();
        let case: Case = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let folder = Folder::new();
        for (file, text) in &case.files {
            folder.write(file, text);
        }
        let arguments: Vec<String> =
            if case.args.is_empty() { case.run.split_whitespace().map(String::from).collect() } else { case.args.clone() };
        let mut command = folder.vitalog(&arguments);
        command.envs(&case.env);
        let outcome = run(&mut command, case.stdin.as_ref().map(String::as_bytes));
        let differences = case.differences(&outcome);
        if !differences.is_empty() {
            wrong.push(format!("{name} ({}):\n  {}", case.says, differences.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
