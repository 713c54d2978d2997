//! The arithmetic of a company's pace; no clock, no database.

use std::time::Duration;

/// What Gong allows a whole company in any sliding second [D; help.gong.io].
const GONG_PER_SECOND: f64 = 3.0;
/// How much slower than Gong allows we are at least, so that four requests never fall into one second.
const SLACK: f64 = WINDOW.as_millis() as f64 / 1e3;

/// A second, and how late requests may be at its two ends.
pub(crate) const WINDOW: Duration = Duration::from_millis(1_040);

/// Above this pace nobody watches single requests: tests without limits.
const UNWATCHED: f64 = 1_000.0;

/// How far apart requests are sent, and how late one may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// From one request's slot to the next.
    pub(crate) interval: Duration,
    /// A request that would leave later than this after its slot takes a new one: it would come too close to the
    /// requests behind it, which have their slots already.
    pub(crate) tolerance: Duration,
    /// How many requests may arrive in any [`WINDOW`]; none is counted where this is 0.
    pub(crate) allowed: i32,
}

impl Pace {
    /// The pace for a setting of requests per second.
    ///
    /// Gong allows three requests in any second, or as many as a higher setting says, for companies whose limit Gong has
    /// raised. The slots are kept so far apart that one more than is allowed always spans more than a second.
    pub(crate) fn of(per_second: f64) -> Self {
        let asked = 1.0 / per_second.clamp(0.01, 100_000.0);
        if per_second > UNWATCHED {
            return Self { interval: Duration::from_secs_f64(asked), tolerance: Duration::MAX, allowed: 0 };
        }
        let allowed = per_second.ceil().max(GONG_PER_SECOND);
        // At 3 a second: 347 ms. Half of what is left may be lost before a request is sent, the other half on its way.
        let interval = asked.max(SLACK / allowed);
        let tolerance = (allowed * interval - 1.0) / 2.0;
        Self {
            interval: Duration::from_secs_f64(interval),
            tolerance: Duration::from_secs_f64(tolerance),
            #[expect(clippy::cast_possible_truncation, reason = "at most UNWATCHED")]
            allowed: allowed as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn at_gongs_own_limit_five_percent_are_not_exceeded() {
        let pace = Pace::of(3.0);
        assert!(pace.interval.as_secs_f64() <= 1.05 / 3.0, "{pace:?}");
        assert!(pace.tolerance >= Duration::from_micros(19_900), "{pace:?}");
    }

    proptest! {
        #[test]
        fn four_requests_never_fall_into_one_second(
            per_second in 0.1_f64..=40.0,
            lateness in proptest::collection::vec(0.0_f64..=1.0, 42..60),
        ) {
            let pace = Pace::of(per_second);
            let sent: Vec<f64> = lateness
                .iter()
                .enumerate()
                .map(|(n, late)| n as f64 * pace.interval.as_secs_f64() + late * pace.tolerance.as_secs_f64())
                .collect();
            let allowed = if per_second <= 3.0 { 3 } else { per_second.ceil() as usize };
            for more in sent.windows(allowed + 1) {
                let on_its_way = pace.tolerance.as_secs_f64() - 1e-6;
                prop_assert!(more[allowed] - more[0] - on_its_way > 1.0, "{more:?}");
            }
        }
    }
}
