//! An archive judged: what live reading of the same lines told, told again, whatever the way of reading.

use std::fmt::Write;

use serde_json::Value;

use crate::program::Folder;
use crate::program::run;
use crate::random::Random;

/// 2026-11-22 00:00:00 UTC.
const START: i64 = 1_795_305_600;

/// `[22/Nov/2026:00:00:00 +0000]` of a second within one day.
fn stamp(second: i64) -> String {
    let s = second - START;
    format!("[22/Nov/2026:{:02}:{:02}:{:02} +0000]", s / 3600, s / 60 % 60, s % 60)
}

/// Some three requests a second for `hours` hours; from `bad` on, for half an hour, most of POST /checkout fail.
fn log(seed: u64, hours: i64, bad: Option<i64>, mut time: impl FnMut(i64) -> i64) -> String {
    let mut random = Random::new(seed);
    let mut out = String::new();
    for second in 0..hours * 3600 {
        for _ in 0..2 + random.below(3) {
            let checkout = random.below(4) == 0;
            let (method, path) = if checkout { ("POST", "/checkout") } else { ("GET", "/items/7") };
            let hurt = checkout && bad.is_some_and(|from| (from..from + 1800).contains(&second));
            let status = if hurt && random.below(10) < 7 { 500 } else { 200 };
            let at = stamp(START + time(second).clamp(0, 86_399));
            let micros = 20_000 + random.below(40_000);
            writeln!(out, "10.0.0.1 - - {at} \"{method} {path} HTTP/1.1\" {status} 5 \"-\" \"x\" {micros}").unwrap();
        }
    }
    out
}

const FORMAT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;

fn replayed(folder: &Folder, arguments: &[&str]) -> Value {
    let all = [&["replay", "--format", FORMAT, "-o", "json"], arguments].concat();
    run(&mut folder.vitalog(&all), None).report()
}

/// Ids and states in the order in which a live run told them.
fn told_live(folder: &Folder, path: &str, bytes: &[u8]) -> Vec<(String, String)> {
    let arguments = ["tail", "-", "--from-start", "--format", FORMAT, "-o", "json"];
    let outcome = run(&mut folder.vitalog(&arguments), Some(bytes));
    assert_eq!(Some(0), outcome.code, "{path}: {}", outcome.err);
    let objects = outcome.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let alerts = objects.filter(|object| object["type"] == "alert");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    alerts.map(|alert| (text(&alert["id"]), text(&alert["state"]))).collect()
}

#[test]
fn an_archive_raises_the_alerts_that_live_reading_raised() {
    let folder = Folder::new();
    let text = log(7, 6, Some(9000), |second| second);
    folder.write("a.log", &text);
    let report = replayed(&folder, &["a.log"]);
    let alerts = report["alerts"].as_array().unwrap();
    assert_eq!("available", alerts[0]["rule"], "{report}");
    let mut replayed: Vec<(String, String)> = Vec::new();
    for alert in alerts {
        let id = alert["id"].as_str().unwrap().to_owned();
        replayed.push((id.clone(), "firing".to_owned()));
        if alert["state"] == "resolved" {
            replayed.push((id, "resolved".to_owned()));
        }
    }
    assert_eq!(replayed, told_live(&folder, "a.log", text.as_bytes()));
}

