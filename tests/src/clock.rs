//! A clock that goes on by itself and can be set forward.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use kernel::{Ambient, SystemAmbient};
use time::OffsetDateTime;

/// The machine's clock, plus what a story let pass.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    ahead_millis: AtomicI64,
}

impl ShiftedClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.ahead_millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// How far this clock is ahead of the machine's, in milliseconds.
    pub fn ahead_millis(&self) -> i64 {
        self.ahead_millis.load(Ordering::SeqCst)
    }
}

impl Ambient for ShiftedClock {
    fn now(&self) -> OffsetDateTime {
        SystemAmbient.now() + time::Duration::milliseconds(self.ahead_millis())
    }

    fn fill(&self, bytes: &mut [u8]) {
        SystemAmbient.fill(bytes);
    }
}
