//! How the connection's shape is filled: read from both rooms in one transaction.

use connector::Connection;
use db::Tx;
use ingest::{BudgetView, Counts, Defaults, Progress, Schedule};
use kernel::ConnectionStatus;

use super::{Backfill, Budget, CallCounts, Company, ErrorView, GongView, Poll, Scopes, WorkspaceView};
use crate::{AppState, Problem, messages};

/// What both rooms know of the newest connection.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) connection: Connection,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) backfill: Option<Progress>,
    pub(crate) counts: Counts,
    pub(crate) budget: BudgetView,
}

impl Known {
    /// Reads it; `None` where Gong was never connected.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(crate) async fn read(state: &AppState, tx: &mut Tx) -> Result<Option<Self>, Problem> {
        let (now, defaults) = (state.ambient.now(), &state.defaults);
        let Some(connection) = connector::current(tx).await? else { return Ok(None) };
        let id = connection.id;
        Ok(Some(Self {
            schedule: ingest::schedule(tx, id, defaults).await?,
            backfill: ingest::backfill_progress(tx, id, now).await?,
            counts: ingest::counts(tx, id).await?,
            budget: ingest::budget(tx, id, defaults, now).await?,
            connection,
        }))
    }
}

/// The names of the company's workspaces, as far as they have one.
pub(crate) fn workspace_names(connection: &Connection) -> Vec<&str> {
    connection.workspaces.iter().map(|w| w.name.as_str()).filter(|name| !name.is_empty()).collect()
}

/// What the company is called while its workspaces have no names.
pub(crate) fn host(connection: &Connection) -> &str {
    connection.api_base_url.split("//").last().unwrap_or("Gong").trim_end_matches('/')
}

impl GongView {
    /// Reads how the connection of the transaction's organization stands.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(crate) async fn read(state: &AppState, tx: &mut Tx) -> Result<Self, Problem> {
        let now = state.ambient.now();
        let defaults = &state.defaults;
        let known = Known::read(state, tx).await?;
        let mut view = known.map_or_else(|| Self::never(defaults), |known| Self::of(known, defaults));
        view.connecting_until = connector::connecting_until(tx, now).await?;
        if view.connecting_until.is_some() {
            view.status = ConnectionStatus::Connecting.as_str();
        }
        Ok(view)
    }

    /// Something is under way, so that the numbers move without anybody doing anything.
    pub(crate) fn is_moving(&self) -> bool {
        self.backfill.as_ref().is_some_and(|backfill| backfill.state == "running")
            || (self.status == "connected" && self.counts.wanted > 0)
    }

    fn never(defaults: &Defaults) -> Self {
        Self {
            id: None,
            status: ConnectionStatus::Disconnected.as_str(),
            ever_connected: false,
            reason: None,
            paused_until: None,
            auth_kind: None,
            company: None,
            selected_workspaces: None,
            scopes: Scopes::default(),
            history_days: None,
            connecting_until: None,
            connected_by: None,
            connected_at: None,
            disconnected_at: None,
            poll: Poll::of(None, defaults, false),
            backfill: None,
            counts: CallCounts::default(),
            budget: Budget {
                per_second: defaults.per_second,
                per_day: defaults.per_day,
                used_last_24h: 0,
                held_until: None,
                held_reason: None,
                backfill_held_until: None,
            },
            token_expires_at: None,
            doubted_since: None,
            last_error: None,
        }
    }

    fn of(known: Known, defaults: &Defaults) -> Self {
        let Known { connection, schedule, backfill, counts, budget } = known;
        let due = connection.status == ConnectionStatus::Connected;
        Self {
            id: Some(connection.id.to_string()),
            status: connection.status.as_str(),
            ever_connected: true,
            company: Some(Company::of(&connection)),
            reason: connection.reason,
            paused_until: connection.paused_until,
            auth_kind: Some(connection.auth_kind.as_str()),
            poll: Poll::of(schedule.as_ref(), defaults, due),
            doubted_since: schedule.as_ref().and_then(|s| s.doubted_since),
            selected_workspaces: schedule.and_then(|s| s.selected_workspaces),
            scopes: Scopes { granted: connection.granted_scopes, missing: connection.missing_scopes },
            history_days: connection.history_days,
            connecting_until: None,
            connected_by: connection.connected_by.map(|user| user.to_string()),
            connected_at: Some(connection.connected_at),
            disconnected_at: connection.disconnected_at,
            backfill: backfill.map(Backfill::of),
            counts: CallCounts::of(counts),
            budget: Budget {
                per_second: budget.per_second,
                per_day: budget.per_day,
                used_last_24h: budget.used_last_24h,
                held_until: budget.held_until,
                held_reason: budget.held_reason,
                backfill_held_until: budget.backfill_held_until,
            },
            token_expires_at: connection.token_expires_at,
            last_error: connection.last_error.map(|error| ErrorView {
                message: messages::explain(&error.code).map_or_else(String::new, |m| m.cause.to_owned()),
                code: error.code,
                at: error.at,
            }),
        }
    }
}

