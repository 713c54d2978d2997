//! `/api/v1/integrations/gong`: how the connection stands and what can be done with it.

use accounts::Permission;
use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use connector::AccessKey;
use http::{StatusCode, header};
use ingest::ScheduleChange;
use kernel::{ExposeSecret, Lookback, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{Listing, Reading, Writing};
use crate::{
    AppState, Problem, access_key,
    auth::{ApiCaller, SignedIn, cookies},
    conditional::IfMatch,
    connection::{self, Change},
    extract::{Json, Search, days, days_or_null, present},
    gong_view::GongView,
};

/// How long the flow cookie lives, in seconds: as long as a connect request.
const FLOW_LIVES: u32 = 600;

/// How the Gong connection stands.
#[utoipa::path(
    get, path = "/api/v1/integrations/gong", tag = "gong", operation_id = "getGongConnection",
    responses((status = 200, description = "How it stands.", body = GongView), Reading),
)]
pub(crate) async fn status(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Answer<GongView>, Problem> {
    caller.require(&state, Permission::ViewConnection).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(Answer(GongView::read(&state, &mut tx).await?))
}

/// What to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectRequest {
    /// Days of history to import, 1 to 60; null or absent for none.
    #[serde(default, deserialize_with = "days_or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 60)]
    history_days: Option<Lookback>,
}

/// Where to send the browser.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectAnswer {
    /// Gong's authorize page, with all it needs.
    authorize_url: String,
}

/// Begin to connect Gong: open `authorize_url` in the same browser within ten minutes.
#[utoipa::path(
    post, path = "/api/v1/integrations/gong/connect", tag = "gong", operation_id = "connectGong", security(("session" = [])),
    request_body = ConnectRequest,
    responses((status = 200, description = "Begun; a cookie binds it to this browser.", body = ConnectAnswer), Writing),
)]
pub(crate) async fn connect(
    State(state): State<AppState>,
    person: SignedIn,
    Json(body): Json<ConnectRequest>,
) -> Result<Response, Problem> {
    let begun = connection::begin(&state, &person, body.history_days).await?;
    let mut response = Answer(ConnectAnswer { authorize_url: begun.authorize_url.into() }).into_response();
    if let Some(cookie) = flow_cookie(&state, &begun.flow_cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookie that goes along the way through Gong.
pub(crate) fn flow_cookie(state: &AppState, value: &SecretString) -> Option<http::HeaderValue> {
    let https = state.is_https();
    cookies::set(cookies::flow_name(https), value.expose_secret(), cookies::SameSite::Lax, FLOW_LIVES, https)
}

/// An access key that a Gong admin made, instead of OAuth.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectKeyRequest {
    /// The access key.
    #[schema(min_length = 1, max_length = 1000)]
    access_key: String,
    /// Its secret.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 4000)]
    access_key_secret: SecretString,
    /// The API address that Gong shows beside the key.
    #[schema(example = "https://us-12345.api.gong.io")]
    api_base_url: String,
    /// Days of history to import, 1 to 60; null or absent for none.
    #[serde(default, deserialize_with = "days_or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 60)]
    history_days: Option<Lookback>,
}

impl ConnectKeyRequest {
    fn key(self) -> Result<(AccessKey, Option<Lookback>), Problem> {
        let secret = self.access_key_secret.expose_secret();
        let key = access_key::read(&self.access_key, secret, &self.api_base_url).map_err(|faults| {
            let (field, fix) = faults.first().copied().unwrap_or_default();
            Problem::field(field, fix)
        })?;
        Ok((key, self.history_days))
    }
}

/// Connect Gong with an access key; it is tried before it is stored.
#[utoipa::path(
    post, path = "/api/v1/integrations/gong/connect-key", tag = "gong", operation_id = "connectGongWithKey",
    request_body = ConnectKeyRequest,
    responses((status = 200, description = "Connected.", body = GongView), Writing),
)]
pub(crate) async fn connect_key(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<ConnectKeyRequest>,
) -> Result<Answer<GongView>, Problem> {
    let (key, history) = body.key()?;
    connection::connect_key(&state, &caller, caller.user, key, history).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(Answer(GongView::read(&state, &mut tx).await?))
}

/// What to change; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Pause it, or let it go on.
    #[serde(default)]
    paused: Option<bool>,
    /// Seconds from one poll to the next, 300 to 86,400; null for the installation's own interval.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 300, maximum = 86_400)]
    poll_every_seconds: Option<Option<i64>>,
    /// Seconds that each poll looks back, 3,600 to 1,209,600; null for the installation's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 3_600, maximum = 1_209_600)]
    overlap_seconds: Option<Option<i64>>,
    /// Import only calls of these Gong workspaces; null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    selected_workspaces: Option<Option<Vec<String>>>,
}

