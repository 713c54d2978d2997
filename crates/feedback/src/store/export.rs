//! Rows of this room's tables as JSON, out and in.

use db::Tx;
use serde_json::Value;
use sqlx::types::Json;

use crate::FeedbackError;

/// Which tables are exported, in an order in which they can be imported; how a page of each is read: after `$2`, at most
/// `$3`; and how rows are put in.
const TABLES: [(&str, &str, &str); 8] = [
    (
        "boards",
        "select id::text, to_jsonb(t) - 'organization_id' from boards t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
        "insert into boards select r.* from jsonb_populate_recordset(null::boards, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "feedback_settings",
        "select organization_id::text, to_jsonb(t) - 'organization_id' - 'vectors_gone' from feedback_settings t
         where organization_id = $1 and $2::text is null limit $3",
        "update feedback_settings s set mode = r.mode, analyzer = r.analyzer, may_add_tags = r.may_add_tags, join_at = r.join_at,
            ask_at = r.ask_at, vocabulary = r.vocabulary, default_board_id = r.default_board_id, monthly_cap = r.monthly_cap,
            version = r.version, updated_at = r.updated_at
         from jsonb_populate_recordset(null::feedback_settings, $2) r where s.organization_id = $1",
    ),
    (
        "board_categories",
        "select id::text, to_jsonb(t) - 'organization_id' from board_categories t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
        "insert into board_categories select r.* from jsonb_populate_recordset(null::board_categories, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "feedback_tags",
        "select name, to_jsonb(t) - 'organization_id' from feedback_tags t
         where organization_id = $1 and ($2::text is null or name > $2) order by t.name limit $3",
        "insert into feedback_tags select r.* from jsonb_populate_recordset(null::feedback_tags, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "posts",
        "select id::text, to_jsonb(t) - 'organization_id' from posts t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
        "insert into posts select r.* from jsonb_populate_recordset(null::posts, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "evidence",
        "select id::text, to_jsonb(t) - 'organization_id' from evidence t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
        "insert into evidence select r.* from jsonb_populate_recordset(null::evidence, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "evidence_partings",
        "select call_id || '/' || post_id || '/' || title, to_jsonb(t) - 'organization_id' from evidence_partings t
         where organization_id = $1 and ($2::text is null or (call_id, post_id, title) >
            (split_part($2, '/', 1)::uuid, split_part($2, '/', 2)::uuid, substr($2, 75)))
         order by call_id, post_id, title limit $3",
        "insert into evidence_partings select r.* from jsonb_populate_recordset(null::evidence_partings, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
    (
        "model_usage",
        "select month || '/' || model, to_jsonb(t) - 'organization_id' from model_usage t
         where organization_id = $1 and ($2::text is null or (month, model) > (left($2, 10)::date, substr($2, 12)))
         order by month, model limit $3",
        "insert into model_usage select r.* from jsonb_populate_recordset(null::model_usage, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    ),
];

/// The names of the exported tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(table, ..)| *table)
}

/// A page of rows with the key behind which the next page begins.
pub(crate) async fn page(
    tx: &mut Tx,
    table: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, FeedbackError> {
    let Some((_, query, _)) = TABLES.iter().find(|(name, ..)| *name == table) else { return Ok(Vec::new()) };
    Ok(db::export_page(tx, query, after, most).await?)
}

/// Puts rows of one table in; false for a table that is not of this room.
pub(crate) async fn insert(tx: &mut Tx, table: &str, rows: &[Value]) -> Result<bool, FeedbackError> {
    let Some((.., query)) = TABLES.iter().find(|(name, ..)| *name == table) else { return Ok(false) };
    sqlx::query(*query)
        .bind(tx.scope().organization())
        .bind(Json(rows))
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("importing"))?;
    Ok(true)
}
