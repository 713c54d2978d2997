//! Reading calls and transcripts for pages and the API.

use db::Tx;
use kernel::{CallId, ConnectionId, TranscriptState};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;

use crate::{
    IngestError,
    calls::{CallCursor, CallDetail, CallSummary, Party},
};

#[derive(FromRow)]
pub(crate) struct SummaryRow {
    id: CallId,
    gong_call_id: String,
    title: Option<String>,
    url: Option<String>,
    started_at: OffsetDateTime,
    duration_seconds: Option<i64>,
    transcript_state: String,
    transcript_reason: Option<String>,
    waiting_since: Option<OffsetDateTime>,
    is_partial: bool,
    parties: Json<Vec<Party>>,
}

impl TryFrom<SummaryRow> for CallSummary {
    type Error = IngestError;
    fn try_from(row: SummaryRow) -> Result<Self, IngestError> {
        let parties = row.parties.0;
        let external = parties.iter().filter(|p| &*p.affiliation == "external");
        let account = external
            .filter_map(|p| p.email.as_deref()?.split_once('@'))
            .map(|(_, domain)| domain.to_lowercase())
            .next();
        Ok(Self {
            id: row.id,
            gong_call_id: row.gong_call_id,
            title: row.title,
            url: row.url,
            started_at: row.started_at,
            duration_seconds: row.duration_seconds,
            transcript_state: row
                .transcript_state
                .parse()
                .map_err(|_| IngestError::Damaged { what: "transcript state" })?,
            transcript_reason: row.transcript_reason,
            waiting_since: row.waiting_since,
            is_partial: row.is_partial,
            party_names: parties.into_iter().filter_map(|p| p.name.or(p.email)).take(20).collect(),
            account,
        })
    }
}

pub(crate) async fn page(
    tx: &mut Tx,
    state: Option<TranscriptState>,
    cursor: Option<CallCursor>,
    most: i64,
) -> Result<Vec<SummaryRow>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id, title, url, started_at, duration_seconds, transcript_state, transcript_reason,
                waiting_since, is_partial, parties
         from gong_calls
         where organization_id = $1
           and ($2::text is null or transcript_state = $2)
           and ($3::timestamptz is null or (started_at, id) < ($3, $4))
         order by started_at desc, id desc limit $5",
    )
    .bind(tx.scope().organization())
    .bind(state.map(TranscriptState::as_str))
    .bind(cursor.map(|c| c.started_at))
    .bind(cursor.map(|c| c.id))
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("listing calls"))
}

/// Calls by their ids, newest first.
pub(crate) async fn these(tx: &mut Tx, ids: &[CallId]) -> Result<Vec<SummaryRow>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id, title, url, started_at, duration_seconds, transcript_state, transcript_reason,
                waiting_since, is_partial, parties
         from gong_calls
         where organization_id = $1 and id = any($2) order by started_at desc, id desc",
    )
    .bind(tx.scope().organization())
    .bind(ids)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("reading the calls that were found"))
}

#[derive(FromRow)]
pub(crate) struct DetailRow {
    #[sqlx(flatten)]
    summary: SummaryRow,
    language: Option<String>,
    media: Option<String>,
    direction: Option<String>,
    system: Option<String>,
    scope: Option<String>,
    workspace_id: Option<String>,
    next_try_at: Option<OffsetDateTime>,
    tries: i32,
    stored_at: Option<OffsetDateTime>,
    looked_at: OffsetDateTime,
    created_at: OffsetDateTime,
}

