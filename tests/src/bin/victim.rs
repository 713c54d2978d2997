//! A process of workers on the database of its only argument, in which a poisonous job aborts everything and a long one
//! never ends. The stories of jobs start it and kill it.
#![expect(clippy::expect_used, reason = "a process that cannot start fails the story that started it")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use db::Db;
use jobs::runtime::{self, Handler, Settings};
use kernel::SystemAmbient;
use queue::{Job, Verdict};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

struct Victim;

#[async_trait]
impl Handler for Victim {
    async fn handle(&self, job: Job, _: &CancellationToken) -> Verdict {
        match job.kind.as_str() {
            "poison" => std::process::abort(),
            "long" => sleep(Duration::from_secs(3600)).await,
            _ => sleep(Duration::from_millis(20)).await,
        }
        Verdict::Done
    }
}

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("the URL of a database");
    let db = Db::connect(&url, 24).await.expect("the database answers");
    let settings = Settings {
        fresh: 4,
        bulk: 2,
        upkeep: 2,
        heartbeat: Duration::from_millis(500),
        missed: 4,
        ..Settings::default()
    };
    let ambient = Arc::new(SystemAmbient);
    let work = runtime::run(db.pool().clone(), Arc::new(Victim), settings, ambient, CancellationToken::new());
    // Nobody is left to kill it when the story that started it fails.
    tokio::time::timeout(Duration::from_secs(120), work).await.ok();
}
