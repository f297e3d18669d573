//! The common and the combined log format, and what servers put behind them: gunicorn, nginx, hypercorn, Apache.
//!
//! `CLIENT - USER [TIME] "REQUEST" STATUS BYTES`, then in combined `"REFERRER" "AGENT"`, then figures that have names
//! (`rt=0.035`) or none (`0.035 0.036 MISS`, `25755`). Of nameless figures the first is the request's duration, the
//! rest an upstream's. Lines without the time in brackets (`CLIENT USER "REQUEST" STATUS BYTES …`) are read too, as
//! long as something stands behind the status that is no phrase. Sources: Apache `mod_log_config`, nginx
//! `ngx_http_log_module` and `ngx_http_upstream_module`, gunicorn `access_log_format`.

use super::Auth;
use super::Cache;
use super::Ends;
use super::Record;
use super::Reject;
use super::Status;
use super::Verdict;
use super::access;
use super::access::Memo;
use super::access::Reading;
use super::access::RequestLine;
use super::access::Unit;
use super::head;
use super::head::Head;
use super::head::Refusal;
use super::hypercorn;
use crate::time::Stamp;
use crate::time::epoch;
use memchr::memchr;
use memchr::memrchr;

/// Reads one line of common or combined form. `out` is filled only on [`Verdict::Request`].
pub fn parse<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    if let Some((time, auth, body)) = usual_head(text, memo) {
        let front = Front { time: Some(time), pid: None, auth, stamped: true };
        return line(body, &front, memo.reading, out);
    }
    if let Some((_, pid, rest)) = head::supervised(text, memo)
        && let Some((time, auth, body)) = usual_head(rest, memo)
    {
        let front = Front { time: Some(time), pid: Some(pid), auth, stamped: true };
        return line(body, &front, memo.reading, out);
    }
    unusual(text, memo, out)
}

/// What the head gave.
struct Front {
    time: Option<Stamp>,
    pid: Option<u32>,
    auth: Auth,
    stamped: bool,
}

impl Front {
    fn of(head: &Head<'_>, reading: Reading) -> Self {
        let auth = match head.user {
            None => Auth::Unknown,
            Some(b"-") => nobody(head.client, reading),
            Some(_) => Auth::Authenticated,
        };
        Self { time: head.time, pid: head.pid, auth, stamped: head.stamped }
    }
}

/// `CLIENT - USER [TIME] "`, with nothing in front: the head, and what stands behind the quote.
#[inline]
fn usual_head<'a>(text: &'a [u8], memo: &mut Memo) -> Option<(Stamp, Auth, &'a [u8])> {
    let blank = access::first_blank(text)?;
    let (client, rest) = text.split_at_checked(blank)?;
    let (auth, rest) = match rest {
        [b' ', b'-', b' ', b'-', b' ', b'[', rest @ ..] => (nobody(client, memo.reading), rest),
        [b' ', b'-', b' ', rest @ ..] => {
            let open = memchr(b'[', rest.get(..rest.len().min(72))?)?;
            let user = rest.get(..open)?.strip_suffix(b" ")?;
            (
                if user.is_empty() || memchr(b'"', user).is_some() { return None } else { Auth::Authenticated },
                rest.get(open + 1..)?,
            )
        }
        _ => return None,
    };
    if matches!(client.first(), None | Some(b'[' | b'#' | b'{')) {
        return None;
    }
    let (stamp, taken) = memo.clf(rest)?;
    let body = rest.get(taken..)?.strip_prefix(b"] \"")?;
    Some((stamp, auth, body))
}

/// What a `-` in the place of the user says.
fn nobody(client: &[u8], reading: Reading) -> Auth {
    if reading.no_users || has_port(client) { Auth::Unknown } else { Auth::Anonymous }
}

