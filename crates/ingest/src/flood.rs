//! A sudden flood of transcripts: far more than an organization usually asks for may be somebody who misuses its credential.
//!
//! Knows how much is usual. Backfills are not counted, nor what one leaves behind; and no flood is seen before a connection has
//! been at work for a day, so that catching up after a pause is none.

use db::Tx;
use kernel::ConnectionId;
use time::{Duration, OffsetDateTime};

use crate::{
    IngestError,
    store::usage::{self, Usual},
};

/// So many times the usual number of an hour is a flood.
const TIMES: i64 = 10;
/// Where less is usual, this is taken for it: 200 transcripts in an hour are never a flood.
const USUAL_LEAST: i64 = 20;
/// What happened so long ago says what is usual.
const LOOK_BACK: Duration = Duration::days(7);
/// A flood is told of once in this time, and none is seen so soon after a backfill.
const QUIET: Duration = Duration::days(1);

/// Counts transcripts that are about to be asked for.
///
/// # Errors
/// [`IngestError::Flood`] when they are far more than usual; the caller's transaction then is to be dropped, and nothing asked.
pub(crate) async fn count(
    tx: &mut Tx,
    connection: ConnectionId,
    transcripts: usize,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    let number = i64::try_from(transcripts).unwrap_or(i64::MAX);
    let this_hour = usage::count_transcripts(tx, connection, number, now).await?;
    if this_hour <= TIMES * USUAL_LEAST {
        return Ok(());
    }
    let usual = usage::usual_transcripts(tx, connection, now - LOOK_BACK, now - QUIET, now).await?;
    if is_flood(this_hour, &usual, now) {
        return Err(IngestError::Flood { this_hour, usual: usual.an_hour });
    }
    Ok(())
}

fn is_flood(this_hour: i64, usual: &Usual, now: OffsetDateTime) -> bool {
    let told = usual.told_at.is_some_and(|at| now - at < QUIET);
    this_hour > TIMES * usual.an_hour.max(USUAL_LEAST) && usual.at_work && !usual.backfilled && !told
}

/// Notes that a flood was told of: it is not told of again for a day, and what is asked for meanwhile passes.
///
/// # Errors
/// When the database fails.
pub async fn flood_told(
    tx: &mut Tx,
    connection: ConnectionId,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    usage::flood_told(tx, connection, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);

    #[test]
    fn ops_17_ten_times_the_usual_is_a_flood_but_for_backfills_and_beginners() {
        let usual = Usual { an_hour: 50, at_work: true, backfilled: false, told_at: None };
        assert!(is_flood(501, &usual, NOW));
        assert!(!is_flood(500, &usual, NOW));
        assert!(!is_flood(200, &Usual { an_hour: 0, ..usual.clone() }, NOW));
        assert!(is_flood(201, &Usual { an_hour: 0, ..usual.clone() }, NOW));
        assert!(!is_flood(9_000, &Usual { at_work: false, ..usual.clone() }, NOW));
        assert!(!is_flood(9_000, &Usual { backfilled: true, ..usual.clone() }, NOW));
        let told = |hours| Usual { told_at: Some(NOW - Duration::hours(hours)), ..usual.clone() };
        assert!(!is_flood(9_000, &told(23), NOW) && is_flood(9_000, &told(24), NOW));
    }
}
