//! Posts over HTTP: lists and filters, changes from a version, merging and its undoing, the export.

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Answer, Browser, World};

use crate::support::{asked, person, still_world};

async fn ids(browser: &Browser, query: &str) -> Vec<String> {
    let answer = browser.get(&format!("/api/v1/posts{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let items = answer.json()["items"].as_array().cloned().unwrap();
    items.iter().map(|post| post["id"].as_str().unwrap().to_owned()).collect()
}

async fn patch(browser: &Browser, path: &str, tag: Option<&str>, body: Value) -> Answer {
    let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", *tag)).collect();
    browser.api_with(Method::PATCH, path, &headers, Some(body)).await
}

#[tokio::test]
async fn posts_are_listed_by_accounts_and_filtered_and_go_on_where_a_page_ends() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let few = asked(&world, &acme, "few", "published", &["a.example"]).await;
    // Two calls of one account count once.
    let many = asked(&world, &acme, "many", "published", &["a.example", "b.example", "b.example"]).await;
    let waits = asked(&world, &acme, "waits", "review", &["a.example"]).await;
    let us = &acme.api;
    assert_eq!(ids(us, "").await, [many.post.clone(), few.post.clone()]);
    assert_eq!(ids(us, "?sort=newest").await, [many.post.clone(), few.post.clone()]);
    assert_eq!(ids(us, "?state=review").await, std::slice::from_ref(&waits.post));
    assert_eq!(ids(us, "?q=FEW").await, std::slice::from_ref(&few.post));
    assert_eq!(
        ids(us, "?label=export&kind=missing_capability&priority=high&sentiment=negative&status=open")
            .await
            .len(),
        2
    );
    assert!(ids(us, "?kind=bug").await.is_empty() && ids(us, "?q=nothing").await.is_empty());
    let first = us.get("/api/v1/posts?limit=1").await.json();
    let (one, next) = (&first["items"][0], first["next_cursor"].as_str().unwrap());
    assert_eq!((one["accounts"].as_i64(), one["evidence"].as_i64()), (Some(2), Some(3)));
    assert_eq!((one["source"].as_str(), one["source_type"].as_str()), (Some("gong"), Some("integration")));
    assert_eq!(ids(us, &format!("?limit=1&cursor={next}")).await, std::slice::from_ref(&few.post));
    for (query, field) in [
        ("?kind=x", "kind"),
        ("?board=x", "board"),
        ("?sort=x", "sort"),
        ("?limit=0", "limit"),
        ("?stat=x", "stat"),
        ("?cursor=x", "cursor"),
    ] {
        let answer = us.get(&format!("/api/v1/posts{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{query}"
        );
    }
    let page = acme.browser.get("/posts").await;
    assert!(
        page.text.contains("many")
            && page.text.contains("2 accounts")
            && page.text.contains("1 post waits for review")
    );
    world.finish().await;
}

#[tokio::test]
async fn evidence_says_who_asked_in_which_words_and_leads_to_the_second_in_gong() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let one = asked(&world, &acme, "export it", "published", &["a.example", "b.example"]).await;
    let all = acme.api.get(&format!("/api/v1/posts/{}/evidence", one.post)).await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    let quote = &all["items"][0]["quotes"][0];
    assert_eq!(quote["text"], "We need to export it.");
    let url = quote["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://us-1.app.gong.io/call?id=7&highlights=") && url.contains("%3A61%2C"),
        "{url}"
    );
    let page = acme.api.get(&format!("/api/v1/posts/{}/evidence?limit=1", one.post)).await.json();
    let rest = format!(
        "/api/v1/posts/{}/evidence?limit=1&cursor={}",
        one.post,
        page["next_cursor"].as_str().unwrap()
    );
    let rest = acme.api.get(&rest).await.json();
    assert_ne!(rest["items"][0]["id"], page["items"][0]["id"]);
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    for full in [&rest, &acme.api.get(&format!("/api/v1/posts/{}/evidence?limit=2", one.post)).await.json()] {
        assert!(full["next_cursor"].is_null(), "nothing is behind the last page, full as it is: {full}");
    }
    let shown = acme.browser.get(&format!("/posts/{}", one.post)).await;
    let line = format!("/calls/{}#t-61000", one.calls[0]);
    assert!(
        shown.text.contains(&line) && shown.text.contains("Ines Okafor") && shown.text.contains("b.example")
    );
    let weeks = acme.api.get(&format!("/api/v1/posts/{}/trend", one.post)).await.json()["weeks"].clone();
    assert_eq!(weeks[0]["asks"], 2, "{weeks}");
    world.finish().await;
}

