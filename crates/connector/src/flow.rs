//! The way through Gong and back: what is remembered of a connect request, and who may come back with it.
//!
//! A request is bound to organization, person, session and browser. The state that travels through Gong and the secret in
//! the browser's flow cookie are two different random values; only their hashes are stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use db::Tx;
use kernel::{ExposeSecret, Lookback, OrganizationId, SecretString, UserId};
use oauth::Callback;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use url::Url;

use crate::{ConnectError, Connector, ConnectorError, store::flows};

/// How long an admin has at Gong. Gong's authorization codes live as long [D; help.gong.io].
const FLOW_LIFE: Duration = Duration::minutes(10);

/// A connect request that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub authorize_url: Url,
    /// What the browser's flow cookie must hold when it comes back.
    pub browser_secret: SecretString,
}

/// A connect request that came back with a code, checked and used up; nothing was asked of Gong yet.
#[derive(Debug)]
pub struct Returned {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Who began it.
    pub user: UserId,
    /// The session that began it, to be checked before the code is exchanged.
    pub session_hash: Vec<u8>,
    pub(crate) history: Option<Lookback>,
    pub(crate) code: SecretString,
}

/// A connect request that was used up.
struct Taken {
    organization: OrganizationId,
    user: UserId,
    session_hash: Vec<u8>,
    history: Option<Lookback>,
}

impl Connector {
    /// Begins a connect request for the person `user`, whose session has this hash. Commit afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(
        &self,
        tx: &mut Tx,
        user: UserId,
        session_hash: [u8; 32],
        history: Option<Lookback>,
    ) -> Result<Begun, ConnectorError> {
        let ambient = &*self.parts.ambient;
        let now = ambient.now();
        let state = oauth::State::mint(ambient);
        let browser_secret: SecretString = URL_SAFE_NO_PAD.encode(ambient.random::<32>()).into();
        let flow = flows::NewFlow {
            state_hash: state.hash(),
            user,
            session_hash,
            browser_hash: hash(browser_secret.expose_secret()),
            history_days: history.map(Lookback::get),
            now,
            expires_at: now + FLOW_LIFE,
        };
        flows::insert(tx, &flow).await?;
        tx.announce("connection").await?;
        Ok(Begun { authorize_url: self.parts.oauth.authorize_url(&state), browser_secret })
    }

    /// Takes what Gong sent the browser back with, and checks whose request it is. Asks nothing of Gong.
    ///
    /// # Errors
    /// When the request is unknown, old, used or of another browser, or Gong said no.
    pub async fn take(
        &self,
        callback: Callback,
        browser_secret: Option<&str>,
    ) -> Result<Returned, ConnectError> {
        match callback {
            Callback::Code { code, state } => {
                let Taken { organization, user, session_hash, history } =
                    self.take_flow(&state, browser_secret).await?;
                Ok(Returned { organization, user, session_hash, history, code })
            }
            Callback::Error { error, state: Some(state) } => {
                self.take_flow(&state, browser_secret).await?;
                Err(ConnectError::Refused { code: error.code() })
            }
            Callback::Error { state: None, .. } | Callback::Malformed => Err(ConnectError::MalformedCallback),
        }
    }

    /// Checks who came back with `state`, and uses the request up.
    async fn take_flow(&self, state: &str, browser_secret: Option<&str>) -> Result<Taken, ConnectError> {
        let now = self.parts.ambient.now();
        let state_hash = oauth::State::hash_of(state);
        let mut fleet = self.parts.db.fleet().await?;
        let flow = flows::find(&mut fleet, &state_hash).await?.ok_or(ConnectError::UnknownFlow)?;
        judge(&flow, browser_secret, now)?;
        if !flows::consume(&mut fleet, &state_hash, now).await? {
            return Err(ConnectError::UsedFlow);
        }
        fleet.announce(flow.organization_id, "connection").await?;
        fleet.commit().await?;
        let history = flow.history_days.map(|days| Lookback::days(days.into())).transpose();
        Ok(Taken {
            organization: flow.organization_id,
            user: flow.user_id,
            session_hash: flow.session_hash,
            history: history.map_err(|_| ConnectorError::Damaged { what: "history_days" })?,
        })
    }
}

/// The order matters: another browser learns nothing about the request, not even that it was used.
fn judge(flow: &flows::Flow, browser_secret: Option<&str>, now: OffsetDateTime) -> Result<(), ConnectError> {
    let same_browser =
        browser_secret.is_some_and(|secret| hash(secret).as_slice() == flow.browser_hash.as_slice());
    if !same_browser {
        Err(ConnectError::OtherBrowser { organization: flow.organization_id })
    } else if flow.consumed_at.is_some() {
        Err(ConnectError::UsedFlow)
    } else if flow.expires_at <= now {
        Err(ConnectError::ExpiredFlow)
    } else {
        Ok(())
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
