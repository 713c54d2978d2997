//! Stages two and three: does a conversation hold feedback, and which.

use std::{collections::HashMap, fmt::Debug};

use async_trait::async_trait;
use models::{Embedding, Usage};
use serde::{Deserialize, Serialize};

use crate::{
    FeedbackError,
    conversation::{Conversation, Place},
    item::Item,
};

/// What the organization calls things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vocabulary {
    /// Names of the organization's own products.
    pub products: Vec<String>,
    /// Names of competitors.
    pub competitors: Vec<String>,
    /// Domains of the organization's own addresses.
    pub domains: Vec<String>,
}

/// Where items have to find their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct House {
    /// What things are called.
    pub vocabulary: Vocabulary,
    /// The categories of all boards.
    pub categories: Vec<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// Whether tags that are not on the list may be added.
    pub may_add_tags: bool,
}

/// Whether a conversation holds feedback.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Whether to look closer.
    pub holds: bool,
    /// The highest score of a sentence, 0 to 1.
    pub score: f32,
    /// Why, in words for the page that traces a call.
    pub why: String,
    /// The sentences that are worth a closer look, best first.
    pub sentences: Vec<Scored>,
    /// How many of them, from the first on, are likely enough that what was said around them matters as well.
    #[serde(default)]
    pub likely: usize,
    /// What they mean, as far as stage two had to know. Not stored: stage three of another process finds out again.
    #[serde(skip)]
    pub meanings: HashMap<Place, Embedding>,
}

/// A sentence and how much it looks like feedback.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Where it stands.
    pub place: Place,
    /// 0 to 1.
    pub score: f32,
}

/// Finds feedback in conversations.
#[async_trait]
pub trait Analyzer: Send + Sync + Debug {
    /// What it is called on posts, with everything in it that changes its outcome: `basic/5`, `anthropic/claude-…/2`.
    fn name(&self) -> String;

    /// Stage two.
    ///
    /// # Errors
    /// When a model fails.
    async fn detect(&self, talk: &Conversation) -> Result<(Detection, Usage), FeedbackError>;

    /// Stage three: distinct items, each with quotes that are really there.
    ///
    /// # Errors
    /// When a model fails or answers nonsense twice.
    async fn extract(
        &self,
        talk: &Conversation,
        detection: &Detection,
        house: &House,
    ) -> Result<(Vec<Item>, Usage), FeedbackError>;
}
