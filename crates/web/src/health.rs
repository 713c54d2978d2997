//! `/livez`, `/readyz` and `/health`: whether we live, can work, and what we depend on. No versions, no secrets, no names.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde::Serialize;
use tokio::{net::TcpStream, sync::Mutex, time::timeout};

use crate::AppState;

/// How long a dependency may take to answer.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long a report counts.
const KEPT: Duration = Duration::from_secs(2);
/// A worker that gave no sign of life for so long is gone.
const WORKERS_GONE: Duration = Duration::from_secs(120);

/// The last report, shared so that many who ask cost one look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, Report)>,
    /// The missing keys that were told of.
    missing_keys: Vec<String>,
}

/// How one dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Check {
    Ok,
    Failed,
    Unknown,
}

impl Check {
    const fn of(good: bool) -> Self {
        if good { Self::Ok } else { Self::Failed }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Workers {
    status: Check,
    heartbeat_age_seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
struct Report {
    /// `ok`, `degraded` (works, but something is missing) or `unavailable`.
    status: &'static str,
    database: Check,
    migrations: Check,
    keys: Check,
    workers: Workers,
    gong: Check,
    /// `flows`, `stopped` (an operator stopped all requests to Gong) or `unknown`.
    traffic: &'static str,
    /// Ids of the keys that stored credentials need and that we do not have; told by `/readyz`.
    #[serde(skip)]
    unknown_keys: Vec<String>,
}

impl Report {
    fn of(
        database: Check,
        migrations: Check,
        keys: Check,
        heartbeat: Option<Duration>,
        gong: Check,
        stopped: Option<bool>,
    ) -> Self {
        let workers = Workers {
            status: heartbeat.map_or(Check::Unknown, |age| Check::of(age < WORKERS_GONE)),
            heartbeat_age_seconds: heartbeat.map(|age| age.as_secs()),
        };
        let vital = [database, migrations, keys].iter().all(|check| *check == Check::Ok);
        let rest = workers.status == Check::Ok && gong == Check::Ok && stopped == Some(false);
        let traffic = match stopped {
            Some(true) => "stopped",
            Some(false) => "flows",
            None => "unknown",
        };
        let status = match (vital, rest) {
            (false, _) => "unavailable",
            (true, false) => "degraded",
            (true, true) => "ok",
        };
        Self { status, database, migrations, keys, workers, gong, traffic, unknown_keys: Vec::new() }
    }

    /// What keeps us from working. Gong and workers do not: pages and the API go on without them.
    fn missing(&self) -> Vec<&'static str> {
        let vital = [("database", self.database), ("migrations", self.migrations), ("keys", self.keys)];
        vital.into_iter().filter(|(_, check)| *check != Check::Ok).map(|(name, _)| name).collect()
    }
}

/// The three addresses.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/health", get(health))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    missing: Vec<&'static str>,
    /// Which keys have to come back; an id is a hash that does not reveal the key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_key_ids: Vec<String>,
}

async fn readyz(State(state): State<AppState>) -> Response {
    let report = Box::pin(report(&state)).await;
    let mut missing = report.missing();
    if state.stop.is_cancelled() {
        missing.push("stopping");
    }
    let ready = missing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, missing, unknown_key_ids: report.unknown_keys })).into_response()
}

