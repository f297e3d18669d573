//! Logs followed through a pipe to their end: what is told on the way is a function of the log alone.

use std::fmt::Write;

use serde_json::Value;

use crate::program::Folder;
use crate::program::run;

/// Ten requests a second for 25 minutes from 10:00; version 1.4.2 takes over at 10:09 and makes nine of ten answers a 500
/// from 10:10 to 10:15.
fn bad_deploy() -> String {
    let mut log = String::new();
    for second in 0..1_500 {
        for request in 0..10 {
            let bad = (600..900).contains(&second) && request > 0;
            let version = if second < 540 { "1.4.1" } else { "1.4.2" };
            writeln!(
                log,
                r#"{{"timestamp":"2026-11-28T10:{:02}:{:02}Z","method":"POST","path":"/checkout","status_code":{},"duration_ms":{},"version":"{version}"}}"#,
                second / 60,
                second % 60,
                if bad { 500 } else { 200 },
                20 + request,
            )
            .unwrap();
        }
    }
    log
}

fn objects(folder: &Folder, arguments: &[&str], log: &str) -> Vec<Value> {
    let told = run(&mut folder.vitalog(arguments), Some(log.as_bytes()));
    assert_eq!(Some(0), told.code, "{}", told.err);
    told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'v>(all: &'v [Value], kind: &str) -> Vec<&'v Value> {
    all.iter().filter(|v| v["type"] == kind).collect()
}

#[test]
fn a_deploy_is_judged_by_itself_and_what_takes_it_back_is_at_hand() {
    let folder = Folder::new();
    folder.write(
        "vitalog.toml",
        "[health]\nrollback = \"undo {previous_version}\"\npurge = \"curl -X PURGE https://cdn{path}\"\n",
    );
    let all = objects(&folder, &["tail", "-", "-o", "json", "--service", "shop"], &bad_deploy());
    let verdicts = of_type(&all, "deploy");
    assert_eq!(1, verdicts.len(), "half an hour behind the mark the log has ended");
    let verdict = verdicts[0];
    assert_eq!(
        ("regressed", "1.4.2", "version", 300),
        (
            verdict["verdict"].as_str().unwrap(),
            verdict["deploy"]["label"].as_str().unwrap(),
            verdict["deploy"]["source"].as_str().unwrap(),
            verdict["after_s"].as_u64().unwrap()
        )
    );
    assert_eq!(Some("/checkout"), verdict["routes"][0]["route"].as_str());
    assert_eq!(Some(0), verdict["routes"][0]["before"]["errors"].as_u64());
    assert_eq!(Some("undo 1.4.1"), verdict["rollback"].as_str());
    assert_eq!(Some("curl -X PURGE https://cdn/checkout"), verdict["purge"].as_str());
}

#[test]
fn an_outage_pages_once_and_is_over_once_with_the_same_id() {
    let folder = Folder::new();
    let all = objects(&folder, &["tail", "-", "-o", "json", "--service", "shop"], &bad_deploy());
    let alerts = of_type(&all, "alert");
    let told: Vec<(&str, &str)> = alerts.iter().map(|a| (a["rule"].as_str().unwrap(), a["state"].as_str().unwrap())).collect();
    assert_eq!(vec![("outage", "firing"), ("outage", "resolved")], told);
    assert_eq!(alerts[0]["id"], alerts[1]["id"]);
    // nine of ten fail from 10:10:00 on: more than half of a minute's requests do after 34 of its seconds
    assert_eq!(Some("2026-11-28T10:10:34Z"), alerts[0]["fired_at"].as_str());
    let summary = of_type(&all, "summary");
    assert_eq!(Some(15_000), summary.last().unwrap()["total"]["requests"].as_u64());
}

#[test]
fn a_given_deploy_before_the_trouble_is_not_blamed_for_it() {
    let folder = Folder::new();
    let log = bad_deploy().replace("\"1.4.2\"", "\"1.4.1\"");
    folder.write("deploys", "2026-11-28T10:04:00Z v9\n");
    let all = objects(&folder, &["tail", "-", "-o", "json", "--deploys", "deploys"], &log);
    let verdicts: Vec<(&str, &str)> = of_type(&all, "deploy")
        .into_iter()
        .map(|v| (v["verdict"].as_str().unwrap(), v["deploy"]["label"].as_str().unwrap()))
        .collect();
    assert_eq!(vec![("same", "v9")], verdicts);
}

/// Two services behind one prefix a line, an hour each, with incidents of their own, drawn from a seed.
fn noisy() -> String {
    let mut draw = crate::random::Random::new(7);
    let mut log = String::new();
    for second in 0..3_600_u64 {
        for (service, rate, from, to) in [("shop", 6, 900, 1_500), ("mail", 2, 2_000, 2_900)] {
            for _ in 0..rate {
                let bad = (from..to).contains(&second) && draw.below(10) < 8 || draw.below(2_000) == 0;
                let (minute, second) = (second / 60, second % 60);
                writeln!(
                    log,
                    "2026-11-28T10:{minute:02}:{second:02}.{:03}Z [pod/{service}-7d9c8b6f5d-x2x4z/{service}] {{\"event\":\"request\",\"method\":\"GET\",\"path\":\"/items/{}\",\"status_code\":{},\"duration_ms\":{}}}",
                    draw.below(1_000),
                    draw.below(40),
                    if bad { 503 } else { 200 },
                    1 + draw.below(90),
                )
                .unwrap();
            }
        }
    }
    log
}

#[test]
fn replaying_an_archive_gives_the_alerts_that_tailing_it_gave() {
    for log in [bad_deploy(), noisy()] {
        let folder = Folder::new();
        folder.write("app.log", &log);
        folder.write(
            "vitalog.toml",
            "[[rule]]\nname = \"slow\"\nwhen = \"p95 > 60ms over 2m\"\nfor = \"1m\"\n[[promise]]\nname = \"quick\"\ntarget = \"95%\"\nslower_than = \"80ms\"\nperiod = \"1d\"\n",
        );
        let live = objects(&folder, &["tail", "-", "-o", "json"], &log);
        let mut told: Vec<(String, String, String)> = of_type(&live, "alert")
            .into_iter()
            .filter(|a| a["state"] == "firing")
            .map(|a| [&a["id"], &a["rule"], &a["fired_at"]].map(|v| v.as_str().unwrap().to_owned()).into())
            .collect();
        told.sort();
        told.dedup();
        let replayed = run(&mut folder.vitalog(&["replay", "app.log", "-o", "json"]), None).report();
        let mut wanted: Vec<(String, String, String)> = replayed["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| [&a["id"], &a["rule"], &a["fired_at"]].map(|v| v.as_str().unwrap().to_owned()).into())
            .collect();
        wanted.sort();
        wanted.dedup();
        assert!(!told.is_empty());
        assert_eq!(wanted, told);
    }
}
