//! When a connection is looked at: its own phase in the interval, so that thousands of them spread evenly.

use std::time::Duration;

use db::Tx;
use kernel::{Ambient, ConnectionId};
use time::OffsetDateTime;

use crate::{
    Defaults, IngestError,
    store::schedules::{self, Row},
};

/// When a connection is looked at, and what may be imported.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// No call that started before this moment is ever imported.
    pub import_floor: OffsetDateTime,
    /// How often it is looked at.
    pub poll_every: Duration,
    /// Whether this interval is the connection's own.
    pub poll_every_own: bool,
    /// How far each poll looks back behind the last good one.
    pub overlap: Duration,
    /// When the next poll is due.
    pub next_poll_at: OffsetDateTime,
    /// Up to when the last poll that ended well looked.
    pub last_poll_at: Option<OffsetDateTime>,
    /// When the next sweep is due.
    pub next_sweep_at: OffsetDateTime,
    /// Up to when the last sweep looked.
    pub last_sweep_at: Option<OffsetDateTime>,
    /// Only calls of these Gong workspaces are imported; `None` means all.
    pub selected_workspaces: Option<Vec<String>>,
    /// Since when there is doubt whether this key may see calls: none came for a week, though Gong has users.
    pub doubted_since: Option<OffsetDateTime>,
}

/// What a person changes; `None` keeps what is there, `Some(None)` goes back to the installation's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleChange {
    /// Seconds from one poll to the next, 300 to 86,400.
    pub poll_every_seconds: Option<Option<i64>>,
    /// Seconds that a poll looks back, 3,600 to 1,209,600.
    pub overlap_seconds: Option<Option<i64>>,
    /// Gong workspaces to import from; an empty list is refused.
    pub selected_workspaces: Option<Option<Vec<String>>>,
}

/// The schedule of a connection; `None` when it was never connected.
///
/// # Errors
/// When the database fails.
pub async fn schedule(
    tx: &mut Tx,
    connection: ConnectionId,
    defaults: &Defaults,
) -> Result<Option<Schedule>, IngestError> {
    let row = schedules::load(tx, connection).await?;
    Ok(row.map(|row| Schedule {
        import_floor: row.import_floor,
        poll_every: every(Some(&row), defaults),
        poll_every_own: row.poll_every_seconds.is_some(),
        overlap: overlap(&row, defaults),
        next_poll_at: row.next_poll_at,
        last_poll_at: row.last_poll_at,
        next_sweep_at: row.next_sweep_at,
        last_sweep_at: row.last_sweep_at,
        selected_workspaces: row.selected_workspaces,
        doubted_since: row.doubted_since,
    }))
}

/// What a person set for a connection; `None` is the installation's default, or all workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// Seconds from one poll to the next.
    pub poll_every_seconds: Option<i64>,
    /// Seconds that a poll looks back.
    pub overlap_seconds: Option<i64>,
    /// Gong workspaces to import from.
    pub selected_workspaces: Option<Vec<String>>,
}

/// The settings of a connection.
///
/// # Errors
/// When the database fails.
pub async fn own_settings(tx: &mut Tx, connection: ConnectionId) -> Result<OwnSettings, IngestError> {
    let row = schedules::load(tx, connection).await?;
    Ok(row.map_or_else(OwnSettings::default, |row| OwnSettings {
        poll_every_seconds: row.poll_every_seconds.map(i64::from),
        overlap_seconds: row.overlap_seconds.map(i64::from),
        selected_workspaces: row.selected_workspaces,
    }))
}

/// Changes the schedule; a new interval takes effect at once.
///
/// # Errors
/// When a value is out of its range (the field is named), the connection was never made, or the database fails.
pub async fn change_schedule(
    tx: &mut Tx,
    connection: ConnectionId,
    change: &ScheduleChange,
    defaults: &Defaults,
    ambient: &dyn Ambient,
) -> Result<(), IngestError> {
    let poll_every_seconds =
        within(change.poll_every_seconds, "poll_every_seconds", 300, 86_400, "must be 300 to 86400")?;
    let overlap_seconds =
        within(change.overlap_seconds, "overlap_seconds", 3_600, 1_209_600, "must be 3600 to 1209600")?;
    let selected = change.selected_workspaces.as_ref().map(|chosen| chosen.as_deref());
    if let Some(Some(ids)) = selected
        && (ids.is_empty() || ids.len() > 200 || ids.iter().any(|id| id.is_empty() || id.len() > 40))
    {
        return Err(IngestError::Setting {
            field: "selected_workspaces",
            fix: "must name 1 to 200 workspace ids, or be null for all",
        });
    }
    let next_poll_at =
        poll_every_seconds.map(|own| next_slot(connection, every_of(own, defaults), ambient.now()));
    let change = schedules::Change {
        poll_every_seconds,
        overlap_seconds,
        selected_workspaces: selected,
        next_poll_at,
    };
    if !schedules::change(tx, connection, &change).await? {
        return Err(IngestError::Inactive);
    }
    tx.announce("connection").await?;
    Ok(())
}

#[expect(clippy::option_option, reason = "absent, null and a number are three answers")]
fn within(
    asked: Option<Option<i64>>,
    field: &'static str,
    least: i64,
    most: i64,
    fix: &'static str,
) -> Result<Option<Option<i32>>, IngestError> {
    match asked {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(number)) if (least..=most).contains(&number) => Ok(Some(i32::try_from(number).ok())),
        Some(Some(_)) => Err(IngestError::Setting { field, fix }),
    }
}

