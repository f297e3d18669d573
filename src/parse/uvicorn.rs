//! uvicorn's access line, as its own formatter writes it and behind any logging prefix: `INFO:     127.0.0.1:5 - "GET /
//! HTTP/1.1" 200 OK`, the same under gunicorn (without level and phrase), and its WebSocket lines.
//!
//! The line has no time and no duration of its own; a prefix may bring the time. asgi-logger's default form is the same.
//! Source: uvicorn `logging.py` (`AccessFormatter`) and `protocols/websockets/`.

use super::Record;
use super::Reject;
use super::Status;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::head;
use super::head::Refusal;
use crate::time::Stamp;
use memchr::memchr;

/// Reads one line. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    if let Some(body) = usual(text) {
        return line(body, None, None, out);
    }
    let Some(quote) = memchr(b'"', text) else { return Verdict::NotMine };
    let (Some(before), Some(body)) = (text.get(..quote), text.get(quote + 1..)) else { return Verdict::NotMine };
    if is_usual(before) {
        return line(body, None, None, out);
    }
    match head::read(before, memo) {
        Ok(head) if !head.stamped && head.user.is_none() => line(body, head.time, head.pid, out),
        Ok(_) | Err(Refusal::NotMine) => Verdict::NotMine,
        Err(Refusal::Broken(reject)) => Verdict::Malformed(reject),
    }
}

/// What stands behind `INFO:     ADDRESS - "`.
#[inline]
fn usual(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"INFO:     ")?;
    let (client, behind) = text.split_at_checked(access::first_blank(text)?)?;
    let body = behind.strip_prefix(b" - \"")?;
    head::is_address(client).then_some(body)
}

/// `INFO:     ADDRESS - `
fn is_usual(before: &[u8]) -> bool {
    before.strip_prefix(b"INFO:     ").and_then(|b| b.strip_suffix(b" - ")).is_some_and(head::is_address)
}

/// Request line, status and phrase; what stood before them gave time and process.
pub(super) fn line<'a>(body: &'a [u8], time: Option<Stamp>, pid: Option<u32>, out: &mut Record<'a>) -> Verdict {
    let Some(request) = access::request(body) else {
        return if access::sets_out(body) { Verdict::Malformed(Reject::Cut) } else { Verdict::NotMine };
    };
    let socket = request.method == b"WebSocket";
    let status = match answer(request.rest, socket) {
        Ok(status) => status,
        Err(Some(reject)) => return Verdict::Malformed(reject),
        Err(None) => return Verdict::NotMine,
    };
    // field by field: a whole record built first would be copied
    *out = Record::default();
    out.method = if socket || status == 101 { b"WEBSOCKET" } else { request.method };
    out.path = request.path;
    out.status = Some(status);
    out.time = time;
    out.pid = pid;
    Verdict::Request
}

/// The status and nothing but a phrase behind it. Figures and quotes behind it belong to other forms.
fn answer(rest: &[u8], socket: bool) -> Result<Status, Option<Reject>> {
    if socket && rest.trim_ascii() == b"[accepted]" {
        return Ok(101);
    }
    let (status, rest) = access::status(rest).map_err(Some)?;
    if rest.is_empty() || is_phrase(rest) {
        return Ok(status);
    }
    let foreign = matches!(rest, [b' ', b'0'..=b'9' | b'-' | b'"' | b'[', ..]);
    Err(if foreign { None } else { Some(Reject::Status) })
}

