//! The HTTP client for Gong's API. Knows time-outs and what is switched off; must never know a host or a credential.

use std::time::Duration;

use crate::{Brake, Breakers, GongError, TransportKind};

/// The HTTP client of a process and the circuits of the hosts that it talks to; clones share both.
#[derive(Debug, Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    /// Which hosts answer.
    pub breakers: Breakers,
    /// Stops all requests to Gong's API.
    pub brake: Brake,
}

/// A client to be shared by all connections: no redirects, no proxy from the environment, bounded in time.
///
/// # Errors
/// When the user agent cannot be sent, or TLS cannot be set up.
pub fn http(user_agent: &str) -> Result<Http, GongError> {
    #[expect(clippy::disallowed_methods, reason = "this is one of the two places that build a client")]
    let client = reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .timeout(Duration::from_secs(120))
        .pool_max_idle_per_host(4)
        .pool_idle_timeout(Duration::from_secs(30))
        .gzip(true)
        .no_proxy()
        .referer(false)
        .build()
        .map_err(|_| GongError::Transport { kind: TransportKind::Setup })?;
    Ok(Http { client, breakers: Breakers::default(), brake: Brake::default() })
}
