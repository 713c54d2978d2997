//! Calls that turned private or vanished after we took them in: purged with everything, with a brake for the vanished.

use std::time::Duration;

use gong_sim::{Endpoint, NewCall, Rule, What};
use serde_json::json;
use stories::{Org, World};

use crate::support::*;

/// An organization that holds calls, each a minute long, one each so many hours back.
async fn with_calls(world: &World, calls: i64, hours_apart: i64) -> (Org, Vec<String>) {
    let acme = world.organization("acme").await;
    let start = world.sim.now();
    let ids = (0..calls)
        .map(|n| {
            let at = start - time::Duration::hours(1 + n * hours_apart);
            let title = format!("canarytitle{n}x");
            let said = format!("This is canaryword{n}x speaking.");
            world.sim.add_call(acme.company, NewCall::new().started(at).title(&title).say(0, &said))
        })
        .collect();
    world.connect(&acme, Some(60)).await;
    (acme, ids)
}

#[tokio::test]
async fn prv_05_a_call_that_gong_deleted_is_purged_after_the_sweep_with_everything_derived() {
    let world = World::start().await;
    let (acme, ids) = with_calls(&world, 12, 20).await;
    world.settle().await;
    world.sim.delete_call(acme.company, &ids[3]);
    world.pass(DAY).await;
    assert!(held(&acme).await.contains(&ids[3]), "one look is not enough");
    world.pass(6 * MINUTE).await;
    assert_eq!(held(&acme).await.len(), 11);
    for word in ["canarytitle3x", "canaryword3x"] {
        assert_eq!(tables_with(&world, word).await, [].into(), "{word}");
    }
    assert_eq!(tombstone(&world, &ids[3]).await.as_deref(), Some("gone"));
    assert_eq!(acme.api.gong().await["counts"]["calls"], 11);
    assert!(actions(&acme).await.contains(&"gong.calls_purged".to_owned()));
    assert_eq!(acme.api.get("/api/v1/privacy").await.json()["vanished"], json!(null));
    world.finish().await;
}

#[tokio::test]
async fn prv_05_an_old_call_that_turned_private_or_vanished_is_found_by_the_slow_look() {
    let world = World::start().await;
    let (acme, ids) = with_calls(&world, 12, 100).await;
    world.settle().await;
    // 21 and 42 days old: no sweep ever lists them.
    world.sim.set_private(acme.company, &ids[5], Some(true));
    world.sim.delete_call(acme.company, &ids[10]);
    sweep(&world).await;
    for word in ["canarytitle5x", "canaryword5x"] {
        assert_eq!(tables_with(&world, word).await, [].into(), "{word}");
    }
    assert_eq!(tombstone(&world, &ids[5]).await.as_deref(), Some("private"));
    // The vanished one was looked at once; the second look comes within minutes.
    world.pass(6 * MINUTE).await;
    assert_eq!(tables_with(&world, "canaryword10x").await, [].into());
    assert_eq!(tombstone(&world, &ids[10]).await.as_deref(), Some("gone"));
    assert_eq!(held(&acme).await.len(), 10);
    world.finish().await;
}

#[tokio::test]
async fn prv_05_a_call_that_was_missed_by_one_look_only_stays() {
    let world = World::start().await;
    let (acme, ids) = with_calls(&world, 12, 20).await;
    world.settle().await;
    // The list of one sweep comes without a call; by id it is there.
    world.sim.set_private(acme.company, &ids[0], Some(false));
    let missed = "update gong_calls set looked_at = looked_at - interval '2 days' where gong_call_id = $1";
    world.sim.delete_call(acme.company, &ids[4]);
    world.pass(DAY).await;
    let suspected = world.number("select count(*) from gong_calls where missing_since is not null").await;
    assert_eq!(suspected, 1);
    sqlx::query(missed).bind(&ids[5]).execute(world.db.pool()).await.unwrap();
    let suspect = "update gong_calls set missing_since = c.missing_since, loss_id = c.loss_id
                   from gong_calls c where gong_calls.gong_call_id = $1 and c.gong_call_id = $2";
    sqlx::query(suspect).bind(&ids[5]).bind(&ids[4]).execute(world.db.pool()).await.unwrap();
    world.pass(6 * MINUTE).await;
    let held = held(&acme).await;
    assert!(held.contains(&ids[5]) && !held.contains(&ids[4]));
    assert_eq!(world.number("select count(*) from gong_calls where missing_since is not null").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn prv_05_a_call_that_comes_back_from_the_dead_is_imported_once() {
    let world = World::start().await;
    let (acme, ids) = with_calls(&world, 12, 20).await;
    world.settle().await;
    world.sim.set_private(acme.company, &ids[2], Some(true));
    sweep(&world).await;
    assert!(!held(&acme).await.contains(&ids[2]));
    world.sim.set_private(acme.company, &ids[2], Some(false));
    sweep(&world).await;
    assert_eq!(states(&acme).await[&ids[2]], "stored");
    assert_eq!(held(&acme).await.len(), 12);
    assert_eq!(tombstone(&world, &ids[2]).await, None);
    world.finish().await;
}

/// Gong answers every list of calls well, and with none.
fn lists_nothing(world: &World) -> gong_sim::FaultId {
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Json(200, json!({ "requestId": "r", "records": { "totalRecords": 0, "currentPageSize": 0, "currentPageNumber": 0 }, "calls": [] }))))
}

