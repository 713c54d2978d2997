//! The hands of whoever holds the lease of a credential: each step of `rotation` as the product takes it.

use std::time::Duration;

use gong::{Gate, Purpose, Target};
use kernel::{Scope, SecretString};
use oauth::{Granted, OauthError, RefusedKind};
use time::OffsetDateTime;

use crate::{
    Connector, ConnectorError, life,
    model::reason,
    refresh::Outcome,
    rotation::{Answer, Hands},
    sealing::Place,
    store::credentials,
};

/// After so long without a useful answer the connection has to be looked at by a person.
const GIVE_UP_AFTER: time::Duration = time::Duration::days(4);
/// A request is begun only so soon after the lease of 30 seconds was asked for: it takes 20 at most.
const ASKED_WITHIN: Duration = Duration::from_secs(9);
/// How soon a stop of all traffic is asked about again.
const HALTED: Duration = Duration::from_secs(20);

/// The holder of a lease: for whom, and what is to be replaced.
pub(crate) struct Holder<'a> {
    pub(crate) this: &'a Connector,
    pub(crate) scope: &'a Scope,
    pub(crate) place: Place,
    pub(crate) old: &'a credentials::Credential,
    pub(crate) gate: &'a dyn Gate,
    /// When the lease was asked for.
    pub(crate) leased: tokio::time::Instant,
}

/// Why a token could not be replaced now.
pub(crate) enum Hindrance {
    /// It is sealed with a key that is not configured.
    UnknownKey,
    /// The one request failed.
    Failed(OauthError),
    /// No request was made, and none is to be made before this moment.
    Held(OffsetDateTime),
}

