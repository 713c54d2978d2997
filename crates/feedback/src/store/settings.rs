//! Table `feedback_settings`.

use db::Tx;
use kernel::BoardId;
use sqlx::{FromRow, types::Json};

use crate::{FeedbackError, Settings, analyze::Vocabulary};

#[derive(FromRow)]
struct Row {
    mode: String,
    analyzer: String,
    may_add_tags: bool,
    join_at: Option<f32>,
    ask_at: Option<f32>,
    vocabulary: Json<Vocabulary>,
    default_board_id: Option<BoardId>,
    monthly_cap: Option<i64>,
    version: i32,
}

pub(crate) async fn load(tx: &mut Tx) -> Result<Settings, FeedbackError> {
    let row: Row = sqlx::query_as(
        "select mode, analyzer, may_add_tags, join_at, ask_at, vocabulary, default_board_id, monthly_cap, version
         from feedback_settings where organization_id = $1",
    )
    .bind(tx.scope().organization())
    .fetch_optional(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading the settings of feedback"))?
    .ok_or(FeedbackError::NotFound { what: "organization" })?;
    Ok(Settings {
        mode: row.mode.parse()?,
        analyzer: row.analyzer.parse()?,
        may_add_tags: row.may_add_tags,
        join_at: row.join_at,
        ask_at: row.ask_at,
        vocabulary: row.vocabulary.0,
        default_board: row.default_board_id,
        monthly_cap: row.monthly_cap,
        version: row.version,
    })
}

/// Stores settings when nobody was faster; false otherwise.
pub(crate) async fn store(tx: &mut Tx, new: &Settings) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "update feedback_settings set mode = $3, analyzer = $4, may_add_tags = $5, join_at = $6, ask_at = $7,
            vocabulary = $8, default_board_id = $9, monthly_cap = $10, version = version + 1, updated_at = now()
         where organization_id = $1 and version = $2",
    )
    .bind(tx.scope().organization())
    .bind(new.version)
    .bind(new.mode.as_str())
    .bind(new.analyzer.as_str())
    .bind(new.may_add_tags)
    .bind(new.join_at)
    .bind(new.ask_at)
    .bind(Json(&new.vocabulary))
    .bind(new.default_board)
    .bind(new.monthly_cap)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("storing the settings of feedback"))?;
    Ok(done.rows_affected() == 1)
}
