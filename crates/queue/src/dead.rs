//! Dead letters: jobs that were given up. They say what failed and for whom, never with which content.
//!
//! Every function sees what its transaction may see: one organization's letters, or with the fleet role all.

use kernel::{DeadLetterId, OrganizationId};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::QueueError;

/// The most letters that one call lists, retries or discards.
pub const MOST_LETTERS: i64 = 1_000;
/// The most groups that one call lists.
const MOST_GROUPS: i64 = 200;
/// The most characters of a reason.
const MOST_REASON: usize = 500;

/// A job that was given up.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Whose job it was; unknown only where the job could not be read.
    #[sqlx(rename = "organization_id")]
    pub organization: Option<OrganizationId>,
    /// The word of the lane it ran in.
    pub lane: String,
    /// What was to be done.
    pub kind: String,
    /// About what; mostly a connection.
    pub subject: Option<Uuid>,
    /// Why it was given up, as a stable code.
    pub code: String,
    /// How many attempts were made.
    pub attempts: i32,
    /// When it was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub died_at: OffsetDateTime,
    /// `dead`, `retried` or `discarded`.
    pub state: String,
    /// When somebody retried or discarded it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// Why it was discarded.
    pub closed_reason: Option<String>,
}

/// Which letters are meant; what is `None` is any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Letters<'a> {
    /// What was to be done.
    pub kind: Option<&'a str>,
    /// Why it was given up.
    pub code: Option<&'a str>,
}

/// Open letters that have kind and reason in common.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct LetterGroup {
    /// What was to be done.
    pub kind: String,
    /// Why it was given up, as a stable code.
    pub code: String,
    /// How many letters are open.
    pub open: i64,
    /// The most attempts that one of them had.
    pub attempts: i32,
    /// When the first of them was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// When the last of them was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// The newest letters first, at most `limit`; those after the letter `after`, where one is named.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<DeadLetterId>,
    limit: i64,
) -> Result<Vec<DeadLetter>, QueueError> {
    list_of(conn, Letters::default(), None, after, limit).await
}

/// As [`list`], only the letters that are meant, and in this state where one is named.
///
/// # Errors
/// When the database fails.
pub async fn list_of(
    conn: &mut PgConnection,
    letters: Letters<'_>,
    state: Option<&str>,
    after: Option<DeadLetterId>,
    limit: i64,
) -> Result<Vec<DeadLetter>, QueueError> {
    sqlx::query_as(
        "select * from dead_letters
         where ($1::uuid is null
            or (died_at, id) < (select l.died_at, l.id from dead_letters l where l.id = $1))
            and ($3::text is null or kind = $3) and ($4::text is null or code = $4)
            and ($5::text is null or state = $5)
         order by died_at desc, id desc limit $2",
    )
    .bind(after)
    .bind(limit.clamp(1, MOST_LETTERS))
    .bind(letters.kind)
    .bind(letters.code)
    .bind(state)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("listing dead letters"))
}

/// The open letters by kind and reason, the largest group first, at most 200 groups.
///
/// # Errors
/// When the database fails.
pub async fn groups(conn: &mut PgConnection) -> Result<Vec<LetterGroup>, QueueError> {
    sqlx::query_as(
        "select kind, code, count(*) as open, max(attempts) as attempts, min(died_at) as first_at, max(died_at) as last_at
         from dead_letters where state = 'dead' group by kind, code order by open desc, kind, code limit $1",
    )
    .bind(MOST_GROUPS)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("counting dead letters"))
}

/// One letter, when the transaction may see it.
///
/// # Errors
/// When the database fails.
pub async fn show(conn: &mut PgConnection, id: DeadLetterId) -> Result<Option<DeadLetter>, QueueError> {
    sqlx::query_as("select * from dead_letters where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await
        .map_err(QueueError::while_doing("reading a dead letter"))
}

/// Sends the job of a letter again, with all its attempts. `false`: there is no such letter, it was retried or discarded
/// before, or its job could never be read. Asked twice at once, one of the two gets `true`.
///
/// # Errors
/// When the database fails.
pub async fn retry(conn: &mut PgConnection, id: DeadLetterId) -> Result<bool, QueueError> {
    let sent = sqlx::query(
        "with letter as (
            update dead_letters set state = 'retried', closed_at = now()
            where id = $1 and state = 'dead'
                and organization_id is not null and subject is not null and key is not null
            returning *)
         select soundpost_enqueue_job(
            lane, kind, organization_id, subject, key, null, priority, max_attempts, trace) from letter",
    )
    .bind(id)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("retrying a dead letter"))?;
    Ok(!sent.is_empty())
}

