//! The program as a command: exit codes, messages, pipes, several outputs from one read.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::program::Folder;
use crate::program::run;

const LINE: &str = "INFO:     127.0.0.1:50634 - \"GET /products HTTP/1.1\" 200 OK\n";

fn exit(arguments: &[&str]) -> (Option<i32>, String) {
    let outcome = run(&mut Folder::new().vitalog(arguments), None);
    (outcome.code, outcome.err)
}

#[test]
fn a_log_that_can_be_read_is_exit_0() {
    let outcome = run(&mut Folder::new().vitalog(&["analyze", "samples/uvicorn.log"]), None);
    assert_eq!(Some(0), outcome.code, "{}", outcome.err);
    assert!(!outcome.out.is_empty());
}

#[test]
fn wrong_usage_is_exit_2_and_names_what_is_wrong() {
    for (arguments, word) in [
        (&["analyse"][..], "analyze"),
        (&["analyze", "--frmat", "json", "samples/uvicorn.log"], "--format"),
        (&["analyze", "--threads", "many", "samples/uvicorn.log"], "--threads"),
        (&["analyze", "-o", "jsn", "samples/uvicorn.log"], "json"),
        (&["analyze", "--since", "the day before", "samples/uvicorn.log"], "--since"),
        (&["analyze", "--timezone", "Mars/Olympus", "samples/uvicorn.log"], "Mars/Olympus"),
        (&["analyze", "-c", "nowhere.toml", "samples/uvicorn.log"], "nowhere.toml"),
        (&["analyze", "--openapi", "nowhere.json", "samples/uvicorn.log"], "nowhere.json"),
    ] {
        let (code, err) = exit(arguments);
        assert_eq!(Some(2), code, "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?} does not name '{word}': {err}");
    }
}

