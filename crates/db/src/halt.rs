//! The stop of all traffic to Gong: one row, seen by every process before every request. No room's table.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use crate::{Db, DbError, FleetTx};

/// All traffic to Gong is stopped.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Halt {
    /// Since when.
    pub stopped_at: OffsetDateTime,
    /// Why, in an operator's words.
    pub reason: String,
}

/// Whether an operator stopped all traffic to Gong, and why.
///
/// # Errors
/// When the database fails.
pub async fn halt(conn: &mut PgConnection) -> Result<Option<Halt>, DbError> {
    sqlx::query_as("select stopped_at, reason from gong_stop")
        .fetch_optional(conn)
        .await
        .map_err(DbError::while_doing("asking whether traffic is stopped"))
}

/// Whether all traffic is stopped: what every process asks all the time, in one statement without a transaction around it.
///
/// # Errors
/// When the database fails.
pub async fn is_halted(db: &Db) -> Result<bool, DbError> {
    let since: Option<OffsetDateTime> = db
        .at_once(async |pool| sqlx::query_scalar("select soundpost_stopped_since()").fetch_one(&pool).await)
        .await
        .map_err(DbError::while_doing("asking whether traffic is stopped"))?;
    Ok(since.is_some())
}

/// Stops all traffic to Gong; false when it was stopped before.
///
/// # Errors
/// When the database fails.
pub async fn stop_traffic(fleet: &mut FleetTx, reason: &str, now: OffsetDateTime) -> Result<bool, DbError> {
    let done =
        sqlx::query("insert into gong_stop (stopped_at, reason) values ($1, $2) on conflict do nothing")
            .bind(now)
            .bind(reason)
            .execute(&mut **fleet)
            .await
            .map_err(DbError::while_doing("stopping traffic"))?;
    Ok(done.rows_affected() == 1)
}

/// Lets traffic to Gong go on; false when it was not stopped.
///
/// # Errors
/// When the database fails.
pub async fn start_traffic(fleet: &mut FleetTx) -> Result<bool, DbError> {
    let done = sqlx::query("delete from gong_stop")
        .execute(&mut **fleet)
        .await
        .map_err(DbError::while_doing("starting traffic"))?;
    Ok(done.rows_affected() == 1)
}
