//! How an organization wants its feedback made.

use db::Tx;
use kernel::{AnalyzerKind, BoardId, FeedbackMode};

use crate::{FeedbackError, analyze::Vocabulary, store};

/// Settings of one organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether posts appear by themselves.
    pub mode: FeedbackMode,
    /// Who looks for feedback.
    pub analyzer: AnalyzerKind,
    /// Whether tags that are not on the list may be added.
    pub may_add_tags: bool,
    /// From which likeness on a wish joins a post; `None`: as is right for the model.
    pub join_at: Option<f32>,
    /// From which likeness on somebody is asked; `None`: as is right for the model.
    pub ask_at: Option<f32>,
    /// What things are called.
    pub vocabulary: Vocabulary,
    /// Where posts hang that nothing else is said about; `None`: the oldest board.
    pub default_board: Option<BoardId>,
    /// Millionths of a dollar a month for models; `None`: no end.
    pub monthly_cap: Option<i64>,
    /// Counts the changes.
    pub version: i32,
}

/// The settings of this organization.
///
/// # Errors
/// When the database fails.
pub async fn settings(tx: &mut Tx) -> Result<Settings, FeedbackError> {
    store::settings::load(tx).await
}

/// Stores settings; `new.version` is the version that they were made from.
///
/// # Errors
/// [`FeedbackError::Setting`] with the field, [`FeedbackError::Changed`] when somebody was faster.
pub async fn change_settings(tx: &mut Tx, new: &Settings) -> Result<(), FeedbackError> {
    check(new)?;
    if let Some(board) = new.default_board
        && !store::boards::is_live(tx, board).await?
    {
        return Err(FeedbackError::Setting { field: "default_board", fix: "must be one of the boards" });
    }
    if !store::settings::store(tx, new).await? {
        return Err(FeedbackError::Changed);
    }
    tx.announce("feedback").await?;
    Ok(())
}

fn check(new: &Settings) -> Result<(), FeedbackError> {
    let share = |value: Option<f32>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
    if !share(new.join_at) {
        return Err(FeedbackError::Setting { field: "join_at", fix: "must be between 0 and 1" });
    }
    if !share(new.ask_at) || new.ask_at.zip(new.join_at).is_some_and(|(ask, join)| ask > join) {
        return Err(FeedbackError::Setting {
            field: "ask_at",
            fix: "must be between 0 and 1 and not above join_at",
        });
    }
    if new.monthly_cap.is_some_and(|cap| cap < 0) {
        return Err(FeedbackError::Setting { field: "monthly_cap", fix: "must not be negative" });
    }
    let lists = [&new.vocabulary.products, &new.vocabulary.competitors, &new.vocabulary.domains];
    if lists.iter().any(|list| list.len() > 100 || list.iter().any(|name| name.is_empty() || name.len() > 80))
    {
        let fix = "may hold 100 names in each list, of 1 to 80 letters each";
        return Err(FeedbackError::Setting { field: "vocabulary", fix });
    }
    Ok(())
}
