//! What operators do on the command line, and its lines in the audit log.

use std::time::{Duration, Instant};

use gong_sim::{Endpoint, NewCall, Rule, What};
use serde_json::{Value, json};
use stories::{Org, PASSWORD, World, until};

use crate::{
    program::{Served, run, text},
    support::still_world,
};

const PAGE: &str = "/settings/integrations/gong";

/// Actions of the operator in an organization: (action, target, detail), oldest first.
async fn by_operator(world: &World, org: &Org) -> Vec<(String, Option<String>, Value)> {
    sqlx::query_as(
        "select action, target, detail from audit_log where organization_id = $1 and actor_kind = 'operator'
         and action <> 'organization.created' order by line",
    )
    .bind(org.id)
    .fetch_all(world.db.pool())
    .await
    .unwrap()
}

fn soundpost(world: &World, words: &[&str]) -> String {
    let done = run(words, &[("DATABASE_URL", world.database.url.as_str())]);
    assert!(done.status.success(), "{words:?}: {}", text(&done.stderr));
    text(&done.stdout)
}

#[tokio::test]
async fn ops_17_a_stop_holds_within_five_seconds_in_another_process_and_everybody_reads_who_and_why() {
    let world = still_world().await;
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let served = Served::start(&world).await;
    served.connect(&world, &acme).await;
    // An answer that takes a minute.
    world.sim.fault(Rule::once(Endpoint::Transcript, What::SlowBody { bytes: 1, pause_ms: 500 }));
    let call = NewCall::new().started(world.sim.now()).say(0, "A long talk.");
    world.sim.add_call(acme.company, call);
    let asked = world.sim.count_of(acme.company, Endpoint::Transcript);
    served.browser.post("/api/v1/integrations/gong/poll", json!({})).await;
    let begun = async || world.sim.count_of(acme.company, Endpoint::Transcript) > asked;
    assert!(until(Duration::from_secs(10), begun).await, "the transcript is on its way");

    let stopped = Instant::now();
    soundpost(&world, &["gong", "stop", "--reason", "a drill"]);
    let idle = async || {
        world.number("select count(*) from apalis.jobs where status in ('Queued', 'Running')").await == 0
    };
    assert!(until(Duration::from_secs(10), idle).await);
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    let requests = world.sim.requests().len();
    served.browser.post("/api/v1/integrations/gong/poll", json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.sim.requests().len(), requests, "no request goes out");

    let page = served.browser.get(PAGE).await.text;
    assert!(page.contains("All traffic to Gong is stopped") && page.contains("because: a drill"), "{page}");
    let health = served.browser.get("/health").await;
    assert_eq!(health.status, 200);
    assert_eq!(
        (&health.json()["traffic"], &health.json()["status"]),
        (&json!("stopped"), &json!("degraded"))
    );
    // A second stop changes nothing and is not told.
    soundpost(&world, &["gong", "stop", "--reason", "again"]);
    soundpost(&world, &["gong", "start", "--reason", "over"]);
    for org in [&acme, &other] {
        let told = by_operator(&world, org).await;
        let line = |action: &str, reason| (action.to_owned(), None, json!({ "reason": reason }));
        assert_eq!(told, [line("gong.traffic_stopped", "a drill"), line("gong.traffic_started", "over")]);
    }
    assert_eq!(served.browser.log_in(&acme.email, PASSWORD).await.status, 200);
    let activity = served.browser.get("/activity").await.text;
    assert!(activity.contains("Stopped all traffic to Gong"), "{activity}");
    world.finish().await;
}

/// Open dead letters of an organization.
async fn bury(world: &World, org: &Org, letters: i32) {
    sqlx::query(
        "insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code)
         select gen_random_uuid()::text, $1, 'fresh', 'poll', gen_random_uuid(), 'poll:' || gen_random_uuid(), 0, 8, 8, 'gong_refused'
         from generate_series(1, $2)",
    )
    .bind(org.id)
    .bind(letters)
    .execute(world.db.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn job_11_dead_letters_that_are_closed_on_the_command_line_are_in_the_audit_log_as_those_of_the_page() {
    let world = still_world().await;
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    bury(&world, &acme, 3).await;
    bury(&world, &other, 2).await;
    // Its job could never be read: it is nobody's.
    world
        .number(
            "with l as (insert into dead_letters (job_id, lane, kind, priority, attempts, max_attempts, code)
        values ('nobody', 'fresh', 'unknown', 0, 1, 1, 'unreadable') returning 1) select count(*) from l",
        )
        .await;
    let one: uuid::Uuid =
        sqlx::query_scalar("select id from dead_letters where organization_id = $1 limit 1")
            .bind(acme.id)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
    let one = kernel::DeadLetterId::from_uuid(one).to_string();

    assert_eq!(soundpost(&world, &["jobs", "dead", "retry", &one]), "1 jobs run again\n");
    assert_eq!(soundpost(&world, &["jobs", "dead", "retry", "--kind", "poll"]), "4 jobs run again\n");
    bury(&world, &other, 2).await;
    assert_eq!(
        soundpost(&world, &["jobs", "dead", "discard", "--all", "--reason", "old"]),
        "3 jobs are discarded\n"
    );

    let told = by_operator(&world, &acme).await;
    let names: Vec<(&str, Option<&str>)> = told.iter().map(|(a, t, _)| (a.as_str(), t.as_deref())).collect();
    assert_eq!(names, [("job.retried", Some(one.as_str())), ("jobs.retried", Some("poll"))]);
    assert_eq!(told[1].2["jobs"], 2);
    let told = by_operator(&world, &other).await;
    let names: Vec<&str> = told.iter().map(|(action, ..)| action.as_str()).collect();
    assert_eq!(names, ["jobs.retried", "jobs.discarded"]);
    assert_eq!((&told[1].2["jobs"], &told[1].2["reason"]), (&json!(2), &json!("old")));
    assert_eq!(world.number("select count(*) from dead_letters where state = 'dead'").await, 0);
    world.finish().await;
}
