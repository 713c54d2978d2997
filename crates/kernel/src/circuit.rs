//! A circuit breaker as arithmetic: no clock, no lock, no idea what it protects.
//!
//! Failures in a row open it; while it is open nothing is let through. When its time is over, one probe is: it closes the
//! circuit or opens it for longer. What fails otherwise than by an outage is a success here: somebody answered.

use std::time::Duration;

use time::OffsetDateTime;

/// So many failures in a row are an outage.
const TRIPS_AT: u32 = 5;
/// For how long it is open at first; doubled with each failed probe.
const FIRST: Duration = Duration::from_secs(5);
/// The longest time between two probes: an end of the outage is noticed after this at the latest.
const LONGEST: Duration = Duration::from_secs(30);
/// A probe that was not reported for so long is lost.
const PROBE_LIVES: Duration = Duration::from_secs(150);
/// Who comes while a probe is under way asks again after this.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Lets requests through, or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circuit {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    since: OffsetDateTime,
    until: OffsetDateTime,
    /// Failed probes.
    probes: u32,
    /// Until when a probe that is under way counts.
    probing: Option<OffsetDateTime>,
}

/// Nothing is let through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Since when.
    pub since: OffsetDateTime,
    /// When to ask again.
    pub until: OffsetDateTime,
}

impl Circuit {
    /// Lets one request through; the first after an open time is the probe, and no other while it is under way.
    ///
    /// # Errors
    /// [`Broken`] while it is open.
    pub fn admit(&mut self, now: OffsetDateTime) -> Result<(), Broken> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let broken = |until| Err(Broken { since: open.since, until });
        if open.until > now {
            return broken(open.until);
        }
        if open.probing.is_some_and(|lives| lives > now) {
            return broken(now + ASK_AGAIN);
        }
        open.probing = Some(now + PROBE_LIVES);
        Ok(())
    }

    /// Somebody answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Nobody answered. `share` (0 to 1) shortens the open time by up to a quarter, so that processes do not probe in step.
    pub fn failed(&mut self, now: OffsetDateTime, share: f64) {
        self.failures = self.failures.saturating_add(1);
        let open = match &mut self.open {
            None if self.failures < TRIPS_AT => return,
            None => self.open.insert(Open { since: now, until: now, probes: 0, probing: None }),
            // A request that was under way when the circuit opened says nothing new.
            Some(open) if open.probing.is_none() => return,
            Some(open) => {
                open.probes = open.probes.saturating_add(1);
                open
            }
        };
        open.probing = None;
        let gap = FIRST.saturating_mul(1 << open.probes.min(8)).min(LONGEST);
        open.until = now + gap.mul_f64(1.0 - share.clamp(0.0, 1.0) / 4.0);
    }

    /// A request that was let through was never made: if it was the probe, another may go.
    pub fn released(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = None;
        }
    }

    /// 0 closed, 1 half open (a probe is due or under way), 2 open; for metrics.
    pub fn level(&self, now: OffsetDateTime) -> u8 {
        self.open.as_ref().map_or(0, |open| if open.until > now { 2 } else { 1 })
    }

    /// Closed, and nothing failed lately.
    pub fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);

    fn at(seconds: i64) -> OffsetDateTime {
        NOW + time::Duration::seconds(seconds)
    }

    fn tripped() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..TRIPS_AT {
            assert_eq!(circuit.admit(NOW), Ok(()));
            circuit.failed(NOW, 0.0);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_in_between_does_not() {
        let mut circuit = Circuit::default();
        for _ in 0..20 {
            for _ in 1..TRIPS_AT {
                circuit.failed(NOW, 0.0);
            }
            circuit.succeeded();
        }
        assert_eq!(circuit.admit(NOW), Ok(()));
        assert_eq!(tripped().admit(at(1)), Err(Broken { since: NOW, until: at(5) }));
    }

    #[test]
    fn one_probe_goes_and_its_failure_opens_it_for_longer_up_to_a_bound() {
        let mut circuit = tripped();
        let (mut now, mut gaps) = (5, Vec::new());
        for _ in 0..5 {
            assert_eq!(circuit.admit(at(now)), Ok(()), "the probe");
            assert!(circuit.admit(at(now)).is_err(), "no second one beside it");
            circuit.failed(at(now), 0.0);
            let until = circuit.admit(at(now)).unwrap_err().until;
            gaps.push((until - at(now)).whole_seconds());
            now = (until - NOW).whole_seconds();
        }
        assert_eq!(gaps, [10, 20, 30, 30, 30]);
        circuit.admit(at(now)).unwrap();
        circuit.succeeded();
        assert!(circuit.is_at_rest());
    }

    #[test]
    fn a_probe_that_was_never_sent_or_got_lost_makes_room_for_another() {
        let mut circuit = tripped();
        circuit.admit(at(5)).unwrap();
        circuit.released();
        assert_eq!(circuit.admit(at(5)), Ok(()));
        assert!(circuit.admit(at(100)).is_err());
        assert_eq!(circuit.admit(at(5 + 150)), Ok(()));
    }

    #[test]
    fn late_failures_of_requests_from_before_change_nothing() {
        let mut circuit = tripped();
        circuit.failed(at(4), 0.0);
        assert_eq!(circuit.admit(at(5)), Ok(()));
        assert_eq!((circuit.level(at(4)), circuit.level(at(5))), (2, 1));
    }
}
