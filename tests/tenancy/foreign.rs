//! Another organization's things: not to be seen, not to be changed, not to be told from what does not exist.

use std::time::Duration;

use gong_sim::NewCall;
use reqwest::{Method, StatusCode};
use serde_json::json;
use stories::{Answer, Org, PASSWORD, World};

use crate::support::{Live, asked, dead_letter, description, fingerprint, key, operations, person};

/// A word that stands in everything of the other organization.
const THEIRS: &str = "zebrafish";

async fn ids_of(world: &World, org: &Org) -> Vec<String> {
    let calls = org.api.all_calls().await;
    let mut ids: Vec<String> =
        calls.iter().filter_map(|call| call["id"].as_str()).map(str::to_owned).collect();
    assert_eq!(ids.len(), 2, "{calls:?}");
    ids.push(person(world, org, "member").await.id);
    ids.push(org.owner.to_string());
    ids.push(key(&org.browser, "viewer").await.0);
    ids.push(dead_letter(world, org).await);
    let post = asked(world, org, THEIRS, "review", &["zebrafish.example", "other.example"]).await;
    ids.extend([post.post, post.evidence[0].clone(), post.calls[0].clone()]);
    ids.push(board(org).await);
    ids
}

async fn board(org: &Org) -> String {
    let boards = org.api.get("/api/v1/boards").await.json();
    boards["items"][0]["id"].as_str().unwrap().to_owned()
}

fn tells_nothing(answer: &Answer, ids: &[String], what: &str) {
    let text = answer.text.to_lowercase();
    assert!(!text.contains(THEIRS), "{what} tells of them: {text}");
    assert!(!ids.iter().any(|id| text.contains(id.as_str())), "{what} names one of their ids: {text}");
    assert!(!answer.status.is_server_error(), "{what}: {text}");
}

#[tokio::test]
async fn ten_01_no_operation_reaches_another_organization() {
    let mut world = World::start().await;
    let (ours, theirs) = (world.organization("acme").await, world.organization(THEIRS).await);
    for title in ["Zebrafish one", "Zebrafish two"] {
        let started = world.sim.now() - Duration::from_secs(2 * 86_400);
        world.sim.add_call(theirs.company, NewCall::new().started(started).title(title).say(0, THEIRS));
    }
    world.connect(&theirs, Some(30)).await;
    world.connect(&ours, Some(30)).await;
    world.settle().await;
    let ids = ids_of(&world, &theirs).await;
    let cursor = theirs.api.get("/api/v1/calls?limit=1").await.json()["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap().to_owned();
    let before = fingerprint(&world, Some(&theirs)).await;
    let all = operations(&description(&world).await);
    let mut refused = 0;

    for (who, browser) in [("session", &ours.browser), ("key", &ours.api)] {
        for operation in all
            .iter()
            .filter(|o| !matches!(o.id.as_str(), "logOut" | "watchGongConnection" | "watchFeedback"))
        {
            let things = if operation.names_a_thing() { ids.as_slice() } else { &ids[..1] };
            for thing in things {
                let what = format!("{} with the {who} of another, {thing}", operation.id);
                let answer =
                    browser.api(operation.method.clone(), &operation.address(thing), operation.body()).await;
                tells_nothing(&answer, &ids, &what);
                if operation.names_a_thing() {
                    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}: {}", answer.text);
                    let nothing =
                        thing.rsplit_once('_').map(|(kind, _)| format!("{kind}_{}", "7".repeat(32)));
                    let address = operation.address(&nothing.unwrap());
                    let none = browser.api(operation.method.clone(), &address, operation.body()).await;
                    assert_eq!(answer.json()["detail"], none.json()["detail"], "{what}: no telling apart");
                    refused += 1;
                }
            }
            if operation.method == Method::GET && !operation.names_a_thing() {
                let address = format!("{}?cursor={cursor}", operation.path);
                tells_nothing(
                    &browser.get(&address).await,
                    &ids,
                    &format!("{} with their cursor", operation.id),
                );
            }
        }
    }
    let live = Live::of_session(&ours.browser).await;
    assert!(!live.text.to_lowercase().contains(THEIRS), "{}", live.text);

    assert!(refused >= 80, "{refused}");
    assert_eq!(fingerprint(&world, Some(&theirs)).await, before);
    world.stop().await;
}

