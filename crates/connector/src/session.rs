//! A session: the right to ask Gong for one organization, for as long as a job lasts.

use std::sync::Arc;

use gong::{Auth, Gate};
use kernel::{ConnectionId, ConnectionStatus, ExposeSecret, Scope, SecretString};
use time::OffsetDateTime;

use crate::{
    Connection, Connector, ConnectorError, Event, SessionError, life,
    model::reason,
    openings::Alarm,
    refresh::Outcome,
    sealing::Place,
    store::{connections, credentials},
};

/// How long a token that was got because Gong refused the one before is tried by one job alone.
const TRIAL: time::Duration = time::Duration::seconds(5);

/// A token may end at Gong so much earlier than by our clock.
const CLOCKS_DIFFER: time::Duration = time::Duration::seconds(2);

/// Access to Gong for one organization. Holds the token; gives it to nobody but Gong's client.
#[derive(Debug)]
pub struct Session {
    client: gong::Client,
    connection: Connection,
    generation: i64,
}

impl Session {
    /// The client that carries the credential.
    pub const fn gong(&self) -> &gong::Client {
        &self.client
    }

    /// The connection as it stood when the session was made.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Connector {
    /// A session with a token that lives; replaces the token first when that is due.
    ///
    /// # Errors
    /// When nothing is connected, an admin has to act, or a token cannot be had yet.
    pub async fn session(
        &self,
        scope: &Scope,
        gate: Arc<dyn Gate>,
        trace: Option<String>,
    ) -> Result<Session, SessionError> {
        let (connection, credential) = self.read(scope).await?;
        usable(&connection)?;
        let now = self.parts.ambient.now();
        if credential.refresh_due(now) {
            match self.refresh(scope, connection.id, credential.generation, gate.clone()).await {
                Ok(Outcome::Replaced | Outcome::Newer | Outcome::Dead) => {
                    let (connection, credential) = self.read(scope).await?;
                    usable(&connection)?;
                    return self.open_session(scope, connection, &credential, gate, trace).await;
                }
                Ok(Outcome::InProgress | Outcome::Later(_)) => {}
                Err(error) => {
                    tracing::warn!(code = error.code(), "A token could not be replaced; the old one goes on.")
                }
            }
        }
        self.open_session(scope, connection, &credential, gate, trace).await
    }

    /// A session after Gong refused the token of `stale`: with a newer token when there is one, else after one refresh.
    ///
    /// # Errors
    /// As [`Connector::session`]; an access key that is refused has to be replaced by an admin.
    pub async fn session_after_refusal(
        &self,
        scope: &Scope,
        stale: Session,
        gate: Arc<dyn Gate>,
        trace: Option<String>,
    ) -> Result<Session, SessionError> {
        let (connection, credential) = self.read(scope).await?;
        usable(&connection)?;
        if let Some(at) = self.on_trial(&connection, &credential) {
            return Err(SessionError::Later { at });
        }
        if credential.generation > stale.generation {
            return self.open_session(scope, connection, &credential, gate, trace).await;
        }
        if credential.kind != "oauth" {
            self.refused(scope, connection.id).await?;
            return Err(SessionError::ReconnectRequired);
        }
        match self.refresh(scope, connection.id, credential.generation, gate.clone()).await? {
            Outcome::Replaced => {
                let (connection, credential) = self.read(scope).await?;
                self.open_session(scope, connection, &credential, gate, trace).await
            }
            Outcome::Newer => Err(SessionError::Later { at: self.parts.ambient.now() + TRIAL }),
            Outcome::Dead => Err(SessionError::ReconnectRequired),
            Outcome::Later(at) => Err(SessionError::Later { at }),
            Outcome::InProgress => {
                Err(SessionError::Later { at: self.parts.ambient.now() + time::Duration::seconds(10) })
            }
        }
    }

    /// Until when a token that somebody has just got after a refusal is left to that somebody: if Gong refuses it as well,
    /// nobody else has to find that out.
    fn on_trial(
        &self,
        connection: &Connection,
        credential: &credentials::Credential,
    ) -> Option<OffsetDateTime> {
        let end = credential.refreshed_at + TRIAL;
        let refreshed = credential.refreshed_at > connection.connected_at;
        (refreshed && end > self.parts.ambient.now()).then_some(end)
    }

