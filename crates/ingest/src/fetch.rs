//! Fetching transcripts: by the ids of calls known to be public, in batches, until each came, is given up or is gone.
//!
//! The transcript endpoint does not say whether a call is private [D]. So what it sent is stored only after a look at the
//! call that is younger than the sending, wherever a company is known to use private calls; elsewhere such a look follows
//! within a quarter of an hour.

use db::Tx;
use gong::{GongError, Purpose, TranscriptItem, TranscriptStream, Turn};
use kernel::{CallId, RunKind, RunState};
use time::{Duration, OffsetDateTime};

use crate::{
    IngestError, Work,
    came::Came,
    flood, progress,
    rules::{GIVE_UP_AFTER, LOOK_LIVES, SLICE, task},
    store::{ledger, runs, schedules},
};

/// Transcripts are written to the database when this many bytes have come, and at the end of a batch.
const FLUSH_BYTES: usize = 8 * 1024 * 1024;
/// How long calls wait for a listing to fill their batch.
const FILL_WITHIN: Duration = Duration::minutes(5);

/// How a slice of fetching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing is to be asked for before this moment; `None`: nothing at all.
    Idle(Option<OffsetDateTime>),
    /// There is more; others may go first.
    More,
}

/// What a slice of fetching did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetching {
    /// Gong was asked, and answered well.
    pub asked: bool,
    /// How it ended.
    pub ended: Fetched,
}

/// One slice of fetching, for fresh calls or for those of a backfill.
///
/// # Errors
/// What Gong answered; what came before is committed.
pub async fn fetch_transcripts(work: &Work<'_>, purpose: Purpose) -> Result<Fetching, IngestError> {
    let fetch = Fetch { work, purpose };
    let mut reach = Reach::whole(work.defaults.transcript_batch);
    let began = tokio::time::Instant::now();
    let mut asked = false;
    // While the next batch is asked for, the one before goes into the database; never more than one.
    let mut came: Option<Came> = None;
    loop {
        if work.stop.is_cancelled() || began.elapsed() > SLICE {
            fetch.settle(came, None).await?;
            return Ok(Fetching { asked, ended: Fetched::More });
        }
        let on_the_way = came.as_ref().map(Came::ids).unwrap_or_default();
        match fetch.next_batch(on_the_way, reach.now).await {
            Ok(Batch::Ask { open, confirm }) => {
                let look = fetch.turn_of_look(came.as_ref()).await?;
                let (settled, next) = tokio::join!(fetch.settle(came.take(), look), fetch.ask(open, confirm));
                settled?;
                came = next?;
                asked |= came.is_some();
                match came.as_mut().and_then(|came| came.broken_off.take()) {
                    Some(why) => fetch.broken_off(came.take(), why, &mut reach).await?,
                    None => reach.widen(),
                }
            }
            // What is there to do is known when everything that came is stored.
            Ok(Batch::Idle(_)) if came.is_some() => fetch.settle(came.take(), None).await?,
            Ok(Batch::Idle(at)) => return Ok(Fetching { asked, ended: Fetched::Idle(at) }),
            Err(error) => {
                fetch.settle(came, None).await?;
                return Err(error);
            }
        }
    }
}

enum Batch {
    Ask { open: Vec<ledger::Open>, confirm: bool },
    Idle(Option<OffsetDateTime>),
}

pub(crate) struct Fetch<'a> {
    pub(crate) work: &'a Work<'a>,
    pub(crate) purpose: Purpose,
}

