//! Tables `feedback_stages` and `model_usage`.

use db::Tx;
use kernel::CallId;
use models::Usage;
use sqlx::{FromRow, types::Json};
use time::{Date, OffsetDateTime};

use crate::{FeedbackError, Preview, Thresholds};

/// What a stage left.
pub(crate) struct Left<'a> {
    pub(crate) stage: &'static str,
    pub(crate) hash: &'a [u8],
    pub(crate) made_by: &'a str,
    pub(crate) output: serde_json::Value,
    pub(crate) why: &'a str,
    pub(crate) score: Option<f32>,
    pub(crate) usage: Usage,
    pub(crate) cost: i64,
    pub(crate) took_ms: i32,
    pub(crate) at: OffsetDateTime,
}

pub(crate) async fn store(tx: &mut Tx, call: CallId, left: &Left<'_>) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into feedback_stages (call_id, organization_id, stage, content_hash, made_by, output, why, score,
            input_tokens, output_tokens, cost, took_ms, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (call_id, stage, content_hash) do update set made_by = excluded.made_by, output = excluded.output,
            why = excluded.why, score = excluded.score, input_tokens = excluded.input_tokens,
            output_tokens = excluded.output_tokens, cost = excluded.cost, took_ms = excluded.took_ms, at = excluded.at",
    )
    .bind(call)
    .bind(tx.scope().organization())
    .bind(left.stage)
    .bind(left.hash)
    .bind(left.made_by)
    .bind(Json(&left.output))
    .bind(left.why)
    .bind(left.score)
    .bind(i64::try_from(left.usage.input).unwrap_or(i64::MAX))
    .bind(i64::try_from(left.usage.output).unwrap_or(i64::MAX))
    .bind(left.cost)
    .bind(left.took_ms)
    .bind(left.at)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("storing what a stage left"))?;
    Ok(())
}

/// What a stage left for this content and this maker.
pub(crate) async fn output(
    tx: &mut Tx,
    call: CallId,
    stage: &'static str,
    hash: &[u8],
    made_by: &str,
) -> Result<Option<serde_json::Value>, FeedbackError> {
    let found: Option<Json<serde_json::Value>> = sqlx::query_scalar(
        "select output from feedback_stages
         where organization_id = $1 and call_id = $2 and stage = $3 and content_hash = $4 and made_by = $5",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(stage)
    .bind(hash)
    .bind(made_by)
    .fetch_optional(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading what a stage left"))?;
    Ok(found.map(|found| found.0))
}

/// What was left for other contents goes: it holds words that are no longer in the call.
pub(crate) async fn forget_others(tx: &mut Tx, call: CallId, hash: &[u8]) -> Result<(), FeedbackError> {
    sqlx::query(
        "delete from feedback_stages where organization_id = $1 and call_id = $2 and content_hash <> $3",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(hash)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("forgetting old stages"))?;
    Ok(())
}

/// A stage for who wants to know.
#[derive(FromRow)]
pub(crate) struct Line {
    pub(crate) stage: String,
    pub(crate) made_by: String,
    pub(crate) output: Json<serde_json::Value>,
    pub(crate) why: String,
    pub(crate) score: Option<f32>,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost: i64,
    pub(crate) took_ms: i32,
    pub(crate) at: OffsetDateTime,
}

pub(crate) async fn lines(tx: &mut Tx, call: CallId) -> Result<Vec<Line>, FeedbackError> {
    sqlx::query_as(
        "select stage, made_by, output, why, score, input_tokens, output_tokens, cost, took_ms, at from feedback_stages
         where organization_id = $1 and call_id = $2 order by at, stage limit 20",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading the stages of a call"))
}

/// Adds to what a model used in this month.
pub(crate) async fn used(
    tx: &mut Tx,
    month: Date,
    model: &str,
    usage: Usage,
    cost: i64,
) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into model_usage as u (organization_id, month, model, asks, input_tokens, output_tokens, cost)
         values ($1, $2, $3, 1, $4, $5, $6)
         on conflict (organization_id, month, model) do update set asks = u.asks + 1,
            input_tokens = u.input_tokens + excluded.input_tokens, output_tokens = u.output_tokens + excluded.output_tokens,
            cost = u.cost + excluded.cost",
    )
    .bind(tx.scope().organization())
    .bind(month)
    .bind(model)
    .bind(i64::try_from(usage.input).unwrap_or(i64::MAX))
    .bind(i64::try_from(usage.output).unwrap_or(i64::MAX))
    .bind(cost)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("counting what a model used"))?;
    Ok(())
}

/// What models cost in this month, in millionths of a dollar.
pub(crate) async fn spent(tx: &mut Tx, month: Date) -> Result<i64, FeedbackError> {
    sqlx::query_scalar(
        "select coalesce(sum(cost), 0)::bigint from model_usage where organization_id = $1 and month = $2",
    )
    .bind(tx.scope().organization())
    .bind(month)
    .fetch_one(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading what models cost"))
}

/// What each model used in the last months, the newest first.
pub(crate) async fn usage(tx: &mut Tx) -> Result<Vec<(Date, String, i64, i64, i64, i64)>, FeedbackError> {
    sqlx::query_as(
        "select month, model, asks, input_tokens, output_tokens, cost from model_usage
         where organization_id = $1 order by month desc, model limit 100",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading what models used"))
}

/// What other thresholds would have done with the wishes of the newest calls.
pub(crate) async fn preview(tx: &mut Tx, thresholds: Thresholds) -> Result<Preview, FeedbackError> {
    let (compared, joined, asked, would_join, would_ask, would_part): (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
        "with newest as (
            select output from feedback_stages where organization_id = $1 and stage = 'deduplicate' order by at desc limit 20000),
         wishes as (
            select w ->> 'verdict' as verdict, (w ->> 'near')::real as near
            from newest, jsonb_array_elements(case jsonb_typeof(output) when 'array' then output else '[]' end) w
            where jsonb_typeof(w -> 'near') = 'number')
         select count(*), count(*) filter (where verdict = 'join'), count(*) filter (where verdict = 'ask'),
            count(*) filter (where near >= $2), count(*) filter (where near >= $3 and near < $2),
            count(*) filter (where verdict = 'join' and near < $2)
         from wishes",
    )
    .bind(tx.scope().organization())
    .bind(thresholds.join_at)
    .bind(thresholds.ask_at)
    .fetch_one(&mut **tx)
    .await
    .map_err(FeedbackError::db("trying other thresholds"))?;
    Ok(Preview { compared, joined, asked, would_join, would_ask, would_part })
}
