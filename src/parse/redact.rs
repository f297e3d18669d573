//! What may be shown of a text that came from strangers: exception messages and example lines without the values that
//! could name a person or open a door.
//!
//! Replaced by `…`: quoted text, e-mail and network addresses, numbers from four digits, tokens, and what follows a
//! key such as `password=`. Control characters and those that reorder text become `\u{fffd}`. Which lines are shown is
//! left to others.

/// The most characters shown of a message.
pub const LONGEST: usize = 200;

const GONE: char = '…';

/// Keys whose value is never shown.
const SECRET: [&str; 14] = [
    "password",
    "passwd",
    "pwd",
    "token",
    "secret",
    "api_key",
    "apikey",
    "key",
    "authorization",
    "cookie",
    "session",
    "bearer",
    "basic",
    "signature",
];

/// Keys of access lines whose value is never shown.
const PERSONAL: [&str; 22] = [
    "user",
    "user_id",
    "userid",
    "username",
    "uid",
    "usr",
    "email",
    "addr",
    "client",
    "client_addr",
    "client_ip",
    "clientip",
    "ip",
    "remote_addr",
    "remote_user",
    "remote_ip",
    "referer",
    "referrer",
    "http_referer",
    "query",
    "query_string",
    "qs",
];

/// A message redacted: at most 200 characters, one line, no control character.
pub fn message(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim();
    let mut before = ' ';
    let mut secret = false;
    while let Some(first) = rest.chars().next() {
        if out.chars().count() >= LONGEST {
            break;
        }
        if matches!(first, '\'' | '"' | '`') && !before.is_alphanumeric() {
            let (inside, tail) = quoted(rest, first);
            out.push(first);
            out.push(GONE);
            out.push(first);
            (before, rest, secret) = (first, tail, inside == 0 && secret);
            continue;
        }
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            out.push(if first.is_whitespace() { ' ' } else { safe(first) });
            (before, rest) = (first, rest.get(first.len_utf8()..).unwrap_or_default());
            continue;
        }
        let (word, tail) = rest.split_at(end);
        if secret {
            out.push(GONE);
        } else {
            redact_word(word, &mut out);
        }
        secret = ends_secret(word);
        (before, rest) = (word.chars().next_back().unwrap_or(' '), tail);
    }
    clip(out)
}

fn clip(mut out: String) -> String {
    if let Some((at, _)) = out.char_indices().nth(LONGEST) {
        out.truncate(out.char_indices().nth(LONGEST - 1).map_or(at, |(i, _)| i));
        out.push(GONE);
    }
    out
}

/// Whether the value after this word is a secret: `password=`, `token:`, `Bearer`.
fn ends_secret(word: &str) -> bool {
    let bare = word.trim_end_matches(['=', ':']);
    let marked = bare.len() < word.len();
    SECRET.iter().any(|key| bare.eq_ignore_ascii_case(key) && (marked || matches!(*key, "bearer" | "basic")))
}

/// The bytes inside a quotation that begins `text`, and what follows it; an open one goes to the end.
fn quoted(text: &str, sign: char) -> (usize, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        let next = text.get(at + c.len_utf8()..).unwrap_or_default();
        if c == sign && !escaped && !next.chars().next().is_some_and(char::is_alphanumeric) {
            return (at - 1, next);
        }
        escaped = c == '\\' && !escaped;
    }
    (text.len() - 1, "")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '+' | '/' | ':' | '=' | '%' | '~' | '?' | '&' | '#')
}

fn safe(c: char) -> char {
    let reorders =
        matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || reorders { '\u{fffd}' } else { c }
}

fn redact_word(word: &str, out: &mut String) {
    let inner = word.trim_matches(['.', ':', '@', '=']);
    if inner.contains('@') || is_address(inner) {
        out.push(GONE);
        return;
    }
    if let Some((key, value)) = word.split_once('=').filter(|(k, v)| !v.is_empty() && ends_secret(&format!("{k}="))) {
        out.push_str(key);
        out.push('=');
        out.push(if value.is_empty() { '=' } else { GONE });
        return;
    }
    // A query is never shown.
    let word = word.split_once('?').map_or(word, |(path, _)| path);
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        if is_token(part) {
            out.push(GONE);
        } else {
            short_numbers(part, out);
        }
        let mut after = tail.chars();
        if let Some(c) = after.next() {
            out.push(safe(c));
        }
        rest = after.as_str();
    }
}