#[tokio::test]
async fn ten_01_no_page_reaches_another_organization() {
    let mut world = World::start().await;
    let (ours, theirs) = (world.organization("acme").await, world.organization(THEIRS).await);
    for title in ["Zebrafish one", "Zebrafish two"] {
        let started = world.sim.now() - Duration::from_secs(2 * 86_400);
        world.sim.add_call(theirs.company, NewCall::new().started(started).title(title).say(0, THEIRS));
    }
    world.connect(&theirs, Some(30)).await;
    world.settle().await;
    let ids = ids_of(&world, &theirs).await;
    let before = fingerprint(&world, Some(&theirs)).await;

    for id in &ids {
        for page in [
            "/calls/{id}",
            "/calls/{id}/feedback",
            "/posts/{id}",
            "/settings/feedback/boards/{id}/archive",
            "/settings/members/{id}/remove",
            "/settings/api-keys/{id}/revoke",
        ] {
            let answer = ours.browser.get(&page.replace("{id}", id)).await;
            tells_nothing(&answer, &[], page);
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{page} {id}");
        }
        for (page, fields) in [
            ("/settings/members/{id}/role", vec![("role", "viewer")]),
            ("/settings/members/{id}/remove", vec![]),
            ("/settings/api-keys/{id}/revoke", vec![]),
            ("/posts/{id}", vec![("title", "x")]),
            ("/posts/{id}/status", vec![("status", "done")]),
            ("/posts/{id}/review", vec![("decision", "approve")]),
            ("/posts/{id}/merge", vec![("into", "post_77777777777777777777777777777777")]),
            ("/evidence/{id}/split", vec![]),
            ("/calls/{id}/feedback/retry", vec![]),
            ("/settings/feedback/boards/{id}", vec![("name", "x")]),
            ("/settings/feedback/boards/{id}/archive", vec![]),
        ] {
            let answer = ours.browser.form(&page.replace("{id}", id), &fields).await;
            tells_nothing(&answer, &[], page);
            assert!(!answer.status.is_success(), "{page} {id}: {}", answer.status);
        }
    }
    for page in [
        "/",
        "/calls",
        "/posts",
        "/posts?state=review",
        "/review",
        "/settings/feedback",
        "/calls?search=zebrafish",
        "/activity",
        "/settings/members",
        "/settings/api-keys",
        "/settings/integrations/gong",
    ] {
        let answer = ours.browser.get(page).await;
        // A search shows what was searched for.
        if !page.contains("search") {
            tells_nothing(&answer, &ids, page);
        }
        assert!(!answer.text.contains("Zebrafish one"), "{page}");
    }

    assert_eq!(fingerprint(&world, Some(&theirs)).await, before);
    world.stop().await;
}

#[tokio::test]
async fn ten_01_nobody_logs_in_to_an_organization_of_others() {
    let world = World::start().await;
    let (ours, theirs) = (world.organization("acme").await, world.organization(THEIRS).await);
    let browser = world.browser();
    let mut answers = Vec::new();
    for organization in [theirs.id.to_string(), format!("org_{}", "7".repeat(32))] {
        let body = json!({ "email": ours.email, "password": PASSWORD, "organization": organization });
        let answer = browser.post("/api/v1/session", body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        answers.push((answer.code(), answer.json()["detail"].clone()));
    }
    assert_eq!(answers[0], answers[1], "theirs and one that does not exist are one answer");
    assert!(browser.cookie("soundpost").is_none());
    world.finish().await;
}
