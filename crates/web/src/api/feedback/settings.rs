//! `/api/v1/feedback/settings`: how feedback is made, with a version; and what other thresholds would have done.

use accounts::Permission;
use axum::{Json as Answer, extract::State, response::Response};
use feedback::{Settings, Thresholds};
use http::StatusCode;
use kernel::{AnalyzerKind, BoardId, FeedbackMode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState, Problem,
    api::{
        answers::{Listing, Reading, Writing},
        posts::word,
    },
    auth::ApiCaller,
    conditional::IfMatch,
    extract::{Json, Search, present},
    feedback as doing,
};

/// What things are called here.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedbackVocabulary)]
pub(crate) struct VocabularyView {
    /// Names of the organization's own products.
    #[serde(default)]
    #[schema(max_items = 100)]
    products: Vec<String>,
    /// Names of competitors.
    #[serde(default)]
    #[schema(max_items = 100)]
    competitors: Vec<String>,
    /// Domains of the organization's own addresses: who has one of them is no customer.
    #[serde(default)]
    #[schema(max_items = 100)]
    domains: Vec<String>,
}

/// How feedback is made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedbackSettings {
    /// `automatic`: published at once. `approval`: nothing is published before somebody said yes.
    mode: &'static str,
    /// `off`, `basic` (in this installation, without a language model) or `model`.
    analyzer: &'static str,
    /// Whether tags that are not on the list may be added.
    may_add_tags: bool,
    /// From which likeness on a wish joins a post; null: `usual_join_at`.
    join_at: Option<f32>,
    /// From which likeness on somebody is asked; null: `usual_ask_at`.
    ask_at: Option<f32>,
    /// What is right for the model for likeness.
    usual_join_at: f32,
    usual_ask_at: f32,
    vocabulary: VocabularyView,
    /// Where posts hang; null: the oldest board.
    default_board: Option<String>,
    /// Millionths of a dollar that models may cost in a month; null: no end.
    monthly_cap_micros: Option<i64>,
    /// The language model of this installation; null where there is none.
    language_model: Option<String>,
}

impl FeedbackSettings {
    fn of(state: &AppState, settings: Settings) -> Self {
        let usual = state.feedback.thresholds;
        let vocabulary = settings.vocabulary;
        Self {
            mode: settings.mode.as_str(),
            analyzer: settings.analyzer.as_str(),
            may_add_tags: settings.may_add_tags,
            join_at: settings.join_at,
            ask_at: settings.ask_at,
            usual_join_at: usual.join_at,
            usual_ask_at: usual.ask_at,
            vocabulary: VocabularyView {
                products: vocabulary.products,
                competitors: vocabulary.competitors,
                domains: vocabulary.domains,
            },
            default_board: settings.default_board.map(|board| board.to_string()),
            monthly_cap_micros: settings.monthly_cap,
            language_model: state.feedback.language_model.clone(),
        }
    }
}

fn versioned(state: &AppState, settings: Settings) -> Response {
    doing::settings_version(&settings).on(Answer(FeedbackSettings::of(state, settings)))
}

/// How feedback is made, with an ETag.
#[utoipa::path(
    get, path = "/api/v1/feedback/settings", tag = "feedback", operation_id = "getFeedbackSettings",
    responses((status = 200, description = "The settings.", body = FeedbackSettings), Reading),
)]
pub(crate) async fn show(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    caller.require(&state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    let settings = feedback::settings(&mut tx).await?;
    Ok(versioned(&state, settings))
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedbackSettingsChange)]
pub(crate) struct Change {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    analyzer: Option<String>,
    #[serde(default)]
    may_add_tags: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f32>, minimum = 0, maximum = 1)]
    join_at: Option<Option<f32>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f32>, minimum = 0, maximum = 1)]
    ask_at: Option<Option<f32>>,
    /// All of it that holds from now on.
    #[serde(default)]
    vocabulary: Option<VocabularyView>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    default_board: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    monthly_cap_micros: Option<Option<i64>>,
}

