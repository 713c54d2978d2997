//! The Gong settings page in all its states, and its live panel.

use accounts::Permission;
use axum::{extract::State, response::Response};
use connector::AuthKind;
use db::Tx;
use ingest::{RunLine, ScheduleChange};
use kernel::{ConnectionStatus, Lookback, RunKind, RunState, UserId};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    chart,
    gong_forms::{self, OFFERED},
    gong_leave::effects,
    scopes,
    standing::{self, Standing, pill},
    view::{
        figures,
        gong::{
            ConnectPage, ConnectionPage, Ended, Estimate, HistoryChoice, IntegrationsPage, KeyForm, RunRow,
            SettingsForm,
        },
        icon::Icon,
        moment::Moment,
        shell::{Callout, Here, Pill, Tone},
    },
    visit::{Visit, page},
};
use crate::{
    AppState, Problem, actor,
    auth::SignedIn,
    extract::Search,
    gong_settings::{self, GongSettings},
    messages,
};

const RUNS: i64 = 12;

/// What a form that was not accepted wants to have shown again.
#[derive(Debug, Default)]
pub(super) struct Again {
    pub(super) history: Option<HistoryChoice>,
    pub(super) key: Option<KeyForm>,
    pub(super) problem: Option<Callout>,
    /// What was refused in the settings.
    pub(super) settings: Option<Problem>,
    /// What was sent from settings that somebody else changed meanwhile.
    pub(super) late: Option<ScheduleChange>,
}

/// The page in either of its two forms.
pub(super) enum GongPage {
    /// Nothing is connected.
    Connect(Box<ConnectPage>),
    /// Something is.
    Connection(Box<ConnectionPage>),
}

impl GongPage {
    /// The page as an answer.
    pub(super) fn answer(&self, status: http::StatusCode) -> Result<Response, Problem> {
        match self {
            Self::Connect(connect) => super::visit::page_with(status, &**connect),
            Self::Connection(connection) => super::visit::page_with(status, &**connection),
        }
    }
}

/// `GET /settings/integrations/gong`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    build(&state, &visit, &person, Again::default()).await?.answer(http::StatusCode::OK)
}

/// The page with what it shows at this moment.
pub(super) async fn build(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    again: Again,
) -> Result<GongPage, Problem> {
    person.require(state, Permission::ViewConnection).await?;
    let mut tx = person.begin(state).await?;
    let standing = Standing::read(state, &mut tx).await?;
    let live = standing.as_ref().is_some_and(|s| s.connection.status != ConnectionStatus::Disconnected);
    match standing {
        Some(standing) if live => {
            let page = connection_page(state, visit, person, &mut tx, standing, again).await?;
            Ok(GongPage::Connection(Box::new(page)))
        }
        ended => {
            let page = connect_page(state, visit, person, &mut tx, ended, again).await?;
            Ok(GongPage::Connect(Box::new(page)))
        }
    }
}

async fn known(state: &AppState, tx: &mut Tx, days: Lookback) -> Result<Estimate, Problem> {
    let connection = connector::current(tx).await?.map(|c| c.id);
    let known = ingest::estimate(tx, connection, days, &state.defaults, state.ambient.now()).await?;
    Ok(gong_forms::estimate(&known))
}

async fn offered(state: &AppState, tx: &mut Tx, on: bool) -> Result<HistoryChoice, Problem> {
    let days = Lookback::days(OFFERED).unwrap_or(Lookback::MOST);
    let estimate = known(state, tx, days).await?;
    Ok(gong_forms::history_choice(on, OFFERED.to_string(), None, estimate))
}

