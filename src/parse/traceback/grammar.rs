//! What one line of a traceback is, by its form alone.
//!
//! Knows no order of lines; that is the [`super::Folder`]'s. The forms are those of `CPython`'s `traceback.py`
//! (3.8 to 3.14), of loguru's formatter and of rich's boxes.

/// The words every traceback begins with.
pub(super) const HEADER: &[u8] = b"Traceback (most recent call last):";

/// One line, its margin taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class<'a> {
    /// Nothing but blanks.
    Blank,
    /// `Traceback (most recent call last):`, that of a group, or the top of a rich box.
    Header,
    /// The head of a list of frames that ends in no exception.
    Stack,
    /// `  File "…", line N, in f`: path and line.
    Frame(&'a [u8], u32),
    /// What stands under a frame: its source, `^^^^`, values, `[Previous line repeated 9 more times]`.
    Inner,
    /// One of the two sentences that link exceptions.
    Chain,
    /// The lines drawn between the members of a group.
    Rule,
    /// `Type: message` or `Type`, at the margin.
    Final(&'a [u8], &'a [u8]),
    /// A line inside a rich box, its sides taken off.
    Boxed(&'a [u8]),
    /// The bottom of a rich box.
    BoxEnd,
    /// Anything else.
    Other,
}

/// A line's place in a group: how deep, and what stands right of the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Margin<'a> {
    /// 0 for a line without a bar.
    pub(super) depth: u8,
    /// The text right of it.
    pub(super) rest: &'a [u8],
    /// The `+` of an outermost group's header.
    pub(super) opens: bool,
}

fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|b| **b == b' ').count()
}

/// The bar and what is right of it; depth 0 and the whole line where there is none.
pub(super) fn margin(line: &[u8]) -> Margin<'_> {
    let none = Margin { depth: 0, rest: line, opens: false };
    let blanks = indent(line);
    let depth = u8::try_from(blanks / 2).unwrap_or(u8::MAX);
    if depth == 0 || blanks % 2 == 1 {
        return none;
    }
    match line.get(blanks..).unwrap_or_default() {
        b"|" => Margin { depth, rest: b"", opens: false },
        [b'|', b' ', rest @ ..] => Margin { depth, rest, opens: false },
        [b'+', b' ', rest @ ..] => Margin { depth, rest, opens: true },
        rest @ [b'+', b'-', ..] if is_rule(rest) => Margin { depth, rest, opens: false },
        _ => none,
    }
}

fn is_rule(text: &[u8]) -> bool {
    text.windows(4).any(|w| w == b"----") && text.iter().all(|b| matches!(b, b'+' | b'-' | b' ' | b'.' | b'0'..=b'9'))
}

/// What `rest` (margin, prefix and trailing blanks taken off) is.
pub(super) fn classify(rest: &[u8]) -> Class<'_> {
    let blanks = indent(rest);
    let text = rest.get(blanks..).unwrap_or_default();
    let Some(&first) = text.first() else { return Class::Blank };
    if first >= 0x80
        && let Some(class) = boxed(text)
    {
        return class;
    }
    if let Some((path, line)) = frame(text.strip_prefix(b"> ").unwrap_or(text))
        && blanks + usize::from(first == b'>') > 0
    {
        return Class::Frame(path, line);
    }
    if blanks == 0 {
        return at_margin(text);
    }
    let repeated = text.starts_with(b"[Previous line repeated ");
    if blanks >= 4 || repeated { Class::Inner } else { Class::Other }
}

fn at_margin(text: &[u8]) -> Class<'_> {
    if text == HEADER || text.strip_prefix(b"Exception Group ") == Some(HEADER) {
        return Class::Header;
    }
    if text == b"The above exception was the direct cause of the following exception:"
        || text == b"During handling of the above exception, another exception occurred:"
    {
        return Class::Chain;
    }
    if is_rule(text) {
        return Class::Rule;
    }
    if text == b"Call stack:" || text == b"Stack (most recent call last):" || text.ends_with(b"(most recent call first):") {
        return Class::Stack;
    }
    last_line(text).map_or(Class::Other, |(kind, message)| Class::Final(kind, message))
}

/// `File "PATH", line N` and what may follow: path and line.
fn frame(text: &[u8]) -> Option<(&[u8], u32)> {
    let rest = text.strip_prefix(b"File \"")?;
    let end = memchr::memmem::find(rest, b"\", line ")?;
    let path = rest.get(..end)?;
    let rest = rest.get(end + 8..)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let tail = rest.get(digits..)?;
    let ends = tail.is_empty() || tail.starts_with(b", in ") || tail.starts_with(b" in ");
    if ends { Some((path, number(rest.get(..digits)?)?)) } else { None }
}

/// A decimal number of one to nine digits.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if !(1..=9).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

/// The line that names the exception: type and message (empty where none is printed). A word before a colon is a type
/// only where Python could have printed it: no level word, and lower case only behind a module.
pub(super) fn last_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| matches!(b, b':' | b' ')).unwrap_or(text.len());
    let kind = text.get(..end)?;
    let message = match text.get(end..)? {
        b"" | b":" => &b""[..],
        [b':', b' ', message @ ..] => message,
        _ => return None,
    };
    is_type(kind).then_some((kind, message))
}

