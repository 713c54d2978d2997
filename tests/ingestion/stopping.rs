//! Stopping in the middle: kindly, by a person, and by kill -9.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use kernel::ExposeSecret;
use reqwest::Method;
use serde_json::json;
use stories::{Org, World, WorldOptions};

use crate::support::*;

const BACKFILL: &str = "/api/v1/integrations/gong/backfill";

/// A world without workers, and the settings with this pace.
async fn world_with_pace(per_second: f64) -> (World, ingest::Defaults) {
    let mut options = WorldOptions { workers: false, ..WorldOptions::default() };
    options.defaults.per_second = per_second;
    let defaults = options.defaults.clone();
    (World::with(options).await, defaults)
}

async fn begun(world: &World, calls: usize) -> Org {
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(calls, 50));
    world.connect(&acme, Some(60)).await;
    acme
}

fn requests(world: &World, org: &Org) -> u64 {
    let (lists, transcripts) = asked(world, org);
    lists + transcripts
}

async fn at_requests(world: &World, org: &Org, most: u64) {
    assert!(
        until(Duration::from_secs(90), async || requests(world, org) >= most).await,
        "{} of {most} requests",
        requests(world, org)
    );
}

#[tokio::test]
async fn job_22_a_graceful_stop_in_the_middle_of_a_backfill_loses_nothing() {
    let (world, defaults) = world_with_pace(25.0).await;
    let acme = begun(&world, 1_000).await;
    for at in [4, 9, 15] {
        let process = Workers::start(&world, &defaults).await;
        at_requests(&world, &acme, at).await;
        let took = process.stop().await;
        assert!(took < Duration::from_secs(5), "{took:?}");
        let running =
            world.number("select count(*) from apalis.jobs where status in ('Queued', 'Running')").await;
        assert_eq!(running, 0, "what was in flight is handed back");
        let before = requests(&world, &acme);
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(requests(&world, &acme), before, "a stopped process asks nothing");
    }
    let _process = Workers::start(&world, &defaults).await;
    world.settle().await;
    assert_all_here(&world, &acme).await;
    assert!(requests(&world, &acme) <= 24, "{} requests", requests(&world, &acme));
    world.finish().await;
}

#[tokio::test]
async fn job_23_a_cancelled_backfill_asks_nothing_more_and_can_be_started_again() {
    let world = world_at(15.0).await;
    let acme = begun(&world, 1_000).await;
    at_requests(&world, &acme, 8).await;
    let answer = acme.api.delete(BACKFILL).await;
    assert_eq!(answer.status, 204);
    let cancelled_at = requests(&world, &acme);
    // A page and a batch may have their slots already.
    world.settle().await;
    let stopped_at = requests(&world, &acme);
    assert!(stopped_at <= cancelled_at + 2, "{} requests after the cancel", stopped_at - cancelled_at);
    for _ in 0..3 {
        jobs::schedule::reconcile_once(&world.rooms).await.unwrap();
        world.settle().await;
    }
    assert_eq!(requests(&world, &acme), stopped_at, "no request after the cancel");
    let backfill = acme.api.gong().await["backfill"].clone();
    assert_eq!(backfill["state"], "cancelled", "{backfill}");
    let held = held_ids(&acme).await.len();
    assert!((300..1_000).contains(&held), "what came stays: {held}");
    assert_eq!(acme.api.delete(BACKFILL).await.status, 204, "cancelling none is fine");

    assert_eq!(acme.api.post(BACKFILL, json!({ "days": 60 })).await.status, 202);
    assert_eq!(acme.api.post(BACKFILL, json!({ "days": 60 })).await.status, 409);
    world.settle().await;
    assert_all_here(&world, &acme).await;
    let served = world.sim.transcripts_served(acme.company);
    assert!(served.values().all(|times| *times == 1), "no transcript is fetched twice");
    world.finish().await;
}

#[tokio::test]
async fn job_23_from_60_days_to_7() {
    let world = world_at(15.0).await;
    let acme = begun(&world, 1_000).await;
    at_requests(&world, &acme, 4).await;
    acme.api.delete(BACKFILL).await;
    // The page that was on its way is kept as well.
    world.settle().await;
    let before = held_ids(&acme).await;
    assert_eq!(acme.api.post(BACKFILL, json!({ "days": 7 })).await.status, 202);
    world.settle().await;
    let edge = now(&world) - time::Duration::days(7);
    let truth = world.sim.expected(acme.company);
    let held = held_ids(&acme).await;
    for call in truth {
        let expected = call.started > edge || before.contains(&call.id);
        let unsure = (call.started - edge).abs() < time::Duration::minutes(2);
        assert!(unsure || held.contains(&call.id) == expected, "{} at {}", call.id, call.started);
    }
    assert!(held.len() < 900, "the rest of the 60 days was not listed: {}", held.len());
    assert_eq!(acme.api.gong().await["backfill"]["state"], "done");
    world.finish().await;
}

