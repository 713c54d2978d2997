//! One lane's worker: built, run, and built anew under a fresh name when it breaks.
//!
//! A name is used once: apalis leaves the jobs of a worker that comes back under its old name stuck for ever.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data, TaskId, WorkerBuilder, WorkerBuilderExt, WorkerContext};
use apalis_core::backend::ext::poll_strategy::PollWith;
use apalis_postgres::{Config, PostgresStorage};
use queue::Lane;
use serde_json::Value;

use super::{Shared, attempt, bell::Bells};

/// Runs workers of a lane, one after the other, until the process stops.
pub(super) async fn keep_running(shared: Shared, lane: Lane, bells: Bells) {
    while !shared.stop.is_cancelled() {
        let name = format!("{}-{}", lane.as_str(), shared.ambient.uuid());
        let ended = run_once(&shared, lane, &name, &bells).await;
        if let Err(error) = ended {
            tracing::error!(worker = name, lane = lane.as_str(), error = %error, "A worker broke; a new one takes over.");
            metrics::counter!("soundpost_worker_restarts_total", "lane" => lane.as_str()).increment(1);
        }
        // What it held is given back at once instead of after the missed heartbeats.
        if let Err(error) = queue::hand_back(&shared.pool, &name, &[], Duration::ZERO).await {
            tracing::warn!(
                worker = name,
                error = &error as &dyn std::error::Error,
                "Jobs could not be handed back; others take them over."
            );
        }
        if !shared.stop.is_cancelled() {
            tokio::time::sleep(Duration::from_secs(1) + shared.ambient.jitter(Duration::from_secs(2))).await;
        }
    }
}

async fn run_once(shared: &Shared, lane: Lane, name: &str, bells: &Bells) -> Result<(), BoxDynError> {
    let config = Config::default()
        .queue(lane.as_str())
        // More would keep the worker from heartbeating while its slots are busy.
        .batch_size(1)
        .heartbeat_interval(shared.settings.heartbeat)
        .missed_heartbeats(shared.settings.missed)
        // We settle jobs ourselves.
        .persist_results(false)
        .lock_tasks(false);
    let storage = PostgresStorage::<Value>::new(&shared.pool).with_config(config);
    let worker = WorkerBuilder::new(name)
        .backend(PollWith::new(storage, bells.hang(lane)))
        .concurrency(shared.settings.concurrency(lane))
        .data(Arc::new(shared.clone()))
        .build(work);
    let stop = shared.stop.clone();
    let signal = async move {
        stop.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    let drained = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(shared.settings.drain).await;
    };
    tokio::select! {
        ended = worker.run_until(signal) => ended.map_err(Into::into),
        () = drained => {
            tracing::warn!(worker = name, "Jobs did not end in time; they are handed back.");
            Ok(())
        }
    }
}

/// What apalis calls for each job that it fetched. Always well: the verdict is written by `queue`.
async fn work(
    _payload: Value,
    id: TaskId,
    worker: WorkerContext,
    shared: Data<Arc<Shared>>,
) -> Result<(), BoxDynError> {
    attempt::run(&shared, &id.to_string(), worker.name()).await;
    Ok(())
}
