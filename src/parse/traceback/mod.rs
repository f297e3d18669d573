//! Tracebacks to exceptions: which lines belong to one, and what it says at its end.
//!
//! One [`Folder`] follows one stream of lines (one instance, one process where that is known). It decides by the
//! grammar of `CPython`'s tracebacks and never by time. Kept of a whole traceback: the final type of its chain, the
//! innermost application frame, a bounded sample of the message. Telling streams apart, counting lines and tying an
//! exception to its request are left to others.

mod grammar;
mod head;
mod place;
mod text;

pub use head::Reporter;
pub use head::reporter;
pub use text::of_stacks;
pub use text::parse_text;

use std::borrow::Cow;

use grammar::Class;
use serde::Deserialize;
use serde::Serialize;

use super::Exception;

/// The longest traceback in lines; what follows is no part of it.
pub const LONGEST: u32 = 10_000;
/// The most bytes kept of a message.
const SAMPLE: usize = 1_000;
/// Lines of others that may stand between two pieces of one traceback.
const STRANGERS: u8 = 16;
/// Lines that may stand between a head and its traceback.
const HELD: u32 = 40;

/// What a line was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taken {
    /// No part of a traceback: it goes on to the other parsers.
    #[default]
    Outside,
    /// A line of a traceback.
    Part,
    /// Perhaps a line of a traceback: `settled_…` of a later [`Offer`] tells. Time, process and nothing else may be read
    /// from it meanwhile; it is no access line.
    Held,
    /// A line of tracebacks interleaved beyond telling apart: malformed, [`super::Reject::Interleaved`].
    Torn,
}

/// The answer to one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// What this line is.
    pub taken: Taken,
    /// Of the lines held before it: how many were traceback lines after all …
    pub settled_traceback: u32,
    /// … and how many were messages.
    pub settled_message: u32,
    /// The exception that was complete before this line.
    pub ended: Option<Exception>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum State {
    #[default]
    Idle,
    /// An indented line was held that could be the inside of a traceback whose beginning is missing.
    Maybe,
    /// A head was held.
    Head,
    /// Below a header, the type not yet seen.
    Frames,
    /// Between a sentence of a chain and the next header.
    Chained,
    /// The type was seen; the message, notes, members or a chain may follow.
    After,
    /// A list of frames that ends in no exception.
    Stack,
    /// Several tracebacks at once.
    Broken,
}

/// Inside which part of a message that is not told by indentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Inside {
    #[default]
    Nothing,
    /// Between two `"""`: another process' traceback as text.
    Quotes,
    /// Behind `[SQL: ` up to its `]`.
    Statement,
    /// Below `Call stack:` of a logging error.
    CallStack,
}

/// The state machine over one stream of lines. Bounded: a few kilobytes whatever arrives.
///
/// While it [is open](Self::is_open), every line is [offered](Self::offer) to it before any other parser sees it. A
/// line that nothing else understands may [begin](Self::begin) something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "independent observations, not states: those are in `state`")]
pub struct Folder {
    state: State,
    inside: Inside,
    /// Lines held and not settled.
    held: u32,
    /// Lines since the header, at most [`LONGEST`].
    lines: u32,
    /// What stands before each line of this traceback, digits written as `0`; at most 128 bytes.
    prefix: Vec<u8>,
    /// Below an exception group's header.
    group: bool,
    /// The depth of the exception that gives the type: 0, 1 for a group, more where groups of one are looked through.
    level: u8,
    /// A frame was seen since the header.
    framed: bool,
    /// The last line of a group was the rule that ends it.
    closed: bool,
    /// Another traceback was still without its type when this one began: theirs could be mixed.
    doubt: bool,
    /// Lines of others since the last own one.
    strangers: u8,
    /// Types still awaited, while broken.
    open: u8,
    /// The innermost application frame of the exception at `level` so far.
    place: String,
    /// The wrapped pieces of one frame in a rich box, at most 512 bytes.
    piece: Vec<u8>,
    kind: String,
    message: Vec<u8>,
    request: (String, String),
    request_id: String,
    pid: Option<u32>,
    reporter: Reporter,
    /// A frame of a background task or of a WebSocket was seen.
    no_answer: bool,
}

/// `text` cut to at most `limit` bytes, at a character's border.
fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
}

/// The line without blanks at its end, a NUL byte read as a blank.
fn readable(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.trim_ascii_end();
    if memchr::memchr(0, line).is_none() {
        return Cow::Borrowed(line);
    }
    Cow::Owned(line.iter().map(|b| if *b == 0 { b' ' } else { *b }).collect())
}

