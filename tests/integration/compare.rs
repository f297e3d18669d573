//! `vitalog compare` on real captures of a bad deploy, in each of its forms, against what the application's own records
//! say: `GET /products/{product_id}` became slower, `POST /cart/items` fails, nothing else got worse.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::program::Folder;
use crate::program::Outcome;
use crate::program::root;
use crate::program::run;

/// When the new version was started, by the records.
const DEPLOYED: [(&str, &str); 2] = [("uvicorn", "2026-11-23T00:35:01.781335Z"), ("structlog", "2026-11-23T00:35:13.001860Z")];

fn sample(name: &str) -> String {
    let packed = std::fs::read(root().join(format!("samples/deploy/{name}.log.zst"))).unwrap();
    String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

fn compare(folder: &Folder, arguments: &str) -> Outcome {
    let all: Vec<&str> = ["compare", "--openapi", "samples/openapi.json", "-o", "json"].into_iter().collect();
    let all: Vec<&str> = all.into_iter().chain(arguments.split_whitespace()).collect();
    run(&mut folder.vitalog(&all), None)
}

/// Each route that did not stay the same, with its verdict.
fn changed(report: &Value) -> BTreeMap<String, String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let routes = report["routes"].as_array().unwrap().iter();
    let changed = routes.filter(|r| r["verdict"] == "regressed" || r["verdict"] == "improved");
    changed.map(|r| (format!("{} {}", text(&r["method"]), text(&r["route"])), text(&r["verdict"]))).collect()
}

fn route<'a>(report: &'a Value, name: &str) -> &'a Value {
    let (method, route) = name.split_once(' ').unwrap();
    let mut all = report["routes"].as_array().unwrap().iter();
    all.find(|r| r["method"] == method && r["route"] == route).unwrap()
}

/// The verdict that the records name.
fn assert_bad_deploy(what: &str, outcome: &Outcome) {
    let report = outcome.report();
    assert_eq!(Some(1), outcome.code, "{what}: {}", outcome.err);
    let want = ["GET /products/{product_id}", "POST /cart/items"].map(|r| (r.to_owned(), "regressed".to_owned()));
    assert_eq!(BTreeMap::from(want), changed(&report), "{what}");
    let reason = |name| route(&report, name)["reasons"][0].as_str().unwrap().to_owned();
    assert!(reason("GET /products/{product_id}").starts_with("slower: p95 "), "{what}");
    assert!(reason("POST /cart/items").starts_with("more errors: 0 % → "), "{what}");
    let new: Vec<&str> = report["new_exceptions"].as_array().unwrap().iter().filter_map(|e| e["type"].as_str()).collect();
    assert!(new.contains(&"AttributeError"), "{what}: {new:?}");
    let digits = &route(&report, "POST /cart/items")["after"]["latency_us"]["digits"];
    assert_eq!(3, digits.as_u64().unwrap(), "{what}");
}

#[test]
fn a_bad_deploy_is_found_by_its_restart_line_and_by_time() {
    let folder = Folder::new();
    for (name, deployed) in DEPLOYED {
        let log = format!("samples/deploy/{name}.log.zst");
        assert_bad_deploy("restart", &compare(&folder, &log));
        assert_bad_deploy("at", &compare(&folder, &format!("{log} --at {deployed}")));
        assert_bad_deploy("deploy", &compare(&folder, &format!("{log} --deploy {deployed}=v2.0.0")));
    }
}

/// The structured log with a version on each request, and without the lines that tell of the restart.
fn with_versions(deployed: &str) -> String {
    let lines = sample("structlog");
    let told = lines.lines().filter_map(|line| {
        let mut record: Value = serde_json::from_str(line).ok()?;
        let event = record["event"].as_str().unwrap_or_default().to_owned();
        if event.contains("server process") || event == "Shutting down" {
            return None;
        }
        if record["status_code"].is_u64() {
            let new = record["timestamp"].as_str()? >= deployed;
            record["version"] = if new { "2.0.0" } else { "1.4.2" }.into();
        }
        Some(record.to_string() + "\n")
    });
    told.collect()
}

