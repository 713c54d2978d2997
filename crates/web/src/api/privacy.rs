//! `/api/v1/privacy`: how long content is kept, calls that vanished from Gong, people that are erased.

use axum::{Json as Response, extract::State, response::IntoResponse};
use http::StatusCode;
use ingest::{AddressKind, Answer, Erasure};
use kernel::{ErasureId, ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    answers::{Listing, Reading, ReadingOne, Writing},
    paging::{self, Page},
    session::no_content,
};
use crate::{
    AppState, Problem,
    auth::{ApiCaller, session::forget},
    export,
    extract::{Ids, Json, Search, present},
    privacy::{self, Standing},
};

/// How the organization's privacy stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Privacy)]
pub(crate) struct PrivacyView {
    /// Days after which the content of calls is removed; null: never.
    retention_days: Option<i64>,
    /// Calls that vanished from Gong at once, until somebody decides about them; null when there are none.
    vanished: Option<VanishedView>,
}

/// Calls that vanished from Gong at once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VanishedCalls)]
pub(crate) struct VanishedView {
    /// Calls that Gong no longer lists.
    missing: i64,
    /// Of so many that it should list.
    expected: i64,
    /// Since when a decision is waited for.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl From<Standing> for PrivacyView {
    fn from(standing: Standing) -> Self {
        let vanished = standing.question.map(|question| VanishedView {
            missing: question.missing,
            expected: question.expected,
            since: question.since,
        });
        Self { retention_days: standing.retention_days, vanished }
    }
}

/// How long content is kept, and whether calls vanished.
#[utoipa::path(
    get, path = "/api/v1/privacy", tag = "privacy", operation_id = "getPrivacy",
    responses((status = 200, description = "How it stands.", body = PrivacyView), Reading),
)]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Response<PrivacyView>, Problem> {
    Ok(Response(privacy::standing(&state, &caller).await?.into()))
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivacyChange {
    /// Days after which transcripts, titles and people of calls are removed, 1 to 3,650; null: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 3_650)]
    retention_days: Option<Option<i64>>,
}

/// Change how long content is kept.
#[utoipa::path(
    patch, path = "/api/v1/privacy", tag = "privacy", operation_id = "changePrivacy",
    request_body = PrivacyChange,
    responses((status = 200, description = "Changed.", body = PrivacyView), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<PrivacyChange>,
) -> Result<Response<PrivacyView>, Problem> {
    if let Some(days) = body.retention_days {
        privacy::change_retention(&state, &caller, days).await?;
    }
    Ok(Response(privacy::standing(&state, &caller).await?.into()))
}

/// What to do with calls that vanished.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Remove them with everything derived from them.
    Remove,
    /// Keep them although Gong no longer lists them.
    Keep,
}

/// The decision about calls that vanished.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VanishedDecision {
    decision: Decision,
}

/// Decide about calls that vanished from Gong at once: remove or keep them.
#[utoipa::path(
    post, path = "/api/v1/privacy/vanished", tag = "privacy", operation_id = "decideVanishedCalls",
    request_body = VanishedDecision,
    responses((status = 202, description = "It is being done."), Writing),
)]
pub(crate) async fn decide(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<VanishedDecision>,
) -> Result<StatusCode, Problem> {
    let answer = match body.decision {
        Decision::Remove => Answer::Remove,
        Decision::Keep => Answer::Keep,
    };
    privacy::answer(&state, &caller, answer).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Whom to erase: an e-mail address or a phone number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureRequest {
    /// The person's e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Email, max_length = 320)]
    email: Option<SecretString>,
    /// Or the person's phone number, with its country code.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40, example = "+49 170 1234567")]
    phone: Option<SecretString>,
}

/// The receipt of an erasure. It names nobody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureView {
    id: String,
    /// `email` or `phone`.
    kind: String,
    /// A keyed hash of the address: the same for the same address in this organization, and of no use elsewhere.
    fingerprint: String,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    /// Who asked.
    requested_by: String,
    /// `waiting`, `running` or `done`.
    state: String,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// 0 to 100.
    percent: i64,
    /// Calls that were changed.
    calls: i64,
    /// How often the person stood among those who took part.
    parties: i64,
    /// Sentences of the person that were removed.
    sentences: i64,
    /// Mentions in titles and in what others said.
    mentions: i64,
    /// Lines of the activity log, reasons of dead letters and names of keys.
    records: i64,
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        Self {
            id: erasure.id.to_string(),
            kind: erasure.kind,
            fingerprint: erasure.fingerprint,
            requested_at: erasure.requested_at,
            requested_by: erasure.requested_by,
            state: erasure.state,
            finished_at: erasure.finished_at,
            percent: erasure.percent,
            calls: erasure.calls,
            parties: erasure.parties,
            sentences: erasure.sentences,
            mentions: erasure.mentions,
            records: erasure.records,
        }
    }
}

