//! Looking after the queue: its tables, what is due, what workers left behind, what is old.

use std::time::Duration;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::{Lane, QueueError};

/// How many rows one sweep of [`tidy`] deletes from each table.
const SWEEP: i64 = 5_000;

/// apalis takes one job at a time by a statement that PostgreSQL plans for a tenth of all that wait, as it does not know how many
/// are wanted: all of them sorted, and the whole table hashed, for one. Without these ways it goes along the index that apalis made
/// for it, and stops. After each of apalis' migrations, because one that replaces the function takes its settings away.
const ALONG_THE_INDEX: &str = "
do $$
declare
    taking regprocedure := to_regprocedure('apalis.get_jobs(text, text, integer)');
    way text;
begin
    if (select proconfig is null from pg_proc where oid = taking) then
        foreach way in array array['sort', 'seqscan', 'bitmapscan', 'hashjoin', 'mergejoin'] loop
            execute format('alter function %s set enable_%s = off', taking, way);
        end loop;
    end if;
end $$";

/// Creates or updates apalis' own tables; goes before our migrations, which build on them.
///
/// # Errors
/// When the database cannot be reached or the user may not create a schema or the extensions `pgcrypto` and `hstore`.
pub async fn setup(pool: &PgPool) -> Result<(), sqlx::Error> {
    apalis_postgres::PostgresStorage::<()>::setup(pool).await.map_err(|error| match error {
        apalis_postgres::Error::Database(source) => source,
        other => sqlx::Error::Configuration(Box::new(other)),
    })?;
    sqlx::raw_sql(ALONG_THE_INDEX).execute(pool).await.map(|_| ())
}

/// Says on a worker's connection after how long without a sign of life workers are gone; the guards in the database need it.
///
/// # Errors
/// When the database fails.
pub async fn gone_after(conn: &mut PgConnection, time: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('soundpost.gone_after', $1, false)")
        .bind(time.as_secs_f64().to_string())
        .execute(conn)
        .await
        .map(|_| ())
}

/// What waits and runs in one lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneCounts {
    /// The word of the lane.
    pub lane: &'static str,
    /// Jobs that are due and wait for a worker.
    pub due: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the oldest due job has waited, in seconds; 0 when none is due.
    pub oldest_due_seconds: f64,
}

/// The queue in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// Every lane, empty ones too.
    pub lanes: Vec<LaneCounts>,
    /// Dead letters that nobody has closed.
    pub dead_letters: i64,
}

/// Counts live jobs and open dead letters; needs a transaction of the fleet, or the pool's own user.
///
/// # Errors
/// When the database fails.
pub async fn counts(conn: &mut PgConnection) -> Result<Counts, QueueError> {
    let rows: Vec<(String, i64, i64, i64, f64)> = sqlx::query_as(
        "select job_type,
            count(*) filter (where status = 'Pending' and run_at <= now()),
            count(*) filter (where status = 'Pending' and run_at > now()),
            count(*) filter (where status in ('Queued', 'Running')),
            coalesce(extract(epoch from now() - min(run_at) filter (where status = 'Pending' and run_at <= now())), 0)::float8
         from apalis.jobs where status in ('Pending', 'Queued', 'Running') group by job_type",
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(QueueError::while_doing("counting jobs"))?;
    let dead_letters: i64 = sqlx::query_scalar("select count(*) from dead_letters where state = 'dead'")
        .fetch_one(conn)
        .await
        .map_err(QueueError::while_doing("counting dead letters"))?;
    let lanes = Lane::ALL.into_iter().map(|lane| {
        let found = rows.iter().find(|row| row.0 == lane.as_str());
        let (due, scheduled, running, oldest) =
            found.map_or((0, 0, 0, 0.0), |row| (row.1, row.2, row.3, row.4));
        LaneCounts { lane: lane.as_str(), due, scheduled, running, oldest_due_seconds: oldest }
    });
    Ok(Counts { lanes: lanes.collect(), dead_letters })
}

/// How long until the next waiting job of each lane is due; zero when one is due now, absent for a lane where none waits.
///
/// # Errors
/// When the database fails.
pub async fn due_in(pool: &PgPool) -> Result<Vec<(Lane, Duration)>, QueueError> {
    let names: Vec<&str> = Lane::ALL.iter().map(|lane| lane.as_str()).collect();
    let rows: Vec<(String, Option<f64>)> = sqlx::query_as(
        "select lane, (
            select extract(epoch from j.run_at - clock_timestamp())::float8 from apalis.jobs j
            where j.job_type = lane and j.status = 'Pending' order by j.run_at limit 1)
         from unnest($1::text[]) as lane",
    )
    .bind(names)
    .fetch_all(pool)
    .await
    .map_err(QueueError::while_doing("looking for due jobs"))?;
    let seconds = |s: f64| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX);
    Ok(rows.into_iter().filter_map(|(lane, s)| Some((Lane::parse(&lane)?, seconds(s?)))).collect())
}