/// An IPv4 or IPv6 address, with or without a port.
fn is_address(word: &str) -> bool {
    let host = word.trim_start_matches('[');
    let colons = host.matches(':').count();
    let four = host.split(':').next().unwrap_or_default();
    let dotted = four.split('.').count() == 4
        && four.split('.').all(|p| !p.is_empty() && p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit()));
    let six = colons >= 2
        && !is_clock(host)
        && host.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%'))
        && host.len() > 3;
    dotted || six
}

/// A time of day, `00:34:55` or with a fraction.
fn is_clock(word: &str) -> bool {
    let (clock, fraction) = word.split_once('.').unwrap_or((word, "0"));
    clock.len() == 8
        && clock.split(':').filter(|two| two.len() == 2).count() == 3
        && clock.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit() || b == b':')
}

/// Long runs of letters and digits mixed, or letters too many for any word.
fn is_token(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let letters = part.bytes().filter(u8::is_ascii_alphabetic).count();
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let mixed = digits > 0 && letters > 0;
    mixed && (hex && part.len() >= 8 || part.len() >= 16)
        || letters >= 32 && !part.contains('_')
        || part.starts_with("eyJ") && part.len() > 16
}

fn short_numbers(part: &str, out: &mut String) {
    let mut rest = part;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (text, tail) = rest.split_at(at);
        out.push_str(text);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (digits, tail) = tail.split_at(end);
        if digits.len() >= 4 {
            out.push(GONE);
        } else {
            out.push_str(digits);
        }
        rest = tail;
    }
    out.push_str(rest);
}

/// An access line fit to be shown: `route` in place of its target (`path` and the query behind it), `-` for addresses,
/// users, referrers and the like. At most 200 characters.
pub fn example(line: &str, path: &str, route: &str) -> String {
    let shown = target(line, path, route);
    let shown = user(&shown);
    let mut out = String::new();
    for word in shown.split_inclusive([' ', '"', ',', '{', '}']) {
        let sign = word.chars().next_back().filter(|c| matches!(c, ' ' | '"' | ',' | '{' | '}'));
        let text = word.strip_suffix([' ', '"', ',', '{', '}']).unwrap_or(word);
        let bare = text.trim_matches(['[', ']', '(', ')', '\'']);
        let located = bare.contains("://")
            || is_address(bare)
            || bare.trim_matches(['<', '>']).split_once('@').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        let key = text.split_once('=').filter(|(k, _)| personal(k));
        // `tcp:port=80:interface=127.0.0.1`: daphne says so where it listens
        let located = located || key.is_none() && text.contains('=') && text.rsplit('=').next().is_some_and(is_address);
        match (located, key) {
            (true, _) => out.push('-'),
            (_, Some((key, _))) => {
                out.push_str(key);
                out.push_str("=-");
            }
            _ => out.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { safe(c) })),
        }
        out.extend(sign);
    }
    clip(json_values(&out))
}

fn personal(key: &str) -> bool {
    let key = key.rsplit(['.', ' ']).next().unwrap_or(key);
    PERSONAL.iter().chain(&SECRET).any(|k| key.eq_ignore_ascii_case(k))
}

/// `"user": "anna"` to `"user": "-"`.
fn json_values(line: &str) -> String {
    let mut out = String::new();
    let mut hide = false;
    let mut key = "";
    for (n, part) in line.split('"').enumerate() {
        if n > 0 {
            out.push('"');
        }
        if n % 2 == 1 {
            out.push_str(if hide { "-" } else { part });
            key = part;
            hide = false;
        } else {
            hide = part.trim() == ":" && personal(key);
            let bare = part.trim_start().starts_with(':') && part.trim() != ":" && personal(key);
            out.push_str(if bare { ": -, " } else { part });
        }
    }
    out
}

/// `route` in place of the first `path` that stands as a word, and of what follows it up to a blank or quote.
fn target(line: &str, path: &str, route: &str) -> String {
    let stands = |at: &usize| {
        let before = line.get(..*at).unwrap_or_default();
        let word = before.rsplit([' ', '"', '=']).next().unwrap_or_default();
        word.is_empty() || word.contains("://") || word.ends_with(['\'', '[', '('])
    };
    let found = if path.is_empty() { None } else { line.match_indices(path).map(|(at, _)| at).find(stands) };
    let Some(at) = found else { return line.to_owned() };
    let (head, tail) = line.split_at(at);
    let rest = tail.get(path.len()..).unwrap_or_default();
    let end = rest.find([' ', '"', ',']).unwrap_or(rest.len());
    // `http://host/path` goes as a whole.
    let start = head.rfind([' ', '"', '=']).map_or(0, |i| i + 1);
    let whole = head.get(start..).is_some_and(|scheme| scheme.contains("://"));
    let head = if whole { head.get(..start).unwrap_or_default() } else { head };
    head.to_owned() + route + rest.get(end..).unwrap_or_default()
}

