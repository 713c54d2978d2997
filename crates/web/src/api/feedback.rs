//! `/api/v1/feedback` and `/api/v1/calls/{id}/feedback`: how feedback is made, how it stands, and what happened to one call.

pub(crate) mod settings;
pub(crate) mod status;

use accounts::Permission;
use axum::{Json as Answer, extract::State};
use feedback::Trace;
use http::StatusCode;
use kernel::CallId;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::answers::{ReadingOne, Writing};
use crate::{AppState, Problem, auth::ApiCaller, extract::Ids, feedback as doing};

/// What happened to a call, stage by stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallFeedback {
    /// `wanted`, `waiting`, `done`, `discarded` or `failed`.
    state: String,
    /// Why it waits, was discarded or failed.
    reason: Option<String>,
    /// What looked at it.
    made_by: Option<String>,
    /// How many wishes it holds.
    items: i32,
    /// How often it was tried.
    tries: i32,
    /// When it is looked at next, while it is wanted or waits.
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
    /// When its transcript was stored.
    #[serde(with = "time::serde::rfc3339")]
    stored_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// In order: `normalize`, `detect`, `extract`, `deduplicate`, `organize`, as far as it came.
    stages: Vec<StageView>,
    /// Why there is a post from this call, or why there is none, one sentence a step.
    explained: Vec<String>,
}

/// What one stage left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackStage)]
pub(crate) struct StageView {
    name: String,
    made_by: String,
    /// What it left; its shape may change with `made_by`.
    output: serde_json::Value,
    /// Why, in words.
    why: String,
    score: Option<f32>,
    /// Tokens that a model read.
    input_tokens: u64,
    /// Tokens that a model wrote.
    output_tokens: u64,
    /// Millionths of a dollar.
    cost_micros: i64,
    took_ms: i32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl CallFeedback {
    fn of(trace: Trace, explained: Vec<String>) -> Self {
        let stage = |stage: feedback::Stage| StageView {
            name: stage.name,
            made_by: stage.made_by,
            output: stage.output,
            why: stage.why,
            score: stage.score,
            input_tokens: stage.usage.input,
            output_tokens: stage.usage.output,
            cost_micros: stage.cost,
            took_ms: stage.took_ms,
            at: stage.at,
        };
        Self {
            state: trace.state,
            reason: trace.reason,
            made_by: trace.made_by,
            items: trace.items,
            tries: trace.tries,
            due_at: trace.due_at,
            stored_at: trace.stored_at,
            finished_at: trace.finished_at,
            stages: trace.stages.into_iter().map(stage).collect(),
            explained,
        }
    }
}

/// What happened to a call, stage by stage.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/feedback", tag = "feedback", operation_id = "getCallFeedback",
    params(("id" = String, Path, description = "Our id of the call.")),
    responses((status = 200, description = "What happened.", body = CallFeedback), ReadingOne),
)]
pub(crate) async fn trace(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<CallId>,
) -> Result<Answer<CallFeedback>, Problem> {
    caller.require(&state, Permission::ViewFeedback).await?;
    let mut tx = caller.begin(&state).await?;
    let trace = feedback::trace(&mut tx, id).await?.ok_or_else(|| Problem::not_found("call"))?;
    let explained = feedback::explain(&mut tx, id).await?;
    Ok(Answer(CallFeedback::of(trace, explained)))
}

/// Have a call looked at again that was given up.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/feedback/retry", tag = "feedback", operation_id = "retryCallFeedback",
    params(("id" = String, Path, description = "Our id of the call.")),
    responses((status = 202, description = "It is looked at again."), Writing),
)]
pub(crate) async fn retry(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<CallId>,
) -> Result<StatusCode, Problem> {
    doing::retry(&state, &caller, id).await?;
    Ok(StatusCode::ACCEPTED)
}
