//! `GET /api/integrations/gong/callback`: where Gong sends the admin's browser back to.
//!
//! No session cookie comes along (it is Strict and this is another site's doing): the flow cookie says which browser this
//! is and which session began, and both are checked again before anything is stored. The cookie stays for its ten minutes:
//! a reload is then told that the request was used, not that it came from elsewhere.

use accounts::{Entry, Permission, actions};
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use connector::{ConnectError, Returned};
use db::Tx;
use http::{HeaderMap, StatusCode};
use kernel::{OrganizationId, Scope};
use oauth::Callback;
use serde_json::json;

use crate::{
    AppState, Problem, RequestContext,
    auth::{Caller, cookies, person_behind},
    connection::{self, Failed},
    pages::{self, Theme},
};

/// Where the browser goes when it worked.
const DONE: &str = "/settings/integrations/gong?connected=1";

/// Gong's answer to a connect request. For browsers that Gong redirects here; not to be called by programs.
#[utoipa::path(
    get, path = "/api/integrations/gong/callback", tag = "gong", operation_id = "gongCallback", security(()),
    params(
        ("code" = Option<String>, Query, description = "Gong's authorization code."),
        ("state" = Option<String>, Query, description = "The state of the connect request."),
        ("error" = Option<String>, Query, description = "Gong's reason for a no."),
    ),
    responses(
        (status = 303, description = "Connected; to the settings page."),
        (status = 400, description = "Gong said no, or its answer is incomplete: a page that says what to do.", content_type = "text/html"),
        (status = 403, description = "The request is unknown, too old, or of another browser or session: a page that says what to do.", content_type = "text/html"),
        (status = 409, description = "It was used before, or the Gong company is connected elsewhere: a page that says what to do.", content_type = "text/html"),
        (status = 422, description = "Gong named an address that is not one of Gong's: a page that says what to do.", content_type = "text/html"),
        (status = 500, description = "Something failed on our side: a page.", content_type = "text/html"),
        (status = 502, description = "Gong did not answer usefully: a page that says what to do.", content_type = "text/html"),
        (status = 503, description = "A part of Soundpost does not answer: a page.", content_type = "text/html"),
    ),
)]
pub(crate) async fn callback(
    State(state): State<AppState>,
    context: RequestContext,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let callback = Callback::parse(query.as_deref().unwrap_or_default());
    let theme = pages::theme(&headers);
    let flow = cookies::read(&headers, cookies::flow_name(state.is_https())).map(str::to_owned);
    let work = finish(state.clone(), context.clone(), callback, flow);
    // On a task of its own: a browser that goes away must not lose tokens that Gong gave out already.
    let outcome = tokio::spawn(tracing::Instrument::in_current_span(work)).await;
    match outcome {
        Ok(Ok(())) => Redirect::to(DONE).into_response(),
        Ok(Err(failed)) => worded(&state, &context, failed, theme).await,
        Err(error) => problem_page(&Problem::internal("internal_error", &error), &context, theme),
    }
}

async fn finish(
    state: AppState,
    context: RequestContext,
    callback: Callback,
    flow: Option<String>,
) -> Result<(), Failed> {
    let returned = state.connector.take(callback, flow.as_deref()).await?;
    let caller = still_allowed(&state, &context, &returned).await?;
    let connected = approve(&state, &caller, returned).await;
    if let Err(failed) = &connected {
        connection::note_failure(&state, &caller, failed).await?;
    }
    connected
}

async fn approve(state: &AppState, caller: &Caller, returned: Returned) -> Result<(), Failed> {
    let approved = state.connector.approve(returned).await?;
    let tx: Tx = caller.begin(state).await?;
    connection::store(state, tx, caller, &approved).await?;
    Ok(())
}

/// The session that began must still live, and its person must still be allowed to connect.
async fn still_allowed(
    state: &AppState,
    context: &RequestContext,
    returned: &Returned,
) -> Result<Caller, Failed> {
    let Some(scope) = person_behind(state, returned).await? else {
        let detail = "The session that began to connect Gong has ended. Log in and begin again.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "flow_session_ended", detail).into());
    };
    let caller = Caller::behind_callback(scope, context);
    caller.require(state, Permission::ManageConnection).await?;
    Ok(caller)
}

async fn worded(state: &AppState, context: &RequestContext, failed: Failed, theme: Theme) -> Response {
    failed.log();
    match failed {
        Failed::Connect(error) => {
            metrics::counter!("soundpost_gong_connect_failures_total", "code" => error.code()).increment(1);
            if error.status_hint() == 403 || matches!(error, ConnectError::UsedFlow) {
                metrics::counter!("soundpost_security_events_total", "event" => error.code()).increment(1);
            }
            if let ConnectError::OtherBrowser { organization } = error {
                note_stranger(state, context, organization).await;
            }
            let problem: Problem = error.into();
            connect_page(&problem, context, theme)
        }
        Failed::Problem(problem) => connect_page(&problem, context, theme),
    }
}

fn connect_page(problem: &Problem, context: &RequestContext, theme: Theme) -> Response {
    let mut page = pages::connect_problem(problem, context.request_id(), theme);
    *page.status_mut() = problem.status;
    page
}

fn problem_page(problem: &Problem, context: &RequestContext, theme: Theme) -> Response {
    let mut page = pages::error_page(problem, context.request_id(), theme);
    *page.status_mut() = problem.status;
    page
}

/// Somebody else's browser came back with this organization's request: a line in its audit log, nothing else.
async fn note_stranger(state: &AppState, context: &RequestContext, organization: OrganizationId) {
    let noted = async {
        let mut tx = state.db.begin(&Scope::job(organization)).await?;
        let detail = json!({ "code": "flow_other_browser" });
        let entry = Entry::new(actions::GONG_CONNECT_FAILED, &context.info()).detail(detail);
        accounts::audit(&mut tx, entry, &*state.ambient).await?;
        tx.commit().await?;
        Ok::<_, accounts::AccountsError>(())
    };
    if let Err(error) = noted.await {
        crate::observe::log_failure(error.code(), &error.to_string());
    }
}
