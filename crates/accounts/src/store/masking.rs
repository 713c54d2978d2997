//! Texts of the organization in which a person may be named, read and written anew without the person.

use db::Tx;
use kernel::{ApiKeyId, AuditId};
use serde_json::Value;

use crate::{AccountsError, store::failed};

/// The texts of an audit line.
#[derive(sqlx::FromRow)]
pub(crate) struct Line {
    pub(crate) id: AuditId,
    pub(crate) actor_label: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) detail: Value,
    pub(crate) line: i64,
}

/// The next lines of the log behind `after`, in the order of writing.
pub(crate) async fn lines(tx: &mut Tx, after: i64, most: i64) -> Result<Vec<Line>, AccountsError> {
    sqlx::query_as(
        "select id, actor_label, target, detail, line from audit_log
         where organization_id = $1 and line > $2 order by line limit $3",
    )
    .bind(tx.scope().organization())
    .bind(after)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("reading the audit log to mask it"))
}

/// Writes the texts of a line anew; who, when and what stay.
pub(crate) async fn rewrite(tx: &mut Tx, line: &Line) -> Result<(), AccountsError> {
    sqlx::query("select soundpost_audit_mask($1, $2, $3, $4)")
        .bind(line.id)
        .bind(&line.actor_label)
        .bind(&line.target)
        .bind(&line.detail)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("masking a line of the audit log"))
}

/// The names of all API keys.
pub(crate) async fn key_names(tx: &mut Tx) -> Result<Vec<(ApiKeyId, String)>, AccountsError> {
    sqlx::query_as("select id, name from api_keys where organization_id = $1")
        .bind(tx.scope().organization())
        .fetch_all(&mut **tx)
        .await
        .map_err(failed("reading the names of keys to mask them"))
}

/// Gives a key another name.
pub(crate) async fn rename_key(tx: &mut Tx, id: ApiKeyId, name: &str) -> Result<(), AccountsError> {
    sqlx::query("update api_keys set name = left($3, 100) where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(id)
        .bind(name)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("masking the name of a key"))
}

/// Whether somebody with this address belongs to the organization.
pub(crate) async fn is_member(tx: &mut Tx, email: &str) -> Result<bool, AccountsError> {
    sqlx::query_scalar(
        "select exists (select from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and u.email = $2)",
    )
    .bind(tx.scope().organization())
    .bind(email)
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("looking for a member to erase"))
}

/// Deletes the account of a person who belongs to no organization.
pub(crate) async fn forget_account(tx: &mut Tx, email: &str) -> Result<bool, AccountsError> {
    sqlx::query_scalar("select soundpost_forget_account($1)")
        .bind(email)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("deleting an account that belongs nowhere"))
}

/// Erases the organization of the transaction; says what was counted, nothing when it is gone already.
pub(crate) async fn erase_organization(
    tx: &mut Tx,
    now: time::OffsetDateTime,
) -> Result<Option<Value>, AccountsError> {
    let kind = tx.scope().actor().kind();
    sqlx::query_scalar("select soundpost_erase_organization($1, $2)")
        .bind(now)
        .bind(kind)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("erasing an organization"))
}
