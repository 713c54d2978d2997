//! Escrow around the token endpoint: an answer is written down before it is stored, and stored later when that was cut off.

use kernel::{Scope, SecretString};
use oauth::Granted;

use crate::{Connector, ConnectorError, escrow::Entry, sealing::Place, store::credentials};

impl Connector {
    pub(crate) async fn deposit(&self, place: Place, granted: &Granted) {
        let put = async {
            let json = granted.to_json().map_err(std::io::Error::other)?;
            let answer = self.parts.keys.seal(&place.escrow(), &json);
            let entry = Entry {
                organization: place.organization,
                connection: place.connection,
                replaces: place.generation,
                key_id: answer.key_id,
                text: answer.text,
            };
            self.parts.escrow.put(entry).await
        };
        if let Err(error) = put.await {
            tracing::error!(error = %error, "The escrow folder cannot be written; a crash now would lose a token.");
        }
    }

    /// An answer for this very generation that waits in escrow is stored instead of asking again.
    pub(crate) async fn replay_waiting(&self, scope: &Scope, place: Place) -> Result<bool, ConnectorError> {
        match self.parts.escrow.find(place.connection, place.generation).await {
            Ok(Some(entry)) => self.replay(scope, &entry).await,
            Ok(None) => Ok(false),
            Err(error) => {
                tracing::error!(error = %error, "The escrow folder cannot be read.");
                Ok(false)
            }
        }
    }

    async fn replay(&self, scope: &Scope, entry: &Entry) -> Result<bool, ConnectorError> {
        let place = Place {
            organization: entry.organization,
            connection: entry.connection,
            generation: entry.replaces,
        };
        let opened = self.parts.keys.open(&place.escrow(), &entry.key_id, &entry.text);
        let Some(granted) = opened.ok().and_then(|json| Granted::from_json(&json).ok()) else {
            tracing::error!(connection.id = %entry.connection, "An answer in escrow cannot be opened.");
            return Ok(false);
        };
        let kept = self.stored_refresh_token(scope, place).await?;
        let stored = self.store_grant(scope, place, &granted, kept.as_ref()).await?;
        self.forget(place).await;
        if stored {
            metrics::counter!("soundpost_token_refreshes_total", "result" => "replayed").increment(1);
            tracing::warn!(organization.id = %entry.organization, connection.id = %entry.connection,
                "A token that Gong had issued before a crash was stored from escrow.");
        }
        Ok(stored)
    }

    async fn stored_refresh_token(
        &self,
        scope: &Scope,
        place: Place,
    ) -> Result<Option<SecretString>, ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let credential = credentials::load(&mut tx, place.connection).await?;
        let token = credential.filter(|c| c.generation == place.generation).and_then(|c| {
            self.parts
                .keys
                .open(&place.refresh(), &c.key_id, c.refresh_sealed.as_deref().unwrap_or_default())
                .ok()
        });
        Ok(token)
    }

    pub(crate) async fn forget(&self, place: Place) {
        if let Err(error) = self.parts.escrow.remove(place.connection, place.generation).await {
            tracing::error!(error = %error, "An answer could not be removed from escrow.");
        }
    }

    /// Stores every answer that a crash left in escrow. To be called at start, before anything refreshes.
    ///
    /// # Errors
    /// When the folder cannot be read or the database fails.
    pub async fn replay_escrow(&self) -> Result<usize, ConnectorError> {
        let entries = self.parts.escrow.entries().await.map_err(|error| {
            tracing::error!(error = %error, "The escrow folder cannot be read.");
            ConnectorError::Damaged { what: "the escrow folder" }
        })?;
        let mut stored = 0;
        for entry in entries {
            if self.replay(&Scope::job(entry.organization), &entry).await? {
                stored += 1;
            }
        }
        Ok(stored)
    }
}
