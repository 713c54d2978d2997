//! Which calls are to be looked at, and what came of each: for the door that hands calls over, and for who asks why.

use db::Tx;
use kernel::{Ambient, CallId};
use models::Usage;
use queue::{Lane, NewJob};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    FeedbackError, Thresholds,
    store::{evidence, ledger as store, stages},
};

/// Takes calls whose transcripts came, changed or went, at most `most`; in the transaction in which [`want`] enters them.
///
/// # Errors
/// When the database fails.
pub async fn take_changes(tx: &mut Tx, most: i64) -> Result<Vec<CallId>, FeedbackError> {
    store::take_changes(tx, most).await
}

/// Enters calls that have a transcript, with the time at which it was stored.
///
/// # Errors
/// When the database fails.
pub async fn want(
    tx: &mut Tx,
    calls: &[(CallId, OffsetDateTime)],
    ambient: &dyn Ambient,
) -> Result<(), FeedbackError> {
    store::want(tx, calls, ambient.now()).await
}

/// The kind and the key of the job that looks at calls; its subject is the organization.
pub const JOB: &str = "feedback";

/// Sends the job; an organization has at most one at a time, so that nobody finds the same wish twice at once.
///
/// # Errors
/// When the database fails.
pub async fn send(tx: &mut Tx) -> Result<(), FeedbackError> {
    let organization = tx.scope().organization();
    let job = NewJob::new(Lane::Bulk, JOB, organization, organization.uuid(), JOB);
    queue::enqueue(tx, &job).await?;
    Ok(())
}

/// All calls are looked at again; those that nothing changed for cost next to nothing.
///
/// # Errors
/// When the database fails.
pub async fn want_all(tx: &mut Tx, ambient: &dyn Ambient) -> Result<u64, FeedbackError> {
    let calls = store::want_all(tx, ambient.now()).await?;
    send(tx).await?;
    Ok(calls)
}

/// Calls that are looked at again at once.
pub const AGAIN_MOST: i64 = 20_000;

/// Calls whose transcripts came in since then and that were done with are looked at again, as the settings are now: at most
/// [`AGAIN_MOST`], the newest first. A call is asked about again only where its words, the settings or the analyzer changed; what
/// people wrote, merged and parted stays. Says how many calls.
///
/// # Errors
/// When the database fails.
pub async fn look_again(
    tx: &mut Tx,
    since: OffsetDateTime,
    ambient: &dyn Ambient,
) -> Result<u64, FeedbackError> {
    let calls = store::want_since(tx, since, AGAIN_MOST, ambient.now()).await?;
    if calls > 0 {
        send(tx).await?;
        tx.announce("feedback").await?;
    }
    Ok(calls)
}

/// Calls that wait (for a board, a model, money, or to be switched on) are looked at now: what they waited for may be there.
///
/// # Errors
/// When the database fails.
pub async fn wake(tx: &mut Tx, ambient: &dyn Ambient) -> Result<u64, FeedbackError> {
    let calls = store::wake_all(tx, ambient.now()).await?;
    send(tx).await?;
    Ok(calls)
}

/// Has a call looked at again that was given up; false when it was not given up.
///
/// # Errors
/// When the database fails.
pub async fn retry(tx: &mut Tx, call: CallId, ambient: &dyn Ambient) -> Result<bool, FeedbackError> {
    let retried = store::retry(tx, call, ambient.now()).await?;
    if retried {
        send(tx).await?;
        tx.announce("feedback").await?;
    }
    Ok(retried)
}

/// What models cost in this month so far, in millionths of a dollar.
///
/// # Errors
/// When the database fails.
pub async fn spent(tx: &mut Tx, ambient: &dyn Ambient) -> Result<i64, FeedbackError> {
    let today = ambient.now().date();
    stages::spent(tx, today.replace_day(1).unwrap_or(today)).await
}

