//! The main journey: connect, history, polls, disconnect.

use std::time::Duration;

use gong_sim::{GeneratorOptions, NewCall};
use stories::World;

#[tokio::test]
async fn an_admin_connects_gong_and_the_history_comes_in() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let options = GeneratorOptions { calls: 250, days: 59, ..GeneratorOptions::default() };
    world.sim.generate(acme.company, &options);

    world.connect(&acme, Some(60)).await;
    world.settle().await;

    let status = acme.browser.gong().await;
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(status["backfill"]["state"], "done", "{status}");
    let expected = world.sim.expected(acme.company);
    let public = expected.iter().filter(|truth| truth.private == Some(false) && truth.visible_now).count();
    let calls = acme.api.all_calls().await;
    assert_eq!(calls.len(), public, "{status}");
    world.finish().await;
}

#[tokio::test]
async fn a_new_call_arrives_with_the_next_poll() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    assert!(acme.api.all_calls().await.is_empty());

    world.pass(Duration::from_secs(3600)).await;
    world.sim.add_call(
        acme.company,
        NewCall::new()
            .started(world.sim.now())
            .title("Quarterly review")
            .say(0, "Hello.")
            .say(1, "We need dark mode."),
    );
    world.pass(Duration::from_secs(4 * 3600)).await;

    let calls = acme.api.all_calls().await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["title"], "Quarterly review");
    assert_eq!(calls[0]["transcript_state"], "stored");
    world.finish().await;
}
