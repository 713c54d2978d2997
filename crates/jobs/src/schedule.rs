//! The schedules: what is due becomes jobs, what lies still is woken again, what is old is swept out.
//!
//! Every process runs them; each claim is a compare-and-set, so any number of processes makes one job a slot.

use std::time::Duration;

use connector::{Event, Witness};
use kernel::{ConnectionId, ConnectionStatus, OrganizationId, Scope};
use queue::{Lane, NewJob};
use tokio_util::sync::CancellationToken;

use crate::{Chronicle, Rooms, handlers::REFRESH};

/// How often due polls and tokens are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often work that lies still is looked for.
const RECONCILE_EVERY: Duration = Duration::from_secs(60);
/// How often connections are counted: the metric must not lag behind the page by more than five seconds.
const COUNT_EVERY: Duration = Duration::from_secs(4);
/// Polls started in one look by all processes together: after an outage of ours everything is overdue at once, and must not
/// come at once.
const POLLS_A_LOOK: i64 = 25;
/// Token refreshes started in one look.
const REFRESHES_A_LOOK: i64 = 100;
/// A wake-up that was lost is made up for after this.
const REWAKE_AFTER: Duration = Duration::from_secs(120);

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::DbError),
    /// The connector failed.
    #[error(transparent)]
    Connector(#[from] connector::ConnectorError),
    /// Ingestion failed.
    #[error(transparent)]
    Ingest(#[from] ingest::IngestError),
    /// A job could not be sent.
    #[error(transparent)]
    Queue(#[from] queue::QueueError),
    /// Accounts failed.
    #[error(transparent)]
    Accounts(#[from] accounts::AccountsError),
}

/// Runs the schedules until `stop`.
pub async fn run(rooms: Rooms, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let first = tokio::time::Instant::now() + RECONCILE_EVERY / 4;
    let mut reconcile = tokio::time::interval_at(first, RECONCILE_EVERY);
    reconcile.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = tokio::time::interval(COUNT_EVERY);
    count.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => look_once(&rooms).await,
            _ = reconcile.tick() => reconcile_once(&rooms).await,
            _ = count.tick() => count_once(&rooms).await,
        };
        if let Err(error) = result {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "A schedule could not be kept; trying again soon."
            );
            tokio::time::sleep(rooms.ambient.jitter(Duration::from_secs(3))).await;
        }
    }
}

/// Finds what is due and sends its jobs, once.
///
/// # Errors
/// When the database fails.
pub async fn look_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let now = rooms.ambient.now();
    let mut fleet = rooms.db.fleet().await?;
    let refreshes = connector::fleet::due_refreshes(&mut fleet, now, REFRESHES_A_LOOK).await?;
    let share = share_of(POLLS_A_LOOK, queue::living(&mut fleet).await?);
    let polls = ingest::fleet::due_polls(&mut fleet, now, share).await?;
    let sweeps = ingest::fleet::due_sweeps(&mut fleet, now, share).await?;
    drop(fleet);
    for (organization, connection) in refreshes {
        send_refresh(rooms, organization, connection).await?;
    }
    for due in &polls {
        if ingest::fleet::claim_poll(&rooms.db, due, &rooms.defaults, now).await? {
            metrics::histogram!("soundpost_poll_lateness_seconds").record(due.lateness(now).as_secs_f64());
        }
    }
    for due in &sweeps {
        ingest::fleet::claim_sweep(&rooms.db, due, now).await?;
    }
    Ok(())
}

/// What one of so many processes may start; at least one thing.
fn share_of(all: i64, processes: i64) -> i64 {
    (all / processes.max(1)).max(1)
}

/// Counts connections by status for the metrics; a status that nobody has counts as none.
///
/// # Errors
/// When the database fails.
pub async fn count_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let mut fleet = rooms.db.fleet().await?;
    let counts = connector::fleet::connections_per_status(&mut fleet).await?;
    for status in ConnectionStatus::ALL {
        let count = counts.iter().find(|(counted, _)| counted == status).map_or(0, |(_, count)| *count);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("soundpost_connections", "status" => status.as_str()).set(count as f64);
    }
    Ok(())
}

async fn send_refresh(
    rooms: &Rooms,
    organization: OrganizationId,
    connection: ConnectionId,
) -> Result<(), ScheduleError> {
    let mut tx = rooms.db.begin(&Scope::job(organization)).await?;
    let key = format!("{REFRESH}:{connection}");
    queue::enqueue(&mut tx, &NewJob::new(Lane::Upkeep, REFRESH, organization, connection.uuid(), key))
        .await?;
    Ok(tx.commit().await?)
}

/// Wakes what lies still, ends pauses that are over, and sweeps out what is old, once.
///
/// # Errors
/// When the database fails.
pub async fn reconcile_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let now = rooms.ambient.now();
    let mut fleet = rooms.db.fleet().await?;
    let overdue = ingest::fleet::overdue(&mut fleet, now, 1_000).await?;
    let chores = ingest::fleet::chores(&mut fleet, now, 1_000).await?;
    let keys: Vec<_> = overdue
        .iter()
        .map(ingest::fleet::Overdue::key)
        .chain(chores.iter().map(ingest::fleet::Chore::key))
        .collect();
    let spoken_for = queue::spoken_for(&mut fleet, &keys).await?;
    let pauses = connector::fleet::ended_pauses(&mut fleet, now).await?;
    connector::fleet::sweep_flows(&mut fleet, now).await?;
    accounts::sweep_expired_sessions(&mut fleet, now).await?;
    accounts::sweep_claims(&mut fleet, now).await?;
    fleet.commit().await?;
    for work in overdue.iter().filter(|work| !spoken_for.contains(&work.key())) {
        ingest::fleet::rewake(&rooms.db, work, now + REWAKE_AFTER).await?;
    }
    for chore in chores.iter().filter(|chore| !spoken_for.contains(&chore.key())) {
        ingest::fleet::send_chore(&rooms.db, chore).await?;
    }
    for (organization, connection) in pauses {
        let mut tx = rooms.db.begin(&Scope::job(organization)).await?;
        if connector::end_pause(&mut tx, now).await? {
            ingest::set_active(&mut tx, connection, true, &*rooms.ambient).await?;
            Chronicle::new(rooms.ambient.clone()).saw(&mut tx, connection, Event::Resumed, None).await?;
        }
        tx.commit().await?;
    }
    rooms.gates.tidy();
    Ok(())
}
