//! Table `gong_flows`: connect requests on their way through Gong. Only hashes of their secrets are stored.

use db::{FleetTx, Tx};
use kernel::{OrganizationId, UserId};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::ConnectorError;

#[derive(FromRow)]
pub(crate) struct Flow {
    pub(crate) organization_id: OrganizationId,
    pub(crate) user_id: UserId,
    pub(crate) session_hash: Vec<u8>,
    pub(crate) browser_hash: Vec<u8>,
    pub(crate) history_days: Option<i32>,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) consumed_at: Option<OffsetDateTime>,
}

/// What is stored when a person clicks *Connect Gong*.
pub(crate) struct NewFlow {
    pub(crate) state_hash: [u8; 32],
    pub(crate) user: UserId,
    pub(crate) session_hash: [u8; 32],
    pub(crate) browser_hash: [u8; 32],
    pub(crate) history_days: Option<i64>,
    pub(crate) now: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
}

/// Stores a new connect request.
pub(crate) async fn insert(tx: &mut Tx, flow: &NewFlow) -> Result<(), ConnectorError> {
    sqlx::query(
        "insert into gong_flows
            (state_hash, organization_id, user_id, session_hash, browser_hash, history_days, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(flow.state_hash.as_slice())
    .bind(tx.scope().organization())
    .bind(flow.user)
    .bind(flow.session_hash.as_slice())
    .bind(flow.browser_hash.as_slice())
    .bind(flow.history_days)
    .bind(flow.now)
    .bind(flow.expires_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("storing a connect request"))
}

/// Finds a connect request by its state, before anybody knows whose it is.
pub(crate) async fn find(fleet: &mut FleetTx, state_hash: &[u8; 32]) -> Result<Option<Flow>, ConnectorError> {
    sqlx::query_as(
        "select organization_id, user_id, session_hash, browser_hash, history_days, expires_at, consumed_at
         from gong_flows where state_hash = $1",
    )
    .bind(state_hash.as_slice())
    .fetch_optional(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding a connect request"))
}

/// Uses a connect request up; false when somebody else just did.
pub(crate) async fn consume(
    fleet: &mut FleetTx,
    state_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done =
        sqlx::query("update gong_flows set consumed_at = $2 where state_hash = $1 and consumed_at is null")
            .bind(state_hash.as_slice())
            .bind(now)
            .execute(&mut **fleet)
            .await
            .map_err(ConnectorError::db("using a connect request up"))?;
    Ok(done.rows_affected() == 1)
}

/// Until when somebody of the organization may be on the way through Gong; `None` when nobody is.
pub(crate) async fn open_until(
    tx: &mut Tx,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, ConnectorError> {
    sqlx::query_scalar(
        "select max(expires_at) from gong_flows where organization_id = $1 and consumed_at is null and expires_at > $2",
    )
    .bind(tx.scope().organization())
    .bind(now)
    .fetch_one(&mut **tx)
    .await
    .map_err(ConnectorError::db("looking for open connect requests"))
}

/// Ends all connect requests of the organization; how many there were.
pub(crate) async fn discard(tx: &mut Tx) -> Result<u64, ConnectorError> {
    sqlx::query("delete from gong_flows where organization_id = $1")
        .bind(tx.scope().organization())
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
        .map_err(ConnectorError::db("discarding connect requests"))
}

/// Deletes requests that ended more than a day ago.
pub(crate) async fn sweep(fleet: &mut FleetTx, now: OffsetDateTime) -> Result<u64, ConnectorError> {
    let done = sqlx::query("delete from gong_flows where expires_at < $1")
        .bind(now - time::Duration::days(1))
        .execute(&mut **fleet)
        .await
        .map_err(ConnectorError::db("deleting old connect requests"))?;
    Ok(done.rows_affected())
}
