//! The ring of Fernet keys: the first seals, all open.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE};
use fernet::Fernet;
use hmac::{Hmac, Mac};
use kernel::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Context;

/// Why a text is not a ring of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key at all.
    #[error("no key is given; `soundpost keys generate` makes one")]
    Empty,
    /// One of the keys is not a Fernet key.
    #[error(
        "key number {position} is not a Fernet key (32 bytes in URL-safe base64); `soundpost keys generate` makes one"
    )]
    NotAKey {
        /// Counted from one.
        position: usize,
    },
    /// The same key stands twice.
    #[error("key number {position} stands twice")]
    Twice {
        /// Counted from one.
        position: usize,
    },
}

/// Why a sealed secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed with a key that is not on the ring.
    #[error("the secret was sealed with key {key_id}, which is not among the configured keys")]
    UnknownKey {
        /// The id of the missing key.
        key_id: String,
    },
    /// The ciphertext was changed or cut.
    #[error("the sealed secret is damaged")]
    Damaged,
    /// It is a real secret of ours, but of another organization, connection, field or generation.
    #[error("the sealed secret belongs somewhere else")]
    WrongContext,
}

impl OpenError {
    /// Stable name for logs, metrics and clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "sealing_key_unknown",
            Self::Damaged => "sealed_secret_damaged",
            Self::WrongContext => "sealed_secret_misplaced",
        }
    }
}

/// A sealed secret and the id of the key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key; says nothing about the key itself.
    pub key_id: String,
    /// The Fernet token.
    pub text: String,
}

struct Key {
    id: String,
    fernet: Fernet,
    marking: Hmac<Sha256>,
}

/// The keys that this process knows.
pub struct KeyRing {
    keys: Vec<Key>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

impl KeyRing {
    /// Reads keys separated by commas or white space; the first one seals.
    ///
    /// # Errors
    /// When there is no key, one is not a Fernet key, or one stands twice.
    pub fn parse(text: &SecretString) -> Result<Self, KeyRingError> {
        let mut keys: Vec<Key> = Vec::new();
        let parts =
            text.expose_secret().split(|c: char| c == ',' || c.is_whitespace()).filter(|p| !p.is_empty());
        for (position, part) in (1..).zip(parts) {
            let bytes =
                Zeroizing::new(URL_SAFE.decode(part).map_err(|_| KeyRingError::NotAKey { position })?);
            let fernet = Fernet::new(part).ok_or(KeyRingError::NotAKey { position })?;
            let id = key_id(&bytes);
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyRingError::Twice { position });
            }
            let marking = marking(&bytes).ok_or(KeyRingError::NotAKey { position })?;
            keys.push(Key { id, fernet, marking });
        }
        if keys.is_empty() { Err(KeyRingError::Empty) } else { Ok(Self { keys }) }
    }

    /// Makes a new key in the form that [`KeyRing::parse`] reads.
    pub fn generate_key() -> SecretString {
        Fernet::generate_key().into()
    }

    /// The ids of all keys, the sealing one first. An id is a short hash; it does not reveal the key.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The id of the key that seals.
    pub fn sealing_key_id(&self) -> &str {
        self.keys.first().map_or("", |key| key.id.as_str())
    }

    /// Seals `secret` so that it opens only in `context`.
    pub fn seal(&self, context: &Context, secret: &SecretString) -> Sealed {
        let mut plain = Zeroizing::new(context.header().into_bytes());
        plain.extend_from_slice(secret.expose_secret().as_bytes());
        match self.keys.first() {
            Some(key) => Sealed { key_id: key.id.clone(), text: key.fernet.encrypt(&plain) },
            // `parse` is the only constructor and refuses an empty ring.
            None => Sealed { key_id: String::new(), text: String::new() },
        }
    }

    /// Keyed hashes by which the same content is recognised and nobody without a key can guess it: one for each key, that of
    /// the sealing key first. What was marked before the ring turned is recognised by one of the others.
    pub fn marks(&self, content: &[&[u8]]) -> Vec<[u8; 32]> {
        let mark = |key: &Key| {
            let mut mac = key.marking.clone();
            for part in content {
                mac.update(&(part.len() as u64).to_le_bytes());
                mac.update(part);
            }
            mac.finalize().into_bytes().into()
        };
        self.keys.iter().map(mark).collect()
    }

    /// Opens what [`KeyRing::seal`] made for the same context.
    ///
    /// # Errors
    /// When the key is not on the ring, the text was changed, or the secret belongs somewhere else.
    pub fn open(&self, context: &Context, key_id: &str, text: &str) -> Result<SecretString, OpenError> {
        let key = self
            .keys
            .iter()
            .find(|key| key.id == key_id)
            .ok_or_else(|| OpenError::UnknownKey { key_id: key_id.chars().take(16).collect() })?;
        let plain = Zeroizing::new(key.fernet.decrypt(text).map_err(|_| OpenError::Damaged)?);
        let secret = plain.strip_prefix(context.header().as_bytes()).ok_or(OpenError::WrongContext)?;
        let secret = std::str::from_utf8(secret).map_err(|_| OpenError::Damaged)?;
        Ok(secret.to_owned().into())
    }
}

