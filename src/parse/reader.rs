//! One line to one record, by the form of its source: the front door of `parse` for requests.
//!
//! A source's main form is tried first and alone is enough where it fits; a line that it does not take is offered to
//! every other form in one fixed order, so that what a line is depends on the form and the line only. A form that
//! takes a line as a request wins over one that finds it broken, and that one over a form that only takes a message out
//! of it. A message is itself offered to the forms of plain text. Lifecycle and tracebacks are not looked at here.

use super::Record;
use super::Verdict;
use super::access::Memo;
use super::clf;
use super::daphne;
use super::detect;
use super::detect::Form;
use super::detect::Kind;
use super::fields;
use super::fields::Envelope;
use super::fields::Found;
use super::fields::Names;
use super::fields::Scratch;
use super::granian;
use super::hypercorn;
use super::logfmt;
use super::loguru;
use super::rich;
use super::structlog;
use super::timing;
use super::uvicorn;
use std::sync::Arc;

/// The order in which forms are tried on a line that the main form does not take. Where two would take the same line,
/// the more exact one stands first. Gunicorn's, nginx's and the common form are read as [`Kind::Combined`].
const ORDER: [Kind; 11] = [
    Kind::Json,
    Kind::Loguru,
    Kind::Structlog,
    Kind::Uvicorn,
    Kind::Rich,
    Kind::Granian,
    Kind::Daphne,
    Kind::Combined,
    Kind::Hypercorn,
    Kind::Logfmt,
    Kind::Timing,
];

/// The forms a message may have that stands inside another line.
const INSIDE: [Kind; 5] = [Kind::Uvicorn, Kind::Granian, Kind::Daphne, Kind::Combined, Kind::Timing];

/// Reads one source's lines. What it remembers never changes a result: two readers of one form agree on every line.
#[derive(Debug, Clone)]
pub struct Reader {
    main: Option<Kind>,
    memo: Memo,
    names: Arc<Names>,
    json: Scratch,
    pairs: Scratch,
    console: Scratch,
}

impl Reader {
    /// A reader for lines of `form`, with the user's own names of fields.
    pub fn new(form: &Form, names: &Arc<Names>) -> Self {
        Self {
            main: form.kinds.first().copied(),
            memo: Memo::new(form.reading),
            names: Arc::clone(names),
            json: Scratch::default(),
            pairs: Scratch::default(),
            console: Scratch::default(),
        }
    }

    /// What the line is. `out` is filled in only on [`Verdict::Request`], and may borrow from the reader.
    #[inline]
    pub fn read<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>) -> Verdict {
        let first = self.main.map_or(Verdict::NotMine, |main| plain(main, text, &mut self.memo, out));
        if first == Verdict::Request { first } else { self.rest(text, out, first).verdict() }
    }

    /// What the line is, with what a logging library packed into it: the exception beside a request, or the message
    /// and exception of a line that is none. `out` is filled in only on [`Found::Request`].
    #[inline]
    pub fn look<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>) -> Found<'a> {
        let first = self.main.map_or(Verdict::NotMine, |main| plain(main, text, &mut self.memo, out));
        if first == Verdict::Request { Found::Request(None) } else { self.rest(text, out, first) }
    }

    /// All forms that pack, the main one first, and then every other one. `first` is what the main form of plain text
    /// made of it.
    #[inline(never)]
    fn rest<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>, first: Verdict) -> Found<'a> {
        let main = self.main;
        let mut forms = Forms::of(self);
        let mut best = found(first);
        if let Some(packing) = main.filter(|main| main.packs()) {
            best = forms.one(packing, text, out);
            if matches!(best, Found::Request(_)) {
                return best;
            }
        }
        for kind in ORDER {
            if Some(kind) == main {
                continue;
            }
            match forms.one(kind, text, out) {
                request @ Found::Request(_) => return request,
                broken @ Found::Malformed(_) if !matches!(best, Found::Malformed(_)) => best = broken,
                packed @ Found::Envelope(_) if best == Found::NotMine => best = packed,
                _ => {}
            }
        }
        best
    }

    /// The form that takes the line: the main one where it does, else the first in the fixed order.
    pub(super) fn form(&mut self, text: &[u8]) -> Option<Kind> {
        if let Some(main) = self.main
            && (plain(main, text, &mut self.memo, &mut Record::default()) == Verdict::Request
                || matches!(Forms::of(self).one(main, text, &mut Record::default()), Found::Request(_)))
        {
            return Some(main);
        }
        let gunicorn = self.main == Some(Kind::Gunicorn);
        self.which(text).0.map(|kind| if kind == Kind::Combined { detect::variant(text, gunicorn) } else { kind })
    }

    /// The first form in the fixed order that takes the line as a request, else as a message; and what it made of it.
    pub(super) fn which(&mut self, text: &[u8]) -> (Option<Kind>, Verdict) {
        let mut packed = None;
        let mut verdict = Verdict::NotMine;
        for kind in ORDER {
            match Forms::of(self).one(kind, text, &mut Record::default()) {
                Found::Request(_) => return (Some(kind), Verdict::Request),
                Found::Malformed(reject) if verdict == Verdict::NotMine => verdict = Verdict::Malformed(reject),
                Found::Envelope(_) if packed.is_none() => packed = Some(kind),
                _ => {}
            }
        }
        (packed, verdict)
    }
}

