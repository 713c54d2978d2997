//! The life of a session.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use stories::PASSWORD;

use crate::support::{Live, is_stored, still_world};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn ten_14_a_login_makes_a_new_session_whatever_came_along() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let fixed = "AAAAAAAAAAAAAAAAAAAAAA";
    let victim = world.browser();
    victim.set_cookie("soundpost", fixed);
    assert_eq!(victim.log_in(&acme.email, PASSWORD).await.status, StatusCode::OK);
    let first = victim.cookie("soundpost").unwrap();
    assert_ne!(first, fixed);
    let attacker = world.browser();
    attacker.set_cookie("soundpost", fixed);
    assert_eq!(attacker.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);

    assert_eq!(victim.log_in(&acme.email, PASSWORD).await.status, StatusCode::OK);
    assert_ne!(victim.cookie("soundpost").unwrap(), first, "a second login makes another one");
    attacker.set_cookie("soundpost", &first);
    assert_eq!(attacker.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED, "the one before is over");
    assert!(!is_stored(&world, &victim.cookie("soundpost").unwrap()).await, "only a hash is stored");
    world.finish().await;
}

#[tokio::test]
async fn ten_14_a_logout_ends_the_session_in_every_process_at_once() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    let beside = world.serve_beside(world.rooms.connector.clone()).await;
    beside.set_cookie("soundpost", &acme.browser.cookie("soundpost").unwrap());
    let copy = acme.browser.split();
    assert_eq!(beside.get("/api/v1/me").await.status, StatusCode::OK);

    let out = acme.browser.delete("/api/v1/session").await;

    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(acme.browser.cookie("soundpost").unwrap_or_default().is_empty(), "the browser forgets it");
    for (who, browser) in [("a copy", &copy), ("another process", &beside)] {
        assert_eq!(browser.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED, "{who}");
        assert_eq!(
            browser.get("/calls").await.status,
            StatusCode::SEE_OTHER,
            "{who}: pages lead to the login"
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn ten_14_thirty_minutes_without_use_end_a_session() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for _ in 0..3 {
        world.wait(29 * MINUTE);
        assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::OK, "use keeps it alive");
    }
    world.wait(30 * MINUTE + Duration::from_secs(5));
    assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(acme.api.get("/api/v1/calls").await.status, StatusCode::OK, "a key has no such end");
    world.finish().await;
}

#[tokio::test]
async fn ten_14_a_page_that_lies_open_keeps_no_session_alive() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let headers = [("x-live", "1")];
    let panel =
        || acme.browser.send(reqwest::Method::GET, "/settings/integrations/gong/panel", &headers, None);
    for _ in 0..2 {
        world.wait(14 * MINUTE);
        assert_eq!(panel().await.status, StatusCode::OK, "the page keeps itself fresh");
        let live = Live::of_session(&acme.browser).await;
        assert!(live.text.contains("event: status"), "{}", live.text);
    }
    world.wait(3 * MINUTE);
    assert_eq!(panel().await.status, StatusCode::SEE_OTHER, "nobody did anything for 31 minutes");
    world.finish().await;
}

#[tokio::test]
async fn uix_04_a_stream_beats_so_that_silence_means_something() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut live = Live::of_session(&acme.browser).await;
    let beats = async {
        while live.text.matches("event: beat\ndata: {}\n\n").count() < 2 {
            assert!(live.read().await, "the stream ended: {}", live.text);
        }
    };
    tokio::time::timeout(Duration::from_secs(8), beats).await.expect("two beats within eight seconds");
    assert_eq!(live.text.matches("event: status").count(), 1, "nothing changed: {}", live.text);
    world.finish().await;
}

#[tokio::test]
async fn ten_14_twelve_hours_end_a_session_that_is_used_all_the_time() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for n in 1..=28 {
        world.wait(25 * MINUTE);
        assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::OK, "after {n} times 25 minutes");
    }
    world.wait(20 * MINUTE + Duration::from_secs(5));
    assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    world.finish().await;
}

#[tokio::test]
async fn ten_14_another_password_ends_all_other_sessions() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let elsewhere = world.browser();
    assert_eq!(elsewhere.log_in(&acme.email, PASSWORD).await.status, StatusCode::OK);
    let wrong = json!({ "current_password": "not the password", "new_password": "another battery staple" });
    let refused = acme.browser.post("/api/v1/me/password", wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(elsewhere.get("/api/v1/me").await.status, StatusCode::OK, "a wrong try ends nothing");

    let right = json!({ "current_password": PASSWORD, "new_password": "another battery staple" });
    let changed = acme.browser.post("/api/v1/me/password", right).await;

    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
    assert_eq!(
        acme.browser.get("/api/v1/me").await.status,
        StatusCode::OK,
        "the one that changed it goes on"
    );
    assert_eq!(elsewhere.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.browser().log_in(&acme.email, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert!(!is_stored(&world, "another battery staple").await);
    world.finish().await;
}
