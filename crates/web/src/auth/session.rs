//! Sessions behind their cookie: begun at log-in under a new id, looked up at every request, ended at log-out.

use accounts::{LoginError, LoginRequest, Own, PgSessionStore, SESSION_KEY, SessionData, Standing};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use kernel::{ExposeSecret, OrganizationId, SecretString};
use std::{collections::HashMap, fmt};
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
    session_store,
};

use super::{
    SignedIn,
    cookies::{self, SameSite},
};
use crate::{AppState, Problem, RequestContext};

/// How long a browser stays known, in seconds.
const DEVICE_LIVES: u32 = 365 * 86_400;
/// The longest a session lives, in seconds; the server ends it earlier when it is not used.
const SESSION_LIVES: u32 = 12 * 3600;

/// A session that counts at this moment.
#[derive(Clone)]
pub(crate) struct LiveSession {
    pub(crate) id: Id,
    pub(crate) data: SessionData,
}

impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession").field("user", &self.data.user).finish_non_exhaustive()
    }
}

fn store(state: &AppState) -> PgSessionStore {
    PgSessionStore::new(state.db.clone(), state.ambient.clone())
}

fn failed(error: &session_store::Error) -> Problem {
    Problem::unavailable("session_store_failure", error)
}

/// The session that the request's cookie names, where it still counts.
pub(crate) async fn find(state: &AppState, headers: &HeaderMap) -> Result<Option<LiveSession>, Problem> {
    match shown(headers, state.is_https()) {
        Some(id) => load(state, id).await,
        None => Ok(None),
    }
}

/// The id that the request's cookie names, whether it counts or not.
pub(crate) fn shown(headers: &HeaderMap, https: bool) -> Option<Id> {
    let cookie = cookies::read(headers, cookies::session_name(https));
    cookie.filter(|text| text.len() == 22).and_then(|text| text.parse().ok())
}

/// The session with this id, where it still counts. Does not count as use.
pub(crate) async fn load(state: &AppState, id: Id) -> Result<Option<LiveSession>, Problem> {
    let Some(record) = store(state).load(&id).await.map_err(|e| failed(&e))? else { return Ok(None) };
    let data: Option<SessionData> =
        record.data.get(SESSION_KEY).cloned().and_then(|value| serde_json::from_value(value).ok());
    Ok(data
        .filter(|data| data.judge(state.ambient.now()) == Standing::Live)
        .map(|data| LiveSession { id, data }))
}

/// Notes that the session is being used.
pub(crate) async fn touch(state: &AppState, session: &mut LiveSession) -> Result<(), Problem> {
    if !session.data.touch(state.ambient.now()) {
        return Ok(());
    }
    let record = record(session.id, &session.data)?;
    store(state).save(&record).await.map_err(|e| failed(&e))
}

fn record(id: Id, data: &SessionData) -> Result<Record, Problem> {
    let value = serde_json::to_value(data).map_err(|e| Problem::internal("session_store_failure", &e))?;
    Ok(Record { id, data: HashMap::from([(SESSION_KEY.to_owned(), value)]), expiry_date: data.ends_at() })
}

/// What a successful log-in leads to.
#[derive(Debug)]
pub(crate) struct Welcome {
    /// The session's cookie and the browser's.
    pub(crate) cookies: Vec<HeaderValue>,
    /// The password was made by somebody else and has to be changed first.
    pub(crate) must_change_password: bool,
    /// The organization that the session looks at.
    pub(crate) organization: OrganizationId,
}

/// Logs a person in: a new session under a new id; the one the browser had before is over.
///
/// # Errors
/// 401 for wrong credentials, 403 without an organization, 429 and 503 when there is too much of it.
pub(crate) async fn log_in(
    state: &AppState,
    context: &RequestContext,
    headers: &HeaderMap,
    (email, password): (String, SecretString),
    organization: Option<OrganizationId>,
) -> Result<Welcome, Problem> {
    let https = state.is_https();
    let device = cookies::read(headers, cookies::device_name(https)).map(SecretString::from);
    let request = LoginRequest {
        email,
        password,
        ip: context.address(),
        device,
        organization,
        ends: shown(headers, https),
        request_id: Some(context.request_id().to_owned()),
    };
    let person =
        accounts::login(&state.db, &state.hasher, request, &*state.ambient).await.map_err(refused)?;
    let id = person.session.to_string();
    let cookies = [
        cookies::set(cookies::session_name(https), &id, SameSite::Strict, SESSION_LIVES, https),
        cookies::set(
            cookies::device_name(https),
            person.device_token.expose_secret(),
            SameSite::Strict,
            DEVICE_LIVES,
            https,
        ),
    ];
    Ok(Welcome {
        cookies: cookies.into_iter().flatten().collect(),
        must_change_password: person.must_change_password,
        organization: person.organization,
    })
}

/// Ends the person's session, notes it, and gives the cookie that makes the browser forget it.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn log_out(state: &AppState, person: &SignedIn) -> Result<Option<HeaderValue>, Problem> {
    accounts::end_session(&state.db, own(person), &person.request, &*state.ambient).await?;
    Ok(forget(state))
}

/// Has the browser forget what it kept of our pages; cookies stay, because the one of a known browser is to outlive a log-out.
pub(crate) fn cleared(mut response: Response) -> Response {
    let what = HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert("clear-site-data", what);
    response
}

/// Lets the person look at another of their organizations: a new session under a new id, bound to that organization. It ends
/// when the log-in ends; the session until now is over.
///
/// # Errors
/// 401 when the session ended meanwhile; 404 for an organization that the person does not belong to; 503 when the database
/// does not answer.
pub(crate) async fn switch(
    state: &AppState,
    person: &SignedIn,
    to: OrganizationId,
) -> Result<Option<HeaderValue>, Problem> {
    let moved = accounts::move_session(&state.db, own(person), to, &person.request, &*state.ambient).await?;
    let id = moved.ok_or_else(Problem::unauthenticated)?.to_string();
    let https = state.is_https();
    Ok(cookies::set(cookies::session_name(https), &id, SameSite::Strict, SESSION_LIVES, https))
}

fn own(person: &SignedIn) -> Own<'_> {
    Own { id: &person.session.id, data: &person.session.data, scope: &person.scope }
}

/// The cookie that makes a browser forget its session.
pub(crate) fn forget(state: &AppState) -> Option<HeaderValue> {
    let https = state.is_https();
    cookies::set(cookies::session_name(https), "", SameSite::Strict, 0, https)
}

fn refused(error: LoginError) -> Problem {
    let code = error.code();
    match error {
        LoginError::WrongCredentials => {
            Problem::new(StatusCode::UNAUTHORIZED, code, "The e-mail address or the password is wrong.")
        }
        LoginError::TooManyTries { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let detail = format!("There were too many tries. Wait {seconds} seconds and try again.");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, code, detail).after(retry_after)
        }
        LoginError::Busy => {
            let detail = "Too many people are logging in at this moment. Try again in a few seconds.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
                .after(std::time::Duration::from_secs(3))
        }
        LoginError::NoOrganization => {
            let detail =
                "This account does not belong to the organization any longer. Ask an owner to add it again.";
            Problem::new(StatusCode::FORBIDDEN, code, detail)
        }
        LoginError::Failed(error) => error.into(),
    }
}
