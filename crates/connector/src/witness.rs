//! What happens to a connection without a person, and who is told of it.
//!
//! Knows the facts. Must never know who keeps them: a door hands the witness in, and it writes in the same transaction.

use async_trait::async_trait;
use db::Tx;
use kernel::ConnectionId;

use crate::ConnectorError;

/// What happened to a connection by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Gong takes its credential no more, or could not be asked for days: an admin has to connect again.
    ReconnectRequired,
    /// Its stored state cannot be trusted; it was stopped. A matter of security.
    Quarantined,
    /// Its company turned out to be linked to another organization; it was stopped.
    Stopped,
    /// Its pause was over.
    Resumed,
    /// Its credential was sealed with another key.
    Resealed,
}

/// Keeps what happens to connections by themselves, in the transaction in which it happens: either both last or none.
#[async_trait]
pub trait Witness: std::fmt::Debug + Send + Sync {
    /// Is told once for each change, with a code of [`crate::reason`] where there is one.
    ///
    /// # Errors
    /// When it cannot be written down; the change is then not made either.
    async fn saw(
        &self,
        tx: &mut Tx,
        connection: ConnectionId,
        event: Event,
        reason: Option<&str>,
    ) -> Result<(), ConnectorError>;
}