impl Company {
    fn of(connection: &Connection) -> Self {
        let names = workspace_names(connection);
        Self {
            name: if names.is_empty() { host(connection).to_owned() } else { names.join(", ") },
            api_base_url: connection.api_base_url.clone(),
            workspaces: connection
                .workspaces
                .iter()
                .map(|w| WorkspaceView { id: w.id.clone(), name: w.name.clone() })
                .collect(),
        }
    }
}

impl Poll {
    /// Without a schedule the installation's settings; no next poll where none is due.
    fn of(schedule: Option<&Schedule>, defaults: &Defaults, due: bool) -> Self {
        Self {
            every_seconds: schedule.map_or(defaults.poll_every, |s| s.poll_every).as_secs(),
            overlap_seconds: schedule.map_or(defaults.overlap, |s| s.overlap).as_secs(),
            last_at: schedule.and_then(|s| s.last_poll_at),
            next_at: schedule.filter(|_| due).map(|s| s.next_poll_at),
        }
    }
}

impl Backfill {
    fn of(progress: Progress) -> Self {
        Self {
            id: progress.run.to_string(),
            state: progress.state.as_str(),
            days: progress.days,
            from: progress.from,
            to: progress.to,
            total: progress.total,
            listed: progress.listed,
            calls_new: progress.calls_new,
            skipped_private: progress.skipped_private,
            transcripts_stored: progress.transcripts_stored,
            transcripts_open: progress.transcripts_open,
            percent: progress.percent,
            rate_per_second: progress.rate_per_second,
            eta_seconds: progress.eta_seconds,
            requests_used: progress.requests_used,
            started_at: progress.started_at,
            finished_at: progress.finished_at,
            error_code: progress.error_code,
        }
    }
}

impl CallCounts {
    fn of(counts: Counts) -> Self {
        Self {
            calls: counts.calls(),
            wanted: counts.wanted,
            waiting: counts.waiting,
            stored: counts.stored,
            gave_up: counts.gave_up,
            private: counts.private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_connected_has_every_field_and_the_installations_settings() {
        let view = GongView::never(&Defaults::default());
        let json = serde_json::to_value(&view).unwrap();
        for field in [
            "id",
            "status",
            "ever_connected",
            "reason",
            "paused_until",
            "auth_kind",
            "company",
            "selected_workspaces",
            "scopes",
            "history_days",
            "connecting_until",
            "connected_by",
            "connected_at",
            "disconnected_at",
            "poll",
            "backfill",
            "counts",
            "budget",
            "token_expires_at",
            "last_error",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["status"], "disconnected");
        assert_eq!(json["poll"]["every_seconds"], 14_400);
        assert!(!view.is_moving());
    }
}
