//! How the Gong connection stands, read from both rooms at once: what the API answers, live events carry and pages show.

mod read;

pub(crate) use read::{Known, host, workspace_names};

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

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
    /// How many calls of this connection stand where.
    pub(crate) counts: CallCounts,
    /// The API budget of the Gong company.
    pub(crate) budget: Budget,
    /// When the access token ends; it is replaced before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) token_expires_at: Option<OffsetDateTime>,
    /// Since when there is doubt whether this key may see calls: none came for a week, though Gong has users.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) doubted_since: Option<OffsetDateTime>,
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
