//! `soundpost doctor`: checks configuration and surroundings, one line a check, and says what to do. Changes nothing; every
//! look has a deadline. The exit code names the class of the gravest finding.

mod configuration;
mod database;
mod finding;
mod machine;
mod outside;
mod state;

use db::Db;
use kernel::{Ambient, ExposeSecret, SystemAmbient};

use self::finding::{Check, Class, Report};
use crate::{
    exit::{Doing, Exit, print_line},
    settings::{self, Settings},
};

/// Runs every check that can be run.
pub(crate) async fn run(json: bool) -> Result<(), Exit> {
    let mut checks = Vec::new();
    let settings = configuration::check(&mut checks);
    match &settings {
        Some(settings) => surroundings(settings, &mut checks).await?,
        // The database can be looked at, too, where only something else is wrong.
        None => {
            if let Ok(url) = settings::database_url() {
                database::check(url.expose_secret(), None, &mut checks).await;
            }
        }
    }
    let report = Report::of(checks);
    if json {
        print_line(&serde_json::to_string(&report).doing("writing")?)?;
    } else {
        for check in &report.checks {
            print_line(&check.text())?;
        }
    }
    if report.exit_code == 0 { Ok(()) } else { Err(Exit::diagnosis(report.exit_code)) }
}

async fn surroundings(settings: &Settings, checks: &mut Vec<Check>) -> Result<(), Exit> {
    machine::check(settings, checks);
    let http =
        gong::http(concat!("Soundpost/", env!("CARGO_PKG_VERSION"))).doing("setting up the HTTP client")?;
    let (outside, inside) = tokio::join!(outside::check(settings, &http), inside(settings));
    checks.extend(outside);
    checks.extend(inside);
    Ok(())
}

/// The database and what is stored in it.
async fn inside(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    let now = SystemAmbient.now();
    if let Some(db) =
        database::check(settings.database_url.expose_secret(), Some(settings), &mut checks).await
    {
        look(settings, &db, now, &mut checks).await;
    }
    checks
}

async fn look(settings: &Settings, db: &Db, now: time::OffsetDateTime, checks: &mut Vec<Check>) {
    match database::in_time(state::check(settings, db, now)).await {
        Ok(more) => checks.extend(more),
        Err(why) => checks.push(Check::fault(
            Class::Database,
            "stored state",
            why,
            "give the user of DATABASE_URL what docs/SECURITY.md lists for a user that owns nothing",
        )),
    }
}
