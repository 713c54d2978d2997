//! Cross-site requests change nothing: what a browser sends with our cookie must come from our own pages.
//!
//! Browsers add `Origin` to every request that changes something, and pages of other sites cannot forge it. Programs with
//! an API key send no cookie and need neither header.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header};

use crate::{
    AppState, Problem,
    auth::{bearer, cookies},
};

/// Refuses requests that change something and do not come from our own origin.
pub(crate) async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let guarded = is_guarded(request.method(), request.uri().path(), request.headers(), state.is_https());
    if guarded && !is_ours(request.headers(), state.origin()) {
        metrics::counter!("soundpost_security_events_total", "event" => "cross_site_request").increment(1);
        let detail = "The request does not come from a page of Soundpost, so it was not done. Reload the page and try again.";
        return Problem::new(StatusCode::FORBIDDEN, "cross_site_request", detail).into_response();
    }
    next.run(request).await
}

fn is_guarded(method: &Method, path: &str, headers: &HeaderMap, https: bool) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return false;
    }
    if bearer::presented(headers).is_some() {
        return false;
    }
    // Pages are for browsers only; in the API, what acts on a cookie or makes one.
    let page = !path.starts_with("/api/");
    page || path == "/api/v1/session" || cookies::read(headers, cookies::session_name(https)).is_some()
}

fn is_ours(headers: &HeaderMap, origin: &str) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(given), None) => given.as_bytes() == origin.as_bytes(),
        (None, _) => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_our_own_origin_may_change_things() {
        let ours = "https://soundpost.example";
        assert!(is_ours(&headers(&[("origin", ours), ("sec-fetch-site", "same-origin")]), ours));
        assert!(is_ours(&headers(&[("sec-fetch-site", "same-origin")]), ours));
        let strangers: [&[(&'static str, &str)]; 9] = [
            &[],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://soundpost.example.evil.example")],
            &[("origin", "http://soundpost.example")],
            &[("origin", "https://soundpost.example:8443")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "https://soundpost.example"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-site")],
        ];
        for stranger in strangers {
            assert!(!is_ours(&headers(stranger), ours), "{stranger:?}");
        }
    }

    #[test]
    fn reading_and_api_keys_are_free_and_cookies_and_log_ins_are_guarded() {
        let cookie = headers(&[("cookie", "__Host-soundpost=abc")]);
        let key = headers(&[("authorization", "Bearer spk_live_x"), ("cookie", "__Host-soundpost=abc")]);
        let nobody = HeaderMap::new();
        for method in [Method::POST, Method::PATCH, Method::DELETE, Method::PUT] {
            assert!(is_guarded(&method, "/api/v1/api-keys", &cookie, true), "{method}");
            assert!(!is_guarded(&method, "/api/v1/api-keys", &key, true), "{method}");
            assert!(!is_guarded(&method, "/api/v1/api-keys", &nobody, true), "gets 401 instead");
            assert!(is_guarded(&method, "/login", &nobody, true));
            assert!(is_guarded(&method, "/api/v1/session", &nobody, true));
        }
        assert!(!is_guarded(&Method::GET, "/api/v1/api-keys", &cookie, true));
    }
}
