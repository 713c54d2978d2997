//! The headers that browsers need, on every kind of answer, and cookies that belong to one host.

use db::Events;
use reqwest::{Method, StatusCode};
use serde_json::json;
use stories::{Answer, Browser, PASSWORD, World};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use web::{AppState, Limits, TrustedProxies};

use crate::support::still_world;

/// Serves the world once more, as if browsers reached it over https.
async fn behind_https(world: &World) -> Browser {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let state = AppState::new(web::Parts {
        events: Events::listen(world.db.pool().clone()),
        db: world.db.clone(),
        hasher: accounts::PasswordHasher::new(1),
        connector: world.connector(world.keys.clone()),
        ambient: world.rooms.ambient.clone(),
        keys: world.keys.clone(),
        api_per_minute: 1_000_000,
        defaults: ingest::Defaults::default(),
        public_url: Url::parse("https://soundpost.example").expect("a URL"),
        authorize_url: Url::parse("https://app.gong.io/oauth2/authorize").expect("a URL"),
        trusted_proxies: TrustedProxies::default(),
        feedback: web::FeedbackOffers::default(),
        stop: stop.clone(),
    });
    tokio::spawn(web::serve(listener, web::router(state), Limits::default(), stop));
    Browser::new(Url::parse(&format!("http://localhost:{port}")).expect("a URL"))
}

fn assert_headers(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy");
    for needed in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'self'"] {
        assert!(policy.contains(needed), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    let age = answer.header("strict-transport-security").strip_prefix("max-age=").unwrap_or_default();
    let age: u64 = age.split(';').next().unwrap_or_default().parse().unwrap_or(0);
    assert!(age >= 31_536_000, "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(matches!(answer.header("referrer-policy"), "same-origin" | "no-referrer"), "{what}");
    assert!(!answer.header("x-request-id").is_empty(), "{what}");
    assert_eq!(answer.header("server"), "", "{what}: nobody needs to know");
}

async fn log_in(browser: &Browser, email: &str) -> Answer {
    let headers = [("origin", "https://soundpost.example"), ("content-type", "application/json")];
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    let welcome = browser.send(Method::POST, "/api/v1/session", &headers, Some(body)).await;
    assert_eq!(welcome.status, StatusCode::OK, "{}", welcome.text);
    welcome
}

#[tokio::test]
async fn uix_11_cookies_belong_to_this_host_and_are_closed_to_scripts() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let browser = behind_https(&world).await;
    let welcome = log_in(&browser, &acme.email).await;
    let headers = [("origin", "https://soundpost.example"), ("content-type", "application/json")];
    let connect = browser
        .send(Method::POST, "/api/v1/integrations/gong/connect", &headers, Some("{}".to_owned()))
        .await;
    assert_eq!(connect.status, StatusCode::OK, "{}", connect.text);
    let mut names = Vec::new();
    for set in welcome.headers.get_all("set-cookie").iter().chain(connect.headers.get_all("set-cookie")) {
        let set = set.to_str().unwrap();
        let (name, flags) = (set.split('=').next().unwrap(), set.split("; ").skip(1).collect::<Vec<_>>());
        assert!(name.starts_with("__Host-"), "{set}");
        assert!(["Path=/", "HttpOnly", "Secure"].iter().all(|flag| flags.contains(flag)), "{set}");
        assert!(!flags.iter().any(|flag| flag.to_lowercase().starts_with("domain")), "{set}");
        // Only the cookie of the way through Gong has to come back from there.
        let same_site = if name.ends_with("_flow") { "SameSite=Lax" } else { "SameSite=Strict" };
        assert!(flags.contains(&same_site), "{set}");
        names.push(name.to_owned());
    }
    names.sort();
    assert_eq!(names, ["__Host-soundpost", "__Host-soundpost_device", "__Host-soundpost_flow"]);
    world.finish().await;
}

#[tokio::test]
async fn uix_11_every_kind_of_answer_carries_the_headers() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let browser = behind_https(&world).await;
    let headers = [("origin", "https://soundpost.example"), ("content-type", "application/json")];
    let welcome = log_in(&browser, &acme.email).await;
    assert_headers(&welcome, "the login");
    for path in [
        "/",
        "/calls",
        "/settings/integrations/gong",
        "/settings/members",
        "/api/v1/me",
        "/api/v1/calls",
        "/activity",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_headers(&answer, path);
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(
            !answer.text.contains(" style=\"") && !answer.text.contains(" onclick="),
            "{path}: the policy would not let it"
        );
    }
    let stranger = Browser::new(browser.base.clone());
    let static_file = stranger.get("/login").await.text;
    let static_file = static_file.split('"').find(|part| part.starts_with("/static/")).unwrap().to_owned();
    for (path, status) in [
        ("/login", 200),
        ("/", 303),
        ("/nothing", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/me", 401),
        ("/metrics", 404),
        ("/livez", 200),
        ("/health", 200),
        ("/api/openapi.json", 200),
        ("/docs/api", 200),
        (static_file.as_str(), 200),
        ("/api/integrations/gong/callback?code=x&state=y", 403),
    ] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_headers(&answer, path);
    }
    let evil = [("origin", "https://evil.example")];
    let cross = browser.send(Method::POST, "/settings/integrations/gong/disconnect", &evil, None).await;
    assert_eq!(cross.status, StatusCode::FORBIDDEN);
    assert_headers(&cross, "a refused form");
    let large = browser.send(Method::POST, "/api/v1/session", &headers, Some(" ".repeat(70_000))).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_headers(&large, "a large body");
    assert_eq!(
        stranger.get("/api/integrations/gong/callback").await.header("referrer-policy"),
        "no-referrer"
    );
    world.finish().await;
}