/// Gives back the jobs that `worker` took at least `older_than` ago, except those in `except`; no attempt is counted.
///
/// # Errors
/// When the database fails.
pub async fn hand_back(
    pool: &PgPool,
    worker: &str,
    except: &[String],
    older_than: Duration,
) -> Result<u64, QueueError> {
    let given: i64 = sqlx::query_scalar("select soundpost_hand_back_jobs($1, $2, $3)")
        .bind(worker)
        .bind(except)
        .bind(older_than.as_secs_f64())
        .fetch_one(pool)
        .await
        .map_err(QueueError::while_doing("handing jobs back"))?;
    Ok(given.unsigned_abs())
}

/// Deletes done jobs after a day, killed ones after seven (their dead letters stay), and workers not seen for a day that
/// hold nothing. At most 5,000 rows each, so that one sweep stays short; says how many rows went.
///
/// # Errors
/// When the database fails.
pub async fn tidy(pool: &PgPool) -> Result<u64, QueueError> {
    let mut gone = 0;
    for statement in [
        "delete from apalis.jobs where id in (
            select id from apalis.jobs where status = 'Done' and done_at < now() - interval '1 day' limit $1)",
        "delete from apalis.jobs where id in (
            select id from apalis.jobs where status = 'Killed' and done_at < now() - interval '7 days' limit $1)",
        "delete from apalis.workers where id in (
            select w.id from apalis.workers w where w.last_seen < now() - interval '1 day'
                and not exists (select from apalis.jobs j where j.lock_by = w.id)
            limit $1)",
    ] {
        let done = sqlx::query(statement)
            .bind(SWEEP)
            .execute(pool)
            .await
            .map_err(QueueError::while_doing("deleting old jobs and workers"))?;
        gone += done.rows_affected();
    }
    Ok(gone)
}

/// Writes that the process `name` lives.
///
/// # Errors
/// When the database fails.
pub async fn heartbeat(pool: &PgPool, name: &str) -> Result<(), QueueError> {
    sqlx::query(
        "insert into worker_heartbeats (name, started_at, seen_at) values ($1, now(), now())
         on conflict (name) do update set seen_at = now()",
    )
    .bind(name)
    .execute(pool)
    .await
    .map(|_| ())
    .map_err(QueueError::while_doing("writing a sign of life"))
}

/// How many seconds ago any process last gave a sign of life; `None` when none is known.
///
/// # Errors
/// When the database fails.
pub async fn last_heartbeat(pool: &PgPool) -> Result<Option<f64>, QueueError> {
    sqlx::query_scalar("select extract(epoch from now() - max(seen_at))::float8 from worker_heartbeats")
        .fetch_one(pool)
        .await
        .map_err(QueueError::while_doing("reading signs of life"))
}

/// How many processes gave a sign of life lately; they beat every ten seconds.
///
/// # Errors
/// When the database fails.
pub async fn living(conn: &mut PgConnection) -> Result<i64, QueueError> {
    sqlx::query_scalar("select count(*) from worker_heartbeats where seen_at > now() - interval '30 seconds'")
        .fetch_one(conn)
        .await
        .map_err(QueueError::while_doing("counting signs of life"))
}

/// How many seconds ago any process last gave a sign of life, and a job last ended well; `None` when none is known (done jobs are
/// kept for a day).
///
/// # Errors
/// When the database fails.
pub async fn last_signs(pool: &PgPool) -> Result<(Option<f64>, Option<f64>), QueueError> {
    sqlx::query_as(
        "select (select extract(epoch from now() - max(seen_at)) from worker_heartbeats)::float8,
            (select extract(epoch from now() - max(done_at)) from apalis.jobs where status = 'Done')::float8",
    )
    .fetch_one(pool)
    .await
    .map_err(QueueError::while_doing("looking for the last sign of life and the last job that ended well"))
}

/// Forgets a process that ends well, and those that have not been seen for a day.
///
/// # Errors
/// When the database fails.
pub async fn farewell(pool: &PgPool, name: &str) -> Result<(), QueueError> {
    sqlx::query("delete from worker_heartbeats where name = $1 or seen_at < now() - interval '1 day'")
        .bind(name)
        .execute(pool)
        .await
        .map(|_| ())
        .map_err(QueueError::while_doing("forgetting a process"))
}
