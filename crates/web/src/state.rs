//! What every handler may reach: the rooms' handles and the settings of the public listener. Holds no request.

use std::{fmt, sync::Arc};

use accounts::PasswordHasher;
use connector::Connector;
use db::{Db, Events};
use kernel::SharedAmbient;
use tokio_util::sync::CancellationToken;
use url::Url;
use vault::KeyRing;

use crate::{
    client_address::TrustedProxies,
    export::Exports,
    feedback::FeedbackOffers,
    health::Health,
    quota::Quotas,
    sse::{Readers, Streams},
};

/// What the door is built from.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Checks and makes password hashes, a bounded number at a time.
    pub hasher: PasswordHasher,
    /// Connects organizations to Gong.
    pub connector: Connector,
    /// Clock and randomness.
    pub ambient: SharedAmbient,
    /// News of what changed, from every process.
    pub events: Events,
    /// Seals answers that are kept for a while.
    pub keys: Arc<KeyRing>,
    /// What one key, session or address may ask of the API in a minute, in this process.
    pub api_per_minute: u32,
    /// What holds for a connection that has no settings of its own.
    pub defaults: ingest::Defaults,
    /// Where browsers reach us; its origin is the only one that may change anything with a cookie.
    pub public_url: Url,
    /// Gong's authorize page: forms may lead there, and health tells whether it can be reached.
    pub authorize_url: Url,
    /// Whose `X-Forwarded-For` is believed; mostly nobody's.
    pub trusted_proxies: TrustedProxies,
    /// What feedback can be made with here.
    pub feedback: FeedbackOffers,
    /// Set when the process begins to stop.
    pub stop: CancellationToken,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}

/// The state of the router; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    parts: Arc<Parts>,
    origin: Arc<str>,
    pub(crate) health: Health,
    pub(crate) streams: Streams,
    pub(crate) readers: Readers,
    pub(crate) quotas: Quotas,
    pub(crate) exports: Exports,
}

impl AppState {
    /// The state made of these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            origin: parts.public_url.origin().ascii_serialization().into(),
            health: Health::default(),
            streams: Streams::default(),
            readers: Readers::default(),
            quotas: Quotas::new(parts.api_per_minute),
            exports: Exports::default(),
            parts: Arc::new(parts),
        }
    }

    /// Our origin as browsers write it, for instance `https://soundpost.example`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers reach us over https; then cookies carry the `__Host-` prefix.
    pub fn is_https(&self) -> bool {
        self.parts.public_url.scheme() == "https"
    }
}

impl std::ops::Deref for AppState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}
