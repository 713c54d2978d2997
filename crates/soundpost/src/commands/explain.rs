//! `soundpost explain`.

use kernel::{OrganizationId, Scope};
use serde_json::json;

use super::organizations::open;
use crate::exit::{Doing, Exit, print_line};

/// Says in words what happened to a call.
pub(crate) async fn call(gong_call_id: &str, organization: OrganizationId, json: bool) -> Result<(), Exit> {
    let db = open().await?;
    let mut tx = db.begin(&Scope::operator(organization)).await.doing("opening the database")?;
    let connection = connector::current(&mut tx).await.doing("finding the connection")?;
    let mut explained = ingest::explain(&mut tx, connection.as_ref().map(|c| c.id), gong_call_id)
        .await
        .doing("explaining the call")?;
    if let Some(call) = explained.call {
        let steps = feedback::explain(&mut tx, call).await.doing("explaining what came of the call")?;
        explained.steps.extend(steps);
    }
    if json {
        let line =
            json!({ "gong_call_id": gong_call_id, "found": explained.found, "steps": explained.steps });
        print_line(&line.to_string())?;
    } else {
        for step in &explained.steps {
            print_line(step)?;
        }
        if let Some(connection) = connection {
            print_line(&format!("The connection is {}.", connection.status))?;
        }
    }
    if explained.found {
        Ok(())
    } else {
        Err(Exit::not_found(format!("call {gong_call_id} is not known here")))
    }
}
