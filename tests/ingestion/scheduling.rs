//! Who is looked at when: slots, intervals, pauses, workspaces, estimates and progress.

use std::{collections::HashMap, time::Duration};

use gong_sim::NewCall;
use reqwest::Method;
use serde_json::json;
use stories::World;

use crate::support::*;

const GONG: &str = "/api/v1/integrations/gong";

#[tokio::test]
async fn job_21_four_schedulers_send_one_poll_a_slot() {
    let world = World::start().await;
    let mut orgs = Vec::new();
    for name in ["acme", "globex", "initech"] {
        orgs.push(connected(&world, name, None).await);
    }
    let polls = "select connection_id::text, count(*) from gong_runs where kind = 'poll' group by 1";
    let count = async || -> HashMap<String, i64> {
        let rows: Vec<(String, i64)> = sqlx::query_as(polls).fetch_all(world.db.pool()).await.unwrap();
        rows.into_iter().collect()
    };
    let before = count().await;
    const SLOTS: i64 = 12;
    for _ in 0..SLOTS {
        world.wait(4 * HOUR);
        let look = || jobs::schedule::look_once(&world.rooms);
        let again = || jobs::schedule::reconcile_once(&world.rooms);
        let looks = tokio::join!(look(), look(), again(), look(), look(), again());
        looks.0.unwrap();
        looks.1.unwrap();
        looks.2.unwrap();
        looks.3.unwrap();
        looks.4.unwrap();
        looks.5.unwrap();
        world.settle().await;
    }
    for (connection, polls) in count().await {
        assert_eq!(polls - before[&connection], SLOTS, "{connection}");
    }
    world.finish().await;
}

#[tokio::test]
async fn job_21_a_poll_that_is_running_while_the_reconciler_looks_is_not_repeated() {
    let world = world_at(3.0).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(400, 2));
    world.connect(&acme, Some(7)).await;
    world.settle().await;
    let polls = "select count(*) from gong_runs where kind = 'poll'";
    let before = world.number(polls).await;
    world.wait(4 * HOUR);
    jobs::schedule::look_once(&world.rooms).await.unwrap();
    let running = "select count(*) from gong_runs where kind = 'poll' and state = 'running'";
    assert!(until(Duration::from_secs(5), async || world.number(running).await == 1).await);
    jobs::schedule::reconcile_once(&world.rooms).await.unwrap();
    world.settle().await;
    world.pass(5 * MINUTE).await;
    assert_eq!(world.number(polls).await, before + 1);
    world.finish().await;
}

#[tokio::test]
async fn a_lost_wake_up_is_made_up_for() {
    let mut world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(120, 20));
    world.connect(&acme, Some(30)).await;
    sqlx::query("delete from apalis.jobs").execute(world.db.pool()).await.unwrap();
    world.work();
    world.pass(MINUTE).await;
    world.pass(3 * MINUTE).await;
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn a_connection_has_its_own_poll_interval_when_it_wants_one() {
    let world = World::start().await;
    let often = connected(&world, "often", None).await;
    let usual = connected(&world, "usual", None).await;
    for bad in [json!(299), json!(86_401), json!("x"), json!(-1)] {
        let answer = often.api.api(Method::PATCH, GONG, Some(json!({ "poll_every_seconds": bad }))).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], "poll_every_seconds");
    }
    let answer = often.api.api(Method::PATCH, GONG, Some(json!({ "poll_every_seconds": 600 }))).await;
    assert_eq!(answer.json()["poll"]["every_seconds"], 600, "{}", answer.text);
    without_sweeps(&world).await;
    world.sim.clear_memory();
    for _ in 0..12 {
        world.pass(10 * MINUTE).await;
    }
    assert!((11..=13).contains(&asked(&world, &often).0), "{:?}", asked(&world, &often));
    assert!(asked(&world, &usual).0 <= 2, "{:?}", asked(&world, &usual));
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_asked_while_paused_and_nothing_is_missing_afterwards() {
    let world = world_at(30.0).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(900, 50));
    world.connect(&acme, Some(60)).await;
    assert!(until(Duration::from_secs(10), async || asked(&world, &acme).0 >= 3).await);
    let answer = acme.api.api(Method::PATCH, GONG, Some(json!({ "paused": true }))).await;
    assert_eq!(answer.json()["status"], "paused", "{}", answer.text);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = asked(&world, &acme);
    let missed = world.sim.add_call(acme.company, NewCall::new().say(0, "While you were away."));
    // Longer than any overlap reaches back.
    for _ in 0..4 {
        world.pass(5 * DAY).await;
    }
    assert_eq!(asked(&world, &acme), before);
    acme.api.api(Method::PATCH, GONG, Some(json!({ "paused": false }))).await;
    world.settle().await;
    world.pass(4 * HOUR).await;
    assert!(held_ids(&acme).await.contains(&missed));
    assert_all_here(&world, &acme).await;
    assert_eq!(acme.api.gong().await["backfill"]["state"], "done");
    world.finish().await;
}

