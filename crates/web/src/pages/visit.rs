//! What every page handler needs of a request: theme, address, the message of the last action, form fields. Knows no room.

use askama::Template;
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};

use super::{
    assets,
    view::shell::{Flash, Frame, Here, Theme, Who},
};
use crate::{
    Problem,
    auth::{SignedIn, cookies},
};

/// One look at a page.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) theme: Theme,
    path: String,
    flash: Option<Flash>,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let get = parts.method == http::Method::GET;
        // After a form that was not accepted the address is the form's: lead back to the page it stands on.
        let path = if get { parts.uri.path_and_query().map_or("/", |all| all.as_str()) } else { "/" };
        Ok(Self {
            theme: theme(&parts.headers),
            path: path.to_owned(),
            flash: flash(parts.uri.query().unwrap_or_default()),
        })
    }
}

/// The theme that a browser chose.
pub(crate) fn theme(headers: &HeaderMap) -> Theme {
    let chosen = [true, false].map(|https| cookies::read(headers, cookies::theme_name(https)));
    chosen.into_iter().flatten().next().map(Theme::of).unwrap_or_default()
}

impl Visit {
    /// The frame for a person.
    pub(super) fn frame(&self, person: &SignedIn, here: Here) -> Frame {
        let who = Who {
            email: person.email.clone(),
            organization: person.organization_name.clone(),
            role: person.role.as_str(),
            admin: person.may(accounts::Permission::ViewMembers),
        };
        Frame { who: Some(who), ..self.bare(here) }
    }

    /// The frame for nobody in particular.
    pub(super) fn bare(&self, here: Here) -> Frame {
        Frame {
            theme: self.theme,
            here,
            path: self.path.clone(),
            who: None,
            flash: self.flash.clone(),
            assets: assets::addresses(),
        }
    }
}

/// What an action says on the page that it leads to: a code in the address, words from here.
const FLASHES: &[(&str, bool, &str)] = &[
    ("connected", true, "Gong is connected. Calls come in by themselves from here on."),
    ("connect-cancelled", true, "The connect request is given up. Nothing was connected."),
    ("renamed", true, "The organization has its new name."),
    ("switched", true, "You look at this organization now."),
    ("poll", true, "Soundpost looks for new calls now."),
    ("poll-waiting", true, "A look for new calls is already waiting or running."),
    ("paused", true, "The connection is paused. Nothing is asked of Gong until you resume it."),
    ("resumed", true, "The connection works again."),
    ("backfill", true, "History is being brought in."),
    ("backfill-cancelled", true, "Bringing in history was stopped. What came in stays."),
    ("backfill-none", true, "No history was being brought in."),
    ("settings", true, "The settings are saved."),
    (
        "disconnected",
        true,
        "Gong is disconnected. The credentials are deleted; no further request goes to Gong.",
    ),
    ("member-added", true, "The person already had an account and belongs to this organization now."),
    ("role-changed", true, "The role is changed."),
    ("member-removed", true, "The person no longer belongs to this organization."),
    ("key-revoked", true, "The key is revoked. Programs that use it are refused from now on."),
    ("job-retried", true, "The job is tried again."),
    ("jobs-retried", true, "The jobs are tried again, at most 1,000 at a time."),
    ("jobs-discarded", true, "Discarded. The reason stands in the activity log."),
    ("jobs-none", true, "There was nothing left to do: somebody tried it again or discarded it before."),
    ("retention", true, "How long content is kept is saved. What is too old goes within minutes."),
    ("vanished-removed", true, "The calls that Gong no longer lists are being removed."),
    ("vanished-kept", true, "The calls stay, although Gong no longer lists them."),
    ("vanished-none", true, "There is nothing to decide any longer."),
    ("erasure", true, "The person is being erased. The receipt below tells how far it is."),
    ("post-changed", true, "The post is changed."),
    ("post-status", true, "The post has its new status."),
    ("post-merged", true, "Merged. Taking the evidence out of the other post undoes it."),
    (
        "post-split",
        true,
        "Taken out. It is a post of its own now and is not put together with the old one again.",
    ),
    ("post-approved", true, "The post is published."),
    ("post-rejected", true, "The post is rejected. It keeps its evidence."),
    ("post-decided", true, "Somebody decided about it a moment ago."),
    (
        "feedback-settings",
        true,
        "The settings are saved. They hold for calls that are looked at from now on.",
    ),
    ("feedback-again", true, "The calls are looked at again, the newest first. Posts change as they are."),
    ("board-made", true, "The board is there. Calls that waited for it are looked at now."),
    ("board-changed", true, "The board is changed."),
    ("board-archived", true, "The board is put away. Its posts stay."),
    ("tags", true, "The tags are saved."),
    ("feedback-retried", true, "The call is looked at again within minutes."),
    ("password", true, "The password is changed. Your other sessions have ended."),
];

