//! The normal form of a path, and what a segment is by its look alone.
//!
//! A pure function of the path's bytes: `/orders/17/` and `/orders/18/` both give `/orders/{id}/`. Knows no templates and
//! no other paths; which literals are values of one parameter is found in `learn.rs`. Escapes are decoded first, `%2F`
//! included, because ASGI servers route on the decoded path, and written again in one way (RFC 3986, upper-case
//! hexadecimal), so that a server that logs `/a%20b` and one that logs `/a b` name one key. The result is printable
//! ASCII but for `…`, which stands for what was cut off; braces in it are always a placeholder.

/// A longer segment (decoded) is a token whatever it says.
pub(super) const LONGEST_SEGMENT: usize = 64;
/// Bytes a key's path may have.
pub(super) const LONGEST_PATH: usize = 256;
/// Segments a key's path may have.
pub(super) const DEEPEST: usize = 16;
/// What stands for the rest of a path that is too long or too deep.
pub(super) const REST: &str = "…";

/// Paths of this length cannot become longer than [`LONGEST_PATH`]: no placeholder is more than seven bytes longer than
/// its segment, and an escape two for each byte.
const SHORT: usize = LONGEST_PATH - 7 * DEEPEST - REST.len() - 2;
pub(super) const ID: &[u8] = b"{id}";
pub(super) const UUID: &[u8] = b"{uuid}";
const UUID_LENGTH: usize = 36;
const TOKEN: &[u8] = b"{token}";

const DIGIT: u8 = 1;
const LOW_HEX: u8 = 2;
const LOW_REST: u8 = 4;
const UP_HEX: u8 = 8;
const UP_REST: u8 = 16;
const DASH: u8 = 32;
/// Stands as it is, but is no letter, digit or `-`.
const MARK: u8 = 64;
/// Must be written as `%XX`.
const ESCAPED: u8 = 128;
const LETTERS: u8 = LOW_HEX | LOW_REST | UP_HEX | UP_REST;

/// The look of each byte; `/` has none.
static LOOKS: [u8; 256] = looks();

const fn looks() -> [u8; 256] {
    let mut table = [ESCAPED; 256];
    let mut b: u8 = 0x21;
    while b < 0x7f {
        table[b as usize] = match b {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => LOW_HEX,
            b'g'..=b'z' => LOW_REST,
            b'A'..=b'F' => UP_HEX,
            b'G'..=b'Z' => UP_REST,
            b'-' => DASH,
            b'/' => 0,
            b'_' | b'.' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => {
                MARK
            }
            _ => ESCAPED,
        };
        b += 1;
    }
    table
}

/// The normal form of `path` in `out` (cleared first); `decoded` is scratch. Printable, at most [`LONGEST_PATH`] bytes.
/// An empty path is `-`.
pub(super) fn normalise(path: &[u8], decoded: &mut Vec<u8>, out: &mut Vec<u8>) {
    match walk_words(path, out) {
        Some(true) => return,
        Some(false) if !path.is_empty() => return out.extend_from_slice(path),
        _ => out.clear(),
    }
    if memchr::memchr(b'%', path).is_some() {
        decode(path, decoded);
        if walk_words(decoded, out) == Some(true) {
            return;
        }
        out.clear();
        walk_any(decoded, out);
    } else {
        walk_any(path, out);
    }
    if out.is_empty() {
        out.push(b'-');
    }
}

/// Like [`normalise`], but says false and leaves nothing where `path` is its own normal form.
pub(super) fn normalise_others(path: &[u8], decoded: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    let changed = walk_words(path, out);
    if changed.is_none() || path.is_empty() {
        normalise(path, decoded, out);
    }
    changed != Some(false) || path.is_empty()
}

