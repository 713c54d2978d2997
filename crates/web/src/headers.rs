//! The headers that every answer carries: what a browser may do with it. Knows no route but the callback.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::AppState;

/// Adds the security headers, and `no-store` where the answer says nothing about caching.
pub(crate) async fn secure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let callback = request.uri().path().starts_with("/api/integrations/");
    let mut response = next.run(request).await;
    let authorize = state.authorize_url.origin().ascii_serialization();
    apply(response.headers_mut(), &authorize, state.is_https(), callback);
    response
}

fn apply(headers: &mut HeaderMap, authorize_origin: &str, https: bool, callback: bool) {
    if let Ok(policy) = HeaderValue::from_str(&content_policy(authorize_origin)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // Nothing of the address may reach Gong or anybody else; the callback's holds a code.
    let referrer = if callback { "no-referrer" } else { "same-origin" };
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", referrer),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-permitted-cross-domain-policies", "none"),
        (
            "permissions-policy",
            "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
             microphone=(), midi=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A form that redirects to Gong needs Gong's authorize page in `form-action`: browsers apply it to redirects too.
fn content_policy(authorize_origin: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; form-action 'self' {authorize_origin}; frame-ancestors 'none'; base-uri 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_set_is_strict() {
        let mut headers = HeaderMap::new();
        apply(&mut headers, "https://app.gong.io", true, false);
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"));
        assert!(policy.contains("form-action 'self' https://app.gong.io;"));
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
        assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000; includeSubDomains");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    }

    #[test]
    fn plain_http_gets_no_hsts_and_the_callback_no_referrer() {
        let mut headers = HeaderMap::new();
        headers
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        apply(&mut headers, "http://127.0.0.1:9000", false, true);
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
}
