//! What handlers read from a request, with every mistake answered as a problem that names the field.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Problem;

/// The deepest that a JSON body may be nested.
const DEEPEST: usize = 16;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if !is_json(request.headers()) {
            let detail = "Send the body as JSON, with \"Content-Type: application/json\".";
            let problem =
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type_not_supported", detail);
            return Err(problem.into_response());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", "The body could not be read.")
                .into_response()
        })?;
        read(&bytes).map(Self).map_err(IntoResponse::into_response)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let detail =
            format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, "json_invalid", detail)
    })?;
    check(&value, 1)?;
    // serde would take a list for the fields in their order.
    if !value.is_object() {
        return Err(Problem::field("body", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        named(if path == "." { "" } else { &path }, &message)
    })
}

/// Depth, and the one character that PostgreSQL cannot hold.
fn check(value: &Value, depth: usize) -> Result<(), Problem> {
    let refused = |text: &str| text.contains('\0');
    let nul = || Problem::field("body", "must not contain the character U+0000");
    if depth > DEEPEST {
        let detail = format!("The body is nested deeper than {DEEPEST} levels.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "json_too_deep", detail));
    }
    match value {
        Value::String(text) if refused(text) => Err(nul()),
        Value::Array(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, item)| if refused(name) { Err(nul()) } else { check(item, depth + 1) }),
        _ => Ok(()),
    }
}

/// A problem that names the field: the path to it, or the name that serde put between backticks.
fn named(path: &str, message: &str) -> Problem {
    let quoted = message.split('`').nth(1).filter(|_| {
        message.starts_with("unknown field")
            || message.starts_with("missing field")
            || message.starts_with("duplicate field")
    });
    let field = match (path, quoted) {
        ("", None) => "body".to_owned(),
        ("", Some(name)) => name.to_owned(),
        (path, None) => path.to_owned(),
        // The path of an unknown field ends with its name already.
        (path, Some(name)) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        (path, Some(name)) => format!("{path}.{name}"),
    };
    let message: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
    let message = message.strip_suffix('.').unwrap_or(&message).to_owned();
    let field: String = field.chars().filter(|c| !c.is_control()).take(100).collect();
    Problem::field(field, message)
}

/// The query string.
#[derive(Debug)]
pub(crate) struct Search<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Search<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let query = parts.uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if name.contains('\0') || value.contains('\0') {
                return Err(Problem::field("query", "must not contain the character U+0000").into_response());
            }
        }
        Query::<T>::try_from_uri(&parts.uri).map(|Query(value)| Self(value)).map_err(|rejection| {
            let text = rejection.body_text();
            let message = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let (path, message) = match message.split_once(": ") {
                Some((path, rest)) if !path.contains(' ') => (path, rest),
                _ => ("", message),
            };
            named(path, message).into_response()
        })
    }
}

/// The ids in the path; one that is none of ours is like one that does not exist.
#[derive(Debug)]
pub(crate) struct Ids<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|_| Problem::not_found("thing").into_response())
    }
}

/// For fields where absent, null and a value are three answers.
#[expect(clippy::option_option, reason = "absent, null and a value are three answers")]
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}

/// A lookback that may be null, with one sentence for whatever else comes.
pub(crate) fn days_or_null<'de, D>(deserializer: D) -> Result<Option<kernel::Lookback>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let value: Value = serde::Deserialize::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(None);
    }
    let days = value.as_i64().and_then(|days| kernel::Lookback::days(days).ok());
    days.map(Some).ok_or_else(|| {
        serde::de::Error::custom("must be a whole number from 1 to 60, or null for no history")
    })
}

/// A lookback, with one sentence for whatever else comes.
pub(crate) fn days<'de, D>(deserializer: D) -> Result<kernel::Lookback, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let value: Value = serde::Deserialize::deserialize(deserializer)?;
    let days = value.as_i64().and_then(|days| kernel::Lookback::days(days).ok());
    days.ok_or_else(|| serde::de::Error::custom("must be a whole number from 1 to 60"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Lookback;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Connect {
        #[serde(default, deserialize_with = "days_or_null")]
        history_days: Option<Lookback>,
        #[serde(default, deserialize_with = "present")]
        every: Option<Option<i64>>,
    }

    fn problem(body: &str) -> Problem {
        read::<Connect>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_lookback_outside_its_range_names_the_field() {
        for bad in ["0", "61", "\"x\"", "-1", "1.5", "1e30", "true", "[]", "{}", "99999999999999999999"] {
            let problem = problem(&format!("{{\"history_days\": {bad}}}"));
            assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
            assert_eq!(problem.errors[0].field, "history_days", "{bad}");
        }
        let days = |body: &str| read::<Connect>(body.as_bytes()).unwrap().history_days.map(Lookback::get);
        assert_eq!(days("{\"history_days\": 60}"), Some(60));
        assert_eq!(days("{\"history_days\": null}"), None);
        assert_eq!(days("{}"), None);
    }

    #[test]
    fn unknown_fields_and_wrong_types_are_named() {
        let unknown = problem("{\"historydays\": 3}");
        assert_eq!((unknown.status.as_u16(), &*unknown.errors[0].field), (422, "historydays"));
        let wrong = problem("{\"every\": \"often\"}");
        assert_eq!((wrong.status.as_u16(), &*wrong.errors[0].field), (422, "every"));
        let list = problem("[]");
        assert_eq!((list.status.as_u16(), &*list.errors[0].field), (422, "body"));
    }

    #[test]
    fn absent_null_and_a_value_are_told_apart() {
        let every = |body: &str| read::<Connect>(body.as_bytes()).unwrap().every;
        assert_eq!(every("{}"), None);
        assert_eq!(every("{\"every\": null}"), Some(None));
        assert_eq!(every("{\"every\": 5}"), Some(Some(5)));
    }

    #[test]
    fn broken_deep_and_unstorable_bodies_are_refused() {
        for (body, code) in [
            (String::new(), "json_invalid"),
            ("{\"history_days\": 3".to_owned(), "json_invalid"),
            ("\u{feff}{}".to_owned(), "json_invalid"),
            (format!("{{\"every\": {}1{}}}", "[".repeat(20), "]".repeat(20)), "json_too_deep"),
            (format!("{}{}", "[".repeat(5000), "]".repeat(5000)), "json_invalid"),
            ("{\"a\\u0000b\": 1}".to_owned(), "invalid_field"),
        ] {
            assert_eq!(problem(&body).code, code, "{body:.60}");
        }
    }

    #[tokio::test]
    async fn a_query_names_its_wrong_parameter() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Page {
            #[serde(default)]
            limit: Option<i64>,
        }
        let ask = async |uri: &str| {
            let (mut parts, ()) = http::Request::builder().uri(uri).body(()).unwrap().into_parts();
            Search::<Page>::from_request_parts(&mut parts, &()).await.map(|Search(page)| page.limit)
        };
        assert_eq!(ask("/x?limit=5").await.unwrap(), Some(5));
        for (uri, field) in [("/x?limit=five", "limit"), ("/x?limt=5", "limt"), ("/x?limit=%00", "query")] {
            let response = ask(uri).await.unwrap_err();
            let problem = response.extensions().get::<Problem>().unwrap();
            assert_eq!((problem.status.as_u16(), &*problem.errors[0].field), (422, field), "{uri}");
        }
    }
}