/// The usual path. True with the normal form in `out` (cleared first), false where that is `path` itself (`out` is empty
/// then), `None` for what may have to be cut, decoded or escaped.
#[inline]
fn walk_words(path: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    out.clear();
    if path.len() > SHORT {
        return None;
    }
    let (mut copied, mut start, mut depth) = (0, 0, 0);
    loop {
        let mut union = 0;
        let mut len = 0;
        for &byte in &path[start..] {
            if byte == b'/' {
                break;
            }
            union |= LOOKS[byte as usize];
            len += 1;
        }
        let end = start + len;
        if union & (DIGIT | MARK | ESCAPED) != 0 || len > LONGEST_SEGMENT {
            let value = match &path[start..end] {
                _ if union & ESCAPED != 0 => return None,
                segment if segment.len() > LONGEST_SEGMENT => Some(TOKEN),
                _ if union == DIGIT => Some(ID),
                segment => placeholder(segment, union),
            };
            if let Some(name) = value {
                out.extend_from_slice(&path[copied..start]);
                out.extend_from_slice(name);
                copied = end;
            }
        }
        depth += usize::from(len > 0);
        if end == path.len() {
            out.extend_from_slice(if copied > 0 { &path[copied..] } else { b"" });
            return (depth <= DEEPEST).then_some(copied > 0);
        }
        start = end + 1;
    }
}

/// The first segment that begins with a digit, where it is a number: its first byte and one past its last. The path's
/// normal form is the same whatever the number: `{id}` stands there, unless it is cut off.
#[inline]
pub(super) fn first_number(path: &[u8]) -> Option<(usize, usize)> {
    let from = first_digit(path)?;
    let mut to = from;
    while path.get(to).is_some_and(u8::is_ascii_digit) {
        to += 1;
    }
    let whole = to == path.len() || path.get(to) == Some(&b'/');
    (whole && to - from <= LONGEST_SEGMENT).then_some((from, to))
}

/// The first segment that is a UUID: its first byte and one past its last. The path's normal form is the same whatever the
/// UUID: `{uuid}` stands there, unless it is cut off.
#[inline]
pub(super) fn first_uuid(path: &[u8]) -> Option<(usize, usize)> {
    let mut rest = path;
    while rest.len() > UUID_LENGTH {
        rest = rest.get(memchr::memchr(b'/', rest)? + 1..)?;
        let segment = rest.first_chunk::<UUID_LENGTH>()?;
        if segment[8] == b'-' && matches!(rest.get(UUID_LENGTH), None | Some(b'/')) && is_hex_uuid(segment) {
            let from = path.len() - rest.len();
            return Some((from, from + UUID_LENGTH));
        }
    }
    None
}

/// The first digit behind a slash: eight bytes at a time, the last of which is looked at again as the next first.
#[inline]
fn first_digit(path: &[u8]) -> Option<usize> {
    const LAST: usize = 7;
    let mut at = 0;
    while let Some(chunk) = path.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = digits_behind_slashes(*chunk);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += LAST;
    }
    let rest = path.get(at..)?;
    rest.windows(2).position(|pair| pair[0] == b'/' && pair[1].is_ascii_digit()).map(|place| at + place + 1)
}

/// The high bit of each byte that is a digit and has a slash before it.
#[inline]
fn digits_behind_slashes(chunk: [u8; 8]) -> u64 {
    let bytes = u64::from_le_bytes(chunk);
    let slashes = !beyond(bytes ^ (EACH * 0x2f), 0);
    let digits = !beyond(bytes ^ (EACH * 0x30), 9);
    (slashes & TOPS) << 8 & digits
}

/// One in each of eight bytes, and the high bit of each.
const EACH: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = EACH * 0x80;

/// The high bit of each byte that is beyond `most` (below 0x80): 0x7f less `most` is added to seven bits, so that no byte
/// reaches the next. Other bits mean nothing.
#[inline]
fn beyond(bytes: u64, most: u64) -> u64 {
    ((bytes & (EACH * 0x7f)) + EACH * (0x7f - most)) | bytes
}

