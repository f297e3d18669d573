//! What `fastapi run` and `fastapi dev` print: uvicorn's lines behind a bar (` ▕  127.0.0.1:5 - "GET / HTTP/1.1" 200`) or
//! behind rich's columns for time and level.
//!
//! rich takes `[accepted]` for markup and drops it: a WebSocket line that ends at its quote was accepted. Colours are
//! off already (`line::ansi`). Source: fastapi-cli `cli.py`, rich-toolkit, rich `logging.py`.

use super::Record;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::head::is_address;
use super::uvicorn;
use crate::time::Stamp;
use crate::time::of_day;
use memchr::memchr;

const BAR: &[u8] = "▕".as_bytes();

/// Reads one line. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], _memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    let Some((time, rest)) = columns(text.trim_ascii()) else { return Verdict::NotMine };
    let Some(dash) = memchr(b' ', rest) else { return Verdict::NotMine };
    let (client, rest) = rest.split_at_checked(dash).unwrap_or_default();
    let body = if client == b"-" { rest.strip_prefix(b" \"") } else { rest.strip_prefix(b" - \"") };
    let Some(body) = body.filter(|_| client == b"-" || is_address(client)) else { return Verdict::NotMine };
    if let Some(target) = body.strip_prefix(b"WebSocket ").and_then(|b| b.strip_suffix(b"\"")) {
        *out = Record { method: b"WEBSOCKET", path: access::path(target), status: Some(101), time, ..Record::default() };
        return Verdict::Request;
    }
    uvicorn::line(body, time, None, out)
}

/// The bar, or `[10:23:45] INFO     `: the time, and what stands behind.
fn columns(text: &[u8]) -> Option<(Option<Stamp>, &[u8])> {
    if let Some(rest) = text.strip_prefix(BAR) {
        return Some((None, rest.trim_ascii_start()));
    }
    let (time, rest) = match text.strip_prefix(b"[") {
        Some(inside) => {
            let (stamp, taken) = of_day(inside)?;
            (Some(stamp), inside.get(taken..)?.strip_prefix(b"]")?.trim_ascii_start())
        }
        None => (None, text),
    };
    let rest = rest.strip_prefix(b"INFO ")?;
    Some((time, rest.trim_ascii_start()))
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
    fn a_line_behind_the_bar_is_uvicorns_and_a_websocket_without_an_end_was_accepted() {
        for (method, path, status, text) in [
            ("GET", "/products/530", 200, " ▕  127.0.0.1:40362 - \"GET /products/530 HTTP/1.1\" 200\r"),
            ("GET", "/products", 200, " ▕  127.0.0.1:40372 - \"GET /products?category=q%22t&page=15 HTTP/1.1\" 200"),
            ("WEBSOCKET", "/ws/stock/73", 101, " ▕  127.0.0.1:40372 - \"WebSocket /ws/stock/73?token=ok\""),
            ("WEBSOCKET", "/ws/stock/73", 403, " ▕  127.0.0.1:40372 - \"WebSocket /ws/stock/73?token=bad\" 403"),
            ("GET", "/", 200, "      INFO   127.0.0.1:40372 - \"GET / HTTP/1.1\" 200"),
            ("GET", "/", 200, "[10:23:45] INFO     127.0.0.1:40372 - \"GET / HTTP/1.1\" 200"),
        ] {
            let (verdict, out) = read(text);
            assert_eq!(Verdict::Request, verdict, "{text}");
            assert_eq!((method.as_bytes(), path.as_bytes(), Some(status)), (out.method, out.path, out.status), "{text}");
        }
        for text in [
            " ▕  connection open",
            " ▕  Uvicorn running on http://127.0.0.1:18110",
            "INFO:     127.0.0.1:5 - \"WebSocket /ws\"",
            "",
        ] {
            assert_eq!(Verdict::NotMine, read(text).0, "{text}");
        }
    }
}
