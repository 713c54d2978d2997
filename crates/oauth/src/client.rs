//! The three things that can be asked of Gong's authorization server. Knows one application; must never know for whom it asks.

use std::{fmt, sync::Arc, time::Duration};

use kernel::{ExposeSecret, SecretString};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet, EndpointSet, RedirectUrl, RefreshToken,
    RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use url::Url;

use crate::{
    Granted, OauthError, SCOPES, State,
    answer::TokenAnswer,
    http::{Http, unusable},
};

/// How long one token request may take as a whole, unless set otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The application as it is registered at Gong.
#[derive(Clone)]
pub struct Config {
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: SecretString,
    /// Where the admin's browser is sent.
    pub authorize_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Where Gong sends the browser back to; exactly as registered.
    pub redirect_uri: Url,
    /// How long one token request may take as a whole; see [`TIMEOUT`].
    pub timeout: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("client_id", &self.client_id)
            .field("authorize_url", &self.authorize_url.as_str())
            .field("token_url", &self.token_url.as_str())
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

type Application = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A client of Gong's authorization server; cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    // Without the secret: `http` adds it as a header, so it can never end up in a form.
    application: Application,
    http: Http,
    token_url: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("oauth::Client(..)")
    }
}

impl Client {
    /// A client for this application; makes no request.
    ///
    /// # Errors
    /// [`OauthError::Misconfigured`] when an id, secret or URL cannot work.
    pub fn new(config: Config) -> Result<Self, OauthError> {
        check(&config)?;
        let token_url = config.token_url.to_string();
        let http = Http::new(&config.client_id, &config.client_secret, config.timeout)?;
        let application = oauth2::Client::new(ClientId::new(config.client_id))
            .set_auth_uri(AuthUrl::from_url(config.authorize_url))
            .set_token_uri(TokenUrl::from_url(config.token_url))
            .set_redirect_uri(RedirectUrl::from_url(config.redirect_uri));
        Ok(Self { inner: Arc::new(Inner { application, http, token_url }) })
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> &str {
        &self.inner.token_url
    }

    /// Where to send the admin's browser. No PKCE: it is not part of Gong's flow.
    pub fn authorize_url(&self, state: &State) -> Url {
        let (mut url, _) = self
            .inner
            .application
            .authorize_url(|| CsrfToken::new(state.expose().to_owned()))
            .add_scopes(SCOPES.iter().map(|scope| oauth2::Scope::new(scope.name.to_owned())))
            .url();
        // Spaces as %20, as Gong writes them; a literal plus is already %2B here.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&query));
        url
    }

    /// Exchanges the code of a callback for tokens. A code works once.
    ///
    /// # Errors
    /// See [`OauthError`].
    pub async fn exchange(&self, code: SecretString) -> Result<Granted, OauthError> {
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let request = self.inner.application.exchange_code(code);
        settle(request.request_async(&self.inner.http).await)
    }

    /// Exchanges a refresh token for new tokens. Gong spends the token with the first use: never call this twice at once for one
    /// connection, and store the answer before anybody uses it.
    ///
    /// # Errors
    /// See [`OauthError`]; after [`OauthError::answer_lost`] the token may be spent.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Granted, OauthError> {
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let request = self.inner.application.exchange_refresh_token(&token);
        settle(request.request_async(&self.inner.http).await)
    }
}

fn settle(
    outcome: Result<TokenAnswer, RequestTokenError<OauthError, BasicErrorResponse>>,
) -> Result<Granted, OauthError> {
    match outcome {
        Ok(answer) => Ok(answer.into()),
        Err(RequestTokenError::Request(error)) => Err(error),
        // These three hold the body, which may hold tokens: nothing of it goes any further.
        Err(
            RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_),
        ) => Err(unusable()),
    }
}

fn check(config: &Config) -> Result<(), OauthError> {
    let wrong = |what| Err(OauthError::Misconfigured { what });
    if config.client_id.is_empty() || !config.client_id.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return wrong("the client id is empty or has characters that cannot be sent");
    }
    if config.client_secret.expose_secret().is_empty() {
        return wrong("the client secret is empty");
    }
    for (url, what) in [
        (&config.authorize_url, "the authorize URL is not http(s) or has a password or fragment"),
        (&config.token_url, "the token URL is not http(s) or has a password or fragment"),
        (&config.redirect_uri, "the redirect URI is not http(s) or has a password or fragment"),
    ] {
        let http = matches!(url.scheme(), "https" | "http") && url.has_host();
        if !http || !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return wrong(what);
        }
    }
    Ok(())
}
