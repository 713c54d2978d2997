//! `GET /review`: what waits for a yes or no, and wishes that may be the same as another.

use accounts::Permission;
use axum::{extract::State, response::Response};
use db::Tx;
use feedback::{Post, PostQuery, PostSort};
use kernel::{FeedbackMode, PostId, PostState};
use time::OffsetDateTime;

use super::{
    assets,
    one_post::{card, takes_in},
    posts::row,
    view::{
        figures,
        posts::{ReviewCard, ReviewPage},
        shell::Here,
    },
    visit::{Fields, Trail, Visit, address, done, page},
};
use crate::{
    AppState, Problem,
    auth::SignedIn,
    extract::{Ids, Search},
    feedback as doing,
};

const HERE: &str = "/review";
/// Posts on one page.
const CARDS: i64 = 10;

/// `GET /review`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(trail): Search<Trail>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewFeedback).await?;
    let now = state.ambient.now();
    let after = trail.cursor.as_deref().map(str::parse).transpose()?;
    let query = PostQuery {
        state: PostState::Review,
        sort: PostSort::Newest,
        limit: CARDS,
        after,
        ..PostQuery::default()
    };
    let mut tx = person.begin(&state).await?;
    let found = feedback::posts(&mut tx, &query).await?;
    let counts = feedback::post_counts(&mut tx).await?;
    let waiting = counts.iter().find(|(state, _)| *state == PostState::Review).map_or(0, |(_, count)| *count);
    let mut cards = Vec::new();
    for post in found.posts {
        cards.push(review_card(&mut tx, post, now).await?);
    }
    page(&ReviewPage {
        frame: visit.frame(&person, Here::Review),
        approval: feedback::settings(&mut tx).await?.mode == FeedbackMode::Approval,
        waiting: figures::of(waiting, "post waits", "posts wait"),
        may_edit: person.may(Permission::EditFeedback),
        cards,
        newer: trail.newer().map(|place| address(HERE, &place)),
        older: found.next.map(|next| address(HERE, &trail.older(&next.to_string()))),
        script: assets::addresses().review,
    })
}

async fn review_card(tx: &mut Tx, post: Post, now: OffsetDateTime) -> Result<ReviewCard, Problem> {
    let first = feedback::evidence(tx, post.id, None, 1).await?.items.pop();
    let doubt = match first.as_ref().and_then(|one| one.doubt) {
        None => None,
        Some(id) => {
            let other = Some(feedback::post(tx, id).await?).filter(takes_in);
            let words = feedback::evidence(tx, id, None, 1).await?.items.pop().map(|one| card(one, now));
            let like = first.as_ref().and_then(|one| one.similarity).unwrap_or_default();
            other.map(|other| (format!("{:.0} %", like * 100.0), row(other, now), words))
        }
    };
    Ok(ReviewCard { post: row(post, now), evidence: first.map(|one| card(one, now)), doubt })
}

/// `POST /posts/{id}/review`
pub(super) async fn decide(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<PostId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let (yes, code) = match fields.get("decision") {
        "approve" => (true, "post-approved"),
        "reject" => (false, "post-rejected"),
        _ => return Err(Problem::field("decision", "must be approve or reject")),
    };
    let back = if fields.get("back") == "review" { HERE.to_owned() } else { format!("/posts/{id}") };
    match doing::review(&state, &person, id, yes).await {
        Ok(_) => Ok(done(&back, code)),
        // Somebody else decided a moment ago.
        Err(problem) if problem.code == "post_not_waiting" => Ok(done(&back, "post-decided")),
        Err(problem) => Err(problem),
    }
}
