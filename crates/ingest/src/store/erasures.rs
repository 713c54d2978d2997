//! Table `gong_erasures`, and taking erased people out of stored calls.

use db::Tx;
use kernel::{CallId, ConnectionId, ErasureId};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;

use crate::{IngestError, calls::Party, shroud::Taken};

/// An erasure as it is stored.
#[derive(FromRow, Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: ErasureId,
    pub(crate) kind: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) requested_at: OffsetDateTime,
    pub(crate) requested_by: String,
    pub(crate) state: String,
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) pass: i16,
    pub(crate) after_call: Option<CallId>,
    pub(crate) calls_total: i64,
    pub(crate) calls_seen: i64,
    pub(crate) parties: i64,
    pub(crate) calls: i64,
    pub(crate) sentences: i64,
    pub(crate) mentions: i64,
    pub(crate) records: i64,
}

const ALL: &str =
    "select id, kind, fingerprint, names, requested_at, requested_by, state, finished_at, pass, after_call,
        calls_total, calls_seen, parties, calls, sentences, mentions, records
    from gong_erasures where organization_id = $1";

/// Every mark of the organization: addresses and names.
pub(crate) async fn marks(tx: &mut Tx) -> Result<Vec<(Vec<u8>, Vec<Vec<u8>>)>, IngestError> {
    sqlx::query_as("select fingerprint, names from gong_erasures where organization_id = $1")
        .bind(tx.scope().organization())
        .fetch_all(&mut **tx)
        .await
        .map_err(IngestError::db("reading who was erased"))
}

/// Stores a request; one for a person that was erased before begins anew. Every writer knows of it from now on.
pub(crate) async fn request(
    tx: &mut Tx,
    id: ErasureId,
    (kind, fingerprint): (&str, &[u8]),
    requested_by: &str,
    now: OffsetDateTime,
) -> Result<ErasureId, IngestError> {
    let organization = tx.scope().organization();
    sqlx::query("update gong_privacy set erasures = erasures + 1 where organization_id = $1")
        .bind(organization)
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("announcing an erasure"))?;
    sqlx::query_scalar(
        "insert into gong_erasures as e (id, organization_id, kind, fingerprint, requested_at, requested_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (organization_id, fingerprint) do update set state = 'waiting', pass = 0, after_call = null,
            calls_seen = 0, requested_at = excluded.requested_at, requested_by = excluded.requested_by, finished_at = null
         returning e.id",
    )
    .bind(id)
    .bind(organization)
    .bind(kind)
    .bind(fingerprint)
    .bind(now)
    .bind(requested_by)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("storing an erasure"))
}

/// How many erasures have not ended.
pub(crate) async fn open(tx: &mut Tx) -> Result<i64, IngestError> {
    sqlx::query_scalar("select count(*) from gong_erasures where organization_id = $1 and state <> 'done'")
        .bind(tx.scope().organization())
        .fetch_one(&mut **tx)
        .await
        .map_err(IngestError::db("counting erasures"))
}

/// The oldest erasure that has not ended.
pub(crate) async fn next(tx: &mut Tx) -> Result<Option<Row>, IngestError> {
    let query = format!("{ALL} and state <> 'done' order by requested_at, id limit 1 for update");
    sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(tx.scope().organization())
        .fetch_optional(&mut **tx)
        .await
        .map_err(IngestError::db("finding an erasure to go on with"))
}

/// Erasures, the newest first; those behind `after`.
pub(crate) async fn page(tx: &mut Tx, after: Option<ErasureId>, most: i64) -> Result<Vec<Row>, IngestError> {
    let query = format!(
        "{ALL} and ($2::uuid is null or (requested_at, id) < (
            select e.requested_at, e.id from gong_erasures e where e.organization_id = $1 and e.id = $2))
         order by requested_at desc, id desc limit $3"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(tx.scope().organization())
        .bind(after)
        .bind(most)
        .fetch_all(&mut **tx)
        .await
        .map_err(IngestError::db("listing erasures"))
}

