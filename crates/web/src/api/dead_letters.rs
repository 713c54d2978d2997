//! `/api/v1/dead-letters`: background work of the organization that was given up.

use accounts::{Action, Entry, Permission, actions};
use axum::{Json as Answer, extract::State};
use db::Tx;
use http::StatusCode;
use kernel::DeadLetterId;
use queue::DeadLetter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    answers::{Listing, Writing},
    paging::{self, Page},
};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    extract::{Ids, Json, Search},
};

/// A page of dead letters, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterPage {
    items: Vec<DeadLetterView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// A job that was given up: what failed and why, never with which content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView {
    id: String,
    /// What was to be done.
    kind: String,
    /// Why it was given up, as a stable code.
    code: String,
    attempts: i32,
    #[serde(with = "time::serde::rfc3339")]
    died_at: OffsetDateTime,
    /// `dead`, `retried` or `discarded`.
    state: String,
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    closed_reason: Option<String>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            kind: letter.kind,
            code: letter.code,
            attempts: letter.attempts,
            died_at: letter.died_at,
            state: letter.state,
            closed_at: letter.closed_at,
            closed_reason: letter.closed_reason,
        }
    }
}

/// Jobs that were given up, newest first.
#[utoipa::path(
    get, path = "/api/v1/dead-letters", tag = "jobs", operation_id = "listDeadLetters",
    params(Page),
    responses((status = 200, description = "A page.", body = DeadLetterPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(page): Search<Page>,
) -> Result<Answer<DeadLetterPage>, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    let limit = paging::limit(page.limit)?;
    let unknown =
        |_| Problem::field("cursor", "is not one of ours; leave it out to start from the beginning");
    let after: Option<DeadLetterId> = page.cursor.map(|text| text.parse().map_err(unknown)).transpose()?;
    let mut tx = caller.begin(&state).await?;
    let mut letters = queue::list(&mut tx, after, limit + 1).await?;
    let most = usize::try_from(limit).unwrap_or(50);
    let more = letters.len() > most;
    letters.truncate(most);
    let next_cursor = letters.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Answer(DeadLetterPage { items: letters.into_iter().map(DeadLetterView::from).collect(), next_cursor }))
}

/// Run a dead job again, with all its attempts.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{id}/retry", tag = "jobs", operation_id = "retryDeadLetter",
    params(("id" = String, Path, description = "The id of the dead letter.")),
    responses((status = 202, description = "It is back at work."), Writing),
)]
pub(crate) async fn retry(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<DeadLetterId>,
) -> Result<StatusCode, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(&state).await?;
    let letter = find(&mut tx, id).await?;
    if !queue::retry(&mut tx, id).await? {
        return Err(closed());
    }
    note(&mut tx, &state, &caller, actions::JOB_RETRIED, &letter).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Why a dead job is not needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Discard {
    /// For those who wonder later.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Close a dead job without running it again.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{id}/discard", tag = "jobs", operation_id = "discardDeadLetter",
    params(("id" = String, Path, description = "The id of the dead letter.")),
    request_body = Discard,
    responses((status = 204, description = "Discarded."), Writing),
)]
pub(crate) async fn discard(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<DeadLetterId>,
    Json(body): Json<Discard>,
) -> Result<StatusCode, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(Problem::field("reason", "must have 1 to 500 characters"));
    }
    let mut tx = caller.begin(&state).await?;
    let letter = find(&mut tx, id).await?;
    if !queue::discard(&mut tx, id, reason).await? {
        return Err(closed());
    }
    note(&mut tx, &state, &caller, actions::JOB_DISCARDED, &letter).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(tx: &mut Tx, id: DeadLetterId) -> Result<DeadLetter, Problem> {
    queue::show(tx, id).await?.ok_or_else(|| Problem::not_found("dead letter"))
}

fn closed() -> Problem {
    let detail = "This dead letter was retried or discarded before, or its job could never be read.";
    Problem::new(StatusCode::CONFLICT, "dead_letter_closed", detail)
}

async fn note(
    tx: &mut Tx,
    state: &AppState,
    caller: &ApiCaller,
    action: Action,
    letter: &DeadLetter,
) -> Result<(), Problem> {
    let detail = json!({ "kind": letter.kind, "code": letter.code });
    let entry = Entry::new(action, &caller.request).target(letter.id).detail(detail);
    accounts::audit(tx, entry, &*state.ambient).await?;
    Ok(())
}
