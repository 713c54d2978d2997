//! What becomes of a job after an attempt.

use std::time::Duration;

use kernel::{Ambient, SystemAmbient};
use queue::{Job, Settled, Verdict};

use crate::support::{Actor, desk, seconds, settings, until};

#[tokio::test]
async fn a_job_put_off_has_failed_nothing() {
    let desk = desk().await;
    let began = std::time::Instant::now();
    let actor = Actor::new(move |_, _| async move {
        if began.elapsed() < Duration::from_millis(1500) {
            let at = SystemAmbient.now() + time::Duration::milliseconds(300);
            return Verdict::Later { at, why: "gong_limit" };
        }
        Verdict::Done
    });
    // One attempt is all it has, and being put off does not use it up.
    desk.send(&desk.job("poll", 1).max_attempts(1)).await;
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    let starts = actor.starts_of(1);
    assert!(starts.len() >= 3, "{starts:?}");
    assert!(starts.iter().all(|start| start.attempt == 1));
    assert!(starts.windows(2).all(|two| two[1].at - two[0].at >= Duration::from_millis(290)), "{starts:?}");
    assert!(desk.dead().await.is_empty());
    work.stop().await;
}

#[tokio::test]
async fn a_failing_job_waits_between_its_attempts_and_ends_as_a_dead_letter() {
    let desk = desk().await;
    let actor = Actor::new(|_, _| async { Verdict::Retry { code: "gong_unreachable", after: None } });
    desk.send(&desk.job("poll", 1).max_attempts(3)).await;
    let work = desk.work(&actor);
    desk.idle(seconds(15)).await;
    let starts = actor.starts_of(1);
    assert_eq!(starts.iter().map(|start| start.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    // At most 2 s and 4 s, and a second for a busy machine.
    assert!(starts[1].at - starts[0].at <= seconds(3), "{starts:?}");
    assert!(starts[2].at - starts[1].at <= seconds(5), "{starts:?}");
    assert_eq!(desk.dead().await, ["gong_unreachable"]);
    assert_eq!(desk.number("select attempts::bigint from dead_letters").await, 3);
    work.stop().await;
}

#[tokio::test]
async fn a_job_that_says_how_long_to_wait_is_not_started_before() {
    let desk = desk().await;
    let actor = Actor::new(|job, _| async move {
        if job.attempt == 1 {
            return Verdict::Retry { code: "gong_limit", after: Some(seconds(2)) };
        }
        Verdict::Done
    });
    desk.send(&desk.job("poll", 1)).await;
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    let starts = actor.starts_of(1);
    assert_eq!(starts.len(), 2);
    assert!(starts[1].at - starts[0].at >= Duration::from_millis(1990), "{starts:?}");
    work.stop().await;
}

#[tokio::test]
async fn a_hopeless_job_is_dead_at_once() {
    let desk = desk().await;
    let actor = Actor::new(|_, _| async { Verdict::Dead { code: "connection_gone" } });
    desk.send(&desk.job("poll", 1)).await;
    let work = desk.work(&actor);
    desk.idle(seconds(5)).await;
    assert_eq!(actor.starts().len(), 1);
    assert_eq!(desk.dead().await, ["connection_gone"]);
    work.stop().await;
}

#[tokio::test]
async fn a_job_that_gets_on_forgets_its_failures() {
    let desk = desk().await;
    let step = std::sync::atomic::AtomicU32::new(0);
    let actor = Actor::new(move |_, _| {
        let step = step.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            match step {
                0 | 2 | 4 => Verdict::Retry { code: "no_luck", after: Some(Duration::from_millis(50)) },
                1 | 3 => Verdict::Next,
                _ => Verdict::Done,
            }
        }
    });
    desk.send(&desk.job("backfill", 1).max_attempts(2)).await;
    let work = desk.work(&actor);
    desk.idle(seconds(15)).await;
    let attempts: Vec<i32> = actor.starts().iter().map(|start| start.attempt).collect();
    assert_eq!(attempts, [1, 2, 1, 2, 1, 2], "three failures, two of them forgotten");
    assert!(desk.dead().await.is_empty());
    work.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_hurts_nobody_else() {
    let desk = desk().await;
    let actor = Actor::new(|job, _| async move {
        assert!(job.kind != "clumsy", "a mistake in the program");
        Verdict::Done
    });
    desk.send(&desk.job("clumsy", 1).max_attempts(2)).await;
    for neighbour in 10..30 {
        desk.send(&desk.job("poll", neighbour)).await;
    }
    let work = desk.work(&actor);
    desk.idle(seconds(15)).await;
    assert_eq!(actor.starts_of(1).len(), 2);
    assert_eq!(desk.dead().await, ["job_panicked"]);
    assert!((10..30).all(|neighbour| actor.starts_of(neighbour).len() == 1));
    work.stop().await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_cut_off() {
    let desk = desk().await;
    let actor = Actor::new(|_, _| async { std::future::pending::<Verdict>().await });
    desk.send(&desk.job("poll", 1).max_attempts(1)).await;
    let work = desk
        .work_with(&actor, jobs::runtime::Settings { deadline: Duration::from_millis(300), ..settings() });
    desk.idle(seconds(5)).await;
    assert_eq!(desk.dead().await, ["job_timed_out"]);
    work.stop().await;
}

#[tokio::test]
async fn rows_that_cannot_be_read_die_alone() {
    let desk = desk().await;
    desk.change(
        r#"insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, priority)
           select apalis.generate_ulid(), 'fresh', payload, 'Pending', attempts, 5, 1 from (values
               ('garbage'::bytea, 0), ('\xfffe'::bytea, 2), ('{}'::bytea, 0), ('[1]'::bytea, 1), (''::bytea, 0),
               ('{"kind":"poll","organization":"x","subject":"y"}'::bytea, 0)) as bad (payload, attempts)"#,
    )
    .await;
    for neighbour in 10..20 {
        desk.send(&desk.job("poll", neighbour)).await;
    }
    let actor = Actor::willing();
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    assert_eq!(desk.dead().await, ["unreadable"; 6]);
    assert_eq!(actor.starts().len(), 10, "each neighbour once: {:?}", actor.starts());
    work.stop().await;
}

#[tokio::test]
async fn a_verdict_counts_once_and_only_from_the_worker_that_holds_the_job() {
    let desk = desk().await;
    desk.send(&desk.job("poll", 1)).await;
    desk.change("insert into apalis.workers (id, worker_type, storage_name) values ('w', 'fresh', 'x')")
        .await;
    let id = desk.text("select id from apalis.get_jobs('w', 'fresh', 1)").await;
    let payload: Vec<u8> =
        sqlx::query_scalar("select job from apalis.jobs").fetch_one(desk.db.pool()).await.unwrap();
    let job = |counted, worker| Job::read(&id, &payload, counted, 8, worker).unwrap();
    let settle = async |job: Job, verdict: Verdict| {
        queue::settle(desk.db.pool(), &SystemAmbient, &job, &verdict).await.unwrap()
    };
    let retry = || Verdict::Retry { code: "no_luck", after: Some(seconds(60)) };
    assert_eq!(settle(job(0, "v"), Verdict::Done).await, Settled::NotOurs, "another worker");
    assert_eq!(settle(job(1, "w"), Verdict::Done).await, Settled::NotOurs, "another attempt");
    assert_eq!(settle(job(0, "w"), retry()).await, Settled::Waiting);
    assert_eq!(settle(job(0, "w"), retry()).await, Settled::NotOurs, "a second time");
    assert_eq!(settle(job(0, "w"), Verdict::Dead { code: "late" }).await, Settled::NotOurs);
    assert_eq!(desk.number("select attempts::bigint from apalis.jobs").await, 1);
    assert!(until(seconds(1), async || desk.dead().await.is_empty()).await);
}
