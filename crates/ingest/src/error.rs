//! Why ingestion could not do something.

use gong::GongError;

/// Why ingestion could not do something.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::DbError),
    /// A job could not be queued or cancelled.
    #[error("the jobs of a connection could not be changed")]
    Queue(#[from] queue::QueueError),
    /// Gong did not give what was asked for.
    #[error("Gong did not give what was asked for")]
    Gong(#[source] GongError),
    /// A stored word or document is not one of ours.
    #[error("stored state is damaged: {what}")]
    Damaged {
        /// What is damaged.
        what: &'static str,
    },
    /// A backfill is still running.
    #[error("a backfill is already running")]
    BackfillRunning,
    /// The list moves faster than it can be walked.
    #[error("a window could not be listed to its end")]
    WindowWillNotEnd,
    /// A setting is out of its range.
    #[error("{field} {fix}")]
    Setting {
        /// The field.
        field: &'static str,
        /// What it has to be.
        fix: &'static str,
    },
    /// Somebody was erased meanwhile; what is to be stored has to be looked through anew.
    #[error("somebody was erased meanwhile")]
    ErasuresChanged,
    /// Far more transcripts are asked for than usual; none of them was.
    #[error("{this_hour} transcripts in an hour are far more than the usual {usual}")]
    Flood {
        /// Those of this hour.
        this_hour: i64,
        /// Those of a usual hour.
        usual: i64,
    },
    /// As many erasures wait as may.
    #[error("too many erasures wait already")]
    TooManyErasures,
    /// The connection is paused or gone.
    #[error("the connection is not active")]
    Inactive,
}

impl IngestError {
    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Db(error) => error.code(),
            Self::Queue(_) => "queue_failure",
            Self::Gong(error) => error.code(),
            Self::Damaged { .. } => "stored_state_damaged",
            Self::BackfillRunning => "backfill_running",
            Self::WindowWillNotEnd => "window_will_not_end",
            Self::Setting { .. } => "setting_out_of_range",
            Self::ErasuresChanged => "erasures_changed",
            Self::Flood { .. } => "transcript_flood",
            Self::TooManyErasures => "too_many_erasures",
            Self::Inactive => "connection_inactive",
        }
    }

    pub(crate) fn db(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Db(db::DbError::Failed { doing, source })
    }
}
