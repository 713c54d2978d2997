//! Requests with an `Idempotency-Key`: one effect, one answer, whatever happens in between.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Answer, Browser, World};
use tokio::time::sleep;

use crate::support::{is_stored, key, person, still_world};

pub(super) const KEYS: &str = "/api/v1/api-keys";

pub(super) fn new_key(name: &str) -> Value {
    json!({ "name": name, "role": "viewer" })
}

pub(super) async fn post(browser: &Browser, path: &str, key: &str, body: Value) -> Answer {
    browser.api_with(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
}

pub(super) async fn keys_named(world: &World, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from api_keys where name = $1")
        .bind(name)
        .fetch_one(world.db.pool())
        .await
        .unwrap()
}

/// Waits until this counts something, at most ten seconds.
pub(super) async fn until(world: &World, query: &'static str) {
    for _ in 0..500 {
        if world.number(query).await > 0 {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing came of it within ten seconds: {query}");
}

/// Lets the two minutes pass that a request may take.
pub(super) async fn time_is_over(world: &World) {
    sqlx::query("update request_claims set claimed_until = now()").execute(world.db.pool()).await.unwrap();
}

#[tokio::test]
async fn api_05_a_hundred_at_once_have_one_effect_and_one_answer() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let all = (0..100).map(|_| {
        let browser = acme.api.clone();
        tokio::spawn(async move { post(&browser, KEYS, "\"one\"", new_key("one of a hundred")).await })
    });
    let (mut first, mut running) = (Vec::new(), 0);
    for one in all.collect::<Vec<_>>() {
        let answer = one.await.unwrap();
        match answer.status.as_u16() {
            201 => first.push(answer.text),
            409 => {
                assert_eq!(answer.code(), "idempotent_request_running");
                assert_eq!(answer.header("retry-after"), "1");
                running += 1;
            }
            status => panic!("{status}: {}", answer.text),
        }
    }
    assert!(!first.is_empty() && first.len() + running == 100);
    assert!(first.iter().all(|text| *text == first[0]), "one answer");
    assert_eq!(keys_named(&world, "one of a hundred").await, 1, "one effect");
    world.finish().await;
}

#[tokio::test]
async fn api_05_the_same_again_gets_the_first_answer_byte_for_byte_and_secrets_are_sealed() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let first = post(&acme.api, KEYS, "\"again\"", new_key("again")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(first.header("idempotency-replayed"), "");
    for written in ["\"again\"", "again"] {
        let again = post(&acme.api, KEYS, written, new_key("again")).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("cache-control"), "no-store");
    }
    assert_eq!(keys_named(&world, "again").await, 1);
    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    assert!(world.browser().with_key(&secret).get("/api/v1/calls").await.status.is_success());
    assert!(!is_stored(&world, &secret).await, "the kept answer is sealed");
    // A refusal of the handler is an answer too, problem document and all.
    let refused = post(&acme.api, KEYS, "refused", json!({ "name": "", "role": "viewer" })).await;
    let again = post(&acme.api, KEYS, "refused", json!({ "name": "", "role": "viewer" })).await;
    assert_eq!((refused.status.as_u16(), &refused.text), (422, &again.text));
    assert_eq!(again.header("content-type"), "application/problem+json");
    // What a cookie brings comes again too: the way to Gong works with the second answer as with the first.
    let begin = |key: &'static str| {
        post(&acme.browser, "/api/v1/integrations/gong/connect", key, json!({ "history_days": 3 }))
    };
    let (one, two) = (begin("begin").await, begin("begin").await);
    assert_eq!(
        (one.status.as_u16(), &one.text, one.header("set-cookie")),
        (200, &two.text, two.header("set-cookie"))
    );
    world.finish().await;
}

#[tokio::test]
async fn api_05_a_key_belongs_to_one_request_of_one_caller() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let zeta = world.organization("zeta").await;
    assert_eq!(post(&acme.api, KEYS, "k", new_key("mine")).await.status, 201);
    let other = post(&acme.api, KEYS, "k", new_key("another")).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency_key_reused"));
    assert_eq!(keys_named(&world, "another").await, 0);
    for bad in ["\"\"", "\"a", "a b", "a,b", &"x".repeat(256)] {
        let answer = post(&acme.api, KEYS, bad, new_key("bad")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "idempotency_key_invalid"),
            "{bad}"
        );
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = acme.api.api_with(Method::POST, KEYS, &twice, Some(new_key("bad"))).await;
    assert_eq!(answer.code(), "idempotency_key_invalid");
    assert_eq!(keys_named(&world, "bad").await, 0);
    let many = "/api/v1/dead-letters/retry";
    let missing = acme.api.post(many, json!({})).await;
    assert_eq!((missing.status.as_u16(), missing.code().as_str()), (400, "idempotency_key_missing"));
    // Somebody else, another organization and another operation have the same word for something else.
    assert_eq!(post(&acme.browser, KEYS, "k", new_key("of the owner")).await.status, 201);
    assert_eq!(post(&zeta.api, KEYS, "k", new_key("of zeta")).await.status, 201);
    assert_eq!(post(&acme.api, many, "k", json!({})).await.status, 202);
    // Without a session nothing is claimed.
    let stranger = world.browser();
    assert_eq!(post(&stranger, KEYS, "k", new_key("mine")).await.status, 401);
    assert_eq!(world.number("select count(*) from request_claims").await, 4);
    world.finish().await;
}