#[test]
fn one_unreadable_input_is_exit_3_and_the_rest_is_counted() {
    let outcome = run(&mut Folder::new().vitalog(&["analyze", "-o", "json", "nowhere.log", "samples/nginx.log"]), None);
    assert_eq!(Some(3), outcome.code);
    assert!(outcome.err.contains("nowhere.log"), "{}", outcome.err);
    assert_eq!(250, outcome.report()["input"]["requests"]);
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_success() {
    let folder = Folder::new();
    let mut command = folder.vitalog(&["analyze", "-o", "json", "samples/uvicorn.log", "samples/nginx.log"]);
    assert!(!run(&mut command, None).out.is_empty(), "a reader that stays gets a report");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(Some(0), child.wait().unwrap().code(), "{told}");
    assert!(!told.contains("pipe") && !told.contains("panick"), "{told}");
}

#[test]
fn stdin_is_read_where_a_dash_stands_and_where_no_path_does() {
    for arguments in [&["analyze", "-o", "json", "-"][..], &["analyze", "-o", "json"]] {
        let outcome = run(&mut Folder::new().vitalog(arguments), Some(LINE.repeat(3).as_bytes()));
        assert_eq!(Some(0), outcome.code, "{}", outcome.err);
        assert_eq!(3, outcome.report()["total"]["requests"]);
    }
}

/// More than is held back for being settled in order: what can be read but once must not need a second reading.
#[test]
fn a_pipe_full_of_events_is_counted_to_its_end() {
    let log = "INFO:     Started server process [7]\n".repeat(120_000) + LINE;
    let outcome = run(&mut Folder::new().vitalog(&["analyze", "-o", "json"]), Some(log.as_bytes()));
    assert_eq!(Some(0), outcome.code, "{}", outcome.err);
    let report = outcome.report();
    assert_eq!((1, 120_000), (report["total"]["requests"].as_u64().unwrap(), report["input"]["lifecycle"].as_u64().unwrap()));
}

/// Failures and their tracebacks are settled while reading where one thread reads all, and afterwards where several do.
#[test]
fn failures_are_tied_to_their_routes_whoever_settles_them() {
    let folder = Folder::new();
    let failure = |n: usize| {
        format!(
            "INFO:     127.0.0.1:5 - \"GET /r{} HTTP/1.1\" 500 Internal Server Error\nERROR:    Exception in ASGI application\n\
             Traceback (most recent call last):\n  File \"/srv/shop/cart.py\", line {at}, in get\n    raise KeyError(1)\n\
             KeyError: {at}\n{LINE}",
            n % 7,
            at = n % 5,
        )
    };
    let failures = (0..3_000).map(failure).collect::<Vec<String>>().concat();
    folder.write("a.log", &failures);
    let report = |inputs: &[&str], threads: &str| {
        let arguments: Vec<&str> =
            ["analyze", "-o", "json", "--threads", threads].into_iter().chain(inputs.iter().copied()).collect();
        run(&mut folder.vitalog(&arguments), None).report()
    };
    let whole = report(&["a.log"], "1");
    let counts: u64 = whole["exceptions"].as_array().unwrap().iter().map(|e| e["count"].as_u64().unwrap()).sum();
    assert_eq!(3_000, counts);
    assert_eq!(7, whole["exceptions"][0]["routes"].as_array().unwrap().len());
    let cut = failures.len() / 2 + failures[failures.len() / 2..].find("INFO").unwrap();
    folder.write("b.log.1", &failures[..cut]);
    folder.write("b.log", &failures[cut..]);
    let parts = report(&["b.log.1", "b.log"], "2");
    let told = |report: &Value| {
        let told = report["exceptions"].as_array().unwrap().iter();
        told.map(|e| (e["type"].to_string(), e["where"].to_string(), e["count"].to_string(), e["routes"].to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&whole), told(&parts));
}

#[test]
fn several_outputs_come_from_one_read() {
    let folder = Folder::new();
    let outputs = ["-o", "json=report.json", "-o", "csv=report.csv", "-o", "text", "-o", "markdown=report.md"];
    let arguments: Vec<&str> = ["analyze", "samples/gunicorn.log"].into_iter().chain(outputs).collect();
    let outcome = run(&mut folder.vitalog(&arguments), None);
    assert_eq!(Some(0), outcome.code, "{}", outcome.err);
    let report: Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    let routes = report["routes"].as_array().unwrap().len();
    assert_eq!("vitalog.report/1", report["schema"]);
    assert_eq!(routes + 1, folder.read("report.csv").lines().count(), "one row a route below the head");
    assert!(!folder.read("report.md").is_empty());
    assert!(!outcome.out.is_empty());
}

#[cfg(unix)]
#[test]
fn written_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let outcome = run(&mut folder.vitalog(&["analyze", "samples/nginx.log", "-o", "json=report.json"]), None);
    assert_eq!(Some(0), outcome.code, "{}", outcome.err);
    assert_eq!(0o600, std::fs::metadata(folder.path("report.json")).unwrap().permissions().mode() & 0o777);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = Folder::new();
    let inputs = ["samples/uvicorn.log", "samples/structlog-json.log", "samples/nginx-timing.log", "samples/week"];
    let with = |threads: &str| {
        let arguments: Vec<&str> = ["analyze", "-o", "json", "--threads", threads].into_iter().chain(inputs).collect();
        run(&mut folder.vitalog(&arguments), None).out
    };
    let one = with("1");
    assert!(one.starts_with('{'));
    assert!(one == with("2") && one == with("7"), "the report depends on the number of threads");
}

#[test]
fn version_and_help_answer_on_stdout() {
    for (arguments, word) in [(&["--version"][..], "vitalog "), (&["--help"], "analyze"), (&["analyze", "--help"], "--openapi")]
    {
        let outcome = run(&mut Folder::new().vitalog(arguments), None);
        assert_eq!(Some(0), outcome.code);
        assert!(outcome.out.contains(word), "{arguments:?}: {}", outcome.out);
    }
}

#[test]
fn a_report_on_a_terminal_of_80_columns_fits() {
    for sample in ["uvicorn", "gunicorn-micros", "structlog-json", "nginx-timing"] {
        let outcome = run(&mut Folder::new().vitalog(&["analyze", &format!("samples/{sample}.log")]), None);
        let wide: Vec<&str> = outcome.out.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(!outcome.out.is_empty(), "{sample}: {}", outcome.err);
        assert!(wide.is_empty(), "{sample}: wider than 80 columns:\n{}", wide.join("\n"));
    }
}
