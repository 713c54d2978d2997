//! Whether anybody answers at an address: one HEAD request to the root of a host, without a credential. For `soundpost doctor`;
//! no request to Gong's API is made this way.

use std::{error::Error, time::Duration};

use reqwest::header::DATE;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;

use crate::Http;

/// How long an answer may take, from the name to the last header.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The name has no address.
    Name,
    /// The other side does not speak TLS, or shows a certificate that is not trusted.
    Tls,
    /// Nobody listens, or the way there is closed.
    Connect,
    /// Somebody listens and says nothing.
    Silent,
}

/// Knocks at the host of `url`; whatever it answers is an answer. Gives the other side's clock, where it tells the time.
///
/// # Errors
/// When there is no answer within five seconds.
pub async fn knock(http: &Http, url: &Url) -> Result<Option<OffsetDateTime>, NoAnswer> {
    let root = url.join("/").unwrap_or_else(|_| url.clone());
    let answer = http.client.head(root).timeout(PATIENCE).send().await.map_err(|error| meaning(&error))?;
    let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
    Ok(date.and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok()))
}

fn meaning(error: &reqwest::Error) -> NoAnswer {
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        words.push_str(&next.to_string().to_ascii_lowercase());
        words.push('\n');
        cause = next.source();
    }
    if words.contains("dns error") || words.contains("failed to lookup") {
        NoAnswer::Name
    } else if ["certificate", "tls", "corrupt message", "invalidcontenttype", "handshake"]
        .iter()
        .any(|word| words.contains(word))
    {
        NoAnswer::Tls
    } else if error.is_timeout() {
        NoAnswer::Silent
    } else {
        NoAnswer::Connect
    }
}
