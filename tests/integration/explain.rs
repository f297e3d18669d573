//! `explain`: the counts are those of `analyze`, every kind of line has its example, nobody is named, exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::Folder;
use crate::program::Outcome;
use crate::program::root;
use crate::program::run;

fn explain(arguments: &[&str], input: Option<&[u8]>) -> Outcome {
    let all: Vec<&str> = [&["explain"], arguments].concat();
    run(&mut Folder::new().vitalog(&all), input)
}

fn json(path: &str) -> Value {
    explain(&["-o", "json", path], None).report()
}

fn samples() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("samples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "log"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_sample_is_counted_as_analyze_counts_it() {
    for name in samples() {
        let path = format!("samples/{name}");
        let explained = json(&path);
        let source = &explained["sources"][0];
        let report = run(&mut Folder::new().vitalog(&["analyze", "-o", "json", &path]), None).report();
        for (key, of) in [
            ("requests", "requests"),
            ("companion", "companion"),
            ("lifecycle", "lifecycle"),
            ("traceback", "traceback"),
            ("message", "message"),
            ("malformed_lines", "malformed"),
            ("lines", "lines"),
            ("bytes", "bytes"),
        ] {
            assert_eq!(report["input"][of], source[key], "{name}: {key}");
        }
        assert_eq!(report["input"]["sources"][0]["format"], source["format"], "{name}");
        assert_eq!(report["unavailable"], source["unavailable"], "{name}");
    }
}

#[test]
fn every_kind_of_line_in_a_sample_has_its_example() {
    for name in samples() {
        let explained = json(&format!("samples/{name}"));
        let source = &explained["sources"][0];
        let examples = source["examples"].as_array().unwrap();
        for (kind, count) in
            [("request", "requests"), ("companion", "companion"), ("lifecycle", "lifecycle"), ("traceback", "traceback")]
        {
            let there = source[count].as_u64().unwrap() > 0;
            assert_eq!(there, examples.iter().any(|e| e["kind"] == kind), "{name}: {kind}");
        }
    }
}

#[test]
fn no_example_names_an_address_a_query_or_a_token() {
    let address = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').any(|word| {
            let parts: Vec<&str> = word.split('.').collect();
            parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok()) && word != "0.0.0.0"
        })
    };
    for name in samples() {
        for line in json(&format!("samples/{name}"))["sources"][0]["examples"].as_array().unwrap() {
            let text = line["text"].as_str().unwrap();
            assert!(!address(text), "{name}: {text}");
            for secret in ["token=", "?", "Bearer ", "@example"] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
}

#[test]
fn the_unit_a_latency_was_read_in_is_told() {
    for (unit, ends, line) in [
        ("ms", "null", "[2026-11-23 00:36:37 +0000] 127.0.0.1 - \"GET / HTTP/1.1\" 404 100.630"),
        ("s", "\"last byte\"", "127.0.0.1 - - [23/Nov/2026:00:52:33 +0000] \"GET /p HTTP/1.1\" 200 45 \"-\" \"x\" rt=0.035"),
        ("ms", "null", "{\"method\":\"GET\",\"path\":\"/p\",\"status\":200,\"duration_ms\":12.5}"),
        ("us", "null", "{\"method\":\"GET\",\"path\":\"/p\",\"status\":200,\"duration_us\":12500}"),
    ] {
        let object = explain(&["-o", "json", "--line", line], None).report();
        let latency = &object["sources"][0]["examples"][0]["fields"]["latency"];
        assert_eq!(unit, latency["unit"], "{line}");
        if ends != "null" {
            assert_eq!(ends, latency["ends"].to_string(), "{line}");
        }
    }
}

#[test]
fn a_broken_line_has_its_place_and_reason() {
    let log = "INFO:     10.0.0.1:5 - \"GET /x HTTP/1.1\" 200 OK\nhello\nINFO:     10.0.0.1:5 - \"GET /secret?t\n";
    let object = explain(&["-o", "json", "-"], Some(log.as_bytes())).report();
    let source = &object["sources"][0];
    let broken = &source["malformed"][0];
    assert_eq!(
        (3, 54, "cut"),
        (broken["line"].as_u64().unwrap(), broken["offset"].as_u64().unwrap(), broken["reason"].as_str().unwrap())
    );
    assert!(!broken["text"].as_str().unwrap().contains("secret"), "{broken}");
    assert_eq!("0.5", source["understood"].to_string());
}

#[test]
fn the_exit_code_says_whether_anything_was_understood() {
    for (code, arguments, input) in [
        (0, &["samples/uvicorn.log"][..], None),
        (1, &["-"], Some(&b"hello\nworld\n"[..])),
        (1, &["--line", "hello"], None),
        (2, &["-o", "csv", "samples/uvicorn.log"], None),
        (2, &["--line", "hello", "samples/uvicorn.log"], None),
        (2, &["--fix=apache"], None),
        (3, &["nowhere.log", "samples/uvicorn.log"], None),
        (0, &["--fix=nginx"], None),
        (0, &["--fix", "samples/uvicorn.log"], None),
    ] {
        let outcome = explain(arguments, input);
        assert_eq!(Some(code), outcome.code, "{arguments:?}: {}", outcome.err);
    }
}

#[test]
fn the_fix_is_that_of_the_server_whose_log_it_is() {
    for (word, not, log) in [
        ("uvicorn access_log:app --no-access-log", "log_format", "samples/uvicorn.log"),
        ("$upstream_cache_status", "uvicorn access_log", "samples/nginx.log"),
        ("access_log_format", "log_format vitalog", "samples/gunicorn.log"),
        ("%({APP_VERSION}e)s", "log_format vitalog", "samples/hypercorn.log"),
        ("--access-log-fmt", "log_format vitalog", "samples/granian.log"),
    ] {
        let page = explain(&["--fix", log], None).out;
        assert!(page.contains(word) && !page.contains(not) && page.contains("app.openapi()"), "{log}: {page}");
    }
}

#[test]
fn the_report_says_on_top_what_a_default_log_lacks_and_names_the_setting() {
    let outcome = run(&mut Folder::new().vitalog(&["analyze", "samples/uvicorn.log"]), None);
    let top: String = outcome.out.lines().take_while(|line| !line.starts_with("Routes")).collect();
    let top = top.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["missing latency, time", "'vitalog explain --fix'", "uvicorn --log-config with %(asctime)s"] {
        assert!(top.contains(word), "{word}: {top}");
    }
}
