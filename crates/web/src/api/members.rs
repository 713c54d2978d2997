//! `/api/v1/members`: who belongs to the organization.

use accounts::{MemberLine, Permission};
use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use kernel::{ExposeSecret, Role, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    answers::{Listing, ReadingOne, Writing},
    paging::Page,
};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    conditional::{IfMatch, Version},
    extract::{Ids, Json, Search},
};

/// A page of members, the longest ones first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberPage {
    items: Vec<MemberView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// A person who belongs to the organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    /// The person.
    id: String,
    email: String,
    /// `owner`, `admin`, `member` or `viewer`.
    role: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl From<MemberLine> for MemberView {
    fn from(line: MemberLine) -> Self {
        Self { id: line.user.to_string(), email: line.email, role: line.role.as_str(), since: line.since }
    }
}

/// The members of the organization.
#[utoipa::path(
    get, path = "/api/v1/members", tag = "organization", operation_id = "listMembers",
    params(Page),
    responses((status = 200, description = "A page.", body = MemberPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(page): Search<Page>,
) -> Result<Answer<MemberPage>, Problem> {
    caller.require(&state, Permission::ViewMembers).await?;
    let (cursor, size) = page.of_accounts()?;
    let mut tx = caller.begin(&state).await?;
    let lines = accounts::members(&mut tx, cursor, size).await?;
    Ok(Answer(MemberPage {
        items: lines.items.into_iter().map(MemberView::from).collect(),
        next_cursor: lines.next,
    }))
}

/// What of a member can be edited, for its version.
fn version(line: &MemberLine) -> Version {
    Version::of(&line.role)
}

/// One member, with an ETag of what can be changed.
#[utoipa::path(
    get, path = "/api/v1/members/{id}", tag = "organization", operation_id = "getMember",
    params(("id" = String, Path, description = "The id of the person.")),
    responses((status = 200, description = "The member.", body = MemberView), ReadingOne),
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<UserId>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ViewMembers).await?;
    let mut tx = caller.begin(&state).await?;
    let line = accounts::member(&mut tx, id, false).await?;
    Ok(version(&line).on(Answer(MemberView::from(line))))
}

/// A person to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    #[schema(min_length = 3, max_length = 320)]
    email: String,
    /// `owner`, `admin`, `member` or `viewer`.
    #[schema(value_type = String, example = "member")]
    role: Role,
}

/// A person who was added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedMember {
    id: String,
    /// The first password of a new person, shown here and never again; null for somebody who has one already.
    initial_password: Option<String>,
}

/// Add a person by address.
#[utoipa::path(
    post, path = "/api/v1/members", tag = "organization", operation_id = "addMember",
    request_body = NewMember,
    responses((status = 201, description = "Added.", body = AddedMember), Writing),
)]
pub(crate) async fn add(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<NewMember>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ManageMembers).await?;
    let who = (body.email.as_str(), body.role);
    let (scope, request, ambient) = (&caller.scope, &caller.request, &*state.ambient);
    let added = accounts::add_member(&state.db, &state.hasher, scope, who, request, ambient).await?;
    let answer = AddedMember {
        id: added.user.to_string(),
        initial_password: added.initial_password.map(|password| password.expose_secret().to_owned()),
    };
    Ok((StatusCode::CREATED, Answer(answer)).into_response())
}

/// Another role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// `owner`, `admin`, `member` or `viewer`.
    #[schema(value_type = String, example = "admin")]
    role: Role,
}

/// Give a member another role; it counts from the member's next request on. `If-Match` is heeded.
#[utoipa::path(
    patch, path = "/api/v1/members/{id}", tag = "organization", operation_id = "changeMember",
    params(("id" = String, Path, description = "The id of the person.")),
    request_body = RoleChange,
    responses((status = 204, description = "Changed."), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<UserId>,
    from: IfMatch,
    Json(body): Json<RoleChange>,
) -> Result<StatusCode, Problem> {
    caller.require(&state, Permission::ManageMembers).await?;
    let mut tx = caller.begin(&state).await?;
    from.check(&version(&accounts::member(&mut tx, id, true).await?))?;
    accounts::change_role(&mut tx, id, body.role, &caller.request, &*state.ambient).await?;
    tx.announce("members").await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a membership: the person's sessions here and the API keys the person made end with it.
#[utoipa::path(
    delete, path = "/api/v1/members/{id}", tag = "organization", operation_id = "removeMember",
    params(("id" = String, Path, description = "The id of the person.")),
    responses((status = 204, description = "Removed."), Writing),
)]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<UserId>,
) -> Result<StatusCode, Problem> {
    caller.require(&state, Permission::ManageMembers).await?;
    accounts::remove_member(&state.db, &caller.scope, id, &caller.request, &*state.ambient).await?;
    Ok(StatusCode::NO_CONTENT)
}
