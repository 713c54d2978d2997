//! Tables `gong_budgets` and `gong_usage`: the pace and the daily budget of one company, over all processes.

use db::Tx;
use kernel::ConnectionId;
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::IngestError;

/// What asking for a slot brought.
#[derive(FromRow, Debug)]
pub(crate) struct Slot {
    /// Seconds from now to the slot; `None` when there is none.
    pub(crate) wait: Option<f64>,
    pub(crate) used: i64,
    pub(crate) held_until: Option<OffsetDateTime>,
    pub(crate) active: bool,
    /// An operator stopped all traffic.
    pub(crate) halted: bool,
}

/// How a slot is asked for.
pub(crate) struct Ask {
    pub(crate) interval_seconds: f64,
    pub(crate) limit: i64,
    pub(crate) backfill: bool,
    /// False when a slot that was counted is taken anew.
    pub(crate) counted: bool,
    pub(crate) now: OffsetDateTime,
}

/// Takes the next slot of the company, by the database's clock, and counts it; none while held, spent or stopped.
pub(crate) async fn take_slot(tx: &mut Tx, connection: ConnectionId, ask: &Ask) -> Result<Slot, IngestError> {
    sqlx::query_as(
        "with halted as (
            select exists (select 1 from gong_stop) as yes
         ), used as (
            select coalesce(sum(fresh + backfill), 0)::bigint as n from gong_usage
            where organization_id = $2 and connection_id = $1 and hour > $6 - interval '24 hours'
         ), alive as (
            select exists (select 1 from gong_schedules where organization_id = $2 and connection_id = $1 and active) as yes
         ), slot as (
            insert into gong_budgets as b (connection_id, organization_id, next_slot_at)
            select $1, $2, clock_timestamp() + make_interval(secs => $3) from used, alive, halted where used.n < $4 and alive.yes and not halted.yes
            on conflict (connection_id) do update
                set next_slot_at = greatest(b.next_slot_at, clock_timestamp()) + make_interval(secs => $3)
                where b.held_until is null or b.held_until <= $6
            returning extract(epoch from next_slot_at - clock_timestamp())::float8 - $3 as wait
         ), counted as (
            insert into gong_usage as u (connection_id, organization_id, hour, fresh, backfill)
            select $1, $2, date_trunc('hour', $6::timestamptz), case when $5 then 0 else 1 end, case when $5 then 1 else 0 end
            from slot where $7
            on conflict (connection_id, hour) do update
                set fresh = u.fresh + excluded.fresh, backfill = u.backfill + excluded.backfill
         )
         select (select wait from slot) as wait, (select n from used) as used, b.held_until,
                (select yes from alive) as active, (select yes from halted) as halted
         from (select 1) one left join gong_budgets b on b.organization_id = $2 and b.connection_id = $1",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(ask.interval_seconds)
    .bind(ask.limit)
    .bind(ask.backfill)
    .bind(ask.now)
    .bind(ask.counted)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("taking a request slot"))
}

/// Leaves room behind a request that was made past the gate: connecting looks the company up before it is known.
pub(crate) async fn leave_room(tx: &mut Tx, connection: ConnectionId) -> Result<(), IngestError> {
    sqlx::query(
        "insert into gong_budgets as b (connection_id, organization_id, next_slot_at)
         values ($1, $2, clock_timestamp() + interval '1 second')
         on conflict (connection_id) do update set next_slot_at = greatest(b.next_slot_at, excluded.next_slot_at)",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("leaving room behind a request"))
}

/// Stops all requests of the company until a moment; a later moment stays.
pub(crate) async fn hold(
    tx: &mut Tx,
    connection: ConnectionId,
    until: OffsetDateTime,
    reason: &str,
) -> Result<(), IngestError> {
    sqlx::query(
        "insert into gong_budgets as b (connection_id, organization_id, held_until, held_reason)
         values ($1, $2, $3, $4)
         on conflict (connection_id) do update
            set held_until = greatest(b.held_until, excluded.held_until), held_reason = excluded.held_reason",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(until)
    .bind(reason)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("holding a company's requests"))
}

#[derive(FromRow, Debug)]
pub(crate) struct Held {
    pub(crate) held_until: Option<OffsetDateTime>,
    pub(crate) held_reason: Option<String>,
}

pub(crate) async fn held(tx: &mut Tx, connection: ConnectionId) -> Result<Option<Held>, IngestError> {
    sqlx::query_as(
        "select held_until, held_reason from gong_budgets where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading the hold"))
}

/// Requests per hour of the last 24 hours: (hour, fresh, backfill), oldest first.
pub(crate) async fn hours(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<Vec<(OffsetDateTime, i32, i32)>, IngestError> {
    sqlx::query_as(
        "select hour, fresh, backfill from gong_usage
         where organization_id = $1 and connection_id = $2 and hour > $3 order by hour",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now - time::Duration::hours(24))
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("reading the use of the API"))
}
