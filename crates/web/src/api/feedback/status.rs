//! `/api/v1/feedback/status`: how feedback stands.

use accounts::Permission;
use axum::{Json as Answer, extract::State};
use db::Tx;
use feedback::{Ledger, ModelUse};
use kernel::PostState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    AppState, Problem,
    api::{answers::Reading, posts::day},
    auth::ApiCaller,
};

/// How feedback stands.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FeedbackStatus {
    /// Whether a board exists, without which no post can be made.
    pub(crate) has_board: bool,
    /// Posts on boards.
    pub(crate) published: i64,
    /// Posts that wait for review.
    pub(crate) review: i64,
    pub(crate) calls: LedgerView,
    /// What models cost in this month so far, in millionths of a dollar.
    pub(crate) spent_micros: i64,
    /// What they may cost in a month; null: no end.
    pub(crate) monthly_cap_micros: Option<i64>,
    /// What models used, the newest month first.
    pub(crate) usage: Vec<UsageView>,
}

/// How many calls stand where.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FeedbackCalls)]
pub(crate) struct LedgerView {
    /// To be looked at.
    pub(crate) wanted: i64,
    /// With feedback.
    pub(crate) done: i64,
    /// Without.
    pub(crate) discarded: i64,
    /// Waiting for `no_board`, `monthly_cap`, `no_model` or `switched_off`.
    pub(crate) waiting: Vec<Reason>,
    /// Given up.
    pub(crate) failed: Vec<Reason>,
}

/// Calls with one reason.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FeedbackReason)]
pub(crate) struct Reason {
    pub(crate) reason: String,
    pub(crate) calls: i64,
}

/// What a model used in one month.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ModelUsage)]
pub(crate) struct UsageView {
    /// The first day of the month.
    #[schema(value_type = String, format = Date, example = "2026-03-01")]
    month: String,
    model: String,
    /// How often it was asked.
    asks: i64,
    input_tokens: i64,
    output_tokens: i64,
    /// Millionths of a dollar.
    cost_micros: i64,
}

impl From<Ledger> for LedgerView {
    fn from(ledger: Ledger) -> Self {
        let reasons = |all: Vec<(String, i64)>| {
            all.into_iter().map(|(reason, calls)| Reason { reason, calls }).collect()
        };
        Self {
            wanted: ledger.wanted,
            done: ledger.done,
            discarded: ledger.discarded,
            waiting: reasons(ledger.waiting),
            failed: reasons(ledger.failed),
        }
    }
}

impl From<ModelUse> for UsageView {
    fn from(one: ModelUse) -> Self {
        Self {
            month: day(one.month),
            model: one.model,
            asks: one.asks,
            input_tokens: one.input,
            output_tokens: one.output,
            cost_micros: one.cost,
        }
    }
}

impl FeedbackStatus {
    /// Reads how it stands.
    pub(crate) async fn read(state: &AppState, tx: &mut Tx) -> Result<Self, Problem> {
        let counts = feedback::post_counts(tx).await?;
        let of =
            |state: PostState| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
        Ok(Self {
            has_board: feedback::has_board(tx).await?,
            published: of(PostState::Published),
            review: of(PostState::Review),
            calls: feedback::ledger(tx).await?.into(),
            spent_micros: feedback::spent(tx, &*state.ambient).await?,
            monthly_cap_micros: feedback::settings(tx).await?.monthly_cap,
            usage: feedback::usage(tx).await?.into_iter().map(UsageView::from).collect(),
        })
    }
}

/// How feedback stands: calls, posts, what models used.
#[utoipa::path(
    get, path = "/api/v1/feedback/status", tag = "feedback", operation_id = "getFeedbackStatus",
    responses((status = 200, description = "How it stands.", body = FeedbackStatus), Reading),
)]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Answer<FeedbackStatus>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    Ok(Answer(FeedbackStatus::read(&state, &mut tx).await?))
}
