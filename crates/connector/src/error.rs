//! Why something about a connection did not work.

use kernel::OrganizationId;
use time::OffsetDateTime;

use crate::model::reason;

/// The database or the stored state failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::DbError),
    /// A stored word or id is not one of ours.
    #[error("a stored connection is damaged: {what}")]
    Damaged {
        /// What is damaged.
        what: &'static str,
    },
    /// A job could not be queued or cancelled.
    #[error("the jobs of a connection could not be changed")]
    Queue(#[from] queue::QueueError),
    /// What happened could not be written down for people.
    #[error("what happened to a connection could not be written down")]
    Witness(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A secret of ours does not open.
    #[error("a sealed secret does not open")]
    Sealed(#[source] vault::OpenError),
    /// There is no live connection.
    #[error("Gong is not connected")]
    NotConnected,
}

impl ConnectorError {
    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Db(error) => error.code(),
            Self::Damaged { .. } => "stored_state_damaged",
            Self::Queue(_) => "queue_failure",
            Self::Witness(_) => "witness_failure",
            Self::Sealed(error) => error.code(),
            Self::NotConnected => "not_connected",
        }
    }

    pub(crate) fn db(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Db(db::DbError::Failed { doing, source })
    }
}

/// Why Gong could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The state is not one that we gave out.
    #[error("this connect request is not known")]
    UnknownFlow,
    /// More than ten minutes passed.
    #[error("this connect request has expired")]
    ExpiredFlow,
    /// The same answer came before.
    #[error("this connect request was already used")]
    UsedFlow,
    /// The answer came back in another browser than the one that began.
    #[error("this connect request was begun in another browser")]
    OtherBrowser {
        /// Whose request it was, for the audit log.
        organization: OrganizationId,
    },
    /// The answer has neither a code nor an error.
    #[error("Gong's answer is not complete")]
    MalformedCallback,
    /// Gong sent the admin back with an error.
    #[error("Gong did not authorize the app: {code}")]
    Refused {
        /// A stable code.
        code: &'static str,
    },
    /// Gong refused the authorization code or our client.
    #[error("Gong refused to exchange the authorization code")]
    ExchangeRefused(#[source] oauth::OauthError),
    /// Gong did not answer usefully.
    #[error("Gong could not be reached")]
    GongUnavailable,
    /// An operator stopped all traffic to Gong.
    #[error("all traffic to Gong is stopped")]
    Halted,
    /// The answer names no API host.
    #[error("Gong's answer names no API address")]
    BaseUrlMissing,
    /// The API host is not an allowed one.
    #[error("the API address is not one of Gong's")]
    BaseUrlRefused,
    /// The Gong company is linked to another organization.
    #[error("this Gong company is already linked to another organization")]
    CompanyTaken,
    /// This organization is linked to another Gong company.
    #[error("another Gong company is connected here")]
    OtherCompany,
    /// The access key does not work.
    #[error("Gong refused the access key")]
    KeyRefused,
    /// Our own side failed.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
}

impl ConnectError {
    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownFlow => "flow_unknown",
            Self::ExpiredFlow => "flow_expired",
            Self::UsedFlow => "flow_used",
            Self::OtherBrowser { .. } => "flow_other_browser",
            Self::MalformedCallback => "callback_malformed",
            Self::Refused { code } => code,
            Self::ExchangeRefused(oauth::OauthError::Refused {
                error: oauth::RefusedKind::UnauthorizedClient,
                ..
            }) => "unauthorized_client",
            Self::ExchangeRefused(_) => "exchange_refused",
            Self::GongUnavailable => "gong_unavailable",
            Self::Halted => "gong_held_halted",
            Self::BaseUrlMissing => "base_url_missing",
            Self::BaseUrlRefused => "base_url_refused",
            Self::CompanyTaken => "company_taken",
            Self::OtherCompany => "other_company",
            Self::KeyRefused => "key_refused",
            Self::Connector(error) => error.code(),
        }
    }

    /// The HTTP status that says this best.
    pub fn status_hint(&self) -> u16 {
        match self {
            Self::UnknownFlow | Self::ExpiredFlow | Self::OtherBrowser { .. } => 403,
            Self::UsedFlow | Self::CompanyTaken | Self::OtherCompany => 409,
            Self::MalformedCallback | Self::Refused { .. } => 400,
            Self::KeyRefused | Self::BaseUrlRefused => 422,
            Self::ExchangeRefused(_) | Self::GongUnavailable | Self::BaseUrlMissing => 502,
            Self::Halted => 503,
            Self::Connector(_) => 500,
        }
    }
}

impl From<db::DbError> for ConnectError {
    fn from(error: db::DbError) -> Self {
        Self::Connector(error.into())
    }
}

/// Why there is no session with Gong right now.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Nothing is connected, or it is paused.
    #[error("the connection is not active")]
    Inactive,
    /// An admin has to connect again.
    #[error("Gong has to be connected again")]
    ReconnectRequired,
    /// The credential is opened far too often; something asks for it that is no work of ours.
    #[error("the credential is opened far too often")]
    Flood,
    /// The token could not be replaced yet.
    #[error("a new access token could not be had yet")]
    Later {
        /// When to try again.
        at: OffsetDateTime,
    },
    /// Our own side failed.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
}

impl SessionError {
    /// Stable name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inactive => "connection_inactive",
            Self::ReconnectRequired => "reconnect_required",
            Self::Flood => reason::CREDENTIAL_FLOOD,
            Self::Later { .. } => "token_not_yet",
            Self::Connector(error) => error.code(),
        }
    }
}

impl From<db::DbError> for SessionError {
    fn from(error: db::DbError) -> Self {
        Self::Connector(error.into())
    }
}
