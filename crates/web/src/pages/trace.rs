//! `GET /calls/{id}/feedback`: why there is a post from this call, or why there is none.

use accounts::Permission;
use axum::{extract::State, response::Response};
use feedback::{Evidence, Stage, Trace};
use kernel::CallId;

use super::{
    calls::title,
    posts::plain,
    view::{
        feedback::{CameOf, StageLine, TracePage},
        figures,
        icon::Icon,
        moment::Moment,
        shell::{Here, Pill, Tone},
    },
    visit::{Visit, done, page},
};
use crate::{AppState, Problem, auth::SignedIn, extract::Ids, feedback as doing};

/// Letters of what a stage left that are shown.
const OUTPUT_MOST: usize = 20_000;

/// `GET /calls/{id}/feedback`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<CallId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewFeedback).await?;
    let now = state.ambient.now();
    let mut tx = person.begin(&state).await?;
    let call = ingest::call(&mut tx, id).await?.ok_or_else(|| Problem::not_found("call"))?;
    let trace = feedback::trace(&mut tx, id).await?;
    let evidence = feedback::evidence_of_call(&mut tx, id).await?;
    let moment = |at: Option<time::OffsetDateTime>| at.map(|at| Moment::new(at, now));
    let failed = trace.as_ref().is_some_and(|trace| trace.state == "failed");
    page(&TracePage {
        frame: visit.frame(&person, Here::Calls),
        call: id.to_string(),
        title: title(call.summary.title.as_deref()),
        pill: pill(trace.as_ref()),
        explained: feedback::explain(&mut tx, id).await?,
        stored: moment(trace.as_ref().map(|trace| trace.stored_at)),
        finished: moment(trace.as_ref().and_then(|trace| trace.finished_at)),
        due: moment(trace.as_ref().and_then(|trace| trace.due_at)),
        tries: figures::of(trace.as_ref().map_or(0, |trace| i64::from(trace.tries)), "time", "times"),
        may_retry: failed && person.may(Permission::ManageFeedback),
        stages: trace.into_iter().flat_map(|trace| trace.stages).map(stage).collect(),
        posts: evidence.into_iter().map(came_of).collect(),
    })
}

fn came_of(one: Evidence) -> CameOf {
    let how = match (one.is_placed, one.is_joined) {
        (true, _) => "put there by a person",
        (_, true) => "joined by its likeness",
        _ => "made the post",
    };
    CameOf { post: one.post.to_string(), title: one.title, how }
}

/// How far a call is.
pub(super) fn pill(trace: Option<&Trace>) -> Pill {
    let (tone, icon, word, label) = match trace.map(|trace| trace.state.as_str()) {
        None => (Tone::Calm, Icon::Clock, "unknown", "not looked at yet".to_owned()),
        Some("wanted") => (Tone::Busy, Icon::Sync, "wanted", "is going to be looked at".into()),
        Some("waiting") => (Tone::Warn, Icon::Pause, "waiting", "waits".into()),
        Some("done") => {
            let items = trace.map_or(0, |trace| i64::from(trace.items));
            (Tone::Good, Icon::CheckCircle, "done", figures::of(items, "wish", "wishes"))
        }
        Some("failed") => (Tone::Bad, Icon::Stop, "failed", "given up".into()),
        Some(_) => (Tone::Calm, Icon::Check, "discarded", "no feedback in it".into()),
    };
    Pill { tone, icon, word, label }
}

fn stage(stage: Stage) -> StageLine {
    let output = serde_json::to_string_pretty(&stage.output).unwrap_or_default();
    let tokens = stage.usage.input + stage.usage.output;
    StageLine {
        name: plain(&stage.name),
        why: stage.why,
        score: stage.score.map(|score| format!("{score:.2}")),
        tokens: (tokens > 0)
            .then(|| figures::of(i64::try_from(tokens).unwrap_or(i64::MAX), "token", "tokens")),
        cost: dollars(stage.cost),
        took: took(stage.took_ms),
        made_by: stage.made_by,
        output: output.chars().take(OUTPUT_MOST).collect(),
    }
}

fn took(milliseconds: i32) -> String {
    match milliseconds {
        short @ ..1_000 => format!("{short} ms"),
        long => format!("{:.1} s", f64::from(long) / 1_000.0),
    }
}

/// Millionths of a dollar as people read them.
pub(super) fn dollars(micros: i64) -> String {
    let cents = micros / 10_000;
    match micros {
        0 => "$0".to_owned(),
        ..10_000 => {
            format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000).trim_end_matches('0').to_owned()
        }
        _ => format!("${}.{:02}", figures::count(cents / 100), cents % 100),
    }
}

/// `POST /calls/{id}/feedback/retry`
pub(super) async fn retry(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<CallId>,
) -> Result<Response, Problem> {
    doing::retry(&state, &person, id).await?;
    Ok(done(&format!("/calls/{id}/feedback"), "feedback-retried"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_time_are_said_as_people_say_them() {
        let all = [0, 1_234, 10_000, 1_500_000, 12_345_670_000].map(dollars);
        assert_eq!(all, ["$0", "$0.001234", "$0.01", "$1.50", "$12,345.67"]);
        assert_eq!([took(7), took(2_340)], ["7 ms", "2.3 s"]);
        assert_eq!(pill(None).word, "unknown");
    }
}
