//! Seals and opens secrets: Fernet with a ring of keys.
//!
//! Knows nothing of SQL nor of what a token is. Fernet itself has no associated data, so what a secret belongs to stands
//! at the head of the plaintext: a ciphertext that was moved to another row, field or generation does not open.

mod context;
mod ring;

pub use context::Context;
pub use ring::{KeyRing, KeyRingError, OpenError, Sealed};