    /// Gong refuses even a fresh credential: an admin has to act.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refused(&self, scope: &Scope, connection: ConnectionId) -> Result<(), ConnectorError> {
        let mut tx = self.parts.db.begin(&Scope::job(scope.organization())).await?;
        if self.require_reconnect(&mut tx, connection, reason::ACCESS_REFUSED).await? {
            tracing::error!(organization.id = %scope.organization(), connection.id = %connection,
                "Gong refuses this connection even with a fresh credential; an admin has to connect again.");
        }
        Ok(tx.commit().await?)
    }

    /// Whether a refusal of this session's token says anything about the credential: not when the token ran out on the way,
    /// or was replaced meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_in_force(&self, scope: &Scope, session: &Session) -> Result<bool, ConnectorError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let stored = credentials::load(&mut tx, session.connection.id).await?;
        let soon = self.parts.ambient.now() + CLOCKS_DIFFER;
        Ok(stored
            .is_some_and(|c| c.generation == session.generation && c.expires_at.is_none_or(|end| end > soon)))
    }

    /// Marks the connection as one that an admin has to connect again; false when it already was or is gone.
    pub(crate) async fn require_reconnect(
        &self,
        tx: &mut db::Tx,
        connection: ConnectionId,
        why: &'static str,
    ) -> Result<bool, ConnectorError> {
        let news = life::require_reconnect(tx, connection, why, self.parts.ambient.now()).await?;
        if news {
            self.parts.witness.saw(tx, connection, Event::ReconnectRequired, Some(why)).await?;
        }
        Ok(news)
    }

    async fn read(&self, scope: &Scope) -> Result<(Connection, credentials::Credential), SessionError> {
        let mut tx = self.parts.db.begin(scope).await?;
        let connection = connections::newest(&mut tx).await?.ok_or(SessionError::Inactive)?;
        let credential = credentials::load(&mut tx, connection.id).await?.ok_or(SessionError::Inactive)?;
        Ok((connection, credential))
    }

    async fn open_session(
        &self,
        scope: &Scope,
        connection: Connection,
        credential: &credentials::Credential,
        gate: Arc<dyn Gate>,
        trace: Option<String>,
    ) -> Result<Session, SessionError> {
        let now = self.parts.ambient.now();
        if credential.expires_at.is_some_and(|end| end <= now) {
            return Err(match credential.dead_since {
                Some(_) => SessionError::ReconnectRequired,
                None => SessionError::Later { at: credential.next_try(now) },
            });
        }
        let Ok(base_url) = self.parts.hosts.check(&connection.api_base_url) else {
            self.quarantine(scope, connection.id, reason::BASE_URL_REFUSED).await?;
            return Err(SessionError::Inactive);
        };
        let place = Place {
            organization: scope.organization(),
            connection: connection.id,
            generation: credential.generation,
        };
        let opened = self.parts.keys.open(&place.access(), &credential.key_id, &credential.access_sealed);
        let secret = match opened {
            Ok(secret) => secret,
            Err(vault::OpenError::UnknownKey { key_id }) => {
                tracing::error!(key.id = %key_id, connection.id = %connection.id,
                    "A credential was sealed with a key that is not configured; add the key to SOUNDPOST_KEYS.");
                return Err(SessionError::Later { at: now + time::Duration::minutes(5) });
            }
            Err(_) => {
                self.quarantine(scope, connection.id, reason::CREDENTIAL_MISPLACED).await?;
                return Err(SessionError::Inactive);
            }
        };
        self.note_opening(scope, connection.id, now)?;
        let auth = auth(credential, secret)?;
        let client =
            gong::Client::new(self.parts.http.clone(), base_url, auth, gate, self.parts.ambient.clone())
                .with_trace(trace);
        Ok(Session { client, connection, generation: credential.generation })
    }

    /// Counts that a credential was opened, and raises the alarm when that is far too often.
    fn note_opening(
        &self,
        scope: &Scope,
        connection: ConnectionId,
        now: OffsetDateTime,
    ) -> Result<(), SessionError> {
        match self.openings.note(connection, now) {
            None => Ok(()),
            // Whoever works with the session stops the connection and tells.
            Some(Alarm::One) => Err(SessionError::Flood),
            Some(Alarm::All) => {
                tracing::error!(security = true, code = "credentials_in_bulk", organization.id = %scope.organization(),
                    "Sealed credentials are opened in bulk; `soundpost gong stop` stops all traffic to Gong.");
                let event = "credentials_in_bulk";
                metrics::counter!("soundpost_security_events_total", "event" => event).increment(1);
                Ok(())
            }
        }
    }

    /// Stops a connection whose stored state cannot be trusted.
    pub(crate) async fn quarantine(
        &self,
        scope: &Scope,
        connection: ConnectionId,
        why: &'static str,
    ) -> Result<(), ConnectorError> {
        let now = self.parts.ambient.now();
        let mut tx = self.parts.db.begin(&Scope::job(scope.organization())).await?;
        // Several jobs may come upon it at once; it is told once.
        if !life::stop(&mut tx, connection, why, now).await? {
            return Ok(());
        }
        self.parts.witness.saw(&mut tx, connection, Event::Quarantined, Some(why)).await?;
        tx.commit().await?;
        tracing::error!(security = true, organization.id = %scope.organization(), connection.id = %connection,
            code = why, "The stored state of a connection cannot be trusted; it was stopped.");
        metrics::counter!("soundpost_security_events_total", "event" => why).increment(1);
        Ok(())
    }
}

/// Whether requests may be made at all. A connection with a refused refresh token goes on until its access token ends.
fn usable(connection: &Connection) -> Result<(), SessionError> {
    match connection.status {
        ConnectionStatus::Connected => Ok(()),
        ConnectionStatus::ReconnectRequired
            if connection.reason.as_deref() == Some(reason::ACCESS_REFUSED) =>
        {
            Err(SessionError::ReconnectRequired)
        }
        ConnectionStatus::ReconnectRequired => Ok(()),
        ConnectionStatus::Connecting | ConnectionStatus::Paused | ConnectionStatus::Disconnected => {
            Err(SessionError::Inactive)
        }
    }
}

fn auth(credential: &credentials::Credential, secret: SecretString) -> Result<Auth, ConnectorError> {
    if credential.kind == "oauth" {
        return Ok(Auth::Bearer(secret));
    }
    let (key, secret) =
        secret.expose_secret().split_once('\n').ok_or(ConnectorError::Damaged { what: "access key" })?;
    Ok(Auth::AccessKey { key: key.to_owned(), secret: secret.to_owned().into() })
}

impl credentials::Credential {
    pub(crate) fn refresh_due(&self, now: OffsetDateTime) -> bool {
        self.kind == "oauth" && self.dead_since.is_none() && self.refresh_due_at.is_some_and(|due| due <= now)
    }

    fn next_try(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.retry_at.filter(|at| *at > now).unwrap_or(now + time::Duration::seconds(15))
    }
}