impl Hands for Holder<'_> {
    type Token = SecretString;
    type Grant = Granted;
    type Failure = Hindrance;
    type Error = ConnectorError;

    async fn replay(&self) -> Result<bool, ConnectorError> {
        self.this.replay_waiting(self.scope, self.place).await
    }

    async fn open(&self) -> Result<Result<SecretString, Outcome>, ConnectorError> {
        let sealed = self.old.refresh_sealed.as_deref().unwrap_or_default();
        match self.this.parts.keys.open(&self.place.refresh(), &self.old.key_id, sealed) {
            Ok(secret) => Ok(Ok(secret)),
            Err(vault::OpenError::UnknownKey { .. }) => self.postpone(&Hindrance::UnknownKey).await.map(Err),
            Err(_) => {
                let why = reason::CREDENTIAL_MISPLACED;
                self.this.quarantine(self.scope, self.place.connection, why).await?;
                Ok(Err(Outcome::Dead))
            }
        }
    }

    /// The token endpoint is not the API, but a company's requests keep one pace. A hold does not stop a refresh.
    async fn wait_for_turn(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.gate.pass(Purpose::Fresh)).await;
    }

    async fn stands(&self) -> Result<Result<(), Outcome>, ConnectorError> {
        let parts = &self.this.parts;
        let mut tx = parts.db.begin(self.scope).await?;
        let halted = db::halt(&mut tx).await?.is_some();
        let stored = credentials::load(&mut tx, self.place.connection).await?;
        drop(tx);
        if !stored.is_some_and(|c| c.generation == self.place.generation && c.dead_since.is_none()) {
            // Somebody disconnected or connected anew while we waited.
            return Ok(Err(Outcome::Newer));
        }
        if halted {
            return self.postpone(&Hindrance::Held(parts.ambient.now() + HALTED)).await.map(Err);
        }
        Ok(Ok(()))
    }

    fn in_time(&self) -> bool {
        self.leased.elapsed() < ASKED_WITHIN
    }

    async fn ask(&self, token: &SecretString) -> Answer<Granted, Hindrance> {
        let parts = &self.this.parts;
        let ticket = parts.http.breakers.admit(Target::Token, parts.oauth.token_url(), &parts.ambient);
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(broken) => return Answer::Failed(Hindrance::Held(broken.until)),
        };
        let answer = parts.oauth.refresh(token).await;
        ticket.report(!answer.as_ref().is_err_and(OauthError::is_outage));
        match answer {
            Ok(granted) => Answer::Granted(granted),
            Err(error) if error.is_invalid_grant() => Answer::Spent,
            Err(error) => Answer::Failed(Hindrance::Failed(error)),
        }
    }

    async fn deposit(&self, grant: &Granted) {
        self.this.deposit(self.place, grant).await;
    }

    async fn store(&self, grant: &Granted, token: &SecretString) -> Result<bool, ConnectorError> {
        let stored = self.this.store_grant(self.scope, self.place, grant, Some(token)).await?;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "rotated").increment(1);
        tracing::info!(organization.id = %self.place.organization, connection.id = %self.place.connection, stored,
            "The access token was replaced.");
        Ok(stored)
    }

    async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    async fn forget(&self) {
        self.this.forget(self.place).await;
    }

    /// `invalid_grant`: the stored row is read again before anybody is told.
    async fn bury(&self) -> Result<Outcome, ConnectorError> {
        let (parts, place) = (&self.this.parts, self.place);
        let now = parts.ambient.now();
        let mut tx = parts.db.begin(&Scope::job(place.organization)).await?;
        if !credentials::bury(&mut tx, place.connection, place.generation, now).await? {
            return Ok(Outcome::Newer);
        }
        self.this.require_reconnect(&mut tx, place.connection, reason::AUTHORIZATION_REVOKED).await?;
        tx.commit().await?;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "refused").increment(1);
        tracing::error!(organization.id = %place.organization, connection.id = %place.connection,
            "Gong refused the refresh token; an admin has to connect again.");
        Ok(Outcome::Dead)
    }

    /// A failure that may pass: the lease goes back, the next try comes after a pause.
    async fn postpone(&self, why: &Hindrance) -> Result<Outcome, ConnectorError> {
        let (parts, place, old) = (&self.this.parts, self.place, self.old);
        let now = parts.ambient.now();
        let retry_at = match why {
            Hindrance::Held(until) => *until + parts.ambient.jitter(Duration::from_secs(5)),
            Hindrance::UnknownKey => now + self.this.pause_after(old.refresh_failures, None),
            Hindrance::Failed(error) => now + self.this.pause_after(old.refresh_failures, Some(error)),
        };
        let mut tx = parts.db.begin(&Scope::job(place.organization)).await?;
        let process = self.this.process;
        credentials::postpone(&mut tx, place.connection, place.generation, process, retry_at).await?;
        let code = code(why);
        let expired = old.expires_at.is_some_and(|end| end <= now);
        // Only Gong's silence counts, not our own.
        let in_vain = matches!(why, Hindrance::Failed(_)) && now - old.refreshed_at > GIVE_UP_AFTER;
        if expired && in_vain {
            self.this.require_reconnect(&mut tx, place.connection, reason::REFRESH_EXHAUSTED).await?;
        } else {
            life::note_error(&mut tx, place.connection, code, now).await?;
        }
        tx.commit().await?;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "postponed").increment(1);
        tracing::warn!(organization.id = %place.organization, connection.id = %place.connection, code,
            failures = old.refresh_failures + 1, "A token could not be replaced now; it is tried again.");
        Ok(Outcome::Later(retry_at))
    }
}

/// What the pages say of a failure that may pass.
fn code(why: &Hindrance) -> &'static str {
    match why {
        Hindrance::UnknownKey => "sealing_key_unknown",
        Hindrance::Failed(OauthError::Refused { error: RefusedKind::UnauthorizedClient, .. }) => {
            "unauthorized_client"
        }
        Hindrance::Failed(OauthError::Refused { .. } | OauthError::Misconfigured { .. }) => {
            "exchange_refused"
        }
        Hindrance::Failed(OauthError::Transient { .. }) | Hindrance::Held(_) => "gong_unavailable",
    }
}
