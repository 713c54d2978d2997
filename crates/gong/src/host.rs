//! Which hosts may ever see a token. Reads text strictly and by hand, because what one URL parser forgives another one follows;
//! knows nothing of requests.

use std::fmt;

use url::Url;

const MOST_URL: usize = 300;
const MOST_HOST: usize = 253;

/// The hosts that we may send a credential to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPolicy {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// Any host below this one, over https.
    Below(String),
    /// This host, over https.
    Https(String),
    /// This host over plain http, on one port or on any.
    Http { host: String, port: Option<u16> },
}

/// A list of hosts that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is not a host pattern: {why}")]
pub struct HostPolicyError {
    entry: String,
    why: &'static str,
}

/// A base URL that we will not send a credential to. Never shows the URL: it came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the base URL is refused: {why}")]
pub struct BaseUrlRefused {
    why: &'static str,
}

impl BaseUrlRefused {
    /// Stable name for clients, logs and metrics.
    pub const fn code(&self) -> &'static str {
        "gong_base_url_refused"
    }

    /// What is wrong with it.
    pub const fn why(&self) -> &'static str {
        self.why
    }
}

/// A base URL that a [`HostPolicy`] has let through: scheme, host and perhaps a port, without a trailing slash.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The text, such as `https://us-70001.api.gong.io`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HostPolicy {
    /// Reads a comma list: `*.suffix` (any host below, https), `host` (exactly that one, https), `http://host[:port]` (plain http
    /// to exactly that host, for tests and demos).
    ///
    /// # Errors
    /// When the list is empty or an entry is none of these.
    pub fn parse(list: &str) -> Result<Self, HostPolicyError> {
        let entries: Vec<Entry> = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                Entry::parse(&entry.to_ascii_lowercase())
                    .map_err(|why| HostPolicyError { entry: entry.chars().take(80).collect(), why })
            })
            .collect::<Result<_, _>>()?;
        if entries.is_empty() {
            return Err(HostPolicyError { entry: String::new(), why: "the list is empty" });
        }
        Ok(Self { entries })
    }

    /// Lets a base URL through, or not.
    ///
    /// # Errors
    /// Unless it is exactly scheme, allowed host and (for plain http) port, with at most one trailing slash.
    pub fn check(&self, text: &str) -> Result<BaseUrl, BaseUrlRefused> {
        let refused = |why| BaseUrlRefused { why };
        if text.len() > MOST_URL {
            return Err(refused("it is too long"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'/')) {
            return Err(refused("it has characters that a base URL does not need"));
        }
        let text = text.to_ascii_lowercase();
        let (plain, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(refused("it is not https")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(refused("it has a path"));
        }
        if plain { self.check_plain(authority) } else { self.check_secure(authority) }.map_err(refused)?;
        let base = text.strip_suffix('/').unwrap_or(&text).to_owned();
        agree(&base, authority).map_err(refused)?;
        Ok(BaseUrl(base))
    }

    fn check_secure(&self, host: &str) -> Result<(), &'static str> {
        if host.contains(':') {
            return Err("it has a port");
        }
        check_name(host)?;
        let allowed = self.entries.iter().any(|entry| match entry {
            Entry::Below(suffix) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Entry::Https(exact) => host == exact,
            Entry::Http { .. } => false,
        });
        if allowed { Ok(()) } else { Err("its host is not on the list") }
    }

    fn check_plain(&self, authority: &str) -> Result<(), &'static str> {
        let (host, port) = split_port(authority)?;
        let allowed = self.entries.iter().any(|entry| match entry {
            Entry::Http { host: exact, port: only } => host == exact && (only.is_none() || *only == port),
            _ => false,
        });
        if allowed { Ok(()) } else { Err("it is not https") }
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(suffix) = text.strip_prefix("*.") {
            check_name(suffix)?;
            return Ok(Self::Below(suffix.to_owned()));
        }
        if let Some(authority) = text.strip_prefix("http://") {
            let (host, port) = split_port(authority)?;
            if host.parse::<std::net::Ipv4Addr>().is_err() {
                check_labels(host)?;
            }
            return Ok(Self::Http { host: host.to_owned(), port });
        }
        let host = text.strip_prefix("https://").unwrap_or(text);
        check_name(host)?;
        Ok(Self::Https(host.to_owned()))
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let Some((host, port)) = authority.split_once(':') else {
        return Ok((authority, None));
    };
    let canonical = !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if canonical => Ok((host, Some(port))),
        _ => Err("its port is not a number"),
    }
}

