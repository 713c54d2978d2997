//! `/settings/members`: who belongs to the organization.

use accounts::{Cursor, MemberLine, PageSize, Permission};
use axum::{extract::State, response::Response};
use http::StatusCode;
use kernel::{ExposeSecret, Role, UserId};

use super::{
    view::{
        access::{ConfirmPage, MemberRow, MembersPage, RoleLine, ShownOncePage},
        gong::Choice,
        moment::Moment,
        shell::Here,
    },
    visit::{Fields, Trail, Visit, address, done, page, page_with},
};
use crate::{
    AppState, Problem,
    auth::SignedIn,
    extract::{Ids, Search},
    sentence::sentence,
};

const HERE: &str = "/settings/members";
/// Members on one page.
const LINES: i64 = 100;

/// `GET /settings/members`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(trail): Search<Trail>,
) -> Result<Response, Problem> {
    page(&build(&state, &visit, &person, &trail, None).await?)
}

async fn build(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    trail: &Trail,
    refused: Option<(&Fields, &Problem)>,
) -> Result<MembersPage, Problem> {
    person.require(state, Permission::ViewMembers).await?;
    let cursor = trail.cursor.as_deref().map(Cursor::decode).transpose()?;
    let mut tx = person.begin(state).await?;
    let members = accounts::members(&mut tx, cursor, PageSize::of(LINES)?).await?;
    let error = |field: &str| {
        let (_, problem) = refused?;
        problem.errors.iter().find(|error| error.field == field).map(|error| sentence(&error.message))
    };
    let asked = refused.map_or("member", |(fields, _)| fields.get("role"));
    Ok(MembersPage {
        frame: visit.frame(person, Here::Members),
        members: members.items.into_iter().map(|line| row(line, person, state)).collect(),
        before: trail.newer().map(|place| address(HERE, &place)),
        after: members.next.map(|next| address(HERE, &trail.older(&next))),
        may_manage: person.may(Permission::ManageMembers),
        email: refused.map(|(fields, _)| fields.get("email").to_owned()).unwrap_or_default(),
        email_error: error("email")
            .or_else(|| refused.filter(|(_, p)| p.errors.is_empty()).map(|(_, p)| p.detail.clone())),
        role_error: error("role"),
        roles: roles(person, asked),
        matrix: matrix(),
    })
}

fn row(line: MemberLine, person: &SignedIn, state: &AppState) -> MemberRow {
    let you = line.user == person.user;
    let may = person.may(if line.role == Role::Owner {
        Permission::ManageOwners
    } else {
        Permission::ManageMembers
    });
    MemberRow {
        id: line.user.to_string(),
        email: line.email,
        role: line.role.as_str(),
        joined: Moment::new(line.since, state.ambient.now()),
        you,
        roles: if may && !you { roles(person, line.role.as_str()) } else { Vec::new() },
    }
}

/// The roles that this person may give.
fn roles(person: &SignedIn, chosen: &str) -> Vec<Choice> {
    let most = if person.may(Permission::ManageOwners) { Role::Owner } else { Role::Admin };
    Role::ALL
        .into_iter()
        .filter(|role| *role <= most)
        .map(|role| Choice {
            value: role.to_string(),
            label: role.to_string(),
            chosen: role.as_str() == chosen,
        })
        .collect()
}

fn matrix() -> Vec<RoleLine> {
    let line =
        |row: &accounts::Row| RoleLine { words: row.words, allowed: Role::ALL.map(|role| role >= row.from) };
    accounts::MATRIX.iter().map(line).collect()
}

/// `POST /settings/members`
pub(super) async fn add(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageMembers).await?;
    let added = match fields.get("role").parse::<Role>() {
        Ok(role) => {
            let who = (fields.get("email").trim(), role);
            let (request, ambient) = (&person.request, &*state.ambient);
            accounts::add_member(&state.db, &state.hasher, &person.scope, who, request, ambient)
                .await
                .map_err(Problem::from)
        }
        Err(error) => Err(Problem::field("role", error.to_string())),
    };
    match added {
        Ok(added) => match added.initial_password {
            None => Ok(done(HERE, "member-added")),
            Some(password) => page_with(
                StatusCode::CREATED,
                &ShownOncePage {
                    frame: visit.frame(&person, Here::Members),
                    title: "The member was added",
                    lead: format!("{} can log in now with this password.", fields.get("email").trim()),
                    label: "First password",
                    secret: password.expose_secret().to_owned(),
                    after: "Hand it over by a way that you trust. It has to be changed at the first log-in.",
                    back: HERE,
                    back_label: "I have handed it over",
                },
            ),
        },
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422) => page_with(
            problem.status,
            &build(&state, &visit, &person, &Trail::default(), Some((&fields, &problem))).await?,
        ),
        Err(problem) => Err(problem),
    }
}

/// `POST /settings/members/{id}/role`
pub(super) async fn change_role(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<UserId>,
    fields: Fields,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageMembers).await?;
    let role: Role =
        fields.get("role").parse().map_err(|e: kernel::RoleError| Problem::field("role", e.to_string()))?;
    let mut tx = person.begin(&state).await?;
    accounts::change_role(&mut tx, id, role, &person.request, &*state.ambient).await?;
    tx.announce("members").await?;
    tx.commit().await?;
    Ok(done(HERE, "role-changed"))
}

/// `GET /settings/members/{id}/remove`
pub(super) async fn ask_remove(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<UserId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageMembers).await?;
    let mut tx = person.begin(&state).await?;
    let line = accounts::member(&mut tx, id, false).await?;
    page(&ConfirmPage {
        frame: visit.frame(&person, Here::Members),
        title: format!("Remove {}?", line.email),
        lines: vec![
            "The person loses access to this organization with the next click.".into(),
            "What the person did stays in the activity log; the Gong connection goes on.".into(),
        ],
        action: format!("{HERE}/{id}/remove"),
        button: "Remove member",
        back: HERE,
    })
}

/// `POST /settings/members/{id}/remove`
pub(super) async fn remove(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<UserId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageMembers).await?;
    accounts::remove_member(&state.db, &person.scope, id, &person.request, &*state.ambient).await?;
    Ok(done(HERE, "member-removed"))
}
