//! Retention: what is older than the organization allows loses its content, and does not get it back.

use gong_sim::NewCall;
use serde_json::json;
use stories::World;

use crate::support::*;

#[tokio::test]
async fn ten_20_content_that_is_older_than_the_retention_time_is_gone_within_a_day() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let start = world.sim.now();
    let call = |days: i64, n: usize| {
        let at = start - time::Duration::days(days);
        let title = format!("canarytitle{n}x");
        let said = format!("This is canaryword{n}x speaking.");
        world.sim.add_call(acme.company, NewCall::new().started(at).title(&title).say(0, &said))
    };
    let (old, young) = (call(25, 0), call(2, 1));
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    let set = |days| {
        acme.api.api(reqwest::Method::PATCH, "/api/v1/privacy", Some(json!({ "retention_days": days })))
    };
    for bad in [json!(0), json!(3_651), json!("30")] {
        assert_eq!(set(bad).await.status, 422);
    }
    assert_eq!(set(json!(30)).await.json()["retention_days"], 30);
    world.settle().await;
    assert_eq!(states(&acme).await[&old], "stored", "25 days are not yet 30");
    for _ in 0..6 {
        world.pass(DAY).await;
    }
    for word in ["canarytitle0x", "canaryword0x"] {
        assert_eq!(tables_with(&world, word).await, [].into(), "{word}");
    }
    let states = states(&acme).await;
    assert_eq!((&*states[&old], &*states[&young]), ("gave_up", "stored"), "the call itself stays");
    assert!(actions(&acme).await.contains(&"privacy.expired".to_owned()));
    // Neither sweeps nor a new backfill bring it back.
    assert_eq!(acme.api.post("/api/v1/integrations/gong/backfill", json!({ "days": 60 })).await.status, 202);
    world.settle().await;
    sweep(&world).await;
    assert_eq!(tables_with(&world, "canarytitle0x").await, [].into());
    assert_eq!(held(&acme).await.len(), 2);
    // Then the young one, too.
    for _ in 0..28 {
        world.pass(DAY).await;
    }
    assert_eq!(tables_with(&world, "canaryword1x").await, [].into());
    assert_eq!(held(&acme).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn ten_20_what_comes_back_under_a_longer_time_goes_again_under_a_shorter_one() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let at = world.sim.now() - time::Duration::days(8);
    world.sim.add_call(acme.company, NewCall::new().started(at).title("canarytitlex").say(0, "Hello."));
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    let set = async |days: serde_json::Value| {
        let change = Some(json!({ "retention_days": days }));
        let answer = acme.api.api(reqwest::Method::PATCH, "/api/v1/privacy", change).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        world.settle().await;
    };
    let held = async || !tables_with(&world, "canarytitlex").await.is_empty();
    set(json!(5)).await;
    assert!(!held().await, "eight days are more than five");
    set(json!(null)).await;
    sweep(&world).await;
    assert!(held().await, "the sweep sees it again, and it may be held");
    set(json!(5)).await;
    assert!(!held().await, "and once more");
    world.finish().await;
}
