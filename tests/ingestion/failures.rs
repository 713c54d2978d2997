//! What Gong answers when it is not well, and what becomes of work that cannot be done.

use std::time::Duration;

use gong_sim::{Endpoint, NewCall, Rule, What, When};
use serde_json::{Value, json};
use stories::{Org, World};

use crate::support::*;

fn refused() -> What {
    What::StatusWith { status: 400, error: "canary-of-gong: no such field".into(), retry_after: None }
}

async fn letters(org: &Org) -> Vec<Value> {
    org.api.get("/api/v1/dead-letters").await.json()["items"].as_array().unwrap().clone()
}

async fn retry(org: &Org, letter: &Value) -> u16 {
    let path = format!("/api/v1/dead-letters/{}/retry", letter["id"].as_str().unwrap());
    org.api.post(&path, json!({})).await.status.as_u16()
}

/// A connected organization whose backfill Gong refuses for good.
async fn refused_backfill(world: &World, name: &str) -> Org {
    let org = world.organization(name).await;
    world.sim.generate(org.company, &plain(120, 20));
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, refused()));
    world.connect(&org, Some(30)).await;
    world.settle().await;
    org
}

#[tokio::test]
async fn job_11_a_permanent_failure_becomes_one_dead_letter_and_is_said_aloud() {
    let mut world = World::start().await;
    let acme = refused_backfill(&world, "acme").await;
    let dead = letters(&acme).await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!((&dead[0]["kind"], &dead[0]["code"]), (&json!("backfill"), &json!("gong_bad_request")));
    let status = acme.api.gong().await;
    assert_eq!(status["last_error"]["code"], "gong_bad_request", "{status}");

    // Nobody sends it again and again: it waits for a person. Looks at fresh calls would fail on their own.
    sqlx::query(
        "update gong_schedules set next_poll_at = next_poll_at + interval '1 day', next_sweep_at = next_sweep_at + interval '1 day'",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    let (before, _) = asked(&world, &acme);
    for _ in 0..5 {
        world.pass(3 * MINUTE).await;
    }
    assert_eq!(asked(&world, &acme).0, before);
    assert_eq!(letters(&acme).await.len(), 1);
    assert_eq!(tables_with(&world, "canary-of-gong").await, [].into(), "dead letters hold no content");
    world.stop().await;
}

#[tokio::test]
async fn job_11_a_double_click_on_retry_has_one_effect() {
    let world = World::start().await;
    let acme = refused_backfill(&world, "acme").await;
    let letter = letters(&acme).await.remove(0);
    world.sim.clear_faults();
    world.sim.clear_memory();
    let (first, second) = tokio::join!(retry(&acme, &letter), retry(&acme, &letter));
    let mut answers = [first, second];
    answers.sort_unstable();
    assert_eq!(answers, [202, 409]);
    world.settle().await;
    assert_all_here(&world, &acme).await;
    assert_eq!(asked(&world, &acme), (2, 2), "two pages and two batches, once");
    assert_eq!(letters(&acme).await[0]["state"], "retried");
    assert_eq!(retry(&acme, &letter).await, 409);
    assert!(acme.api.gong().await["last_error"].is_null());
    world.finish().await;
}

#[tokio::test]
async fn job_11_all_letters_are_retried_at_once_and_each_job_runs_once() {
    let world = World::start().await;
    let mut orgs = Vec::new();
    for name in ["acme", "globex", "initech"] {
        orgs.push(refused_backfill(&world, name).await);
    }
    world.sim.clear_faults();
    for sent in [3, 0] {
        let mut fleet = world.db.fleet().await.unwrap();
        assert_eq!(
            queue::retry_all(&mut fleet, queue::Letters { kind: Some("backfill"), code: None })
                .await
                .unwrap(),
            sent
        );
        fleet.commit().await.unwrap();
    }
    world.settle().await;
    for org in &orgs {
        assert_eq!(held_ids(org).await, public_ids(&world, org));
    }
    world.finish().await;
}

#[tokio::test]
async fn job_11_a_discarded_letter_stays_closed_with_its_reason() {
    let world = World::start().await;
    let acme = refused_backfill(&world, "acme").await;
    let letter = letters(&acme).await.remove(0);
    let path = format!("/api/v1/dead-letters/{}/discard", letter["id"].as_str().unwrap());
    let reason = |text: &str| json!({ "reason": text });
    assert_eq!(acme.api.post(&path, reason("  ")).await.status, 422);
    assert_eq!(acme.api.post(&path, reason("Gong was told")).await.status, 204);
    assert_eq!(acme.api.post(&path, reason("once more")).await.status, 409);
    assert_eq!(retry(&acme, &letter).await, 409);
    let letter = letters(&acme).await.remove(0);
    assert_eq!((&letter["state"], &letter["closed_reason"]), (&json!("discarded"), &json!("Gong was told")));
    world.finish().await;
}

#[tokio::test]
async fn job_11_a_refused_poll_ends_and_the_next_one_begins_anew() {
    let mut world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    without_sweeps(&world).await;
    world.sim.fault(Rule::once(Endpoint::CallsExtensive, refused()).when(When::Next(1)));
    world.pass(4 * HOUR).await;
    assert_eq!(letters(&acme).await.len(), 1);
    assert_eq!(
        world.number("select count(*) from gong_runs where kind = 'poll' and state = 'failed'").await,
        1
    );
    world.sim.add_call(acme.company, NewCall::new().say(0, "Still here."));
    world.pass(4 * HOUR).await;
    assert_all_here(&world, &acme).await;
    assert_eq!(letters(&acme).await.len(), 1);
    world.stop().await;
}

/// Everything goes wrong three times, on the list and on transcripts; then the rest comes by itself.
async fn spoilt(what: What, code: &str) {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(250, 20));
    for endpoint in [Endpoint::CallsExtensive, Endpoint::Transcript] {
        world.sim.fault(Rule::always(endpoint, what.clone()).when(When::Every(2)));
    }
    world.connect(&acme, Some(30)).await;
    let mut noticed = false;
    for _ in 0..40 {
        world.settle().await;
        // A walk that begins again repeats the call at which the last page ended.
        let rows = held_ids(&acme).await.len();
        assert!([0, 100, 199, 200, 250].contains(&rows), "a page is committed whole or not at all: {rows}");
        let status = acme.api.gong().await;
        noticed |= status["last_error"]["code"] == code;
        if status["backfill"]["state"] == "done" {
            break;
        }
        world.pass(30 * Duration::from_secs(1)).await;
    }
    assert!(noticed, "{code} was never shown");
    world.sim.clear_faults();
    assert_all_here(&world, &acme).await;
    assert!(acme.api.gong().await["last_error"].is_null(), "it is over");
    world.finish().await;
}