#[test]
fn neither_threads_nor_cuts_nor_other_logs_beside_change_an_alert() {
    let folder = Folder::new();
    // Out of order by up to ten seconds, as several workers write.
    let mut random = Random::new(3);
    let text = log(7, 12, Some(9000), |second| second - i64::try_from(random.below(10)).unwrap());
    assert!(text.len() > STRETCH, "one stretch is walked by one thread");
    folder.write("shop.log", &text);
    let whole = replayed(&folder, &["shop.log", "--threads", "1"]);
    assert_eq!(whole, replayed(&folder, &["shop.log", "--threads", "4"]));
    let lines: Vec<&str> = text.lines().collect();
    let (old, new) = lines.split_at(lines.len() / 3);
    folder.write("cut/shop.log.1", old.join("\n") + "\n");
    folder.write("cut/shop.log", new.join("\n") + "\n");
    assert_eq!(whole["alerts"], replayed(&folder, &["cut"])["alerts"]);
    // A healthy service of its own beside: services are judged apart, whichever is read first.
    folder.write("blog.log", log(9, 12, None, |second| second));
    folder.write(
        "two.toml",
        "[[service]]\nname = \"shop\"\npaths = [\"shop.log\"]\n[[service]]\nname = \"blog\"\npaths = [\"blog.log\"]\n",
    );
    let both = ["shop.log", "blog.log"].map(|first| {
        let second = if first == "shop.log" { "blog.log" } else { "shop.log" };
        replayed(&folder, &["-c", "two.toml", first, second])
    });
    assert_eq!(both[0], both[1]);
    let alone = replayed(&folder, &["-c", "two.toml", "shop.log"]);
    assert_eq!(alone["alerts"], both[0]["alerts"]);
    assert_eq!(1, alone["page"]["alerts"]);
}