fn flash(query: &str) -> Option<Flash> {
    let code = url::form_urlencoded::parse(query.as_bytes()).find_map(|(name, value)| match &*name {
        "done" => Some(value.into_owned()),
        "connected" => Some("connected".to_owned()),
        _ => None,
    })?;
    FLASHES.iter().find(|(known, ..)| *known == code).map(|&(_, good, text)| Flash { good, text })
}

/// Back to a page that says what was done.
pub(super) fn done(page: &str, code: &str) -> Response {
    debug_assert!(FLASHES.iter().any(|(known, ..)| *known == code), "{code} has no words");
    Redirect::to(&format!("{page}?done={code}")).into_response()
}

/// A page as an answer.
pub(super) fn page(template: &impl Template) -> Result<Response, Problem> {
    page_with(StatusCode::OK, template)
}

/// A page with another status: forms that were not accepted.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| Problem::internal("internal_error", &error))?;
    Ok((status, Html(html)).into_response())
}

/// The fields of a posted form, in order; a name may come more than once.
#[derive(Clone)]
pub(super) struct Fields(Vec<(String, String)>);

/// Values may be passwords.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// The first value of this name; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    /// Every value of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        // A button without fields is sent without a type by some browsers.
        if request.headers().get(http::header::CONTENT_TYPE).is_none() {
            return Ok(Self(Vec::new()));
        }
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
        let axum::Form(fields) = form.map_err(IntoResponse::into_response)?;
        if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(Problem::field("form", "must not contain the character U+0000").into_response());
        }
        Ok(Self(fields))
    }
}

/// The answer with one more cookie, where there is one.
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The way back through a list that only knows "older": the cursors of the pages before, newest page last.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(super) struct Trail {
    /// Where this page begins.
    #[serde(default)]
    pub(super) cursor: Option<String>,
    /// The cursors of the pages between the first and this one.
    #[serde(default)]
    trail: Option<String>,
}

/// A trail longer than this forgets its beginning.
const LONGEST_TRAIL: usize = 1500;

impl Trail {
    /// Query parameters of the next page.
    pub(super) fn older(&self, next: &str) -> Vec<(&'static str, String)> {
        let mut trail = self.trail.clone().unwrap_or_default();
        if let Some(here) = &self.cursor {
            trail = if trail.is_empty() { here.clone() } else { format!("{trail}~{here}") };
        }
        while trail.len() > LONGEST_TRAIL {
            trail = trail.split_once('~').map_or(String::new(), |(_, rest)| rest.to_owned());
        }
        let mut query = vec![("cursor", next.to_owned())];
        if !trail.is_empty() {
            query.push(("trail", trail));
        }
        query
    }

    /// Query parameters of the page before; `None` on the first page.
    pub(super) fn newer(&self) -> Option<Vec<(&'static str, String)>> {
        self.cursor.as_ref()?;
        let trail = self.trail.as_deref().unwrap_or_default();
        let (rest, last) = match trail.rsplit_once('~') {
            Some((rest, last)) => (rest, last),
            None => ("", trail),
        };
        let mut query = Vec::new();
        if !last.is_empty() {
            query.push(("cursor", last.to_owned()));
        }
        if !rest.is_empty() {
            query.push(("trail", rest.to_owned()));
        }
        Some(query)
    }
}

/// An address of ours with these parameters; empty ones are left out.
pub(super) fn address(path: &str, query: &[(&str, String)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        text.append_pair(name, value);
    }
    let query = text.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_leads_there_and_back_again() {
        let first = Trail::default();
        assert!(first.newer().is_none());
        let second = Trail { cursor: Some("a".into()), trail: None };
        assert_eq!(first.older("a"), [("cursor", "a".to_owned())]);
        assert_eq!(second.older("b"), [("cursor", "b".to_owned()), ("trail", "a".to_owned())]);
        assert_eq!(second.newer().unwrap(), []);
        let third = Trail { cursor: Some("b".into()), trail: Some("a".into()) };
        assert_eq!(third.newer().unwrap(), [("cursor", "a".to_owned())]);
        let fourth = Trail { cursor: Some("c".into()), trail: Some("a~b".into()) };
        assert_eq!(fourth.newer().unwrap(), [("cursor", "b".to_owned()), ("trail", "a".to_owned())]);
        let long = Trail { cursor: Some("z".repeat(60)), trail: Some(["y"; 760].join("~")) };
        assert!(long.older("n")[1].1.len() <= LONGEST_TRAIL);
    }

    #[test]
    fn a_message_comes_from_our_table_only() {
        assert!(flash("done=settings").is_some_and(|f| f.good));
        assert!(flash("connected=1").is_some_and(|f| f.text.starts_with("Gong is connected")));
        assert!(flash("done=%3Cscript%3E").is_none());
    }

    #[test]
    fn values_of_a_form_never_show_in_debug_output() {
        let fields = Fields::of(&[("password", "canary")]);
        assert!(!format!("{fields:?}").contains("canary"));
        assert_eq!(address("/calls", &[("q", "a b&c".into()), ("state", String::new())]), "/calls?q=a+b%26c");
    }
}
