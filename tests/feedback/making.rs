//! What customers asked for is on the board, once, with the words that they used.

use std::process::Command;

use feedback::Settings;
use kernel::{FeedbackMode, PostState, Scope};
use serde_json::json;
use stories::{Org, Workers, World, WorldOptions, until};

use crate::support::*;

async fn change(world: &World, org: &Org, change: impl FnOnce(&mut Settings)) {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    let mut settings = feedback::settings(&mut tx).await.unwrap();
    change(&mut settings);
    feedback::change_settings(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_a_customer_asks_for_is_a_post_whose_quotes_stand_in_the_transcript() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    let said = ["Hello there.", "I wish the report could be printed on paper."];
    let id = world.sim.add_call(acme.company, call_of("globex", &said));
    world.sim.add_call(acme.company, call_of("initech", &["All is well with us."]));
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let posts = posts(&world, &acme).await;
    assert_eq!(posts.len(), 1, "what our own people need is no feedback: {posts:?}");
    assert_eq!((posts[0].evidence, posts[0].accounts, posts[0].analyzer.as_str()), (1, 1, "plain/1"));
    let evidence = evidence(&world, &acme, posts[0].id).await;
    assert_eq!(evidence[0].quotes[0].text, said[1]);
    assert_eq!(evidence[0].author.as_deref(), Some("Ann of globex"));
    assert_eq!(evidence[0].account.as_deref(), Some("globex.example"));
    let transcript = acme.api.get(&format!("/api/v1/calls/{}/transcript", evidence[0].call)).await.json();
    assert!(transcript.to_string().contains(said[1]));
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    let steps = feedback::explain(&mut tx, evidence[0].call).await.unwrap().join(" ");
    assert!(steps.contains("1 sentences hold words of wishing") && steps.contains(&posts[0].id.to_string()));
    let ledger = feedback::ledger(&mut tx).await.unwrap();
    assert_eq!((ledger.done, ledger.discarded, ledger.wanted), (1, 1, 0));
    drop(tx);
    let mut explain = Command::new(stories::program());
    explain.args(["explain", "call", &id, "--organization", &acme.id.to_string()]);
    let told = explain.env_clear().env("DATABASE_URL", &world.database.url).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stdout).contains(&posts[0].id.to_string()), "{told:?}");
    world.finish().await;
}

#[tokio::test]
async fn calls_wait_for_the_first_board_and_for_yes_where_somebody_has_to_say_it() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    world.sim.add_call(acme.company, call_of("globex", &["We need a dark theme in the editor."]));
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    assert_eq!(feedback::ledger(&mut tx).await.unwrap().waiting, [("no_board".to_owned(), 1)]);
    drop(tx);
    change(&world, &acme, |settings| settings.mode = FeedbackMode::Approval).await;
    board(&world, &acme).await;
    world.pass(MINUTE).await;
    assert_eq!(posts(&world, &acme).await, []);
    let waiting = posts_in(&world, &acme, PostState::Review).await;
    assert_eq!(waiting.len(), 1);
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    feedback::review(&mut tx, waiting[0].id, true, &*world.rooms.ambient).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(posts(&world, &acme).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn the_same_wish_of_two_customers_is_one_post_and_an_undone_merge_stays_undone() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    let other = world.organization("umbrella").await;
    for org in [&acme, &other] {
        board(&world, org).await;
        world.connect(org, Some(10)).await;
    }
    let wish = "We need single sign on for all users.";
    for company in ["globex", "initech", "hooli"] {
        world.sim.add_call(acme.company, call_of(company, &[wish]));
    }
    world.sim.add_call(other.company, call_of("globex", &[wish]));
    for org in [&acme, &other] {
        org.api.post("/api/v1/integrations/gong/poll", json!({})).await;
    }
    world.pass(MINUTE * 10).await;
    let found = posts(&world, &acme).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].evidence, found[0].accounts), (3, 3));
    let theirs = posts(&world, &other).await;
    assert_eq!((theirs.len(), theirs[0].evidence), (1, 1), "never across organizations");
    let joined = evidence(&world, &acme, found[0].id).await;
    let out = joined.iter().find(|one| one.is_joined).unwrap();
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    let new = feedback::split(&mut tx, out.id, &*world.rooms.ambient).await.unwrap();
    tx.commit().await.unwrap();
    again(&world, &acme).await;
    let counts = |posts: Vec<feedback::Post>| posts.iter().map(|p| (p.id, p.evidence)).collect::<Vec<_>>();
    assert_eq!(counts(posts(&world, &acme).await), [(found[0].id, 2), (new, 1)]);
    let mut tx = world.db.begin(&Scope::job(acme.id)).await.unwrap();
    feedback::merge(&mut tx, new, found[0].id).await.unwrap();
    tx.commit().await.unwrap();
    again(&world, &acme).await;
    assert_eq!(counts(posts(&world, &acme).await), [(found[0].id, 3)], "a person's word counts");
    world.finish().await;
}

#[tokio::test]
async fn looking_again_at_what_did_not_change_changes_nothing() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    for n in 0..5 {
        let wish = format!("I wish that number{n} could be sorted by column{n} and row{n}.");
        world.sim.add_call(acme.company, call_of(&format!("company{n}"), &[&wish]));
    }
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let state = "select hashtext(string_agg(t::text, '' order by t::text))::bigint from
        (select p::text from posts p union all select e::text from evidence e union all select s::text from feedback_stages s) as t(t)";
    let before = (world.number(state).await, posts(&world, &acme).await.len());
    again(&world, &acme).await;
    assert_eq!((world.number(state).await, posts(&world, &acme).await.len()), before);
    assert_eq!(before.1, 5);
    world.finish().await;
}

#[tokio::test]
async fn workers_that_are_killed_lose_no_wish_and_make_none_twice() {
    let world = World::with(WorldOptions { feedback: true, workers: false, ..WorldOptions::default() }).await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    for n in 0..40 {
        let wish = format!("I wish that thing{n} would open part{n} at noon{n} or day{n}.");
        world.sim.add_call(acme.company, call_of(&format!("company{n}"), &[&wish]));
    }
    world.connect(&acme, Some(10)).await;
    for _ in 0..4 {
        let workers = Workers::start(&world, &world.rooms.defaults).await;
        let before = world.number("select count(*) from evidence").await;
        until(std::time::Duration::from_secs(20), async || {
            let now = world.number("select count(*) from evidence").await;
            now > before || now == 40
        })
        .await;
        workers.kill();
    }
    let workers = Workers::start(&world, &world.rooms.defaults).await;
    let done = until(std::time::Duration::from_secs(40), async || {
        // Calls that a dead worker had taken are missed after ten minutes.
        world.wait(std::time::Duration::from_secs(20));
        jobs::schedule::reconcile_once(&world.rooms).await.ok();
        world.due_jobs().await;
        world.number("select count(*) from feedback_calls where state = 'done'").await == 40
    })
    .await;
    assert!(done, "{}", world.number("select count(*) from feedback_calls where state = 'done'").await);
    workers.stop().await;
    let twice = "select count(*) from (select call_id from evidence group by call_id having count(*) > 1) t";
    assert_eq!(world.number("select count(*) from evidence").await, 40);
    assert_eq!(world.number(twice).await, 0);
    assert_eq!(posts(&world, &acme).await.len(), 40);
}
