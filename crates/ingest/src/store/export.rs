//! Rows of this room's tables as JSON, out and in.

use db::Tx;
use serde_json::Value;
use sqlx::types::Json;

use crate::IngestError;

/// Which tables are exported, in an order in which they can be imported; and how a page of each is read: after `$2`, at
/// most `$3`. What is left out is counted anew or of no use elsewhere.
const TABLES: [(&str, &str); 7] = [
    (
        "gong_privacy",
        "select organization_id::text, to_jsonb(t) - 'organization_id' - 'erasures' - 'next_retention_at' from gong_privacy t
         where organization_id = $1 and $2::text is null limit $3",
    ),
    (
        "gong_schedules",
        "select connection_id::text, to_jsonb(t) - 'organization_id' - 'relook_left' from gong_schedules t
         where organization_id = $1 and ($2::text is null or connection_id > $2::uuid) order by t.connection_id limit $3",
    ),
    (
        "gong_runs",
        "select id::text, to_jsonb(t) - 'organization_id' from gong_runs t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
    ),
    (
        "gong_calls",
        "select id::text, to_jsonb(t) - 'organization_id' - 'loss_id' from gong_calls t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
    ),
    (
        "gong_transcripts",
        "select call_id::text, to_jsonb(t) - 'organization_id' from gong_transcripts t
         where organization_id = $1 and ($2::text is null or call_id > $2::uuid) order by t.call_id limit least($3, 20)",
    ),
    (
        "gong_tombstones",
        "select connection_id || '/' || gong_call_id, to_jsonb(t) - 'organization_id' from gong_tombstones t
         where organization_id = $1 and ($2::text is null or (connection_id, gong_call_id) >
            (split_part($2, '/', 1)::uuid, substr($2, 38)))
         order by connection_id, gong_call_id limit $3",
    ),
    (
        "gong_erasures",
        "select id::text, to_jsonb(t) - 'organization_id' - 'names' - 'after_call' from gong_erasures t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
    ),
];

/// Puts rows in. What was running does not run here: the connection has to be made anew.
const INTO: [(&str, &str); 7] = [
    (
        "gong_privacy",
        "update gong_privacy p set retention_days = r.retention_days, next_retention_at = now()
         from jsonb_populate_recordset(null::gong_privacy, $2) r where p.organization_id = $1",
    ),
    (
        "gong_schedules",
        "insert into gong_schedules select r.* from jsonb_populate_recordset(null::gong_schedules, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1, 'active', false, 'relook_left', 0))
            from jsonb_array_elements($2) e)) r",
    ),
    (
        "gong_runs",
        "insert into gong_runs select r.* from jsonb_populate_recordset(null::gong_runs, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1,
                'state', case when e ->> 'state' = 'running' then 'cancelled' else e ->> 'state' end))
            from jsonb_array_elements($2) e)) r",
    ),
    (
        "gong_calls",
        "insert into gong_calls select r.* from jsonb_populate_recordset(null::gong_calls, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "gong_transcripts",
        "insert into gong_transcripts select r.* from jsonb_populate_recordset(null::gong_transcripts, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "gong_tombstones",
        "insert into gong_tombstones select r.* from jsonb_populate_recordset(null::gong_tombstones, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "gong_erasures",
        "insert into gong_erasures select r.* from jsonb_populate_recordset(null::gong_erasures, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1, 'names', '{}'::text, 'state', 'done'))
            from jsonb_array_elements($2) e)) r",
    ),
];

/// The names of the exported tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(table, _)| *table)
}

/// A page of rows with the key behind which the next page begins.
pub(crate) async fn page(
    tx: &mut Tx,
    table: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, IngestError> {
    let Some((_, query)) = TABLES.iter().find(|(name, _)| *name == table) else { return Ok(Vec::new()) };
    Ok(db::export_page(tx, query, after, most).await?)
}

/// Puts rows of one table in; false for a table that is not of this room.
pub(crate) async fn insert(tx: &mut Tx, table: &str, rows: &[Value]) -> Result<bool, IngestError> {
    let Some((_, query)) = INTO.iter().find(|(name, _)| *name == table) else { return Ok(false) };
    sqlx::query(*query)
        .bind(tx.scope().organization())
        .bind(Json(rows))
        .execute(&mut **tx)
        .await
        .map_err(IngestError::db("importing"))?;
    Ok(true)
}
