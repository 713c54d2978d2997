//! What people do for privacy: retention, calls that vanished, people to erase, the end of the organization. API and pages
//! both come here: one permission, one transaction, one line in the audit log.

use accounts::{Entry, Permission, actions};
use db::Tx;
use ingest::{AddressKind, Answer, Erasure, Question, ShroudKey};
use kernel::{Actor, ErasureId};
use serde_json::{Value, json};

use crate::{AppState, Problem, auth::Caller};

/// How the organization's privacy stands.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Days after which the content of calls is removed; never when there are none.
    pub(crate) retention_days: Option<i64>,
    /// What an admin is asked about calls that vanished.
    pub(crate) question: Option<Question>,
}

/// Reads how it stands.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn standing(state: &AppState, caller: &Caller) -> Result<Standing, Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let mut tx = caller.begin(state).await?;
    read(&mut tx).await
}

async fn read(tx: &mut Tx) -> Result<Standing, Problem> {
    Ok(Standing { retention_days: ingest::retention(tx).await?, question: ingest::question(tx).await? })
}

/// Changes after how many days the content of calls is removed; `None`: never.
///
/// # Errors
/// 403 below admin; 422 naming the field.
pub(crate) async fn change_retention(
    state: &AppState,
    caller: &Caller,
    days: Option<i64>,
) -> Result<(), Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let mut tx = caller.begin(state).await?;
    let before = ingest::set_retention(&mut tx, days, state.ambient.now()).await?;
    if before != days {
        let detail = json!({ "before": { "retention_days": before }, "after": { "retention_days": days } });
        let entry = Entry::new(actions::PRIVACY_CHANGED, &caller.request).detail(detail);
        accounts::audit(&mut tx, entry, &*state.ambient).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Decides about the calls that Gong no longer lists.
///
/// # Errors
/// 403 below admin; 409 when nobody asked.
pub(crate) async fn answer(state: &AppState, caller: &Caller, answer: Answer) -> Result<(), Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let mut tx = caller.begin(state).await?;
    let asked = ingest::question(&mut tx).await?;
    let answered = ingest::answer(&mut tx, answer, state.ambient.now()).await?;
    let Some(question) = asked.filter(|_| answered) else {
        let detail = "No decision about vanished calls is waited for.";
        return Err(Problem::new(http::StatusCode::CONFLICT, "nothing_vanished", detail));
    };
    let action = match answer {
        Answer::Remove => actions::GONG_CALLS_REMOVE,
        Answer::Keep => actions::GONG_CALLS_KEPT,
    };
    let detail = json!({ "missing": question.missing, "expected": question.expected });
    let entry = Entry::new(action, &caller.request).detail(detail);
    accounts::audit(&mut tx, entry, &*state.ambient).await?;
    tx.commit().await?;
    Ok(())
}

/// Asks for a person to be erased; the address is not kept.
///
/// # Errors
/// 403 below admin; 409 for a member of the organization; 422 naming the field.
pub(crate) async fn erase_person(
    state: &AppState,
    caller: &Caller,
    (kind, address): (AddressKind, &str),
) -> Result<Erasure, Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let ambient = &*state.ambient;
    let mut tx = caller.begin(state).await?;
    let asker = asker(&mut tx, caller).await?;
    let key = ShroudKey::new(&state.connector.organization_secret(&mut tx).await?)?;
    let id = ingest::request_erasure(&mut tx, &key, (kind, address), &asker, ambient).await?;
    let account = match kind {
        AddressKind::Email => accounts::forget_account(&mut tx, address).await?,
        AddressKind::Phone => false,
    };
    let detail = json!({ "by": kind.as_str(), "account_deleted": account });
    let entry = Entry::new(actions::PERSON_ERASURE_REQUESTED, &caller.request).target(id).detail(detail);
    accounts::audit(&mut tx, entry, ambient).await?;
    let erasure = ingest::erasure(&mut tx, id).await?.ok_or_else(|| Problem::not_found("erasure"))?;
    tx.commit().await?;
    Ok(erasure)
}

/// Who asks, as the receipt says it.
async fn asker(tx: &mut Tx, caller: &Caller) -> Result<String, Problem> {
    Ok(match caller.scope.actor() {
        Actor::User(user, _) => match accounts::address_of(tx, user).await? {
            Some(email) => email,
            None => user.to_string(),
        },
        Actor::ApiKey(key, _) => key.to_string(),
        other => other.kind().to_owned(),
    })
}

/// A page of the erasures, newest first.
///
/// # Errors
/// 403 below admin; 503 when the database does not answer.
pub(crate) async fn erasures(
    state: &AppState,
    caller: &Caller,
    after: Option<ErasureId>,
    limit: i64,
) -> Result<(Vec<Erasure>, Option<ErasureId>), Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let mut tx = caller.begin(state).await?;
    Ok(ingest::erasures(&mut tx, after, limit).await?)
}

/// One erasure.
///
/// # Errors
/// 403 below admin; 404 when there is no such one.
pub(crate) async fn erasure(state: &AppState, caller: &Caller, id: ErasureId) -> Result<Erasure, Problem> {
    caller.require(state, Permission::ManagePrivacy).await?;
    let mut tx = caller.begin(state).await?;
    ingest::erasure(&mut tx, id).await?.ok_or_else(|| Problem::not_found("erasure"))
}

/// Erases the organization; `name` is what the owner typed. Says what was counted.
///
/// # Errors
/// 403 below owner; 422 when the name is not the organization's.
pub(crate) async fn erase_organization(
    state: &AppState,
    caller: &Caller,
    name: &str,
) -> Result<Value, Problem> {
    caller.require(state, Permission::EraseOrganization).await?;
    // The claim of this request goes with the organization: there is nothing left to mark.
    let scope = caller.scope.claimed(None);
    let counts = accounts::erase_organization(&state.db, &scope, name, &*state.ambient).await?;
    tracing::warn!(organization.id = %caller.scope.organization(), counts = %counts, "An organization was erased.");
    Ok(counts)
}