async fn connect_page(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    tx: &mut Tx,
    ended: Option<Standing>,
    again: Again,
) -> Result<ConnectPage, Problem> {
    let now = state.ambient.now();
    let history = match again.history {
        Some(history) => history,
        None => offered(state, tx, ended.is_none()).await?,
    };
    let never =
        Pill { tone: Tone::Calm, icon: Icon::Off, word: "disconnected", label: "Not connected yet".into() };
    let redirect_uri = state.public_url.join("/api/integrations/gong/callback");
    let connecting_until = connector::connecting_until(tx, now).await?;
    Ok(ConnectPage {
        frame: visit.frame(person, Here::Integrations),
        pill: match connecting_until {
            Some(_) => pill(ConnectionStatus::Connecting),
            None => ended.as_ref().map_or(never, |s| pill(s.connection.status)),
        },
        connecting_until: connecting_until.map(|until| Moment::new(until, now)),
        ended: ended.map(|s| Ended {
            at: s.connection.disconnected_at.map(|at| Moment::new(at, now)),
            company: (!s.connection.workspaces.is_empty()).then(|| standing::company(&s.connection)),
            calls: figures::of(s.counts.calls(), "call", "calls"),
        }),
        problem: again.problem,
        no_board: !feedback::has_board(tx).await?,
        may_manage: person.may(Permission::ManageConnection),
        scopes: scopes::scopes(None),
        redirect_uri: redirect_uri.map(String::from).unwrap_or_default(),
        history,
        key: again.key.unwrap_or_default(),
        poll_every: figures::interval(i64::try_from(state.defaults.poll_every.as_secs()).unwrap_or(0)),
    })
}

async fn connection_page(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    tx: &mut Tx,
    standing: Standing,
    again: Again,
) -> Result<ConnectionPage, Problem> {
    let now = state.ambient.now();
    let id = standing.connection.id;
    let history = match again.history {
        Some(history) => history,
        None => offered(state, tx, true).await?,
    };
    let runs = ingest::recent_runs(tx, id, RUNS).await?;
    let connected_by = connected_by(person, tx, standing.connection.connected_by).await?;
    let mut settings = settings_form(state, tx, &standing).await?;
    if let Some(sent) = &again.late {
        let line = gong_settings::last_change(tx, &standing.connection).await?;
        let who = line.as_ref().map_or_else(|| "Somebody".to_owned(), actor::who);
        settings = settings.kept(sent, who, line.map(|line| Moment::new(line.at, now)));
    }
    let mut panel = standing.panel(person, now);
    panel.problems.extend(again.problem);
    let connection = &standing.connection;
    Ok(ConnectionPage {
        frame: visit.frame(person, Here::Integrations),
        panel,
        no_board: !feedback::has_board(tx).await?,
        may_manage: person.may(Permission::ManageConnection),
        history,
        backfilling: standing.backfilling(),
        budget: chart::draw(&standing.budget, now),
        settings: again.settings.iter().fold(settings, SettingsForm::told),
        runs: runs.into_iter().map(|run| run_row(run, now)).collect(),
        scopes: scopes::scopes(Some(connection)),
        by_key: connection.auth_kind == AuthKind::AccessKey,
        connected_at: Moment::new(connection.connected_at, now),
        connected_by,
        token_expires: connection.token_expires_at.map(|at| Moment::new(at, now)),
        api_base_url: connection.api_base_url.clone(),
        workspaces: connection
            .workspaces
            .iter()
            .map(|w| w.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        disconnect: effects(standing.counts.calls(), None),
        help: messages::troubleshooting().map(|m| (m.title, m.cause)).collect(),
    })
}

/// Who connected it, for those who may see the members.
async fn connected_by(
    person: &SignedIn,
    tx: &mut Tx,
    user: Option<UserId>,
) -> Result<Option<String>, Problem> {
    if !person.may(Permission::ViewMembers) {
        return Ok(None);
    }
    let Some(user) = user else { return Ok(Some("an API key".into())) };
    let address = accounts::address_of(tx, user).await?;
    Ok(Some(address.unwrap_or_else(|| "a removed user".into())))
}

/// Workspaces that Gong named, and those that only calls name.
async fn settings_form(state: &AppState, tx: &mut Tx, standing: &Standing) -> Result<SettingsForm, Problem> {
    let mut workspaces: Vec<(String, String)> =
        standing.connection.workspaces.iter().map(|w| (w.id.clone(), named(&w.id, &w.name))).collect();
    for id in ingest::workspace_ids(tx, standing.connection.id).await? {
        if !workspaces.iter().any(|(known, _)| *known == id) {
            workspaces.push((id.clone(), named(&id, "")));
        }
    }
    let version = GongSettings::read(tx, &standing.connection).await?.version().as_str().to_owned();
    Ok(gong_forms::settings(standing.schedule.as_ref(), &state.defaults, &workspaces, version))
}

fn named(id: &str, name: &str) -> String {
    if name.is_empty() { format!("Workspace {id}") } else { name.to_owned() }
}

fn run_row(run: RunLine, now: OffsetDateTime) -> RunRow {
    let (tone, icon) = match run.state {
        RunState::Running => (Tone::Busy, Icon::Sync),
        RunState::Done => (Tone::Good, Icon::Check),
        RunState::Cancelled => (Tone::Calm, Icon::Close),
        RunState::Failed => (Tone::Bad, Icon::Stop),
    };
    let took = run.finished_at.map(|at| (at - run.created_at).whole_seconds());
    RunRow {
        kind: match run.kind {
            RunKind::Poll => "Poll",
            RunKind::Backfill => "History",
            RunKind::Sweep => "Daily re-check",
        },
        pill: Pill { tone, icon, word: run.state.as_str(), label: run.state.to_string() },
        started: Moment::new(run.created_at, now),
        took: took.map_or_else(|| "under way".into(), |seconds| format!("took {}", figures::length(seconds))),
        listed: figures::count(run.listed),
        new: figures::count(run.calls_new),
        private: figures::count(run.skipped_private),
        requests: figures::count(run.requests),
        problem: run
            .error_code
            .as_deref()
            .map(|code| messages::title(code).unwrap_or("Something failed").to_owned()),
    }
}

/// `GET /settings/integrations/gong/panel`
pub(super) async fn panel(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewConnection).await?;
    let mut tx = person.begin(&state).await?;
    let standing = Standing::read(&state, &mut tx).await?;
    let standing = standing.ok_or_else(|| Problem::not_found("Gong connection"))?;
    page(&standing.panel(&person, state.ambient.now()))
}