fn own(bytes: &[u8], limit: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes)).into_owned();
    shorten(&mut text, limit);
    text
}

impl Folder {
    /// Whether something is open: if so the next line must be [offered](Self::offer) first.
    pub fn is_open(&self) -> bool {
        self.state != State::Idle
    }

    /// Whether an exception is complete but for lines that may still belong to it: a pause in a live log ends it.
    pub fn is_complete(&self) -> bool {
        self.state == State::After && self.inside == Inside::Nothing
    }

    /// The process its head names: tells the tracebacks of several workers apart.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Asks whether a line (wrapper and colours taken off) belongs to what is open.
    pub fn offer(&mut self, line: &[u8]) -> Offer {
        let line = &*readable(line);
        if self.lines >= LONGEST {
            return self.close();
        }
        match self.state {
            State::Idle => Offer::default(),
            State::Maybe => self.maybe(line),
            State::Head => self.below_head(line),
            State::Frames | State::Chained => self.inside_frames(line),
            State::After => self.after(line),
            State::Stack => self.stack(line),
            State::Broken => self.broken(line),
        }
    }

    /// Asks whether a line that is nothing else begins a traceback, or may be the head of one.
    pub fn begin(&mut self, line: &[u8]) -> Offer {
        let line = &*readable(line);
        if self.is_open() || line.is_empty() {
            return Offer::default();
        }
        if self.header(line) || self.headless(line) {
            return self.part();
        }
        let margin = grammar::margin(line);
        if grammar::classify(margin.rest) == Class::Stack {
            self.state = State::Stack;
            return self.part();
        }
        if matches!(grammar::classify(margin.rest), Class::Inner) && !grammar::begins_record(margin.rest) {
            self.state = State::Maybe;
            return self.hold();
        }
        let Some(head) = head::read(line) else { return Offer::default() };
        self.state = State::Head;
        (self.request, self.request_id) = (head.request, head.request_id);
        (self.pid, self.reporter) = (head.pid, head.reporter);
        self.hold()
    }

    /// Ends the stream: what was held is settled, what was complete is given. An exception whose type did not come
    /// is none.
    pub fn finish(&mut self) -> Offer {
        self.close()
    }

    fn hold(&mut self) -> Offer {
        self.held += 1;
        self.lines += 1;
        Offer { taken: Taken::Held, ..Offer::default() }
    }

    fn part(&mut self) -> Offer {
        self.lines += 1;
        self.strangers = 0;
        Offer { taken: Taken::Part, settled_traceback: std::mem::take(&mut self.held), ..Offer::default() }
    }

    fn close(&mut self) -> Offer {
        let ended = (self.state == State::After).then(|| self.exception());
        let settled_message = self.held;
        *self = Self::default();
        Offer { settled_message, ended, ..Offer::default() }
    }

    fn exception(&mut self) -> Exception {
        Exception {
            kind: std::mem::take(&mut self.kind),
            message: own(self.message.trim_ascii_end(), SAMPLE),
            place: std::mem::take(&mut self.place),
            request: std::mem::take(&mut self.request),
            request_id: std::mem::take(&mut self.request_id),
            pid: self.pid,
            reporter: self.reporter,
            no_answer: self.no_answer,
        }
    }

    /// A line of somebody else between the pieces; too many of them end the wait.
    fn stranger(&mut self) -> Offer {
        let settled_message = std::mem::take(&mut self.held);
        self.strangers = self.strangers.saturating_add(1);
        let closed = if self.strangers > STRANGERS { self.close() } else { Offer::default() };
        Offer { settled_message, ..closed }
    }

    /// Opens at a header, whatever stands before it on the line. False if the line is none.
    fn header(&mut self, line: &[u8]) -> bool {
        let margin = grammar::margin(line);
        if grammar::classify(margin.rest) == Class::Header && (margin.depth > 0 || !line.starts_with(b" ")) {
            self.group = margin.depth > 0;
            self.level = margin.depth;
        } else {
            let boxed = memchr::memmem::find(line, "╭".as_bytes())
                .filter(|at| line.get(..*at).is_some_and(|p| p.trim_ascii().is_empty()));
            let Some(at) = boxed
                .filter(|at| grammar::classify(line.get(*at..).unwrap_or_default()) == Class::Header)
                .or_else(|| self.prefixed(line))
            else {
                return false;
            };
            if at > 128 {
                return false;
            }
            self.prefix = shape(line.get(..at).unwrap_or_default());
        }
        self.state = State::Frames;
        self.framed = false;
        self.place.clear();
        true
    }

