//! What one try at a call goes by.

use std::time::Duration;

use kernel::BoardId;
use models::{Embedder, Usage};
use time::{Date, OffsetDateTime};

use super::Engine;
use crate::{Settings, Thresholds, analyze::House, store::stages};

/// What all stages of one try share.
pub(super) struct Run {
    pub(super) hash: [u8; 32],
    pub(super) made_by: String,
    pub(super) analyzer: String,
    pub(super) board: BoardId,
    pub(super) thresholds: Thresholds,
    pub(super) settings: Settings,
    pub(super) house: House,
}

impl Run {
    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    pub(super) fn left<'a>(
        &'a self,
        stage: &'static str,
        output: serde_json::Value,
        why: &'a str,
        score: Option<f32>,
        usage: Usage,
        took: Duration,
        engine: &Engine,
    ) -> stages::Left<'a> {
        stages::Left {
            stage,
            hash: &self.hash,
            made_by: &self.made_by,
            output,
            why,
            score,
            usage,
            cost: engine.cost(usage),
            took_ms: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
            at: engine.ambient.now(),
        }
    }
}

pub(super) fn thresholds(settings: &Settings, embedder: &dyn Embedder) -> Thresholds {
    let usual = Thresholds::of(embedder.model());
    let join_at = settings.join_at.unwrap_or(usual.join_at);
    Thresholds { join_at, ask_at: settings.ask_at.unwrap_or(usual.ask_at).min(join_at) }
}

/// The first day of the month.
pub(super) fn month(now: OffsetDateTime) -> Date {
    now.date().replace_day(1).unwrap_or(now.date())
}