#[tokio::test]
async fn a_pause_before_the_first_poll_leaves_no_gap() {
    let mut world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(7)).await;
    let pause = |paused: bool| acme.api.api(Method::PATCH, GONG, Some(json!({ "paused": paused })));
    assert_eq!(pause(true).await.status, 200);
    world.wait(HOUR);
    let call = world.sim.add_call(acme.company, NewCall::new().say(0, "In the gap."));
    world.wait(20 * DAY);
    assert_eq!(pause(false).await.status, 200);
    world.work();
    world.settle().await;
    assert!(held_ids(&acme).await.contains(&call));
    world.finish().await;
}

#[tokio::test]
async fn only_calls_of_the_selected_workspaces_are_imported() {
    let world = World::start().await;
    let acme = connected(&world, "acme", None).await;
    let chosen = world.sim.workspaces(acme.company).remove(1);
    let body = json!({ "selected_workspaces": [chosen] });
    assert_eq!(acme.api.api(Method::PATCH, GONG, Some(body)).await.status, 200);
    let empty = acme.api.api(Method::PATCH, GONG, Some(json!({ "selected_workspaces": [] }))).await;
    assert_eq!(empty.json()["errors"][0]["field"], "selected_workspaces", "{}", empty.text);
    world.pass(HOUR).await;
    let inside = world.sim.add_call(acme.company, NewCall::new().workspace(1).say(0, "Inside."));
    let outside = world.sim.add_call(acme.company, NewCall::new().workspace(0).say(0, "Outside."));
    world.pass(4 * HOUR).await;
    assert_eq!(held_ids(&acme).await, [inside.clone()].into());
    assert!(!world.sim.transcripts_asked(acme.company).contains(&outside));

    // All workspaces again: the next poll finds what lies in its overlap.
    acme.api.api(Method::PATCH, GONG, Some(json!({ "selected_workspaces": null }))).await;
    world.pass(4 * HOUR).await;
    assert_eq!(held_ids(&acme).await, [inside, outside].into());
    world.finish().await;
}

#[tokio::test]
async fn an_estimate_says_what_is_known_before_a_backfill() {
    let mut options = stories::WorldOptions::default();
    options.defaults.per_second = 2.5;
    options.defaults.per_day = 1_000;
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    let estimate = async || acme.api.get(&format!("{GONG}/estimate?days=30")).await.json();
    let unknown = estimate().await;
    assert!(unknown["calls_known"].is_null(), "{unknown}");
    assert_eq!((&unknown["days"], &unknown["per_1000_calls_requests"]), (&json!(30), &json!(20)));
    assert_eq!((&unknown["per_1000_calls_seconds"], &unknown["budget_left_today"]), (&json!(8), &json!(800)));
    world.sim.generate(acme.company, &plain(150, 20));
    world.connect(&acme, Some(30)).await;
    world.settle().await;
    let known = estimate().await;
    assert_eq!(known["calls_known"], 150);
    let (lists, transcripts) = asked(&world, &acme);
    let left = known["budget_left_today"].as_u64().unwrap();
    assert!((798 - lists - transcripts..=800 - lists - transcripts).contains(&left), "{known}");
    world.finish().await;
}

#[tokio::test]
async fn progress_never_goes_back_and_ends_at_100_with_the_true_counts() {
    let world = world_at(40.0).await;
    let acme = world.organization("acme").await;
    let mut options = plain(1_000, 50);
    options.private_share = 0.1;
    world.sim.generate(acme.company, &options);
    world.connect(&acme, Some(60)).await;
    let (mut last, mut seen) = (0.0, Vec::new());
    let done = until(Duration::from_secs(30), async || {
        let backfill = acme.api.gong().await["backfill"].clone();
        let percent = backfill["percent"].as_f64().unwrap();
        assert!(percent >= last, "{percent} after {last}");
        assert!(backfill["state"] == "done" || percent < 100.0, "{backfill}");
        if percent > last {
            seen.push(percent);
        }
        last = percent;
        backfill["state"] == "done"
    });
    assert!(done.await);
    assert!(seen.len() >= 5, "{seen:?}");
    let status = acme.api.gong().await;
    let (backfill, counts) = (&status["backfill"], &status["counts"]);
    let public = public_ids(&world, &acme).len();
    assert_eq!(backfill["percent"], 100.0);
    assert_eq!((&backfill["total"], &backfill["listed"]), (&json!(1_000), &json!(1_000)), "{status}");
    assert_eq!(
        (&backfill["calls_new"], &backfill["skipped_private"]),
        (&json!(public), &json!(1_000 - public))
    );
    assert_eq!(
        (&backfill["transcripts_stored"], &counts["stored"]),
        (&json!(public), &json!(public)),
        "{status}"
    );
    let (lists, transcripts) = asked(&world, &acme);
    assert_eq!(backfill["requests_used"], lists + transcripts, "{status}");
    assert_eq!(counts["private"], 1_000 - public);
    world.finish().await;
}
