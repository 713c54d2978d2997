//! What Gong sends back through the admin's browser. Everything here was typed by a stranger until the state has been checked;
//! this file knows the shape only and must never know flows, sessions or pages.

use std::borrow::Cow;

use kernel::SecretString;

const MOST_QUERY: usize = 8 * 1024;
const MOST_CODE: usize = 4 * 1024;
const MOST_STATE: usize = 512;

/// The meaning of a callback's query string.
#[derive(Debug)]
pub enum Callback {
    /// The admin said yes.
    Code {
        /// To be exchanged within ten minutes, once.
        code: SecretString,
        /// To be compared by hash with the flow that was started.
        state: String,
    },
    /// Gong or the admin said no.
    Error {
        /// Why.
        error: CallbackError,
        /// The state, when it came along.
        state: Option<String>,
    },
    /// Neither of both, both at once, doubled, or out of bounds.
    Malformed,
}

/// Why there is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackError {
    /// The admin declined, or is not allowed to approve.
    AccessDenied,
    /// Gong has not approved our application for this company.
    UnauthorizedClient,
    /// Gong does not know a scope, or does not grant it.
    InvalidScope,
    /// Our request was wrong.
    InvalidRequest,
    /// Gong does not do what we asked for.
    UnsupportedResponseType,
    /// Gong failed.
    ServerError,
    /// Gong is busy.
    TemporarilyUnavailable,
    /// A word that is on no list.
    Other,
}

impl CallbackError {
    fn parse(word: &str) -> Self {
        match word {
            "access_denied" => Self::AccessDenied,
            "unauthorized_client" => Self::UnauthorizedClient,
            "invalid_scope" => Self::InvalidScope,
            "invalid_request" => Self::InvalidRequest,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            _ => Self::Other,
        }
    }

    /// Stable name for pages, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidRequest => "invalid_request",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::Other => "other",
        }
    }
}

impl Callback {
    /// Reads the query string of a callback (without the question mark). `error_description` is never looked at.
    pub fn parse(query: &str) -> Self {
        if query.len() > MOST_QUERY {
            return Self::Malformed;
        }
        let (mut code, mut state, mut error) = (None, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "code" => &mut code,
                "state" => &mut state,
                "error" => &mut error,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Self::Malformed;
            }
        }
        Self::assemble(code, state, error).unwrap_or(Self::Malformed)
    }

    fn assemble(
        code: Option<Cow<'_, str>>,
        state: Option<Cow<'_, str>>,
        error: Option<Cow<'_, str>>,
    ) -> Option<Self> {
        if state.as_deref().is_some_and(|state| !plain(state, MOST_STATE)) {
            return None;
        }
        let state = state.map(Cow::into_owned);
        match (code, error) {
            (Some(code), None) if plain(&code, MOST_CODE) => {
                Some(Self::Code { code: SecretString::from(code.into_owned()), state: state? })
            }
            (None, Some(error)) => Some(Self::Error { error: CallbackError::parse(&error), state }),
            _ => None,
        }
    }
}

/// Visible ASCII, not empty, not too long: all that codes and states are made of (RFC 6749, appendix A).
fn plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use kernel::ExposeSecret;

    use super::*;

    #[test]
    fn a_code_comes_with_its_state_and_is_not_shown() {
        let callback = Callback::parse("code=4%2FzBx.canary&state=abc_-123&session_state=x");
        assert!(!format!("{callback:?}").contains("canary"));
        let Callback::Code { code, state } = callback else { panic!("{callback:?}") };
        assert_eq!((code.expose_secret(), state.as_str()), ("4/zBx.canary", "abc_-123"));
    }

    #[test]
    fn every_known_refusal_is_recognised_by_its_word() {
        for word in [
            "access_denied",
            "unauthorized_client",
            "invalid_scope",
            "invalid_request",
            "unsupported_response_type",
            "server_error",
            "temporarily_unavailable",
            "other",
        ] {
            let query = format!("error={word}&error_description=%3Cscript%3E&state=s");
            let Callback::Error { error, state } = Callback::parse(&query) else { panic!("{word}") };
            assert_eq!((error.code(), state.as_deref()), (word, Some("s")));
        }
        let strange = Callback::parse("error=%3Cimg+src=x%3E");
        assert!(matches!(strange, Callback::Error { error: CallbackError::Other, state: None }));
    }

    #[test]
    fn what_is_doubled_incomplete_or_out_of_bounds_is_malformed() {
        let long_state = format!("code=a&state={}", "s".repeat(513));
        let long_code = format!("code={}&state=s", "c".repeat(4097));
        let long_query = format!("code=a&state=b&x={}", "x".repeat(9000));
        let queries = [
            "",
            "code=a",
            "state=a",
            "code=&state=b",
            "code=a&state=",
            "code=a&code=b&state=c",
            "code=a&state=b&state=b",
            "code=a&error=access_denied&state=b",
            "error=a&error=b&state=c",
            "code=a%00b&state=c",
            "code=a%0Ab&state=c",
            "code=a%FF&state=c",
            "code=a&state=%E2%80%AE",
            &long_state,
            &long_code,
            &long_query,
        ];
        for query in queries {
            assert!(matches!(Callback::parse(query), Callback::Malformed), "{query}");
        }
    }
}
