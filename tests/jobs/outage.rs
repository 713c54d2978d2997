//! A database that is away for all workers at once is nobody's death.

use std::time::Duration;

use queue::Verdict;
use stories::{Mood, Way};
use tokio::time::sleep;

use crate::support::{Actor, Desk, desk, seconds, until};

const DEATHS: &str = "select count(*) from apalis.jobs where metadata ? 'sp.deaths'";

#[tokio::test]
async fn job_08_after_an_outage_longer_than_a_lease_nobody_is_taken_for_dead() {
    let desk = desk().await;
    let (first, other) = (Way::to(&desk.url).await, Way::to(&desk.url).await);
    let mut at_first = Desk::at(first.url.clone()).await;
    let mut at_other = Desk::at(other.url.clone()).await;
    (at_first.organization, at_other.organization) = (desk.organization, desk.organization);
    let slow = || {
        Actor::new(|job, _| async move {
            // Only the first time: what comes back is done at once.
            sleep(if job.kind == "long" { seconds(6) } else { Duration::ZERO }).await;
            Verdict::Done
        })
    };
    let (one, two) = (slow(), slow());
    let works = [at_first.work(&one), at_other.work(&two)];
    for subject in 1..=6 {
        desk.send(&desk.job("long", subject)).await;
    }
    let both = || one.starts().len() >= 2 && two.starts().len() >= 2;
    assert!(until(seconds(10), async || both()).await, "both work: {:?} {:?}", one.starts(), two.starts());
    let held = "select count(distinct lock_by) from apalis.jobs where status in ('Queued', 'Running')";
    assert!(desk.number(held).await >= 2);

    // The lease is two seconds.
    first.be(Mood::Refuse);
    other.be(Mood::Refuse);
    sleep(seconds(4)).await;
    first.be(Mood::Pass);
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(desk.number(DEATHS).await, 0, "who is back first takes nobody for dead");
    other.be(Mood::Pass);

    desk.idle(seconds(40)).await;
    assert_eq!(desk.number(DEATHS).await, 0);
    assert_eq!(desk.dead().await, Vec::<String>::new());
    let attempts: Vec<i32> = one.starts().iter().chain(&two.starts()).map(|start| start.attempt).collect();
    assert!(attempts.iter().all(|attempt| *attempt == 1), "no attempt was counted: {attempts:?}");
    for work in works {
        work.stop().await;
    }
}

#[tokio::test]
async fn job_08_a_worker_that_died_in_a_silence_is_noticed_after_it() {
    let desk = desk().await;
    desk.send(&desk.job("long", 1)).await;
    let dying = Actor::new(|_, _| async {
        sleep(seconds(3600)).await;
        Verdict::Done
    });
    let work = desk.work(&dying);
    dying.started(1, 1).await;
    drop(work);
    sleep(seconds(4)).await;
    let actor = Actor::willing();
    let work = desk.work(&actor);
    actor.started(1, 1).await;
    assert_eq!(actor.starts()[0].attempt, 2, "the attempt of the dead worker counts");
    assert_eq!(desk.number(DEATHS).await, 1);
    desk.idle(seconds(5)).await;
    work.stop().await;
}
