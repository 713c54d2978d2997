//! The database's clock as this process sees it: slots are given out by that clock and kept by ours.
//!
//! An answer of the database is late by however long it was on its way, and a request that leaves late comes too close to
//! the next one. The answer that came fastest tells best how the two clocks stand to each other.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// How much two clocks may drift apart each second, above what the worst quartz does (100 ppm each).
const DRIFT: f64 = 2e-4;

/// How our monotonic clock stands to the database's.
#[derive(Debug)]
pub(crate) struct DatabaseClock {
    base: Instant,
    best: Mutex<Option<Sample>>,
}

/// What one answer told. Seconds; ours since `base`, the database's since 1970.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Ours minus the database's.
    ahead: f64,
    received: f64,
}

impl DatabaseClock {
    pub(crate) fn new() -> Self {
        Self { base: Instant::now(), best: Mutex::new(None) }
    }

    /// The moment at which the database's clock shows `told + wait`, where `told` is what it showed in an answer that
    /// came at `received`.
    pub(crate) fn moment(&self, told: f64, wait: f64, received: Instant) -> Instant {
        let received = received.duration_since(self.base).as_secs_f64();
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = better(*best, Sample { ahead: received - told, received });
        *best = Some(sample);
        self.base + Duration::try_from_secs_f64(told + wait + sample.ahead).unwrap_or_default()
    }
}

/// How long the database took to answer lately: the longest time, which is forgotten by and by.
#[derive(Debug, Default)]
pub(crate) struct Slowness(AtomicU64);

impl Slowness {
    /// An answer took so long.
    pub(crate) fn noted(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Answers side by side may overwrite each other; the next one tells again.
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(took.max(before / 2), Ordering::Relaxed);
    }

    /// How long it takes now.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// The sample to go by: the new one when it was quicker than the best one can still be trusted to be.
fn better(best: Option<Sample>, new: Sample) -> Sample {
    let Some(best) = best else { return new };
    let trusted = best.ahead + DRIFT * (new.received - best.received).max(0.0);
    Sample { ahead: trusted.min(new.ahead), received: new.received }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The database's clock when ours shows `seconds`.
    const fn theirs(seconds: f64) -> f64 {
        1_700_000_000.0 + seconds
    }

    proptest! {
        #[test]
        fn the_time_on_the_way_does_not_make_a_slot_late(
            ways in proptest::collection::vec(0.001_f64..=0.5, 2..100),
            quickest in 0.000_1_f64..=0.001,
        ) {
            let clock = DatabaseClock::new();
            for (n, way) in std::iter::once(quickest).chain(ways).enumerate() {
                let asked = 10.0 + n as f64;
                let received = clock.base + Duration::from_secs_f64(asked + way);
                let moment = clock.moment(theirs(asked), 0.3, received).duration_since(clock.base).as_secs_f64();
                let slot = asked + 0.3;
                prop_assert!(moment >= slot - 1e-5, "too early: {moment} for {slot}");
                prop_assert!(moment <= slot + quickest + 100.0 * DRIFT + 1e-5, "too late: {moment} for {slot}");
            }
        }
    }

    #[test]
    fn slowness_is_noticed_at_once_and_forgotten_by_and_by() {
        let slowness = Slowness::default();
        slowness.noted(Duration::from_millis(80));
        assert_eq!(slowness.now(), Duration::from_millis(80));
        for _ in 0..6 {
            slowness.noted(Duration::from_millis(1));
        }
        assert!(slowness.now() < Duration::from_millis(3), "{:?}", slowness.now());
    }

    #[test]
    fn a_clock_that_runs_faster_is_followed() {
        let clock = DatabaseClock::new();
        let at = |seconds: f64| clock.base + Duration::from_secs_f64(seconds);
        clock.moment(theirs(1.0), 0.0, at(1.001));
        // 100 ppm in a day: 8.64 s.
        let moment = clock.moment(theirs(86_400.0 - 8.64), 0.0, at(86_400.001));
        assert!(
            moment <= at(86_400.002) && moment >= at(86_400.0),
            "{:?}",
            moment.duration_since(clock.base)
        );
    }
}
