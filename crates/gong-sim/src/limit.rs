//! The request budget of one company: a strict sliding second and a sliding day.
//! Knows only times. It must never know who asked: the budget is the company's, over all clients.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many requests a company has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Requests within any 1,000 ms.
    pub per_second: u32,
    /// Requests within any 24 hours of the simulator's clock.
    pub per_day: u32,
    /// Measure the second by the simulator's clock too, instead of real time.
    pub by_sim_clock: bool,
}

impl Default for Limit {
    fn default() -> Self {
        Self { per_second: 3, per_day: 10_000, by_sim_clock: false }
    }
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The requests that were let through lately, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    second: VecDeque<i64>,
    day: VecDeque<i64>,
}

impl Limiter {
    /// Lets a request through, or says after how many whole seconds to come again.
    pub(crate) fn admit(&mut self, limit: Limit, real: i64, sim: i64) -> Result<(), u64> {
        let tick = if limit.by_sim_clock { sim } else { real };
        drop_old(&mut self.second, tick, SECOND);
        drop_old(&mut self.day, sim, DAY);
        if let Some(wait) = full(&self.day, limit.per_day, sim, DAY) {
            return Err(wait);
        }
        if let Some(wait) = full(&self.second, limit.per_second, tick, SECOND) {
            return Err(wait);
        }
        self.second.push_back(tick);
        self.day.push_back(sim);
        Ok(())
    }

    /// Forgets all requests.
    pub(crate) fn clear(&mut self) {
        self.second.clear();
        self.day.clear();
    }
}

fn drop_old(times: &mut VecDeque<i64>, now: i64, span: i64) {
    while times.front().is_some_and(|first| now - first >= span) {
        times.pop_front();
    }
}

fn full(times: &VecDeque<i64>, allowed: u32, now: i64, span: i64) -> Option<u64> {
    if times.len() < allowed as usize {
        return None;
    }
    let first = times.front().copied().unwrap_or(now);
    let micros = u64::try_from(first + span - now).unwrap_or(0);
    Some(micros.div_ceil(1_000_000).max(1))
}

#[cfg(test)]
mod tests {
    use super::{Limit, Limiter};

    #[test]
    fn a_fourth_request_within_any_second_is_refused() {
        let mut limiter = Limiter::default();
        let limit = Limit::default();
        for at in [0, 400_000, 900_000] {
            assert_eq!(limiter.admit(limit, at, at), Ok(()));
        }
        assert_eq!(limiter.admit(limit, 999_999, 999_999), Err(1));
        assert_eq!(limiter.admit(limit, 1_000_000, 1_000_000), Ok(()));
        assert_eq!(limiter.admit(limit, 1_000_001, 1_000_001), Err(1));
    }

    #[test]
    fn the_day_counts_by_the_clock_of_the_simulator() {
        let mut limiter = Limiter::default();
        let limit = Limit { per_second: 100, per_day: 2, by_sim_clock: false };
        assert_eq!(limiter.admit(limit, 0, 0), Ok(()));
        assert_eq!(limiter.admit(limit, 1, 1), Ok(()));
        assert_eq!(limiter.admit(limit, 2, 2), Err(86_400));
        assert_eq!(limiter.admit(limit, 3, 86_400_000_000), Ok(()));
    }
}
