//! What people do with the Gong connection: connect, change, pause, ask for more, end. API and pages both come here, so a
//! button and a request are the same act: one permission, one transaction, one line in the audit log.

mod backfill;

use accounts::{Action, Entry, Permission, actions};
use connector::{AccessKey, Approved, ConnectError, Connection, Stored};
use db::Tx;
use ingest::ScheduleChange;
use kernel::{ConnectionId, ConnectionStatus, Lookback, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::{
    AppState, Problem,
    auth::{Caller, SignedIn},
    conditional::IfMatch,
    gong_settings::GongSettings,
};
pub(crate) use backfill::{cancel_backfill, retry_backfill, start_backfill};

/// A connect request that was begun: where to send the browser, and what its flow cookie must hold.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) authorize_url: Url,
    /// The browser's secret, and the session that began.
    pub(crate) flow_cookie: SecretString,
}

/// Begins to connect Gong through its authorize page.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn begin(
    state: &AppState,
    person: &SignedIn,
    history: Option<Lookback>,
) -> Result<Begun, Problem> {
    person.require(state, Permission::ManageConnection).await?;
    let session = accounts::id_hash(&person.session.id);
    let mut tx = person.begin(state).await?;
    let begun = state.connector.begin(&mut tx, person.user, session, history).await?;
    let detail = json!({ "history_days": history.map(Lookback::get) });
    note(&mut tx, state, person, actions::GONG_CONNECT_STARTED, None, detail).await?;
    tx.commit().await?;
    Ok(Begun { authorize_url: begun.authorize_url, flow_cookie: begun.browser_secret })
}

/// Stores what Gong approved and begins to ingest, all at once.
///
/// # Errors
/// As [`ConnectError`]; [`Problem`] when our own side failed.
pub(crate) async fn store(
    state: &AppState,
    mut tx: Tx,
    caller: &Caller,
    approved: &Approved,
) -> Result<Stored, Failed> {
    let stored = state.connector.store(&mut tx, approved).await?;
    let ambient = &*state.ambient;
    let (connection, reconnected) = (stored.connection, stored.reconnected);
    ingest::begin(&mut tx, connection, approved.history, reconnected, &state.defaults, ambient)
        .await
        .map_err(Problem::from)?;
    if let Some(until) = approved.held_until() {
        ingest::hold_company(&mut tx, connection, until).await.map_err(Problem::from)?;
    }
    let workspaces: Vec<&str> = approved.workspaces().iter().map(|w| w.name.as_str()).collect();
    let detail = json!({
        "reconnected": stored.reconnected,
        "history_days": approved.history.map(Lookback::get),
        "workspaces": workspaces,
    });
    note(&mut tx, state, caller, actions::GONG_CONNECTED, Some(stored.connection), detail).await?;
    tx.announce("connection").await.map_err(Problem::from)?;
    tx.commit().await.map_err(Problem::from)?;
    Ok(stored)
}

/// Why a connection could not be stored: a reason of Gong's or the connector's, or our own side.
#[derive(Debug)]
pub(crate) enum Failed {
    /// To be told in the connector's words.
    Connect(ConnectError),
    /// Anything else.
    Problem(Problem),
}

impl Failed {
    /// Its stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.code(),
            Self::Problem(problem) => problem.code,
        }
    }

    /// Says why in the log; whose it was stands in the request's span. What failed on our side was logged there.
    pub(crate) fn log(&self) {
        if let Self::Connect(error) = self {
            let why = error as &dyn std::error::Error;
            tracing::warn!(code = error.code(), error = why, "Gong was not connected.");
        }
    }
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Connect(error) => error.into(),
            Failed::Problem(problem) => problem,
        }
    }
}

/// Connects Gong with an access key: tried first, stored only when it works.
///
/// # Errors
/// 403 below admin; 409 and 422 as the connector says.
pub(crate) async fn connect_key(
    state: &AppState,
    caller: &Caller,
    user: Option<kernel::UserId>,
    key: AccessKey,
    history: Option<Lookback>,
) -> Result<Stored, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let result = try_key(state, caller, user, key, history).await;
    if let Err(failed) = &result {
        failed.log();
        note_failure(state, caller, failed).await?;
    }
    Ok(result?)
}

/// Notes in the audit log that Gong was not connected.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn note_failure(state: &AppState, caller: &Caller, failed: &Failed) -> Result<(), Problem> {
    let mut tx = caller.begin(state).await?;
    let detail = json!({ "code": failed.code() });
    note(&mut tx, state, caller, actions::GONG_CONNECT_FAILED, None, detail).await?;
    Ok(tx.commit().await?)
}

async fn try_key(
    state: &AppState,
    caller: &Caller,
    user: Option<kernel::UserId>,
    key: AccessKey,
    history: Option<Lookback>,
) -> Result<Stored, Failed> {
    let approved = state.connector.check_key(&caller.scope, user, key, history).await?;
    let tx = caller.begin(state).await?;
    store(state, tx, caller, &approved).await
}

