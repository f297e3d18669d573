//! The fields that Python servers and Python's logging know by name, and what each says.
//!
//! Leaves the compiling to `parse::custom`. Atoms: gunicorn's documentation of `access_log_format`, hypercorn's of
//! `access_log_format` (its `AccessLogAtoms`), granian's of `--access-log-fmt`; log record attributes: Python's
//! `logging` documentation, and uvicorn's `logging.AccessFormatter`.

use super::access::Unit;
use super::custom::ANYTHING;
use super::custom::CLIENT;
use super::custom::Field;
use super::custom::Meaning;
use super::custom::Shape;
use super::custom::WORD;

const NUMBER: Field = Field::new(Meaning::Nothing, Shape::Number);

/// Whether `name` is one that only a log record has: it tells Python's `$name` from nginx's.
pub(super) fn is_record_name(name: &str) -> bool {
    matches!(
        name,
        "asctime" | "message" | "levelname" | "levelprefix" | "client_addr" | "request_line" | "status_code" | "funcName"
    )
}

/// What the field `name` says and how it is written; or why there is no such field.
pub(super) fn field(name: &str) -> Result<Field, String> {
    if let Some((header, side)) = name.strip_prefix('{').and_then(|n| n.split_once('}')) {
        let header = header.to_ascii_lowercase();
        return match side {
            "i" => Ok(request_header(&header)),
            "o" => Ok(answer_header(&header)),
            "e" => Ok(environment(&header)),
            _ => Err(format!(
                "'{side}' behind a name in braces is none of i (request header), o (answer header), e (environment)"
            )),
        };
    }
    if let Some(field) = atom(name).or_else(|| named(name)).or_else(|| record(name)) {
        return Ok(field);
    }
    if name.len() <= 2 {
        return Err(format!(
            "no server has the atom '{name}'; known: h l u t r R m U Uq q H s st S B b f a T D M L p {{header}}i {{header}}o {{variable}}e"
        ));
    }
    Ok(extra(name))
}

/// gunicorn's and hypercorn's atoms.
fn atom(name: &str) -> Option<Field> {
    Some(match name {
        "h" => CLIENT,
        "l" | "S" => WORD,
        "u" => Field::new(Meaning::User, Shape::Free),
        "t" => Field::new(Meaning::Time, Shape::Clf(true)),
        "r" => Field::ranked(Meaning::RequestLine, Shape::RequestLine, 1),
        "R" => Field::new(Meaning::RequestLine, Shape::RequestLine),
        "m" => Field::new(Meaning::Method, Shape::Token),
        "U" => Field::ranked(Meaning::Path, Shape::Target, 1),
        "Uq" => Field::new(Meaning::Path, Shape::Target),
        "q" | "f" | "a" => ANYTHING,
        "H" => Field::new(Meaning::Nothing, Shape::Protocol),
        "s" => Field::new(Meaning::Status, Shape::Status),
        "st" => Field::new(Meaning::Nothing, Shape::Phrase),
        "B" => Field::new(Meaning::Bytes, Shape::Number),
        "b" => Field::ranked(Meaning::Bytes, Shape::Number, 1),
        "D" => Field::new(Meaning::Latency(Unit::Microseconds), Shape::Number),
        "L" => Field::ranked(Meaning::Latency(Unit::Seconds), Shape::Number, 1),
        "M" => Field::ranked(Meaning::Latency(Unit::Milliseconds), Shape::Number, 3),
        "T" => Field::ranked(Meaning::Latency(Unit::Seconds), Shape::Number, 4),
        "p" => Field::new(Meaning::Pid, Shape::Pid),
        _ => return None,
    })
}

/// granian's names.
fn named(name: &str) -> Option<Field> {
    Some(match name {
        "addr" | "scheme" => WORD,
        "time" => Field::new(Meaning::Time, Shape::Iso),
        "dt_ms" => Field::ranked(Meaning::Latency(Unit::Milliseconds), Shape::Number, 2),
        "status" => Field::new(Meaning::Status, Shape::Status),
        "path" => Field::new(Meaning::Path, Shape::Target),
        "query_string" => ANYTHING,
        "method" => Field::new(Meaning::Method, Shape::Token),
        "protocol" => Field::new(Meaning::Nothing, Shape::Protocol),
        "rbl" => Field::new(Meaning::Bytes, Shape::Number),
        _ => return None,
    })
}

