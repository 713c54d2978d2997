//! `soundpost jobs dead`: what was given up, for operators. Letters hold ids and reasons, never content.

use accounts::{Entry, RequestInfo, actions};
use db::{Db, FleetTx};
use kernel::{Scope, SystemAmbient};
use queue::{DeadLetter, Letters};
use serde_json::json;
use sqlx::PgConnection;

use super::organizations::open;
use crate::{
    cli::{Dead, Which},
    exit::{Doing, Exit, print_line},
};

/// `soundpost jobs dead ...`
pub(crate) async fn run(command: Dead) -> Result<(), Exit> {
    let db = open().await?;
    let mut fleet = db.fleet().await.doing("opening the database")?;
    match command {
        Dead::List { limit, kind, all, json } => {
            let letters = Letters { kind: kind.as_deref(), code: None };
            let state = if all { None } else { Some("dead") };
            let found = queue::list_of(&mut fleet, letters, state, None, limit).await;
            found.doing("listing dead letters")?.iter().try_for_each(|letter| print_line(&line(letter, json)))
        }
        Dead::Count { json } => count(&mut fleet, json).await,
        Dead::Show { id } => match queue::show(&mut fleet, id).await.doing("reading a dead letter")? {
            Some(letter) => print_line(&serde_json::to_string_pretty(&letter).doing("writing")?),
            None => Err(Exit::not_found(format!("there is no dead letter {id}"))),
        },
        Dead::Retry { which } => {
            drop(fleet);
            let closed = close(&db, &which, None).await?;
            said(&which, closed, "run again")
        }
        Dead::Discard { which, reason } => {
            drop(fleet);
            let closed = close(&db, &which, Some(&reason)).await?;
            said(&which, closed, "are discarded")
        }
    }
}

/// Retries what is meant, or discards it for a reason; how many there were. As on the page, the letters of each organization
/// are one transaction with its line of the audit log.
async fn close(db: &Db, which: &Which, reason: Option<&str>) -> Result<u64, Exit> {
    let mut fleet = db.fleet().await.doing("opening the database")?;
    let owners = match which.id {
        Some(id) => {
            let letter = queue::show(&mut fleet, id).await.doing("reading a dead letter")?;
            letter.map(|letter| letter.organization).into_iter().collect()
        }
        None => queue::owners(&mut fleet, which.letters()).await.doing("looking for dead letters")?,
    };
    let mut closed = 0;
    for owner in owners {
        if closed >= queue::MOST_LETTERS.unsigned_abs() {
            break;
        }
        match owner {
            Some(organization) => {
                let mut tx = db.begin(&Scope::operator(organization)).await.doing("opening the database")?;
                let number = close_in(&mut tx, which, reason).await?;
                if number > 0 {
                    let entry = line_of(which, reason, number);
                    accounts::audit(&mut tx, entry, &SystemAmbient).await.doing("writing the activity")?;
                }
                tx.commit().await.doing("closing dead letters")?;
                closed += number;
            }
            None => closed += close_unowned(&mut fleet, which, reason).await?,
        }
    }
    fleet.commit().await.doing("closing dead letters")?;
    Ok(closed)
}

/// Letters whose jobs could never be read belong to nobody and can only be discarded.
async fn close_unowned(fleet: &mut FleetTx, which: &Which, reason: Option<&str>) -> Result<u64, Exit> {
    const DOING: &str = "discarding dead letters";
    let Some(reason) = reason else { return Ok(0) };
    let letters = which.letters();
    let found = queue::list_of(fleet, letters, Some("dead"), None, queue::MOST_LETTERS).await.doing(DOING)?;
    let mut closed = 0;
    for letter in found.iter().filter(|l| l.organization.is_none() && which.id.is_none_or(|id| id == l.id)) {
        closed += u64::from(queue::discard(fleet, letter.id, reason).await.doing(DOING)?);
    }
    Ok(closed)
}

async fn close_in(conn: &mut PgConnection, which: &Which, reason: Option<&str>) -> Result<u64, Exit> {
    let letters = which.letters();
    match (which.id, reason) {
        (Some(id), None) => queue::retry(conn, id).await.map(u64::from),
        (Some(id), Some(reason)) => queue::discard(conn, id, reason).await.map(u64::from),
        (None, None) => queue::retry_all(conn, letters).await,
        (None, Some(reason)) => queue::discard_all(conn, letters, reason).await,
    }
    .doing("closing dead letters")
}

fn line_of(which: &Which, reason: Option<&str>, number: u64) -> Entry {
    let action = match (which.id.is_some(), reason.is_some()) {
        (true, false) => actions::JOB_RETRIED,
        (true, true) => actions::JOB_DISCARDED,
        (false, false) => actions::JOBS_RETRIED,
        (false, true) => actions::JOBS_DISCARDED,
    };
    let target = match (which.id, &which.kind) {
        (Some(id), _) => id.to_string(),
        (None, Some(kind)) => kind.clone(),
        (None, None) => "all kinds".to_owned(),
    };
    let after = if reason.is_some() { "discarded" } else { "retried" };
    let detail =
        json!({ "code": which.code, "jobs": number, "before": "dead", "after": after, "reason": reason });
    Entry::new(action, &RequestInfo::default()).target(target).detail(detail)
}

impl Which {
    fn letters(&self) -> Letters<'_> {
        Letters { kind: self.kind.as_deref(), code: self.code.as_deref() }
    }
}

fn line(letter: &DeadLetter, as_json: bool) -> String {
    if as_json {
        return json!(letter).to_string();
    }
    format!("{}  {}  {:9}  {:20}  {}", letter.id, letter.died_at, letter.state, letter.kind, letter.code)
}

async fn count(fleet: &mut FleetTx, as_json: bool) -> Result<(), Exit> {
    for group in queue::groups(fleet).await.doing("counting dead letters")? {
        let line = if as_json {
            json!(group).to_string()
        } else {
            format!("{:6}  {:20}  {:30}  since {}", group.open, group.kind, group.code, group.first_at)
        };
        print_line(&line)?;
    }
    Ok(())
}

/// What was done; who named a letter that is not open gets an error.
fn said(which: &Which, number: u64, what: &str) -> Result<(), Exit> {
    match which.id {
        Some(id) if number == 0 => Err(Exit::not_found(format!("{id} is not an open dead letter"))),
        _ => print_line(&format!("{number} jobs {what}")),
    }
}
