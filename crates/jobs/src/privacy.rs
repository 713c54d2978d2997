//! Jobs for privacy that need no Gong: purging what vanished, erasing people, removing what is old. And the record of it.
//!
//! Knows which room does what, and which line of the audit log tells of it.

use std::time::Duration;

use accounts::{Action, Entry, RequestInfo, actions};
use db::Tx;
use ingest::{Erasing, IngestError, Lost, Shroud, ShroudKey, task};
use kernel::{ConnectionId, Scope};
use queue::Verdict;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{Rooms, handlers::Failure};

/// How long one job works before it lets others go first.
const SLICE: Duration = Duration::from_secs(30);

/// Whether a job of this kind is done here.
pub(crate) fn knows(kind: &str) -> bool {
    matches!(kind, task::PURGE | task::RETENTION | task::ERASE)
}

/// Works on one kind of job for an organization, batch by batch.
pub(crate) async fn work(
    rooms: &Rooms,
    scope: &Scope,
    kind: &str,
    stop: &CancellationToken,
) -> Result<Verdict, Failure> {
    let began = tokio::time::Instant::now();
    while !stop.is_cancelled() && began.elapsed() < SLICE {
        let more = match kind {
            task::PURGE => purge(rooms, scope).await?,
            task::ERASE => erase(rooms, scope).await?,
            task::RETENTION => expire(rooms, scope).await?,
            _ => false,
        };
        if !more {
            return Ok(Verdict::Done);
        }
    }
    Ok(Verdict::Next)
}

async fn purge(rooms: &Rooms, scope: &Scope) -> Result<bool, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let (lost, more) = ingest::purge_some(&mut tx, rooms.ambient.now()).await?;
    if let Some(Lost::Purged(calls)) = lost {
        note(rooms, &mut tx, actions::GONG_CALLS_PURGED, json!({ "calls": calls })).await?;
    }
    tx.commit().await?;
    Ok(more)
}

/// What has to be known before anything of this organization is stored. The key is opened only where somebody was erased.
pub(crate) async fn shroud(rooms: &Rooms, scope: &Scope) -> Result<Shroud, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let key = if ingest::has_erasures(&mut tx).await? { Some(key(rooms, &mut tx).await?) } else { None };
    let shroud = ingest::shroud(&mut tx, key).await?;
    tx.commit().await?;
    Ok(shroud)
}

async fn key(rooms: &Rooms, tx: &mut Tx) -> Result<ShroudKey, Failure> {
    Ok(ShroudKey::new(&rooms.connector.organization_secret(tx).await?)?)
}

/// One step of erasing a person: a batch of calls, or at the end what other rooms recorded.
async fn erase(rooms: &Rooms, scope: &Scope) -> Result<bool, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let key = key(rooms, &mut tx).await?;
    let more = match ingest::erase_some(&mut tx, &key).await? {
        Erasing::Idle => false,
        Erasing::More => true,
        Erasing::Records(id, shroud) => {
            let mask = |text: &str| shroud.mask(text);
            let records = accounts::mask_records(&mut tx, &mask).await?
                + feedback::mask_records(&mut tx, &mask).await?
                + queue::mask_reasons(&mut tx, &mask).await.map_err(IngestError::from)?;
            let receipt = ingest::finish_erasure(&mut tx, id, &shroud, records, rooms.ambient.now()).await?;
            let counts = receipt.map(|r| {
                json!({ "calls": r.calls, "parties": r.parties, "sentences": r.sentences,
                "mentions": r.mentions, "records": r.records })
            });
            let entry = Entry::new(actions::PERSON_ERASED, &RequestInfo::default()).target(id);
            accounts::audit(&mut tx, entry.detail(counts.unwrap_or_default()), &*rooms.ambient).await?;
            true
        }
    };
    tx.commit().await?;
    Ok(more)
}

async fn expire(rooms: &Rooms, scope: &Scope) -> Result<bool, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let expired = ingest::expire_some(&mut tx, rooms.ambient.now()).await?;
    if expired.calls > 0 {
        note(rooms, &mut tx, actions::PRIVACY_EXPIRED, json!({ "calls": expired.calls })).await?;
    }
    tx.commit().await?;
    Ok(expired.more)
}

/// Decides about calls that were missed, and writes down what came of it.
pub(crate) async fn judge_losses(
    rooms: &Rooms,
    scope: &Scope,
    connection: ConnectionId,
) -> Result<(), Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    for lost in ingest::judge_losses(&mut tx, connection, rooms.ambient.now()).await? {
        if let Lost::Asked(missing, expected) = lost {
            tracing::warn!(connection.id = %connection, calls = missing, calls.expected = expected,
                "So many calls vanished from Gong at once that nothing is purged before an admin decides.");
            let detail = json!({ "missing": missing, "expected": expected });
            note(rooms, &mut tx, actions::GONG_CALLS_VANISHED, detail).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn note(rooms: &Rooms, tx: &mut Tx, action: Action, detail: Value) -> Result<(), Failure> {
    let entry = Entry::new(action, &RequestInfo::default()).detail(detail);
    accounts::audit(tx, entry, &*rooms.ambient).await?;
    Ok(())
}
