//! Runs jobs: one apalis worker a lane, started anew when it breaks, stopped without losing anything.
//!
//! apalis fetches, hands out and heartbeats; what becomes of a job is written by `queue::settle`, fenced by the worker's
//! name. Knows nothing of what jobs mean.

mod attempt;
mod bell;
mod raw;
mod worker;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kernel::SharedAmbient;
use queue::{Job, Lane, QueueError, Verdict};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Does what a job asks for.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Works on one attempt of a job. `stop` is told when the process ends: the handler then stops after its present step.
    async fn handle(&self, job: Job, stop: &CancellationToken) -> Verdict;
}

/// How much work is done at once, and how patient everybody is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Jobs of the fresh lane at once.
    pub fresh: usize,
    /// Jobs of the bulk lane at once.
    pub bulk: usize,
    /// Jobs of the upkeep lane at once.
    pub upkeep: usize,
    /// How often a worker shows that it lives.
    pub heartbeat: Duration,
    /// A worker that missed so many heartbeats is gone; others take its jobs over.
    pub missed: usize,
    /// How long jobs may go on after the process was told to stop; then they are handed back.
    pub drain: Duration,
    /// The longest time that one attempt may take.
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fresh: 16,
            bulk: 8,
            upkeep: 8,
            // Each costs seven statements a lane, work or no work.
            heartbeat: Duration::from_millis(11_250),
            missed: 4,
            drain: Duration::from_secs(25),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}

impl Settings {
    /// The defaults, but that a worker is gone after this time without a heartbeat.
    pub fn taken_over_after(gone: Duration) -> Self {
        let usual = Self::default();
        let missed = u32::try_from(usual.missed).unwrap_or(1).max(1);
        Self { heartbeat: gone / missed, ..usual }
    }

    /// After this time without a heartbeat a worker is gone.
    fn gone_after(&self) -> Duration {
        self.heartbeat.saturating_mul(u32::try_from(self.missed).unwrap_or(u32::MAX))
    }

    const fn concurrency(&self, lane: Lane) -> usize {
        match lane {
            Lane::Fresh => self.fresh,
            Lane::Bulk => self.bulk,
            Lane::Upkeep => self.upkeep,
        }
    }
}

/// Why the workers ended although nobody stopped them.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A task of the runtime panicked.
    #[error("a task of the runtime panicked")]
    Panicked(#[source] tokio::task::JoinError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What all workers of a process share.
#[derive(Clone)]
struct Shared {
    pool: PgPool,
    handler: Arc<dyn Handler>,
    settings: Settings,
    ambient: SharedAmbient,
    bells: bell::Bells,
    stop: CancellationToken,
}

/// Works on the jobs of all lanes until `stop`, then lets running ones end and hands back the rest.
///
/// # Errors
/// When a worker panics; a database that is away is waited for.
pub async fn run(
    pool: PgPool,
    handler: Arc<dyn Handler>,
    settings: Settings,
    ambient: SharedAmbient,
    stop: CancellationToken,
) -> Result<(), RuntimeError> {
    let shared = Shared { pool, handler, settings, ambient, bells: bell::Bells::new(), stop };
    let mut tasks = JoinSet::new();
    for lane in Lane::ALL {
        tasks.spawn(worker::keep_running(shared.clone(), lane));
    }
    tasks.spawn(bell::ring_when_due(shared.pool.clone(), shared.bells.clone(), shared.stop.clone()));
    tasks.spawn(housekeeping(shared.clone()));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            shared.stop.cancel();
            return Err(RuntimeError::Panicked(error));
        }
    }
    Ok(())
}

/// Shows that this process lives, and deletes what is old.
async fn housekeeping(shared: Shared) {
    let name = format!("process-{}", shared.ambient.uuid());
    let mut beat = tokio::time::interval(Duration::from_secs(10));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beats = 0_u64;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            _ = beat.tick() => {}
        }
        let tidy = beats % 60 == 30;
        beats += 1;
        if let Err(error) = queue::heartbeat(&shared.pool, &name).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "The sign of life could not be written."
            );
        }
        if tidy && let Err(error) = queue::tidy(&shared.pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "Old jobs could not be deleted.");
        }
    }
    queue::farewell(&shared.pool, &name).await.ok();
}
