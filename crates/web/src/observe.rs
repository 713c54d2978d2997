//! One line and one count for every request; the span that everything else is logged in. Never query strings, addresses
//! or bodies.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, Method};
use tracing::Instrument;

use crate::{AppState, RequestContext};

/// Gives the request its ids, runs it, writes the access line, counts it.
pub(crate) async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let context =
        RequestContext::of(request.headers(), request.extensions(), &state.trusted_proxies, &*state.ambient);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let method = word(request.method());
    request.extensions_mut().insert(context.clone());
    let span = tracing::info_span!(
        "request",
        request.id = context.request_id(),
        trace.id = context.trace_id(),
        organization.id = tracing::field::Empty,
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(context.request_id()) {
        response.headers_mut().insert("x-request-id", id);
    }
    let took = begun.elapsed();
    span.in_scope(|| access_line(&context, method, &route, response.status().as_u16(), took));
    count(method, route, response.status().as_u16(), took);
    response
}

fn access_line(context: &RequestContext, method: &str, route: &str, status: u16, took: Duration) {
    let organization = context.organization().map(|id| id.to_string());
    tracing::info!(
        http.method = method,
        http.route = route,
        http.status = status,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request.id = context.request_id(),
        trace.id = context.trace_id(),
        organization.id = organization,
        "A request was answered."
    );
}

fn count(method: &'static str, route: String, status: u16, took: Duration) {
    let labels = [("route", route.clone()), ("method", method.to_owned()), ("status", status.to_string())];
    metrics::counter!("soundpost_http_requests_total", &labels).increment(1);
    metrics::histogram!("soundpost_http_request_seconds", "route" => route).record(took.as_secs_f64());
}

/// The method as a label: clients may send any word, metrics must not grow with it.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// The most failures that are logged in one second; a database that is down must not fill the disk.
const FAILURES_PER_SECOND: u32 = 5;

struct Window {
    begun: Instant,
    logged: u32,
    left_out: u64,
}

static FAILURES: LazyLock<Mutex<Window>> =
    LazyLock::new(|| Mutex::new(Window { begun: Instant::now(), logged: 0, left_out: 0 }));

/// Logs why a request failed on our side, at most five times a second.
pub(crate) fn log_failure(code: &'static str, causes: &str) {
    metrics::counter!("soundpost_http_failures_total", "code" => code).increment(1);
    let left_out = {
        let mut window = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = window.left_out;
        if window.begun.elapsed() >= Duration::from_secs(1) {
            *window = Window { begun: Instant::now(), logged: 1, left_out: 0 };
            Some(left_out)
        } else if window.logged < FAILURES_PER_SECOND {
            window.logged += 1;
            Some(0)
        } else {
            window.left_out += 1;
            None
        }
    };
    if let Some(left_out) = left_out {
        tracing::error!(code, error = causes, left_out, "A request failed on our side.");
    }
}
