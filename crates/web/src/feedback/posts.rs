//! Posts and evidence: changed, reviewed, merged, split; a call that was given up is looked at again.

use accounts::{Permission, actions};
use db::Tx;
use feedback::{Post, PostChange};
use http::StatusCode;
use kernel::{CallId, EvidenceId, PostId, PostState};
use serde_json::{Value, json};

use super::note;
use crate::{
    AppState, Problem,
    auth::Caller,
    conditional::{IfMatch, Version},
};

/// The version of what people can change of a post; evidence that comes and goes does not change it.
pub(crate) fn version(post: &Post) -> Version {
    Version::of(&(
        (&post.title, &post.summary, &post.description),
        (post.board, &post.category, &post.tags),
        (post.priority, post.status, post.state),
    ))
}

/// Changes a post.
///
/// # Errors
/// 403 below member; 404; 409 for a withdrawn one; 412 when somebody was faster; 422 naming the field.
pub(crate) async fn change_post(
    state: &AppState,
    caller: &Caller,
    id: PostId,
    from: &IfMatch,
    change: PostChange,
) -> Result<Post, Problem> {
    caller.require(state, Permission::EditFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let old = living(&mut tx, id).await?;
    from.check(&version(&old))?;
    feedback::change_post(&mut tx, id, old.version, change, &*state.ambient).await?;
    let new = feedback::post(&mut tx, id).await?;
    if version(&new) != version(&old) {
        note(&mut tx, state, caller, (actions::POST_CHANGED, Some(id.to_string())), changed(&old, &new))
            .await?;
    }
    tx.commit().await?;
    Ok(new)
}

/// What changed; of words only that they did, as they tell of calls.
fn changed(old: &Post, new: &Post) -> Value {
    let words = [
        ("title", old.title != new.title),
        ("summary", old.summary != new.summary),
        ("description", old.description != new.description),
        ("category", old.category != new.category),
        ("tags", old.tags != new.tags),
    ];
    let fields: Vec<&str> = words.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    let place =
        |post: &Post| json!({ "board": post.board, "priority": post.priority, "status": post.status });
    json!({ "fields": fields, "before": place(old), "after": place(new) })
}

/// A post of which something is left.
async fn living(tx: &mut Tx, id: PostId) -> Result<Post, Problem> {
    let post = feedback::post(tx, id).await?;
    if post.state != PostState::Withdrawn {
        return Ok(post);
    }
    let detail = "The post is withdrawn: its last evidence is gone, and nothing can be done with it.";
    Err(Problem::new(StatusCode::CONFLICT, "post_withdrawn", detail))
}

/// Says yes or no to a post that waits for review.
///
/// # Errors
/// 403 below member; 404; 409 when it does not wait.
pub(crate) async fn review(
    state: &AppState,
    caller: &Caller,
    id: PostId,
    yes: bool,
) -> Result<Post, Problem> {
    caller.require(state, Permission::EditFeedback).await?;
    let mut tx = caller.begin(state).await?;
    if living(&mut tx, id).await?.state != PostState::Review {
        let detail = "This post does not wait for review: somebody decided about it already.";
        return Err(Problem::new(StatusCode::CONFLICT, "post_not_waiting", detail));
    }
    feedback::review(&mut tx, id, yes, &*state.ambient).await?;
    let action = if yes { actions::POST_APPROVED } else { actions::POST_REJECTED };
    note(&mut tx, state, caller, (action, Some(id.to_string())), json!({})).await?;
    let post = feedback::post(&mut tx, id).await?;
    tx.commit().await?;
    Ok(post)
}

/// Puts all wishes of one post under another.
///
/// # Errors
/// 403 below member; 404 for either; 409 for a withdrawn one; 422 for the post itself.
pub(crate) async fn merge(
    state: &AppState,
    caller: &Caller,
    id: PostId,
    into: PostId,
) -> Result<Post, Problem> {
    caller.require(state, Permission::EditFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let old = living(&mut tx, id).await?;
    living(&mut tx, into).await?;
    feedback::merge(&mut tx, id, into).await?;
    let detail = json!({ "into": into, "evidence": old.evidence });
    note(&mut tx, state, caller, (actions::POSTS_MERGED, Some(id.to_string())), detail).await?;
    let post = feedback::post(&mut tx, into).await?;
    tx.commit().await?;
    Ok(post)
}

/// Takes a wish out of its post and makes it a post of its own.
///
/// # Errors
/// 403 below member; 404; 422 for the last wish of a post.
pub(crate) async fn split(state: &AppState, caller: &Caller, id: EvidenceId) -> Result<Post, Problem> {
    caller.require(state, Permission::EditFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let out_of = feedback::evidence_one(&mut tx, id).await?.post;
    let made = feedback::split(&mut tx, id, &*state.ambient).await?;
    let detail = json!({ "evidence": id, "out_of": out_of });
    note(&mut tx, state, caller, (actions::POST_SPLIT, Some(made.to_string())), detail).await?;
    let post = feedback::post(&mut tx, made).await?;
    tx.commit().await?;
    Ok(post)
}

/// Has a call looked at again that was given up.
///
/// # Errors
/// 403 below admin; 404; 409 when it was not given up.
pub(crate) async fn retry(state: &AppState, caller: &Caller, call: CallId) -> Result<(), Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(state).await?;
    if feedback::trace(&mut tx, call).await?.is_none() {
        return Err(Problem::not_found("call"));
    }
    if !feedback::retry(&mut tx, call, &*state.ambient).await? {
        let detail = "Looking at this call for feedback was not given up, so there is nothing to repeat.";
        return Err(Problem::new(StatusCode::CONFLICT, "feedback_not_given_up", detail));
    }
    note(&mut tx, state, caller, (actions::FEEDBACK_RETRIED, Some(call.to_string())), json!({})).await?;
    tx.commit().await?;
    Ok(())
}