#[tokio::test]
async fn a_change_names_its_version_and_nobody_overwrites_what_was_not_seen() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let one = asked(&world, &acme, "export it", "published", &["a.example"]).await;
    let path = format!("/api/v1/posts/{}", one.post);
    let member = person(&world, &acme, "member").await.browser;
    let read = member.get(&path).await;
    let tag = read.header("etag").to_owned();
    assert_eq!(patch(&member, &path, None, json!({ "status": "done" })).await.code(), "if_match_missing");
    let body = json!({ "title": "Export the report", "status": "planned", "tags": ["Export"], "category": "Reporting" });
    let changed = patch(&member, &path, Some(&tag), body).await;
    assert_eq!(
        (changed.status.as_u16(), changed.json()["is_edited"].as_bool()),
        (200, Some(true)),
        "{}",
        changed.text
    );
    let late = patch(&acme.api, &path, Some(&tag), json!({ "status": "declined" })).await;
    assert_eq!((late.status.as_u16(), late.code().as_str()), (412, "changed_meanwhile"));
    let fresh = changed.header("etag").to_owned();
    // Evidence that comes makes nobody's change stale.
    sqlx::query("update posts set version = version + 1, evidence_count = 7")
        .execute(world.db.pool())
        .await
        .unwrap();
    let gone = patch(&member, &path, Some(&fresh), json!({ "category": null })).await;
    assert_eq!((gone.status.as_u16(), gone.json()["category"].clone()), (200, Value::Null));
    for (body, field) in [
        (json!({ "title": "" }), "title"),
        (json!({ "title": "x".repeat(121) }), "title"),
        (json!({ "board": format!("board_{}", "7".repeat(32)) }), "board"),
        (json!({ "status": "soon" }), "status"),
        (json!({ "state": "published" }), "state"),
    ] {
        let answer = patch(&member, &path, Some("*"), body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["errors"][0]["field"].as_str()),
            (422, Some(field))
        );
    }
    // The form on the page does the same and says so.
    let late = member
        .form(&format!("/posts/{}/status", one.post), &[("version", "stale"), ("status", "done")])
        .await;
    assert_eq!(late.status, 412);
    assert!(late.text.contains("changed meanwhile"), "{}", late.text);
    world.finish().await;
}

#[tokio::test]
async fn a_merge_is_undone_wish_by_wish_and_the_parting_is_remembered() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let one = asked(&world, &acme, "print it", "published", &["a.example"]).await;
    let other = asked(&world, &acme, "export it", "published", &["b.example", "c.example"]).await;
    let us = &acme.browser;
    let itself = us.post(&format!("/api/v1/posts/{}/merge", one.post), json!({ "into": one.post })).await;
    assert_eq!(itself.status, 422, "{}", itself.text);
    let merged = us.post(&format!("/api/v1/posts/{}/merge", one.post), json!({ "into": other.post })).await;
    assert_eq!(
        (merged.status.as_u16(), merged.json()["accounts"].as_i64()),
        (200, Some(3)),
        "{}",
        merged.text
    );
    let gone = us.get(&format!("/api/v1/posts/{}", one.post)).await.json();
    assert_eq!((gone["state"].as_str(), gone["title"].as_str()), (Some("withdrawn"), Some("")));
    let again = us.post(&format!("/api/v1/posts/{}/merge", one.post), json!({ "into": other.post })).await;
    assert_eq!(again.code(), "post_withdrawn");
    let split = us.post(&format!("/api/v1/evidence/{}/split", one.evidence[0]), json!({})).await;
    assert_eq!(
        (split.status.as_u16(), split.json()["title"].as_str()),
        (201, Some("print it")),
        "{}",
        split.text
    );
    let left = us.get(&format!("/api/v1/posts/{}", other.post)).await.json();
    assert_eq!(left["accounts"], 2);
    assert_eq!(world.number("select count(*) from evidence_partings").await, 1);
    let last = us.post(&format!("/api/v1/evidence/{}/split", one.evidence[0]), json!({})).await;
    assert_eq!(last.status, 422, "the last wish of a post stays: {}", last.text);
    world.finish().await;
}

/// One of the posts that would do harm in a spreadsheet.
async fn harmful(world: &World) {
    sqlx::query("update posts set title = '=HYPERLINK(\"http://evil.example\")' where title = 'harm'")
        .execute(world.db.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_export_holds_every_post_of_the_filter_and_no_formula() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    asked(&world, &acme, "harm", "published", &["a.example"]).await;
    harmful(&world).await;
    sqlx::query(
        "insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, state, analyzer, created_at, updated_at)
         select gen_random_uuid(), b.organization_id, b.id, 'post ' || n, '', '', 'bug', 'neutral', 'low', '', 'published', 'basic/1', now(), now()
         from boards b, generate_series(1, 250) n",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    let csv = acme.browser.get("/api/v1/posts/export?format=csv").await;
    assert_eq!((csv.status.as_u16(), csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").contains("posts.csv"));
    assert_eq!(csv.text.matches("\r\n").count(), 252, "a head and a line a post, over three pages");
    assert!(csv.text.contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""));
    assert!(!csv.text.contains(",\"="));
    let json = acme.browser.get("/api/v1/posts/export?format=json&kind=bug").await;
    assert_eq!(json.json().as_array().map(Vec::len), Some(250));
    let bad = acme.browser.get("/api/v1/posts/export?format=xml").await;
    assert_eq!((bad.status.as_u16(), bad.json()["errors"][0]["field"].as_str()), (422, Some("format")));
    assert_eq!(world.number("select count(*) from audit_log where action = 'posts.exported'").await, 2);
    world.finish().await;
}
