//! The question before disconnecting Gong, with what disconnecting does.

use accounts::Permission;
use axum::{extract::State, response::Response};
use kernel::ConnectionStatus;

use super::{
    view::{
        figures,
        gong::{Disconnect, DisconnectPage},
        icon::Icon,
        shell::Here,
    },
    visit::{Visit, page},
};
use crate::{AppState, Problem, auth::SignedIn};

/// What disconnecting does, to the letter.
pub(super) fn effects(calls: i64, error: Option<&'static str>) -> Disconnect {
    let stay = if calls == 0 {
        "Nothing was imported yet, so there is nothing to keep.".to_owned()
    } else {
        format!(
            "{} with their transcripts, and whatever was made of them, stay.",
            figures::of(calls, "call", "calls")
        )
    };
    Disconnect {
        effects: vec![
            (Icon::Off, "The status becomes disconnected, at once.".into()),
            (Icon::Key, "The stored credentials are deleted.".into()),
            (Icon::Stop, "Waiting and running work is cancelled; no further request goes to Gong.".into()),
            (Icon::Check, stay),
            (Icon::Sync, "Connecting the same Gong company later continues where it stopped.".into()),
        ],
        error,
    }
}

/// `GET /settings/integrations/gong/disconnect`
pub(super) async fn ask_disconnect(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    page(&disconnect_page(&state, &visit, &person, None).await?)
}

/// The question, with what was wrong with the answer.
pub(super) async fn disconnect_page(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    error: Option<&'static str>,
) -> Result<DisconnectPage, Problem> {
    person.require(state, Permission::ManageConnection).await?;
    let mut tx = person.begin(state).await?;
    let connection =
        connector::current(&mut tx).await?.filter(|c| c.status != ConnectionStatus::Disconnected);
    let Some(connection) = connection else { return Err(connector::ConnectorError::NotConnected.into()) };
    let calls = ingest::counts(&mut tx, connection.id).await?.calls();
    Ok(DisconnectPage { frame: visit.frame(person, Here::Integrations), disconnect: effects(calls, error) })
}
