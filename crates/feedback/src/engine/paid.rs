//! Stages one to three of one try, each stored before the next begins.

use std::time::Duration;

use db::{Db, Tx};
use kernel::Scope;
use models::Usage;
use serde_json::json;

use super::{Engine, Run, Task};
use crate::{
    FeedbackError, Item,
    analyze::{Analyzer, Detection},
    conversation::Conversation,
    store::{ledger, stages},
};

impl Engine {
    /// Stage one and two, or what they left before.
    pub(super) async fn detect(
        &self,
        db: &Db,
        scope: &Scope,
        task: &Task,
        talk: &Conversation,
        analyzer: &dyn Analyzer,
        run: &Run,
    ) -> Result<Detection, FeedbackError> {
        let mut tx = db.begin(scope).await?;
        let known = stages::output(&mut tx, task.call, "detect", &run.hash, &run.made_by).await?;
        tx.commit().await?;
        if let Some(known) = known.and_then(|known| serde_json::from_value(known).ok()) {
            return Ok(known);
        }
        let began = tokio::time::Instant::now();
        let (detection, usage) = analyzer.detect(talk).await?;
        let ours = talk.speakers.iter().filter(|speaker| speaker.side == kernel::Side::Us).count();
        let normalized = json!({ "speakers": talk.speakers.len(), "of_us": ours, "turns": talk.turns.len(),
            "sentences": talk.turns.iter().map(|turn| turn.sentences.len()).sum::<usize>() });
        let tx = db.begin(scope).await?;
        let why = "The transcript and its parties were made one conversation.";
        let left = run.left("normalize", normalized, why, None, Usage::default(), Duration::ZERO, self);
        let output = serde_json::to_value(&detection).unwrap_or_default();
        let detected =
            run.left("detect", output, &detection.why, Some(detection.score), usage, began.elapsed(), self);
        self.keep(tx, task, run, &[left, detected], usage).await?;
        Ok(detection)
    }

    /// Stage three, or what it left before.
    #[expect(clippy::too_many_arguments, reason = "a stage needs what all stages before it left")]
    pub(super) async fn extract(
        &self,
        db: &Db,
        scope: &Scope,
        task: &Task,
        talk: &Conversation,
        detection: &Detection,
        analyzer: &dyn Analyzer,
        run: &Run,
    ) -> Result<Vec<Item>, FeedbackError> {
        let mut tx = db.begin(scope).await?;
        let known = stages::output(&mut tx, task.call, "extract", &run.hash, &run.made_by).await?;
        tx.commit().await?;
        if let Some(known) = known.and_then(|known| serde_json::from_value(known).ok()) {
            return Ok(known);
        }
        let began = tokio::time::Instant::now();
        let (items, usage) = analyzer.extract(talk, detection, &run.house).await?;
        let why = match items.len() {
            0 => "No passage holds something that a product manager could act on.".to_owned(),
            1 => "One distinct wish, with its words found in the transcript.".to_owned(),
            n => format!("{n} distinct wishes, each with its words found in the transcript."),
        };
        let tx = db.begin(scope).await?;
        let output = serde_json::to_value(&items).unwrap_or_default();
        let left = run.left("extract", output, &why, None, usage, began.elapsed(), self);
        self.keep(tx, task, run, &[left], usage).await?;
        Ok(items)
    }

    /// Stores what stages left, unless the call changed or went meanwhile; what a model used is counted all the same.
    async fn keep(
        &self,
        mut tx: Tx,
        task: &Task,
        run: &Run,
        left: &[stages::Left<'_>],
        usage: Usage,
    ) -> Result<(), FeedbackError> {
        let held = ledger::hold(&mut tx, &task.taken).await?;
        for left in left.iter().filter(|_| held) {
            stages::store(&mut tx, task.call, left).await?;
        }
        self.count(&mut tx, &run.analyzer, usage).await?;
        tx.commit().await?;
        if held { Ok(()) } else { Err(FeedbackError::Changed) }
    }
}