impl Fetch<'_> {
    const fn kind(&self) -> RunKind {
        match self.purpose {
            Purpose::Fresh => RunKind::Poll,
            Purpose::Backfill => RunKind::Backfill,
        }
    }

    pub(crate) const fn task(&self) -> &'static str {
        match self.purpose {
            Purpose::Fresh => task::TRANSCRIPTS,
            Purpose::Backfill => task::BACKFILL_TRANSCRIPTS,
        }
    }

    pub(crate) const fn lane(&self) -> i16 {
        match self.purpose {
            Purpose::Fresh => 0,
            Purpose::Backfill => 1,
        }
    }

    /// What to ask for next. A batch that is not full waits for the listing to end, so that requests are not wasted.
    async fn next_batch(&self, on_the_way: Vec<CallId>, most: usize) -> Result<Batch, IngestError> {
        let now = self.work.ambient.now();
        let most = i64::try_from(most).unwrap_or(100);
        let mut tx = self.work.begin().await?;
        let Some(schedule) = schedules::load(&mut tx, self.work.connection).await?.filter(|s| s.active)
        else {
            return Ok(Batch::Idle(None));
        };
        let waiting_only = self.is_cancelled(&mut tx).await?;
        let due = ledger::Due { lane: self.lane(), most, now, waiting_only, but: on_the_way };
        let open = ledger::due(&mut tx, self.work.connection, &due).await?;
        let listing = match runs::live(&mut tx, self.work.connection, self.kind()).await? {
            Some(run) => runs::next_window(&mut tx, run.id).await?.is_some(),
            None => false,
        };
        let oldest = open.iter().map(|call| call.looked_at).min();
        let fills = listing && i64::try_from(open.len()).unwrap_or(i64::MAX) < most;
        if fills && oldest.is_none_or(|oldest| now - oldest < FILL_WITHIN) {
            return Ok(Batch::Idle(oldest.map(|oldest| oldest + FILL_WITHIN)));
        }
        if open.is_empty() {
            if self.purpose == Purpose::Backfill {
                progress::finish_backfill(&mut tx, self.work.connection, self.work.ambient).await?;
            }
            let next = ledger::next_due(&mut tx, self.work.connection, self.lane()).await?;
            tx.commit().await?;
            return Ok(Batch::Idle(next));
        }
        let confirm = must_look_again(oldest.unwrap_or(now), schedule.private_seen_at.is_some(), now);
        Ok(Batch::Ask { open, confirm })
    }

    /// Whether somebody ended the backfill: then nothing new is asked for it.
    async fn is_cancelled(&self, tx: &mut Tx) -> Result<bool, IngestError> {
        if self.purpose == Purpose::Fresh {
            return Ok(false);
        }
        let newest = runs::newest(tx, self.work.connection, RunKind::Backfill).await?;
        Ok(newest.is_some_and(|run| run.state == RunState::Cancelled.as_str()))
    }

    /// Waits for our turn, and only then looks which of the calls may still be asked for: one that turned private
    /// meanwhile must not be named.
    async fn turn(&self, open: &mut Vec<ledger::Open>) -> Result<Turn, IngestError> {
        let turn = self.work.gong.turn(self.purpose).await.map_err(IngestError::Gong)?;
        let ids: Vec<CallId> = open.iter().map(|call| call.id).collect();
        let mut tx = self.work.begin().await?;
        let still = ledger::still_open(&mut tx, &ids).await?;
        open.retain(|call| still.contains(&call.id));
        if self.purpose == Purpose::Fresh {
            flood::count(&mut tx, self.work.connection, open.len(), self.work.ambient.now()).await?;
            tx.commit().await?;
        }
        Ok(turn)
    }

    /// Asks for the transcripts of calls; `None` when none of them may be asked for any longer. What came last is not
    /// stored yet.
    async fn ask(&self, mut open: Vec<ledger::Open>, confirm: bool) -> Result<Option<Came>, IngestError> {
        let mut turn = self.turn(&mut open).await?;
        if open.is_empty() {
            return Ok(None);
        }
        let ids: Vec<String> = open.iter().map(|call| call.gong_call_id.clone()).collect();
        let mut came = Came::nothing(open, confirm);
        let mut cursor = None;
        loop {
            let mut stream = match self.work.gong.transcripts_in(turn, &ids, cursor.as_ref()).await {
                Ok(stream) => stream,
                // What the pages before brought stays; what is left is asked for anew.
                Err(GongError::CursorExpired { .. }) if cursor.is_some() => {
                    came.left.clear();
                    break;
                }
                Err(error) => return Err(IngestError::Gong(error)),
            };
            if let Err(why) = self.receive(&mut stream, &mut came).await? {
                came.broken_off = Some(why);
                break;
            }
            match stream.cursor().filter(|next| cursor.as_ref() != Some(*next)).cloned() {
                Some(next) => cursor = Some(next),
                None => break,
            }
            self.store(&mut came, None).await?;
            // A further page has to be asked for with the same ids. When one of them turned private, the rest is asked
            // for anew without it.
            let mut again = came.missing();
            let before = again.len();
            turn = self.turn(&mut again).await?;
            if again.len() < before {
                came.left.clear();
                break;
            }
        }
        Ok(Some(came))
    }

    /// Reads one answer to its end, or to where it breaks off; stores what it brought whenever that is much.
    async fn receive(
        &self,
        stream: &mut TranscriptStream,
        came: &mut Came,
    ) -> Result<Result<(), GongError>, IngestError> {
        while let Some(item) = stream.next().await {
            let item = match item {
                Ok(item) => item,
                Err(why) => return Ok(Err(why)),
            };
            match item {
                TranscriptItem::Ready(transcript) => came.take(transcript),
                TranscriptItem::Bad { call_id, why } => {
                    metrics::counter!("validation_failures_total").increment(1);
                    tracing::warn!(connection.id = %self.work.connection, why, "A transcript could not be read.");
                    came.spoil(call_id.as_deref());
                }
            }
            if came.batch.bytes >= FLUSH_BYTES {
                self.store(came, None).await?;
            }
        }
        Ok(Ok(()))
    }

    /// What an answer brought that broke off is stored. Where something in it cannot be read, fewer calls are asked for until
    /// the one that spoils it is alone; that one waits then.
    async fn broken_off(
        &self,
        came: Option<Came>,
        why: GongError,
        reach: &mut Reach,
    ) -> Result<(), IngestError> {
        let Some(mut came) = came else { return Ok(()) };
        self.store(&mut came, None).await?;
        if !matches!(why, GongError::Malformed { .. } | GongError::TooLarge { .. }) {
            return Err(IngestError::Gong(why));
        }
        if reach.narrow(came.ids().len()) {
            let mut tx = self.work.begin().await?;
            self.count(&mut tx, 0).await?;
            return Ok(tx.commit().await?);
        }
        tracing::warn!(connection.id = %self.work.connection, code = why.code(), "A transcript spoils the answer that it stands in.");
        came.spoil_all();
        self.settle(Some(came), None).await?;
        // Where Gong gave nothing that could be read at all, it is not about this call.
        if reach.read_well { Ok(()) } else { Err(IngestError::Gong(why)) }
    }
}

