//! TEN-15, TOK-23: what happens to a connection without a person stands in the activity, once, with its reason.

use std::time::Duration;

use gong_sim::{Endpoint, Rule, What};
use serde_json::{Value, json};
use stories::{Org, World};

use crate::support::{UNTIL_DUE, sealed, write_sealed};

/// Lines of the activity with this action.
async fn lines(org: &Org, action: &str) -> Vec<Value> {
    let answer = org.api.get("/api/v1/activity?limit=100").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let all = answer.json()["items"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|line| line["action"] == action).collect()
}

/// The one line that tells this, by Soundpost itself and for this reason.
async fn told_once(org: &Org, action: &str, reason: &str) {
    let lines = lines(org, action).await;
    assert_eq!(lines.len(), 1, "{action}: {lines:#?}");
    assert_eq!(lines[0]["actor_kind"], "job", "{lines:#?}");
    assert_eq!(lines[0]["detail"]["reason"], reason, "{lines:#?}");
    assert_eq!(lines[0]["target"], org.api.gong().await["id"], "{lines:#?}");
    assert_eq!(lines[0]["detail"]["security"], action == "gong.quarantined", "{lines:#?}");
    org.browser.log_in(&org.email, stories::PASSWORD).await;
    let page = org.browser.get("/activity").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Soundpost itself") && page.text.contains(reason), "{}", page.text);
}

#[tokio::test]
async fn ten_15_a_refused_refresh_token_stands_in_the_activity_once() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.sim.revoke(acme.company);

    world.pass(UNTIL_DUE).await;
    world.pass(Duration::from_secs(3600)).await;

    assert_eq!(acme.api.gong().await["status"], "reconnect_required");
    told_once(&acme, "gong.reconnect_required", "authorization_revoked").await;
    world.finish().await;
}

#[tokio::test]
async fn ten_15_a_connection_that_is_stopped_for_safety_stands_in_the_activity_once() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    let mut row = sealed(&world, &acme).await;
    row.access_sealed = row.refresh_sealed.clone().unwrap();
    write_sealed(&world, &acme, &row).await;

    for _ in 0..2 {
        world.pass(Duration::from_secs(4 * 3600)).await;
    }

    assert_eq!(acme.api.gong().await["reason"], "credential_misplaced");
    told_once(&acme, "gong.quarantined", "credential_misplaced").await;
    assert!(lines(&acme, "gong.paused").await.is_empty(), "no person paused it");
    world.finish().await;
}

#[tokio::test]
async fn tok_23_a_token_service_that_is_gone_for_four_days_is_told_to_an_admin() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.sim.fault(Rule::always(Endpoint::Token, What::Status(503)));

    for _ in 0..15 {
        world.pass(Duration::from_secs(6 * 3600)).await;
        assert_eq!(acme.api.gong().await["status"], "connected", "it may still come back");
    }
    assert_eq!(acme.api.gong().await["last_error"]["code"], "gong_unavailable");
    for _ in 0..2 {
        world.pass(Duration::from_secs(6 * 3600)).await;
    }

    let status = acme.api.gong().await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("reconnect_required"), &json!("refresh_exhausted"))
    );
    told_once(&acme, "gong.reconnect_required", "refresh_exhausted").await;
    world.finish().await;
}

#[tokio::test]
async fn tok_23_two_jobs_that_are_refused_at_once_try_one_new_token_together() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.pass(Duration::from_secs(3_600)).await;
    // The look and the daily sweep fall due together, and both have sent their request before either is answered.
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Stall(400)));
    sqlx::query("update gong_schedules set next_poll_at = $1, next_sweep_at = $1")
        .bind(world.rooms.ambient.now())
        .execute(world.db.pool())
        .await
        .unwrap();
    world.sim.clear_memory();

    let refusing = async {
        loop {
            world.sim.expire_access_tokens(acme.company);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let passing = async {
        world.pass(Duration::from_secs(1)).await;
        for _ in 0..3 {
            world.pass(Duration::from_secs(10)).await;
        }
    };
    tokio::select! {
        () = refusing => {}
        () = passing => {}
    }

    let requests = world.sim.requests();
    let refused = requests.iter().filter(|r| r.status == Some(401)).count();
    assert_eq!(refused, 3, "two with the old token, one with the new: {requests:#?}");
    assert_eq!(requests.iter().filter(|r| r.endpoint == Endpoint::Token).count(), 1, "{requests:#?}");
    assert_eq!(requests.len(), 4, "{requests:#?}");
    assert_eq!(acme.api.gong().await["reason"], "access_refused");
    told_once(&acme, "gong.reconnect_required", "access_refused").await;
    world.finish().await;
}