/// [`is_uuid`], of hexadecimal digits alone. Eight bytes at a time and without a branch: whether a random digit is a letter
/// would be guessed wrong every other time.
#[inline]
fn is_hex_uuid(segment: &[u8; UUID_LENGTH]) -> bool {
    // Where eight begin, and the high bits of the dashes among them; the last eight are partly those before them.
    const EIGHTS: [(usize, u64); 5] =
        [(0, 0), (8, 0x80 | 0x80 << (5 * 8)), (16, 0x80 << (2 * 8) | 0x80 << (7 * 8)), (24, 0), (28, 0)];
    let wrong = EIGHTS.iter().fold(0, |wrong, (from, dashes)| {
        let Some(bytes) = segment.get(*from..).and_then(|rest| rest.first_chunk::<8>()) else { return TOPS };
        let bytes = u64::from_le_bytes(*bytes);
        let digits = !beyond(bytes ^ (EACH * 0x30), 9);
        // `a` to `f` are 1 to 6 above 0x60, capitals likewise.
        let above = (bytes | (EACH * 0x20)) ^ (EACH * 0x60);
        let letters = !beyond(above, 6) & beyond(above, 0);
        let dash = !beyond(bytes ^ (EACH * 0x2d), 0);
        wrong | ((digits | letters) ^ !dashes) | (dash ^ dashes)
    });
    wrong & TOPS == 0
}

fn walk_any(path: &[u8], out: &mut Vec<u8>) {
    const ROOM: usize = LONGEST_PATH - REST.len() - 1;
    let mut depth = 0;
    let mut rest = path;
    loop {
        let mut union = 0;
        let mut len = 0;
        for &byte in rest {
            if byte == b'/' {
                break;
            }
            union |= LOOKS[byte as usize];
            len += 1;
        }
        let (segment, tail) = rest.split_at(len);
        if len > 0 {
            depth += 1;
            let before = out.len();
            if depth <= DEEPEST {
                put(segment, union, out);
            }
            if depth > DEEPEST || out.len() > ROOM {
                out.truncate(before);
                out.extend_from_slice(REST.as_bytes());
                return;
            }
        }
        let Some((_, tail)) = tail.split_first() else { return };
        if out.len() >= ROOM {
            out.extend_from_slice(REST.as_bytes());
            return;
        }
        out.push(b'/');
        rest = tail;
    }
}

fn put(segment: &[u8], union: u8, out: &mut Vec<u8>) {
    if segment.len() > LONGEST_SEGMENT {
        out.extend_from_slice(TOKEN);
    } else if union & (DIGIT | MARK | ESCAPED) == 0 {
        out.extend_from_slice(segment);
    } else if let Some(name) = placeholder(segment, union) {
        out.extend_from_slice(name);
    } else if union & ESCAPED == 0 {
        out.extend_from_slice(segment);
    } else {
        escape(segment, out);
    }
}

/// Which kind of value a segment with digits or marks is, `None` for a literal.
fn placeholder(segment: &[u8], union: u8) -> Option<&'static [u8]> {
    if union == DIGIT {
        return Some(ID);
    }
    let hex_only = union & (LOW_REST | UP_REST | MARK | ESCAPED) == 0;
    if union & MARK != 0 && is_email(segment) {
        return Some(b"{email}");
    }
    if union & (DIGIT | ESCAPED) != DIGIT {
        return None;
    }
    if union == DIGIT | DASH && segment.len() > 1 && segment[0] == b'-' && segment[1..].iter().all(u8::is_ascii_digit) {
        return Some(b"{id}");
    }
    if hex_only && union & DASH != 0 && is_uuid(segment) {
        return Some(UUID);
    }
    if hex_only && union & DASH == 0 && segment.len() >= 16 {
        return Some(b"{hash}");
    }
    if is_date(segment) {
        return Some(b"{date}");
    }
    (union & LETTERS != 0 && is_token(segment)).then_some(b"{token}".as_slice())
}

/// `8-4-4-4-12` hexadecimal digits (RFC 9562), whatever the version.
fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == UUID_LENGTH && segment.iter().enumerate().all(|(i, b)| (*b == b'-') == matches!(i, 8 | 13 | 18 | 23))
}

/// `name@host.tld` with nothing but what mail addresses of accounts are made of.
fn is_email(segment: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', segment) else { return false };
    let (name, host) = (&segment[..at], &segment[at + 1..]);
    let dot = memchr::memrchr(b'.', host);
    !name.is_empty()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b"._%+-!#$&'*/=?^`{|}~".contains(b))
        && dot.is_some_and(|d| d > 0 && host.len() - d > 2 && host[d + 1..].iter().all(u8::is_ascii_alphabetic))
        && host.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.' || *b == b'-')
}

