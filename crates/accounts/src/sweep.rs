//! Throwing away what is over: sessions, counted tries, browsers not seen for long. Knows no schedule.

use db::FleetTx;
use time::OffsetDateTime;

use crate::{AccountsError, store::fleet};

/// How many rows were thrown away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions that are over.
    pub sessions: u64,
    /// Counts of log-in tries that no longer matter.
    pub tries: u64,
    /// Browsers that nobody logged in from for half a year.
    pub devices: u64,
}

/// Throws away what is over, at most 10,000 rows of a kind. Commit afterwards; meant to run every few minutes.
///
/// # Errors
/// When the database fails.
pub async fn sweep_expired_sessions(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Swept, AccountsError> {
    Ok(Swept {
        sessions: fleet::sessions::sweep(fleet, now).await?,
        tries: fleet::login::sweep_tries(fleet, now).await?,
        devices: fleet::login::sweep_devices(fleet, now).await?,
    })
}
