//! Connecting: what Gong approved is checked, its company recognised, and all of it stored at once.

use std::{sync::Arc, time::Duration};

use db::Tx;
use gong::{Auth, BaseUrl, GongError, OpenGate};
use kernel::{ConnectionId, Lookback, OrganizationId, Scope, SecretString, UserId};
use oauth::{Granted, OauthError};
use time::OffsetDateTime;

use crate::{
    AuthKind, ConnectError, Connection, Connector, ConnectorError, Returned, Workspace,
    sealing::{Place, missing_scopes},
    store::{claims, connections, credentials},
};

/// For how long a company is left alone that asks to wait and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);

/// What Gong approved, not yet stored.
#[derive(Debug)]
pub struct Approved {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Who connects; `None` for an API key of ours.
    pub user: Option<UserId>,
    /// The history to import.
    pub history: Option<Lookback>,
    base_url: BaseUrl,
    workspaces: Vec<Workspace>,
    held_until: Option<OffsetDateTime>,
    secrets: Secrets,
    granted: Vec<String>,
    missing: Vec<String>,
}

/// What Gong told of the company.
#[derive(Debug, Default)]
struct Company {
    workspaces: Vec<Workspace>,
    /// Until when it asks to be left alone.
    held_until: Option<OffsetDateTime>,
}

#[derive(Debug)]
enum Secrets {
    Oauth(Granted),
    AccessKey { key: String, secret: SecretString },
}

/// An access key that an admin made in Gong.
#[derive(Debug)]
pub struct AccessKey {
    /// The key.
    pub key: String,
    /// Its secret.
    pub secret: SecretString,
    /// The API address that Gong shows beside it.
    pub base_url: String,
}

/// A connection that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Which one.
    pub connection: ConnectionId,
    /// It existed before: its calls, settings and checkpoints go on.
    pub reconnected: bool,
}

impl Connector {
    /// Exchanges the code of a request that came back, and learns the company.
    ///
    /// # Errors
    /// What Gong answered, or that its API address is not one of Gong's.
    pub async fn approve(&self, returned: Returned) -> Result<Approved, ConnectError> {
        self.ensure_traffic().await?;
        let Returned { organization, user, history, code, .. } = returned;
        let granted = self.parts.oauth.exchange(code).await.map_err(exchange_failed)?;
        let base_url = granted.api_base_url.as_deref().ok_or(ConnectError::BaseUrlMissing)?;
        let base_url = self.parts.hosts.check(base_url).map_err(|_| ConnectError::BaseUrlRefused)?;
        let mut missing = missing_scopes(granted.scopes.as_deref());
        let auth = Auth::Bearer(granted.access_token.clone());
        let Company { workspaces, held_until } = self.company(&base_url, auth, &mut missing).await?;
        Ok(Approved {
            organization,
            user: Some(user),
            history,
            base_url,
            workspaces,
            held_until,
            granted: granted.scopes.clone().unwrap_or_default(),
            missing,
            secrets: Secrets::Oauth(granted),
        })
    }

    /// Tries an access key before anything is stored.
    ///
    /// # Errors
    /// When the address is not one of Gong's, Gong refuses the key, or Gong cannot be reached.
    pub async fn check_key(
        &self,
        scope: &Scope,
        user: Option<UserId>,
        key: AccessKey,
        history: Option<Lookback>,
    ) -> Result<Approved, ConnectError> {
        let base_url = self.parts.hosts.check(&key.base_url).map_err(|_| ConnectError::BaseUrlRefused)?;
        self.ensure_traffic().await?;
        let auth = Auth::AccessKey { key: key.key.clone(), secret: key.secret.clone() };
        let mut missing = Vec::new();
        let Company { workspaces, held_until } = self.company(&base_url, auth, &mut missing).await?;
        if workspaces.is_empty() {
            // Without a single good answer nothing proves that this key works.
            return Err(ConnectError::GongUnavailable);
        }
        Ok(Approved {
            organization: scope.organization(),
            user,
            history,
            base_url,
            workspaces,
            held_until,
            granted: Vec::new(),
            missing,
            secrets: Secrets::AccessKey { key: key.key, secret: key.secret },
        })
    }

