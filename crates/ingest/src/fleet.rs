//! What is due over all organizations, and claiming it for one.

mod privacy;

use std::time::Duration;

use db::{Db, FleetTx};
use kernel::{ConnectionId, OrganizationId, Scope};
use queue::Lane;
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{
    Defaults, IngestError,
    begin::{key, wake},
    rules::{CONFIRM_AFTER, SWEEP_EVERY, task},
    schedule::{every_of, next_slot},
    store::schedules,
};

pub use privacy::{Chore, chores, send_chore};

/// A connection whose poll or sweep is due.
#[derive(FromRow, Debug, Clone, Copy)]
pub struct Due {
    sweep: bool,
    organization_id: OrganizationId,
    connection_id: ConnectionId,
    due_at: OffsetDateTime,
    poll_every_seconds: Option<i32>,
}

impl Overdue {
    /// Of which connection it is.
    pub const fn connection(&self) -> ConnectionId {
        self.connection_id
    }

    /// The organization and the key of the job that would do it.
    pub fn key(&self) -> (OrganizationId, String) {
        (self.organization_id, key(self.job().0, self.connection_id))
    }

    fn job(&self) -> (&'static str, Lane) {
        match self.task.as_str() {
            "poll" => (task::POLL, Lane::Fresh),
            "sweep" => (task::SWEEP, Lane::Fresh),
            "backfill" => (task::BACKFILL, Lane::Bulk),
            "backfill_transcripts" => (task::BACKFILL_TRANSCRIPTS, Lane::Bulk),
            "confirm" => (task::CONFIRM, Lane::Upkeep),
            _ => (task::TRANSCRIPTS, Lane::Fresh),
        }
    }
}

impl Due {
    /// How late it is.
    pub fn lateness(&self, now: OffsetDateTime) -> Duration {
        (now - self.due_at).try_into().unwrap_or(Duration::ZERO)
    }
}

/// Connections whose poll is due, and those whose sweep is, the oldest first; at most `most` of each.
///
/// # Errors
/// When the database fails.
pub async fn due_looks(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
    most: usize,
) -> Result<(Vec<Due>, Vec<Due>), IngestError> {
    let due: Vec<Due> = sqlx::query_as(
        "select * from (
            select false as sweep, organization_id, connection_id, next_poll_at as due_at, poll_every_seconds
            from gong_schedules where active and next_poll_at <= $1 order by next_poll_at limit $2) polls
         union all select * from (
            select true, organization_id, connection_id, next_sweep_at, poll_every_seconds
            from gong_schedules where active and next_sweep_at <= $1 order by next_sweep_at limit $2) sweeps
         order by 4",
    )
    .bind(now)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(&mut **fleet)
    .await
    .map_err(IngestError::db("finding polls and sweeps that are due"))?;
    Ok(due.into_iter().partition(|due| !due.sweep))
}

