//! The way over a language model is gone once: over crashes, changes, several workers and outages.

use std::{sync::Arc, time::Duration};

use feedback::{Ended, PostChange};
use kernel::{Ambient, AnalyzerKind, Scope};
use model_sim::{Config, Endpoint, Sim, Trouble};
use stories::{World, WorldOptions};

use crate::{
    lab::{Lab, Wire, engine},
    models::{DARK, PDF},
    support::{MINUTE, board, call_of, posts},
};

#[tokio::test]
async fn a_crash_between_stages_asks_the_model_no_second_time() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    lab.call(&acme, &[PDF, DARK]).await;
    lab.sim.trouble(Endpoint::Embeddings, 1, Trouble::Stall(60_000));
    let first = lab.engine();
    let task = lab.take(&first, &acme).await.remove(0);
    {
        let dying = lab.work(&first, &acme, &task);
        let at_the_embeddings = async {
            while lab.sim.asked(Endpoint::Embeddings) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = dying => panic!("it was held up"),
            () = at_the_embeddings => {}
        }
    }
    assert_eq!((lab.asked(), lab.all_posts(&acme).await.len()), (1, 0));
    let second = lab.engine();
    assert_eq!(lab.run(&second, &acme).await, [], "it is left alone for a while");
    lab.pass(MINUTE * 11);
    assert_eq!(lab.run(&second, &acme).await, [Ended::Found(2)]);
    assert_eq!((lab.asked(), lab.posts(&acme).await.len()), (1, 2));
    assert_eq!(lab.work(&first, &acme, &task).await, Ended::Overtaken, "the dead one comes back");
    assert_eq!((lab.asked(), lab.all_posts(&acme).await.len()), (1, 2));
}

#[tokio::test]
async fn what_did_not_change_is_not_asked_about_again() {
    let lab = Lab::new(Wire::OpenAi).await;
    let acme = lab.organization("acme").await;
    let call = lab.call(&acme, &[PDF]).await;
    lab.call(&acme, &["them: Nice weather today."]).await;
    let engine = lab.engine();
    lab.run(&engine, &acme).await;
    let before = (lab.sim.requests().len(), lab.posts(&acme).await, lab.used(&acme).await);
    let again = async || {
        let mut tx = lab.db.begin(&acme).await.unwrap();
        feedback::want_all(&mut tx, &*lab.clock).await.unwrap();
        tx.commit().await.unwrap();
        lab.run(&engine, &acme).await
    };
    again().await;
    assert_eq!(
        (lab.sim.requests().len(), lab.posts(&acme).await, lab.used(&acme).await),
        before,
        "nobody was asked"
    );
    assert_eq!(lab.asked(), 1, "the screen spares the call without a wish");
    // Other settings are a reason to look again; the post stays what it is.
    lab.settings(&acme, |settings| settings.vocabulary.products = vec!["Orbit".into()]).await;
    assert_eq!(again().await.len(), 2);
    assert_eq!(lab.asked(), 2);
    let posts = lab.posts(&acme).await;
    assert_eq!((posts.len(), posts[0].id, posts[0].evidence), (1, before.1[0].id, 1));
    assert_eq!(lab.trace(&acme, call).await.state, "done");
}

#[tokio::test]
async fn calls_of_the_last_days_are_looked_at_again_and_what_people_did_stays() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    let old = lab.call(&acme, &[DARK]).await;
    lab.run(&engine, &acme).await;
    sqlx::query("update feedback_calls set stored_at = stored_at - interval '40 days'")
        .execute(lab.db.pool())
        .await
        .unwrap();
    lab.call(&acme, &[PDF]).await;
    let nothing = lab.call(&acme, &["them: Nice weather today."]).await;
    lab.run(&engine, &acme).await;
    let again = async || {
        let mut tx = lab.db.begin(&acme).await.unwrap();
        let since = lab.clock.now() - Duration::from_secs(30 * 24 * 3600);
        let calls = feedback::look_again(&mut tx, since, &*lab.clock).await.unwrap();
        tx.commit().await.unwrap();
        (calls, lab.run(&engine, &acme).await.len(), lab.asked())
    };
    assert_eq!(again().await, (2, 2, 2), "the old one is left alone, and nothing changed for the others");
    let trace = lab.trace(&acme, nothing).await;
    assert_eq!((trace.state.as_str(), trace.reason.as_deref()), ("discarded", Some("no_feedback")));
    // Somebody puts both wishes into one post and gives it another title.
    let posts = lab.posts(&acme).await;
    let (pdf, dark) = (&posts[0], &posts[1]);
    let mut tx = lab.db.begin(&acme).await.unwrap();
    feedback::merge(&mut tx, pdf.id, dark.id).await.unwrap();
    let named = PostChange { title: Some("Both at once".into()), ..PostChange::default() };
    let version = feedback::post(&mut tx, dark.id).await.unwrap().version;
    feedback::change_post(&mut tx, dark.id, version, named, &*lab.clock).await.unwrap();
    tx.commit().await.unwrap();
    lab.settings(&acme, |settings| settings.vocabulary.products = vec!["Orbit".into()]).await;
    assert_eq!(again().await, (2, 2, 3), "asked again, as the settings changed");
    let posts = lab.posts(&acme).await;
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert_eq!((posts[0].id, posts[0].title.as_str(), posts[0].evidence), (dark.id, "Both at once", 2));
    assert_eq!(lab.trace(&acme, old).await.state, "done");
}

