//! Re-sealing: every credential gets the sealing of the first key, while everything goes on.

use kernel::{ConnectionId, Scope};

use crate::{Connector, ConnectorError, Event, fleet, sealing::Place, store::credentials};

/// What a re-sealing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Credentials and secrets of organizations that now have the first key's sealing.
    pub done: u64,
    /// Those that could not be opened with any key of the ring.
    pub failed: u64,
}

/// Re-seals everything that is not sealed with the first key, one short transaction each. Safe to stop and start again.
///
/// # Errors
/// When the database fails; what was done until then stays done.
pub async fn reseal(connector: &Connector) -> Result<Resealed, ConnectorError> {
    let mut result = Resealed::default();
    let mut after = ConnectionId::from_uuid(uuid::Uuid::nil());
    loop {
        let sealing = connector.parts.keys.sealing_key_id();
        let mut fleet = connector.parts.db.fleet().await?;
        let page = fleet::sealed_otherwise(&mut fleet, sealing, after, 500).await?;
        drop(fleet);
        let Some((_, last)) = page.last() else { break };
        after = *last;
        for (organization, connection) in page {
            match connector.reseal_one(&Scope::operator(organization), connection).await? {
                Some(true) => result.done += 1,
                Some(false) => result.failed += 1,
                None => {}
            }
        }
    }
    connector.reseal_secrets(&mut result).await?;
    Ok(result)
}

impl Connector {
    /// `None`: the credential is gone or moved on, which sealed it anew anyway.
    async fn reseal_one(
        &self,
        scope: &Scope,
        connection: ConnectionId,
    ) -> Result<Option<bool>, ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let Some(old) = credentials::load(&mut tx, connection).await? else { return Ok(None) };
        let place = Place { organization: scope.organization(), connection, generation: old.generation };
        let keys = &self.parts.keys;
        let access = keys.open(&place.access(), &old.key_id, &old.access_sealed);
        let refresh =
            old.refresh_sealed.as_deref().map(|text| keys.open(&place.refresh(), &old.key_id, text));
        let (Ok(access), Ok(refresh)) = (access, refresh.transpose()) else {
            tracing::error!(organization.id = %scope.organization(), connection.id = %connection, key.id = %old.key_id,
                "A credential could not be opened and keeps its old sealing.");
            return Ok(Some(false));
        };
        let access = keys.seal(&place.access(), &access);
        let refresh = refresh.map(|secret| keys.seal(&place.refresh(), &secret).text);
        let moved = credentials::reseal(
            &mut tx,
            connection,
            old.generation,
            &access.key_id,
            &access.text,
            refresh.as_deref(),
        )
        .await?;
        if moved {
            self.parts.witness.saw(&mut tx, connection, Event::Resealed, None).await?;
        }
        tx.commit().await?;
        Ok(moved.then_some(true))
    }
}
