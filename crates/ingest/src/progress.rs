//! How far a backfill is, how long it will take, and what one would cost.

use db::Tx;
use kernel::{Ambient, ConnectionId, Lookback, RunId, RunKind, RunState};
use time::OffsetDateTime;

use crate::{
    Defaults, IngestError, budget, counts,
    store::{ledger, runs},
};

/// How far a backfill is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Which run.
    pub run: RunId,
    /// Whether it runs.
    pub state: RunState,
    /// The oldest moment that is looked at.
    pub from: OffsetDateTime,
    /// The newest.
    pub to: OffsetDateTime,
    /// The length of that in days.
    pub days: i64,
    /// Calls that Gong says lie in it; unknown before its first answer.
    pub total: Option<i64>,
    /// Calls listed so far.
    pub listed: i64,
    /// Of these, calls that were not here before.
    pub calls_new: i64,
    /// Private calls that were left out.
    pub skipped_private: i64,
    /// Transcripts stored.
    pub transcripts_stored: i64,
    /// Transcripts that were not asked for yet.
    pub transcripts_open: i64,
    /// 0 to 100; never goes back.
    pub percent: f64,
    /// Calls per second, finished ones, since the beginning.
    pub rate_per_second: Option<f64>,
    /// Seconds to the end at this rate.
    pub eta_seconds: Option<i64>,
    /// Requests made to Gong.
    pub requests_used: i64,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Why it failed.
    pub error_code: Option<String>,
}

/// The newest backfill of a connection; `None` when there never was one.
///
/// # Errors
/// When the database fails.
pub async fn backfill_progress(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<Option<Progress>, IngestError> {
    let Some(run) = runs::newest(tx, connection, RunKind::Backfill).await? else { return Ok(None) };
    let state: RunState = run.state.parse().map_err(|_| IngestError::Damaged { what: "state of a run" })?;
    let open = if state == RunState::Running { ledger::wanted(tx, connection, 1).await? } else { 0 };
    let listed = i64::from(run.total.map_or(run.listed, |total| run.listed.min(total)));
    let elapsed = (run.finished_at.unwrap_or(now) - run.created_at).as_seconds_f64();
    let share = f64::from(run.progress) / 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are small")]
    let finished = (listed - open).max(0) as f64;
    let rate = (elapsed >= 1.0).then(|| finished / elapsed).filter(|rate| *rate > 0.0);
    #[expect(clippy::cast_possible_truncation, reason = "a number of seconds")]
    let eta =
        (state == RunState::Running && share > 0.01).then(|| ((1.0 - share) / share * elapsed).ceil() as i64);
    Ok(Some(Progress {
        run: run.id,
        state,
        from: run.from_at,
        to: run.to_at,
        days: (run.to_at - run.from_at).whole_days(),
        total: run.total.map(i64::from),
        listed,
        calls_new: run.calls_new.into(),
        skipped_private: run.skipped_private.into(),
        transcripts_stored: run.transcripts_stored.into(),
        transcripts_open: open,
        percent: share * 100.0,
        rate_per_second: rate,
        eta_seconds: eta,
        requests_used: run.requests.into(),
        started_at: run.created_at,
        finished_at: run.finished_at,
        error_code: run.error_code,
    }))
}

/// How far the run is after a page with `rows` calls: half of the work is listing, half is transcripts.
pub(crate) async fn estimate_thousandths(
    tx: &mut Tx,
    connection: ConnectionId,
    run: &runs::Run,
    lane: i16,
    rows: usize,
    total: Option<u64>,
) -> Result<i32, IngestError> {
    if lane == 0 {
        return Ok(0);
    }
    let total = run.total.map(i64::from).or_else(|| total.and_then(|t| i64::try_from(t).ok()));
    let listed = i64::from(run.listed) + i64::try_from(rows).unwrap_or(0);
    let open = ledger::wanted_in_all(tx, connection).await?;
    Ok(thousandths(listed, open, total))
}

fn thousandths(listed: i64, open: i64, total: Option<i64>) -> i32 {
    let Some(total) = total.filter(|total| *total > 0) else { return 0 };
    let listed = listed.min(total);
    let done = listed + (listed - open).max(0);
    i32::try_from(done * 1000 / (2 * total)).unwrap_or(999).clamp(0, 999)
}

/// Adds transcripts to the running backfill.
pub(crate) async fn transcripts_came(
    tx: &mut Tx,
    connection: ConnectionId,
    stored: i64,
) -> Result<(), IngestError> {
    let Some(run) = runs::live(tx, connection, RunKind::Backfill).await? else { return Ok(()) };
    let open = ledger::wanted_in_all(tx, connection).await?;
    let progress = thousandths(run.listed.into(), open, run.total.map(i64::from));
    runs::step(tx, run.id, &runs::Step { transcripts_stored: stored, progress, ..runs::Step::default() })
        .await?;
    Ok(())
}

/// Ends the running backfill when everything was listed and every transcript was asked for once.
pub(crate) async fn finish_backfill(
    tx: &mut Tx,
    connection: ConnectionId,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    let Some(run) = runs::live(tx, connection, RunKind::Backfill).await? else { return Ok(()) };
    let listing = runs::next_window(tx, run.id).await?.is_some();
    if !listing && !ledger::any_wanted(tx, connection, 1).await? {
        runs::finish(tx, run.id, RunState::Done, None, ambient.now()).await?;
        tx.announce("progress").await?;
    }
    Ok(())
}

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// Its id.
    pub id: RunId,
    /// Poll, backfill or sweep.
    pub kind: RunKind,
    /// Whether it runs.
    pub state: RunState,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Requests made to Gong.
    pub requests: i64,
    /// Calls listed.
    pub listed: i64,
    /// Calls that were new.
    pub calls_new: i64,
    /// Private calls that were left out.
    pub skipped_private: i64,
    /// Transcripts stored.
    pub transcripts_stored: i64,
    /// Why it failed.
    pub error_code: Option<String>,
}

