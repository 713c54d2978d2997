//! What an answer with an error status means. Knows Gong's texts, which are all it has for codes; passes none of them on.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::GongError;

/// The longest pause that we take from Gong.
const MOST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer with an error status, read as far as needed.
pub(crate) struct Refusal {
    status: u16,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    /// Gong's texts, in lower case; empty when the body is not Gong's JSON.
    text: String,
}

impl Refusal {
    /// Reads status, headers and body; `now` is for a wait that is given as a date.
    pub(crate) fn read(status: u16, headers: &HeaderMap, body: &[u8], now: OffsetDateTime) -> Self {
        #[derive(Deserialize, Default)]
        struct Envelope {
            #[serde(rename = "requestId", default)]
            request_id: Option<String>,
            #[serde(default)]
            errors: Vec<String>,
        }
        let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
        Self {
            status,
            request_id: envelope.request_id.as_deref().and_then(clean_id).or_else(|| trace_id(headers)),
            retry_after: retry_after(headers, now),
            text: envelope.errors.join("\n").to_lowercase().replace('\u{2019}', "'"),
        }
    }

    /// Gong's way to say that a list is empty: a 404 with words like "no calls found ... provided filters".
    pub(crate) fn means_empty(&self) -> bool {
        self.status == 404 && in_order(&self.text, &["no ", " found", "provided filters"])
    }

    /// Gong's way to say that one thing, asked for by its id, is not there.
    pub(crate) fn means_gone(&self) -> bool {
        self.status == 404 && in_order(&self.text, &["id", "not found"])
    }

    /// Everything else.
    pub(crate) fn into_error(self) -> GongError {
        let Self { status, request_id, retry_after, text } = self;
        let dead_cursor = text.contains("cursor has expired") || text.contains("failed to verify cursor");
        match status {
            429 => GongError::RateLimited { retry_after, request_id },
            400..=499 if dead_cursor => GongError::CursorExpired { request_id },
            401 | 403 => match (missing_scope(&text), status) {
                (Some(scope), _) => GongError::MissingScope { scope, request_id },
                (None, 401) => GongError::Unauthorized { request_id },
                (None, _) => GongError::Forbidden { request_id },
            },
            404 => GongError::NotFound { request_id },
            408 | 425 | 500..=599 => GongError::Server { status, request_id },
            300..=399 => GongError::Malformed { why: "it is a redirect", request_id },
            _ => GongError::BadRequest { status, request_id },
        }
    }
}

/// Whether the parts stand in the text one after the other.
fn in_order(text: &str, parts: &[&str]) -> bool {
    let mut rest = text;
    parts.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The permission in "You don't have permission to use 'api:...' in your app."
fn missing_scope(text: &str) -> Option<String> {
    let after = text.split_once("permission")?.1;
    let start = after.find("api:")?;
    let scope: String = after[start..]
        .chars()
        .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, ':' | '-' | '_'))
        .take(100)
        .collect();
    (scope.len() > "api:".len()).then_some(scope)
}

/// Gong's name of the request from the header that carries it.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-traceid").and_then(|value| value.to_str().ok()).and_then(clean_id)
}

/// An id that is fit for logs: bounded, no control characters, no markup.
pub(crate) fn clean_id(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
        .take(64)
        .collect();
    (!clean.is_empty()).then_some(clean)
}

fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            // Against Gong's own clock where it tells it: ours may be wrong.
            let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
            let theirs = headers.get(DATE).and_then(|text| date(text.to_str().ok()?));
            let until = date(text)?;
            Duration::try_from(until - theirs.unwrap_or(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(MOST_WAIT))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 04:00 UTC);
    const SCOPE: &str = "You don't have permission to use 'api:calls:read:transcript' in your app.";
    const EMPTY: &str = "No calls found corresponding to the provided filters";

    fn refusal(status: u16, text: &str) -> Refusal {
        let body = format!(r#"{{"requestId":"req-1","errors":[{}]}}"#, serde_json::to_string(text).unwrap());
        Refusal::read(status, &HeaderMap::new(), body.as_bytes(), NOW)
    }

    #[test]
    fn every_status_has_its_meaning() {
        for (status, text, code) in [
            (400, "filter.fromDateTime: must be before toDateTime", "gong_bad_request"),
            (400, "The cursor has expired", "gong_cursor_expired"),
            (401, "Failed to verify cursor", "gong_cursor_expired"),
            (401, SCOPE, "gong_missing_scope"),
            (401, "You don\u{2019}t have PERMISSION to use 'api:users:read'", "gong_missing_scope"),
            (401, "permission denied", "gong_unauthorized"),
            (401, "", "gong_unauthorized"),
            (403, "", "gong_forbidden"),
            (403, SCOPE, "gong_missing_scope"),
            (404, "Call ID 8944 was not found", "gong_not_found"),
            (405, "", "gong_bad_request"),
            (408, "", "gong_server_error"),
            (409, "", "gong_bad_request"),
            (415, "", "gong_bad_request"),
            (429, "", "gong_rate_limited"),
            (500, SCOPE, "gong_server_error"),
            (503, "", "gong_server_error"),
            (302, "", "gong_answer_malformed"),
        ] {
            let error = refusal(status, text).into_error();
            assert_eq!(error.code(), code, "{status} {text}");
            assert_eq!(error.request_id(), Some("req-1"));
        }
    }

    #[test]
    fn the_missing_scope_is_named_and_nothing_else_is_repeated() {
        let error = refusal(401, SCOPE).into_error();
        assert_eq!(error.to_string(), "Gong's permission api:calls:read:transcript is missing");
        let hostile = "permission to use 'api:<img src=x>'";
        assert_eq!(refusal(401, hostile).into_error().code(), "gong_unauthorized");
    }

    #[test]
    fn only_the_right_404_is_empty() {
        assert!(refusal(404, EMPTY).means_empty());
        assert!(refusal(404, "NO USERS FOUND for the Provided Filters").means_empty());
        assert!(!refusal(400, EMPTY).means_empty());
        assert!(!refusal(404, "Not Found").means_empty());
        assert!(!refusal(404, "Call ID 1 was not found").means_empty());
        let page = format!("<html>{EMPTY}</html>");
        assert!(!Refusal::read(404, &HeaderMap::new(), page.as_bytes(), NOW).means_empty());
        assert!(refusal(404, "Call ID 1 was not found").means_gone());
        assert!(!refusal(404, "Not Found").means_gone());
    }

    #[test]
    fn html_is_survived_and_the_trace_header_steps_in() {
        let mut headers = HeaderMap::new();
        headers.insert("x-traceid", "abc<script>".parse().unwrap());
        let error = Refusal::read(502, &headers, b"<html>", NOW).into_error();
        assert_eq!((error.code(), error.request_id()), ("gong_server_error", Some("abcscript")));
    }

    #[test]
    fn a_wait_until_a_date_goes_by_gongs_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "Sat, 21 Nov 2026 05:01:00 GMT".parse().unwrap());
        headers.insert(DATE, "Sat, 21 Nov 2026 05:00:00 GMT".parse().unwrap());
        let error = Refusal::read(429, &headers, b"", NOW).into_error();
        let GongError::RateLimited { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(60)), "our clock is an hour behind");
    }

    #[test]
    fn the_wait_is_read_in_all_its_forms() {
        for (text, seconds) in [
            ("1", Some(1)),
            (" 30 ", Some(30)),
            ("0", Some(0)),
            ("99999999", Some(86_400)),
            ("Sat, 21 Nov 2026 04:02:00 GMT", Some(120)),
            ("Sat, 21 Nov 2026 03:02:00 GMT", Some(0)),
            ("Sat, 21 Nov 2036 03:02:00 GMT", Some(86_400)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let error = Refusal::read(429, &headers, b"", NOW).into_error();
            let GongError::RateLimited { retry_after, .. } = error else { panic!("{error:?}") };
            assert_eq!(retry_after.map(|wait| wait.as_secs()), seconds, "{text}");
        }
    }
}
