//! The transcript ledger: which calls still lack their transcript, and storing what came.

use db::Tx;
use kernel::{CallId, ConnectionId};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::IngestError;

/// A call whose transcript is to be asked for.
#[derive(FromRow, Debug, Clone)]
pub(crate) struct Open {
    pub(crate) id: CallId,
    pub(crate) gong_call_id: String,
    pub(crate) looked_at: OffsetDateTime,
    pub(crate) waiting_since: Option<OffsetDateTime>,
    pub(crate) tries: i32,
}

/// Which calls to ask for.
pub(crate) struct Due {
    pub(crate) lane: i16,
    pub(crate) most: i64,
    pub(crate) now: OffsetDateTime,
    /// Only those that were asked for before.
    pub(crate) waiting_only: bool,
    /// Not these: their transcripts came and are on the way into the database.
    pub(crate) but: Vec<CallId>,
}

/// The next calls of a lane to ask for.
pub(crate) async fn due(tx: &mut Tx, connection: ConnectionId, due: &Due) -> Result<Vec<Open>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id, looked_at, waiting_since, tries from gong_calls
         where organization_id = $1 and connection_id = $2 and lane = $5 and transcript_state in ('wanted', 'waiting')
           and (next_try_at is null or next_try_at <= $4) and (transcript_state = 'waiting' or not $6) and id <> all($7)
         order by next_try_at nulls first, started_at desc
         limit $3",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(due.most)
    .bind(due.now)
    .bind(due.lane)
    .bind(due.waiting_only)
    .bind(&due.but)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("finding transcripts to ask for"))
}

/// Which of these calls are still here, public and without their transcript, as of now.
pub(crate) async fn still_open(tx: &mut Tx, ids: &[CallId]) -> Result<Vec<CallId>, IngestError> {
    // Each by its id: without statistics (a first backfill) the planner thinks that an organization has a handful of calls
    // and reads them all.
    sqlx::query_scalar(
        "select c.id from unnest($2::uuid[]) as asked(id) cross join lateral (
            select g.id from gong_calls g
            where g.id = asked.id and g.organization_id = $1 and g.transcript_state in ('wanted', 'waiting') limit 1
         ) c",
    )
    .bind(tx.scope().organization())
    .bind(ids)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("looking again at calls to ask for"))
}

/// Moves what an ended backfill had listed and not fetched into the lane of fresh calls.
pub(crate) async fn freshen(tx: &mut Tx, connection: ConnectionId) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_calls set lane = 0
         where organization_id = $1 and connection_id = $2 and lane = 1 and transcript_state = 'wanted'",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("taking over what a backfill had listed"))
}

/// When the next waiting transcript of a lane is to be asked for again.
pub(crate) async fn next_due(
    tx: &mut Tx,
    connection: ConnectionId,
    lane: i16,
) -> Result<Option<OffsetDateTime>, IngestError> {
    sqlx::query_scalar(
        "select min(next_try_at) from gong_calls
         where organization_id = $1 and connection_id = $2 and lane = $3 and transcript_state in ('wanted', 'waiting')",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(lane)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("finding the next waiting transcript"))
}

/// Whether a call of a lane was never asked for.
pub(crate) async fn any_wanted(
    tx: &mut Tx,
    connection: ConnectionId,
    lane: i16,
) -> Result<bool, IngestError> {
    sqlx::query_scalar(
        "select exists (select 1 from gong_calls
         where organization_id = $1 and connection_id = $2 and lane = $3 and transcript_state = 'wanted')",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(lane)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("looking for open transcripts"))
}

/// How many calls of a lane were never asked for; counts them.
pub(crate) async fn wanted(tx: &mut Tx, connection: ConnectionId, lane: i16) -> Result<i64, IngestError> {
    sqlx::query_scalar(
        "select count(*) from gong_calls
         where organization_id = $1 and connection_id = $2 and lane = $3 and transcript_state = 'wanted'",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(lane)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting open transcripts"))
}

