//! Where time and chance come from. Nothing else in the product may ask the machine for either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use uuid::Uuid;

/// The clock and the source of randomness.
pub trait Ambient: Send + Sync + std::fmt::Debug {
    /// The present moment, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Fills `bytes` with cryptographically strong random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The ambient as it is handed around.
pub type SharedAmbient = Arc<dyn Ambient>;

impl dyn Ambient + '_ {
    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A UUIDv7 of the present millisecond.
    pub fn uuid(&self) -> Uuid {
        let millis = self.now().unix_timestamp_nanos() / 1_000_000;
        let millis = u64::try_from(millis).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }

    /// A random time from zero to `most`: full jitter, so that many clients do not move in step.
    pub fn jitter(&self, most: Duration) -> Duration {
        let share = u64::from_le_bytes(self.random()) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit into an f64 exactly")]
        let share = share as f64 / (1_u64 << 53) as f64;
        most.mul_f64(share)
    }
}

/// The machine's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemAmbient;

impl Ambient for SystemAmbient {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Without randomness no id, state or token would be safe: stop rather than guess.
            std::process::abort();
        }
    }
}

/// A clock that stands still until it is moved, for tests; randomness is real.
#[derive(Debug)]
pub struct ManualAmbient {
    nanos: AtomicI64,
}

impl ManualAmbient {
    /// A clock that shows `start`.
    pub fn at(start: OffsetDateTime) -> Self {
        let nanos = i64::try_from(start.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        Self { nanos: AtomicI64::new(nanos) }
    }

    /// A clock that shows the machine's present moment and then stands still.
    pub fn now_frozen() -> Self {
        Self::at(SystemAmbient.now())
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.nanos.fetch_add(by, Ordering::SeqCst);
    }
}

impl Ambient for ManualAmbient {
    fn now(&self) -> OffsetDateTime {
        let nanos = i128::from(self.nanos.load(Ordering::SeqCst));
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn fill(&self, bytes: &mut [u8]) {
        SystemAmbient.fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bound_and_varies() {
        let ambient: SharedAmbient = Arc::new(SystemAmbient);
        let most = Duration::from_secs(10);
        let draws: Vec<_> = (0..100).map(|_| ambient.jitter(most)).collect();
        assert!(draws.iter().all(|d| *d <= most));
        assert!(draws.iter().any(|d| *d > most / 2) && draws.iter().any(|d| *d < most / 2));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualAmbient::now_frozen();
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now() - before, time::Duration::minutes(1));
    }
}
