//! `GET /`: how it stands, what came in, what to do next.

use accounts::Permission;
use axum::{extract::State, response::Response};
use db::Tx;
use feedback::PostQuery;
use kernel::{ConnectionStatus, PostState};
use time::OffsetDateTime;

use super::{
    calls::row,
    posts,
    standing::Standing,
    view::{
        figures,
        overview::{FeedbackLines, OverviewPage},
        shell::Here,
    },
    visit::{Visit, page},
};
use crate::{AppState, Problem, auth::SignedIn};

const RECENT: i64 = 8;
/// Posts that are shown.
const ASKED: i64 = 5;

/// `GET /`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    let now = state.ambient.now();
    let mut tx = person.begin(&state).await?;
    let standing = Standing::read(&state, &mut tx).await?;
    let query = ingest::CallQuery { limit: RECENT, ..ingest::CallQuery::default() };
    let recent = if person.may(Permission::ViewCalls) {
        ingest::calls(&mut tx, &query).await?.calls
    } else {
        Vec::new()
    };
    let ended = standing.as_ref().filter(|s| s.connection.status == ConnectionStatus::Disconnected);
    let kept = ended.map(|s| s.counts.calls()).filter(|calls| *calls > 0);
    let live = standing.as_ref().filter(|s| s.connection.status != ConnectionStatus::Disconnected);
    let feedback = match person.may(Permission::ViewFeedback) {
        true => Some(feedback_lines(&mut tx, now).await?),
        false => None,
    };
    page(&OverviewPage {
        frame: visit.frame(&person, Here::Overview),
        panel: live.map(|standing| standing.panel(&person, now)),
        may_manage: person.may(Permission::ManageConnection),
        kept: kept.map(|calls| figures::of(calls, "call", "calls")),
        recent: recent.into_iter().map(|call| row(call, now)).collect(),
        feedback,
    })
}

async fn feedback_lines(tx: &mut Tx, now: OffsetDateTime) -> Result<FeedbackLines, Problem> {
    let counts = feedback::post_counts(tx).await?;
    let of = |state: PostState| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
    let query = PostQuery { limit: ASKED, ..PostQuery::default() };
    let asked = feedback::posts(tx, &query).await?.posts;
    Ok(FeedbackLines {
        new: figures::count(feedback::new_since(tx, now - time::Duration::days(7)).await?),
        review: figures::count(of(PostState::Review)),
        published: figures::count(of(PostState::Published)),
        has_board: feedback::has_board(tx).await?,
        most_asked: asked.into_iter().map(|post| posts::row(post, now)).collect(),
    })
}