/// The days to estimate for.
#[derive(Debug, Deserialize)]
pub(super) struct Days {
    #[serde(default)]
    history_days: String,
}

/// `GET /settings/integrations/gong/estimate`
pub(super) async fn estimate(
    State(state): State<AppState>,
    person: SignedIn,
    Search(asked): Search<Days>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewConnection).await?;
    let Ok(days) = gong_forms::days(&asked.history_days) else { return page(&gong_forms::no_estimate()) };
    let mut tx = person.begin(&state).await?;
    page(&known(&state, &mut tx, days).await?)
}

/// `GET /settings/integrations`
pub(super) async fn integrations(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewConnection).await?;
    let now = state.ambient.now();
    let mut tx = person.begin(&state).await?;
    let standing = Standing::read(&state, &mut tx).await?;
    let status = standing.as_ref().map_or(ConnectionStatus::Disconnected, |s| s.connection.status);
    let detail = match &standing {
        None => {
            "Brings in recorded customer calls with their transcripts. Read-only; private calls stay out."
                .to_owned()
        }
        Some(standing) => {
            let calls = figures::of(standing.counts.calls(), "call", "calls");
            let company = standing::company(&standing.connection);
            let last = standing.schedule.as_ref().and_then(|s| s.last_poll_at);
            let looked =
                last.map(|at| format!("; last look {}", Moment::new(at, now).relative())).unwrap_or_default();
            format!("{calls} from {company}{looked}.")
        }
    };
    page(&IntegrationsPage {
        frame: visit.frame(&person, Here::Integrations),
        pill: pill(status),
        detail,
        connected: status != ConnectionStatus::Disconnected,
    })
}