#[test]
fn a_replay_fails_on_what_it_was_asked_to_fail_on() {
    let folder = Folder::new();
    folder.write("bad.log", log(7, 6, Some(9000), |second| second));
    folder.write("good.log", log(8, 6, None, |second| second));
    folder.write("undated.log", "INFO:     127.0.0.1:50634 - \"GET /products HTTP/1.1\" 200 OK\n".repeat(50));
    for (code, arguments) in [
        (0, &["bad.log"][..]),
        (1, &["bad.log", "--fail-on-alert", "page"]),
        (1, &["bad.log", "--fail-on-alert", "ticket"]),
        (0, &["good.log", "--fail-on-alert", "ticket"]),
        (2, &["undated.log", "--fail-on-alert", "page"]),
        (3, &["good.log", "nowhere.log"]),
        (2, &["good.log", "--fail-on-alert", "loud"]),
    ] {
        let all = [&["replay", "--format", FORMAT], arguments].concat();
        let all = if arguments[0] == "undated.log" { [&["replay"], arguments].concat() } else { all };
        let outcome = run(&mut folder.vitalog(&all), None);
        assert_eq!(Some(code), outcome.code, "{arguments:?}: {}{}", outcome.out, outcome.err);
    }
    let text = run(&mut folder.vitalog(&["replay", "--format", FORMAT, "bad.log"]), None).out;
    for words in ["1 alert would have been raised (1 page)", "available", "█", "after the first bad minute began"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

/// One request a tenth of a second for two hours, of the middleware that `explain --fix` prints; from one hour on the
/// second version answers, and a minute later two of three fail.
fn versions() -> String {
    let mut out = String::new();
    for second in 0..7_200 {
        for tenth in 0..10 {
            let version = if second < 3_600 { "1.4.0" } else { "1.5.0" };
            let status = if second >= 3_660 && tenth % 3 > 0 { 500 } else { 200 };
            let (hour, minute) = (second / 3_600, second / 60 % 60);
            let time = format!("2026-11-22T0{hour}:{minute:02}:{:02}.{tenth}00Z", second % 60);
            writeln!(
                out,
                r#"{{"time":"{time}","method":"GET","route":"/pay","path":"/pay","status":{status},"duration_ms":12.5,"version":"{version}"}}"#
            )
            .unwrap();
        }
    }
    out
}

#[test]
fn an_alert_of_an_archive_names_the_version_that_its_log_shows() {
    let folder = Folder::new();
    folder.write("app.log", versions());
    let report = run(&mut folder.vitalog(&["replay", "app.log", "-o", "json"]), None).report();
    let deploy = &report["alerts"][0]["evidence"]["deploy"];
    assert_eq!(Some("1.5.0"), deploy["label"].as_str(), "{}", report["alerts"][0]);
    assert_eq!(Some("2026-11-22T01:00:00Z"), deploy["at"].as_str(), "{deploy}");
}

/// A history is read in stretches of so many bytes.
const STRETCH: usize = 8 << 20;

/// Words that hardly two requests share, so many that they become one route. Right after the first stretch was read one
/// request in two fails, and soon the log ends: too few words to learn from by themselves.
#[test]
fn routes_of_many_paths_are_called_in_an_archive_what_they_are_called_live() {
    let folder = Folder::new();
    folder.write("each.toml", "[[rule]]\nname = \"route\"\nwhen = \"error_rate > 20% over 1m on each\"\nmin_requests = 20\n");
    let mut random = Random::new(11);
    let mut text = String::new();
    let mut since = 0;
    for n in 0_i64.. {
        let bits = random.below(1 << 24);
        let word: String = (0..6).map(|at| char::from(b'a' + u8::try_from(bits >> (4 * at) & 15).unwrap())).collect();
        let path = format!("/tag/{word}");
        since += i64::from(text.len() > STRETCH + (STRETCH >> 4));
        if since > 3_000 {
            break;
        }
        let status = if since > 0 && n % 2 == 0 { 500 } else { 200 };
        let at = stamp(START + n / 20);
        writeln!(text, "10.0.0.1 - - {at} \"GET {path} HTTP/1.1\" {status} 5 \"-\" \"a browser\" 20000").unwrap();
    }
    folder.write("a.log", &text);
    let ids = |value: &Value| -> Vec<String> {
        value["alerts"].as_array().unwrap().iter().map(|a| format!("{} {}", a["id"], a["route"])).collect()
    };
    let arguments = ["tail", "-", "--from-start", "-c", "each.toml", "--format", FORMAT, "-o", "json"];
    let outcome = run(&mut folder.vitalog(&arguments), Some(text.as_bytes()));
    let told = outcome.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let live: Vec<String> = told
        .filter(|object| object["type"] == "alert" && object["state"] == "firing")
        .map(|alert| format!("{} {}", alert["id"], alert["route"]))
        .collect();
    assert!(live.iter().any(|alert| alert.contains("/tag/{")), "{live:?}");
    assert_eq!(live, ids(&replayed(&folder, &["-c", "each.toml", "a.log"])));
}

#[test]
fn what_a_live_run_saved_is_replayed_to_the_minute() {
    let folder = Folder::new();
    let text = log(7, 6, Some(9000), |second| second);
    folder.write("a.log", &text);
    let told = run(&mut folder.vitalog(&["tail", "-", "--format", FORMAT, "--state", "a.db"]), Some(text.as_bytes()));
    assert_eq!(Some(0), told.code, "{}", told.err);
    let outcome = run(&mut folder.vitalog(&["replay", "--state", "a.db", "-o", "json"]), None);
    assert!(outcome.err.contains("to the minute"), "{}", outcome.err);
    let (of_state, of_log) = (outcome.report(), replayed(&folder, &["a.log"]));
    let alerts = |report: &Value| report["alerts"].as_array().unwrap().clone();
    assert_eq!(1, alerts(&of_log).len());
    assert_eq!(1, alerts(&of_state).len());
    let (saved, logged) = (&alerts(&of_state)[0], &alerts(&of_log)[0]);
    for key in ["rule", "severity", "service", "route", "state", "fingerprint"] {
        assert_eq!(logged[key], saved[key], "{key}");
    }
    let minute = |alert: &Value| alert["fired_at"].as_str().unwrap()[..16].to_owned();
    let (before, at) = (minute(logged), minute(saved));
    assert!(before <= at && at.as_str() <= "2026-11-22T02:40", "{before} {at}");
    let both = run(&mut folder.vitalog(&["replay", "a.log", "--state", "a.db"]), None);
    assert_eq!(Some(2), both.code);
    let surrounded =
        run(folder.vitalog(&["replay", "a.log", "--format", FORMAT, "-o", "json"]).env("VITALOG_STATE", "a.db"), None);
    assert_eq!(alerts(&of_log), alerts(&surrounded.report()), "what is typed wins over the environment");
    let none = run(&mut folder.vitalog(&["replay", "--state", "b.db"]), None);
    assert_eq!(Some(4), none.code, "{}", none.err);
}
