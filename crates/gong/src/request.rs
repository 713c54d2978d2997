//! What we ask Gong for. Knows Gong's request bodies: filter and cursor stand in the body of a POST, never in its query.

use reqwest::Method;
use serde::Serialize;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{BaseUrl, Cursor, GongError, scalar::is_id};

/// The most ids in one request.
pub const MOST_IDS: usize = 100;

/// Which calls to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFilter {
    /// Those that started in this window.
    Window {
        /// The first moment of it.
        from: OffsetDateTime,
        /// The first moment after it.
        to: OffsetDateTime,
    },
    /// Those with one of these ids; see [`CallFilter::ids`].
    Ids(Vec<String>),
}

impl CallFilter {
    /// A window that is not empty.
    ///
    /// # Errors
    /// [`GongError::InvalidRequest`] unless it begins before it ends.
    pub fn window(from: OffsetDateTime, to: OffsetDateTime) -> Result<Self, GongError> {
        let filter = Self::Window { from, to };
        filter.checked()?;
        Ok(filter)
    }

    /// Between one id and [`MOST_IDS`] of them: Gong refuses an empty list.
    ///
    /// # Errors
    /// [`GongError::InvalidRequest`] otherwise, or when one of them cannot be an id.
    pub fn ids(ids: Vec<String>) -> Result<Self, GongError> {
        check_ids(&ids)?;
        Ok(Self::Ids(ids))
    }

    fn checked(&self) -> Result<Filter<'_>, GongError> {
        match self {
            Self::Window { from, to } => {
                if millis(*from) >= millis(*to) {
                    return Err(GongError::InvalidRequest { why: "the window is empty" });
                }
                Ok(Filter {
                    from_date_time: Some(moment(*from)?),
                    to_date_time: Some(moment(*to)?),
                    call_ids: None,
                })
            }
            Self::Ids(ids) => Filter::ids(ids),
        }
    }
}

/// One request, ready to be sent.
pub(crate) struct Ask {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) body: Option<Vec<u8>>,
}

/// The endpoints, by the word that metrics and logs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    CallsExtensive,
    CallsTranscript,
    Calls,
    Users,
    Workspaces,
}

impl Endpoint {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::CallsExtensive => "calls_extensive",
            Self::CallsTranscript => "calls_transcript",
            Self::Calls => "calls",
            Self::Users => "users",
            Self::Workspaces => "workspaces",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    filter: Filter<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_selector: Option<ContentSelector>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_ids: Option<&'a [String]>,
}

