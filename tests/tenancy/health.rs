//! Live, ready, healthy: what each says when the database, Gong or the keys are not as they should be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use db::{Db, Events};
use reqwest::StatusCode;
use stories::{Browser, Mood, Way, World};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use vault::KeyRing;
use web::{AppState, Limits, TrustedProxies};

use crate::support::still_world;

/// Serves once more: with this way to the database, these keys, and Gong at this address.
async fn serve(world: &World, database: &str, keys: Arc<KeyRing>, gong: &str) -> Browser {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let base = Url::parse(&format!("http://localhost:{port}")).expect("a URL");
    let db = Db::connect_lazy(database, 4).expect("an address of a database");
    let stop = CancellationToken::new();
    let state = AppState::new(web::Parts {
        events: Events::listen(db.pool().clone()),
        db,
        hasher: accounts::PasswordHasher::new(1),
        connector: world.connector(keys),
        ambient: world.rooms.ambient.clone(),
        keys: world.keys.clone(),
        api_per_minute: 1_000_000,
        defaults: ingest::Defaults::default(),
        public_url: base.clone(),
        authorize_url: Url::parse(gong).expect("a URL"),
        trusted_proxies: TrustedProxies::default(),
        feedback: web::FeedbackOffers::default(),
        stop: stop.clone(),
    });
    tokio::spawn(web::serve(listener, web::router(state), Limits::default(), stop));
    Browser::new(base)
}

/// Waits until readiness is as wanted, at most five seconds.
async fn until_ready(browser: &Browser, wanted: StatusCode) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        let answer = browser.get("/readyz").await;
        if answer.status == wanted {
            return answer.json();
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "after five seconds: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn ops_01_a_database_that_is_down_makes_us_unready_and_not_dead() {
    let world = still_world().await;
    let way = Way::to(&world.database.url).await;
    let browser = serve(&world, &way.url, world.keys.clone(), &world.sim.authorize_url()).await;
    until_ready(&browser, StatusCode::OK).await;
    for down in [Mood::Refuse, Mood::Hang] {
        way.be(down);
        let said = until_ready(&browser, StatusCode::SERVICE_UNAVAILABLE).await;
        assert!(said["missing"].as_array().is_some_and(|m| m.iter().any(|m| m == "database")), "{said}");
        assert_eq!(browser.get("/livez").await.status, StatusCode::OK);
        way.be(Mood::Pass);
        let said = until_ready(&browser, StatusCode::OK).await;
        assert_eq!(said["missing"], serde_json::json!([]));
    }
    world.finish().await;
}

#[tokio::test]
async fn ops_01_gong_that_is_down_is_not_our_death() {
    let world = still_world().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gong = format!("http://{closed}/oauth2/authorize");
    let browser = serve(&world, &world.database.url, world.keys.clone(), &gong).await;
    until_ready(&browser, StatusCode::OK).await;
    let health = browser.get("/health").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(
        (health.json()["status"].as_str(), health.json()["gong"].as_str()),
        (Some("degraded"), Some("failed"))
    );
    world.finish().await;
}

#[tokio::test]
async fn ops_01_keys_that_open_nothing_make_us_unready() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let other = Arc::new(KeyRing::parse(&KeyRing::generate_key()).unwrap());
    let browser = serve(&world, &world.database.url, other.clone(), &world.sim.authorize_url()).await;
    until_ready(&browser, StatusCode::OK).await;
    world.connect(&acme, None).await;
    let said = until_ready(&browser, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(said["missing"], serde_json::json!(["keys"]));
    assert_eq!(browser.get("/livez").await.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn ops_02_health_answers_within_a_second_even_when_everything_hangs() {
    let world = still_world().await;
    let way = Way::to(&world.database.url).await;
    let browser = serve(&world, &way.url, world.keys.clone(), "http://192.0.2.1/oauth2/authorize").await;
    browser.get("/health").await;
    way.be(Mood::Hang);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let begun = Instant::now();
    let asked = (0..8).map(|_| {
        let browser = browser.clone();
        tokio::spawn(async move { browser.get("/health").await })
    });
    for answer in asked.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["status"], "unavailable");
    }
    // The promise is a second; the rest is for two busy cores.
    assert!(begun.elapsed() < Duration::from_millis(1_300), "{:?}", begun.elapsed());
    assert_eq!(browser.get("/livez").await.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn ops_02_health_is_json_for_every_dependency_and_tells_strangers_nothing_more() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let health = world.browser().get("/health").await;
    assert_eq!(health.header("content-type"), "application/json");
    let json = health.json();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["database", "gong", "keys", "migrations", "status", "traffic", "workers"]);
    let url = Url::parse(&world.database.url).unwrap();
    for secret in [
        env!("CARGO_PKG_VERSION"),
        "postgres",
        url.path().trim_matches('/'),
        "127.0.0.1",
        "sim-client",
        "acme",
    ] {
        assert!(!health.text.contains(secret), "{secret}: {}", health.text);
    }
    world.finish().await;
}
