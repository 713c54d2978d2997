//! Asking a language model for an answer of a given shape.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ModelError;

/// A question to a language model.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who the model is and what it has to do. Ours alone: nothing that a customer said belongs here.
    pub system: String,
    /// The material, with everything that is not ours between marks.
    pub user: String,
    /// What the answer is called, for providers that want a name: letters, digits and underscores.
    pub name: &'static str,
    /// JSON Schema of the answer.
    pub schema: Value,
    /// At most this many tokens of answer.
    pub most_tokens: u32,
}

/// What a question used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens that were read.
    pub input: u64,
    /// Tokens that were written.
    pub output: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
    }
}

/// An answer. Of the shape that was asked for as far as the provider promises it: who asked checks it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The structured answer.
    pub value: Value,
    /// What it used, as the provider counts.
    pub usage: Usage,
}

/// A language model of some provider.
#[async_trait]
pub trait LanguageModel: Send + Sync + Debug {
    /// Its name as the provider spells it; stored beside everything that it made.
    fn model(&self) -> &str;

    /// Asks once, with the retries that the wire needs.
    ///
    /// # Errors
    /// [`ModelError`]; whatever was used up on the way is in the error.
    async fn ask(&self, ask: &Ask) -> Result<Answer, ModelError>;
}