/// What marks are made with: derived from the key, so that it is not what seals.
fn marking(bytes: &[u8]) -> Option<Hmac<Sha256>> {
    let derived = Hmac::<Sha256>::new_from_slice(bytes).ok()?.chain_update(b"soundpost mark").finalize();
    Hmac::new_from_slice(&derived.into_bytes()).ok()
}

fn key_id(bytes: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"soundpost key id").chain_update(bytes).finalize();
    hex::encode(&digest[..4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{ConnectionId, OrganizationId, SystemAmbient};

    fn context() -> Context {
        Context {
            organization: OrganizationId::mint(&SystemAmbient),
            connection: ConnectionId::mint(&SystemAmbient),
            field: "access_token",
            generation: 1,
        }
    }

    fn ring(keys: &[&SecretString]) -> KeyRing {
        let text: Vec<_> = keys.iter().map(|key| key.expose_secret()).collect();
        KeyRing::parse(&text.join(",").into()).unwrap()
    }

    #[test]
    fn a_secret_opens_where_it_belongs_and_nowhere_else() {
        let ring = ring(&[&KeyRing::generate_key()]);
        let home = context();
        let sealed = ring.seal(&home, &"s3cret".to_owned().into());
        assert_eq!(ring.open(&home, &sealed.key_id, &sealed.text).unwrap().expose_secret(), "s3cret");
        let elsewhere = [
            Context { organization: OrganizationId::mint(&SystemAmbient), ..home },
            Context { connection: ConnectionId::mint(&SystemAmbient), ..home },
            Context { field: "refresh_token", ..home },
            Context { generation: 2, ..home },
        ];
        for context in elsewhere {
            let opened = ring.open(&context, &sealed.key_id, &sealed.text);
            assert_eq!(opened.unwrap_err(), OpenError::WrongContext, "{context:?}");
        }
    }

    #[test]
    fn an_old_key_still_opens_and_the_first_key_seals() {
        let (old, new) = (KeyRing::generate_key(), KeyRing::generate_key());
        let home = context();
        let sealed = ring(&[&old]).seal(&home, &"x".to_owned().into());
        let both = ring(&[&new, &old]);
        assert!(both.open(&home, &sealed.key_id, &sealed.text).is_ok());
        assert_ne!(both.seal(&home, &"x".to_owned().into()).key_id, sealed.key_id);
        let gone = ring(&[&new]).open(&home, &sealed.key_id, &sealed.text).unwrap_err();
        assert_eq!(gone, OpenError::UnknownKey { key_id: sealed.key_id });
    }

    #[test]
    fn a_mark_is_the_same_under_the_same_key_only_and_survives_a_turn_of_the_ring() {
        let (old, new) = (KeyRing::generate_key(), KeyRing::generate_key());
        let content: [&[u8]; 2] = [b"a", b"bc"];
        let before = ring(&[&old]).marks(&content);
        assert_eq!(before, ring(&[&old]).marks(&content));
        let after = ring(&[&new, &old]).marks(&content);
        assert!(after.len() == 2 && after[0] != before[0] && after[1] == before[0]);
        assert_ne!(before, ring(&[&old]).marks(&[b"ab", b"c"]), "where a part ends counts");
    }

    #[test]
    fn a_changed_ciphertext_does_not_open() {
        let ring = ring(&[&KeyRing::generate_key()]);
        let home = context();
        let sealed = ring.seal(&home, &"s3cret".to_owned().into());
        for position in [0, 10, 40, sealed.text.len() - 3] {
            let mut changed = sealed.text.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(ring.open(&home, &sealed.key_id, &changed).unwrap_err(), OpenError::Damaged);
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused_by_position() {
        let good = KeyRing::generate_key();
        let parse = |text: String| KeyRing::parse(&text.into()).unwrap_err();
        assert_eq!(parse(" , ".into()), KeyRingError::Empty);
        assert_eq!(parse(format!("{},short", good.expose_secret())), KeyRingError::NotAKey { position: 2 });
        assert_eq!(parse("dG9vIHNob3J0".into()), KeyRingError::NotAKey { position: 1 });
        let twice = format!("{0} {0}", good.expose_secret());
        assert_eq!(parse(twice), KeyRingError::Twice { position: 2 });
    }

    #[test]
    fn debug_shows_ids_only() {
        let key = KeyRing::generate_key();
        let shown = format!("{:?}", ring(&[&key]));
        assert!(!shown.contains(&key.expose_secret()[..8]), "{shown}");
    }

    #[test]
    fn secrets_of_any_text_survive() {
        let ring = ring(&[&KeyRing::generate_key()]);
        let home = context();
        for secret in ["", "a\nb", "ü€😀", &"x".repeat(10_000)] {
            let sealed = ring.seal(&home, &secret.to_owned().into());
            assert_eq!(ring.open(&home, &sealed.key_id, &sealed.text).unwrap().expose_secret(), secret);
        }
    }
}
