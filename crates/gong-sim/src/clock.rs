//! The simulator's own clock and the way Gong writes times.
//! Knows nothing of calls or tokens. The only place that looks at the clock of the machine.

use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A clock that runs with an offset, or stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    Running { offset: Duration },
    Frozen(OffsetDateTime),
}

impl Clock {
    /// The time of the simulator, whole microseconds, in UTC.
    pub(crate) fn now(self) -> OffsetDateTime {
        match self {
            Self::Running { offset } => trim(machine_now() + offset),
            Self::Frozen(at) => at,
        }
    }

    /// Moves the clock.
    pub(crate) fn advance(&mut self, by: Duration) {
        match self {
            Self::Running { offset } => *offset += by,
            Self::Frozen(at) => *at = trim(*at + by),
        }
    }

    /// Sets the clock; a running one keeps running from there.
    pub(crate) fn set(&mut self, to: OffsetDateTime) {
        *self = match self {
            Self::Running { .. } => Self::Running { offset: to - machine_now() },
            Self::Frozen(_) => Self::Frozen(trim(to)),
        };
    }

    /// Stops the clock where it is.
    pub(crate) fn freeze(&mut self) {
        *self = Self::Frozen(self.now());
    }

    /// Lets a stopped clock run again from where it is.
    pub(crate) fn run(&mut self) {
        *self = Self::Running { offset: self.now() - machine_now() };
    }
}

/// Cuts a time to whole microseconds in UTC, which is what Gong can write.
pub(crate) fn trim(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

/// Writes a time as Gong does: the company's offset (`Z` for none) and 0, 3 or 6 fraction digits.
pub(crate) fn write(at: OffsetDateTime, offset: UtcOffset) -> String {
    let at = at.to_offset(offset);
    let nanos = at.nanosecond();
    let fraction = if nanos == 0 {
        String::new()
    } else if nanos.is_multiple_of(1_000_000) {
        format!(".{:03}", nanos / 1_000_000)
    } else {
        format!(".{:06}", nanos / 1_000)
    };
    let zone = if offset.is_utc() {
        "Z".to_owned()
    } else {
        let (hours, minutes, _) = offset.as_hms();
        let sign = if offset.is_negative() { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}{zone}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads an ISO 8601 time with an offset.
pub(crate) fn read(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Writes the date form that `Retry-After` may have.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let day = at.weekday().to_string();
    let month = at.month().to_string();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        day.get(..3).unwrap_or("Mon"),
        at.day(),
        month.get(..3).unwrap_or("Jan"),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// The clock of the machine.
#[expect(clippy::disallowed_methods, reason = "the simulator has its own clock")]
pub(crate) fn machine_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::{Clock, http_date, read, write};
    use time::{Duration, UtcOffset};

    #[test]
    fn times_carry_the_offset_and_zero_three_or_six_digits() {
        let two = UtcOffset::from_hms(2, 0, 0).unwrap();
        for (given, written) in [
            ("2026-03-05T12:00:00Z", "2026-03-05T14:00:00+02:00"),
            ("2026-03-05T12:00:00.5Z", "2026-03-05T14:00:00.500+02:00"),
            ("2026-03-05T12:00:00.000042Z", "2026-03-05T14:00:00.000042+02:00"),
        ] {
            let at = read(given).unwrap();
            assert_eq!(write(at, two), written);
            assert_eq!(read(written).unwrap(), at);
        }
        assert_eq!(write(read("2026-03-05T12:00:00Z").unwrap(), UtcOffset::UTC), "2026-03-05T12:00:00Z");
        assert_eq!(http_date(read("2026-03-05T12:00:00Z").unwrap()), "Thu, 05 Mar 2026 12:00:00 GMT");
    }

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let mut clock = Clock::Frozen(read("2026-03-05T12:00:00Z").unwrap());
        clock.advance(Duration::hours(4));
        assert_eq!(clock.now(), read("2026-03-05T16:00:00Z").unwrap());
        clock.run();
        assert!(clock.now() >= read("2026-03-05T16:00:00Z").unwrap());
    }
}
