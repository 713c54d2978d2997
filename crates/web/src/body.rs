//! Request bodies are read whole before a handler runs: at most 64 KiB, within 15 seconds. Knows no content.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::Problem;

/// The most bytes of a body.
pub(crate) const MOST_BYTES: usize = 64 * 1024;
/// The longest time a client may take to send it.
const LONGEST: Duration = Duration::from_secs(15);

/// Reads the body of a request that may have one.
pub(crate) async fn whole(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request.map(|_| Body::empty())).await;
    }
    let (parts, body) = request.into_parts();
    let problem = match tokio::time::timeout(LONGEST, Limited::new(body, MOST_BYTES).collect()).await {
        Ok(Ok(collected)) => {
            return next.run(Request::from_parts(parts, Body::from(collected.to_bytes()))).await;
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = "The body is longer than 65,536 bytes.";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        }
        Ok(Err(_)) => {
            Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", "The body could not be read to its end.")
        }
        Err(_) => {
            let detail = "The body did not arrive within 15 seconds.";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
        }
    };
    let mut response = problem.into_response();
    // What is left of the body must not be taken for the next request.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
