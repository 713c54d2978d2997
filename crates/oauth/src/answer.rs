//! The token answer as Gong sends it, quirks included. Knows JSON; must never know HTTP.

use std::{fmt, time::Duration};

use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Granted;

const DAY: u64 = 24 * 60 * 60;
const MOST_LIFE: u64 = 10 * 365 * DAY;

/// A successful token answer. Whatever else stands in it is ignored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(deserialize_with = "token")]
    access_token: AccessToken,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "seconds", rename = "expires_in")]
    life: Option<u64>,
    #[serde(default, deserialize_with = "scopes", rename = "scope")]
    scopes: Option<Vec<Scope>>,
    #[serde(default)]
    api_base_url_for_customer: Option<String>,
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    // Gong issues nothing but bearer tokens; the letter case of the word varies and is not looked at.
    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.life.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl From<TokenAnswer> for Granted {
    fn from(answer: TokenAnswer) -> Self {
        let refresh_token = answer.refresh_token.map(RefreshToken::into_secret).filter(|t| !t.is_empty());
        Self {
            access_token: answer.access_token.into_secret().into(),
            refresh_token: refresh_token.map(Into::into),
            expires_in: Duration::from_secs(answer.life.unwrap_or(DAY).min(MOST_LIFE)),
            scopes: answer.scopes.map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
            api_base_url: answer.api_base_url_for_customer.filter(|url| !url.is_empty()),
        }
    }
}

/// A token has at least one character; an empty one would be sent as no token at all.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(de::Error::custom("not a token"));
    }
    Ok(AccessToken::new(text))
}

/// Seconds as a number or as digits in a string; anything else counts as absent.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Seconds;

    impl<'de> de::Visitor<'de> for Seconds {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("seconds")
        }

        fn visit_u64<E>(self, value: u64) -> Result<Option<u64>, E> {
            Ok(Some(value))
        }

        fn visit_i64<E>(self, _: i64) -> Result<Option<u64>, E> {
            Ok(None)
        }

        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts from f64 saturate"
        )]
        fn visit_f64<E>(self, value: f64) -> Result<Option<u64>, E> {
            Ok((value >= 0.0).then_some(value as u64))
        }

        fn visit_str<E>(self, value: &str) -> Result<Option<u64>, E> {
            Ok(value.trim().parse().ok())
        }

        fn visit_unit<E>(self) -> Result<Option<u64>, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Seconds)
}

fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| {
        text.split([' ', ',']).filter(|s| !s.is_empty()).take(200).map(|s| Scope::new(s.to_owned())).collect()
    }))
}

#[cfg(test)]
mod tests {
    use kernel::ExposeSecret;

    use super::*;

    fn granted(json: &str) -> Option<Granted> {
        serde_json::from_str::<TokenAnswer>(json).ok().map(Into::into)
    }

    #[test]
    fn lives_are_read_from_numbers_and_strings_and_bounded() {
        for (life, seconds) in [
            ("86400", 86_400),
            ("\"3600\"", 3600),
            ("\" 60 \"", 60),
            ("12.9", 12),
            ("0", 0),
            ("null", DAY),
            ("-5", DAY),
            ("\"soon\"", DAY),
            ("18446744073709551615", MOST_LIFE),
        ] {
            let answer = granted(&format!(r#"{{"access_token":"a","expires_in":{life}}}"#)).unwrap();
            assert_eq!(answer.expires_in.as_secs(), seconds, "{life}");
        }
    }

    #[test]
    fn only_the_access_token_is_indispensable() {
        let bare = granted(r#"{"access_token":"a","refresh_token":"","scope":null}"#).unwrap();
        assert!(bare.refresh_token.is_none() && bare.scopes.is_none() && bare.api_base_url.is_none());
        for json in
            ["{}", r#"{"access_token":""}"#, r#"{"access_token":null}"#, r#"{"access_token":"a\nb"}"#, "[]"]
        {
            assert!(granted(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_full_answer_is_read_whole() {
        let full = granted(
            r#"{"access_token":"canary-a","refresh_token":"canary-r","token_type":"BEARER","expires_in":86400,
                "scope":"api:users:read  api:calls:read:basic","api_base_url_for_customer":"https://us-1.api.gong.io","new":[1]}"#,
        )
        .unwrap();
        assert_eq!(full.refresh_token.as_ref().unwrap().expose_secret(), "canary-r");
        assert_eq!(full.scopes.as_deref().unwrap(), ["api:users:read", "api:calls:read:basic"]);
        assert_eq!(full.api_base_url.as_deref(), Some("https://us-1.api.gong.io"));
    }
}