/// Whether the client is written with its port. The servers that do so (hypercorn, asgi-logger) know no users and
/// always write a `-` for them.
pub(super) fn has_port(client: &[u8]) -> bool {
    let dotted = |colon| memchr(b'.', client.get(..colon).unwrap_or_default()).is_some();
    access::has(client, b':') && memrchr(b':', client).is_some_and(dotted)
}

#[cold]
fn unusual<'a>(text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    let Some(quote) = memchr(b'"', text) else { return Verdict::NotMine };
    let (Some(before), Some(body)) = (text.get(..quote), text.get(quote + 1..)) else { return Verdict::NotMine };
    if let Some(time) = runserver(before) {
        return line(body, &Front { time: Some(time), pid: None, auth: Auth::Unknown, stamped: true }, memo.reading, out);
    }
    let head = match head::read(before, memo) {
        Ok(head) => head,
        Err(Refusal::Broken(reject)) => return Verdict::Malformed(reject),
        Err(Refusal::NotMine) => return Verdict::NotMine,
    };
    if granian(&head) && body.last() != Some(&b'"') {
        return Verdict::NotMine;
    }
    line(body, &Front::of(&head, memo.reading), memo.reading, out)
}

/// `[13/Jul/2023 00:07:16] `: the time, alone and with a blank in it, is all that Django's runserver writes.
fn runserver(before: &[u8]) -> Option<Stamp> {
    let inside = before.strip_prefix(b"[")?.strip_suffix(b"] ")?;
    let (stamp, taken) = crate::time::clf(inside)?;
    (taken == inside.len() && inside.get(11) == Some(&b' ')).then_some(stamp)
}

/// `[TIME] CLIENT - "` is granian's own form, whose figure is in milliseconds.
fn granian(head: &Head<'_>) -> bool {
    head.prefixed && !head.logged && !head.stamped && head.time.is_some()
}

/// Request line, status and what follows.
#[inline]
fn line<'a>(body: &'a [u8], front: &Front, reading: Reading, out: &mut Record<'a>) -> Verdict {
    let Some(request) = access::request(body) else {
        return if front.stamped && access::sets_out(body) { Verdict::Malformed(Reject::Cut) } else { Verdict::NotMine };
    };
    let (status, rest) = match access::status(request.rest) {
        Ok(found) => found,
        Err(reject) => match hypercorn::phrase_first(request.rest) {
            Some(found) => found,
            None if front.stamped => return Verdict::Malformed(reject),
            None => return Verdict::NotMine,
        },
    };
    if request.method.starts_with(b"WS") && status == 0 {
        return Verdict::NotMine;
    }
    if !front.stamped {
        let (bytes, behind) = size(rest);
        let unsized_here = bytes.is_none() && behind.len() == rest.len();
        if unsized_here && figure(rest).is_none() {
            return Verdict::NotMine;
        }
    }
    record(&request, status, rest, front, reading, out);
    Verdict::Request
}

#[inline]
fn record<'a>(
    request: &RequestLine<'a>,
    status: Status,
    rest: &'a [u8],
    front: &Front,
    reading: Reading,
    out: &mut Record<'a>,
) {
    let (bytes, rest) = size(rest);
    let mut tail = Tail::default();
    tail.read(rest, reading);
    let socket = status == 101;
    // field by field: a whole record built first would be copied
    *out = Record::default();
    out.method = if socket { b"WEBSOCKET" } else { request.method };
    out.path = request.path;
    out.status = Some(status);
    out.bytes = bytes;
    out.latency_us = if socket { None } else { tail.latency_us };
    out.ends = tail.ends;
    out.time = front.time;
    out.auth = front.auth;
    out.cache = tail.cache;
    out.request_id = tail.request_id;
    out.pid = front.pid.or(tail.pid);
}

