//! `/organizations`: which organization to look at, and leaving one. What a person belongs to is nobody else's to see.

use accounts::Permission;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use kernel::OrganizationId;

use super::{
    view::{
        access::{ConfirmPage, OrganizationRow, OrganizationsPage, RenameForm},
        shell::Here,
    },
    visit::{Fields, Visit, done, page, page_with, with_cookie},
};
use crate::{
    AppState, Problem,
    auth::{SignedIn, session},
    organization,
    sentence::sentence,
};

const HERE: &str = "/organizations";

/// `GET /organizations`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    let form = RenameForm { name: person.organization_name.clone(), error: None };
    page(&overview(&state, &visit, &person, form).await?)
}

async fn overview(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    form: RenameForm,
) -> Result<OrganizationsPage, Problem> {
    let mut fleet = state.db.fleet().await?;
    let all = accounts::memberships_of_user(&mut fleet, person.user).await?;
    let row = |membership: accounts::Membership| OrganizationRow {
        here: membership.organization == person.scope.organization(),
        id: membership.organization.to_string(),
        name: membership.organization_name,
        role: membership.role.as_str(),
    };
    Ok(OrganizationsPage {
        frame: visit.frame(person, Here::Elsewhere),
        rows: all.into_iter().map(row).collect(),
        rename: person.may(Permission::ManageOrganization).then_some(form),
    })
}

/// `POST /organizations/name`
pub(super) async fn rename(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let name = fields.get("name");
    match organization::rename(&state, &person, name).await {
        Ok(()) => Ok(done(HERE, "renamed")),
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let error = problem.errors.first().map(|error| sentence(&error.message));
            let form = RenameForm { name: name.to_owned(), error };
            page_with(problem.status, &overview(&state, &visit, &person, form).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /organizations`
pub(super) async fn switch(
    State(state): State<AppState>,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let to: OrganizationId =
        fields.get("organization").parse().map_err(|_| Problem::not_found("organization"))?;
    let cookie = session::switch(&state, &person, to).await?;
    Ok(with_cookie(done("/", "switched"), cookie))
}

/// `GET /organizations/leave`
pub(super) async fn ask_leave(visit: Visit, person: SignedIn) -> Result<Response, Problem> {
    page(&ConfirmPage {
        frame: visit.frame(&person, Here::Elsewhere),
        title: format!("Leave {}?", person.organization_name),
        lines: vec![
            "You lose access to this organization with the next click; an admin can add you again.".into(),
            "API keys that you made here are revoked. What you did stays in the activity log.".into(),
        ],
        action: format!("{HERE}/leave"),
        button: "Leave the organization",
        back: HERE,
    })
}

/// `POST /organizations/leave`
pub(super) async fn leave(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    accounts::leave_organization(&state.db, &person.scope, &person.request, &*state.ambient).await?;
    Ok(with_cookie(Redirect::to("/login?out=1").into_response(), session::forget(&state)))
}