/// The last runs of a connection, newest first, at most 50.
///
/// # Errors
/// When the database fails.
pub async fn recent_runs(
    tx: &mut Tx,
    connection: ConnectionId,
    limit: i64,
) -> Result<Vec<RunLine>, IngestError> {
    let rows = runs::recent(tx, connection, limit.clamp(1, 50)).await?;
    rows.into_iter()
        .map(|(kind, run)| {
            Ok(RunLine {
                id: run.id,
                kind: kind.parse().map_err(|_| IngestError::Damaged { what: "kind of a run" })?,
                state: run.state.parse().map_err(|_| IngestError::Damaged { what: "state of a run" })?,
                created_at: run.created_at,
                finished_at: run.finished_at,
                requests: run.requests.into(),
                listed: run.listed.into(),
                calls_new: run.calls_new.into(),
                skipped_private: run.skipped_private.into(),
                transcripts_stored: run.transcripts_stored.into(),
                error_code: run.error_code,
            })
        })
        .collect()
}

/// What is known of a backfill before it starts. How many calls there are only Gong knows, and it says so on the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The length of the history.
    pub days: i64,
    /// Calls that are already here; they cost no transcript again.
    pub calls_known: Option<i64>,
    /// Requests that even an empty history costs.
    pub requests_at_least: i64,
    /// Requests for each thousand calls: pages of 100 and transcripts in batches.
    pub per_1000_calls_requests: i64,
    /// Seconds for each thousand calls at the configured pace.
    pub per_1000_calls_seconds: i64,
    /// Requests that backfills may still make within the last 24 hours' budget.
    pub budget_left_today: i64,
}

/// What a backfill of `history` would cost, as far as that is known.
///
/// # Errors
/// When the database fails.
pub async fn estimate(
    tx: &mut Tx,
    connection: Option<ConnectionId>,
    history: Lookback,
    defaults: &Defaults,
    now: OffsetDateTime,
) -> Result<Estimate, IngestError> {
    let (known, used) = match connection {
        Some(id) => {
            let known = counts(tx, id).await?.calls();
            (Some(known), budget::budget(tx, id, defaults, now).await?.used_last_24h)
        }
        None => (None, 0),
    };
    let batch = i64::try_from(defaults.transcript_batch.max(1)).unwrap_or(100);
    let requests = 10 + (1000 + batch - 1) / batch;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a number of seconds")]
    let seconds = (requests as f64 / defaults.per_second).ceil() as i64;
    Ok(Estimate {
        days: history.get(),
        calls_known: known,
        requests_at_least: 1,
        per_1000_calls_requests: requests,
        per_1000_calls_seconds: seconds,
        budget_left_today: (budget::limit(defaults.per_day, gong::Purpose::Backfill) - used).max(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_is_half_of_the_work_and_the_end_is_never_claimed_early() {
        assert_eq!(thousandths(0, 0, None), 0);
        assert_eq!(thousandths(100, 100, Some(100)), 500);
        assert_eq!(thousandths(100, 50, Some(100)), 750);
        assert_eq!(thousandths(100, 0, Some(100)), 999);
        assert_eq!(thousandths(500, 0, Some(100)), 999);
    }
}
