//! Old claims on requests, over all organizations.

use db::FleetTx;
use time::OffsetDateTime;

use crate::{AccountsError, store::failed};

/// Throws away what was claimed before a moment.
pub(crate) async fn sweep(tx: &mut FleetTx, before: OffsetDateTime) -> Result<u64, AccountsError> {
    sqlx::query(
        "delete from request_claims where id in (select id from request_claims where created_at <= $1 limit 10000)",
    )
    .bind(before)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(failed("sweeping the claims"))
}
