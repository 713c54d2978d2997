//! The end of a connection, and coming back.

use std::time::Duration;

use gong_sim::{Endpoint, GeneratorOptions, Rule, What};
use kernel::{ConnectionStatus, Scope};
use reqwest::{Method, StatusCode};
use serde_json::json;
use stories::{PASSWORD, World};

use crate::support::{
    MINUTE, api_requests, connection, in_escrow, make_due, record, set_next_slot, still_world, titles,
    token_requests,
};

const GONG: &str = "/api/v1/integrations/gong";

#[tokio::test]
async fn tok_34_after_a_disconnect_nothing_is_left_and_gong_is_not_asked_again() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world
        .sim
        .generate(acme.company, &GeneratorOptions { calls: 600, days: 55, ..GeneratorOptions::default() });
    // Slow enough that the disconnect falls into the middle of the backfill.
    for endpoint in [Endpoint::CallsExtensive, Endpoint::Transcript] {
        world.sim.fault(Rule::always(endpoint, What::Stall(150)));
    }
    world.connect(&acme, Some(60)).await;
    crate::support::until("the backfill is under way", || world.sim.count(Endpoint::CallsExtensive) > 3)
        .await;

    let first = acme.browser.delete(GONG).await;

    assert_eq!(first.status, StatusCode::NO_CONTENT, "{}", first.text);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
    assert_eq!(world.number("select count(*) from gong_company_claims").await, 0);
    let waiting = "select count(*) from apalis.jobs where status = 'Pending'";
    assert_eq!(world.number(waiting).await, 0, "no job is left");
    // What was on its way when the button was pressed may still come in.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (asked, tokens) = (api_requests(&world), token_requests(&world));
    tokio::time::sleep(Duration::from_secs(3)).await;
    for _ in 0..3 {
        world.pass(Duration::from_secs(9 * 3600)).await;
    }
    assert_eq!((api_requests(&world), token_requests(&world)), (asked, tokens));
    assert_eq!(acme.api.gong().await["status"], "disconnected");
    assert!(!acme.api.all_calls().await.is_empty(), "calls stay");
    let second = acme.api.delete(GONG).await;
    assert_eq!(second.status, StatusCode::NO_CONTENT, "{}", second.text);
    let lines = "select count(*) from audit_log where action = 'gong.disconnected'";
    assert_eq!(world.number(lines).await, 1, "the second click does nothing");
    world.finish().await;
}

#[tokio::test]
async fn tok_34_a_refresh_that_races_a_disconnect_leaves_no_credential() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.fault(Rule::always(Endpoint::Token, What::LateAnswer(8)));
    for round in 0..50_u64 {
        world.connect(&acme, None).await;
        make_due(&world, &acme).await;
        set_next_slot(&world, -60.0).await;
        let (scope, id) = (Scope::job(acme.id), connection(&world, &acme).await.id);
        let (connector, gate) = (world.rooms.connector.clone(), world.rooms.gates.of(&scope, id));
        let refresh = tokio::spawn(async move { connector.refresh_if_due(&scope, id, gate).await });
        tokio::time::sleep(Duration::from_micros(round * 700)).await;
        let answer = acme.api.delete(GONG).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        refresh.await.unwrap().unwrap();
        assert_eq!(world.number("select count(*) from gong_credentials").await, 0, "round {round}");
        assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::Disconnected, "round {round}");
    }
    assert_eq!(in_escrow(&world), 0, "nor an answer of Gong's");
    assert!(token_requests(&world) > 60, "they did race: {}", token_requests(&world));
    assert_eq!(world.rooms.connector.replay_escrow().await.unwrap(), 0);
}

