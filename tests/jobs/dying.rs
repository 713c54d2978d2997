//! Processes that die: their jobs go to others, and a job that kills whoever takes it is put away.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use queue::Verdict;
use tokio::time::sleep;

use crate::support::{Actor, Desk, desk, seconds, settings, until};

const DATABASE: &str = "SOUNDPOST_TEST_VICTIM_DATABASE";

fn victim(url: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "dying::the_process_that_dies"])
        .env(DATABASE, url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test: what [`victim`] runs, a process of workers that a poisonous job kills.
#[tokio::test]
#[ignore = "started by other tests, as a process of its own"]
async fn the_process_that_dies() {
    let desk = Desk::at(std::env::var(DATABASE).unwrap()).await;
    let actor = Actor::new(|job, _| async move {
        match job.kind.as_str() {
            "poison" => std::process::abort(),
            "long" => sleep(seconds(3600)).await,
            _ => sleep(Duration::from_millis(20)).await,
        }
        Verdict::Done
    });
    let _work = desk.work(&actor);
    sleep(seconds(120)).await;
}

#[tokio::test]
async fn job_07_a_job_that_kills_its_worker_is_put_away_after_three_deaths() {
    let desk = desk().await;
    desk.send(&desk.job("poison", 1).priority(5)).await;
    for neighbour in 10..40 {
        desk.send(&desk.job("poll", neighbour)).await;
    }
    let began = Instant::now();
    let mut deaths = 0;
    let mut process = victim(&desk.url);
    while desk.dead().await.is_empty() {
        if let Some(status) = process.try_wait().unwrap() {
            assert!(!status.success());
            deaths += 1;
            assert!(deaths <= 3, "it was started again after three deaths");
            process = victim(&desk.url);
        }
        assert!(began.elapsed() < seconds(100), "it was not put away");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(deaths, 3);
    assert_eq!(desk.dead().await, ["worker_died"]);
    desk.idle(seconds(30)).await;
    assert_eq!(
        desk.number("select count(*) from apalis.jobs where status = 'Done'").await,
        30,
        "all others are done"
    );
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test]
async fn job_08_the_jobs_of_a_killed_process_go_to_the_next_one() {
    let desk = Arc::new(desk().await);
    desk.send(&desk.job("long", 1)).await;
    let mut process = victim(&desk.url);
    let taken = "select count(*) from apalis.jobs where status in ('Queued', 'Running')";
    assert!(until(seconds(20), async || desk.number(taken).await == 1).await);
    process.kill().unwrap();
    process.wait().unwrap();

    let killed = Instant::now();
    let actor = Actor::willing();
    let work = desk.work(&actor);
    actor.started(1, 1).await;
    // Lease and ten seconds: what came back at once is spread over eight.
    let limit = settings().heartbeat * 4 + seconds(10);
    assert!(killed.elapsed() < limit, "{:?}", killed.elapsed());
    assert_eq!(actor.starts()[0].attempt, 2, "the attempt of the dead process counts");
    desk.idle(seconds(5)).await;
    work.stop().await;
}
