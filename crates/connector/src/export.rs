//! The connections of an organization as rows of JSON, and back in again. Credentials stay behind.

use db::Tx;
use serde_json::Value;

use crate::{ConnectorError, store::export as store};

/// The table of this room that is exported.
pub const EXPORTED: &str = "gong_connections";

/// A page of connections: each row with its key, behind which the next page begins.
///
/// # Errors
/// When the database fails.
pub async fn export_page(
    tx: &mut Tx,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, ConnectorError> {
    store::page(tx, after, most.clamp(1, 500)).await
}

/// Puts exported connections in; they are disconnected.
///
/// # Errors
/// When a row does not fit, or the database fails.
pub async fn import_rows(tx: &mut Tx, rows: &[Value]) -> Result<(), ConnectorError> {
    store::insert(tx, rows).await
}
