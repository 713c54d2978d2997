//! `soundpost gong`: stopping all traffic to Gong, in every process at once, and letting it go on.

use accounts::{Action, Entry, RequestInfo, actions};
use db::FleetTx;
use kernel::{Ambient, SystemAmbient};
use serde_json::json;

use super::organizations::open;
use crate::{
    cli::Traffic,
    exit::{Doing, Exit, print_line},
    logging,
};

/// `soundpost gong ...`
pub(crate) async fn run(command: Traffic) -> Result<(), Exit> {
    logging::start()?;
    let db = open().await?;
    let mut fleet = db.fleet().await.doing("opening the database")?;
    match command {
        Traffic::Stop { reason } => {
            let now = SystemAmbient.now();
            let news = db::stop_traffic(&mut fleet, &reason, now).await.doing("stopping traffic")?;
            note(&mut fleet, news, actions::GONG_TRAFFIC_STOPPED, &reason).await?;
            fleet.commit().await.doing("stopping traffic")?;
            tracing::warn!(security = true, reason, "All traffic to Gong is stopped.");
            print_line(if news { "traffic to Gong is stopped" } else { "traffic to Gong was stopped before" })
        }
        Traffic::Start { reason } => {
            let news = db::start_traffic(&mut fleet).await.doing("starting traffic")?;
            note(&mut fleet, news, actions::GONG_TRAFFIC_STARTED, &reason).await?;
            fleet.commit().await.doing("starting traffic")?;
            tracing::warn!(security = true, reason, "Traffic to Gong goes on.");
            print_line(if news { "traffic to Gong goes on" } else { "traffic to Gong was not stopped" })
        }
        Traffic::Status { json } => {
            let halt = db::halt(&mut fleet).await.doing("asking whether traffic is stopped")?;
            let line = match (&halt, json) {
                (Some(halt), true) => {
                    json!({ "stopped": true, "stopped_at": halt.stopped_at.to_string(), "reason": halt.reason })
                        .to_string()
                }
                (None, true) => json!({ "stopped": false }).to_string(),
                (Some(halt), false) => format!("stopped since {}: {}", halt.stopped_at, halt.reason),
                (None, false) => "traffic to Gong flows".to_owned(),
            };
            print_line(&line)?;
            if halt.is_some() { Err(Exit::faults()) } else { Ok(()) }
        }
    }
}

/// A line for every organization, where something changed.
async fn note(fleet: &mut FleetTx, news: bool, action: Action, reason: &str) -> Result<(), Exit> {
    if !news {
        return Ok(());
    }
    let entry = Entry::new(action, &RequestInfo::default()).detail(json!({ "reason": reason }));
    accounts::audit_everywhere(fleet, entry, &SystemAmbient).await.doing("writing the activity").map(drop)
}