async fn health(State(state): State<AppState>) -> Response {
    let report = Box::pin(report(&state)).await;
    let status = if report.missing().is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

/// The report, at most two seconds old. Who asks while one is being made waits for that one.
async fn report(state: &AppState) -> Report {
    let mut health = state.health.0.lock().await;
    if let Some((at, report)) = health.last.as_ref()
        && at.elapsed() < KEPT
    {
        return report.clone();
    }
    let (database, migrations, unknown_keys, heartbeat, gong, stopped) = tokio::join!(
        in_time(async { state.db.ping().await.is_ok() }),
        in_time(async { db::pending_migrations(state.db.pool()).await.is_ok_and(|pending| pending == 0) }),
        async { timeout(PATIENCE, unknown_keys(state)).await.ok().flatten() },
        async { timeout(PATIENCE, last_heartbeat(state)).await.ok().flatten() },
        in_time(reaches(&state.authorize_url)),
        async { timeout(PATIENCE, is_stopped(state)).await.ok().flatten() },
    );
    let keys = Check::of(unknown_keys.as_ref().is_some_and(Vec::is_empty));
    let mut report = Report::of(database, migrations, keys, heartbeat, gong, stopped);
    if let Some(unknown) = &unknown_keys {
        tell_of_keys(&mut health.missing_keys, unknown);
    }
    report.unknown_keys = unknown_keys.unwrap_or_default();
    health.last = Some((Instant::now(), report.clone()));
    report
}

async fn in_time(check: impl Future<Output = bool>) -> Check {
    Check::of(timeout(PATIENCE, check).await.unwrap_or(false))
}

/// How long ago any worker gave a sign of life.
async fn last_heartbeat(state: &AppState) -> Option<Duration> {
    let seconds = queue::last_heartbeat(state.db.pool()).await.ok().flatten()?;
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

/// Whether an operator stopped all traffic to Gong.
async fn is_stopped(state: &AppState) -> Option<bool> {
    let mut fleet = state.db.fleet().await.ok()?;
    Some(db::halt(&mut fleet).await.ok()?.is_some())
}

/// The keys that stored credentials are sealed with and that we do not have; `None` when that cannot be told.
async fn unknown_keys(state: &AppState) -> Option<Vec<String>> {
    let mut fleet = state.db.fleet().await.ok()?;
    let used = connector::fleet::credentials_per_key(&mut fleet).await.ok()?;
    let known = state.connector.key_ids();
    let unknown: Vec<String> = used.into_iter().map(|(id, _)| id).filter(|id| !known.contains(id)).collect();
    Some(unknown)
}

/// Tells of keys that are missing, once for each time that it changes which; a look that could not tell changes nothing.
fn tell_of_keys(known: &mut Vec<String>, now: &[String]) {
    if known == now {
        return;
    }
    if now.is_empty() {
        tracing::info!("All keys that credentials are sealed with are back.");
    } else {
        tracing::error!(
            key.ids = now.join(", "),
            "Credentials are sealed with keys that SOUNDPOST_KEYS does not hold; not ready until they are back."
        );
    }
    now.clone_into(known);
}

/// Whether somebody listens at Gong's address.
async fn reaches(url: &url::Url) -> bool {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
    TcpStream::connect((host.trim_matches(['[', ']']), port)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(database: Check, heartbeat: Option<u64>, gong: Check) -> Report {
        Report::of(database, Check::Ok, Check::Ok, heartbeat.map(Duration::from_secs), gong, Some(false))
    }

    #[test]
    fn gong_and_workers_degrade_and_only_our_own_parts_stop_us() {
        let fine = report(Check::Ok, Some(3), Check::Ok);
        assert_eq!((fine.status, fine.missing().len()), ("ok", 0));
        for degraded in [
            report(Check::Ok, Some(3), Check::Failed),
            report(Check::Ok, Some(500), Check::Ok),
            report(Check::Ok, None, Check::Ok),
        ] {
            assert_eq!((degraded.status, degraded.missing().len()), ("degraded", 0));
        }
        let stopped =
            Report::of(Check::Ok, Check::Ok, Check::Ok, Some(Duration::ZERO), Check::Ok, Some(true));
        assert_eq!((stopped.status, stopped.traffic, stopped.missing().len()), ("degraded", "stopped", 0));
        let down = report(Check::Failed, Some(3), Check::Ok);
        assert_eq!((down.status, down.missing()), ("unavailable", vec!["database"]));
    }

    #[test]
    fn a_report_has_one_word_a_dependency_and_nothing_else() {
        let json = serde_json::to_value(report(Check::Ok, Some(3), Check::Unknown)).unwrap();
        let mut fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["database", "gong", "keys", "migrations", "status", "traffic", "workers"]);
        assert_eq!(json["workers"], serde_json::json!({"status": "ok", "heartbeat_age_seconds": 3}));
    }

    #[test]
    fn a_missing_key_is_told_once_and_again_when_it_changes() {
        let mut known = Vec::new();
        for now in [vec![], vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()], vec![]] {
            tell_of_keys(&mut known, &now);
            assert_eq!(known, now);
        }
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_a_failed_one() {
        assert_eq!(in_time(std::future::pending()).await, Check::Failed);
    }
}