/// Retries the oldest open letters of those that are meant, at most [`MOST_LETTERS`], and says how many.
///
/// # Errors
/// When the database fails.
pub async fn retry_all(conn: &mut PgConnection, letters: Letters<'_>) -> Result<u64, QueueError> {
    let sent = sqlx::query(
        "with picked as (
            select id from dead_letters
            where state = 'dead' and ($1::text is null or kind = $1) and ($3::text is null or code = $3)
                and organization_id is not null and subject is not null and key is not null
            order by died_at limit $2 for update skip locked),
         letter as (
            update dead_letters set state = 'retried', closed_at = now()
            where id in (select id from picked) and state = 'dead'
            returning *)
         select soundpost_enqueue_job(
            lane, kind, organization_id, subject, key, null, priority, max_attempts, trace) from letter",
    )
    .bind(letters.kind)
    .bind(MOST_LETTERS)
    .bind(letters.code)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("retrying dead letters"))?;
    Ok(sent.len() as u64)
}

/// Closes the letters of jobs that lost their workers three times, where a later job for the same work ended well: whole machines
/// went then, it was not the work. Needs a transaction of the fleet.
///
/// # Errors
/// When the database fails.
pub async fn close_overtaken(conn: &mut PgConnection) -> Result<u64, QueueError> {
    let done = sqlx::query(
        "update dead_letters d set state = 'discarded', closed_at = now(), closed_reason = 'A later job did this work.'
         where d.state = 'dead' and d.code = 'worker_died' and exists (
            select from apalis.jobs j where j.status = 'Done' and j.done_at > d.died_at
                and j.metadata -> 'sp.organization' = d.organization_id::text and j.metadata -> 'sp.key' = d.key)",
    )
    .execute(conn)
    .await
    .map_err(QueueError::while_doing("closing dead letters whose work is done"))?;
    Ok(done.rows_affected())
}

/// Whose open letters are meant: the organization with the oldest one first, at most [`MOST_LETTERS`]; `None` where a job could
/// never be read. Needs a transaction of the fleet.
///
/// # Errors
/// When the database fails.
pub async fn owners(
    conn: &mut PgConnection,
    letters: Letters<'_>,
) -> Result<Vec<Option<OrganizationId>>, QueueError> {
    sqlx::query_scalar(
        "select organization_id from dead_letters
         where state = 'dead' and ($1::text is null or kind = $1) and ($2::text is null or code = $2)
         group by organization_id order by min(died_at) limit $3",
    )
    .bind(letters.kind)
    .bind(letters.code)
    .bind(MOST_LETTERS)
    .fetch_all(conn)
    .await
    .map_err(QueueError::while_doing("looking whose dead letters there are"))
}

/// Closes a letter without running its job again; `false` when it is not open or cannot be seen.
///
/// # Errors
/// When the reason is longer than 500 characters, or the database fails.
pub async fn discard(conn: &mut PgConnection, id: DeadLetterId, reason: &str) -> Result<bool, QueueError> {
    short(reason)?;
    sqlx::query(
        "update dead_letters set state = 'discarded', closed_at = now(), closed_reason = $2
         where id = $1 and state = 'dead'",
    )
    .bind(id)
    .bind(reason)
    .execute(conn)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(QueueError::while_doing("discarding a dead letter"))
}

/// Closes the oldest open letters of those that are meant, at most [`MOST_LETTERS`], and says how many.
///
/// # Errors
/// As [`discard`].
pub async fn discard_all(
    conn: &mut PgConnection,
    letters: Letters<'_>,
    reason: &str,
) -> Result<u64, QueueError> {
    short(reason)?;
    sqlx::query(
        "update dead_letters set state = 'discarded', closed_at = now(), closed_reason = $4
         where state = 'dead' and id in (
            select id from dead_letters
            where state = 'dead' and ($1::text is null or kind = $1) and ($3::text is null or code = $3)
            order by died_at limit $2 for update skip locked)",
    )
    .bind(letters.kind)
    .bind(MOST_LETTERS)
    .bind(letters.code)
    .bind(reason)
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
    .map_err(QueueError::while_doing("discarding dead letters"))
}

fn short(reason: &str) -> Result<(), QueueError> {
    if reason.chars().count() <= MOST_REASON {
        return Ok(());
    }
    Err(QueueError::Invalid("a reason has at most 500 characters"))
}

/// Writes the reasons of discarded letters anew where `mask` says what is left of them; says how many.
///
/// # Errors
/// When the database fails.
pub async fn mask_reasons(
    conn: &mut PgConnection,
    mask: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) -> Result<i64, QueueError> {
    let reasons: Vec<(DeadLetterId, String)> =
        sqlx::query_as("select id, closed_reason from dead_letters where closed_reason is not null")
            .fetch_all(&mut *conn)
            .await
            .map_err(QueueError::while_doing("reading reasons of dead letters"))?;
    let mut changed = 0;
    for (id, reason) in reasons {
        let Some(masked) = mask(&reason) else { continue };
        sqlx::query("update dead_letters set closed_reason = left($2, 500) where id = $1")
            .bind(id)
            .bind(masked)
            .execute(&mut *conn)
            .await
            .map_err(QueueError::while_doing("masking the reason of a dead letter"))?;
        changed += 1;
    }
    Ok(changed)
}
