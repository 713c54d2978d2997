//! TOK-30: where a bearer may go.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use gong_sim::{ApiBase, Consent};
use kernel::ConnectionStatus;
use stories::{Org, World};
use tokio::net::TcpListener;

use crate::support::{
    api_requests, connection, make_due, refresh_if_due, session, still_world, token_requests,
};

/// A host that nobody may talk to, and how often somebody did.
async fn forbidden_host() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.99:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let visits = Arc::new(AtomicUsize::new(0));
    let count = visits.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, visits)
}

/// Addresses that are not Gong's, most of them of the forbidden host; `own` is the company's real one.
fn hostile(port: u16, own: &str) -> Vec<String> {
    let own_host = own.trim_start_matches("http://");
    let mut list: Vec<String> = [
        "https://evil.example",
        "https://gong.io",
        "https://api.gong.io.evil.example",
        "https://evilgong.io",
        "https://us-1.api.gong.io.",
        "https://us-1.api.gong.io:8443",
        "https://us-1.api.gong.io/v2",
        "https://us-1.api.gong.io@evil.example",
        "https://user:pass@us-1.api.gong.io",
        "http://us-1.api.gong.io",
        "ftp://us-1.api.gong.io",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//us-1.api.gong.io",
        "us-1.api.gong.io",
        "https://",
        "https://169.254.169.254",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]",
        "http://localhost",
        "https://xn--gng-5qa.io",
        "https://us-1.api.gоng.io",
        "https://us-1.api.gong.io%00.evil.example",
        "https://us-1.api.gong.io\r\nx-evil: 1",
        "https://evil.example?us-1.api.gong.io",
        "https://evil.example#.api.gong.io",
        "https:\\\\us-1.api.gong.io",
        " https://us-1.api.gong.io",
        "HTTPS://EVIL.EXAMPLE",
        "null",
    ]
    .map(str::to_owned)
    .into();
    list.extend([
        format!("http://127.0.0.99:{port}"),
        format!("https://127.0.0.99:{port}"),
        format!("http://127.0.0.99:{port}/"),
        format!("http://127.0.99:{port}"),
        format!("http://2130706531:{port}"),
        format!("http://0x7f000063:{port}"),
        format!("http://0177.0.0.0143:{port}"),
        format!("http://[::ffff:127.0.0.99]:{port}"),
        format!("http://{own_host}@127.0.0.99:{port}"),
        format!("http://127.0.0.99:{port}#@{own_host}"),
        format!("http://127.0.0.99:{port}?{own_host}"),
        format!("http://127.0.0.99:{port}\\@{own_host}"),
        format!("{own}.evil.example:{port}"),
        format!("{own}/../@127.0.0.99:{port}"),
        format!("{own}//127.0.0.99:{port}"),
        format!("http://{}.nip.io:{port}", "127.0.0.99"),
        format!("http://127.0.0.1 27.0.0.99:{port}"),
        format!("{own}\u{0}"),
        format!("http://127。0。0。99:{port}"),
        format!("https://{}.api.gong.io", "a".repeat(400)),
    ]);
    assert!(list.len() >= 40);
    list
}

async fn world_with_acme() -> (World, Org) {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    (world, acme)
}