/// One erasure.
pub(crate) async fn one(tx: &mut Tx, id: ErasureId) -> Result<Option<Row>, IngestError> {
    let query = format!("{ALL} and id = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(tx.scope().organization())
        .bind(id)
        .fetch_optional(&mut **tx)
        .await
        .map_err(IngestError::db("reading an erasure"))
}

/// Adds names to an erasure, those of a person with this mark.
pub(crate) async fn learn(tx: &mut Tx, id: Option<ErasureId>, names: &[Vec<u8>]) -> Result<(), IngestError> {
    if names.is_empty() {
        return Ok(());
    }
    // Any row will do: marks count for the organization as a whole.
    sqlx::query(
        "update gong_erasures set names = (select array_agg(distinct n) from unnest(names || $3::bytea[]) as n)
         where organization_id = $1 and id = coalesce($2, (
            select id from gong_erasures where organization_id = $1 order by requested_at desc limit 1))
           and not names @> $3::bytea[] and cardinality(names) < 10000",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(names)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("adding names to an erasure"))
}

/// A call with what may name somebody.
#[derive(FromRow, Debug)]
pub(crate) struct Stored {
    pub(crate) id: CallId,
    pub(crate) title: Option<String>,
    pub(crate) parties: Json<Vec<Party>>,
    pub(crate) primary_user_id: Option<String>,
    /// Only where it was asked for.
    pub(crate) body: Option<String>,
}

/// The next calls of the organization behind `after`, held until the end of the transaction.
pub(crate) async fn calls(
    tx: &mut Tx,
    after: Option<CallId>,
    most: i64,
    transcripts: bool,
) -> Result<Vec<Stored>, IngestError> {
    sqlx::query_as(
        "select c.id, c.title, c.parties, c.primary_user_id, case when $4 then t.body end as body
         from gong_calls c left join gong_transcripts t on t.call_id = c.id and $4
         where c.organization_id = $1 and ($2::uuid is null or c.id > $2) order by c.id limit $3 for update of c",
    )
    .bind(tx.scope().organization())
    .bind(after)
    .bind(most)
    .bind(transcripts)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("reading calls to erase somebody from"))
}

/// One call with its transcript, held until the end of the transaction.
pub(crate) async fn call(tx: &mut Tx, id: CallId) -> Result<Option<Stored>, IngestError> {
    sqlx::query_as(
        "select c.id, c.title, c.parties, c.primary_user_id, t.body
         from gong_calls c left join gong_transcripts t on t.call_id = c.id
         where c.organization_id = $1 and c.id = $2 for update of c",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading a call to erase somebody from"))
}

/// Writes what is left of a call.
pub(crate) async fn rewrite(tx: &mut Tx, call: &Stored, search_text: &str) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_calls set title = $3, parties = $4, primary_user_id = $5, search_text = $6
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(call.id)
    .bind(&call.title)
    .bind(&call.parties)
    .bind(&call.primary_user_id)
    .bind(search_text)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("erasing somebody from a call"))
}

/// Writes what is left of a transcript.
pub(crate) async fn rewrite_transcript(
    tx: &mut Tx,
    call: CallId,
    body: &str,
    words: i32,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_transcripts set body = $3, words = $4 where organization_id = $1 and call_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(body)
    .bind(words)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("erasing somebody from a transcript"))
}

/// The stored parties of calls.
pub(crate) async fn parties_by_gong_id(
    tx: &mut Tx,
    connection: ConnectionId,
    gong_ids: &[&str],
) -> Result<Vec<(CallId, String, Json<Vec<Party>>)>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id, parties from gong_calls
         where organization_id = $1 and connection_id = $2 and gong_call_id = any($3)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(gong_ids)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("reading who took part"))
}

/// The parties of calls, for transcripts that are to be stored; they stay as they are until the end of the transaction.
pub(crate) async fn parties_of(
    tx: &mut Tx,
    calls: &[CallId],
) -> Result<Vec<(CallId, Json<Vec<Party>>)>, IngestError> {
    let query = "select id, parties from gong_calls where organization_id = $1 and id = any($2) order by gong_call_id for share";
    sqlx::query_as(query)
        .bind(tx.scope().organization())
        .bind(calls)
        .fetch_all(&mut **tx)
        .await
        .map_err(IngestError::db("reading who took part"))
}

/// How an erasure moved on.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) pass: i16,
    pub(crate) after_call: Option<CallId>,
    pub(crate) seen: i64,
    pub(crate) calls: i64,
    pub(crate) taken: Taken,
}

/// Records a step.
pub(crate) async fn step(tx: &mut Tx, id: ErasureId, step: &Step) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_erasures set state = 'running', pass = $3, after_call = $4, calls_seen = calls_seen + $5,
            calls_total = greatest(calls_seen + $5, 2 * (
                select coalesce(sum(calls), 0)::bigint from gong_call_counts where organization_id = $1)),
            calls = calls + $6, parties = parties + $7, sentences = sentences + $8, mentions = mentions + $9
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(step.pass)
    .bind(step.after_call)
    .bind(step.seen)
    .bind(step.calls)
    .bind(step.taken.parties)
    .bind(step.taken.sentences)
    .bind(step.taken.mentions)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording the progress of an erasure"))
}

/// Ends an erasure.
pub(crate) async fn finish(
    tx: &mut Tx,
    id: ErasureId,
    records: i64,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_erasures set state = 'done', finished_at = $4, records = records + $3, calls_seen = calls_total
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(records)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("ending an erasure"))
}

/// Who asked, in every receipt.
pub(crate) async fn askers(tx: &mut Tx) -> Result<Vec<(ErasureId, String)>, IngestError> {
    sqlx::query_as("select id, requested_by from gong_erasures where organization_id = $1")
        .bind(tx.scope().organization())
        .fetch_all(&mut **tx)
        .await
        .map_err(IngestError::db("reading who asked for erasures"))
}

/// Writes who asked anew.
pub(crate) async fn rename_asker(tx: &mut Tx, id: ErasureId, asker: &str) -> Result<(), IngestError> {
    sqlx::query("update gong_erasures set requested_by = $3 where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(id)
        .bind(asker)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(IngestError::db("erasing who asked for an erasure"))
}