    /// Where a header stands behind a logging prefix.
    fn prefixed(&mut self, line: &[u8]) -> Option<usize> {
        let before = line.strip_suffix(grammar::HEADER)?;
        let plain = before.strip_suffix(b"Exception Group ");
        let group = plain.and_then(|p| p.strip_suffix(b"  + "));
        self.group = group.is_some();
        self.level = u8::from(self.group);
        let prefix = group.or(plain).unwrap_or(before);
        (prefix.ends_with(b" ") || prefix.ends_with(b"|")).then_some(prefix.len())
    }

    /// Opens at a frame, where the beginning is missing. False if the line is none.
    fn headless(&mut self, line: &[u8]) -> bool {
        let margin = grammar::margin(line);
        let Class::Frame(path, number) = grammar::classify(margin.rest) else { return false };
        self.state = State::Frames;
        self.group = margin.depth > 0;
        self.level = margin.depth;
        self.frame(path, number);
        true
    }

    fn maybe(&mut self, line: &[u8]) -> Offer {
        let rest = grammar::margin(line).rest;
        let marks = !rest.is_empty() && rest.iter().all(|b| matches!(b, b' ' | b'^' | b'~'));
        if self.headless(line) {
            return self.part();
        }
        if marks && self.held < 2 {
            return self.hold();
        }
        self.close()
    }

    fn below_head(&mut self, line: &[u8]) -> Offer {
        if self.header(line) {
            return self.part();
        }
        let follows =
            [&b"future: "[..], b"handle: ", b"task: ", b"protocol: ", b"transport: ", b"context: ", b"source_traceback: "];
        let kept = line.is_empty()
            || line.starts_with(b" ") && !grammar::begins_record(line) && memchr::memmem::find(line, b" HTTP/").is_none()
            || follows.iter().any(|f| line.starts_with(f));
        if !kept || self.held >= HELD {
            return self.close();
        }
        if self.request_id.is_empty() {
            head::identify(line, &mut self.request_id);
        }
        self.hold()
    }

