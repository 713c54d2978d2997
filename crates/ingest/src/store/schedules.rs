//! Table `gong_schedules`.

use db::Tx;
use kernel::ConnectionId;
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{IngestError, window::Window};

#[derive(FromRow, Debug, Clone)]
pub(crate) struct Row {
    pub(crate) active: bool,
    pub(crate) import_floor: OffsetDateTime,
    pub(crate) selected_workspaces: Option<Vec<String>>,
    pub(crate) poll_every_seconds: Option<i32>,
    pub(crate) overlap_seconds: Option<i32>,
    pub(crate) next_poll_at: OffsetDateTime,
    pub(crate) last_poll_at: Option<OffsetDateTime>,
    pub(crate) next_sweep_at: OffsetDateTime,
    pub(crate) last_sweep_at: Option<OffsetDateTime>,
    pub(crate) private_seen_at: Option<OffsetDateTime>,
    pub(crate) doubted_since: Option<OffsetDateTime>,
}

pub(crate) async fn load(tx: &mut Tx, connection: ConnectionId) -> Result<Option<Row>, IngestError> {
    sqlx::query_as(
        "select active, import_floor, selected_workspaces, poll_every_seconds, overlap_seconds, next_poll_at,
                last_poll_at, next_sweep_at, last_sweep_at, private_seen_at, doubted_since
         from gong_schedules where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading the schedule"))
}

/// How long a connection has brought nothing.
#[derive(FromRow, Debug)]
pub(crate) struct Silence {
    /// It was looked at since then, and neither a call nor a tombstone is younger.
    pub(crate) is_silent: bool,
    /// When Gong was last asked for its users.
    pub(crate) asked_at: Option<OffsetDateTime>,
}

pub(crate) async fn silence(
    tx: &mut Tx,
    connection: ConnectionId,
    since: OffsetDateTime,
) -> Result<Option<Silence>, IngestError> {
    sqlx::query_as(
        "select doubt_asked_at as asked_at,
            exists (select from gong_runs where organization_id = $1 and connection_id = $2 and created_at <= $3)
            and not exists (select from gong_calls where organization_id = $1 and connection_id = $2 and started_at > $3)
            and not exists (select from gong_tombstones where organization_id = $1 and connection_id = $2 and noticed_at > $3)
            as is_silent
         from gong_schedules where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(since)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("looking whether calls still come"))
}

/// Notes that Gong is asked for its users now.
pub(crate) async fn doubt_asked(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set doubt_asked_at = $3 where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("noting a question"))
}

/// Notes whether the silence is doubtful: Gong has users, but shows no calls.
pub(crate) async fn note_doubt(
    tx: &mut Tx,
    connection: ConnectionId,
    doubtful: bool,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set doubted_since = case when $4 then coalesce(doubted_since, $3) end
         where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now)
    .bind(doubtful)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("noting a doubt"))
}

/// Calls came, or it is too early to doubt.
pub(crate) async fn end_doubt(tx: &mut Tx, connection: ConnectionId) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set doubted_since = null
         where organization_id = $1 and connection_id = $2 and doubted_since is not null",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("ending a doubt"))
}

/// Makes the schedule, or wakes it up; the floor can only go further back.
pub(crate) async fn upsert(
    tx: &mut Tx,
    connection: ConnectionId,
    floor: OffsetDateTime,
    next_poll_at: OffsetDateTime,
    next_sweep_at: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "insert into gong_schedules as s
            (connection_id, organization_id, active, import_floor, next_poll_at, next_sweep_at)
         values ($1, $2, true, $3, $4, $5)
         on conflict (connection_id) do update set
            active = true, import_floor = least(s.import_floor, excluded.import_floor),
            next_poll_at = excluded.next_poll_at, next_sweep_at = excluded.next_sweep_at",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(floor)
    .bind(next_poll_at)
    .bind(next_sweep_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("storing the schedule"))
}

pub(crate) async fn set_active(
    tx: &mut Tx,
    connection: ConnectionId,
    active: bool,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_schedules set active = $3 where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(active)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("switching the schedule"))?;
    Ok(done.rows_affected() == 1)
}

/// What a person may set; `None` keeps what is there, `Some(None)` goes back to the installation's default.
pub(crate) struct Change<'a> {
    pub(crate) poll_every_seconds: Option<Option<i32>>,
    pub(crate) overlap_seconds: Option<Option<i32>>,
    pub(crate) selected_workspaces: Option<Option<&'a [String]>>,
    pub(crate) next_poll_at: Option<OffsetDateTime>,
}

pub(crate) async fn change(
    tx: &mut Tx,
    connection: ConnectionId,
    change: &Change<'_>,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_schedules set
            poll_every_seconds = case when $3 then $4 else poll_every_seconds end,
            overlap_seconds = case when $5 then $6 else overlap_seconds end,
            selected_workspaces = case when $7 then $8 else selected_workspaces end,
            next_poll_at = coalesce($9, next_poll_at)
         where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(change.poll_every_seconds.is_some())
    .bind(change.poll_every_seconds.flatten())
    .bind(change.overlap_seconds.is_some())
    .bind(change.overlap_seconds.flatten())
    .bind(change.selected_workspaces.is_some())
    .bind(change.selected_workspaces.flatten())
    .bind(change.next_poll_at)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("changing the schedule"))?;
    Ok(done.rows_affected() == 1)
}

/// Moves the next poll on; false when another scheduler did so first.
pub(crate) async fn claim_poll(
    tx: &mut Tx,
    connection: ConnectionId,
    seen: OffsetDateTime,
    next: OffsetDateTime,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_schedules set next_poll_at = $4
         where organization_id = $1 and connection_id = $2 and next_poll_at = $3 and active",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(seen)
    .bind(next)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("claiming a poll"))?;
    Ok(done.rows_affected() == 1)
}

/// Moves the next sweep on; false when another scheduler did so first.
pub(crate) async fn claim_sweep(
    tx: &mut Tx,
    connection: ConnectionId,
    seen: OffsetDateTime,
    next: OffsetDateTime,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_schedules set next_sweep_at = $4
         where organization_id = $1 and connection_id = $2 and next_sweep_at = $3 and active",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(seen)
    .bind(next)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("claiming a sweep"))?;
    Ok(done.rows_affected() == 1)
}

/// Records that a run ended well. A backfill up to now counts as a look as well; a look that began behind the last one
/// leaves out what lies between them, and the next poll has to list that.
pub(crate) async fn looked(
    tx: &mut Tx,
    connection: ConnectionId,
    sweep: bool,
    listed: Window,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set
            last_poll_at = case when $5 <= greatest(import_floor, coalesce(last_poll_at, (
                    select r.to_at from gong_runs r
                    where r.organization_id = $1 and r.connection_id = $2 and r.kind = 'backfill'
                    order by r.created_at desc limit 1)))
                then greatest(last_poll_at, $4) else last_poll_at end,
            last_sweep_at = case when $3 then $4 else last_sweep_at end
         where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(sweep)
    .bind(listed.to)
    .bind(listed.from)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording a look"))
}

pub(crate) async fn private_seen(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set private_seen_at = $3
         where organization_id = $1 and connection_id = $2 and private_seen_at is null",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording that private calls exist"))
}
