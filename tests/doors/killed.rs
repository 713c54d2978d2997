//! Requests with an `Idempotency-Key` at a process that is killed before or after its change.

use std::time::Duration;

use stories::{Browser, Org, World};
use tokio::time::sleep;

use crate::{
    once::{KEYS, keys_named, new_key, post, time_is_over, until},
    served::Served,
    support::still_world,
};

/// Begins a request at the program and does not wait for it.
fn begin(served: &Served, acme: &Org, world: &World, name: &'static str) -> tokio::task::JoinHandle<()> {
    let mut browser = served.browser.with_key(&secret_of(&acme.api));
    browser.base = served.browser.base.clone();
    let at = world.base.clone();
    tokio::spawn(async move {
        let sent = tokio::spawn(async move { post(&browser, KEYS, name, new_key(name)).await });
        // The connection breaks when the program is killed.
        assert!(sent.await.is_err(), "no answer came from the program at {at}");
    })
}

fn secret_of(program: &Browser) -> String {
    program.bearer().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn api_05_a_process_killed_before_the_change_leaves_it_to_the_next_try() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut served = Served::start(&world).await;
    // The change waits for this lock, and the process dies waiting.
    let mut lock = world.db.pool().begin().await.unwrap();
    sqlx::query("lock table audit_log in share mode").execute(&mut *lock).await.unwrap();
    let request = begin(&served, &acme, &world, "killed-early");
    until(&world, "select count(*) from request_claims").await;
    sleep(Duration::from_millis(300)).await;
    served.kill();
    lock.rollback().await.unwrap();
    request.await.unwrap();
    let retry = || post(&acme.api, KEYS, "killed-early", new_key("killed-early"));
    let early = retry().await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "idempotent_request_running"));
    time_is_over(&world).await;
    let done = retry().await;
    assert_eq!((done.status.as_u16(), done.header("idempotency-replayed")), (201, ""), "{}", done.text);
    assert_eq!(retry().await.text, done.text);
    assert_eq!(keys_named(&world, "killed-early").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn api_05_a_process_killed_after_the_change_leaves_it_done_once() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut served = Served::start(&world).await;
    // The answer cannot be kept for a minute, and the process dies trying.
    sqlx::raw_sql(
        "create function sleepy() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
         create trigger sleepy before update of answered_at on request_claims for each row execute function sleepy()",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    let request = begin(&served, &acme, &world, "killed-late");
    until(&world, "select count(*) from api_keys where name = 'killed-late'").await;
    sleep(Duration::from_millis(200)).await;
    served.kill();
    request.await.unwrap();
    sqlx::raw_sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    sleep(Duration::from_millis(100)).await;
    sqlx::raw_sql("drop trigger sleepy on request_claims").execute(world.db.pool()).await.unwrap();
    time_is_over(&world).await;
    for _ in 0..2 {
        let again = post(&acme.api, KEYS, "killed-late", new_key("killed-late")).await;
        assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "idempotent_answer_lost"));
    }
    assert_eq!(keys_named(&world, "killed-late").await, 1);
    world.finish().await;
}