#[tokio::test]
async fn a_transcript_that_changes_while_the_model_thinks_is_looked_at_as_it_is_now() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    let call = lab.call(&acme, &[PDF]).await;
    let engine = lab.engine();
    let old = lab.take(&engine, &acme).await.remove(0);
    lab.sim.trouble(Endpoint::Messages, 1, Trouble::Stall(700));
    let changes = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        lab.say(call, &[DARK]);
        sqlx::query("update gong_transcripts set words = 2").execute(lab.db.pool()).await.unwrap();
        lab.enter(&acme).await;
        // The other worker has taken it before the first one is done: both are at their first try.
        lab.take(&engine, &acme).await.remove(0)
    };
    let (ended, new) = tokio::join!(lab.work(&engine, &acme, &old), changes);
    assert_eq!(ended, Ended::Overtaken);
    assert_eq!(lab.all_posts(&acme).await, [], "nothing of words that are gone");
    assert_eq!(lab.work(&engine, &acme, &new).await, Ended::Found(1));
    let posts = lab.posts(&acme).await;
    assert_eq!(posts.len(), 1);
    assert!(posts[0].title.contains("dark theme"), "{posts:?}");
}

#[tokio::test]
async fn two_workers_at_once_make_no_post_twice() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    for n in 0..12 {
        // Six wishes, each by two customers.
        lab.call(&acme, &[&format!("them: We need gadget{} with lamp{} and rope{}.", n % 6, n % 6, n % 6)])
            .await;
    }
    lab.sim.adjust(|switches| switches.delay_ms = 20);
    let (one, two) = (lab.engine(), lab.engine());
    let worker = async |engine| {
        let mut found = 0;
        loop {
            let tasks = feedback::Engine::take(engine, &lab.db, &acme, 1).await.unwrap();
            let Some(task) = tasks.first() else { return found };
            found += usize::from(lab.work(engine, &acme, task).await == Ended::Found(1));
        }
    };
    let (first, second) = tokio::join!(worker(&one), worker(&two));
    assert_eq!(first + second, 12);
    assert!(first > 1 && second > 1, "both worked: {first}, {second}");
    let posts = lab.posts(&acme).await;
    assert_eq!(posts.len(), 6, "{:?}", posts.iter().map(|post| &post.title).collect::<Vec<_>>());
    assert!(posts.iter().all(|post| post.evidence == 2));
    assert_eq!(lab.asked(), 12);
}

#[tokio::test]
async fn the_job_leaves_a_model_that_is_away_alone_and_all_comes_in_afterwards() {
    let sim = Sim::start(Config::default()).await.unwrap();
    let mut world =
        World::with(WorldOptions { workers: false, feedback: true, ..WorldOptions::default() }).await;
    world.rooms.feedback = Some(Arc::new(engine(&sim, Wire::OpenAi, world.clock.clone())));
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    let mut settings = feedback::settings(&mut tx).await.unwrap();
    settings.analyzer = AnalyzerKind::Model;
    feedback::change_settings(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();
    for n in 0..8 {
        let said = format!("We need gadget{n} with lamp{n} and rope{n}.");
        world.sim.add_call(acme.company, call_of(&format!("company{n}"), &[&said]));
    }
    sim.trouble(Endpoint::Chat, 1_000, Trouble::Overloaded);
    world.connect(&acme, Some(10)).await;
    world.work();
    world.settle().await;
    let asked = sim.asked(Endpoint::Chat);
    assert!((4..=8).contains(&asked), "one call stands for all: {asked}");
    world.pass(Duration::from_secs(31)).await;
    assert!(sim.asked(Endpoint::Chat) <= asked + 8, "another one each half minute");
    assert_eq!(posts(&world, &acme).await, []);
    sim.clear();
    for _ in 0..4 {
        world.pass(MINUTE * 6).await;
    }
    let found = posts(&world, &acme).await;
    assert_eq!((found.len(), sim.asked(Endpoint::Chat)), (8, 8));
    world.finish().await;
}
