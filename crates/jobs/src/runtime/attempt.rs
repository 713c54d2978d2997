//! One attempt of one job: read, run in a task of its own, settled.

use std::{future::Future, time::Duration};

use apalis::prelude::Task;
use queue::{Job, QueueError, Settled, Verdict};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Shared;

/// How often settling is tried while the database is away.
const SETTLE_TRIES: u32 = 30;

/// A row as apalis fetched it.
pub(super) struct Taken {
    pub(super) id: String,
    payload: Vec<u8>,
    counted: i32,
    most: i32,
}

impl Taken {
    pub(super) fn read(task: Task<Vec<u8>>) -> Self {
        let id = task.task_id().map(ToString::to_string).unwrap_or_default();
        let counted = i32::try_from(task.attempt()).unwrap_or(i32::MAX);
        let most = task.max_attempts().and_then(|most| i32::try_from(most).ok()).unwrap_or(1);
        Self { id, payload: task.args, counted, most }
    }
}

/// Runs the attempt and writes its verdict.
pub(super) async fn run(shared: &Shared, worker: &str, taken: Taken) {
    let Taken { id, payload, counted, most } = taken;
    let job = match Job::read(&id, &payload, counted, most, worker) {
        Ok(job) => job,
        Err(error) => {
            tracing::error!(
                job.id = id,
                error = &error as &dyn std::error::Error,
                "A job could not be read and is a dead letter now."
            );
            until_written(|| queue::bury(&shared.pool, &id, worker, counted, "unreadable")).await;
            return;
        }
    };
    let span = tracing::info_span!(
        "job",
        job.id = id,
        job.kind = job.kind,
        job.attempt = job.attempt,
        organization.id = %job.organization,
        subject.id = %job.subject.simple(),
        trace.id = trace_id(&job),
    );
    let began = tokio::time::Instant::now();
    let active = Active::new();
    let verdict = attempt(shared, job.clone()).instrument(span.clone()).await;
    drop(active);
    metrics::histogram!("soundpost_job_seconds", "kind" => job.kind.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::counter!("soundpost_jobs_total", "kind" => job.kind.clone(), "verdict" => verdict.word())
        .increment(1);
    settle(shared, &job, &verdict).instrument(span).await;
}

async fn attempt(shared: &Shared, job: Job) -> Verdict {
    let (handler, stop) = (shared.handler.clone(), shared.stop.child_token());
    let working = async move { handler.handle(job, &stop).await }.in_current_span();
    let task = AbortOnDropHandle::new(tokio::spawn(working));
    match tokio::time::timeout(shared.settings.deadline, task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => {
            tracing::error!("A job panicked.");
            Verdict::Retry { code: "job_panicked", after: None }
        }
        Err(_) => {
            tracing::error!(
                seconds = shared.settings.deadline.as_secs(),
                "A job took too long and was cut off."
            );
            Verdict::Retry { code: "job_timed_out", after: None }
        }
    }
}

async fn settle(shared: &Shared, job: &Job, verdict: &Verdict) {
    let settled = until_written(|| queue::settle(&shared.pool, &*shared.ambient, job, verdict)).await;
    let (word, code) = (verdict.word(), verdict.code());
    match settled {
        Some(Settled::Over) => {
            tracing::warn!(verdict = word, code, "A job was given up, or cancelled meanwhile.")
        }
        Some(settled) => {
            tracing::debug!(verdict = word, code, settled = ?settled, "A job was settled.");
            if settled == Settled::Waiting {
                shared.bells.look_again();
            }
        }
        None => {
            tracing::error!(verdict = word, code, "A verdict could not be written; the job will run again.")
        }
    }
}

/// Writes until the database takes it; `None` when it does not for a long time.
async fn until_written<F>(mut write: impl FnMut() -> F) -> Option<Settled>
where
    F: Future<Output = Result<Settled, QueueError>>,
{
    for attempt in 1..=SETTLE_TRIES {
        match write().await {
            Ok(settled) => return Some(settled),
            Err(error) => tracing::warn!(
                attempt,
                error = &error as &dyn std::error::Error,
                "A verdict could not be written yet."
            ),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

/// The trace id out of a `traceparent`, for the log.
fn trace_id(job: &Job) -> &str {
    job.trace.as_deref().and_then(|trace| trace.split('-').nth(1)).unwrap_or_default()
}

/// Counted as active for as long as it lives, however it ends.
struct Active;

impl Active {
    fn new() -> Self {
        metrics::gauge!("active_background_tasks").increment(1.0);
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        metrics::gauge!("active_background_tasks").decrement(1.0);
    }
}