#[tokio::test]
async fn tok_34_a_refresh_that_waits_for_its_turn_asks_nothing_after_a_disconnect() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    make_due(&world, &acme).await;
    set_next_slot(&world, 1.5).await;
    let before = token_requests(&world);
    let (scope, id) = (Scope::job(acme.id), connection(&world, &acme).await.id);
    let (connector, gate) = (world.rooms.connector.clone(), world.rooms.gates.of(&scope, id));
    let refresh = tokio::spawn(async move { connector.refresh_if_due(&scope, id, gate).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(acme.api.delete(GONG).await.status, StatusCode::NO_CONTENT);
    refresh.await.unwrap().unwrap();
    assert_eq!(token_requests(&world), before);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
}

#[tokio::test]
async fn tok_34_a_connect_that_was_open_when_somebody_disconnected_is_over() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let begun = acme.browser.begin_connect(None).await.json();
    acme.api.delete(GONG).await;
    let before = token_requests(&world);
    let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    assert_eq!(acme.browser.get(callback.as_str()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(token_requests(&world), before);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
}

#[tokio::test]
async fn tok_35_reconnecting_goes_on_where_it_stopped() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &GeneratorOptions { calls: 40, days: 9, ..GeneratorOptions::default() });
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let settings = json!({ "poll_every_seconds": 7200, "overlap_seconds": 7200 });
    acme.api.api(Method::PATCH, GONG, Some(settings)).await;
    let before = (connection(&world, &acme).await, titles(&acme).await);
    assert!(!before.1.is_empty());

    world.sim.revoke(acme.company);
    world.pass(Duration::from_secs(2 * 3600)).await;
    let status = acme.api.gong().await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&"reconnect_required".into(), &"authorization_revoked".into())
    );
    for day in 0..3 {
        record(&world, &acme, &format!("In the gap, day {day}"));
        world.pass(Duration::from_secs(24 * 3600)).await;
    }
    assert_eq!(titles(&acme).await, before.1, "nothing comes in meanwhile");

    acme.browser.log_in(&acme.email, PASSWORD).await;
    world.connect(&acme, None).await;
    world.settle().await;

    let after = connection(&world, &acme).await;
    assert_eq!((after.id, after.status), (before.0.id, ConnectionStatus::Connected));
    let status = acme.api.gong().await;
    assert_eq!(status["poll"]["every_seconds"], 7200, "{status}");
    assert_eq!(status["poll"]["overlap_seconds"], 7200, "{status}");
    let mut expected = before.1.clone();
    expected.extend((0..3).map(|day| format!("In the gap, day {day}")));
    expected.sort();
    assert_eq!(titles(&acme).await, expected, "the gap is filled, nothing is there twice");
    assert_eq!(world.number("select count(*) from gong_connections").await, 1);
    world.pass(2 * 3600 * MINUTE / 60).await;
    assert_eq!(titles(&acme).await, expected);
    world.finish().await;
}

#[tokio::test]
async fn tok_35_the_same_company_after_a_disconnect_is_the_same_connection() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &GeneratorOptions { calls: 30, days: 9, ..GeneratorOptions::default() });
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let (id, old) = (connection(&world, &acme).await.id, titles(&acme).await);
    acme.browser.delete(GONG).await;
    record(&world, &acme, "While nobody looked");
    world.pass(Duration::from_secs(6 * 3600)).await;
    assert_eq!(titles(&acme).await, old, "calls stay, none come");

    acme.browser.log_in(&acme.email, PASSWORD).await;
    world.connect(&acme, Some(10)).await;
    world.settle().await;

    assert_eq!(connection(&world, &acme).await.id, id);
    let mut expected = old;
    expected.push("While nobody looked".to_owned());
    expected.sort();
    assert_eq!(titles(&acme).await, expected);
    world.finish().await;
}

#[tokio::test]
async fn tok_35_another_company_is_not_taken_for_the_connected_one() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let rival = world.sim.add_company("rival");
    world.connect(&acme, None).await;
    world.settle().await;
    world.sim.set_consent(gong_sim::Consent::Approve(rival));
    let row = crate::support::sealed(&world, &acme).await;
    let answer = acme.browser.connect(None).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.text.contains("remedy-other_company"), "{}", answer.text);
    assert_eq!(crate::support::sealed(&world, &acme).await, row, "the connection that lives is untouched");
    world.finish().await;
}
