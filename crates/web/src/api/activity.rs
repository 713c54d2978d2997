//! `GET /api/v1/activity`: the audit log.

use accounts::{AuditLine, Permission};
use axum::{Json as Answer, extract::State};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{answers::Listing, paging::Page};
use crate::{AppState, Problem, auth::ApiCaller, extract::Search};

/// A page of the audit log, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityPage {
    items: Vec<ActivityLine>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// Who did what to what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityLine {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// `user`, `api_key`, `job` or `operator`.
    actor_kind: String,
    actor_id: Option<String>,
    /// The e-mail address or the key's prefix as it was then.
    actor_label: Option<String>,
    /// A stable name.
    action: String,
    /// What happened, as a sentence that the actor's name goes before.
    sentence: String,
    target: Option<String>,
    /// What was before and after; secrets are masked.
    #[schema(value_type = Object)]
    detail: Value,
    request_id: Option<String>,
    ip: Option<String>,
}

impl From<AuditLine> for ActivityLine {
    fn from(line: AuditLine) -> Self {
        Self {
            sentence: line.sentence().to_owned(),
            id: line.id.to_string(),
            at: line.at,
            actor_kind: line.actor_kind,
            actor_id: line.actor_id,
            actor_label: line.actor_label,
            action: line.action,
            target: line.target,
            detail: line.detail,
            request_id: line.request_id,
            ip: line.ip,
        }
    }
}

/// The audit log, newest first.
#[utoipa::path(
    get, path = "/api/v1/activity", tag = "organization", operation_id = "listActivity",
    params(Page),
    responses((status = 200, description = "A page.", body = ActivityPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(page): Search<Page>,
) -> Result<Answer<ActivityPage>, Problem> {
    caller.require(&state, Permission::ViewActivity).await?;
    let (cursor, size) = page.of_accounts()?;
    let mut tx = caller.begin(&state).await?;
    let lines = accounts::activity(&mut tx, cursor, size).await?;
    Ok(Answer(ActivityPage {
        items: lines.items.into_iter().map(ActivityLine::from).collect(),
        next_cursor: lines.next,
    }))
}
