//! Work that was given up: seen, tried again, discarded; each once, each with its line in the audit log.

use std::{path::PathBuf, process::Command};

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Browser, Org, World};
use uuid::Uuid;

use crate::support::{dead_letter, person, still_world};

const PAGE: &str = "/settings/dead-letters";

/// Letters of a kind and reason.
async fn bury(world: &World, org: &Org, (kind, code): (&str, &str), number: i32) {
    sqlx::query(
        "insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code)
         select gen_random_uuid()::text, $1, 'nobody', $2, gen_random_uuid(), gen_random_uuid()::text, 0, n % 8 + 1, 8, $3
         from generate_series(1, $4) n",
    )
    .bind(org.id)
    .bind(kind)
    .bind(code)
    .bind(number)
    .execute(world.db.pool())
    .await
    .unwrap();
}

async fn jobs(world: &World) -> i64 {
    world.number("select count(*) from apalis.jobs where job_type = 'nobody'").await
}

async fn groups(browser: &Browser) -> Vec<Value> {
    let answer = browser.get("/api/v1/dead-letters/groups").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().cloned().unwrap()
}

async fn many(browser: &Browser, act: &str, body: Value) -> u64 {
    let key = format!("\"{}\"", Uuid::new_v4());
    let path = format!("/api/v1/dead-letters/{act}");
    let answer = browser.api_with(Method::POST, &path, &[("idempotency-key", &key)], Some(body)).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    answer.json()["jobs"].as_u64().unwrap()
}

#[tokio::test]
async fn job_11_letters_are_counted_by_kind_and_reason_and_retried_or_discarded_together() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let zeta = world.organization("zeta").await;
    bury(&world, &acme, ("backfill", "gong_refused"), 7).await;
    bury(&world, &acme, ("poll", "gong_refused"), 2).await;
    bury(&world, &acme, ("poll", "attempts_exhausted"), 3).await;
    bury(&world, &zeta, ("poll", "gong_refused"), 5).await;
    let counted: Vec<(String, i64)> = groups(&acme.api)
        .await
        .iter()
        .map(|g| {
            (
                format!("{} {}", g["kind"].as_str().unwrap(), g["code"].as_str().unwrap()),
                g["open"].as_i64().unwrap(),
            )
        })
        .collect();
    let group = |name: &str, open| (name.to_owned(), open);
    assert_eq!(
        counted,
        [
            group("backfill gong_refused", 7),
            group("poll attempts_exhausted", 3),
            group("poll gong_refused", 2)
        ]
    );
    assert_eq!(many(&acme.api, "retry", json!({ "kind": "poll", "code": "gong_refused" })).await, 2);
    assert_eq!(many(&acme.api, "retry", json!({ "kind": "poll", "code": "gong_refused" })).await, 0, "once");
    assert_eq!(jobs(&world).await, 2);
    assert_eq!(many(&acme.api, "discard", json!({ "kind": "poll", "reason": "not needed" })).await, 3);
    assert_eq!(many(&acme.api, "retry", json!({})).await, 7);
    assert_eq!(jobs(&world).await, 9);
    assert!(groups(&acme.api).await.is_empty());
    assert_eq!(groups(&zeta.api).await.len(), 1, "those of others lie as they lay");
    let listed = acme.api.get("/api/v1/dead-letters?state=discarded&kind=poll").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert!(listed["items"].as_array().unwrap().iter().all(|l| l["closed_reason"] == "not needed"));
    assert_eq!(acme.api.get("/api/v1/dead-letters?state=gone").await.status, 422);
    let mut world = world;
    world.stop().await;
}

#[tokio::test]
async fn job_11_a_lost_answer_to_a_bulk_retry_does_not_retry_what_died_since() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    bury(&world, &acme, ("poll", "gong_refused"), 4).await;
    let retry = || async {
        let path = "/api/v1/dead-letters/retry";
        acme.api.api_with(Method::POST, path, &[("idempotency-key", "\"one\"")], Some(json!({}))).await
    };
    let first = retry().await;
    bury(&world, &acme, ("poll", "gong_refused"), 6).await;
    assert_eq!(retry().await.text, first.text);
    assert_eq!((first.json()["jobs"].as_u64(), jobs(&world).await), (Some(4), 4));
    let mut world = world;
    world.stop().await;
}

