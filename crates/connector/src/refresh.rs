//! The token life cycle: one token request at a time per connection over all processes, and no answer is ever lost.
//!
//! The order is the point: take the lease (database time) -> ask Gong -> write the answer to escrow (fsync) -> store it
//! where the generation is still the one we replaced -> forget the escrow. A refused refresh token is believed only after
//! the stored generation was read again. The request runs in a task of its own, so that a job that is cut off does not
//! cut off an answer.

use std::{sync::Arc, time::Duration};

use gong::{Gate, Purpose};
use kernel::{ConnectionId, Scope, SecretString};
use oauth::{Granted, OauthError, RefusedKind};
use time::OffsetDateTime;

use crate::{
    Connector, ConnectorError, life,
    model::reason,
    sealing::{Place, missing_scopes},
    store::{connections, credentials},
};

/// How long a caller waits for another process that is refreshing before it goes on with what it has.
const PATIENCE: Duration = Duration::from_secs(3);
/// The shortest time between two tries after a failure that may pass.
const RETRY_GAP: Duration = Duration::from_secs(30);
/// After so long without a useful answer the connection has to be looked at by a person.
const GIVE_UP_AFTER: time::Duration = time::Duration::days(4);

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A newer token is stored, and we got it.
    Replaced,
    /// A newer token is stored, by somebody else.
    Newer,
    /// Another process is at it.
    InProgress,
    /// It failed in a way that may pass; the next try comes at this time.
    Later(OffsetDateTime),
    /// The refresh token was refused.
    Dead,
}

