//! The web side on real sockets: slow, greedy and foreign clients, and what each page answers.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use vitalog::error::Fault;
use vitalog::write::Report;
use vitalog::write::serve::Limits;
use vitalog::write::serve::Published;
use vitalog::write::serve::Ready;
use vitalog::write::serve::Refused;
use vitalog::write::serve::Server;
use vitalog::write::serve::Settings;
use vitalog::write::serve::address;

/// Short enough for a test, in the proportions of the real ones.
const QUICK: Limits = Limits {
    head: Duration::from_millis(400),
    idle: Duration::from_millis(1_200),
    write: Duration::from_millis(800),
    still: Duration::from_millis(1_500),
    connections: 64,
    streams: 2,
};

fn settings(limits: Limits) -> Settings {
    Settings {
        address: "127.0.0.1:0".parse().unwrap(),
        hosts: vec!["metrics.example.com".to_owned()],
        token: Some("s3cret".to_owned()),
        limits,
        whole: None,
        ranges: Arc::new(|since| match since {
            "15m" => Ok(b"{\"since\":\"15m\"}".to_vec()),
            "9d" => Err(Refused::Cannot("no state".to_owned())),
            other => Err(Refused::Bad(format!("'{other}' is no time"))),
        }),
    }
}

fn server(limits: Limits) -> Server {
    let server = Server::start(settings(limits)).unwrap();
    server.publish(published(b"m 1\n".to_vec()));
    server
}

fn published(metrics: Vec<u8>) -> Published {
    let ready = Ready { ok: false, reasons: vec!["state: no room\u{1b}[2J left".to_owned()] };
    Published::new(Report::default(), b"[{\"id\":1}]".to_vec(), metrics, b"{\"n\":1}".to_vec(), ready)
}

fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

/// Sends bytes and reads until the server closes; what was sent beyond that does not matter.
fn exchange(to: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = connect(to);
    drop(socket.write_all(bytes));
    rest(&mut socket)
}

fn rest(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut some = vec![0; 65_536];
    loop {
        match socket.read(&mut some) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&some[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e}, after {} bytes", all.len()),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn get(to: SocketAddr, target: &str) -> String {
    ask(to, "GET", target, "localhost", "")
}

fn ask(to: SocketAddr, method: &str, target: &str, host: &str, more: &str) -> String {
    exchange(to, format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n").as_bytes())
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |a| a.1)
}

#[test]
fn every_page_answers_and_carries_the_headers_of_safety() {
    let server = server(QUICK);
    server.beat();
    for (expected, kind, begin, target) in [
        (200, "text/html; charset=utf-8", "<!doctype html>", "/"),
        (200, "text/plain; version=0.0.4; charset=utf-8", "m 1\n", "/metrics"),
        (200, "application/json", "[{\"id\":1}]", "/api/alerts"),
        (200, "application/json", "{\"schema\":\"vitalog.report/1\"", "/api/report"),
        (200, "application/json", "{\"since\":\"15m\"}", "/api/report?since=15m"),
        (503, "text/plain; charset=utf-8", "no state", "/api/report?since=9d"),
        (400, "text/plain; charset=utf-8", "'x' is no time", "/api/report?since=x"),
        (400, "text/plain; charset=utf-8", "write ?since", "/api/report?sinse=15m"),
        (200, "text/plain; charset=utf-8", "ok\n", "/healthz"),
        (503, "text/plain; charset=utf-8", "not ready\nstate: no room", "/readyz"),
    ] {
        let answer = get(server.address(), target);
        assert_eq!(expected, status(&answer), "{target}: {answer}");
        assert!(body(&answer).starts_with(begin), "{target}: {answer}");
        for header in [
            &format!("content-type: {kind}"),
            "content-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{target} has no {header}: {answer}");
        }
        assert!(!answer.contains('\u{1b}') && !answer.contains("access-control"), "{answer}");
        let head = ask(server.address(), "HEAD", target, "localhost", "");
        assert_eq!((expected, ""), (status(&head), body(&head)), "{target}");
        assert!(head.contains(&format!("content-length: {}", body(&answer).len())), "{head}");
    }
}

#[test]
fn nothing_but_the_pages_is_found() {
    let server = server(QUICK);
    for target in [
        "/../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/metrics/../../x",
        "/metrics/",
        "/METRICS",
        "//metrics",
        "/./metrics",
        "/metrics%00",
        "/%00",
        "/metrics;x",
        "/..\\..\\x",
        "/api",
        "/favicon.ico",
        "/....//",
    ] {
        let answer = get(server.address(), target);
        assert!(matches!(status(&answer), 404 | 400), "{target}: {answer}");
        assert!(!answer.contains("root:"));
    }
}

