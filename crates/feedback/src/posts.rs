//! Posts as people see them: lists, one post with its evidence, and what people do with them.

use db::Tx;
use kernel::{Ambient, BoardId, CallId, EvidenceId, PostId, PostState, PostStatus, Priority};
use time::OffsetDateTime;

use crate::{
    Evidence, FeedbackError, Item, Post, PostCursor, PostQuery, PostSort,
    conversation::clean,
    item::TITLE_MOST,
    store::{boards, evidence as store_evidence, posts as store, vectors},
};

/// A page of posts.
#[derive(Debug, Clone)]
pub struct PostPage {
    /// In the order that was asked for.
    pub posts: Vec<Post>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PostCursor>,
}

/// Lists posts.
///
/// # Errors
/// When the database fails.
pub async fn posts(tx: &mut Tx, query: &PostQuery) -> Result<PostPage, FeedbackError> {
    let limit = query.limit.clamp(1, 100);
    let mut posts = store::page(tx, query, limit + 1).await?;
    let more = i64::try_from(posts.len()).is_ok_and(|posts| posts > limit);
    posts.truncate(usize::try_from(limit).unwrap_or(100));
    let next = posts.last().filter(|_| more).map(|last| PostCursor {
        accounts: last.accounts,
        at: match query.sort {
            PostSort::MostAsked => last.last_asked_at.unwrap_or(last.created_at),
            PostSort::Newest => last.created_at,
        },
        id: last.id,
    });
    Ok(PostPage { posts, next })
}

/// One post.
///
/// # Errors
/// [`FeedbackError::NotFound`].
pub async fn post(tx: &mut Tx, post: PostId) -> Result<Post, FeedbackError> {
    store::load(tx, post).await?.ok_or(FeedbackError::NotFound { what: "post" })
}

/// A page of evidence.
#[derive(Debug, Clone)]
pub struct EvidencePage {
    /// The newest calls first.
    pub items: Vec<Evidence>,
    /// Behind which one the next page begins; `None` at the end.
    pub next: Option<EvidenceId>,
}

/// A page of a post's evidence, at most 100, the newest calls first; behind `after`.
///
/// # Errors
/// When the database fails.
pub async fn evidence(
    tx: &mut Tx,
    post: PostId,
    after: Option<EvidenceId>,
    limit: i64,
) -> Result<EvidencePage, FeedbackError> {
    let after = match after {
        None => None,
        Some(id) => {
            let last =
                store_evidence::one(tx, id).await?.ok_or(FeedbackError::NotFound { what: "evidence" })?;
            Some((last.called_at, last.id))
        }
    };
    let limit = limit.clamp(1, 100);
    let mut items = store_evidence::of_post(tx, post, after, limit + 1).await?;
    let more = i64::try_from(items.len()).is_ok_and(|items| items > limit);
    items.truncate(usize::try_from(limit).unwrap_or(100));
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(EvidencePage { items, next })
}

/// One piece of evidence.
///
/// # Errors
/// [`FeedbackError::NotFound`].
pub async fn evidence_one(tx: &mut Tx, id: EvidenceId) -> Result<Evidence, FeedbackError> {
    store_evidence::one(tx, id).await?.ok_or(FeedbackError::NotFound { what: "evidence" })
}

/// How many published posts were made since then.
///
/// # Errors
/// When the database fails.
pub async fn new_since(tx: &mut Tx, since: OffsetDateTime) -> Result<i64, FeedbackError> {
    store::new_since(tx, since).await
}

/// How often a post was asked for, week by week (from Monday, UTC) of the last year, the oldest first; weeks without an ask are
/// left out.
///
/// # Errors
/// When the database fails.
pub async fn trend(tx: &mut Tx, post: PostId) -> Result<Vec<(OffsetDateTime, i64)>, FeedbackError> {
    store::trend(tx, post).await
}

/// How many posts are in which state.
///
/// # Errors
/// When the database fails.
pub async fn post_counts(tx: &mut Tx) -> Result<Vec<(PostState, i64)>, FeedbackError> {
    let counts = store::counts(tx).await?;
    counts.into_iter().map(|(word, count)| Ok((word.parse()?, count))).collect()
}

/// What a person changes of a post; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct PostChange {
    /// Other words.
    pub title: Option<String>,
    /// Other words.
    pub summary: Option<String>,
    /// Other words.
    pub description: Option<String>,
    /// Another board.
    pub board: Option<BoardId>,
    /// Another category, or none.
    pub category: Option<Option<String>>,
    /// Other tags.
    pub tags: Option<Vec<String>>,
    /// Another priority.
    pub priority: Option<Priority>,
    /// What the organization does about it.
    pub status: Option<PostStatus>,
}

