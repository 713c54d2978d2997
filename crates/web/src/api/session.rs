//! `POST` and `DELETE /api/v1/session`: logging in and out.

use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::{OrganizationId, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::Writing;
use crate::{AppState, Problem, RequestContext, auth::SignedIn, auth::session, extract::Json};

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    /// The e-mail address.
    #[schema(max_length = 320)]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// Which of the person's organizations to look at; the first one when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "org_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    organization: Option<OrganizationId>,
}

/// Somebody who logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    /// The organization that the session looks at.
    organization: String,
    /// The password was made by somebody else; nothing but changing it is possible.
    must_change_password: bool,
}

/// Log in: begins a session in a cookie. The request must come from our own origin.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", operation_id = "logIn", security(()),
    request_body = LogIn,
    responses((status = 200, description = "Logged in; the cookie is the session.", body = LoggedIn), Writing),
)]
pub(crate) async fn log_in(
    State(state): State<AppState>,
    context: RequestContext,
    headers: HeaderMap,
    Json(body): Json<LogIn>,
) -> Result<Response, Problem> {
    let welcome =
        session::log_in(&state, &context, &headers, (body.email, body.password), body.organization).await?;
    let answer = LoggedIn {
        organization: welcome.organization.to_string(),
        must_change_password: welcome.must_change_password,
    };
    let mut response = Answer(answer).into_response();
    for cookie in welcome.cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Another of the person's organizations.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switch {
    /// Its id, as `GET /api/v1/me` lists it.
    #[schema(value_type = String, example = "org_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    organization: OrganizationId,
}

/// Look at another of the person's organizations: the session goes on under a new cookie.
#[utoipa::path(
    post, path = "/api/v1/session/organization", tag = "session", operation_id = "switchOrganization",
    security(("session" = [])), request_body = Switch,
    responses((status = 204, description = "Switched; the new cookie is the session."), Writing),
)]
pub(crate) async fn switch(
    State(state): State<AppState>,
    person: SignedIn,
    Json(body): Json<Switch>,
) -> Result<Response, Problem> {
    let cookie = session::switch(&state, &person, body.organization).await?;
    Ok(no_content(cookie))
}

/// Log out: ends the session in every process at once.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session", operation_id = "logOut", security(("session" = [])),
    responses((status = 204, description = "Logged out."), Writing),
)]
pub(crate) async fn log_out(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    let cookie = session::log_out(&state, &person).await?;
    Ok(session::cleared(no_content(cookie)))
}

/// Done, with a cookie.
pub(super) fn no_content(cookie: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
