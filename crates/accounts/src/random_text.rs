//! Random texts of the 62 letters and digits. Knows no use of them.

use kernel::Ambient;

pub(crate) const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `length` letters and digits, each of the 62 equally likely.
pub(crate) fn base62(ambient: &dyn Ambient, length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes: [u8; 64] = ambient.random();
        // 248 is the largest multiple of 62 in a byte; what lies above would favour the first letters.
        let letters = bytes.iter().filter(|b| **b < 248).map(|b| char::from(ALPHABET[usize::from(b % 62)]));
        text.extend(letters.take(length - text.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    #[test]
    fn texts_have_the_length_asked_for_and_use_all_letters() {
        let text = base62(&SystemAmbient, 6200);
        assert_eq!(text.len(), 6200);
        for letter in ALPHABET {
            let count = text.bytes().filter(|b| b == letter).count();
            assert!((40..=180).contains(&count), "{letter} came {count} times of about 100");
        }
        assert_ne!(base62(&SystemAmbient, 20), base62(&SystemAmbient, 20));
    }
}
