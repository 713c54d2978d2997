//! Changes that name the version they start from, and answers that did not change.

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Answer, Browser};

use crate::support::{person, still_world};

const SETTINGS: &str = "/api/v1/integrations/gong/settings";

async fn change(browser: &Browser, path: &str, tag: Option<&str>, body: Value) -> Answer {
    let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", *tag)).collect();
    browser.api_with(Method::PATCH, path, &headers, Some(body)).await
}

#[tokio::test]
async fn api_06_a_change_from_an_old_version_is_refused_and_says_who_was_faster() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    assert_eq!(acme.browser.get(SETTINGS).await.status, 404, "nothing is connected");
    world.connect(&acme, None).await;
    let bea = person(&world, &acme, "admin").await;
    let read = acme.browser.get(SETTINGS).await;
    let tag = read.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    let missing = change(&acme.browser, SETTINGS, None, json!({ "poll_every_seconds": 600 })).await;
    assert_eq!((missing.status.as_u16(), missing.code().as_str()), (428, "if_match_missing"));
    let weak = format!("W/{tag}");
    for (stale, status) in [("\"old\"", 412), (weak.as_str(), 412), ("old", 400), ("\"a\" b", 400)] {
        let answer = change(&acme.browser, SETTINGS, Some(stale), json!({ "poll_every_seconds": 600 })).await;
        assert_eq!(answer.status.as_u16(), status, "{stale}: {}", answer.text);
    }
    assert_eq!(acme.browser.get(SETTINGS).await.text, read.text, "nothing was changed");
    let done = change(&bea.browser, SETTINGS, Some(&tag), json!({ "poll_every_seconds": 900 })).await;
    assert_eq!((done.status.as_u16(), &done.json()["poll_every_seconds"]), (200, &json!(900)));
    assert_ne!(done.header("etag"), tag);
    let late = change(&acme.browser, SETTINGS, Some(&tag), json!({ "overlap_seconds": 7200 })).await;
    assert_eq!((late.status.as_u16(), late.code().as_str()), (412, "changed_meanwhile"));
    assert!(late.json()["detail"].as_str().unwrap().starts_with(&bea.email), "{}", late.text);
    let list = format!("\"old\", {}", done.header("etag"));
    let second = change(&acme.browser, SETTINGS, Some(&list), json!({ "overlap_seconds": 7200 })).await;
    assert_eq!(second.json()["overlap_seconds"], 7200, "{}", second.text);
    assert_eq!(second.json()["poll_every_seconds"], 900, "nothing is lost");
    // Elsewhere the header is heeded when it is there.
    let old = "/api/v1/integrations/gong";
    assert_eq!(change(&acme.browser, old, Some(&tag), json!({ "paused": true })).await.status, 412);
    assert_eq!(change(&acme.browser, old, None, json!({ "paused": true })).await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn api_06_one_of_many_changes_from_one_version_wins() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let tag = acme.api.get(SETTINGS).await.header("etag").to_owned();
    let all = (0..20).map(|n| {
        let (browser, tag) = (acme.api.clone(), tag.clone());
        tokio::spawn(async move {
            let body = json!({ "poll_every_seconds": 600 + n });
            change(&browser, SETTINGS, Some(&tag), body).await.status.as_u16()
        })
    });
    let (mut won, mut lost) = (0, 0);
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            200 => won += 1,
            412 => lost += 1,
            status => panic!("{status}"),
        }
    }
    assert_eq!((won, lost), (1, 19));
    let mut world = world;
    world.stop().await;
}

