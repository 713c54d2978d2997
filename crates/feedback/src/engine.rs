//! The five stages of one call, one after the other. What a stage left is stored before the next begins, so that a crash repeats
//! nothing that was paid for; the posts come last, in one transaction.

mod paid;
mod run;
mod together;

use std::{sync::Arc, time::Duration};

use db::{Db, Tx};
use kernel::{AnalyzerKind, CallId, Scope, SharedAmbient};
use models::{Embedder, Embedding, ModelError, Price, Qdrant, Usage};
use run::{Run, month, thresholds};
use together::Work;

use crate::{
    FeedbackError, Item, Source,
    analyze::{Analyzer, House},
    conversation::Conversation,
    index::{Index, Proposed},
    ledger::JOB,
    near::Copies,
    reason::Reason,
    store::{boards, evidence, ledger, settings, stages},
};

/// How long a call is left alone after a try that did not end.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long a call waits for what an admin or the next month has to bring.
const WAIT: Duration = Duration::from_secs(60 * 60);
/// Tries of one call that a model calls wrong before it is given up.
const TRIES_MOST: i32 = 8;
/// Vectors that are read at once.
const VECTORS_AT_ONCE: i64 = 5_000;

/// Where a call goes that a model did not help with. Nothing is lost to an outage or a wrong key; an answer that cannot be used was
/// asked for twice, and a third time would cost as much again.
const fn after(error: &FeedbackError, tries: i32) -> &'static str {
    match error {
        FeedbackError::Model(ModelError::Unavailable { .. } | ModelError::RateLimited { .. }) => "wanted",
        FeedbackError::Model(ModelError::Refused { .. } | ModelError::Local { .. }) => "waiting",
        FeedbackError::Index(_) => "wanted",
        FeedbackError::Model(_) if tries < TRIES_MOST => "wanted",
        _ => "failed",
    }
}

/// What works on calls, in one process.
#[derive(Debug)]
pub struct Engine {
    embedder: Arc<dyn Embedder>,
    basic: Arc<dyn Analyzer>,
    model: Option<Arc<dyn Analyzer>>,
    price: Option<Price>,
    copies: Copies,
    index: Option<Index>,
    ambient: SharedAmbient,
}

/// A call to work on.
#[derive(Debug, Clone)]
pub struct Task {
    /// The call.
    pub call: CallId,
    taken: ledger::Taken,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// So many wishes were found.
    Found(usize),
    /// Nothing to be found, or nothing changed.
    Nothing,
    /// It waits for something.
    Waiting,
    /// It is tried again.
    Later,
    /// It is given up.
    GivenUp,
    /// Somebody else works on it, or it changed meanwhile.
    Overtaken,
}

impl Engine {
    /// An engine; `model` is there when the installation has a language model, with its price.
    pub fn new(
        embedder: Arc<dyn Embedder>,
        basic: Arc<dyn Analyzer>,
        model: Option<(Arc<dyn Analyzer>, Option<Price>)>,
        ambient: SharedAmbient,
    ) -> Self {
        let (model, price) = model.map_or((None, None), |(model, price)| (Some(model), price));
        Self { embedder, basic, model, price, copies: Copies::default(), index: None, ambient }
    }

    /// The same engine with its vectors in Qdrant.
    #[must_use]
    pub fn with_index(mut self, server: Qdrant) -> Self {
        self.index = Some(Index::new(server));
        self
    }

    /// Whether there is a language model.
    pub const fn has_model(&self) -> bool {
        self.model.is_some()
    }

