//! The circuit in front of the database: while it cannot be reached, nobody waits for it.
//!
//! Knows one address and whether a connection to it can be had. Who waits long for the pool, or gets an error that smells of
//! an outage, has one probe made; when that fails, everybody is refused at once and one task looks for the database until it
//! is back. Must never know what anybody wanted of it.

use std::{
    error::Error,
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout},
};

/// Who waits longer than this for a connection has it looked whether the database is there at all.
const SUSPICIOUS: Duration = Duration::from_millis(500);
/// How long a probe may take, and how long its answer counts.
const PROBE: Duration = Duration::from_secs(2);
const PROBE_COUNTS: Duration = Duration::from_secs(1);
/// The gap between probes while the database is away: at first, and at most.
const FIRST_GAP: Duration = Duration::from_millis(250);
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Whether the database is away; clones share it.
#[derive(Debug, Clone)]
pub struct Outage(Arc<Circuit>);

#[derive(Debug)]
struct Circuit {
    address: Arc<PgConnectOptions>,
    /// Since when it has been away.
    away: watch::Sender<Option<Instant>>,
    /// When it was last probed; held while a probe is under way, so there is one at a time.
    probed: Mutex<Option<Instant>>,
}

impl Outage {
    pub(crate) fn of(pool: &PgPool) -> Self {
        tell(0.0);
        let (away, _) = watch::channel(None);
        Self(Arc::new(Circuit { address: pool.connect_options(), away, probed: Mutex::default() }))
    }

    /// Whether the database is away now.
    pub fn is_on(&self) -> bool {
        self.0.away.borrow().is_some()
    }

    /// Lets `begin` have its time while the database is there, and none while it is away.
    pub(crate) async fn guard<T>(
        &self,
        begin: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        if self.is_on() {
            return Err(refused());
        }
        let mut begin = std::pin::pin!(begin);
        let soon = timeout(SUSPICIOUS, &mut begin).await;
        let result = match soon {
            Ok(result) => result,
            Err(_) => tokio::select! {
                result = &mut begin => result,
                () = self.until_away() => return Err(refused()),
            },
        };
        if result.as_ref().is_err_and(|error| is_outage(error)) {
            self.probe().await;
        }
        result
    }

    /// Probes until the database turns out to be away.
    async fn until_away(&self) {
        while !self.is_on() {
            self.probe().await;
            sleep(PROBE_COUNTS).await;
        }
    }

    /// Looks whether the database is there, unless somebody has just looked.
    async fn probe(&self) {
        let mut probed = self.0.probed.lock().await;
        if self.is_on() || probed.is_some_and(|at| at.elapsed() < PROBE_COUNTS) {
            return;
        }
        if !self.0.answers().await {
            let since = Instant::now();
            self.0.away.send_replace(Some(since));
            tell(2.0);
            tracing::error!(
                "The database does not answer; requests are refused and jobs rest until it is back."
            );
            tokio::spawn(look_for(Arc::downgrade(&self.0), since));
        }
        *probed = Some(Instant::now());
    }
}

impl Circuit {
    /// Whether a connection can be had, or at least somebody says why not.
    async fn answers(&self) -> bool {
        match timeout(PROBE, PgConnection::connect_with(&self.address)).await {
            Ok(Ok(connection)) => {
                timeout(PROBE, connection.close()).await.ok();
                true
            }
            Ok(Err(error)) => !is_outage(&error),
            Err(_) => false,
        }
    }
}

/// Looks for the database, one probe after the other, until it answers or nobody needs it any more.
async fn look_for(circuit: Weak<Circuit>, since: Instant) {
    let mut gap = FIRST_GAP;
    loop {
        sleep(gap).await;
        gap = (gap * 2).min(LONGEST_GAP);
        let Some(circuit) = circuit.upgrade() else { return };
        tell(1.0);
        if circuit.answers().await {
            circuit.away.send_replace(None);
            tell(0.0);
            tracing::warn!(seconds = since.elapsed().as_secs(), "The database answers again.");
            return;
        }
        tell(2.0);
    }
}

fn tell(level: f64) {
    metrics::gauge!("soundpost_circuit_state", "target" => "database").set(level);
}

fn refused() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, "the database does not answer"))
}

/// Whether an error, or one that caused it, means that the database could not be reached: it says nothing about what was asked.
pub fn is_outage(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return unreachable(error);
        }
        next = error.source();
    }
    false
}

fn unreachable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Shutting down, crashed, starting up; connection exceptions.
        sqlx::Error::Database(said) => {
            said.code().is_some_and(|code| code.starts_with("57P0") || code.starts_with("08"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DbError;
    use sqlx::postgres::PgPoolOptions;

    /// Nobody listens on port 1.
    fn nowhere() -> PgPool {
        let address = "postgres://nobody@127.0.0.1:1/nothing".parse().unwrap();
        PgPoolOptions::new().connect_lazy_with(address)
    }

    #[test]
    fn what_the_database_says_is_no_outage_and_what_it_does_not_say_is_one() {
        assert!(is_outage(&DbError::while_doing("trying")(sqlx::Error::PoolTimedOut)));
        assert!(is_outage(&refused()));
        assert!(!is_outage(&DbError::while_doing("trying")(sqlx::Error::RowNotFound)));
        assert!(!is_outage(&DbError::ClaimLost));
    }

    #[tokio::test]
    async fn ops_07_nobody_waits_for_a_database_that_is_away() {
        let outage = Outage::of(&nowhere());
        let begun = Instant::now();
        let waiting = (0..50).map(|_| {
            let outage = outage.clone();
            tokio::spawn(async move { outage.guard(std::future::pending::<Result<(), _>>()).await })
        });
        for waits in waiting.collect::<Vec<_>>() {
            assert!(is_outage(&waits.await.unwrap().unwrap_err()));
        }
        assert!(outage.is_on() && begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let begun = Instant::now();
        assert!(outage.guard(std::future::pending::<Result<(), _>>()).await.is_err());
        assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn ops_07_an_error_of_the_connection_has_it_looked_and_an_answer_has_not() {
        let outage = Outage::of(&nowhere());
        outage.guard(async { Err::<(), _>(sqlx::Error::RowNotFound) }).await.unwrap_err();
        assert!(!outage.is_on());
        outage.guard(async { Err::<(), _>(sqlx::Error::WorkerCrashed) }).await.unwrap_err();
        assert!(outage.is_on());
    }
}
