//! What people do with history: begin to import it, stop, let a failed backfill go on.

use accounts::{Permission, actions};
use db::Tx;
use kernel::{ConnectionId, Lookback, RunId, RunState};
use serde_json::json;

use super::{note, working};
use crate::{AppState, Problem, auth::Caller};

/// Imports the calls of the last days.
///
/// # Errors
/// 403 below admin; 409 when a backfill runs already, nothing is connected or it is paused.
pub(crate) async fn start_backfill(
    state: &AppState,
    caller: &Caller,
    days: Lookback,
) -> Result<RunId, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let connection = working(&mut tx).await?;
    let run = ingest::start_backfill(&mut tx, connection.id, days, &*state.ambient).await?;
    let detail = json!({ "days": days.get(), "run": run.to_string() });
    note(&mut tx, state, caller, actions::GONG_BACKFILL_STARTED, Some(connection.id), detail).await?;
    tx.announce("progress").await?;
    tx.commit().await?;
    Ok(run)
}

/// Stops the running backfill; what it brought stays. Stopping none is fine.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn cancel_backfill(state: &AppState, caller: &Caller) -> Result<bool, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let Some(connection) = connector::current(&mut tx).await? else { return Ok(false) };
    let ended = ingest::cancel_backfill(&mut tx, connection.id, &*state.ambient).await?;
    if ended {
        let id = Some(connection.id);
        note(&mut tx, state, caller, actions::GONG_BACKFILL_CANCELLED, id, json!({})).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Lets a backfill that failed go on; where nothing is left of it, one over as many days begins.
///
/// # Errors
/// 403 below admin; 409 when none failed, nothing is connected or it is paused.
pub(crate) async fn retry_backfill(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let (id, now) = (working(&mut tx).await?.id, state.ambient.now());
    let failed = ingest::backfill_progress(&mut tx, id, now).await?.filter(|p| p.state == RunState::Failed);
    let Some(failed) = failed else {
        let detail = "No backfill has failed. Reload the page to see how it stands.";
        return Err(Problem::new(http::StatusCode::CONFLICT, "backfill_not_failed", detail));
    };
    let goes_on = retry_letter(&mut tx, id).await? || ingest::resume_backfill(&mut tx, id).await?;
    if !goes_on {
        let days = Lookback::days(failed.days.clamp(1, 60)).unwrap_or(Lookback::MOST);
        ingest::start_backfill(&mut tx, id, days, &*state.ambient).await?;
    }
    let detail = json!({ "days": failed.days, "goes_on": goes_on });
    note(&mut tx, state, caller, actions::GONG_BACKFILL_STARTED, Some(id), detail).await?;
    tx.announce("progress").await?;
    tx.commit().await?;
    Ok(())
}

/// A backfill that Gong refused lies as a dead letter: that is put back to work, so that it is not done twice.
async fn retry_letter(tx: &mut Tx, connection: ConnectionId) -> Result<bool, Problem> {
    let mut retried = false;
    let backfills = queue::Letters { kind: Some(ingest::task::BACKFILL), code: None };
    let letters = queue::list_of(tx, backfills, Some("dead"), None, queue::MOST_LETTERS).await?;
    for letter in letters.iter().filter(|letter| letter.subject == Some(connection.uuid())) {
        retried |= queue::retry(tx, letter.id).await?;
    }
    if retried {
        ingest::resume_backfill(tx, connection).await?;
    }
    Ok(retried)
}