impl TryFrom<DetailRow> for CallDetail {
    type Error = IngestError;
    fn try_from(row: DetailRow) -> Result<Self, IngestError> {
        Ok(Self {
            parties: row.summary.parties.0.clone(),
            summary: row.summary.try_into()?,
            language: row.language,
            media: row.media,
            direction: row.direction,
            system: row.system,
            scope: row.scope,
            workspace_id: row.workspace_id,
            next_try_at: row.next_try_at,
            tries: row.tries.into(),
            stored_at: row.stored_at,
            looked_at: row.looked_at,
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn detail(tx: &mut Tx, id: CallId) -> Result<Option<DetailRow>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id, title, url, started_at, duration_seconds, transcript_state, transcript_reason,
                waiting_since, is_partial, parties, language, media, direction, system, scope, workspace_id, next_try_at,
                tries, stored_at, looked_at, created_at
         from gong_calls where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading a call"))
}

/// Our id of the newest call with this Gong id.
pub(crate) async fn by_gong_id(tx: &mut Tx, gong_call_id: &str) -> Result<Option<CallId>, IngestError> {
    sqlx::query_scalar(
        "select id from gong_calls where organization_id = $1 and gong_call_id = $2 order by created_at desc limit 1",
    )
    .bind(tx.scope().organization())
    .bind(gong_call_id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("finding a call by Gong's id"))
}

/// Why a call with this Gong id is not held, and since when.
pub(crate) async fn tombstone(
    tx: &mut Tx,
    gong_call_id: &str,
) -> Result<Option<(String, OffsetDateTime)>, IngestError> {
    sqlx::query_as(
        "select reason, noticed_at from gong_tombstones where organization_id = $1 and gong_call_id = $2
         order by noticed_at desc limit 1",
    )
    .bind(tx.scope().organization())
    .bind(gong_call_id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("finding a tombstone"))
}

pub(crate) async fn counts(tx: &mut Tx, connection: ConnectionId) -> Result<Vec<(String, i64)>, IngestError> {
    sqlx::query_as(
        "select transcript_state, calls from gong_call_counts where organization_id = $1 and connection_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("counting calls"))
}

/// As [`counts`], over all connections.
pub(crate) async fn counts_of_all(tx: &mut Tx) -> Result<Vec<(String, i64)>, IngestError> {
    sqlx::query_as(
        "select transcript_state, sum(calls)::bigint from gong_call_counts
         where organization_id = $1 group by transcript_state",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("counting all calls"))
}

/// As [`hidden`], over all connections.
pub(crate) async fn hidden_of_all(tx: &mut Tx) -> Result<i64, IngestError> {
    sqlx::query_scalar(
        "select count(*) from gong_schedules s join gong_tombstones t on t.connection_id = s.connection_id
         where s.organization_id = $1 and t.reason in ('private', 'privacy_unknown')",
    )
    .bind(tx.scope().organization())
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting all private calls"))
}

/// Calls that were left out because they are private or not known to be public.
pub(crate) async fn hidden(tx: &mut Tx, connection: ConnectionId) -> Result<i64, IngestError> {
    sqlx::query_scalar(
        "select count(*) from gong_tombstones
         where organization_id = $1 and connection_id = $2 and reason in ('private', 'privacy_unknown')",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_one(&mut **tx)
    .await
    .map_err(IngestError::db("counting private calls"))
}

#[derive(FromRow)]
pub(crate) struct TranscriptRow {
    pub(crate) body: String,
    pub(crate) sentences: i32,
    pub(crate) words: i32,
    pub(crate) stored_at: OffsetDateTime,
}

pub(crate) async fn transcript(tx: &mut Tx, call: CallId) -> Result<Option<TranscriptRow>, IngestError> {
    sqlx::query_as(
        "select body, sentences, words, stored_at from gong_transcripts where organization_id = $1 and call_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .fetch_optional(&mut **tx)
    .await
    .map_err(IngestError::db("reading a transcript"))
}

pub(crate) async fn stored_among(
    tx: &mut Tx,
    calls: &[CallId],
) -> Result<Vec<(CallId, OffsetDateTime)>, IngestError> {
    sqlx::query_as(
        "select call_id, stored_at from gong_transcripts where organization_id = $1 and call_id = any ($2)",
    )
    .bind(tx.scope().organization())
    .bind(calls.iter().map(|call| call.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("looking which calls have a transcript"))
}

/// The Gong workspaces that the newest calls name.
pub(crate) async fn workspace_ids(tx: &mut Tx, connection: ConnectionId) -> Result<Vec<String>, IngestError> {
    sqlx::query_scalar(
        "select distinct workspace_id from (
            select workspace_id from gong_calls
            where organization_id = $1 and connection_id = $2 and workspace_id is not null
            order by started_at desc limit 2000
         ) newest limit 50",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("finding the workspaces of calls"))
}
