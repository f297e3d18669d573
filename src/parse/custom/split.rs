//! A format string cut into literals and named fields, and those into steps.
//!
//! Knows how each dialect writes a field; what a name means is asked of `parse::python` and `parse::nginx`. The
//! printf form is Python's (`%(name)-8s`), the brace form `str.format`'s, the dollar form `string.Template`'s and
//! nginx's.

use super::Dialect;
use super::FormatError;
use super::MOST;
use super::Meaning;
use super::Shape;
use super::Step;
use crate::parse::nginx;
use crate::parse::python;

/// A part of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands in every line as it is.
    Text(String),
    /// A field, where it begins, and whether a width pads it.
    Field { name: String, at: usize, padded: bool },
}

/// Whose way a format is written in, by its look.
pub(super) fn dialect(format: &str) -> Dialect {
    if format.contains("%(") {
        return Dialect::Percent;
    }
    let mut dollars = format.split('$').skip(1).filter_map(|after| {
        let named = after.strip_prefix('{').unwrap_or(after);
        let length = named.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        named.get(..length).filter(|name| !name.is_empty())
    });
    match dollars.next() {
        None if format.contains('{') => Dialect::Brace,
        None => Dialect::Percent,
        Some(first) if python::is_record_name(first) || dollars.any(python::is_record_name) => Dialect::Dollar,
        Some(_) => Dialect::Nginx,
    }
}

/// The pieces of `format` in order; neighbouring literals are one piece.
pub(super) fn split(format: &str, dialect: Dialect) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let at = format.len() - rest.len();
        let taken = match (dialect, first) {
            (Dialect::Percent, '%') => percent(rest, at)?,
            (Dialect::Brace, '{' | '}') => brace(rest, at)?,
            (Dialect::Dollar | Dialect::Nginx, '$') => dollar(rest, at, dialect)?,
            _ => Taken::Text(first, first.len_utf8()),
        };
        let length = match taken {
            Taken::Text(character, length) => {
                text.push(character);
                length
            }
            Taken::Field { name, padded, length } => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Field { name, at, padded });
                length
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// What stood at the front of a format string, and how many bytes it took.
enum Taken {
    Text(char, usize),
    Field { name: String, padded: bool, length: usize },
}

fn percent(rest: &str, at: usize) -> Result<Taken, FormatError> {
    if rest.starts_with("%%") {
        return Ok(Taken::Text('%', 2));
    }
    let Some(inside) = rest.strip_prefix("%(") else {
        let look = "a field is written %(h)s, a percent sign %%; Apache's %h is not understood";
        return Err(FormatError::new(at, look));
    };
    let Some(end) = inside.find(')') else {
        return Err(FormatError::new(at, "this field has no closing bracket"));
    };
    let (name, after) = inside.split_at(end);
    let spec: usize = after.chars().skip(1).take_while(|c| "#0- +123456789.*".contains(*c)).count();
    let width = after.get(1..=spec).unwrap_or_default();
    let kind = after.get(spec + 1..).and_then(|s| s.chars().next());
    if !kind.is_some_and(|c| "sdifFeEgGrxXouca".contains(c)) {
        return Err(FormatError::new(
            at,
            format!("behind '%({name})' a letter is missing that says how to print it; write '%({name})s'"),
        ));
    }
    let padded = width.split('.').next().is_some_and(|w| w.bytes().any(|b| b.is_ascii_digit()) && !w.starts_with('0'));
    Ok(Taken::Field { name: name.to_owned(), padded, length: 2 + end + 1 + spec + 1 })
}

fn brace(rest: &str, at: usize) -> Result<Taken, FormatError> {
    if rest.starts_with("{{") || rest.starts_with("}}") {
        return Ok(Taken::Text(if rest.starts_with('{') { '{' } else { '}' }, 2));
    }
    if rest.starts_with('}') {
        return Err(FormatError::new(at, "a closing bracket without its opening one; the sign itself is written '}}'"));
    }
    let Some(end) = rest.find('}') else {
        return Err(FormatError::new(at, "this field has no closing bracket; the sign itself is written '{{'"));
    };
    let inside = rest.get(1..end).unwrap_or_default();
    let name = inside.split([':', '!']).next().unwrap_or_default();
    let spec = inside.get(name.len()..).unwrap_or_default();
    if name.is_empty() {
        return Err(FormatError::new(at, "a field without a name; write '{message}'"));
    }
    let padded =
        spec.bytes().any(|b| matches!(b, b'<' | b'>' | b'^')) || spec.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    Ok(Taken::Field { name: name.to_owned(), padded, length: end + 1 })
}

