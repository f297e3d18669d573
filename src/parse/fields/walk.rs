//! One walk over one JSON line: which value stands under which key, without building anything.
//!
//! Checks the whole line against RFC 8259 as it goes, iteratively and to a bounded depth, and hands every scalar and
//! array (whole) to the caller with the dotted path of its key. Meanings are `names.rs`, values `values.rs`.
//! Two things are read that the RFC does not know because Python's `json` writes them: `NaN` and `Infinity`, and
//! surrogates without their partner. Bytes that are no UTF-8 are let through in strings.

use super::names::Entry;
use super::names::Names;

/// The deepest nesting that is read; `serde_json`'s own limit.
pub(crate) const DEEPEST: usize = 127;

/// What a value is. As wide as the places beside it: a [`Value`] is copied word by word, and a word of which only one byte
/// was just written has to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    /// A string without escapes; the span is what stands between the quotes.
    Text,
    /// A string with escapes; the span is what stands between the quotes.
    Escaped,
    /// A number, `NaN` and `Infinity` included.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// An array, brackets included.
    Array,
}

/// A value's kind, its span in the line (strings without quotes) and where the line goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) next: usize,
}

/// Buffers of the walk, kept from line to line so that nothing is allocated; no meaning survives in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    /// The dotted path of the key at hand, normalised.
    pub(crate) path: Vec<u8>,
    /// Where in `path` each open object begins.
    open: Vec<usize>,
}

fn at(text: &[u8], pos: usize) -> u8 {
    text.get(pos).copied().unwrap_or(0)
}

