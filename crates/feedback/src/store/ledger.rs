//! Tables `feedback_changes` and `feedback_calls`: which calls are to be looked at, and what came of it.

use db::Tx;
use kernel::CallId;
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::FeedbackError;

/// Takes calls whose transcripts changed, the longest waiting first.
pub(crate) async fn take_changes(tx: &mut Tx, most: i64) -> Result<Vec<CallId>, FeedbackError> {
    sqlx::query_scalar(
        "delete from feedback_changes where call_id in (
            select call_id from feedback_changes where organization_id = $1 order by changed_at limit $2 for update skip locked)
         returning call_id",
    )
    .bind(tx.scope().organization())
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("taking changed calls"))
}

/// Enters calls that are here, with the time at which their transcript was stored.
pub(crate) async fn want(
    tx: &mut Tx,
    calls: &[(CallId, OffsetDateTime)],
    now: OffsetDateTime,
) -> Result<(), FeedbackError> {
    let (ids, stored): (Vec<_>, Vec<_>) = calls.iter().map(|(id, at)| (id.uuid(), *at)).unzip();
    sqlx::query(
        "insert into feedback_calls (call_id, organization_id, state, due_at, stored_at)
         select n.id, $1, 'wanted', $4, n.at from unnest($2::uuid[], $3::timestamptz[]) as n (id, at)
         on conflict (call_id) do update
            set state = 'wanted', reason = null, tries = 0, due_at = excluded.due_at, stored_at = excluded.stored_at",
    )
    .bind(tx.scope().organization())
    .bind(ids)
    .bind(stored)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("entering calls"))?;
    Ok(())
}

/// A call that is to be worked on.
#[derive(FromRow, Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) call_id: CallId,
    /// Counts the tries since the call was entered.
    pub(crate) tries: i32,
    /// When somebody else may take it; who works on a call holds this moment.
    pub(crate) due_at: OffsetDateTime,
    pub(crate) content_hash: Option<Vec<u8>>,
    pub(crate) made_by: Option<String>,
    /// Why the try before did not end; none where it did not even say so.
    pub(crate) reason: Option<String>,
}

/// Takes calls that are due, the newest transcripts first, and puts them off in case nobody comes back to them.
pub(crate) async fn take_due(
    tx: &mut Tx,
    most: i64,
    now: OffsetDateTime,
    again_at: OffsetDateTime,
) -> Result<Vec<Taken>, FeedbackError> {
    sqlx::query_as(
        "update feedback_calls f set tries = f.tries + 1, due_at = $4 from (
            select call_id from feedback_calls
            where organization_id = $1 and state in ('wanted', 'waiting') and due_at <= $3
            order by stored_at desc, call_id limit $2 for update skip locked) due
         where f.call_id = due.call_id returning f.call_id, f.tries, f.due_at, f.content_hash, f.made_by, f.reason",
    )
    .bind(tx.scope().organization())
    .bind(most)
    .bind(now)
    .bind(again_at)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("taking calls"))
}

/// Whether this try is still the one that counts, of the transcript as it is now; the row stays locked to the end of the
/// transaction, so that what is stored in it is never of words that are gone.
pub(crate) async fn hold(tx: &mut Tx, taken: &Taken) -> Result<bool, FeedbackError> {
    let held: Option<(i32, OffsetDateTime)> = sqlx::query_as(
        "select tries, due_at from feedback_calls f
         where organization_id = $1 and call_id = $2 and state in ('wanted', 'waiting')
            and not exists (select from feedback_changes c where c.call_id = f.call_id)
         for update",
    )
    .bind(tx.scope().organization())
    .bind(taken.call_id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(FeedbackError::db("holding a call"))?;
    Ok(held == Some((taken.tries, taken.due_at)))
}

/// How a try ended.
pub(crate) struct End<'a> {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) content_hash: Option<&'a [u8]>,
    pub(crate) made_by: Option<&'a str>,
    pub(crate) items: i32,
    pub(crate) due_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
}

pub(crate) async fn end(tx: &mut Tx, call: CallId, end: &End<'_>) -> Result<(), FeedbackError> {
    sqlx::query(
        "update feedback_calls set state = $3, reason = $4, content_hash = coalesce($5, content_hash),
            made_by = coalesce($6, made_by), items = $7, due_at = $8, finished_at = $9
         where organization_id = $1 and call_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(end.state)
    .bind(end.reason)
    .bind(end.content_hash)
    .bind(end.made_by)
    .bind(end.items)
    .bind(end.due_at)
    .bind(end.finished_at)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("ending a try"))?;
    Ok(())
}

