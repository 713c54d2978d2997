//! What a door hands in for a slice of work.

use db::{Db, Tx};
use gong::Client;
use kernel::{Ambient, ConnectionId, Scope};
use tokio_util::sync::CancellationToken;

use crate::{Defaults, IngestError, Shroud, store::privacy};

/// Everything that a slice of work for one connection needs.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// The database.
    pub db: &'a Db,
    /// For which organization.
    pub scope: &'a Scope,
    /// For which connection.
    pub connection: ConnectionId,
    /// Gong, as this connection.
    pub gong: &'a Client,
    /// The settings.
    pub defaults: &'a Defaults,
    /// Clock and randomness.
    pub ambient: &'a dyn Ambient,
    /// The trace that the work belongs to (a `traceparent`); the jobs that it sends belong to it too.
    pub trace: Option<&'a str>,
    /// Who must not be stored, and how old content may be.
    pub shroud: &'a Shroud,
    /// Told when the process ends; the slice then stops after its present step.
    pub stop: &'a CancellationToken,
}

impl Work<'_> {
    /// Begins a transaction that may store calls: nobody was erased since the shroud was read, nor will be until its end.
    pub(crate) async fn begin(&self) -> Result<Tx, IngestError> {
        let mut tx = self.db.begin(self.scope).await?;
        if privacy::guard(&mut tx).await?.0 != self.shroud.erasures {
            return Err(IngestError::ErasuresChanged);
        }
        if let Some(trace) = self.trace {
            tx.set_trace(trace.to_owned());
        }
        Ok(tx)
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("connection", &self.connection).finish_non_exhaustive()
    }
}