#[tokio::test]
async fn tok_30_a_hostile_address_in_gongs_answer_connects_nothing() {
    let (world, acme) = world_with_acme().await;
    let (port, visits) = forbidden_host().await;
    let own = world.sim.api_base(acme.company);
    for url in hostile(port, &own)
        .into_iter()
        .map(ApiBase::Text)
        .chain([ApiBase::Absent, ApiBase::Text(String::new())])
    {
        world.sim.adjust(|s| s.api_base_on_code = url.clone());
        let answer = acme.browser.connect(None).await;
        assert!(matches!(answer.status.as_u16(), 422 | 502), "{url:?}: {} {}", answer.status, answer.text);
        assert!(answer.text.contains("remedy-base_url_"), "{url:?}: {}", answer.text);
    }
    assert_eq!((api_requests(&world), visits.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
}

#[tokio::test]
async fn tok_30_a_hostile_address_in_the_answer_to_a_refresh_pauses_the_connection() {
    let (world, acme) = world_with_acme().await;
    world.connect(&acme, None).await;
    let (port, visits) = forbidden_host().await;
    let own = world.sim.api_base(acme.company);
    let asked = api_requests(&world);
    for url in hostile(port, &own) {
        world.sim.adjust(|s| s.api_base_on_refresh = ApiBase::Text(url.clone()));
        make_due(&world, &acme).await;
        let before = token_requests(&world);
        session(&world, &world.rooms.connector, &acme).await.expect_err(&url);
        assert_eq!(token_requests(&world) - before, 1, "{url:?}: the token itself is replaced");
        let now = connection(&world, &acme).await;
        assert_eq!(
            (now.status, now.reason.as_deref()),
            (ConnectionStatus::Paused, Some("base_url_refused")),
            "{url:?}"
        );
        assert_eq!(now.api_base_url, own, "{url:?}: it is not taken over");
        resume(&acme).await;
    }
    // A good answer goes on, also one that names no address.
    for base in [ApiBase::Absent, ApiBase::Real] {
        world.sim.adjust(|s| s.api_base_on_refresh = base.clone());
        make_due(&world, &acme).await;
        refresh_if_due(&world, &world.rooms.connector, &acme).await;
        assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::Connected);
    }
    assert_eq!((api_requests(&world), visits.load(Ordering::SeqCst)), (asked, 0));
    session(&world, &world.rooms.connector, &acme).await.unwrap().gong().workspaces().await.unwrap();
}

#[tokio::test]
async fn tok_30_a_hostile_address_in_the_database_pauses_the_connection() {
    let (world, acme) = world_with_acme().await;
    world.connect(&acme, None).await;
    let (port, visits) = forbidden_host().await;
    let own = world.sim.api_base(acme.company);
    let asked = api_requests(&world);
    for url in hostile(port, &own).into_iter().filter(|url| !url.contains('\0')) {
        set_address(&world, &url).await;
        session(&world, &world.rooms.connector, &acme).await.expect_err(&url);
        let now = connection(&world, &acme).await;
        assert_eq!(
            (now.status, now.reason.as_deref()),
            (ConnectionStatus::Paused, Some("base_url_refused")),
            "{url:?}"
        );
        resume(&acme).await;
    }
    assert_eq!((api_requests(&world), visits.load(Ordering::SeqCst)), (asked, 0));
    set_address(&world, &own).await;
    session(&world, &world.rooms.connector, &acme).await.unwrap().gong().workspaces().await.unwrap();
}

#[tokio::test]
async fn tok_30_a_hostile_address_beside_an_access_key_is_refused_on_its_field() {
    let (world, acme) = world_with_acme().await;
    let (port, visits) = forbidden_host().await;
    let (key, secret) = world.sim.access_key(acme.company).unwrap();
    for url in hostile(port, &world.sim.api_base(acme.company)) {
        // Blanks around a pasted address are cut off.
        let Some(url) = Some(url).filter(|url| url.trim() == url && !url.contains('\0')) else { continue };
        let body = serde_json::json!({ "access_key": key, "access_key_secret": secret, "api_base_url": url, "history_days": null });
        let answer = acme.api.post("/api/v1/integrations/gong/connect-key", body).await;
        assert_eq!(answer.status, 422, "{url:?}: {}", answer.text);
        assert!(
            answer.text.contains("api_base_url") || answer.code() == "base_url_refused",
            "{url:?}: {}",
            answer.text
        );
        assert!(!answer.text.contains(&secret));
    }
    assert_eq!((api_requests(&world), visits.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
}

async fn set_address(world: &World, url: &str) {
    sqlx::query("update gong_connections set api_base_url = $1")
        .bind(url)
        .execute(world.db.pool())
        .await
        .unwrap();
}

async fn resume(org: &Org) {
    let body = serde_json::json!({ "paused": false });
    let answer = org.api.api(reqwest::Method::PATCH, "/api/v1/integrations/gong", Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
