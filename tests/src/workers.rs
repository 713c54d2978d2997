//! Workers beside those of a world, and waiting for what they do.

use std::{sync::Arc, time::Duration};

use jobs::{Rooms, runtime};
use tokio_util::sync::CancellationToken;

use crate::{Process, World, mind};

/// Workers that are another process as far as anything but memory protection goes: threads, connections and an API
/// budget of their own. Dropped, they are killed.
#[derive(Debug)]
pub struct Workers {
    process: Option<Process>,
    stop: CancellationToken,
    done: tokio::sync::oneshot::Receiver<()>,
}

impl Workers {
    /// Starts them; dead ones are noticed after a second.
    pub async fn start(world: &World, defaults: &ingest::Defaults) -> Self {
        let process = world.process(world.keys.clone()).await;
        let stop = CancellationToken::new();
        let minds = world.rooms.feedback.is_some();
        let (ended, done) = tokio::sync::oneshot::channel();
        let (connector, ambient) = (process.connector.clone(), world.rooms.ambient.clone());
        let (url, defaults, told) = (world.database.url.clone(), defaults.clone(), stop.clone());
        process.spawn(async move {
            // A pool of connections dies with the process that it was made in.
            let db = db::Db::connect(&url, 8).await.expect("the database answers");
            let gates = ingest::Gates::new(db.clone(), ambient.clone(), defaults.clone());
            let feedback = minds.then(|| mind(ambient.clone()));
            let rooms =
                Rooms { db: db.clone(), connector, gates, defaults, ambient: ambient.clone(), feedback };
            let settings = runtime::Settings {
                fresh: 4,
                bulk: 2,
                upkeep: 2,
                heartbeat: Duration::from_millis(250),
                missed: 4,
                ..runtime::Settings::default()
            };
            let run = runtime::run(db.pool().clone(), Arc::new(rooms), settings, ambient, told);
            run.await.expect("workers run until they are told to stop");
            ended.send(()).ok();
        });
        Self { process: Some(process), stop, done }
    }

    /// Kills them: what they were doing stops where it stands.
    pub fn kill(mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Tells them to stop, and says how long that took.
    pub async fn stop(mut self) -> Duration {
        let began = tokio::time::Instant::now();
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), &mut self.done).await;
        assert!(matches!(ended, Ok(Ok(()))), "it does not stop within 30 seconds");
        began.elapsed()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

/// Waits until a condition holds, at most `most`; says whether it does.
pub async fn until(most: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + most;
    while tokio::time::Instant::now() < deadline {
        if condition().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
