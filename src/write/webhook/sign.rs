//! Signatures as Standard Webhooks makes them (specification 1.0.0): `v1,` and the Base64 of HMAC-SHA256 over
//! `id.timestamp.body`, one for each key, separated by blanks.
//!
//! A key that begins with `whsec_` is Base64 behind that; any other is taken byte for byte.

use std::fmt;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;

use crate::time::Timestamp;
use crate::write::payload::Hidden;

/// A key that signs.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key of a configured secret. The error says what is wrong with it, without any part of it.
    pub fn new(secret: &Hidden) -> Result<Self, String> {
        let text = secret.reveal();
        let bytes = match text.strip_prefix("whsec_") {
            Some(base64) => decoded(base64).ok_or("a secret that begins with 'whsec_' goes on in Base64")?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err("a secret is empty".to_owned());
        }
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| "a secret cannot be used as a key".to_owned())
    }
}

/// The header `webhook-signature` of a message that is sent at `at`.
pub fn signature(keys: &[Key], id: &str, at: Timestamp, body: &[u8]) -> String {
    let one = |key: &Key| {
        let mut mac = key.0.clone();
        mac.update(format!("{id}.{}.", at.second()).as_bytes());
        mac.update(body);
        format!("v1,{}", encoded(&mac.finalize().into_bytes()))
    };
    keys.iter().map(one).collect::<Vec<_>>().join(" ")
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let group = part.iter().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)) << (8 * (3 - part.len()));
        for at in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= part.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// The bytes of Base64 with or without padding; `None` for anything else.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > 2 || padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let (mut out, mut group, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for byte in digits.bytes() {
        let value = DIGITS.iter().position(|&digit| digit == byte)?;
        group = group << 6 | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(group >> bits & 255).ok()?);
            group &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> Key {
        Key::new(&Hidden::new(secret)).unwrap()
    }

    /// The vector of the Standard Webhooks libraries' own tests.
    #[test]
    fn the_published_vector_is_met() {
        let signed = signature(
            &[key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Timestamp::from_seconds(1_614_265_330),
            br#"{"test": 2432232314}"#,
        );
        assert_eq!("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signed);
    }

    #[test]
    fn two_keys_give_two_signatures_while_rotating() {
        let at = Timestamp::from_seconds(1_795_394_208);
        let (old, new) = (key("plain text key"), key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let both = signature(&[new.clone(), old.clone()], "m", at, b"body");
        assert_eq!(format!("{} {}", signature(&[new], "m", at, b"body"), signature(&[old], "m", at, b"body")), both);
    }

    /// Python: `base64.b64encode(hmac.new(b"plain text key", b"m.1795394208.body", "sha256").digest())`.
    #[test]
    fn a_plain_secret_is_taken_byte_for_byte() {
        let at = Timestamp::from_seconds(1_795_394_208);
        assert_eq!("v1,6+mpGmivaZfKyjtSkn7dr5U/HXf7Gw8mNy5hDRi0Vog=", signature(&[key("plain text key")], "m", at, b"body"));
    }

    #[test]
    fn a_secret_that_cannot_be_is_refused_without_being_named() {
        for secret in ["", "whsec_", "whsec_a", "whsec_!!!!", "whsec_ab=c", "whsec_abcd=", "whsec_ab==="] {
            let error = Key::new(&Hidden::new(secret)).unwrap_err();
            assert!(!error.contains("ab") && !error.contains("!!"), "{error}");
        }
        assert_eq!("Key(…)", format!("{:?}", key("x")));
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64_meets_its_vectors() {
        for (base64, text) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64, encoded(text.as_bytes()));
            assert_eq!(Some(text.as_bytes().to_vec()), decoded(base64));
            assert_eq!(Some(text.as_bytes().to_vec()), decoded(base64.trim_end_matches('=')));
        }
    }

    proptest! {
        #[test]
        fn base64_gives_back_what_it_was_given(bytes: Vec<u8>) {
            prop_assert_eq!(Some(bytes.clone()), decoded(&encoded(&bytes)));
        }
    }
}
