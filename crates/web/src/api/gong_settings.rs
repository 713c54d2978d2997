//! `/api/v1/integrations/gong/settings`: what people set for the connection, with a version.

use accounts::Permission;
use axum::{Json as Answer, extract::State, response::Response};
use db::Tx;
use kernel::ConnectionStatus;

use super::{
    answers::{ReadingOne, Writing},
    gong::Settings,
};
use crate::{
    AppState, Problem, auth::ApiCaller, conditional::IfMatch, connection, extract::Json,
    gong_settings::GongSettings,
};

/// The settings of the connection, with an ETag that changes only with them.
#[utoipa::path(
    get, path = "/api/v1/integrations/gong/settings", tag = "gong", operation_id = "getGongSettings",
    responses((status = 200, description = "The settings.", body = GongSettings), ReadingOne),
)]
pub(crate) async fn show(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    caller.require(&state, Permission::ViewConnection).await?;
    let mut tx = caller.begin(&state).await?;
    answer(&mut tx).await
}

async fn answer(tx: &mut Tx) -> Result<Response, Problem> {
    let connection = connector::current(tx).await?.filter(|c| c.status != ConnectionStatus::Disconnected);
    let connection = connection.ok_or_else(|| Problem::not_found("Gong connection"))?;
    let settings = GongSettings::read(tx, &connection).await?;
    Ok(settings.version().on(Answer(settings)))
}

/// Change the settings of the connection. `If-Match` has to name the ETag of what was read.
#[utoipa::path(
    patch, path = "/api/v1/integrations/gong/settings", tag = "gong", operation_id = "changeGongSettings",
    request_body = Settings,
    responses((status = 200, description = "Changed.", body = GongSettings), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    from: IfMatch,
    Json(body): Json<Settings>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ManageConnection).await?;
    connection::change(&state, &caller, body.change(from.required()?)).await?;
    let mut tx = caller.begin(&state).await?;
    answer(&mut tx).await
}
