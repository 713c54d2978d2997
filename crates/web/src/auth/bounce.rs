//! Where somebody is sent who has no session: programs get 401, browsers the log-in page, and browsers that come from
//! another site a page that asks again from here, because our Strict cookie did not come along.

use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{Method, header, request::Parts};

use crate::Problem;

/// The answer to a request without a valid session.
pub(super) fn to_log_in(parts: &Parts, origin: &str) -> Response {
    let path = parts.uri.path();
    if path.starts_with("/api/") {
        return Problem::unauthenticated().into_response();
    }
    let here = parts.uri.path_and_query().map_or(path, |both| both.as_str());
    let from_elsewhere = parts.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if parts.method == Method::GET && from_elsewhere {
        return again(&format!("{origin}{here}"));
    }
    let next = if parts.method == Method::GET && path != "/" { here } else { "" };
    Redirect::to(&log_in_address(next)).into_response()
}

/// The log-in page that leads on to `next` afterwards.
fn log_in_address(next: &str) -> String {
    if next.is_empty() {
        return "/login".to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/login?{query}")
}

/// A page of two lines that goes to the same address once more, now as a navigation of our own site.
fn again(address: &str) -> Response {
    let address = escaped(address);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Soundpost</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"></head>\
         <body><p><a href=\"{address}\">Continue to Soundpost</a></p></body></html>"
    );
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The way to go on after a log-in: a path of ours, never another site.
pub fn safe_next(next: Option<&str>) -> &str {
    let plain = |path: &&str| {
        path.len() <= 2000
            && path.starts_with('/')
            && !path.starts_with("//")
            && !path.starts_with("/login")
            && !path.starts_with("/api/")
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    next.filter(plain).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, StatusCode};

    fn answer(method: &str, address: &str, site: Option<&str>) -> Response {
        let mut request = Request::builder().method(method).uri(address);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        to_log_in(&parts, "https://soundpost.example")
    }

    #[test]
    fn programs_get_401_and_browsers_the_log_in_page() {
        let api = answer("GET", "/api/v1/calls", Some("cross-site"));
        assert_eq!(api.status(), StatusCode::UNAUTHORIZED);
        assert!(api.headers().contains_key(header::WWW_AUTHENTICATE));
        let page = answer("GET", "/calls?state=stored", Some("same-origin"));
        assert_eq!(page.status(), StatusCode::SEE_OTHER);
        assert_eq!(page.headers()[header::LOCATION], "/login?next=%2Fcalls%3Fstate%3Dstored");
        assert_eq!(answer("POST", "/logout", None).headers()[header::LOCATION], "/login");
    }

    #[tokio::test]
    async fn a_visit_from_another_site_asks_again_from_here_and_only_here() {
        let page = answer("GET", "//evil.example/%22%3E?a=1&b='", Some("cross-site"));
        assert_eq!(page.status(), StatusCode::OK);
        let body = axum::body::to_bytes(page.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains("url=https://soundpost.example//evil.example/%22%3E?a=1&amp;b=&#39;\""),
            "{text}"
        );
    }

    #[test]
    fn the_way_on_never_leads_to_another_site() {
        assert_eq!(safe_next(Some("/calls?state=stored")), "/calls?state=stored");
        for bad in [
            "",
            "calls",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/login",
            "/api/v1/me",
            "/a\nb",
        ] {
            assert_eq!(safe_next(Some(bad)), "/", "{bad}");
        }
        assert_eq!(safe_next(None), "/");
    }
}
