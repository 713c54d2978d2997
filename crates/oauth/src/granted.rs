//! What Gong granted. Knows the tokens and how to write them down for the escrow file; must never know where they are stored.

use std::{fmt, time::Duration};

use kernel::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The tokens of one answer, with their life and reach.
#[derive(Clone)]
pub struct Granted {
    /// Goes into the `Authorization` header of API requests.
    pub access_token: SecretString,
    /// The next refresh token; when absent, the one in use stays good.
    pub refresh_token: Option<SecretString>,
    /// The life of the access token.
    pub expires_in: Duration,
    /// What was granted; absent when Gong did not say.
    pub scopes: Option<Vec<String>>,
    /// Where the company's API is, unchecked; absent means unchanged.
    pub api_base_url: Option<String>,
}

/// A text is not what [`Granted::to_json`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the written form of granted tokens")]
pub struct GrantedError;

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    access_token: std::borrow::Cow<'a, str>,
    refresh_token: Option<std::borrow::Cow<'a, str>>,
    expires_in_seconds: u64,
    scopes: Option<Vec<String>>,
    api_base_url: Option<String>,
}

impl Granted {
    /// The whole grant as JSON, secrets included: to be encrypted at once.
    ///
    /// # Errors
    /// Never in practice; the signature leaves it to the caller.
    pub fn to_json(&self) -> Result<SecretString, GrantedError> {
        let written = Written {
            access_token: self.access_token.expose_secret().into(),
            refresh_token: self.refresh_token.as_ref().map(|token| token.expose_secret().into()),
            expires_in_seconds: self.expires_in.as_secs(),
            scopes: self.scopes.clone(),
            api_base_url: self.api_base_url.clone(),
        };
        serde_json::to_string(&written).map(SecretString::from).map_err(|_| GrantedError)
    }

    /// Reads what [`Granted::to_json`] wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_json(text: &SecretString) -> Result<Self, GrantedError> {
        let written: Written<'_> = serde_json::from_str(text.expose_secret()).map_err(|_| GrantedError)?;
        Ok(Self {
            access_token: written.access_token.into_owned().into(),
            refresh_token: written.refresh_token.map(|token| token.into_owned().into()),
            expires_in: Duration::from_secs(written.expires_in_seconds),
            scopes: written.scopes,
            api_base_url: written.api_base_url,
        })
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| ".."))
            .field("expires_in", &self.expires_in)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_written_and_read_back_whole() {
        let granted = Granted {
            access_token: "canary-a\"\\".to_owned().into(),
            refresh_token: Some("canary-r".to_owned().into()),
            expires_in: Duration::from_secs(86_400),
            scopes: Some(vec!["api:users:read".into()]),
            api_base_url: None,
        };
        let read = Granted::from_json(&granted.to_json().unwrap()).unwrap();
        assert_eq!(read.access_token.expose_secret(), granted.access_token.expose_secret());
        assert_eq!(read.refresh_token.unwrap().expose_secret(), "canary-r");
        assert_eq!((read.expires_in, read.scopes), (granted.expires_in, granted.scopes.clone()));
        assert!(!format!("{granted:?}").contains("canary"));
        assert!(Granted::from_json(&"{}".to_owned().into()).is_err());
    }
}
