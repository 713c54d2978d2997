//! The connector's reads that cross organizations: what is due, which keys are in use.

use std::collections::HashSet;

use db::FleetTx;
use kernel::{ConnectionId, ConnectionStatus, OrganizationId};
use time::OffsetDateTime;

use crate::{ConnectorError, model::reason, store};

/// Connections whose token should be replaced now, most urgent first.
///
/// # Errors
/// When the database fails.
pub async fn due_refreshes(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<(OrganizationId, ConnectionId)>, ConnectorError> {
    sqlx::query_as(
        "select k.organization_id, k.connection_id from gong_credentials k
         where k.kind = 'oauth' and k.dead_since is null and k.refresh_due_at <= $1
           and (k.retry_at is null or k.retry_at <= $1)
           and (k.lease_until is null or k.lease_until < clock_timestamp())
         order by k.refresh_due_at limit $2",
    )
    .bind(now)
    .bind(most)
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding tokens that are due"))
}

/// Connections whose pause is over.
///
/// # Errors
/// When the database fails.
pub async fn ended_pauses(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Vec<(OrganizationId, ConnectionId)>, ConnectorError> {
    sqlx::query_as(
        "select organization_id, id from gong_connections
         where status = 'paused' and paused_until <= $1 order by paused_until limit 100",
    )
    .bind(now)
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding pauses that are over"))
}

/// How many credentials, and secrets of organizations, are sealed with which key.
///
/// # Errors
/// When the database fails.
pub async fn credentials_per_key(fleet: &mut FleetTx) -> Result<Vec<(String, i64)>, ConnectorError> {
    sqlx::query_as(
        "select key_id, count(*) from (
            select key_id from gong_credentials union all select key_id from organization_secrets) k
         group by 1 order by 1",
    )
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("counting credentials per key"))
}

/// Credentials that are not sealed with `key_id`, a page after `after`.
///
/// # Errors
/// When the database fails.
pub async fn sealed_otherwise(
    fleet: &mut FleetTx,
    key_id: &str,
    after: ConnectionId,
    most: i64,
) -> Result<Vec<(OrganizationId, ConnectionId)>, ConnectorError> {
    sqlx::query_as(
        "select organization_id, connection_id from gong_credentials
         where key_id <> $1 and connection_id > $2 order by connection_id limit $3",
    )
    .bind(key_id)
    .bind(after)
    .bind(most)
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding credentials to re-seal"))
}

/// Organizations whose secret is not sealed with `key_id`, a page after `after`.
///
/// # Errors
/// When the database fails.
pub async fn secrets_sealed_otherwise(
    fleet: &mut FleetTx,
    key_id: &str,
    after: OrganizationId,
    most: i64,
) -> Result<Vec<OrganizationId>, ConnectorError> {
    sqlx::query_scalar(
        "select organization_id from organization_secrets
         where key_id <> $1 and organization_id > $2 order by organization_id limit $3",
    )
    .bind(key_id)
    .bind(after)
    .bind(most)
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding secrets to re-seal"))
}

/// How many connections stand in each status.
///
/// # Errors
/// When the database fails or holds a word that this version does not know.
pub async fn connections_per_status(
    fleet: &mut FleetTx,
) -> Result<Vec<(ConnectionStatus, i64)>, ConnectorError> {
    let rows: Vec<(String, i64)> = sqlx::query_as("select status, count(*) from gong_connections group by 1")
        .fetch_all(&mut **fleet)
        .await
        .map_err(ConnectorError::db("counting connections"))?;
    rows.into_iter()
        .map(|(word, count)| {
            Ok((word.parse().map_err(|_| ConnectorError::Damaged { what: "status" })?, count))
        })
        .collect()
}

/// Connections that can ask Gong for nothing until an admin has connected them again.
///
/// # Errors
/// When the database fails.
pub async fn unable(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<HashSet<ConnectionId>, ConnectorError> {
    let ids: Vec<ConnectionId> = sqlx::query_scalar(
        "select c.id from gong_connections c left join gong_credentials k on k.connection_id = c.id
         where c.status = 'reconnect_required' and (c.reason = $2 or k.expires_at is null or k.expires_at <= $1)",
    )
    .bind(now)
    .bind(reason::ACCESS_REFUSED)
    .fetch_all(&mut **fleet)
    .await
    .map_err(ConnectorError::db("finding connections that have to be connected again"))?;
    Ok(ids.into_iter().collect())
}

/// What is wrong with live connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Troubles {
    /// Connections whose access token has ended and was not replaced.
    pub expired: i64,
    /// Connections that lack a scope.
    pub missing_scope: i64,
    /// The base URLs that credentials are sent to.
    pub base_urls: Vec<String>,
}

/// Looks for what is wrong with live connections.
///
/// # Errors
/// When the database fails.
pub async fn troubles(fleet: &mut FleetTx, now: OffsetDateTime) -> Result<Troubles, ConnectorError> {
    let (expired, missing_scope, base_urls) = sqlx::query_as(
        "select count(*) filter (where c.status = 'connected' and k.kind = 'oauth' and k.expires_at < $1),
                count(*) filter (where c.missing_scopes <> '{}'),
                coalesce(array_agg(distinct c.api_base_url), '{}')
         from gong_connections c join gong_credentials k
           on k.organization_id = c.organization_id and k.connection_id = c.id
         where c.status <> 'disconnected'",
    )
    .bind(now)
    .fetch_one(&mut **fleet)
    .await
    .map_err(ConnectorError::db("looking for connections in trouble"))?;
    Ok(Troubles { expired, missing_scope, base_urls })
}

/// Deletes connect requests that ended more than a day ago.
///
/// # Errors
/// When the database fails.
pub async fn sweep_flows(fleet: &mut FleetTx, now: OffsetDateTime) -> Result<u64, ConnectorError> {
    store::flows::sweep(fleet, now).await
}
