//! Gauges that every process shows, also one without workers: that workers live, that jobs end well, what waits.

use std::time::Duration;

use db::Db;
use kernel::SharedAmbient;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How often the database is asked, and how long it may take to answer.
const EVERY: Duration = Duration::from_secs(20);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the database says, in seconds and counts.
struct Reading {
    heartbeat_age: f64,
    success_age: f64,
    oldest_poll: f64,
    due: i64,
    dead: i64,
}

/// Shows them until `stop`. While the database does not answer, ages grow with the clock.
pub(crate) async fn show(db: Db, ambient: SharedAmbient, stop: CancellationToken) {
    follow(EVERY, || read(&db, &ambient), stop).await;
}

async fn follow<F: Future<Output = Result<Reading, Failure>>>(
    often: Duration,
    mut read: impl FnMut() -> F,
    stop: CancellationToken,
) {
    let mut every = tokio::time::interval(often);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: Option<(Instant, Reading)> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        // A database that takes the question and never answers must not freeze the ages.
        if let Ok(Ok(reading)) = timeout(often, read()).await {
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
    // What was due stays due while nobody can look.
    let overdue = if reading.oldest_poll > 0.0 { reading.oldest_poll + since } else { 0.0 };
    metrics::gauge!("soundpost_oldest_due_poll_seconds").set(overdue);
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    {
        metrics::gauge!("soundpost_jobs_due").set(reading.due as f64);
        metrics::gauge!("soundpost_dead_letters").set(reading.dead as f64);
    }
}

async fn read(db: &Db, ambient: &SharedAmbient) -> Result<Reading, Failure> {
    let now = ambient.now();
    let (heartbeat, success) = queue::last_signs(db.pool()).await?;
    let mut fleet = db.fleet().await?;
    let counts = queue::counts(&mut fleet).await?;
    let oldest = ingest::fleet::oldest_due_poll(&mut fleet, now).await?;
    Ok(Reading {
        // Nobody ever worked here: as good as gone.
        heartbeat_age: heartbeat.unwrap_or(1e6),
        success_age: success.unwrap_or(0.0),
        oldest_poll: oldest.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0)),
        due: counts.lanes.iter().map(|lane| lane.due).sum(),
        dead: counts.dead_letters,
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    fn shown(page: &str, name: &str) -> f64 {
        let value = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        value.trim().parse().unwrap()
    }

    #[tokio::test]
    async fn ops_05_ages_grow_while_the_database_takes_questions_and_answers_none() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let (stop, mut asked) = (CancellationToken::new(), 0);
        let read = || {
            asked += 1;
            let first = asked == 1;
            async move {
                if !first {
                    return pending().await;
                }
                let (heartbeat_age, success_age, oldest_poll) = (1.0, 2.0, 3.0);
                Ok(Reading { heartbeat_age, success_age, oldest_poll, due: 7, dead: 0 })
            }
        };
        let end = tokio::time::sleep(Duration::from_millis(600));
        tokio::select! {
            () = follow(Duration::from_millis(20), read, stop) => unreachable!("nobody stopped it"),
            () = end => {}
        }
        let page = page.render();
        for (name, least) in [
            ("soundpost_worker_heartbeat_age_seconds ", 1.3),
            ("soundpost_last_success_age_seconds ", 2.3),
            ("soundpost_oldest_due_poll_seconds ", 3.3),
        ] {
            assert!(shown(&page, name) > least, "{page}");
        }
        assert!((shown(&page, "soundpost_jobs_due ") - 7.0).abs() < f64::EPSILON);
    }
}
