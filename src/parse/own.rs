//! Lines that vitalog wrote itself: its output may go into the log it reads, or into the journal of the same unit.
//!
//! Such a line is a message and nothing else: it tells no time, ends no silence, takes no part in finding a form. The
//! beginnings are those of `write::pulse`, `write::alert`, `write::json` and of everything on standard error; what
//! stands alone in an alert's text and could be anybody's is left a plain message.

/// What standard error begins with.
const ERRORS: &[u8] = b"vitalog: ";
/// The schemas of everything written as JSON.
const SCHEMA: &[u8] = b"\"schema\":\"vitalog.";
/// Words of health, as a summary says them.
const HEALTH: [&[u8]; 4] = [b"healthy \xc2\xb7 ", b"degraded \xc2\xb7 ", b"unhealthy \xc2\xb7 ", b"unknown \xc2\xb7 "];
/// Words of a reason for it.
const REASONS: [&[u8]; 3] = [b" failed (", b" (limit ", b" needed to judge"];
/// What a line of `tail -o json` begins with.
const OBJECT: &[u8] = b"{\"type\":\"";
/// How far into a line its beginning reaches: a service's name stands there.
const BEGINNING: usize = 640;

/// Whether vitalog wrote this.
#[inline]
pub fn is_ours(text: &[u8]) -> bool {
    match text.first() {
        Some(b'v') => text.starts_with(ERRORS),
        Some(b'{') => match text.strip_prefix(OBJECT) {
            Some(rest) => is_object(rest),
            None => text.get(1..).is_some_and(|rest| rest.starts_with(SCHEMA)),
        },
        Some(b'0'..=b'9') => behind_stamp(text).is_some_and(is_summary),
        Some(b'P' | b'T' | b'R' | b'M') => is_of_an_alert(text),
        _ => false,
    }
}

fn has(text: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(text, what).is_some()
}

fn beginning(text: &[u8]) -> &[u8] {
    text.get(..BEGINNING).unwrap_or(text)
}

/// What stands behind `{"type":"` in a summary, an alert or a deploy of `tail -o json`.
#[cold]
fn is_object(rest: &[u8]) -> bool {
    let start = beginning(rest);
    rest.starts_with(b"summary\",\"time\":\"") && has(start, b"\"seconds\":") && has(start, b"\"health\":{\"status\":\"")
        || (rest.starts_with(b"alert\",") || rest.starts_with(b"deploy\",")) && has(start, SCHEMA)
}

/// What follows `2026-11-28T15:11:18Z `.
fn behind_stamp(text: &[u8]) -> Option<&[u8]> {
    let (stamp, rest) = text.split_at_checked(21)?;
    let here = |at: usize, byte: u8| stamp.get(at) == Some(&byte);
    (here(4, b'-') && here(10, b'T') && here(13, b':') && here(19, b'Z') && here(20, b' ')).then_some(rest)
}

/// What stands behind the time in a line of a summary: a service or none, then the health or, further in, what is wrong.
#[cold]
fn is_summary(rest: &[u8]) -> bool {
    let start = beginning(rest);
    if HEALTH.iter().any(|word| start.starts_with(word) || has(start, &[b" ", *word].concat())) {
        return has(start, b" request") || has(start, b"no requests in ");
    }
    let Some((name, said)) = memchr::memmem::find(start, b"  ").and_then(|at| start.split_at_checked(at)) else { return false };
    let said = said.trim_ascii_start();
    let Some(first) = said.first().filter(|_| !name.iter().any(|b| matches!(b, b' ' | b'"'))) else { return false };
    match first {
        b'n' => said.starts_with(b"new exception: "),
        b'-' => said.starts_with(b"- ") && REASONS.iter().any(|words| has(said, words)),
        b'0'..=b'9' => has(said, b" more new exception"),
        b'A'..=b'Z' => has(said, b": ") && has(said, b" of ") && has(said, b" failed ("),
        _ => false,
    }
}

/// The lines of an alert's text that nobody else writes.
#[cold]
fn is_of_an_alert(text: &[u8]) -> bool {
    let start = beginning(text);
    let headline = start.starts_with(b"PAGE") || start.starts_with(b"TICKET") || start.starts_with(b"RESOLVED");
    start.starts_with(b"Mute: vitalog mute ")
        || start.starts_with(b"Resolves by itself ")
        || headline && has(start, b": ") && [&b" (limit "[..], b" since ", b" after "].iter().any(|words| has(start, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tail_writes_is_known_again() {
        for ours in [
            "vitalog: 'app.log': json, time, latency, read from its end",
            r#"{"type":"summary","time":"2026-11-28T15:11:19.427079Z","service":null,"seconds":1,"health":{"status":"degraded","#,
            r#"{"type":"alert","schema":"vitalog.alert/1","id":"x","state":"firing","route":"POST /checkout"}"#,
            r#"{"schema":"vitalog.alert/1","id":"x"}"#,
            "2026-11-28T15:11:18Z healthy \u{b7} 278 requests (278/s) \u{b7} 7 errors (2.5 %) \u{b7} 1 start",
            "2026-11-28T15:11:18Z shop unhealthy \u{b7} 1 request \u{b7} 0 errors",
            "2026-11-28T15:11:18Z unknown \u{b7} no requests in 1 min",
            "2026-11-28T15:11:18Z   GET /recommendations: 3 of 10 failed (30.0 %), p95 12.5 ms",
            "2026-11-28T15:11:18Z   - GET /search: 2 of 23 requests failed (8.7 %)",
            "2026-11-28T15:11:18Z   new exception: TimeoutError at shop/main.py:64: it did not answer (3 times)",
            "2026-11-28T15:11:18Z   2 more new exceptions",
            "2026-11-28T15:11:18Z shop   GET /x: 1 of 2 failed (50 %)",
            "PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 03:02 UTC",
            "RESOLVED shop POST /checkout: available after 12 min",
            "Mute: vitalog mute --service shop --rule available --route 'POST /checkout' --for 2h",
            "Resolves by itself after 5 min below the limit.",
        ] {
            assert!(is_ours(ours.as_bytes()), "{ours}");
        }
    }

    #[test]
    fn what_others_write_is_theirs() {
        for theirs in [
            "",
            "{",
            "vitalog is started",
            r#"{"type":"summary","time":"2026-11-28T15:11:19Z","method":"GET","path":"/","status":200}"#,
            r#"{"type":"alert","method":"GET","path":"/","status":200}"#,
            r#"{"schema":"other/1"}"#,
            "2026-11-28T15:11:18Z INFO:     127.0.0.1:5 - \"GET / HTTP/1.1\" 200 OK",
            "2026-11-28T15:11:18Z  127.0.0.1 \"GET / HTTP/1.1\" 200",
            "2026-11-28T15:11:18Z healthy",
            "2026-11-28T15:11:18Z \"GET /x HTTP/1.1\" 200 5 \"-\" \"degraded   - 3 of 5 failed (\"",
            "2026-11-28T15:11:18Z shop   - 127.0.0.1 \"GET /x HTTP/1.1\" 200",
            "2026-11-28T15:11:18Z   ",
            "PAGE /x was called since",
            "POST /checkout HTTP/1.1 200",
            "PAGE",
            "2026-11-28T15:11:18Z ",
        ] {
            assert!(!is_ours(theirs.as_bytes()), "{theirs}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_a_panic(bytes: Vec<u8>) {
            is_ours(&bytes);
            is_ours(&[b"2026-11-28T15:11:18Z ".as_slice(), &bytes].concat());
            is_ours(&[b"{\"type\":\"".as_slice(), &bytes].concat());
        }
    }
}