/// Calls that waited for something are due now.
pub(crate) async fn wake(tx: &mut Tx, reason: &str, now: OffsetDateTime) -> Result<u64, FeedbackError> {
    let done = sqlx::query(
        "update feedback_calls set due_at = $3 where organization_id = $1 and state = 'waiting' and reason = $2",
    )
    .bind(tx.scope().organization())
    .bind(reason)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("waking calls"))?;
    Ok(done.rows_affected())
}

/// All calls that waited for something are due now.
pub(crate) async fn wake_all(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, FeedbackError> {
    let done = sqlx::query(
        "update feedback_calls set due_at = $2 where organization_id = $1 and state = 'waiting' and due_at > $2",
    )
    .bind(tx.scope().organization())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("waking calls"))?;
    Ok(done.rows_affected())
}

/// A call that was given up is looked at again; false when it was not given up.
pub(crate) async fn retry(tx: &mut Tx, call: CallId, now: OffsetDateTime) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "update feedback_calls set state = 'wanted', reason = null, tries = 0, due_at = $3, finished_at = null
         where organization_id = $1 and call_id = $2 and state = 'failed'",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("looking at a call again"))?;
    Ok(done.rows_affected() == 1)
}

/// All calls are looked at again, the newest first; those that nothing changed for cost a look at a hash.
pub(crate) async fn want_all(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, FeedbackError> {
    let done = sqlx::query(
        "update feedback_calls set state = 'wanted', reason = null, tries = 0, due_at = $2 where organization_id = $1",
    )
    .bind(tx.scope().organization())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("wanting all calls again"))?;
    Ok(done.rows_affected())
}

/// Calls that were done with are looked at again, the newest transcripts first and at most `most`, as far back as `since`. Those
/// that nothing changed for cost a look at a hash.
pub(crate) async fn want_since(
    tx: &mut Tx,
    since: OffsetDateTime,
    most: i64,
    now: OffsetDateTime,
) -> Result<u64, FeedbackError> {
    let done = sqlx::query(
        "update feedback_calls set state = 'wanted', reason = null, tries = 0, due_at = $4, finished_at = null
         where call_id in (
            select call_id from feedback_calls
            where organization_id = $1 and state in ('done', 'discarded', 'failed') and reason is distinct from 'transcript_gone'
                and stored_at >= $2
            order by stored_at desc, call_id limit $3 for update)",
    )
    .bind(tx.scope().organization())
    .bind(since)
    .bind(most)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("wanting calls again"))?;
    Ok(done.rows_affected())
}

/// When the next call is due.
pub(crate) async fn next_due(tx: &mut Tx) -> Result<Option<OffsetDateTime>, FeedbackError> {
    sqlx::query_scalar(
        "select min(due_at) from feedback_calls where organization_id = $1 and state in ('wanted', 'waiting')",
    )
    .bind(tx.scope().organization())
    .fetch_one(&mut **tx)
    .await
    .map_err(FeedbackError::db("looking for due calls"))
}

/// A call's row for who wants to know.
#[derive(FromRow)]
pub(crate) struct Line {
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) made_by: Option<String>,
    pub(crate) items: i32,
    pub(crate) tries: i32,
    pub(crate) due_at: OffsetDateTime,
    pub(crate) stored_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
}

pub(crate) async fn line(tx: &mut Tx, call: CallId) -> Result<Option<Line>, FeedbackError> {
    sqlx::query_as(
        "select state, reason, made_by, items, tries, due_at, stored_at, finished_at from feedback_calls
         where organization_id = $1 and call_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .fetch_optional(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading a call's row"))
}

/// How many calls stand where.
pub(crate) async fn counts(tx: &mut Tx) -> Result<Vec<(String, Option<String>, i64)>, FeedbackError> {
    sqlx::query_as(
        "select state, reason, sum(calls)::bigint from feedback_call_counts
         where organization_id = $1 group by 1, 2 having sum(calls) <> 0 order by 1, 2",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("counting calls"))
}
