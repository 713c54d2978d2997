//! What a simulator is started with. Switches that change while it runs are in `switches`.
//! Knows nothing of HTTP or of the data.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use time::OffsetDateTime;

/// What a simulator is started with. `Config::default()` is right for most tests.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the app listener (authorize page, token URL, control surface); port 0 = any free one.
    pub listen: SocketAddr,
    /// Where the listeners of companies are.
    pub companies_at: CompaniesAt,
    /// OAuth clients that are registered.
    pub clients: Vec<OAuthClient>,
    /// The switches at the start.
    pub switches: crate::Switches,
    /// What the authorize page does at the start.
    pub consent: crate::Consent,
    /// Seed of ids, users and generated calls.
    pub seed: u64,
    /// The instant before which generated calls lie; `None` = when the simulator starts.
    pub epoch: Option<OffsetDateTime>,
    /// Start with a clock that stands still at this time.
    pub frozen_at: Option<OffsetDateTime>,
    /// How many requests are remembered one by one; counters stay exact beyond it.
    pub memory_cap: usize,
    /// File that keeps tokens, epoch, addresses and edits over a restart.
    pub state: Option<PathBuf>,
}

/// Where the listeners of companies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompaniesAt {
    /// An address for each, any free port.
    OwnAddress,
    /// An address for each, the port of the app where that is free.
    OwnAddressSamePort,
    /// 127.0.0.1 for all, a port for each: so that a list of hosts stays short with thousands of companies.
    OneAddress,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            companies_at: CompaniesAt::OwnAddress,
            clients: vec![OAuthClient::default()],
            switches: crate::Switches::default(),
            consent: crate::Consent::Ask,
            seed: 1,
            epoch: None,
            frozen_at: None,
            memory_cap: 50_000,
            state: None,
        }
    }
}

/// One registered OAuth client.
#[derive(Clone)]
pub struct OAuthClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
    /// Which redirect URIs it may use.
    pub redirect_uris: RedirectUris,
}

impl Default for OAuthClient {
    /// Client `sim-client` with secret `sim-secret`, any loopback redirect URI.
    fn default() -> Self {
        Self {
            id: "sim-client".to_owned(),
            secret: "sim-secret".to_owned(),
            redirect_uris: RedirectUris::AnyLoopback,
        }
    }
}

impl std::fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuthClient")
            .field("id", &self.id)
            .field("redirect_uris", &self.redirect_uris)
            .finish_non_exhaustive()
    }
}

/// Which redirect URIs a client may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUris {
    /// Exactly these strings.
    Exact(Vec<String>),
    /// Any http or https URL on `localhost`, `127.x.y.z` or `[::1]`.
    AnyLoopback,
}

impl RedirectUris {
    /// Whether the string is registered.
    pub(crate) fn allow(&self, uri: &str) -> bool {
        match self {
            Self::Exact(list) => list.iter().any(|known| known == uri),
            Self::AnyLoopback => url::Url::parse(uri).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && match url.host() {
                        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
                        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                        None => false,
                    }
            }),
        }
    }
}

/// Why a simulator could not start or take in data.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No address could be bound.
    #[error("no listener could be bound near {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why the last try failed.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("the file {path} could not be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("line {line} of {path} is not understood")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl SimError {
    /// Stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "sim_bind_failed",
            Self::File { .. } => "sim_file_failed",
            Self::Line { .. } => "sim_line_not_understood",
        }
    }
}
