//! Who asks: people with a session, programs with an API key. Judged anew at every request, so that a demotion, a removal
//! or a revocation holds from the next one.
//!
//! Handlers take [`SignedIn`] (a person; pages and what only people do) or [`ApiCaller`] (a person or an API key).
//! Under `/api` who is nobody gets 401. Elsewhere [`SignedIn`] leads to `/login?next=...`, to `/password` while the initial
//! password has to be changed, or, for a visit from another site without our Strict cookie, to a tiny page that asks again
//! from here.

pub(crate) mod bearer;
mod bounce;
pub(crate) mod cookies;
pub(crate) mod session;

use accounts::{Entry, Member, Permission, RequestInfo, actions};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Redirect, Response},
};
use connector::Returned;
use db::Tx;
use http::{StatusCode, request::Parts};
use kernel::{ExposeSecret, Role, Scope, SecretString, UserId};
use serde_json::json;
use tower_sessions_core::session::Id;

use crate::{AppState, Problem, RequestContext, quota};

pub use bounce::safe_next;
pub(crate) use session::LiveSession;

/// Where somebody with an initial password has to go first.
const PASSWORD_PAGE: &str = "/password";
/// The live events, which a page opens again by itself.
const EVENTS: [&str; 2] = ["/api/v1/integrations/gong/events", "/api/v1/feedback/events"];
/// What may be done before the initial password is changed.
const BEFORE_CHANGE: [&str; 5] =
    ["/api/v1/me", "/api/v1/me/password", "/api/v1/session", "/password", "/logout"];

/// Somebody who was checked, acting for one organization.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organization and who acts for it.
    pub scope: Scope,
    /// The role that limits them.
    pub role: Role,
    /// The request, for the audit log.
    pub request: RequestInfo,
    /// The trace of the request as it is handed on to jobs.
    pub trace: String,
}

impl Caller {
    fn new(scope: Scope, role: Role, context: &RequestContext) -> Self {
        context.recognised(scope.organization());
        let scope = scope.claimed(context.claim());
        Self { scope, role, request: context.info(), trace: context.traceparent() }
    }

    /// The person of a connect request that came back through Gong.
    pub(crate) fn behind_callback(scope: Scope, context: &RequestContext) -> Self {
        Self::new(scope, scope.actor().role().unwrap_or(Role::Viewer), context)
    }

    /// Whether the role allows it, for showing or hiding what leads there.
    pub fn may(&self, permission: Permission) -> bool {
        permission.granted_to(self.scope.actor())
    }

    /// Stops who may not, and notes the attempt in the audit log.
    ///
    /// # Errors
    /// 403 that names the rule; 503 when the database does not answer.
    pub async fn require(&self, state: &AppState, permission: Permission) -> Result<(), Problem> {
        if self.may(permission) {
            return Ok(());
        }
        let mut tx = self.begin(state).await?;
        let entry = Entry::new(actions::AUTHORIZATION_REFUSED, &self.request);
        let entry = entry.detail(json!({ "rule": permission.words(), "role": self.role.as_str() }));
        accounts::audit(&mut tx, entry, &*state.ambient).await?;
        tx.commit().await?;
        Err(Problem::forbidden(permission.words()))
    }

    /// Begins a transaction of the caller's organization that carries the request's trace.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub async fn begin(&self, state: &AppState) -> Result<Tx, Problem> {
        let mut tx = state.db.begin(&self.scope).await?;
        tx.set_trace(self.trace.clone());
        Ok(tx)
    }
}

/// A person with a living session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The person as a caller.
    pub caller: Caller,
    /// The person.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// The organization they look at.
    pub organization_name: String,
    /// Whether they have to choose a password before anything else.
    pub must_change_password: bool,
    pub(crate) session: LiveSession,
}

impl std::ops::Deref for SignedIn {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl SignedIn {
    fn new(session: LiveSession, member: Member, context: &RequestContext) -> Self {
        Self {
            caller: Caller::new(member.scope(), member.role, context),
            user: member.user,
            email: member.email,
            organization_name: member.organization_name,
            must_change_password: member.must_change_password,
            session,
        }
    }

