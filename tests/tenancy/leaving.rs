//! Who loses a role or the membership loses it at the next request, in whatever is open.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Live, key, person, still_world};

async fn seconds_until_the_end(mut live: Live) -> f64 {
    let begun = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(10), async { while live.read().await {} }).await;
    assert!(ended.is_ok(), "the stream is still open after ten seconds");
    begun.elapsed().as_secs_f64()
}

#[tokio::test]
async fn ten_06_a_weaker_role_holds_from_the_next_request() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let bob = person(&world, &acme, "admin").await;
    let (_, _, program) = key(&bob.browser, "admin").await;
    assert_eq!(bob.browser.get("/api/v1/members").await.status, StatusCode::OK);
    assert_eq!(program.get("/api/v1/members").await.status, StatusCode::OK);

    let address = format!("/api/v1/members/{}", bob.id);
    let demoted = acme.browser.api(Method::PATCH, &address, Some(json!({ "role": "viewer" }))).await;
    assert_eq!(demoted.status, StatusCode::NO_CONTENT, "{}", demoted.text);

    for (who, browser) in [("session", &bob.browser), ("key", &program)] {
        let listed = browser.get("/api/v1/members").await;
        assert_eq!(
            (listed.status, listed.code().as_str()),
            (StatusCode::FORBIDDEN, "role_not_sufficient"),
            "{who}"
        );
        assert_eq!(browser.delete("/api/v1/integrations/gong").await.status, StatusCode::FORBIDDEN, "{who}");
        assert_eq!(browser.get("/api/v1/calls").await.status, StatusCode::OK, "{who}: a viewer still looks");
    }
    assert_eq!(acme.browser.gong().await["status"], "connected");
    world.finish().await;
}

#[tokio::test]
async fn ten_06_who_is_removed_is_out_and_the_streams_end() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    let beside = world.serve_beside(world.rooms.connector.clone()).await;
    let bob = person(&world, &acme, "admin").await;
    let (_, secret, program) = key(&bob.browser, "viewer").await;
    let there = beside.with_key(&secret);
    assert_eq!(there.get("/api/v1/calls").await.status, StatusCode::OK);
    let by_session = Live::of_session(&bob.browser).await;
    let by_key = Live::open(&beside, &format!("authorization: Bearer {secret}")).await;

    let removed = acme.browser.delete(&format!("/api/v1/members/{}", bob.id)).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);

    for (who, browser) in [("session", &bob.browser), ("key", &program), ("key in another process", &there)] {
        assert_eq!(browser.get("/api/v1/calls").await.status, StatusCode::UNAUTHORIZED, "{who}");
    }
    let (first, second) = tokio::join!(seconds_until_the_end(by_session), seconds_until_the_end(by_key));
    assert!(first <= 5.0 && second <= 5.0, "the streams ended after {first} and {second} seconds");
    let again = world.browser().log_in(&bob.email, stories::PASSWORD).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::FORBIDDEN, "no_organization"));
    world.finish().await;
}

#[tokio::test]
async fn ten_06_a_stream_ends_with_its_session_and_with_its_key() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let (id, secret, _) = key(&acme.browser, "viewer").await;
    let by_key = Live::open(&acme.browser, &format!("authorization: Bearer {secret}")).await;
    let by_session = Live::of_session(&acme.browser).await;
    let mut stays = Live::of_session(&other.browser).await;

    assert_eq!(acme.browser.delete(&format!("/api/v1/api-keys/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(acme.browser.delete("/api/v1/session").await.status, StatusCode::NO_CONTENT);

    let (first, second) = tokio::join!(seconds_until_the_end(by_key), seconds_until_the_end(by_session));
    assert!(first <= 5.0 && second <= 5.0, "the streams ended after {first} and {second} seconds");
    let beat = tokio::time::timeout(Duration::from_secs(5), stays.read()).await;
    assert!(beat.unwrap_or_default(), "the stream of others goes on");
    world.finish().await;
}
