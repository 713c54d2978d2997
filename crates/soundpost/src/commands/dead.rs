//! `soundpost jobs dead`: what was given up, for operators. Letters hold ids and reasons, never content.

use db::FleetTx;
use queue::{DeadLetter, Letters};
use serde_json::json;

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
            const DOING: &str = "retrying dead letters";
            let sent = match which.id {
                Some(id) => u64::from(queue::retry(&mut fleet, id).await.doing(DOING)?),
                None => queue::retry_all(&mut fleet, which.letters()).await.doing(DOING)?,
            };
            fleet.commit().await.doing(DOING)?;
            said(&which, sent, "run again")
        }
        Dead::Discard { which, reason } => {
            const DOING: &str = "discarding dead letters";
            let closed = match which.id {
                Some(id) => u64::from(queue::discard(&mut fleet, id, &reason).await.doing(DOING)?),
                None => queue::discard_all(&mut fleet, which.letters(), &reason).await.doing(DOING)?,
            };
            fleet.commit().await.doing(DOING)?;
            said(&which, closed, "are discarded")
        }
    }
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
