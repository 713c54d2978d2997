//! The secret of one organization: by it people that were erased are recognised, and nobody outside can.
//!
//! It is made when it is first needed, sealed as tokens are, and re-sealed with them when keys rotate.

use db::Tx;
use kernel::{ConnectionId, OrganizationId, Scope, SecretString};
use vault::Context;

use crate::{Connector, ConnectorError, fleet, reseal::Resealed, store::secrets};

/// Where the secret is at home. It belongs to no connection: the organization's id stands in its place.
const fn home(organization: OrganizationId) -> Context {
    let connection = ConnectionId::from_uuid(organization.uuid());
    Context { organization, connection, field: "organization_secret", generation: 1 }
}

impl Connector {
    /// The secret of the transaction's organization; made now if there is none.
    ///
    /// # Errors
    /// When the key that sealed it is not configured, what is stored is damaged, or the database fails.
    pub async fn organization_secret(&self, tx: &mut Tx) -> Result<SecretString, ConnectorError> {
        let home = home(tx.scope().organization());
        let keys = &self.parts.keys;
        if secrets::load(tx).await?.is_none() {
            let made = hex(&self.parts.ambient.random::<32>());
            let sealed = keys.seal(&home, &made);
            secrets::insert(tx, (&sealed.key_id, &sealed.text), self.parts.ambient.now()).await?;
        }
        let damaged = || ConnectorError::Damaged { what: "the organization's secret" };
        let (key_id, sealed) = secrets::load(tx).await?.ok_or_else(damaged)?;
        keys.open(&home, &key_id, &sealed).map_err(ConnectorError::Sealed)
    }

    /// `None`: the secret is gone.
    async fn reseal_secret(&self, scope: &Scope) -> Result<Option<bool>, ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let home = home(scope.organization());
        let Some((key_id, sealed)) = secrets::load(&mut tx).await? else { return Ok(None) };
        let Ok(secret) = self.parts.keys.open(&home, &key_id, &sealed) else {
            tracing::error!(organization.id = %scope.organization(), key.id = %key_id,
                "The secret of an organization could not be opened and keeps its old sealing.");
            return Ok(Some(false));
        };
        let sealed = self.parts.keys.seal(&home, &secret);
        secrets::reseal(&mut tx, (&sealed.key_id, &sealed.text)).await?;
        tx.commit().await?;
        Ok(Some(true))
    }

    /// Re-seals every secret that is not sealed with the first key.
    pub(crate) async fn reseal_secrets(&self, result: &mut Resealed) -> Result<(), ConnectorError> {
        let mut after = OrganizationId::from_uuid(uuid::Uuid::nil());
        loop {
            let mut fleet = self.parts.db.fleet().await?;
            let sealing = self.parts.keys.sealing_key_id();
            let page = fleet::secrets_sealed_otherwise(&mut fleet, sealing, after, 500).await?;
            drop(fleet);
            let Some(last) = page.last() else { return Ok(()) };
            after = *last;
            for organization in page {
                match self.reseal_secret(&Scope::operator(organization)).await? {
                    Some(true) => result.done += 1,
                    Some(false) => result.failed += 1,
                    None => {}
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> SecretString {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
