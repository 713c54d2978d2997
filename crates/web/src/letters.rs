//! What people do with work that was given up, for API and pages alike: one permission, one transaction, one line in the audit
//! log. Knows no job's meaning.

use accounts::{Action, Entry, Permission, actions};
use db::Tx;
use http::StatusCode;
use kernel::DeadLetterId;
use queue::{DeadLetter, Letters};
use serde_json::{Value, json};

use crate::{AppState, Problem, auth::Caller};

/// Runs a dead job again, with all its attempts.
///
/// # Errors
/// 403 below admin; 404 for no such letter; 409 for one that is closed.
pub(crate) async fn retry(state: &AppState, caller: &Caller, id: DeadLetterId) -> Result<(), Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let letter = find(&mut tx, id).await?;
    if !queue::retry(&mut tx, id).await? {
        return Err(closed());
    }
    note(&mut tx, state, caller, actions::JOB_RETRIED, id.to_string(), of(&letter, "retried")).await?;
    Ok(tx.commit().await?)
}

/// Closes a dead job without running it again.
///
/// # Errors
/// As [`retry`]; 422 without a reason.
pub(crate) async fn discard(
    state: &AppState,
    caller: &Caller,
    id: DeadLetterId,
    reason: &str,
) -> Result<(), Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let reason = read_reason(reason)?;
    let mut tx = caller.begin(state).await?;
    let letter = find(&mut tx, id).await?;
    if !queue::discard(&mut tx, id, reason).await? {
        return Err(closed());
    }
    let mut detail = of(&letter, "discarded");
    detail["reason"] = json!(reason);
    note(&mut tx, state, caller, actions::JOB_DISCARDED, id.to_string(), detail).await?;
    Ok(tx.commit().await?)
}

/// Runs again what is open of these, at most 1,000 of the oldest; how many there were.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn retry_all(
    state: &AppState,
    caller: &Caller,
    letters: Letters<'_>,
) -> Result<u64, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let mut tx = caller.begin(state).await?;
    let number = queue::retry_all(&mut tx, letters).await?;
    let detail = json!({ "code": letters.code, "jobs": number, "before": "dead", "after": "retried" });
    note(&mut tx, state, caller, actions::JOBS_RETRIED, name(letters), detail).await?;
    tx.commit().await?;
    Ok(number)
}

/// Closes what is open of these, at most 1,000 of the oldest; how many there were.
///
/// # Errors
/// 403 below admin; 422 without a reason.
pub(crate) async fn discard_all(
    state: &AppState,
    caller: &Caller,
    letters: Letters<'_>,
    reason: &str,
) -> Result<u64, Problem> {
    caller.require(state, Permission::ManageConnection).await?;
    let reason = read_reason(reason)?;
    let mut tx = caller.begin(state).await?;
    let number = queue::discard_all(&mut tx, letters, reason).await?;
    let detail = json!({
        "code": letters.code, "jobs": number, "before": "dead", "after": "discarded", "reason": reason,
    });
    note(&mut tx, state, caller, actions::JOBS_DISCARDED, name(letters), detail).await?;
    tx.commit().await?;
    Ok(number)
}

fn read_reason(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if (1..=500).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    Err(Problem::field("reason", "must have 1 to 500 characters"))
}

/// What a bulk act is about, for the audit log.
fn name(letters: Letters<'_>) -> String {
    letters.kind.map_or_else(|| "all kinds".to_owned(), |kind| kind.chars().take(100).collect())
}

fn of(letter: &DeadLetter, after: &str) -> Value {
    json!({ "kind": letter.kind, "code": letter.code, "before": letter.state, "after": after })
}

async fn find(tx: &mut Tx, id: DeadLetterId) -> Result<DeadLetter, Problem> {
    queue::show(tx, id).await?.ok_or_else(|| Problem::not_found("dead letter"))
}

fn closed() -> Problem {
    let detail = "This dead letter was retried or discarded before, or its job could never be read.";
    Problem::new(StatusCode::CONFLICT, "dead_letter_closed", detail)
}

async fn note(
    tx: &mut Tx,
    state: &AppState,
    caller: &Caller,
    action: Action,
    target: String,
    detail: Value,
) -> Result<(), Problem> {
    let entry = Entry::new(action, &caller.request).target(target).detail(detail);
    accounts::audit(tx, entry, &*state.ambient).await?;
    Ok(())
}