#[tokio::test]
async fn an_html_page_with_502_is_tried_again_by_itself() {
    spoilt(What::Html(502), "gong_unavailable").await;
}

#[tokio::test]
async fn an_html_page_with_200_is_tried_again_by_itself() {
    spoilt(What::Html(200), "gong_malformed").await;
}

#[tokio::test]
async fn a_truncated_answer_is_tried_again_by_itself() {
    spoilt(What::TruncatedBody, "gong_unavailable").await;
}

#[tokio::test]
async fn an_answer_of_wrong_types_is_tried_again_by_itself() {
    spoilt(What::WrongTypes, "gong_malformed").await;
}

#[tokio::test]
async fn an_answer_without_a_list_is_no_empty_list() {
    spoilt(What::HugeBody(1), "gong_malformed").await;
}

#[tokio::test]
async fn a_huge_answer_is_cut_off_and_tried_again_by_itself() {
    spoilt(What::HugeBody(40), "gong_malformed").await;
}

#[tokio::test]
async fn after_an_outage_of_gong_the_missed_poll_comes_at_once() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Status(500)));
    world.pass(4 * HOUR).await;
    let during = world.sim.add_call(acme.company, NewCall::new().say(0, "During the outage."));
    for _ in 0..5 {
        world.pass(HOUR).await;
    }
    assert_eq!(acme.api.gong().await["last_error"]["code"], "gong_unavailable");
    world.sim.clear_faults();
    world.pass(11 * MINUTE).await;
    assert!(held_ids(&acme).await.contains(&during));
    assert_all_here(&world, &acme).await;
    world.finish().await;
}
