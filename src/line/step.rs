//! Small steps over the bytes of a wrapper: a word, a number, the blank behind.
//!
//! Each takes bytes and gives what it names or `None`; none looks further than the line.

/// The bytes up to the first `byte`, and those behind it.
pub(crate) fn split(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The first word and what follows its blank; the whole line where it is one word.
pub(crate) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    split(text, b' ').unwrap_or((text, b""))
}

/// What follows one blank; empty at the end of the line.
pub(crate) fn after_blank(text: &[u8]) -> Option<&[u8]> {
    match text.split_first() {
        Some((b' ', rest)) => Some(rest),
        Some(_) => None,
        None => Some(b""),
    }
}

/// A whole number of up to 18 digits that is the whole of `digits`.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let possible = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    possible.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// A process id that is the whole of `digits`.
pub(crate) fn pid(digits: &[u8]) -> Option<u32> {
    number(digits).and_then(|pid| u32::try_from(pid).ok())
}

/// True where `name` is made of letters, digits and `also`, begins with a letter or digit, and is not empty.
pub(crate) fn is_name(name: &[u8], also: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(|b| b.is_ascii_alphanumeric() || also.contains(b))
}

/// True where `word` is the name of a level, as loggers write it in front of their text.
pub(crate) fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&str; 12] =
        ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "CRITICAL", "FATAL", "SUCCESS", "EXCEPTION"];
    LEVELS.iter().any(|level| level.as_bytes().eq_ignore_ascii_case(word))
}