    async fn recognise(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, Problem> {
        let Some(mut session) = session::find(state, &parts.headers).await? else { return Ok(None) };
        let Some(member) = member_of(state, &session).await? else { return Ok(None) };
        if is_use(parts) {
            session::touch(state, &mut session).await?;
        }
        let context = context_of(parts, state).await;
        context.known_as(quota::of_session(&session.id));
        Ok(Some(Self::new(session, member, &context)))
    }
}

/// Whether a request is a person's doing. What an open page asks by itself keeps no session alive.
fn is_use(parts: &Parts) -> bool {
    !parts.headers.contains_key("x-live") && !EVENTS.contains(&parts.uri.path())
}

async fn context_of(parts: &mut Parts, state: &AppState) -> RequestContext {
    match RequestContext::from_request_parts(parts, state).await {
        Ok(context) => context,
        Err(never) => match never {},
    }
}

async fn member_of(state: &AppState, session: &LiveSession) -> Result<Option<Member>, Problem> {
    let mut fleet = state.db.fleet().await?;
    Ok(accounts::resolve_session(&mut fleet, session.data.user, session.data.organization).await?)
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let found = Self::recognise(parts, state).await.map_err(IntoResponse::into_response)?;
        let Some(person) = found else { return Err(bounce::to_log_in(parts, state.origin())) };
        let path = parts.uri.path();
        if person.must_change_password && !BEFORE_CHANGE.contains(&path) {
            return Err(change_password_first(path));
        }
        Ok(person)
    }
}

/// Somebody or nobody, where both are welcome.
impl OptionalFromRequestParts<AppState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, Response> {
        Self::recognise(parts, state).await.map_err(IntoResponse::into_response)
    }
}

fn change_password_first(path: &str) -> Response {
    if !path.starts_with("/api/") {
        return Redirect::to(PASSWORD_PAGE).into_response();
    }
    let detail = "Your password was made by somebody else. Change it first: POST /api/v1/me/password.";
    Problem::new(StatusCode::FORBIDDEN, "password_change_required", detail).into_response()
}

/// How a caller was recognised, so that a long answer can ask again.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    Session(Id),
    Key(SecretString),
}

/// A person with a session, or a program with an API key.
#[derive(Debug, Clone)]
pub struct ApiCaller {
    /// Who it is.
    pub caller: Caller,
    /// The person, where it is one.
    pub user: Option<UserId>,
    pub(crate) credential: Credential,
}

impl std::ops::Deref for ApiCaller {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequestParts<AppState> for ApiCaller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        if !parts.headers.contains_key(http::header::AUTHORIZATION) {
            let person = <SignedIn as FromRequestParts<AppState>>::from_request_parts(parts, state).await?;
            let credential = Credential::Session(person.session.id);
            return Ok(Self { caller: person.caller, user: Some(person.user), credential });
        }
        let Some(key) = bearer::presented(&parts.headers).map(SecretString::from) else {
            return Err(Problem::unauthenticated().into_response());
        };
        let context = context_of(parts, state).await;
        let scope = key_scope(state, &key).await.map_err(IntoResponse::into_response)?;
        let Some((scope, role)) = scope else { return Err(Problem::unauthenticated().into_response()) };
        context.known_as(quota::of_key(key.expose_secret()));
        Ok(Self { caller: Caller::new(scope, role, &context), user: None, credential: Credential::Key(key) })
    }
}

async fn key_scope(state: &AppState, key: &SecretString) -> Result<Option<(Scope, Role)>, Problem> {
    if !accounts::looks_like_api_key(key.expose_secret()) {
        return Ok(None);
    }
    let mut fleet = state.db.fleet().await?;
    let holder = accounts::authenticate_api_key(&mut fleet, key.expose_secret(), &*state.ambient).await?;
    fleet.commit().await?;
    Ok(holder.map(|holder| (holder.scope(), holder.role)))
}

/// Who a credential stands for now; `None` when it no longer counts.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn recheck(state: &AppState, credential: &Credential) -> Result<Option<Scope>, Problem> {
    match credential {
        Credential::Key(key) => Ok(key_scope(state, key).await?.map(|(scope, _)| scope)),
        Credential::Session(id) => {
            let Some(session) = session::load(state, *id).await? else { return Ok(None) };
            Ok(member_of(state, &session).await?.map(|member| member.scope()))
        }
    }
}

/// The person of a session, in the organization of a connect request, if both still count.
///
/// # Errors
/// 503 when the database does not answer.
pub(crate) async fn person_behind(state: &AppState, returned: &Returned) -> Result<Option<Scope>, Problem> {
    let now = state.ambient.now();
    let mut fleet = state.db.fleet().await?;
    let Some(session) = accounts::session_by_hash(&mut fleet, &returned.session_hash, now).await? else {
        return Ok(None);
    };
    let same = session.user == returned.user && session.organization == returned.organization;
    if !same || session.judge(now) != accounts::Standing::Live {
        return Ok(None);
    }
    let member = accounts::resolve_session(&mut fleet, session.user, session.organization).await?;
    Ok(member.map(|member| member.scope()))
}
