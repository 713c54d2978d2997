//! What came of a batch of transcripts, on its way into the database; and what did not come, on its way back into the ledger.

use std::collections::HashMap;

use gong::{GongError, Purpose, Transcript, Turn};
use kernel::CallId;
use queue::Lane;

use crate::{
    IngestError,
    begin::{progressed, wake},
    fetch::{Fetch, next_try},
    progress,
    rules::{CONFIRM_AFTER, task},
    schedule,
    store::{ledger, schedules},
};

/// A batch that was asked for.
pub(crate) struct Came {
    /// The calls, by Gong's ids.
    open: HashMap<String, ledger::Open>,
    /// Those that have not come, and why.
    pub(crate) left: HashMap<CallId, &'static str>,
    /// What came and is not stored yet.
    pub(crate) batch: ledger::Batch,
    /// The calls are looked at again before that is stored.
    confirm: bool,
    /// Why the answer came to no good end.
    pub(crate) broken_off: Option<GongError>,
}

impl Came {
    pub(crate) fn nothing(open: Vec<ledger::Open>, confirm: bool) -> Self {
        let left = open.iter().map(|call| (call.id, "not_transcribed_yet")).collect();
        let open = open.into_iter().map(|call| (call.gong_call_id.clone(), call)).collect();
        Self { open, left, batch: ledger::Batch::default(), confirm, broken_off: None }
    }

    /// All calls of the batch.
    pub(crate) fn ids(&self) -> Vec<CallId> {
        self.open.values().map(|call| call.id).collect()
    }

    /// Those that have not come.
    pub(crate) fn missing(&self) -> Vec<ledger::Open> {
        self.open.values().filter(|call| self.left.contains_key(&call.id)).cloned().collect()
    }

    /// Takes a transcript in; one that was not asked for, or came before, is dropped.
    pub(crate) fn take(&mut self, transcript: Transcript) {
        let Some(call) = self.open.get(&*transcript.call_id) else { return };
        if self.left.remove(&call.id).is_none() {
            return;
        }
        let batch = &mut self.batch;
        batch.bytes += transcript.body.len();
        batch.calls.push(call.id);
        batch.bodies.push(transcript.body);
        batch.sentences.push(i32::try_from(transcript.sentences).unwrap_or(i32::MAX));
        batch.words.push(i32::try_from(transcript.words).unwrap_or(i32::MAX));
        batch.end_ms.push(transcript.end_ms);
    }

    /// Notes that what did not come cannot be read.
    pub(crate) fn spoil_all(&mut self) {
        self.left.values_mut().for_each(|why| *why = "transcript_unreadable");
    }

    /// Notes a transcript that could not be read.
    pub(crate) fn spoil(&mut self, gong_call_id: Option<&str>) {
        if let Some(call) = gong_call_id.and_then(|id| self.open.get(id)) {
            self.left.insert(call.id, "transcript_unreadable");
        }
    }
}

impl Fetch<'_> {
    /// Ends a batch: stores what came and puts back what did not.
    pub(crate) async fn settle(&self, came: Option<Came>, look: Option<Turn>) -> Result<(), IngestError> {
        let Some(mut came) = came else { return Ok(()) };
        self.store(&mut came, look).await?;
        self.put_back(&came).await
    }

    /// The turn of the look that what came waits for, if it does. What was not looked at is nowhere but in memory, and is
    /// asked for again after a crash: so this goes before the next batch.
    pub(crate) async fn turn_of_look(&self, came: Option<&Came>) -> Result<Option<Turn>, IngestError> {
        if !came.is_some_and(|came| came.confirm && !came.batch.calls.is_empty()) {
            return Ok(None);
        }
        self.work.gong.turn(self.purpose).await.map(Some).map_err(IngestError::Gong)
    }

    /// Stores what came; after a look at the calls where that is asked for, in this turn if there is one.
    pub(crate) async fn store(&self, came: &mut Came, look: Option<Turn>) -> Result<(), IngestError> {
        if came.batch.calls.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut came.batch);
        let stored_at = self.work.ambient.now();
        if came.confirm {
            let asked = came.open.values().filter(|call| batch.calls.contains(&call.id));
            let asked: Vec<_> = asked.map(|call| (call.id, call.gong_call_id.clone())).collect();
            let public = self.look(&asked, look, self.task()).await?;
            let unlisted = batch.calls.iter().filter(|id| !public.contains(id));
            came.left.extend(unlisted.map(|id| (*id, "not_listed")));
            retain(&mut batch, |id| public.contains(&id));
        }
        let now = self.work.ambient.now();
        let mut tx = self.work.begin().await?;
        self.work.veil(&mut tx, &mut batch).await?;
        let stored = ledger::store(&mut tx, &batch, if came.confirm { stored_at } else { now }).await?;
        progressed(&mut tx, self.task(), self.work.connection).await?;
        if self.purpose == Purpose::Backfill {
            progress::transcripts_came(&mut tx, self.work.connection, stored).await?;
        }
        if !came.confirm {
            wake(&mut tx, task::CONFIRM, Lane::Upkeep, self.work.connection, Some(now + CONFIRM_AFTER))
                .await?;
        }
        tx.announce("progress").await?;
        tx.commit().await?;
        metrics::counter!("soundpost_transcripts_stored_total").increment(stored.unsigned_abs());
        Ok(())
    }

    /// What did not come waits, with growing gaps that never exceed the poll interval, and is given up after 14 days.
    async fn put_back(&self, came: &Came) -> Result<(), IngestError> {
        let now = self.work.ambient.now();
        let mut tx = self.work.begin().await?;
        let schedule = schedules::load(&mut tx, self.work.connection).await?;
        let every = schedule::every(schedule.as_ref(), self.work.defaults);
        let postponed: Vec<ledger::Postponed> = came
            .open
            .values()
            .filter_map(|call| came.left.get(&call.id).map(|reason| (call, *reason)))
            .map(|(call, reason)| {
                let next_try_at = next_try(call.waiting_since, call.tries, every, now);
                ledger::Postponed { id: call.id, next_try_at, reason }
            })
            .collect();
        ledger::postpone(&mut tx, &postponed, now).await?;
        self.count(&mut tx, 0).await?;
        progressed(&mut tx, self.task(), self.work.connection).await?;
        tx.announce("progress").await?;
        Ok(tx.commit().await?)
    }
}

fn retain(batch: &mut ledger::Batch, keep: impl Fn(CallId) -> bool) {
    let flags: Vec<bool> = batch.calls.iter().map(|id| keep(*id)).collect();
    fn only<T>(column: &mut Vec<T>, flags: &[bool]) {
        let mut flags = flags.iter();
        column.retain(|_| flags.next().copied().unwrap_or(false));
    }
    only(&mut batch.calls, &flags);
    only(&mut batch.bodies, &flags);
    only(&mut batch.sentences, &flags);
    only(&mut batch.words, &flags);
    only(&mut batch.end_ms, &flags);
}
