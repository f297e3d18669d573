//! Lines lost before they reached the log: what journald and rsyslog write in their place.

/// How many messages a line says were dropped; `None` for any other line. Forms: journald's `Suppressed 12 messages from
/// shop.service`, rsyslog's `imjournal: 12 messages lost due to rate-limiting` and `imuxsock lost 12 messages from pid 7
/// due to rate-limiting`.
pub fn read(text: &[u8]) -> Option<u64> {
    let begins = [&b"Suppressed "[..], b"imjournal", b"imuxsock", b"rsyslogd"];
    if text.len() > 512 || !begins.iter().any(|word| text.starts_with(word)) {
        return None;
    }
    let mut words = text.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let mut number = None;
    let said = words.by_ref().any(|word| {
        let own = std::str::from_utf8(word).ok().and_then(|word| word.parse::<u64>().ok());
        let messages = matches!(word, b"messages" | b"message") && number.is_some();
        number = own.or(number.filter(|_| messages));
        messages
    });
    let why = matches!(words.next(), Some(b"from" | b"lost"));
    number.filter(|_| said && why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_journald_and_rsyslog_dropped_is_told() {
        for (want, text) in [
            (Some(1234), "Suppressed 1234 messages from shop.service"),
            (Some(1), "Suppressed 1 message from shop.service"),
            (Some(12), "imjournal: 12 messages lost due to rate-limiting (20000 allowed within 600 seconds)"),
            (Some(7), "imuxsock lost 7 messages from pid 4711 due to rate-limiting"),
            (None, "Suppressed exception in callback"),
            (None, "Suppressed 3 warnings"),
            (None, "12 messages from shop.service"),
            (None, ""),
        ] {
            assert_eq!(want, read(text.as_bytes()), "{text}");
        }
    }
}
