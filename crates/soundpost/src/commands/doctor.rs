//! `soundpost doctor`: checks configuration and surroundings, one line a check, and says what to do.

use std::time::Duration;

use connector::fleet;
use db::Db;
use kernel::{ConnectionStatus, ExposeSecret};
use serde::Serialize;

use crate::{
    exit::{Doing, Exit, print_line},
    settings::{self, Settings},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Fault,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    found: String,
    fix: Option<String>,
}

impl Check {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    fn fault(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fault, found: found.into(), fix: Some(fix.into()) }
    }

    fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Runs every check that can be run; exit code 4 when one found a fault.
pub(crate) async fn run(json: bool) -> Result<(), Exit> {
    let mut checks = Vec::new();
    let faults = settings::faults();
    if faults.is_empty() {
        checks.push(Check::ok("configuration", "complete"));
    }
    checks.extend(faults.into_iter().map(|fault| Check::fault("configuration", fault, "see .env.example")));
    if let Ok(settings) = settings::read() {
        surroundings(&settings, &mut checks).await;
    } else if let Ok(url) = settings::database_url() {
        database(url.expose_secret(), &mut checks).await;
    }
    for check in &checks {
        print_line(&if json { serde_json::to_string(check).doing("writing")? } else { text(check) })?;
    }
    if checks.iter().any(|check| check.verdict == Verdict::Fault) { Err(Exit::faults()) } else { Ok(()) }
}

fn text(check: &Check) -> String {
    let word = match check.verdict {
        Verdict::Ok => "ok     ",
        Verdict::Warning => "warning",
        Verdict::Fault => "FAULT  ",
    };
    let fix = check.fix.as_ref().map_or_else(String::new, |fix| format!("\n         -> {fix}"));
    format!("{word}  {}: {}{fix}", check.check, check.found)
}

async fn surroundings(settings: &Settings, checks: &mut Vec<Check>) {
    checks.push(match connector::Escrow::open(&settings.escrow_dir) {
        Ok(_) => Check::ok("escrow folder", settings.escrow_dir.display().to_string()),
        Err(error) => Check::fault(
            "escrow folder",
            error.to_string(),
            "make SOUNDPOST_ESCROW_DIR writable for this user",
        ),
    });
    for (check, url) in
        [("Gong authorize page", &settings.authorize_url), ("Gong token address", &settings.token_url)]
    {
        checks.push(reach(check, url).await);
    }
    if let Some(db) = database(settings.database_url.expose_secret(), checks).await {
        keys(settings, &db, checks).await;
    }
}

/// Whether a TCP connection to the host can be made.
async fn reach(check: &'static str, url: &url::Url) -> Check {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let connect = tokio::net::TcpStream::connect((host.as_str(), port));
    match tokio::time::timeout(Duration::from_secs(5), connect).await {
        Ok(Ok(_)) => Check::ok(check, format!("{host}:{port} answers")),
        Ok(Err(error)) => {
            Check::fault(check, format!("{host}:{port}: {error}"), "check DNS, firewall and proxy rules")
        }
        Err(_) => Check::fault(
            check,
            format!("{host}:{port} does not answer"),
            "check DNS, firewall and proxy rules",
        ),
    }
}

async fn database(url: &str, checks: &mut Vec<Check>) -> Option<Db> {
    let db = match Db::connect(url, 2).await {
        Ok(db) => db,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            checks.push(Check::fault(
                "database",
                cause,
                "check DATABASE_URL and that PostgreSQL 15 or later runs",
            ));
            return None;
        }
    };
    checks.push(Check::ok("database", "answers"));
    match db::pending_migrations(db.pool()).await {
        Ok(0) => checks.push(Check::ok("migrations", "all applied")),
        Ok(pending) => {
            checks.push(Check::fault(
                "migrations",
                format!("{pending} are missing"),
                "run `soundpost migrate`",
            ));
            return None;
        }
        Err(error) => {
            checks.push(Check::fault("migrations", error.to_string(), "run `soundpost migrate`"));
            return None;
        }
    }
    Some(db)
}

async fn keys(settings: &Settings, db: &Db, checks: &mut Vec<Check>) {
    let read = async {
        let mut fleet = db.fleet().await?;
        let per_key = fleet::credentials_per_key(&mut fleet).await?;
        let per_status = fleet::connections_per_status(&mut fleet).await?;
        let dead = queue::list(&mut fleet, None, 1_000).await?;
        Ok::<_, connector::ConnectorError>((per_key, per_status, dead))
    };
    match read.await {
        Ok((per_key, per_status, dead)) => {
            let known: Vec<&str> = settings.keys.key_ids().collect();
            let lost: Vec<String> = per_key
                .iter()
                .filter(|(id, _)| !known.contains(&id.as_str()))
                .map(|(id, n)| format!("{id} ({n})"))
                .collect();
            checks.push(if lost.is_empty() {
                Check::ok("sealing keys", format!("{} configured", known.len()))
            } else {
                let found =
                    format!("credentials are sealed with keys that are not configured: {}", lost.join(", "));
                Check::fault("sealing keys", found, "add these keys to SOUNDPOST_KEYS")
            });
            let broken = per_status.iter().find(|(status, _)| *status == ConnectionStatus::ReconnectRequired);
            checks.push(match broken {
                Some((_, n)) => Check::warning(
                    "connections",
                    format!("{n} have to be connected again"),
                    "an admin of each organization has to click Reconnect",
                ),
                None => Check::ok(
                    "connections",
                    format!("{} in all", per_status.iter().map(|(_, n)| n).sum::<i64>()),
                ),
            });
            let open = dead.iter().filter(|letter| letter.state == "dead").count();
            checks.push(match open {
                0 => Check::ok("dead letters", "none"),
                n => {
                    Check::warning("dead letters", format!("{n} open"), "look at `soundpost jobs dead list`")
                }
            });
        }
        Err(error) => checks.push(Check::fault(
            "stored state",
            error.to_string(),
            "check the rights of the database user",
        )),
    }
}
