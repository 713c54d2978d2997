//! The whole router with a database that does not answer: what every answer looks like when nothing can be looked up.

mod fuzz;

use std::{sync::Arc, time::Duration};

use accounts::PasswordHasher;
use axum::{
    Router,
    body::{Body, to_bytes},
};
use connector::{Connector, Escrow};
use db::{Db, Events};
use gong::HostPolicy;
use http::{HeaderMap, Request, StatusCode, header};
use kernel::SystemAmbient;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;
use vault::KeyRing;

use crate::{AppState, Parts, TrustedProxies};

const ORIGIN: &str = "https://soundpost.test";

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

/// Without a database nothing happens that could be witnessed.
#[derive(Debug)]
struct Nobody;

#[async_trait::async_trait]
impl connector::Witness for Nobody {
    async fn saw(
        &self,
        _: &mut db::Tx,
        _: kernel::ConnectionId,
        _: connector::Event,
        _: Option<&str>,
    ) -> Result<(), connector::ConnectorError> {
        Ok(())
    }
}

/// Nobody listens at port 1; asking there fails at once.
fn state() -> AppState {
    let db = Db::connect_lazy("postgres://nobody@127.0.0.1:1/nothing?sslmode=disable", 2).unwrap();
    let authorize_url = url("http://127.0.0.1:1/oauth2/authorize");
    let oauth = oauth::Client::new(oauth::Config {
        client_id: "app".to_owned(),
        client_secret: "secret".into(),
        authorize_url: authorize_url.clone(),
        token_url: url("http://127.0.0.1:1/oauth2/token"),
        redirect_uri: url("https://soundpost.test/api/integrations/gong/callback"),
        timeout: oauth::TIMEOUT,
    });
    let ambient = Arc::new(SystemAmbient);
    let connector = Connector::new(connector::Parts {
        db: db.clone(),
        keys: Arc::new(KeyRing::parse(&KeyRing::generate_key()).unwrap()),
        oauth: oauth.unwrap(),
        http: gong::http("soundpost-test").unwrap(),
        hosts: HostPolicy::parse("*.api.gong.io").unwrap(),
        escrow: Escrow::open(&std::env::temp_dir().join(format!("soundpost-web-{}", std::process::id())))
            .unwrap(),
        ambient: ambient.clone(),
        witness: Arc::new(Nobody),
        refresh_before: Duration::from_secs(300),
    });
    AppState::new(Parts {
        events: Events::listen(db.pool().clone()),
        db,
        hasher: PasswordHasher::new(1),
        connector,
        ambient,
        keys: Arc::new(KeyRing::parse(&KeyRing::generate_key()).unwrap()),
        api_per_minute: 1_000_000,
        defaults: ingest::Defaults::default(),
        public_url: url(ORIGIN),
        authorize_url,
        trusted_proxies: TrustedProxies::default(),
        feedback: crate::FeedbackOffers::default(),
        stop: CancellationToken::new(),
    })
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap())
    }
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: to_bytes(body, 4 << 20).await.unwrap().to_vec(),
    }
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(path).body(Body::empty()).unwrap()).await
}

