//! What can go wrong with the queue.

/// Why the queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The job breaks a rule; it is a mistake in the program that sent it.
    #[error("the job cannot be sent: {0}")]
    Invalid(&'static str),
    /// A statement or the connection failed.
    #[error("the database failed while {doing}")]
    Db {
        /// What was being done, as a phrase.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
}

impl QueueError {
    /// Wraps a driver error with what was being done.
    pub(crate) fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Db { doing, source }
    }

    /// Stable name for clients, logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "job_invalid",
            Self::Db { .. } => "database_failure",
        }
    }
}