    /// Which company this is; unknown when Gong does not tell now (it is learned from the first calls then).
    async fn company(
        &self,
        base_url: &BaseUrl,
        auth: Auth,
        missing: &mut Vec<String>,
    ) -> Result<Company, ConnectError> {
        let gate = Arc::new(OpenGate::default());
        let client = gong::Client::new(
            self.parts.http.clone(),
            base_url.clone(),
            auth,
            gate,
            self.parts.ambient.clone(),
        );
        for pause in [Duration::from_secs(1), Duration::ZERO] {
            match client.workspaces().await {
                Ok(found) => {
                    let named = |w: gong::Workspace| Workspace { id: w.id, name: w.name.unwrap_or_default() };
                    return Ok(Company {
                        workspaces: found.into_iter().map(named).collect(),
                        held_until: None,
                    });
                }
                Err(GongError::RateLimited { retry_after, .. }) => {
                    let until = self.parts.ambient.now() + retry_after.unwrap_or(UNTOLD_WAIT);
                    return Ok(Company { held_until: Some(until), ..Company::default() });
                }
                Err(GongError::MissingScope { scope, .. }) => {
                    if !missing.contains(&scope) {
                        missing.push(scope);
                    }
                    return Ok(Company::default());
                }
                Err(error @ (GongError::Unauthorized { .. } | GongError::Forbidden { .. })) => {
                    tracing::warn!(code = error.code(), "Gong refused a credential that was just made.");
                    return Err(ConnectError::KeyRefused);
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), "The Gong company could not be looked up yet.");
                    tokio::time::sleep(pause).await;
                }
            }
        }
        Ok(Company::default())
    }

    /// Stores what Gong approved: connection, claim on the company, sealed credential.
    ///
    /// # Errors
    /// When the company is linked to another organization, or another company is connected here.
    pub async fn store(&self, tx: &mut Tx, approved: &Approved) -> Result<Stored, ConnectError> {
        let now = self.parts.ambient.now();
        connections::lock(tx).await?;
        let stored = self.place(tx, approved).await?;
        let new = connections::Upsert {
            id: stored.connection,
            auth_kind: approved.auth_kind(),
            api_base_url: approved.base_url.as_str(),
            workspaces: &approved.workspaces,
            granted_scopes: &approved.granted,
            missing_scopes: &approved.missing,
            history_days: approved.history.map(Lookback::get),
            connected_by: approved.user,
            now,
        };
        // Also those that are known from before: they were given up with the connection.
        let workspaces = connections::upsert_connected(tx, &new).await?;
        if !claims::claim(tx, stored.connection, &workspaces).await? {
            return Err(ConnectError::CompanyTaken);
        }
        self.store_secrets(tx, stored.connection, approved, now).await?;
        tx.announce("connection").await?;
        Ok(stored)
    }

    /// Which connection this becomes: the live one of the same company, an earlier one, or a new one.
    async fn place(&self, tx: &mut Tx, approved: &Approved) -> Result<Stored, ConnectError> {
        let live =
            connections::newest(tx).await?.filter(|c| c.status != kernel::ConnectionStatus::Disconnected);
        if let Some(live) = live {
            return if same_company(&live.workspaces, &live.api_base_url, approved) {
                Ok(Stored { connection: live.id, reconnected: true })
            } else {
                Err(ConnectError::OtherCompany)
            };
        }
        for (id, base_url, workspaces) in connections::ended_with_workspaces(tx).await? {
            if same_company(&workspaces, &base_url, approved) {
                return Ok(Stored { connection: id, reconnected: true });
            }
        }
        Ok(Stored { connection: ConnectionId::mint(&*self.parts.ambient), reconnected: false })
    }

    async fn store_secrets(
        &self,
        tx: &mut Tx,
        connection: ConnectionId,
        approved: &Approved,
        now: OffsetDateTime,
    ) -> Result<(), ConnectorError> {
        let last = credentials::load(tx, connection).await?.map_or(0, |c| c.generation);
        // Never a generation of an earlier life of this connection: an answer in escrow must not fit a later one.
        let generation = (last + 1).max(now.unix_timestamp());
        let place = Place { organization: approved.organization, connection, generation };
        match &approved.secrets {
            Secrets::Oauth(granted) => {
                let sealed = self.seal_grant(place, granted, None, now);
                credentials::replace(tx, connection, &sealed.as_new("oauth", now)).await
            }
            Secrets::AccessKey { key, secret } => {
                let sealed = self.seal_key(place, key, secret);
                credentials::replace(tx, connection, &sealed.as_new("access_key", now)).await
            }
        }
    }
}

impl Approved {
    const fn auth_kind(&self) -> AuthKind {
        match self.secrets {
            Secrets::Oauth(_) => AuthKind::Oauth,
            Secrets::AccessKey { .. } => AuthKind::AccessKey,
        }
    }

    /// The company's workspaces, as far as they are known.
    pub fn workspaces(&self) -> &[Workspace] {
        &self.workspaces
    }

    /// Until when the company asked to be left alone, while its workspaces were looked up.
    pub const fn held_until(&self) -> Option<OffsetDateTime> {
        self.held_until
    }
}

impl Connector {
    /// Records a company that was not known when it was connected, from the workspaces of its calls. False when it is
    /// linked elsewhere: the connection must then be stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn learn_company(
        &self,
        tx: &mut Tx,
        connection: &Connection,
        workspace_ids: &[String],
    ) -> Result<bool, ConnectorError> {
        let mut known = connection.workspaces.clone();
        let before = known.len();
        for id in workspace_ids {
            if !known.iter().any(|w| w.id == *id) {
                known.push(Workspace { id: id.clone(), name: String::new() });
            }
        }
        if known.len() == before {
            return Ok(true);
        }
        if !claims::claim(tx, connection.id, &known).await? {
            // Not even the part that nobody else has: the rightful organization may not know it yet.
            claims::release(tx, connection.id).await?;
            return Ok(false);
        }
        connections::set_workspaces(tx, connection.id, &known).await?;
        tx.announce("connection").await?;
        Ok(true)
    }
}

/// Two sides that share a workspace are one company. Where one side is unknown, the host has to do: it is only a hint, so
/// it can bring an organization back to its own earlier connection but never across organizations.
fn same_company(workspaces: &[Workspace], base_url: &str, approved: &Approved) -> bool {
    if workspaces.is_empty() || approved.workspaces.is_empty() {
        return base_url == approved.base_url.as_str();
    }
    approved.workspaces.iter().any(|new| workspaces.iter().any(|old| old.id == new.id))
}

fn exchange_failed(error: OauthError) -> ConnectError {
    if error.is_transient() {
        let why = &error as &dyn std::error::Error;
        tracing::warn!(error = why, "Gong's token address gave no answer that can be used.");
        return ConnectError::GongUnavailable;
    }
    ConnectError::ExchangeRefused(error)
}