/// Erase a person by e-mail address or phone number from everything that is stored, and keep the person away.
#[utoipa::path(
    post, path = "/api/v1/privacy/erasures", tag = "privacy", operation_id = "erasePerson",
    request_body = ErasureRequest,
    responses((status = 202, description = "It is being done; the receipt tells how far it is.", body = ErasureView), Writing),
)]
pub(crate) async fn erase(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<ErasureRequest>,
) -> Result<(StatusCode, Response<ErasureView>), Problem> {
    let whom = match (&body.email, &body.phone) {
        (Some(email), None) => (AddressKind::Email, email.expose_secret()),
        (None, Some(phone)) => (AddressKind::Phone, phone.expose_secret()),
        _ => return Err(Problem::field("email", "must be given, or else phone; not both")),
    };
    let erasure = privacy::erase_person(&state, &caller, whom).await?;
    Ok((StatusCode::ACCEPTED, Response(erasure.into())))
}

/// A page of erasures, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasurePage {
    items: Vec<ErasureView>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// The receipts of all erasures.
#[utoipa::path(
    get, path = "/api/v1/privacy/erasures", tag = "privacy", operation_id = "listErasures",
    params(Page),
    responses((status = 200, description = "A page.", body = ErasurePage), Listing),
)]
pub(crate) async fn erasures(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(page): Search<Page>,
) -> Result<Response<ErasurePage>, Problem> {
    let bad = |_| Problem::field("cursor", "must be one that a list gave out");
    let after = page.cursor.as_deref().map(str::parse::<ErasureId>).transpose().map_err(bad)?;
    let (items, next) = privacy::erasures(&state, &caller, after, paging::limit(page.limit)?).await?;
    Ok(Response(ErasurePage {
        items: items.into_iter().map(ErasureView::from).collect(),
        next_cursor: next.map(|id| id.to_string()),
    }))
}

/// The receipt of one erasure.
#[utoipa::path(
    get, path = "/api/v1/privacy/erasures/{id}", tag = "privacy", operation_id = "getErasure",
    params(("id" = String, Path, description = "The id of the erasure.")),
    responses((status = 200, description = "The receipt.", body = ErasureView), ReadingOne),
)]
pub(crate) async fn erasure(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<ErasureId>,
) -> Result<Response<ErasureView>, Problem> {
    Ok(Response(privacy::erasure(&state, &caller, id).await?.into()))
}

/// The end of an organization, confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationErasure {
    /// The name of the organization, letter by letter.
    name: String,
}

/// Erase the organization with everything that belongs to it. It cannot be undone.
#[utoipa::path(
    post, path = "/api/v1/organization/erase", tag = "privacy", operation_id = "eraseOrganization",
    request_body = OrganizationErasure,
    responses((status = 204, description = "Nothing of it is left."), Writing),
)]
pub(crate) async fn erase_organization(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<OrganizationErasure>,
) -> Result<axum::response::Response, Problem> {
    privacy::erase_organization(&state, &caller, &body.name).await?;
    Ok(no_content(caller.user.and_then(|_| forget(&state))))
}

/// Everything that is stored of the organization, as lines of JSON without secrets: a head, a line a row, an end.
#[utoipa::path(
    get, path = "/api/v1/export", tag = "privacy", operation_id = "exportOrganization",
    responses((status = 200, description = "The export.", content_type = "application/x-ndjson", body = String), Reading),
)]
pub(crate) async fn export(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<axum::response::Response, Problem> {
    let body = export::body(&state, &caller).await?;
    let name = export::file_name(caller.scope.organization());
    let headers = [
        (http::header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (http::header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, body).into_response())
}
