//! The `state` parameter: unguessable, single use, kept by us only as a hash. Knows nothing of flows or sessions.

use std::fmt;

use base64::Engine;
use kernel::Ambient;
use sha2::{Digest, Sha256};

/// 32 random bytes as URL-safe text; goes to Gong and comes back in the callback.
#[derive(Clone)]
pub struct State(String);

impl State {
    /// A new state.
    pub fn mint(ambient: &dyn Ambient) -> Self {
        let mut bytes = [0; 32];
        ambient.fill(&mut bytes);
        Self(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What to store in order to recognise the state later: its SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        Self::hash_of(&self.0)
    }

    /// The SHA-256 of a state that came back.
    pub fn hash_of(text: &str) -> [u8; 32] {
        Sha256::digest(text.as_bytes()).into()
    }

    /// The text itself, for the authorize URL and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kernel::SystemAmbient;

    use super::*;

    #[test]
    fn states_do_not_repeat_and_are_long_enough() {
        let states: HashSet<_> = (0..10_000).map(|_| State::mint(&SystemAmbient).0).collect();
        assert_eq!(states.len(), 10_000);
        assert!(
            states
                .iter()
                .all(|s| s.len() == 43
                    && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
        );
    }

    #[test]
    fn a_state_that_comes_back_has_the_stored_hash_and_is_not_shown() {
        let state = State::mint(&SystemAmbient);
        assert_eq!(State::hash_of(state.expose()), state.hash());
        assert!(!format!("{state:?}").contains(state.expose()));
    }
}