/// A reason phrase: letters, blanks, apostrophes and dashes.
fn is_phrase(rest: &[u8]) -> bool {
    rest == b" OK"
        || (rest.len() <= 48 && rest.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'\'' | b'-' | b'\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Verdict, Record<'_>) {
        let mut out = Record::default();
        let verdict = parse(text.as_bytes(), &mut Memo::default(), &mut out);
        (verdict, out)
    }

    #[test]
    fn method_path_and_status_are_read_behind_any_prefix() {
        for (method, path, status, text) in [
            ("GET", "/products", 200, "INFO:     127.0.0.1:50634 - \"GET /products?category=new(2)&page=16 HTTP/1.1\" 200 OK"),
            ("HEAD", "/products/5", 405, "127.0.0.1:42508 - \"HEAD /products/5 HTTP/1.1\" 405"),
            ("GET", "/health", 200, "INFO:      - \"GET /health HTTP/1.1\" 200 OK"),
            ("GET", "/health", 200, " - \"GET /health HTTP/1.1\" 200"),
            ("GET", "/health", 200, "INFO:     2001:db8::fbc2:0 - \"GET /health HTTP/1.0\" 200 OK"),
            ("GET", "/x", 599, "INFO:     127.0.0.1:1 - \"GET /x HTTP/1.1\" 599 "),
            ("GET", "/x", 418, "INFO:     127.0.0.1:1 - \"GET /x HTTP/1.1\" 418 I'm a Teapot"),
            ("WEBSOCKET", "/ws/stock/73", 101, "INFO:     127.0.0.1:1 - \"WebSocket /ws/stock/73?token=ok\" [accepted]"),
            ("WEBSOCKET", "/ws/stock/73", 403, "INFO:     127.0.0.1:1 - \"WebSocket /ws/stock/73?token=bad\" 403"),
            (
                "WEBSOCKET",
                "/ws/stock/1",
                101,
                "[2026-11-23 00:35:26 +0000] [7369] [INFO] 127.0.0.1:44776 - \"WebSocket /ws/stock/1\" [accepted]",
            ),
            ("GET", "/a b", 404, "INFO:     127.0.0.1:1 - \"GET /a b HTTP/1.1\" 404 Not Found"),
        ] {
            let (verdict, out) = read(text);
            assert_eq!(Verdict::Request, verdict, "{text}");
            assert_eq!((method.as_bytes(), path.as_bytes(), Some(status)), (out.method, out.path, out.status), "{text}");
            assert_eq!(None, out.latency_us, "{text}");
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_kept_as_it_is() {
        let mut out = Record::default();
        let text = b"INFO:     203.0.113.7:0 - \"GET /caf\xe9/raw HTTP/1.1\" 404 Not Found";
        assert_eq!(Verdict::Request, parse(text, &mut Memo::default(), &mut out));
        assert_eq!(b"/caf\xe9/raw", out.path);
    }

    #[test]
    fn text_that_quotes_a_line_is_none() {
        for text in [
            "User said: \"GET /fake HTTP/1.1\" 200 OK is what I saw",
            "INFO:     request body: INFO:     1.2.3.4:5 - \"GET /fake HTTP/1.1\" 200 OK",
            "  File \"/srv/shop/main.py\", line 235, in _charge",
            "DEBUG:    < GET /ws/stock/13 HTTP/1.1",
            "[INFO] ASGI transport error: \"Closed(..)\"",
            "2026-11-23T00:36:54.968235 [info     ] 127.0.0.1:39542 - \"GET / HTTP/1.1\" 200 [api.access] duration=9234005",
            "127.0.0.1 - - [23/Nov/2026:00:47:21 +0000] \"GET / HTTP/1.1\" 200 13 \"-\" \"x\" 25755",
            "127.0.0.1 - \"GET /health HTTP/1.1\" 200 12 0.021794 gun71-00001 \"kube-probe/1.29\"",
            "[2026-11-23 00:36:37 +0000] 127.0.0.1 - \"GET / HTTP/1.1\" 404 100.630",
        ] {
            assert_eq!(Verdict::NotMine, read(text).0, "{text}");
        }
    }

    #[test]
    fn a_line_that_set_out_and_broke_has_its_reason() {
        for (reject, text) in [
            (Reject::Cut, "INFO:     198.51.100.54:0 - \"GET"),
            (Reject::Cut, "INFO:     198.51.100.54:0 - \"GET /products HTTP/1.1"),
            (Reject::Cut, "INFO:     198.51.100.54:0 - \"GET /products HTTP/1.1\""),
            (Reject::Cut, "INFO:     198.51.100.54:0 - \"GET /products HTTP/1.1\" 2"),
            (Reject::Status, "INFO:     198.51.100.54:0 - \"GET /products HTTP/1.1\" 999 What"),
            (Reject::Status, "INFO:     203.0.113.66:1 - \"GET /forged HTTP/1.1\" 200 OK HTTP/1.1\" 404 22.929"),
        ] {
            assert_eq!(Verdict::Malformed(reject), read(text).0, "{text}");
        }
    }
}
