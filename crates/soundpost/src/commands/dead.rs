//! `soundpost jobs dead`: what was given up, for operators. Letters hold ids and reasons, never content.

use serde_json::json;

use super::organizations::open;
use crate::{
    cli::Dead,
    exit::{Doing, Exit, print_line},
};

/// `soundpost jobs dead ...`
pub(crate) async fn run(command: Dead) -> Result<(), Exit> {
    let db = open().await?;
    let mut fleet = db.fleet().await.doing("opening the database")?;
    match command {
        Dead::List { limit, json } => {
            for letter in queue::list(&mut fleet, None, limit).await.doing("listing dead letters")? {
                let line = if json {
                    json!(letter).to_string()
                } else {
                    format!(
                        "{}  {}  {:9}  {:20}  {}",
                        letter.id, letter.died_at, letter.state, letter.kind, letter.code
                    )
                };
                print_line(&line)?;
            }
            Ok(())
        }
        Dead::Show { id } => match queue::show(&mut fleet, id).await.doing("reading a dead letter")? {
            Some(letter) => print_line(&serde_json::to_string_pretty(&letter).doing("writing")?),
            None => Err(Exit::not_found(format!("there is no dead letter {id}"))),
        },
        Dead::Retry { id: Some(id), .. } => {
            let sent = queue::retry(&mut fleet, id).await.doing("retrying a dead letter")?;
            fleet.commit().await.doing("retrying a dead letter")?;
            if sent {
                print_line("1 job runs again")
            } else {
                Err(Exit::not_found(format!("{id} is not an open dead letter")))
            }
        }
        Dead::Retry { id: None, kind } => {
            let sent = queue::retry_all(&mut fleet, kind.as_deref()).await.doing("retrying dead letters")?;
            fleet.commit().await.doing("retrying dead letters")?;
            print_line(&format!("{sent} jobs run again"))
        }
        Dead::Discard { id, reason } => {
            let closed = queue::discard(&mut fleet, id, &reason).await.doing("discarding a dead letter")?;
            fleet.commit().await.doing("discarding a dead letter")?;
            if closed {
                print_line("discarded")
            } else {
                Err(Exit::not_found(format!("{id} is not an open dead letter")))
            }
        }
    }
}
