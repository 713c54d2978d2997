//! Table `gong_connections`.

use db::Tx;
use kernel::{ConnectionId, ConnectionStatus, UserId};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;

use crate::{AuthKind, Connection, ConnectorError, LastError, Workspace};

#[derive(FromRow)]
struct Row {
    id: ConnectionId,
    status: String,
    reason: Option<String>,
    paused_until: Option<OffsetDateTime>,
    auth_kind: String,
    api_base_url: String,
    workspaces: Json<Vec<Workspace>>,
    granted_scopes: Vec<String>,
    missing_scopes: Vec<String>,
    history_days: Option<i32>,
    connected_at: OffsetDateTime,
    disconnected_at: Option<OffsetDateTime>,
    connected_by: Option<UserId>,
    last_error_code: Option<String>,
    last_error_at: Option<OffsetDateTime>,
    next_try_at: Option<OffsetDateTime>,
    token_expires_at: Option<OffsetDateTime>,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for Connection {
    type Error = ConnectorError;
    fn try_from(row: Row) -> Result<Self, ConnectorError> {
        let damaged = |what| ConnectorError::Damaged { what };
        let last_error = row.last_error_code.zip(row.last_error_at).map(|(code, at)| LastError {
            code,
            at,
            next_try_at: row.next_try_at,
        });
        Ok(Self {
            id: row.id,
            status: row.status.parse().map_err(|_| damaged("status"))?,
            reason: row.reason,
            paused_until: row.paused_until,
            auth_kind: if row.auth_kind == "oauth" { AuthKind::Oauth } else { AuthKind::AccessKey },
            api_base_url: row.api_base_url,
            workspaces: row.workspaces.0,
            granted_scopes: row.granted_scopes,
            missing_scopes: row.missing_scopes,
            history_days: row.history_days.map(i64::from),
            connected_at: row.connected_at,
            disconnected_at: row.disconnected_at,
            connected_by: row.connected_by,
            last_error,
            token_expires_at: row.token_expires_at,
            updated_at: row.updated_at,
        })
    }
}

/// The newest connection of the organization: the live one, else the one that was ended last.
pub(crate) async fn newest(tx: &mut Tx) -> Result<Option<Connection>, ConnectorError> {
    let row: Option<Row> = sqlx::query_as(
        "select c.id, c.status, c.reason, c.paused_until, c.auth_kind, c.api_base_url, c.workspaces, c.granted_scopes,
                c.missing_scopes, c.history_days, c.connected_at, c.disconnected_at, c.connected_by,
                c.last_error_code, c.last_error_at, c.next_try_at, k.expires_at as token_expires_at, c.updated_at
         from gong_connections c left join gong_credentials k on k.connection_id = c.id
         where c.organization_id = $1
         order by (c.status <> 'disconnected') desc, c.updated_at desc
         limit 1",
    )
    .bind(tx.scope().organization())
    .fetch_optional(&mut **tx)
    .await
    .map_err(ConnectorError::db("finding the connection"))?;
    row.map(TryInto::try_into).transpose()
}

/// All connections that this organization ever had, newest first, at most 50.
pub(crate) async fn ended_with_workspaces(
    tx: &mut Tx,
) -> Result<Vec<(ConnectionId, String, Vec<Workspace>)>, ConnectorError> {
    let rows: Vec<(ConnectionId, String, Json<Vec<Workspace>>)> = sqlx::query_as(
        "select id, api_base_url, workspaces from gong_connections
         where organization_id = $1 and status = 'disconnected'
         order by updated_at desc limit 50",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(ConnectorError::db("finding earlier connections"))?;
    Ok(rows.into_iter().map(|(id, base, workspaces)| (id, base, workspaces.0)).collect())
}

/// Lets one change of this organization's connection at a time through, until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), ConnectorError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('gong_connection:' || $1::text, 0))")
        .bind(tx.scope().organization())
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("waiting for other changes of the connection"))
}

/// What a successful connect writes.
pub(crate) struct Upsert<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) auth_kind: AuthKind,
    pub(crate) api_base_url: &'a str,
    pub(crate) workspaces: &'a [Workspace],
    pub(crate) granted_scopes: &'a [String],
    pub(crate) missing_scopes: &'a [String],
    pub(crate) history_days: Option<i64>,
    pub(crate) connected_by: Option<UserId>,
    pub(crate) now: OffsetDateTime,
}