#[tokio::test]
async fn prv_09_when_all_calls_vanish_at_once_nothing_is_purged_before_an_admin_says_so() {
    let world = World::start().await;
    let (acme, _) = with_calls(&world, 12, 20).await;
    world.settle().await;
    let fault = lists_nothing(&world);
    sweep(&world).await;
    sweep(&world).await;
    assert_eq!(held(&acme).await.len(), 12, "the purge is braked");
    let asked = acme.api.get("/api/v1/privacy").await.json()["vanished"].clone();
    assert_eq!((&asked["missing"], &asked["expected"]), (&json!(12), &json!(12)), "{asked}");
    assert_eq!(actions(&acme).await.iter().filter(|a| *a == "gong.calls_vanished").count(), 1);
    // Everything comes back: the question answers itself.
    world.sim.release(fault);
    sweep(&world).await;
    assert_eq!(acme.api.get("/api/v1/privacy").await.json()["vanished"], json!(null));
    assert_eq!(held(&acme).await.len(), 12);
    world.finish().await;
}

#[tokio::test]
async fn prv_09_an_admin_may_remove_or_keep_what_vanished_and_a_private_call_is_never_braked() {
    let world = World::start().await;
    let (acme, ids) = with_calls(&world, 10, 20).await;
    world.settle().await;
    for id in &ids[..2] {
        world.sim.delete_call(acme.company, id);
    }
    world.sim.set_private(acme.company, &ids[5], Some(true));
    world.sim.set_private(acme.company, &ids[6], Some(true));
    sweep(&world).await;
    assert_eq!(tables_with(&world, "canaryword5x").await, [].into(), "private calls go whatever vanishes");
    assert_eq!(held(&acme).await.len(), 8);
    let asked = acme.api.get("/api/v1/privacy").await.json()["vanished"].clone();
    assert_eq!((&asked["missing"], &asked["expected"]), (&json!(2), &json!(8)), "{asked}");
    // Keep: the same calls are not asked about again.
    let decide = |what: &str| acme.api.post("/api/v1/privacy/vanished", json!({ "decision": what }));
    assert_eq!(decide("keep").await.status, 202);
    sweep(&world).await;
    assert_eq!(acme.api.get("/api/v1/privacy").await.json()["vanished"], json!(null));
    assert_eq!(held(&acme).await.len(), 8);
    assert_eq!(decide("keep").await.code(), "nothing_vanished");
    // More vanish, and now they are to go.
    for id in &ids[2..4] {
        world.sim.delete_call(acme.company, id);
    }
    sweep(&world).await;
    assert_eq!(decide("remove").await.status, 202);
    world.settle().await;
    assert_eq!(tables_with(&world, "canaryword2x").await, [].into());
    assert_eq!(held(&acme).await.len(), 6);
    let done = actions(&acme).await;
    for action in ["gong.calls_kept", "gong.calls_remove", "gong.calls_purged", "gong.calls_vanished"] {
        assert!(done.contains(&action.to_owned()), "{action} in {done:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn prv_09_an_answer_outlives_the_connection() {
    let world = World::start().await;
    let (acme, _) = with_calls(&world, 5, 20).await;
    world.settle().await;
    lists_nothing(&world);
    sweep(&world).await;
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    assert_eq!(acme.api.delete("/api/v1/integrations/gong").await.status, 204);
    let decision = json!({ "decision": "remove" });
    assert_eq!(acme.api.post("/api/v1/privacy/vanished", decision).await.status, 202);
    world.settle().await;
    assert_eq!(tables_with(&world, "canaryword").await, [].into());
    world.finish().await;
}

#[tokio::test]
async fn prv_11_a_purge_that_is_killed_again_and_again_ends_with_nothing_left() {
    let mut world = sleeping_world().await;
    let (acme, ids) = with_calls(&world, 500, 0).await;
    let first = Workers::start(&world, &world.rooms.defaults).await;
    world.settle().await;
    first.kill();
    assert_eq!(held(&acme).await.len(), 500);
    for id in &ids[..450] {
        world.sim.delete_call(acme.company, id);
    }
    let hunters = Workers::start(&world, &world.rooms.defaults).await;
    sweep(&world).await;
    hunters.kill();
    let decision = json!({ "decision": "remove" });
    assert_eq!(acme.api.post("/api/v1/privacy/vanished", decision).await.status, 202);
    let left = "select count(*) from gong_calls";
    let mut kills = 0;
    while world.number(left).await > 50 && kills < 20 {
        let before = world.number(left).await;
        let workers = Workers::start(&world, &world.rooms.defaults).await;
        while world.number(left).await == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        workers.kill();
        kills += 1;
    }
    world.work();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    world.settle().await;
    assert!(kills >= 3, "it was killed {kills} times");
    assert_eq!(held(&acme).await.len(), 50);
    assert_eq!(world.number("select count(*) from gong_transcripts").await, 50);
    assert_eq!(world.number("select count(*) from gong_tombstones where reason = 'gone'").await, 450);
    assert_eq!(world.number("select count(*) from gong_losses where state = 'purged'").await, 1);
    assert_eq!(
        world.number("select count(*) from feedback_changes").await,
        50,
        "nobody shall look at what is gone"
    );
    assert_eq!(tables_with(&world, "canaryword17x").await, [].into());
    world.finish().await;
}
