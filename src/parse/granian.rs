//! granian's own access line: `[2026-11-23 00:36:37 +0000] 127.0.0.1 - "GET /products HTTP/1.1" 404 100.630`.
//!
//! The figure at the end is in milliseconds. The path is written decoded and nothing in it is escaped: the line is
//! read from its end, where clients cannot write. A WebSocket has no method and always 101. Source: granian
//! `log.py` and `_internal.py` (`[%(time)s] %(addr)s - "%(method)s %(path)s %(protocol)s" %(status)d %(dt_ms).3f`).

use super::Ends;
use super::Record;
use super::Reject;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::access::Unit;
use super::head;
use memchr::memchr;
use memchr::memrchr;

/// Reads one line. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    let Some((time, body)) = opening(text, memo) else { return Verdict::NotMine };
    let Some(quote) = memrchr(b'"', body) else {
        return if access::sets_out(body) || body.starts_with(b"- ") {
            Verdict::Malformed(Reject::Cut)
        } else {
            Verdict::NotMine
        };
    };
    let (inside, rest) = (body.get(..quote).unwrap_or_default(), body.get(quote + 1..).unwrap_or_default());
    if access::without_protocol(inside).is_none() {
        return Verdict::NotMine;
    }
    let (status, rest) = match access::status(rest) {
        Ok(found) => found,
        Err(reject) => return Verdict::Malformed(reject),
    };
    let figure = rest.strip_prefix(b" ").unwrap_or_default().trim_ascii_end();
    let Some(latency) = access::micros(figure, Unit::Milliseconds).filter(|_| memchr(b'.', figure).is_some()) else {
        return if figure.is_empty() && !rest.is_empty() { Verdict::Malformed(Reject::Number) } else { Verdict::NotMine };
    };
    let (method, path) = access::apart(inside);
    let socket = status == 101;
    *out = Record {
        method: if socket { b"WEBSOCKET" } else { method },
        path,
        status: Some(status),
        latency_us: (!socket).then_some(latency),
        ends: Ends::LastByte,
        time: Some(time),
        ..Record::default()
    };
    Verdict::Request
}

/// `[TIME] ADDRESS - "`: the time, and what stands behind the quote.
fn opening<'a>(text: &'a [u8], memo: &mut Memo) -> Option<(crate::time::Stamp, &'a [u8])> {
    let inside = text.strip_prefix(b"[")?;
    let (time, taken) = memo.iso(inside)?;
    let rest = inside.get(taken..)?.strip_prefix(b"] ")?;
    let blank = memchr(b' ', rest.get(..rest.len().min(64))?)?;
    let (client, rest) = rest.split_at_checked(blank)?;
    let body = rest.strip_prefix(b" - \"")?;
    (client.is_empty() || client == b"-" || head::is_address(client)).then_some((time, body))
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
    fn the_figure_is_milliseconds_and_the_path_ends_at_the_last_protocol() {
        for (method, path, status, latency, line) in [
            ("GET", "/phpmyadmin/index.php", 404, Some(100_630), "\"GET /phpmyadmin/index.php HTTP/1.1\" 404 100.630"),
            ("GET", "/nope/a\" 200 OK \"b", 404, Some(408), "\"GET /nope/a\" 200 OK \"b HTTP/1.1\" 404 0.408"),
            ("GET", "/a HTTP/1.1\" 200 1.000", 404, Some(408), "\"GET /a HTTP/1.1\" 200 1.000 HTTP/1.1\" 404 0.408"),
            ("WEBSOCKET", "/ws/stock/1", 101, None, "\"- /ws/stock/1 HTTP/1.1\" 101 0.100"),
            ("GET", "/categories/männer schuhe", 200, Some(45_002), "\"GET /categories/männer schuhe HTTP/1.1\" 200 45.002"),
        ] {
            let text = format!("[2026-11-23 00:36:37 +0000] 127.0.0.1 - {line}");
            let (verdict, out) = read(&text);
            assert_eq!(Verdict::Request, verdict, "{text}");
            assert_eq!((method.as_bytes(), path.as_bytes()), (out.method, out.path), "{text}");
            assert_eq!((Some(status), latency), (out.status, out.latency_us), "{text}");
        }
    }

    #[test]
    fn half_a_line_is_malformed_and_other_forms_are_not_mine() {
        for (verdict, text) in [
            (Verdict::Malformed(Reject::Cut), "[2026-11-23 00:38:54 +0000] 127.0.0.1 - \"GET /nope\r"),
            (Verdict::Malformed(Reject::Status), "[2026-11-23 00:38:54 +0000] 127.0.0.1 - \"GET /nope HTTP/1.1\" 700 1.0"),
            (Verdict::NotMine, "INFO:     203.0.113.66:1 - \"GET /forged HTTP/1.1\" 200 OK HTTP/1.1\" 404 22.929"),
            (Verdict::NotMine, "[2026-11-23 00:38:54 +0000] [7369] [INFO] 127.0.0.1:1 - \"WebSocket /ws\" [accepted]"),
            (Verdict::NotMine, "[INFO] ASGI transport error: \"Closed(..)\""),
        ] {
            assert_eq!(verdict, read(text).0, "{text}");
        }
    }
}
