//! Why a request to Gong brought nothing. Knows Gong's meanings; must never hold what Gong or a proxy wrote.

use std::{fmt, time::Duration};

use crate::{Held, gate::HeldReason};

/// What came of a request that brought nothing. `request_id` is Gong's name of the request, for its support.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GongError {
    /// The credential is not accepted: expired, revoked, wrong host, wrong key.
    #[error("Gong does not accept the credential")]
    Unauthorized {
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// The credential is fine but lacks a permission; refreshing does not help.
    #[error("Gong's permission {scope} is missing")]
    MissingScope {
        /// The permission that Gong named.
        scope: String,
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// Somebody at Gong has to change something: an address list, a limited release.
    #[error("Gong forbids this request")]
    Forbidden {
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// Not there, and not the 404 that means an empty list: unknown id, wrong path, wrong host.
    #[error("Gong does not have what was asked for")]
    NotFound {
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// A limit of the Gong company is hit; the gate has been told.
    #[error("Gong's rate limit is reached")]
    RateLimited {
        /// How long Gong asked us to wait; a day at most.
        retry_after: Option<Duration>,
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// Our own gate is closed; nothing was sent.
    #[error("requests to Gong are held back ({})", .0.why.as_str())]
    Held(Held),
    /// The walk took too long: start this window again.
    #[error("Gong's cursor has expired")]
    CursorExpired {
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// Gong finds the request wrong; the same one will fail again.
    #[error("Gong finds the request wrong (status {status})")]
    BadRequest {
        /// The HTTP status.
        status: u16,
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// We were asked for something that must not be sent; nothing was.
    #[error("the request cannot be sent: {why}")]
    InvalidRequest {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Gong failed.
    #[error("Gong failed (status {status})")]
    Server {
        /// The HTTP status.
        status: u16,
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// No whole answer.
    #[error("no whole answer from Gong: {kind}")]
    Transport {
        /// What happened on the way.
        kind: TransportKind,
    },
    /// An answer that is not what Gong's API says.
    #[error("Gong's answer cannot be read: {why}")]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
        /// Gong's name of the request.
        request_id: Option<String>,
    },
    /// An answer beyond our limits.
    #[error("Gong's answer is too large")]
    TooLarge {
        /// Gong's name of the request.
        request_id: Option<String>,
    },
}

/// What happened on the way to Gong or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// No connection.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Cut,
    /// The HTTP client cannot be set up.
    Setup,
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Timeout => "no answer in time",
            Self::Cut => "the connection ended too soon",
            Self::Setup => "the HTTP client cannot be set up",
        })
    }
}

impl From<&reqwest::Error> for TransportKind {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connect
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_builder() {
            Self::Setup
        } else {
            Self::Cut
        }
    }
}

impl GongError {
    /// Stable name for clients, logs and metrics; listed in docs/ERRORS.md.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "gong_unauthorized",
            Self::MissingScope { .. } => "gong_missing_scope",
            Self::Forbidden { .. } => "gong_forbidden",
            Self::NotFound { .. } => "gong_not_found",
            Self::RateLimited { .. } => "gong_rate_limited",
            Self::Held(held) => match held.why {
                HeldReason::RetryAfter => "gong_held_retry_after",
                HeldReason::DailyBudget => "gong_held_daily_budget",
                HeldReason::Stopped => "gong_held_stopped",
                HeldReason::Halted => "gong_held_halted",
                HeldReason::Outage => "gong_held_outage",
            },
            Self::CursorExpired { .. } => "gong_cursor_expired",
            Self::BadRequest { .. } => "gong_bad_request",
            Self::InvalidRequest { .. } => "gong_invalid_request",
            Self::Server { .. } => "gong_server_error",
            Self::Transport { kind } => match kind {
                TransportKind::Connect => "gong_unreachable",
                TransportKind::Timeout => "gong_timeout",
                TransportKind::Cut => "gong_answer_cut",
                TransportKind::Setup => "gong_client_setup",
            },
            Self::Malformed { .. } => "gong_answer_malformed",
            Self::TooLarge { .. } => "gong_answer_too_large",
        }
    }

    /// The same request may well succeed later, without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Held(_) | Self::Server { .. } | Self::Malformed { .. } => true,
            Self::Transport { kind } => !matches!(kind, TransportKind::Setup),
            _ => false,
        }
    }

    /// Gong's name of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Unauthorized { request_id }
            | Self::MissingScope { request_id, .. }
            | Self::Forbidden { request_id }
            | Self::NotFound { request_id }
            | Self::RateLimited { request_id, .. }
            | Self::CursorExpired { request_id }
            | Self::BadRequest { request_id, .. }
            | Self::Server { request_id, .. }
            | Self::Malformed { request_id, .. }
            | Self::TooLarge { request_id } => request_id.as_deref(),
            Self::Held(_) | Self::InvalidRequest { .. } | Self::Transport { .. } => None,
        }
    }
}
