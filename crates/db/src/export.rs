//! Rows as JSON, page by page, for the rooms that export theirs.

use serde_json::Value;

use crate::{DbError, Tx};

/// A page of rows, each with the key behind which the next page begins.
///
/// The room's query selects a text key and a JSON row: of the organization `$1`, after the key `$2` (null at the beginning),
/// at most `$3`, in the order of the key.
///
/// # Errors
/// When the database fails.
pub async fn export_page(
    tx: &mut Tx,
    query: &'static str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, DbError> {
    sqlx::query_as(query)
        .bind(tx.scope().organization())
        .bind(after)
        .bind(most)
        .fetch_all(&mut **tx)
        .await
        .map_err(DbError::while_doing("exporting"))
}
