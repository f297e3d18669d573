//! A whole traceback held in one string: JSON `exc_info`, `exception`, loguru's `text`, structlog's `dict_tracebacks`.

use serde_json::Value;

use super::Exception;
use super::Folder;
use super::grammar;
use super::place;

/// The exception at the end of the traceback in `text` (newlines real; lines before its header may be heads).
/// A JSON array or object as structlog's `dict_tracebacks` writes it is read as well, and so is a bare
/// `Type: message`. `None` where there is no exception in it.
pub fn parse_text(text: &[u8]) -> Option<Exception> {
    let trimmed = text.trim_ascii_start();
    if trimmed.starts_with(b"[{") || trimmed.starts_with(b"{") {
        return of_stacks(trimmed);
    }
    let mut folder = Folder::default();
    let mut last = None;
    for line in text.split(|b| *b == b'\n') {
        let offer = folder.offer(line);
        last = offer.ended.or(last);
        if offer.taken == super::Taken::Outside {
            folder.begin(line);
        }
    }
    last = folder.finish().ended.or(last);
    last.or_else(|| bare(text.trim_ascii()))
}

/// `KeyError: 'x'` alone.
fn bare(text: &[u8]) -> Option<Exception> {
    let line = text.split(|b| *b == b'\n').next()?;
    let (kind, message) = grammar::last_line(line).filter(|(kind, _)| grammar::is_sure(kind))?;
    Some(Exception { kind: super::own(kind, 200), message: super::own(message, super::SAMPLE), ..Exception::default() })
}

/// The exception told by structlog's `dict_tracebacks`, a JSON array of stacks; `None` where it is another kind of array.
/// The exceptions of a chain stand from the last one back, frames from the outermost in, a group's members under
/// `exceptions`.
pub fn of_stacks(json: &[u8]) -> Option<Exception> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let mut stack = first(&value)?;
    let mut place = String::new();
    // serde_json nests 128 deep at most.
    for _ in 0..128 {
        let own = stack.get("frames").and_then(Value::as_array).and_then(|frames| frames.iter().rev().find_map(frame));
        place = own.unwrap_or(place);
        match stack.get("exceptions").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) => stack = first(only)?,
            _ => break,
        }
    }
    let kind = stack.get("exc_type").and_then(Value::as_str).filter(|k| !k.is_empty())?;
    let message = stack.get("exc_value").and_then(Value::as_str).unwrap_or_default();
    Some(Exception {
        kind: super::own(kind.as_bytes(), 200),
        message: super::own(message.as_bytes(), super::SAMPLE),
        place,
        ..Exception::default()
    })
}

fn first(value: &Value) -> Option<&Value> {
    value.as_array().map_or(Some(value), |list| list.first())
}

fn frame(frame: &Value) -> Option<String> {
    let path = frame.get("filename")?.as_str()?.as_bytes();
    let line = frame.get("lineno").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())?;
    place::is_application(path).then(|| place::written(path, line))
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
}
