//! `/api/v1/dead-letters`: background work of the organization that was given up.

use accounts::Permission;
use axum::{Json as Answer, extract::State};
use http::StatusCode;
use kernel::DeadLetterId;
use queue::{DeadLetter, LetterGroup, Letters};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    answers::{Listing, Reading, Writing},
    paging,
};
use crate::{
    AppState, Problem, RequestContext,
    auth::ApiCaller,
    extract::{Ids, Json, Search},
    letters, once,
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

/// Which letters a list shows, and where it begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterQuery {
    /// How many lines a page has; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    /// Only of this kind.
    #[serde(default)]
    kind: Option<String>,
    /// Only `dead` (open), `retried` or `discarded` ones.
    #[serde(default)]
    state: Option<String>,
}

/// Jobs that were given up, newest first.
#[utoipa::path(
    get, path = "/api/v1/dead-letters", tag = "jobs", operation_id = "listDeadLetters",
    params(LetterQuery),
    responses((status = 200, description = "A page.", body = DeadLetterPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<LetterQuery>,
) -> Result<Answer<DeadLetterPage>, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    let limit = paging::limit(query.limit)?;
    let unknown =
        |_| Problem::field("cursor", "is not one of ours; leave it out to start from the beginning");
    let after: Option<DeadLetterId> = query.cursor.map(|text| text.parse().map_err(unknown)).transpose()?;
    if query.state.as_deref().is_some_and(|word| !["dead", "retried", "discarded"].contains(&word)) {
        return Err(Problem::field("state", "must be dead, retried or discarded"));
    }
    let wanted = Letters { kind: query.kind.as_deref(), code: None };
    let mut tx = caller.begin(&state).await?;
    let mut letters = queue::list_of(&mut tx, wanted, query.state.as_deref(), after, limit + 1).await?;
    let most = usize::try_from(limit).unwrap_or(50);
    let more = letters.len() > most;
    letters.truncate(most);
    let next_cursor = letters.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Answer(DeadLetterPage { items: letters.into_iter().map(DeadLetterView::from).collect(), next_cursor }))
}

/// Open dead letters by kind and reason, the largest group first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterGroups {
    items: Vec<GroupView>,
}

/// Open dead letters that have kind and reason in common.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterGroup)]
pub(crate) struct GroupView {
    /// What was to be done.
    kind: String,
    /// Why it was given up, as a stable code.
    code: String,
    /// How many are open.
    open: i64,
    /// The most attempts that one of them had.
    attempts: i32,
    /// When the first of them was given up.
    #[serde(with = "time::serde::rfc3339")]
    first_at: OffsetDateTime,
    /// When the last of them was given up.
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
}

impl From<LetterGroup> for GroupView {
    fn from(group: LetterGroup) -> Self {
        let LetterGroup { kind, code, open, attempts, first_at, last_at } = group;
        Self { kind, code, open, attempts, first_at, last_at }
    }
}

/// How many jobs lie given up, by kind and reason.
#[utoipa::path(
    get, path = "/api/v1/dead-letters/groups", tag = "jobs", operation_id = "countDeadLetters",
    responses((status = 200, description = "At most 200 groups.", body = DeadLetterGroups), Reading),
)]
pub(crate) async fn count(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Answer<DeadLetterGroups>, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(&state).await?;
    let groups = queue::groups(&mut tx).await?;
    Ok(Answer(DeadLetterGroups { items: groups.into_iter().map(GroupView::from).collect() }))
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
    letters::retry(&state, &caller, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Which letters are meant; what is absent or null is any.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryMany {
    /// What was to be done.
    #[serde(default)]
    #[schema(max_length = 100)]
    kind: Option<String>,
    /// Why it was given up.
    #[serde(default)]
    #[schema(max_length = 100)]
    code: Option<String>,
}

/// How many jobs it was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManyLetters {
    /// At most 1,000; ask again for the rest.
    jobs: u64,
}

/// Run dead jobs again: all of a kind, of a reason, or all. At most 1,000 of the oldest. Needs an `Idempotency-Key`.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/retry", tag = "jobs", operation_id = "retryDeadLetters",
    request_body = RetryMany,
    responses((status = 202, description = "They are back at work.", body = ManyLetters), Writing),
)]
pub(crate) async fn retry_many(
    State(state): State<AppState>,
    caller: ApiCaller,
    context: RequestContext,
    Json(body): Json<RetryMany>,
) -> Result<(StatusCode, Answer<ManyLetters>), Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    once::required(&context)?;
    let wanted = Letters { kind: body.kind.as_deref(), code: body.code.as_deref() };
    let jobs = letters::retry_all(&state, &caller, wanted).await?;
    Ok((StatusCode::ACCEPTED, Answer(ManyLetters { jobs })))
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
    letters::discard(&state, &caller, id, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which letters are not needed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscardMany {
    /// What was to be done; any when absent or null.
    #[serde(default)]
    #[schema(max_length = 100)]
    kind: Option<String>,
    /// Why it was given up; any when absent or null.
    #[serde(default)]
    #[schema(max_length = 100)]
    code: Option<String>,
    /// For those who wonder later.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Close dead jobs without running them again: all of a kind, of a reason, or all. At most 1,000 of the oldest. Needs an
/// `Idempotency-Key`.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/discard", tag = "jobs", operation_id = "discardDeadLetters",
    request_body = DiscardMany,
    responses((status = 200, description = "Discarded.", body = ManyLetters), Writing),
)]
pub(crate) async fn discard_many(
    State(state): State<AppState>,
    caller: ApiCaller,
    context: RequestContext,
    Json(body): Json<DiscardMany>,
) -> Result<Answer<ManyLetters>, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    once::required(&context)?;
    let wanted = Letters { kind: body.kind.as_deref(), code: body.code.as_deref() };
    let jobs = letters::discard_all(&state, &caller, wanted, &body.reason).await?;
    Ok(Answer(ManyLetters { jobs }))
}
