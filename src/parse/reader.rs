//! One line to one record, by the form of its source: the front door of `parse` for requests.
//!
//! A source's main form is tried first and alone is enough where it fits; a line that it does not take is offered to
//! every other form in one fixed order, so that what a line is depends on the form and the line only. A form that
//! takes a line as a request wins over one that finds it broken. Lifecycle and tracebacks are not looked at here.

use super::Record;
use super::Verdict;
use super::access::Memo;
use super::access::Reading;
use super::clf;
use super::daphne;
use super::detect::Form;
use super::detect::Kind;
use super::granian;
use super::hypercorn;
use super::rich;
use super::uvicorn;

/// The order in which forms are tried on a line that the main form does not take. Where two would take the same line,
/// the more exact one stands first.
pub(super) const ORDER: [Kind; 6] = [Kind::Uvicorn, Kind::Rich, Kind::Granian, Kind::Daphne, Kind::Combined, Kind::Hypercorn];

/// Reads one source's lines. What it remembers never changes a result: two readers of one form agree on every line.
#[derive(Debug, Clone)]
pub struct Reader {
    main: Option<Kind>,
    memo: Memo,
}

impl Reader {
    /// A reader for lines of `form`.
    pub fn new(form: &Form) -> Self {
        Self { main: form.kinds.first().copied(), memo: Memo::new(form.reading) }
    }

    /// A reader that has no main form, for looking at lines whose form is not known yet.
    pub(super) fn undecided(reading: Reading) -> Self {
        Self { main: None, memo: Memo::new(reading) }
    }

    /// What the line is. `out` is filled in only on [`Verdict::Request`], and may borrow from the reader.
    pub fn read<'a>(&'a mut self, text: &'a [u8], out: &mut Record<'a>) -> Verdict {
        let mut forms = Forms { memo: &mut self.memo };
        let mut verdict = Verdict::NotMine;
        if let Some(main) = self.main {
            verdict = forms.one(main, text, out);
            if verdict == Verdict::Request {
                return verdict;
            }
        }
        forms.others(self.main, text, out, verdict)
    }

    /// The first form in the fixed order that takes the line as a request.
    pub(super) fn which(&mut self, text: &[u8]) -> (Option<Kind>, Verdict) {
        let mut forms = Forms { memo: &mut self.memo };
        let mut verdict = Verdict::NotMine;
        for kind in ORDER {
            match forms.one(kind, text, &mut Record::default()) {
                Verdict::Request => return (Some(kind), Verdict::Request),
                broken @ Verdict::Malformed(_) if verdict == Verdict::NotMine => verdict = broken,
                _ => {}
            }
        }
        (None, verdict)
    }
}

/// The forms with their buffers. Each buffer is given out once a line: a record may borrow from it.
struct Forms<'m> {
    memo: &'m mut Memo,
}

impl Forms<'_> {
    fn one<'a>(&mut self, kind: Kind, text: &'a [u8], out: &mut Record<'a>) -> Verdict {
        match kind {
            Kind::Common | Kind::Combined | Kind::Gunicorn | Kind::Nginx => clf::parse(text, self.memo, out),
            Kind::Uvicorn => uvicorn::parse(text, self.memo, out),
            Kind::Hypercorn => hypercorn::parse(text, self.memo, out),
            Kind::Granian => granian::parse(text, self.memo, out),
            Kind::Daphne => daphne::parse(text, self.memo, out),
            Kind::Rich => rich::parse(text, self.memo, out),
            _ => Verdict::NotMine,
        }
    }

    fn others<'a>(&mut self, main: Option<Kind>, text: &'a [u8], out: &mut Record<'a>, first: Verdict) -> Verdict {
        let mut verdict = first;
        for kind in ORDER {
            if Some(kind) == main {
                continue;
            }
            match self.one(kind, text, out) {
                Verdict::Request => return Verdict::Request,
                broken @ Verdict::Malformed(_) if verdict == Verdict::NotMine => verdict = broken,
                _ => {}
            }
        }
        verdict
    }
}
