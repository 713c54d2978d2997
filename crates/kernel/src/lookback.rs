//! How many days of history an admin may ask for.

use serde::{Deserialize, Serialize};

/// A number of days from 1 to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Lookback(u8);

/// The number of days is outside 1 to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("history must be between 1 and 60 days")]
pub struct LookbackError;

impl Lookback {
    /// The longest history that can be asked for.
    pub const MOST: Self = Self(60);

    /// A lookback of `days` days.
    ///
    /// # Errors
    /// When `days` is not from 1 to 60.
    pub fn days(days: i64) -> Result<Self, LookbackError> {
        match u8::try_from(days) {
            Ok(days @ 1..=60) => Ok(Self(days)),
            _ => Err(LookbackError),
        }
    }

    /// The number of days.
    pub const fn get(self) -> i64 {
        self.0 as i64
    }

    /// The same as a length of time.
    pub const fn duration(self) -> time::Duration {
        time::Duration::days(self.0 as i64)
    }
}

impl TryFrom<i64> for Lookback {
    type Error = LookbackError;
    fn try_from(days: i64) -> Result<Self, LookbackError> {
        Self::days(days)
    }
}

impl From<Lookback> for i64 {
    fn from(lookback: Lookback) -> Self {
        lookback.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_to_60_days_are_a_lookback() {
        for good in [1, 2, 59, 60] {
            assert_eq!(Lookback::days(good).map(Lookback::get), Ok(good));
        }
        for bad in [i64::MIN, -1, 0, 61, 256, 257, i64::MAX] {
            assert_eq!(Lookback::days(bad), Err(LookbackError), "{bad}");
        }
    }
}
