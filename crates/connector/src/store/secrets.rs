//! Table `organization_secrets`: one sealed secret an organization.

use db::Tx;
use time::OffsetDateTime;

use crate::ConnectorError;

/// The sealed secret and the id of the key that opens it.
pub(crate) async fn load(tx: &mut Tx) -> Result<Option<(String, String)>, ConnectorError> {
    sqlx::query_as("select key_id, sealed from organization_secrets where organization_id = $1")
        .bind(tx.scope().organization())
        .fetch_optional(&mut **tx)
        .await
        .map_err(ConnectorError::db("reading the organization's secret"))
}

/// Stores a secret where there is none yet.
pub(crate) async fn insert(
    tx: &mut Tx,
    (key_id, sealed): (&str, &str),
    now: OffsetDateTime,
) -> Result<(), ConnectorError> {
    sqlx::query(
        "insert into organization_secrets (organization_id, key_id, sealed, created_at) values ($1, $2, $3, $4)
         on conflict (organization_id) do nothing",
    )
    .bind(tx.scope().organization())
    .bind(key_id)
    .bind(sealed)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("storing the organization's secret"))
}

/// Stores a new sealing of the same secret.
pub(crate) async fn reseal(tx: &mut Tx, (key_id, sealed): (&str, &str)) -> Result<(), ConnectorError> {
    sqlx::query("update organization_secrets set key_id = $2, sealed = $3 where organization_id = $1")
        .bind(tx.scope().organization())
        .bind(key_id)
        .bind(sealed)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("re-sealing the organization's secret"))
}