/// The forms with their buffers. Each buffer is given out once a line: a record may borrow from it.
struct Forms<'a> {
    memo: &'a mut Memo,
    names: &'a Names,
    json: Option<&'a mut Scratch>,
    pairs: Option<&'a mut Scratch>,
    console: Option<&'a mut Scratch>,
}

impl<'a> Forms<'a> {
    fn of(reader: &'a mut Reader) -> Self {
        let Reader { memo, names, json, pairs, console, .. } = reader;
        Self { memo, names, json: Some(json), pairs: Some(pairs), console: Some(console) }
    }

    fn one(&mut self, kind: Kind, text: &'a [u8], out: &mut Record<'a>) -> Found<'a> {
        let found = match kind {
            Kind::Json => self.json.take().map(|scratch| fields::read(text, self.names, scratch, out)),
            Kind::Logfmt => self.pairs.take().map(|scratch| logfmt::read(text, self.names, scratch, out)),
            Kind::Structlog => self.console.take().map(|scratch| structlog::read(text, self.names, scratch, out)),
            Kind::Loguru => loguru::read(text).map(|envelope| Found::Envelope(Box::new(envelope))),
            _ => return found(plain(kind, text, self.memo, out)),
        };
        match found {
            Some(Found::Envelope(envelope)) => self.unpack(*envelope, out),
            Some(found) => found,
            None => Found::NotMine,
        }
    }

    /// Offers a packed message to the forms of plain text; what stands around it fills what the message lacks.
    fn unpack(&mut self, envelope: Envelope<'a>, out: &mut Record<'a>) -> Found<'a> {
        let mut broken = None;
        for kind in INSIDE {
            match plain(kind, envelope.message, self.memo, out) {
                Verdict::Request => {
                    out.time = out.time.or(envelope.time);
                    out.pid = out.pid.or(envelope.pid);
                    for (mine, around) in [
                        (&mut out.service, envelope.service),
                        (&mut out.version, envelope.version),
                        (&mut out.request_id, envelope.request_id),
                        (&mut out.exception, envelope.exception),
                    ] {
                        if mine.is_empty() {
                            *mine = around;
                        }
                    }
                    return Found::Request(envelope.raised);
                }
                Verdict::Malformed(reject) if broken.is_none() => broken = Some(reject),
                _ => {}
            }
        }
        broken.map_or_else(|| Found::Envelope(Box::new(envelope)), Found::Malformed)
    }
}

/// The forms that only borrow from the line.
#[inline]
fn plain<'a>(kind: Kind, text: &'a [u8], memo: &mut Memo, out: &mut Record<'a>) -> Verdict {
    match kind {
        Kind::Common | Kind::Combined | Kind::Gunicorn | Kind::Nginx => clf::parse(text, memo, out),
        Kind::Uvicorn => uvicorn::parse(text, memo, out),
        Kind::Hypercorn => hypercorn::parse(text, memo, out),
        Kind::Granian => granian::parse(text, memo, out),
        Kind::Daphne => daphne::parse(text, memo, out),
        Kind::Rich => rich::parse(text, memo, out),
        Kind::Timing => timing::parse(text, out),
        Kind::Json | Kind::Logfmt | Kind::Loguru | Kind::Structlog | Kind::Custom => Verdict::NotMine,
    }
}

