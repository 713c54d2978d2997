//! `/api/v1/posts` and `/api/v1/evidence`: what customers ask for, and with which words.

mod acts;
mod shapes;

use accounts::Permission;
use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use feedback::{PostQuery, PostSort};
use http::header;
use kernel::{BoardId, EvidenceId, FeedbackKind, PostId, PostState, PostStatus, Priority, Sentiment};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    answers::{Listing, ReadingOne},
    paging::{self, Page},
};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    extract::{Ids, Search},
    feedback::{self as doing, export},
};
pub(crate) use acts::{
    __path_change, __path_merge, __path_review, __path_split, change, merge, review, split,
};
pub(crate) use shapes::{EvidencePage, EvidenceView, PostPage, PostView, Trend, day};

/// Which posts to list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PostsQuery {
    /// How many posts a page has, at most 100; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    pub(crate) limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    /// Only posts on this board.
    #[serde(default)]
    pub(crate) board: Option<String>,
    /// Only posts that are `published` (when left out), wait for `review`, or are `withdrawn` or `rejected`.
    #[serde(default)]
    pub(crate) state: Option<String>,
    /// Only `open`, `planned`, `in_progress`, `done` or `declined` ones.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// Only of this kind: `feature_request`, `missing_capability`, `limitation`, `ux_complaint` or `bug`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Only `positive`, `neutral` or `negative` ones.
    #[serde(default)]
    pub(crate) sentiment: Option<String>,
    /// Only of this priority: `low`, `medium`, `high` or `critical`.
    #[serde(default)]
    pub(crate) priority: Option<String>,
    /// Only posts with this tag, category or feature area.
    #[param(max_length = 80)]
    #[serde(default)]
    pub(crate) label: Option<String>,
    /// Only posts with this text in title or summary.
    #[param(max_length = 200)]
    #[serde(default)]
    pub(crate) q: Option<String>,
    /// `most_asked` (when left out): by accounts that ask, then by the last ask. `newest`: by when they were made.
    #[serde(default)]
    pub(crate) sort: Option<String>,
}

impl PostsQuery {
    /// The query as the room wants it.
    pub(crate) fn query(&self) -> Result<PostQuery, Problem> {
        let text = |field, text: &Option<String>, most: usize| match text.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) if text.chars().count() <= most => Ok(Some(text.to_owned())),
            Some(_) => Err(Problem::field(field, format!("must not be longer than {most} characters"))),
        };
        let known = |_| Problem::field("board", "must be the id of a board");
        let board = |text: &str| text.parse::<BoardId>().map_err(known);
        Ok(PostQuery {
            state: word("state", &self.state, PostState::ALL)?.unwrap_or(PostState::Published),
            board: filled(&self.board).map(board).transpose()?,
            kind: word("kind", &self.kind, FeedbackKind::ALL)?,
            status: word("status", &self.status, PostStatus::ALL)?,
            sentiment: word("sentiment", &self.sentiment, Sentiment::ALL)?,
            priority: word("priority", &self.priority, Priority::ALL)?,
            label: text("label", &self.label, 80)?,
            search: text("q", &self.q, 200)?,
            sort: match filled(&self.sort) {
                None | Some("most_asked") => PostSort::MostAsked,
                Some("newest") => PostSort::Newest,
                Some(_) => return Err(Problem::field("sort", "must be most_asked or newest")),
            },
            after: filled(&self.cursor).map(str::parse).transpose()?,
            limit: paging::limit(self.limit)?.min(100),
        })
    }
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// One of the words of an enumeration; a sentence with all of them otherwise.
pub(crate) fn word<T: Copy + std::fmt::Display>(
    field: &str,
    text: &Option<String>,
    all: &[T],
) -> Result<Option<T>, Problem> {
    let Some(text) = filled(text) else { return Ok(None) };
    if let Some(found) = all.iter().find(|one| one.to_string() == text) {
        return Ok(Some(*found));
    }
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    Err(Problem::field(field, format!("must be one of {}", words.join(", "))))
}

