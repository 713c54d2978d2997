//! A wish that meets its job just as that ends.

use std::sync::Arc;

use queue::Verdict;
use tokio::sync::Semaphore;

use crate::support::{Actor, desk, seconds, until};

/// Lets whoever says so wait, each time it is about to change a job, until the story lets go.
const SLOW: &str = "
    create function story_slow() returns trigger language plpgsql as $$ begin
        if current_setting('story.slow', true) = 'on' then
            perform pg_advisory_xact_lock(4711);
        end if;
        return null;
    end $$;
    create trigger story_slow before update on apalis.jobs for each statement execute function story_slow();";

#[tokio::test]
async fn a_wish_that_meets_the_end_of_its_job_is_not_lost() {
    let desk = Arc::new(desk().await);
    let gate = Arc::new(Semaphore::new(0));
    let pass = gate.clone();
    let actor = Actor::new(move |_, _| {
        let gate = pass.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Verdict::Done
        }
    });
    sqlx::raw_sql(SLOW).execute(desk.db.pool()).await.unwrap();
    assert!(desk.send(&desk.job("poll", 1)).await);
    let work = desk.work(&actor);
    actor.started(1, 1).await;

    let mut latch = desk.db.pool().acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut *latch).await.unwrap();
    let sender = desk.clone();
    let sending = tokio::spawn(async move {
        let mut tx = sender.begin().await;
        sqlx::query("select set_config('story.slow', 'on', true)").execute(&mut *tx).await.unwrap();
        queue::enqueue(&mut tx, &sender.job("poll", 1)).await.unwrap();
        tx.commit().await.unwrap();
    });
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted";
    assert!(until(seconds(5), async || desk.number(waits).await == 1).await, "it found the job running");
    gate.add_permits(10);
    let done = "select count(*) from apalis.jobs where status = 'Done'";
    assert!(until(seconds(5), async || desk.number(done).await == 1).await, "the job ends meanwhile");
    sqlx::query("select pg_advisory_unlock(4711)").execute(&mut *latch).await.unwrap();
    sending.await.unwrap();

    let again = until(seconds(5), async || actor.starts_of(1).len() == 2).await;
    assert!(again, "who wished while it ran gets another run: {:?}", actor.starts());
    work.stop().await;
}