/// The size behind one blank, and what follows it; a `-` and anything else is no size.
#[inline]
fn size(rest: &[u8]) -> (Option<u64>, &[u8]) {
    let Some(digits) = rest.strip_prefix(b" ") else { return (None, rest) };
    if let Some(chunk) = digits.first_chunk::<8>() {
        let (count, value) = access::leading_digits(*chunk);
        let behind = digits.get(count as usize..).unwrap_or_default();
        if count > 0 && behind.first() == Some(&b' ') {
            return (Some(value), behind);
        }
    }
    let mut value: u64 = 0;
    let mut taken = 0;
    for &byte in digits.iter().take(18) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u64::from(digit);
        taken += 1;
    }
    if taken == 0 && digits.first() == Some(&b'-') && matches!(digits.get(1), None | Some(b' ')) {
        return (None, digits.get(1..).unwrap_or_default());
    }
    match digits.get(taken) {
        None | Some(b' ') if taken > 0 => (Some(value), digits.get(taken..).unwrap_or_default()),
        _ => (None, rest),
    }
}

/// A decimal figure behind one blank: a duration where no size is written.
fn figure(rest: &[u8]) -> Option<&[u8]> {
    let token = rest.strip_prefix(b" ")?;
    let token = token.get(..memchr(b' ', token).unwrap_or(token.len()))?;
    (memchr(b'.', token).is_some() && access::micros(token, Unit::Seconds).is_some()).then_some(token)
}

/// The figure of a line that ends in a quoted text and an integer behind it, and has nothing but quoted texts before.
#[inline]
fn lone_integer(rest: &[u8]) -> Option<u64> {
    let (count, value) = access::trailing_digits(*rest.last_chunk::<8>()?);
    let before = rest.get(..rest.len() - count as usize)?;
    let quoted = matches!(before, [b' ', b'"', .., b'"', b' ']) && before.get(before.len().checked_sub(3)?) != Some(&b'\\');
    (count > 0 && quoted).then_some(value)
}

/// What stands behind status and size: quoted texts that are passed over, and figures.
#[derive(Default)]
struct Tail<'a> {
    latency_us: Option<u64>,
    ends: Ends,
    cache: Cache,
    request_id: &'a [u8],
    pid: Option<u32>,
    figures: u8,
}

impl<'a> Tail<'a> {
    /// Figures stand before the first quote and behind the last one. Quoted texts come from clients, and not every
    /// server escapes the quotes in them: nothing between those two quotes is looked at, but for a named tail.
    fn read(&mut self, rest: &'a [u8], reading: Reading) {
        if rest.is_empty() {
            return;
        }
        if !reading.named_tail
            && let Some(figure) = lone_integer(rest)
        {
            self.latency_us = reading.bare_unit.and_then(|unit| access::scaled(figure, unit));
            return;
        }
        let Some(last) = memrchr(b'"', rest) else { return self.tokens(rest, reading) };
        if !rest.starts_with(b" \"") {
            let first = memchr(b'"', rest).unwrap_or(last);
            self.tokens(rest.get(..first).unwrap_or_default(), reading);
        }
        let from = if reading.named_tail { named_from(rest, last) } else { last };
        let behind = rest.get(from + 1..).unwrap_or_default();
        let escaped = from > 0 && rest.get(from - 1) == Some(&b'\\');
        if behind.first() == Some(&b' ') && !escaped {
            self.tokens(behind, reading);
        }
    }

    fn tokens(&mut self, text: &'a [u8], reading: Reading) {
        let mut rest = text;
        while let Some((b' ', behind)) = rest.split_first() {
            let end = memchr(b' ', behind).unwrap_or(behind.len());
            let token = behind.get(..end).unwrap_or_default();
            rest = behind.get(end..).unwrap_or_default();
            let unit = rest.strip_prefix(b" ").and_then(|next| unit_word(next.split(|b| *b == b' ').next()?));
            if let Some(unit) = unit.filter(|_| self.figures == 0)
                && let Some(us) = access::micros(token, unit)
            {
                // the figure tells its unit in a word of its own
                self.figures = 1;
                self.latency_us = Some(us);
            } else if !token.is_empty() {
                self.token(token, reading);
            }
        }
    }

