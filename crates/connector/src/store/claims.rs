//! Table `gong_company_claims`: one Gong company, one organization.

use db::Tx;
use kernel::ConnectionId;

use crate::{ConnectorError, Workspace};

/// Claims the workspaces for this connection; false when another connection has one of them.
///
/// Waits for a competing claim to be committed or rolled back. Whose it is cannot be seen from here, nor is it told.
pub(crate) async fn claim(
    tx: &mut Tx,
    connection: ConnectionId,
    workspaces: &[Workspace],
) -> Result<bool, ConnectorError> {
    let mut ids: Vec<&str> = workspaces.iter().map(|w| w.id.as_str()).collect();
    // The same order everywhere: two claims of the same company cannot wait for each other.
    ids.sort_unstable();
    ids.dedup();
    sqlx::query(
        "insert into gong_company_claims (workspace_id, organization_id, connection_id)
         select w, $1, $2 from unnest($3::text[]) as w
         on conflict (workspace_id) do nothing",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(&ids)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("claiming the Gong company"))?;
    let ours: i64 = sqlx::query_scalar(
        "select count(*) from gong_company_claims
         where organization_id = $1 and connection_id = $2 and workspace_id = any($3)",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(&ids)
    .fetch_one(&mut **tx)
    .await
    .map_err(ConnectorError::db("counting the claims"))?;
    Ok(usize::try_from(ours).is_ok_and(|ours| ours == ids.len()))
}

/// Gives up all claims of a connection.
pub(crate) async fn release(tx: &mut Tx, connection: ConnectionId) -> Result<(), ConnectorError> {
    sqlx::query("delete from gong_company_claims where organization_id = $1 and connection_id = $2")
        .bind(tx.scope().organization())
        .bind(connection)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("releasing the Gong company"))
}
