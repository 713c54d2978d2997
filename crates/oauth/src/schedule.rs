//! When a refresh is due. Pure arithmetic: knows a lifetime and a rule; must never know a clock or a store.

use std::time::Duration;

use time::OffsetDateTime;

/// The most by which a refresh is brought forward, so that many connections do not refresh in the same second.
pub const JITTER: Duration = Duration::from_secs(5 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before the end of its life a token is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshRule {
    /// The distance kept from the expiry at least; five minutes by default.
    pub before: Duration,
}

impl Default for RefreshRule {
    fn default() -> Self {
        Self { before: Duration::from_secs(5 * 60) }
    }
}

impl RefreshRule {
    /// The distance for a token that lives `life`: never more than a third of it.
    pub fn before_for(self, life: Duration) -> Duration {
        self.before.min(life / 3)
    }
}

/// The moment at which a token issued at `issued_at` is to be refreshed.
///
/// `rule.before` ahead of the expiry and up to [`JITTER`] earlier, by `jitter_share` (0 to 1; anything else counts as the nearer
/// end); both are cut to a third of the life each, so the moment never lies in the first third. A token that lives longer than a
/// day is refreshed after a day all the same.
pub fn refresh_due_at(
    issued_at: OffsetDateTime,
    expires_in: Duration,
    rule: RefreshRule,
    jitter_share: f64,
) -> OffsetDateTime {
    let share = if jitter_share.is_finite() { jitter_share.clamp(0.0, 1.0) } else { 0.0 };
    let jitter = JITTER.min(expires_in / 3).mul_f64(share);
    let age = (expires_in - rule.before_for(expires_in)).min(DAY).saturating_sub(jitter);
    let age = time::Duration::try_from(age).unwrap_or(time::Duration::DAY);
    issued_at.checked_add(age).unwrap_or(issued_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const ISSUED: OffsetDateTime = datetime!(2026-11-21 04:00 UTC);

    proptest! {
        #[test]
        fn never_before_it_was_issued_nor_too_near_to_the_end(
            life in 0_u64..400_000_000, before in 0_u64..200_000, share in -1.0_f64..2.0
        ) {
            let (life, rule) = (Duration::from_secs(life), RefreshRule { before: Duration::from_secs(before) });
            let due = refresh_due_at(ISSUED, life, rule, share);
            prop_assert!(due >= ISSUED);
            prop_assert!(due <= ISSUED + life - rule.before_for(life));
            prop_assert!(due <= ISSUED + DAY);
        }

        #[test]
        fn a_token_of_a_day_is_refreshed_five_to_ten_minutes_before_its_end(share in 0.0_f64..=1.0) {
            let due = refresh_due_at(ISSUED, DAY, RefreshRule::default(), share);
            let left = ISSUED + DAY - due;
            prop_assert!(left >= time::Duration::minutes(5) && left <= time::Duration::minutes(10));
        }
    }

    #[test]
    fn odd_shares_and_huge_lives_do_no_harm() {
        for share in [f64::NAN, f64::INFINITY, -3.0] {
            let due = refresh_due_at(ISSUED, DAY, RefreshRule::default(), share);
            assert_eq!(due, ISSUED + DAY - Duration::from_secs(300));
        }
        assert_eq!(refresh_due_at(ISSUED, Duration::MAX, RefreshRule::default(), 0.0), ISSUED + DAY);
    }

    #[test]
    fn a_life_of_eight_seconds_is_refreshed_in_its_second_third() {
        let life = Duration::from_secs(9);
        assert_eq!(refresh_due_at(ISSUED, life, RefreshRule::default(), 0.0), ISSUED + life * 2 / 3);
        assert_eq!(refresh_due_at(ISSUED, life, RefreshRule::default(), 1.0), ISSUED + life / 3);
    }
}