#[test]
fn a_bad_deploy_is_found_by_the_version_that_took_over() {
    let folder = Folder::new();
    folder.write("app.log", with_versions(DEPLOYED[1].1));
    for arguments in ["app.log", "app.log --by version", "app.log --by version=1.4.2,2.0.0"] {
        let outcome = compare(&folder, arguments);
        assert_bad_deploy(arguments, &outcome);
        let report = outcome.report();
        assert_eq!((Some("1.4.2"), Some("2.0.0")), (report["before"]["version"].as_str(), report["after"]["version"].as_str()));
    }
    let back = compare(&folder, "app.log --by version=2.0.0,1.4.2");
    assert_eq!(Some("improved"), back.report()["verdict"].as_str());
    assert_eq!(Some(0), back.code);
    let analyzed = run(&mut folder.vitalog(&["analyze", "app.log", "-o", "json"]), None).report();
    assert_eq!(
        "2.0.0 version",
        format!("{} {}", analyzed["deploys"][0]["label"].as_str().unwrap(), analyzed["deploys"][0]["source"].as_str().unwrap())
    );
    let requests: Vec<u64> = analyzed["versions"].as_array().unwrap().iter().filter_map(|v| v["requests"].as_u64()).collect();
    assert_eq!(vec![750, 750], requests);
}

#[test]
fn where_no_version_is_logged_the_pod_serves() {
    let folder = Folder::new();
    let lines = sample("structlog");
    let told = lines.lines().filter(|l| !l.contains("server process") && !l.contains("Shutting down"));
    let pod = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap_or_default();
        let new = record["timestamp"].as_str().unwrap_or_default() >= DEPLOYED[1].1;
        let pod = if new { "shop-66b8d7c9f-x2x0p" } else { "shop-7d9c6b5f4-q9w8z" };
        format!("[pod/{pod}/web] {line}\n")
    };
    folder.write("app.log", told.map(pod).collect::<String>());
    for arguments in ["app.log", "app.log --by version", "app.log --by version=7d9c6b5f4,66b8d7c9f"] {
        assert_bad_deploy(arguments, &compare(&folder, arguments));
    }
    let analyzed = run(&mut folder.vitalog(&["analyze", "app.log", "-o", "json"]), None).report();
    assert_eq!(Some("pod"), analyzed["deploys"][0]["source"].as_str());
}

#[test]
fn two_logs_and_two_snapshots_give_the_same_verdict() {
    let folder = Folder::new();
    let lines = sample("structlog");
    let new = |line: &&str| {
        line.contains("2026-11-23T00:35:12.4") || line.split("\"timestamp\": \"").nth(1) >= Some("2026-11-23T00:35:12.4")
    };
    folder.write("old.log", lines.lines().filter(|l| !new(l)).map(|l| l.to_owned() + "\n").collect::<String>());
    folder.write("new.log", lines.lines().filter(new).map(|l| l.to_owned() + "\n").collect::<String>());
    assert_bad_deploy("logs", &compare(&folder, "old.log new.log"));
    for name in ["old", "new"] {
        let output = format!("snapshot={name}.snap");
        let log = format!("{name}.log");
        let stored = run(&mut folder.vitalog(&["analyze", &log, "--openapi", "samples/openapi.json", "-o", &output]), None);
        assert_eq!(Some(0), stored.code, "{}", stored.err);
    }
    assert_bad_deploy("snapshots", &compare(&folder, "old.snap new.snap"));
    let exchanged = compare(&folder, "new.log old.log");
    assert_eq!(Some(2), exchanged.code);
    assert!(exchanged.err.contains("begins at 2026-11-23T00:35:13"), "{}", exchanged.err);
}

#[test]
fn a_snapshot_or_a_pipe_is_cut_at_slots_and_says_so() {
    let folder = Folder::new();
    let stored = ["analyze", "samples/deploy/uvicorn.log.zst", "--openapi", "samples/openapi.json", "-o", "snapshot=day.snap"];
    assert_eq!(Some(0), run(&mut folder.vitalog(&stored), None).code);
    let cut = compare(&folder, "day.snap --at 2026-11-23T00:35:01Z").report();
    let note = cut["after"]["notes"][0].as_str().unwrap();
    assert!(note.contains("cut at slots of 1 second, latencies to two digits"), "{note}");
    assert_eq!(Some(2), route(&cut, "GET /products/{product_id}")["after"]["latency_us"]["digits"].as_u64());
    assert_eq!(Some("regressed"), route(&cut, "GET /products/{product_id}")["verdict"].as_str());
    let arguments = ["compare", "-", "--openapi", "samples/openapi.json", "--at", "2026-11-23T00:35:01Z", "-o", "json"];
    let piped = run(&mut folder.vitalog(&arguments), Some(sample("uvicorn").as_bytes())).report();
    assert_eq!(Some("regressed"), route(&piped, "GET /products/{product_id}")["verdict"].as_str());
}