fn write(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let json = answer.json();
    assert_eq!((answer.status.as_u16(), json["code"].as_str()), (status, Some(code)), "{json}");
    assert_eq!(answer.kind(), "application/problem+json");
    assert_eq!(json["status"], status);
    assert_eq!(json["type"], format!("/docs/errors#{code}"));
    assert_eq!(json["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(json["trace_id"].as_str().unwrap().len(), 32);
    assert!(!json["title"].as_str().unwrap().is_empty() && !json["detail"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn api_01_every_refusal_in_the_api_is_a_problem_document() {
    let router = crate::router(state());
    assert_problem(&get(&router, "/api/v1/nothing").await, 404, "not_found");
    assert_problem(&get(&router, "/api/v1/me").await, 401, "unauthenticated");
    let method = ask(&router, write("PUT", "/api/v1/me", "")).await;
    assert_problem(&method, 405, "method_not_allowed");
    assert_eq!(method.headers[header::ALLOW], "GET,HEAD");
    let bad = |body: &'static str| write("POST", "/api/v1/session", body);
    assert_problem(&ask(&router, bad("{")).await, 400, "json_invalid");
    let unknown = ask(&router, bad("{\"email\":\"a@b.c\",\"password\":\"x\",\"mail\":1}")).await;
    assert_problem(&unknown, 422, "invalid_field");
    assert_eq!(unknown.json()["errors"][0]["field"], "mail");
    let mut plain = bad("{}");
    plain.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_problem(&ask(&router, plain).await, 415, "media_type_not_supported");
    let large = write("POST", "/api/v1/session", vec![b' '; 70_000]);
    assert_problem(&ask(&router, large).await, 413, "body_too_large");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_without_its_words() {
    let state = state();
    let router = crate::router(state);
    let right = write("POST", "/api/v1/session", "{\"email\":\"a@b.c\",\"password\":\"x\"}");
    let answer = tokio::time::timeout(Duration::from_secs(20), ask(&router, right)).await.unwrap();
    assert_problem(&answer, 503, "database_failure");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    for word in ["postgres", "127.0.0.1", "select", "sqlx", "pool", "os error"] {
        assert!(!text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn uix_11_the_security_headers_stand_on_every_answer() {
    let router = crate::router(state());
    for path in [
        "/livez",
        "/api/openapi.json",
        "/api/v1/me",
        "/nothing",
        "/metrics",
        "/api/integrations/gong/callback",
    ] {
        let answer = get(&router, path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert!(
            answer.headers[header::STRICT_TRANSPORT_SECURITY]
                .to_str()
                .unwrap()
                .starts_with("max-age=31536000")
        );
        assert!(
            answer.headers.contains_key(header::CACHE_CONTROL) && answer.headers.contains_key("x-request-id")
        );
        assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{path}");
    }
    assert_eq!(get(&router, "/metrics").await.status, StatusCode::NOT_FOUND);
    assert!(!get(&router, "/nothing").await.kind().contains("problem"), "pages have pages");
}

#[tokio::test]
async fn uix_12_writes_with_a_cookie_from_elsewhere_are_refused_before_anything_is_looked_up() {
    let router = crate::router(state());
    let document = serde_json::to_value(crate::openapi_document()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|m| matches!(m.as_str(), "post" | "patch" | "delete" | "put"))
        {
            for origin in [None, Some("null"), Some("https://evil.test")] {
                let mut request = write(&method.to_uppercase(), &path.replace("{id}", "x"), "{}");
                request.headers_mut().remove(header::ORIGIN);
                if let Some(origin) = origin {
                    request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
                }
                request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
                request
                    .headers_mut()
                    .insert(header::COOKIE, "__Host-soundpost=AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap());
                assert_problem(&ask(&router, request).await, 403, "cross_site_request");
                tried += 1;
            }
        }
    }
    assert!(tried >= 40, "{tried}");
}

#[tokio::test]
async fn api_09_the_ids_of_a_request_come_back() {
    let router = crate::router(state());
    let request = Request::get("/api/v1/me")
        .header("x-request-id", "client-id-0001")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(Body::empty())
        .unwrap();
    let answer = ask(&router, request).await;
    assert_eq!(answer.headers["x-request-id"], "client-id-0001");
    assert_eq!(answer.json()["request_id"], "client-id-0001");
    assert_eq!(answer.json()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn ops_01_without_a_database_we_live_and_are_not_ready() {
    let router = crate::router(state());
    assert_eq!(get(&router, "/livez").await.status, StatusCode::OK);
    let begun = std::time::Instant::now();
    let (ready, health) = tokio::join!(get(&router, "/readyz"), get(&router, "/health"));
    assert!(begun.elapsed() < Duration::from_millis(1_000), "{:?}", begun.elapsed());
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["ready"], false);
    let report = health.json();
    assert_eq!(
        (report["status"].as_str(), report["database"].as_str()),
        (Some("unavailable"), Some("failed"))
    );
}

#[tokio::test]
async fn api_02_every_operation_is_described_and_reachable() {
    let router = crate::router(state());
    let document = serde_json::to_value(crate::openapi_document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{named}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|s| s.starts_with('2') || s == "303"), "{named}");
            for (status, response) in responses.iter().filter(|(s, _)| s.starts_with(['4', '5'])) {
                let page = path.ends_with("/callback");
                assert!(
                    page || response["content"]["application/problem+json"].is_object(),
                    "{named} {status}"
                );
            }
            let answer = ask(&router, write(&method.to_uppercase(), &path.replace("{id}", "x"), "{}")).await;
            assert!(!matches!(answer.status.as_u16(), 404 | 405), "{named}: {}", answer.status);
            let listed = answer.status.as_str();
            assert!(responses.contains_key(listed), "{named} answered {listed}, which is not described");
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), count), (count, 69));
}

#[test]
fn api_02_no_route_of_the_api_bypasses_the_description() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains(concat!(".route(\"", "/api")) {
                found.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(found, ["openapi.rs"], "the description itself is the only exception");
}
