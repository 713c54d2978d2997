//! What happens to connections without a person, as lines of the audit log; what must not go on is not begun any more.
//!
//! Knows which line tells which event. Must never know why it happened.

use accounts::{Action, Entry, RequestInfo, actions};
use async_trait::async_trait;
use connector::{ConnectorError, Event, Witness};
use db::Tx;
use kernel::{ConnectionId, SharedAmbient};
use serde_json::json;

/// Writes what happens to connections by themselves into the audit log.
#[derive(Debug)]
pub struct Chronicle {
    ambient: SharedAmbient,
}

impl Chronicle {
    /// A chronicle with this clock.
    pub const fn new(ambient: SharedAmbient) -> Self {
        Self { ambient }
    }
}

#[async_trait]
impl Witness for Chronicle {
    async fn saw(
        &self,
        tx: &mut Tx,
        connection: ConnectionId,
        event: Event,
        reason: Option<&str>,
    ) -> Result<(), ConnectorError> {
        let entry = Entry::new(action(event), &RequestInfo::default())
            .target(connection)
            .detail(json!({ "reason": reason, "security": event == Event::Quarantined }));
        let written = accounts::audit(tx, entry, &*self.ambient).await;
        written.map_err(|error| ConnectorError::Witness(Box::new(error)))?;
        if event == Event::Quarantined {
            let stopped = ingest::set_active(tx, connection, false, &*self.ambient).await;
            stopped.map_err(|error| ConnectorError::Witness(Box::new(error)))?;
        }
        Ok(())
    }
}

const fn action(event: Event) -> Action {
    match event {
        Event::ReconnectRequired => actions::GONG_RECONNECT_REQUIRED,
        Event::Quarantined => actions::GONG_QUARANTINED,
        Event::Stopped => actions::GONG_PAUSED,
        Event::Resumed => actions::GONG_RESUMED,
        Event::Resealed => actions::CREDENTIALS_RESEALED,
    }
}