/// What other thresholds would have done with the wishes that were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Wishes that were compared with a post, of the newest 20,000 calls.
    pub compared: i64,
    /// That joined a post.
    pub joined: i64,
    /// About which somebody was asked.
    pub asked: i64,
    /// That would join a post.
    pub would_join: i64,
    /// About which somebody would be asked.
    pub would_ask: i64,
    /// That joined a post, and would not.
    pub would_part: i64,
}

/// What other thresholds would have done. Nothing is changed.
///
/// # Errors
/// When the database fails.
pub async fn preview(tx: &mut Tx, thresholds: Thresholds) -> Result<Preview, FeedbackError> {
    stages::preview(tx, thresholds).await
}

/// When the next call is due; `None` when none is.
///
/// # Errors
/// When the database fails.
pub async fn next_due(tx: &mut Tx) -> Result<Option<OffsetDateTime>, FeedbackError> {
    store::next_due(tx).await
}

/// How many calls stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// To be looked at.
    pub wanted: i64,
    /// Waiting, by the reason: `no_board`, `monthly_cap`, `no_model`, `switched_off`.
    pub waiting: Vec<(String, i64)>,
    /// With feedback.
    pub done: i64,
    /// Without.
    pub discarded: i64,
    /// Given up, by the reason.
    pub failed: Vec<(String, i64)>,
}

/// How many calls stand where.
///
/// # Errors
/// When the database fails.
pub async fn ledger(tx: &mut Tx) -> Result<Ledger, FeedbackError> {
    let mut ledger = Ledger::default();
    for (state, reason, calls) in store::counts(tx).await? {
        match state.as_str() {
            "wanted" => ledger.wanted += calls,
            "waiting" => ledger.waiting.push((reason.unwrap_or_default(), calls)),
            "done" => ledger.done += calls,
            "discarded" => ledger.discarded += calls,
            _ => ledger.failed.push((reason.unwrap_or_default(), calls)),
        }
    }
    Ok(ledger)
}

/// What happened to one call, stage by stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// `wanted`, `waiting`, `done`, `discarded` or `failed`.
    pub state: String,
    /// Why, for the last three of them.
    pub reason: Option<String>,
    /// What looked at it.
    pub made_by: Option<String>,
    /// How many wishes it holds.
    pub items: i32,
    /// How often it was tried.
    pub tries: i32,
    /// When it is looked at next, while it is wanted or waits.
    pub due_at: Option<OffsetDateTime>,
    /// When its transcript was stored.
    pub stored_at: OffsetDateTime,
    /// When it was done with.
    pub finished_at: Option<OffsetDateTime>,
    /// What each stage left, in order.
    pub stages: Vec<Stage>,
}

/// What one stage left.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// `normalize`, `detect`, `extract`, `deduplicate` or `organize`.
    pub name: String,
    /// What did it.
    pub made_by: String,
    /// What it left, as JSON.
    pub output: serde_json::Value,
    /// Why, in words.
    pub why: String,
    /// The verdict's figure, where there is one.
    pub score: Option<f32>,
    /// What a model used.
    pub usage: Usage,
    /// What that cost, in millionths of a dollar.
    pub cost: i64,
    /// Milliseconds.
    pub took_ms: i32,
    /// When.
    pub at: OffsetDateTime,
}

/// What happened to a call; `None` when it has not been entered.
///
/// # Errors
/// When the database fails.
pub async fn trace(tx: &mut Tx, call: CallId) -> Result<Option<Trace>, FeedbackError> {
    let Some(line) = store::line(tx, call).await? else { return Ok(None) };
    let stages = stages::lines(tx, call).await?.into_iter().map(|stage| Stage {
        name: stage.stage,
        made_by: stage.made_by,
        output: stage.output.0,
        why: stage.why,
        score: stage.score,
        usage: Usage { input: stage.input_tokens.unsigned_abs(), output: stage.output_tokens.unsigned_abs() },
        cost: stage.cost,
        took_ms: stage.took_ms,
        at: stage.at,
    });
    let lives = matches!(line.state.as_str(), "wanted" | "waiting");
    let mut stages: Vec<Stage> = stages.collect();
    let order = ["normalize", "detect", "extract", "deduplicate", "organize"];
    stages.sort_by_key(|stage| order.iter().position(|name| *name == stage.name));
    Ok(Some(Trace {
        state: line.state,
        reason: line.reason,
        made_by: line.made_by,
        items: line.items,
        tries: line.tries,
        due_at: lives.then_some(line.due_at),
        stored_at: line.stored_at,
        finished_at: line.finished_at,
        stages,
    }))
}

