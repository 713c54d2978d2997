//! The job that makes feedback of calls: hands over what the room of calls holds, and lets the other room work.
//!
//! Knows which room does what. Must never know a prompt or a threshold.

use std::time::Duration;

use ::feedback::{Ended, Engine, FeedbackError, Participant, Sentence, Source, Speech};
use kernel::{CallId, Scope};
use queue::Verdict;
use tokio_util::sync::CancellationToken;

use crate::{Rooms, handlers::Failure};

/// How long one job works before it lets others go first.
const SLICE: Duration = Duration::from_secs(20);
/// Changed calls that are entered at once.
const CHANGES: i64 = 500;
/// How long a model that does not help is left alone.
pub(crate) const AILING: Duration = Duration::from_secs(30);

/// Sends the job, where it can be done.
pub(crate) async fn wake(rooms: &Rooms, scope: &Scope) -> Result<(), FeedbackError> {
    if rooms.feedback.is_none() {
        return Ok(());
    }
    let mut tx = rooms.db.begin(scope).await?;
    ::feedback::send(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Works on an organization's calls until none is due or the slice is over.
pub(crate) async fn work(rooms: &Rooms, scope: &Scope, stop: &CancellationToken) -> Result<Verdict, Failure> {
    let Some(engine) = &rooms.feedback else { return Ok(Verdict::Done) };
    let began = tokio::time::Instant::now();
    while !stop.is_cancelled() && began.elapsed() < SLICE {
        let entered = enter(rooms, scope).await?;
        let looked = look(rooms, scope, engine).await?;
        if looked == Some(Ended::Later) {
            let at = rooms.ambient.now() + AILING;
            return Ok(Verdict::Later { at, why: "model_does_not_help" });
        }
        let completed = engine.complete(&rooms.db, scope).await?;
        if !entered && looked.is_none() && completed == 0 {
            let mut tx = rooms.db.begin(scope).await?;
            let next = ::feedback::next_due(&mut tx).await?;
            tx.commit().await?;
            return Ok(next.map_or(Verdict::Done, |at| Verdict::Later { at, why: "waiting_for_calls" }));
        }
    }
    Ok(Verdict::Next)
}

/// Enters calls whose transcripts changed; says whether there were any.
async fn enter(rooms: &Rooms, scope: &Scope) -> Result<bool, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let changed = ::feedback::take_changes(&mut tx, CHANGES).await?;
    let here = ingest::stored_among(&mut tx, &changed).await?;
    ::feedback::want(&mut tx, &here, &*rooms.ambient).await?;
    tx.commit().await?;
    Ok(!changed.is_empty())
}

/// Works on the call whose turn it is; how that ended, where there is one. One at a time: should this process die, no other call
/// has to wait until it is missed.
async fn look(rooms: &Rooms, scope: &Scope, engine: &Engine) -> Result<Option<Ended>, Failure> {
    let Some(task) = engine.take(&rooms.db, scope, 1).await?.pop() else { return Ok(None) };
    let source = source(rooms, scope, task.call).await?;
    let ended = engine.work(&rooms.db, scope, &task, source.as_ref()).await?;
    metrics::counter!("soundpost_feedback_calls_total", "ended" => word(ended)).increment(1);
    Ok(Some(ended))
}

async fn source(rooms: &Rooms, scope: &Scope, call: CallId) -> Result<Option<Source>, Failure> {
    let mut tx = rooms.db.begin(scope).await?;
    let detail = ingest::call(&mut tx, call).await?;
    let transcript = ingest::transcript(&mut tx, call).await?;
    tx.commit().await?;
    let Some((detail, transcript)) = detail.zip(transcript) else { return Ok(None) };
    let parties = detail.parties.into_iter().map(|party| Participant {
        external: match &*party.affiliation {
            "internal" => Some(false),
            "external" => Some(true),
            _ => None,
        },
        is_user: party.user_id.is_some(),
        speaker_id: party.speaker_id,
        name: party.name,
        email: party.email,
        title: party.title,
    });
    let speeches = transcript.monologues.into_iter().map(|monologue| Speech {
        speaker_id: monologue.speaker_id,
        sentences: monologue
            .sentences
            .into_iter()
            .map(|said| Sentence { text: said.text, start_ms: said.start_ms, end_ms: said.end_ms })
            .collect(),
    });
    Ok(Some(Source {
        call,
        title: detail.summary.title,
        url: detail.summary.url,
        started_at: detail.summary.started_at,
        parties: parties.collect(),
        speeches: speeches.collect(),
    }))
}

const fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Found(_) => "found",
        Ended::Nothing => "nothing",
        Ended::Waiting => "waiting",
        Ended::Later => "later",
        Ended::GivenUp => "given_up",
        Ended::Overtaken => "overtaken",
    }
}
