//! Beginning and ending: what a door calls when a connection is made, paused or ended, and when a person asks for more.

use db::Tx;
use kernel::{Ambient, ConnectionId, Lookback, RunId, RunKind, RunState};
use queue::{Lane, NewJob};
use time::OffsetDateTime;

use crate::{
    Defaults, IngestError,
    rules::{SWEEP_EVERY, task},
    schedule,
    store::{ledger, runs, schedules, usage},
    window::Window,
};

/// Begins to ingest for a connection that was just made: its schedule, its history, its first poll.
///
/// Without history nothing before this moment is ever imported. A reconnected one goes on where it stopped: the first
/// poll reaches back over the gap.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    tx: &mut Tx,
    connection: ConnectionId,
    history: Option<Lookback>,
    reconnected: bool,
    defaults: &Defaults,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    let now = ambient.now();
    let before = schedules::load(tx, connection).await?;
    let floor = history.map_or(now, |days| now - days.duration());
    let every = schedule::every(before.as_ref(), defaults);
    let next_poll_at = schedule::next_slot(connection, every, now);
    let sweep_every = std::time::Duration::from_secs(SWEEP_EVERY.whole_seconds().unsigned_abs());
    let next_sweep_at = schedule::next_slot(connection, sweep_every, now);
    schedules::upsert(tx, connection, floor, next_poll_at, next_sweep_at).await?;
    usage::leave_room(tx, connection).await?;
    if let Some(history) = history {
        cancel_backfill(tx, connection, ambient).await?;
        start_at(tx, connection, history, now, ambient).await?;
    }
    if history.is_none() || reconnected {
        wake(tx, task::POLL, Lane::Fresh, connection, None).await?;
    }
    if reconnected {
        if history.is_none() {
            ledger::freshen(tx, connection).await?;
        }
        resume_jobs(tx, connection, ambient).await?;
    }
    Ok(())
}

/// Keeps everybody from asking the company before this moment, because it said so.
///
/// # Errors
/// When the database fails.
pub async fn hold_company(
    tx: &mut Tx,
    connection: ConnectionId,
    until: OffsetDateTime,
) -> Result<(), IngestError> {
    usage::hold(tx, connection, until, "rate_limited").await
}

/// Stops or restarts all work for a connection. A backfill that was running goes on when it is active again.
///
/// # Errors
/// When the database fails.
pub async fn set_active(
    tx: &mut Tx,
    connection: ConnectionId,
    active: bool,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    schedules::set_active(tx, connection, active).await?;
    if active {
        wake(tx, task::POLL, Lane::Fresh, connection, None).await?;
        resume_jobs(tx, connection, ambient).await?;
    } else {
        queue::cancel(tx, connection.uuid()).await?;
    }
    tx.announce("progress").await?;
    Ok(())
}

async fn resume_jobs(
    tx: &mut Tx,
    connection: ConnectionId,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    if runs::live(tx, connection, RunKind::Backfill).await?.is_some() {
        wake(tx, task::BACKFILL, Lane::Bulk, connection, None).await?;
    }
    wake_transcripts(tx, connection, RunKind::Poll).await?;
    wake_transcripts(tx, connection, RunKind::Backfill).await?;
    wake(tx, task::CONFIRM, Lane::Upkeep, connection, Some(ambient.now())).await
}

/// Looks for new calls at once; false when a look is already waiting or running.
///
/// # Errors
/// When the database fails.
pub async fn poll_now(tx: &mut Tx, connection: ConnectionId) -> Result<bool, IngestError> {
    let schedule = schedules::load(tx, connection).await?;
    if !schedule.is_some_and(|s| s.active) {
        return Err(IngestError::Inactive);
    }
    let job = job(tx, task::POLL, Lane::Fresh, connection, None);
    Ok(queue::enqueue(tx, &job).await?)
}

/// Imports the calls of the last days; the first steps come at once.
///
/// # Errors
/// When one is running, the connection is not active, or the database fails.
pub async fn start_backfill(
    tx: &mut Tx,
    connection: ConnectionId,
    history: Lookback,
    ambient: &dyn Ambient,
) -> Result<RunId, IngestError> {
    start_at(tx, connection, history, ambient.now(), ambient).await
}

