//! The token life cycle: one token request at a time per connection over all processes, and no answer is ever lost.
//!
//! The order is the point: take the lease (database time) -> ask Gong -> write the answer to escrow (fsync) -> store it
//! where the generation is still the one we replaced -> forget the escrow. A refused refresh token is believed only after
//! the stored generation was read again. The request runs in a task of its own, so that a job that is cut off does not
//! cut off an answer.

use std::{sync::Arc, time::Duration};

use gong::Gate;
use kernel::{ConnectionId, Scope, SecretString};
use oauth::{Granted, OauthError};
use time::OffsetDateTime;

use crate::{
    Connector, ConnectorError, Event,
    holder::Holder,
    life,
    model::reason,
    rotation,
    sealing::{Place, missing_scopes},
    store::{connections, credentials},
};

/// How long a caller waits for another process that is refreshing before it goes on with what it has.
const PATIENCE: Duration = Duration::from_secs(3);
/// The shortest time between two tries after a failure that may pass.
const RETRY_GAP: Duration = Duration::from_secs(30);

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
        if let Some(credential) = credential.filter(|credential| credential.refresh_due(now)) {
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
            let leased = tokio::time::Instant::now();
            if credentials::take_lease(&mut tx, connection, seen, self.process, now).await? {
                let credential = credentials::load(&mut tx, connection).await?;
                tx.commit().await?;
                let Some(credential) = credential else { return Ok(Outcome::Dead) };
                return self.run_to_its_end(*scope, connection, credential, gate, leased).await;
            }
            let credential = credentials::load(&mut tx, connection).await?;
            drop(tx);
            let stored = credential.map(|c| rotation::Stored {
                generation: c.generation,
                dead: c.dead_since.is_some(),
                retry_at: c.retry_at,
            });
            if let Some(outcome) = rotation::without_lease(stored, seen, now) {
                return Ok(outcome);
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
        leased: tokio::time::Instant,
    ) -> Result<Outcome, ConnectorError> {
        let this = self.clone();
        let place =
            Place { organization: scope.organization(), connection, generation: credential.generation };
        let task = self.refreshes.spawn(async move {
            rotation::hold(&Holder {
                this: &this,
                scope: &scope,
                place,
                old: &credential,
                gate: &*gate,
                leased,
            })
            .await
        });
        task.await.unwrap_or(Err(ConnectorError::Damaged { what: "a refresh that panicked" }))
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
        let offered = granted.api_base_url.as_deref();
        let checked = offered.map(|url| self.parts.hosts.check(url)).transpose();
        let misled = stored && checked.is_err();
        if stored && let Some(before) = connections::newest(&mut tx).await? {
            let base_url = checked.ok().flatten();
            let scopes = granted.scopes.as_deref();
            let missing = scopes.map(|scopes| missing_scopes(Some(scopes)));
            let base_url = base_url.as_ref().map(|url| url.as_str());
            connections::set_grant(&mut tx, place.connection, base_url, scopes, missing.as_deref()).await?;
            let still_missing = missing.as_deref().unwrap_or(&before.missing_scopes);
            if life::token_came(&mut tx, &before, still_missing, now).await? {
                let why = Some(reason::REFRESH_EXHAUSTED);
                self.parts.witness.saw(&mut tx, before.id, Event::Resumed, why).await?;
            }
        }
        tx.commit().await?;
        if misled {
            self.quarantine(scope, place.connection, reason::BASE_URL_REFUSED).await?;
        }
        Ok(stored)
    }

    /// Thirty to fifty-eight seconds, so that recovery is noticed within a minute. Only the first lost answer is asked
    /// again sooner: Gong may still honour the old token for a moment [G].
    pub(crate) fn pause_after(&self, failures: i32, error: Option<&OauthError>) -> Duration {
        let jitter = |seconds| self.parts.ambient.jitter(Duration::from_secs(seconds));
        if failures == 0 && error.is_some_and(OauthError::answer_lost) {
            return Duration::from_secs(5) + jitter(10);
        }
        let asked = error.and_then(OauthError::retry_after).unwrap_or_default();
        RETRY_GAP.max(asked.min(Duration::from_secs(3600))) + jitter(28)
    }
}
