//! Transcripts: when they come, as what they come, and what is asked for when they do not.

use gong_sim::{Endpoint, NewCall, Rule, What};
use stories::{PASSWORD, World};
use time::Duration;

use crate::support::*;

#[tokio::test]
async fn job_06_late_transcripts_are_stored_within_one_poll_interval() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let start = world.sim.now();
    let late = [Duration::minutes(2), Duration::hours(5), Duration::hours(70)].map(|after| {
        let call = NewCall::new().started(start).transcript_after(start + after).say(0, "At last.");
        (world.sim.add_call(acme.company, call), start + after)
    });
    live(&world, 75 * HOUR).await;
    for (id, appeared) in &late {
        let stored: sqlx::types::time::OffsetDateTime =
            sqlx::query_scalar("select stored_at from gong_calls where gong_call_id = $1")
                .bind(id)
                .fetch_one(world.db.pool())
                .await
                .unwrap();
        let wait = stored - *appeared;
        assert!(wait <= Duration::hours(4), "{id} was there for {wait}");
        assert_eq!(our_text(&acme, id).await, "At last.");
    }
    world.finish().await;
}

#[tokio::test]
async fn job_06_a_call_never_transcribed_waits_visibly_and_is_given_up_after_14_days() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let id =
        world.sim.add_call(acme.company, NewCall::new().never_transcribed().say(0, "Nobody hears this."));
    world.pass(4 * HOUR).await;
    let mut first: Option<String> = None;
    for day in 0..14 {
        let call = acme.api.all_calls().await.remove(0);
        assert_eq!(call["transcript_state"], "waiting", "day {day}");
        assert_eq!(call["transcript_reason"], "not_transcribed_yet");
        let since = call["waiting_since"].as_str().expect("since when it waits").to_owned();
        assert_eq!(
            *first.get_or_insert_with(|| since.clone()),
            since,
            "day {day}: waiting from the first look on"
        );
        assert_eq!(acme.api.gong().await["counts"]["waiting"], 1);
        if day == 3 {
            let browser = world.browser();
            assert_eq!(browser.log_in(&acme.email, PASSWORD).await.status, 200);
            let page = browser.get("/calls").await;
            assert!(page.text.contains("waiting since"), "the page says so, too: {}", page.text);
        }
        world.pass(DAY).await;
    }
    world.pass(DAY).await;
    assert_eq!(states(&acme).await[&id], "gave_up");
    let asks = world.sim.transcript_asks(acme.company)[&id];
    world.pass(DAY).await;
    assert_eq!(world.sim.transcript_asks(acme.company)[&id], asks, "it is not asked for any longer");
    world.finish().await;
}

#[tokio::test]
async fn transcripts_are_kept_to_the_letter_with_ids_of_twenty_digits() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let mut options = plain(40, 20);
    options.oddities = true;
    options.sentences = (20, 60);
    let mut ids = world.sim.generate(acme.company, &options);
    let strange = "Größe 5\u{2028}€ \"quoted\" \\ back\\slash \u{1F600} \t tab, z\u{0301}, \u{7f}, </script>, {{x}}, NUL-free";
    for id in ["18446744073709551615", "9223372036854775808", "99999999999999999999", "7"] {
        let call = NewCall::new()
            .id(id)
            .started(world.sim.now() - Duration::hours(2))
            .say(0, strange)
            .say_unknown("Hm.");
        ids.push(world.sim.add_call(acme.company, call));
    }
    world.connect(&acme, Some(30)).await;
    world.settle().await;
    let held = held_ids(&acme).await;
    for id in &ids {
        assert!(held.contains(id), "{id}");
        assert_eq!(our_text(&acme, id).await, world.sim.transcript_text(acme.company, id).unwrap(), "{id}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_call_without_parties_is_imported_and_marked_as_partial() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let partial = world.sim.add_call(acme.company, NewCall::new().no_parties().say(0, "Who is there?"));
    let whole = world.sim.add_call(acme.company, NewCall::new().say(0, "It is me."));
    world.pass(4 * HOUR).await;
    for call in acme.api.all_calls().await {
        assert_eq!(call["is_partial"], id(&call) == partial, "{call}");
        assert_eq!(call["transcript_state"], "stored");
    }
    assert!(held_ids(&acme).await.contains(&whole));
    world.finish().await;
}

#[tokio::test]
async fn without_the_transcript_scope_calls_come_and_transcripts_are_left_alone() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(30, 5));
    let four = "api:calls:read:basic api:calls:read:extensive api:users:read api:workspaces:read";
    world.sim.adjust(|switches| switches.scope_granted = Some(four.into()));
    world.connect(&acme, Some(7)).await;
    world.settle().await;
    assert_eq!(held_ids(&acme).await.len(), 30);
    let status = acme.api.gong().await;
    assert_eq!(status["scopes"]["missing"][0], "api:calls:read:transcript", "{status}");
    let (_, transcripts) = asked(&world, &acme);
    for _ in 0..8 {
        world.pass(HOUR / 8).await;
    }
    assert!(asked(&world, &acme).1 <= transcripts + 1, "a missing scope is probed once an hour at most");

    world.sim.adjust(|switches| switches.scope_granted = None);
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    world.connect(&acme, None).await;
    world.settle().await;
    assert_all_here(&world, &acme).await;
    assert!(acme.api.gong().await["last_error"].is_null());
    world.finish().await;
}

#[tokio::test]
async fn a_scope_that_comes_back_by_itself_is_noticed() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(10, 5));
    let refusal = What::StatusWith {
        status: 401,
        error: "You don't have permission to use 'api:calls:read:transcript' in your app.".into(),
        retry_after: None,
    };
    world.sim.fault(Rule::once(Endpoint::Transcript, refusal));
    world.connect(&acme, Some(7)).await;
    world.settle().await;
    assert_eq!(acme.api.gong().await["last_error"]["code"], "missing_scope");
    assert_eq!(world.sim.count(Endpoint::Token), 1, "a missing scope is no reason to refresh");
    world.pass(61 * MINUTE).await;
    world.pass(5 * MINUTE).await;
    let status = acme.api.gong().await;
    assert!(status["last_error"].is_null(), "{status}");
    assert_eq!(status["scopes"]["missing"].as_array().unwrap().len(), 0, "{status}");
    assert_all_here(&world, &acme).await;
    world.finish().await;
}
