//! Sending: in the sender's transaction, one live job a key, taken back with its subject.

use std::sync::Arc;

use kernel::{Ambient, OrganizationId, SystemAmbient};
use queue::{Lane, NewJob, Verdict};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{Actor, desk, seconds};

const WAITING: &str = "select count(*) from apalis.jobs where status = 'Pending'";

#[tokio::test]
async fn a_key_is_taken_while_its_job_lives_and_free_when_it_is_done() {
    let desk = desk().await;
    assert!(desk.send(&desk.job("poll", 1)).await);
    assert!(!desk.send(&desk.job("poll", 1)).await, "one waits already");
    assert!(desk.send(&desk.job("poll", 2)).await, "another key");

    let actor = Actor::willing();
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    assert_eq!((actor.starts_of(1).len(), actor.starts_of(2).len()), (1, 1));

    assert!(desk.send(&desk.job("poll", 1)).await, "the first one is done");
    desk.idle(seconds(10)).await;
    assert_eq!(actor.starts_of(1).len(), 2);
    work.stop().await;
}

#[tokio::test]
async fn a_job_vanishes_with_its_transaction() {
    let desk = desk().await;
    let mut tx = desk.begin().await;
    assert!(queue::enqueue(&mut tx, &desk.job("poll", 1)).await.unwrap());
    drop(tx);
    let mut tx = desk.begin().await;
    assert!(queue::enqueue(&mut tx, &desk.job("poll", 1)).await.unwrap(), "nothing was left behind");
    tx.commit().await.unwrap();
    assert_eq!(desk.number(WAITING).await, 1);
}

#[tokio::test]
async fn of_many_senders_at_once_one_sends() {
    let desk = Arc::new(desk().await);
    for round in 0..20 {
        let senders = (0..4).map(|_| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.send(&desk.job("poll", round)).await })
        });
        let mut sent = 0;
        for sender in senders.collect::<Vec<_>>() {
            sent += i32::from(sender.await.unwrap());
        }
        assert_eq!(sent, 1, "round {round}");
    }
    assert_eq!(desk.number(WAITING).await, 20);
}

#[tokio::test]
async fn a_waiting_job_is_moved_to_the_earliest_wish() {
    let desk = desk().await;
    let now = SystemAmbient.now();
    let after = |minutes| desk.job("poll", 1).at(now + time::Duration::minutes(minutes));
    assert!(desk.send(&after(60)).await);
    assert!(!desk.send(&after(90)).await, "later than what waits");
    assert!(desk.send(&after(30)).await, "earlier");
    let actor = Actor::willing();
    let work = desk.work(&actor);
    tokio::time::sleep(seconds(1)).await;
    assert!(actor.starts().is_empty());
    assert!(desk.send(&desk.job("poll", 1)).await, "at once");
    desk.idle(seconds(5)).await;
    assert_eq!(actor.starts_of(1).len(), 1);
    assert_eq!(desk.number("select count(*) from apalis.jobs").await, 1);
    work.stop().await;
}

#[tokio::test]
async fn a_job_that_failed_keeps_its_back_off() {
    let desk = desk().await;
    let actor = Actor::new(|_, _| async { Verdict::Retry { code: "no_luck", after: Some(seconds(3600)) } });
    desk.send(&desk.job("poll", 1)).await;
    let work = desk.work(&actor);
    actor.started(1, 1).await;
    let waits = "select count(*) from apalis.jobs where status = 'Pending' and run_at > now() + interval '50 minutes'";
    assert!(crate::support::until(seconds(5), async || desk.number(waits).await == 1).await);
    assert!(!desk.send(&desk.job("poll", 1)).await);
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(actor.starts().len(), 1);
    work.stop().await;
}

#[tokio::test]
async fn a_job_wanted_again_while_it_runs_runs_once_more() {
    let desk = desk().await;
    let gate = Arc::new(Semaphore::new(0));
    let pass = gate.clone();
    let actor = Actor::new(move |_, _| {
        let gate = pass.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Verdict::Done
        }
    });
    desk.send(&desk.job("poll", 1)).await;
    let work = desk.work(&actor);
    actor.started(1, 1).await;
    assert!(!desk.send(&desk.job("poll", 1)).await);
    assert!(!desk.send(&desk.job("poll", 1)).await);
    gate.add_permits(2);
    desk.idle(seconds(10)).await;
    let attempts: Vec<i32> = actor.starts().iter().map(|start| start.attempt).collect();
    assert_eq!(attempts, [1, 1], "two wishes, one more run, with all its attempts");
    work.stop().await;
}

