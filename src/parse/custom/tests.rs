//! How whole lines are read by a compiled format: lines copied from real logs.

use super::*;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Reject;
use crate::time::Timestamp;

const COMBINED_D: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;
const HYPERCORN: &str = r#"%(h)s %(r)s %(s)s %(b)s %(D)s "%(a)s" rid=%({x-request-id}i)s"#;
const UVICORN: &str = r#"%(asctime)s - %(name)s - %(levelname)s - %(client_addr)s - "%(request_line)s" %(status_code)s"#;
/// 2026-11-23 00:47:21 UTC: `date -u -d '2026-11-23 00:47:21' +%s`.
const MOMENT: i64 = 1_795_394_841_000_000;

fn compiled(format: &str) -> Compiled {
    Compiled::new(format, Settings::default()).unwrap()
}

fn with(format: &str, datefmt: &str) -> Compiled {
    Compiled::new(format, Settings { dialect: None, datefmt: Some(datefmt.to_owned()) }).unwrap()
}

fn read<'a>(format: &Compiled, line: &'a str) -> (Verdict, Record<'a>) {
    let mut record = Record::default();
    let verdict = format.parse(line.as_bytes(), &mut Memo::default(), &mut record);
    (verdict, record)
}

/// Method, path, status and latency of a line that must be a request.
fn request(format: &str, line: &str) -> (String, String, Option<u16>, Option<u64>) {
    let (verdict, record) = read(&compiled(format), line);
    assert_eq!(Verdict::Request, verdict, "{line}");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (text(record.method), text(record.path), record.status, record.latency_us)
}

fn told(method: &str, path: &str, status: u16, latency: Option<u64>) -> (String, String, Option<u16>, Option<u64>) {
    (method.to_owned(), path.to_owned(), Some(status), latency)
}

#[test]
fn a_combined_line_with_microseconds_is_read_whole() {
    let line = r#"127.0.0.1 - carol smith [23/Nov/2026:00:47:21 +0000] "POST /orders HTTP/1.1" 201 12 "-" "weird \"quoted\" agent\v1" 24816"#;
    let (verdict, record) = read(&compiled(COMBINED_D), line);
    assert_eq!(Verdict::Request, verdict);
    assert_eq!((&b"POST"[..], &b"/orders"[..]), (record.method, record.path));
    assert_eq!((Some(201), Some(12), Some(24_816)), (record.status, record.bytes, record.latency_us));
    assert_eq!((Some(Stamp::Exact(Timestamp(MOMENT))), Auth::Authenticated), (record.time, record.auth));
}

#[test]
fn every_unit_of_latency_is_the_atoms_own() {
    for (us, format, line) in [
        (25_755, "%(r)s %(s)s %(D)s", "GET / HTTP/1.1 200 25755"),
        (19_000, "%(r)s %(s)s %(M)sms", "GET / HTTP/1.1 200 19ms"),
        (3_000_000, "%(r)s %(s)s %(T)s", "GET / HTTP/1.1 200 3"),
        (1_204, "%(r)s %(s)s %(L)s", "GET / HTTP/1.1 200 0.001204"),
        (34_476, "%(method)s %(path)s %(status)d %(dt_ms).3f", "GET / 200 34.476"),
        (390, "%(method)s %(path)s %(status)d %(dt_ms)s", "GET / 200 0.39005279541015625"),
        (53, "%(method)s %(path)s %(status)d %(dt_ms)s", "GET / 200 5.3e-02"),
        (12_000, "$request $status $request_time", "GET / HTTP/1.1 200 0.012"),
        (23_000, "$request $status $upstream_response_time", "GET / HTTP/1.1 200 0.007, 0.016"),
    ] {
        assert_eq!(told("GET", "/", 200, Some(us)), request(format, line), "{line}");
    }
    assert_eq!(None, request("$request $status $upstream_response_time", "GET / HTTP/1.1 200 -").3);
    assert_eq!(
        Some(12_278),
        request("%(r)s %(s)s request_time=%(T)s us=%(D)s", "GET / HTTP/1.1 200 request_time=0 us=12278").3
    );
}