/// `ADDRESS IDENT USER [date]` to `ADDRESS - - [date]`.
fn user(line: &str) -> String {
    let Some(date) = line.find(" [") else { return line.to_owned() };
    let (front, tail) = line.split_at(date);
    let mut words = front.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(_), Some("-"), Some(user)) if user != "-" => "- - -".to_owned() + tail,
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_words_and_loses_its_values() {
        for (expected, text) in [
            ("'…'", "'smtp_host'"),
            ("cannot import name '…' from '…' (/srv/shop/main.py)", "cannot import name 'x' from 'main' (/srv/shop/main.py)"),
            ("integer division or modulo by zero", "integer division or modulo by zero"),
            (
                "charge failed for uvi71-…: gateway closed the connection",
                "charge failed for uvi71-00233: gateway closed the connection",
            ),
            ("[Errno 104] Connection reset by peer", "[Errno 104] Connection reset by peer"),
            ("no user … here", "no user anna@example.org here"),
            ("can't open it, don't ask", "can't open it, don't ask"),
            ("token=… refused", "token=abc refused"),
            ("Bearer … refused", "Bearer abc.def refused"),
            ("key … gone", "key 3f2b8c91d4 gone"),
            ("id … gone", "id 9147d4c2-0bce-4def-97c0-b691b2499f73 gone"),
            ("card … and …", "card 4111111111111111 and 1234"),
            ("from …", "from 203.0.113.7:5000"),
            ("from …", "from 2001:db8::6fd0"),
            ("from …", "from 1:2:3:4:5:6:7:8"),
            ("from …", "from 10::20"),
            ("at 00:34:55,130 and 00:34:55.130", "at 00:34:55,130 and 00:34:55.130"),
            ("a '…'", "a 'cut before its end"),
            ("two lines", "two\nlines"),
            ("a \u{fffd}[31m b\u{fffd}", "a \u{1b}[31m b\u{202e}"),
            ("GET /a refused", "GET /a?q=secret refused"),
        ] {
            assert_eq!(expected, message(text), "{text}");
        }
    }

    #[test]
    fn a_message_is_short() {
        assert_eq!(200, message(&"word ".repeat(100)).chars().count());
        assert_eq!(200, message(&"ä ".repeat(3_000)).chars().count());
    }

    #[test]
    fn an_example_line_names_nobody() {
        for (expected, line, path, route) in [
            (
                "INFO:     - - \"GET /items/{id} HTTP/1.1\" 200 OK",
                "INFO:     127.0.0.1:5000 - \"GET /items/7?q=1 HTTP/1.1\" 200 OK",
                "/items/7",
                "/items/{id}",
            ),
            (
                "- - - [23/Nov/2026:00:47:22 +0000] \"GET /x HTTP/1.1\" 200 18 \"-\" \"curl/8\"",
                "203.0.113.7 - anna b [23/Nov/2026:00:47:22 +0000] \"GET /x?t=1 HTTP/1.1\" 200 18 \"https://a.example/?b=c\" \"curl/8\"",
                "/x",
                "/x",
            ),
            (
                "[2026-11-23 00:35:29 +0000] [7376] [INFO] Booting worker with pid: 7376",
                "[2026-11-23 00:35:29 +0000] [7376] [INFO] Booting worker with pid: 7376",
                "",
                "",
            ),
            ("path=/x status=500 user=- addr=-", "path=/x status=500 user=anna addr=10.0.0.1", "/x", "/x"),
            (
                "{\"path\": \"/x\", \"user\": \"-\", \"status\": 500}",
                "{\"path\": \"/x\", \"user\": \"anna\", \"status\": 500}",
                "/x",
                "/x",
            ),
            (
                "- - - [23/Nov/2026:00:47:22 +0000] \"GET / HTTP/1.1\" 200 18",
                "203.0.113.7 - - [23/Nov/2026:00:47:22 +0000] \"GET /?t=1 HTTP/1.1\" 200 18",
                "/",
                "/",
            ),
            ("Request: GET /x - Status: 500", "Request: GET http://10.0.0.1:80/x?a=b - Status: 500", "/x", "/x"),
        ] {
            assert_eq!(expected, example(line, path, route));
        }
    }
}
