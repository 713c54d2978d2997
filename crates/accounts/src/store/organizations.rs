//! The transaction's own organization.

use db::Tx;

use crate::{AccountsError, Organization, store::failed};

pub(crate) async fn find(tx: &mut Tx) -> Result<Option<Organization>, AccountsError> {
    let id = tx.scope().organization();
    let row: Option<(String, time::OffsetDateTime)> =
        sqlx::query_as("select name, created_at from organizations where id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await
            .map_err(failed("reading the organization"))?;
    Ok(row.map(|(name, created_at)| Organization { id, name, created_at }))
}

pub(crate) async fn rename(tx: &mut Tx, name: &str) -> Result<(), AccountsError> {
    let id = tx.scope().organization();
    sqlx::query("update organizations set name = $2 where id = $1")
        .bind(id)
        .bind(name)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("renaming the organization"))
}
