//! Calls that Gong no longer lists: found, looked at once more by id, and purged with everything derived from them.
//!
//! A look that misses calls (a sweep, or the slow look over everything) only suspects. Minutes later they are looked at by
//! id; those that are missing again are purged, unless they are a fifth or more of what the look should have found: then
//! an admin is asked. A call that turned private is never part of this: it goes at once, in the transaction that saw it.

use db::Tx;
use gong::Purpose;
use kernel::{Ambient, CallId, ConnectionId, RunKind};
use queue::{Lane, NewJob};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    IngestError, Work,
    begin::wake,
    fetch::Fetched,
    keep::Rules,
    look,
    rules::{RELOOK_DAYS, RELOOK_LEAST, SLICE, task},
    store::{purge as store, relook, runs, schedules},
    window::Window,
};

/// How long after a look that missed calls they are looked at by id.
pub(crate) const SECOND_LOOK_AFTER: Duration = Duration::minutes(5);
/// One in so many calls, or more, vanishing at once pauses the purge.
const BRAKE: i64 = 5;
/// Calls purged in one transaction.
const PURGED_AT_ONCE: i64 = 100;
/// A call that was looked at since needs no slow look.
const FRESH_FOR: Duration = Duration::hours(20);

/// Something that happened to missing calls, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// So many are missing that an admin is asked: calls missing, calls looked for.
    Asked(i64, i64),
    /// So many were purged.
    Purged(i64),
}

/// What an admin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Calls that Gong no longer lists.
    pub missing: i64,
    /// Of so many that it should list.
    pub expected: i64,
    /// Since when the answer is waited for.
    pub since: OffsetDateTime,
}

/// The answer to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Purge them.
    Remove,
    /// Keep them; they are not asked about again unless they come back and vanish anew.
    Keep,
}

/// After a sweep: suspects what it should have listed and did not, and plans the slow look of the day.
pub(crate) async fn after_sweep(
    tx: &mut Tx,
    connection: ConnectionId,
    run: &runs::Run,
    rules: &Rules,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    let now = ambient.now();
    let window = Window { from: run.from_at, to: run.to_at };
    store::mark_unlisted(tx, connection, (ambient.uuid(), run.created_at, now), window, rules).await?;
    relook::plan_relook(tx, connection, RELOOK_LEAST, RELOOK_DAYS).await?;
    wake(tx, task::RECHECK, Lane::Upkeep, connection, Some(now + SECOND_LOOK_AFTER)).await
}

/// One slice of looking again: first at what is suspected, then at what was not looked at for long.
///
/// # Errors
/// What Gong answered, or the database failed.
pub async fn recheck(work: &Work<'_>) -> Result<Fetched, IngestError> {
    let began = tokio::time::Instant::now();
    let mut tx = work.begin().await?;
    store::adopt(&mut tx, work.connection, work.ambient.uuid(), work.ambient.now()).await?;
    tx.commit().await?;
    let mut slow = Slow { loss: work.ambient.uuid(), begun: false };
    while !work.stop.is_cancelled() && began.elapsed() < SLICE {
        match suspects(work).await? {
            Suspects::Looked => continue,
            Suspects::None if slow.look(work).await? => continue,
            Suspects::None => return Ok(Fetched::Idle(None)),
            Suspects::Later(at) => {
                if !slow.look(work).await? {
                    return Ok(Fetched::Idle(Some(at)));
                }
            }
        }
    }
    Ok(Fetched::More)
}

enum Suspects {
    Looked,
    Later(OffsetDateTime),
    None,
}

/// Looks at a batch of suspected calls by id.
async fn suspects(work: &Work<'_>) -> Result<Suspects, IngestError> {
    let now = work.ambient.now();
    let mut tx = work.begin().await?;
    if !schedules::load(&mut tx, work.connection).await?.is_some_and(|s| s.active) {
        return Ok(Suspects::None);
    }
    let mut later = None;
    for loss in store::losses(&mut tx, Some(work.connection), &["checking"]).await? {
        let due = loss.seen_at + SECOND_LOOK_AFTER;
        if due > now {
            later = later.or(Some(due));
            continue;
        }
        let batch = store::unconfirmed(&mut tx, loss.id, due, 100).await?;
        if !batch.is_empty() {
            drop(tx);
            look::look_at(work, Purpose::Backfill, &batch, None, task::RECHECK).await?;
            return Ok(Suspects::Looked);
        }
    }
    Ok(later.map_or(Suspects::None, Suspects::Later))
}

/// The slow look over everything that is held, in batches by id.
struct Slow {
    loss: Uuid,
    begun: bool,
}

impl Slow {
    /// Looks at one batch; false when today's plan is done.
    async fn look(&mut self, work: &Work<'_>) -> Result<bool, IngestError> {
        let now = work.ambient.now();
        let mut tx = work.begin().await?;
        if !schedules::load(&mut tx, work.connection).await?.is_some_and(|s| s.active) {
            return Ok(false);
        }
        // History that is being brought in comes first; the plan of tomorrow looks again.
        if runs::live(&mut tx, work.connection, RunKind::Backfill).await?.is_some() {
            return Ok(false);
        }
        let batch = relook::least_looked_at(&mut tx, work.connection, now - FRESH_FOR, 100).await?;
        drop(tx);
        if batch.is_empty() {
            return Ok(false);
        }
        let looked = look::look_at(work, Purpose::Backfill, &batch, None, task::RECHECK);
        let missing = looked.await?.missing;
        self.note(work, i64::try_from(batch.len()).unwrap_or(100), &missing).await?;
        Ok(true)
    }

