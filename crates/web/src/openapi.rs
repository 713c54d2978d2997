//! The description of the API, generated from the handlers, at `/api/openapi.json`.

use axum::{Router, response::IntoResponse, routing::get};
use http::header;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{AppState, api, problem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Soundpost",
        description = "Connects Gong workspaces and keeps their calls flowing. The organization follows from the session or the API key. \
            Every refusal is a problem document (RFC 9457) with a stable `code`, explained at /docs/errors. Times are RFC 3339 in UTC. \
            Lists have `items` and `next_cursor`; pass it as `cursor` for the next page. Requests that change something with a session \
            cookie must come from our own origin.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/")),
    components(schemas(problem::ProblemBody<'static>, problem::FieldError)),
    tags(
        (name = "session", description = "Logging in and out, and who one is."),
        (name = "gong", description = "The Gong connection."),
        (name = "privacy", description = "How long content is kept, calls that vanished, people that are erased."),
        (name = "calls", description = "Calls and transcripts."),
        (name = "feedback", description = "What customers ask for: boards, posts, evidence, and how they are made."),
        (name = "organization", description = "Members, API keys and the audit log."),
        (name = "jobs", description = "Background work that was given up."),
    ),
    modifiers(&Security),
)]
struct Head;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let mut key = Http::new(HttpAuthScheme::Bearer);
        key.description = Some("An API key: `spk_live_` and 46 letters and digits.".to_owned());
        components.add_security_scheme("apiKey", SecurityScheme::Http(key));
        let cookie =
            ApiKeyValue::with_description("__Host-soundpost", "The session; `soundpost` over plain http.");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let none: [&str; 0] = [];
        document.security =
            Some(vec![SecurityRequirement::new("session", none), SecurityRequirement::new("apiKey", none)]);
    }
}

/// What stands around the operations.
pub(crate) fn head() -> Document {
    Head::openapi()
}

/// The whole description.
pub fn document() -> Document {
    api::router().into_openapi()
}

/// The description as JSON.
pub(crate) fn router() -> Router<AppState> {
    // It does not change while the process lives.
    let text = bytes::Bytes::from(document().to_json().unwrap_or_default());
    let answer = move || {
        let text = text.clone();
        async move {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text)
                .into_response()
        }
    };
    Router::new().route("/api/openapi.json", get(answer))
}
