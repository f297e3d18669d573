//! The log line above a traceback: who reports it, and for which request.
//!
//! A line is a head only if a traceback follows; that is the [`super::Folder`]'s to find out. The wordings are those
//! of uvicorn, gunicorn, hypercorn, granian, daphne, Flask, Django and asyncio.

use memchr::memmem;

use super::grammar;

/// Who reported an exception: decides whether a second report of it is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Reporter {
    /// The application, a middleware or a library; or nothing tells.
    #[default]
    Application,
    /// The server, after the application let the exception through.
    Server,
}

/// What a head knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) request: (String, String),
    pub(super) request_id: String,
    pub(super) pid: Option<u32>,
    pub(super) reporter: Reporter,
}

const SERVER: [&[u8]; 9] = [
    b"Exception in ASGI application",
    b"Error in ASGI Framework",
    b"Error in ASGI application",
    b"Error in WebSocket ASGI application",
    b"Error in WSGI Framework",
    b"Error handling request",
    b"Application callable raised an exception",
    b"Exception inside application",
    b"Exception in worker process",
];

const OTHERS: [&[u8]; 9] = [
    b"Exception on /",
    b"Internal Server Error: /",
    b"exception was never retrieved",
    b"Exception in callback",
    b"Exception in thread",
    b"Exception ignored in",
    b"--- Logging error ---",
    b"nhandled exception",
    b"ncaught exception",
];

/// Who speaks in a head line or under a logger's name (`uvicorn.error`, `gunicorn.error`).
pub fn reporter(text: &[u8]) -> Reporter {
    let server = SERVER.iter().any(|p| has(text, p))
        || [&b"uvicorn.error"[..], b"gunicorn.error", b"hypercorn.error", b"daphne.server", b"_granian"]
            .iter()
            .any(|l| has(text, l));
    if server { Reporter::Server } else { Reporter::Application }
}

fn has(text: &[u8], what: &[u8]) -> bool {
    memmem::find(text, what).is_some()
}

/// What the line says if it can be a head: it has an error level or a known wording. `None` for any other.
pub(super) fn read(text: &[u8]) -> Option<Head> {
    if text.starts_with(b"{") || text.len() > 4096 {
        return None;
    }
    let hot =
        has(text, b"rror") || has(text, b"RROR") || has(text, b"xception") || has(text, b"RITICAL") || has(text, b"FATAL");
    if !hot || !(is_error(text) || SERVER.iter().chain(&OTHERS).any(|p| has(text, p))) {
        return None;
    }
    let mut head = Head { request: request(text), pid: pid(text), reporter: reporter(text), ..Head::default() };
    identify(text, &mut head.request_id);
    Some(head)
}

/// A level word for errors in the first part of the line, standing alone.
fn is_error(text: &[u8]) -> bool {
    let front = text.get(..120).unwrap_or(text);
    [&b"ERROR"[..], b"CRITICAL", b"FATAL", b"[error", b"level=error"].iter().any(|word| {
        memmem::find(front, word).is_some_and(|at| {
            let before = at.checked_sub(1).and_then(|i| front.get(i)).copied().unwrap_or(b' ');
            let after = front.get(at + word.len()).copied().unwrap_or(b' ');
            !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric() && before != b'_' && after != b'_'
        })
    })
}

/// A request's id where a line names one as `request_id=…` and the like.
pub(super) fn identify(text: &[u8], into: &mut String) {
    for key in [&b"request_id="[..], b"correlation_id=", b"req_id=", b"rid="] {
        if let Some(at) = memmem::find(text, key) {
            let value = text.get(at + key.len()..).unwrap_or_default();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let end = value.iter().position(|b| matches!(b, b' ' | b'"' | b',' | b']' | b'\'')).unwrap_or(value.len());
            *into = String::from_utf8_lossy(value.get(..end.min(128)).unwrap_or_default()).into_owned();
            return;
        }
    }
}

/// Method and path, where the line names the request that failed.
fn request(text: &[u8]) -> (String, String) {
    let after = |what: &[u8]| memmem::find(text, what).and_then(|at| text.get(at + what.len()..));
    let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..256).unwrap_or(bytes)).into_owned();
    let path = |bytes: &[u8]| owned(bytes.split(|b| matches!(b, b'?' | b' ')).next().unwrap_or_default());
    if let Some(rest) = after(b"Exception on /") {
        let end = memmem::rfind(rest, b" [").unwrap_or(rest.len());
        let target = rest.get(..end).unwrap_or_default().split(|b| *b == b'?').next().unwrap_or_default();
        let method = rest.get(end + 2..).unwrap_or_default();
        return (owned(method.strip_suffix(b"]").unwrap_or(method)), "/".to_owned() + &owned(target));
    }
    if let Some(rest) = after(b"Error handling request ") {
        let word = rest.iter().take_while(|b| b.is_ascii_uppercase()).count();
        let target = rest.get(word..).unwrap_or_default().trim_ascii_start();
        if target.starts_with(b"/") {
            return (owned(rest.get(..word).unwrap_or_default()), path(target));
        }
    }
    if let Some(rest) = after(b"Internal Server Error: /") {
        return (String::new(), "/".to_owned() + &path(rest));
    }
    (String::new(), String::new())
}

/// The process of gunicorn's and hypercorn's prefix, `[date] [pid] [LEVEL]`.
fn pid(text: &[u8]) -> Option<u32> {
    let front = text.get(..80).unwrap_or(text);
    let at = memmem::find(front, b"] [")?;
    let rest = front.get(at + 3..)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    (rest.get(digits) == Some(&b']')).then(|| grammar::number(rest.get(..digits)?))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_request_process_and_reporter() {
        let table: [(&str, &str, Option<u32>, Reporter, &str); 5] = [
            (
                "POST",
                "/orders",
                None,
                Reporter::Application,
                "[2026-11-23 00:47:45,083] ERROR in app: Exception on /orders [POST]",
            ),
            (
                "GET",
                "/debug/sleep",
                Some(15306),
                Reporter::Server,
                "[2026-11-23 00:47:48 +0000] [15306] [ERROR] Error handling request GET /debug/sleep?s=5",
            ),
            ("", "/x", Some(7), Reporter::Server, "[2019-11-23 00:47:48 +0000] [7] [ERROR] Error handling request /x?a=1"),
            ("", "/cart", None, Reporter::Application, "Internal Server Error: /cart"),
            ("", "", None, Reporter::Server, "ERROR:    Exception in ASGI application"),
        ];
        for (method, path, pid, reporter, line) in table {
            let head = read(line.as_bytes()).unwrap();
            assert_eq!((method, path), (head.request.0.as_str(), head.request.1.as_str()), "{line}");
            assert_eq!((pid, reporter), (head.pid, head.reporter), "{line}");
        }
    }

    #[test]
    fn a_line_without_error_is_no_head() {
        for line in ["INFO:     ready", "rate limit for u6", "{\"level\": \"ERROR\"}", "MY_ERROR_COUNT is 3", "errors: 0"] {
            assert_eq!(None, read(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn a_request_id_is_taken_from_a_head() {
        let head =
            read(b"2026-11-23T01:36:55.250180 [error    ] Uncaught exception [api.error] request_id=str71-00079").unwrap();
        assert_eq!("str71-00079", head.request_id);
    }
}
