//! Every refusal and failure in one shape: problem documents of RFC 9457. Knows no route.
//!
//! A handler returns a [`Problem`]; `render` writes it down as JSON under `/api` and as a page elsewhere, with the ids of
//! the request. Causes are logged here, once, and never written into an answer.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field as the API names it.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why a request was not done.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A stable name for clients; explained at `/docs/errors#code`.
    pub code: &'static str,
    /// One sentence for people; never a value from the database or from Gong.
    pub detail: String,
    /// The fields at fault.
    pub errors: Vec<FieldError>,
    /// When a new try makes sense.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of this status and code, explained in one sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 422: one field of the request is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", format!("{field}: {message}"));
        problem.errors.push(FieldError { field, message });
        problem
    }

    /// 404: it does not exist, or belongs to somebody else.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    /// 401: nobody is logged in and no valid API key came along.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Log in, or send an API key as \"Authorization: Bearer spk_live_...\".",
        )
    }

    /// 403: the role does not allow it.
    pub fn forbidden(rule: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "role_not_sufficient",
            format!("Your role does not allow this: {rule}."),
        )
    }

    /// 500, with the cause in the log and not in the answer.
    pub fn internal(code: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        log_cause(code, error);
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "Something failed on our side. Try again; if it stays, tell your operator the request id.",
        )
    }

    /// 503, with the cause in the log and not in the answer.
    pub fn unavailable(code: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        log_cause(code, error);
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            "A part of Soundpost does not answer at the moment. Try again in a few seconds.",
        );
        problem.retry_after = Some(Duration::from_secs(5));
        problem
    }

    /// The same problem with a time to wait.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

fn log_cause(code: &'static str, error: &(dyn std::error::Error + 'static)) {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        next = cause.source();
    }
    crate::observe::log_failure(code, &causes);
}

/// Leaves the problem in the extensions of an empty answer; `render` gives it its body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"soundpost\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem as clients get it (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Where this kind of problem is explained.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind of problem in a few words.
    pub(crate) title: &'a str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened here and what to do.
    pub(crate) detail: &'a str,
    /// A stable name to match on.
    pub(crate) code: &'a str,
    /// The request, as in our logs.
    pub(crate) request_id: &'a str,
    /// The trace, as in our logs.
    pub(crate) trace_id: &'a str,
    /// The fields at fault, when the request was understood and a value was not acceptable.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: &'a [FieldError],
}

impl Problem {
    pub(crate) fn body<'a>(&'a self, request_id: &'a str, trace_id: &'a str) -> ProblemBody<'a> {
        ProblemBody {
            kind: format!("/docs/errors#{}", self.code),
            title: crate::messages::title(self.code)
                .unwrap_or_else(|| self.status.canonical_reason().unwrap_or("Error")),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            trace_id,
            errors: &self.errors,
        }
    }
}

impl From<db::DbError> for Problem {
    fn from(error: db::DbError) -> Self {
        Self::unavailable(error.code(), &error)
    }
}