/// Why there is a post from this call, or why there is none, one sentence a step.
///
/// # Errors
/// When the database fails.
pub async fn explain(tx: &mut Tx, call: CallId) -> Result<Vec<String>, FeedbackError> {
    let Some(trace) = trace(tx, call).await? else {
        return Ok(vec!["It has not been looked at for feedback yet.".into()]);
    };
    let mut steps: Vec<String> = trace.stages.iter().map(|stage| stage.why.clone()).collect();
    steps.push(match (trace.state.as_str(), trace.reason.as_deref()) {
        ("wanted", None) => "It is going to be looked at for feedback within minutes.".into(),
        ("wanted", Some(reason)) => format!(
            "{} did not help ({} tries so far); it is tried again at {}.",
            if reason == "index_unavailable" { "The index of vectors" } else { "A model" },
            trace.tries,
            trace.due_at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
        ),
        ("waiting", Some("no_board")) => "There is no board yet: make one, and the call is looked at.".into(),
        ("waiting", Some("monthly_cap")) => {
            "This month's money for models is spent: raise the cap, or wait for the next month.".into()
        }
        ("waiting", Some("no_model")) => {
            "This installation has no language model: choose the basic analyzer, or ask the operator for one."
                .into()
        }
        ("waiting", Some("model_refused")) => {
            "The model refuses the key of this installation: the operator has to set another one; it is tried again every hour.".into()
        }
        ("waiting", Some("model_missing")) => {
            "The files of the local model are missing or damaged: the operator has to fetch them; it is tried again every hour.".into()
        }
        ("waiting", _) => "Feedback is switched off in the settings.".into(),
        ("discarded", Some("transcript_gone")) => {
            "Its transcript is no longer here, so nothing of it is kept.".into()
        }
        ("discarded", _) => "It holds no product feedback, so there is no post.".into(),
        ("failed", Some("worker_died")) => {
            "Whoever worked on it ended each time, and it was given up; the operator's logs say why, and then somebody can have it looked at again.".into()
        }
        ("failed", _) => {
            "A model could not read it, and it was given up; somebody can have it looked at again.".into()
        }
        _ if trace.items == 1 => "It holds one wish.".into(),
        _ => format!("It holds {} distinct wishes.", trace.items),
    });
    for one in evidence::of_call(tx, call).await? {
        let how = if one.is_joined { "joined the post" } else { "stands in the post" };
        steps.push(format!("\u{201c}{}\u{201d} {how} {}.", one.title, one.post));
    }
    Ok(steps)
}

/// What a model used in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// The first day of the month.
    pub month: Date,
    /// The model.
    pub model: String,
    /// How often it was asked.
    pub asks: i64,
    /// Tokens that it read.
    pub input: i64,
    /// Tokens that it wrote.
    pub output: i64,
    /// What that cost, in millionths of a dollar.
    pub cost: i64,
}

/// What models used, the newest month first; at most 100 lines.
///
/// # Errors
/// When the database fails.
pub async fn usage(tx: &mut Tx) -> Result<Vec<ModelUse>, FeedbackError> {
    let lines = stages::usage(tx).await?.into_iter();
    let line =
        |(month, model, asks, input, output, cost)| ModelUse { month, model, asks, input, output, cost };
    Ok(lines.map(line).collect())
}
