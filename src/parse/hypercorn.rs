//! hypercorn's access line: the combined form with a bare protocol (`"GET /health 1.1" 200 33 "-" "agent"`), usually
//! behind `[TIME] [PID] [INFO] `, and its forms with the phrase before the status (`%(st)s %(s)s`).
//!
//! The path is written decoded, quotes in path and agent are not escaped. An accepted WebSocket is a 101, a refused one
//! a `GET` with 403. Source: hypercorn `logging.py` (`AccessLogAtoms`).

use super::Record;
use super::Status;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::clf;

/// Reads one line. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    clf::parse(text, memo, out)
}

/// The status behind a phrase (` Not Found 404 …`), and what follows it.
#[cold]
pub(super) fn phrase_first(rest: &[u8]) -> Option<(Status, &[u8])> {
    let letters = rest.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'\'')).count();
    let phrase = rest.get(..letters)?.trim_ascii();
    let fits = (2..=40).contains(&phrase.len()) && rest.first() == Some(&b' ');
    fits.then(|| access::status(rest.get(letters - 1..)?).ok()).flatten()
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
    fn a_bare_protocol_and_a_phrase_before_the_status_are_read() {
        let prefix = "[2026-11-23 00:36:32 +0000] [8046] [INFO]";
        for (method, path, status, latency, line) in [
            (
                "GET",
                "/health",
                200,
                None,
                "127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /health 1.1\" 200 33 \"-\" \"kube-probe/1.29\"",
            ),
            (
                "WEBSOCKET",
                "/ws/1",
                101,
                None,
                "127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /ws/1 1.1\" 101 - \"-\" \"-\"",
            ),
            ("GET", "/ws/1", 403, None, "127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /ws/1 1.1\" 403 0 \"-\" \"-\""),
            ("GET", "/x", 0, None, "127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /x 1.1\" - - \"-\" \"-\""),
            (
                "GET",
                "/nope/a\" 200 OK \"b",
                404,
                None,
                "127.0.0.1:1 - - [23/Nov/2026:00:36:21 +0000] \"GET /nope/a\" 200 OK \"b 1.1\" 404 22 \"-\" \"evil \"agent\" x\"",
            ),
            (
                "GET",
                "/products/",
                307,
                Some(38_258),
                "[23/Nov/2026:00:36:32 +0000] 127.0.0.1:49282 \"GET /products/ 1.1\" Temporary Redirect 307 0 0.038258",
            ),
        ] {
            let text = format!("{prefix} {line}");
            let (verdict, out) = read(&text);
            assert_eq!(Verdict::Request, verdict, "{text}");
            assert_eq!((method.as_bytes(), path.as_bytes(), Some(status)), (out.method, out.path, out.status), "{text}");
            assert_eq!((latency, Some(8046)), (out.latency_us, out.pid), "{text}");
        }
    }

    #[test]
    fn prose_behind_a_quotation_is_no_phrase() {
        for text in ["INFO:     1.2.3.4:5 - \"GET / HTTP/1.1\" was seen by", "User said: \"GET /fake 1.1\" OK 200"] {
            assert_ne!(Verdict::Request, read(text).0, "{text}");
        }
    }
}
