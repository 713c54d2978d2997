//! Retention: after the days that an organization sets, the content of a call is removed. What stays is the call's id, its
//! times and its state, so that it is not imported again.

use db::Tx;
use time::{Duration, OffsetDateTime};

use crate::{
    IngestError,
    purge::{progressed_organization, wake_organization},
    rules::task,
    store::privacy as store,
};

/// How often old content is looked for.
const EVERY: Duration = Duration::hours(1);
/// Calls whose content is removed in one transaction.
const AT_ONCE: i64 = 200;
/// The most days that can be set.
const MOST_DAYS: i64 = 3_650;

/// Days after which the content of this organization's calls is removed; `None`: never.
///
/// # Errors
/// When the database fails.
pub async fn retention(tx: &mut Tx) -> Result<Option<i64>, IngestError> {
    Ok(store::retention(tx).await?.map(i64::from))
}

/// Sets it, begins at once, and says what was set before.
///
/// # Errors
/// When the number is not one of 1 to 3,650, or the database fails.
pub async fn set_retention(
    tx: &mut Tx,
    days: Option<i64>,
    now: OffsetDateTime,
) -> Result<Option<i64>, IngestError> {
    if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
        return Err(IngestError::Setting {
            field: "retention_days",
            fix: "must be 1 to 3650, or null for never",
        });
    }
    let before = retention(tx).await?;
    store::set_retention(tx, days.and_then(|days| i32::try_from(days).ok()), now).await?;
    if days.is_some() {
        wake_organization(tx, task::RETENTION).await?;
    }
    Ok(before)
}

/// What one step of removing brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Calls whose content was removed.
    pub calls: i64,
    /// There may be more.
    pub more: bool,
}

/// Removes a batch of what is too old.
///
/// # Errors
/// When the database fails.
pub async fn expire_some(tx: &mut Tx, now: OffsetDateTime) -> Result<Expired, IngestError> {
    let Some(days) = retention(tx).await? else { return Ok(Expired { calls: 0, more: false }) };
    let calls = store::expire(tx, now - Duration::days(days), now, AT_ONCE).await?;
    let more = calls == AT_ONCE;
    if !more {
        store::retention_done(tx, now + EVERY).await?;
    }
    if calls > 0 {
        tx.announce("calls").await?;
        progressed_organization(tx, task::RETENTION).await?;
    }
    Ok(Expired { calls, more })
}
