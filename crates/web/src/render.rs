//! Writes refusals down: as problem documents under `/api`, as pages elsewhere. What failed without words gets some here.

use std::{any::Any, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{
    Problem, RequestContext,
    pages::{self, Theme},
};

/// How long a handler may take.
const LONGEST: Duration = Duration::from_secs(30);
/// How long one may take that talks to Gong.
const LONGEST_WITH_GONG: Duration = Duration::from_secs(90);

/// Gives every refusal its body.
pub(crate) async fn render(context: RequestContext, request: Request, next: Next) -> Response {
    let (api, theme) = (is_api(request.uri().path()), pages::theme(request.headers()));
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if is_worded(&response) => return response,
        None => unworded(status),
    };
    if api { as_document(response, &problem, &context) } else { as_page(response, &problem, &context, theme) }
}

/// A refusal of the API with its body; any other answer as it is.
pub(crate) fn worded(mut response: Response, context: &RequestContext) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => as_document(response, &problem, context),
        None => response,
    }
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Whether a handler said something itself. Plain text comes from the router and its extractors.
fn is_worded(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"))
}

fn unworded(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "This address does not know this method; see the Allow header.")
        }
        StatusCode::REQUEST_TIMEOUT => ("body_too_slow", "The request did not arrive in time."),
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "The body is longer than 65,536 bytes."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("media_type_not_supported", "This media type is not understood here.")
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            ("invalid_field", "A field of the form is missing or has the wrong form.")
        }
        status if status.is_client_error() => ("request_refused", "The request is not understood."),
        _ => (
            "internal_error",
            "Something failed on our side. Try again; if it stays, tell your operator the request id.",
        ),
    };
    Problem::new(status, code, detail)
}

fn as_document(mut response: Response, problem: &Problem, context: &RequestContext) -> Response {
    let body = problem.body(context.request_id(), context.trace_id());
    let text = serde_json::to_vec(&body).unwrap_or_default();
    set_body(&mut response, text, "application/problem+json");
    response
}

fn as_page(response: Response, problem: &Problem, context: &RequestContext, theme: Theme) -> Response {
    let mut page = pages::error_page(problem, context.request_id(), theme);
    *page.status_mut() = problem.status;
    // What the refusal says in its headers stays: Allow, Retry-After, Set-Cookie.
    for (name, value) in response.headers() {
        if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
            page.headers_mut().append(name.clone(), value.clone());
        }
    }
    page
}

fn set_body(response: &mut Response, text: Vec<u8>, kind: &'static str) {
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    *response.body_mut() = Body::from(text);
}

/// Ends handlers that take too long; live events have no end.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    let longest = match request.uri().path() {
        "/api/v1/integrations/gong/events" | "/api/v1/feedback/events" => return next.run(request).await,
        "/api/integrations/gong/callback" | "/api/v1/integrations/gong/connect-key" => LONGEST_WITH_GONG,
        path if path.starts_with("/settings/integrations/gong") => LONGEST_WITH_GONG,
        _ => LONGEST,
    };
    tokio::time::timeout(longest, next.run(request)).await.unwrap_or_else(|_| {
        let detail = "The request took too long and was given up. Try again in a moment.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", detail)
            .after(Duration::from_secs(10))
            .into_response()
    })
}

/// The answer when a handler panicked; what the panic said is for the log only.
#[expect(clippy::needless_pass_by_value, reason = "the signature belongs to the layer")]
pub(crate) fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    crate::observe::log_failure("panicked", said.unwrap_or("a panic without words"));
    unworded(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
