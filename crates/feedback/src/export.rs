//! What this room holds of an organization as rows of JSON, page by page, and back in again. Vectors, stages and the list of
//! calls to look at are left out: they are made anew.

use db::Tx;
use serde_json::Value;

use crate::{FeedbackError, store::export as store};

/// The tables of this room that are exported, in the order of importing.
pub fn exported() -> Vec<&'static str> {
    store::tables().collect()
}

/// A page of a table: each row with its key, behind which the next page begins.
///
/// # Errors
/// When the database fails.
pub async fn export_page(
    tx: &mut Tx,
    table: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, FeedbackError> {
    store::page(tx, table, after, most.clamp(1, 500)).await
}

/// Puts exported rows in; false for a table of another room.
///
/// # Errors
/// When a row does not fit, or the database fails.
pub async fn import_rows(tx: &mut Tx, table: &str, rows: &[Value]) -> Result<bool, FeedbackError> {
    store::insert(tx, table, rows).await
}