#[tokio::test]
async fn a_job_of_another_organization_cannot_be_sent() {
    let desk = desk().await;
    let other = OrganizationId::mint(&SystemAmbient);
    let foreign = NewJob::new(Lane::Fresh, "poll", other, Uuid::nil(), "poll:1");
    let mut tx = desk.begin().await;
    let error = queue::enqueue(&mut tx, &foreign).await.unwrap_err();
    assert_eq!(error.code(), "database_failure");
    drop(tx);
    assert_eq!(desk.number("select count(*) from apalis.jobs").await, 0);

    let mut fleet = desk.db.fleet().await.unwrap();
    assert!(queue::enqueue(&mut fleet, &foreign).await.unwrap(), "the fleet sends for all");
    fleet.commit().await.unwrap();
    // The same key of two organizations are two jobs.
    assert!(desk.send(&NewJob::new(Lane::Fresh, "poll", desk.organization, Uuid::nil(), "poll:1")).await);
}

#[tokio::test]
async fn with_its_subject_a_job_is_taken_back_and_its_key_is_free() {
    let desk = desk().await;
    let gate = Arc::new(Semaphore::new(0));
    let pass = gate.clone();
    let actor = Actor::new(move |job, _| {
        let gate = pass.clone();
        async move {
            if job.kind == "backfill" {
                gate.acquire().await.unwrap().forget();
                return Verdict::Later { at: SystemAmbient.now(), why: "not_yet" };
            }
            Verdict::Done
        }
    });
    let tomorrow = SystemAmbient.now() + time::Duration::days(1);
    desk.send(&desk.job("backfill", 1)).await;
    desk.send(&desk.job("poll", 1).at(tomorrow)).await;
    desk.send(&desk.job("poll", 2).at(tomorrow)).await;
    let work = desk.work(&actor);
    actor.started(1, 1).await;

    let mut tx = desk.begin().await;
    assert_eq!(queue::cancel(&mut tx, Uuid::from_u128(1)).await.unwrap(), 1, "the waiting poll");
    tx.commit().await.unwrap();
    assert!(
        desk.send(&desk.job("backfill", 1).at(tomorrow)).await,
        "the running one no longer holds its key"
    );
    gate.add_permits(10);
    let over = "select count(*) from apalis.jobs where status = 'Killed'";
    assert!(crate::support::until(seconds(5), async || desk.number(over).await == 2).await);
    assert_eq!(desk.number(WAITING).await, 2, "the other subject's poll, and the new backfill");
    assert_eq!(actor.starts().len(), 1);
    assert!(desk.dead().await.is_empty(), "who is cancelled is not dead");
    work.stop().await;
}

#[tokio::test]
async fn job_19_an_organization_with_many_jobs_does_not_keep_others_waiting() {
    const QUIET: u128 = 1_000_000;
    let desk = desk().await;
    let mut tx = desk.db.fleet().await.unwrap();
    for subject in 0..1_000 {
        queue::enqueue(&mut tx, &desk.job("poll", subject)).await.unwrap();
    }
    for organization in 0..20 {
        let quiet = OrganizationId::mint(&SystemAmbient);
        for number in 0..10 {
            let subject = QUIET + organization * 10 + number;
            let key = format!("poll:{subject}");
            let job = NewJob::new(Lane::Fresh, "poll", quiet, Uuid::from_u128(subject), key);
            assert!(queue::enqueue(&mut tx, &job).await.unwrap());
        }
    }
    tx.commit().await.unwrap();

    let actor = Actor::willing();
    let work = desk.work(&actor);
    let quiet_ones = || actor.starts().iter().filter(|start| start.subject >= QUIET).count();
    assert!(
        crate::support::until(seconds(20), async || quiet_ones() == 200).await,
        "the quiet ones had their turn"
    );
    work.stop().await;
    let starts = actor.starts();
    let last = starts.iter().rposition(|start| start.subject >= QUIET).unwrap();
    // Alone they would have been through after 200 starts.
    assert!(last < 400, "the last of 200 was number {last}");
    assert!(starts.iter().take(100).any(|start| start.subject < QUIET), "and the busy one has its turn, too");
}
