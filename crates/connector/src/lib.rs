//! The link between an organization and its Gong company: connecting, sealed credentials, the token life cycle, disconnecting.
//!
//! Hands out sessions that can talk to Gong, never a raw token. Knows nothing of calls, posts or people's rights.

mod connect;
mod error;
mod escrow;
mod export;
pub mod fleet;
mod flow;
mod holder;
mod life;
mod model;
mod openings;
mod refresh;
mod replay;
mod reseal;
mod rotation;
mod sealing;
mod secret;
mod session;
mod store;
mod traffic;
mod witness;

use std::{sync::Arc, time::Duration};

pub use connect::{AccessKey, Approved, Stored};
pub use error::{ConnectError, ConnectorError, SessionError};
pub use escrow::Escrow;
pub use export::{EXPORTED, export_page, import_rows};
pub use flow::{Begun, Returned};
pub use life::{
    cancel_connecting, clear_error, connecting_until, current, disconnect, end_pause, hold, may_try_scope,
    note_error, note_missing_scope, note_outage, pause, pause_working, resume, scope_regained,
};
pub use model::{AuthKind, Connection, LastError, Workspace, reason};
pub use reseal::{Resealed, reseal};
pub use session::Session;
pub use witness::{Event, Witness};

use db::Db;
use gong::HostPolicy;
use kernel::SharedAmbient;
use tokio_util::task::TaskTracker;
use vault::KeyRing;

/// What the connector is built from.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The sealing keys.
    pub keys: Arc<KeyRing>,
    /// Gong's authorization server.
    pub oauth: oauth::Client,
    /// The HTTP client for Gong's API.
    pub http: gong::Http,
    /// Which hosts may be Gong's API.
    pub hosts: HostPolicy,
    /// Where answers of the token endpoint wait until they are committed.
    pub escrow: Escrow,
    /// Clock and randomness.
    pub ambient: SharedAmbient,
    /// Who is told what happens to connections without a person.
    pub witness: Arc<dyn Witness>,
    /// How long before its end a token is replaced.
    pub refresh_before: Duration,
}

/// Connects organizations to Gong and keeps their credentials alive.
#[derive(Debug, Clone)]
pub struct Connector {
    parts: Arc<Parts>,
    /// Refreshes that must not be cut off, whoever asked for them.
    refreshes: TaskTracker,
    /// This process, as the holder of leases.
    process: uuid::Uuid,
    /// How often credentials are opened here.
    openings: Arc<openings::Openings>,
}

impl Connector {
    /// A connector of these parts.
    pub fn new(parts: Parts) -> Self {
        let process = parts.ambient.uuid();
        Self { parts: Arc::new(parts), refreshes: TaskTracker::new(), process, openings: Arc::default() }
    }

    /// Waits until no answer of the token endpoint is on its way, for a graceful stop.
    pub async fn drain(&self) {
        self.refreshes.close();
        self.refreshes.wait().await;
    }

    /// The ids of the configured sealing keys, the sealing one first.
    pub fn key_ids(&self) -> Vec<String> {
        self.parts.keys.key_ids().map(str::to_owned).collect()
    }
}
