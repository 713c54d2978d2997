//! The configuration, checked as a whole before anything starts: all faults are listed at once.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use gong::HostPolicy;
use kernel::SecretString;
use url::{Host, Url};
use vault::KeyRing;
use web::TrustedProxies;

use crate::{
    exit::Exit,
    minds::{self, Minds},
    variables::Variables,
};

/// Everything that `serve` and `work` need.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database_url: SecretString,
    pub(crate) database_connections: u32,
    pub(crate) pooler_url: Option<SecretString>,
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) public_url: Url,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) escrow_dir: PathBuf,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) authorize_url: Url,
    pub(crate) token_url: Url,
    pub(crate) hosts: HostPolicy,
    pub(crate) refresh_before: Duration,
    pub(crate) workers: jobs::runtime::Settings,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) api_per_minute: u32,
    pub(crate) defaults: ingest::Defaults,
    pub(crate) minds: Option<Minds>,
}

/// The callback that has to be registered in Gong.
pub(crate) const CALLBACK_PATH: &str = "/api/integrations/gong/callback";

const DAY: Duration = Duration::from_secs(86_400);

/// Only the address of the database, for commands that need nothing else.
pub(crate) fn database_url() -> Result<SecretString, Exit> {
    let mut variables = Variables::here();
    let url = variables.secret("DATABASE_URL", "for instance postgres://user:password@localhost/soundpost");
    match url {
        Some(url) if variables.faults.is_empty() => Ok(url),
        _ => Err(Exit::misuse(variables.faults)),
    }
}

/// Only the sealing keys.
pub(crate) fn keys() -> Result<KeyRing, Exit> {
    let mut variables = Variables::here();
    let keys = read_keys(&mut variables);
    keys.ok_or_else(|| Exit::misuse(variables.faults))
}

/// The whole configuration from this process's environment.
pub(crate) fn read() -> Result<Settings, Exit> {
    let mut variables = Variables::here();
    match from(&mut variables) {
        Some(settings) if variables.faults.is_empty() => Ok(settings),
        _ => Err(Exit::misuse(variables.faults)),
    }
}

/// Where the process beside us listens: for requests, and for metrics where it does.
pub(crate) fn listeners() -> Result<(SocketAddr, Option<SocketAddr>), Exit> {
    let mut variables = Variables::here();
    let listeners = read_listeners(&mut variables);
    if variables.faults.is_empty() { Ok(listeners) } else { Err(Exit::misuse(variables.faults)) }
}

fn read_listeners(v: &mut Variables) -> (SocketAddr, Option<SocketAddr>) {
    const FIX: &str = "must be an address and port";
    let listen = v.read("SOUNDPOST_LISTEN", ([127, 0, 0, 1], 8080).into(), |t| t.parse().ok(), FIX);
    let metrics = v.read("SOUNDPOST_METRICS_LISTEN", None, |t| t.parse().ok().map(Some), FIX);
    (listen, metrics)
}

/// What is wrong with this process's environment; nothing when it is complete.
pub(crate) fn faults() -> Vec<String> {
    let mut variables = Variables::here();
    from(&mut variables);
    variables.faults
}

fn from(v: &mut Variables) -> Option<Settings> {
    let database_url = v.secret("DATABASE_URL", "for instance postgres://user:password@localhost/soundpost");
    let (listen, metrics_listen) = read_listeners(v);
    let public_url = public_url(v, listen);
    let keys = read_keys(v);
    let client_id = v.text("GONG_CLIENT_ID").map(str::to_owned);
    if client_id.is_none() {
        v.faults.push("GONG_CLIENT_ID is not set: make an integration in Gong's Admin center > Settings > Ecosystem > API".into());
    }
    let client_secret = v.secret("GONG_CLIENT_SECRET", "Gong shows it beside the client id");
    let authorize_url = gong_url(v, "GONG_AUTHORIZE_URL", "https://app.gong.io/oauth2/authorize");
    let token_url = gong_url(v, "GONG_TOKEN_URL", "https://app.gong.io/oauth2/generate-customer-token");
    let hosts = v.text("GONG_API_HOSTS").unwrap_or("*.api.gong.io").to_owned();
    let hosts = HostPolicy::parse(&hosts)
        .map_err(|error| v.faults.push(format!("GONG_API_HOSTS is wrong: {error}")))
        .ok();
    let trusted = v.text("SOUNDPOST_TRUSTED_PROXIES").unwrap_or_default().to_owned();
    let trusted_proxies = trusted
        .parse::<TrustedProxies>()
        .map_err(|error| v.faults.push(format!("SOUNDPOST_TRUSTED_PROXIES is wrong: {error}")))
        .ok();
    let second = Duration::from_secs(1);
    let defaults = ingest::Defaults {
        poll_every: v.duration("SOUNDPOST_POLL_EVERY", 4 * 3600 * second, second, DAY),
        per_second: v.number("GONG_REQUESTS_PER_SECOND", 2.5, 0.05, 100_000.0),
        per_day: v.number("GONG_REQUESTS_PER_DAY", 8_000, 10, 1_000_000_000),
        transcript_batch: v.number("SOUNDPOST_TRANSCRIPT_BATCH", 100, 1, 100),
        pause_on_misuse: v.read(
            "SOUNDPOST_ON_MISUSE",
            true,
            |text| match text {
                "pause" => Some(true),
                "tell" => Some(false),
                _ => None,
            },
            "must be pause or tell",
        ),
        ..ingest::Defaults::default()
    };
    let minds = minds::read(v);
    Some(Settings {
        api_per_minute: v.number("SOUNDPOST_API_PER_MINUTE", 6_000, 10, 1_000_000_000),
        database_connections: v.number("SOUNDPOST_DATABASE_CONNECTIONS", 24, 8, 500),
        pooler_url: v.text("SOUNDPOST_POOLER_URL").map(SecretString::from),
        escrow_dir: v.text("SOUNDPOST_ESCROW_DIR").unwrap_or("escrow").into(),
        refresh_before: v.duration("SOUNDPOST_REFRESH_BEFORE", 300 * second, second, DAY / 2),
        workers: jobs::runtime::Settings::taken_over_after(v.duration(
            "SOUNDPOST_WORKER_GONE_AFTER",
            45 * second,
            5 * second,
            600 * second,
        )),
        database_url: database_url?,
        listen,
        metrics_listen,
        public_url: public_url?,
        keys: Arc::new(keys?),
        client_id: client_id?,
        client_secret: client_secret?,
        authorize_url: authorize_url?,
        token_url: token_url?,
        hosts: hosts?,
        trusted_proxies: trusted_proxies?,
        defaults,
        minds,
    })
}

