//! Posts, evidence, and how lists of them are asked for.

use std::{fmt, str::FromStr};

use kernel::{BoardId, CallId, EvidenceId, FeedbackKind, PostId, PostState, PostStatus, Priority, Sentiment};
use time::OffsetDateTime;

use crate::{FeedbackError, Quote};

/// Something that customers ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The post.
    pub id: PostId,
    /// Where it hangs.
    pub board: BoardId,
    /// What is to be done.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// All that is known.
    pub description: String,
    /// What sort of feedback it is.
    pub kind: FeedbackKind,
    /// How they feel about it.
    pub sentiment: Sentiment,
    /// How much it matters.
    pub priority: Priority,
    /// One or two words.
    pub area: String,
    /// A category of its board.
    pub category: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// What the organization does about it.
    pub status: PostStatus,
    /// Whether it can be seen.
    pub state: PostState,
    /// A person wrote its words.
    pub is_edited: bool,
    /// What made it.
    pub analyzer: String,
    /// How many wishes say so.
    pub evidence: i32,
    /// How many accounts ask for it; a call whose account is not known counts as one.
    pub accounts: i32,
    /// When it was asked for first.
    pub first_asked_at: Option<OffsetDateTime>,
    /// When it was asked for last.
    pub last_asked_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it changed.
    pub updated_at: OffsetDateTime,
    /// Counts the changes.
    pub version: i32,
}

/// One wish in one call that supports a post.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The evidence.
    pub id: EvidenceId,
    /// The post that it supports.
    pub post: PostId,
    /// The call.
    pub call: CallId,
    /// What is to be done, as this call has it.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// All that is known.
    pub description: String,
    /// What sort of feedback it is.
    pub kind: FeedbackKind,
    /// How they feel about it.
    pub sentiment: Sentiment,
    /// How much it matters to them.
    pub priority: Priority,
    /// One or two words.
    pub area: String,
    /// What hurts them.
    pub pain_points: Vec<String>,
    /// Word for word what was said.
    pub quotes: Vec<Quote>,
    /// Who asked, where that is known.
    pub author: Option<String>,
    /// The domain of the author's address, where that is known.
    pub account: Option<String>,
    /// The call's title.
    pub call_title: Option<String>,
    /// The call's page in Gong.
    pub call_url: Option<String>,
    /// When the call began.
    pub called_at: OffsetDateTime,
    /// How like the post it was when it joined.
    pub similarity: Option<f32>,
    /// It joined the post by its likeness.
    pub is_joined: bool,
    /// A person put it there.
    pub is_placed: bool,
    /// The post that it may be the same as; somebody is asked.
    pub doubt: Option<PostId>,
    /// What found it.
    pub analyzer: String,
}

/// The order of a list of posts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PostSort {
    /// By accounts that ask, then by the last ask.
    #[default]
    MostAsked,
    /// By when they were made, the newest first.
    Newest,
}

/// Which posts to list.
#[derive(Debug, Clone, PartialEq)]
pub struct PostQuery {
    /// Of this state.
    pub state: PostState,
    /// On this board.
    pub board: Option<BoardId>,
    /// Of this kind.
    pub kind: Option<FeedbackKind>,
    /// That far.
    pub status: Option<PostStatus>,
    /// With this sentiment.
    pub sentiment: Option<Sentiment>,
    /// That important.
    pub priority: Option<Priority>,
    /// With this tag, category or area.
    pub label: Option<String>,
    /// With these letters in title or summary.
    pub search: Option<String>,
    /// In which order.
    pub sort: PostSort,
    /// Behind this one.
    pub after: Option<PostCursor>,
    /// At most this many, 1 to 100.
    pub limit: i64,
}

impl Default for PostQuery {
    fn default() -> Self {
        Self {
            state: PostState::Published,
            board: None,
            kind: None,
            status: None,
            sentiment: None,
            priority: None,
            label: None,
            search: None,
            sort: PostSort::default(),
            after: None,
            limit: 50,
        }
    }
}

/// Where a list goes on: behind this post. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostCursor {
    pub(crate) accounts: i32,
    pub(crate) at: OffsetDateTime,
    pub(crate) id: PostId,
}

impl fmt::Display for PostCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{}", self.accounts, self.at.unix_timestamp_nanos() / 1000, self.id)
    }
}

impl FromStr for PostCursor {
    type Err = FeedbackError;
    fn from_str(text: &str) -> Result<Self, FeedbackError> {
        let bad = || FeedbackError::Setting { field: "cursor", fix: "must be one that a list gave out" };
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or_else(bad);
        let accounts = i32::from_str_radix(next()?, 16).map_err(|_| bad())?;
        let micros = i128::from_str_radix(next()?, 16).map_err(|_| bad())?;
        let nanos = micros.checked_mul(1000).ok_or_else(bad)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| bad())?;
        Ok(Self { accounts, at, id: next()?.parse().map_err(|_| bad())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = PostCursor {
            accounts: 17,
            at: datetime!(2026-03-01 10:00:00.123456 UTC),
            id: PostId::from_uuid(uuid::Uuid::from_u128(7)),
        };
        assert_eq!(cursor.to_string().parse::<PostCursor>().unwrap(), cursor);
        assert!("x.y.z".parse::<PostCursor>().is_err() && "".parse::<PostCursor>().is_err());
    }
}