#[tokio::test]
async fn job_01_workers_killed_again_and_again_lose_and_double_nothing() {
    let (world, defaults) = world_with_pace(25.0).await;
    let acme = begun(&world, 1_500).await;
    for at in [3, 7, 11, 15, 20] {
        let process = Workers::start(&world, &defaults).await;
        at_requests(&world, &acme, at).await;
        process.kill();
        // A third death without a step between is taken for poison, and rightly: then it goes on before the next kill.
        let doomed = "select count(*) from apalis.jobs where status in ('Pending', 'Queued', 'Running')
            and (metadata -> 'sp.deaths')::integer >= 2 and not metadata ? 'sp.progress'";
        if world.number(doomed).await > 0 {
            let _process = Workers::start(&world, &defaults).await;
            assert!(until(Duration::from_secs(60), async || world.number(doomed).await == 0).await);
        }
    }
    let _process = Workers::start(&world, &defaults).await;
    let done = async || acme.api.gong().await["backfill"]["state"] == "done";
    assert!(until(Duration::from_secs(30), done).await, "{}", acme.api.gong().await);
    world.settle().await;
    assert_all_here(&world, &acme).await;
    // Fifteen pages, fifteen batches; a kill costs a page and a batch, and moves the boundaries of those that follow.
    assert!(requests(&world, &acme) <= 30 + 15, "{} requests", requests(&world, &acme));
    world.finish().await;
}

/// The real program, freshly built.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "soundpost", "--bin", "soundpost", "--message-format=json"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let lines = String::from_utf8(built.stdout).unwrap();
    let mut path = lines.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    path.next_back().unwrap()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // `Child::kill` is SIGKILL.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(program: &Path, world: &World) -> Killed {
    let child = Command::new(program)
        .arg("work")
        .env_clear()
        .env("DATABASE_URL", &world.database.url)
        .env("SOUNDPOST_KEYS", world.key.expose_secret())
        .env("SOUNDPOST_ESCROW_DIR", &world.escrow)
        .env("SOUNDPOST_PUBLIC_URL", world.base.as_str())
        .env("GONG_CLIENT_ID", "sim-client")
        .env("GONG_CLIENT_SECRET", "sim-secret")
        .env("GONG_AUTHORIZE_URL", world.sim.authorize_url())
        .env("GONG_TOKEN_URL", world.sim.token_url())
        .env("GONG_API_HOSTS", (1..=60).map(|n| format!("http://127.0.0.{n}")).collect::<Vec<_>>().join(","))
        .env("GONG_REQUESTS_PER_SECOND", "20")
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Killed(child.unwrap())
}

#[tokio::test]
async fn job_01_the_program_itself_killed_three_times_loses_and_doubles_nothing() {
    let program = program();
    let (world, _) = world_with_pace(20.0).await;
    let acme = begun(&world, 2_000).await;
    let change = async |statement: &'static str| {
        sqlx::query(statement).execute(world.db.pool()).await.unwrap();
    };
    // Somebody else lives all the while; a silence of all would be taken for an outage of the database, which has time.
    change(
        "insert into apalis.workers (id, worker_type, storage_name, last_seen)
            values ('other', 'other', 'x', now() + interval '10 minutes')",
    )
    .await;
    for at in [5, 14, 24] {
        let process = start(&program, &world);
        at_requests(&world, &acme, at).await;
        drop(process);
        // Others take the jobs over when signs of life have been missing for 45 s; the story does not wait for it.
        change("update apalis.workers set last_seen = last_seen - interval '2 minutes' where id <> 'other'")
            .await;
    }
    let _process = start(&program, &world);
    let done = async || acme.api.gong().await["backfill"]["state"] == "done";
    assert!(until(Duration::from_secs(90), done).await, "{}", acme.api.gong().await);
    world.settle().await;
    assert_all_here(&world, &acme).await;
    assert!(requests(&world, &acme) <= 40 + 9, "{} requests", requests(&world, &acme));
    world.finish().await;
}

#[tokio::test]
async fn a_disconnect_in_the_middle_ends_all_requests_and_a_reconnect_goes_on() {
    let world = world_at(15.0).await;
    let acme = begun(&world, 600).await;
    at_requests(&world, &acme, 5).await;
    assert_eq!(acme.api.api(Method::DELETE, "/api/v1/integrations/gong", None).await.status, 204);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = requests(&world, &acme);
    world.pass(5 * HOUR).await;
    assert_eq!(requests(&world, &acme), before);
    let held = held_ids(&acme).await;
    // Five hours have passed: the session is over.
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    world.connect(&acme, None).await;
    world.settle().await;
    let states = states(&acme).await;
    assert!(held.iter().all(|id| states[id] == "stored"), "what was listed before gets its transcript");
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    assert_all_here(&world, &acme).await;
    world.finish().await;
}
