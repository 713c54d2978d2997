//! Processes that die: their jobs go to others, and a job that kills whoever takes it is put away.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::support::{Actor, desk, seconds, settings, until};

fn victim(url: &str) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_victim"))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
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
