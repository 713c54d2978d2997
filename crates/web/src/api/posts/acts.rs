//! What programs do with posts and evidence.

use axum::{Json as Answer, extract::State, response::Response};
use feedback::PostChange;
use http::StatusCode;
use kernel::{BoardId, EvidenceId, PostId, PostStatus, Priority};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PostView, versioned, word};
use crate::{
    AppState, Problem,
    api::answers::Writing,
    auth::ApiCaller,
    conditional::IfMatch,
    extract::{Ids, Json, present},
    feedback as doing,
};

/// What to change of a post; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PostChange)]
pub(crate) struct Change {
    /// 1 to 120 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 120)]
    title: Option<String>,
    #[serde(default)]
    #[schema(max_length = 300)]
    summary: Option<String>,
    #[serde(default)]
    #[schema(max_length = 2_000)]
    description: Option<String>,
    /// Another board.
    #[serde(default)]
    board: Option<String>,
    /// A category, or null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 40)]
    category: Option<Option<String>>,
    /// All tags that it has from now on: at most 20, of 1 to 40 characters each.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// `low`, `medium`, `high` or `critical`.
    #[serde(default)]
    priority: Option<String>,
    /// `open`, `planned`, `in_progress`, `done` or `declined`.
    #[serde(default)]
    status: Option<String>,
}

/// Change a post. `If-Match` has to name the ETag of what was read.
#[utoipa::path(
    patch, path = "/api/v1/posts/{id}", tag = "feedback", operation_id = "changePost",
    params(("id" = String, Path, description = "The post.")), request_body = Change,
    responses((status = 200, description = "Changed.", body = PostView), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
    from: IfMatch,
    Json(body): Json<Change>,
) -> Result<Response, Problem> {
    caller.require(&state, accounts::Permission::EditFeedback).await?;
    // What is not there is not there, whichever version was named.
    feedback::post(&mut caller.begin(&state).await?, id).await?;
    let from = from.required()?;
    let board = |text: String| {
        text.parse::<BoardId>().map_err(|_| Problem::field("board", "must be one of the boards"))
    };
    let change = PostChange {
        title: body.title,
        summary: body.summary,
        description: body.description,
        board: body.board.map(board).transpose()?,
        category: body.category,
        tags: body.tags,
        priority: word("priority", &body.priority, Priority::ALL)?,
        status: word("status", &body.status, PostStatus::ALL)?,
    };
    Ok(versioned(doing::change_post(&state, &caller, id, &from, change).await?))
}

/// Yes or no.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReviewDecision {
    /// It is published.
    Approve,
    /// It is not.
    Reject,
}

/// The decision about a post that waits for review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Review {
    decision: ReviewDecision,
}

/// Say yes or no to a post that waits for review. A doubt whether it is the same as another is settled with it.
#[utoipa::path(
    post, path = "/api/v1/posts/{id}/review", tag = "feedback", operation_id = "reviewPost",
    params(("id" = String, Path, description = "The post.")), request_body = Review,
    responses((status = 200, description = "Decided.", body = PostView), Writing),
)]
pub(crate) async fn review(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
    Json(body): Json<Review>,
) -> Result<Response, Problem> {
    let yes = matches!(body.decision, ReviewDecision::Approve);
    Ok(versioned(doing::review(&state, &caller, id, yes).await?))
}

/// The post to merge into.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    /// The id of the post that takes all evidence in.
    into: String,
}

/// Merge a post into another: its evidence goes over, and the empty post is withdrawn. Taking evidence out again undoes it.
#[utoipa::path(
    post, path = "/api/v1/posts/{id}/merge", tag = "feedback", operation_id = "mergePost",
    params(("id" = String, Path, description = "The post that ends.")), request_body = Merge,
    responses((status = 200, description = "The post that took the evidence in.", body = PostView), Writing),
)]
pub(crate) async fn merge(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<PostId>,
    Json(body): Json<Merge>,
) -> Result<Response, Problem> {
    let into = body.into.parse().map_err(|_| Problem::field("into", "must be the id of a post"))?;
    Ok(versioned(doing::merge(&state, &caller, id, into).await?))
}

/// Take a piece of evidence out of its post and make it a post of its own. Soundpost never puts the two together again.
#[utoipa::path(
    post, path = "/api/v1/evidence/{id}/split", tag = "feedback", operation_id = "splitEvidence",
    params(("id" = String, Path, description = "The evidence.")),
    responses((status = 201, description = "The post that was made of it.", body = PostView), Writing),
)]
pub(crate) async fn split(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<EvidenceId>,
) -> Result<(StatusCode, Answer<PostView>), Problem> {
    let post = doing::split(&state, &caller, id).await?;
    Ok((StatusCode::CREATED, Answer(post.into())))
}
