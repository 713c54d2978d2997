//! Workers: each job once, started quickly, cheap when there is nothing to do, and whole again after they break.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Ambient, SystemAmbient};
use queue::{Lane, NewJob, Verdict};
use uuid::Uuid;

use crate::support::{Actor, desk, seconds, settings, until};

#[tokio::test]
async fn two_processes_share_the_work_and_each_job_runs_once() {
    let desk = desk().await;
    let slow = || {
        Actor::new(|_, _| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Verdict::Done
        })
    };
    let (one, two) = (slow(), slow());
    for subject in 0..200 {
        desk.send(&desk.job("poll", subject)).await;
    }
    let works = [desk.work(&one), desk.work(&two)];
    desk.idle(seconds(30)).await;
    let mut subjects: Vec<u128> =
        one.starts().iter().chain(&two.starts()).map(|start| start.subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..200).collect::<Vec<_>>(), "each once");
    assert!(one.starts().len() > 20 && two.starts().len() > 20, "both worked");
    assert_eq!(
        desk.number("select count(*) from apalis.jobs where status = 'Done' and attempts = 1").await,
        200
    );
    for work in works {
        work.stop().await;
    }
}

#[tokio::test]
async fn a_full_lane_leaves_the_others_alone() {
    let desk = desk().await;
    let actor = Actor::new(|job, _| async move {
        if job.kind == "backfill" {
            tokio::time::sleep(seconds(3)).await;
        }
        Verdict::Done
    });
    for subject in 100..110 {
        let key = format!("backfill:{subject}");
        let bulk = NewJob::new(Lane::Bulk, "backfill", desk.organization, Uuid::from_u128(subject), key);
        desk.send(&bulk).await;
    }
    let work = desk.work(&actor);
    assert!(until(seconds(10), async || actor.active.load(std::sync::atomic::Ordering::SeqCst) == 2).await);
    let sent = Instant::now();
    desk.send(&desk.job("poll", 1)).await;
    actor.started(1, 1).await;
    assert!(sent.elapsed() < seconds(2), "{:?}", sent.elapsed());
    let running = actor.active.load(std::sync::atomic::Ordering::SeqCst);
    assert!(running <= 2, "no more at once than the lane has places: {running}");
    drop(work);
}

#[tokio::test]
async fn a_job_starts_right_after_it_was_sent() {
    let desk = desk().await;
    let actor = Actor::willing();
    let work = desk.work(&actor);
    tokio::time::sleep(seconds(1)).await;
    let mut waits = Vec::new();
    for subject in 0..60 {
        let mut tx = desk.begin().await;
        queue::enqueue(&mut tx, &desk.job("poll", subject)).await.unwrap();
        let sent = Instant::now();
        tx.commit().await.unwrap();
        actor.started(subject, 1).await;
        waits.push(actor.starts_of(subject)[0].at - sent);
        tokio::time::sleep(Duration::from_millis(37)).await;
    }
    waits.sort_unstable();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("from commit to start: median {median:?}, 95 % {:?}, longest {longest:?}", waits[56]);
    assert!(median <= Duration::from_millis(50), "{waits:?}");
    assert!(longest <= Duration::from_millis(1500), "{waits:?}");
    work.stop().await;
}

#[tokio::test]
async fn a_delayed_job_starts_when_its_time_has_come() {
    let desk = desk().await;
    let actor = Actor::willing();
    let work = desk.work(&actor);
    let due = Instant::now() + seconds(2);
    desk.send(&desk.job("poll", 1).at(SystemAmbient.now() + time::Duration::seconds(2))).await;
    actor.started(1, 1).await;
    let late = actor.starts()[0].at.checked_duration_since(due);
    assert!(late.is_none_or(|late| late < Duration::from_millis(1300)), "{late:?} late");
    assert!(actor.starts()[0].at + Duration::from_millis(50) >= due, "not before its time");
    work.stop().await;
}

#[tokio::test]
async fn workers_with_nothing_to_do_hardly_touch_the_database() {
    let desk = desk().await;
    let actor = Actor::willing();
    let work = desk.work_with(&actor, jobs::runtime::Settings::default());
    tokio::time::sleep(seconds(3)).await;
    let transactions =
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    let before = desk.number(transactions).await;
    tokio::time::sleep(seconds(15)).await;
    let spent = desk.number(transactions).await - before;
    println!("{spent} transactions in 15 idle seconds");
    // A look for due jobs a second; a heartbeat and a fetch in five seconds for each of three lanes; a sign of life.
    assert!(spent <= 15 * 4, "{spent} transactions in 15 seconds");
    assert!(spent >= 15, "the numbers are not those of this database: {spent}");
    work.stop().await;
}

#[tokio::test]
async fn a_broken_worker_is_replaced_and_its_job_runs_again_uncounted() {
    let desk = desk().await;
    let actor = Actor::new(|job, _| async move {
        if job.kind == "long" {
            tokio::time::sleep(seconds(4)).await;
        }
        Verdict::Done
    });
    desk.send(&desk.job("long", 1).max_attempts(1)).await;
    let work = desk.work(&actor);
    actor.started(1, 1).await;
    // apalis finds itself out of step with its row and gives up.
    assert_eq!(
        desk.change("update apalis.workers set worker_type = 'gone' where worker_type = 'fresh'").await,
        1
    );
    actor.started(1, 2).await;
    assert_eq!(actor.starts()[1].attempt, 1, "the job has done nothing wrong");
    desk.idle(seconds(10)).await;
    assert!(desk.dead().await.is_empty());
    assert_eq!(desk.number("select count(*) from apalis.workers where worker_type = 'fresh'").await, 1);
    work.stop().await;
}

#[tokio::test]
async fn a_job_that_its_worker_forgot_is_found() {
    let desk = desk().await;
    let actor = Actor::willing();
    let work = desk.work(&actor);
    let registered = "select count(*) from apalis.workers where worker_type = 'fresh'";
    assert!(until(seconds(10), async || desk.number(registered).await == 1).await);
    // As if the answer of a fetch had been lost: the row is the worker's, the worker knows nothing of it.
    let tomorrow = SystemAmbient.now() + time::Duration::days(1);
    desk.send(&desk.job("poll", 1).at(tomorrow)).await;
    let taken = desk
        .change(
            "update apalis.jobs set status = 'Queued', run_at = now(), lock_at = now(),
                lock_by = (select id from apalis.workers where worker_type = 'fresh')",
        )
        .await;
    assert_eq!(taken, 1);
    desk.idle(seconds(10)).await;
    assert_eq!(actor.starts_of(1).len(), 1);
    work.stop().await;
}

#[tokio::test]
async fn workers_outlive_a_database_that_cuts_every_connection() {
    let desk = Arc::new(desk().await);
    let actor = Actor::new(|_, _| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Verdict::Done
    });
    let work = desk.work_with(&actor, settings());
    for round in 0..3_u128 {
        for subject in 0..20 {
            desk.send(&desk.job("poll", round * 100 + subject)).await;
        }
        desk.number(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    desk.idle(seconds(30)).await;
    assert_eq!(desk.number("select count(*) from apalis.jobs where status = 'Done'").await, 60);
    assert!(desk.dead().await.is_empty());
    work.stop().await;
}