#[test]
fn a_request_line_without_quotes_is_found_from_both_its_ends() {
    let prefix = "[2026-11-23 00:47:21 +0000] [8006] [INFO] 127.0.0.1:48894";
    for (wanted, rest) in [
        (told("GET", "/health", 200, Some(13_659)), r#"GET /health 1.1 200 33 13659 "kube-probe/1.29" rid=h-1"#),
        (
            told("GET", "/export/a.csv", 403, Some(8_112)),
            r#"GET /export/a.csv 1.1 403 31 8112 "weird "quoted" agent\v1" rid=h-2"#,
        ),
        (told("GET", "/a b 404 c", 200, Some(7)), r#"GET /a b 404 c 1.1 200 - 7 "-" rid=-"#),
        (told("GET", "/nope/a\" 200 5 6 \"b", 404, Some(9)), r#"GET /nope/a" 200 5 6 "b 1.1 404 22 9 "x" rid=h-3"#),
        (told("WEBSOCKET", "/ws/stock/73", 101, None), r#"GET /ws/stock/73 1.1 101 - 2265 "Python/3.11" rid=h-4"#),
        (told("GET", "/x", 0, Some(5)), r#"GET /x 1.1 - - 5 "a" rid=h-5"#),
    ] {
        assert_eq!(wanted, request(HYPERCORN, &format!("{prefix} {rest}")), "{rest}");
    }
    let line = format!("{prefix} GET /x 1.1 200 1 5 \"a\" rid=h-5");
    let format = compiled(HYPERCORN);
    let (_, record) = read(&format, &line);
    assert_eq!((Some(8006), Some(Stamp::Exact(Timestamp(MOMENT))), &b"h-5"[..]), (record.pid, record.time, record.request_id));
}

#[test]
fn quotes_inside_a_field_do_not_end_it() {
    let escaped = r#"1.2.3.4 - - [23/Nov/2026:00:47:21 +0000] "GET /x\" 200 5 \"-\" \"y HTTP/1.1" 404 22 "-" "b\" 200 1" 983"#;
    assert_eq!(404, request(COMBINED_D, escaped).2.unwrap());
    let plain = r#"1.2.3.4 - - [23/Nov/2026:00:47:21 +0000] "GET /x HTTP/1.1" 404 22 "-" "evil "agent" \" 983"#;
    assert_eq!(told("GET", "/x", 404, Some(983)), request(COMBINED_D, plain));
    let bare = r#"1.2.3.4 - - [23/Nov/2026:00:47:21 +0000] "\x16\x03\x01" 400 22 "-" "-" 983"#;
    assert_eq!(told("", "", 400, Some(983)), request(COMBINED_D, bare));
}

#[test]
fn an_address_list_before_the_user_is_not_the_user() {
    let format = r#"%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(m)s %(U)s?%(q)s %(H)s" %(s)s %(b)s %(M)sms pid=%(p)s"#;
    let line =
        r#"1.2.3.4, 5.6.7.8 - - [23/Nov/2026:00:47:21 +0000] "GET /search?q=caf%C3%A9 HTTP/1.1" 200 18 13ms pid=<15238>"#;
    let format = compiled(format);
    let (verdict, record) = read(&format, line);
    assert_eq!((Verdict::Request, Auth::Anonymous, Some(15_238)), (verdict, record.auth, record.pid));
    assert_eq!((&b"GET"[..], &b"/search"[..], Some(13_000)), (record.method, record.path, record.latency_us));
}

#[test]
fn status_phrases_of_several_words_are_passed_over() {
    let hypercorn = r#"%(t)s %(h)s "%(R)s" %(st)s %(s)s %(B)s %(L)s"#;
    let line = r#"[23/Nov/2026:00:36:32 +0000] 127.0.0.1:4 "DELETE /cart/items/97 1.1" No Content 204 - 0.049531"#;
    assert_eq!(told("DELETE", "/cart/items/97", 204, Some(49_531)), request(hypercorn, line));
    let line = r#"2026-11-23 01:34:23,795 - uvicorn.access - INFO - 127.0.0.1:43950 - "GET /search?limit=5 HTTP/1.1" 422 Unprocessable Entity"#;
    assert_eq!(told("GET", "/search", 422, None), request(UVICORN, line));
    let line = r#"2026-11-23 01:34:23,795 - uvicorn.access - INFO -  - "GET /x HTTP/1.1" 299 "#;
    assert_eq!(told("GET", "/x", 299, None), request(UVICORN, line));
    let between = r#"%(client_addr)s - "%(request_line)s" %(status_code)s %(process)d"#;
    assert_eq!(told("GET", "/x", 404, None), request(between, r#"1.2.3.4:5 - "GET /x HTTP/1.1" 404 Not Found 77"#));
}

#[test]
fn a_websocket_line_of_the_same_format_is_a_request() {
    let accepted =
        r#"2026-11-23 01:34:23,812 - uvicorn.error - INFO - 127.0.0.1:44036 - "WebSocket /ws/stock/73?token=ok" [accepted]"#;
    assert_eq!(told("WEBSOCKET", "/ws/stock/73", 101, None), request(UVICORN, accepted));
    let refused = r#"2026-11-23 01:34:23,812 - uvicorn.error - INFO - 127.0.0.1:44036 - "WebSocket /ws/stock/5" 403"#;
    assert_eq!(told("WEBSOCKET", "/ws/stock/5", 403, None), request(UVICORN, refused));
}

#[test]
fn a_line_that_set_out_and_broke_is_malformed_for_its_reason() {
    let start = "127.0.0.1 - - [23/Nov/2026:00:47:21 +0000]";
    let format = compiled(COMBINED_D);
    for (reject, rest) in [
        (Reject::Cut, " \"GET /produ"),
        (Reject::Cut, " \"GET /x HTTP/1.1\" 20"),
        (Reject::Cut, " \"GET /x HTTP/1.1\" 200 13 \"-\" \"Mozil"),
        (Reject::Status, " \"GET /x HTTP/1.1\" abc 13 \"-\" \"x\" 5"),
        (Reject::Status, " \"GET /x HTTP/1.1\" 2000 13 \"-\" \"x\" 5"),
        (Reject::Status, " \"GET /x HTTP/1.1\" 999 13 \"-\" \"x\" 5"),
        (Reject::Number, " \"GET /x HTTP/1.1\" 200 13 \"-\" \"x\" 999999999999999999"),
        (Reject::Number, " \"GET /x HTTP/1.1\" 200 13 \"-\" \"x\" 1212.0.0.1 - -"),
    ] {
        assert_eq!(Verdict::Malformed(reject), read(&format, &format!("{start}{rest}")).0, "{rest}");
    }
}

#[test]
fn a_line_of_another_kind_is_not_ours() {
    for line in [
        "",
        "Traceback (most recent call last):",
        "[2026-11-23 00:47:39 +0000] [15293] [INFO] Starting gunicorn 27.0.1",
        "127.0.0.1 - - waiting for a request \"GET it\"",
        "order placed by u22 - see \"GET started\" 200",
    ] {
        for format in [COMBINED_D, HYPERCORN, UVICORN] {
            assert_eq!(Verdict::NotMine, read(&compiled(format), line).0, "{line}");
        }
    }
    let other = "2026-11-23 01:34:23,826 - shop - INFO - order placed by u22";
    assert_eq!(Verdict::NotMine, read(&compiled(UVICORN), other).0);
}

#[test]
fn nginx_lines_give_cache_identity_and_time() {
    let format = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" rt=$request_time urt="$upstream_response_time" ucs=$upstream_cache_status rid=$request_id"#;
    let line = r#"127.0.0.1 - - [23/Nov/2026:00:47:21 +0000] "GET /a?b HTTP/1.1" 200 45 "weird \x22quoted\x22 agent\x5Cv1" rt=0.012 urt="0.001, 0.011" ucs=STALE rid=5dc6"#;
    let format = compiled(format);
    let (verdict, record) = read(&format, line);
    assert_eq!(Verdict::Request, verdict);
    assert_eq!(
        (Cache::Stale, &b"5dc6"[..], Some(12_000), Some(45)),
        (record.cache, record.request_id, record.latency_us, record.bytes)
    );
    assert_eq!((Some(Stamp::Exact(Timestamp(MOMENT))), Auth::Anonymous, &b"/a"[..]), (record.time, record.auth, record.path));
    assert_eq!(Ends::LastByte, record.ends);
}

#[test]
fn a_format_that_is_one_json_object_tells_its_keys() {
    let format = compiled(
        r#"{"time":"$time_iso8601","http":{"status":$status,"uri":"$request_uri"},"t":$request_time,"up":"$upstream_response_time","both":"$scheme $host"}"#,
    );
    let keys = format.keys().unwrap();
    assert_eq!(Some(Meaning::Time), keys.get("time"));
    assert_eq!(Some(Meaning::Status), keys.get("http.status"));
    assert_eq!(Some(Meaning::Path), keys.get("http.uri"));
    assert_eq!(Some(Meaning::Latency(Unit::Seconds)), keys.get("t"));
    assert_eq!(None, keys.get("both"));
    let line =
        r#"{"time":"2026-11-23T00:47:21+00:00","http":{"status":304,"uri":"/a\"b?c"},"t":0.067,"up":"","both":"http x"}"#;
    let (verdict, record) = read(&format, line);
    assert_eq!((Verdict::Request, Some(304), Some(67_000)), (verdict, record.status, record.latency_us));
    assert_eq!(None, compiled(COMBINED_D).keys());
}

#[test]
fn a_log_record_gives_its_message_and_what_stands_around_it() {
    let format = with("%(asctime)s [%(process)d] [%(levelname)s] %(name)s: %(message)s", "%d/%m/%Y %I:%M:%S %p");
    let line = "22/11/2026 07:34:34 PM [7094] [INFO] uvicorn.access: 127.0.0.1:5 - \"GET /x HTTP/1.1\" 200";
    let message = format.message(line.as_bytes(), &mut Memo::default()).unwrap();
    assert_eq!(b"127.0.0.1:5 - \"GET /x HTTP/1.1\" 200", message.text);
    assert_eq!((Some(Stamp::Local(1_795_376_074_000_000)), Some(7094)), (message.time, message.pid));
    assert_eq!((&b"uvicorn.access"[..], &b"INFO"[..]), (message.logger, message.level));
    assert!(format.has_message());
    assert_eq!(None, format.message(b"Traceback (most recent call last):", &mut Memo::default()));
    assert_eq!(Verdict::NotMine, read(&format, line).0);
}

#[test]
fn the_three_styles_of_logging_say_the_same() {
    let line = "2026-11-23 00:47:21,250 INFO     shop: ready: now";
    for format in [
        "%(asctime)s %(levelname)-8s %(name)s: %(message)s",
        "{asctime} {levelname:<8} {name}: {message}",
        "$asctime ${levelname}     $name: $message",
    ] {
        let format = compiled(format);
        let message = format.message(line.as_bytes(), &mut Memo::default()).unwrap();
        assert_eq!((&b"ready: now"[..], &b"shop"[..], &b"INFO"[..]), (message.text, message.logger, message.level));
        assert_eq!(Some(Stamp::Local(MOMENT + 250_000)), message.time);
    }
    let millis = with("%(asctime)s.%(msecs)03d %(message)s", "%Y-%m-%d %H:%M:%S");
    let message = millis.message(b"2026-11-23 00:47:21.007 x", &mut Memo::default()).unwrap();
    assert_eq!(Some(Stamp::Local(MOMENT + 7_000)), message.time);
}

#[test]
fn a_dialect_is_told_by_the_formats_look() {
    for (dialect, format) in [
        (Dialect::Percent, COMBINED_D),
        (Dialect::Percent, r#"{"status":%(s)s}"#),
        (Dialect::Brace, "{asctime} {message}"),
        (Dialect::Dollar, "$asctime ${message}"),
        (Dialect::Nginx, "$remote_addr $request $status"),
        (Dialect::Nginx, r#"{"status":$status}"#),
    ] {
        assert_eq!(dialect, compiled(format).dialect(), "{format}");
    }
}

#[test]
fn a_bad_format_is_refused_where_it_breaks() {
    for (at, word, format) in [
        (0, "%(h)s", "%h %l %u"),
        (6, "closing bracket", "%(r)s %(s"),
        (6, "%(s)s", "%(r)s %(s)y"),
        (6, "atom 'z'", "%(r)s %(z)s"),
        (5, "nothing stands between", "%(a)s%(f)s %(s)s"),
        (0, "neither a request nor a message", "%(h)s %(t)s"),
        (0, "neither a request nor a message", "hello"),
        (8, "without a field's name", "$status $"),
        (10, "closing bracket", "{message} {x"),
    ] {
        let error = Compiled::new(format, Settings::default()).err().unwrap();
        assert!(error.message.contains(word), "{format}: {error}");
        assert_eq!(at, error.at, "{format}: {error}");
    }
    let many = "%(s)s ".repeat(MOST + 1);
    assert_eq!(Some(6 * MOST), Compiled::new(&many, Settings::default()).err().map(|e| e.at));
}

#[test]
fn stored_and_loaded_it_is_the_same() {
    let format = with("%(asctime)s %(message)s", "%H:%M:%S");
    assert_eq!(format, serde_json::from_str(&serde_json::to_string(&format).unwrap()).unwrap());
    assert!(serde_json::from_str::<Compiled>(r#"{"format":"%h","settings":{"dialect":null,"datefmt":null}}"#).is_err());
}

#[test]
fn no_cut_of_a_line_panics_and_none_is_read_as_another_status() {
    let line = r#"127.0.0.1 - - [23/Nov/2026:00:47:21 +0000] "GET /x?a=\" HTTP/1.1" 503 22 "-" "b\" 200 1" 983"#;
    let format = compiled(COMBINED_D);
    for end in 0..line.len() {
        let (before, behind) = line.split_at(end);
        for part in [before, behind] {
            let (verdict, record) = read(&format, part);
            assert!(verdict != Verdict::Request || record.status == Some(503), "{part}");
        }
    }
}

#[test]
fn the_short_way_says_what_the_long_way_says_of_damaged_lines_too() {
    for (format, line) in [
        (COMBINED_D, r#"127.0.0.1 - bob [23/Nov/2026:00:47:21 +0000] "GET /x?a=1 HTTP/1.1" 503 22 "-" "curl/8.5 (x)" 983"#),
        (UVICORN, r#"2026-11-23 01:34:23,795 - uvicorn.access - INFO - 127.0.0.1:43950 - "GET /s?l=5 HTTP/1.1" 404 Not Found"#),
        (
            r#"%(t)s %(h)s "%(R)s" %(st)s %(s)s %(B)s %(L)s"#,
            r#"[23/Nov/2026:00:36:32 +0000] 127.0.0.1:4 "DELETE /c/97 1.1" No Content 204 - 0.049531"#,
        ),
        (
            r#"[%(time)s] %(addr)s - "%(method)s %(path)s %(protocol)s" %(status)d %(dt_ms).3f"#,
            r#"[2026-11-23 00:36:37 +0000] 127.0.0.1 - "GET /a HTTP/1.1" 200 0.006"#,
        ),
        (
            r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" rt=$request_time urt="$upstream_response_time" ucs=$upstream_cache_status rid=$request_id"#,
            r#"127.0.0.1 [23/Nov/2026:00:47:21 +0000] "GET /a?b HTTP/1.1" 200 45 "curl" rt=0.012 urt="0.011" ucs=STALE rid=5dc6"#,
        ),
    ] {
        let format = compiled(format);
        let mut read = 0;
        for at in 0..line.len() {
            for byte in b" \"\\-x5,.[" {
                let mut damaged = line.as_bytes().to_vec();
                damaged[at] = *byte;
                let mut memo = Memo::default();
                let (mut short, mut long) = (Record::default(), Record::default());
                let plan = format.plan.as_ref().unwrap();
                if plan.read(&damaged, &mut memo, &mut short).is_some() {
                    read += 1;
                    let verdict = format.parse_long(&damaged, None, &mut memo, &mut long);
                    assert_eq!(
                        (Verdict::Request, format!("{long:?}")),
                        (verdict, format!("{short:?}")),
                        "{}",
                        String::from_utf8_lossy(&damaged)
                    );
                }
            }
        }
        assert!(read > line.len(), "{read}");
    }
}