/// `2026-11`, `2026-11-23`, `23-11-2026`, and these with a time behind `T` (ISO 8601).
fn is_date(segment: &[u8]) -> bool {
    let day = match memchr::memchr2(b'T', b't', segment) {
        Some(at) if segment.len() - at > 3 && segment[at + 1..].iter().all(|b| b.is_ascii_digit() || b":.+-Zz".contains(b)) => {
            &segment[..at]
        }
        Some(_) => return false,
        None => segment,
    };
    let mut parts = [0_usize; 3];
    let mut lens = [0_usize; 3];
    let mut n = 0;
    for part in day.split(|b| *b == b'-') {
        if n == 3 || part.is_empty() || part.len() > 4 || !part.iter().all(u8::is_ascii_digit) {
            return false;
        }
        parts[n] = part.iter().fold(0, |v, b| v * 10 + usize::from(b - b'0'));
        lens[n] = part.len();
        n += 1;
    }
    let year = |i: usize| lens[i] == 4 && (1900..2200).contains(&parts[i]);
    let month = |i: usize| lens[i] == 2 && (1..=12).contains(&parts[i]);
    let date = |i: usize| lens[i] == 2 && (1..=31).contains(&parts[i]);
    match n {
        2 => year(0) && month(1),
        3 => (year(0) && month(1) && date(2)) || (date(0) && month(1) && year(2)),
        _ => false,
    }
}

/// A long run of letters and digits that no word is made of: one part (between `-`, `_`, `.`, `~`) of at least 16 bytes
/// with both, or one of at least 12 that mixes both cases with three digits.
fn is_token(segment: &[u8]) -> bool {
    segment.split(|b| matches!(b, b'-' | b'_' | b'.' | b'~' | b'=' | b':')).any(|part| {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        let upper = part.iter().any(u8::is_ascii_uppercase);
        let lower = part.iter().any(u8::is_ascii_lowercase);
        let plain = part.iter().all(u8::is_ascii_alphanumeric);
        plain && ((part.len() >= 16 && digits >= 2 && (upper || lower)) || (part.len() >= 12 && digits >= 3 && upper && lower))
    })
}

fn escape(segment: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in segment {
        if LOOKS[byte as usize] == ESCAPED {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.push(byte);
        }
    }
}