/// The first moment after `now` that is this connection's own in the interval: the same distance from one to the next for
/// ever, and another phase for every connection.
pub fn next_slot(connection: ConnectionId, every: Duration, now: OffsetDateTime) -> OffsetDateTime {
    let every = i128::try_from(every.as_millis()).unwrap_or(i128::MAX).max(1);
    let bits = u64::from_le_bytes(connection.uuid().as_bytes()[8..].try_into().unwrap_or_default());
    // Fibonacci hashing: the random half of the id, spread over the interval.
    let phase = i128::from(bits.wrapping_mul(0x9E37_79B9_7F4A_7C15)) % every;
    let now_ms = now.unix_timestamp_nanos().div_euclid(1_000_000);
    let slot = (now_ms - phase).div_euclid(every) + 1;
    OffsetDateTime::from_unix_timestamp_nanos((slot * every + phase) * 1_000_000).unwrap_or(now)
}

pub(crate) fn every(row: Option<&Row>, defaults: &Defaults) -> Duration {
    every_of(row.and_then(|row| row.poll_every_seconds), defaults)
}

/// From one poll to the next: a connection's own seconds, or what is usual.
pub(crate) fn every_of(own: Option<i32>, defaults: &Defaults) -> Duration {
    own.map_or(defaults.poll_every, |s| Duration::from_secs(u64::from(s.unsigned_abs())))
}

pub(crate) fn overlap(row: &Row, defaults: &Defaults) -> Duration {
    row.overlap_seconds.map_or(defaults.overlap, |s| Duration::from_secs(u64::from(s.unsigned_abs())))
}

/// Where a poll's window begins: behind the last good look by the overlap, since calls become visible late [I]. Before
/// the first look it is the end of the history that was asked for, or the beginning of everything.
pub(crate) fn poll_from(
    last_poll_at: Option<OffsetDateTime>,
    history_to: Option<OffsetDateTime>,
    floor: OffsetDateTime,
    overlap: Duration,
) -> OffsetDateTime {
    last_poll_at.or(history_to).unwrap_or(floor) - overlap
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use super::*;
    use kernel::SystemAmbient;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);
    const EVERY: Duration = Duration::from_secs(4 * 3600);

    #[test]
    fn a_connection_keeps_its_distance_from_slot_to_slot() {
        let connection = ConnectionId::mint(&SystemAmbient);
        let first = next_slot(connection, EVERY, NOW);
        assert!(first > NOW && first <= NOW + EVERY);
        assert_eq!(next_slot(connection, EVERY, first) - first, time::Duration::hours(4));
        assert_eq!(next_slot(connection, EVERY, first - Duration::from_millis(1)), first);
    }

    /// Looks of eight hours, every four seconds, at most so many polls in each; the seconds at which each connection started.
    fn eight_hours(
        connections: usize,
        most: usize,
        slot: impl Fn(ConnectionId, i64) -> i64,
    ) -> Vec<Vec<i64>> {
        let ids: Vec<ConnectionId> = (0..connections).map(|_| ConnectionId::mint(&SystemAmbient)).collect();
        let mut due: BinaryHeap<Reverse<(i64, usize)>> =
            ids.iter().enumerate().map(|(n, id)| Reverse((slot(*id, 0), n))).collect();
        let mut starts = vec![Vec::new(); connections];
        for now in (0..=8 * 3600 + 4).step_by(4) {
            for _ in 0..most {
                match due.peek() {
                    Some(Reverse((at, _))) if *at <= now => {}
                    _ => break,
                }
                let Some(Reverse((_, number))) = due.pop() else { break };
                starts[number].push(now);
                due.push(Reverse((slot(ids[number], now), number)));
            }
        }
        starts
    }

    fn most_in_a_minute(starts: &[Vec<i64>]) -> usize {
        let mut all: Vec<i64> = starts.iter().flatten().copied().collect();
        all.sort_unstable();
        (0..all.len()).map(|n| all[n..].iter().take_while(|at| **at < all[n] + 60).count()).max().unwrap_or(0)
    }

    /// Seconds after the beginning, as the schedule has them.
    fn own_slot(id: ConnectionId, now: i64) -> i64 {
        (next_slot(id, EVERY, NOW + time::Duration::seconds(now)) - NOW).whole_seconds() + 1
    }

    #[test]
    fn job_13_ten_thousand_connections_never_come_as_a_herd() {
        let starts = eight_hours(10_000, 18, own_slot);
        assert!(starts.iter().all(|of_one| of_one.len() >= 2), "everybody is looked at twice in eight hours");
        let most = most_in_a_minute(&starts);
        assert!(most <= 84, "the mean is 42 starts a minute, twice that is the limit; saw {most}");
        let gaps = starts.iter().flat_map(|of_one| of_one.windows(2)).map(|pair| pair[1] - pair[0]);
        for gap in gaps {
            assert!((12_960..=15_840).contains(&gap), "{gap} s between two polls is not four hours +-10 %");
        }
    }

    #[test]
    fn job_13_the_model_sees_a_herd_where_there_is_one() {
        let together = |_: ConnectionId, now: i64| (now.div_euclid(14_400) + 1) * 14_400;
        assert!(most_in_a_minute(&eight_hours(10_000, usize::MAX, together)) > 5_000);
    }
}
