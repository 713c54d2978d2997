//! Private calls: never asked for, never stored, purged when they turn private, welcome when they come back.

use std::{collections::BTreeSet, time::Duration};

use gong_sim::{NewCall, Party};
use stories::World;

use crate::support::*;

#[tokio::test]
async fn prv_01_no_transcript_of_a_private_call_is_ever_asked_for() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let mut options = plain(1_000, 50);
    options.private_share = 0.1;
    options.unknown_privacy_share = 0.03;
    world.sim.generate(acme.company, &options);
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    // And by polls.
    for flag in [Some(true), None, Some(false)] {
        world.sim.add_call(acme.company, NewCall::new().private(flag).say(0, "Psst."));
    }
    world.pass(4 * HOUR).await;
    let truth = world.sim.expected(acme.company);
    let private: BTreeSet<_> =
        truth.iter().filter(|c| c.private != Some(false)).map(|c| c.id.clone()).collect();
    assert!(private.len() > 80);
    let asked: BTreeSet<_> = world.sim.transcripts_asked(acme.company).into_iter().collect();
    assert_eq!(asked.intersection(&private).count(), 0);
    assert_eq!(asked, public_ids(&world, &acme));
    let counts = acme.api.gong().await["counts"].clone();
    assert_eq!(counts["private"].as_u64().unwrap(), private.len() as u64, "{counts}");
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn prv_03_calls_that_turn_private_during_a_backfill_leave_no_word() {
    let world = world_at(25.0).await;
    let acme = world.organization("acme").await;
    let start = world.sim.now();
    let mut flipped = Vec::new();
    for n in 0..500_i64 {
        let mut call = NewCall::new()
            .started(start - time::Duration::minutes(30 * n + 90))
            .title(&format!("canarytitle{n}x"))
            .say(0, &format!("canaryword{n}x was said"));
        if n % 20 == 7 {
            // At a moment of its own within the two seconds that the backfill takes.
            call =
                call.private_from(start + time::Duration::milliseconds(200 + n * 1_733 % 2_400), Some(true));
            flipped.push(n);
        }
        world.sim.add_call(acme.company, call);
    }
    world.connect(&acme, Some(14)).await;
    world.settle().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The look after the storing, and the next polls.
    world.pass(16 * MINUTE).await;
    world.pass(DAY).await;
    let all = everything(&world).await;
    for n in flipped {
        for word in [format!("canaryword{n}x"), format!("canarytitle{n}x")] {
            let found: Vec<_> =
                all.iter().filter(|(_, line)| line.contains(&word)).map(|(table, _)| table).collect();
            assert!(found.is_empty(), "{word} of a private call stands in {found:?}");
        }
    }
    assert!(
        all.iter().any(|(table, line)| table.contains("gong_transcripts") && line.contains("canaryword8x"))
    );
    assert_all_here(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn prv_03_a_call_that_turned_private_before_its_transcript_came_is_never_written() {
    // The company is known to use private calls: from then on nothing is stored without a later look.
    let world = world_at(4.0).await;
    let acme = world.organization("acme").await;
    world.sim.add_call(acme.company, NewCall::new().private(Some(true)).say(0, "Known to be private."));
    let start = world.sim.now();
    let ids: Vec<_> = (0..60)
        .map(|n| {
            let call =
                NewCall::new().started(start - time::Duration::minutes(n + 5)).say(0, "canaryword was said");
            world.sim.add_call(acme.company, call)
        })
        .collect();
    world.connect(&acme, Some(7)).await;
    assert!(until(Duration::from_secs(10), async || asked(&world, &acme).0 >= 1).await);
    for id in &ids {
        world.sim.set_private(acme.company, id, Some(true));
    }
    let mut seen = false;
    for _ in 0..20 {
        seen |= !tables_with(&world, "canaryword").await.is_empty();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.settle().await;
    assert!(!seen && tables_with(&world, "canaryword").await.is_empty());
    assert_eq!(held_ids(&acme).await, BTreeSet::new());
    world.finish().await;
}

#[tokio::test]
async fn prv_06_a_private_call_seen_by_a_poll_leaves_its_id_and_the_reason() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let party = |name: &str| Party {
        id: "5".into(),
        name: Some(name.into()),
        email: Some("canarymail@secret.example".into()),
        title: None,
        phone: None,
        user_id: None,
        speaker_id: Some("6".into()),
        affiliation: "External".into(),
        methods: vec!["Attendee".into()],
    };
    let call = || NewCall::new().title("canarytitle").party(party("canaryname")).say(0, "canaryword");
    let private = world.sim.add_call(acme.company, call().private(Some(true)));
    let unknown = world.sim.add_call(acme.company, call().private(None));
    let odd = world.sim.add_call(acme.company, call().private(None).field("isPrivate", "false".into()));
    let broken = world.sim.add_call(acme.company, call().private(Some(true)).field("started", "soon".into()));
    world.pass(4 * HOUR).await;
    for word in ["canarytitle", "canaryname", "canarymail", "canaryword"] {
        assert_eq!(tables_with(&world, word).await, [].into(), "{word}");
    }
    for (id, reason) in [
        (&private, "private"),
        (&unknown, "privacy_unknown"),
        (&odd, "privacy_unknown"),
        (&broken, "private"),
    ] {
        assert_eq!(tables_with(&world, id).await, ["public.gong_tombstones".to_owned()].into());
        let found: String = sqlx::query_scalar("select reason from gong_tombstones where gong_call_id = $1")
            .bind(id)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        assert_eq!(found, reason);
    }
    assert_eq!(asked(&world, &acme).1, 0);
    world.finish().await;
}

#[tokio::test]
async fn prv_05_a_stored_call_that_turns_private_is_purged_by_the_next_poll() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let id = world.sim.add_call(acme.company, NewCall::new().title("canarytitle").say(0, "canaryword"));
    world.pass(4 * HOUR).await;
    assert_eq!(states(&acme).await[&id], "stored");
    world.sim.set_private(acme.company, &id, Some(true));
    world.pass(4 * HOUR).await;
    assert_eq!(held_ids(&acme).await, BTreeSet::new());
    for word in ["canarytitle", "canaryword"] {
        assert_eq!(tables_with(&world, word).await, [].into(), "{word}");
    }
    world.finish().await;
}

#[tokio::test]
async fn prv_07_a_call_that_comes_back_to_public_is_imported_once_by_the_next_poll() {
    let world = World::start().await;
    let acme = connected(&world, "acme", Some(7)).await;
    let id = world
        .sim
        .add_call(acme.company, NewCall::new().private(Some(true)).say(0, "Now everybody may know."));
    world.pass(4 * HOUR).await;
    assert!(held_ids(&acme).await.is_empty());
    world.sim.set_private(acme.company, &id, Some(false));
    world.pass(4 * HOUR).await;
    assert_eq!(our_text(&acme, &id).await, "Now everybody may know.");
    assert_eq!(acme.api.gong().await["counts"]["private"], 0);
    world.pass(4 * HOUR).await;
    assert_eq!(held_ids(&acme).await, [id.clone()].into());
    assert_eq!(world.sim.transcripts_served(acme.company)[&id], 1);
    // And back again: gone again.
    world.sim.set_private(acme.company, &id, None);
    world.pass(4 * HOUR).await;
    assert!(held_ids(&acme).await.is_empty());
    world.finish().await;
}
