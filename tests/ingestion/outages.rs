//! A Gong that does not answer, and an operator who stops all traffic.

use gong_sim::{Endpoint, NewCall, Rule, What};
use stories::World;

use crate::support::*;

#[tokio::test]
async fn ops_17_a_stop_of_all_traffic_lets_no_request_through_and_loses_nothing() {
    let world = World::start().await;
    let acme = connected(&world, "acme", None).await;
    without_sweeps(&world).await;
    let mut fleet = world.db.fleet().await.unwrap();
    assert!(db::stop_traffic(&mut fleet, "a drill", now(&world)).await.unwrap());
    fleet.commit().await.unwrap();

    world.sim.add_call(acme.company, NewCall::new().say(0, "Is anybody there?"));
    let before = world.sim.requests().len();
    // A day: polls and a token refresh fall due.
    for _ in 0..8 {
        world.pass(3 * HOUR).await;
    }
    assert_eq!(world.sim.requests().len(), before, "not one request, tokens included");
    assert_eq!(world.number("select count(*) from dead_letters").await, 0);
    let page = acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    assert!(page.status.is_success());
    let page = acme.browser.get("/settings/integrations/gong").await.text;
    assert!(page.contains("All traffic to Gong is stopped"), "the page says so");

    let mut fleet = world.db.fleet().await.unwrap();
    assert!(db::start_traffic(&mut fleet).await.unwrap());
    fleet.commit().await.unwrap();
    for _ in 0..3 {
        world.pass(MINUTE).await;
    }
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_a_host_that_does_not_answer_is_probed_rarely_and_nothing_is_given_up() {
    let world = World::start().await;
    let mut orgs = Vec::new();
    for name in ["one", "two", "three", "four"] {
        orgs.push(connected(&world, name, None).await);
    }
    without_sweeps(&world).await;
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Status(503)));
    for org in &orgs {
        world.sim.add_call(org.company, NewCall::new().say(0, "Is anybody there?"));
        org.api.post("/api/v1/integrations/gong/poll", serde_json::json!({})).await;
    }
    world.settle().await;
    let requests = || orgs.iter().map(|org| asked(&world, org).0).sum::<u64>();
    // Each company has a host of its own, so each is probed: once in 22 to 30 seconds at most.
    let mut tripped = false;
    for _ in 0..6 {
        world.pass(5 * std::time::Duration::from_secs(1)).await;
        let outage = "select count(*) from gong_connections where last_error_code = 'gong_unavailable' and next_try_at is not null";
        tripped |= world.number(outage).await == 4;
    }
    assert!(tripped, "every connection knows that Gong does not answer, and when it is asked again");
    let before = requests();
    for _ in 0..24 {
        world.pass(5 * std::time::Duration::from_secs(1)).await;
    }
    let made = requests() - before;
    assert!((1..=24).contains(&made), "{made} requests in two minutes of outage");
    assert_eq!(world.number("select count(*) from dead_letters").await, 0);

    world.sim.clear_faults();
    for _ in 0..8 {
        world.pass(30 * std::time::Duration::from_secs(1)).await;
    }
    for org in &orgs {
        assert_all_here(&world, org).await;
        assert_eq!(org.api.gong().await["last_error"], serde_json::Value::Null);
    }
    world.finish().await;
}
