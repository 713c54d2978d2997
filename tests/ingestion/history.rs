//! What becomes of history and of looks over days: a refusal that is mended, a share that is spent, nothing fetched twice.

use gong_sim::{Endpoint, NewCall, Rule, What};
use serde_json::json;
use stories::{World, WorldOptions};

use crate::support::*;

const GONG: &str = "/settings/integrations/gong";

fn refused() -> What {
    What::StatusWith { status: 400, error: "canary-of-gong: no such field".into(), retry_after: None }
}

#[tokio::test]
async fn a_backfill_that_gong_refuses_ends_with_its_reason_and_goes_on_at_a_click() {
    let mut world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(350, 20));
    // The first page comes, the rest is refused.
    world.sim.adjust(|s| s.page_size = 100);
    world.sim.fault(Rule::always(Endpoint::CallsExtensive, refused()).when(gong_sim::When::Every(2)));
    world.connect(&acme, Some(30)).await;
    world.settle().await;

    let backfill = acme.api.gong().await["backfill"].clone();
    assert_eq!((&backfill["state"], &backfill["error_code"]), (&json!("failed"), &json!("gong_bad_request")));
    assert!(backfill["listed"].as_i64().unwrap() >= 100, "{backfill}");
    let page = acme.browser.get(GONG).await.text;
    assert!(page.contains("Bringing in history ended early"), "{page}");
    assert!(page.contains("action=\"/settings/integrations/gong/backfill/again\""), "{page}");
    assert!(!page.contains("canary-of-gong"), "Gong's words are not shown");

    world.sim.clear_faults();
    let pages = asked(&world, &acme).0;
    // Whatever was given up and closed since does not hide it.
    sqlx::query(
        "insert into dead_letters
            (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code, died_at, state, closed_at)
         select gen_random_uuid()::text, $1, 'nobody', 'poll', gen_random_uuid(), gen_random_uuid()::text, 0, 3, 3, 'failed',
            now() + interval '1 second', 'discarded', now() from generate_series(1, 1001)",
    )
    .bind(acme.id)
    .execute(world.db.pool())
    .await
    .unwrap();
    let again = acme.browser.form("/settings/integrations/gong/backfill/again", &[]).await;
    assert_eq!(again.status, 303, "{}", again.text);
    world.settle().await;

    assert_all_here(&world, &acme).await;
    let done = acme.api.gong().await["backfill"].clone();
    assert_eq!((&done["state"], &done["id"]), (&json!("done"), &backfill["id"]), "the same one went on");
    assert!(asked(&world, &acme).0 - pages <= 4, "it did not begin anew");
    assert!(world.dead_letters().await.is_empty(), "its dead letter went back to work with it");
    let nothing = acme.browser.form("/settings/integrations/gong/backfill/again", &[]).await;
    assert_eq!(nothing.status, 409, "{}", nothing.text);
    world.stop().await;
}

#[tokio::test]
async fn a_backfill_that_used_up_its_share_of_the_day_says_when_it_continues() {
    let mut options = WorldOptions::default();
    options.defaults.per_day = 10;
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(600, 20));
    world.connect(&acme, Some(30)).await;
    world.settle().await;

    let status = acme.api.gong().await;
    assert_eq!(status["backfill"]["state"], "running", "{status}");
    assert_eq!(status["budget"]["used_last_24h"], 8, "a fifth is left to fresh calls: {status}");
    let until = status["budget"]["backfill_held_until"].as_str().unwrap().to_owned();
    let page = acme.browser.get(GONG).await.text;
    let clock = format!("{} UTC", &until[11..16]);
    assert!(page.contains(&format!("History continues at {clock}")), "{clock}: {page}");
    assert!(page.contains("is spent; it continues at"), "{page}");

    for _ in 0..5 {
        world.pass(25 * HOUR).await;
        world.pass(HOUR).await;
    }
    assert_eq!(acme.api.gong().await["backfill"]["state"], "done");
    world.finish().await;
}

#[tokio::test]
async fn before_the_first_look_the_page_says_that_history_covers_it() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(50, 20));
    let held = world.sim.fault(Rule::always(Endpoint::CallsExtensive, What::Hold));
    world.connect(&acme, Some(30)).await;
    let page = acme.browser.get(GONG).await.text;
    assert!(page.contains("the history that comes in covers it"), "{page}");
    world.sim.clear_faults();
    world.sim.release(held);
    world.settle().await;
    let status = acme.api.gong().await;
    assert!(status["poll"]["last_at"].is_string(), "history up to now counts as the first look: {status}");
    assert!(!acme.browser.get(GONG).await.text.contains("the history that comes in covers it"));
    world.finish().await;
}

#[tokio::test]
async fn once_a_day_two_weeks_are_looked_at_again() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(30)).await;
    let started = world.sim.now();
    // Too late for the three days that a poll looks back, not for the daily look.
    let visible = started + time_of_days(9);
    let late = world.sim.add_call(
        acme.company,
        NewCall::new().started(started).visible_after(visible).say(0, "Sorry for being late."),
    );
    for day in 1..=8 {
        live(&world, DAY).await;
        let sweeps = world.number("select count(*) from gong_runs where kind = 'sweep'").await;
        assert!((day - 1..=day + 1).contains(&sweeps), "day {day}: {sweeps} sweeps");
    }
    assert!(held_ids(&acme).await.is_empty());
    live(&world, 2 * DAY).await;
    live(&world, HOUR).await;
    assert!(held_ids(&acme).await.contains(&late), "found within a day of becoming visible");
    world.finish().await;
}

#[tokio::test]
async fn no_transcript_is_downloaded_twice() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(230, 10));
    world.connect(&acme, Some(20)).await;
    world.settle().await;
    // Polls over the same three days, a sweep over two weeks, and a second backfill over everything.
    for _ in 0..7 {
        world.sim.add_call(acme.company, NewCall::new().started(world.sim.now()).say(0, "One more."));
        world.pass(4 * HOUR).await;
    }
    let again = acme.api.post("/api/v1/integrations/gong/backfill", json!({ "days": 20 })).await;
    assert_eq!(again.status, 202, "{}", again.text);
    world.settle().await;

    assert_all_here(&world, &acme).await;
    let served = world.sim.transcripts_served(acme.company);
    assert_eq!(served.len(), 237);
    let twice: Vec<_> = served.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_look_asks_for_what_is_new_and_nothing_else() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(900, 28));
    world.connect(&acme, Some(30)).await;
    world.settle().await;
    without_sweeps(&world).await;
    let overlap = json!({ "overlap_seconds": 3_600 });
    let set = acme.api.api(reqwest::Method::PATCH, "/api/v1/integrations/gong", Some(overlap)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    world.pass(4 * HOUR).await;
    world.pass(4 * HOUR).await;
    for new in [0, 1, 0, 3] {
        for _ in 0..new {
            world.sim.add_call(acme.company, NewCall::new().started(world.sim.now()).say(0, "New."));
        }
        world.sim.clear_memory();
        world.pass(4 * HOUR).await;
        let requests = world.sim.requests();
        // A look at single calls by their ids is not a look for new ones.
        let lists =
            requests.iter().filter(|r| r.endpoint == Endpoint::CallsExtensive && r.call_ids.is_empty());
        let asked = (lists.count() as u64, asked(&world, &acme).1);
        // One list request for five hours, and one for all new transcripts together.
        let fetched = u64::from(new > 0);
        assert_eq!(asked, (1, fetched), "{new} new calls: {requests:#?}");
    }
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

fn time_of_days(days: i64) -> time::Duration {
    time::Duration::days(days)
}
