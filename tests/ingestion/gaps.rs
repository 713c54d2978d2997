//! What must not fall into a gap: calls of a time that nobody listed, transcripts beside one that cannot be read, names that
//! are searched for.

use std::time::Duration;

use gong_sim::{Endpoint, NewCall, Party, Rule, What};
use jobs::runtime::Handler;
use kernel::ConnectionId;
use queue::{Job, Verdict};
use stories::{Org, World};
use tokio_util::sync::CancellationToken;

use crate::support::*;

/// Does a job of the connection by hand; with `stopped` it is told to stop at once.
async fn by_hand(world: &World, org: &Org, kind: &str, stopped: bool) -> Verdict {
    let subject: uuid::Uuid =
        sqlx::query_scalar("select id from gong_connections where organization_id = $1")
            .bind(org.id)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
    let stop = CancellationToken::new();
    if stopped {
        stop.cancel();
    }
    let job = Job {
        id: "by hand".into(),
        kind: kind.into(),
        organization: org.id,
        subject: ConnectionId::from_uuid(subject).uuid(),
        attempt: 1,
        max_attempts: 8,
        trace: None,
        worker: "story".into(),
    };
    world.rooms.handle(job, &stop).await
}

async fn is_held(world: &World, gong_id: &str) -> bool {
    sqlx::query_scalar("select exists (select from gong_calls where gong_call_id = $1)")
        .bind(gong_id)
        .fetch_one(world.db.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_stopped_poll_never_listed_is_listed_after_a_sweep_that_began_behind_it() {
    let world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.wait(HOUR);
    assert_eq!(by_hand(&world, &acme, "poll", true).await, Verdict::Next, "stopped in the middle");
    world.wait(20 * DAY);
    let at = world.sim.now() - time::Duration::days(17);
    let old = world.sim.add_call(acme.company, NewCall::new().started(at).say(0, "Long ago."));
    assert_eq!(by_hand(&world, &acme, "sweep", false).await, Verdict::Done);
    for _ in 0..3 {
        by_hand(&world, &acme, "poll", false).await;
        world.wait(4 * HOUR);
    }
    assert!(is_held(&world, &old).await, "a call of a time that no poll and no sweep reached");
    let caught_up = "select count(*) from gong_schedules where last_poll_at > now() + interval '20 days'";
    assert_eq!(world.number(caught_up).await, 1, "and then the polls are up to date again");
}

#[tokio::test]
async fn a_transcript_that_spoils_its_answer_keeps_no_other_back() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(220, 10));
    let at = world.sim.now() - time::Duration::days(5);
    let bad = world.sim.add_call(acme.company, NewCall::new().started(at).spoilt().say(0, "Unheard."));
    world.connect(&acme, Some(20)).await;
    world.settle().await;
    for _ in 0..3 {
        world.pass(MINUTE).await;
    }
    let states = states(&acme).await;
    let left: Vec<_> = states.iter().filter(|(_, state)| *state != "stored").collect();
    assert_eq!(left, [(&bad, &"waiting".to_owned())], "only the one that cannot be read waits");
    let call = acme.api.all_calls().await.into_iter().find(|call| id(call) == bad).unwrap();
    assert_eq!(call["transcript_reason"], "transcript_unreadable");
    let (_, asked_once) = asked(&world, &acme);
    assert!(asked_once <= 30, "it is found in few requests: {asked_once}");
    assert_eq!(acme.api.gong().await["backfill"]["state"], "done");
    world.finish().await;
}

fn known() -> Party {
    Party {
        id: "1".into(),
        name: Some("Zebulon Zander".into()),
        email: Some("zebulon@customer.example".into()),
        title: None,
        phone: None,
        user_id: None,
        speaker_id: Some("1".into()),
        affiliation: "External".into(),
        methods: vec!["Attendee".into()],
    }
}

#[tokio::test]
async fn who_took_part_is_still_found_when_gong_leaves_the_parties_out() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let id = world.sim.add_call(acme.company, NewCall::new().party(known()).say(0, "It is me."));
    world.pass(4 * HOUR).await;
    let found = async || {
        let page = acme.api.get("/api/v1/calls?search=zebulon").await.json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(found().await, 1);
    world.sim.delete_call(acme.company, &id);
    let at = world.sim.now() - time::Duration::hours(4);
    let partial = NewCall::new().id(&id).started(at).party(known()).no_parties().say(0, "It is me.");
    world.sim.add_call(acme.company, partial);
    world.pass(4 * HOUR).await;
    assert_eq!(found().await, 1, "the stored parties stay, and so they are found");
    world.finish().await;
}

#[tokio::test]
async fn a_question_about_users_that_fails_is_no_failure_of_the_poll() {
    let world = World::start().await;
    let acme = connected(&world, "acme", None).await;
    world.sim.fault(Rule::always(Endpoint::Users, What::Status(503)));
    for _ in 0..10 {
        world.pass(DAY).await;
        assert!(acme.api.gong().await["last_error"].is_null(), "the poll went well");
    }
    let asked = world.sim.count_of(acme.company, Endpoint::Users);
    assert!((1..=4).contains(&asked), "once a day at most: {asked}");
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_cannot_end_does_not_hold_transcripts_back() {
    let world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.wait(HOUR);
    let call = world.sim.add_call(acme.company, NewCall::new().say(0, "Hello."));
    assert_eq!(by_hand(&world, &acme, "sweep", false).await, Verdict::Done);
    assert_eq!(by_hand(&world, &acme, "poll", true).await, Verdict::Next, "begun, and not ended");
    by_hand(&world, &acme, "transcripts", false).await;
    assert_eq!(asked(&world, &acme).1, 0, "more may be listed soon");
    world.wait(Duration::from_secs(6 * 60));
    by_hand(&world, &acme, "transcripts", false).await;
    assert_eq!(our_text(&acme, &call).await, "Hello.");
}
