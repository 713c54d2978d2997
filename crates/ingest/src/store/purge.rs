//! Table `gong_losses`, and the calls that looks at Gong did not find.

use db::Tx;
use kernel::{CallId, ConnectionId};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{IngestError, keep::Rules, window::Window};

/// A look that missed calls, and what became of them.
#[derive(FromRow, Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) id: Uuid,
    pub(crate) seen_at: OffsetDateTime,
    pub(crate) expected: i32,
    pub(crate) missing: i32,
    pub(crate) state: String,
}

/// Calls that lie in a window, may be imported and were not seen since `began`: marked as missing from this look. Says how
/// many should have been found, and how many were not.
pub(crate) async fn mark_unlisted(
    tx: &mut Tx,
    connection: ConnectionId,
    (loss, began, now): (Uuid, OffsetDateTime, OffsetDateTime),
    window: Window,
    rules: &Rules,
) -> Result<(i64, i64), IngestError> {
    let organization = tx.scope().organization();
    // The row is needed before calls can point to it; it goes again when nothing is missing.
    insert(tx, connection, loss, (now, 0, 0)).await?;
    let (expected, missing): (i64, i64) = sqlx::query_as(
        "with held as (
            select id, looked_at < $5 or missing_since is not null as unseen from gong_calls
            where organization_id = $1 and connection_id = $2 and started_at >= greatest($3, $7) and started_at < $4
              and ($8::text[] is null or workspace_id = any($8))
              and (missing_since is null or (loss_id is null and kept_at is null))
         ), marked as (
            update gong_calls set missing_since = coalesce(missing_since, $6), loss_id = $9, kept_at = null
            where organization_id = $1 and id in (select id from held where unseen)
            returning id
         )
         select (select count(*) from held), (select count(*) from marked)",
    )
    .bind(organization)
    .bind(connection)
    .bind(window.from)
    .bind(window.to)
    .bind(began)
    .bind(now)
    .bind(rules.floor)
    .bind(rules.workspaces.as_deref())
    .bind(loss)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("finding calls that Gong no longer lists"))?;
    if missing == 0 {
        sqlx::query("delete from gong_losses where organization_id = $1 and id = $2")
            .bind(organization)
            .bind(loss)
            .execute(&mut **tx)
            .await
            .map_err(IngestError::db("recording a look that missed nothing"))?;
    } else {
        add(tx, loss, expected, missing).await?;
    }
    Ok((expected, missing))
}

/// Begins the record of a look that missed calls.
pub(crate) async fn insert(
    tx: &mut Tx,
    connection: ConnectionId,
    loss: Uuid,
    (seen_at, expected, missing): (OffsetDateTime, i64, i64),
) -> Result<(), IngestError> {
    sqlx::query(
        "insert into gong_losses (id, organization_id, connection_id, seen_at, expected, missing, state)
         values ($1, $2, $3, $4, $5, $6, 'checking')",
    )
    .bind(loss)
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(seen_at)
    .bind(i32::try_from(expected).unwrap_or(i32::MAX))
    .bind(i32::try_from(missing).unwrap_or(i32::MAX))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording a look that missed calls"))
}

/// Adds to what a look should have found and did not.
pub(crate) async fn add(tx: &mut Tx, loss: Uuid, expected: i64, missing: i64) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_losses set expected = expected + $3, missing = missing + $4
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(i32::try_from(expected).unwrap_or(i32::MAX))
    .bind(i32::try_from(missing).unwrap_or(i32::MAX))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording a look that missed calls"))
}

/// Puts calls that were looked at by id and not found under a look, unless they stand under one already.
pub(crate) async fn mark(
    tx: &mut Tx,
    loss: Uuid,
    ids: &[CallId],
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_calls set missing_since = coalesce(missing_since, $4), loss_id = $2, kept_at = null
         where organization_id = $1 and id = any($3) and (missing_since is null or (loss_id is null and kept_at is null))",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(ids)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("marking calls that Gong no longer lists"))
}

/// Puts calls that were missed by a look at a few, and stand under no look yet, under one of their own. It is measured by all
/// that was looked at within a day.
pub(crate) async fn adopt(
    tx: &mut Tx,
    connection: ConnectionId,
    loss: Uuid,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    let (orphans, looked): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where missing_since is not null and loss_id is null and kept_at is null), count(*)
         from gong_calls where organization_id = $1 and connection_id = $2 and looked_at >= $3",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now - time::Duration::days(1))
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting calls that were missed"))?;
    if orphans == 0 {
        return Ok(());
    }
    insert(tx, connection, loss, (now, looked, orphans)).await?;
    sqlx::query(
        "update gong_calls set loss_id = $3
         where organization_id = $1 and connection_id = $2 and missing_since is not null and loss_id is null
           and kept_at is null",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(loss)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("putting missed calls under a look"))
}

