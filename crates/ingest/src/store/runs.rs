//! Tables `gong_runs` and `gong_windows`.

use db::Tx;
use kernel::{ConnectionId, RunId, RunKind, RunState};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{
    IngestError,
    window::{Origin, Stored, Window},
};

#[derive(FromRow, Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) from_at: OffsetDateTime,
    pub(crate) to_at: OffsetDateTime,
    pub(crate) state: String,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) requests: i32,
    pub(crate) total: Option<i32>,
    pub(crate) listed: i32,
    pub(crate) calls_new: i32,
    pub(crate) skipped_private: i32,
    pub(crate) transcripts_stored: i32,
    pub(crate) progress: i32,
    pub(crate) error_code: Option<String>,
}

/// The newest run of a kind.
pub(crate) async fn newest(
    tx: &mut Tx,
    connection: ConnectionId,
    kind: RunKind,
) -> Result<Option<Run>, IngestError> {
    sqlx::query_as(
        "select id, from_at, to_at, state, created_at, finished_at, requests, total, listed, calls_new, skipped_private,
                transcripts_stored, progress, error_code
         from gong_runs where organization_id = $1 and connection_id = $2 and kind = $3
         order by created_at desc limit 1",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(kind.as_str())
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("finding the newest run"))
}

/// The run of a kind that has not ended.
pub(crate) async fn live(
    tx: &mut Tx,
    connection: ConnectionId,
    kind: RunKind,
) -> Result<Option<Run>, IngestError> {
    let newest = newest(tx, connection, kind).await?;
    Ok(newest.filter(|run| run.state == RunState::Running.as_str()))
}

/// Begins a run over one window; false when one of its kind has not ended.
pub(crate) async fn begin(
    tx: &mut Tx,
    connection: ConnectionId,
    id: RunId,
    kind: RunKind,
    window: Window,
    now: OffsetDateTime,
) -> Result<bool, IngestError> {
    let begun = sqlx::query(
        "insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at)
         values ($1, $2, $3, $4, 'running', $5, $6, $7)
         on conflict (connection_id, kind) where state = 'running' do nothing",
    )
    .bind(id)
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(kind.as_str())
    .bind(window.from)
    .bind(window.to)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("beginning a run"))?;
    if begun.rows_affected() == 0 {
        return Ok(false);
    }
    add_window(tx, id, &Stored::whole(window, 0)).await?;
    Ok(true)
}

/// Stores a window; one that begins at the same moment grows. What was cut off is remembered only where both agree on it.
pub(crate) async fn add_window(tx: &mut Tx, run: RunId, stored: &Stored) -> Result<(), IngestError> {
    let Stored { window, walked_again, origin } = *stored;
    sqlx::query(
        "insert into gong_windows
            (run_id, organization_id, from_at, to_at, walked_again, whole_from_at, whole_to_at, remaining)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (run_id, from_at) do update set to_at = greatest(gong_windows.to_at, excluded.to_at),
            walked_again = greatest(gong_windows.walked_again, excluded.walked_again),
            whole_from_at = excluded.whole_from_at, whole_to_at = excluded.whole_to_at, remaining = excluded.remaining",
    )
    .bind(run)
    .bind(tx.scope().organization())
    .bind(window.from)
    .bind(window.to)
    .bind(walked_again)
    .bind(origin.map(|origin| origin.whole.from))
    .bind(origin.map(|origin| origin.whole.to))
    .bind(origin.map(|origin| origin.remaining))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("adding a window"))
}

pub(crate) async fn remove_window(tx: &mut Tx, run: RunId, from: OffsetDateTime) -> Result<(), IngestError> {
    sqlx::query("delete from gong_windows where organization_id = $1 and run_id = $2 and from_at = $3")
        .bind(tx.scope().organization())
        .bind(run)
        .bind(from)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(IngestError::db("finishing a window"))
}

/// The newest window that is still to be listed.
pub(crate) async fn next_window(tx: &mut Tx, run: RunId) -> Result<Option<Stored>, IngestError> {
    #[derive(FromRow)]
    struct Line {
        from_at: OffsetDateTime,
        to_at: OffsetDateTime,
        walked_again: i32,
        whole_from_at: Option<OffsetDateTime>,
        whole_to_at: Option<OffsetDateTime>,
        remaining: Option<i64>,
    }
    let line: Option<Line> = sqlx::query_as(
        "select from_at, to_at, walked_again, whole_from_at, whole_to_at, remaining from gong_windows
         where organization_id = $1 and run_id = $2 order by to_at desc limit 1",
    )
    .bind(tx.scope().organization())
    .bind(run)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("finding the next window"))?;
    Ok(line.map(|line| Stored {
        window: Window { from: line.from_at, to: line.to_at },
        walked_again: line.walked_again,
        origin: line
            .whole_from_at
            .zip(line.whole_to_at)
            .zip(line.remaining)
            .map(|((from, to), remaining)| Origin { whole: Window { from, to }, remaining }),
    }))
}

