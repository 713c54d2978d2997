//! One attempt of one job: read, run in a task of its own, settled.

use std::time::Duration;

use queue::{Job, QueueError, Verdict};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Shared;

/// How often settling is tried while the database is away.
const SETTLE_TRIES: u32 = 30;

/// Runs the attempt and writes its verdict.
pub(super) async fn run(shared: &Shared, id: &str, worker: &str) {
    let job = match queue::taken(&shared.pool, id, worker).await {
        Ok(Some(job)) => job,
        // Cancelled or taken over since it was fetched.
        Ok(None) => return,
        Err(QueueError::Invalid(_)) => {
            tracing::error!(job.id = id, "A job could not be read and is a dead letter now.");
            queue::bury(&shared.pool, id, worker, 0, "unreadable").await.ok();
            return;
        }
        Err(error) => {
            tracing::warn!(
                job.id = id,
                error = &error as &dyn std::error::Error,
                "A job could not be read yet."
            );
            queue::hand_back(&shared.pool, worker, &[], Duration::from_secs(1)).await.ok();
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
    metrics::gauge!("active_background_tasks").increment(1.0);
    let verdict = attempt(shared, job.clone()).instrument(span.clone()).await;
    metrics::gauge!("active_background_tasks").decrement(1.0);
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
    for attempt in 1..=SETTLE_TRIES {
        match queue::settle(&shared.pool, &*shared.ambient, job, verdict).await {
            Ok(settled) => {
                tracing::debug!(verdict = verdict.word(), code = verdict.code(), settled = ?settled, "A job was settled.");
                return;
            }
            Err(error) => {
                tracing::warn!(
                    attempt,
                    error = &error as &dyn std::error::Error,
                    "A verdict could not be written yet."
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    tracing::error!("A verdict could not be written; the job will run again.");
}

/// The trace id out of a `traceparent`, for the log.
fn trace_id(job: &Job) -> &str {
    job.trace.as_deref().and_then(|trace| trace.split('-').nth(1)).unwrap_or_default()
}