#[tokio::test]
async fn api_06_a_member_has_a_version_too() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let bea = person(&world, &acme, "member").await;
    let path = format!("/api/v1/members/{}", bea.id);
    let tag = acme.browser.get(&path).await.header("etag").to_owned();
    assert_eq!(change(&acme.browser, &path, Some(&tag), json!({ "role": "admin" })).await.status, 204);
    assert_eq!(change(&acme.browser, &path, Some(&tag), json!({ "role": "viewer" })).await.status, 412);
    assert_eq!(acme.browser.get(&path).await.json()["role"], "admin");
    assert_eq!(change(&acme.browser, &path, Some("*"), json!({ "role": "viewer" })).await.status, 204);
    let nobody = format!("/api/v1/members/usr_{}", "7".repeat(32));
    assert_eq!(acme.browser.get(&nobody).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn api_06_what_did_not_change_is_not_sent_again() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for path in [
        "/api/v1/integrations/gong",
        "/api/v1/calls",
        "/api/v1/members",
        "/api/v1/api-keys?limit=3",
        "/api/v1/me",
    ] {
        let first = acme.browser.get(path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        for known in [tag.as_str(), "*", &format!("\"x\", {tag}")] {
            let again = acme.browser.send(Method::GET, path, &[("if-none-match", known)], None).await;
            assert_eq!((again.status.as_u16(), again.text.len()), (304, 0), "{path} {known}");
            assert_eq!((again.header("etag"), again.header("cache-control")), (tag.as_str(), "no-store"));
        }
        for unknown in ["W/\"other\"", "nonsense", "\"\""] {
            let again = acme.browser.send(Method::GET, path, &[("if-none-match", unknown)], None).await;
            assert_eq!((again.status.as_u16(), &again.text), (200, &first.text), "{path} {unknown}");
        }
    }
    let tag = acme.browser.get("/api/v1/members").await.header("etag").to_owned();
    person(&world, &acme, "viewer").await;
    let changed = acme.browser.send(Method::GET, "/api/v1/members", &[("if-none-match", &tag)], None).await;
    assert_eq!(changed.status, 200, "what changed is sent");
    let refused = world.browser().send(Method::GET, "/api/v1/members", &[("if-none-match", "*")], None).await;
    assert_eq!(refused.status, 401, "nobody is told that nothing changed");
    world.finish().await;
}

#[tokio::test]
async fn uix_13_the_second_of_two_admins_is_told_and_loses_nothing() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let bea = person(&world, &acme, "admin").await;
    let (page, form) = ("/settings/integrations/gong", "/settings/integrations/gong/settings");
    let version = |html: &str| {
        let at = html.split("name=\"version\" value=\"").nth(1).expect("the form has a version");
        at.split('"').next().unwrap().to_owned()
    };
    let ours = version(&acme.browser.get(page).await.text);
    let theirs = version(&bea.browser.get(page).await.text);
    assert_eq!(ours, theirs);
    let first =
        [("poll_every_seconds", "900"), ("overlap_seconds", ""), ("workspaces", "all"), ("version", &theirs)];
    assert_eq!(bea.browser.form(form, &first).await.status, 303);
    let mine = [
        ("poll_every_seconds", "7200"),
        ("overlap_seconds", "86400"),
        ("workspaces", "all"),
        ("version", &ours),
    ];
    let second = acme.browser.form(form, &mine).await;
    assert_eq!(second.status, 412, "{}", second.text);
    assert!(second.text.contains(&bea.email), "who was faster");
    assert!(second.text.contains("15 minutes") && second.text.contains("2 hours"), "what differs");
    assert!(second.text.contains("<option value=\"7200\" selected"), "what was chosen stays chosen");
    assert!(second.text.contains("<option value=\"86400\" selected"));
    let settings = acme.browser.get(SETTINGS).await.json();
    assert_eq!((&settings["poll_every_seconds"], &settings["overlap_seconds"]), (&json!(900), &Value::Null));
    // Saving what is shown now is a decision.
    let now = version(&second.text);
    let again = [
        ("poll_every_seconds", "7200"),
        ("overlap_seconds", "86400"),
        ("workspaces", "all"),
        ("version", &now),
    ];
    assert_eq!(acme.browser.form(form, &again).await.status, 303);
    assert_eq!(acme.browser.get(SETTINGS).await.json()["poll_every_seconds"], 7200);
    world.stop().await;
}