    /// Takes calls that are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, db: &Db, scope: &Scope, most: i64) -> Result<Vec<Task>, FeedbackError> {
        let now = self.ambient.now();
        let mut tx = db.begin(scope).await?;
        let taken = ledger::take_due(&mut tx, most, now, now + AGAIN).await?;
        tx.commit().await?;
        Ok(taken.into_iter().map(|taken| Task { call: taken.call_id, taken }).collect())
    }

    /// Works on a call to the end. `None` for `source` says that the call has no transcript any longer.
    ///
    /// # Errors
    /// When the database fails; failures of models are noted with the call.
    pub async fn work(
        &self,
        db: &Db,
        scope: &Scope,
        task: &Task,
        source: Option<&Source>,
    ) -> Result<Ended, FeedbackError> {
        let Some(source) = source else {
            return self.end(db, scope, task, "discarded", Some(Reason::TranscriptGone), None).await;
        };
        if task.taken.reason.is_none() && task.taken.tries > TRIES_MOST {
            // No try came to its end: it kills whoever works on it.
            return self.end(db, scope, task, "failed", Some(Reason::WorkerDied), None).await;
        }
        match self.stages(db, scope, task, source).await {
            Ok(ended) => Ok(ended),
            Err(FeedbackError::Changed) => Ok(Ended::Overtaken),
            Err(
                error @ (FeedbackError::Model(_) | FeedbackError::Index(_) | FeedbackError::Answer { .. }),
            ) => {
                tracing::warn!(call.id = %task.call, error = %error, "A model did not help with a call.");
                if let (FeedbackError::Answer { usage, .. }, Some(model)) = (&error, &self.model) {
                    let mut tx = db.begin(scope).await?;
                    self.count(&mut tx, &model.name(), *usage).await?;
                    tx.commit().await?;
                }
                let reason = Some(Reason::Fault(error.code()));
                self.end(db, scope, task, after(&error, task.taken.tries), reason, None).await
            }
            Err(error) => Err(error),
        }
    }

    async fn stages(
        &self,
        db: &Db,
        scope: &Scope,
        task: &Task,
        source: &Source,
    ) -> Result<Ended, FeedbackError> {
        let mut tx = db.begin(scope).await?;
        let settings = settings::load(&mut tx).await?;
        let boards = boards::live(&mut tx).await?;
        let house = House {
            vocabulary: settings.vocabulary.clone(),
            categories: boards.iter().flat_map(|(_, categories)| categories.clone()).collect(),
            tags: boards::tags(&mut tx).await?,
            may_add_tags: settings.may_add_tags,
        };
        let spent = stages::spent(&mut tx, month(self.ambient.now())).await?;
        tx.commit().await?;
        let analyzer = match (settings.analyzer, &self.model) {
            (AnalyzerKind::Off, _) => {
                return self.end(db, scope, task, "waiting", Some(Reason::SwitchedOff), None).await;
            }
            (AnalyzerKind::Basic, _) => &self.basic,
            (AnalyzerKind::Model, Some(model)) => model,
            (AnalyzerKind::Model, None) => {
                return self.end(db, scope, task, "waiting", Some(Reason::NoModel), None).await;
            }
        };
        let Some(board) = settings.default_board.or_else(|| boards.first().map(|(id, _)| *id)) else {
            return self.end(db, scope, task, "waiting", Some(Reason::NoBoard), None).await;
        };
        let talk = Conversation::of(source, &settings.vocabulary.domains);
        let run = Run {
            hash: talk.content_hash(),
            made_by: format!("{} {} s{}", analyzer.name(), self.embedder.model(), settings.version),
            analyzer: analyzer.name(),
            board,
            thresholds: thresholds(&settings, self.embedder.as_ref()),
            settings,
            house,
        };
        if task.taken.content_hash.as_deref() == Some(run.hash.as_slice())
            && task.taken.made_by.as_deref() == Some(run.made_by.as_str())
        {
            self.end(db, scope, task, "done", None, Some(&run)).await?;
            return Ok(Ended::Nothing);
        }
        let over = run.settings.monthly_cap.is_some_and(|cap| spent >= cap);
        if over && run.settings.analyzer == AnalyzerKind::Model {
            return self.end(db, scope, task, "waiting", Some(Reason::MonthlyCap), None).await;
        }
        let detection = self.detect(db, scope, task, &talk, analyzer.as_ref(), &run).await?;
        let items = if detection.holds {
            self.extract(db, scope, task, &talk, &detection, analyzer.as_ref(), &run).await?
        } else {
            Vec::new()
        };
        let texts: Vec<String> = items.iter().map(Item::canonical).collect();
        let (vectors, usage) = if texts.is_empty() {
            (Vec::new(), Usage::default())
        } else {
            self.embedder.embed(&texts).await?
        };
        let proposed = self.propose(db, scope, &vectors).await?;
        self.put_together(
            db,
            scope,
            &Work { task, source, proposed },
            &run,
            items.into_iter().zip(vectors).collect(),
            usage,
        )
        .await
    }

    /// Posts that the wishes may be like, where there is an index.
    async fn propose(
        &self,
        db: &Db,
        scope: &Scope,
        vectors: &[Embedding],
    ) -> Result<Option<Proposed>, FeedbackError> {
        match &self.index {
            Some(index) if !vectors.is_empty() => {
                Ok(Some(index.propose(db, scope, self.embedder.model(), vectors).await?))
            }
            _ => Ok(None),
        }
    }

    async fn count(&self, tx: &mut Tx, analyzer: &str, usage: Usage) -> Result<(), FeedbackError> {
        if usage == Usage::default() {
            return Ok(());
        }
        stages::used(tx, month(self.ambient.now()), analyzer, usage, self.cost(usage)).await
    }

    fn cost(&self, usage: Usage) -> i64 {
        self.price.map_or(0, |price| price.of(usage))
    }

    async fn end(
        &self,
        db: &Db,
        scope: &Scope,
        task: &Task,
        state: &'static str,
        reason: Option<Reason>,
        run: Option<&Run>,
    ) -> Result<Ended, FeedbackError> {
        let mut tx = db.begin(scope).await?;
        if !ledger::hold(&mut tx, &task.taken).await? {
            return Ok(Ended::Overtaken);
        }
        let items = evidence::of_call(&mut tx, task.call).await?.len();
        // Nothing changed since it was discarded.
        let (state, reason) = match (state, items) {
            ("done", 0) => ("discarded", Some(Reason::NoFeedback)),
            other => (other.0, reason),
        };
        self.note(&mut tx, task, state, reason, run, items).await?;
        tx.commit().await?;
        Ok(match state {
            "waiting" => Ended::Waiting,
            "wanted" => Ended::Later,
            "failed" => Ended::GivenUp,
            _ => Ended::Nothing,
        })
    }

    async fn note(
        &self,
        tx: &mut Tx,
        task: &Task,
        state: &'static str,
        reason: Option<Reason>,
        run: Option<&Run>,
        items: usize,
    ) -> Result<(), FeedbackError> {
        let now = self.ambient.now();
        let lives = matches!(state, "waiting" | "wanted");
        let tries = u32::try_from(task.taken.tries.clamp(1, 8)).unwrap_or(1);
        let pause = if state == "waiting" { WAIT } else { Duration::from_secs(30) * 2_u32.pow(tries) };
        let end = ledger::End {
            state,
            reason: reason.as_ref().map(Reason::code),
            content_hash: run.map(|run| run.hash.as_slice()),
            made_by: run.map(|run| run.made_by.as_str()),
            items: i32::try_from(items).unwrap_or(i32::MAX),
            due_at: now + pause,
            finished_at: (!lives).then_some(now),
        };
        ledger::end(tx, task.call, &end).await?;
        // Whatever comes now, the job got somewhere.
        Ok(queue::progressed(tx, JOB).await?)
    }
}
