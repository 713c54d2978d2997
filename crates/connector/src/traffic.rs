//! The operator's stop of all traffic to Gong, as this process heeds it: between requests, and in the middle of one.

use gong::{Held, HeldReason};
use time::Duration;

use crate::{ConnectError, Connector, ConnectorError};

/// When whoever was stopped asks again.
const ASK_AGAIN: Duration = Duration::seconds(20);

impl Connector {
    /// Looks whether all traffic is stopped, and cuts off what is on its way to Gong's API if it is. Requests for tokens are let
    /// end: their answers must not be lost. To be called every few seconds in every process.
    ///
    /// # Errors
    /// When the database fails; whatever was found last goes on.
    pub async fn heed_stop(&self) -> Result<bool, ConnectorError> {
        let stopped = db::is_halted(&self.parts.db).await?;
        let held = Held { until: self.parts.ambient.now() + ASK_AGAIN, why: HeldReason::Halted };
        self.parts.http.brake.set(stopped.then_some(held));
        Ok(stopped)
    }

    /// Asked before a credential is got from Gong or tried: there is no gate yet that would ask.
    pub(crate) async fn ensure_traffic(&self) -> Result<(), ConnectError> {
        if self.heed_stop().await? { Err(ConnectError::Halted) } else { Ok(()) }
    }
}