fn blank(text: &[u8], mut pos: usize) -> usize {
    while matches!(at(text, pos), b' ' | b'\t' | b'\n' | b'\r') {
        pos += 1;
    }
    pos
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from `pos` are neither a quote, a backslash nor a control byte; eight at a time.
fn plain(text: &[u8], pos: usize) -> usize {
    let rest = text.get(pos..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    let mut taken = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & TOPS;
        if found != 0 {
            return taken + found.trailing_zeros() as usize / 8;
        }
        taken += 8;
    }
    taken + tail.iter().take_while(|&&b| b != b'"' && b != b'\\' && b >= 0x20).count()
}

/// Whether a line has no backslash and no control byte: then a string ends at the next quote, whatever stands in it.
pub(crate) fn is_clean(text: &[u8]) -> bool {
    // the least of either, which is found sixteen bytes at a time
    let (lowest, nearest) = text.iter().fold((u8::MAX, u8::MAX), |(low, near), &b| (low.min(b), near.min(b ^ b'\\')));
    lowest >= 0x20 && nearest > 0
}

/// How far the next quote is: the first bytes eight at a time, for most strings are short.
fn quote(rest: &[u8]) -> Option<usize> {
    const NEAR: usize = 32;
    let Some(near) = rest.first_chunk::<NEAR>() else { return rest.iter().position(|&b| b == b'"') };
    for (eight, word) in near.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ (ONES * 0x22);
        let found = word.wrapping_sub(ONES) & !word & TOPS;
        if found != 0 {
            return Some(eight * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    memchr::memchr(b'"', rest.get(NEAR..)?).map(|at| NEAR + at)
}

/// [`value`] in a clean line.
#[inline]
pub(crate) fn clean_value(text: &[u8], pos: usize, depth: usize) -> Option<Value> {
    match at(text, pos) {
        b'"' => {
            let start = pos + 1;
            let end = start + quote(text.get(start..)?)?;
            Some(Value { kind: Kind::Text, start, end, next: end + 1 })
        }
        b'1'..=b'9' => {
            let mut end = pos + 1 + digits(text, pos + 1);
            if at(text, end) == b'.' && at(text, end + 1).is_ascii_digit() {
                end += 2 + digits(text, end + 2);
            }
            // an exponent is the long way's
            if matches!(at(text, end), b'e' | b'E' | b'.') {
                return value(text, pos, depth);
            }
            Some(Value { kind: Kind::Number, start: pos, end, next: end })
        }
        _ => value(text, pos, depth),
    }
}

/// The string whose opening quote is at `pos`.
fn string(text: &[u8], pos: usize) -> Option<Value> {
    let start = pos + 1;
    let mut kind = Kind::Text;
    let mut pos = start;
    loop {
        pos += plain(text, pos);
        match at(text, pos) {
            b'"' => return Some(Value { kind, start, end: pos, next: pos + 1 }),
            b'\\' => {
                kind = Kind::Escaped;
                pos += match at(text, pos + 1) {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' if text.get(pos + 2..pos + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
}

fn digits(text: &[u8], pos: usize) -> usize {
    text.get(pos..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
}

fn number(text: &[u8], start: usize) -> Option<Value> {
    let mut pos = start + usize::from(at(text, start) == b'-');
    if text.get(pos..).is_some_and(|rest| rest.starts_with(b"Infinity")) {
        return Some(Value { kind: Kind::Number, start, end: pos + 8, next: pos + 8 });
    }
    let whole = digits(text, pos);
    if whole == 0 || whole > 1 && at(text, pos) == b'0' {
        return None;
    }
    pos += whole;
    if at(text, pos) == b'.' {
        let fraction = digits(text, pos + 1);
        if fraction == 0 {
            return None;
        }
        pos += 1 + fraction;
    }
    if matches!(at(text, pos), b'e' | b'E') {
        pos += 1 + usize::from(matches!(at(text, pos + 1), b'+' | b'-'));
        let exponent = digits(text, pos);
        if exponent == 0 {
            return None;
        }
        pos += exponent;
    }
    Some(Value { kind: Kind::Number, start, end: pos, next: pos })
}

fn word(text: &[u8], start: usize, expected: &[u8], kind: Kind) -> Option<Value> {
    let end = start + expected.len();
    (text.get(start..end)? == expected).then_some(Value { kind, start, end, next: end })
}

/// The scalar or array at `pos`; `depth` objects are open around it. `None` for an object or anything broken.
pub(crate) fn value(text: &[u8], pos: usize, depth: usize) -> Option<Value> {
    match at(text, pos) {
        b'"' => string(text, pos),
        b'[' => {
            let next = array(text, pos, depth)?;
            Some(Value { kind: Kind::Array, start: pos, end: next, next })
        }
        _ => scalar(text, pos),
    }
}

fn scalar(text: &[u8], pos: usize) -> Option<Value> {
    match at(text, pos) {
        b'"' => string(text, pos),
        b'-' | b'0'..=b'9' | b'I' => number(text, pos),
        b'n' => word(text, pos, b"null", Kind::Null),
        b't' => word(text, pos, b"true", Kind::True),
        b'f' => word(text, pos, b"false", Kind::False),
        b'N' => word(text, pos, b"NaN", Kind::Number),
        _ => None,
    }
}

/// Checks the array at `pos` and all within it: where it ends. A bit for each open bracket, set for objects.
fn array(text: &[u8], pos: usize, depth: usize) -> Option<usize> {
    let (mut objects, mut open) = (0_u128, 0_usize);
    let mut pos = pos;
    let mut expects = true;
    loop {
        if expects {
            pos = blank(text, pos);
            let byte = at(text, pos);
            if byte == b'[' || byte == b'{' {
                open += 1;
                if depth + open > DEEPEST {
                    return None;
                }
                objects = objects << 1 | u128::from(byte == b'{');
                pos = blank(text, pos + 1);
                expects = at(text, pos) != byte + 2;
                if expects && byte == b'{' {
                    pos = key(text, pos)?.1;
                }
                continue;
            }
            pos = scalar(text, pos)?.next;
        }
        pos = blank(text, pos);
        let in_object = objects & 1 == 1;
        match (at(text, pos), in_object) {
            (b',', false) => pos += 1,
            (b',', true) => pos = key(text, blank(text, pos + 1))?.1,
            (b']', false) | (b'}', true) => {
                open -= 1;
                objects >>= 1;
                expects = false;
                pos += 1;
                if open == 0 {
                    return Some(pos);
                }
                continue;
            }
            _ => return None,
        }
        expects = true;
    }
}

/// The key at `pos` and the place behind its colon.
fn key(text: &[u8], pos: usize) -> Option<(Value, usize)> {
    if at(text, pos) != b'"' {
        return None;
    }
    let key = string(text, pos)?;
    let colon = blank(text, key.next);
    (at(text, colon) == b':').then_some((key, colon + 1))
}

/// Walks the object that is the whole of `text` and gives every value that is no object to `take`, in order, with
/// what its key means. `None` where the line is no whole JSON object; what came before the break was given.
pub(crate) fn walk(
    text: &[u8],
    names: &Names,
    buffers: &mut Buffers,
    mut take: impl FnMut(Option<Entry>, Value),
) -> Option<()> {
    buffers.path.clear();
    buffers.open.clear();
    let mut pos = blank(text, 0);
    if at(text, pos) != b'{' {
        return None;
    }
    buffers.open.push(0);
    pos = blank(text, pos + 1);
    let mut expects_key = at(text, pos) != b'}';
    while let Some(&prefix) = buffers.open.last() {
        if expects_key {
            let (name, behind) = key(text, pos)?;
            pos = blank(text, behind);
            buffers.path.truncate(prefix);
            add_key(&mut buffers.path, text.get(name.start..name.end)?, name.kind == Kind::Escaped);
            if at(text, pos) == b'{' {
                if buffers.open.len() >= DEEPEST {
                    return None;
                }
                buffers.path.push(b'.');
                buffers.open.push(buffers.path.len());
                pos = blank(text, pos + 1);
                expects_key = at(text, pos) != b'}';
                continue;
            }
            let value = value(text, pos, buffers.open.len())?;
            take(names.find(&buffers.path), value);
            pos = value.next;
        }
        pos = blank(text, pos);
        match at(text, pos) {
            b',' => {
                pos = blank(text, pos + 1);
                expects_key = true;
            }
            b'}' => {
                buffers.open.pop();
                pos += 1;
                expects_key = false;
            }
            _ => return None,
        }
    }
    (blank(text, pos) == text.len()).then_some(())
}

/// Adds a key to the path in the form `names.rs` looks up: lower case, without `_` and `-`. An escaped key is
/// unescaped first.
pub(crate) fn add_key(path: &mut Vec<u8>, key: &[u8], escaped: bool) {
    let start = path.len();
    if escaped {
        super::values::unescape(key, path);
        let mut kept = start;
        for i in start..path.len() {
            let byte = at(path, i);
            if byte != b'_' && byte != b'-' {
                if let Some(slot) = path.get_mut(kept) {
                    *slot = byte.to_ascii_lowercase();
                }
                kept += 1;
            }
        }
        path.truncate(kept);
    } else {
        path.extend(key.iter().filter(|&&b| b != b'_' && b != b'-').map(u8::to_ascii_lowercase));
    }
}
