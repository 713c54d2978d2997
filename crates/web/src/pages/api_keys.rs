//! `/settings/api-keys`: keys for the JSON API. A secret is on one page once and in no address.

use accounts::{ApiKey, Cursor, PageSize, Permission};
use axum::{extract::State, response::Response};
use http::StatusCode;
use kernel::{ApiKeyId, ExposeSecret, Role};

use super::{
    view::{
        access::{ApiKeysPage, ConfirmPage, KeyRow, ShownOncePage},
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

const HERE: &str = "/settings/api-keys";
/// Keys on one page.
const LINES: i64 = 50;

/// `GET /settings/api-keys`
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
) -> Result<ApiKeysPage, Problem> {
    person.require(state, Permission::ViewApiKeys).await?;
    let cursor = trail.cursor.as_deref().map(Cursor::decode).transpose()?;
    let mut tx = person.begin(state).await?;
    let keys = accounts::api_keys(&mut tx, cursor, PageSize::of(LINES)?).await?;
    let now = state.ambient.now();
    let row = |key: ApiKey| KeyRow {
        id: key.id.to_string(),
        name: key.name,
        prefix: key.prefix,
        role: key.role.as_str(),
        made_by: key.created_by_email.unwrap_or_else(|| "somebody who left".into()),
        created: Moment::new(key.created_at, now),
        used: key.last_used_at.map(|at| Moment::new(at, now)),
        revoked: key.revoked_at.map(|at| Moment::new(at, now)),
    };
    let chosen = refused.map_or("viewer", |(fields, _)| fields.get("role"));
    let role = |role: Role| Choice {
        value: role.to_string(),
        label: role.to_string(),
        chosen: role.as_str() == chosen,
    };
    Ok(ApiKeysPage {
        frame: visit.frame(person, Here::ApiKeys),
        keys: keys.items.into_iter().map(row).collect(),
        newer: trail.newer().map(|place| address(HERE, &place)),
        older: keys.next.map(|next| address(HERE, &trail.older(&next))),
        may_manage: person.may(Permission::ManageApiKeys),
        name: refused.map(|(fields, _)| fields.get("name").to_owned()).unwrap_or_default(),
        name_error: refused
            .map(|(_, p)| p.errors.first().map_or_else(|| p.detail.clone(), |e| sentence(&e.message))),
        roles: [Role::Viewer, Role::Member, Role::Admin].map(role).into(),
    })
}

/// `POST /settings/api-keys`
pub(super) async fn create(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageApiKeys).await?;
    let role: Role =
        fields.get("role").parse().map_err(|e: kernel::RoleError| Problem::field("role", e.to_string()))?;
    let mut tx = person.begin(&state).await?;
    let made =
        accounts::create_api_key(&mut tx, fields.get("name").trim(), role, &person.request, &*state.ambient)
            .await;
    match made.map_err(Problem::from) {
        Ok((key, secret)) => {
            tx.commit().await?;
            page_with(
                StatusCode::CREATED,
                &ShownOncePage {
                    frame: visit.frame(&person, Here::ApiKeys),
                    title: "The key is made",
                    lead: format!("{} can use the JSON API as {} from now on.", key.name, key.role),
                    label: "API key",
                    secret: secret.expose_secret().to_owned(),
                    after: "Soundpost keeps only a fingerprint of it. If it is lost, revoke it and make another.",
                    back: HERE,
                    back_label: "I have stored it",
                },
            )
        }
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422) => {
            drop(tx);
            page_with(
                problem.status,
                &build(&state, &visit, &person, &Trail::default(), Some((&fields, &problem))).await?,
            )
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /settings/api-keys/{id}/revoke`
pub(super) async fn ask_revoke(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<ApiKeyId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageApiKeys).await?;
    let mut tx = person.begin(&state).await?;
    let key = accounts::api_key(&mut tx, id).await?;
    page(&ConfirmPage {
        frame: visit.frame(&person, Here::ApiKeys),
        title: format!("Revoke the key {}?", key.name),
        lines: vec![
            "Programs that use it are refused from the next request.".into(),
            "It cannot be given back; make a new key instead.".into(),
        ],
        action: format!("{HERE}/{id}/revoke"),
        button: "Revoke key",
        back: HERE,
    })
}

/// `POST /settings/api-keys/{id}/revoke`
pub(super) async fn revoke(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<ApiKeyId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageApiKeys).await?;
    let mut tx = person.begin(&state).await?;
    accounts::revoke_api_key(&mut tx, id, &person.request, &*state.ambient).await?;
    tx.commit().await?;
    Ok(done(HERE, "key-revoked"))
}