fn found(verdict: Verdict) -> Found<'static> {
    match verdict {
        Verdict::Request => Found::Request(None),
        Verdict::Malformed(reject) => Found::Malformed(reject),
        Verdict::NotMine => Found::NotMine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::detect::Settings;
    use crate::parse::detect::detect;

    const LINES: [&str; 12] = [
        "INFO:     127.0.0.1:5 - \"GET /a?b HTTP/1.1\" 200 OK",
        "2026-11-23 00:36:48,110 - uvicorn.access - INFO - 127.0.0.1:43 - \"GET /a HTTP/1.1\" 404 Not Found",
        "[2026-11-23 00:36:48 +0000] [7369] [INFO] 127.0.0.1:4 - \"WebSocket /ws\" [accepted]",
        "127.0.0.1 - carol smith [23/Nov/2026:00:52:33 +0000] \"GET /p HTTP/1.1\" 200 45 \"-\" \"curl/8.5.0\" 0.035 0.036 MISS",
        "127.0.0.1 - - [23/Nov/2026:00:52:33 +0000] \"GET /p HTTP/1.1\" 200 45 \"-\" \"x\" \"::1\" rt=0.035 uct=\"0.001\" ucs=MISS",
        "[2026-11-23 00:36:37 +0000] 127.0.0.1 - \"GET / HTTP/1.1\" 404 100.630",
        "[2026-11-23 00:36:21 +0000] [7944] [INFO] 127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /h 1.1\" 200 33 \"-\" \"x\"",
        "127.0.0.1:47788 - - [23/Nov/2026:00:38:41] \"GET /export/orders.csv\" 403 31",
        " ▕  127.0.0.1:40362 - \"GET /products/530 HTTP/1.1\" 200",
        "{\"timestamp\": \"2026-11-23 00:34:39,674\", \"message\": \"127.0.0.1:1 - \\\"GET /health HTTP/1.1\\\" 200\", \"process\": 7}",
        "2026-11-23 00:37:09.282 | DEBUG    | logsetup:log_middle:211 - GET / -> 200 (0.017s)",
        "time=\"2026-11-23 00:36:43 +0000\" method=GET path=\"/users/me\" status=401 dur_ms=25.653",
    ];

    fn shown(reader: &mut Reader, line: &[u8]) -> String {
        let mut out = Record::default();
        let found = reader.look(line, &mut out);
        format!("{found:?} {out:?}")
    }

    #[test]
    fn every_form_is_read_whichever_is_the_main_one() {
        for main in LINES {
            let form = detect(&[main.as_bytes()], &Settings::default());
            let mut reader = Reader::new(&form, &Arc::default());
            for line in LINES {
                assert_eq!(Verdict::Request, reader.read(line.as_bytes(), &mut Record::default()), "{line} after {main}");
            }
        }
    }

    #[test]
    fn a_message_inside_takes_time_and_process_from_around_it() {
        let mut reader = Reader::new(&Form::default(), &Arc::default());
        let mut out = Record::default();
        let line = LINES[9].as_bytes();
        assert_eq!(Verdict::Request, reader.read(line, &mut out));
        assert_eq!((&b"/health"[..], Some(200), Some(7)), (out.path, out.status, out.pid));
        assert_eq!(Some(crate::time::Stamp::Local(1_795_394_079_674_000)), out.time);
    }

    /// Half a line may be broken or text, but never a request with another status; and never a panic.
    #[test]
    fn a_cut_line_is_the_same_for_a_used_reader_and_never_has_another_status() {
        let form = detect(&[LINES[0].as_bytes(), LINES[3].as_bytes()], &Settings::default());
        let mut used = Reader::new(&form, &Arc::default());
        for line in LINES.map(str::as_bytes) {
            let mut whole = Record::default();
            let mut fresh = Reader::new(&form, &Arc::default());
            assert_eq!(Verdict::Request, fresh.read(line, &mut whole));
            for end in 0..line.len() {
                let cut = &line[..end];
                let mut reader = Reader::new(&form, &Arc::default());
                assert_eq!(shown(&mut reader, cut), shown(&mut used, cut), "{}", String::from_utf8_lossy(cut));
                let mut out = Record::default();
                if reader.read(cut, &mut out) == Verdict::Request {
                    assert_eq!(whole.status, out.status, "{}", String::from_utf8_lossy(cut));
                }
                shown(&mut used, &line[end..]);
            }
        }
    }
}
