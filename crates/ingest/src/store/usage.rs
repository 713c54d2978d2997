//! Tables `gong_budgets` and `gong_usage`: the pace and the daily budget of one company, over all processes.

use std::time::Duration;

use db::Tx;
use kernel::ConnectionId;
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::IngestError;

/// What asking for a slot brought.
#[derive(FromRow, Debug)]
pub(crate) struct Slot {
    /// Seconds from `told` to the slot; `None` when there is none.
    pub(crate) wait: Option<f64>,
    /// What the database's clock showed, in seconds since 1970.
    pub(crate) told: Option<f64>,
    pub(crate) used: i64,
    pub(crate) held_until: Option<OffsetDateTime>,
    pub(crate) active: bool,
    /// An operator stopped all traffic.
    pub(crate) halted: bool,
    /// Requests that may be on their way still.
    pub(crate) late: i64,
}

/// How a slot is asked for.
pub(crate) struct Ask {
    pub(crate) interval_seconds: f64,
    pub(crate) limit: i64,
    pub(crate) backfill: bool,
    /// False when a slot that was counted is taken anew.
    pub(crate) counted: bool,
    pub(crate) now: OffsetDateTime,
    /// How many requests may arrive in any window; 0 where none is watched.
    pub(crate) allowed: i32,
    pub(crate) window_seconds: f64,
    /// How far ahead the slot has to be: how long the answer takes.
    pub(crate) lead_seconds: f64,
}

/// Takes the next slot of the company, by the database's clock, and counts it; none while held, spent or stopped, and none
/// while as many requests may be on their way as are allowed at once.
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
            insert into gong_budgets as b (connection_id, organization_id, next_slot_at, sent)
            select $1, $2, clock_timestamp() + make_interval(secs => $3), array[clock_timestamp()]
            from used, alive, halted where used.n < $4 and alive.yes and not halted.yes
            on conflict (connection_id) do update set
                next_slot_at = make_interval(secs => $3) + soundpost_slot(greatest(b.next_slot_at, clock_timestamp() + make_interval(secs => $10)),
                    b.sent, soundpost_late(b.late), $8, make_interval(secs => $9)),
                sent = (b.sent || soundpost_slot(greatest(b.next_slot_at, clock_timestamp() + make_interval(secs => $10)),
                    b.sent, soundpost_late(b.late), $8, make_interval(secs => $9)))
                    [greatest(cardinality(b.sent) + 2 - $8, 1):]
                where (b.held_until is null or b.held_until <= $6) and ($8 = 0 or soundpost_late(b.late) < $8)
            returning next_slot_at, clock_timestamp() as told, soundpost_late(late) as late
         ), counted as (
            insert into gong_usage as u (connection_id, organization_id, hour, fresh, backfill)
            select $1, $2, date_trunc('hour', $6::timestamptz), case when $5 then 0 else 1 end, case when $5 then 1 else 0 end
            from slot where $7
            on conflict (connection_id, hour) do update
                set fresh = u.fresh + excluded.fresh, backfill = u.backfill + excluded.backfill
         )
         select (select extract(epoch from next_slot_at - told)::float8 - $3 from slot) as wait,
                (select extract(epoch from told)::float8 from slot) as told, (select n from used) as used, b.held_until,
                (select yes from alive) as active, (select yes from halted) as halted,
                coalesce((select late from slot), soundpost_late(b.late), 0) as late
         from (select 1) one left join gong_budgets b on b.organization_id = $2 and b.connection_id = $1",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(ask.interval_seconds)
    .bind(ask.limit)
    .bind(ask.backfill)
    .bind(ask.now)
    .bind(ask.counted)
    .bind(ask.allowed)
    .bind(ask.window_seconds)
    .bind(ask.lead_seconds)
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

/// Notes a request that may be on its way still, for at most so long; says by what it is known.
pub(crate) async fn late(
    tx: &mut Tx,
    connection: ConnectionId,
    most: Duration,
) -> Result<Option<OffsetDateTime>, IngestError> {
    sqlx::query_scalar(
        "update gong_budgets set late = array(select until from unnest(late) until where until > clock_timestamp())
            || (clock_timestamp() + make_interval(secs => $3))
         where organization_id = $2 and connection_id = $1 returning late[cardinality(late)]",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(most.as_secs_f64())
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("noting a late request"))
}

/// Notes that a late request has arrived: it takes up room for one window more.
pub(crate) async fn arrived(
    tx: &mut Tx,
    connection: ConnectionId,
    late: OffsetDateTime,
    window: Duration,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_budgets set late = array_replace(late, $3, clock_timestamp() + make_interval(secs => $4))
         where organization_id = $2 and connection_id = $1",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(late)
    .bind(window.as_secs_f64())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("noting that a late request arrived"))
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
    /// Requests that may be on their way still.
    pub(crate) late: i64,
}

pub(crate) async fn held(tx: &mut Tx, connection: ConnectionId) -> Result<Option<Held>, IngestError> {
    sqlx::query_as(
        "select held_until, held_reason, soundpost_late(late) as late from gong_budgets
         where organization_id = $1 and connection_id = $2",
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

/// Counts transcripts that are asked for, and says how many it were in this hour with them.
pub(crate) async fn count_transcripts(
    tx: &mut Tx,
    connection: ConnectionId,
    transcripts: i64,
    now: OffsetDateTime,
) -> Result<i64, IngestError> {
    sqlx::query_scalar(
        "insert into gong_usage as u (connection_id, organization_id, hour, transcripts)
         values ($1, $2, date_trunc('hour', $4::timestamptz), least($3, 1000000)::int)
         on conflict (connection_id, hour) do update set transcripts = u.transcripts + excluded.transcripts
         returning transcripts::bigint",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(transcripts)
    .bind(now)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting transcripts"))
}

/// How many transcripts are usual for a connection.
#[derive(FromRow, Debug, Clone)]
pub(crate) struct Usual {
    /// Mean of the hours before this one in which any were asked for.
    pub(crate) an_hour: i64,
    /// It was at work in the last day, and before that.
    pub(crate) at_work: bool,
    /// A backfill runs or has just ended.
    pub(crate) backfilled: bool,
    /// When a flood was told of last.
    pub(crate) told_at: Option<OffsetDateTime>,
}

/// What was usual between `since` and this hour; `lately` divides the last day from the time before.
pub(crate) async fn usual_transcripts(
    tx: &mut Tx,
    connection: ConnectionId,
    since: OffsetDateTime,
    lately: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Usual, IngestError> {
    sqlx::query_as(
        "select coalesce(avg(u.transcripts) filter (where u.transcripts > 0), 0)::bigint as an_hour,
                coalesce(bool_or(u.fresh > 0 and u.hour >= $4) and bool_or(u.fresh > 0 and u.hour < $4), false) as at_work,
                exists (select from gong_runs r where r.organization_id = $2 and r.connection_id = $1 and r.kind = 'backfill'
                    and (r.state = 'running' or r.finished_at > $4)) as backfilled,
                (select s.flood_told_at from gong_schedules s where s.organization_id = $2 and s.connection_id = $1) as told_at
         from gong_usage u
         where u.organization_id = $2 and u.connection_id = $1 and u.hour >= $3
            and u.hour < date_trunc('hour', $5::timestamptz)",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(since)
    .bind(lately)
    .bind(now)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("looking up how many transcripts are usual"))
}

/// Notes when a flood of transcripts was told of.
pub(crate) async fn flood_told(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_schedules set flood_told_at = $3 where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("noting a flood of transcripts"))
}
