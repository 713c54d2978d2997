//! Gauges that every process shows, also one without workers: that workers live, that jobs end well, what waits.

use std::time::Duration;

use db::Db;
use kernel::SharedAmbient;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(10);

/// What the database says, in seconds and counts.
struct Reading {
    heartbeat_age: f64,
    success_age: f64,
    oldest_poll: f64,
    due: i64,
    dead: i64,
    halted: bool,
}

/// Shows them until `stop`. While the database does not answer, ages grow with the clock.
pub(crate) async fn show(db: Db, ambient: SharedAmbient, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: Option<(Instant, Reading)> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Ok(reading) = read(&db, &ambient).await {
            last = Some((Instant::now(), reading));
        }
        if let Some((at, reading)) = &last {
            set(reading, at.elapsed().as_secs_f64());
        }
    }
}

fn set(reading: &Reading, since: f64) {
    metrics::gauge!("soundpost_worker_heartbeat_age_seconds").set(reading.heartbeat_age + since);
    metrics::gauge!("soundpost_last_success_age_seconds").set(reading.success_age + since);
    metrics::gauge!("soundpost_oldest_due_poll_seconds").set(reading.oldest_poll);
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    {
        metrics::gauge!("soundpost_jobs_due").set(reading.due as f64);
        metrics::gauge!("soundpost_dead_letters").set(reading.dead as f64);
    }
    metrics::gauge!("soundpost_gong_stopped").set(f64::from(u8::from(reading.halted)));
}

async fn read(db: &Db, ambient: &SharedAmbient) -> Result<Reading, Box<dyn std::error::Error + Send + Sync>> {
    let now = ambient.now();
    let heartbeat = queue::last_heartbeat(db.pool()).await?;
    let success = queue::last_success(db.pool()).await?;
    let mut fleet = db.fleet().await?;
    let counts = queue::counts(&mut fleet).await?;
    let oldest = ingest::fleet::oldest_due_poll(&mut fleet, now).await?;
    let halted = db::halt(&mut fleet).await?.is_some();
    Ok(Reading {
        // Nobody ever worked here: as good as gone.
        heartbeat_age: heartbeat.unwrap_or(1e6),
        success_age: success.unwrap_or(0.0),
        oldest_poll: oldest.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0)),
        due: counts.lanes.iter().map(|lane| lane.due).sum(),
        dead: counts.dead_letters,
        halted,
    })
}
