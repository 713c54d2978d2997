//! What another site's script is told that asks whether it may call the API: no. Knows no route.
//!
//! A browser asks with OPTIONS before it sends a key or JSON across origins. It gets the methods of the address and no permission,
//! on any address and for any origin: programs that use keys are not pages of other sites, and our own pages need none.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderValue, Method, StatusCode, header};

/// Answers OPTIONS under `/api` with the methods that the address knows.
pub(crate) async fn answer(request: Request, next: Next) -> Response {
    let asked = *request.method() == Method::OPTIONS && request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    if !asked || response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    response
}
