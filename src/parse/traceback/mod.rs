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
pub use text::parse_text;

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
    /// Perhaps a line of a traceback: a later [`Offer::settled`] tells. Time, process and nothing else may be read
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
    /// Lines of others since the last own one.
    strangers: u8,
    /// Headers without their type, while broken.
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
}

/// `text` cut to at most `limit` bytes, at a character's border.
fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
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
        let line = line.trim_ascii_end();
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
        let line = line.trim_ascii_end();
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
            let boxed = memchr::memmem::find(line, "╭".as_bytes()).filter(|at| line.get(..*at).is_some_and(|p| p.trim_ascii().is_empty()));
            let Some(at) = boxed.filter(|at| grammar::classify(line.get(*at..).unwrap_or_default()) == Class::Header).or_else(|| self.prefixed(line))
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
        let follows = [&b"future: "[..], b"handle: ", b"task: ", b"protocol: ", b"transport: ", b"context: ", b"source_traceback: "];
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
        if place::is_application(path) {
            self.place = place::written(path, line);
        }
    }

    fn inside_frames(&mut self, line: &[u8]) -> Offer {
        let line = self.unprefixed(line);
        let margin = grammar::margin(line);
        if margin.depth > 0 && (self.group || margin.opens && self.state == State::Chained) {
            return self.member(margin);
        }
        match grammar::classify(line) {
            Class::Blank => self.hold(),
            Class::Header if self.framed && self.state == State::Frames => self.tear(),
            Class::Header => {
                (self.group, self.level, self.framed) = (false, 0, false);
                self.state = State::Frames;
                self.place.clear();
                self.part()
            }
            _ if self.group => self.stranger(),
            Class::Frame(path, number) => {
                self.state = State::Frames;
                self.frame(path, number);
                self.part()
            }
            Class::Inner if !grammar::begins_record(line) => self.part(),
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
        match grammar::classify(margin.rest) {
            Class::Header if margin.opens => {
                (self.group, self.level, self.framed) = (true, margin.depth, false);
                self.state = State::Frames;
                self.place.clear();
            }
            Class::Header if counts => self.framed = false,
            Class::Chain if margin.depth <= self.level => {
                self.level = margin.depth;
                self.state = State::Frames;
            }
            Class::Frame(path, number) if counts => self.member_frame(path, number),
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

    fn member_frame(&mut self, path: &[u8], number: u32) {
        self.framed = true;
        if place::is_application(path) {
            self.place = place::written(path, number);
        }
    }

    fn after(&mut self, line: &[u8]) -> Offer {
        let rest = self.unprefixed(line);
        let margin = grammar::margin(rest);
        if self.group && margin.depth > 0 {
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
        let database = [&b"[parameters: "[..], b"[SQL: ", b"(Background on this error at: ", b"DETAIL: ", b"HINT: ", b"CONTEXT: ", b"QUERY: "];
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
        if (indented || boxed) && (self.held == 0 || validation) && !grammar::begins_record(line) && !matches!(class, Class::Frame(..)) {
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

    /// A second header before the first one's type came: from here on nothing can be told apart.
    fn tear(&mut self) -> Offer {
        let settled_message = std::mem::take(&mut self.held);
        *self = Self { state: State::Broken, open: 2, lines: self.lines, ..Self::default() };
        Offer { taken: Taken::Torn, settled_message, ..Offer::default() }
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
