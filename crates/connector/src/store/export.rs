//! Connections as JSON, without any secret, out and in.

use db::Tx;
use serde_json::Value;
use sqlx::types::Json;

use crate::ConnectorError;

/// A page of connections with the key behind which the next page begins.
pub(crate) async fn page(
    tx: &mut Tx,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, ConnectorError> {
    let query = "select id::text, to_jsonb(t) - 'organization_id' from gong_connections t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3";
    Ok(db::export_page(tx, query, after, most).await?)
}

/// Puts connections in, disconnected: their credentials did not come along.
pub(crate) async fn insert(tx: &mut Tx, rows: &[Value]) -> Result<(), ConnectorError> {
    sqlx::query(
        "insert into gong_connections select r.* from jsonb_populate_recordset(null::gong_connections, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1, 'status', 'disconnected',
                'disconnected_at', coalesce(e -> 'disconnected_at', to_jsonb(now())), 'reason', null, 'paused_until', null,
                'connected_by', (select to_jsonb(u.id) from users u where u.id = (e ->> 'connected_by')::uuid)))
            from jsonb_array_elements($2) e)) r",
    )
    .bind(tx.scope().organization())
    .bind(Json(rows))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("importing connections"))
}
