//! Sending jobs and taking them back, in the transaction of the sender.

use std::collections::HashSet;

use kernel::OrganizationId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{NewJob, QueueError};

/// Sends a job when the surrounding transaction commits. `false`: one with this key lives already, and it stays as it is.
///
/// A live one that only waits for a later time is moved to the earlier one, which counts as sent; one that waits because
/// it failed keeps its back-off. The transaction may be one of the job's organization or of the fleet.
///
/// # Errors
/// When the job breaks a rule, belongs to another organization than the transaction, or the database fails.
pub async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<bool, QueueError> {
    job.check().map_err(QueueError::Invalid)?;
    let outcome: String =
        sqlx::query_scalar("select soundpost_enqueue_job($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(job.lane.as_str())
            .bind(job.kind)
            .bind(job.organization)
            .bind(job.subject)
            .bind(&job.key)
            .bind(job.run_at)
            .bind(job.priority)
            .bind(job.max_attempts)
            .bind(job.trace.as_deref())
            .fetch_one(conn)
            .await
            .map_err(QueueError::while_doing("sending a job"))?;
    Ok(outcome != "live")
}

/// Of these keys those that need no wake-up: a job lives, or one was given up and waits for a person to decide. Needs a
/// transaction of the fleet.
///
/// # Errors
/// When the database fails.
pub async fn spoken_for(
    conn: &mut PgConnection,
    keys: &[(OrganizationId, String)],
) -> Result<HashSet<(OrganizationId, String)>, QueueError> {
    let (organizations, names): (Vec<OrganizationId>, Vec<&str>) =
        keys.iter().map(|(organization, key)| (*organization, key.as_str())).unzip();
    let found: Vec<(OrganizationId, String)> = sqlx::query_as(
        "select w.organization, w.key from unnest($1::uuid[], $2::text[]) as w(organization, key)
         where exists (
                select from apalis.jobs j
                where j.metadata -> 'sp.organization' = w.organization::text and j.metadata -> 'sp.key' = w.key
                    and j.status in ('Pending', 'Queued', 'Running') and j.metadata ? 'sp.key'
                    and not j.metadata ? 'sp.cancelled')
            or exists (
                select from dead_letters l
                where l.organization_id = w.organization and l.key = w.key and l.state = 'dead')",
    )
    .bind(organizations)
    .bind(names)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("looking for jobs"))?;
    Ok(found.into_iter().collect())
}

/// Notes that the running job with this key, of the transaction's organization, got somewhere: should its worker die now,
/// it counts as the first death.
///
/// # Errors
/// When the database fails.
pub async fn progressed(conn: &mut PgConnection, key: &str) -> Result<(), QueueError> {
    sqlx::query("select soundpost_job_progressed($1)")
        .bind(key)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(QueueError::while_doing("noting the progress of a job"))
}

/// Ends the waiting jobs about `subject`, a thing of the transaction's organization, and says how many.
///
/// One that runs goes on to the end of its attempt, but never starts again, and its key is free at once.
///
/// # Errors
/// When the database fails.
pub async fn cancel(conn: &mut PgConnection, subject: Uuid) -> Result<u64, QueueError> {
    let ended: i64 = sqlx::query_scalar("select soundpost_cancel_jobs($1)")
        .bind(subject)
        .fetch_one(conn)
        .await
        .map_err(QueueError::while_doing("cancelling jobs"))?;
    Ok(ended.unsigned_abs())
}
