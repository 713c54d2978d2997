//! What can go wrong between us and a model.

use std::time::Duration;

/// A model that did not answer, or not as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It could not be reached, or failed on its side, after all retries.
    #[error("the model cannot be reached ({why})")]
    Unavailable {
        /// In our words.
        why: &'static str,
    },
    /// It wants us to wait longer than a job should.
    #[error("the model asks to wait")]
    RateLimited {
        /// For how long, when it said so.
        wait: Option<Duration>,
    },
    /// It does not take our key, or not for this model.
    #[error("the model refuses the key (status {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It calls our question wrong: unknown model, too long, a schema that it does not know.
    #[error("the model calls the question wrong (status {status})")]
    BadRequest {
        /// The HTTP status.
        status: u16,
        /// Which parameter it names as the reason, where that is one that other models want.
        parameter: Option<&'static str>,
    },
    /// Its answer is cut off, empty, or not JSON.
    #[error("the model's answer cannot be read ({why})")]
    Unreadable {
        /// In our words.
        why: &'static str,
        /// What it used all the same.
        usage: crate::Usage,
    },
    /// Its files are missing or damaged.
    #[error("the local model cannot be used: {why}")]
    Local {
        /// What is wrong and what to do.
        why: String,
    },
}

impl ModelError {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "model_unavailable",
            Self::RateLimited { .. } => "model_rate_limited",
            Self::Refused { .. } => "model_refused",
            Self::BadRequest { .. } => "model_bad_request",
            Self::Unreadable { .. } => "model_answer_unreadable",
            Self::Local { .. } => "model_missing",
        }
    }

    /// Whether the same question may be answered later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::RateLimited { .. })
    }
}
