//! The review and the boards over HTTP; how feedback is made; what happened to one call.

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Browser, World};

use crate::support::{Asked, Live, asked, person, still_world};

/// Says that the first may be the same as the second.
async fn doubted(world: &World, one: &Asked, other: &Asked) {
    let id = |text: &str| uuid::Uuid::parse_str(text.split_once('_').unwrap().1).unwrap();
    sqlx::query("update evidence set doubt_post_id = $2, similarity = 0.78 where id = $1")
        .bind(id(&one.evidence[0]))
        .bind(id(&other.post))
        .execute(world.db.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn who_reviews_sees_both_posts_side_by_side_and_says_same_or_different() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let there = asked(&world, &acme, "export the report", "published", &["a.example"]).await;
    let same = asked(&world, &acme, "send the report as a file", "review", &["b.example"]).await;
    let different = asked(&world, &acme, "print the report", "review", &["c.example"]).await;
    for one in [&same, &different] {
        doubted(&world, one, &there).await;
    }
    let member = person(&world, &acme, "member").await.browser;
    let like = member.get(&format!("/posts/{}?merge=a+report+that+is+exported", same.post)).await.text;
    assert!(like.contains(&format!("name=\"into\" value=\"{}\"", there.post)), "by its words: {like}");
    let page = member.get("/review").await.text;
    assert_eq!(page.matches("data-review").count(), 2);
    assert!(page.contains("78 %") && page.contains("export the report") && page.contains("Same: merge"));
    let into = [("into", there.post.as_str()), ("back", "review")];
    let merged = member.form(&format!("/posts/{}/merge", same.post), &into).await;
    assert_eq!((merged.status.as_u16(), merged.location().path()), (303, "/review"));
    let approve = [("decision", "approve"), ("back", "review")];
    let decide = |fields: [(&'static str, &'static str); 2]| {
        let (member, path) = (member.clone(), format!("/posts/{}/review", different.post));
        async move { member.form(&path, &fields).await }
    };
    assert!(decide(approve).await.location().query().unwrap().contains("post-approved"));
    assert!(
        decide(approve).await.location().query().unwrap().contains("post-decided"),
        "a second click does nothing"
    );
    let posts = member.get("/api/v1/posts").await.json();
    assert_eq!(posts["items"][0]["accounts"], 2, "{posts}");
    assert_eq!(posts["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.number("select count(*) from evidence where doubt_post_id is not null").await, 0);
    assert!(member.get("/review").await.text.contains("Nothing waits for you"));
    // A viewer sees what waits and has no buttons; pressing them anyway is refused.
    let other = asked(&world, &acme, "a map", "review", &["d.example"]).await;
    let viewer = person(&world, &acme, "viewer").await.browser;
    let page = viewer.get("/review").await.text;
    assert!(page.contains("a map") && !page.contains("data-key"));
    let refused = viewer.form(&format!("/posts/{}/review", other.post), &approve).await;
    assert_eq!(refused.status, 403);
    world.finish().await;
}

#[tokio::test]
async fn the_first_board_wakes_the_calls_that_wait_for_it() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    asked(&world, &acme, "export it", "published", &["a.example"]).await;
    for query in [
        "update feedback_calls set state = 'waiting', reason = 'no_board', due_at = now() + interval '1 hour', finished_at = null",
        "update boards set archived_at = now()",
    ] {
        sqlx::query(query).execute(world.db.pool()).await.unwrap();
    }
    let gong = acme.browser.get("/settings/integrations/gong").await.text;
    assert!(gong.contains("There is no board yet") && gong.contains("href=\"/settings/feedback\""));
    assert!(acme.browser.get("/posts").await.text.contains("1 call waits: there is no board yet"));
    let again = acme.browser.form("/settings/feedback/boards", &[("name", " ")]).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("Name must have 1 to 80 letters"), "{}", again.text);
    let fields = [("name", "Product"), ("categories", "Reporting, Mobile"), ("description", "")];
    let made = acme.browser.form("/settings/feedback/boards", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    assert_eq!(world.number("select count(*) from feedback_calls where due_at <= now()").await, 1);
    let board = acme.api.get("/api/v1/boards").await.json()["items"][0].clone();
    assert_eq!(board["categories"], json!(["Mobile", "Reporting"]));
    let same = acme.browser.post("/api/v1/boards", json!({ "name": "PRODUCT" })).await;
    assert_eq!((same.status.as_u16(), same.json()["errors"][0]["field"].as_str()), (422, Some("name")));
    assert!(!acme.browser.get("/settings/integrations/gong").await.text.contains("There is no board yet"));
    world.finish().await;
}

async fn change(browser: &Browser, tag: &str, body: Value) -> stories::Answer {
    let path = "/api/v1/feedback/settings";
    browser.api_with(Method::PATCH, path, &[("if-match", tag)], Some(body)).await
}

#[tokio::test]
async fn settings_are_changed_from_a_version_and_a_model_that_is_not_there_cannot_be_chosen() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let us = &acme.browser;
    let read = us.get("/api/v1/feedback/settings").await;
    let tag = read.header("etag").to_owned();
    assert_eq!(
        (read.json()["mode"].as_str(), read.json()["usual_join_at"].is_number()),
        (Some("automatic"), true)
    );
    let body = json!({ "mode": "approval", "join_at": 0.9, "monthly_cap_micros": 25_000_000, "vocabulary": { "products": ["Helio"], "competitors": ["Rival"] } });
    let changed = change(us, &tag, body).await;
    assert_eq!(
        (changed.status.as_u16(), changed.json()["mode"].as_str()),
        (200, Some("approval")),
        "{}",
        changed.text
    );
    assert_eq!(change(us, &tag, json!({ "mode": "automatic" })).await.code(), "changed_meanwhile");
    for (body, field) in [
        (json!({ "analyzer": "model" }), "analyzer"),
        (json!({ "analyzer": "magic" }), "analyzer"),
        (json!({ "join_at": 1.5 }), "join_at"),
        (json!({ "ask_at": 0.95 }), "ask_at"),
        (json!({ "monthly_cap_micros": -1 }), "monthly_cap_micros"),
        (json!({ "default_board": format!("board_{}", "7".repeat(32)) }), "default_board"),
        (json!({ "vocabulary": { "products": [""] } }), "vocabulary"),
    ] {
        let answer = change(us, "*", body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{}",
            answer.text
        );
    }
    let page = us.get("/settings/feedback").await.text;
    assert!(
        page.contains("SOUNDPOST_LANGUAGE_MODEL") && page.contains("value=\"25\"") && page.contains("Rival")
    );
    let lost = us.form("/settings/feedback/money", &[("version", "stale"), ("cap", "30")]).await;
    assert_eq!(lost.status, 412);
    assert!(lost.text.contains("value=\"30\""), "what was typed is still there");
    world.finish().await;
}

#[tokio::test]
async fn a_preview_says_what_other_thresholds_would_have_done() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let one = asked(&world, &acme, "export it", "published", &["a.example"]).await;
    let wishes = json!([
        { "title": "a", "verdict": "join", "near": 0.95 }, { "title": "b", "verdict": "join", "near": 0.86 },
        { "title": "c", "verdict": "ask", "near": 0.8 }, { "title": "d", "verdict": "new", "near": 0.4 },
        { "title": "e", "verdict": "new", "near": null },
    ]);
    sqlx::query(
        "insert into feedback_stages (call_id, organization_id, stage, content_hash, made_by, output, why, at)
         values ($1::uuid, $2, 'deduplicate', 'x', 'basic/1', $3, 'Compared.', now())",
    )
    .bind(one.calls[0].trim_start_matches("call_"))
    .bind(acme.id)
    .bind(wishes)
    .execute(world.db.pool())
    .await
    .unwrap();
    let preview = acme.api.get("/api/v1/feedback/settings/preview?join_at=0.9&ask_at=0.85").await.json();
    let numbers = ["compared", "joined", "asked", "would_join", "would_ask", "would_part"]
        .map(|name| preview[name].as_i64().unwrap());
    assert_eq!(numbers, [4, 2, 1, 1, 1, 1], "{preview}");
    let page = acme.browser.get("/settings/feedback?preview=yes&join_at=0,9&ask_at=0.85").await.text;
    assert!(page.contains("1 wish that joined would have stayed apart"), "{page}");
    let bad = acme.browser.get("/settings/feedback?preview=yes&join_at=0.5&ask_at=0.9").await;
    assert_eq!(bad.status, 422);
    // The trace says it stage by stage.
    let trace = acme.api.get(&format!("/api/v1/calls/{}/feedback", one.calls[0])).await.json();
    assert_eq!(
        (trace["state"].as_str(), trace["stages"][0]["name"].as_str()),
        (Some("done"), Some("deduplicate"))
    );
    let page = acme.browser.get(&format!("/calls/{}/feedback", one.calls[0])).await.text;
    assert!(page.contains("Compared.") && page.contains(&format!("/posts/{}", one.post)));
    assert!(
        acme.browser.get(&format!("/calls/{}", one.calls[0])).await.text.contains("What came of this call")
    );
    world.finish().await;
}

#[tokio::test]
async fn whoever_watches_hears_of_a_decision_at_once() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let one = asked(&world, &acme, "export it", "review", &["a.example"]).await;
    let cookie = format!("cookie: soundpost={}", acme.browser.cookie("soundpost").unwrap());
    let mut live = Live::open_at(&acme.browser, "/api/v1/feedback/events", &cookie).await;
    assert!(live.text.contains("\"review\":1"), "{}", live.text);
    let decided = acme
        .browser
        .post(&format!("/api/v1/posts/{}/review", one.post), json!({ "decision": "approve" }))
        .await;
    assert_eq!(decided.status, 200, "{}", decided.text);
    let told = async {
        while !live.text.contains("\"review\":0") {
            assert!(live.read().await, "the stream ended: {}", live.text);
        }
    };
    // Without news it would look at the next beat, or never.
    tokio::time::timeout(std::time::Duration::from_millis(2_500), told).await.unwrap();
    world.finish().await;
}
