//! Why a token request brought no tokens. Knows Gong's words for it; must never hold what Gong or a proxy wrote in prose.

use std::{fmt, time::Duration};

/// What came of a token request that brought no tokens. Cheap to clone, so that everybody who waited can have it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OauthError {
    /// Gong understood the request and said no. Only [`RefusedKind::InvalidGrant`] speaks about the grant itself.
    #[error("Gong refused the token request: {error}")]
    Refused {
        /// Gong's word for it.
        error: RefusedKind,
        /// The HTTP status.
        status: u16,
    },
    /// No usable answer; the grant may be as good as before.
    #[error("the token request got no usable answer: {kind}")]
    Transient {
        /// What happened.
        kind: TransientKind,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// How long Gong asked us to wait.
        retry_after: Option<Duration>,
        /// The request went out, may have been acted upon, and its result is unknown: the refresh token may be spent.
        answer_lost: bool,
    },
    /// Our own settings are wrong; no request was made.
    #[error("the settings of the Gong application are wrong: {what}")]
    Misconfigured {
        /// Which setting.
        what: &'static str,
    },
}

/// Gong's reason for a no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedKind {
    /// Code or refresh token are expired, revoked or already used.
    InvalidGrant,
    /// The application may not do this.
    UnauthorizedClient,
    /// Client id or secret are wrong.
    InvalidClient,
    /// A scope is unknown or not granted.
    InvalidScope,
    /// The admin or a rule said no.
    AccessDenied,
    /// The request was wrong.
    InvalidRequest,
    /// Another word, reduced to letters, digits, `_`, `-`, `.`.
    Other(String),
}

impl RefusedKind {
    pub(crate) fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "invalid_grant" => Self::InvalidGrant,
            "unauthorized_client" => Self::UnauthorizedClient,
            "invalid_client" => Self::InvalidClient,
            "invalid_scope" => Self::InvalidScope,
            "access_denied" => Self::AccessDenied,
            "invalid_request" => Self::InvalidRequest,
            other => Self::Other(
                other
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
                    .take(60)
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for RefusedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidClient => "invalid_client",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::InvalidRequest => "invalid_request",
            Self::Other(word) => word,
        })
    }
}

/// What stood between us and an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransientKind {
    /// A status that says nothing about the grant: 5xx, a redirect, a 4xx without a reason.
    Unavailable,
    /// 429.
    RateLimited,
    /// An answer that is not what the protocol says.
    Malformed,
    /// An answer beyond the size limit.
    TooLarge,
    /// No answer in time.
    Timeout,
    /// No connection.
    Unreachable,
    /// The connection ended before the answer did.
    Cut,
}

impl TransientKind {
    /// Stable name for clients, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "oauth_unavailable",
            Self::RateLimited => "oauth_rate_limited",
            Self::Malformed => "oauth_answer_malformed",
            Self::TooLarge => "oauth_answer_too_large",
            Self::Timeout => "oauth_timeout",
            Self::Unreachable => "oauth_unreachable",
            Self::Cut => "oauth_answer_cut",
        }
    }
}

impl fmt::Display for TransientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the token URL is not available",
            Self::RateLimited => "too many token requests",
            Self::Malformed => "the answer is not what the protocol says",
            Self::TooLarge => "the answer is too large",
            Self::Timeout => "no answer in time",
            Self::Unreachable => "no connection to the token URL",
            Self::Cut => "the connection ended before the answer did",
        })
    }
}

impl OauthError {
    /// Stable name for clients, logs and metrics; listed in docs/ERRORS.md.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { error, .. } => match error {
                RefusedKind::InvalidGrant => "oauth_invalid_grant",
                RefusedKind::UnauthorizedClient => "oauth_unauthorized_client",
                RefusedKind::InvalidClient => "oauth_invalid_client",
                RefusedKind::InvalidScope => "oauth_invalid_scope",
                RefusedKind::AccessDenied => "oauth_access_denied",
                RefusedKind::InvalidRequest => "oauth_invalid_request",
                RefusedKind::Other(_) => "oauth_refused",
            },
            Self::Transient { kind, .. } => kind.code(),
            Self::Misconfigured { .. } => "oauth_misconfigured",
        }
    }

    /// Gong said clearly that this code or refresh token is no longer good.
    pub const fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::Refused { error: RefusedKind::InvalidGrant, .. })
    }

    /// Trying again later may help, and nothing was said about the grant.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// Nobody usable answered: a sign of an outage, not of a wrong request or of a limit.
    pub const fn is_outage(&self) -> bool {
        use TransientKind::{Cut, Timeout, Unavailable, Unreachable};
        matches!(self, Self::Transient { kind: Unavailable | Timeout | Unreachable | Cut, .. })
    }

    /// The request went out and what came of it is unknown: the refresh token may be spent.
    pub const fn answer_lost(&self) -> bool {
        matches!(self, Self::Transient { answer_lost: true, .. })
    }

    /// How long Gong asked us to wait, if it did.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_word_is_reduced_to_harmless_letters() {
        let word = RefusedKind::parse("<script>alert('x')</script>\n".repeat(10).as_str());
        assert!(matches!(&word, RefusedKind::Other(w) if w.len() == 60 && !w.contains('<')));
        assert_eq!(RefusedKind::parse("Invalid_Grant"), RefusedKind::InvalidGrant);
    }
}
