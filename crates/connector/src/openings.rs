//! How often sealed credentials are opened in this process: an alarm for whoever lets them be opened in bulk.
//!
//! Arithmetic over minutes; knows no credential.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kernel::ConnectionId;
use time::OffsetDateTime;

/// More openings of one credential in a minute are no work of ours: a job opens it once and works for up to a minute.
const MOST_OF_ONE: u32 = 300;
/// More openings of all credentials in a minute are an alarm, where they are ten times the usual, too.
const MOST_OF_ALL: u32 = 3_000;
const TIMES: u32 = 10;

/// The openings of this minute, and how many a minute has usually.
#[derive(Debug, Default)]
pub(crate) struct Openings(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    all: u32,
    each: HashMap<ConnectionId, u32>,
    /// A mean that forgets: each minute counts for an eighth.
    usual: f64,
}

/// What is wrong, told once in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// One credential is opened far too often.
    One,
    /// Credentials are opened in bulk.
    All,
}

impl Openings {
    /// One credential is opened.
    pub(crate) fn note(&self, connection: ConnectionId, now: OffsetDateTime) -> Option<Alarm> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now.unix_timestamp().div_euclid(60));
        minute.all = minute.all.saturating_add(1);
        let of_one = minute.each.entry(connection).or_default();
        *of_one = of_one.saturating_add(1);
        if *of_one == MOST_OF_ONE + 1 {
            return Some(Alarm::One);
        }
        (minute.all == minute.most() + 1).then_some(Alarm::All)
    }
}

impl Minute {
    fn turn(&mut self, number: i64) {
        let gone = number - self.number;
        if gone == 0 {
            return;
        }
        // Minutes without openings count, too; after an hour of them nothing is left to forget.
        let counted = std::iter::once(f64::from(self.all)).chain(std::iter::repeat(0.0));
        for of_minute in counted.take(usize::try_from(gone.clamp(1, 60)).unwrap_or(1)) {
            self.usual += (of_minute - self.usual) / 8.0;
        }
        (self.number, self.all) = (number, 0);
        self.each.clear();
    }

    fn most(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded")]
        let usual = self.usual.min(1e8) as u32;
        MOST_OF_ALL.max(usual.saturating_mul(TIMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);

    fn connection(number: u32) -> ConnectionId {
        ConnectionId::from_uuid(Uuid::from_u128(number.into()))
    }

    fn alarms(openings: &Openings, minute: i64, of: impl Iterator<Item = u32>) -> Vec<Alarm> {
        let at = NOW + time::Duration::minutes(minute);
        of.filter_map(|number| openings.note(connection(number), at)).collect()
    }

    #[test]
    fn ops_17_one_credential_that_is_opened_all_the_time_is_told_once_a_minute() {
        let openings = Openings::default();
        assert_eq!(alarms(&openings, 0, (0..MOST_OF_ONE).map(|_| 1)), []);
        assert_eq!(alarms(&openings, 0, (0..MOST_OF_ONE).map(|_| 1)), [Alarm::One]);
        assert_eq!(alarms(&openings, 1, (0..MOST_OF_ONE).map(|_| 1)), []);
    }

    #[test]
    fn ops_17_many_credentials_at_once_are_an_alarm_unless_that_is_usual() {
        let openings = Openings::default();
        for minute in 0..60 {
            assert_eq!(alarms(&openings, minute, 0..1_000), []);
        }
        assert_eq!(alarms(&openings, 60, 0..9_000), [], "nine times the usual");
        let openings = Openings::default();
        alarms(&openings, 0, 0..10);
        assert_eq!(alarms(&openings, 1, 0..9_000), [Alarm::All]);
    }
}