#[tokio::test]
async fn job_11_the_page_shows_what_why_how_often_and_does_what_its_buttons_say() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let empty = acme.browser.get(PAGE).await;
    assert!(empty.text.contains("Everything works"), "an empty page says so");
    bury(&world, &acme, ("backfill", "gong_refused"), 30).await;
    let one = dead_letter(&world, &acme).await;
    let page = acme.browser.get(PAGE).await.text;
    for words in [
        "Bringing in history",
        "30 jobs",
        "up to 8 attempts each",
        "Looking for new calls",
        "gong_refused",
        "Try all again",
    ] {
        assert!(page.contains(words), "the page lacks {words}");
    }
    assert!(page.contains("Older"), "25 on a page");
    let retried = acme.browser.form(&format!("{PAGE}/{one}/retry"), &[]).await;
    assert_eq!((retried.status.as_u16(), retried.location().query()), (303, Some("done=job-retried")));
    let twice = acme.browser.form(&format!("{PAGE}/{one}/retry"), &[]).await;
    assert_eq!(twice.location().query(), Some("done=jobs-none"), "a double click is one");
    assert_eq!(jobs(&world).await, 1);
    let about = [("kind", "backfill"), ("code", "gong_refused")];
    let question = acme.browser.get(&format!("{PAGE}/discard?kind=backfill&code=gong_refused")).await.text;
    assert!(question.contains("Discard 30 jobs?") && question.contains("Why is it not needed?"));
    let silent = acme.browser.form(&format!("{PAGE}/discard"), &about).await;
    assert_eq!(silent.status, 422, "a reason is needed");
    let all = [about[0], about[1], ("reason", "the company left")];
    let gone = acme.browser.form(&format!("{PAGE}/discard"), &all).await;
    assert_eq!(gone.location().query(), Some("done=jobs-discarded"), "{}", gone.text);
    assert!(acme.browser.get(PAGE).await.text.contains("Everything works"));
    assert!(acme.browser.get(&format!("{PAGE}?show=all")).await.text.contains("the company left"));
    for path in ["retry", "discard"] {
        let nothing = acme.browser.form(&format!("{PAGE}/{path}"), &[("reason", "x")]).await;
        assert_eq!(nothing.status, 404, "an empty form means nothing, not everything");
    }
    let member = person(&world, &acme, "member").await;
    assert_eq!(member.browser.get(PAGE).await.status, 403);
    assert!(!member.browser.get("/").await.text.contains(PAGE), "no link to what is not theirs");
    let mut world = world;
    world.stop().await;
}

fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent()
        .and_then(std::path::Path::parent)
        .unwrap()
        .join(format!("soundpost{}", std::env::consts::EXE_SUFFIX))
}

#[tokio::test]
async fn job_11_the_command_line_counts_retries_and_discards() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    bury(&world, &acme, ("poll", "gong_refused"), 3).await;
    bury(&world, &acme, ("sweep", "gong_refused"), 2).await;
    let run = |words: &[&str]| {
        let done = Command::new(program())
            .args(["jobs", "dead"])
            .args(words)
            .env_clear()
            .env("DATABASE_URL", &world.database.url)
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (_, counted) = run(&["count", "--json"]);
    let first: Value = serde_json::from_str(counted.lines().next().unwrap()).unwrap();
    assert_eq!((first["kind"].as_str(), first["open"].as_i64()), (Some("poll"), Some(3)));
    assert_eq!(run(&["list", "--kind", "sweep"]).1.lines().count(), 2);
    assert_eq!(run(&["retry"]).0, Some(2), "which ones has to be said");
    assert_eq!(run(&["retry", "--all", "--kind", "poll"]).0, Some(2));
    assert_eq!(run(&["discard", "--all"]).0, Some(2), "a reason is needed");
    assert_eq!(run(&["retry", "--kind", "poll"]), (Some(0), "3 jobs run again\n".to_owned()));
    assert_eq!(run(&["discard", "--all", "--reason", "old"]), (Some(0), "2 jobs are discarded\n".to_owned()));
    assert_eq!(run(&["list"]).1, "");
    assert_eq!(run(&["list", "--all"]).1.lines().count(), 5);
    let mut world = world;
    world.stop().await;
}
