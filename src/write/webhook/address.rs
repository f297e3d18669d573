//! A sink's address: checked, fitted to its form, and never shown whole.
//!
//! Paths and queries of webhooks are passwords (Slack's, PagerDuty's), and so is what stands before an `@`: people see
//! `https://host/…` only.

use crate::write::payload::Hidden;

/// An `http` or `https` address.
#[derive(Debug, Clone)]
pub(super) struct Address {
    whole: Hidden,
    /// `https://hooks.example.com`, with its port.
    origin: String,
}

impl Address {
    /// The error says what is wrong with it, without any part of it.
    pub(super) fn new(address: &Hidden) -> Result<Self, String> {
        let text = address.reveal();
        let (scheme, rest) = text.split_once("://").ok_or("an address begins with 'https://' or 'http://'")?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return Err("an address begins with 'https://' or 'http://'".to_owned());
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if host.is_empty() || host.starts_with(':') || !host.bytes().all(fits) {
            return Err("an address needs a host behind '://'".to_owned());
        }
        let parsed: Result<ureq::http::Uri, _> = text.parse();
        if parsed.is_err() {
            return Err("an address that can be called is needed".to_owned());
        }
        Ok(Self { origin: format!("{}://{host}", scheme.to_ascii_lowercase()), whole: address.clone() })
    }

    /// For the one place that calls it.
    pub(super) fn reveal(&self) -> &str {
        self.whole.reveal()
    }

    /// `https://hooks.example.com/…`
    pub(super) fn shown(&self) -> String {
        format!("{}/…", self.origin)
    }

    /// `hooks.example.com`, with its port.
    pub(super) fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// With `path` where it names none.
    #[must_use]
    pub(super) fn with_path(self, path: &str) -> Self {
        let bare = self.reveal().split_once("://").is_some_and(|(_, rest)| {
            let (_, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            behind.is_empty() || behind == "/"
        });
        if !bare {
            return self;
        }
        let whole = format!("{}{path}", self.reveal().trim_end_matches('/'));
        Self { whole: Hidden::new(whole), ..self }
    }

    /// Without the parameter `name` of its query, and that parameter's value.
    pub(super) fn without(self, name: &str) -> (Self, Option<Hidden>) {
        let Some((before, query)) = self.reveal().split_once('?') else { return (self, None) };
        let is_it = |pair: &&str| pair.split_once('=').is_some_and(|(key, _)| key == name);
        let value = query.split('&').find(is_it).and_then(|pair| pair.split_once('=')).map(|(_, value)| Hidden::new(value));
        let rest: Vec<&str> = query.split('&').filter(|pair| !is_it(pair)).collect();
        let whole = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
        (Self { whole: Hidden::new(whole), ..self }, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(&Hidden::new(text)).unwrap()
    }

    #[test]
    fn people_see_scheme_and_host_alone() {
        for (shown, text) in [
            ("https://hooks.example.com/…", "https://hooks.example.com/services/T0/B0/SECRET?token=SECRET#SECRET"),
            ("https://hooks.example.com/…", "HTTPS://user:SECRET@hooks.example.com/"),
            ("http://127.0.0.1:9093/…", "http://127.0.0.1:9093"),
            ("http://[::1]:9093/…", "http://[::1]:9093?token=SECRET"),
        ] {
            assert_eq!(shown, address(text).shown());
            assert!(!format!("{:?}", address(text)).contains("SECRET"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_named() {
        for text in [
            "hooks.example.com/SECRET",
            "file:///SECRET",
            "ftp://host/SECRET",
            "https://",
            "https:///SECRET",
            "https://@/SECRET",
            "https://a b/SECRET",
            "https://host/SEC RET",
            "https://:80/SECRET",
        ] {
            let error = Address::new(&Hidden::new(text)).unwrap_err();
            assert!(!error.contains("SEC") && !error.contains("host/"), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_is_added_where_there_is_none() {
        for (whole, text) in [
            ("http://am:9093/api/v2/alerts", "http://am:9093"),
            ("http://am:9093/api/v2/alerts", "http://am:9093/"),
            ("http://am:9093/prefix", "http://am:9093/prefix"),
            ("http://am:9093?x", "http://am:9093?x"),
        ] {
            assert_eq!(whole, address(text).with_path("/api/v2/alerts").reveal());
        }
    }

    #[test]
    fn a_parameter_is_taken_out_of_the_query() {
        for (whole, value, text) in [
            ("https://h/p", Some("K"), "https://h/p?key=K"),
            ("https://h/p?a=1&b=2", Some("K"), "https://h/p?a=1&key=K&b=2"),
            ("https://h/p?a=1", None, "https://h/p?a=1"),
            ("https://h/p", None, "https://h/p"),
        ] {
            let (left, found) = address(text).without("key");
            assert_eq!((whole, value), (left.reveal(), found.as_ref().map(Hidden::reveal)));
        }
    }
}
