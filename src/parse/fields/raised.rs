//! Exceptions that a record carries as data instead of text: structlog's `dict_tracebacks` (a list of stacks, the
//! final one first, each with its frames from the outermost in), and the type and message under keys of their own.
//!
//! Rare lines, so built with `serde_json` and allowed to allocate. Tracebacks as text are `parse::traceback`.

use crate::parse::Exception;
use serde_json::Value;

/// The most bytes of a message that are kept.
const LONGEST_MESSAGE: usize = 1000;

/// The exception told by a JSON array of stacks, `None` where it is another kind of array.
pub(crate) fn of_stacks(json: &[u8]) -> Option<Exception> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let mut stack = value.as_array()?.first()?;
    while stack.get("is_group").and_then(Value::as_bool) == Some(true) {
        let members = stack.get("exceptions").and_then(Value::as_array);
        match members.map(Vec::as_slice) {
            Some([only]) => match only.as_array().and_then(|stacks| stacks.first()) {
                Some(inner) => stack = inner,
                None => break,
            },
            _ => break,
        }
    }
    let kind = stack.get("exc_type")?.as_str()?;
    let message = stack.get("exc_value").and_then(Value::as_str).unwrap_or_default();
    let frames = stack.get("frames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let place = frames.iter().rev().find_map(|frame| {
        let file = frame.get("filename")?.as_str()?;
        let line = frame.get("lineno")?.as_u64()?;
        own(file).then(|| format!("{}:{line}", short(file)))
    });
    Some(Exception { kind: kind.to_owned(), message: cut(message), place: place.unwrap_or_default(), ..Exception::default() })
}

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

/// True where a file is the application's own: neither installed nor Python's.
fn own(file: &str) -> bool {
    let others = ["site-packages", "dist-packages", "/lib/python3", "\\lib\\"];
    !file.starts_with('<') && !others.iter().any(|other| file.contains(other))
}

/// A file's last two names.
fn short(file: &str) -> &str {
    let mut slashes = file.char_indices().rev().filter(|(_, c)| matches!(c, '/' | '\\')).map(|(at, _)| at);
    let second = slashes.nth(1);
    second.and_then(|at| file.get(at + 1..)).unwrap_or(file)
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
    fn stacks_give_the_final_type_and_the_innermost_own_frame() {
        let json = r#"[{"exc_type":"KeyError","exc_value":"'smtp_host'","exc_notes":[],"syntax_error":null,"is_cause":false,
            "frames":[{"filename":"/srv/venv/lib/python3.11/site-packages/uvicorn/x.py","lineno":422,"name":"run_asgi"},
            {"filename":"/srv/shop/mail.py","lineno":31,"name":"send"},
            {"filename":"/usr/lib/python3.11/os.py","lineno":680,"name":"__getitem__"}],"is_group":false,"exceptions":[]},
            {"exc_type":"OSError","exc_value":"","is_cause":true,"frames":[]}]"#;
        let expected = Exception {
            kind: "KeyError".to_owned(),
            message: "'smtp_host'".to_owned(),
            place: "shop/mail.py:31".to_owned(),
            ..Exception::default()
        };
        assert_eq!(Some(expected), of_stacks(json.as_bytes()));
    }

    #[test]
    fn a_group_of_one_is_looked_through_and_a_larger_one_is_not() {
        let one =
            r#"[{"exc_type":"ExceptionGroup","exc_value":"g","is_group":true,"exceptions":[[{"exc_type":"ValueError"}]]}]"#;
        assert_eq!(Some("ValueError"), of_stacks(one.as_bytes()).as_ref().map(|e| e.kind.as_str()));
        let two = r#"[{"exc_type":"ExceptionGroup","exc_value":"g","is_group":true,"exceptions":[[{"exc_type":"A"}],[{"exc_type":"B"}]]}]"#;
        assert_eq!(Some("ExceptionGroup"), of_stacks(two.as_bytes()).as_ref().map(|e| e.kind.as_str()));
        for other in ["[]", "[1,2]", "{}", "[{\"a\":1}]", "[["] {
            assert_eq!(None, of_stacks(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn only_a_python_name_is_a_type() {
        assert_eq!(Some("main.PaymentError"), of_names(b"main.PaymentError", b"declined").as_ref().map(|e| e.kind.as_str()));
        for other in ["500", "", "timeout", "Some Error", "_OTHER"] {
            assert_eq!(None, of_names(other.as_bytes(), b""), "{other}");
        }
    }
}
