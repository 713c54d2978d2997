//! What can go wrong in this room.

use kernel::WordError;
use models::ModelError;

/// A failure of this room, with a stable code.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The database.
    #[error(transparent)]
    Db(#[from] db::DbError),
    /// A job could not be sent.
    #[error(transparent)]
    Queue(#[from] queue::QueueError),
    /// Something that is not here, or not of this organization.
    #[error("there is no such {what}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
    },
    /// A setting or field that cannot be.
    #[error("{field} {fix}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What it has to be.
        fix: &'static str,
    },
    /// Somebody was faster.
    #[error("it was changed meanwhile")]
    Changed,
    /// A stored value that this version does not understand.
    #[error("a stored {what} cannot be read")]
    Damaged {
        /// What.
        what: &'static str,
    },
    /// A model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The index of vectors.
    #[error("the vector index does not help ({})", .0.code())]
    Index(#[source] ModelError),
    /// An answer of a model that is not what was asked for, twice.
    #[error("the model's answer is not what was asked for: {why}")]
    Answer {
        /// What is wrong with it; nothing of the answer itself.
        why: String,
        /// What both answers used all the same.
        usage: models::Usage,
    },
}

impl FeedbackError {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Db(error) => error.code(),
            Self::Queue(_) => "queue_failure",
            Self::NotFound { .. } => "not_found",
            Self::Setting { .. } => "setting_out_of_range",
            Self::Changed => "changed_meanwhile",
            Self::Damaged { .. } => "stored_state_damaged",
            Self::Model(error) => error.code(),
            Self::Index(_) => "index_unavailable",
            Self::Answer { .. } => "model_answer_unreadable",
        }
    }

    pub(crate) fn db(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Db(db::DbError::Failed { doing, source })
    }
}

impl From<WordError> for FeedbackError {
    fn from(_: WordError) -> Self {
        Self::Damaged { what: "word" }
    }
}
