//! What people do on the page of a post: change it, set its status, merge it, take wishes out of it.

use axum::{extract::State, response::Response};
use feedback::{Post, PostChange};
use http::StatusCode;
use kernel::{EvidenceId, PostId, PostStatus, Priority};

use super::{Refused, Wanted, build};
use crate::{
    AppState, Problem,
    auth::SignedIn,
    conditional::IfMatch,
    extract::Ids,
    feedback as doing,
    pages::visit::{Fields, Visit, done, page_with},
    sentence::sentence,
};

/// The page once more with what was wrong; other problems go on.
async fn again(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    (id, problem, typed, is_merge): (PostId, Problem, Option<Fields>, bool),
) -> Result<Response, Problem> {
    let shown = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED];
    if !shown.contains(&problem.status) {
        return Err(problem);
    }
    let words = problem.errors.first().map_or_else(
        || problem.detail.clone(),
        |error| sentence(&format!("{} {}", error.field.replace('_', " "), error.message)),
    );
    let refused = match is_merge {
        true => Refused { merge: Some(words), ..Refused::default() },
        false => Refused { edit: Some(words), typed, ..Refused::default() },
    };
    let status = problem.status;
    page_with(status, &build(state, visit, person, (id, Wanted::default(), refused)).await?)
}

/// `POST /posts/{id}`
pub(in crate::pages) async fn change(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<PostId>,
    fields: Fields,
) -> Result<Response, Problem> {
    match changed(&state, &person, id, &fields).await {
        Ok(_) => Ok(done(&format!("/posts/{id}"), "post-changed")),
        Err(problem) => again(&state, &visit, &person, (id, problem, Some(fields), false)).await,
    }
}

async fn changed(state: &AppState, person: &SignedIn, id: PostId, fields: &Fields) -> Result<Post, Problem> {
    let old = feedback::post(&mut person.begin(state).await?, id).await?;
    let text = |name: &str, stored: &str| {
        let typed = fields.get(name).replace("\r\n", "\n");
        (typed.trim() != stored.trim()).then_some(typed)
    };
    let tags: Vec<String> = list(fields.get("tags"), ',').into_iter().map(|tag| tag.to_lowercase()).collect();
    let board = Some(fields.get("board")).filter(|board| !board.is_empty());
    let priority = fields.get("priority").parse::<Priority>();
    let category = Some(fields.get("category").to_owned()).filter(|category| !category.is_empty());
    let change = PostChange {
        title: text("title", &old.title),
        summary: text("summary", &old.summary),
        description: text("description", &old.description),
        board: board
            .map(str::parse)
            .transpose()
            .map_err(|_| Problem::field("board", "must be one of the boards"))?,
        category: Some(category),
        tags: Some(tags),
        priority: Some(priority.map_err(|_| Problem::field("priority", "must be one of those offered"))?),
        status: None,
    };
    doing::change_post(state, person, id, &IfMatch::of_form(fields.get("version")), change).await
}

/// Names between commas or on lines.
pub(in crate::pages) fn list(text: &str, mark: char) -> Vec<String> {
    let names = text.split([mark, '\n']).map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// `POST /posts/{id}/status`
pub(in crate::pages) async fn status(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<PostId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let status = fields.get("status").parse::<PostStatus>();
    let status = status.map_err(|_| Problem::field("status", "must be one of those offered"))?;
    let change = PostChange { status: Some(status), ..PostChange::default() };
    let from = IfMatch::of_form(fields.get("version"));
    match doing::change_post(&state, &person, id, &from, change).await {
        Ok(_) => Ok(done(&format!("/posts/{id}"), "post-status")),
        Err(problem) => again(&state, &visit, &person, (id, problem, None, false)).await,
    }
}

/// `POST /posts/{id}/merge`
pub(in crate::pages) async fn merge(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<PostId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let into = fields.get("into").parse::<PostId>();
    let into = into.map_err(|_| Problem::field("into", "must be one of the posts"))?;
    match doing::merge(&state, &person, id, into).await {
        Ok(_) if fields.get("back") == "review" => Ok(done("/review", "post-merged")),
        Ok(_) => Ok(done(&format!("/posts/{into}"), "post-merged")),
        Err(problem) => again(&state, &visit, &person, (id, problem, None, true)).await,
    }
}

/// `POST /evidence/{id}/split`
pub(in crate::pages) async fn split(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<EvidenceId>,
) -> Result<Response, Problem> {
    let post = doing::split(&state, &person, id).await?;
    Ok(done(&format!("/posts/{}", post.id), "post-split"))
}
