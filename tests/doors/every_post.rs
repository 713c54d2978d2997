//! Every operation with an `Idempotency-Key`: granted once, told twice; those that end what they are asked with, too.

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Browser, Org, PASSWORD, World};

use crate::{
    once::post,
    support::{asked, dead_letter, description, operations, person, still_world},
};

/// What a process leaves behind that dies after its change and before its answer.
async fn the_answer_is_lost(world: &World) {
    sqlx::query(
        "update request_claims set answered_at = null, key_id = null, answer_sealed = null, claimed_until = now()",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn api_05_every_post_of_the_api_is_done_once() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    vanished(&world, &acme).await;
    let (key, secret) = world.sim.access_key(acme.company).unwrap();
    let access = (key, secret, world.sim.api_base(acme.company).to_string());
    let target = asked(&world, &acme, "takes all in", "published", &["target.example"]).await.post;
    let mut tried = 0;
    for operation in operations(&description(&world).await) {
        if operation.method != Method::POST || operation.id == "logIn" {
            continue;
        }
        let path = operation.address(&thing(&world, &acme, &operation.id).await);
        let key = format!("\"every {}\"", operation.id).replace(' ', "-");
        let ask = || {
            let headers: Vec<(String, String)> = operation
                .headers()
                .into_iter()
                .filter(|(name, _)| *name != "idempotency-key")
                .map(|(name, value)| (name.to_owned(), value))
                .chain([("idempotency-key".to_owned(), key.clone())])
                .collect();
            let (browser, method, path) = (acme.browser.clone(), operation.method.clone(), path.clone());
            let body = body(&operation.id, operation.body(), (&access, &target));
            async move {
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                browser.api_with(method, &path, &headers, body).await
            }
        };
        let first = ask().await;
        // These two end what they are asked with; they have stories of their own.
        let apart = ["eraseOrganization", "switchOrganization"].contains(&operation.id.as_str());
        assert!(apart || first.status.is_success(), "{}: {} {}", operation.id, first.status, first.text);
        let again = ask().await;
        assert_eq!((first.status, &first.text), (again.status, &again.text), "{}", operation.id);
        assert_eq!(again.header("idempotency-replayed"), "true", "{}", operation.id);
        tried += 1;
    }
    assert!(tried >= 10, "{tried}");
    let mut world = world;
    world.stop().await;
}

/// Calls that vanished, which an admin is asked about.
async fn vanished(world: &World, acme: &Org) {
    sqlx::query(
        "insert into gong_losses (id, organization_id, connection_id, seen_at, expected, missing, state, asked_at)
         select gen_random_uuid(), $1, id, now(), 10, 5, 'asked', now() from gong_connections where organization_id = $1",
    )
    .bind(acme.id)
    .execute(world.db.pool())
    .await
    .unwrap();
}

/// What an operation is granted for.
async fn thing(world: &World, acme: &Org, id: &str) -> String {
    match id {
        "reviewPost" => asked(world, acme, "wait", "review", &["a.example"]).await.post,
        "mergePost" => asked(world, acme, "end", "published", &["a.example"]).await.post,
        "splitEvidence" => {
            asked(world, acme, "part", "published", &["a.example", "b.example"]).await.evidence[0].clone()
        }
        "retryCallFeedback" => {
            let call = asked(world, acme, "fail", "published", &["a.example"]).await.calls[0].clone();
            let given_up = "update feedback_calls set state = 'failed' where call_id = $1::uuid";
            let id = call.trim_start_matches("call_").to_owned();
            sqlx::query(given_up).bind(id).execute(world.db.pool()).await.unwrap();
            call
        }
        _ => dead_letter(world, acme).await,
    }
}

/// Bodies that do not change from try to try, and are granted.
fn body(
    id: &str,
    usual: Option<Value>,
    (access, target): (&(String, String, String), &String),
) -> Option<Value> {
    let (key, secret, base) = access;
    Some(match id {
        "addMember" => json!({ "email": "once@new.example", "role": "viewer" }),
        "changePassword" => {
            json!({ "current_password": PASSWORD, "new_password": "another battery staple" })
        }
        "connectGongWithKey" => {
            json!({ "access_key": key, "access_key_secret": secret, "api_base_url": base })
        }
        "createBoard" => json!({ "name": "Made once" }),
        "mergePost" => json!({ "into": target }),
        _ => return usual,
    })
}

#[tokio::test]
async fn api_05_an_organization_is_erased_under_a_key_too() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let path = "/api/v1/organization/erase";
    let wrong = post(&acme.browser, path, "wrong", json!({ "name": "not its name" })).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let erased = post(&acme.browser, path, "end", json!({ "name": "acme" })).await;
    assert_eq!(erased.status, 204, "{}", erased.text);
    assert_eq!(world.number("select count(*) from organizations").await, 0);
    assert_eq!(world.number("select count(*) from request_claims").await, 0);
    let again = post(&acme.browser, path, "end", json!({ "name": "acme" })).await;
    assert_eq!(again.status, 401, "there is nobody left to tell: {}", again.text);
    world.finish().await;
}

#[tokio::test]
async fn api_05_a_password_that_was_changed_is_not_asked_for_again() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let body = || json!({ "current_password": PASSWORD, "new_password": "another battery staple" });
    let change = || post(&acme.browser, "/api/v1/me/password", "change", body());
    assert_eq!(change().await.status, 204);
    the_answer_is_lost(&world).await;
    let again = change().await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "idempotent_answer_lost"));
    // What stands in the database says nothing about the password to whoever tries passwords.
    let part = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let guess = [part("owner"), part(""), part(&body().to_string())].concat();
    let guessed: i64 =
        sqlx::query_scalar("select count(*) from request_claims where fingerprint = sha256($1)")
            .bind(guess)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
    assert_eq!(guessed, 0, "the fingerprint has a key");
    world.finish().await;
}

#[tokio::test]
async fn api_05_a_switch_to_another_organization_is_marked_as_done() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let bob = person(&world, &acme, "admin").await;
    rival.browser.post("/api/v1/members", json!({ "email": bob.email, "role": "viewer" })).await;
    let before = bob.browser.split();
    let switch = |browser: Browser| async move {
        post(&browser, "/api/v1/session/organization", "switch", json!({ "organization": rival.id })).await
    };
    let switched = switch(bob.browser.clone()).await;
    assert_eq!(switched.status, 204, "{}", switched.text);
    assert_eq!(world.number("select count(*) from request_claims where effected").await, 1);
    assert_eq!(switch(before).await.status, 401, "the session until then is over");
    world.finish().await;
}