#[test]
fn a_foreign_host_is_refused() {
    let server = server(QUICK);
    let port = server.address().port();
    for (expected, host) in [
        (200, format!("127.0.0.1:{port}")),
        (200, format!("[::1]:{port}")),
        (200, "metrics.example.com".to_owned()),
        (421, "evil.example".to_owned()),
        (421, "localhost.evil.example".to_owned()),
        (421, String::new()),
    ] {
        assert_eq!(expected, status(&ask(server.address(), "GET", "/metrics", &host, "")), "{host}");
    }
    let to = server.address();
    let plain = |request: &str| status(&exchange(to, request.as_bytes()));
    assert_eq!(421, plain("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_eq!(400, plain("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n"));
    assert_eq!(400, plain("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"));
    assert_eq!(200, plain("GET /metrics HTTP/1.0\r\n\r\n"));
}

#[test]
fn only_get_and_head_and_no_body_is_read() {
    let server = server(QUICK);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = ask(server.address(), method, "/metrics", "localhost", "");
        assert_eq!(405, status(&answer), "{method}");
        assert!(answer.contains("allow: GET, HEAD"), "{answer}");
    }
    let mut socket = connect(server.address());
    socket.write_all(b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
    // the answer comes and the connection ends although the body never does
    assert_eq!(405, status(&rest(&mut socket)));
    assert_eq!(200, status(&ask(server.address(), "GET", "/metrics", "localhost", "Content-Length: 4\r\n")));
}

#[test]
fn oversized_requests_are_refused_and_closed() {
    let server = server(QUICK);
    let to = server.address();
    assert_eq!(414, status(&get(to, &format!("/metrics?{}", "x".repeat(5_000)))));
    assert_eq!(431, status(&ask(to, "GET", "/metrics", "localhost", &format!("X: {}\r\n", "x".repeat(20_000)))));
    assert_eq!(431, status(&ask(to, "GET", "/metrics", "localhost", &"X: y\r\n".repeat(100))));
    let huge = exchange(to, &[b"GET /".as_slice(), &vec![b'x'; 1 << 20]].concat());
    assert!(matches!(status(&huge), 431 | 414 | 0), "{huge}");
    assert_eq!(400, status(&exchange(to, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")));
    assert_eq!(200, status(&get(to, "/metrics")));
}

#[test]
fn a_client_that_dawdles_is_cut_off() {
    let server = server(QUICK);
    // says nothing at all
    let mut silent = connect(server.address());
    // begins and never ends
    let mut begun = connect(server.address());
    begun.write_all(b"GET /metrics HT").unwrap();
    assert_eq!("", rest(&mut begun));
    assert_eq!("", rest(&mut silent));
    // a byte now and then is no progress: the head as a whole is timed
    let mut drip = connect(server.address());
    drip.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut sent = 0;
    let ended = loop {
        let more = drip.write_all(b"G");
        let mut some = [0; 16];
        match drip.read(&mut some) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && more.is_ok() => sent += 1,
            Ok(0) | Err(_) => break true,
            Ok(_) => break false,
        }
        assert!(sent < 18, "still there after {sent} bytes, twice as long as a head may take");
    };
    assert!(ended && sent >= 2, "{sent}");
    // between two requests
    let mut kept = connect(server.address());
    kept.write_all(b"GET /api/alerts HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(200, status(&rest(&mut kept)));
}

#[test]
fn a_client_that_does_not_take_its_answer_is_cut_off() {
    let server = server(QUICK);
    server.publish(published(vec![b'x'; 64 << 20]));
    let mut slow = connect(server.address());
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut taken = 0;
    let mut some = vec![0; 4_096];
    slow.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // takes a little, waits by way of another client's deadline, then finds the answer cut
    taken += slow.read(&mut some).unwrap();
    for _ in 0..2 {
        assert_eq!("", rest(&mut connect(server.address())));
    }
    loop {
        match slow.read(&mut some) {
            Ok(0) | Err(_) => break,
            Ok(n) => taken += n,
        }
    }
    assert!(taken < 60 << 20, "{taken}");
    assert_eq!(200, status(&get(server.address(), "/api/alerts")));
}

#[test]
fn a_thousand_connections_neither_stop_the_server_nor_stay() {
    let server = server(Limits { connections: 8, ..QUICK });
    let mut full = 0;
    let mut held = Vec::new();
    for _ in 0..1_000 {
        held.push(connect(server.address()));
    }
    for socket in &mut held {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        full += usize::from(status(&rest(socket)) == 503);
    }
    assert!(full > 900, "{full}");
    assert_eq!(200, status(&get(server.address(), "/api/alerts")));
}

#[test]
fn a_token_is_asked_for_away_from_loopback_only() {
    // a server on all addresses is asked over loopback and over the machine's own address
    let here = Server::start(Settings { address: "0.0.0.0:0".parse().unwrap(), ..settings(QUICK) }).unwrap();
    let port = here.address().port();
    assert_eq!(200, status(&get(SocketAddr::from(([127, 0, 0, 1], port)), "/metrics")));
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // no packet is sent: this asks the system which address it would use
    let own = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()).map(|a| a.ip());
    let Ok(own) = own else {
        panic!("this machine has no address beside loopback, without which this cannot be tested");
    };
    let to = SocketAddr::new(own, port);
    let with = |header: &str| status(&ask(to, "GET", "/metrics", &to.to_string(), header));
    assert_eq!(401, with(""));
    assert_eq!(401, with("Authorization: Bearer s3cre\r\n"));
    assert_eq!(200, with("Authorization: Bearer s3cret\r\n"));
    assert_eq!(200, with("Authorization: Basic eDpzM2NyZXQ=\r\n"));
    here.publish(published(Vec::new()));
    assert_eq!(200, status(&ask(to, "GET", "/healthz", &to.to_string(), "")));
    assert_eq!("not ready\n", body(&ask(to, "GET", "/readyz", &to.to_string(), "")));
}

#[test]
fn events_are_the_newest_state_and_bounded() {
    let server = server(QUICK);
    let request = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let open = || {
        let mut socket = connect(server.address());
        socket.write_all(request).unwrap();
        let mut text = String::new();
        let mut some = [0; 4_096];
        while !text.contains("data:") && status(&text) != 503 {
            let n = socket.read(&mut some).unwrap();
            assert!(n > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&some[..n]));
        }
        (socket, text)
    };
    let (mut one, first) = open();
    assert!(
        first.contains("content-type: text/event-stream") && first.contains("event: summary\ndata: {\"n\":1}\n\n"),
        "{first}"
    );
    let (_two, _) = open();
    assert_eq!(503, status(&open().1));
    server.publish(Published::new(Report::default(), Vec::new(), Vec::new(), b"{\"n\":2}\n{}".to_vec(), Ready::default()));
    let mut text = String::new();
    let mut some = [0; 4_096];
    // longer than a connection may be idle: a stream stays, with a sign of life
    while !(text.contains("data: {\"n\":2}\ndata: {}\n\n") && text.contains(": still here")) {
        let n = one.read(&mut some).unwrap();
        assert!(n > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&some[..n]));
    }
    drop(server);
    assert!(!rest(&mut one).contains("data:"));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let server = server(QUICK);
    let error = Server::start(Settings { address: server.address(), ..settings(QUICK) }).unwrap_err();
    assert_eq!(Fault::Usage, error.fault);
    let want = format!("listening on '{}': the port is taken (choose another with --listen)", server.address());
    assert_eq!(want, error.message);
}

#[test]
fn an_address_is_loopback_unless_it_says_otherwise() {
    for (expected, text) in [
        (Some("127.0.0.1:9100"), "9100"),
        (Some("127.0.0.1:9100"), ":9100"),
        (Some("127.0.0.1:9100"), "localhost:9100"),
        (Some("0.0.0.0:9100"), "0.0.0.0:9100"),
        (Some("[::]:9100"), "[::]:9100"),
        (None, "example.com:9100"),
        (None, "127.0.0.1"),
        (None, "99999"),
        (None, ""),
    ] {
        assert_eq!(expected.map(str::to_owned), address(text).ok().map(|a| a.to_string()), "{text}");
    }
}

#[test]
fn a_loop_that_stands_still_is_told_after_a_while() {
    let server = server(Limits { idle: Duration::from_secs(30), ..QUICK });
    let to = server.address();
    assert_eq!(200, status(&get(to, "/healthz")));
    // the time is the server's own, so plain asking must do
    let mut asked = 0;
    while status(&get(to, "/healthz")) == 200 {
        asked += 1;
        assert!(asked < 2_000_000, "never told");
    }
    server.beat();
    while status(&get(to, "/healthz")) == 503 {
        asked += 1;
        assert!(asked < 4_000_000, "never told");
    }
}