    fn token(&mut self, token: &'a [u8], reading: Reading) {
        match token {
            b"-" => self.figures = self.figures.saturating_add(1),
            [b'0'..=b'9', ..]
                if token.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'u' | b'm' | b'n' | b's')) =>
            {
                // a point in time (nginx's `$msec`) is no duration
                if epoch(token).is_some() && memchr(b'.', token).is_some() {
                    return;
                }
                self.figures = self.figures.saturating_add(1);
                if self.figures == 1 {
                    self.latency_us = access::bare_micros(token, reading);
                }
            }
            [b'A'..=b'Z', ..] if token.iter().all(u8::is_ascii_uppercase) => self.cache = cache(token),
            _ => match memchr(b'=', token) {
                Some(at) => self.named(token.get(..at).unwrap_or_default(), token.get(at + 1..).unwrap_or_default(), reading),
                None if self.request_id.is_empty() && is_id(token) => self.request_id = token,
                None => {}
            },
        }
    }

    fn named(&mut self, key: &[u8], value: &'a [u8], reading: Reading) {
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        match key {
            b"rt" | b"request_time" | b"time" | b"duration" | b"response_time" | b"process_time" | b"elapsed" | b"latency" => {
                let seconds = Reading { bare_unit: Some(reading.bare_unit.unwrap_or(Unit::Seconds)), ..reading };
                self.latency_us = self.latency_us.or_else(|| access::bare_micros(value, seconds));
                if matches!(key, b"rt" | b"request_time") {
                    self.ends = Ends::LastByte;
                }
            }
            b"us" | b"time_us" | b"duration_us" => {
                self.latency_us = self.latency_us.or_else(|| access::micros(value, Unit::Microseconds));
            }
            b"ms" | b"time_ms" | b"duration_ms" => {
                self.latency_us = self.latency_us.or_else(|| access::micros(value, Unit::Milliseconds));
            }
            b"ucs" | b"cs" | b"cache" | b"cache_status" | b"upstream_cache_status" if value != b"-" => {
                self.cache = cache(value);
            }
            b"rid" | b"request_id" | b"req_id" | b"id" | b"x_request_id" if value != b"-" => self.request_id = value,
            b"pid" => {
                let digits = value.strip_prefix(b"<").and_then(|v| v.strip_suffix(b">")).unwrap_or(value);
                self.pid = access::number(digits).and_then(|pid| u32::try_from(pid).ok());
            }
            _ => {}
        }
    }
}

/// The unit behind a figure, where one is written there.
fn unit_word(word: &[u8]) -> Option<Unit> {
    match word {
        b"ms" | b"msec" => Some(Unit::Milliseconds),
        b"us" | b"usec" | b"\xc2\xb5s" | b"\xce\xbcs" => Some(Unit::Microseconds),
        b"ns" => Some(Unit::Nanoseconds),
        b"s" | b"sec" | b"seconds" => Some(Unit::Seconds),
        _ => None,
    }
}

/// Where a named tail begins: the quote before its first figure, from the last quote backwards over `name="value"`.
fn named_from(rest: &[u8], last: usize) -> usize {
    let mut from = last;
    while let Some(open) = rest.get(..from).and_then(|r| memrchr(b'"', r)) {
        let Some(earlier) =
            (open > 0 && rest.get(open - 1) == Some(&b'=')).then(|| rest.get(..open)).flatten().and_then(|r| memrchr(b'"', r))
        else {
            break;
        };
        if rest.get(earlier + 1) != Some(&b' ') {
            break;
        }
        from = earlier;
    }
    from
}

/// Whether the line ends in named figures of which at least one is quoted (`uct="0.001"`).
pub(super) fn has_named_tail(line: &[u8]) -> bool {
    memrchr(b'"', line).is_some_and(|last| named_from(line, last) != last)
}

