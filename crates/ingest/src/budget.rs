//! The API budget of one Gong company: its pace, its day and its holds, shared by all processes through the database.
//!
//! Every request of ours passes here first. `governor` keeps this process from crowding the database row; the row's slots
//! keep all processes together below the pace.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use db::{Db, Tx};
use gong::{Gate, Held, HeldReason, Hold, Pass, Purpose};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use kernel::{ConnectionId, Scope, SharedAmbient};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Defaults, IngestError,
    clock::{DatabaseClock, Slowness},
    late::note_when_late,
    pace::{Pace, WINDOW},
    rules::FRESH_RESERVE,
    store::{schedules, usage},
};

/// Who waited longer than this for a slot looks again whether the company is held or stopped meanwhile.
const LONG_WAIT: Duration = Duration::from_millis(20);
/// How long before its slot it looks at least, so that the look does not make it late.
const LOOK_AHEAD: Duration = Duration::from_millis(10);
/// Whom the database answers so slowly that its slot is over each time asks so often, each time for a slot further ahead, ...
const MISSED_MOST: u32 = 6;
/// ... at most so far, and comes back after [`CROWDED_WAIT`].
const LEAD_MOST: Duration = Duration::from_secs(2);
/// Who finds no room beside late requests looks again so often, ...
const CROWDED_LOOK: Duration = Duration::from_millis(250);
/// ... so many times, and comes back after [`CROWDED_WAIT`]: a job that cannot go on keeps no worker busy, and none that dies
/// takes it for the cause.
const CROWDED_LOOKS: u32 = 4;
const CROWDED_WAIT: time::Duration = time::Duration::seconds(3);

/// Makes the gates of all companies in this process.
#[derive(Clone)]
pub struct Gates {
    db: Db,
    ambient: SharedAmbient,
    defaults: Defaults,
    crowd: Arc<DefaultKeyedRateLimiter<ConnectionId>>,
    clock: Arc<DatabaseClock>,
    slowness: Arc<Slowness>,
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

impl Gates {
    /// Gates with these settings.
    pub fn new(db: Db, ambient: SharedAmbient, defaults: Defaults) -> Self {
        let interval = Pace::of(defaults.per_second).interval.max(Duration::from_micros(10));
        let quota =
            Quota::with_period(interval).unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MIN));
        let (crowd, clock) = (Arc::new(RateLimiter::keyed(quota)), Arc::new(DatabaseClock::new()));
        Self { db, ambient, defaults, crowd, clock, slowness: Arc::default() }
    }

    /// The gate of one connection.
    pub fn of(&self, scope: &Scope, connection: ConnectionId) -> Arc<dyn Gate> {
        Arc::new(CompanyGate { gates: self.clone(), scope: *scope, connection })
    }

    /// Forgets companies that made no request lately.
    pub fn tidy(&self) {
        self.crowd.retain_recent();
    }
}

/// The gate of one connection; every request to Gong's API passes it.
pub struct CompanyGate {
    gates: Gates,
    scope: Scope,
    connection: ConnectionId,
}

#[async_trait]
impl Gate for CompanyGate {
    async fn pass(&self, purpose: Purpose) -> Result<Pass, Held> {
        self.gates.crowd.until_key_ready(&self.connection).await;
        let pace = Pace::of(self.gates.defaults.per_second);
        let (mut counted, mut crowded, mut missed) = (true, 0, 0);
        let slowness = &self.gates.slowness;
        // How far ahead a slot has to be for us to be in time.
        let mut lead = if slowness.now() > pace.tolerance / 2 {
            (slowness.now() * 2).min(LEAD_MOST)
        } else {
            Duration::ZERO
        };
        loop {
            let asked = Instant::now();
            let Some((slot, late)) = self.slot(purpose, pace, counted, lead).await? else {
                crowded += 1;
                if crowded == CROWDED_LOOKS {
                    let until = self.gates.ambient.now() + CROWDED_WAIT;
                    return Err(Held { until, why: HeldReason::Outage });
                }
                sleep(CROWDED_LOOK).await;
                continue;
            };
            slowness.noted(asked.elapsed());
            let mut room = true;
            if slot > Instant::now() + LONG_WAIT {
                sleep_until(slot - (slowness.now() * 2).clamp(LOOK_AHEAD, LEAD_MOST)).await;
                let looked = Instant::now();
                room = self.still_open().await? <= late;
                slowness.noted(looked.elapsed());
            }
            sleep_until(slot).await;
            if room && slot.elapsed() <= pace.tolerance {
                return Ok(self.watched(pace));
            }
            if room {
                missed += 1;
                lead = (slowness.now().max(lead) * 2).min(LEAD_MOST);
            }
            if missed == MISSED_MOST {
                let until = self.gates.ambient.now() + CROWDED_WAIT;
                return Err(Held { until, why: HeldReason::Outage });
            }
            counted = false;
        }
    }