/// Sends the poll of a due connection; false when another scheduler did. One poll a slot, however many schedulers.
///
/// # Errors
/// When the database fails.
pub async fn claim_poll(
    db: &Db,
    due: &Due,
    defaults: &Defaults,
    now: OffsetDateTime,
) -> Result<bool, IngestError> {
    let next = next_slot(due.connection_id, every_of(due.poll_every_seconds, defaults), now);
    let mut tx = db.begin(&Scope::job(due.organization_id)).await?;
    let claimed = schedules::claim_poll(&mut tx, due.connection_id, due.due_at, next).await?;
    if claimed {
        wake(&mut tx, task::POLL, Lane::Fresh, due.connection_id, None).await?;
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Sends the sweep of a due connection; false when another scheduler did.
///
/// # Errors
/// When the database fails.
pub async fn claim_sweep(db: &Db, due: &Due, now: OffsetDateTime) -> Result<bool, IngestError> {
    let every = Duration::from_secs(SWEEP_EVERY.whole_seconds().unsigned_abs());
    let next = next_slot(due.connection_id, every, now);
    let mut tx = db.begin(&Scope::job(due.organization_id)).await?;
    let claimed = schedules::claim_sweep(&mut tx, due.connection_id, due.due_at, next).await?;
    if claimed {
        wake(&mut tx, task::SWEEP, Lane::Fresh, due.connection_id, None).await?;
    }
    tx.commit().await?;
    Ok(claimed)
}

/// What was begun and lies still: work whose wake-up may have been lost.
#[derive(FromRow, Debug, Clone)]
pub struct Overdue {
    organization_id: OrganizationId,
    connection_id: ConnectionId,
    task: String,
}

/// Running runs, due transcripts and looks that were not taken, of active connections, whether a job is on its way or not; at
/// most `most`, in a fixed order, those behind `after`.
///
/// # Errors
/// When the database fails.
pub async fn overdue(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
    after: Option<&Overdue>,
    most: i64,
) -> Result<Vec<Overdue>, IngestError> {
    sqlx::query_as(
        "with recursive
         -- From one connection and lane with an open call to the next, by the index: not all their calls are read.
         ledgers (connection_id, lane) as (
            (select connection_id, lane from gong_calls
             where transcript_state in ('wanted', 'waiting') and ($4::uuid is null or connection_id >= $4)
             order by connection_id, lane limit 1)
            union all
            select n.connection_id, n.lane from ledgers l cross join lateral (
                select c.connection_id, c.lane from gong_calls c
                where c.transcript_state in ('wanted', 'waiting') and (c.connection_id, c.lane) > (l.connection_id, l.lane)
                order by c.connection_id, c.lane limit 1) n
         ),
         work as (
            select r.organization_id, r.connection_id, r.kind as task
            from gong_runs r join gong_schedules s on s.connection_id = r.connection_id and s.active
            where r.state = 'running'
            union all
            select s.organization_id, l.connection_id,
                case when l.lane = 1 then 'backfill_transcripts' else 'transcripts' end
            from ledgers l join gong_schedules s on s.connection_id = l.connection_id and s.active
            where (
                select true from gong_calls c
                where c.connection_id = l.connection_id and c.lane = l.lane and c.transcript_state in ('wanted', 'waiting')
                    and (c.next_try_at is null or c.next_try_at <= $1)
                    and (c.lane = 0 or c.transcript_state = 'waiting' or coalesce((
                        select r.state from gong_runs r where r.connection_id = c.connection_id and r.kind = 'backfill'
                        order by r.created_at desc limit 1), '') <> 'cancelled')
                limit 1)
            union all
            select distinct c.organization_id, c.connection_id, 'confirm'
            from gong_calls c join gong_schedules s on s.connection_id = c.connection_id and s.active
            where c.stored_at > c.looked_at and c.stored_at <= $3
         )
         select * from work where $4::uuid is null or (connection_id, task) > ($4, $5)
         order by connection_id, task limit $2",
    )
    .bind(now)
    .bind(most)
    .bind(now - CONFIRM_AFTER)
    .bind(after.map(|after| after.connection_id))
    .bind(after.map(|after| after.task.as_str()))
    .fetch_all(&mut **fleet)
    .await
    .map_err(IngestError::db("finding work that lies still"))
}

/// Sends the wake-up of overdue work again, for `at`; harmless when it was not lost.
///
/// # Errors
/// When the database fails.
pub async fn rewake(db: &Db, overdue: &Overdue, at: OffsetDateTime) -> Result<(), IngestError> {
    let (task, lane) = overdue.job();
    let mut tx = db.begin(&Scope::job(overdue.organization_id)).await?;
    wake(&mut tx, task, lane, overdue.connection_id, Some(at)).await?;
    Ok(tx.commit().await?)
}

/// When the most overdue poll was due; `None` when none is.
///
/// # Errors
/// When the database fails.
pub async fn oldest_due_poll(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, IngestError> {
    sqlx::query_scalar("select min(next_poll_at) from gong_schedules where active and next_poll_at <= $1")
        .bind(now)
        .fetch_one(&mut **fleet)
        .await
        .map_err(IngestError::db("finding the oldest poll that is due"))
}

/// Hours of requests, ended runs and closed losses that are older than this say nothing to anybody.
const KEPT: time::Duration = time::Duration::days(30);
/// Rows of one table that are swept out at once.
const SWEPT_AT_ONCE: i64 = 50_000;

/// Deletes what is old: hours of requests, ended runs but for the newest of each kind, closed losses.
///
/// # Errors
/// When the database fails.
pub async fn sweep_old(fleet: &mut FleetTx, now: OffsetDateTime) -> Result<(), IngestError> {
    for query in [
        "delete from gong_usage where ctid = any(array(select ctid from gong_usage where hour < $1 limit $2))",
        "delete from gong_runs where ctid = any(array(
            select r.ctid from gong_runs r where r.finished_at < $1 and exists (
                select from gong_runs n where n.organization_id = r.organization_id and n.connection_id = r.connection_id
                    and n.kind = r.kind and n.created_at > r.created_at)
            limit $2))",
        "select soundpost_sweep_losses($1, $2)",
    ] {
        sqlx::query(query)
            .bind(now - KEPT)
            .bind(SWEPT_AT_ONCE)
            .execute(&mut **fleet)
            .await
            .map_err(IngestError::db("sweeping out what is old"))?;
    }
    Ok(())
}

/// Companies that may not be asked now: those whose day is used up, and those that Gong told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// As many requests within 24 hours as are allowed.
    pub day: i64,
    /// Gong asked to wait.
    pub held: i64,
}

/// Counts companies that may not be asked now, where `per_day` requests are allowed to each.
///
/// # Errors
/// When the database fails.
pub async fn spent(fleet: &mut FleetTx, per_day: i64, now: OffsetDateTime) -> Result<Spent, IngestError> {
    let (day, held) = sqlx::query_as(
        "select
            (select count(*) from gong_schedules s where (
                select sum(u.fresh + u.backfill) from gong_usage u
                where u.connection_id = s.connection_id and u.hour > $2 - interval '24 hours') >= $1),
            (select count(*) from gong_budgets where held_until > $2)",
    )
    .bind(per_day)
    .bind(now)
    .fetch_one(&mut **fleet)
    .await
    .map_err(IngestError::db("counting companies that may not be asked"))?;
    Ok(Spent { day, held })
}
