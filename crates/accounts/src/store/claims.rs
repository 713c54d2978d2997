//! Claims on requests that are to be done once. How long a claim may take goes by the database's clock.

use db::Tx;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use vault::Sealed;

use crate::{AccountsError, claims::Asked, store::failed};

#[derive(Debug, FromRow)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) effected: bool,
    pub(crate) answered: bool,
    /// Whoever claimed it had time enough.
    pub(crate) is_over: bool,
    pub(crate) key_id: Option<String>,
    pub(crate) answer_sealed: Option<String>,
}

/// Throws one away that is too old to count.
pub(crate) async fn forget_old(
    tx: &mut Tx,
    key_hash: [u8; 32],
    before: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query(
        "delete from request_claims where organization_id = $1 and key_hash = $2 and created_at <= $3
         and (answered_at is not null or claimed_until <= now())",
    )
    .bind(tx.scope().organization())
    .bind(key_hash.as_slice())
    .bind(before)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("forgetting an old claim"))
}

/// How many there are, counted up to `most`.
pub(crate) async fn count(tx: &mut Tx, most: i64) -> Result<i64, AccountsError> {
    sqlx::query_scalar(
        "select count(*) from (select 1 from request_claims where organization_id = $1 limit $2) as counted",
    )
    .bind(tx.scope().organization())
    .bind(most)
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("counting claims"))
}

/// False when there is one with this key.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: Uuid,
    asked: &Asked,
    now: OffsetDateTime,
) -> Result<bool, AccountsError> {
    sqlx::query(
        "insert into request_claims (id, organization_id, key_hash, fingerprint, created_at, claimed_until)
         values ($1, $2, $3, $4, $5, now() + interval '2 minutes')
         on conflict (organization_id, key_hash) do nothing",
    )
    .bind(id)
    .bind(tx.scope().organization())
    .bind(asked.key_hash.as_slice())
    .bind(asked.fingerprints.first().map_or(&[][..], |mark| mark.as_slice()))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("claiming a request"))
}

pub(crate) async fn find(tx: &mut Tx, key_hash: [u8; 32]) -> Result<Option<Row>, AccountsError> {
    sqlx::query_as(
        "select id, fingerprint, effected, answered_at is not null as answered, claimed_until <= now() as is_over,
                key_id, answer_sealed
         from request_claims where organization_id = $1 and key_hash = $2",
    )
    .bind(tx.scope().organization())
    .bind(key_hash.as_slice())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("reading a claim"))
}

/// Takes a claim over whose holder is gone and had no effect; the holder can no longer commit anything.
pub(crate) async fn take_over(tx: &mut Tx, old: Uuid, new: Uuid) -> Result<bool, AccountsError> {
    sqlx::query(
        "update request_claims set id = $3, claimed_until = now() + interval '2 minutes'
         where organization_id = $1 and id = $2 and not effected and answered_at is null and claimed_until <= now()",
    )
    .bind(tx.scope().organization())
    .bind(old)
    .bind(new)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("taking a claim over"))
}

/// Stores the answer, or that there was one too long to keep.
pub(crate) async fn answer(
    tx: &mut Tx,
    id: Uuid,
    sealed: Option<&Sealed>,
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query(
        "update request_claims set answered_at = $3, key_id = $4, answer_sealed = $5
         where organization_id = $1 and id = $2 and answered_at is null",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(now)
    .bind(sealed.map(|sealed| sealed.key_id.as_str()))
    .bind(sealed.map(|sealed| sealed.text.as_str()))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("keeping an answer"))
}

/// Frees a claim that had no effect.
pub(crate) async fn give_back(tx: &mut Tx, id: Uuid) -> Result<bool, AccountsError> {
    sqlx::query("delete from request_claims where organization_id = $1 and id = $2 and not effected")
        .bind(tx.scope().organization())
        .bind(id)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(failed("giving a claim back"))
}
