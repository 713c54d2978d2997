//! How the Gong connection stands, read from both rooms at once: what the API answers, live events carry and pages show.

use connector::Connection;
use db::Tx;
use ingest::{BudgetView, Counts, Defaults, Progress, Schedule};
use kernel::ConnectionStatus;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{AppState, Problem, messages};

/// How the Gong connection stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongConnection)]
pub(crate) struct GongView {
    /// Its id; null when Gong was never connected.
    pub(crate) id: Option<String>,
    /// `connecting`, `connected`, `reconnect_required`, `paused` or `disconnected`.
    #[schema(example = "connected")]
    pub(crate) status: &'static str,
    /// Whether Gong was ever connected.
    pub(crate) ever_connected: bool,
    /// A code that explains `reconnect_required` and `paused`.
    pub(crate) reason: Option<String>,
    /// When a pause ends by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) paused_until: Option<OffsetDateTime>,
    /// `oauth` or `access_key`.
    pub(crate) auth_kind: Option<&'static str>,
    /// The Gong company.
    pub(crate) company: Option<Company>,
    /// Only calls of these Gong workspaces are imported; null means all.
    pub(crate) selected_workspaces: Option<Vec<String>>,
    /// What Gong lets us read.
    pub(crate) scopes: Scopes,
    /// The history that was asked for when connecting.
    pub(crate) history_days: Option<i64>,
    /// While `connecting`: until when Gong's answer is awaited.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) connecting_until: Option<OffsetDateTime>,
    /// The person who connected it last; null when an API key did.
    pub(crate) connected_by: Option<String>,
    /// When Gong was last connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) connected_at: Option<OffsetDateTime>,
    /// When it was disconnected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) disconnected_at: Option<OffsetDateTime>,
    /// The regular look for new calls.
    pub(crate) poll: Poll,
    /// The newest backfill.
    pub(crate) backfill: Option<Backfill>,
    /// How many calls stand where.
    pub(crate) counts: CallCounts,
    /// The API budget of the Gong company.
    pub(crate) budget: Budget,
    /// When the access token ends; it is replaced before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) token_expires_at: Option<OffsetDateTime>,
    /// What went wrong last and has not been mended since.
    pub(crate) last_error: Option<ErrorView>,
}

/// The Gong company that is connected.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongCompany)]
pub(crate) struct Company {
    /// The names of its workspaces, or its API host while they are unknown.
    pub(crate) name: String,
    /// Where Gong serves this company.
    pub(crate) api_base_url: String,
    /// Its workspaces; empty until they are known.
    pub(crate) workspaces: Vec<WorkspaceView>,
}

/// A Gong workspace.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongWorkspace)]
pub(crate) struct WorkspaceView {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// OAuth scopes.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = GongScopes)]
pub(crate) struct Scopes {
    pub(crate) granted: Vec<String>,
    pub(crate) missing: Vec<String>,
}

/// The regular look for new calls.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongPoll)]
pub(crate) struct Poll {
    pub(crate) every_seconds: u64,
    pub(crate) overlap_seconds: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) last_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) next_at: Option<OffsetDateTime>,
}

/// How far a backfill is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongBackfill)]
pub(crate) struct Backfill {
    pub(crate) id: String,
    /// `running`, `done`, `cancelled` or `failed`.
    pub(crate) state: &'static str,
    pub(crate) days: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) to: OffsetDateTime,
    /// Calls that Gong says lie in it; null before its first answer.
    pub(crate) total: Option<i64>,
    pub(crate) listed: i64,
    pub(crate) calls_new: i64,
    pub(crate) skipped_private: i64,
    pub(crate) transcripts_stored: i64,
    pub(crate) transcripts_open: i64,
    /// 0 to 100; never goes back.
    pub(crate) percent: f64,
    pub(crate) rate_per_second: Option<f64>,
    pub(crate) eta_seconds: Option<i64>,
    pub(crate) requests_used: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) error_code: Option<String>,
}

/// How many calls stand where.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub(crate) struct CallCounts {
    /// All calls that we hold.
    pub(crate) calls: i64,
    pub(crate) wanted: i64,
    pub(crate) waiting: i64,
    pub(crate) stored: i64,
    pub(crate) gave_up: i64,
    /// Private calls that were left out.
    pub(crate) private: i64,
}

/// The API budget of the Gong company.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongBudget)]
pub(crate) struct Budget {
    pub(crate) per_second: f64,
    pub(crate) per_day: i64,
    pub(crate) used_last_24h: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) held_until: Option<OffsetDateTime>,
    /// `rate_limited` or `daily_budget_spent`.
    pub(crate) held_reason: Option<String>,
    /// The share of a backfill is spent: it goes on at this moment at the earliest.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) backfill_held_until: Option<OffsetDateTime>,
}

/// What went wrong last.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GongError)]
pub(crate) struct ErrorView {
    pub(crate) code: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) at: OffsetDateTime,
    /// The cause in plain words.
    pub(crate) message: String,
}

impl GongView {
    /// Reads how the connection of the transaction's organization stands.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub(crate) async fn read(state: &AppState, tx: &mut Tx) -> Result<Self, Problem> {
        let now = state.ambient.now();
        let defaults = &state.defaults;
        let mut view = match connector::current(tx).await? {
            Some(connection) => Self::known(state, tx, connection).await?,
            None => Self::never(defaults),
        };
        view.connecting_until = connector::connecting_until(tx, now).await?;
        if view.connecting_until.is_some() {
            view.status = ConnectionStatus::Connecting.as_str();
        }
        Ok(view)
    }

    async fn known(state: &AppState, tx: &mut Tx, connection: Connection) -> Result<Self, Problem> {
        let (now, defaults) = (state.ambient.now(), &state.defaults);
        let id = connection.id;
        let schedule = ingest::schedule(tx, id, defaults).await?;
        let backfill = ingest::backfill_progress(tx, id, now).await?;
        let counts = ingest::counts(tx, id).await?;
        let budget = ingest::budget(tx, id, defaults, now).await?;
        Ok(Self::of(connection, schedule, backfill, counts, budget, defaults))
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
            last_error: None,
        }
    }

    fn of(
        connection: Connection,
        schedule: Option<Schedule>,
        backfill: Option<Progress>,
        counts: Counts,
        budget: BudgetView,
        defaults: &Defaults,
    ) -> Self {
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
        let names: Vec<&str> =
            connection.workspaces.iter().map(|w| w.name.as_str()).filter(|name| !name.is_empty()).collect();
        let host = connection.api_base_url.trim_start_matches("https://").trim_end_matches('/');
        Self {
            name: if names.is_empty() { host.to_owned() } else { names.join(", ") },
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
