//! Sessions by the hash of their id.

use db::FleetTx;
use kernel::UserId;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{AccountsError, store::failed};

/// A session as it is stored.
pub(crate) struct Row<'a> {
    pub(crate) user: Option<UserId>,
    pub(crate) data: &'a Value,
    pub(crate) expires_at: OffsetDateTime,
}

/// Makes a session; false where the id is taken.
pub(crate) async fn insert(
    tx: &mut FleetTx,
    id: [u8; 32],
    row: Row<'_>,
    now: OffsetDateTime,
) -> Result<bool, AccountsError> {
    sqlx::query(
        "insert into sessions (id_hash, user_id, data, expires_at, created_at) values ($1, $2, $3, $4, $5)
         on conflict (id_hash) do nothing",
    )
    .bind(id.as_slice())
    .bind(row.user)
    .bind(row.data)
    .bind(row.expires_at)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("making a session"))
}

/// Changes a session that still exists.
pub(crate) async fn update(tx: &mut FleetTx, id: [u8; 32], row: Row<'_>) -> Result<(), AccountsError> {
    sqlx::query("update sessions set user_id = $2, data = $3, expires_at = $4 where id_hash = $1")
        .bind(id.as_slice())
        .bind(row.user)
        .bind(row.data)
        .bind(row.expires_at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("saving a session"))
}

/// The data and the end of a session that is not over.
pub(crate) async fn find(
    tx: &mut FleetTx,
    id: [u8; 32],
    now: OffsetDateTime,
) -> Result<Option<(Value, OffsetDateTime)>, AccountsError> {
    sqlx::query_as("select data, expires_at from sessions where id_hash = $1 and expires_at > $2")
        .bind(id.as_slice())
        .bind(now)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("looking a session up"))
}

/// Ends a session; false when there was none.
pub(crate) async fn delete(tx: &mut FleetTx, id: [u8; 32]) -> Result<bool, AccountsError> {
    sqlx::query("delete from sessions where id_hash = $1")
        .bind(id.as_slice())
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(failed("ending a session"))
}

/// Ends the sessions of a user, but not `except`.
pub(crate) async fn delete_of_user(
    tx: &mut FleetTx,
    user: UserId,
    except: Option<[u8; 32]>,
) -> Result<u64, AccountsError> {
    sqlx::query("delete from sessions where user_id = $1 and ($2::bytea is null or id_hash <> $2)")
        .bind(user)
        .bind(except.map(|hash| hash.to_vec()))
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
        .map_err(failed("ending the sessions of a user"))
}

pub(crate) async fn sweep(tx: &mut FleetTx, now: OffsetDateTime) -> Result<u64, AccountsError> {
    sqlx::query(
        "delete from sessions where id_hash in (select id_hash from sessions where expires_at <= $1 limit 10000)",
    )
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(failed("sweeping the sessions"))
}
