//! The life of a connection: pausing, resuming, ending, and the facts beside its status.

use db::Tx;
use kernel::{ConnectionId, ConnectionStatus};
use time::{Duration, OffsetDateTime};

use crate::{
    Connection, ConnectorError,
    model::reason,
    store::{claims, connections, credentials, flows},
};

/// How long a scope that was missing is left alone before it is tried again.
const SCOPE_PROBE_GAP: Duration = Duration::hours(1);
/// Who takes a try and dies before its end keeps others from it for so long.
const SCOPE_PROBE_TIME: Duration = Duration::minutes(10);

/// The organization's connection: the live one, else the one that was ended last; `None` when Gong was never connected.
///
/// # Errors
/// When the database fails.
pub async fn current(tx: &mut Tx) -> Result<Option<Connection>, ConnectorError> {
    connections::newest(tx).await
}

/// Until when an admin who is at Gong right now may come back: nothing is connected, and a connect request is open.
///
/// # Errors
/// When the database fails.
pub async fn connecting_until(
    tx: &mut Tx,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, ConnectorError> {
    if live_or_none(tx).await?.is_some() {
        return Ok(None);
    }
    flows::open_until(tx, now).await
}

/// Ends open connect requests: whoever comes back from Gong with one is told that it is not known. False when none was open.
///
/// # Errors
/// When the database fails.
pub async fn cancel_connecting(tx: &mut Tx) -> Result<bool, ConnectorError> {
    let ended = flows::discard(tx).await? > 0;
    if ended {
        tx.announce("connection").await?;
    }
    Ok(ended)
}

/// Keeps others from changing the connection until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn hold(tx: &mut Tx) -> Result<(), ConnectorError> {
    connections::lock(tx).await
}

async fn live(tx: &mut Tx) -> Result<Connection, ConnectorError> {
    live_or_none(tx).await?.ok_or(ConnectorError::NotConnected)
}

async fn live_or_none(tx: &mut Tx) -> Result<Option<Connection>, ConnectorError> {
    Ok(connections::newest(tx).await?.filter(|c| c.status != ConnectionStatus::Disconnected))
}

