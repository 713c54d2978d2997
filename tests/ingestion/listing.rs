//! Walking Gong's lists: cursors that die, any order, rows that repeat or vanish, and what it costs.

use std::time::Duration;

use gong_sim::{Endpoint, NewCall, Order, Rule, What, When};
use stories::{Org, World};

use crate::support::*;

/// A backfill of `calls` calls, after `prepare` changed the simulator.
async fn backfill(calls: usize, prepare: impl FnOnce(&World, &Org)) -> (World, Org) {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(calls, 59));
    prepare(&world, &acme);
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    (world, acme)
}

#[tokio::test]
async fn job_02_cursors_that_die_after_three_pages_lose_nothing() {
    let (world, acme) = backfill(1_000, |world, _| {
        world.sim.adjust(|switches| switches.cursor_pages = Some(3));
    })
    .await;
    assert_all_here(&world, &acme).await;
    let (lists, transcripts) = asked(&world, &acme);
    assert!(
        lists + transcripts <= 30,
        "{lists} lists and {transcripts} transcripts, 1.5 times 20 are allowed"
    );
    world.finish().await;
}

#[tokio::test]
async fn job_02_cursors_that_die_after_seconds_lose_nothing() {
    let (world, acme) = backfill(1_000, |world, _| {
        world.sim.adjust(|switches| switches.cursor_life_seconds = 2);
        world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::LateAnswer(300)));
    })
    .await;
    assert_all_here(&world, &acme).await;
    let expired = world.sim.summary().statuses.get(&400).copied().unwrap_or(0);
    assert!(expired >= 1, "cursors died in this story: {expired}");
    let (lists, transcripts) = asked(&world, &acme);
    assert!(lists + transcripts <= 30, "{lists} lists and {transcripts} transcripts");
    world.finish().await;
}

#[tokio::test]
async fn job_02_dying_cursors_in_no_order_of_time_lose_nothing() {
    let (world, acme) = backfill(1_000, |world, _| {
        world.sim.adjust(|switches| {
            switches.cursor_pages = Some(3);
            switches.order = Order::Shuffled;
        });
    })
    .await;
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn job_02_small_pages_and_dying_cursors_of_transcripts_lose_nothing() {
    let (world, acme) = backfill(300, |world, _| {
        world.sim.adjust(|switches| {
            switches.page_size = 10;
            switches.cursor_pages = Some(3);
        });
    })
    .await;
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn any_order_and_rows_repeated_over_page_boundaries_bring_each_call_once() {
    for order in [Order::Ascending, Order::Descending, Order::Shuffled] {
        let (world, acme) = backfill(420, |world, _| {
            world.sim.adjust(|switches| {
                switches.order = order;
                switches.repeat_row = true;
                switches.page_size = 30;
            });
        })
        .await;
        assert_all_here(&world, &acme).await;
        let backfill = acme.api.gong().await["backfill"].clone();
        assert_eq!((&backfill["total"], &backfill["calls_new"]), (&420.into(), &420.into()), "{backfill}");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_history_of_many_calls_is_listed_in_halves_the_newest_first() {
    let (world, acme) = backfill(2_600, |_, _| {}).await;
    assert_all_here(&world, &acme).await;
    let requests = world.sim.requests();
    let lists: Vec<_> = requests.iter().filter(|r| r.endpoint == Endpoint::CallsExtensive).collect();
    assert!(lists.len() <= 32, "{} list requests for 26 pages", lists.len());
    let windows: Vec<_> = lists.iter().filter(|r| !r.cursor).filter_map(|r| r.from.clone()).collect();
    assert!(windows.len() >= 3, "{windows:?}");
    assert!(windows[1] > windows[0], "the newer half comes first: {windows:?}");
    world.finish().await;
}

#[tokio::test]
async fn rows_that_vanish_during_a_walk_take_no_other_with_them() {
    let world = world_at(40.0).await;
    let acme = world.organization("acme").await;
    let ids = world.sim.generate(acme.company, &plain(600, 59));
    world.connect(&acme, Some(60)).await;
    for chunk in ids.chunks(60) {
        world.sim.delete_call(acme.company, &chunk[7]);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    world.settle().await;
    let missing: Vec<_> = public_ids(&world, &acme).difference(&held_ids(&acme).await).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_thousand_public_calls_cost_at_most_22_requests() {
    let (world, acme) = backfill(1_000, |_, _| {}).await;
    assert_all_here(&world, &acme).await;
    let requests = world.sim.requests();
    let api = requests.iter().filter(|r| r.company == Some(acme.company) && r.endpoint != Endpoint::Token);
    let api = api.filter(|r| r.endpoint != Endpoint::Authorize).count();
    assert!(api <= 22, "{api} requests");
    world.finish().await;
}

#[tokio::test]
async fn an_idle_poll_asks_for_no_transcript_and_lists_the_overlap_once() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(250, 3));
    world.connect(&acme, Some(30)).await;
    world.settle().await;
    // What was stored without a later look is looked at again, once.
    world.pass(20 * MINUTE).await;
    without_sweeps(&world).await;
    world.sim.clear_memory();
    world.pass(4 * HOUR).await;
    let (lists, transcripts) = asked(&world, &acme);
    assert_eq!(transcripts, 0);
    assert!((1..=3).contains(&lists), "{lists} list requests for 250 calls");
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_becomes_visible_hours_later_is_found_by_the_overlap() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let started = world.sim.now();
    let late = [10, 30, 70].map(|hours| {
        let visible = started + time::Duration::hours(hours);
        let call = NewCall::new().started(started).visible_after(visible).say(0, "Sorry for being late.");
        (world.sim.add_call(acme.company, call), visible)
    });
    for _ in 0..19 {
        world.pass(4 * HOUR).await;
        let held = held_ids(&acme).await;
        for (id, visible) in &late {
            let due = *visible + time::Duration::hours(4) < now(&world);
            assert!(!due || held.contains(id), "{id} has been visible for a poll interval");
            assert!(held.contains(id) <= (*visible <= now(&world)));
        }
    }
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn a_call_behind_the_import_floor_is_never_imported() {
    let world = World::start().await;
    let acme = connected(&world, "acme", None).await;
    let connected_at = now(&world);
    let call = |hours| NewCall::new().started(connected_at + time::Duration::hours(hours)).say(0, "Hello.");
    let before = world.sim.add_call(acme.company, call(-2));
    let after = world.sim.add_call(acme.company, call(1));
    for _ in 0..8 {
        world.pass(4 * HOUR).await;
    }
    let held = held_ids(&acme).await;
    assert!(held.contains(&after) && !held.contains(&before), "{held:?}");
    assert!(!world.sim.transcripts_asked(acme.company).contains(&before));
    world.finish().await;
}

#[tokio::test]
async fn a_list_that_leads_in_a_circle_ends_with_a_reason() {
    // The second page comes with the first page's cursor, for ever.
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let page = serde_json::json!({ "requestId": "r", "calls": [],
        "records": { "totalRecords": 900, "cursor": "the-same-for-ever" } });
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Json(200, page)).when(When::Always));
    world.connect(&acme, Some(60)).await;
    let ended =
        until(Duration::from_secs(20), async || acme.api.gong().await["backfill"]["state"] == "failed");
    assert!(ended.await);
    let (lists, _) = asked(&world, &acme);
    assert!(lists < 200, "{lists} requests");
    assert_eq!(acme.api.gong().await["backfill"]["error_code"], "window_will_not_end");
    world.finish().await;
}