    async fn hold(&self, hold: Hold) {
        let until = self.gates.ambient.now() + hold.wait;
        let held = async {
            let mut tx = self.gates.db.begin(&self.scope).await?;
            usage::hold(&mut tx, self.connection, until, "rate_limited").await?;
            tx.announce("connection").await?;
            tx.commit().await.map_err(IngestError::from)
        };
        match held.await {
            Ok(()) => {
                tracing::warn!(organization.id = %self.scope.organization(), connection.id = %self.connection,
                seconds = hold.wait.as_secs(), "Gong asks this company to wait; all its requests stop until then.")
            }
            Err(error) => {
                tracing::error!(error = %error, "A hold of a company's requests could not be stored.")
            }
        }
    }
}

impl CompanyGate {
    /// A pass whose request is noted while it may be on its way.
    fn watched(&self, pace: Pace) -> Pass {
        if pace.allowed == 0 {
            return Pass::unwatched();
        }
        let (pass, arrived) = Pass::watched();
        let (db, scope, connection) = (self.gates.db.clone(), self.scope, self.connection);
        tokio::spawn(async move {
            if let Err(error) = note_when_late(&db, &scope, connection, arrived).await {
                tracing::warn!(error = %error, "A request that may still be on its way could not be noted.");
            }
        });
        pass
    }

    /// How many requests are late; an error when somebody held or stopped the company while we waited for our slot.
    async fn still_open(&self) -> Result<i64, Held> {
        let now = self.gates.ambient.now();
        let looked = async {
            let mut tx = self.gates.db.begin(&self.scope).await?;
            let active = schedules::load(&mut tx, self.connection).await?.is_some_and(|s| s.active);
            let halt = db::halt(&mut tx).await?;
            Ok::<_, IngestError>((usage::held(&mut tx, self.connection).await?, active, halt))
        };
        let (held, active, halt) = looked.await.map_err(|error| unasked(&error, now))?;
        if halt.is_some() {
            return Err(halted(now));
        }
        let late = held.as_ref().map_or(0, |held| held.late);
        match held.and_then(|held| held.held_until).filter(|until| *until > now) {
            Some(until) => Err(Held { until, why: HeldReason::RetryAfter }),
            None if !active => Err(stopped(now)),
            None => Ok(late),
        }
    }

    /// The moment of our slot, over already where the database took long to give it, and how many requests were late then;
    /// nothing where these leave no room.
    async fn slot(
        &self,
        purpose: Purpose,
        pace: Pace,
        counted: bool,
        lead: Duration,
    ) -> Result<Option<(Instant, i64)>, Held> {
        let now = self.gates.ambient.now();
        let ask = usage::Ask {
            interval_seconds: pace.interval.as_secs_f64(),
            limit: limit(self.gates.defaults.per_day, purpose),
            backfill: purpose == Purpose::Backfill,
            counted,
            now,
            allowed: pace.allowed,
            window_seconds: WINDOW.as_secs_f64(),
            lead_seconds: lead.as_secs_f64(),
        };
        let taken = async {
            let mut tx = self.gates.db.begin(&self.scope).await?;
            let slot = usage::take_slot(&mut tx, self.connection, &ask).await?;
            let received = Instant::now();
            tx.commit().await?;
            Ok::<_, IngestError>((slot, received))
        };
        match taken.await {
            Ok((slot, received)) => {
                let Some(wait) = judge(&slot, &ask)? else { return Ok(None) };
                let moment = self.gates.clock.moment(slot.told.unwrap_or_default(), wait, received);
                Ok(Some((moment, slot.late)))
            }
            Err(error) => Err(unasked(&error, now)),
        }
    }
}

fn unasked(error: &IngestError, now: OffsetDateTime) -> Held {
    tracing::warn!(error = %error, "The API budget could not be asked; no request is made.");
    Held { until: now + time::Duration::seconds(10), why: HeldReason::Stopped }
}

fn halted(now: OffsetDateTime) -> Held {
    Held { until: now + time::Duration::seconds(20), why: HeldReason::Halted }
}

fn stopped(now: OffsetDateTime) -> Held {
    Held { until: now + time::Duration::hours(1), why: HeldReason::Stopped }
}