/// Changes a post that had this version.
///
/// # Errors
/// [`FeedbackError::Setting`] with the field, [`FeedbackError::NotFound`], [`FeedbackError::Changed`] when somebody was faster.
pub async fn change_post(
    tx: &mut Tx,
    id: PostId,
    version: i32,
    change: PostChange,
    ambient: &dyn Ambient,
) -> Result<(), FeedbackError> {
    let mut post = post(tx, id).await?;
    if post.state == PostState::Withdrawn {
        return Err(FeedbackError::Setting { field: "post", fix: "is withdrawn: nothing of it is left" });
    }
    if post.version != version {
        return Err(FeedbackError::Changed);
    }
    let words = change.title.is_some() || change.summary.is_some() || change.description.is_some();
    let text = |field, text: Option<String>, most, old: String| match text.map(|text| clean(&text)) {
        None => Ok(old),
        Some(text) if text.chars().count() <= most => Ok(text),
        Some(_) => Err(FeedbackError::Setting { field, fix: "is too long" }),
    };
    post.title = text("title", change.title, TITLE_MOST, post.title)?;
    if post.title.is_empty() {
        return Err(FeedbackError::Setting { field: "title", fix: "must not be empty" });
    }
    post.summary = text("summary", change.summary, 300, post.summary)?;
    post.description = text("description", change.description, 2_000, post.description)?;
    if let Some(board) = change.board {
        if !boards::is_live(tx, board).await? {
            return Err(FeedbackError::Setting { field: "board", fix: "must be one of the boards" });
        }
        post.board = board;
    }
    post.category = match change.category {
        None => post.category,
        Some(category) => category.map(|category| clean(&category)).filter(|category| !category.is_empty()),
    };
    if post.category.as_ref().is_some_and(|category| category.chars().count() > 40) {
        return Err(FeedbackError::Setting { field: "category", fix: "may have 40 letters" });
    }
    post.tags = match change.tags {
        None => post.tags,
        Some(tags) => tags.iter().map(|tag| clean(tag)).collect(),
    };
    if post.tags.len() > 20 || post.tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > 40) {
        return Err(FeedbackError::Setting { field: "tags", fix: "may be 20, of 1 to 40 letters each" });
    }
    post.priority = change.priority.unwrap_or(post.priority);
    post.status = change.status.unwrap_or(post.status);
    post.is_edited = post.is_edited || words;
    save(tx, &post, ambient).await
}

async fn save(tx: &mut Tx, post: &Post, ambient: &dyn Ambient) -> Result<(), FeedbackError> {
    if !store::store(tx, post, ambient.now()).await? {
        return Err(FeedbackError::Changed);
    }
    tx.announce("feedback").await?;
    Ok(())
}

/// Says yes or no to a post that waits for review.
///
/// # Errors
/// [`FeedbackError::NotFound`], [`FeedbackError::Changed`] when somebody decided already.
pub async fn review(tx: &mut Tx, id: PostId, yes: bool, ambient: &dyn Ambient) -> Result<(), FeedbackError> {
    let mut post = post(tx, id).await?;
    if post.state != PostState::Review {
        return Err(FeedbackError::Changed);
    }
    post.state = if yes { PostState::Published } else { PostState::Rejected };
    save(tx, &post, ambient).await?;
    store_evidence::settle_doubt(tx, id).await
}

/// Puts all wishes of one post under another; the empty one is withdrawn.
///
/// # Errors
/// [`FeedbackError::NotFound`], [`FeedbackError::Setting`] where one of them cannot take part.
pub async fn merge(tx: &mut Tx, from: PostId, into: PostId) -> Result<(), FeedbackError> {
    if from == into {
        return Err(FeedbackError::Setting { field: "into", fix: "must be another post" });
    }
    vectors::lock(tx).await?;
    // In one order, so that two who do the opposite at once do not wait for each other for ever.
    for post in if from.uuid() < into.uuid() { [from, into] } else { [into, from] } {
        match store::state(tx, post).await? {
            None => return Err(FeedbackError::NotFound { what: "post" }),
            Some(PostState::Withdrawn) => {
                return Err(FeedbackError::Setting {
                    field: "into",
                    fix: "is withdrawn: nothing of it is left",
                });
            }
            Some(_) => {}
        }
    }
    store_evidence::place_all(tx, from, into).await?;
    store_evidence::redirect_doubts(tx, from, into).await?;
    tx.announce("feedback").await?;
    Ok(())
}

/// Takes a wish out of its post and makes it a post of its own; the two are never put together again by us.
///
/// # Errors
/// [`FeedbackError::NotFound`], [`FeedbackError::Setting`] for the last wish of a post.
pub async fn split(
    tx: &mut Tx,
    evidence: EvidenceId,
    ambient: &dyn Ambient,
) -> Result<PostId, FeedbackError> {
    vectors::lock(tx).await?;
    let missing = FeedbackError::NotFound { what: "evidence" };
    let one = store_evidence::one(tx, evidence).await?.ok_or(missing)?;
    let old = post(tx, one.post).await?;
    if old.evidence < 2 {
        return Err(FeedbackError::Setting { field: "evidence", fix: "is all that the post has" });
    }
    let item = Item {
        title: one.title.clone(),
        summary: one.summary.clone(),
        description: one.description.clone(),
        kind: one.kind,
        sentiment: one.sentiment,
        priority: one.priority,
        area: one.area.clone(),
        pain_points: one.pain_points.clone(),
        category: old.category.clone(),
        tags: old.tags.clone(),
        quotes: one.quotes.clone(),
    };
    let id = PostId::mint(ambient);
    let new = store::New {
        id,
        board: old.board,
        item: &item,
        state: old.state,
        text_of: evidence,
        analyzer: &one.analyzer,
        now: ambient.now(),
    };
    store::insert(tx, &new).await?;
    store_evidence::place(tx, evidence, id).await?;
    store_evidence::part(tx, one.call, &one.title, old.id).await?;
    tx.announce("feedback").await?;
    Ok(id)
}

/// What came of a call.
///
/// # Errors
/// When the database fails.
pub async fn evidence_of_call(tx: &mut Tx, call: CallId) -> Result<Vec<Evidence>, FeedbackError> {
    store_evidence::of_call(tx, call).await
}
