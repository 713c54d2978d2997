//! `PATCH /api/v1/organization`: its name.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{answers::Writing, me::OrganizationView};
use crate::{AppState, Problem, auth::ApiCaller, extract::Json, organization};

/// What the organization is called from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationChange {
    /// The name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Rename the organization.
#[utoipa::path(
    patch, path = "/api/v1/organization", tag = "organization", operation_id = "renameOrganization",
    request_body = OrganizationChange,
    responses((status = 200, description = "Renamed.", body = OrganizationView), Writing),
)]
pub(crate) async fn rename(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<OrganizationChange>,
) -> Result<Answer<OrganizationView>, Problem> {
    organization::rename(&state, &caller, &body.name).await?;
    Ok(Answer(OrganizationView::of(caller.scope.organization(), body.name.trim())))
}