/// How many calls of a connection were never asked for, in whatever lane; counts nothing.
pub(crate) async fn wanted_in_all(tx: &mut Tx, connection: ConnectionId) -> Result<i64, IngestError> {
    sqlx::query_scalar(
        "select coalesce(sum(calls), 0)::bigint from gong_call_counts
         where organization_id = $1 and connection_id = $2 and transcript_state = 'wanted'",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting open transcripts"))
}

/// Transcripts to store, as columns.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) calls: Vec<CallId>,
    pub(crate) bodies: Vec<String>,
    pub(crate) sentences: Vec<i32>,
    pub(crate) words: Vec<i32>,
    pub(crate) end_ms: Vec<i64>,
    pub(crate) bytes: usize,
}

/// Stores transcripts of calls that are still here and still lack theirs; says how many.
pub(crate) async fn store(tx: &mut Tx, batch: &Batch, now: OffsetDateTime) -> Result<i64, IngestError> {
    let mine = hold(tx, &batch.calls).await?;
    // By their place, which stays while they are held: by id the planner would read all calls of the organization (see
    // `still_open`).
    let done = sqlx::query(
        "with mine as (
            update gong_calls set transcript_state = 'stored', transcript_reason = null, waiting_since = null,
                next_try_at = null, stored_at = $7
            where organization_id = $1 and ctid = any(array(
                select c.place from unnest($8::uuid[]) as held(id) cross join lateral (
                    select g.ctid as place from gong_calls g where g.id = held.id and g.organization_id = $1 limit 1
                ) c))
            returning id
         )
         insert into gong_transcripts (call_id, organization_id, body, sentences, words, end_ms, stored_at)
         select t.id, $1, t.body, t.sentences, t.words, t.end_ms, $7
         from unnest($2::uuid[], $3::text[], $4::int[], $5::int[], $6::bigint[]) as t(id, body, sentences, words, end_ms)
         join mine on mine.id = t.id
         on conflict (call_id) do nothing",
    )
    .bind(tx.scope().organization())
    .bind(&batch.calls)
    .bind(&batch.bodies)
    .bind(&batch.sentences)
    .bind(&batch.words)
    .bind(&batch.end_ms)
    .bind(now)
    .bind(&mine)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("storing transcripts"))?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Holds those of these calls that still lack their transcript, until the transaction ends.
async fn hold(tx: &mut Tx, ids: &[CallId]) -> Result<Vec<CallId>, IngestError> {
    sqlx::query_scalar(
        "select c.id from unnest($2::uuid[]) as asked(id) cross join lateral (
            select g.id from gong_calls g
            where g.id = asked.id and g.organization_id = $1 and g.transcript_state in ('wanted', 'waiting')
            limit 1 for no key update
         ) c",
    )
    .bind(tx.scope().organization())
    .bind(ids)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("holding calls whose transcripts came"))
}

/// What is written of a call whose transcript did not come.
#[derive(Debug)]
pub(crate) struct Postponed {
    pub(crate) id: CallId,
    /// `None`: not asked for any longer.
    pub(crate) next_try_at: Option<OffsetDateTime>,
    pub(crate) reason: &'static str,
}

/// Puts calls back into the ledger, or gives them up.
pub(crate) async fn postpone(
    tx: &mut Tx,
    calls: &[Postponed],
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    if calls.is_empty() {
        return Ok(());
    }
    let ids: Vec<CallId> = calls.iter().map(|c| c.id).collect();
    let next: Vec<Option<OffsetDateTime>> = calls.iter().map(|c| c.next_try_at).collect();
    let reasons: Vec<&str> = calls.iter().map(|c| c.reason).collect();
    sqlx::query(
        "update gong_calls c set
            transcript_state = case when p.next_try_at is null then 'gave_up' else 'waiting' end,
            transcript_reason = p.reason, next_try_at = p.next_try_at, tries = c.tries + 1,
            waiting_since = coalesce(c.waiting_since, $5)
         from unnest($2::uuid[], $3::timestamptz[], $4::text[]) as p(id, next_try_at, reason)
         where c.organization_id = $1 and c.id = p.id and c.transcript_state in ('wanted', 'waiting')",
    )
    .bind(tx.scope().organization())
    .bind(&ids)
    .bind(&next)
    .bind(&reasons)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("putting calls back into the ledger"))
}
