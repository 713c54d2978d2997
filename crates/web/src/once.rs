//! Requests with an `Idempotency-Key` are done once: the same key and content again gets the first answer, byte for byte.
//!
//! For every POST of the API by somebody who is known. Knows no operation; what a claim is, `accounts` knows.

use std::time::Duration;

use accounts::{Asked, Claimed, KeptAnswer};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request::Parts};
use kernel::{Actor, Scope};
use sha2::{Digest, Sha256};
use tracing::Instrument;
use uuid::Uuid;

use crate::{AppState, Problem, RequestContext, auth::ApiCaller, body::MOST_BYTES, render};

const KEY: &str = "idempotency-key";
/// How long a request may take under its claim; less than the two minutes for which it is claimed.
const LONGEST: Duration = Duration::from_secs(100);
/// The most bytes of an answer.
const MOST_ANSWER: usize = 4 << 20;
/// Headers that belong to the answer and not to the request.
const KEPT: [&str; 4] = ["content-type", "etag", "location", "set-cookie"];

/// Does a request once that says so.
pub(crate) async fn once(
    State(state): State<AppState>,
    context: RequestContext,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    // Who logs in is nobody yet.
    let concerned =
        *request.method() == Method::POST && path.starts_with("/api/v1/") && path != "/api/v1/session";
    if !concerned {
        return next.run(request).await;
    }
    let key = match key(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    let (mut parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // Who may not ask at all is told so by the handler.
    let caller = ApiCaller::from_request_parts(&mut parts, &state).await.ok();
    let asked = caller.as_ref().map(|caller| asked(&state, &caller.scope, &key, &parts, &bytes));
    let request = Request::from_parts(parts, Body::from(bytes));
    let (Some(caller), Some(asked)) = (caller, asked) else { return next.run(request).await };
    match claim(&state, &caller.scope, asked).await {
        Ok(Claimed::Mine(claim)) => do_it(state, caller.scope, context, claim, request, next).await,
        Ok(standing) => repeated(standing).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// The key: a string in quotes as the draft has it, or the bare characters of one.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(KEY).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default().trim(),
        _ => "",
    };
    let bare = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap_or_default(),
        None => value,
    };
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b';');
    if (1..=255).contains(&bare.len()) && bare.bytes().all(plain) {
        return Ok(Some(bare.to_owned()));
    }
    let detail = "Idempotency-Key must be one string of 1 to 255 visible characters in double quotes, for instance a UUID.";
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail))
}

/// Stops a request that has no key, for operations where a repetition would do much at once.
///
/// # Errors
/// 400 without an `Idempotency-Key`.
pub(crate) fn required(context: &RequestContext) -> Result<(), Problem> {
    if context.claim().is_some() {
        return Ok(());
    }
    let detail = "This operation does much at once: send an Idempotency-Key, so that a repetition does not do it again.";
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_missing", detail))
}

fn asked(state: &AppState, scope: &Scope, key: &str, parts: &Parts, body: &Bytes) -> Asked {
    let who = match scope.actor() {
        Actor::User(user, _) => user.to_string(),
        Actor::ApiKey(key, _) => key.to_string(),
        Actor::Job | Actor::Operator => String::new(),
    };
    // Who has another role now is not shown what the old one was answered.
    let role = scope.actor().role().map_or("", kernel::Role::as_str);
    let mut key_hash = Sha256::new();
    for part in [&*who, parts.uri.path(), key] {
        key_hash.update((part.len() as u64).to_le_bytes());
        key_hash.update(part);
    }
    let query = parts.uri.query().unwrap_or_default();
    Asked {
        key_hash: key_hash.finalize().into(),
        fingerprints: state.keys.marks(&[role.as_bytes(), query.as_bytes(), body]),
    }
}

async fn claim(state: &AppState, scope: &Scope, asked: Asked) -> Result<Claimed, Problem> {
    let mut tx = state.db.begin(scope).await?;
    let claimed = accounts::claim_request(&mut tx, asked, &state.keys, &*state.ambient).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Does it in a task of its own: a client that goes away does not stop it half-way.
async fn do_it(
    state: AppState,
    scope: Scope,
    context: RequestContext,
    claim: Uuid,
    request: Request,
    next: Next,
) -> Response {
    context.claimed(claim);
    let work = async move {
        let answered = tokio::time::timeout(LONGEST, next.run(request)).await;
        let response = answered.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response());
        settle(&state, &scope, claim, render::worded(response, &context)).await
    };
    match tokio::spawn(work.in_current_span()).await {
        Ok(response) => response,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Keeps the answer, or gives the claim back where nothing came of it.
async fn settle(state: &AppState, scope: &Scope, claim: Uuid, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_ANSWER).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kept =
        KeptAnswer { status: parts.status.as_u16(), headers: kept(&parts.headers), body: bytes.to_vec() };
    if let Err(problem) = keep(state, scope, claim, kept).await {
        // The answer is right all the same; a repetition will hear that it was lost.
        tracing::warn!(code = problem.code, "The answer to a request that is done once could not be kept.");
    }
    Response::from_parts(parts, Body::from(bytes))
}

async fn keep(state: &AppState, scope: &Scope, claim: Uuid, answer: KeptAnswer) -> Result<(), Problem> {
    let mut tx = state.db.begin(scope).await?;
    let passing = answer.status >= 500 || matches!(answer.status, 401 | 403 | 429);
    if !(passing && accounts::give_back(&mut tx, claim).await?) {
        accounts::keep_answer(&mut tx, claim, answer, &state.keys, &*state.ambient).await?;
    }
    Ok(tx.commit().await?)
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn repeated(standing: Claimed) -> Response {
    let (status, code, detail, wait) = match standing {
        Claimed::Answered(answer) => return replay(answer),
        Claimed::OtherRequest => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Every new request needs a key of its own.",
            0,
        ),
        Claimed::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "idempotency_keys_spent",
            "The organization used 10,000 idempotency keys within a day; no more are remembered at a time.",
            3600,
        ),
        Claimed::AnswerLost => (
            StatusCode::CONFLICT,
            "idempotent_answer_lost",
            "This request was done before, but its answer could not be kept. Look at how things stand; it is not done again.",
            0,
        ),
        Claimed::InFlight | Claimed::Mine(_) => (
            StatusCode::CONFLICT,
            "idempotent_request_running",
            "The request with this Idempotency-Key is still being done. Ask again in a moment.",
            1,
        ),
    };
    let problem = Problem::new(status, code, detail);
    if wait == 0 { problem.into_response() } else { problem.after(Duration::from_secs(wait)).into_response() }
}

fn replay(answer: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_string_with_quotes_or_without() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, value.parse().unwrap());
            }
            key(&headers).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["\"8e03978e-40d5\""]), Ok(Some("8e03978e-40d5".into())));
        assert_eq!(read(&["8e03978e-40d5"]), Ok(Some("8e03978e-40d5".into())));
        assert!(read(&[&"a".repeat(255)]).is_ok());
        let long = "a".repeat(256);
        for bad in [
            &[""][..],
            &["\"\""],
            &["\"a"],
            &["a\""],
            &["a b"],
            &["a, b"],
            &["\"a\";x=1"],
            &["a", "b"],
            &[&long],
        ] {
            assert_eq!(read(bad), Err(400), "{bad:?}");
        }
    }
}
