//! What the rooms' errors mean over HTTP. Words for people stand in `messages`.

use accounts::AccountsError;
use connector::{ConnectError, ConnectorError};
use feedback::FeedbackError;
use http::StatusCode;
use ingest::IngestError;
use queue::QueueError;

use crate::{Problem, messages, sentence::sentence};

/// When a new try makes sense while all traffic is stopped.
const HALTED: std::time::Duration = std::time::Duration::from_secs(60);

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        let code = error.code();
        match &error {
            AccountsError::Invalid { field, problem } => Self::field(*field, problem.clone()),
            AccountsError::Forbidden { rule } => Self::forbidden(rule),
            AccountsError::NotFound { what } => Self::not_found(what),
            AccountsError::LastOwner
            | AccountsError::AlreadyMember
            | AccountsError::StillMember
            | AccountsError::LimitReached { .. } => {
                Self::new(StatusCode::CONFLICT, code, sentence(&error.to_string()))
            }
            AccountsError::TooManyTries { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, sentence(&error.to_string()))
                    .after(*retry_after)
            }
            AccountsError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, sentence(&error.to_string()))
                    .after(std::time::Duration::from_secs(3))
            }
            AccountsError::Db(_) => Self::unavailable(code, &error),
            _ => Self::internal(code, &error),
        }
    }
}

impl From<ConnectorError> for Problem {
    fn from(error: ConnectorError) -> Self {
        let code = error.code();
        match &error {
            ConnectorError::NotConnected => Self::new(
                StatusCode::CONFLICT,
                code,
                "Gong is not connected. Connect it in the settings first.",
            ),
            ConnectorError::Db(_) | ConnectorError::Queue(_) => Self::unavailable(code, &error),
            ConnectorError::Damaged { .. } | ConnectorError::Witness(_) | ConnectorError::Sealed(_) => {
                Self::internal(code, &error)
            }
        }
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        let code = error.code();
        match error {
            ConnectError::Connector(error) => error.into(),
            ConnectError::KeyRefused => Self { code, ..Self::field("access_key_secret", explained(code)) },
            ConnectError::BaseUrlRefused => Self { code, ..Self::field("api_base_url", explained(code)) },
            ConnectError::Halted => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, explained(code)).after(HALTED)
            }
            other => {
                let status = StatusCode::from_u16(other.status_hint()).unwrap_or(StatusCode::BAD_GATEWAY);
                Self::new(status, code, explained(code))
            }
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let code = error.code();
        match &error {
            IngestError::Setting { field, fix } => Self::field(*field, *fix),
            IngestError::BackfillRunning => Self::new(
                StatusCode::CONFLICT,
                code,
                "A backfill is already running. Wait for it, or cancel it first.",
            ),
            IngestError::TooManyErasures => Self::new(
                StatusCode::CONFLICT,
                code,
                "As many erasures wait as may. Wait until some of them are done.",
            ),
            IngestError::Inactive => {
                Self::new(StatusCode::CONFLICT, code, "The Gong connection is paused or not connected.")
            }
            IngestError::Db(_) | IngestError::Queue(_) => Self::unavailable(code, &error),
            _ => Self::internal(code, &error),
        }
    }
}

impl From<FeedbackError> for Problem {
    fn from(error: FeedbackError) -> Self {
        let code = error.code();
        match &error {
            FeedbackError::Setting { field, fix } => Self::field(*field, *fix),
            FeedbackError::NotFound { what } => Self::not_found(what),
            FeedbackError::Changed => Self::new(
                StatusCode::PRECONDITION_FAILED,
                code,
                "This was changed meanwhile, so nothing was done. Read it again and repeat the change on what it is now.",
            ),
            FeedbackError::Db(_) | FeedbackError::Queue(_) => Self::unavailable(code, &error),
            _ => Self::internal(code, &error),
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match &error {
            QueueError::Db { .. } => Self::unavailable(error.code(), &error),
            _ => Self::internal(error.code(), &error),
        }
    }
}

/// The cause in plain words.
fn explained(code: &str) -> String {
    messages::explain(code).map_or_else(|| "Gong could not be connected.".to_owned(), |m| m.cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_code_and_say_nothing_of_the_inside() {
        let field: Problem =
            IngestError::Setting { field: "poll_every_seconds", fix: "must be 300 to 86400" }.into();
        assert_eq!((field.status.as_u16(), &*field.errors[0].field), (422, "poll_every_seconds"));
        let taken: Problem = ConnectError::CompanyTaken.into();
        assert_eq!((taken.status.as_u16(), taken.code), (409, "company_taken"));
        let secret: Problem = ConnectError::KeyRefused.into();
        assert_eq!(
            (secret.status.as_u16(), secret.code, &*secret.errors[0].field),
            (422, "key_refused", "access_key_secret")
        );
        let damaged: Problem = ConnectorError::Damaged { what: "column xyz" }.into();
        assert_eq!(damaged.status.as_u16(), 500);
        assert!(!damaged.detail.contains("xyz"));
        let owner: Problem = AccountsError::LastOwner.into();
        assert!(owner.detail.starts_with("An organization needs") && owner.detail.ends_with('.'));
    }
}