/// `path` with its escapes decoded, in `out` (cleared first); a `%` without two hexadecimal digits stays.
pub(super) fn decode(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut at = 0;
    while at < path.len() {
        let pair = path.get(at + 1).zip(path.get(at + 2)).and_then(|(a, b)| Some(hex(*a)? << 4 | hex(*b)?));
        match pair {
            Some(byte) if path[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// True for `{id}`, `{slug}` and their like in a normal form, where braces cannot be literal.
pub(super) fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('{')
}

/// A short word of lower-case letters, as routes are named.
pub(super) fn is_word(segment: &str) -> bool {
    !segment.is_empty() && segment.len() <= 16 && segment.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// A number for `bytes` that is the same on every machine and in every version, spread evenly (folded multiplication, as in wyhash).
pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15 ^ (bytes.len() as u64).wrapping_mul(0xa076_1d64_78bd_642f);
    let (eights, tail) = bytes.as_chunks::<8>();
    for eight in eights {
        state = fold(state ^ u64::from_le_bytes(*eight), 0xe703_7ed1_a0b4_28db);
    }
    // The rest, zeros behind it.
    let last = match bytes.last_chunk::<8>() {
        _ if tail.is_empty() => 0,
        Some(eight) => u64::from_le_bytes(*eight) >> (64 - 8 * tail.len()),
        None => tail.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    };
    fold(state ^ last, 0x8ebc_6af0_9c88_c6e3)
}

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let halves = (wide as u64) ^ ((wide >> 64) as u64);
    halves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(path: &[u8]) -> String {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        normalise(path, &mut a, &mut b);
        String::from_utf8(b).unwrap()
    }

    #[test]
    fn segments_that_are_values_by_their_look_become_placeholders() {
        for (want, path) in [
            ("/products/{id}", "/products/17"),
            ("/products/{id}", "/products/-1"),
            ("/users/{uuid}/orders", "/users/2bcbde7e-af1d-4ea4-b4fb-eefd9846c68e/orders"),
            ("/users/{uuid}", "/users/2BCBDE7E-AF1D-4EA4-B4FB-EEFD9846C68E"),
            ("/blob/{hash}", "/blob/d41d8cd98f00b204e9800998ecf8427e"),
            ("/blob/{hash}", "/blob/507f1f77bcf86cd799439011"),
            ("/day/{date}", "/day/2026-11-23"),
            ("/day/{date}", "/day/23-11-2026"),
            ("/day/{date}", "/day/2026-11"),
            ("/day/{date}", "/day/2026-11-23T10:00:00Z"),
            ("/mail/{email}", "/mail/a.b+c@example.org"),
            ("/mail/{email}", "/mail/a%40example.org"),
            ("/t/{token}", "/t/eyJhbGciOiJIUzI1NiJ9.e30.abc"),
            ("/t/{token}", "/t/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("/t/{token}", "/t/cus_NffrFeUfNV2Hib123"),
        ] {
            assert_eq!(want, key(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn everything_else_stays_literal() {
        for path in [
            "/",
            "/products/abc",
            "/products/12x",
            "/v2.0/x",
            "/oauth2/token",
            "/a//b",
            "//double//slash",
            "/a/../b",
            "/products/",
            "/how-to-build-a-house-in-2024",
            "/getUserByOauth2Token",
            "/categories/kids,girls",
            "/@user",
            "/x/2024-13-41",
            "/1.5",
            "*",
        ] {
            assert_eq!(path, key(path.as_bytes()));
        }
    }

    #[test]
    fn escapes_have_one_form() {
        for (want, path) in [
            ("/a%20b", "/a b"),
            ("/a%20b", "/a%20b"),
            ("/m%C3%A4nner", "/m\u{e4}nner"),
            ("/m%C3%A4nner", "/m%c3%a4nner"),
            ("/(x),@a+b", "/%28x%29%2C%40a%2Bb"),
            ("/a/b", "/a%2Fb"),
            ("/100%25", "/100%"),
            ("/100%25", "/100%25"),
            ("/%7Bid%7D", "/{id}"),
            ("/%1B[31m", "/\u{1b}[31m"),
            ("/%00", "/%00"),
        ] {
            assert_eq!(want.replace('[', "%5B"), key(path.as_bytes()), "{path}");
        }
        assert_eq!("/caf%E9", key(b"/caf\xe9"));
        assert_eq!("-", key(b""));
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_cut_at_a_segment() {
        assert_eq!("/x/{token}", key(format!("/x/{}", "a".repeat(65)).as_bytes()));
        assert_eq!(format!("/x/{}", "a".repeat(64)), key(format!("/x/{}", "a".repeat(64)).as_bytes()));
        assert_eq!(format!("{}/…", "/a".repeat(16)), key("/a".repeat(17).as_bytes()));
        assert_eq!("/a".repeat(16), key("/a".repeat(16).as_bytes()));
        let long = key(format!("/{}", "b".repeat(60)).repeat(9).as_bytes());
        assert_eq!(format!("{}/…", format!("/{}", "b".repeat(60)).repeat(4)), long);
    }

    /// The segments behind a slash, and where each begins.
    fn segments(path: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
        let begins = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at + 1);
        begins.map(|at| (at, path[at..].split(|b| *b == b'/').next().unwrap_or_default()))
    }

    #[test]
    fn every_byte_in_a_uuid_is_judged_as_by_itself() {
        for (at, byte) in (0..UUID_LENGTH).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
            let mut segment = *b"0f9Aa6Fe-12cd-4e56-8b90-0123456789ab";
            segment[at] = byte;
            let want = if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
            assert_eq!(want, is_hex_uuid(&segment), "{byte} at {at}");
        }
    }

    proptest! {
        #[test]
        fn words_passed_over_change_nothing(path in "(/?([a-z]{0,12}|2026-11-23|[a-z0-9]{60,66}|[0-9]{1,9}|[A-Za-z0-9_.-]{1,5}|[0-9a-f]{15,17}|a@b\\.cc|[ -~]{0,4})){0,9}(/[a-z]){0,17}") {
            let (mut decoded, mut any, mut own, mut short) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            if memchr::memchr(b'%', path.as_bytes()).is_some() {
                decode(path.as_bytes(), &mut decoded);
                walk_any(&decoded, &mut any);
            } else {
                walk_any(path.as_bytes(), &mut any);
            }
            let want = if any.is_empty() { "-" } else { std::str::from_utf8(&any).unwrap() };
            prop_assert_eq!(want, key(path.as_bytes()));
            let changed = normalise_others(path.as_bytes(), &mut own, &mut short);
            prop_assert_eq!(want.as_bytes(), if changed { &short[..] } else { path.as_bytes() });
        }

        #[test]
        fn the_first_number_is_where_a_walk_over_segments_finds_it(path in "(/?([a-z]{0,9}|[0-9]{1,20}|[0-9]{60,66}|[0-9]x|\\PC|%2F|%37|%)){0,7}(/[a-z]){0,17}(/[0-9]{1,3})?") {
            let bytes = path.as_bytes();
            let want = segments(bytes).find(|(_, segment)| segment.first().is_some_and(u8::is_ascii_digit));
            let is_number = |segment: &[u8]| segment.iter().all(u8::is_ascii_digit) && segment.len() <= LONGEST_SEGMENT;
            let want = want.filter(|(_, segment)| is_number(segment)).map(|(at, segment)| (at, at + segment.len()));
            prop_assert_eq!(want, first_number(bytes));
            if let Some((from, to)) = want.filter(|_| path.len() < 100) {
                let other = format!("{}7{}", &path[..from], &path[to..]);
                prop_assert_eq!(key(bytes), key(other.as_bytes()), "whatever the number");
            }
        }

        #[test]
        fn a_uuid_is_one_eight_bytes_at_a_time_or_one_by_one(
            text in "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
            at in 0..UUID_LENGTH, byte: u8, other in 0..UUID_LENGTH,
        ) {
            let mut segment = [0; UUID_LENGTH];
            segment.copy_from_slice(text.as_bytes());
            prop_assert!(is_hex_uuid(&segment));
            segment[at] = byte;
            segment.swap(at, other);
            let want = is_uuid(&segment) && segment.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
            prop_assert_eq!(want, is_hex_uuid(&segment));
        }

        #[test]
        fn the_first_uuid_is_where_a_walk_over_segments_finds_it(
            path in "(/?([a-z]{0,9}|([0-9a-fA-F]{4}){2}(-[0-9a-fg]{4}){3}-[0-9a-f]{12}|[0-9a-f-]{35,37}|[a-f]{8}-\\PC|[0-9]{36}|%)){0,7}",
        ) {
            let bytes = path.as_bytes();
            let is_one = |segment: &[u8]| {
                let is_dash = |(i, b): (usize, &u8)| (*b == b'-') == matches!(i, 8 | 13 | 18 | 23);
                let digits = segment.iter().all(|b| *b == b'-' || b.is_ascii_hexdigit());
                segment.len() == 36 && digits && segment.iter().enumerate().all(is_dash)
            };
            let want = segments(bytes).find(|(_, segment)| is_one(segment)).map(|(at, _)| (at, at + 36));
            prop_assert_eq!(want, first_uuid(bytes));
            if let Some((from, to)) = want.filter(|_| path.len() < 200) {
                let other = format!("{}0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5B{}", &path[..from], &path[to..]);
                prop_assert_eq!(key(bytes), key(other.as_bytes()), "whatever the UUID");
                prop_assert!(key(bytes).contains("{uuid}"), "{}", key(bytes));
            }
        }

        #[test]
        fn any_bytes_give_a_short_printable_key(path in prop::collection::vec(any::<u8>(), 0..600)) {
            let got = key(&path);
            prop_assert!(got.len() <= LONGEST_PATH);
            prop_assert!(got.chars().all(|c| c.is_ascii_graphic() || c == '…'));
        }

        #[test]
        fn a_normal_form_is_its_own(path in "(/([a-z]{1,6}|[0-9]{1,3}x|%[0-9a-f]{2}|[ (),@\u{e4}\u{6771}]{1,3}|)){0,9}") {
            let once = key(path.as_bytes());
            prop_assume!(!once.contains('{'));
            prop_assert_eq!(&once, &key(once.as_bytes()));
        }
    }
}
