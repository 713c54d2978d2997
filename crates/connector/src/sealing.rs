//! Sealing what Gong gave: each secret to its own place.

use std::time::Duration;

use kernel::{ConnectionId, ExposeSecret, OrganizationId, SecretString};
use oauth::{Granted, RefreshRule};
use time::OffsetDateTime;
use vault::Context;

use crate::{Connector, store::credentials};

/// Where a sealed secret is at home.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) organization: OrganizationId,
    pub(crate) connection: ConnectionId,
    pub(crate) generation: i64,
}

impl Place {
    const fn context(self, field: &'static str) -> Context {
        Context {
            organization: self.organization,
            connection: self.connection,
            field,
            generation: self.generation,
        }
    }

    pub(crate) const fn access(self) -> Context {
        self.context("access")
    }

    pub(crate) const fn refresh(self) -> Context {
        self.context("refresh")
    }

    pub(crate) const fn escrow(self) -> Context {
        self.context("escrow")
    }

    pub(crate) const fn next(self) -> Self {
        Self { generation: self.generation + 1, ..self }
    }
}

/// Sealed secrets, ready for the table.
pub(crate) struct SealedGrant {
    generation: i64,
    key_id: String,
    access: String,
    refresh: Option<String>,
    expires_at: Option<OffsetDateTime>,
    refresh_due_at: Option<OffsetDateTime>,
}

impl SealedGrant {
    pub(crate) fn as_new<'a>(&'a self, kind: &'a str, now: OffsetDateTime) -> credentials::NewCredential<'a> {
        credentials::NewCredential {
            kind,
            key_id: &self.key_id,
            access_sealed: &self.access,
            refresh_sealed: self.refresh.as_deref(),
            expires_at: self.expires_at,
            refresh_due_at: self.refresh_due_at,
            generation: self.generation,
            now,
        }
    }
}

/// The needed scopes that are not among the granted ones; none when Gong did not say what it granted.
pub(crate) fn missing_scopes(granted: Option<&[String]>) -> Vec<String> {
    granted.map(oauth::missing).unwrap_or_default().into_iter().map(str::to_owned).collect()
}

impl Connector {
    /// Seals what Gong granted. `kept` is the stored refresh token, for answers that bring no new one.
    pub(crate) fn seal_grant(
        &self,
        place: Place,
        granted: &Granted,
        kept: Option<&SecretString>,
        now: OffsetDateTime,
    ) -> SealedGrant {
        let rule = RefreshRule { before: self.parts.refresh_before };
        let share = self.parts.ambient.jitter(Duration::from_secs(1)).as_secs_f64();
        let access = self.parts.keys.seal(&place.access(), &granted.access_token);
        let refresh = granted.refresh_token.as_ref().or(kept);
        SealedGrant {
            generation: place.generation,
            refresh: refresh.map(|secret| self.parts.keys.seal(&place.refresh(), secret).text),
            key_id: access.key_id,
            access: access.text,
            expires_at: Some(now + granted.expires_in),
            refresh_due_at: Some(oauth::refresh_due_at(now, granted.expires_in, rule, share)),
        }
    }

    /// Seals an access key.
    pub(crate) fn seal_key(&self, place: Place, key: &str, secret: &SecretString) -> SealedGrant {
        let both: SecretString = format!("{key}\n{}", secret.expose_secret()).into();
        let access = self.parts.keys.seal(&place.access(), &both);
        SealedGrant {
            generation: place.generation,
            key_id: access.key_id,
            access: access.text,
            refresh: None,
            expires_at: None,
            refresh_due_at: None,
        }
    }
}
