//! What is stored: keys, connections, workers, jobs, budgets. Counts, never names of organizations or people.

use connector::{ConnectorError, fleet};
use db::{Db, FleetTx};
use kernel::ConnectionStatus;
use time::OffsetDateTime;

use super::finding::{Check, Class};
use crate::settings::Settings;

/// Without a sign of life for so long, workers are gone.
const WORKERS_GONE: f64 = 120.0;
/// A poll that is due for so long is late.
const POLLS_LATE: f64 = 180.0;

/// Why the state could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    #[error(transparent)]
    Ingest(#[from] ingest::IngestError),
    #[error(transparent)]
    Queue(#[from] queue::QueueError),
    #[error(transparent)]
    Db(#[from] db::DbError),
}

pub(super) async fn check(
    settings: &Settings,
    db: &Db,
    now: OffsetDateTime,
) -> Result<Vec<Check>, Unreadable> {
    let heartbeat = queue::last_heartbeat(db.pool()).await?;
    let mut fleet = db.fleet().await?;
    let mut checks = keys(settings, &mut fleet).await?;
    checks.push(workers(heartbeat));
    checks.extend(work(settings, &mut fleet, now).await?);
    checks.extend(connections(settings, &mut fleet, now).await?);
    Ok(checks)
}

async fn keys(settings: &Settings, fleet: &mut FleetTx) -> Result<Vec<Check>, Unreadable> {
    const CHECK: &str = "sealing keys";
    let used = fleet::credentials_per_key(fleet).await?;
    let known: Vec<&str> = settings.keys.key_ids().collect();
    let list = |unknown: bool| {
        let ids = used.iter().filter(|(id, _)| {
            known.contains(&id.as_str()) != unknown && (unknown || id != settings.keys.sealing_key_id())
        });
        ids.map(|(id, n)| format!("{id} ({n})")).collect::<Vec<_>>().join(", ")
    };
    let (lost, older) = (list(true), list(false));
    let mut checks = Vec::new();
    if !lost.is_empty() {
        checks.push(Check::fault(
            Class::Keys,
            CHECK,
            format!("credentials are sealed with keys that are not configured: {lost}"),
            "add these keys to SOUNDPOST_KEYS, behind the first one; without them each organization has to reconnect",
        ));
    }
    if !older.is_empty() {
        checks.push(Check::warning(
            Class::Keys,
            CHECK,
            format!("credentials are still sealed with older keys: {older}"),
            "run `soundpost keys rotate`",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(Class::Keys, CHECK, format!("{} configured", known.len())));
    }
    Ok(checks)
}

fn workers(heartbeat: Option<f64>) -> Check {
    let fix = "start `soundpost work`, or `soundpost serve` with workers, and look at its log";
    match heartbeat {
        None => Check::warning(Class::Work, "workers", "none has ever worked here", fix),
        Some(age) if age > WORKERS_GONE => {
            Check::fault(Class::Work, "workers", format!("the last sign of life is {age:.0} s old"), fix)
        }
        Some(_) => Check::ok(Class::Work, "workers", "alive"),
    }
}

async fn work(
    settings: &Settings,
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Vec<Check>, Unreadable> {
    let mut checks = Vec::new();
    let mut add = |check, bad: Option<String>, fix: &str, fault: bool| {
        checks.push(match bad {
            None => Check::ok(Class::Work, check, "fine"),
            Some(found) if fault => Check::fault(Class::Work, check, found, fix),
            Some(found) => Check::warning(Class::Work, check, found, fix),
        });
    };
    let late = ingest::fleet::oldest_due_poll(fleet, now).await?;
    let late = late.map(|due| (now - due).as_seconds_f64()).filter(|late| *late > POLLS_LATE);
    let words = late.map(|late| format!("a poll has been due for {late:.0} s"));
    add("polls", words, "start more workers, and look at their log and at the database's load", true);
    let dead = queue::counts(fleet).await?.dead_letters;
    let words = (dead > 0).then(|| format!("{dead} jobs were given up"));
    add("dead letters", words, "look at `soundpost jobs dead list`; retry or discard them", false);
    let halt = db::halt(fleet).await?;
    let words = halt.map(|_| "an operator has stopped all traffic to Gong".to_owned());
    add("traffic", words, "`soundpost gong status` says why, `soundpost gong start` lets it go on", true);
    let spent = ingest::fleet::spent(fleet, settings.defaults.per_day, now).await?;
    let words =
        (spent.day > 0).then(|| format!("{} companies have used up their requests of a day", spent.day));
    let fix = "it goes on by itself; lengthen SOUNDPOST_POLL_EVERY, or raise GONG_REQUESTS_PER_DAY if Gong allows more";
    add("budgets", words, fix, false);
    let words = (spent.held > 0).then(|| format!("Gong asked us to wait for {} companies", spent.held));
    let fix = "it goes on by itself; find the other program that uses their limit, or lower GONG_REQUESTS_PER_SECOND";
    add("rate limits", words, fix, false);
    Ok(checks)
}

async fn connections(
    settings: &Settings,
    fleet: &mut FleetTx,
    now: OffsetDateTime,
) -> Result<Vec<Check>, Unreadable> {
    let mut checks = Vec::new();
    let mut add = |check, count: i64, words: &str, fix: &str| {
        checks.push(if count == 0 {
            Check::ok(Class::Connections, check, "fine")
        } else {
            Check::warning(Class::Connections, check, format!("{count} {words}"), fix)
        });
    };
    let per_status = fleet::connections_per_status(fleet).await?;
    let broken = per_status.iter().find(|(status, _)| *status == ConnectionStatus::ReconnectRequired);
    let reconnect = "an admin of each organization has to press Reconnect on its Gong page";
    add("connections", broken.map_or(0, |(_, n)| *n), "have to be connected again", reconnect);
    let troubles = fleet::troubles(fleet, now).await?;
    add(
        "tokens",
        troubles.expired,
        "have a token that has ended and was not replaced",
        "see that workers run and that GONG_TOKEN_URL answers; the log says why a refresh failed",
    );
    add(
        "scopes",
        troubles.missing_scope,
        "lack a permission in Gong",
        "have a Gong technical admin add the scopes that the Gong page names, then press Reconnect",
    );
    let refused = troubles.base_urls.iter().filter(|url| settings.hosts.check(url).is_err()).count();
    add(
        "base URLs",
        i64::try_from(refused).unwrap_or(i64::MAX),
        "base URLs of connections are not among GONG_API_HOSTS",
        "add the host to GONG_API_HOSTS if it is Gong's; else press Disconnect and connect again",
    );
    Ok(checks)
}