/// What a step adds to a run.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) requests: i32,
    pub(crate) total: Option<i32>,
    pub(crate) listed: i32,
    pub(crate) calls_new: i64,
    pub(crate) skipped_private: i64,
    pub(crate) transcripts_stored: i64,
    /// In thousandths.
    pub(crate) progress: i32,
}

/// Adds a step to a run that has not ended; false when it was cancelled meanwhile.
pub(crate) async fn step(tx: &mut Tx, run: RunId, step: &Step) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_runs set requests = requests + $3, total = coalesce(total, $4), listed = listed + $5,
            calls_new = calls_new + $6, skipped_private = skipped_private + $7,
            transcripts_stored = transcripts_stored + $8, progress = greatest(progress, least($9, 999))
         where organization_id = $1 and id = $2 and state = 'running'",
    )
    .bind(tx.scope().organization())
    .bind(run)
    .bind(step.requests)
    .bind(step.total)
    .bind(step.listed)
    .bind(i32::try_from(step.calls_new).unwrap_or(i32::MAX))
    .bind(i32::try_from(step.skipped_private).unwrap_or(i32::MAX))
    .bind(i32::try_from(step.transcripts_stored).unwrap_or(i32::MAX))
    .bind(step.progress)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("recording the progress of a run"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends a run; false when it had ended.
pub(crate) async fn finish(
    tx: &mut Tx,
    run: RunId,
    state: RunState,
    error_code: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_runs set state = $3, finished_at = $4, error_code = $5,
            progress = case when $3 = 'done' then 1000 else progress end
         where organization_id = $1 and id = $2 and state = 'running'",
    )
    .bind(tx.scope().organization())
    .bind(run)
    .bind(state.as_str())
    .bind(now)
    .bind(error_code)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("ending a run"))?;
    sqlx::query("delete from gong_windows where organization_id = $1 and run_id = $2")
        .bind(tx.scope().organization())
        .bind(run)
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("removing the windows of a run"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends a run as failed and keeps what is still to be listed, so that it can go on there.
pub(crate) async fn give_up(
    tx: &mut Tx,
    run: RunId,
    code: &str,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_runs set state = 'failed', finished_at = $3, error_code = $4
         where organization_id = $1 and id = $2 and state = 'running'",
    )
    .bind(tx.scope().organization())
    .bind(run)
    .bind(now)
    .bind(code)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("giving a run up"))
}

/// Lets the newest backfill go on where it failed; false when it did not fail, or has nothing left to list.
pub(crate) async fn reopen_backfill(tx: &mut Tx, connection: ConnectionId) -> Result<bool, IngestError> {
    let done = sqlx::query(
        "update gong_runs r set state = 'running', finished_at = null, error_code = null
         where r.organization_id = $1 and r.state = 'failed'
           and r.id = (select n.id from gong_runs n where n.organization_id = $1 and n.connection_id = $2
                         and n.kind = 'backfill' order by n.created_at desc limit 1)
           and exists (select 1 from gong_windows w where w.organization_id = $1 and w.run_id = r.id)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("letting a backfill go on"))?;
    Ok(done.rows_affected() == 1)
}

/// The last runs, newest first.
pub(crate) async fn recent(
    tx: &mut Tx,
    connection: ConnectionId,
    most: i64,
) -> Result<Vec<(String, Run)>, IngestError> {
    #[derive(FromRow)]
    struct Line {
        kind: String,
        #[sqlx(flatten)]
        run: Run,
    }
    let lines: Vec<Line> = sqlx::query_as(
        "select kind, id, from_at, to_at, state, created_at, finished_at, requests, total, listed, calls_new,
                skipped_private, transcripts_stored, progress, error_code
         from gong_runs where organization_id = $1 and connection_id = $2 order by created_at desc limit $3",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("listing runs"))?;
    Ok(lines.into_iter().map(|line| (line.kind, line.run)).collect())
}