/// The first moment of the history is also the import floor, to the microsecond.
async fn start_at(
    tx: &mut Tx,
    connection: ConnectionId,
    history: Lookback,
    now: OffsetDateTime,
    ambient: &dyn Ambient,
) -> Result<RunId, IngestError> {
    let window = Window { from: now - history.duration(), to: now };
    let Some(schedule) = schedules::load(tx, connection).await?.filter(|s| s.active) else {
        return Err(IngestError::Inactive);
    };
    schedules::upsert(tx, connection, window.from, schedule.next_poll_at, schedule.next_sweep_at).await?;
    let run = RunId::mint(ambient);
    if !runs::begin(tx, connection, run, RunKind::Backfill, window, now).await? {
        return Err(IngestError::BackfillRunning);
    }
    wake(tx, task::BACKFILL, Lane::Bulk, connection, None).await?;
    tx.announce("progress").await?;
    Ok(run)
}

/// Lets a backfill that failed go on where it stopped; false when there is none that could.
///
/// # Errors
/// When the database fails.
pub async fn resume_backfill(tx: &mut Tx, connection: ConnectionId) -> Result<bool, IngestError> {
    let goes_on = runs::reopen_backfill(tx, connection).await?;
    if goes_on {
        wake(tx, task::BACKFILL, Lane::Bulk, connection, None).await?;
        tx.announce("progress").await?;
    }
    Ok(goes_on)
}

/// Stops the running backfill; what it brought stays. False when none was running.
///
/// # Errors
/// When the database fails.
pub async fn cancel_backfill(
    tx: &mut Tx,
    connection: ConnectionId,
    ambient: &dyn Ambient,
) -> Result<bool, IngestError> {
    let Some(run) = runs::live(tx, connection, RunKind::Backfill).await? else { return Ok(false) };
    let ended = runs::finish(tx, run.id, RunState::Cancelled, None, ambient.now()).await?;
    tx.announce("progress").await?;
    Ok(ended)
}

/// Ends a run that cannot go on. The next poll or sweep begins anew; a backfill keeps its place, for whoever lets it go on.
///
/// # Errors
/// When the database fails.
pub async fn give_up(
    tx: &mut Tx,
    connection: ConnectionId,
    kind: RunKind,
    code: &str,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    let Some(run) = runs::live(tx, connection, kind).await? else { return Ok(()) };
    if kind == RunKind::Backfill {
        runs::give_up(tx, run.id, code, ambient.now()).await?;
    } else {
        runs::finish(tx, run.id, RunState::Failed, Some(code), ambient.now()).await?;
    }
    Ok(tx.announce("progress").await?)
}

/// Wakes the worker that fetches transcripts: in the lane of the work that made them wanted.
///
/// # Errors
/// When the database fails.
pub(crate) async fn wake_transcripts(
    tx: &mut Tx,
    connection: ConnectionId,
    kind: RunKind,
) -> Result<(), IngestError> {
    let (task, lane) = match kind {
        RunKind::Backfill => (task::BACKFILL_TRANSCRIPTS, Lane::Bulk),
        RunKind::Poll | RunKind::Sweep => (task::TRANSCRIPTS, Lane::Fresh),
    };
    wake(tx, task, lane, connection, None).await
}

/// Notes in the job that does it that listing or fetching for a connection got somewhere.
pub(crate) async fn progressed(
    tx: &mut Tx,
    task: &'static str,
    connection: ConnectionId,
) -> Result<(), IngestError> {
    Ok(queue::progressed(tx, &key(task, connection)).await?)
}

/// Sends a wake-up; harmless when one is already there.
pub(crate) async fn wake(
    tx: &mut Tx,
    kind: &'static str,
    lane: Lane,
    connection: ConnectionId,
    at: Option<OffsetDateTime>,
) -> Result<(), IngestError> {
    let job = job(tx, kind, lane, connection, at);
    queue::enqueue(tx, &job).await?;
    Ok(())
}

/// The key of a connection's job of a kind; one such job lives at a time.
pub(crate) fn key(kind: &str, connection: ConnectionId) -> String {
    format!("{kind}:{connection}")
}

fn job(
    tx: &Tx,
    kind: &'static str,
    lane: Lane,
    connection: ConnectionId,
    at: Option<OffsetDateTime>,
) -> NewJob {
    let organization = tx.scope().organization();
    let job = NewJob::new(lane, kind, organization, connection.uuid(), key(kind, connection))
        .trace(tx.trace().map(str::to_owned));
    match at {
        Some(at) => job.at(at),
        None => job,
    }
}
