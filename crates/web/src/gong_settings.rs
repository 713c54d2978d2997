//! What people set for the Gong connection, as one thing with a version: whoever changes it can say from which version. Knows
//! no page.

use accounts::{AuditLine, actions};
use connector::Connection;
use db::Tx;
use http::StatusCode;
use kernel::ConnectionStatus;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Problem, actor,
    conditional::{IfMatch, Version},
};

/// What people set for the Gong connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct GongSettings {
    /// Whether it is paused.
    pub(crate) paused: bool,
    /// Seconds from one poll to the next; null for the installation's own interval.
    pub(crate) poll_every_seconds: Option<i64>,
    /// Seconds that each poll looks back; null for the installation's own.
    pub(crate) overlap_seconds: Option<i64>,
    /// Only calls of these Gong workspaces are imported; null for all.
    pub(crate) selected_workspaces: Option<Vec<String>>,
}

impl GongSettings {
    /// The settings of a connection.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(crate) async fn read(tx: &mut Tx, connection: &Connection) -> Result<Self, Problem> {
        let own = ingest::own_settings(tx, connection.id).await?;
        Ok(Self {
            paused: connection.status == ConnectionStatus::Paused,
            poll_every_seconds: own.poll_every_seconds,
            overlap_seconds: own.overlap_seconds,
            selected_workspaces: own.selected_workspaces,
        })
    }

    /// The version of these settings; the same values have the same version.
    pub(crate) fn version(&self) -> Version {
        Version::of(self)
    }

    /// Stops a change that starts from another version, and says who changed it.
    ///
    /// # Errors
    /// 412 `changed_meanwhile`.
    pub(crate) async fn admit(
        &self,
        tx: &mut Tx,
        connection: &Connection,
        change: &IfMatch,
    ) -> Result<(), Problem> {
        let Err(problem) = change.check(&self.version()) else { return Ok(()) };
        let detail = match last_change(tx, connection).await? {
            Some(line) => {
                let who = actor::who(&line);
                format!(
                    "{who} changed the settings meanwhile, so nothing was done. Look at them as they are now, then decide."
                )
            }
            None => problem.detail,
        };
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, problem.code, detail))
    }
}

/// The newest change of the settings.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn last_change(tx: &mut Tx, connection: &Connection) -> Result<Option<AuditLine>, Problem> {
    let target = connection.id.to_string();
    let mut newest: Option<AuditLine> = None;
    for action in [actions::GONG_SETTINGS_CHANGED, actions::GONG_PAUSED, actions::GONG_RESUMED] {
        let line = accounts::latest(tx, action, &target).await?;
        if line.as_ref().map(|l| l.at) > newest.as_ref().map(|l| l.at) {
            newest = line;
        }
    }
    Ok(newest)
}
