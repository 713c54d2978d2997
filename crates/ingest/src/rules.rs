//! The settings and fixed rules of ingestion.

use std::time::Duration;

/// Settings of the installation; a connection may have its own poll interval and overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// How often each connection is looked at.
    pub poll_every: Duration,
    /// How far a poll looks back behind the last good one: calls become visible hours after they took place [I].
    pub overlap: Duration,
    /// Requests per second that all our processes together make to one company. Gong allows 3 [D].
    pub per_second: f64,
    /// Requests in 24 hours that we make to one company. Gong allows 10,000 to everybody together [D].
    pub per_day: i64,
    /// Transcripts asked for at once; Gong's pages hold 100 [D].
    pub transcript_batch: usize,
    /// A connection that is used in a way that points at misuse is paused; else it is only told.
    pub pause_on_misuse: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            poll_every: Duration::from_secs(4 * 3600),
            overlap: Duration::from_secs(3 * 86_400),
            per_second: 2.5,
            per_day: 8_000,
            transcript_batch: 100,
            pause_on_misuse: true,
        }
    }
}

/// The share of the daily budget that backfills leave for fresh calls.
pub(crate) const FRESH_RESERVE: f64 = 0.2;
/// How far the daily sweep looks back.
pub(crate) const SWEEP_BACK: time::Duration = time::Duration::days(14);
/// How often a connection is swept.
pub(crate) const SWEEP_EVERY: time::Duration = time::Duration::days(1);
/// A transcript that has not come after so long will not come.
pub(crate) const GIVE_UP_AFTER: time::Duration = time::Duration::days(14);
/// Windows with more calls than this are listed in halves, the newer half first.
pub(crate) const WINDOW_MOST: u64 = 2_000;
/// How often a window is begun again before the run is given up.
pub(crate) const WALKS_MOST: i32 = 20;
/// How long one job works before it lets others go first.
pub(crate) const SLICE: Duration = Duration::from_secs(60);
/// How long after its storing an unconfirmed transcript is looked at again.
pub(crate) const CONFIRM_AFTER: time::Duration = time::Duration::minutes(15);
/// A look at a call's privacy that is older than this is taken again before its transcript is stored.
pub(crate) const LOOK_LIVES: time::Duration = time::Duration::minutes(2);
/// Each day the slow look takes at least so many calls.
pub(crate) const RELOOK_LEAST: i32 = 1_000;
/// And so many that everything was looked at within this many days.
pub(crate) const RELOOK_DAYS: i32 = 7;

/// The kinds of jobs that ingestion sends to itself; their subject is a connection, or the organization where it says so.
pub mod task {
    use kernel::RunKind;

    /// The listing of a run of this kind.
    pub(crate) const fn of(kind: RunKind) -> &'static str {
        match kind {
            RunKind::Poll => POLL,
            RunKind::Backfill => BACKFILL,
            RunKind::Sweep => SWEEP,
        }
    }

    /// One poll.
    pub const POLL: &str = "poll";
    /// Steps of the backfill.
    pub const BACKFILL: &str = "backfill";
    /// Steps of the daily sweep.
    pub const SWEEP: &str = "sweep";
    /// Batches of transcripts of fresh calls.
    pub const TRANSCRIPTS: &str = "transcripts";
    /// Batches of transcripts that a backfill wants.
    pub const BACKFILL_TRANSCRIPTS: &str = "backfill_transcripts";
    /// A second look at calls whose transcripts were stored without one.
    pub const CONFIRM: &str = "confirm";
    /// A look by id at calls that a look missed, and at those that were not looked at for long.
    pub const RECHECK: &str = "recheck";
    /// Purging what Gong no longer has. About the organization; needs no Gong.
    pub const PURGE: &str = "purge";
    /// Erasing people. About the organization; needs no Gong.
    pub const ERASE: &str = "erase";
    /// Removing what is older than the organization's retention time. About the organization; needs no Gong.
    pub const RETENTION: &str = "retention";
}
