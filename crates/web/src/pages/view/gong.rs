//! The Gong settings page in all its states, its live panel, and the disconnect and problem pages.

use askama::Template;

use super::{
    icon::Icon,
    moment::Moment,
    shell::{Callout, Frame, Pill},
};

/// A scope that is asked for, why, and whether it was granted.
#[derive(Debug, Clone)]
pub(crate) struct ScopeLine {
    pub(crate) name: &'static str,
    pub(crate) reason: String,
    /// `None` before anything was granted.
    pub(crate) granted: Option<bool>,
}

/// What is known about the cost of bringing in history.
#[derive(Template, Debug, Clone)]
#[template(path = "gong/estimate.html")]
pub(crate) struct Estimate {
    pub(crate) days: i64,
    pub(crate) lines: Vec<String>,
    /// Instead of lines, when the number of days is not one.
    pub(crate) error: Option<&'static str>,
}

/// The choice of history with what was typed.
#[derive(Debug, Clone)]
pub(crate) struct HistoryChoice {
    pub(crate) on: bool,
    pub(crate) days: String,
    pub(crate) error: Option<String>,
    pub(crate) estimate: Estimate,
}

/// The form for an access key, with what was typed (never the secret).
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyForm {
    pub(crate) open: bool,
    pub(crate) access_key: String,
    pub(crate) base_url: String,
    pub(crate) key_error: Option<String>,
    pub(crate) secret_error: Option<String>,
    pub(crate) base_url_error: Option<String>,
}

/// The connection that ended, on the page that offers a new one.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) at: Option<Moment>,
    pub(crate) company: Option<String>,
    pub(crate) calls: String,
}

/// Never connected, or disconnected: how to connect.
#[derive(Template)]
#[template(path = "gong/connect.html")]
pub(crate) struct ConnectPage {
    pub(crate) frame: Frame,
    pub(crate) pill: Pill,
    /// Until when Gong's answer to a connect request is awaited.
    pub(crate) connecting_until: Option<Moment>,
    pub(crate) ended: Option<Ended>,
    pub(crate) problem: Option<Callout>,
    /// Whether a board is missing, without which no call becomes a post.
    pub(crate) no_board: bool,
    pub(crate) may_manage: bool,
    pub(crate) scopes: Vec<ScopeLine>,
    pub(crate) redirect_uri: String,
    pub(crate) history: HistoryChoice,
    pub(crate) key: KeyForm,
    pub(crate) poll_every: String,
}

/// How far a backfill is.
#[derive(Debug, Clone)]
pub(crate) struct ProgressView {
    /// The word of the run's state.
    pub(crate) state: &'static str,
    pub(crate) title: String,
    pub(crate) running: bool,
    /// From 0 to 100, for the bar.
    pub(crate) value: String,
    pub(crate) percent: String,
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    pub(crate) listed: String,
    pub(crate) total: Option<String>,
    pub(crate) transcripts: String,
    pub(crate) transcripts_open: String,
    pub(crate) private: String,
    pub(crate) rate: String,
    pub(crate) remaining: String,
    pub(crate) requests: String,
    pub(crate) started: Moment,
    pub(crate) finished: Option<Moment>,
}

/// Calls by the state of their transcript.
#[derive(Debug, Clone)]
pub(crate) struct CountsView {
    pub(crate) calls: String,
    pub(crate) stored: String,
    /// Wanted and waiting together.
    pub(crate) waiting: String,
    pub(crate) gave_up: String,
    pub(crate) private: String,
}

/// What changes by itself: status, problems, progress, counts.
#[derive(Template, Debug, Clone)]
#[template(path = "gong/panel.html")]
pub(crate) struct Panel {
    /// Changes whenever more than numbers and times change.
    pub(crate) shape: String,
    pub(crate) pill: Pill,
    pub(crate) facts: Vec<Pill>,
    pub(crate) problems: Vec<Callout>,
    pub(crate) may_manage: bool,
    pub(crate) may_poll: bool,
    pub(crate) company: String,
    pub(crate) last_poll: Option<Moment>,
    /// What to say where there was no look yet.
    pub(crate) no_poll: &'static str,
    pub(crate) next_poll: Option<Moment>,
    pub(crate) poll_every: String,
    pub(crate) progress: Option<ProgressView>,
    pub(crate) counts: CountsView,
    pub(crate) working: bool,
}

