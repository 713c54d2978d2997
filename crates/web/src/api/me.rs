//! `GET /api/v1/me` and `POST /api/v1/me/password`.

use accounts::{ChangePassword, Permission};
use axum::{Json as Answer, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use kernel::{OrganizationId, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answers::{Reading, Writing},
    session::no_content,
};
use crate::{
    AppState, Problem,
    auth::{SignedIn, cookies, session::forget},
    extract::Json,
};

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person.
    user: String,
    email: String,
    role: &'static str,
    /// The organization that the session looks at.
    organization: OrganizationView,
    /// All organizations that the person belongs to.
    organizations: Vec<OrganizationView>,
    /// What the role allows, in plain words.
    may: Vec<&'static str>,
    /// The password was made by somebody else and has to be changed first.
    must_change_password: bool,
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationView {
    id: String,
    name: String,
}

impl OrganizationView {
    pub(super) fn of(id: OrganizationId, name: &str) -> Self {
        Self { id: id.to_string(), name: name.to_owned() }
    }
}

/// Who is logged in, and what the role allows.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "session", operation_id = "getMe", security(("session" = [])),
    responses((status = 200, description = "The person behind the session.", body = Me), Reading),
)]
pub(crate) async fn me(State(state): State<AppState>, person: SignedIn) -> Result<Answer<Me>, Problem> {
    let mut fleet = state.db.fleet().await?;
    let all = accounts::memberships_of_user(&mut fleet, person.user).await?;
    Ok(Answer(Me {
        user: person.user.to_string(),
        email: person.email.clone(),
        role: person.role.as_str(),
        organization: OrganizationView::of(person.scope.organization(), &person.organization_name),
        organizations: all
            .iter()
            .map(|m| OrganizationView::of(m.organization, &m.organization_name))
            .collect(),
        may: accounts::MATRIX
            .iter()
            .filter(|row| person.may(row.permission))
            .map(|row| row.permission)
            .map(Permission::words)
            .collect(),
        must_change_password: person.must_change_password,
    }))
}

/// Leave the organization that the session looks at: the sessions here and the API keys that the person made end with it.
#[utoipa::path(
    delete, path = "/api/v1/me/membership", tag = "session", operation_id = "leaveOrganization",
    security(("session" = [])), responses((status = 204, description = "Left; the session is over."), Writing),
)]
pub(crate) async fn leave(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    accounts::leave_organization(&state.db, &person.scope, &person.request, &*state.ambient).await?;
    Ok(no_content(forget(&state)))
}

/// The old and the new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The password until now.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// The password from now on: 12 to 200 characters.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 200)]
    new_password: SecretString,
}

/// Change the password; all other sessions of the person end.
#[utoipa::path(
    post, path = "/api/v1/me/password", tag = "session", operation_id = "changePassword", security(("session" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "Changed."), Writing),
)]
pub(crate) async fn change_password(
    State(state): State<AppState>,
    person: SignedIn,
    headers: HeaderMap,
    Json(body): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let device = cookies::read(&headers, cookies::device_name(state.is_https()));
    let change = ChangePassword {
        user: person.user,
        scope: person.scope,
        current: body.current_password,
        new: body.new_password,
        keep_session: Some(person.session.id),
        keep_device: device.map(SecretString::from),
        request: person.request.clone(),
    };
    accounts::change_password(&state.db, &state.hasher, change, &*state.ambient).await?;
    Ok(StatusCode::NO_CONTENT)
}
