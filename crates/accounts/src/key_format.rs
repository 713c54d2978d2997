//! What an API key looks like: `spk_live_`, 40 random letters and digits, and a checksum of 6.
//!
//! The fixed start lets secret scanners find a leaked key; the checksum lets them (and us) know without asking anybody
//! that a text is a key and not an accident. Knows no database.

use kernel::{Ambient, SecretString};
use sha2::{Digest, Sha256};

use crate::random_text::{ALPHABET, base62};

const START: &str = "spk_live_";
const RANDOM: usize = 40;
const CHECKSUM: usize = 6;
/// How much of a key is kept to recognise it by.
const PREFIX: usize = 12;

/// A key that was just made. The secret exists nowhere else.
pub(crate) struct FreshKey {
    pub(crate) secret: SecretString,
    pub(crate) prefix: String,
    pub(crate) hash: [u8; 32],
}

pub(crate) fn fresh(ambient: &dyn Ambient) -> FreshKey {
    let body = format!("{START}{}", base62(ambient, RANDOM));
    let key = format!("{body}{}", checksum(&body));
    FreshKey { prefix: key[..PREFIX].to_owned(), hash: hash(&key), secret: key.into() }
}

/// What is stored of a key. It has 238 random bits, so a plain hash cannot be reversed.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether a text has the form of an API key and its checksum is right; asks nobody.
pub fn looks_like_api_key(text: &str) -> bool {
    let plain = text.len() == START.len() + RANDOM + CHECKSUM
        && text.starts_with(START)
        && text[START.len()..].bytes().all(|b| b.is_ascii_alphanumeric());
    plain && {
        let (body, sum) = text.split_at(START.len() + RANDOM);
        checksum(body) == sum
    }
}

/// The first 32 bits of the SHA-256 of what stands before it, as 6 digits to the base 62.
fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let mut number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{ExposeSecret, SystemAmbient};

    #[test]
    fn a_fresh_key_is_recognised_and_a_changed_one_is_not() {
        let key = fresh(&SystemAmbient);
        let text = key.secret.expose_secret();
        assert_eq!(text.len(), 55);
        assert!(looks_like_api_key(text));
        assert!(text.starts_with(&key.prefix) && key.prefix.len() == 12);
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(!looks_like_api_key(&String::from_utf8(bytes).unwrap()), "position {at}");
        }
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in
            ["", "spk_live_", "Bearer x", &"spk_live_".repeat(7), &format!("spk_live_{}", "é".repeat(23))]
        {
            assert!(!looks_like_api_key(text), "{text}");
        }
    }

    #[test]
    fn the_checksum_does_not_change_between_versions() {
        assert_eq!(checksum("spk_live_0000000000000000000000000000000000000000"), "0WyM5u");
    }
}