/// One hour of the budget chart, in units of the drawing.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) x: i64,
    pub(crate) history_y: i64,
    pub(crate) history_height: i64,
    pub(crate) fresh_y: i64,
    pub(crate) fresh_height: i64,
}

/// One hour of the budget in words.
#[derive(Debug, Clone)]
pub(crate) struct HourLine {
    pub(crate) hour: String,
    pub(crate) fresh: String,
    pub(crate) history: String,
}

/// Requests to Gong over 24 hours.
#[derive(Debug, Clone)]
pub(crate) struct BudgetPanel {
    pub(crate) used: String,
    pub(crate) per_day: String,
    pub(crate) left: String,
    pub(crate) per_second: String,
    pub(crate) value: i64,
    pub(crate) most: i64,
    pub(crate) tight: bool,
    pub(crate) bars: Vec<Bar>,
    pub(crate) summary: String,
    pub(crate) first_hour: String,
    pub(crate) last_hour: String,
    pub(crate) hours: Vec<HourLine>,
}

/// A choice in a list.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

/// The settings of a living connection.
#[derive(Debug, Clone)]
pub(crate) struct SettingsForm {
    pub(crate) poll_every: Vec<Choice>,
    pub(crate) poll_error: Option<String>,
    pub(crate) overlap: Vec<Choice>,
    pub(crate) overlap_error: Option<String>,
    pub(crate) all_workspaces: bool,
    pub(crate) workspaces: Vec<Choice>,
    pub(crate) workspaces_error: Option<String>,
    /// Which settings the form was made from.
    pub(crate) version: String,
    /// Somebody else was faster.
    pub(crate) conflict: Option<Conflict>,
}

/// What somebody else changed while a form was open.
#[derive(Debug, Clone)]
pub(crate) struct Conflict {
    pub(crate) who: String,
    pub(crate) at: Option<Moment>,
    /// What differs between the settings now and the form.
    pub(crate) differs: Vec<String>,
}

/// One finished or running look at Gong.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) kind: &'static str,
    pub(crate) pill: Pill,
    pub(crate) started: Moment,
    pub(crate) took: String,
    pub(crate) listed: String,
    pub(crate) new: String,
    pub(crate) private: String,
    pub(crate) requests: String,
    pub(crate) problem: Option<String>,
}

/// What to do with a connection that exists.
#[derive(Template)]
#[template(path = "gong/connection.html")]
pub(crate) struct ConnectionPage {
    pub(crate) frame: Frame,
    pub(crate) panel: Panel,
    /// Whether a board is missing, without which no call becomes a post.
    pub(crate) no_board: bool,
    pub(crate) may_manage: bool,
    pub(crate) history: HistoryChoice,
    pub(crate) backfilling: bool,
    pub(crate) budget: BudgetPanel,
    pub(crate) settings: SettingsForm,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) scopes: Vec<ScopeLine>,
    pub(crate) by_key: bool,
    pub(crate) connected_at: Moment,
    /// Only for those who may see the members.
    pub(crate) connected_by: Option<String>,
    pub(crate) token_expires: Option<Moment>,
    pub(crate) api_base_url: String,
    pub(crate) workspaces: Vec<String>,
    pub(crate) disconnect: Disconnect,
    /// Questions that come up, with their answers.
    pub(crate) help: Vec<(&'static str, &'static str)>,
}

/// What disconnecting will do, and the typed confirmation.
#[derive(Debug, Clone)]
pub(crate) struct Disconnect {
    pub(crate) effects: Vec<(Icon, String)>,
    pub(crate) error: Option<&'static str>,
}

/// The same as the dialog, for browsers without script.
#[derive(Template)]
#[template(path = "gong/disconnect.html")]
pub(crate) struct DisconnectPage {
    pub(crate) frame: Frame,
    pub(crate) disconnect: Disconnect,
}

/// Why connecting did not work, and the one thing to do.
#[derive(Template)]
#[template(path = "gong/problem.html")]
pub(crate) struct ConnectProblemPage {
    pub(crate) frame: Frame,
    pub(crate) problem: Callout,
    pub(crate) request_id: String,
}

/// One line of the list of integrations.
#[derive(Template)]
#[template(path = "integrations.html")]
pub(crate) struct IntegrationsPage {
    pub(crate) frame: Frame,
    pub(crate) pill: Pill,
    pub(crate) detail: String,
    pub(crate) connected: bool,
}