fn is_type(kind: &[u8]) -> bool {
    let mut parts = 0;
    let mut last = &b""[..];
    for part in kind.split(|b| *b == b'.') {
        let word = part == b"<locals>"
            || part.first().is_some_and(|b| !b.is_ascii_digit())
                && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
        if !word {
            return false;
        }
        parts += 1;
        last = part;
    }
    if kind.len() > 200 || last == b"<locals>" {
        return false;
    }
    let loud = !last.iter().any(u8::is_ascii_lowercase);
    let proper = last.first().is_some_and(|b| !b.is_ascii_lowercase()) && !loud;
    proper || parts > 1 || matches!(last, b"error" | b"timeout" | b"herror" | b"gaierror")
}

/// Whether a type's name leaves no doubt that it is one, wherever it stands.
pub(super) fn is_sure(kind: &[u8]) -> bool {
    let last = kind.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let ends = [&b"Error"[..], b"Exception", b"Warning", b"Exit", b"Interrupt", b"Group", b"Timeout", b"Iteration"];
    ends.iter().any(|e| last.ends_with(e))
}

const LEVELS: [&[u8]; 9] = [b"TRACE", b"DEBUG", b"INFO", b"SUCCESS", b"WARNING", b"WARN", b"ERROR", b"CRITICAL", b"FATAL"];

/// Whether a line, indented or not, is the beginning of a new log line and so no part of what stands above it.
pub(super) fn begins_record(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let text = text.strip_prefix(b"[").unwrap_or(text);
    let level = LEVELS.iter().any(|l| text.strip_prefix(*l).is_some_and(|t| !t.first().is_some_and(u8::is_ascii_alphanumeric)));
    let date = matches!(text, [a, b, c, d, b'-' | b'/', ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()));
    level || date || text.starts_with("▕".as_bytes())
}

fn boxed(text: &[u8]) -> Option<Class<'_>> {
    if text.starts_with("╭".as_bytes()) {
        let heads = memchr::memmem::find(text, b"Traceback (most recent call last)").is_some();
        return Some(if heads { Class::Header } else { Class::Boxed(b"") });
    }
    if text.starts_with("╰".as_bytes()) {
        return Some(Class::BoxEnd);
    }
    let side = "│".as_bytes();
    let inside = text.strip_prefix(side)?;
    Some(Class::Boxed(inside.strip_suffix(side)?.trim_ascii()))
}

/// The frame a rich box names, `PATH:LINE in f`, put together from its wrapped lines.
pub(super) fn boxed_frame(text: &[u8]) -> Option<(&[u8], u32)> {
    let at = memchr::memmem::rfind(text, b"in ")?;
    let before = text.get(..at)?.trim_ascii_end();
    let colon = before.iter().rposition(|b| *b == b':')?;
    let path = before.get(..colon)?;
    let line = number(before.get(colon + 1..)?)?;
    (!path.is_empty()).then_some((path, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_by_its_form() {
        let table: [(Class<'_>, &str); 20] = [
            (Class::Header, "Traceback (most recent call last):"),
            (Class::Header, "Exception Group Traceback (most recent call last):"),
            (Class::Frame(b"/srv/a.py", 12), "  File \"/srv/a.py\", line 12, in f"),
            (Class::Frame(b"/srv/a.py", 12), "> File \"/srv/a.py\", line 12, in f"),
            (Class::Frame(b"x.py", 3), "  File \"x.py\", line 3"),
            (Class::Inner, "    return x"),
            (Class::Inner, "      ~~^^^"),
            (Class::Inner, "  [Previous line repeated 996 more times]"),
            (Class::Chain, "During handling of the above exception, another exception occurred:"),
            (Class::Rule, "+-+---------------- 1 ----------------"),
            (Class::Final(b"KeyError", b"'x'"), "KeyError: 'x'"),
            (Class::Final(b"KeyboardInterrupt", b""), "KeyboardInterrupt"),
            (Class::Final(b"a.f.<locals>.MyError", b"x"), "a.f.<locals>.MyError: x"),
            (Class::Final(b"socket.timeout", b"timed out"), "socket.timeout: timed out"),
            (Class::Other, "worker: polled the queue"),
            (Class::Other, "INFO: started"),
            (Class::Other, "  {'type': 'string_type'}"),
            (Class::Other, "rate limit for u6"),
            (Class::BoxEnd, "   ╰─────╯"),
            (Class::Boxed(b"/srv/a.py:12 in f"), "│ /srv/a.py:12 in f   │"),
        ];
        for (expected, line) in table {
            assert_eq!(expected, classify(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn a_groups_bar_gives_the_depth() {
        for (depth, rest, line) in [
            (1, "  File \"a\", line 1, in f", "  |   File \"a\", line 1, in f"),
            (2, "ValueError: 1", "    | ValueError: 1"),
            (1, "Exception Group Traceback (most recent call last):", "  + Exception Group Traceback (most recent call last):"),
            (1, "+-+---------------- 1 ----------------", "  +-+---------------- 1 ----------------"),
            (0, "KeyError: 1", "KeyError: 1"),
            (0, "   | x", "   | x"),
        ] {
            let got = margin(line.as_bytes());
            assert_eq!((depth, rest.as_bytes()), (got.depth, got.rest), "{line}");
        }
    }

    #[test]
    fn a_rich_frame_is_read_across_its_wraps() {
        assert_eq!(Some((&b"/srv/a.py"[..], 401)), boxed_frame(b"/srv/a.py:401 in run_asgi"));
        assert_eq!(Some((&b"/srv/a.py"[..], 401)), boxed_frame(b"/srv/a.py:401in run_asgi"));
        assert_eq!(None, boxed_frame(b"raise KeyError in the middle"));
    }
}