/// The looks of a connection in a state, the oldest first.
pub(crate) async fn losses(
    tx: &mut Tx,
    connection: Option<ConnectionId>,
    states: &[&str],
) -> Result<Vec<Loss>, IngestError> {
    sqlx::query_as(
        "select id, seen_at, expected, missing, state from gong_losses
         where organization_id = $1 and ($2::uuid is null or connection_id = $2) and state = any($3)
         order by seen_at limit 1000",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(states)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("reading looks that missed calls"))
}

/// Calls of a look that are still missing and were not looked at by id since `since`.
pub(crate) async fn unconfirmed(
    tx: &mut Tx,
    loss: Uuid,
    since: OffsetDateTime,
    most: i64,
) -> Result<Vec<(CallId, String)>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id from gong_calls
         where organization_id = $1 and loss_id = $2 and missing_since is not null and looked_at < $3 limit $4",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(since)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("finding missing calls to look at by id"))
}

/// How many calls of a look are still missing; written down there.
pub(crate) async fn count(tx: &mut Tx, loss: Uuid) -> Result<i32, IngestError> {
    sqlx::query_scalar(
        "update gong_losses l set missing = (
            select count(*)::int from gong_calls c
            where c.organization_id = $1 and c.loss_id = l.id and c.missing_since is not null)
         where l.organization_id = $1 and l.id = $2 returning l.missing",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting missing calls"))
}

/// Moves a look on to another state; false when it had left `from` before.
pub(crate) async fn turn(
    tx: &mut Tx,
    loss: Uuid,
    (from, to): (&str, &str),
    now: OffsetDateTime,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_losses set state = $4, asked_at = case when $4 = 'asked' then $5 else asked_at end,
            closed_at = case when $4 in ('purged', 'kept', 'returned') then $5 end
         where organization_id = $1 and id = $2 and state = $3",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(from)
    .bind(to)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("deciding about missing calls"))?;
    Ok(done.rows_affected() == 1)
}

/// Keeps the calls of a look although Gong no longer lists them.
pub(crate) async fn keep(tx: &mut Tx, loss: Uuid, now: OffsetDateTime) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_calls set kept_at = $3, loss_id = null
         where organization_id = $1 and loss_id = $2 and missing_since is not null",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("keeping missing calls"))
}

/// Purges calls of a look that are still missing, with all that hangs on them, at most `most`; a tombstone stays of each.
pub(crate) async fn purge(
    tx: &mut Tx,
    loss: Uuid,
    now: OffsetDateTime,
    most: i64,
) -> Result<i64, IngestError> {
    let gone = sqlx::query(
        "with gone as (
            delete from gong_calls where organization_id = $1 and id in (
                select id from gong_calls
                where organization_id = $1 and loss_id = $2 and missing_since is not null
                order by id limit $4 for update)
            returning connection_id, gong_call_id
         )
         insert into gong_tombstones (connection_id, organization_id, gong_call_id, reason, noticed_at)
         select connection_id, $1, gong_call_id, 'gone', $3 from gone order by gong_call_id
         on conflict (connection_id, gong_call_id) do update set reason = 'gone'",
    )
    .bind(tx.scope().organization())
    .bind(loss)
    .bind(now)
    .bind(most)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("purging calls that Gong no longer has"))?;
    let purged = i64::try_from(gone.rows_affected()).unwrap_or(i64::MAX);
    sqlx::query("update gong_losses set purged = purged + $3 where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(loss)
        .bind(i32::try_from(purged).unwrap_or(i32::MAX))
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("counting what was purged"))?;
    Ok(purged)
}

/// How many calls of a look were purged in all.
pub(crate) async fn purged(tx: &mut Tx, loss: Uuid) -> Result<i64, IngestError> {
    sqlx::query_scalar("select purged::bigint from gong_losses where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(loss)
        .fetch_one(&mut **tx)
        .await
        .map_err(IngestError::db("counting what was purged"))
}

/// What an admin is asked: how many calls are missing of how many, and since when. Nothing when nobody is asked.
pub(crate) async fn question(tx: &mut Tx) -> Result<Option<(i64, i64, OffsetDateTime)>, IngestError> {
    let row: (Option<i64>, Option<i64>, Option<OffsetDateTime>) = sqlx::query_as(
        "select sum(missing)::bigint, sum(expected)::bigint, min(asked_at) from gong_losses
         where organization_id = $1 and state = 'asked'",
    )
    .bind(tx.scope().organization())
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("reading what an admin is asked"))?;
    Ok(match row {
        (Some(missing), Some(expected), Some(since)) => Some((missing, expected, since)),
        _ => None,
    })
}
