//! API keys: shown once, stored as a hash, gone at once.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{is_stored, key, person, still_world};

#[tokio::test]
async fn api_08_a_key_is_shown_once_and_stored_as_a_hash() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let (id, secret, program) = key(&acme.browser, "viewer").await;
    assert_eq!(program.get("/api/v1/calls").await.status, StatusCode::OK);

    assert!(secret.starts_with("spk_live_") && secret.len() == 55, "scanners know it by its beginning");
    let listed = acme.browser.get("/api/v1/api-keys").await;
    let page = acme.browser.get("/settings/api-keys").await;
    let activity = acme.browser.get("/api/v1/activity").await;
    for answer in [&listed, &page, &activity] {
        assert!(!answer.text.contains(&secret) && !answer.text.contains(&secret[20..]), "{}", answer.url);
    }
    let line =
        listed.json()["items"].as_array().unwrap().iter().find(|k| k["id"] == id.as_str()).cloned().unwrap();
    let prefix = line["prefix"].as_str().unwrap();
    assert!(secret.starts_with(prefix) && prefix.len() <= 16, "{prefix}");
    assert!(!line["last_used_at"].is_null() && line["revoked_at"].is_null(), "{line}");
    assert!(!is_stored(&world, &secret).await && !is_stored(&world, &secret[16..]).await);
    assert!(is_stored(&world, prefix).await, "the look finds what is there");
    assert_eq!(world.number("select count(*) from api_keys where length(secret_hash) = 32").await, 2);
    world.finish().await;
}

#[tokio::test]
async fn api_08_a_revoked_key_is_refused_at_once_everywhere() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    let (id, secret, program) = key(&acme.browser, "admin").await;
    let there = world.serve_beside(world.rooms.connector.clone()).await.with_key(&secret);
    for browser in [&program, &there] {
        assert_eq!(browser.get("/api/v1/members").await.status, StatusCode::OK);
    }
    for _ in 0..2 {
        let revoked = acme.browser.delete(&format!("/api/v1/api-keys/{id}")).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT, "twice is once: {}", revoked.text);
    }
    for browser in [&program, &there] {
        let answer = browser.get("/api/v1/members").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    }
    let noted = world.number("select count(*) from audit_log where action = 'api_key.revoked'").await;
    assert_eq!(noted, 1);
    world.finish().await;
}

#[tokio::test]
async fn api_08_nobody_makes_a_key_that_may_more_than_himself() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for (role, status) in [("owner", 422), ("root", 422), ("admin", 201)] {
        let made = acme.browser.post("/api/v1/api-keys", json!({ "name": "k", "role": role })).await;
        assert_eq!(made.status.as_u16(), status, "{role}: {}", made.text);
    }
    let member = person(&world, &acme, "member").await;
    let made = member.browser.post("/api/v1/api-keys", json!({ "name": "k", "role": "viewer" })).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    let (_, secret, _) = key(&acme.browser, "viewer").await;
    let mut wrong = secret.clone();
    let last = if wrong.ends_with('x') { 'y' } else { 'x' };
    wrong.pop();
    wrong.push(last);
    for bad in [wrong.as_str(), &secret[..54], "spk_live_", "", &format!("{secret}x"), &secret.to_uppercase()]
    {
        let answer = acme.browser.with_key(bad).get("/api/v1/calls").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    world.finish().await;
}
