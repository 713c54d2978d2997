//! Log-in, log-out, password and theme.

use accounts::ChangePassword;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode, header};
use kernel::SecretString;

use super::{
    view::{
        plain::{LoginPage, PasswordPage},
        shell::{Here, Theme},
    },
    visit::{Fields, Visit, done, page, page_with, with_cookie},
};
use crate::{
    AppState, Problem, RequestContext,
    auth::{
        SignedIn,
        cookies::{self, SameSite},
        safe_next, session,
    },
    extract::Search,
    sentence::sentence,
};

const POLICY: &str = "12 to 200 characters. A sentence that you can remember is fine.";
const YEAR: u32 = 365 * 86_400;

/// Where to go after the log-in.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    out: Option<String>,
}

/// `GET /login`
pub(super) async fn form(
    visit: Visit,
    Search(query): Search<Next>,
    person: Option<SignedIn>,
) -> Result<Response, Problem> {
    let next = safe_next(query.next.as_deref());
    if person.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let notice = match (query.out, next) {
        (Some(_), _) => Some("You are logged out."),
        (None, "/") => None,
        _ => Some("Log in to see this page."),
    };
    let frame = visit.bare(Here::Elsewhere);
    page(&LoginPage { frame, email: String::new(), next: next.to_owned(), error: None, notice })
}

/// `POST /login`
pub(super) async fn log_in(
    State(state): State<AppState>,
    context: RequestContext,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let (email, next) = (fields.get("email").trim().to_owned(), safe_next(Some(fields.get("next"))));
    let credentials = (email.clone(), SecretString::from(fields.get("password")));
    match session::log_in(&state, &context, &headers, credentials, None).await {
        Ok(welcome) => {
            let to = if welcome.must_change_password { "/password" } else { next };
            let mut response = Redirect::to(to).into_response();
            for cookie in welcome.cookies {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(problem) => {
            let frame = visit.bare(Here::Elsewhere);
            let error = Some(problem.detail.clone());
            let again = LoginPage { frame, email, next: next.to_owned(), error, notice: None };
            let mut response = page_with(problem.status, &again)?;
            if let Some(wait) = problem.retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
            }
            Ok(response)
        }
    }
}

/// `POST /logout`
pub(super) async fn log_out(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    let forget = session::log_out(&state, &person).await?;
    Ok(session::cleared(with_cookie(Redirect::to("/login?out=1").into_response(), forget)))
}

fn password_page(
    visit: &Visit,
    person: &SignedIn,
    problem: Option<&Problem>,
    again: Option<&str>,
) -> PasswordPage {
    let error = |field: &str| {
        let errors = problem.map_or(&[][..], |problem| &problem.errors);
        errors.iter().find(|error| error.field == field).map(|error| sentence(&error.message))
    };
    PasswordPage {
        frame: visit.frame(person, Here::Elsewhere),
        forced: person.must_change_password,
        policy: POLICY.into(),
        current_error: error("current_password").or_else(|| error("current")),
        new_error: error("new_password").or_else(|| error("new")).or_else(|| error("password")),
        again_error: again.map(Into::into),
    }
}

/// `GET /password`
pub(super) async fn password_form(visit: Visit, person: SignedIn) -> Result<Response, Problem> {
    page(&password_page(&visit, &person, None, None))
}

/// `POST /password`
pub(super) async fn change_password(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    if fields.get("new") != fields.get("again") {
        let again = password_page(&visit, &person, None, Some("The two new passwords are not the same."));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
    }
    let device = cookies::read(&headers, cookies::device_name(state.is_https()));
    let change = ChangePassword {
        user: person.user,
        scope: person.scope,
        current: fields.get("current").into(),
        new: fields.get("new").into(),
        keep_session: Some(person.session.id),
        keep_device: device.map(SecretString::from),
        request: person.request.clone(),
    };
    match accounts::change_password(&state.db, &state.hasher, change, &*state.ambient)
        .await
        .map_err(Problem::from)
    {
        Ok(_) => Ok(done("/", "password")),
        Err(problem) if !problem.errors.is_empty() => {
            page_with(problem.status, &password_page(&visit, &person, Some(&problem), None))
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /theme`
pub(super) async fn theme(State(state): State<AppState>, fields: Fields) -> Response {
    let theme = Theme::of(fields.get("theme"));
    let back = match fields.get("back") {
        "/login" => "/login",
        other => safe_next(Some(other)),
    };
    let mut response = Redirect::to(back).into_response();
    let https = state.is_https();
    let cookie = cookies::set(cookies::theme_name(https), theme.as_str(), SameSite::Lax, YEAR, https);
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
