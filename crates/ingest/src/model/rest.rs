//! How a model world comes to rest, and what must be true of it then.

use proptest::test_runner::TestCaseError;
use time::Duration;

use super::{World, tables::Place};
use crate::rules::GIVE_UP_AFTER;

impl World {
    /// Until nothing is to be done at this moment.
    pub(super) fn settle(&mut self) -> Result<(), TestCaseError> {
        self.calm = true;
        self.workers = vec![None, None];
        for _ in 0..20_000 {
            let idle =
                self.woken.is_empty() && self.batch.is_none() && self.tables.due(self.now, 1).is_empty();
            if idle && self.workers[0].is_none() {
                return self.confirm_stored();
            }
            self.work(0)?;
            self.fetch()?;
        }
        check(false, "the world comes to rest")
    }

    pub(super) fn check_all(&self) -> Result<(), TestCaseError> {
        for truth in &self.gong.calls {
            let held = self.tables.calls.get(&truth.id);
            if truth.came_and_went() {
                // What vanishes is purged by errands of its own, not by listing.
            } else if truth.is_private(self.now) {
                check(held.is_none() || !self.sweeps, "nothing private is held")?;
            } else if truth.start >= self.tables.floor {
                let Some(held) = held else {
                    return fail(&format!(
                        "{truth:?} is missing; floor {}, {:?}",
                        self.tables.floor, self.gong
                    ));
                };
                let waited = held.waiting_since.map_or(Duration::ZERO, |at| self.now - at);
                match held.place {
                    Place::Stored => check(held.stored == 1, "each transcript once")?,
                    Place::GaveUp => check(waited >= GIVE_UP_AFTER, "nothing is given up early")?,
                    Place::Open => check(truth.transcript_at > self.now, "what Gong has is here")?,
                }
            } else if truth.start < self.tables.floor {
                check(held.is_none(), "nothing before the floor is held")?;
            }
        }
        Ok(())
    }
}

pub(super) fn check(good: bool, what: &str) -> Result<(), TestCaseError> {
    if good { Ok(()) } else { fail(what) }
}

fn fail(what: &str) -> Result<(), TestCaseError> {
    Err(TestCaseError::fail(what.to_owned()))
}