/// Seconds from the answer to the slot, nothing where late requests leave no room, or why there is none.
fn judge(slot: &usage::Slot, ask: &usage::Ask) -> Result<Option<f64>, Held> {
    let now = ask.now;
    if let Some(wait) = slot.wait {
        return Ok(Some(wait.clamp(0.0, 3600.0)));
    }
    if slot.halted {
        return Err(halted(now));
    }
    if !slot.active {
        return Err(stopped(now));
    }
    match slot.held_until.filter(|until| *until > now) {
        Some(until) => Err(Held { until, why: HeldReason::RetryAfter }),
        None if slot.used >= ask.limit => Err(Held { until: next_hour(now), why: HeldReason::DailyBudget }),
        None if ask.allowed > 0 && slot.late >= ask.allowed.into() => Ok(None),
        // The hold ended between the two looks.
        None => Err(Held { until: now + time::Duration::seconds(1), why: HeldReason::RetryAfter }),
    }
}

/// Use is counted by the hour, so the next bit of a spent day comes free at the next full hour.
fn next_hour(now: OffsetDateTime) -> OffsetDateTime {
    let hour = now.unix_timestamp().div_euclid(3600) + 1;
    OffsetDateTime::from_unix_timestamp(hour * 3600).unwrap_or(now + time::Duration::hours(1))
}

/// Backfills leave a share of the day to fresh calls.
pub(crate) fn limit(per_day: i64, purpose: Purpose) -> i64 {
    match purpose {
        Purpose::Fresh => per_day,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a day has few requests"
        )]
        Purpose::Backfill => per_day - (per_day as f64 * FRESH_RESERVE).ceil() as i64,
    }
}

/// Requests of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedHour {
    /// The hour's beginning.
    pub hour: OffsetDateTime,
    /// For polls, sweeps and their transcripts.
    pub fresh: i64,
    /// For backfills.
    pub backfill: i64,
}

/// How a company's budget stands.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetView {
    /// Requests per second that we allow ourselves.
    pub per_second: f64,
    /// Requests in 24 hours that we allow ourselves.
    pub per_day: i64,
    /// Requests in the last 24 hours.
    pub used_last_24h: i64,
    /// No request before this moment.
    pub held_until: Option<OffsetDateTime>,
    /// Why: `rate_limited` or `daily_budget_spent`.
    pub held_reason: Option<String>,
    /// The backfill's share of the day is spent: no request of it before this moment.
    pub backfill_held_until: Option<OffsetDateTime>,
    /// The last 24 hours, oldest first; hours without requests are left out.
    pub hours: Vec<UsedHour>,
}

/// How the budget of a connection stands.
///
/// # Errors
/// When the database fails.
pub async fn budget(
    tx: &mut Tx,
    connection: ConnectionId,
    defaults: &Defaults,
    now: OffsetDateTime,
) -> Result<BudgetView, IngestError> {
    let hours: Vec<UsedHour> = usage::hours(tx, connection, now)
        .await?
        .into_iter()
        .map(|(hour, fresh, backfill)| UsedHour { hour, fresh: fresh.into(), backfill: backfill.into() })
        .collect();
    let used = hours.iter().map(|h| h.fresh + h.backfill).sum();
    let held = usage::held(tx, connection).await?;
    let hold = held.and_then(|h| h.held_until.filter(|until| *until > now).zip(h.held_reason));
    let spent = (used >= defaults.per_day).then(|| (next_hour(now), "daily_budget_spent".to_owned()));
    let (held_until, held_reason) = hold.or(spent).unzip();
    Ok(BudgetView {
        per_second: defaults.per_second,
        per_day: defaults.per_day,
        used_last_24h: used,
        held_until,
        held_reason,
        backfill_held_until: (used >= limit(defaults.per_day, Purpose::Backfill)).then(|| next_hour(now)),
        hours,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_backfill_leaves_a_share_of_the_day_to_fresh_calls() {
        assert_eq!(limit(8_000, Purpose::Fresh), 8_000);
        assert_eq!(limit(8_000, Purpose::Backfill), 6_400);
    }

    #[test]
    fn without_a_slot_the_reason_and_the_end_are_known() {
        let now = datetime!(2026-03-01 10:20 UTC);
        let slot = |held_until, used, active| usage::Slot {
            wait: None,
            told: None,
            used,
            held_until,
            active,
            halted: false,
            late: 0,
        };
        let until = now + time::Duration::minutes(5);
        let ask = usage::Ask {
            interval_seconds: 0.4,
            limit: 100,
            backfill: false,
            counted: true,
            now,
            allowed: 3,
            window_seconds: 1.04,
            lead_seconds: 0.0,
        };
        let held = |slot| judge(&slot, &ask).unwrap_err();
        assert_eq!(held(slot(Some(until), 0, true)).until, until);
        assert_eq!(held(slot(None, 100, true)).until, datetime!(2026-03-01 11:00 UTC));
        assert_eq!(held(slot(None, 0, false)).why, HeldReason::Stopped);
        assert_eq!(judge(&usage::Slot { late: 3, ..slot(None, 0, true) }, &ask), Ok(None));
        assert_eq!(held(usage::Slot { late: 3, ..slot(Some(until), 0, true) }).until, until);
    }
}
