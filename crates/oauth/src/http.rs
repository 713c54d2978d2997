//! The way to the token URL: one bounded request, no redirect, no second try. Knows HTTP and the Basic header; must never know
//! what a grant is used for. Every answer that is not a 2xx becomes an [`OauthError`] here, where its status is still known.

use std::{future::Future, pin::Pin, time::Duration};

use base64::Engine;
use kernel::{ExposeSecret, SecretString};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{OauthError, RefusedKind, TransientKind};

const CONNECT: Duration = Duration::from_secs(5);
const MOST_BODY: usize = 64 * 1024;
const MOST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A client for the token URL with its credentials.
///
/// A named type with a boxed `Send` future: a closure in its place makes callers' futures lose `Send`.
pub(crate) struct Http {
    client: reqwest::Client,
    basic: HeaderValue,
}

impl Http {
    /// `timeout` covers one request from connecting to the last byte.
    pub(crate) fn new(client_id: &str, secret: &SecretString, timeout: Duration) -> Result<Self, OauthError> {
        #[expect(clippy::disallowed_methods, reason = "this is one of the two places that build a client")]
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT.min(timeout))
            .timeout(timeout)
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .map_err(|_| OauthError::Misconfigured { what: "the HTTP client cannot be built" })?;
        // As Gong documents it and every known client sends it: id and secret as they are, without form encoding.
        let pair = format!("{client_id}:{}", secret.expose_secret());
        let mut basic = HeaderValue::try_from(format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        ))
        .map_err(|_| OauthError::Misconfigured { what: "client id and secret" })?;
        basic.set_sensitive(true);
        Ok(Self { client, basic })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, OauthError> {
        let mut request = reqwest::Request::try_from(request)
            .map_err(|_| OauthError::Misconfigured { what: "the token URL" })?;
        request.headers_mut().insert(AUTHORIZATION, self.basic.clone());
        let response = self.client.execute(request).await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await?;
        tracing::debug!(http.status = status.as_u16(), "the token URL answered");
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &headers, &body));
        }
        // No content type is handed on: the body decides whether it is the JSON that was asked for.
        Ok(HttpResponse::new(body))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = OauthError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OauthError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The body, up to the limit.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, OauthError> {
    let success = response.status().is_success();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > MOST_BODY {
            let status = Some(response.status().as_u16());
            return Err(transient(TransientKind::TooLarge, status, success));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A 2xx answer without usable tokens in it: whatever it granted is lost.
pub(crate) fn unusable() -> OauthError {
    transient(TransientKind::Malformed, Some(200), true)
}

fn transient(kind: TransientKind, status: Option<u16>, answer_lost: bool) -> OauthError {
    OauthError::Transient { kind, status, retry_after: None, answer_lost }
}

/// What a failure on the way means. Only where no connection came about is it certain that Gong saw nothing.
fn lost(error: &reqwest::Error) -> OauthError {
    if error.is_connect() {
        return transient(TransientKind::Unreachable, None, false);
    }
    if error.is_builder() {
        return OauthError::Misconfigured { what: "the token URL" };
    }
    let kind = if error.is_timeout() { TransientKind::Timeout } else { TransientKind::Cut };
    transient(kind, error.status().map(|status| status.as_u16()), true)
}

/// What an answer with an error status means. Nothing but a clear word about the grant counts as one.
fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> OauthError {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let kind = match status {
        429 => TransientKind::RateLimited,
        _ => TransientKind::Unavailable,
    };
    if matches!(status, 400..=403) {
        match serde_json::from_slice::<Refusal>(body) {
            Ok(Refusal { error }) if matches!(error.as_str(), "server_error" | "temporarily_unavailable") => {
            }
            Ok(Refusal { error }) if !error.is_empty() => {
                return OauthError::Refused { error: RefusedKind::parse(&error), status };
            }
            _ if status == 401 => return OauthError::Refused { error: RefusedKind::InvalidClient, status },
            _ => return transient(TransientKind::Malformed, Some(status), false),
        }
    }
    OauthError::Transient {
        kind,
        status: Some(status),
        retry_after: retry_after(headers),
        answer_lost: false,
    }
}

/// `Retry-After` in seconds or as a date; a date is measured against the answer's own `Date`, not against our clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(MOST_WAIT));
    }
    let wait = date(text)? - date(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(MOST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str) -> OauthError {
        refusal(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn only_a_clear_word_ends_a_grant() {
        let gone = r#"{"error":"invalid_grant","error_description":"Refresh token expired or revoked"}"#;
        assert!(meaning(400, gone).is_invalid_grant());
        for (status, body) in [
            (400, ""),
            (400, "<html>invalid_grant</html>"),
            (400, r#"{"requestId":"x","errors":["invalid_grant"]}"#),
            (400, r#"{"error":{"code":"invalid_grant"}}"#),
            (400, r#"{"error":"invalid_grant""#),
            (400, r#"{"error":"server_error"}"#),
            (403, "<html>blocked</html>"),
            (404, gone),
            (408, ""),
            (302, ""),
            (429, gone),
            (500, gone),
            (502, "<html>Bad Gateway</html>"),
        ] {
            let error = meaning(status, body);
            assert!(error.is_transient() && !error.answer_lost(), "{status} {body}: {error:?}");
        }
    }

    #[test]
    fn other_refusals_keep_their_word() {
        for (status, body, code) in [
            (400, r#"{"error":"unauthorized_client"}"#, "oauth_unauthorized_client"),
            (400, r#"{"error":"invalid_scope"}"#, "oauth_invalid_scope"),
            (400, r#"{"error":"invalid_request"}"#, "oauth_invalid_request"),
            (403, r#"{"error":"access_denied"}"#, "oauth_access_denied"),
            (401, r#"{"error":"invalid_client"}"#, "oauth_invalid_client"),
            (401, "<html>no</html>", "oauth_invalid_client"),
            (401, r#"{"requestId":"x","errors":["no"]}"#, "oauth_invalid_client"),
            (400, r#"{"error":"teapot"}"#, "oauth_refused"),
        ] {
            assert_eq!(meaning(status, body).code(), code, "{status} {body}");
        }
    }

    #[test]
    fn the_wait_is_read_as_seconds_or_date_and_capped() {
        let wait = |after: &str, date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            if !date.is_empty() {
                headers.insert(DATE, date.parse().unwrap());
            }
            refusal(429, &headers, b"").retry_after().map(|wait| wait.as_secs())
        };
        assert_eq!(wait("17", ""), Some(17));
        assert_eq!(wait("999999999", ""), Some(86_400));
        assert_eq!(wait("Sat, 21 Nov 2026 04:01:30 GMT", "Sat, 21 Nov 2026 04:00:00 GMT"), Some(90));
        assert_eq!(wait("Sat, 21 Nov 2026 03:00:00 GMT", "Sat, 21 Nov 2026 04:00:00 GMT"), Some(0));
        assert_eq!(wait("soon", ""), None);
        assert_eq!(wait("-1", ""), None);
    }
}
