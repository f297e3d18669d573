//! Bodies of rows with their own checksum: a changed byte, key or table is told from a whole one.
//!
//! SQLite checks the structure of its pages and the frames of its log, not the content of a row. Form of a body: one byte
//! (0 plain, 1 shrunk), the content, then 16 bytes of digest over the table's name, the row's key and all before. The
//! digest is `input::identity`'s: made against accidents, not against attackers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::input::identity::Digest;
use crate::stats::stored;

/// A row's key, as it enters the digest.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'a> {
    Number(i64),
    Word(&'a str),
}

/// From so many bytes on a body is worth shrinking.
const WORTH: usize = 128;
const SEAL: usize = 16;

fn digest(table: &str, key: Key<'_>, content: &[u8]) -> [u8; SEAL] {
    let mut digest = Digest::new();
    digest.add(table.as_bytes());
    match key {
        Key::Number(number) => {
            digest.add(&[0, 1]);
            digest.add(&number.to_le_bytes());
        }
        Key::Word(word) => {
            digest.add(&[0, 2]);
            digest.add(word.as_bytes());
            digest.add(&[0]);
        }
    }
    digest.add(content);
    let [one, two] = digest.finish();
    (u128::from(one) << 64 | u128::from(two)).to_le_bytes()
}

/// The body of a row.
pub(super) fn seal(table: &str, key: Key<'_>, plain: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(plain.len() / 2 + SEAL + 1);
    let small = if plain.len() >= WORTH { stored::shrink(plain) } else { Vec::new() };
    if small.is_empty() || small.len() >= plain.len() {
        body.push(0);
        body.extend_from_slice(plain);
    } else {
        body.push(1);
        body.extend_from_slice(&small);
    }
    let seal = digest(table, key, &body);
    body.extend_from_slice(&seal);
    body
}

/// What stands in a body, `None` if it is not whole.
pub(super) fn unseal(table: &str, key: Key<'_>, body: &[u8]) -> Option<Vec<u8>> {
    if !is_whole(table, key, body) {
        return None;
    }
    match body[..body.len() - SEAL].split_first()? {
        (0, plain) => Some(plain.to_vec()),
        (1, small) => stored::grow(small).ok(),
        _ => None,
    }
}

/// Whether a body is as it was sealed.
pub(super) fn is_whole(table: &str, key: Key<'_>, body: &[u8]) -> bool {
    body.len()
        .checked_sub(SEAL)
        .and_then(|at| body.split_at_checked(at))
        .is_some_and(|(content, seal)| digest(table, key, content) == seal)
}

/// [`seal`] of a value.
pub(super) fn write<T: Serialize>(table: &str, key: Key<'_>, value: &T) -> Vec<u8> {
    seal(table, key, &postcard::to_stdvec(value).unwrap_or_default())
}

/// [`unseal`] to a value.
pub(super) fn read<T: DeserializeOwned>(table: &str, key: Key<'_>, body: &[u8]) -> Option<T> {
    postcard::from_bytes(&unseal(table, key, body)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_comes_back(plain: Vec<u8>, number: i64) {
            prop_assert_eq!(Some(plain.clone()), unseal("t", Key::Number(number), &seal("t", Key::Number(number), &plain)));
        }

        #[test]
        fn a_changed_byte_is_seen(plain: Vec<u8>, at: usize, bit in 0u8..8) {
            let mut body = seal("t", Key::Word("k"), &plain);
            let at = at % body.len();
            body[at] ^= 1 << bit;
            prop_assert_eq!(None, unseal("t", Key::Word("k"), &body));
        }
    }

    #[test]
    fn a_body_under_another_key_is_not_whole() {
        let body = seal("t", Key::Number(1), b"x");
        for (expected, table, key) in [
            (true, "t", Key::Number(1)),
            (false, "t", Key::Number(2)),
            (false, "u", Key::Number(1)),
            (false, "t", Key::Word("1")),
        ] {
            assert_eq!(expected, is_whole(table, key, &body), "{table} {key:?}");
        }
        assert!(!is_whole("t", Key::Number(1), b""));
    }
}
