//! Prefixes that end in a bar: docker compose, honcho and foreman, pm2, supervisor.
//!
//! Forms: compose `web-1  | text`, before version 2 `web_1  | text`; honcho `00:47:52 web.1    | text`; pm2
//! `0|web  | text`, with a time `0|web  | 2026-11-23T00:34:47: text`; supervisor-stdout `web stdout | text`. Colours
//! are off already. Other prefixes are read in `pods.rs` and `hosted.rs`.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::step;
use crate::time;

/// The longest name before a bar, in bytes.
const LONGEST_NAME: usize = 128;

/// Takes docker compose's prefix off, which has two blanks at least before the bar. The service is the name without the replica's number.
pub(crate) fn compose(text: &[u8]) -> Off<'_> {
    let Some((name, text)) = name_and_text(text, 2).filter(|(name, _)| !step::is_level(name)) else { return Off::Not };
    let hint = Hint { instance: name, service: without_replica(name), ..Hint::default() };
    Off::Inner(Line { text, hint })
}

/// Takes honcho's or foreman's prefix off. The instance is the process with its number.
pub(crate) fn honcho(text: &[u8]) -> Off<'_> {
    let line = || {
        let (stamp, taken) = time::of_day(text)?;
        let (name, text) = name_and_text(text.get(taken..)?.strip_prefix(b" ")?, 1)?;
        Some(Line { text, hint: Hint { time: Some(stamp), instance: name, ..Hint::default() } })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// Takes pm2's prefix off, and the time behind it where there is one. The instance is number and name, `0|web`.
pub(crate) fn pm2(text: &[u8]) -> Off<'_> {
    let line = || {
        let (id, rest) = step::split(text.get(..LONGEST_NAME.min(text.len()))?, b'|')?;
        step::number(id)?;
        let (padded, _) = step::split(rest, b'|')?;
        let name = padded.trim_ascii_end();
        if name.len() == padded.len() || !step::is_name(name, b"_.-@/") {
            return None;
        }
        let instance = text.get(..id.len() + 1 + name.len())?;
        let text = step::after_blank(text.get(id.len() + padded.len() + 2..)?)?;
        let timed = || {
            let (stamp, taken) = time::iso(text)?;
            Some((stamp, step::after_blank(text.get(taken..)?.strip_prefix(b":")?)?))
        };
        let (time, text) = timed().map_or((None, text), |(stamp, rest)| (Some(stamp), rest));
        Some(Line { text, hint: Hint { time, instance, ..Hint::default() } })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// Takes the prefix of supervisor's stdout listener off. The instance is the process.
pub(crate) fn supervisor(text: &[u8]) -> Off<'_> {
    let line = || {
        let (name, rest) = step::split(text, b' ')?;
        let (stderr, rest) = match rest.split_at_checked(8)? {
            (b"stdout |", rest) => (false, rest),
            (b"stderr |", rest) => (true, rest),
            _ => return None,
        };
        let hint = Hint { instance: name, stderr, ..Hint::default() };
        step::is_name(name, b"_.-:").then_some(Line { text: step::after_blank(rest)?, hint })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// `NAME`, at least `blanks` blanks, `|`, a blank, `TEXT`.
fn name_and_text(text: &[u8], blanks: usize) -> Option<(&[u8], &[u8])> {
    let bar = memchr::memchr(b'|', text.get(..LONGEST_NAME.min(text.len()))?)?;
    let padded = text.get(..bar)?;
    let name = padded.trim_ascii_end();
    let text = step::after_blank(text.get(bar + 1..)?)?;
    (name.len() + blanks <= padded.len() && step::is_name(name, b"_.-")).then_some((name, text))
}

/// `web` of `web-1` and `web_1`.
fn without_replica(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    match name.get(..name.len() - digits).and_then(|n| n.split_last()) {
        Some((b'-' | b'_', service)) if digits > 0 && !service.is_empty() => service,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Stamp;

    type Wrapper = fn(&[u8]) -> Off<'_>;

    /// Instance, service, text.
    fn told(wrapper: Wrapper, raw: &str) -> Option<(String, String, String)> {
        let show = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        match wrapper(raw.as_bytes()) {
            Off::Inner(line) => Some((show(line.hint.instance), show(line.hint.service), show(line.text))),
            _ => None,
        }
    }

    #[test]
    fn name_and_text_are_told_apart_at_the_first_bar() {
        for ((instance, service, text), wrapper, raw) in [
            (("web-1", "web", "INFO:     Started"), compose as Wrapper, "web-1  | INFO:     Started"),
            (("web_1", "web", "a | b"), compose, "web_1  | a | b"),
            (("shop_web_12", "shop_web", ""), compose, "shop_web_12     | "),
            (("web-1", "web", ""), compose, "web-1  |"),
            (("shop-db", "shop-db", "x"), compose, "shop-db  | x"),
            (("1", "1", "x"), compose, "1  | x"),
            (("web-1", "web", "  | Traceback"), compose, "web-1  |   | Traceback"),
            (("web.1", "", "INFO:     x"), honcho, "00:47:52 web.1    | INFO:     x"),
            (("system", "", "web.1 started (pid=15316)"), honcho, "00:47:51 system   | web.1 started (pid=15316)"),
            (("0|web", "", "INFO:      - x"), pm2, "0|web  | INFO:      - x"),
            (("11|api-a", "", "INFO: x"), pm2, "11|api-a  | 2026-11-23T00:34:47: INFO: x"),
            (("0|web", "", ""), pm2, "0|web  | "),
            (("web", "", "INFO: x"), supervisor, "web stdout | INFO: x"),
            (("shop:web_00", "", ""), supervisor, "shop:web_00 stderr | "),
        ] {
            let expected = Some((instance.to_owned(), service.to_owned(), text.to_owned()));
            assert_eq!(expected, told(wrapper, raw), "{raw}");
        }
    }

    #[test]
    fn other_lines_are_left_alone() {
        for (wrapper, raw) in [
            (compose as Wrapper, "  | Traceback (most recent call last):"),
            (compose, "  + Exception Group Traceback (most recent call last):"),
            (compose, "a|b"),
            (compose, "two words | x"),
            (compose, "web-1  |x"),
            (compose, "uvicorn.access | x"),
            (compose, "INFO     | x"),
            (honcho, "00:47:52 web.1"),
            (honcho, "25:47:52 web.1 | x"),
            (pm2, "web  | x"),
            (supervisor, "web stdout"),
            (supervisor, "a b stdout | x"),
            (compose, ""),
        ] {
            assert_eq!(None, told(wrapper, raw), "{raw}");
        }
    }

    #[test]
    fn a_time_is_a_hint() {
        let Off::Inner(line) = pm2(b"0|web  | 1970-01-01T00:00:47: x") else { panic!() };
        assert_eq!(Some(Stamp::Local(47_000_000)), line.hint.time);
        let Off::Inner(line) = honcho(b"00:00:52 web.1 | x") else { panic!() };
        assert_eq!(Some(Stamp::OfDay(52_000_000)), line.hint.time);
    }
}
