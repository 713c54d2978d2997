//! Coming back to a connection: what it was is known again, and what was wrong with it ends with it.

use std::time::Duration;

use gong_sim::{Consent, Endpoint, Rule, What};
use kernel::{ConnectionStatus, Scope};
use reqwest::StatusCode;
use serde_json::{Value, json};
use stories::{Org, PASSWORD, World};

use crate::support::{
    UNTIL_DUE, api_requests, connection, make_due, record, refresh_if_due, sealed, session, still_world,
    token_requests, write_sealed,
};

const GONG: &str = "/api/v1/integrations/gong";
const HOUR: Duration = Duration::from_secs(3600);
const WITHOUT_WORKSPACES: &str =
    "api:calls:read:basic api:calls:read:extensive api:calls:read:transcript api:users:read";
const CLAIMS: &str = "select count(*) from gong_company_claims";

#[tokio::test]
async fn ten_08_a_company_that_is_known_from_before_is_claimed_again_without_a_look_up() {
    let world = World::start().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    world.sim.adjust(|switches| switches.scope_granted = Some(WITHOUT_WORKSPACES.into()));
    world.connect(&acme, None).await;
    record(&world, &acme, "It tells which company this is");
    world.pass(4 * HOUR).await;
    assert_eq!(world.number(CLAIMS).await, 1);
    assert_eq!(acme.api.delete(GONG).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.number(CLAIMS).await, 0);

    for (org, company) in [(&acme, acme.company), (&rival, acme.company)] {
        org.browser.log_in(&org.email, PASSWORD).await;
        world.sim.set_consent(Consent::Approve(company));
        let answer = org.browser.connect(None).await;
        let expected = if org.id == acme.id { StatusCode::SEE_OTHER } else { StatusCode::CONFLICT };
        assert_eq!(answer.status, expected, "{}", answer.text);
        assert_eq!(world.number(CLAIMS).await, 1);
        world.sim.adjust(|switches| switches.scope_granted = None);
    }
    world.finish().await;
}

async fn connect_key(world: &World, org: &Org) {
    let (key, secret) = world.sim.access_key(org.company).unwrap();
    let body = json!({
        "access_key": key, "access_key_secret": secret, "api_base_url": world.sim.api_base(org.company),
    });
    let answer = org.browser.post(&format!("{GONG}/connect-key"), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn tok_36_the_refusal_of_a_key_that_was_replaced_meanwhile_is_not_the_new_ones() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    connect_key(&world, &acme).await;
    let connector = &world.rooms.connector;
    let stale = session(&world, connector, &acme).await.unwrap();
    connect_key(&world, &acme).await;

    let (scope, id) = (Scope::job(acme.id), connection(&world, &acme).await.id);
    let gate = world.rooms.gates.of(&scope, id);
    let outcome = connector.session_after_refusal(&scope, stale, gate.clone(), None).await;
    assert!(outcome.is_ok(), "{:?}", outcome.err());
    assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::Connected);

    let outcome = connector.session_after_refusal(&scope, outcome.unwrap(), gate, None).await;
    assert!(outcome.is_err(), "this one is refused itself");
    assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::ReconnectRequired);
}

#[tokio::test]
async fn tok_20_a_token_service_that_comes_back_after_days_needs_no_admin() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.sim.fault(Rule::always(Endpoint::Token, What::Status(503)));
    for _ in 0..17 {
        world.pass(6 * HOUR).await;
    }
    assert_eq!(acme.api.gong().await["reason"], "refresh_exhausted");

    world.sim.clear_faults();
    record(&world, &acme, "Meanwhile");
    world.pass(HOUR).await;
    let status = acme.api.gong().await;
    assert_eq!((&status["status"], &status["reason"]), (&json!("connected"), &Value::Null), "{status}");
    world.pass(4 * HOUR).await;
    assert!(acme.api.gong().await["last_error"].is_null());
    assert_eq!(crate::support::titles(&acme).await, ["Meanwhile"]);
    world.finish().await;
}

#[tokio::test]
async fn tok_20_our_own_stop_is_no_failure_of_gong() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    let mut fleet = world.db.fleet().await.unwrap();
    db::stop_traffic(&mut fleet, "a drill", world.rooms.ambient.now()).await.unwrap();
    fleet.commit().await.unwrap();
    let before = token_requests(&world);
    for _ in 0..20 {
        world.pass(6 * HOUR).await;
    }
    assert_eq!(token_requests(&world), before);
    assert_eq!(acme.api.gong().await["status"], "connected");
    world.finish().await;
}

#[tokio::test]
async fn tok_34_a_connection_that_cannot_be_read_is_not_told_to_be_ended() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    for query in [
        "alter table gong_connections drop constraint gong_connections_status_check",
        "update gong_connections set status = 'strange'",
    ] {
        sqlx::query(query).execute(world.db.pool()).await.unwrap();
    }
    let answer = acme.browser.delete(GONG).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text);
    assert_eq!(answer.code(), "stored_state_damaged");
}

#[tokio::test]
async fn job_17_a_company_that_asks_to_wait_while_it_is_connected_is_left_alone() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let wait = What::StatusWith { status: 429, error: "slow down".into(), retry_after: Some("600".into()) };
    world.sim.fault(Rule::once(Endpoint::Workspaces, wait));
    world.connect(&acme, Some(7)).await;
    world.settle().await;
    assert_eq!(world.sim.count_of(acme.company, Endpoint::Workspaces), 1);
    assert_eq!(api_requests(&world), 1, "{:#?}", world.sim.requests());
    world.pass(Duration::from_secs(660)).await;
    assert!(api_requests(&world) > 1, "then it goes on");
    world.finish().await;
}

#[tokio::test]
async fn tok_09_a_scope_that_comes_with_a_new_token_is_missed_no_longer() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    let transcript = "api:calls:read:transcript";
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    let id = connection(&world, &acme).await.id;
    connector::note_missing_scope(&mut tx, id, transcript, world.rooms.ambient.now()).await.unwrap();
    tx.commit().await.unwrap();

    world.wait(UNTIL_DUE);
    make_due(&world, &acme).await;
    refresh_if_due(&world, &world.rooms.connector, &acme).await;
    let now = connection(&world, &acme).await;
    assert_eq!(now.missing_scopes, [""; 0], "Gong grants it now");
    assert!(now.last_error.is_none(), "{:?}", now.last_error);
    world.finish().await;
}

#[tokio::test]
async fn tok_24_what_cannot_be_trusted_is_stopped_whatever_it_stood_like_and_told_once() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    sqlx::query(
        "update gong_connections set status = 'reconnect_required', reason = 'authorization_revoked'",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    let mut row = sealed(&world, &acme).await;
    row.access_sealed = row.refresh_sealed.clone().unwrap();
    write_sealed(&world, &acme, &row).await;
    let before = api_requests(&world);
    for _ in 0..4 {
        world.pass(4 * HOUR).await;
    }
    let status = acme.api.gong().await;
    assert_eq!((&status["status"], &status["reason"]), (&json!("paused"), &json!("credential_misplaced")));
    assert_eq!(world.number("select count(*) from gong_schedules where active").await, 0);
    assert_eq!(world.number("select count(*) from audit_log where action = 'gong.quarantined'").await, 1);
    assert_eq!(api_requests(&world), before);
    // An admin connects again, and it goes on.
    acme.browser.log_in(&acme.email, PASSWORD).await;
    record(&world, &acme, "Back again");
    world.connect(&acme, None).await;
    world.settle().await;
    assert_eq!(crate::support::titles(&acme).await, ["Back again"]);
    world.finish().await;
}