    async fn note(&mut self, work: &Work<'_>, looked: i64, missing: &[CallId]) -> Result<(), IngestError> {
        let now = work.ambient.now();
        let mut tx = work.begin().await?;
        let lost = i64::try_from(missing.len()).unwrap_or(100);
        if self.begun {
            store::add(&mut tx, self.loss, looked, lost).await?;
        } else if lost > 0 {
            store::insert(&mut tx, work.connection, self.loss, (now, looked, lost)).await?;
            self.begun = true;
        }
        store::mark(&mut tx, self.loss, missing, now).await?;
        relook::relooked(&mut tx, work.connection, looked).await?;
        Ok(tx.commit().await?)
    }
}

/// Decides about every look whose missing calls were all looked at by id, and about questions that time has answered.
/// Says what is to be recorded; the caller records it in the same transaction.
///
/// # Errors
/// When the database fails.
pub async fn judge_losses(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<Vec<Lost>, IngestError> {
    let mut lost = Vec::new();
    let mut purge = false;
    for loss in store::losses(tx, Some(connection), &["checking", "asked"]).await? {
        let due = loss.seen_at + SECOND_LOOK_AFTER;
        let open = loss.state == "checking"
            && (due > now || !store::unconfirmed(tx, loss.id, due, 1).await?.is_empty());
        if open {
            continue;
        }
        let before = loss.missing;
        let missing = store::count(tx, loss.id).await?;
        let to = verdict(missing.into(), loss.expected.into());
        if to == loss.state {
            if before != missing {
                tx.announce("connection").await?;
            }
            continue;
        }
        store::turn(tx, loss.id, (&loss.state, to), now).await?;
        tx.announce("connection").await?;
        purge |= to == "purging";
        if to == "asked" {
            lost.push(Lost::Asked(missing.into(), loss.expected.into()));
        }
    }
    if purge {
        wake_purge(tx).await?;
    }
    Ok(lost)
}

/// What becomes of a look that misses so many calls of so many.
fn verdict(missing: i64, expected: i64) -> &'static str {
    match missing {
        0 => "returned",
        _ if missing * BRAKE >= expected => "asked",
        _ => "purging",
    }
}

/// Purges a batch of calls that are to go; says what was finished, and whether there is more. Needs no Gong, so it goes
/// on when the connection is paused or gone.
///
/// # Errors
/// When the database fails.
pub async fn purge_some(tx: &mut Tx, now: OffsetDateTime) -> Result<(Option<Lost>, bool), IngestError> {
    let Some(loss) = store::losses(tx, None, &["purging"]).await?.into_iter().next() else {
        return Ok((None, false));
    };
    let purged = store::purge(tx, loss.id, now, PURGED_AT_ONCE).await?;
    progressed_organization(tx, task::PURGE).await?;
    if purged == PURGED_AT_ONCE {
        return Ok((None, true));
    }
    store::turn(tx, loss.id, ("purging", "purged"), now).await?;
    tx.announce("calls").await?;
    Ok((Some(Lost::Purged(store::purged(tx, loss.id).await?)), true))
}

/// What an admin of this organization is asked, if anything.
///
/// # Errors
/// When the database fails.
pub async fn question(tx: &mut Tx) -> Result<Option<Question>, IngestError> {
    let asked = store::question(tx).await?;
    Ok(asked.map(|(missing, expected, since)| Question { missing, expected, since }))
}

/// Answers the question for all looks that it is about; false when nobody asked.
///
/// # Errors
/// When the database fails.
pub async fn answer(tx: &mut Tx, answer: Answer, now: OffsetDateTime) -> Result<bool, IngestError> {
    let asked = store::losses(tx, None, &["asked"]).await?;
    for loss in &asked {
        match answer {
            Answer::Remove => store::turn(tx, loss.id, ("asked", "purging"), now).await?,
            Answer::Keep => {
                store::keep(tx, loss.id, now).await?;
                store::turn(tx, loss.id, ("asked", "kept"), now).await?
            }
        };
    }
    if answer == Answer::Remove && !asked.is_empty() {
        wake_purge(tx).await?;
    }
    tx.announce("connection").await?;
    Ok(!asked.is_empty())
}

/// Sends the job that purges; its subject is the organization, so that it outlives a disconnect.
pub(crate) async fn wake_purge(tx: &mut Tx) -> Result<(), IngestError> {
    wake_organization(tx, task::PURGE).await
}

/// Notes in the job that does it that work for the organization got somewhere.
pub(crate) async fn progressed_organization(tx: &mut Tx, kind: &'static str) -> Result<(), IngestError> {
    let key = format!("{kind}:{}", tx.scope().organization());
    Ok(queue::progressed(tx, &key).await?)
}

/// Sends a job that is about the whole organization.
pub(crate) async fn wake_organization(tx: &mut Tx, kind: &'static str) -> Result<(), IngestError> {
    let organization = tx.scope().organization();
    let job =
        NewJob::new(Lane::Upkeep, kind, organization, organization.uuid(), format!("{kind}:{organization}"))
            .trace(tx.trace().map(str::to_owned));
    queue::enqueue(tx, &job).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_what_should_be_there_pauses_the_purge() {
        for (missing, expected, becomes) in [
            (0, 100, "returned"),
            (19, 100, "purging"),
            (20, 100, "asked"),
            (100, 100, "asked"),
            (1, 1, "asked"),
            (1, 5, "asked"),
            (1, 6, "purging"),
            (0, 0, "returned"),
        ] {
            assert_eq!(verdict(missing, expected), becomes, "{missing} of {expected}");
        }
    }
}