    /// The line without this traceback's own prefix, where it has it.
    fn unprefixed<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let n = self.prefix.len();
        match line.get(..n) {
            Some(front) if n > 0 && same_shape(&self.prefix, front) => line.get(n..).unwrap_or_default(),
            _ => line,
        }
    }

    fn frame(&mut self, path: &[u8], line: u32) {
        self.framed = true;
        self.no_answer |= place::is_apart(path);
        if place::is_application(path) {
            self.place = place::written(path, line);
        }
    }

    fn inside_frames(&mut self, line: &[u8]) -> Offer {
        let line = self.unprefixed(line);
        let margin = grammar::margin(line);
        if margin.opens && grammar::classify(margin.rest) == Class::Header {
            self.reopen(margin.depth);
            return self.part();
        }
        if margin.depth > 0 && self.group {
            return self.member(margin);
        }
        match grammar::classify(line) {
            Class::Blank => self.hold(),
            Class::Header => {
                self.reopen(0);
                self.part()
            }
            _ if self.group => self.stranger(),
            Class::Frame(path, number) => {
                self.state = State::Frames;
                self.frame(path, number);
                self.part()
            }
            Class::Inner if !grammar::begins_record(line) => {
                self.no_answer |= place::is_session(line);
                self.part()
            }
            Class::Boxed(content) => {
                self.boxed(content);
                self.part()
            }
            Class::BoxEnd => self.part(),
            Class::Final(kind, message) if self.strangers == 0 || grammar::is_sure(kind) => {
                self.found(kind, message);
                self.part()
            }
            _ => self.stranger(),
        }
    }

    /// A header while something is open: the next link of a chain, or another traceback in the middle of this one.
    fn reopen(&mut self, depth: u8) {
        if self.framed && self.state == State::Frames {
            let prefix = std::mem::take(&mut self.prefix);
            *self = Self { doubt: true, lines: self.lines, held: self.held, prefix, ..Self::default() };
        }
        (self.group, self.level, self.framed) = (depth > 0, depth, false);
        self.state = State::Frames;
        self.place.clear();
    }

    /// One line inside a rich box; a frame may be wrapped over several.
    fn boxed(&mut self, content: &[u8]) {
        self.framed = true;
        if content.is_empty() || self.piece.len() + content.len() > 512 {
            self.piece.clear();
            return;
        }
        self.piece.extend_from_slice(content);
        let piece = std::mem::take(&mut self.piece);
        match grammar::boxed_frame(&piece) {
            Some((path, number)) => self.frame(path, number),
            None => self.piece = piece,
        }
    }

    fn found(&mut self, kind: &[u8], message: &[u8]) {
        self.state = State::After;
        self.inside = Inside::Nothing;
        self.kind = own(kind, 200);
        self.message.clear();
        self.message.extend_from_slice(message.get(..SAMPLE).unwrap_or(message));
    }

    /// A line of an exception group: everything right of a bar belongs to it.
    fn member(&mut self, margin: grammar::Margin<'_>) -> Offer {
        let counts = margin.depth == self.level;
        self.closed = false;
        match grammar::classify(margin.rest) {
            Class::Rule => self.closed = margin.rest.iter().skip(1).all(|b| *b == b'-'),
            Class::Header if counts => self.framed = false,
            Class::Chain if margin.depth <= self.level => {
                self.level = margin.depth;
                self.state = State::Frames;
            }
            Class::Frame(path, number) if counts => self.frame(path, number),
            Class::Final(kind, message) if counts => {
                self.found(kind, message);
                if message.ends_with(b"(1 sub-exception)") {
                    self.level = self.level.saturating_add(1);
                    self.framed = false;
                }
            }
            _ => {}
        }
        self.part()
    }

    fn after(&mut self, line: &[u8]) -> Offer {
        let rest = self.unprefixed(line);
        let margin = grammar::margin(rest);
        if self.group && margin.depth > 0 && !margin.opens {
            return self.member(margin);
        }
        match (self.inside, grammar::classify(rest)) {
            (Inside::Quotes, _) if self.lines < LONGEST => {
                self.inside = if rest == b"\"\"\"" { Inside::Nothing } else { Inside::Quotes };
                self.part()
            }
            (Inside::Statement, _) if !grammar::begins_record(rest) => self.statement(rest),
            (Inside::CallStack, Class::Frame(..) | Class::Inner) => self.part(),
            (_, Class::Blank) if self.held < 4 => self.hold(),
            (_, Class::Chain) => {
                self.state = State::Chained;
                self.framed = false;
                self.part()
            }
            (_, Class::Stack) => {
                self.inside = Inside::CallStack;
                self.part()
            }
            (_, Class::Frame(path, number)) if self.kind.ends_with("ValidationError") => {
                // FastAPI ends these messages with the endpoint's frame: it is the innermost one, though off the stack.
                self.frame(path, number);
                self.part()
            }
            (_, Class::Frame(..) | Class::Inner) if self.doubt && self.held == 0 => self.tear(line),
            (_, Class::Final(kind, _)) if self.doubt && grammar::is_sure(kind) => self.tear(line),
            (_, Class::Header) => self.close(),
            _ if self.group && !self.closed => self.stranger(),
            (_, class) => self.message_line(line, rest, class),
        }
    }

    /// A line below the type that is part of its message by form; any other ends the traceback.
    fn message_line(&mut self, line: &[u8], rest: &[u8], class: Class<'_>) -> Offer {
        let quotes = rest == b"\"\"\"" && self.message.trim_ascii().is_empty();
        if quotes {
            self.inside = Inside::Quotes;
            return self.part();
        }
        let database = [
            &b"[parameters: "[..],
            b"[SQL: ",
            b"(Background on this error at: ",
            b"DETAIL: ",
            b"HINT: ",
            b"CONTEXT: ",
            b"QUERY: ",
        ];
        let database = database.iter().any(|d| rest.starts_with(d)) || rest.starts_with(b"LINE ") && self.kind.contains('.');
        if database {
            return self.statement(rest);
        }
        if self.inside == Inside::CallStack && (rest.starts_with(b"Message: ") || rest.starts_with(b"Arguments: ")) {
            return self.part();
        }
        let validation = self.kind.ends_with("ValidationError");
        let indented = rest.starts_with(b" ") || rest.starts_with(b"\t");
        let boxed = class == Class::Other && rest.len() < line.len() && self.prefix.iter().all(|b| *b == b' ');
        if (indented || boxed)
            && (self.held == 0 || validation)
            && !grammar::begins_record(line)
            && !matches!(class, Class::Frame(..))
        {
            self.keep(rest);
            return self.part();
        }
        // pydantic names each field at the margin, and what is wrong with it indented below.
        let field = validation && self.held == 0 && !rest.is_empty() && !rest.contains(&b' ') && !rest.contains(&b'"');
        if field && memchr::memmem::find(&self.message, b"validation error").is_some() {
            return self.hold();
        }
        self.close()
    }

    fn statement(&mut self, rest: &[u8]) -> Offer {
        let opens = rest.starts_with(b"[") || self.inside == Inside::Statement;
        self.inside = if opens && !rest.ends_with(b"]") { Inside::Statement } else { Inside::Nothing };
        self.part()
    }

    fn keep(&mut self, rest: &[u8]) {
        let room = SAMPLE.saturating_sub(self.message.len() + 1);
        if room > 0 {
            self.message.push(b'\n');
            self.message.extend_from_slice(rest.get(..room).unwrap_or(rest));
        }
    }

    fn stack(&mut self, line: &[u8]) -> Offer {
        match grammar::classify(line) {
            Class::Frame(..) | Class::Stack => self.part(),
            Class::Inner if !grammar::begins_record(line) => self.part(),
            _ => self.close(),
        }
    }

    /// Lines of a second traceback below the end of this one, which began inside another: whose type is whose cannot
    /// be told, and no exception is given.
    fn tear(&mut self, line: &[u8]) -> Offer {
        let settled_message = std::mem::take(&mut self.held);
        *self = Self { state: State::Broken, open: 1, lines: self.lines, ..Self::default() };
        Offer { settled_message, ..self.broken(line) }
    }

    fn broken(&mut self, line: &[u8]) -> Offer {
        self.lines += 1;
        let torn = Offer { taken: Taken::Torn, ..Offer::default() };
        let margin = grammar::margin(line);
        match grammar::classify(margin.rest) {
            Class::Header if margin.depth == 0 || margin.opens => {
                self.open = self.open.saturating_add(1);
                torn
            }
            Class::Final(kind, _) if margin.depth == 0 && grammar::is_sure(kind) => {
                self.open = self.open.saturating_sub(1);
                if self.open == 0 {
                    *self = Self::default();
                }
                torn
            }
            Class::Inner if !grammar::begins_record(line) => torn,
            Class::Frame(..) | Class::Chain | Class::Rule | Class::Header => torn,
            _ if margin.depth > 0 => torn,
            _ => self.stranger(),
        }
    }
}