fn read_keys(v: &mut Variables) -> Option<KeyRing> {
    let text = v.secret("SOUNDPOST_KEYS", "`soundpost keys generate` prints a new key")?;
    KeyRing::parse(&text).map_err(|error| v.faults.push(format!("SOUNDPOST_KEYS is wrong: {error}"))).ok()
}

/// Where browsers reach us. Plain http is for this machine alone: everywhere else cookies and tokens would travel open.
fn public_url(v: &mut Variables, listen: SocketAddr) -> Option<Url> {
    let text = v.text("SOUNDPOST_PUBLIC_URL").map_or_else(|| format!("http://{listen}"), str::to_owned);
    let url = Url::parse(&text).ok().filter(|url| {
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        plain
            && url.username().is_empty()
            && url.password().is_none()
            && (url.scheme() == "https" || is_loopback(url))
    });
    if url.is_none() {
        v.faults.push(
            "SOUNDPOST_PUBLIC_URL must be https://host without a path (http:// only for localhost and 127.*)"
                .into(),
        );
    }
    url
}

fn gong_url(v: &mut Variables, name: &str, default: &str) -> Option<Url> {
    let url = Url::parse(v.text(name).unwrap_or(default)).ok();
    let url = url.filter(|url| url.scheme() == "https" || is_loopback(url));
    if url.is_none() {
        v.faults.push(format!("{name} must be an https URL (http only on this machine, for tests)"));
    }
    url
}

/// Plain http on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ExposeSecret;

    fn complete() -> Vec<(String, String)> {
        let key = KeyRing::generate_key();
        [
            ("DATABASE_URL", "postgres://x@localhost/y"),
            ("SOUNDPOST_KEYS", key.expose_secret()),
            ("GONG_CLIENT_ID", "id"),
            ("GONG_CLIENT_SECRET", "secret"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn faults_with(extra: &[(&str, &str)]) -> Vec<String> {
        let mut all = complete();
        all.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut variables = Variables::of(all.into_iter());
        from(&mut variables);
        variables.faults
    }

    #[test]
    fn four_variables_are_enough() {
        assert_eq!(faults_with(&[]), Vec::<String>::new());
        let mut variables = Variables::of(complete().into_iter());
        let settings = from(&mut variables).unwrap();
        assert_eq!(settings.defaults, ingest::Defaults::default());
        assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:8080/");
    }

    #[test]
    fn nothing_set_lists_everything_that_is_missing() {
        let mut variables = Variables::of(std::iter::empty());
        assert!(from(&mut variables).is_none());
        for name in ["DATABASE_URL", "SOUNDPOST_KEYS", "GONG_CLIENT_ID", "GONG_CLIENT_SECRET"] {
            assert!(
                variables.faults.iter().any(|fault| fault.starts_with(name)),
                "{name}: {:?}",
                variables.faults
            );
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for bad in
            ["http://soundpost.example", "https://u@x.example", "https://x.example/path", "ftp://x", "x"]
        {
            assert_eq!(faults_with(&[("SOUNDPOST_PUBLIC_URL", bad)]).len(), 1, "{bad}");
        }
        for good in ["http://localhost:3000", "http://127.0.0.9", "https://soundpost.example"] {
            assert_eq!(faults_with(&[("SOUNDPOST_PUBLIC_URL", good)]).len(), 0, "{good}");
        }
        assert_eq!(faults_with(&[("GONG_TOKEN_URL", "http://gong.example/token")]).len(), 1);
    }

    #[test]
    fn a_wrong_key_is_named_by_position_not_by_value() {
        let faults = faults_with(&[("SOUNDPOST_KEYS", "c2hvcnQ=")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("key number 1") && !faults[0].contains("c2hvcnQ"), "{faults:?}");
    }
}
