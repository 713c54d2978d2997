//! The requests that we make. Knows how one is sent, counted and judged; must never know why it is made or whether it is made
//! again.

use std::{fmt, sync::Arc, time::Instant};

use kernel::SharedAmbient;
use reqwest::{
    Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};

use crate::{
    Auth, BaseUrl, Call, CallFilter, CallPage, Cursor, Gate, GongError, Held, HeldReason, Hold, Http, Pass,
    Purpose, Target, Ticket, TranscriptStream, TransportKind, UserPage, Workspace, body, call,
    page::malformed,
    people,
    refusal::{Refusal, trace_id},
    request::{self, Ask, Endpoint},
};

/// How long everybody pauses after a 429 that does not say for how long.
const DEFAULT_HOLD: std::time::Duration = std::time::Duration::from_secs(30);

/// Gong's API for one Gong company.
#[derive(Clone)]
pub struct Client {
    http: Http,
    base: BaseUrl,
    auth: Option<HeaderValue>,
    gate: Arc<dyn Gate>,
    ambient: SharedAmbient,
    trace: Option<HeaderValue>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("gong::Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The right to send one request now.
#[derive(Debug)]
pub struct Turn(Ticket, Pass);

/// What came back and is not an error.
enum Answer {
    Body(Response),
    Empty,
    Gone,
}

impl Client {
    /// A client that sends `auth` to `base` and nowhere else; makes no request.
    pub fn new(http: Http, base: BaseUrl, auth: Auth, gate: Arc<dyn Gate>, ambient: SharedAmbient) -> Self {
        Self { http, base, auth: auth.header(), gate, ambient, trace: None }
    }

    /// Adds a `traceparent` header to every request; one that cannot be sent is left out.
    #[must_use]
    pub fn with_trace(mut self, traceparent: Option<String>) -> Self {
        self.trace = traceparent.and_then(|text| HeaderValue::try_from(text).ok());
        self
    }

    /// A page of calls with their people. A list without calls is an empty page.
    ///
    /// # Errors
    /// See [`GongError`].
    pub async fn list_calls(
        &self,
        filter: &CallFilter,
        cursor: Option<&Cursor>,
        purpose: Purpose,
    ) -> Result<CallPage, GongError> {
        request::calls(&self.base, filter, cursor)?;
        let turn = self.turn(purpose).await?;
        self.list_calls_in(turn, filter, cursor).await
    }

    /// The same in a turn that was waited for before.
    ///
    /// # Errors
    /// As [`Client::list_calls`].
    pub async fn list_calls_in(
        &self,
        turn: Turn,
        filter: &CallFilter,
        cursor: Option<&Cursor>,
    ) -> Result<CallPage, GongError> {
        let ask = request::calls(&self.base, filter, cursor)?;
        match self.send_in(turn, ask).await? {
            Answer::Body(response) => self.read_json(response, CallPage::read).await,
            Answer::Empty => Ok(CallPage::default()),
            Answer::Gone => Err(GongError::NotFound { request_id: None }),
        }
    }

    /// Waits at the gate for one request, so that what to ask for can be chosen afterwards.
    ///
    /// # Errors
    /// [`GongError::Held`] when there is no turn soon, or the host does not answer.
    pub async fn turn(&self, purpose: Purpose) -> Result<Turn, GongError> {
        let ticket = self.http.breakers.admit(Target::Api, self.base.as_str(), &self.ambient);
        let held = |broken: kernel::Broken| Held { until: broken.until, why: HeldReason::Outage };
        let ticket = ticket.map_err(|broken| GongError::Held(held(broken)))?;
        let pass = self.gate.pass(purpose).await.map_err(GongError::Held)?;
        Ok(Turn(ticket, pass))
    }

    /// The transcripts of these calls, at most [`crate::MOST_IDS`]. Those that Gong does not have yet are simply not among them.
    ///
    /// # Errors
    /// See [`GongError`]; further ones may come while reading.
    pub async fn transcripts(
        &self,
        ids: &[String],
        cursor: Option<&Cursor>,
        purpose: Purpose,
    ) -> Result<TranscriptStream, GongError> {
        request::transcripts(&self.base, ids, cursor)?;
        let turn = self.turn(purpose).await?;
        self.transcripts_in(turn, ids, cursor).await
    }

    /// The same in a turn that was waited for before.
    ///
    /// # Errors
    /// As [`Client::transcripts`].
    pub async fn transcripts_in(
        &self,
        turn: Turn,
        ids: &[String],
        cursor: Option<&Cursor>,
    ) -> Result<TranscriptStream, GongError> {
        let ask = request::transcripts(&self.base, ids, cursor)?;
        match self.send_in(turn, ask).await? {
            Answer::Body(response) => {
                let request_id = trace_id(response.headers());
                Ok(TranscriptStream::new(Some(response), ids, request_id, self.http.brake.clone()))
            }
            Answer::Empty => Ok(TranscriptStream::new(None, ids, None, self.http.brake.clone())),
            Answer::Gone => Err(GongError::NotFound { request_id: None }),
        }
    }

    /// One call, without its people; `None` when Gong says that it is not there.
    ///
    /// # Errors
    /// See [`GongError`]; a 404 without Gong's words for a missing call is an error.
    pub async fn call(&self, id: &str) -> Result<Option<Call>, GongError> {
        let ask = request::call(&self.base, id)?;
        match self.send(ask, Purpose::Fresh).await? {
            Answer::Body(response) => self.read_json(response, one_call).await.map(Some),
            Answer::Empty | Answer::Gone => Ok(None),
        }
    }

    /// All workspaces of the company.
    ///
    /// # Errors
    /// See [`GongError`]; [`GongError::MissingScope`] where that one permission was not granted.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, GongError> {
        match self.send(request::workspaces(&self.base), Purpose::Fresh).await? {
            Answer::Body(response) => self.read_json(response, people::workspaces).await,
            Answer::Empty => Ok(Vec::new()),
            Answer::Gone => Err(GongError::NotFound { request_id: None }),
        }
    }

    /// A page of users.
    ///
    /// # Errors
    /// See [`GongError`].
    pub async fn users(&self, cursor: Option<&Cursor>) -> Result<UserPage, GongError> {
        match self.send(request::users(&self.base, cursor), Purpose::Fresh).await? {
            Answer::Body(response) => self.read_json(response, people::users).await,
            Answer::Empty => Ok(UserPage { users: Vec::new(), next: None }),
            Answer::Gone => Err(GongError::NotFound { request_id: None }),
        }
    }

    async fn send(&self, ask: Ask, purpose: Purpose) -> Result<Answer, GongError> {
        if self.auth.is_none() {
            return Err(GongError::Unauthorized { request_id: None });
        }
        let turn = self.turn(purpose).await?;
        self.send_in(turn, ask).await
    }

    async fn send_in(&self, Turn(ticket, pass): Turn, ask: Ask) -> Result<Answer, GongError> {
        let Some(auth) = self.auth.clone() else { return Err(GongError::Unauthorized { request_id: None }) };
        let (endpoint, began) = (ask.endpoint, Instant::now());
        let sent = async { Ok(self.build(ask, auth).send().await) };
        let outcome = self.http.brake.watch(sent).await?;
        record(endpoint, began, &outcome);
        if outcome.as_ref().err().is_none_or(reqwest::Error::is_connect) {
            pass.arrived();
        }
        ticket.report(outcome.as_ref().is_ok_and(|response| !response.status().is_server_error()));
        let response = outcome.map_err(|error| GongError::Transport { kind: TransportKind::from(&error) })?;
        if response.status().is_success() {
            Ok(Answer::Body(response))
        } else {
            self.judge(endpoint, response).await
        }
    }

    fn build(&self, ask: Ask, auth: HeaderValue) -> reqwest::RequestBuilder {
        let json = HeaderValue::from_static("application/json");
        let mut builder = self
            .http
            .client
            .request(ask.method, ask.url)
            .header(AUTHORIZATION, auth)
            .header(ACCEPT, json.clone());
        if let Some(trace) = &self.trace {
            builder = builder.header("traceparent", trace);
        }
        match ask.body {
            Some(body) => builder.header(CONTENT_TYPE, json).body(body),
            None => builder,
        }
    }

    /// Reads a bounded body and gives its errors the name of the request.
    async fn read_json<T>(
        &self,
        response: Response,
        read: impl FnOnce(&[u8]) -> Result<T, GongError>,
    ) -> Result<T, GongError> {
        let name = trace_id(response.headers());
        let outcome = match self.http.brake.watch(body::read(response, body::MOST_PAGE)).await {
            Ok(body) => read(&body),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| match error {
            GongError::Malformed { why, .. } => GongError::Malformed { why, request_id: name },
            GongError::TooLarge { .. } => GongError::TooLarge { request_id: name },
            other => other,
        })
    }

    async fn judge(&self, endpoint: Endpoint, response: Response) -> Result<Answer, GongError> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.http.brake.watch(async { Ok(body::read_start(response).await) }).await?;
        let refusal = Refusal::read(status, &headers, &body, self.ambient.now());
        if refusal.means_empty() {
            return Ok(Answer::Empty);
        }
        if endpoint == Endpoint::Calls && refusal.means_gone() {
            return Ok(Answer::Gone);
        }
        let error = refusal.into_error();
        if let GongError::RateLimited { retry_after, .. } = &error {
            metrics::counter!("api_rate_limit_hits_total").increment(1);
            self.gate.hold(Hold { wait: retry_after.unwrap_or(DEFAULT_HOLD) }).await;
        }
        Err(error)
    }
}

fn record(endpoint: Endpoint, began: Instant, outcome: &Result<Response, reqwest::Error>) {
    let endpoint = endpoint.word();
    let (status, request_id) = match outcome {
        Ok(response) => (response.status().as_str().to_owned(), trace_id(response.headers())),
        Err(_) => ("transport_error".to_owned(), None),
    };
    let elapsed = began.elapsed();
    tracing::debug!(
        gong.endpoint = endpoint,
        gong.status = status,
        gong.request_id = request_id,
        elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "a request to Gong was answered"
    );
    metrics::histogram!("soundpost_gong_request_seconds", "endpoint" => endpoint)
        .record(elapsed.as_secs_f64());
    metrics::counter!("gong_api_calls_total", "endpoint" => endpoint, "status" => status).increment(1);
}

fn one_call(body: &[u8]) -> Result<Call, GongError> {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        call: &'a serde_json::value::RawValue,
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| malformed("it is not a call"))?;
    call::basic(answer.call.get()).map_err(|_| malformed("the call has no id or no start"))
}
