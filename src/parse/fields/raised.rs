//! Exceptions whose type and message stand under keys of their own in a record.
//!
//! Rare lines, so allowed to allocate. Tracebacks, as text and as structlog's dictionaries, are `parse::traceback`.

use crate::parse::Exception;

/// The most bytes of a message that are kept.
const LONGEST_MESSAGE: usize = 1000;

/// The exception of a type and message that stand alone; `None` where `kind` is no dotted Python name (`error.type`
/// may be a status).
pub(crate) fn of_names(kind: &[u8], message: &[u8]) -> Option<Exception> {
    let kind = std::str::from_utf8(kind).ok()?;
    let named = kind.split('.').all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_') && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    let upper = kind.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase));
    (named && upper).then(|| Exception {
        kind: kind.to_owned(),
        message: cut(&String::from_utf8_lossy(message)),
        ..Exception::default()
    })
}

fn cut(message: &str) -> String {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_python_name_is_a_type() {
        assert_eq!(Some("main.PaymentError"), of_names(b"main.PaymentError", b"declined").as_ref().map(|e| e.kind.as_str()));
        for other in ["500", "", "timeout", "Some Error", "_OTHER"] {
            assert_eq!(None, of_names(other.as_bytes(), b""), "{other}");
        }
    }
}