impl Settings {
    /// The change, from the version that the request names.
    pub(super) fn change(self, from: IfMatch) -> Change {
        let schedule = ScheduleChange {
            poll_every_seconds: self.poll_every_seconds,
            overlap_seconds: self.overlap_seconds,
            selected_workspaces: self.selected_workspaces,
        };
        Change { paused: self.paused, schedule, from }
    }
}

/// Change the settings of the connection, pause it or let it go on. `If-Match` with the ETag of the settings is heeded.
#[utoipa::path(
    patch, path = "/api/v1/integrations/gong", tag = "gong", operation_id = "changeGongConnection",
    request_body = Settings,
    responses((status = 200, description = "Changed.", body = GongView), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    from: IfMatch,
    Json(body): Json<Settings>,
) -> Result<Answer<GongView>, Problem> {
    connection::change(&state, &caller, body.change(from)).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(Answer(GongView::read(&state, &mut tx).await?))
}

/// End the connection: the credentials are deleted, calls stay. Ending it twice is once.
#[utoipa::path(
    delete, path = "/api/v1/integrations/gong", tag = "gong", operation_id = "disconnectGong",
    responses((status = 204, description = "Nothing is connected any longer."), Writing),
)]
pub(crate) async fn disconnect(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<StatusCode, Problem> {
    connection::disconnect(&state, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a poll was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PollAnswer {
    /// False: one was waiting or running already.
    started: bool,
}

/// Look for new calls at once.
#[utoipa::path(
    post, path = "/api/v1/integrations/gong/poll", tag = "gong", operation_id = "pollGong",
    responses((status = 202, description = "A poll is on its way.", body = PollAnswer), Writing),
)]
pub(crate) async fn poll(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    let started = connection::poll_now(&state, &caller).await?;
    Ok((StatusCode::ACCEPTED, Answer(PollAnswer { started })).into_response())
}

/// How much history.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillRequest {
    /// Days, 1 to 60.
    #[serde(deserialize_with = "days")]
    #[schema(value_type = i64, minimum = 1, maximum = 60)]
    days: Lookback,
}

/// The backfill that was started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackfillAnswer {
    id: String,
}

/// Import the calls of the last days.
#[utoipa::path(
    post, path = "/api/v1/integrations/gong/backfill", tag = "gong", operation_id = "startGongBackfill",
    request_body = BackfillRequest,
    responses((status = 202, description = "It is on its way.", body = BackfillAnswer), Writing),
)]
pub(crate) async fn start_backfill(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<BackfillRequest>,
) -> Result<Response, Problem> {
    let run = connection::start_backfill(&state, &caller, body.days).await?;
    Ok((StatusCode::ACCEPTED, Answer(BackfillAnswer { id: run.to_string() })).into_response())
}

/// Stop the running backfill; what it brought stays. Stopping none is fine.
#[utoipa::path(
    delete, path = "/api/v1/integrations/gong/backfill", tag = "gong", operation_id = "cancelGongBackfill",
    responses((status = 204, description = "None is running."), Writing),
)]
pub(crate) async fn cancel_backfill(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<StatusCode, Problem> {
    connection::cancel_backfill(&state, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How much history to estimate.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EstimateQuery {
    /// Days, 1 to 60.
    #[param(minimum = 1, maximum = 60)]
    days: i64,
}

/// What is known of a backfill before it starts. How many calls there are only Gong knows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Estimate {
    days: i64,
    /// Calls that are here already; null when Gong was never connected.
    calls_known: Option<i64>,
    requests_at_least: i64,
    per_1000_calls_requests: i64,
    per_1000_calls_seconds: i64,
    /// Requests that backfills may still make today.
    budget_left_today: i64,
}

/// What a backfill would cost, as far as that is known.
#[utoipa::path(
    get, path = "/api/v1/integrations/gong/estimate", tag = "gong", operation_id = "estimateGongBackfill",
    params(EstimateQuery),
    responses((status = 200, description = "What is known.", body = Estimate), Listing),
)]
pub(crate) async fn estimate(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<EstimateQuery>,
) -> Result<Answer<Estimate>, Problem> {
    caller.require(&state, Permission::ViewConnection).await?;
    let days = Lookback::days(query.days)
        .map_err(|_| Problem::field("days", "must be a whole number from 1 to 60"))?;
    let mut tx = caller.begin(&state).await?;
    let connection = connector::current(&mut tx).await?.map(|c| c.id);
    let known = ingest::estimate(&mut tx, connection, days, &state.defaults, state.ambient.now()).await?;
    Ok(Answer(Estimate {
        days: known.days,
        calls_known: known.calls_known,
        requests_at_least: known.requests_at_least,
        per_1000_calls_requests: known.per_1000_calls_requests,
        per_1000_calls_seconds: known.per_1000_calls_seconds,
        budget_left_today: known.budget_left_today,
    }))
}