impl Connector {
    /// Replaces the token of a connection when that is due; what a schedule calls.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh_if_due(
        &self,
        scope: &Scope,
        connection: ConnectionId,
        gate: Arc<dyn Gate>,
    ) -> Result<(), ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let credential = credentials::load(&mut tx, connection).await?;
        drop(tx);
        let now = self.parts.ambient.now();
        let due = credential.filter(|c| {
            c.kind == "oauth" && c.dead_since.is_none() && c.refresh_due_at.is_some_and(|due| due <= now)
        });
        if let Some(credential) = due {
            self.refresh(scope, connection, credential.generation, gate).await?;
        }
        Ok(())
    }

    /// Replaces generation `seen`, or learns that somebody else did.
    pub(crate) async fn refresh(
        &self,
        scope: &Scope,
        connection: ConnectionId,
        seen: i64,
        gate: Arc<dyn Gate>,
    ) -> Result<Outcome, ConnectorError> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = self.parts.ambient.now();
            let mut tx = self.parts.db.begin(scope).await?;
            if credentials::take_lease(&mut tx, connection, seen, self.process, now).await? {
                let credential = credentials::load(&mut tx, connection).await?;
                tx.commit().await?;
                let Some(credential) = credential else { return Ok(Outcome::Dead) };
                return self.run_to_its_end(*scope, connection, credential, gate).await;
            }
            let credential = credentials::load(&mut tx, connection).await?;
            drop(tx);
            match credential {
                None => return Ok(Outcome::Dead),
                Some(c) if c.generation > seen => return Ok(Outcome::Newer),
                Some(c) if c.dead_since.is_some() => return Ok(Outcome::Dead),
                Some(c) => {
                    if let Some(at) = c.retry_at.filter(|at| *at > now) {
                        return Ok(Outcome::Later(at));
                    }
                }
            }
            if tokio::time::Instant::now() >= give_up {
                return Ok(Outcome::InProgress);
            }
            tokio::time::sleep(
                Duration::from_millis(50) + self.parts.ambient.jitter(Duration::from_millis(100)),
            )
            .await;
        }
    }

    /// The holder's part, in a task that nobody can cut off.
    async fn run_to_its_end(
        &self,
        scope: Scope,
        connection: ConnectionId,
        credential: credentials::Credential,
        gate: Arc<dyn Gate>,
    ) -> Result<Outcome, ConnectorError> {
        let this = self.clone();
        let place =
            Place { organization: scope.organization(), connection, generation: credential.generation };
        let task = self.refreshes.spawn(async move { this.replace(scope, place, &credential, gate).await });
        task.await.unwrap_or(Err(ConnectorError::Damaged { what: "a refresh that panicked" }))
    }

    async fn replace(
        &self,
        scope: Scope,
        place: Place,
        old: &credentials::Credential,
        gate: Arc<dyn Gate>,
    ) -> Result<Outcome, ConnectorError> {
        if self.replay_waiting(&scope, place).await? {
            return Ok(Outcome::Replaced);
        }
        let sealed = old.refresh_sealed.as_deref().unwrap_or_default();
        let refresh_token = match self.parts.keys.open(&place.refresh(), &old.key_id, sealed) {
            Ok(secret) => secret,
            Err(vault::OpenError::UnknownKey { .. }) => return self.failed(&scope, place, old, None).await,
            Err(_) => {
                self.quarantine(&scope, place.connection, reason::CREDENTIAL_MISPLACED).await?;
                return Ok(Outcome::Dead);
            }
        };
        // The token endpoint is not the API, but a company's requests keep one pace. A hold does not stop a refresh.
        let _ = tokio::time::timeout(Duration::from_secs(5), gate.pass(Purpose::Fresh)).await;
        if !self.stands(&scope, place).await? {
            // Somebody disconnected or connected anew while we waited.
            return Ok(Outcome::Newer);
        }
        match self.parts.oauth.refresh(&refresh_token).await {
            Ok(granted) => self.keep(&scope, place, &granted, &refresh_token).await,
            Err(error) if error.is_invalid_grant() => self.refused_grant(&scope, place).await,
            Err(error) => self.failed(&scope, place, old, Some(&error)).await,
        }
    }

    /// Whether the generation that is to be replaced is still the stored one.
    async fn stands(&self, scope: &Scope, place: Place) -> Result<bool, ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let stored = credentials::load(&mut tx, place.connection).await?;
        Ok(stored.is_some_and(|c| c.generation == place.generation && c.dead_since.is_none()))
    }

    /// Escrow first, then the database; a database that fails leaves the answer in escrow for the next try.
    async fn keep(
        &self,
        scope: &Scope,
        place: Place,
        granted: &Granted,
        old: &SecretString,
    ) -> Result<Outcome, ConnectorError> {
        self.deposit(place, granted).await;
        let mut last = Ok(false);
        for pause in [0, 200, 1_000, 3_000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            last = self.store_grant(scope, place, granted, Some(old)).await;
            if last.is_ok() {
                break;
            }
        }
        let stored = last?;
        self.forget(place).await;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "rotated").increment(1);
        tracing::info!(organization.id = %place.organization, connection.id = %place.connection, stored,
            "The access token was replaced.");
        Ok(Outcome::Replaced)
    }

    pub(crate) async fn store_grant(
        &self,
        scope: &Scope,
        place: Place,
        granted: &Granted,
        kept: Option<&SecretString>,
    ) -> Result<bool, ConnectorError> {
        let now = self.parts.ambient.now();
        let sealed = self.seal_grant(place.next(), granted, kept, now);
        let mut tx = self.parts.db.begin(scope).await?;
        let stored = credentials::advance(&mut tx, place.connection, &sealed.as_new("oauth", now)).await?;
        let mut misled = false;
        if stored && let Some(connection) = connections::newest(&mut tx).await? {
            let offered = granted.api_base_url.as_deref();
            let checked = offered.map(|url| self.parts.hosts.check(url)).transpose();
            misled = checked.is_err();
            let base_url =
                checked.ok().flatten().map_or(connection.api_base_url, |url| url.as_str().to_owned());
            if let Some(scopes) = granted.scopes.as_deref() {
                let missing = missing_scopes(Some(scopes));
                connections::set_grant(&mut tx, place.connection, &base_url, scopes, &missing).await?;
            } else {
                let (granted, missing) = (&connection.granted_scopes, &connection.missing_scopes);
                connections::set_grant(&mut tx, place.connection, &base_url, granted, missing).await?;
            }
        }
        tx.commit().await?;
        if misled {
            self.quarantine(scope, place.connection, reason::BASE_URL_REFUSED).await?;
        }
        Ok(stored)
    }

    /// `invalid_grant`: the stored row is read again before anybody is told.
    async fn refused_grant(&self, scope: &Scope, place: Place) -> Result<Outcome, ConnectorError> {
        let now = self.parts.ambient.now();
        let mut tx = self.parts.db.begin(&Scope::job(scope.organization())).await?;
        if !credentials::bury(&mut tx, place.connection, place.generation, now).await? {
            return Ok(Outcome::Newer);
        }
        self.require_reconnect(&mut tx, place.connection, reason::AUTHORIZATION_REVOKED).await?;
        tx.commit().await?;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "refused").increment(1);
        tracing::error!(organization.id = %place.organization, connection.id = %place.connection,
            "Gong refused the refresh token; an admin has to connect again.");
        Ok(Outcome::Dead)
    }

    /// A failure that may pass: the lease goes back, the next try comes after a pause.
    async fn failed(
        &self,
        scope: &Scope,
        place: Place,
        old: &credentials::Credential,
        error: Option<&OauthError>,
    ) -> Result<Outcome, ConnectorError> {
        let now = self.parts.ambient.now();
        let retry_at = now + self.pause_after(old.refresh_failures, error);
        let mut tx = self.parts.db.begin(&Scope::job(scope.organization())).await?;
        credentials::postpone(&mut tx, place.connection, place.generation, self.process, retry_at).await?;
        let code = error_code(error);
        let expired = old.expires_at.is_some_and(|end| end <= now);
        if expired && now - old.refreshed_at > GIVE_UP_AFTER {
            self.require_reconnect(&mut tx, place.connection, reason::REFRESH_EXHAUSTED).await?;
        } else {
            life::note_error(&mut tx, place.connection, code, now).await?;
        }
        tx.commit().await?;
        metrics::counter!("soundpost_token_refreshes_total", "result" => "postponed").increment(1);
        tracing::warn!(organization.id = %place.organization, connection.id = %place.connection, code,
            failures = old.refresh_failures + 1, "A token could not be replaced now; it is tried again.");
        Ok(Outcome::Later(retry_at))
    }

    /// Thirty to fifty-eight seconds, so that recovery is noticed within a minute. Only the first lost answer is asked
    /// again sooner: Gong may still honour the old token for a moment [G].
    fn pause_after(&self, failures: i32, error: Option<&OauthError>) -> Duration {
        let jitter = |seconds| self.parts.ambient.jitter(Duration::from_secs(seconds));
        if failures == 0 && error.is_some_and(OauthError::answer_lost) {
            return Duration::from_secs(5) + jitter(10);
        }
        let asked = error.and_then(OauthError::retry_after).unwrap_or_default();
        RETRY_GAP.max(asked.min(Duration::from_secs(3600))) + jitter(28)
    }
}

/// What the pages say of a failure that may pass.
fn error_code(error: Option<&OauthError>) -> &'static str {
    match error {
        None => "sealing_key_unknown",
        Some(OauthError::Refused { error: RefusedKind::UnauthorizedClient, .. }) => "unauthorized_client",
        Some(OauthError::Refused { .. } | OauthError::Misconfigured { .. }) => "exchange_refused",
        Some(OauthError::Transient { .. }) => "gong_unavailable",
    }
}
