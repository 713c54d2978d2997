//! Requests that may still be on their way to Gong: they take up room in their company's pace.

use std::time::Duration;

use db::Db;
use kernel::{ConnectionId, Scope};
use tokio::{sync::oneshot, time::timeout};

use crate::{IngestError, pace::WINDOW, store::usage};

/// A request that is not answered for so long may still be on its way, and arrive together with those that follow it.
const LATE: Duration = Duration::from_millis(500);
/// For how long at most it takes up room: what the wire holds back for longer is lost.
const LATEST: Duration = Duration::from_secs(60);

/// Notes a request that is not answered soon, until it is.
pub(crate) async fn note_when_late(
    db: &Db,
    scope: &Scope,
    connection: ConnectionId,
    mut arrived: oneshot::Receiver<()>,
) -> Result<(), IngestError> {
    if timeout(LATE, &mut arrived).await.is_ok() {
        return Ok(());
    }
    let mut tx = db.begin(scope).await?;
    let late = usage::late(&mut tx, connection, LATEST).await?;
    tx.commit().await?;
    // An error: it was given up and may arrive all the same.
    if let (Some(late), Ok(())) = (late, arrived.await) {
        let mut tx = db.begin(scope).await?;
        usage::arrived(&mut tx, connection, late, WINDOW).await?;
        tx.commit().await?;
    }
    Ok(())
}
