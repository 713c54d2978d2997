//! The static files, held in the program. Addresses carry a hash of the content, so browsers may keep them for ever.

use std::sync::LazyLock;

use axum::{
    extract::{Path, RawQuery},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::view::shell::Assets;

struct File {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const CSS: usize = 0;
const HTMX: usize = 1;
const LIVE: usize = 2;
const FAVICON: usize = 3;
const REVIEW: usize = 4;

static FILES: [File; 5] = [
    File {
        name: "soundpost.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/soundpost.css"),
    },
    File {
        name: "htmx.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/htmx-2.0.11.min.js"),
    },
    File {
        name: "live.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/live.js"),
    },
    File { name: "favicon.svg", kind: "image/svg+xml", bytes: include_bytes!("../../static/favicon.svg") },
    File {
        name: "review.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/review.js"),
    },
];

static HASHES: LazyLock<[String; 5]> = LazyLock::new(|| {
    [CSS, HTMX, LIVE, FAVICON, REVIEW].map(|at| hex::encode(&Sha256::digest(FILES[at].bytes)[..8]))
});
static ADDRESSES: LazyLock<[String; 5]> = LazyLock::new(|| {
    [CSS, HTMX, LIVE, FAVICON, REVIEW].map(|at| format!("/static/{}?v={}", FILES[at].name, HASHES[at]))
});

/// The present addresses of the files.
pub(super) fn addresses() -> Assets {
    Assets {
        css: &ADDRESSES[CSS],
        htmx: &ADDRESSES[HTMX],
        live: &ADDRESSES[LIVE],
        favicon: &ADDRESSES[FAVICON],
        review: &ADDRESSES[REVIEW],
    }
}

/// `GET /static/{file}`
pub(super) async fn serve(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(at) = FILES.iter().position(|file| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = &HASHES[at];
    let etag = format!("\"{hash}\"");
    let named = query.as_deref().and_then(|query| query.strip_prefix("v=")).is_some_and(|v| v == hash);
    let caching = if named { "public, max-age=31536000, immutable" } else { "public, no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, FILES[at].kind)], FILES[at].bytes).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(name: &str, query: Option<&str>, tag: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(tag) = tag {
            headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        }
        serve(Path(name.into()), RawQuery(query.map(Into::into)), headers).await
    }

    #[tokio::test]
    async fn a_file_is_kept_for_ever_under_its_hash_and_asked_again_without() {
        let query = addresses().css.split_once('?').unwrap().1;
        let answer = ask("soundpost.css", Some(query), None).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let plain = ask("soundpost.css", None, None).await;
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "public, no-cache");
        let tag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(ask("soundpost.css", None, Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn nothing_else_is_served() {
        for name in ["", "soundpost.css.map", "../Cargo.toml", "THIRD-PARTY.md"] {
            assert_eq!(ask(name, None, None).await.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
