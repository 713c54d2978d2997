//! Who we are to Gong. Knows the two header forms; must never show what is in them.

use std::fmt;

use base64::Engine;
use kernel::{ExposeSecret, SecretString};
use reqwest::header::HeaderValue;

/// A credential for Gong's API.
#[derive(Clone)]
pub enum Auth {
    /// An access token from OAuth.
    Bearer(SecretString),
    /// An access key with its secret, made by the admin at Gong.
    AccessKey {
        /// The key; not secret by itself.
        key: String,
        /// The secret.
        secret: SecretString,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(..)",
            Self::AccessKey { .. } => "AccessKey(..)",
        })
    }
}

impl Auth {
    /// The header; `None` when the credential has characters that no header can carry.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::Bearer(token) if token.expose_secret().is_empty() => return None,
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Self::AccessKey { key, secret } => {
                let pair = format!("{key}:{}", secret.expose_secret());
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_of_the_header() {
        let bearer = Auth::Bearer("canary".to_owned().into());
        assert_eq!(bearer.header().unwrap(), "Bearer canary");
        let key = Auth::AccessKey { key: "Aladdin".into(), secret: "open sesame".to_owned().into() };
        assert_eq!(key.header().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{bearer:?} {key:?} {:?}", bearer.header()).contains("canary"));
        assert!(Auth::Bearer("a\r\nX: y".to_owned().into()).header().is_none());
        assert!(Auth::Bearer(String::new().into()).header().is_none());
    }
}
