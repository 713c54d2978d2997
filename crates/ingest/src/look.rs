//! A second look at calls by their ids: whether they are still public, and still there.
//!
//! What is private by then is purged; what is no longer listed is marked.

use std::collections::HashMap;

use db::Tx;
use gong::{CallFilter, CallPage, Cursor, Purpose, Turn};
use kernel::{CallId, RunKind};
use queue::Lane;

use crate::{
    IngestError, Work,
    begin::{progressed, wake},
    fetch::{Fetch, Fetched},
    keep::{self, Rules},
    purge::SECOND_LOOK_AFTER,
    rules::task,
    store::{calls, relook, runs, schedules},
};

/// Looks again at calls whose transcripts were stored without a later look; one batch.
///
/// # Errors
/// What Gong answered, or the database failed.
pub async fn confirm(work: &Work<'_>) -> Result<Fetched, IngestError> {
    let fetch = Fetch { work, purpose: Purpose::Fresh };
    let mut tx = work.begin().await?;
    let unconfirmed = calls::unconfirmed(&mut tx, work.connection, 100).await?;
    drop(tx);
    if unconfirmed.is_empty() {
        return Ok(Fetched::Idle(None));
    }
    fetch.look(&unconfirmed, None, task::CONFIRM).await?;
    Ok(Fetched::More)
}

/// What a look at calls by their ids showed.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Those that are public.
    pub(crate) public: Vec<CallId>,
    /// Those that Gong does not list.
    pub(crate) missing: Vec<CallId>,
    /// How many turned out to be private.
    hidden_new: i64,
    /// Pages that were asked for.
    requests: i32,
}

/// Takes a new look at calls; purges those that are private now, and marks those that are not listed. It is progress of the
/// job that does this task.
pub(crate) async fn look_at(
    work: &Work<'_>,
    purpose: Purpose,
    came: &[(CallId, String)],
    mut turn: Option<Turn>,
    task: &'static str,
) -> Result<Looked, IngestError> {
    let mut rest: HashMap<&str, CallId> = came.iter().map(|(id, gong_id)| (gong_id.as_str(), *id)).collect();
    let ids: Vec<String> = came.iter().map(|(_, gong_id)| gong_id.clone()).collect();
    let filter = CallFilter::ids(ids).map_err(|_| IngestError::Damaged { what: "a batch of ids" })?;
    let mut cursor: Option<Cursor> = None;
    let mut looked = Looked::default();
    loop {
        let page = match turn.take() {
            Some(turn) => work.list_calls_in(turn, &filter, cursor.as_ref()).await,
            None => work.list_calls(&filter, cursor.as_ref(), purpose).await,
        };
        let page = page.map_err(IngestError::Gong)?;
        looked.requests += 1;
        if !take(work, purpose, &page, &mut rest, &mut looked).await? {
            return Ok(Looked::default());
        }
        match page.next.filter(|next| cursor.as_ref() != Some(next)) {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    looked.missing = rest.into_values().collect();
    let mut tx = work.begin().await?;
    calls::missing(&mut tx, &looked.missing, work.ambient.now()).await?;
    if !looked.missing.is_empty() {
        let at = work.ambient.now() + SECOND_LOOK_AFTER;
        wake(&mut tx, task::RECHECK, Lane::Upkeep, work.connection, Some(at)).await?;
    }
    progressed(&mut tx, task, work.connection).await?;
    tx.commit().await?;
    Ok(looked)
}

/// Keeps what a page shows; false when there is no schedule any longer.
async fn take(
    work: &Work<'_>,
    purpose: Purpose,
    page: &CallPage,
    rest: &mut HashMap<&str, CallId>,
    looked: &mut Looked,
) -> Result<bool, IngestError> {
    let mut tx = work.begin().await?;
    let Some(schedule) = schedules::load(&mut tx, work.connection).await? else { return Ok(false) };
    let floor = work.shroud.floor(schedule.import_floor, work.ambient.now());
    let rules = Rules { floor, workspaces: schedule.selected_workspaces };
    let sorted = keep::sort(page, &rules);
    let lane = i16::from(purpose == Purpose::Backfill);
    let kept = keep::keep(&mut tx, work, &sorted, lane).await?;
    looked.hidden_new += kept.hidden_new;
    looked.public.extend(sorted.public.iter().filter_map(|call| rest.remove(call.id.as_str())));
    for (id, _) in &sorted.hidden {
        rest.remove(id.as_str());
    }
    // Held, still there, but not ours to update (another workspace by now, or unreadable): seen all the same.
    let listed = page.calls.iter().map(|call| call.id.as_str());
    let broken = page.malformed.iter().filter_map(|call| call.id.as_deref());
    let others: Vec<&str> = listed.chain(broken).filter(|id| rest.remove(*id).is_some()).collect();
    relook::seen(&mut tx, work.connection, &others, work.ambient.now()).await?;
    tx.commit().await?;
    Ok(true)
}

impl Fetch<'_> {
    /// Takes a new look at calls, in a turn that was waited for before if there is one. Says which are public.
    pub(crate) async fn look(
        &self,
        came: &[(CallId, String)],
        turn: Option<Turn>,
        task: &'static str,
    ) -> Result<Vec<CallId>, IngestError> {
        let looked = look_at(self.work, self.purpose, came, turn, task).await?;
        let mut tx = self.work.begin().await?;
        for page in 0..looked.requests {
            self.count(&mut tx, if page == 0 { looked.hidden_new } else { 0 }).await?;
        }
        tx.commit().await?;
        Ok(looked.public)
    }

    /// Counts a request of a backfill, and calls that turned out to be private.
    pub(crate) async fn count(&self, tx: &mut Tx, skipped_private: i64) -> Result<(), IngestError> {
        if self.purpose == Purpose::Backfill
            && let Some(run) = runs::live(tx, self.work.connection, RunKind::Backfill).await?
        {
            runs::step(tx, run.id, &runs::Step { requests: 1, skipped_private, ..runs::Step::default() })
                .await?;
        }
        Ok(())
    }
}