impl<'a> Filter<'a> {
    fn ids(ids: &'a [String]) -> Result<Self, GongError> {
        check_ids(ids)?;
        Ok(Self { from_date_time: None, to_date_time: None, call_ids: Some(ids) })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContentSelector {
    exposed_fields: ExposedFields,
}

#[derive(Serialize)]
struct ExposedFields {
    parties: bool,
}

/// The list of calls with their people.
pub(crate) fn calls(base: &BaseUrl, filter: &CallFilter, cursor: Option<&Cursor>) -> Result<Ask, GongError> {
    let content_selector = Some(ContentSelector { exposed_fields: ExposedFields { parties: true } });
    let body = Body { cursor: cursor.map(Cursor::as_str), filter: filter.checked()?, content_selector };
    post(base, Endpoint::CallsExtensive, "/v2/calls/extensive", &body)
}

/// The transcripts of these calls: by ids alone, because Gong would intersect them with dates.
pub(crate) fn transcripts(base: &BaseUrl, ids: &[String], cursor: Option<&Cursor>) -> Result<Ask, GongError> {
    let body = Body { cursor: cursor.map(Cursor::as_str), filter: Filter::ids(ids)?, content_selector: None };
    post(base, Endpoint::CallsTranscript, "/v2/calls/transcript", &body)
}

/// One call.
pub(crate) fn call(base: &BaseUrl, id: &str) -> Result<Ask, GongError> {
    check_ids(std::slice::from_ref(&id))?;
    Ok(get(base, Endpoint::Calls, &format!("/v2/calls/{id}"), None))
}

/// All workspaces.
pub(crate) fn workspaces(base: &BaseUrl) -> Ask {
    get(base, Endpoint::Workspaces, "/v2/workspaces", None)
}

/// A page of users.
pub(crate) fn users(base: &BaseUrl, cursor: Option<&Cursor>) -> Ask {
    get(base, Endpoint::Users, "/v2/users", cursor)
}

fn get(base: &BaseUrl, endpoint: Endpoint, path: &str, cursor: Option<&Cursor>) -> Ask {
    let mut url = format!("{base}{path}");
    if let Some(cursor) = cursor {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("cursor", cursor.as_str())
            .finish();
        url = format!("{url}?{query}");
    }
    Ask { endpoint, method: Method::GET, url, body: None }
}

fn post(base: &BaseUrl, endpoint: Endpoint, path: &str, body: &Body<'_>) -> Result<Ask, GongError> {
    let body = serde_json::to_vec(body)
        .map_err(|_| GongError::InvalidRequest { why: "it cannot be written down" })?;
    Ok(Ask { endpoint, method: Method::POST, url: format!("{base}{path}"), body: Some(body) })
}

fn check_ids<S: AsRef<str>>(ids: &[S]) -> Result<(), GongError> {
    if ids.is_empty() || ids.len() > MOST_IDS {
        return Err(GongError::InvalidRequest { why: "between 1 and 100 ids are needed" });
    }
    if !ids.iter().all(|id| is_id(id.as_ref())) {
        return Err(GongError::InvalidRequest { why: "an id has characters that no id has" });
    }
    Ok(())
}

fn millis(moment: OffsetDateTime) -> i128 {
    moment.unix_timestamp_nanos().div_euclid(1_000_000)
}

/// RFC 3339 in UTC with Z, cut to the millisecond: neighbouring windows still meet exactly.
fn moment(moment: OffsetDateTime) -> Result<String, GongError> {
    let unusable = || GongError::InvalidRequest { why: "a time is out of range" };
    let utc = moment.checked_to_offset(UtcOffset::UTC).ok_or_else(unusable)?;
    let cut = utc.replace_millisecond(utc.millisecond()).map_err(|_| unusable())?;
    cut.format(&Rfc3339).map_err(|_| unusable())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn base() -> BaseUrl {
        crate::HostPolicy::parse("*.api.gong.io").unwrap().check("https://us-1.api.gong.io").unwrap()
    }

    fn text(ask: &Ask) -> &str {
        std::str::from_utf8(ask.body.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn a_window_is_sent_in_utc_and_parties_are_asked_for() {
        let filter = CallFilter::window(
            datetime!(2026-11-21 04:00:00.123456 +02:00),
            datetime!(2026-11-22 04:00:00 +02:00),
        );
        let ask = calls(&base(), &filter.unwrap(), None).unwrap();
        assert_eq!(ask.url, "https://us-1.api.gong.io/v2/calls/extensive");
        assert_eq!(
            text(&ask),
            r#"{"filter":{"fromDateTime":"2026-11-21T02:00:00.123Z","toDateTime":"2026-11-22T02:00:00Z"},"contentSelector":{"exposedFields":{"parties":true}}}"#
        );
    }

    #[test]
    fn transcripts_are_asked_for_by_ids_alone() {
        let ids = ["7".to_owned(), "8".to_owned()];
        let ask = transcripts(&base(), &ids, None).unwrap();
        assert_eq!(text(&ask), r#"{"filter":{"callIds":["7","8"]}}"#);
    }

    #[test]
    fn what_gong_would_misunderstand_is_not_sent() {
        let noon = datetime!(2026-11-21 12:00 UTC);
        assert!(CallFilter::window(noon, noon).is_err());
        assert!(CallFilter::ids(vec![]).is_err());
        assert!(calls(&base(), &CallFilter::Ids(vec![]), None).is_err());
        assert!(CallFilter::ids(vec!["1".into(); 101]).is_err());
        for id in ["", "../users", "a/b", "a?b", "1 ", "é"] {
            assert!(call(&base(), id).is_err(), "{id}");
        }
        assert!(transcripts(&base(), &[], None).is_err());
    }
}