/// Stops the connection for a reason, until a moment or until somebody resumes it.
///
/// # Errors
/// When nothing is connected or the database fails.
pub async fn pause(
    tx: &mut Tx,
    reason: &str,
    until: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Connection, ConnectorError> {
    connections::lock(tx).await?;
    let before = live(tx).await?;
    // A connection that has to be reconnected stays that: pausing must not hide it.
    if before.status != ConnectionStatus::ReconnectRequired {
        connections::set_status(tx, before.id, ConnectionStatus::Paused, Some(reason), until, now).await?;
        tx.announce("connection").await?;
    }
    live(tx).await
}

/// Stops a connection that works, for a reason of ours; false when it does not work (any more), so that of several jobs that
/// find the same only one tells of it.
///
/// # Errors
/// When nothing is connected or the database fails.
pub async fn pause_working(tx: &mut Tx, reason: &str, now: OffsetDateTime) -> Result<bool, ConnectorError> {
    connections::lock(tx).await?;
    let works = live(tx).await?.status == ConnectionStatus::Connected;
    if works {
        pause(tx, reason, None, now).await?;
    }
    Ok(works)
}

/// Stops this very connection for a reason of ours, whatever it stood like; false when it is stopped for it already, or gone.
///
/// # Errors
/// When the database fails.
pub(crate) async fn stop(
    tx: &mut Tx,
    connection: ConnectionId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    connections::lock(tx).await?;
    let Some(before) = live_or_none(tx).await?.filter(|c| c.id == connection) else { return Ok(false) };
    if before.status == ConnectionStatus::Paused && before.reason.as_deref() == Some(reason) {
        return Ok(false);
    }
    connections::set_status(tx, connection, ConnectionStatus::Paused, Some(reason), None, now).await?;
    connections::set_error(tx, connection, Some(reason), now).await?;
    tx.announce("connection").await?;
    Ok(true)
}

/// Lets a paused connection go on.
///
/// # Errors
/// When nothing is connected or the database fails.
pub async fn resume(tx: &mut Tx, now: OffsetDateTime) -> Result<Connection, ConnectorError> {
    connections::lock(tx).await?;
    let before = live(tx).await?;
    if before.status == ConnectionStatus::Paused {
        connections::set_status(tx, before.id, ConnectionStatus::Connected, None, None, now).await?;
        tx.announce("connection").await?;
    }
    live(tx).await
}

/// Ends a pause whose time is over; false when there is none (any more).
///
/// # Errors
/// When the database fails.
pub async fn end_pause(tx: &mut Tx, now: OffsetDateTime) -> Result<bool, ConnectorError> {
    connections::lock(tx).await?;
    let Some(before) = live_or_none(tx).await? else { return Ok(false) };
    let over = before.status == ConnectionStatus::Paused && before.paused_until.is_some_and(|end| end <= now);
    if over {
        resume(tx, now).await?;
    }
    Ok(over)
}

/// Ends the connection: its secrets are deleted, the Gong company is free for others, open connect requests end.
/// `None` when nothing was connected.
///
/// # Errors
/// When the database fails.
pub async fn disconnect(tx: &mut Tx, now: OffsetDateTime) -> Result<Option<ConnectionId>, ConnectorError> {
    connections::lock(tx).await?;
    cancel_connecting(tx).await?;
    let Some(connection) = live_or_none(tx).await? else { return Ok(None) };
    credentials::delete(tx, connection.id).await?;
    claims::release(tx, connection.id).await?;
    connections::set_error(tx, connection.id, None, now).await?;
    connections::set_status(tx, connection.id, ConnectionStatus::Disconnected, None, None, now).await?;
    tx.announce("connection").await?;
    Ok(Some(connection.id))
}

/// Marks the connection as one that an admin has to connect again; false when it already was or is gone.
///
/// # Errors
/// When the database fails.
pub(crate) async fn require_reconnect(
    tx: &mut Tx,
    connection: ConnectionId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    connections::lock(tx).await?;
    let Some(before) = live_or_none(tx).await? else { return Ok(false) };
    let already =
        before.status == ConnectionStatus::ReconnectRequired && before.reason.as_deref() == Some(reason);
    if before.id != connection || already {
        return Ok(false);
    }
    let status = ConnectionStatus::ReconnectRequired;
    connections::set_status(tx, connection, status, Some(reason), None, now).await?;
    connections::set_error(tx, connection, Some(reason), now).await?;
    tx.announce("connection").await?;
    Ok(true)
}

/// Records what went wrong last; tells the pages when it is news.
///
/// # Errors
/// When the database fails.
pub async fn note_error(
    tx: &mut Tx,
    connection: ConnectionId,
    code: &str,
    now: OffsetDateTime,
) -> Result<(), ConnectorError> {
    if connections::set_error(tx, connection, Some(code), now).await? {
        tx.announce("connection").await?;
    }
    Ok(())
}

/// Records that Gong does not answer, and when it is asked again.
///
/// # Errors
/// When the database fails.
pub async fn note_outage(
    tx: &mut Tx,
    connection: ConnectionId,
    code: &str,
    next_try_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), ConnectorError> {
    note_error(tx, connection, code, now).await?;
    connections::set_next_try(tx, connection, next_try_at).await
}

/// Records that what went wrong with this code is over; what has gone wrong since stays.
///
/// # Errors
/// When the database fails.
pub async fn clear_error(
    tx: &mut Tx,
    connection: ConnectionId,
    code: &str,
    now: OffsetDateTime,
) -> Result<(), ConnectorError> {
    if connections::end_error(tx, connection, code, now).await? {
        tx.announce("connection").await?;
    }
    Ok(())
}

/// Records that a new token came, and what it ends: days without one, and a scope that was missing.
///
/// # Errors
/// When the database fails.
pub(crate) async fn token_came(
    tx: &mut Tx,
    before: &Connection,
    still_missing: &[String],
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    let revived = before.status == ConnectionStatus::ReconnectRequired
        && before.reason.as_deref() == Some(reason::REFRESH_EXHAUSTED);
    if revived {
        connections::set_status(tx, before.id, ConnectionStatus::Connected, None, None, now).await?;
        clear_error(tx, before.id, reason::REFRESH_EXHAUSTED, now).await?;
        tx.announce("connection").await?;
    }
    if still_missing.is_empty() {
        clear_error(tx, before.id, "missing_scope", now).await?;
    }
    Ok(revived)
}

/// Records a scope that Gong says we lack; it is left alone for an hour then.
///
/// # Errors
/// When the database fails.
pub async fn note_missing_scope(
    tx: &mut Tx,
    connection: ConnectionId,
    scope: &str,
    now: OffsetDateTime,
) -> Result<(), ConnectorError> {
    connections::set_missing_scope(tx, connection, scope, true, Some(now + SCOPE_PROBE_GAP)).await?;
    connections::set_error(tx, connection, Some("missing_scope"), now).await?;
    Ok(tx.announce("connection").await?)
}

/// Records that a scope which was missing works now.
///
/// # Errors
/// When the database fails.
pub async fn scope_regained(
    tx: &mut Tx,
    connection: ConnectionId,
    scope: &str,
) -> Result<(), ConnectorError> {
    connections::set_missing_scope(tx, connection, scope, false, None).await?;
    Ok(tx.announce("connection").await?)
}

/// Whether a scope may be used now: it is not known to be missing, or the hour of rest is over. In that case this is the one
/// try of the hour, taken when the transaction is committed.
///
/// # Errors
/// When the database fails.
pub async fn may_try_scope(
    tx: &mut Tx,
    connection: &Connection,
    scope: &str,
    now: OffsetDateTime,
) -> Result<bool, ConnectorError> {
    if !connection.missing_scopes.iter().any(|missing| missing == scope) {
        return Ok(true);
    }
    connections::take_scope_probe(tx, connection.id, now, now + SCOPE_PROBE_TIME).await
}