#[test]
fn a_change_that_was_marked_while_recording_is_exact_in_a_snapshot_by_version() {
    let folder = Folder::new();
    folder.write("app.log", with_versions(DEPLOYED[1].1));
    let stored = ["analyze", "app.log", "--openapi", "samples/openapi.json", "-o", "snapshot=day.snap"];
    assert_eq!(Some(0), run(&mut folder.vitalog(&stored), None).code);
    let report = compare(&folder, "day.snap --by version --warm-up 0s --window 1h").report();
    assert_eq!(Some(3), route(&report, "GET /products/{product_id}")["before"]["latency_us"]["digits"].as_u64());
    assert_eq!(Some("regressed"), report["verdict"].as_str());
}

#[test]
fn a_canary_is_compared_over_the_same_minutes() {
    let mut log = String::new();
    for second in 0..1_200 {
        let old = second < 100 || second % 3 != 0;
        let (version, took) = if old { ("1.0", 0.020) } else { ("1.1", 0.040) };
        // the whole service is slow in the first part, which the old version alone served
        let took = if second < 100 { 0.9 } else { took + f64::from(second % 7) * 0.001 };
        let time = format!("2026-11-22T10:{:02}:{:02}Z", second / 60, second % 60);
        writeln!(log, "{{\"time\":\"{time}\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"version\":\"{version}\",\"duration\":{took}}}").unwrap();
    }
    let folder = Folder::new();
    folder.write("app.log", log);
    let outcome = run(&mut folder.vitalog(&["compare", "app.log", "--by", "version", "-o", "json"]), None);
    let report = outcome.report();
    assert_eq!(Some(1), outcome.code);
    let p50 = |side: &str| report["routes"][0][side]["latency_us"]["p50"].as_u64().unwrap() / 1_000;
    assert_eq!((23, 43), (p50("before"), p50("after")));
    assert_eq!(report["before"]["start"].as_str().map(|t| &t[..16]), report["after"]["start"].as_str().map(|t| &t[..16]));
    assert!(report["after"]["notes"][0].as_str().unwrap().starts_with("both versions served together"));
}

#[test]
fn a_week_of_archive_shows_the_same_hours_a_week_earlier() {
    let mut log = String::new();
    for day in [10, 15, 16, 17] {
        for minute in 0..600 {
            let took = if day == 17 && minute >= 300 { 0.2 } else { 0.1 };
            let time = format!("2026-11-{day}T{:02}:{:02}:07Z", 8 + minute / 60, minute % 60);
            writeln!(log, "{{\"time\":\"{time}\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"duration\":{took}}}")
                .unwrap();
        }
    }
    let folder = Folder::new();
    folder.write("app.log", log);
    let report =
        run(&mut folder.vitalog(&["compare", "app.log", "--at", "2026-11-17T13:00:00Z", "--window", "2h", "-o", "json"]), None)
            .report();
    let week = &report["routes"][0]["tests"]["week_earlier"];
    assert_eq!((Some(120), Some(119)), (report["before"]["requests"].as_u64(), report["after"]["requests"].as_u64()));
    assert_eq!(report["after"]["requests"], week["requests"]);
    assert_eq!(Some(100_000), week["latency_us"]["p50"].as_u64().map(|us| us / 1_000 * 1_000));
    assert_eq!(Some("2026-11-10T13:01:07Z"), report["after"]["week_earlier"]["start"].as_str());
}

