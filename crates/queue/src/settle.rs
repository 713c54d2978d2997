//! What becomes of a job after an attempt: one statement, fenced by the worker that holds it.

use std::time::Duration;

use kernel::Ambient;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{Job, QueueError};

/// What the handler of a job says about its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done; its key is free.
    Done,
    /// A part is done, go on with the next: the same job runs again at once, behind others that wait, and its failures and
    /// lost workers are forgotten.
    Next,
    /// Not a failure, but not now (a limit, something not there yet): the same job runs again at that moment.
    Later {
        /// When.
        at: OffsetDateTime,
        /// Why, as a stable code.
        why: &'static str,
    },
    /// It failed and may succeed later: again after a growing random time, dead after the last attempt.
    Retry {
        /// What failed, as a stable code.
        code: &'static str,
        /// Wait at least this long instead of the growing time.
        after: Option<Duration>,
    },
    /// It failed and will not succeed: a dead letter at once.
    Dead {
        /// What failed, as a stable code.
        code: &'static str,
    },
}

impl Verdict {
    /// The word for this verdict in tables and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Next => "next",
            Self::Later { .. } => "later",
            Self::Retry { .. } => "retry",
            Self::Dead { .. } => "dead",
        }
    }

    /// The stable code that explains it, if there is one.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Done | Self::Next => None,
            Self::Later { why, .. } => Some(why),
            Self::Retry { code, .. } | Self::Dead { code } => Some(code),
        }
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is done.
    Done,
    /// It waits to run again.
    Waiting,
    /// It is over: a dead letter, or cancelled meanwhile.
    Over,
    /// It was taken from this worker before; nothing was written, another run will settle it.
    NotOurs,
}

const BASE: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(600);

/// How long to wait after the `attempt`-th attempt (from 1): random, at most 2 s doubled each time, never over 10 minutes.
pub fn backoff(ambient: &dyn Ambient, attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    ambient.jitter(BASE.saturating_mul(1 << doublings).min(LONGEST))
}

/// Writes the verdict on `job`. Calling it twice, or after the job was given to another worker, changes nothing.
///
/// # Errors
/// When the database fails; the job is then still this worker's, and settling can be tried again.
pub async fn settle(
    pool: &PgPool,
    ambient: &dyn Ambient,
    job: &Job,
    verdict: &Verdict,
) -> Result<Settled, QueueError> {
    let at = match verdict {
        Verdict::Later { at, .. } => Some(*at),
        _ => None,
    };
    let delay = match verdict {
        Verdict::Retry { after: Some(after), .. } => *after + ambient.jitter((*after / 10).min(LONGEST)),
        Verdict::Retry { after: None, .. } => backoff(ambient, job.attempt),
        _ => Duration::ZERO,
    };
    write(pool, &job.id, &job.worker, job.attempt - 1, verdict, at, delay).await
}

/// Makes a dead letter of a row that could not be read as a job; `counted` attempts have failed before.
///
/// # Errors
/// When the database fails.
pub async fn bury(
    pool: &PgPool,
    id: &str,
    worker: &str,
    counted: i32,
    code: &'static str,
) -> Result<Settled, QueueError> {
    write(pool, id, worker, counted, &Verdict::Dead { code }, None, Duration::ZERO).await
}

async fn write(
    pool: &PgPool,
    id: &str,
    worker: &str,
    counted: i32,
    verdict: &Verdict,
    at: Option<OffsetDateTime>,
    delay: Duration,
) -> Result<Settled, QueueError> {
    let became: Option<String> =
        sqlx::query_scalar("select soundpost_settle_job($1, $2, $3, $4, $5, $6, $7)")
            .bind(id)
            .bind(worker)
            .bind(counted)
            .bind(verdict.word())
            .bind(at)
            .bind(delay.as_secs_f64())
            .bind(verdict.code())
            .fetch_one(pool)
            .await
            .map_err(QueueError::while_doing("settling a job"))?;
    Ok(match became.as_deref() {
        Some("Done") => Settled::Done,
        Some("Pending") => Settled::Waiting,
        Some(_) => Settled::Over,
        None => Settled::NotOurs,
    })
}

#[cfg(test)]
mod tests {
    use kernel::SystemAmbient;

    use super::*;

    #[test]
    fn the_backoff_grows_and_is_capped() {
        let longest_of = |attempt| (0..200).map(|_| backoff(&SystemAmbient, attempt)).max().unwrap();
        assert!(longest_of(1) <= Duration::from_secs(2));
        assert!(longest_of(4) > Duration::from_secs(4) && longest_of(4) <= Duration::from_secs(16));
        assert!(longest_of(1_000) > Duration::from_secs(300) && longest_of(1_000) <= LONGEST);
        assert!(longest_of(i32::MIN) <= Duration::from_secs(2));
    }
}
