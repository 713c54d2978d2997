//! What is said about private calls: how many, and why they are not here. Never which.

use std::time::Duration;

use gong_sim::NewCall;
use stories::World;

use crate::support::is_stored;

#[tokio::test]
async fn uix_15_private_calls_are_counted_and_explained_and_never_named() {
    let mut world = World::start().await;
    let acme = world.organization("acme").await;
    let started = world.sim.now() - Duration::from_secs(86_400);
    for n in 0..3 {
        let title = format!("CANARYTITLE {n}");
        world.sim.add_call(
            acme.company,
            NewCall::new().started(started).title(&title).private(Some(true)).say(0, "CANARYWORDS"),
        );
    }
    world.sim.add_call(acme.company, NewCall::new().started(started).title("An open call").say(0, "Hello."));
    world.connect(&acme, Some(5)).await;
    world.settle().await;
    let counts = acme.browser.gong().await["counts"].clone();
    assert_eq!((counts["private"].as_i64(), counts["calls"].as_i64()), (Some(3), Some(1)), "{counts}");
    let pages = [
        "/",
        "/calls",
        "/calls?q=CANARYTITLE",
        "/posts",
        "/review",
        "/settings/feedback",
        "/api/v1/posts",
        "/settings/integrations",
        "/settings/integrations/gong",
        "/settings/integrations/gong/panel",
        "/settings/dead-letters",
        "/activity",
        "/api/v1/calls?limit=200",
        "/api/v1/calls?search=CANARYTITLE",
        "/api/v1/integrations/gong",
        "/api/v1/activity?limit=100",
    ];
    for path in pages {
        let answer = acme.browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        // What was typed into the search stands in its field again.
        let typed = ["value=\"CANARYTITLE\"", "“CANARYTITLE”", "q=CANARYTITLE"];
        let said = typed.iter().fold(answer.text, |text, typed| text.replace(typed, ""));
        assert!(!said.contains("CANARY"), "{path} names a private call: {said}");
    }
    let panel = acme.browser.get("/settings/integrations/gong/panel").await.text;
    assert!(panel.contains("<dd data-live=\"private\">3</dd>"), "how many: {panel}");
    assert!(panel.contains("never asked for"), "and what is done about them: {panel}");
    assert!(!is_stored(&world, "CANARYTITLE").await && !is_stored(&world, "CANARYWORDS").await);
    world.stop().await;
}
