//! Who may ask: the `Host` a request names, and the token.
//!
//! A page of a foreign site can make a browser ask a loopback address under that site's own name (DNS rebinding); such a
//! request names a host that is neither an address nor ours. So names are let in only where they cannot be rebound:
//! literal addresses, `localhost` and below it, and names the configuration lists.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Whether `host`, as a `Host` header or a target names it (with or without a port), may be answered. `hosts` are the
/// configured names.
pub fn is_ours(host: &str, hosts: &[String]) -> bool {
    let Some(name) = name(host) else { return false };
    if let Some(inner) = name.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|a| a.parse::<Ipv6Addr>().is_ok());
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok_and(|a| a.is_ipv4())
        || name == "localhost"
        || name.ends_with(".localhost")
        || hosts.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

/// The name without its port; `None` if that is no port.
fn name(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) && (port.is_empty() || !digits.is_empty());
    (is_port && (port.is_empty() || port.starts_with(':'))).then_some(name)
}

/// Whether an `Authorization` header carries the token: as a bearer, or as the password of basic authentication, which is
/// what a browser asks its user for.
pub fn carries(header: &[u8], token: &str) -> bool {
    let Some(at) = header.iter().position(|b| *b == b' ') else { return false };
    let (scheme, rest) = (&header[..at], header[at..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return same(rest, token.as_bytes());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    let Some(pair) = base64(rest) else { return false };
    pair.iter().position(|b| *b == b':').is_some_and(|colon| same(&pair[colon + 1..], token.as_bytes()))
}

/// Compares in a time that depends on the lengths alone.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != wanted.len());
    for (at, byte) in wanted.iter().enumerate() {
        difference |= std::hint::black_box(given.get(at).copied().unwrap_or(0) ^ byte);
    }
    std::hint::black_box(difference) == 0
}

/// RFC 4648, section 4.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let plain = text.trim_ascii_end();
    let plain = plain.strip_suffix(b"==").or_else(|| plain.strip_suffix(b"=")).unwrap_or(plain);
    let mut out = Vec::with_capacity(plain.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in plain {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held).to_le_bytes()[0]);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_cannot_be_rebound_are_ours() {
        let hosts = ["metrics.example.com".to_owned()];
        for (expected, host) in [
            (true, "localhost"),
            (true, "localhost:9100"),
            (true, "LOCALHOST."),
            (true, "shop.localhost:1"),
            (true, "127.0.0.1:9100"),
            (true, "192.168.1.7"),
            (true, "[::1]:9100"),
            (true, "[fe80::1]"),
            (true, "metrics.example.com"),
            (true, "Metrics.Example.com:443"),
            (false, "evil.example"),
            (false, "localhost.evil.example"),
            (false, "127.0.0.1.evil.example"),
            (false, "127.0.0.1.nip.io"),
            (false, "xlocalhost"),
            (false, "metrics.example.com.evil"),
            (false, "[::1].evil.example"),
            (false, "[::1"),
            (false, "[127.0.0.1]"),
            (false, "::1"),
            (false, "localhost:"),
            (false, "localhost:80:80"),
            (false, "localhost:x"),
            (false, "user@localhost"),
            (false, ""),
            (false, "0x7f.1"),
        ] {
            assert_eq!(expected, is_ours(host, &hosts), "{host}");
        }
    }

    #[test]
    fn a_token_is_taken_as_bearer_and_as_password() {
        for (expected, header) in [
            (true, "Bearer s3cret"),
            (true, "bearer  s3cret"),
            (true, "Basic dml0YWxvZzpzM2NyZXQ="),
            (true, "Basic OnMzY3JldA=="),
            (false, "Bearer s3cre"),
            (false, "Bearer s3crett"),
            (false, "Bearer "),
            (false, "Bearer"),
            (false, "s3cret"),
            (false, "Basic s3cret"),
            (false, "Basic !!"),
            (false, "Digest s3cret"),
        ] {
            assert_eq!(expected, carries(header.as_bytes(), "s3cret"), "{header}");
        }
    }
}
