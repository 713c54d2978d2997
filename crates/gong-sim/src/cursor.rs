//! Cursors: opaque signed strings that know the place in a walk and when the walk began.
//! Knows nothing of calls. A client must never need to look inside.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The place of a row in a walk: time (or hash) and id.
pub(crate) type Place = (i128, u64);

/// What a cursor knows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Place of the last row given out, as text because numbers lose digits.
    time: String,
    #[serde(rename = "callId")]
    call_id: String,
    #[serde(rename = "pageNumber")]
    pub(crate) page: u32,
    /// End of life in seconds since 1970, fixed on page one.
    pub(crate) exp: i64,
    /// What was asked for on page one.
    pub(crate) filter: String,
}

impl Cursor {
    pub(crate) fn new(place: Place, page: u32, exp: i64, filter: String) -> Self {
        Self { time: place.0.to_string(), call_id: place.1.to_string(), page, exp, filter }
    }

    /// The place of the last row given out.
    pub(crate) fn place(&self) -> Option<Place> {
        Some((self.time.parse().ok()?, self.call_id.parse().ok()?))
    }

    /// Signs and writes it.
    pub(crate) fn seal(&self, key: &[u8; 32]) -> String {
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(hmac(key, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Reads one that was signed with the key.
    pub(crate) fn open(text: &str, key: &[u8; 32]) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        if URL_SAFE_NO_PAD.decode(signature).ok()? != hmac(key, signed.as_bytes()) {
            return None;
        }
        let (_, payload) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

/// HMAC-SHA256 with a key of 32 bytes.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut inner = [0x36_u8; 64];
    let mut outer = [0x5c_u8; 64];
    for ((inner, outer), byte) in inner.iter_mut().zip(&mut outer).zip(key) {
        *inner ^= byte;
        *outer ^= byte;
    }
    let first = Sha256::new().chain_update(inner).chain_update(message).finalize();
    Sha256::new().chain_update(outer).chain_update(first).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{Cursor, hmac};

    #[test]
    fn a_cursor_opens_only_with_its_own_key() {
        let cursor = Cursor::new((-5, u64::MAX), 2, 77, "f".to_owned());
        let text = cursor.seal(&[1; 32]);
        let read = Cursor::open(&text, &[1; 32]).unwrap();
        assert_eq!((read.place(), read.page, read.exp), (Some((-5, u64::MAX)), 2, 77));
        assert!(Cursor::open(&text, &[2; 32]).is_none());
        assert!(Cursor::open("nonsense", &[1; 32]).is_none());
    }

    #[test]
    fn the_signature_is_real_hmac_sha256() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(hmac(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
