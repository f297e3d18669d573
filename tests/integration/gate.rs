//! `--fail-on`: what fails is named with its figure, what cannot be judged never passes.

use crate::program::Folder;
use crate::program::run;

/// 40 requests in 40 s: of `GET /a` every tenth fails, `GET /b` takes a second, and nothing else is wrong.
fn log(latency: bool) -> String {
    let line = |n: u32| {
        let (path, micros) = if n.is_multiple_of(2) { ("/a", 10_000) } else { ("/b", 1_000_000) };
        let status = if n.is_multiple_of(20) { 503 } else { 200 };
        let micros = if latency { format!(" {micros}") } else { String::new() };
        format!("10.0.0.1 - - [22/Nov/2026:10:00:{n:02} +0000] \"GET {path} HTTP/1.1\" {status} 5 \"-\" \"x\"{micros}\n")
    };
    (0..40).map(line).collect()
}

const FORMAT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;

#[test]
fn conditions_fail_pass_or_cannot_be_judged() {
    let folder = Folder::new();
    folder.write("timed.log", log(true));
    folder.write("plain.log", log(false));
    folder.write("undated.log", "INFO:     127.0.0.1:50634 - \"GET /products HTTP/1.1\" 200 OK\n".repeat(50));
    folder.write("empty.log", "");
    for (code, words, file, condition) in [
        (1, "failed: 'p95 > 300ms': p95 is 1.00 s", "timed.log", "p95 > 300ms"),
        (0, "passed: 'p95 > 2s': p95 is 1.00 s", "timed.log", "p95 > 2s"),
        (0, "passed: 'p(30) > 300ms': p30 is 10.0 ms", "timed.log", "p(30) > 300ms"),
        (1, "failed: 'error_rate > 1%': error_rate is 5.0 %", "timed.log", "error_rate > 1%"),
        (1, "error_rate is 10.0 % on GET /a", "timed.log", "error_rate > 1% on GET /a"),
        (1, "error_rate is 10.0 % on GET /a", "timed.log", "error_rate > 6% on each"),
        (0, "error_rate is 0 % on GET /b", "timed.log", "error_rate > 6% on GET /b"),
        (1, "error_rate is 9.5 % from 2026-11-22", "timed.log", "error_rate > 8% over 22s"),
        (0, "passed: 'error_rate > 20% over 30s'", "timed.log", "error_rate > 20% over 30s"),
        (1, "requests is 40", "timed.log", "requests < 100"),
        (2, "latency is not in this log", "plain.log", "p95 > 300ms"),
        (2, "latency is not in this log", "plain.log", "p95 > 300ms over 30s"),
        (2, "time is not in this log", "undated.log", "error_rate > 1% over 5m"),
        (2, "cache is not in this log", "timed.log", "cache_hit_ratio < 50%"),
        (2, "no request to POST /nowhere was read", "timed.log", "error_rate > 1% on POST /nowhere"),
        (2, "nowhere were there 20 requests within 10 s", "timed.log", "error_rate > 1% over 10s"),
        (2, "no request was read", "empty.log", "error_rate > 1%"),
        (2, "write 'unhealthy', 'degraded' or", "timed.log", "eror_rate > 1%"),
    ] {
        let format = if file == "timed.log" { FORMAT } else { "auto" };
        let arguments = ["analyze", file, "--format", format, "-v", "-o", "json", "--fail-on", condition];
        let outcome = run(&mut folder.vitalog(&arguments), None);
        assert_eq!(Some(code), outcome.code, "{file} {condition}: {}", outcome.err);
        assert!(outcome.err.contains(words), "{file} {condition}: {}", outcome.err);
    }
}

#[test]
fn each_condition_is_told_and_the_gravest_exit_code_wins() {
    let folder = Folder::new();
    folder.write("a.log", log(true));
    let gate = |conditions: &[&str]| {
        let asked = conditions.iter().flat_map(|c| ["--fail-on", c]);
        let arguments: Vec<&str> = ["analyze", "a.log", "--format", FORMAT].into_iter().chain(asked).collect();
        let outcome = run(&mut folder.vitalog(&arguments), None);
        (outcome.code, outcome.err)
    };
    let (code, err) = gate(&["p95 > 300ms", "error_rate > 1%", "max > 10s"]);
    assert_eq!((Some(1), 2), (code, err.matches("failed: ").count()), "{err}");
    assert!(!err.contains("passed"), "what passed is told with -v only: {err}");
    assert_eq!(Some(2), gate(&["p95 > 300ms", "cache_hit_ratio < 50%"]).0);
    let (code, err) = gate(&["p95 < 3s"]);
    assert_eq!(Some(1), code);
    assert!(err.contains("reads like a goal"), "{err}");
    let (code, err) = gate(&["degraded"]);
    assert!(code == Some(1) && err.contains("failed: 'degraded': degraded ("), "{err}");
}

#[test]
fn windows_change_no_figure_of_the_report() {
    let folder = Folder::new();
    folder.write("a.log", log(true));
    let report = |more: &[&str]| {
        let all = [&["analyze", "a.log", "--format", FORMAT, "-o", "json"], more].concat();
        run(&mut folder.vitalog(&all), None).report()
    };
    assert_eq!(report(&[]), report(&["--fail-on", "error_rate > 90% over 30s"]));
    let all = ["analyze", "samples/uvicorn-asctime.log", "samples/nginx-timing.log", "samples/week", "-o", "json"];
    let folder = Folder::new();
    let plain = run(&mut folder.vitalog(&all), None).report();
    let windows = run(&mut folder.vitalog(&[&all[..], &["--fail-on", "requests > 10000000 over 1m"]].concat()), None);
    assert_eq!(plain, windows.report());
}
