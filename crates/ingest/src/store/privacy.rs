//! Table `gong_privacy`, and removing the content of calls whose time is over.

use db::Tx;
use time::OffsetDateTime;

use crate::IngestError;

/// What whoever stores calls has to know. Held for sharing to the end of the transaction: an erasure that is asked for
/// meanwhile waits, so that every writer either came before it or knows of it.
pub(crate) async fn guard(tx: &mut Tx) -> Result<(i32, Option<i32>), IngestError> {
    let row: Option<(i32, Option<i32>)> = sqlx::query_as(
        "select erasures, retention_days from gong_privacy where organization_id = $1 for share",
    )
    .bind(tx.scope().organization())
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading what may be stored"))?;
    Ok(row.unwrap_or_default())
}

/// Days after which content is removed.
pub(crate) async fn retention(tx: &mut Tx) -> Result<Option<i32>, IngestError> {
    let days: Option<Option<i32>> =
        sqlx::query_scalar("select retention_days from gong_privacy where organization_id = $1")
            .bind(tx.scope().organization())
            .fetch_optional(&mut **tx)
            .await
            .map_err(IngestError::db("reading the retention time"))?;
    Ok(days.flatten())
}

/// Sets the days after which content is removed, and when that is looked after next.
pub(crate) async fn set_retention(
    tx: &mut Tx,
    days: Option<i32>,
    next_at: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "insert into gong_privacy (organization_id, retention_days, next_retention_at) values ($1, $2, $3)
         on conflict (organization_id) do update set retention_days = excluded.retention_days,
            next_retention_at = excluded.next_retention_at",
    )
    .bind(tx.scope().organization())
    .bind(days)
    .bind(next_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("storing the retention time"))
}

/// Moves the next removal on.
pub(crate) async fn retention_done(tx: &mut Tx, next_at: OffsetDateTime) -> Result<(), IngestError> {
    sqlx::query("update gong_privacy set next_retention_at = $2 where organization_id = $1")
        .bind(tx.scope().organization())
        .bind(next_at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(IngestError::db("planning the next removal of old content"))
}

/// Removes the content of calls that began before `cutoff`, at most `most`; the call stays with its id, times and counts.
pub(crate) async fn expire(
    tx: &mut Tx,
    cutoff: OffsetDateTime,
    now: OffsetDateTime,
    most: i64,
) -> Result<i64, IngestError> {
    let organization = tx.scope().organization();
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
        "update gong_calls set title = null, parties = '[]', search_text = '', primary_user_id = null, url = null,
            transcript_state = 'gave_up', transcript_reason = 'retention_over', next_try_at = null, waiting_since = null,
            stored_at = null, expired_at = $3
         where organization_id = $1 and id in (
            select id from gong_calls where organization_id = $1 and started_at < $2 and expired_at is null
            order by started_at limit $4 for update)
         returning id",
    )
    .bind(organization)
    .bind(cutoff)
    .bind(now)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("removing old content"))?;
    sqlx::query("delete from gong_transcripts where organization_id = $1 and call_id = any($2)")
        .bind(organization)
        .bind(&ids)
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("removing old transcripts"))?;
    Ok(i64::try_from(ids.len()).unwrap_or(i64::MAX))
}