#[tokio::test]
async fn api_05_who_lost_the_role_is_not_shown_the_answer_again() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let admin = person(&world, &acme, "admin").await;
    let first = post(&admin.browser, KEYS, "k", new_key("mine")).await;
    assert_eq!(first.status, 201);
    let role = json!({ "role": "viewer" });
    let path = format!("/api/v1/members/{}", admin.id);
    assert_eq!(acme.browser.api(Method::PATCH, &path, Some(role)).await.status, 204);
    let again = post(&admin.browser, KEYS, "k", new_key("mine")).await;
    assert_eq!(again.status, 422, "{}", again.text);
    assert!(!again.text.contains(first.json()["secret"].as_str().unwrap()));
    let (id, _, program) = key(&acme.browser, "admin").await;
    assert_eq!(post(&program, KEYS, "p", new_key("by a program")).await.status, 201);
    acme.browser.delete(&format!("{KEYS}/{id}")).await;
    assert_eq!(post(&program, KEYS, "p", new_key("by a program")).await.status, 401);
    world.finish().await;
}

#[tokio::test]
async fn api_05_after_a_day_the_key_is_free_and_old_ones_are_swept_out() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for name in ["a", "b", "c"] {
        assert_eq!(post(&acme.api, KEYS, name, new_key("daily")).await.status, 201);
    }
    world.wait(Duration::from_secs(24 * 3600 - 60));
    assert_eq!(post(&acme.api, KEYS, "a", new_key("daily")).await.header("idempotency-replayed"), "true");
    world.wait(Duration::from_secs(120));
    let fresh = post(&acme.api, KEYS, "a", new_key("daily")).await;
    assert_eq!((fresh.status.as_u16(), fresh.header("idempotency-replayed")), (201, ""));
    assert_eq!(keys_named(&world, "daily").await, 4);
    assert_eq!(world.number("select count(*) from request_claims").await, 3);
    jobs::schedule::reconcile_once(&world.rooms).await.unwrap();
    assert_eq!(world.number("select count(*) from request_claims").await, 1, "b and c are over");
    world.finish().await;
}

#[tokio::test]
async fn api_05_an_organization_fills_its_own_memory_only() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let zeta = world.organization("zeta").await;
    assert_eq!(post(&acme.api, KEYS, "before", new_key("before")).await.status, 201);
    sqlx::query(
        "insert into request_claims (id, organization_id, key_hash, fingerprint, created_at, claimed_until)
         select gen_random_uuid(), $1, sha256(n::text::bytea), '', now(), now() from generate_series(1, 9999) n",
    )
    .bind(acme.id)
    .execute(world.db.pool())
    .await
    .unwrap();
    let full = post(&acme.api, KEYS, "one-more", new_key("one more")).await;
    assert_eq!((full.status.as_u16(), full.code().as_str()), (429, "idempotency_keys_spent"));
    assert!(!full.header("retry-after").is_empty());
    assert_eq!(
        post(&acme.api, KEYS, "before", new_key("before")).await.header("idempotency-replayed"),
        "true"
    );
    assert_eq!(acme.api.post(KEYS, new_key("without")).await.status, 201);
    assert_eq!(post(&zeta.api, KEYS, "one-more", new_key("one more")).await.status, 201);
    world.finish().await;
}

#[tokio::test]
async fn api_05_a_slow_request_that_was_taken_over_changes_nothing_any_more() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut lock = world.db.pool().begin().await.unwrap();
    sqlx::query("lock table audit_log in share mode").execute(&mut *lock).await.unwrap();
    let ask = || {
        let browser = acme.api.clone();
        tokio::spawn(async move { post(&browser, KEYS, "slow", new_key("slow")).await })
    };
    let first = ask();
    until(&world, "select count(*) from request_claims").await;
    sleep(Duration::from_millis(200)).await;
    time_is_over(&world).await;
    let second = ask();
    sleep(Duration::from_millis(300)).await;
    lock.rollback().await.unwrap();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(keys_named(&world, "slow").await, 1, "{} {}", first.text, second.text);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (503, 201), "{} {}", first.text, second.text);
    assert_eq!(first.code(), "request_taken_over");
    world.finish().await;
}