/// Whether the line's last word is one that only `$upstream_cache_status` writes.
pub(super) fn ends_in_cache_word(line: &[u8]) -> bool {
    let word = memrchr(b' ', line).and_then(|blank| line.get(blank + 1..)).unwrap_or_default();
    word.first().is_some_and(u8::is_ascii_uppercase) && cache(word) != Cache::Other
}

/// A cache's word as nginx (`$upstream_cache_status`), Varnish and CDNs write it.
pub(super) fn cache(word: &[u8]) -> Cache {
    match word {
        b"HIT" | b"REVALIDATED" => Cache::Hit,
        b"MISS" => Cache::Miss,
        b"EXPIRED" => Cache::Expired,
        b"STALE" | b"UPDATING" => Cache::Stale,
        b"BYPASS" | b"PASS" | b"DYNAMIC" => Cache::Bypass,
        _ => Cache::Other,
    }
}

/// A request's id: at least 8 letters, digits and dashes, one digit among them.
fn is_id(token: &[u8]) -> bool {
    (8..=128).contains(&token.len())
        && token.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'))
        && token.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn read(text: &str, reading: Reading) -> (Verdict, Record<'_>) {
        let mut out = Record::default();
        let verdict = parse(text.as_bytes(), &mut Memo::new(reading), &mut out);
        (verdict, out)
    }

    const TOLD: Reading = Reading { bare_unit: Some(Unit::Microseconds), day_first: None, named_tail: false, no_users: false };
    const NAMED: Reading = Reading { bare_unit: None, day_first: None, named_tail: true, no_users: false };
    const AT: &str = "127.0.0.1 - - [23/Nov/2026:00:36:48 +0000]";

    #[test]
    fn the_duration_is_the_first_figure_and_its_unit_is_never_guessed() {
        for (latency, reading, tail) in [
            (None, Reading::default(), "200 12 \"-\" \"kube-probe/1.29\""),
            (None, Reading::default(), "200 12 \"-\" \"kube-probe/1.29\" 250"),
            (Some(250), TOLD, "200 12 \"-\" \"kube-probe/1.29\" 250"),
            (Some(35_000), Reading::default(), "200 45 \"-\" \"curl/8.5.0\" 0.035 0.036 MISS"),
            (Some(0), Reading::default(), "200 45 \"-\" \"-\" 0.000 - HIT"),
            (Some(1_000), Reading::default(), "502 45 \"-\" \"-\" 0.001 0.000, 0.036 BYPASS"),
            (Some(23_080), Reading::default(), "404 22 \"-\" \"evil \"agent\" <b>x</b>\" 0.023080 for71-00008"),
            (
                Some(35_000),
                NAMED,
                "200 45 \"-\" \"x\" \"2001:db8::a75c\" rt=0.035 uct=\"0.001\" uht=\"0.035\" urt=\"0.036\" ucs=MISS rid=364df51dc4d1",
            ),
            (Some(35_000), NAMED, "200 45 \"-\" \"x\" \"-\" rt=0.035 uct=\"0.001, 0.002\" urt=\"0.036\""),
            (Some(15_989), Reading::default(), "200 493 \"Googlebot/2.1\" request_time=0.015989 us=15989"),
            (Some(10_000), Reading::default(), "200 11 10ms pid=<15237>"),
            (Some(3), Reading::default(), "200 512 \"-\" \"Mozilla/5.0\" 0.003 ms"),
            (Some(12_000), Reading::default(), "200 512 \"-\" \"Mozilla/5.0\" 12 ms"),
            (Some(7), Reading::default(), "200 512 \"-\" \"Mozilla/5.0\" 7 \u{b5}s"),
            (Some(21_794), Reading::default(), "200 12 0.021794 gun71-00001 \"kube-probe/1.29\""),
            (None, Reading::default(), "200 12 \"-\" \"a rt=\"9.9\""),
            (None, Reading::default(), "200 12 \"-\" \"a\\\" 0.5"),
            (None, Reading::default(), "200 12 \"-\" \"cut here 0.5"),
            (None, TOLD, "200 12 \"-\" \"x\" -5"),
            (None, TOLD, "200 12 \"-\" \"x\" NaN"),
        ] {
            let text = format!("{AT} \"GET /x HTTP/1.1\" {tail}");
            let (verdict, out) = read(&text, reading);
            assert_eq!((Verdict::Request, latency), (verdict, out.latency_us), "{text}");
        }
    }

    #[test]
    fn every_part_of_the_line_is_kept() {
        let text = "127.0.0.1 - carol smith [23/Nov/2026:00:36:48 +0000] \"GET /products/5?x=1 HTTP/1.1\" 200 601 \"-\" \"x\" 0.035 0.036 MISS";
        let (verdict, out) = read(text, Reading::default());
        assert_eq!(Verdict::Request, verdict);
        assert_eq!((&b"GET"[..], &b"/products/5"[..], Some(200), Some(601)), (out.method, out.path, out.status, out.bytes));
        assert_eq!((Auth::Authenticated, Cache::Miss), (out.auth, out.cache));
        assert_eq!(Some(Stamp::Exact(Timestamp(1_795_394_208_000_000))), out.time);
        let (_, out) = read(
            "[2026-11-23 00:36:48 +0000] [7944] [INFO] 127.0.0.1:39906 - - [23/Nov/2026:00:36:48 +0000] \"GET /ws 1.1\" 101 - \"-\" \"x\"",
            TOLD,
        );
        assert_eq!((&b"WEBSOCKET"[..], Some(101), None, Some(7944)), (out.method, out.status, out.bytes, out.pid));
        assert_eq!(Auth::Unknown, out.auth);
        let (_, out) = read(
            "127.0.0.1 - - [23/Nov/2026:00:36:48 +0000] \"GET /x HTTP/1.1\" 200 1 \"-\" \"x\" \"9.9.9.9\" rt=0.1 urt=\"-\" ucs=STALE rid=364df51dc4d1",
            NAMED,
        );
        assert_eq!((Cache::Stale, &b"364df51dc4d1"[..], Auth::Anonymous), (out.cache, out.request_id, out.auth));
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_reason() {
        for (verdict, text) in [
            (Verdict::Malformed(Reject::Cut), format!("{AT} \"GET /prod")),
            (Verdict::Malformed(Reject::Cut), format!("{AT} \"GET /x HTTP/1.1\" 20")),
            (Verdict::Malformed(Reject::Status), format!("{AT} \"GET /x HTTP/1.1\" 999 5")),
            (
                Verdict::Malformed(Reject::Time),
                "127.0.0.1 - - [32/Nov/2026:00:36:48 +0000] \"GET / HTTP/1.1\" 200 5".to_owned(),
            ),
            (Verdict::NotMine, "# 127.0.0.1 - - commented".to_owned()),
            (Verdict::NotMine, "127.0.0.1:5 - \"GET / HTTP/1.1\" 200 OK".to_owned()),
            (Verdict::NotMine, "[2026-11-23 00:36:37 +0000] 127.0.0.1 - \"GET / HTTP/1.1\" 404 100.630".to_owned()),
            (Verdict::NotMine, "User said: \"GET /fake HTTP/1.1\" 200 12".to_owned()),
            (Verdict::Request, format!("{AT} \"-\" 408 0 \"-\" \"-\"")),
            (Verdict::Request, format!("{AT} \"\\x16\\x03\\x01\" 400 157 \"-\" \"-\"")),
            (Verdict::Request, format!("{AT} \"GET /\" 200 5")),
            (Verdict::Request, format!("{AT} \"GET / HTTP/1.1\" - -")),
        ] {
            assert_eq!(verdict, read(&text, Reading::default()).0, "{text}");
        }
    }
}
