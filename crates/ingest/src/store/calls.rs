//! Tables `gong_calls` and `gong_tombstones`: writing what a look at Gong brought.

use db::Tx;
use kernel::{CallId, ConnectionId};
use serde::Serialize;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{IngestError, calls::Party};

/// One call as it is stored. Serialized once a page and spread out by the database.
#[derive(Debug, Serialize)]
pub(crate) struct NewCall<'a> {
    pub(crate) id: uuid::Uuid,
    pub(crate) gong_call_id: &'a str,
    pub(crate) title: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) started_at: OffsetDateTime,
    pub(crate) duration_seconds: Option<i64>,
    pub(crate) direction: Option<&'a str>,
    pub(crate) system: Option<&'a str>,
    pub(crate) scope: Option<&'a str>,
    pub(crate) media: Option<&'a str>,
    pub(crate) language: Option<&'a str>,
    pub(crate) workspace_id: Option<&'a str>,
    pub(crate) primary_user_id: Option<&'a str>,
    pub(crate) parties: Vec<Party>,
    pub(crate) is_partial: bool,
    pub(crate) search_text: String,
    pub(crate) search_signs: i64,
}

/// Stores calls, whole, over what was stored of them; says how many are new. `lane`: 0 fresh, 1 backfill.
pub(crate) async fn upsert(
    tx: &mut Tx,
    connection: ConnectionId,
    calls: &[NewCall<'_>],
    lane: i16,
    now: OffsetDateTime,
) -> Result<i64, IngestError> {
    if calls.is_empty() {
        return Ok(0);
    }
    let new: Vec<bool> = sqlx::query_scalar(
        "insert into gong_calls as c
            (id, organization_id, connection_id, gong_call_id, title, url, started_at, duration_seconds, direction, system,
             scope, media, language, workspace_id, primary_user_id, parties, is_partial, search_text, search_signs, lane, looked_at, created_at)
         select n.id, $1, $2, n.gong_call_id, n.title, n.url, n.started_at, n.duration_seconds, n.direction, n.system,
             n.scope, n.media, n.language, n.workspace_id, n.primary_user_id, n.parties, n.is_partial, n.search_text, n.search_signs, $4, $5, $5
         from jsonb_to_recordset($3) as n(
             id uuid, gong_call_id text, title text, url text, started_at timestamptz, duration_seconds bigint,
             direction text, system text, scope text, media text, language text, workspace_id text, primary_user_id text,
             parties jsonb, is_partial boolean, search_text text, search_signs bigint)
         order by n.gong_call_id
         on conflict (connection_id, gong_call_id) do update set
             title = excluded.title, url = excluded.url, started_at = excluded.started_at,
             duration_seconds = excluded.duration_seconds, direction = excluded.direction, system = excluded.system,
             scope = excluded.scope, media = excluded.media, language = excluded.language,
             workspace_id = excluded.workspace_id, primary_user_id = excluded.primary_user_id,
             parties = case when excluded.is_partial and not c.is_partial then c.parties else excluded.parties end,
             is_partial = excluded.is_partial and c.is_partial,
             search_text = case when excluded.is_partial and not c.is_partial then c.search_text else excluded.search_text end,
             search_signs = case when excluded.is_partial and not c.is_partial then c.search_signs else excluded.search_signs end,
             expired_at = null,
             lane = least(c.lane, excluded.lane), looked_at = excluded.looked_at, missing_since = null
         returning (xmax = 0)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(Json(calls))
    .bind(lane)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("storing a page of calls"))?;
    let gong_ids: Vec<&str> = calls.iter().map(|c| c.gong_call_id).collect();
    sqlx::query("delete from gong_tombstones where organization_id = $1 and connection_id = $2 and gong_call_id = any($3)")
        .bind(tx.scope().organization())
        .bind(connection)
        .bind(&gong_ids)
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("removing tombstones of calls that are public again"))?;
    Ok(i64::try_from(new.into_iter().filter(|new| *new).count()).unwrap_or(i64::MAX))
}

/// Leaves nothing of these calls but their id and why. Says how many were not known before as such.
pub(crate) async fn bury(
    tx: &mut Tx,
    connection: ConnectionId,
    calls: &[(String, &'static str)],
    now: OffsetDateTime,
) -> Result<i64, IngestError> {
    if calls.is_empty() {
        return Ok(0);
    }
    let (ids, reasons): (Vec<&str>, Vec<&str>) =
        calls.iter().map(|(id, reason)| (id.as_str(), *reason)).unzip();
    let purged = sqlx::query(
        "delete from gong_calls where organization_id = $1 and connection_id = $2 and gong_call_id = any($3)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(&ids)
    .execute(&mut **tx)
    .await
    .map_err(IngestError::db("purging calls that must not be held"))?;
    if purged.rows_affected() > 0 {
        tracing::info!(connection.id = %connection, calls = purged.rows_affected(),
            "Calls that turned private were purged with their transcripts.");
    }
    let new: Vec<bool> = sqlx::query_scalar(
        "insert into gong_tombstones as t (connection_id, organization_id, gong_call_id, reason, noticed_at)
         select distinct on (n.id) $2, $1, n.id, n.reason, $5 from unnest($3::text[], $4::text[]) as n(id, reason) order by n.id
         on conflict (connection_id, gong_call_id) do update set reason = excluded.reason
         returning (xmax = 0)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(&ids)
    .bind(&reasons)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("leaving tombstones"))?;
    Ok(i64::try_from(new.into_iter().filter(|new| *new).count()).unwrap_or(i64::MAX))
}

/// Transcripts that were stored without a later look at the call's privacy, at most `most`.
pub(crate) async fn unconfirmed(
    tx: &mut Tx,
    connection: ConnectionId,
    most: i64,
) -> Result<Vec<(CallId, String)>, IngestError> {
    sqlx::query_as(
        "select id, gong_call_id from gong_calls
         where organization_id = $1 and connection_id = $2 and stored_at > looked_at
         order by stored_at limit $3",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("finding calls to look at again"))
}

/// Records that Gong no longer lists these calls.
pub(crate) async fn missing(tx: &mut Tx, ids: &[CallId], now: OffsetDateTime) -> Result<(), IngestError> {
    sqlx::query(
        "update gong_calls set missing_since = coalesce(missing_since, $3), looked_at = $3
         where organization_id = $1 and id = any($2)",
    )
    .bind(tx.scope().organization())
    .bind(ids)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(IngestError::db("recording calls that Gong no longer lists"))
}
