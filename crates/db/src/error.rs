//! What can go wrong with the database, seen from above.

use std::error::Error;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement or the connection failed.
    #[error("the database failed while {doing}")]
    Failed {
        /// What was being done, as a phrase.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the migrations could not be applied")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// apalis' own tables could not be created.
    #[error("the job tables could not be prepared")]
    Jobs(#[source] sqlx::Error),
    /// A request that is to be done once was taken over by another try; what this one changed is undone.
    #[error("the request was taken over by a later try with the same key")]
    ClaimLost,
}

impl DbError {
    /// Wraps a driver error with what was being done.
    pub fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Failed { doing, source }
    }

    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "database_failure",
            Self::Migrate(_) | Self::Jobs(_) => "migration_failure",
            Self::ClaimLost => "request_taken_over",
        }
    }
}

/// Whether an error, or one that caused it, means that PostgreSQL sacrificed this transaction so that another could go on. It is
/// undone, and may be done again.
pub fn is_deadlock(error: &(dyn Error + 'static)) -> bool {
    has_code(error, &["40P01"])
}

/// Whether an error, or one that caused it, is one that PostgreSQL calls by one of these codes (SQLSTATE).
pub(crate) fn has_code(error: &(dyn Error + 'static), codes: &[&str]) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let code = error.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error()?.code());
        if code.is_some_and(|code| codes.contains(&&*code)) {
            return true;
        }
        next = error.source();
    }
    false
}
