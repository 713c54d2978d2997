//! What points at misuse of a connection: ten times the usual, and an operator's stop while somebody connects.

use gong_sim::{Consent, Endpoint, NewCall, Rule, What};
use serde_json::{Value, json};
use stories::{Org, World, WorldOptions};

use crate::support::*;

const PAGE: &str = "/settings/integrations/gong";

/// Calls that take place now, with transcripts.
fn record(world: &World, org: &Org, calls: usize) {
    for _ in 0..calls {
        world.sim.add_call(org.company, NewCall::new().started(world.sim.now()).say(0, "Hello."));
    }
}

/// Two days of five calls in each poll.
async fn two_usual_days(world: &World, name: &str) -> Org {
    let org = connected(world, name, None).await;
    without_sweeps(world).await;
    for _ in 0..12 {
        record(world, &org, 5);
        world.pass(4 * HOUR).await;
    }
    world.pass(HOUR).await;
    assert_all_here(world, &org).await;
    org
}

async fn told(world: &World) -> Vec<Value> {
    sqlx::query_scalar("select detail from audit_log where action = 'gong.misuse_suspected' order by line")
        .fetch_all(world.db.pool())
        .await
        .unwrap()
}

async fn page(org: &Org) -> String {
    org.browser.log_in(&org.email, stories::PASSWORD).await;
    org.browser.get(PAGE).await.text
}

#[tokio::test]
async fn ops_17_ten_times_the_usual_transcripts_pause_the_connection_until_an_admin_goes_on() {
    let world = World::start().await;
    let acme = two_usual_days(&world, "acme").await;
    let before = asked(&world, &acme).1;

    record(&world, &acme, 450);
    world.pass(4 * HOUR).await;
    let transcripts = asked(&world, &acme).1 - before;
    assert!(transcripts <= 2, "it stops before more than ten times the usual: {transcripts} batches");
    let lines = told(&world).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["reason"], &lines[0]["paused"], &lines[0]["security"]),
        (&json!("transcript_flood"), &json!(true), &json!(true))
    );
    let page = page(&acme).await;
    assert!(page.contains("far more transcripts were asked for than usual"), "the page says so");
    let gong = acme.api.gong().await;
    assert_eq!((&gong["status"], &gong["reason"]), (&json!("paused"), &json!("transcript_flood")));

    // One click, and everything comes in; nothing is told twice.
    let resumed = acme.browser.form("/settings/integrations/gong/resume", &[]).await;
    assert_eq!(resumed.status, 303, "{}", resumed.text);
    for _ in 0..3 {
        world.pass(MINUTE * 20).await;
    }
    assert_all_here(&world, &acme).await;
    assert_eq!(told(&world).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn ops_17_an_operator_may_want_to_be_told_only() {
    let mut options = WorldOptions::default();
    options.defaults.pause_on_misuse = false;
    let world = World::with(options).await;
    let acme = two_usual_days(&world, "acme").await;
    record(&world, &acme, 450);
    world.pass(4 * HOUR).await;
    world.pass(HOUR).await;
    assert_all_here(&world, &acme).await;
    let lines = told(&world).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["paused"], false);
    world.finish().await;
}

#[tokio::test]
async fn ops_17_a_backfill_and_a_first_day_are_no_misuse() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(900, 20));
    world.connect(&acme, Some(20)).await;
    world.settle().await;
    record(&world, &acme, 300);
    world.pass(4 * HOUR).await;
    assert_all_here(&world, &acme).await;
    assert_eq!(told(&world).await, Vec::<Value>::new());
    world.finish().await;
}

#[tokio::test]
async fn ops_17_nobody_connects_while_all_traffic_is_stopped() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let begun = acme.browser.begin_connect(None).await.json();
    let back = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    let mut fleet = world.db.fleet().await.unwrap();
    db::stop_traffic(&mut fleet, "a drill", now(&world)).await.unwrap();
    fleet.commit().await.unwrap();

    let asked = world.sim.requests().len();
    let answer = acme.browser.get(back.as_str()).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains("All traffic to Gong is stopped"), "{}", answer.text);
    let key = json!({ "access_key": "k", "access_key_secret": "s", "api_base_url": world.sim.api_base(acme.company) });
    let answer = acme.api.post("/api/v1/integrations/gong/connect-key", key).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "gong_held_halted".to_owned()));
    assert_eq!(answer.header("retry-after"), "60");
    assert_eq!(world.sim.requests().len(), asked, "no token was exchanged, no key was tried");
    assert_eq!(acme.browser.get("/health").await.json()["traffic"], "stopped");
    world.finish().await;
}

#[tokio::test]
async fn ops_17_a_stop_cuts_off_what_is_on_its_way() {
    let world = World::start().await;
    let acme = connected(&world, "acme", None).await;
    without_sweeps(&world).await;
    record(&world, &acme, 3);
    world.sim.fault(Rule::once(Endpoint::Transcript, What::Hold));
    acme.api.post("/api/v1/integrations/gong/poll", json!({})).await;
    let held = "select count(*) from apalis.jobs where status in ('Queued', 'Running') and metadata -> 'sp.kind' = 'transcripts'";
    assert!(until(MINUTE / 6, async || asked(&world, &acme).1 == 1).await, "it is asked for");
    assert!(world.number(held).await == 1);

    let mut fleet = world.db.fleet().await.unwrap();
    db::stop_traffic(&mut fleet, "a drill", now(&world)).await.unwrap();
    fleet.commit().await.unwrap();
    assert!(world.rooms.connector.heed_stop().await.unwrap(), "every process looks every two seconds");
    assert!(until(MINUTE / 30, async || world.number(held).await == 0).await, "the request is given up");

    let mut fleet = world.db.fleet().await.unwrap();
    db::start_traffic(&mut fleet).await.unwrap();
    fleet.commit().await.unwrap();
    world.rooms.connector.heed_stop().await.unwrap();
    world.sim.clear_faults();
    for _ in 0..3 {
        world.pass(MINUTE).await;
    }
    assert_all_here(&world, &acme).await;
    world.finish().await;
}
