//! One look at one line: a request, a broken one, or text with what a logger packed around it.
//!
//! Puts the written forms in their one order: the user's own format, JSON, the servers' access forms, the forms of
//! loggers, the lines of middlewares. What a line is depends on the source's form, the user's choice and the line alone.

use std::sync::Arc;

use super::Exception;
use super::Record;
use super::Reject;
use super::Verdict;
use super::access::Memo;
use super::access::Unit;
use super::custom::Compiled;
use super::custom::Message;
use super::custom::choice::Choice;
use super::detect;
use super::detect::Form;
use super::detect::Kind;
use super::fields::Envelope;
use super::fields::Found;
use super::fields::Names;
use super::head;
use super::pattern::Pattern;
use super::reader::Reader;
use super::server::Written;

/// What the user says about forms. Shared by all sources of a run.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// `--format NAME` and `[fields]`.
    pub settings: detect::Settings,
    /// Which keys mean what.
    pub names: Arc<Names>,
    /// The user's own formats, tried first and in this order.
    pub own: Vec<Own>,
}

/// A format of the user's own.
#[derive(Debug, Clone)]
pub enum Own {
    /// A server's format string.
    Format(Box<Compiled>),
    /// A regular expression.
    Pattern(Box<Pattern>),
}

impl Chosen {
    /// What `--format` and the configuration's names say together.
    pub fn new(choice: Choice, mut names: Names, bare_unit: Option<Unit>) -> Self {
        let mut own = Vec::new();
        let mut forced = None;
        match choice {
            Choice::Auto => {}
            Choice::Known(name) => forced = Kind::from_name(name),
            Choice::Format(format) => own.push(Own::Format(format)),
            Choice::Pattern(pattern) => own.push(Own::Pattern(pattern)),
            Choice::Server(found) => {
                for format in found.formats {
                    match format.written {
                        Written::Text(format) => own.push(Own::Format(format)),
                        Written::Json(keys) => names = names.with_keys(&keys),
                        Written::Known(name) => forced = forced.or(Kind::from_name(name)),
                    }
                }
            }
        }
        for format in &own {
            if let Own::Format(format) = format
                && let Some(keys) = format.keys()
            {
                names = names.with_keys(keys);
            }
        }
        let names = Arc::new(names);
        Self { settings: detect::Settings { forced, bare_unit, names: Arc::clone(&names) }, names, own }
    }
}

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Look<'a> {
    /// A request, the record filled in; with the exception where the same line tells it as data.
    Request(Option<Box<Exception>>),
    /// It set out as a request and broke.
    Malformed(Reject),
    /// Text: what the application wrote, and what its logger packed around it.
    Other(Envelope<'a>),
}

/// Looks at one source's lines. What it remembers never changes a result.
#[derive(Debug, Clone)]
pub struct Looker {
    reader: Reader,
    memo: Memo,
    chosen: Arc<Chosen>,
    /// There is no format of the user's own.
    plain: bool,
}

impl Looker {
    /// For lines of `form`.
    pub fn new(form: &Form, chosen: &Arc<Chosen>) -> Self {
        Self {
            reader: Reader::new(form, &chosen.names),
            memo: Memo::new(form.reading),
            chosen: Arc::clone(chosen),
            plain: chosen.own.is_empty(),
        }
    }

    /// What the line is. `out` is filled in on [`Look::Request`] only, and may borrow from the looker.
    #[inline]
    pub fn look<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>) -> Look<'a> {
        if self.plain {
            return told(self.reader.look(text, out), text, &self.memo);
        }
        self.look_own(text, out)
    }

    /// The written form that takes the line as a request, or packs it as a message; the user's own counts as
    /// [`Kind::Custom`]. `None` where no form does. For those who explain a line: [`Self::look`] does not ask.
    pub fn form(&mut self, text: &[u8]) -> Option<Kind> {
        let Self { reader, memo, chosen, .. } = self;
        let own = chosen.own.iter().any(|own| {
            let verdict = match own {
                Own::Format(format) if format.has_message() => return false,
                Own::Format(format) => format.parse(text, memo, &mut Record::default()),
                Own::Pattern(pattern) => pattern.parse(text, memo, &mut Record::default()),
            };
            verdict == Verdict::Request
        });
        if own { Some(Kind::Custom) } else { reader.form(text) }
    }

    /// The user's own formats first.
    fn look_own<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>) -> Look<'a> {
        let Self { reader, memo, chosen, .. } = self;
        let mut broken = None;
        let mut message = None;
        for own in &chosen.own {
            let verdict = match own {
                Own::Format(format) if format.has_message() => {
                    message = message.or_else(|| format.message(text, memo));
                    Verdict::NotMine
                }
                Own::Format(format) => format.parse(text, memo, out),
                Own::Pattern(pattern) => pattern.parse(text, memo, out),
            };
            match verdict {
                Verdict::Request => return Look::Request(None),
                Verdict::Malformed(reject) => broken = broken.or(Some(reject)),
                Verdict::NotMine => {}
            }
        }
        if let Some(message) = message {
            return inside(reader, memo, &message, out);
        }
        match (told(reader.look(text, out), text, memo), broken) {
            (Look::Other(_), Some(reject)) => Look::Malformed(reject),
            (look, _) => look,
        }
    }
}

#[inline]
fn told<'a>(found: Found<'a>, text: &'a [u8], memo: &Memo) -> Look<'a> {
    match found {
        Found::Request(raised) => Look::Request(raised),
        Found::Malformed(reject) => Look::Malformed(reject),
        Found::Envelope(envelope) => Look::Other(*envelope),
        Found::NotMine => Look::Other(Envelope { message: text, time: head::dated(text, memo), ..Envelope::default() }),
    }
}

/// A log record's message, with the record's time and ids where the message has none of its own.
fn inside<'a>(reader: &'a mut Reader, memo: &Memo, message: &Message<'a>, out: &mut Record<'a>) -> Look<'a> {
    match told(reader.look(message.text, out), message.text, memo) {
        Look::Request(raised) => {
            out.time = out.time.or(message.time);
            out.pid = out.pid.or(message.pid);
            if out.request_id.is_empty() {
                out.request_id = message.request_id;
            }
            Look::Request(raised)
        }
        Look::Other(mut envelope) => {
            envelope.time = envelope.time.or(message.time);
            envelope.pid = envelope.pid.or(message.pid);
            if envelope.request_id.is_empty() {
                envelope.request_id = message.request_id;
            }
            Look::Other(envelope)
        }
        broken @ Look::Malformed(_) => broken,
    }
}
