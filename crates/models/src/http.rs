//! One way to all providers: JSON over HTTPS with bounded time, size and tries.

use std::{fmt, time::Duration};

use kernel::{ExposeSecret, SecretString, SharedAmbient};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{ModelError, Usage};

/// Tries of one question.
const TRIES: u32 = 4;
/// The longest pause between two tries; who wants more is asked another time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Parameters that some models want and others refuse.
const MOODY: [&str; 2] = ["max_tokens", "temperature"];
/// The largest answer that is read.
const ANSWER_MOST: usize = 8 * 1024 * 1024;

/// A provider's address and key.
#[derive(Clone)]
pub struct Endpoint {
    base: Url,
    /// Marked so that nobody writes it out.
    key: Option<HeaderValue>,
    client: reqwest::Client,
    ambient: SharedAmbient,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A provider at `base`, up to and with the version: `https://api.anthropic.com/v1`. A server of one's own may need
    /// no key.
    ///
    /// # Errors
    /// When TLS cannot be set up, the address cannot have a path, or the key holds signs that no header may hold.
    pub fn new(
        mut base: Url,
        key: Option<SecretString>,
        user_agent: &str,
        ambient: SharedAmbient,
    ) -> Result<Self, ModelError> {
        const SETUP: ModelError = ModelError::Unavailable { why: "the client cannot be set up" };
        base.path_segments_mut().map_err(|()| SETUP)?.pop_if_empty();
        let key = key.as_ref().map(sealed).transpose()?;
        #[expect(clippy::disallowed_methods, reason = "this is the place that builds the client for models")]
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(120))
            .pool_max_idle_per_host(4)
            .no_proxy()
            .build()
            .map_err(|_| SETUP)?;
        Ok(Self { base, key, client, ambient })
    }

    /// The key in a header of the provider's own.
    pub(crate) fn with_key(&self, request: RequestBuilder, header: &'static str) -> RequestBuilder {
        match &self.key {
            Some(key) => request.header(header, key),
            None => request,
        }
    }

    /// The key as a bearer token.
    pub(crate) fn with_bearer(&self, request: RequestBuilder) -> RequestBuilder {
        match self.key.as_ref().and_then(|key| key.to_str().ok()) {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends JSON and reads JSON, with retries where the provider may answer another time.
    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        dress: impl Fn(RequestBuilder) -> RequestBuilder + Sync,
    ) -> Result<A, ModelError> {
        self.send(Method::POST, path, body, dress).await
    }

    /// [`Endpoint::post`] with another method.
    pub(crate) async fn send<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
        dress: impl Fn(RequestBuilder) -> RequestBuilder + Sync,
    ) -> Result<A, ModelError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.split('/'));
        }
        let mut tried = 0;
        loop {
            tried += 1;
            let request = dress(self.client.request(method.clone(), url.clone()).json(body));
            let (error, wait) = match request.send().await {
                Ok(answer) if answer.status().is_success() => return read(answer).await,
                Ok(answer) => match refusal(answer.status(), answer.headers()) {
                    (ModelError::BadRequest { status, .. }, _) => {
                        return Err(ModelError::BadRequest { status, parameter: blamed(answer).await });
                    }
                    other => other,
                },
                Err(error) => (transport(&error), None),
            };
            let pause =
                wait.unwrap_or_else(|| self.ambient.jitter(Duration::from_millis(500) * 2_u32.pow(tried)));
            if !error.is_transient() || tried == TRIES || pause > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn sealed(key: &SecretString) -> Result<HeaderValue, ModelError> {
    const WRONG: ModelError = ModelError::Unavailable { why: "the key holds signs that no key has" };
    let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| WRONG)?;
    value.to_str().map_err(|_| WRONG)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a status means. 529 is Anthropic's word for overloaded.
fn refusal(status: StatusCode, headers: &HeaderMap) -> (ModelError, Option<Duration>) {
    let wait = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let wait = wait.map(Duration::from_secs);
    let error = match status.as_u16() {
        401 | 403 => ModelError::Refused { status: status.as_u16() },
        429 => ModelError::RateLimited { wait },
        408 | 500..=599 => ModelError::Unavailable { why: "it fails on its side" },
        status => ModelError::BadRequest { status, parameter: None },
    };
    (error, wait)
}

/// Which of our parameters a refusal names: in the field that OpenAI has for it, or in its words, between quotes or as the first
/// one. Nothing else of the words is kept, and a mere repetition of what was asked names nothing.
async fn blamed(answer: Response) -> Option<&'static str> {
    let body: serde_json::Value = read(answer).await.ok()?;
    let error = &body["error"];
    let words = error["message"].as_str().unwrap_or_default();
    let says = |name: &&str| {
        words.starts_with(*name)
            || ['\'', '`'].iter().any(|sign| words.contains(&format!("{sign}{name}{sign}")))
    };
    let named = MOODY.into_iter().find(|name| error["param"] == **name);
    named.or_else(|| MOODY.into_iter().find(says))
}

fn transport(error: &reqwest::Error) -> ModelError {
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    ModelError::Unavailable { why }
}

async fn read<A: DeserializeOwned>(mut answer: Response) -> Result<A, ModelError> {
    let unreadable = |why| ModelError::Unreadable { why, usage: Usage::default() };
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| transport(&error))? {
        if body.len() + chunk.len() > ANSWER_MOST {
            return Err(unreadable("it is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| unreadable("it is not the JSON that the provider documents"))
}
