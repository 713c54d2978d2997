//! Keeps the log from drowning while the database is away: lines about it are few, and so are all others meanwhile.
//!
//! At most ten lines a second then, whoever writes them: sqlx, apalis, we. What is left out is counted and told. Knows lines;
//! must never change one.

use std::{
    error::Error,
    fmt,
    num::NonZeroU32,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use db::Outage;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Lines about the database: so many at once, and one a second.
const ABOUT: u32 = 4;
/// Other lines while it is away: so many at once, and one a second.
const REST: u32 = 2;
/// How often it is told how many lines were left out.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The target of that line; it is never left out.
const TELLING: &str = "soundpost::log";

static OUTAGE: OnceLock<Outage> = OnceLock::new();
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Lets lines through, or not.
pub(crate) struct Damper {
    about: DefaultDirectRateLimiter,
    rest: DefaultDirectRateLimiter,
}

impl Damper {
    pub(crate) fn new() -> Self {
        let limiter = |burst: u32| {
            let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(burst))
        };
        Self { about: limiter(ABOUT), rest: limiter(REST) }
    }

    fn admits(&self, about: bool, away: bool) -> bool {
        let admitted = match (about, away) {
            (true, _) => self.about.check().is_ok(),
            (false, true) => self.rest.check().is_ok(),
            (false, false) => true,
        };
        if !admitted {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

impl<S: Subscriber> Layer<S> for Damper {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let target = event.metadata().target();
        target == TELLING || self.admits(is_about(event), OUTAGE.get().is_some_and(Outage::is_on))
    }
}

/// From now on this is asked whether the database is away, and what was left out is told until `stop`.
pub(crate) async fn watch(outage: Outage, stop: CancellationToken) {
    OUTAGE.set(outage).ok();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TELL_EVERY) => tell(),
        }
    }
    tell();
}

fn tell() {
    let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
    if left_out > 0 {
        tracing::warn!(target: TELLING, left_out, "Lines were left out of the log while the database is away.");
    }
}

/// Whether a line is about a database that fails: its error comes from there, or a request was refused for it.
fn is_about(event: &Event<'_>) -> bool {
    let metadata = event.metadata();
    let wrong = *metadata.level() <= Level::WARN;
    if wrong && metadata.target().starts_with("sqlx") {
        return true;
    }
    if !wrong && metadata.fields().field("http.status").is_none() {
        return false;
    }
    let mut found = Found(false);
    event.record(&mut found);
    found.0
}

struct Found(bool);

impl Visit for Found {
    fn record_error(&mut self, _: &Field, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.0 |= error.is::<sqlx::Error>();
            next = error.source();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0 |= field.name() == "http.status" && value == 503;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "code" => self.0 |= matches!(value, "database_failure" | "session_store_failure"),
            "error" => self.0 |= speaks_of_it(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "error" | "failure") {
            self.0 |= speaks_of_it(&format!("{value:?}"));
        }
    }
}

/// Errors of others come as text: apalis' are mostly those of its connections.
fn speaks_of_it(text: &str) -> bool {
    ["database", "pool timed out", "Sqlx", "PoolTimedOut", "Connection refused", "onnection reset"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Counted(Arc<Mutex<u32>>);

    impl<S: Subscriber> Layer<S> for Counted {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    fn lines(write: impl Fn()) -> u32 {
        let counted = Counted::default();
        let log = tracing_subscriber::registry().with(Damper::new()).with(counted.clone());
        tracing::subscriber::with_default(log, || (0..1_000).for_each(|_| write()));
        *counted.0.lock().unwrap()
    }

    #[test]
    fn ops_07_lines_about_a_database_that_fails_are_few_and_others_are_all_there() {
        let error = || db::DbError::while_doing("trying")(sqlx::Error::PoolTimedOut);
        let about: [fn() -> u32; 5] = [
            || lines(|| tracing::error!(error = &db::DbError::ClaimLost as &dyn Error, "Something else.")),
            || lines(|| tracing::info!(http.status = 200_u16, "A request was answered.")),
            || lines(|| tracing::error!(security = true, code = "credential_misplaced", "Look!")),
            || lines(|| tracing::info!(error = "database", "No warning.")),
            || lines(|| tracing::warn!("Nothing failed.")),
        ];
        assert_eq!(about.map(|count| count()), [1_000; 5]);
        let most = ABOUT + 2;
        assert!(lines(|| tracing::error!(error = &error() as &dyn Error, "A job failed.")) <= most);
        assert!(lines(|| tracing::warn!(error = %error(), "A job failed.")) <= most);
        assert!(lines(|| tracing::error!(code = "database_failure", "A request failed.")) <= most);
        assert!(lines(|| tracing::info!(http.status = 503_u16, "A request was answered.")) <= most);
        assert!(lines(|| tracing::warn!(target: "sqlx::pool::acquire", "slow")) <= most);
    }

    #[test]
    fn ops_07_while_it_is_away_all_other_lines_are_few_too() {
        let damper = Damper::new();
        let admitted = |about| (0..1_000).filter(|_| damper.admits(about, true)).count();
        let both = admitted(true) + admitted(false);
        assert!((6..=9).contains(&both), "{both}");
    }
}