impl Change {
    fn change(self) -> Result<doing::SettingsChange, Problem> {
        let board = |text: String| {
            text.parse::<BoardId>().map_err(|_| Problem::field("default_board", "must be one of the boards"))
        };
        let vocabulary = |words: VocabularyView| feedback::Vocabulary {
            products: words.products,
            competitors: words.competitors,
            domains: words.domains,
        };
        if self.monthly_cap_micros.flatten().is_some_and(|cap| cap < 0) {
            return Err(Problem::field("monthly_cap_micros", "must not be negative"));
        }
        Ok(doing::SettingsChange {
            mode: word("mode", &self.mode, FeedbackMode::ALL)?,
            analyzer: word("analyzer", &self.analyzer, AnalyzerKind::ALL)?,
            may_add_tags: self.may_add_tags,
            join_at: self.join_at,
            ask_at: self.ask_at,
            vocabulary: self.vocabulary.map(vocabulary),
            default_board: self.default_board.map(|board_of| board_of.map(board).transpose()).transpose()?,
            monthly_cap: self.monthly_cap_micros,
        })
    }
}

/// Change how feedback is made. `If-Match` has to name the ETag of what was read.
#[utoipa::path(
    patch, path = "/api/v1/feedback/settings", tag = "feedback", operation_id = "changeFeedbackSettings",
    request_body = Change,
    responses((status = 200, description = "Changed.", body = FeedbackSettings), Writing),
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: ApiCaller,
    from: IfMatch,
    Json(body): Json<Change>,
) -> Result<Response, Problem> {
    caller.require(&state, Permission::ManageFeedback).await?;
    let from = from.required()?;
    let settings = doing::change_settings(&state, &caller, &from, body.change()?).await?;
    Ok(versioned(&state, settings))
}

/// Thresholds to try.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// From which likeness on a wish would join a post, 0 to 1; as it is set when left out.
    #[param(minimum = 0, maximum = 1)]
    #[serde(default)]
    join_at: Option<f32>,
    /// From which likeness on somebody would be asked, 0 to 1 and not above `join_at`; as it is set when left out.
    #[param(minimum = 0, maximum = 1)]
    #[serde(default)]
    ask_at: Option<f32>,
}

/// What other thresholds would have done with the wishes of the newest 20,000 calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackPreview)]
pub(crate) struct PreviewView {
    join_at: f32,
    ask_at: f32,
    /// Wishes that were compared with a post.
    compared: i64,
    /// That joined a post.
    joined: i64,
    /// About which somebody was asked.
    asked: i64,
    /// That would join a post.
    would_join: i64,
    /// About which somebody would be asked.
    would_ask: i64,
    /// That joined a post, and would not.
    would_part: i64,
}

/// Try thresholds: what they would have done. Nothing is changed.
#[utoipa::path(
    get, path = "/api/v1/feedback/settings/preview", tag = "feedback", operation_id = "previewFeedbackSettings",
    params(PreviewQuery),
    responses((status = 200, description = "What would change.", body = PreviewView), Listing),
)]
pub(crate) async fn preview(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<PreviewQuery>,
) -> Result<Answer<PreviewView>, Problem> {
    caller.require(&state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    let tried = doing::thresholds(&state, &mut tx, (query.join_at, query.ask_at)).await?;
    let preview = feedback::preview(&mut tx, tried).await?;
    let Thresholds { join_at, ask_at } = tried;
    Ok(Answer(PreviewView {
        join_at,
        ask_at,
        compared: preview.compared,
        joined: preview.joined,
        asked: preview.asked,
        would_join: preview.would_join,
        would_ask: preview.would_ask,
        would_part: preview.would_part,
    }))
}

/// How far back calls are looked at again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedbackAgain)]
pub(crate) struct Again {
    /// Days since their transcripts came in.
    #[schema(minimum = 1, maximum = 365)]
    days: i64,
}

/// How many calls are looked at again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackAgainStarted)]
pub(crate) struct AgainView {
    calls: u64,
}

/// Have the calls of the last days looked at again, as the settings are now: at most 20,000, the newest first. What people wrote,
/// merged and parted stays; a call for which nothing changed costs nothing.
#[utoipa::path(
    post, path = "/api/v1/feedback/again", tag = "feedback", operation_id = "lookAtCallsAgain",
    request_body = Again,
    responses((status = 202, description = "They are looked at again.", body = AgainView), Writing),
)]
pub(crate) async fn look_again(
    State(state): State<AppState>,
    caller: ApiCaller,
    Json(body): Json<Again>,
) -> Result<(StatusCode, Answer<AgainView>), Problem> {
    let calls = doing::look_again(&state, &caller, body.days).await?;
    Ok((StatusCode::ACCEPTED, Answer(AgainView { calls })))
}