/// How many calls are asked for at once.
struct Reach {
    whole: usize,
    now: usize,
    /// The only call that was asked for spoilt its answer.
    alone: bool,
    /// An answer was read to its end.
    read_well: bool,
}

impl Reach {
    const fn whole(whole: usize) -> Self {
        Self { whole, now: whole, alone: false, read_well: false }
    }

    /// After an answer about so many calls that could not be read; false when one call alone has spoilt two.
    fn narrow(&mut self, asked: usize) -> bool {
        self.now = (asked / 2).max(1);
        let found = asked <= 1 && std::mem::replace(&mut self.alone, asked <= 1);
        !found
    }

    fn widen(&mut self) {
        (self.now, self.alone, self.read_well) = ((self.now * 2).min(self.whole), false, true);
    }
}

/// Whether transcripts that come now are stored only after another look at their calls.
pub(crate) fn must_look_again(oldest_look: OffsetDateTime, private_seen: bool, now: OffsetDateTime) -> bool {
    private_seen || now - oldest_look > LOOK_LIVES
}

/// When a transcript that did not come is asked for again; `None` when it was waited for long enough.
pub(crate) fn next_try(
    waiting_since: Option<OffsetDateTime>,
    tries: i32,
    every: std::time::Duration,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let waited = waiting_since.map_or(Duration::ZERO, |since| now - since);
    (waited < GIVE_UP_AFTER).then(|| now + gap(tries, every))
}

/// 15, 30, 60 ... minutes, at most one poll interval.
fn gap(tries: i32, every: std::time::Duration) -> std::time::Duration {
    let doublings = u32::try_from(tries.clamp(0, 10)).unwrap_or(0);
    std::time::Duration::from_secs(15 * 60).saturating_mul(1 << doublings).min(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaps_grow_and_never_exceed_the_poll_interval() {
        let every = std::time::Duration::from_secs(4 * 3600);
        let gaps: Vec<u64> = (0..8).map(|tries| gap(tries, every).as_secs() / 60).collect();
        assert_eq!(gaps, [15, 30, 60, 120, 240, 240, 240, 240]);
        assert_eq!(gap(0, std::time::Duration::from_secs(60)).as_secs(), 60);
    }
}
