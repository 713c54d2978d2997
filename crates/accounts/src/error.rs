//! What can go wrong with people, keys and organizations.

use std::time::Duration;

use db::DbError;

/// Why something about accounts could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// A value that was handed in cannot be accepted.
    #[error("{field} {problem}")]
    Invalid {
        /// The field as the API names it.
        field: &'static str,
        /// What is wrong and what to do, as the end of a sentence that starts with the field.
        problem: String,
    },
    /// The actor's role does not allow this.
    #[error("not allowed: {rule}")]
    Forbidden {
        /// The rule, in plain words.
        rule: &'static str,
    },
    /// It does not exist, or belongs to another organization.
    #[error("there is no such {what}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
    },
    /// The change would leave the organization without an owner.
    #[error("an organization needs at least one owner; make somebody else owner first")]
    LastOwner,
    /// The person to be added belongs to the organization already.
    #[error("this person is a member already; change the role instead")]
    AlreadyMember,
    /// The person to be erased belongs to the organization.
    #[error("this person is a member; remove the member first")]
    StillMember,
    /// The organization has as many of these as it may have.
    #[error("an organization can have at most {most} {what}")]
    LimitReached {
        /// The kind of thing, in the plural.
        what: &'static str,
        /// The limit.
        most: i64,
    },
    /// Too many wrong tries within a minute.
    #[error("too many tries; wait {} seconds and try again", retry_after.as_secs())]
    TooManyTries {
        /// When a new try makes sense.
        retry_after: Duration,
    },
    /// More passwords wait to be checked than this process can handle soon.
    #[error("too many passwords are being checked at this moment; try again in a few seconds")]
    Busy,
    /// A stored value is not what this version can read.
    #[error("the stored {what} cannot be read")]
    Corrupt {
        /// The kind of value.
        what: &'static str,
    },
    /// The password hash could not be computed.
    #[error("the password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The hashing thread ended early.
    #[error("the hashing of a password was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AccountsError {
    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_field",
            Self::Forbidden { .. } => "role_not_sufficient",
            Self::NotFound { .. } => "not_found",
            Self::LastOwner => "last_owner",
            Self::AlreadyMember => "already_member",
            Self::StillMember => "still_member",
            Self::LimitReached { .. } => "limit_reached",
            Self::TooManyTries { .. } => "too_many_tries",
            Self::Busy => "password_check_busy",
            Self::Corrupt { .. } => "stored_value_unreadable",
            Self::Hash(_) | Self::Interrupted(_) => "password_hash_failure",
            Self::Db(error) => error.code(),
        }
    }

    /// The field at fault, where one is.
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } => Some(*field),
            _ => None,
        }
    }

    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }
}