/// Posts, those first that most accounts ask for.
#[utoipa::path(
    get, path = "/api/v1/posts", tag = "feedback", operation_id = "listPosts",
    params(PostsQuery),
    responses((status = 200, description = "A page.", body = PostPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<PostsQuery>,
) -> Result<Answer<PostPage>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let query = query.query()?;
    let mut tx = caller.begin(&state).await?;
    let page = feedback::posts(&mut tx, &query).await?;
    Ok(Answer(PostPage {
        items: page.posts.into_iter().map(PostView::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One post, with an ETag of what people can change of it.
#[utoipa::path(
    get, path = "/api/v1/posts/{id}", tag = "feedback", operation_id = "getPost",
    params(("id" = String, Path, description = "The post.")),
    responses((status = 200, description = "The post.", body = PostView), ReadingOne),
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(versioned(feedback::post(&mut tx, id).await?))
}

/// A post with its version.
fn versioned(post: feedback::Post) -> Response {
    doing::version(&post).on(Answer(PostView::from(post)))
}

/// The evidence of a post, the newest calls first.
#[utoipa::path(
    get, path = "/api/v1/posts/{id}/evidence", tag = "feedback", operation_id = "listEvidence",
    params(("id" = String, Path, description = "The post."), Page),
    responses((status = 200, description = "A page.", body = EvidencePage), ReadingOne, Listing),
)]
pub(crate) async fn evidence(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
    Search(page): Search<Page>,
) -> Result<Answer<EvidencePage>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let bad = |_| Problem::field("cursor", "must be one that a list gave out");
    let after = page.cursor.as_deref().map(str::parse::<EvidenceId>).transpose().map_err(bad)?;
    let limit = paging::limit(page.limit)?.min(100);
    let mut tx = caller.begin(&state).await?;
    feedback::post(&mut tx, id).await?;
    let page = feedback::evidence(&mut tx, id, after, limit).await?;
    let next_cursor = page.next.map(|last| last.to_string());
    Ok(Answer(EvidencePage { items: page.items.into_iter().map(EvidenceView::from).collect(), next_cursor }))
}

/// How often a post was asked for, week by week of the last year.
#[utoipa::path(
    get, path = "/api/v1/posts/{id}/trend", tag = "feedback", operation_id = "getPostTrend",
    params(("id" = String, Path, description = "The post.")),
    responses((status = 200, description = "Asks by week.", body = Trend), ReadingOne),
)]
pub(crate) async fn trend(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
) -> Result<Answer<Trend>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    feedback::post(&mut tx, id).await?;
    Ok(Answer(Trend::of(feedback::trend(&mut tx, id).await?)))
}

/// Which posts to export, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `csv` (when left out) or `json`.
    #[serde(default)]
    format: Option<String>,
    /// Only posts on this board.
    #[serde(default)]
    board: Option<String>,
    /// As in the list of posts; `published` when left out.
    #[serde(default)]
    state: Option<String>,
    /// As in the list of posts.
    #[serde(default)]
    status: Option<String>,
    /// As in the list of posts.
    #[serde(default)]
    kind: Option<String>,
    /// As in the list of posts.
    #[serde(default)]
    sentiment: Option<String>,
    /// As in the list of posts.
    #[serde(default)]
    priority: Option<String>,
    /// As in the list of posts.
    #[param(max_length = 80)]
    #[serde(default)]
    label: Option<String>,
    /// As in the list of posts.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
    /// As in the list of posts.
    #[serde(default)]
    sort: Option<String>,
}

/// All posts that a filter lets through, as CSV (a line a post, spreadsheets find no formulas in it) or as JSON (an array).
#[utoipa::path(
    get, path = "/api/v1/posts/export", tag = "feedback", operation_id = "exportPosts",
    params(ExportQuery),
    responses(
        (status = 200, description = "The posts.", content((String = "text/csv"), (Vec<PostView> = "application/json"))),
        Listing
    ),
)]
pub(crate) async fn export(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<ExportQuery>,
) -> Result<Response, Problem> {
    let format = match filled(&query.format) {
        None | Some("csv") => export::Format::Csv,
        Some("json") => export::Format::Json,
        Some(_) => return Err(Problem::field("format", "must be csv or json")),
    };
    let filter = PostsQuery {
        limit: Some(100),
        cursor: None,
        board: query.board,
        state: query.state,
        status: query.status,
        kind: query.kind,
        sentiment: query.sentiment,
        priority: query.priority,
        label: query.label,
        q: query.q,
        sort: query.sort,
    };
    let body = export::body(&state, &caller, filter.query()?, format).await?;
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"posts.{}\"", format.suffix())),
    ];
    Ok((headers, body).into_response())
}