/// The attributes of a log record, uvicorn's and loguru's included.
fn record(name: &str) -> Option<Field> {
    Some(match name {
        "asctime" => Field::new(Meaning::Time, Shape::Iso),
        "created" => Field::ranked(Meaning::Time, Shape::Epoch, 1),
        "msecs" => Field::new(Meaning::Millis, Shape::Number),
        "levelname" | "level" => Field::new(Meaning::Level, Shape::Token),
        "levelprefix" => Field::new(Meaning::Level, Shape::LevelPrefix),
        "name" => Field::new(Meaning::Logger, Shape::Word),
        "message" => Field::new(Meaning::Message, Shape::Free),
        "process" => Field::new(Meaning::Pid, Shape::Number),
        "lineno" | "line" | "levelno" | "thread" | "relativeCreated" => NUMBER,
        "client_addr" | "filename" | "module" | "funcName" | "function" => WORD,
        "request_line" => Field::new(Meaning::RequestLine, Shape::RequestLine),
        "full_path" => Field::new(Meaning::Path, Shape::Target),
        "status_code" => Field::new(Meaning::Status, Shape::StatusPhrase),
        "http_version" => Field::new(Meaning::Nothing, Shape::Protocol),
        "pathname" | "threadName" | "processName" | "taskName" | "file" => ANYTHING,
        _ => return None,
    })
}

/// A field that the application adds to its records (`extra=`, a filter).
fn extra(name: &str) -> Field {
    let name = name.strip_prefix("extra[").and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    match name {
        "request_id" | "requestId" | "correlation_id" | "req_id" | "rid" => Field::new(Meaning::RequestId, Shape::Free),
        "version" | "release" | "app_version" => Field::new(Meaning::Version, Shape::Free),
        _ => ANYTHING,
    }
}

/// What the request header `name` (lower case, with dashes) says.
pub(super) fn request_header(name: &str) -> Field {
    match name {
        "x-request-id" | "request-id" | "x-correlation-id" | "x-trace-id" => Field::new(Meaning::RequestId, Shape::Free),
        "authorization" | "cookie" | "x-api-key" | "remote-user" | "x-remote-user" | "x-forwarded-user" => {
            Field::new(Meaning::User, Shape::Free)
        }
        "x-forwarded-for" | "forwarded" => Field::new(Meaning::Nothing, Shape::List),
        "host" => WORD,
        _ => ANYTHING,
    }
}

/// What the answer's header `name` (lower case, with dashes) says.
pub(super) fn answer_header(name: &str) -> Field {
    let meaning = match name {
        "x-request-id" | "request-id" | "x-correlation-id" | "x-trace-id" => Meaning::RequestId,
        "cache-control" => Meaning::CacheControl,
        "vary" => Meaning::Vary,
        "age" => Meaning::Age,
        "set-cookie" => Meaning::SetCookie,
        "cache-status" | "x-cache" | "x-cache-status" | "cf-cache-status" | "x-fastapi-cache" | "x-proxy-cache" => {
            Meaning::Cache
        }
        "x-version" | "x-app-version" | "x-release" => Meaning::Version,
        "x-process-time" => return Field::ranked(Meaning::Latency(Unit::Seconds), Shape::Number, 5),
        _ => Meaning::Nothing,
    };
    Field::new(meaning, Shape::Free)
}

/// What the environment variable or WSGI key `name` (lower case) says.
fn environment(name: &str) -> Field {
    match name {
        "remote_user" => Field::new(Meaning::User, Shape::Free),
        "remote_addr" | "hostname" => WORD,
        _ => ANYTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_atom_is_known() {
        let gunicorn = ["h", "l", "u", "t", "r", "m", "U", "q", "H", "s", "st", "B", "b", "f", "a", "T", "D", "M", "L", "p"];
        let hypercorn =
            ["h", "l", "u", "t", "r", "R", "m", "U", "Uq", "q", "H", "s", "st", "S", "B", "b", "f", "a", "T", "D", "L", "p"];
        let granian = ["addr", "time", "dt_ms", "status", "path", "query_string", "method", "scheme", "protocol", "rbl"];
        for name in gunicorn.iter().chain(&hypercorn).chain(&granian) {
            assert!(field(name).is_ok(), "{name}");
        }
        assert!(field("z").is_err());
        assert!(field("{x}q").is_err());
    }

    #[test]
    fn a_header_of_the_answer_is_not_one_of_the_request() {
        assert_eq!(Ok(Meaning::Nothing), field("{Cache-Control}i").map(|f| f.meaning));
        assert_eq!(Ok(Meaning::CacheControl), field("{Cache-Control}o").map(|f| f.meaning));
        assert_eq!(Ok(Meaning::User), field("{authorization}i").map(|f| f.meaning));
        assert_eq!(Ok(Meaning::User), field("{REMOTE_USER}e").map(|f| f.meaning));
    }
}
