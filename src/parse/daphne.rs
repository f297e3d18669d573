//! daphne's access line: `127.0.0.1:47788 - - [23/Nov/2026:00:38:41] "GET /export/orders.csv" 403 31`, without protocol
//! and zone; and its WebSocket lines.
//!
//! Of a WebSocket, `WSCONNECT` (accepted, 101) and `WSREJECT` (refused, 403) are the request; `WSCONNECTING` and
//! `WSDISCONNECT` stand beside it and are [`Role::Start`]: companions always. Source: daphne `access.py`.

use super::Record;
use super::Reject;
use super::Role;
use super::Status;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::head;
use crate::time::Stamp;
use memchr::memchr;
use memchr::memrchr;

/// Reads one line. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    let Some((time, body)) = opening(text, memo) else { return Verdict::NotMine };
    // daphne writes no quoted text behind the request line: the last quote is the closing one
    let Some(quote) = memrchr(b'"', body) else {
        return if access::sets_out(body) { Verdict::Malformed(Reject::Cut) } else { Verdict::NotMine };
    };
    let (inside, rest) = (body.get(..quote).unwrap_or_default(), body.get(quote + 1..).unwrap_or_default());
    if let Some((role, status, target)) = socket(inside, rest) {
        *out = Record { role, method: b"WEBSOCKET", path: access::path(target), status, time: Some(time), ..Record::default() };
        return Verdict::Request;
    }
    if access::without_protocol(inside).is_some_and(|line| memchr(b' ', line).is_some()) {
        return Verdict::NotMine;
    }
    let (status, rest) = match access::status(rest) {
        Ok(found) => found,
        Err(reject) => return Verdict::Malformed(reject),
    };
    let size = rest.strip_prefix(b" ").unwrap_or_default().trim_ascii_end();
    let bytes = access::number(size);
    if bytes.is_none() && size != b"-" {
        return Verdict::NotMine;
    }
    let (method, path) = access::apart(inside);
    *out = Record { method, path, status: Some(status), bytes, time: Some(time), ..Record::default() };
    Verdict::Request
}

/// Role, status and target of a WebSocket's line.
fn socket<'a>(inside: &'a [u8], rest: &[u8]) -> Option<(Role, Option<Status>, &'a [u8])> {
    if rest.trim_ascii() != b"- -" {
        return None;
    }
    let blank = memchr(b' ', inside)?;
    let target = inside.get(blank + 1..)?;
    match inside.get(..blank)? {
        b"WSCONNECT" => Some((Role::Access, Some(101), target)),
        b"WSREJECT" => Some((Role::Access, Some(403), target)),
        b"WSCONNECTING" | b"WSDISCONNECT" => Some((Role::Start, None, target)),
        _ => None,
    }
}

/// `CLIENT - - [TIME] "`: the time, and what stands behind the quote.
fn opening<'a>(text: &'a [u8], memo: &mut Memo) -> Option<(Stamp, &'a [u8])> {
    let dashes = memchr(b' ', text.get(..text.len().min(64))?)?;
    let (client, rest) = text.split_at_checked(dashes)?;
    if let Some(inside) = rest.strip_prefix(b" - - [") {
        let (time, taken) = memo.clf_short(inside)?;
        let zoneless = matches!(time, Stamp::Local(_));
        return if zoneless && (client == b"-" || !client.is_empty()) {
            Some((time, inside.get(taken..)?.strip_prefix(b"] \"")?))
        } else {
            None
        };
    }
    let quote = memchr(b'"', text)?;
    let head = head::read(text.get(..quote)?, memo).ok()?;
    let time = head.time.filter(|time| matches!(time, Stamp::Local(_)) && head.stamped)?;
    Some((time, text.get(quote + 1..)?))
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
    fn one_line_of_a_websocket_is_the_request_and_the_others_stand_beside_it() {
        for (role, method, path, status, line) in [
            (Role::Access, "GET", "/export/orders.csv", Some(403), "\"GET /export/orders.csv?x=1\" 403 31"),
            (Role::Access, "HEAD", "/products/5", Some(405), "\"HEAD /products/5\" 405 -"),
            (Role::Access, "GET", "/a\"b", Some(404), "\"GET /a\"b\" 404 22"),
            (Role::Access, "WEBSOCKET", "/ws/stock/1", Some(101), "\"WSCONNECT /ws/stock/1\" - -"),
            (Role::Access, "WEBSOCKET", "/ws/stock/1", Some(403), "\"WSREJECT /ws/stock/1\" - -"),
            (Role::Start, "WEBSOCKET", "/ws/stock/1", None, "\"WSCONNECTING /ws/stock/1\" - -"),
            (Role::Start, "WEBSOCKET", "/ws/stock/1", None, "\"WSDISCONNECT /ws/stock/1\" - -"),
        ] {
            let text = format!("127.0.0.1:47788 - - [23/Nov/2026:00:36:48] {line}");
            let (verdict, out) = read(&text);
            assert_eq!((Verdict::Request, role), (verdict, out.role), "{text}");
            assert_eq!((method.as_bytes(), path.as_bytes(), status), (out.method, out.path, out.status), "{text}");
            assert_eq!(Some(Stamp::Local(1_795_394_208_000_000)), out.time, "{text}");
        }
    }

    #[test]
    fn lines_with_a_zone_or_a_protocol_are_other_forms() {
        for text in [
            "127.0.0.1 - - [23/Nov/2026:00:36:48 +0000] \"GET /x HTTP/1.1\" 200 3",
            "127.0.0.1 - - [23/Nov/2026:00:36:48] \"GET /x HTTP/1.1\" 200 3",
            "2026-11-23 00:38:40,721 INFO     HTTP/2 support enabled",
        ] {
            assert_eq!(Verdict::NotMine, read(text).0, "{text}");
        }
        assert_eq!(Verdict::Malformed(Reject::Cut), read("127.0.0.1:1 - - [23/Nov/2026:00:36:48] \"GET /x").0);
    }
}
