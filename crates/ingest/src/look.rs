//! A second look at calls: whether they are still public after their transcripts came.
//!
//! What is private by then is purged; what is no longer listed is marked.

use std::collections::HashMap;

use db::Tx;
use gong::{CallFilter, Purpose};
use kernel::{CallId, RunKind};

use crate::{
    IngestError, Work,
    fetch::{Fetch, Fetched},
    keep::{self, Rules},
    store::{calls, runs, schedules},
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
    fetch.look(&unconfirmed).await?;
    Ok(Fetched::More)
}

impl Fetch<'_> {
    /// Takes a new look at calls; purges those that are private now. Says which are public.
    pub(crate) async fn look(&self, came: &[(CallId, String)]) -> Result<Vec<CallId>, IngestError> {
        let mut rest: HashMap<&str, CallId> =
            came.iter().map(|(id, gong_id)| (gong_id.as_str(), *id)).collect();
        let ids: Vec<String> = came.iter().map(|(_, gong_id)| gong_id.clone()).collect();
        let filter = CallFilter::ids(ids).map_err(|_| IngestError::Damaged { what: "a batch of ids" })?;
        let mut cursor = None;
        let mut public = Vec::new();
        loop {
            let page = self
                .work
                .gong
                .list_calls(&filter, cursor.as_ref(), self.purpose)
                .await
                .map_err(IngestError::Gong)?;
            let mut tx = self.work.begin().await?;
            let Some(schedule) = schedules::load(&mut tx, self.work.connection).await? else {
                return Ok(Vec::new());
            };
            let rules = Rules { floor: schedule.import_floor, workspaces: schedule.selected_workspaces };
            let sorted = keep::sort(&page, &rules);
            let kept =
                keep::keep(&mut tx, self.work.connection, &sorted, self.lane(), self.work.ambient).await?;
            self.count(&mut tx, kept.hidden_new).await?;
            tx.commit().await?;
            public.extend(sorted.public.iter().filter_map(|call| rest.remove(call.id.as_str())));
            let seen = page.calls.iter().map(|call| call.id.as_str());
            for id in seen.chain(sorted.hidden.iter().map(|(id, _)| id.as_str())) {
                rest.remove(id);
            }
            match page.next.filter(|next| cursor.as_ref() != Some(next)) {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let gone: Vec<CallId> = rest.into_values().collect();
        let mut tx = self.work.begin().await?;
        calls::missing(&mut tx, &gone, self.work.ambient.now()).await?;
        tx.commit().await?;
        Ok(public)
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
