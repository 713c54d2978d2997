//! What is done over all organizations: who has calls that are to be looked at, and the counts put together.

use db::FleetTx;
use kernel::OrganizationId;
use time::OffsetDateTime;

use crate::FeedbackError;

/// Organizations with changed or due calls, at most `most`, behind `after`, in the order of their ids.
///
/// # Errors
/// When the database fails.
pub async fn with_work(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
    after: Option<OrganizationId>,
    most: i64,
) -> Result<Vec<OrganizationId>, FeedbackError> {
    sqlx::query_scalar(
        "select s.organization_id from feedback_settings s
         where ($2::uuid is null or s.organization_id > $2) and (
            exists (select from feedback_changes c where c.organization_id = s.organization_id)
            or exists (select from feedback_calls f where f.organization_id = s.organization_id
                and f.state in ('wanted', 'waiting') and f.due_at <= $1))
         order by s.organization_id limit $3",
    )
    .bind(now)
    .bind(after)
    .bind(most)
    .fetch_all(&mut **fleet)
    .await
    .map_err(FeedbackError::db("looking for organizations with calls to look at"))
}

/// Puts the counts of posts and calls together that changes left one by one, so that a page adds up few.
///
/// # Errors
/// When the database fails.
pub async fn gather_counts(fleet: &mut FleetTx) -> Result<(), FeedbackError> {
    sqlx::query("select soundpost_gather_counts()")
        .execute(&mut **fleet)
        .await
        .map_err(FeedbackError::db("putting counts together"))?;
    Ok(())
}