/// Ends the connection: secrets deleted, schedule stopped, jobs cancelled. Ending it twice is once.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn disconnect(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    if let Some(connection) = connector::disconnect(&mut tx, state.ambient.now()).await? {
        ingest::cancel_backfill(&mut tx, connection, &*state.ambient).await?;
        ingest::set_active(&mut tx, connection, false, &*state.ambient).await?;
        queue::cancel(&mut tx, connection.uuid()).await?;
        note(&mut tx, state, caller, actions::GONG_DISCONNECTED, Some(connection), json!({})).await?;
        tx.announce("connection").await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a person changes; what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) paused: Option<bool>,
    pub(crate) schedule: ScheduleChange,
    /// The version of the settings that the change starts from, where it names one.
    pub(crate) from: IfMatch,
}

/// Changes the settings of the connection, pauses it or lets it go on.
///
/// # Errors
/// 403 below admin; 409 when nothing is connected; 412 when they were changed meanwhile; 422 naming the field.
pub(crate) async fn change(state: &AppState, caller: &Caller, change: Change) -> Result<(), Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    connector::hold(&mut tx).await?;
    let before = live(&mut tx).await?;
    let settings = GongSettings::read(&mut tx, &before).await?;
    settings.admit(&mut tx, &before, &change.from).await?;
    if change.schedule != ScheduleChange::default() {
        let ambient = &*state.ambient;
        ingest::change_schedule(&mut tx, before.id, &change.schedule, &state.defaults, ambient).await?;
        let after = GongSettings::read(&mut tx, &before).await?;
        let detail = json!({ "before": settings, "after": after });
        note(&mut tx, state, caller, actions::GONG_SETTINGS_CHANGED, Some(before.id), detail).await?;
    }
    if let Some(paused) = change.paused {
        pause_or_resume(state, caller, &mut tx, &before, paused).await?;
    }
    tx.announce("connection").await?;
    tx.commit().await?;
    Ok(())
}

async fn pause_or_resume(
    state: &AppState,
    caller: &Caller,
    tx: &mut Tx,
    before: &Connection,
    paused: bool,
) -> Result<(), Problem> {
    let now = state.ambient.now();
    let after = if paused {
        connector::pause(tx, connector::reason::BY_PERSON, None, now).await?
    } else {
        connector::resume(tx, now).await?
    };
    if after.status == before.status {
        return Ok(());
    }
    ingest::set_active(tx, before.id, !paused, &*state.ambient).await?;
    let action = if paused { actions::GONG_PAUSED } else { actions::GONG_RESUMED };
    let detail = json!({ "before": before.status.as_str(), "after": after.status.as_str() });
    note(tx, state, caller, action, Some(before.id), detail).await
}

/// Looks for new calls at once; false when a look is already waiting or running.
///
/// # Errors
/// 403 for viewers; 409 when nothing is connected or it is paused.
pub(crate) async fn poll_now(state: &AppState, caller: &Caller) -> Result<bool, Problem> {
    caller.require(state, Permission::PollNow).await?;
    let mut tx = caller.begin(state).await?;
    let connection = working(&mut tx).await?;
    let asked = ingest::poll_now(&mut tx, connection.id).await?;
    let detail = json!({ "already_waiting": !asked });
    note(&mut tx, state, caller, actions::GONG_POLL_REQUESTED, Some(connection.id), detail).await?;
    tx.announce("progress").await?;
    tx.commit().await?;
    Ok(asked)
}

/// Ends connect requests that are on their way through Gong. Ending none is fine.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn cancel_connecting(state: &AppState, caller: &Caller) -> Result<bool, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let ended = connector::cancel_connecting(&mut tx).await?;
    if ended {
        note(&mut tx, state, caller, actions::GONG_CONNECT_CANCELLED, None, json!({})).await?;
        tx.announce("connection").await?;
    }
    tx.commit().await?;
    Ok(ended)
}

async fn live(tx: &mut Tx) -> Result<Connection, Problem> {
    let connection = connector::current(tx).await?.filter(|c| c.status != ConnectionStatus::Disconnected);
    connection.ok_or_else(|| connector::ConnectorError::NotConnected.into())
}

/// The connection that can do something now.
async fn working(tx: &mut Tx) -> Result<Connection, Problem> {
    let connection = live(tx).await?;
    let detail = match connection.status {
        ConnectionStatus::Connected => return Ok(connection),
        ConnectionStatus::Paused => "The Gong connection is paused. Resume it first.",
        _ => "Gong has to be connected again first.",
    };
    Err(Problem::new(http::StatusCode::CONFLICT, "connection_inactive", detail))
}

async fn note(
    tx: &mut Tx,
    state: &AppState,
    caller: &Caller,
    action: Action,
    connection: Option<ConnectionId>,
    detail: Value,
) -> Result<(), Problem> {
    let mut entry = Entry::new(action, &caller.request).detail(detail);
    if let Some(connection) = connection {
        entry = entry.target(connection);
    }
    accounts::audit(tx, entry, &*state.ambient).await?;
    Ok(())
}