/// Makes the connection, or brings an earlier one back to life; says which workspaces it has, as far as they are known.
pub(crate) async fn upsert_connected(
    tx: &mut Tx,
    new: &Upsert<'_>,
) -> Result<Vec<Workspace>, ConnectorError> {
    let workspaces: Json<Vec<Workspace>> = sqlx::query_scalar(
        "insert into gong_connections as c
            (id, organization_id, status, auth_kind, api_base_url, workspaces, granted_scopes, missing_scopes,
             history_days, connected_at, connected_by, created_at, updated_at)
         values ($1, $2, 'connected', $3, $4, $5, $6, $7, $8, $9, $10, $9, $9)
         on conflict (id) do update set
            status = 'connected', reason = null, paused_until = null, auth_kind = excluded.auth_kind,
            api_base_url = excluded.api_base_url,
            workspaces = case when excluded.workspaces = '[]' then c.workspaces else excluded.workspaces end,
            granted_scopes = excluded.granted_scopes, missing_scopes = excluded.missing_scopes, scope_probe_at = null,
            history_days = coalesce(excluded.history_days, c.history_days), connected_at = excluded.connected_at,
            connected_by = excluded.connected_by, last_error_code = null, last_error_at = null, next_try_at = null,
            updated_at = excluded.updated_at, disconnected_at = null
         returning workspaces",
    )
    .bind(new.id)
    .bind(tx.scope().organization())
    .bind(new.auth_kind.as_str())
    .bind(new.api_base_url)
    .bind(Json(new.workspaces))
    .bind(new.granted_scopes)
    .bind(new.missing_scopes)
    .bind(new.history_days)
    .bind(new.now)
    .bind(new.connected_by)
    .fetch_one(&mut **tx)
    .await
    .map_err(ConnectorError::db("storing the connection"))?;
    Ok(workspaces.0)
}

/// Sets the status of a connection that is not disconnected; false when there is none.
pub(crate) async fn set_status(
    tx: &mut Tx,
    id: ConnectionId,
    status: ConnectionStatus,
    reason: Option<&str>,
    until: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_connections set status = $3, reason = $4, paused_until = $5, updated_at = $6,
            disconnected_at = case when $3 = 'disconnected' then $6 end
         where organization_id = $1 and id = $2 and status <> 'disconnected'",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(status.as_str())
    .bind(reason)
    .bind(until)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("changing the status of the connection"))?;
    Ok(done.rows_affected() == 1)
}

/// Records what went wrong last, or that it is mended (`None`). True when this is news.
pub(crate) async fn set_error(
    tx: &mut Tx,
    id: ConnectionId,
    code: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_connections set last_error_code = $3, last_error_at = case when $3 is null then null else $4 end,
            next_try_at = null, updated_at = $4
         where organization_id = $1 and id = $2 and last_error_code is distinct from $3",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(code)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("recording an error of the connection"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends this very error; false when another one stands by now, or none.
pub(crate) async fn end_error(
    tx: &mut Tx,
    id: ConnectionId,
    code: &str,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_connections set last_error_code = null, last_error_at = null, next_try_at = null, updated_at = $4
         where organization_id = $1 and id = $2 and last_error_code = $3",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(code)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("ending an error of the connection"))?;
    Ok(done.rows_affected() == 1)
}

/// Records when a Gong that does not answer is asked again.
pub(crate) async fn set_next_try(
    tx: &mut Tx,
    id: ConnectionId,
    next_try_at: OffsetDateTime,
) -> Result<(), ConnectorError> {
    sqlx::query("update gong_connections set next_try_at = $3 where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(id)
        .bind(next_try_at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("recording the next try"))
}

/// Adds or removes a scope that Gong says is missing; the next probe may come at `probe_at`.
pub(crate) async fn set_missing_scope(
    tx: &mut Tx,
    id: ConnectionId,
    scope: &str,
    missing: bool,
    probe_at: Option<OffsetDateTime>,
) -> Result<bool, ConnectorError> {
    let done = sqlx::query(
        "update gong_connections set
            missing_scopes = case when $4 then array(select distinct unnest(missing_scopes || $3::text) order by 1)
                                  else array_remove(missing_scopes, $3) end,
            scope_probe_at = $5
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(scope)
    .bind(missing)
    .bind(probe_at)
    .execute(&mut **tx)
    .await
    .map_err(ConnectorError::db("recording a missing scope"))?;
    Ok(done.rows_affected() == 1)
}

/// Takes the try of a missing scope that is due now, so that nobody else makes it before `until`; whether there was one.
pub(crate) async fn take_scope_probe(
    tx: &mut Tx,
    id: ConnectionId,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    sqlx::query(
        "update gong_connections set scope_probe_at = $4
         where organization_id = $1 and id = $2 and (scope_probe_at is null or scope_probe_at <= $3)",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(now)
    .bind(until)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(ConnectorError::db("taking the try of a missing scope"))
}

/// Takes over what a refresh told about the address and the scopes, where it told of them.
pub(crate) async fn set_grant(
    tx: &mut Tx,
    id: ConnectionId,
    api_base_url: Option<&str>,
    granted: Option<&[String]>,
    missing: Option<&[String]>,
) -> Result<(), ConnectorError> {
    sqlx::query(
        "update gong_connections set api_base_url = coalesce($3, api_base_url),
            granted_scopes = coalesce($4, granted_scopes), missing_scopes = coalesce($5, missing_scopes)
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(api_base_url)
    .bind(granted)
    .bind(missing)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(ConnectorError::db("taking over the grant"))
}

/// Records the workspaces of a company that was not known when it was connected.
pub(crate) async fn set_workspaces(
    tx: &mut Tx,
    id: ConnectionId,
    workspaces: &[Workspace],
) -> Result<(), ConnectorError> {
    sqlx::query("update gong_connections set workspaces = $3 where organization_id = $1 and id = $2")
        .bind(tx.scope().organization())
        .bind(id)
        .bind(Json(workspaces))
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(ConnectorError::db("recording the workspaces"))
}