/// A public DNS name: two labels at least, none of them in punycode, not an address in any notation.
fn check_name(host: &str) -> Result<(), &'static str> {
    check_labels(host)?;
    let labels = || host.split('.');
    if labels().count() < 2 {
        return Err("its host is not a full name");
    }
    if labels().any(|label| label.starts_with("xn--")) {
        return Err("its host is written in punycode");
    }
    let numeric = |label: &str| label.starts_with("0x") || label.bytes().all(|b| b.is_ascii_digit());
    if labels().next_back().is_some_and(numeric) {
        return Err("its host is an address");
    }
    Ok(())
}

fn check_labels(host: &str) -> Result<(), &'static str> {
    let fine = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if host.len() <= MOST_HOST && host.split('.').all(fine) { Ok(()) } else { Err("its host is not a name") }
}

/// The parser that the HTTP client uses has to read the same host out of it as we did.
fn agree(base: &str, authority: &str) -> Result<(), &'static str> {
    let differs = "it can be read in two ways";
    let url = Url::parse(base).map_err(|_| differs)?;
    let (host, port) = split_port(authority)?;
    let same = url.host_str() == Some(host)
        && (port.is_none() || url.port_or_known_default() == port)
        && (url.path(), url.query(), url.fragment()) == ("/", None, None)
        && url.username().is_empty()
        && url.password().is_none();
    if same { Ok(()) } else { Err(differs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> HostPolicy {
        HostPolicy::parse("*.api.gong.io").unwrap()
    }

    #[test]
    fn gongs_own_hosts_pass_and_lose_their_slash() {
        for (text, base) in [
            ("https://us-70001.api.gong.io", "https://us-70001.api.gong.io"),
            ("https://us-70001.api.gong.io/", "https://us-70001.api.gong.io"),
            ("HTTPS://EU-2086.API.gong.io", "https://eu-2086.api.gong.io"),
            ("https://company-17.api.gong.io", "https://company-17.api.gong.io"),
            ("https://a.b.api.gong.io", "https://a.b.api.gong.io"),
        ] {
            assert_eq!(default().check(text).unwrap().as_str(), base);
        }
    }

    const HOSTILE: &[&str] = &[
        "",
        "https://",
        "https:///",
        "us-1.api.gong.io",
        "//us-1.api.gong.io",
        "https:us-1.api.gong.io",
        "https:/us-1.api.gong.io",
        "https:///us-1.api.gong.io",
        "http://us-1.api.gong.io",
        "ftp://us-1.api.gong.io",
        "file:///etc/passwd",
        "data:text/html,x",
        "javascript:alert(1)",
        "gopher://us-1.api.gong.io",
        "wss://us-1.api.gong.io",
        "httpss://us-1.api.gong.io",
        "https://api.gong.io",
        "https://.api.gong.io",
        "https://-.api.gong.io",
        "https://us-1..api.gong.io",
        "https://us-1.api.gong.io.",
        "https://us-1.api.gong.io./",
        "https://us-1.api.gong.io//",
        "https://us-1.api.gong.io/v2",
        "https://us-1.api.gong.io/..",
        "https://us-1.api.gong.io/?a=b",
        "https://us-1.api.gong.io?@evil.test",
        "https://us-1.api.gong.io#@evil.test",
        "https://us-1.api.gong.io\\@evil.test",
        "https://us-1.api.gong.io\\.evil.test",
        "https:\\\\us-1.api.gong.io",
        "https://us-1.api.gong.io%2eevil.test",
        "https://us-1.api.gong.io%00.evil.test",
        "https://evil.test%2f.api.gong.io",
        "https://evil.test/.api.gong.io",
        "https://evil.test#.api.gong.io",
        "https://evil.test?.api.gong.io",
        "https://evil.test\\.api.gong.io",
        "https://evil.test:443.api.gong.io",
        "https://user@us-1.api.gong.io",
        "https://user:pass@us-1.api.gong.io",
        "https://us-1.api.gong.io@evil.test",
        "https://@us-1.api.gong.io",
        "https://us-1.api.gong.io:443",
        "https://us-1.api.gong.io:8443",
        "https://us-1.api.gong.io:",
        "https://us-1.api.gong.io:0",
        "https://us-1.api.gong.io:99999",
        "https://us-1.api.gong.io:80@evil.test",
        "https://api.gong.io.evil.test",
        "https://us-1.api.gong.io.evil.test",
        "https://evilapi.gong.io",
        "https://us-1.evilapi.gong.io",
        "https://us-1.api.gong.io-evil.test",
        "https://us-1.api-gong.io",
        "https://us-1.apiXgong.io",
        "https://us-1.api.gong.i",
        "https://us-1.api.gong.iо",
        "https://us-1.api.gong。io",
        "https://us-1。api.gong.io",
        "https://us\u{ad}-1.api.gong.io",
        "https://us-1\u{200b}.api.gong.io",
        "https://ｕｓ-1.api.gong.io",
        "https://xn--us-1.api.gong.io",
        "https://xn--ls8h.api.gong.io",
        "https://us_1.api.gong.io",
        "https://us-1.api.gong.io ",
        " https://us-1.api.gong.io",
        "https://us-1.api.gong.io\n",
        "https://us-1.api.gong.io\r\nX-Evil: 1",
        "https://us-1.api.\tgong.io",
        "https://us-1.api.gong.io\0",
        "ht\ntps://us-1.api.gong.io",
        "https://127.0.0.1",
        "https://127.0.0.2",
        "http://127.0.0.1",
        "https://127.1",
        "https://0",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.1",
        "https://0177.0.0.1",
        "https://127.0.0.1.api.gong.io:1",
        "https://169.254.169.254",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[fd00::1]",
        "https://localhost",
        "https://metadata.google.internal",
        "https://*.api.gong.io",
        "https://us-1.api.gong.io,https://evil.test",
        "null",
    ];

    #[test]
    fn hostile_base_urls_are_refused_without_being_repeated() {
        assert!(HOSTILE.len() >= 60);
        let policies = [default(), HostPolicy::parse("*.api.gong.io, http://127.0.0.3:8080").unwrap()];
        for policy in policies {
            for text in HOSTILE {
                let refused = policy.check(text).expect_err(text);
                assert!(text.len() < 12 || !refused.to_string().contains(text));
            }
            for long in ["a".repeat(64), "a.".repeat(140), "a".repeat(1_000_000)] {
                assert!(policy.check(&format!("https://{long}.api.gong.io")).is_err());
            }
        }
    }

    #[test]
    fn plain_http_goes_to_exactly_the_listed_host() {
        let any = HostPolicy::parse("*.api.gong.io,http://127.0.0.2").unwrap();
        assert_eq!(any.check("http://127.0.0.2:8080/").unwrap().to_string(), "http://127.0.0.2:8080");
        assert!(any.check("http://127.0.0.2").is_ok());
        let one = HostPolicy::parse("http://gong-sim:8080").unwrap();
        assert!(one.check("http://gong-sim:8080").is_ok());
        for text in
            ["http://gong-sim", "http://gong-sim:8081", "https://gong-sim:8080", "http://gong-sim:08080"]
        {
            assert!(one.check(text).is_err(), "{text}");
        }
        for text in [
            "http://127.0.0.1:8080",
            "https://127.0.0.2",
            "http://127.0.0.2:x",
            "http://127.0.0.2:",
            "http://127.0.0.2:80:80",
            "http://127.0.0.2.evil.test",
            "http://127.0.0.02",
            "http://us-1.api.gong.io",
        ] {
            assert!(any.check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_exact_host_lets_nothing_else_through() {
        let policy = HostPolicy::parse("api.gong.io").unwrap();
        assert!(policy.check("https://api.gong.io").is_ok());
        assert!(policy.check("https://us-1.api.gong.io").is_err());
    }

    #[test]
    fn lists_that_mean_nothing_or_too_much_are_refused() {
        for list in [
            "",
            " , ",
            "*",
            "*.io",
            "*.*.gong.io",
            "127.0.0.1",
            "http://",
            "http://*.gong.io",
            "a b",
            "ftp://x.y",
        ] {
            assert!(HostPolicy::parse(list).is_err(), "{list}");
        }
    }
}
