//! The schedules: what is due becomes jobs, what lies still is woken again, what is old is swept out.
//!
//! Every process runs them; each claim is a compare-and-set, so any number of processes makes one job a slot.

use std::time::Duration;

use connector::{Event, Witness};
use db::FleetTx;
use kernel::{ConnectionId, ConnectionStatus, OrganizationId, Scope};
use queue::{Lane, NewJob};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::{Chronicle, Rooms, feedback, handlers::REFRESH};

/// How often due polls and tokens are looked for, and connections counted: the metric must not lag behind the page by more
/// than five seconds.
const LOOK_EVERY: Duration = Duration::from_secs(4);
/// How often work that lies still is looked for.
const RECONCILE_EVERY: Duration = Duration::from_secs(60);
/// Polls started in one look by all processes together: after an outage of ours everything is overdue at once, and must not
/// come at once.
const POLLS_A_LOOK: usize = 18;
/// Token refreshes started in one look.
const REFRESHES_A_LOOK: i64 = 100;
/// How often what nobody reads any more is swept out: finding it reads whole tables.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// What lies still is looked through in pages of so many, and so much of it is woken in one round.
const PAGE: i64 = 1_000;
const WAKES_A_ROUND: usize = 1_000;
/// Organizations with calls to look at that are found at once.
const MINDS: i64 = 200;
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
    /// Looking for calls to look at failed.
    #[error(transparent)]
    Feedback(#[from] ::feedback::FeedbackError),
}

/// Runs the schedules until `stop`.
pub async fn run(rooms: Rooms, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let first = tokio::time::Instant::now() + RECONCILE_EVERY / 4;
    let mut reconcile = tokio::time::interval_at(first, RECONCILE_EVERY);
    reconcile.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let first = tokio::time::Instant::now() + rooms.ambient.jitter(SWEEP_EVERY);
    let mut sweep = tokio::time::interval_at(first, SWEEP_EVERY);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => look_once(&rooms).await,
            _ = reconcile.tick() => reconcile_once(&rooms).await,
            _ = sweep.tick() => sweep_once(&rooms).await,
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

/// Finds what is due and sends its jobs, and counts connections for the metrics, once.
///
/// # Errors
/// When the database fails.
pub async fn look_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let now = rooms.ambient.now();
    let mut fleet = rooms.db.fleet().await?;
    let refreshes = connector::fleet::due_refreshes(&mut fleet, now, REFRESHES_A_LOOK).await?;
    let (mut polls, mut sweeps) = ingest::fleet::due_looks(&mut fleet, now, POLLS_A_LOOK).await?;
    if polls.len().max(sweeps.len()) > 1 {
        let share = share_of(POLLS_A_LOOK, queue::living(&mut fleet).await?);
        polls.truncate(share);
        sweeps.truncate(share);
    }
    count(connector::fleet::connections_per_status(&mut fleet).await?);
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
fn share_of(all: usize, processes: i64) -> usize {
    (all / usize::try_from(processes).unwrap_or(1).max(1)).max(1)
}

/// Shows how many connections stand in each status; one that nobody has counts as none.
fn count(counts: Vec<(ConnectionStatus, i64)>) {
    for status in ConnectionStatus::ALL {
        let count = counts.iter().find(|(counted, _)| counted == status).map_or(0, |(_, count)| *count);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("soundpost_connections", "status" => status.as_str()).set(count as f64);
    }
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

/// Deletes what nobody reads any more, once.
///
/// # Errors
/// When the database fails.
pub async fn sweep_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let mut fleet = rooms.db.fleet().await?;
    ingest::fleet::sweep_old(&mut fleet, rooms.ambient.now()).await?;
    Ok(fleet.commit().await?)
}

/// All work that lies still and could be done, page by page: what has its job does not stand before what has lost it.
async fn overdue(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Vec<ingest::fleet::Overdue>, ScheduleError> {
    let unable = connector::fleet::unable(fleet, now).await?;
    let (mut lost, mut after) = (Vec::new(), None);
    while lost.len() < WAKES_A_ROUND {
        let page = ingest::fleet::overdue(fleet, now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { break };
        let keys: Vec<_> = page.iter().map(ingest::fleet::Overdue::key).collect();
        let spoken_for = queue::spoken_for(fleet, &keys).await?;
        let able = page.into_iter().filter(|work| !unable.contains(&work.connection()));
        lost.extend(able.filter(|work| !spoken_for.contains(&work.key())));
        after = Some(last);
    }
    Ok(lost)
}

/// The same of what is due for privacy.
async fn chores(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Vec<ingest::fleet::Chore>, ScheduleError> {
    let (mut lost, mut after) = (Vec::new(), None);
    while lost.len() < WAKES_A_ROUND {
        let page = ingest::fleet::chores(fleet, now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { break };
        let keys: Vec<_> = page.iter().map(ingest::fleet::Chore::key).collect();
        let spoken_for = queue::spoken_for(fleet, &keys).await?;
        lost.extend(page.into_iter().filter(|chore| !spoken_for.contains(&chore.key())));
        after = Some(last);
    }
    Ok(lost)
}

/// Calls that are to be looked at for feedback get their job.
async fn think(rooms: &Rooms, now: OffsetDateTime) -> Result<(), ScheduleError> {
    let mut after = None;
    while rooms.feedback.is_some() {
        let mut fleet = rooms.db.fleet().await?;
        let page = ::feedback::fleet::with_work(&mut fleet, now, after, MINDS).await?;
        let keys: Vec<_> = page.iter().map(|one| (*one, ::feedback::JOB.to_owned())).collect();
        let spoken_for = queue::spoken_for(&mut fleet, &keys).await?;
        drop(fleet);
        let Some(last) = page.last().copied() else { break };
        for (organization, _) in keys.iter().filter(|key| !spoken_for.contains(*key)) {
            feedback::wake(rooms, &Scope::job(*organization)).await?;
        }
        after = Some(last);
    }
    Ok(())
}

/// Wakes what lies still, ends pauses that are over, sweeps out what is old, and puts counts together, once.
///
/// # Errors
/// When the database fails.
pub async fn reconcile_once(rooms: &Rooms) -> Result<(), ScheduleError> {
    let now = rooms.ambient.now();
    let mut fleet = rooms.db.fleet().await?;
    let overdue = overdue(&mut fleet, now).await?;
    let chores = chores(&mut fleet, now).await?;
    let pauses = connector::fleet::ended_pauses(&mut fleet, now).await?;
    connector::fleet::sweep_flows(&mut fleet, now).await?;
    accounts::sweep_expired_sessions(&mut fleet, now).await?;
    accounts::sweep_claims(&mut fleet, now).await?;
    queue::close_overtaken(&mut fleet).await?;
    fleet.commit().await?;
    for work in &overdue {
        ingest::fleet::rewake(&rooms.db, work, now + REWAKE_AFTER).await?;
    }
    for chore in &chores {
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
    think(rooms, now).await?;
    let mut fleet = rooms.db.fleet().await?;
    ::feedback::fleet::gather_counts(&mut fleet).await?;
    fleet.commit().await?;
    rooms.gates.tidy();
    Ok(())
}
