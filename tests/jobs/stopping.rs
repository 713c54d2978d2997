//! A graceful stop: what runs may end, what cannot is handed back, nothing is lost or counted.

use std::time::Duration;

use queue::Verdict;

use crate::support::{Actor, desk, seconds, settings};

#[tokio::test]
async fn job_22_running_jobs_end_and_no_new_one_begins() {
    let desk = desk().await;
    let actor = Actor::new(|_, _| async {
        tokio::time::sleep(seconds(1)).await;
        Verdict::Done
    });
    for subject in 0..20 {
        desk.send(&desk.job("poll", subject)).await;
    }
    let work = desk.work(&actor);
    actor.started(3, 1).await;
    let took = work.stop().await;
    assert!(took < seconds(2), "{took:?}");
    let begun = i64::try_from(actor.starts().len()).unwrap();
    assert!(begun < 20);
    let states = "select count(*) from apalis.jobs where status = 'Done'";
    assert_eq!(desk.number(states).await, begun, "all that began are done");
    let waiting =
        "select count(*) from apalis.jobs where status = 'Pending' and attempts = 0 and lock_by is null";
    assert_eq!(desk.number(waiting).await, 20 - begun);

    let next = Actor::willing();
    let work = desk.work(&next);
    desk.idle(seconds(10)).await;
    assert_eq!(next.starts().len(), 20 - actor.starts().len());
    work.stop().await;
}

#[tokio::test]
async fn job_22_a_job_that_does_not_end_is_handed_back_with_all_its_attempts() {
    let desk = desk().await;
    let stubborn = Actor::new(|_, _| async { std::future::pending::<Verdict>().await });
    for subject in 0..3 {
        desk.send(&desk.job("poll", subject).max_attempts(1)).await;
    }
    let work = desk.work(&stubborn);
    for subject in 0..3 {
        stubborn.started(subject, 1).await;
    }
    let took = work.stop().await;
    assert!(took >= seconds(2) && took < seconds(4), "the two seconds of patience, no more: {took:?}");
    let waiting =
        "select count(*) from apalis.jobs where status = 'Pending' and attempts = 0 and lock_by is null";
    assert_eq!(desk.number(waiting).await, 3);

    let began = std::time::Instant::now();
    let next = Actor::willing();
    let work = desk.work(&next);
    desk.idle(seconds(10)).await;
    assert!(began.elapsed() < seconds(2), "at once, not when a worker is missed");
    assert!(desk.dead().await.is_empty());
    work.stop().await;
}

#[tokio::test]
async fn job_22_a_job_is_told_and_can_end_by_itself() {
    let desk = desk().await;
    let polite = Actor::new(|_, stop| async move {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Verdict::Next
    });
    desk.send(&desk.job("backfill", 1)).await;
    let work = desk.work_with(&polite, jobs::runtime::Settings { drain: seconds(20), ..settings() });
    polite.started(1, 1).await;
    let took = work.stop().await;
    assert!(took < seconds(2), "{took:?}");
    assert_eq!(polite.starts().len(), 1, "it did not begin again");
    assert_eq!(desk.number("select count(*) from apalis.jobs where status = 'Pending'").await, 1);
    assert_eq!(desk.number("select count(*) from worker_heartbeats").await, 0, "the process said goodbye");
}
