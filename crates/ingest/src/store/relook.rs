//! The slow look over everything that is held: today's plan, and what was seen.

use db::Tx;
use kernel::{CallId, ConnectionId};
use time::OffsetDateTime;

use crate::IngestError;

/// Sets how many calls the slow look over everything takes today: all of a small company, a part of a big one.
pub(crate) async fn plan_relook(
    tx: &mut Tx,
    connection: ConnectionId,
    least: i32,
    days: i32,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set relook_left = greatest($3, (
            select coalesce(sum(calls), 0)::int / $4 from gong_call_counts where connection_id = $2))
         where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(least)
    .bind(days)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("planning the slow look over everything"))
}

/// The calls that were looked at longest ago, before `before`, within what is left of today's plan.
pub(crate) async fn least_looked_at(
    tx: &mut Tx,
    connection: ConnectionId,
    before: OffsetDateTime,
    most: i64,
) -> Result<Vec<(CallId, String)>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id from gong_calls
         where organization_id = $1 and connection_id = $2 and looked_at < $3
           and not (missing_since is not null and loss_id is not null)
         order by looked_at
         limit least($4, (select relook_left from gong_schedules where connection_id = $2))",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(before)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("finding calls that were not looked at for long"))
}

/// Notes that so many calls of today's plan were looked at.
pub(crate) async fn relooked(tx: &mut Tx, connection: ConnectionId, calls: i64) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set relook_left = greatest(relook_left - $3, 0)
         where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(i32::try_from(calls).unwrap_or(i32::MAX))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording the slow look over everything"))
}

/// Notes that calls were seen, though nothing new is stored of them.
pub(crate) async fn seen(
    tx: &mut Tx,
    connection: ConnectionId,
    gong_ids: &[&str],
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    if gong_ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update gong_calls set looked_at = $4, missing_since = null
         where organization_id = $1 and connection_id = $2 and gong_call_id = any($3)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(gong_ids)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording calls that were seen"))
}
