//! Request methods by number: a closed set, whatever is sent.
//!
//! The names are those of RFC 9110, RFC 5789, RFC 4918 and the caches' `PURGE`; `WEBSOCKET` is what logs say of upgrades.

/// Methods that are told apart; any other is `OTHER`. The first is a request without one.
pub(super) const METHODS: [&str; 19] = [
    "-",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "WEBSOCKET",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "PURGE",
    "OTHER",
];
/// The number of `WEBSOCKET`.
pub(super) const WEBSOCKET: usize = 11;

/// The number of a method in [`METHODS`]; the case of letters does not matter.
pub(super) fn method_number(method: &[u8]) -> usize {
    match method {
        b"GET" => 1,
        b"HEAD" => 2,
        b"POST" => 3,
        b"PUT" => 4,
        b"PATCH" => 5,
        b"DELETE" => 6,
        b"OPTIONS" => 7,
        b"" | b"-" => 0,
        _ => METHODS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(method)).unwrap_or(METHODS.len() - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_are_one() {
        for (want, method) in [
            ("GET", "GET"),
            ("GET", "get"),
            ("-", ""),
            ("-", "-"),
            ("WEBSOCKET", "WebSocket"),
            ("OTHER", "FOO"),
            ("OTHER", "OTHER"),
            ("OTHER", "G\0T"),
        ] {
            assert_eq!(want, METHODS[method_number(method.as_bytes())]);
        }
        assert_eq!("WEBSOCKET", METHODS[WEBSOCKET]);
        for (number, method) in METHODS.iter().enumerate() {
            assert_eq!(number, method_number(method.as_bytes()), "{method}");
        }
    }
}
