//! `/api/v1/boards` and `/api/v1/tags`: where posts hang and how they are sorted.

use accounts::Permission;
use axum::{Json as Answer, extract::State, response::Response};
use feedback::Board;
use http::StatusCode;
use kernel::BoardId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::{Reading, Writing};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    conditional::{IfMatch, Version},
    extract::{Ids, Json},
    feedback as acts,
};

/// A board.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Board)]
pub(crate) struct BoardView {
    #[schema(example = "board_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    id: String,
    name: String,
    description: String,
    /// How many published posts hang there.
    posts: i64,
    /// In alphabetical order.
    categories: Vec<String>,
}

impl From<Board> for BoardView {
    fn from(board: Board) -> Self {
        Self {
            id: board.id.to_string(),
            name: board.name,
            description: board.description,
            posts: board.posts,
            categories: board.categories,
        }
    }
}

/// All boards, the oldest first; there are at most 200.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoardPage {
    items: Vec<BoardView>,
    /// Always null: all of them are in one page.
    next_cursor: Option<String>,
}

/// The boards that were not put away.
#[utoipa::path(
    get, path = "/api/v1/boards", tag = "feedback", operation_id = "listBoards",
    responses((status = 200, description = "All of them.", body = BoardPage), Reading),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Answer<BoardPage>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    let boards = feedback::boards(&mut tx).await?;
    Ok(Answer(BoardPage { items: boards.into_iter().map(BoardView::from).collect(), next_cursor: None }))
}

/// A new board.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBoard {
    /// 1 to 80 characters, another than those of the other boards.
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// At most 50, of 1 to 40 characters each.
    #[serde(default)]
    categories: Vec<String>,
}

/// Make a board. Calls that waited for the first one are looked at from now on.
#[utoipa::path(
    post, path = "/api/v1/boards", tag = "feedback", operation_id = "createBoard", request_body = NewBoard,
    responses((status = 201, description = "Made.", body = BoardView), Writing),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<NewBoard>,
) -> Result<(StatusCode, Response), Problem> {
    let board =
        acts::create_board(&state, &caller, (&body.name, &body.description), &body.categories).await?;
    Ok((StatusCode::CREATED, acts::board_version(&board).on(Answer(BoardView::from(board)))))
}

/// What to change of a board; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoardChange {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: Option<String>,
    /// All categories that it has from now on.
    #[serde(default)]
    categories: Option<Vec<String>>,
}

/// Change a board. `If-Match` may name the ETag of an earlier answer.
#[utoipa::path(
    patch, path = "/api/v1/boards/{id}", tag = "feedback", operation_id = "changeBoard",
    params(("id" = String, Path, description = "The board.")), request_body = BoardChange,
    responses((status = 200, description = "Changed.", body = BoardView), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<BoardId>,
    from: IfMatch,
    Json(body): Json<BoardChange>,
) -> Result<Response, Problem> {
    let change =
        acts::BoardChange { name: body.name, description: body.description, categories: body.categories };
    let board = acts::change_board(&state, &caller, id, &from, change).await?;
    Ok(acts::board_version(&board).on(Answer(BoardView::from(board))))
}

/// Put a board away. Its posts stay and can be found without it; its name is free again.
#[utoipa::path(
    delete, path = "/api/v1/boards/{id}", tag = "feedback", operation_id = "archiveBoard",
    params(("id" = String, Path, description = "The board.")),
    responses((status = 204, description = "Put away."), Writing),
)]
pub(crate) async fn archive(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<BoardId>,
) -> Result<StatusCode, Problem> {
    acts::archive_board(&state, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tags of the organization.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tags {
    /// In lower case and alphabetical order; at most 500, of 1 to 40 characters each.
    tags: Vec<String>,
}

fn tagged(tags: Vec<String>) -> Response {
    Version::of(&tags).on(Answer(Tags { tags }))
}

/// The tags, with an ETag.
#[utoipa::path(
    get, path = "/api/v1/tags", tag = "feedback", operation_id = "getTags",
    responses((status = 200, description = "All of them.", body = Tags), Reading),
)]
pub(crate) async fn tags(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(tagged(feedback::tags(&mut tx).await?))
}

/// Replace the tags. Posts keep theirs. `If-Match` may name the ETag of an earlier answer.
#[utoipa::path(
    put, path = "/api/v1/tags", tag = "feedback", operation_id = "replaceTags", request_body = Tags,
    responses((status = 200, description = "Replaced.", body = Tags), Writing),
)]
pub(crate) async fn replace_tags(
    State(state): State<AppState>,
    caller: ApiCaller,
    from: IfMatch,
    Json(body): Json<Tags>,
) -> Result<Response, Problem> {
    Ok(tagged(acts::set_tags(&state, &caller, &from, &body.tags).await?))
}
