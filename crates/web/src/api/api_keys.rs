//! `/api/v1/api-keys`: keys for this API.

use accounts::{ApiKey, Permission};
use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use kernel::{ApiKeyId, ExposeSecret, Role};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    answers::{Listing, Writing},
    paging::Page,
};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    extract::{Ids, Json, Search},
};

/// A page of keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyPage {
    items: Vec<ApiKeyView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    id: String,
    name: String,
    /// How the secret begins.
    prefix: String,
    /// `admin`, `member` or `viewer`.
    role: &'static str,
    created_by: Option<String>,
    created_by_email: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            role: key.role.as_str(),
            created_by: key.created_by.map(|user| user.to_string()),
            created_by_email: key.created_by_email,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// The keys of the organization, the revoked ones included.
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "organization", operation_id = "listApiKeys",
    params(Page),
    responses((status = 200, description = "A page.", body = ApiKeyPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(page): Search<Page>,
) -> Result<Answer<ApiKeyPage>, Problem> {
    caller.require(&state, Permission::ViewApiKeys).await?;
    let (cursor, size) = page.of_accounts()?;
    let mut tx = caller.begin(&state).await?;
    let keys = accounts::api_keys(&mut tx, cursor, size).await?;
    Ok(Answer(ApiKeyPage {
        items: keys.items.into_iter().map(ApiKeyView::from).collect(),
        next_cursor: keys.next,
    }))
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do: `admin`, `member` or `viewer`, at most what you may do.
    #[schema(value_type = String, example = "viewer")]
    role: Role,
}

/// A key that was just made. The secret is shown here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedApiKey {
    #[serde(flatten)]
    key: ApiKeyView,
    /// Send it as `Authorization: Bearer ...`.
    #[schema(example = "spk_live_...")]
    secret: String,
}

/// Make a key.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "organization", operation_id = "createApiKey",
    request_body = NewApiKey,
    responses((status = 201, description = "Made; keep the secret.", body = CreatedApiKey), Writing),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<NewApiKey>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ManageApiKeys).await?;
    let mut tx = caller.begin(&state).await?;
    let (key, secret) =
        accounts::create_api_key(&mut tx, &body.name, body.role, &caller.request, &*state.ambient).await?;
    tx.commit().await?;
    let answer = CreatedApiKey { key: key.into(), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Answer(answer)).into_response())
}

/// Revoke a key; it is refused from the next request on. Revoking twice is once.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "organization", operation_id = "revokeApiKey",
    params(("id" = String, Path, description = "The id of the key.")),
    responses((status = 204, description = "Revoked."), Writing),
)]
pub(crate) async fn revoke(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    caller.require(&state, Permission::ManageApiKeys).await?;
    let mut tx = caller.begin(&state).await?;
    accounts::revoke_api_key(&mut tx, id, &caller.request, &*state.ambient).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
