//! The buttons of the Gong page. Each does its act once, then leads back to a page that says what was done.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{StatusCode, header};
use kernel::Lookback;

use super::{
    gong::{self, Again},
    gong_forms::{self, OFFERED},
    gong_leave, refused,
    view::gong::Estimate,
    visit::{Fields, Visit, done, page_with},
};
use crate::{
    AppState, Problem, RequestContext,
    api::flow_cookie,
    auth::SignedIn,
    conditional::IfMatch,
    connection::{self, Change},
};

const HERE: &str = "/settings/integrations/gong";

fn no_estimate() -> Estimate {
    gong_forms::no_estimate()
}

async fn again(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    again: Again,
) -> Result<Response, Problem> {
    gong::build(state, visit, person, again).await?.answer(StatusCode::UNPROCESSABLE_ENTITY)
}

fn history_again(typed: &str, error: &'static str) -> Again {
    let choice = gong_forms::history_choice(true, typed.to_owned(), Some(error), no_estimate());
    Again { history: Some(choice), ..Again::default() }
}

/// `POST /settings/integrations/gong/connect`
pub(super) async fn connect(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let history = match gong_forms::history(&fields) {
        Ok(history) => history,
        Err(error) => {
            return again(&state, &visit, &person, history_again(fields.get("history_days"), error)).await;
        }
    };
    let begun = connection::begin(&state, &person, history).await?;
    let mut response = Redirect::to(begun.authorize_url.as_str()).into_response();
    if let Some(cookie) = flow_cookie(&state, &begun.flow_cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /settings/integrations/gong/connect-key`
pub(super) async fn connect_key(
    State(state): State<AppState>,
    context: RequestContext,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let (key, mut form) = gong_forms::access_key(&fields);
    let history = gong_forms::key_history(&fields);
    let days = history.as_ref().ok().copied().flatten().map_or(OFFERED, Lookback::get);
    let (Some(key), Ok(days_wanted)) = (key, history) else {
        if let Err(error) = history {
            form.key_error.get_or_insert(error.to_owned());
        }
        let kept = Again { key: Some(form), ..Again::default() };
        return again(&state, &visit, &person, kept).await;
    };
    match connection::connect_key(&state, &person, Some(person.user), key, days_wanted).await {
        Ok(_) => Ok(done(HERE, "connected")),
        Err(problem) if !problem.errors.is_empty() => {
            let choice =
                gong_forms::history_choice(history_is_on(&fields), days.to_string(), None, no_estimate());
            let kept = Again { key: Some(form.told(&problem)), history: Some(choice), ..Again::default() };
            again(&state, &visit, &person, kept).await
        }
        Err(problem) if problem.status == StatusCode::FORBIDDEN => Err(problem),
        Err(problem) => Ok(refused::connect_problem(&problem, context.request_id(), visit.theme)),
    }
}

fn history_is_on(fields: &Fields) -> bool {
    !matches!(fields.get("history_days").trim(), "" | "0")
}

/// `POST /settings/integrations/gong/poll`
pub(super) async fn poll(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    let started = connection::poll_now(&state, &person).await?;
    Ok(done(HERE, if started { "poll" } else { "poll-waiting" }))
}

/// `POST /settings/integrations/gong/pause`
pub(super) async fn pause(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    connection::change(&state, &person, Change { paused: Some(true), ..Change::default() }).await?;
    Ok(done(HERE, "paused"))
}

/// `POST /settings/integrations/gong/resume`
pub(super) async fn resume(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    connection::change(&state, &person, Change { paused: Some(false), ..Change::default() }).await?;
    Ok(done(HERE, "resumed"))
}

/// `POST /settings/integrations/gong/backfill`
pub(super) async fn backfill(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = fields.get("history_days");
    let days = match gong_forms::days(typed) {
        Ok(days) => days,
        Err(error) => return again(&state, &visit, &person, history_again(typed, error)).await,
    };
    connection::start_backfill(&state, &person, days).await?;
    Ok(done(HERE, "backfill"))
}

/// `POST /settings/integrations/gong/backfill/cancel`
pub(super) async fn cancel_backfill(
    State(state): State<AppState>,
    person: SignedIn,
) -> Result<Response, Problem> {
    let ended = connection::cancel_backfill(&state, &person).await?;
    Ok(done(HERE, if ended { "backfill-cancelled" } else { "backfill-none" }))
}

/// `POST /settings/integrations/gong/backfill/again`
pub(super) async fn retry_backfill(
    State(state): State<AppState>,
    person: SignedIn,
) -> Result<Response, Problem> {
    connection::retry_backfill(&state, &person).await?;
    Ok(done(HERE, "backfill"))
}

/// `POST /settings/integrations/gong/connect/cancel`
pub(super) async fn cancel_connecting(
    State(state): State<AppState>,
    person: SignedIn,
) -> Result<Response, Problem> {
    connection::cancel_connecting(&state, &person).await?;
    Ok(done(HERE, "connect-cancelled"))
}

/// `POST /settings/integrations/gong/settings`
pub(super) async fn settings(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let sent = gong_forms::change(&fields);
    let from = IfMatch::of_form(fields.get("version"));
    let changed = match sent.clone() {
        Ok(schedule) => {
            connection::change(&state, &person, Change { schedule, from, ..Change::default() }).await
        }
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(()) => Ok(done(HERE, "settings")),
        Err(problem) if problem.status == StatusCode::PRECONDITION_FAILED => {
            let late = Again { late: sent.ok(), ..Again::default() };
            gong::build(&state, &visit, &person, late).await?.answer(problem.status)
        }
        Err(problem) if !problem.errors.is_empty() => {
            again(&state, &visit, &person, Again { settings: Some(problem), ..Again::default() }).await
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /settings/integrations/gong/disconnect`
pub(super) async fn disconnect(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    if !fields.get("confirm").trim().eq_ignore_ascii_case("disconnect") {
        let error = Some("Type the word disconnect, then press the button.");
        let page = gong_leave::disconnect_page(&state, &visit, &person, error).await?;
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    connection::disconnect(&state, &person).await?;
    Ok(done(HERE, "disconnected"))
}