fn shape(prefix: &[u8]) -> Vec<u8> {
    prefix.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }).collect()
}

fn same_shape(shape: &[u8], front: &[u8]) -> bool {
    shape.iter().zip(front).all(|(s, b)| s == b || *s == b'0' && b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exceptions, and the lines by what became of them: traceback, message (or handed on), torn.
    fn fold(text: &str) -> (Vec<Exception>, [u32; 3]) {
        let (mut folder, mut found, mut lines) = (Folder::default(), Vec::new(), [0; 3]);
        let mut count = |offer: &Offer| {
            lines[0] += offer.settled_traceback + u32::from(offer.taken == Taken::Part);
            lines[1] += offer.settled_message;
            lines[2] += u32::from(offer.taken == Taken::Torn);
        };
        let mut outside = 0;
        for line in text.lines() {
            let mut offer = folder.offer(line.as_bytes());
            count(&offer);
            found.extend(offer.ended.take());
            if offer.taken == Taken::Outside {
                offer = folder.begin(line.as_bytes());
                count(&offer);
                outside += u32::from(offer.taken == Taken::Outside);
            }
            // The state survives being stored between any two lines.
            let stored = serde_json::to_string(&folder).unwrap();
            folder = serde_json::from_str(&stored).unwrap();
        }
        let last = folder.finish();
        count(&last);
        found.extend(last.ended);
        lines[1] += outside;
        assert_eq!(Folder::default(), folder);
        assert_eq!(text.lines().count(), lines.iter().sum::<u32>() as usize, "every line is counted once: {text}");
        (found, lines)
    }

    fn one(text: &str) -> (String, String, String) {
        let (found, _) = fold(text);
        assert_eq!(1, found.len(), "{text}\n{found:?}");
        let e = found.into_iter().next().unwrap();
        (e.kind, e.message, e.place)
    }

    const CHECKOUT: &str = "Traceback (most recent call last):\n  File \"/srv/venv/lib/python3.11/site-packages/starlette/routing.py\", line 683, in app\n    await f()\n          ^^^\n  File \"/srv/shop/cart.py\", line 88, in checkout\n    raise KeyError(\"x\")\n";

    #[test]
    fn a_traceback_gives_type_message_and_innermost_own_frame() {
        let text =
            format!("{CHECKOUT}  File \"/usr/lib/python3.11/json/decoder.py\", line 1, in f\nKeyError: 'x'\nINFO:     next\n");
        assert_eq!(("KeyError".into(), "'x'".into(), "shop/cart.py:88".into()), one(&text));
        assert_eq!([8, 1, 0], fold(&text).1);
    }

    #[test]
    fn the_last_link_of_a_chain_is_the_exception() {
        for link in [
            "The above exception was the direct cause of the following exception:",
            "During handling of the above exception, another exception occurred:",
        ] {
            let text = format!(
                "{CHECKOUT}KeyError: 'x'\n\n{link}\n\nTraceback (most recent call last):\n  File \"/srv/shop/pay.py\", line 7, in pay\n    raise X\nshop.pay.PaymentError\n"
            );
            assert_eq!(("shop.pay.PaymentError".into(), String::new(), "shop/pay.py:7".into()), one(&text));
            assert_eq!([14, 0, 0], fold(&text).1);
        }
    }

    const GROUP: &str = "  + Exception Group Traceback (most recent call last):
  |   File \"/srv/shop/jobs.py\", line 5, in run
  |     async with asyncio.TaskGroup() as tg:
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File \"/srv/shop/steps.py\", line 1, in _step
    |     raise ValueError(1)
    | ValueError: 1
    +---------------- 2 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | OSError: 2
      +------------------------------------
";

    #[test]
    fn a_group_goes_by_its_own_type() {
        let message = "unhandled errors in a TaskGroup (2 sub-exceptions)";
        assert_eq!(("ExceptionGroup".into(), message.into(), "shop/jobs.py:5".into()), one(GROUP));
        assert_eq!([14, 0, 0], fold(GROUP).1);
    }

    #[test]
    fn a_group_of_one_is_looked_through_however_deep() {
        let text = "  + Exception Group Traceback (most recent call last):
  |   File \"/srv/shop/jobs.py\", line 5, in run
  | ExceptionGroup: outer (1 sub-exception)
  +-+---------------- 1 ----------------
    | Exception Group Traceback (most recent call last):
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | Traceback (most recent call last):
      |   File \"/srv/shop/steps.py\", line 9, in step
      | KeyError: 'a'
      | 
      | During handling of the above exception, another exception occurred:
      | 
      | Traceback (most recent call last):
      |   File \"/srv/shop/steps.py\", line 11, in step
      | shop.StepError: b
      +------------------------------------
";
        assert_eq!(("shop.StepError".into(), "b".into(), "shop/steps.py:11".into()), one(text));
    }

    #[test]
    fn a_line_of_somebody_else_inside_a_group_does_not_end_it() {
        let stranger = "INFO:     1.2.3.4:5 - \"GET / HTTP/1.1\" 200 OK\n    +---------------- 2";
        let text = GROUP.replacen("    +---------------- 2", stranger, 1);
        assert_eq!("ExceptionGroup", one(&text).0);
        assert_eq!([14, 1, 0], fold(&text).1);
    }

    #[test]
    fn odd_forms_of_python_are_understood() {
        let table = [
            (
                "SyntaxError",
                "invalid syntax",
                "shop/a.py:3",
                "  File \"/srv/shop/a.py\", line 3\n    def f(\n         ^\nSyntaxError: invalid syntax\n",
            ),
            (
                "RecursionError",
                "deep",
                "shop/a.py:3",
                "  File \"/srv/shop/a.py\", line 3, in f\n    f()\n  [Previous line repeated 996 more times]\nRecursionError: deep\n",
            ),
            ("KeyboardInterrupt", "", "shop/a.py:3", "  File \"/srv/shop/a.py\", line 3, in f\nKeyboardInterrupt\n"),
            ("ImportError", "no", "", "  File \"<frozen importlib._bootstrap>\", line 1206, in _gcd_import\nImportError: no\n"),
            (
                "socket.timeout",
                "timed out",
                "shop/a.py:3",
                "  File \"/srv/shop/a.py\", line 3, in f\n    x(\n    ...<2 lines>...\n    )\nsocket.timeout: timed out\n",
            ),
        ];
        for (kind, message, place, body) in table {
            let text = format!("Traceback (most recent call last):\n{body}");
            assert_eq!((kind.into(), message.into(), place.into()), one(&text));
        }
    }

    #[test]
    fn a_message_of_several_lines_is_taken_as_far_as_its_form_tells() {
        let table = [
            (
                4,
                "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Item\nname\n  Field required [type=missing]\n    For further information visit https://errors.pydantic.dev/2/v/missing\n",
            ),
            (3, "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) UNIQUE\n[SQL: INSERT INTO user\nVALUES (?)]\n"),
            (2, "psycopg2.errors.UniqueViolation: duplicate key\nDETAIL:  Key (email)=(x) already exists.\n"),
            (
                5,
                "fastapi.exceptions.ResponseValidationError: 1 validation error:\n  {'type': 'x'}\n\n  File \"/srv/shop/main.py\", line 139, in get_product\n    GET /products/{product_id}\n",
            ),
            (
                6,
                "concurrent.futures.process._RemoteTraceback: \n\"\"\"\nTraceback (most recent call last):\n  File \"a\", line 1, in f\nValueError: x\n\"\"\"\n",
            ),
            (1, "KeyError: 'x'\nrate limit for u6\n"),
            (1, "KeyError: 'x'\n           INFO     127.0.0.1 ready\n"),
        ];
        for (lines, end) in table {
            let text = format!("{CHECKOUT}{end}2026-11-23 00:00:00 INFO next\n");
            let (found, counts) = fold(&text);
            assert_eq!((1, 6 + lines), (found.len(), counts[0]), "{end}");
        }
    }

    #[test]
    fn fastapis_endpoint_is_the_innermost_frame() {
        let text = format!(
            "{CHECKOUT}fastapi.exceptions.ResponseValidationError: 1 validation error:\n  {{'type': 'x'}}\n\n  File \"/srv/shop/main.py\", line 139, in get_product\n    GET /products/{{product_id}}\n"
        );
        assert_eq!("shop/main.py:139", one(&text).2);
    }

    #[test]
    fn a_head_belongs_to_the_traceback_below_it_and_only_then() {
        let head = "[2026-11-23 00:47:48 +0000] [15306] [ERROR] Error handling request GET /debug?s=5\n";
        let (found, counts) = fold(&format!("{head}{CHECKOUT}SystemExit: 1\n"));
        assert_eq!(([8, 0, 0], Some(15306)), (counts, found[0].pid));
        assert_eq!(("GET".to_owned(), "/debug".to_owned()), found[0].request);
        assert_eq!([0, 2, 0], fold(&format!("{head}rate limit\n")).1);
        let structlog = "2026-11-23T01:36:55Z [error    ] Exception in ASGI application\n [uvicorn.error] request_id=r-1\n";
        let (found, counts) = fold(&format!("{structlog}{CHECKOUT}KeyError: 'x'\n"));
        assert_eq!(([9, 0, 0], "r-1", Reporter::Server), (counts, found[0].request_id.as_str(), found[0].reporter));
    }

    #[test]
    fn loguru_and_rich_are_read() {
        let loguru = "Traceback (most recent call last):\n\n> File \"/srv/shop/cart.py\", line 88, in f\n    g(a)\n    │ └ 1\n    └ <function g at 0x7f>\n\nKeyError: 'x'\n";
        assert_eq!(("KeyError".into(), "'x'".into(), "shop/cart.py:88".into()), one(loguru));
        let rich = "         ╭───── Traceback (most recent call last) ─────╮
         │ /srv/venv/lib/python3.11/site-packages/uvico │
         │ rn/protocols/http/httptools_impl.py:401 in r │
         │                                              │
         │   398 │   │   try:                           │
         │                                              │
         │ /srv/shop/cart.py:88 in checkout             │
         │                                              │
         │ ❱ 88 │   raise KeyError(\"x\")                │
         ╰──────────────────────────────────────────────╯
         KeyError: 'x'
INFO     next
";
        assert_eq!(("KeyError".into(), "'x'".into(), "shop/cart.py:88".into()), one(rich));
        assert_eq!([11, 1, 0], fold(rich).1);
    }

    #[test]
    fn a_prefix_before_every_line_is_taken_off() {
        let bare = format!("{CHECKOUT}KeyError: 'x'\n");
        let prefixed = bare.lines().fold(String::new(), |all, l| all + "2026-11-23 00:00:01 app | " + l + "\n");
        assert_eq!(("KeyError".into(), "'x'".into(), "shop/cart.py:88".into()), one(&prefixed));
        // uvicorn writes its level before the header alone.
        assert_eq!("KeyError", one(&format!("ERROR:    {bare}\nERROR:    Application startup failed. Exiting.\n")).0);
    }

    #[test]
    fn a_missing_beginning_is_no_obstacle_and_a_missing_end_no_exception() {
        let inside = CHECKOUT.split_once('\n').unwrap().1;
        assert_eq!("KeyError", one(&format!("    x = 1\n{inside}KeyError: 'x'\n")).0);
        let (found, counts) = fold(CHECKOUT);
        assert_eq!((0, [6, 0, 0]), (found.len(), counts));
        let (found, _) = fold(&format!("{CHECKOUT}INFO:     started again\n{CHECKOUT}KeyError: 'x'\n"));
        assert_eq!(1, found.len());
    }

    // found by the fuzz targets `traceback` and `parse`
    #[test]
    fn a_line_that_waits_when_another_traceback_begins_is_counted() {
        let cut = "Traceback (most recent call last):\n  File \"/srv/shop/pay.py\", line 9, in pay\n    open(x)\n";
        for between in [
            "FileNotFoundError:\u{1}\n\n",
            "\n",
            "\n\n",
            "\nThe above exception was the direct cause of the following exception:\n\n",
        ] {
            // `fold` itself holds the sum against the number of lines
            let (found, _) = fold(&format!("{cut}{between}{CHECKOUT}KeyError: 'x'\nINFO:     done\n"));
            assert!(found.len() <= 1, "{between:?}: {found:?}");
        }
    }

    #[test]
    fn interleaved_tracebacks_give_no_exception() {
        let other = "Traceback (most recent call last):\n  File \"/srv/shop/pay.py\", line 7, in pay\n    raise X\n";
        let rest = "  File \"/srv/shop/tax.py\", line 8, in tax\n    raise Y\n";
        let (found, counts) = fold(&format!("{CHECKOUT}{other}KeyError: 'x'\n{rest}PaymentError: y\nINFO:     on\n"));
        assert_eq!((0, [10, 1, 3]), (found.len(), counts));
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in [
            "worker: polled the queue\nValueError: is what I print\n",
            "    indented output\n    more of it\nplain\n",
            "ERROR: disk full\n\nplain\n",
            "see Traceback (most recent call last): above\n",
        ] {
            assert_eq!((0, 0), (fold(text).0.len(), fold(text).1[0]), "{text}");
        }
    }

    #[test]
    fn a_stack_without_exception_is_none() {
        let text = "Current thread 0x00007f (most recent call first):\n  File \"/srv/a.py\", line 3 in f\n  File \"/srv/b.py\", line 4 in g\nFatalError: not an exception line here\n";
        assert_eq!((0, [3, 1, 0]), (fold(text).0.len(), fold(text).1));
    }

    #[test]
    fn memory_stays_bounded_whatever_arrives() {
        let mut folder = Folder::default();
        folder.begin(b"Traceback (most recent call last):");
        for i in 0..12_000 {
            let line =
                if i == 10 { "KeyError: ".to_owned() + &"x".repeat(5_000) } else { "    ".to_owned() + &"y".repeat(300) };
            if folder.offer(line.as_bytes()).taken == Taken::Outside {
                folder.begin(line.as_bytes());
            }
            assert!(folder.message.len() <= SAMPLE && folder.lines <= LONGEST);
        }
    }

    #[test]
    fn a_traceback_in_one_string_is_read() {
        let got = parse_text(format!("{CHECKOUT}KeyError: 'x'").as_bytes()).unwrap();
        assert_eq!(("KeyError", "'x'", "shop/cart.py:88"), (got.kind.as_str(), got.message.as_str(), got.place.as_str()));
        assert_eq!("KeyError", parse_text(b"KeyError: 'x'").unwrap().kind);
        for none in ["", "NoneType: None", "all fine", "[]", "[{}]", "{\"exc_type\": 1}", "true"] {
            assert_eq!(None, parse_text(none.as_bytes()), "{none}");
        }
    }

    #[test]
    fn structlogs_dictionaries_are_read_from_the_last_exception_back() {
        let text = br#"[{"exc_type": "ExceptionGroup", "exc_value": "g (1 sub-exception)", "is_group": true,
            "exceptions": [[{"exc_type": "PaymentError", "exc_value": "no", "frames": [
              {"filename": "/srv/shop/pay.py", "lineno": 7, "name": "pay"},
              {"filename": "/usr/lib/python3.11/ssl.py", "lineno": 9, "name": "read"}]}]]},
            {"exc_type": "KeyError", "exc_value": "'x'", "frames": []}]"#;
        let got = parse_text(text).unwrap();
        assert_eq!(("PaymentError", "no", "shop/pay.py:7"), (got.kind.as_str(), got.message.as_str(), got.place.as_str()));
    }
}
