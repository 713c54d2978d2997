//! Table `gong_credentials`. Written by connecting, the refresher, re-sealing and disconnecting, by nobody else.

use db::Tx;
use kernel::ConnectionId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ConnectorError;

/// For how long one process may talk to the token endpoint without another one trying. Longer than the request may take.
const LEASE_SECONDS: f64 = 30.0;

/// The sealed secrets of one connection.
#[derive(FromRow, Clone)]
pub(crate) struct Credential {
    pub(crate) kind: String,
    pub(crate) key_id: String,
    pub(crate) access_sealed: String,
    pub(crate) refresh_sealed: Option<String>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) refresh_due_at: Option<OffsetDateTime>,
    pub(crate) generation: i64,
    pub(crate) refreshed_at: OffsetDateTime,
    pub(crate) refresh_failures: i32,
    pub(crate) retry_at: Option<OffsetDateTime>,
    pub(crate) dead_since: Option<OffsetDateTime>,
}

/// What a connect or a refresh stores.
pub(crate) struct NewCredential<'a> {
    pub(crate) kind: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) access_sealed: &'a str,
    pub(crate) refresh_sealed: Option<&'a str>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) refresh_due_at: Option<OffsetDateTime>,
    pub(crate) generation: i64,
    pub(crate) now: OffsetDateTime,
}

const COLUMNS: &str =
    "select kind, key_id, access_sealed, refresh_sealed, expires_at, refresh_due_at, generation,
    refreshed_at, refresh_failures, retry_at, dead_since
    from gong_credentials where organization_id = $1 and connection_id = $2";

/// Reads the credential; `None` after a disconnect.
pub(crate) async fn load(
    tx: &mut Tx,
    connection: ConnectionId,
) -> Result<Option<Credential>, ConnectorError> {
    sqlx::query_as(COLUMNS)
        .bind(tx.scope().organization())
        .bind(connection)
        .fetch_optional(&mut **tx)
        .await
        .map_err(ConnectorError::db("reading the credential"))
}

/// Stores what a connect brought, over whatever stood there.
pub(crate) async fn replace(
    tx: &mut Tx,
    connection: ConnectionId,
    new: &NewCredential<'_>,
) -> Result<(), ConnectorError> {
    sqlx::query(
        "insert into gong_credentials
            (connection_id, organization_id, kind, key_id, access_sealed, refresh_sealed, expires_at, refresh_due_at,
             generation, refreshed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (connection_id) do update set
            kind = excluded.kind, key_id = excluded.key_id, access_sealed = excluded.access_sealed,
            refresh_sealed = excluded.refresh_sealed, expires_at = excluded.expires_at,
            refresh_due_at = excluded.refresh_due_at, generation = excluded.generation,
            refreshed_at = excluded.refreshed_at, lease_holder = null, lease_until = null, refresh_failures = 0,
            retry_at = null, dead_since = null",
    )
    .bind(connection)
    .bind(tx.scope().organization())
    .bind(new.kind)
    .bind(new.key_id)
    .bind(new.access_sealed)
    .bind(new.refresh_sealed)
    .bind(new.expires_at)
    .bind(new.refresh_due_at)
    .bind(new.generation)
    .bind(new.now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("storing the credential"))
}

/// Takes the right to refresh generation `seen`; false when another process has it, it is not time, or it is not needed.
pub(crate) async fn take_lease(
    tx: &mut Tx,
    connection: ConnectionId,
    seen: i64,
    holder: Uuid,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_credentials
         set lease_holder = $4, lease_until = clock_timestamp() + make_interval(secs => $5)
         where organization_id = $1 and connection_id = $2 and generation = $3 and kind = 'oauth'
           and dead_since is null and (retry_at is null or retry_at <= $6)
           and (lease_until is null or lease_until < clock_timestamp())",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(seen)
    .bind(holder)
    .bind(LEASE_SECONDS)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("taking the lease of a credential"))?;
    Ok(done.rows_affected() == 1)
}

/// Stores the successor of generation `new.generation - 1`; false when that is not the stored one any more.
pub(crate) async fn advance(
    tx: &mut Tx,
    connection: ConnectionId,
    new: &NewCredential<'_>,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_credentials set
            key_id = $4, access_sealed = $5, refresh_sealed = $6, expires_at = $7, refresh_due_at = $8,
            generation = $3, refreshed_at = $9, lease_holder = null, lease_until = null, refresh_failures = 0,
            retry_at = null
         where organization_id = $1 and connection_id = $2 and generation = $3 - 1 and dead_since is null",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(new.generation)
    .bind(new.key_id)
    .bind(new.access_sealed)
    .bind(new.refresh_sealed)
    .bind(new.expires_at)
    .bind(new.refresh_due_at)
    .bind(new.now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("storing refreshed tokens"))?;
    Ok(done.rows_affected() == 1)
}

/// Gives the lease back after a failure that may pass; the next try comes at `retry_at`.
pub(crate) async fn postpone(
    tx: &mut Tx,
    connection: ConnectionId,
    generation: i64,
    holder: Uuid,
    retry_at: OffsetDateTime,
) -> Result<(), ConnectorError> {
    sqlx::query(
        "update gong_credentials
         set lease_holder = null, lease_until = null, refresh_failures = refresh_failures + 1, retry_at = $5
         where organization_id = $1 and connection_id = $2 and generation = $3 and lease_holder = $4",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(generation)
    .bind(holder)
    .bind(retry_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("postponing a refresh"))
}

/// Marks generation `generation` as refused; false when it is not the stored one any more.
pub(crate) async fn bury(
    tx: &mut Tx,
    connection: ConnectionId,
    generation: i64,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_credentials set dead_since = $4, lease_holder = null, lease_until = null, retry_at = null
         where organization_id = $1 and connection_id = $2 and generation = $3 and dead_since is null",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(generation)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("marking a refused credential"))?;
    Ok(done.rows_affected() == 1)
}

/// Forgets the secrets.
pub(crate) async fn delete(tx: &mut Tx, connection: ConnectionId) -> Result<(), ConnectorError> {
    sqlx::query("delete from gong_credentials where organization_id = $1 and connection_id = $2")
        .bind(tx.scope().organization())
        .bind(connection)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("deleting the credential"))
}

/// Replaces the sealing of a generation without changing what is sealed; false when it moved on meanwhile.
pub(crate) async fn reseal(
    tx: &mut Tx,
    connection: ConnectionId,
    generation: i64,
    key_id: &str,
    access_sealed: &str,
    refresh_sealed: Option<&str>,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_credentials set key_id = $4, access_sealed = $5, refresh_sealed = $6
         where organization_id = $1 and connection_id = $2 and generation = $3",
    )
    .bind(tx.scope().organization())
    .bind(connection)
    .bind(generation)
    .bind(key_id)
    .bind(access_sealed)
    .bind(refresh_sealed)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("re-sealing a credential"))?;
    Ok(done.rows_affected() == 1)
}