fn dollar(rest: &str, at: usize, dialect: Dialect) -> Result<Taken, FormatError> {
    if dialect == Dialect::Dollar && rest.starts_with("$$") {
        return Ok(Taken::Text('$', 2));
    }
    let inside = rest.get(1..).unwrap_or_default();
    let (named, around) = match inside.strip_prefix('{') {
        Some(inside) => (inside, 3),
        None => (inside, 1),
    };
    let length = named.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (name, after) = named.split_at(length);
    if around == 3 && !after.starts_with('}') {
        return Err(FormatError::new(at, "this field has no closing bracket"));
    }
    if name.is_empty() {
        return Err(FormatError::new(at, "a dollar sign without a field's name"));
    }
    Ok(Taken::Field { name: name.to_owned(), padded: false, length: length + around })
}

/// The steps of a format, and the literal text behind the last field.
pub(super) fn steps(pieces: &[Piece], dialect: Dialect, dated: bool) -> Result<(Vec<Step>, Box<[u8]>), FormatError> {
    let mut steps: Vec<Step> = Vec::new();
    let mut literal: &str = "";
    for (index, piece) in pieces.iter().enumerate() {
        let (name, at, padded) = match piece {
            Piece::Text(text) => {
                literal = text;
                continue;
            }
            Piece::Field { name, at, padded } => (name, *at, *padded),
        };
        let mut field = match dialect {
            Dialect::Nginx => nginx::variable(name),
            Dialect::Percent | Dialect::Brace | Dialect::Dollar => {
                python::field(name).map_err(|message| FormatError::new(at, message))?
            }
        };
        if name == "asctime" && dated {
            field.shape = Shape::Dated;
        }
        if let Some(last) = steps.last().filter(|_| literal.is_empty())
            && (last.field.shape.is_free()
                || matches!(last.field.shape, Shape::Word | Shape::Client | Shape::Phrase | Shape::StatusPhrase))
        {
            return Err(FormatError::new(
                at,
                format!("nothing stands between '{name}' and the field before it, so that none can tell where that ends"),
            ));
        }
        if steps.len() == MOST {
            return Err(FormatError::new(at, format!("a format has at most {MOST} fields")));
        }
        let closes = matches!(pieces.get(index + 1), Some(Piece::Text(next)) if next.starts_with('"'));
        let quoted = literal.ends_with('"') && closes;
        steps.push(Step { literal: literal.as_bytes().into(), field, quoted, padded });
        literal = "";
    }
    let says = |meanings: &[Meaning]| steps.iter().any(|s| meanings.contains(&s.field.meaning));
    if !says(&[Meaning::Status, Meaning::Path, Meaning::RequestLine, Meaning::Message]) {
        let known = match dialect {
            Dialect::Percent => "%(r)s and %(s)s, or %(message)s",
            Dialect::Brace => "{message}",
            Dialect::Dollar => "$message",
            Dialect::Nginx => "$request and $status",
        };
        return Err(FormatError::new(0, format!("this format names neither a request nor a message; it needs {known}")));
    }
    Ok((steps, literal.as_bytes().into()))
}

/// Of several fields that say the same, the best is kept and the others mean nothing any more.
pub(super) fn keep_best(steps: &mut [Step]) {
    let same = |a: Meaning, b: Meaning| match (a, b) {
        (Meaning::Nothing | Meaning::User, _) => false,
        (Meaning::Latency(_), Meaning::Latency(_)) => true,
        _ => a == b,
    };
    for index in 0..steps.len() {
        let Some(this) = steps.get(index).map(|s| s.field) else { continue };
        let beaten = steps
            .iter()
            .enumerate()
            .any(|(other, s)| same(this.meaning, s.field.meaning) && (s.field.rank, other) < (this.rank, index));
        if let Some(step) = steps.get_mut(index).filter(|_| beaten) {
            step.field.meaning = Meaning::Nothing;
        }
    }
}

/// Whether the format itself may begin like `[2026-11-23 …`, so that such a beginning is no server's prefix.
pub(super) fn begins_like_a_server_line(steps: &[Step]) -> bool {
    steps.first().is_some_and(|s| match s.field.shape {
        Shape::Clf(true) => false,
        Shape::Iso | Shape::Dated => true,
        _ => !s.literal.is_empty(),
    })
}
