//! The variables of an nginx `log_format`, and what each says.
//!
//! Leaves the compiling to `parse::custom`. Names and units from nginx's documentation of `ngx_http_core_module`,
//! `ngx_http_log_module` and `ngx_http_upstream_module`. A variable that is not known (a `map`, a `set`) may be any
//! text and says nothing.

use super::access::Unit;
use super::custom::ANYTHING;
use super::custom::Field;
use super::custom::Meaning;
use super::custom::Shape;
use super::custom::WORD;
use super::python;

/// What the variable `name` says and how it is written.
pub(super) fn variable(name: &str) -> Field {
    match name {
        "remote_addr"
        | "remote_port"
        | "realip_remote_addr"
        | "server_addr"
        | "server_port"
        | "host"
        | "http_host"
        | "hostname"
        | "server_name"
        | "scheme"
        | "pipe"
        | "connection"
        | "connection_requests"
        | "request_length"
        | "gzip_ratio" => WORD,
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" | "upstream_addr" => Field::new(Meaning::Nothing, Shape::List),
        "server_protocol" => Field::new(Meaning::Nothing, Shape::Protocol),
        "remote_user" => Field::new(Meaning::User, Shape::Free),
        "time_local" => Field::new(Meaning::Time, Shape::Clf(false)),
        "time_iso8601" => Field::ranked(Meaning::Time, Shape::Iso, 1),
        "msec" => Field::ranked(Meaning::Time, Shape::Epoch, 2),
        "request" => Field::new(Meaning::RequestLine, Shape::RequestLine),
        "request_method" => Field::new(Meaning::Method, Shape::Token),
        "request_uri" => Field::new(Meaning::Path, Shape::Target),
        "uri" | "document_uri" => Field::ranked(Meaning::Path, Shape::Target, 1),
        "status" => Field::new(Meaning::Status, Shape::Status),
        "body_bytes_sent" => Field::new(Meaning::Bytes, Shape::Number),
        "bytes_sent" => Field::ranked(Meaning::Bytes, Shape::Number, 1),
        "request_time" => Field::new(Meaning::Latency(Unit::Seconds), Shape::Number),
        "upstream_response_time" => Field::ranked(Meaning::Latency(Unit::Seconds), Shape::Numbers, 1),
        "upstream_connect_time"
        | "upstream_header_time"
        | "upstream_status"
        | "upstream_queue_time"
        | "upstream_bytes_received"
        | "upstream_bytes_sent"
        | "upstream_response_length" => Field::new(Meaning::Nothing, Shape::Numbers),
        "upstream_cache_status" => Field::new(Meaning::Cache, Shape::Word),
        "request_id" => Field::ranked(Meaning::RequestId, Shape::Word, 1),
        "pid" => Field::new(Meaning::Nothing, Shape::Number),
        _ => prefixed(name),
    }
}

/// `$http_x`, `$sent_http_x`, `$upstream_http_x`, `$cookie_x`.
fn prefixed(name: &str) -> Field {
    let dashed = |header: &str| header.replace('_', "-");
    if let Some(header) = name.strip_prefix("sent_http_").or_else(|| name.strip_prefix("upstream_http_")) {
        python::answer_header(&dashed(header))
    } else if let Some(header) = name.strip_prefix("http_") {
        python::request_header(&dashed(header))
    } else if let Some(cookie) = name.strip_prefix("cookie_") {
        let known = ["session", "sid", "token", "auth", "jwt"].iter().any(|word| cookie.to_ascii_lowercase().contains(word));
        if known { Field::new(Meaning::User, Shape::Free) } else { ANYTHING }
    } else {
        ANYTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_by_its_name_on_either_side() {
        assert_eq!(Meaning::RequestId, variable("http_x_request_id").meaning);
        assert_eq!(Meaning::CacheControl, variable("sent_http_cache_control").meaning);
        assert_eq!(Meaning::CacheControl, variable("upstream_http_cache_control").meaning);
        assert_eq!(Meaning::Nothing, variable("http_cache_control").meaning);
        assert_eq!(Meaning::User, variable("cookie_sessionid").meaning);
        assert_eq!(Meaning::Nothing, variable("cookie_theme").meaning);
    }
}