#[test]
fn what_cannot_be_compared_is_exit_2_with_what_helps() {
    let folder = Folder::new();
    folder.write("plain.log", "INFO:     1.2.3.4:5 - \"GET /a HTTP/1.1\" 200 OK\n");
    folder.write(
        "dated.log",
        "{\"time\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n".repeat(3),
    );
    folder.write("empty.log", "");
    for (words, arguments) in [
        ("no deploy, restart or change of version is found", "dated.log"),
        ("no request in it has a time", "plain.log --at 2026-11-22"),
        ("no version is logged", "dated.log --by version"),
        ("no request came before", "dated.log --at 2026-11-01"),
        ("no request came after", "dated.log --at 2026-11-23"),
        ("write 'version' or 'version=OLD,NEW'", "dated.log --by release"),
        ("'--at' and '--by' exclude each other", "dated.log --at now --by version"),
        ("comparing 3 paths: BEFORE and AFTER are two", "dated.log dated.log dated.log"),
        ("there is no request after the change", "dated.log empty.log"),
        ("'compare' writes text, json, markdown or csv", "dated.log --at now -o snapshot=x"),
        ("'--window 0s' leaves nothing", "dated.log --at now --window 0s"),
    ] {
        let outcome = compare(&folder, arguments);
        assert_eq!(Some(2), outcome.code, "{arguments}: {}", outcome.err);
        assert!(outcome.err.contains(words), "{arguments}: {}", outcome.err);
    }
    let few = run(&mut folder.vitalog(&["compare", "dated.log", "dated.log"]), None);
    assert_eq!(Some(0), few.code);
    let required = run(&mut folder.vitalog(&["compare", "dated.log", "dated.log", "--require-verdict"]), None);
    assert_eq!(Some(1), required.code);
}

#[test]
fn rollback_and_purge_are_filled_in_for_what_regressed() {
    let folder = Folder::new();
    folder.write("app.log", with_versions(DEPLOYED[1].1));
    folder.write(
        "vitalog.toml",
        "[health]\nrollback = \"deploy shop {previous_version} # instead of {version}\"\n\
         purge = \"curl -X PURGE 'https://cdn.example.com{path}'\"\npurge_wildcard = \"*\"\n",
    );
    let report = compare(&folder, "app.log --by version").report();
    assert_eq!(Some("deploy shop 1.4.2 # instead of 2.0.0"), report["rollback"].as_str());
    let purge = report["purge"].as_str().unwrap();
    assert_eq!(
        vec!["curl -X PURGE 'https://cdn.example.com/cart/items'", "curl -X PURGE 'https://cdn.example.com/products/*'"],
        {
            let mut lines: Vec<&str> = purge.lines().collect();
            lines.sort_unstable();
            lines
        }
    );
    let same = compare(&folder, "app.log --at 2026-11-23T00:35:09Z --window 1s");
    assert_eq!(Some(Value::Null), same.report().get("rollback").cloned());
}

#[test]
fn no_path_cookie_or_token_of_a_request_reaches_any_output() {
    let folder = Folder::new();
    let mut log = String::new();
    for n in 0..400 {
        let (status, took) = if n < 200 { (200, 5) } else { (if n % 3 == 0 { 500 } else { 200 }, 90) };
        writeln!(log, "{{\"time\":\"2026-11-22T10:{:02}:{:02}.{:03}Z\",\"method\":\"GET\",\"path\":\"/users/canary-user-{n:04}x/cart?token=canaryquery\",\
             \"status\":{status},\"duration_ms\":{took},\"user\":\"canaryname\",\"authorization\":\"Bearer canarytoken\",\
             \"cookie\":\"session=canarycookie\",\"client\":\"203.0.113.77\",\"referer\":\"https://canaryreferer.example\",\"version\":\"{}\"}}",
            n / 60,
            n % 60,
            n,
            if n < 200 { "1.0" } else { "1.1" }).unwrap();
    }
    folder.write("app.log", log);
    for command in ["compare app.log", "compare app.log --by version --auth authenticated", "analyze app.log"] {
        let files = ["-o", "text=t.txt", "-o", "json=j.json", "-o", "markdown=m.md", "-o", "csv=c.csv", "-v"];
        let all: Vec<&str> = command.split_whitespace().chain(files).collect();
        let outcome = run(&mut folder.vitalog(&all), None);
        assert!(outcome.code == Some(1) || command.starts_with("analyze"), "{command}: {}", outcome.err);
        for (name, text) in ["t.txt", "j.json", "m.md", "c.csv"]
            .map(|name| (name, folder.read(name)))
            .into_iter()
            .chain([("stderr", outcome.err)])
        {
            assert_eq!(None, text.lines().find(|l| l.contains("canary") || l.contains("203.0.113")), "{command}: {name}");
        }
    }
}
