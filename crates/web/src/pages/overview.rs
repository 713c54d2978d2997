//! `GET /`: how it stands, what came in, what to do next.

use accounts::Permission;
use axum::{extract::State, response::Response};
use kernel::ConnectionStatus;

use super::{
    calls::row,
    standing::Standing,
    view::{figures, overview::OverviewPage, shell::Here},
    visit::{Visit, page},
};
use crate::{AppState, Problem, auth::SignedIn};

const RECENT: i64 = 8;

/// `GET /`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    let now = state.ambient.now();
    let mut tx = person.begin(&state).await?;
    let standing = Standing::read(&state, &mut tx).await?;
    let query = ingest::CallQuery { limit: RECENT, ..ingest::CallQuery::default() };
    let recent = if person.may(Permission::ViewCalls) {
        ingest::calls(&mut tx, &query).await?.calls
    } else {
        Vec::new()
    };
    let ended = standing.as_ref().filter(|s| s.connection.status == ConnectionStatus::Disconnected);
    let kept = ended.map(|s| s.counts.calls()).filter(|calls| *calls > 0);
    let live = standing.as_ref().filter(|s| s.connection.status != ConnectionStatus::Disconnected);
    page(&OverviewPage {
        frame: visit.frame(&person, Here::Overview),
        panel: live.map(|standing| standing.panel(&person, now)),
        may_manage: person.may(Permission::ManageConnection),
        kept: kept.map(|calls| figures::of(calls, "call", "calls")),
        recent: recent.into_iter().map(|call| row(call, now)).collect(),
    })
}
