//! Conditional requests: an answer that is known already is not sent again, and a change can name the version it starts from.
//!
//! Every JSON answer to a GET of the API has a weak ETag of its bytes. What can be edited has a strong one, of what can be edited
//! and of nothing else, so that a counter that moves makes nobody's change stale.

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Problem;

/// Answers longer than this get no ETag: making one needs the whole answer at once.
const MOST_BYTES: usize = 4 << 20;
/// The most tags in one header.
const MOST_TAGS: usize = 50;

fn short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..12])
}

/// The version of something that can be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(String);

impl Version {
    /// The version of these values.
    pub(crate) fn of(values: &impl Serialize) -> Self {
        Self(short_hash(&serde_json::to_vec(values).unwrap_or_default()))
    }

    /// The version as a form carries it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The header that names it.
    pub(crate) fn tag(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).ok()
    }

    /// An answer with this version in its header.
    pub(crate) fn on(&self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        if let Some(tag) = self.tag() {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What a change says about the version that it starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing.
    #[default]
    Absent,
    /// `*`: whichever there is.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// The one version that a form was made from; a form without one starts from nothing in particular.
    pub(crate) fn of_form(version: &str) -> Self {
        if version.is_empty() { Self::Absent } else { Self::OneOf(vec![version.to_owned()]) }
    }

    /// Whether the change may be made to what there is.
    pub(crate) fn admits(&self, current: &Version) -> bool {
        match self {
            Self::Absent | Self::Any => true,
            Self::OneOf(tags) => tags.contains(&current.0),
        }
    }

    /// Stops a change that starts from another version than there is.
    ///
    /// # Errors
    /// 412 when somebody changed it meanwhile.
    pub(crate) fn check(&self, current: &Version) -> Result<(), Problem> {
        if self.admits(current) {
            return Ok(());
        }
        let detail = "This was changed meanwhile, so nothing was done. Read it again and repeat the change on what it is now.";
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", detail))
    }

    /// Stops a change that names no version where one has to be named.
    ///
    /// # Errors
    /// 428 when the header is missing.
    pub(crate) fn required(self) -> Result<Self, Problem> {
        if self != Self::Absent {
            return Ok(self);
        }
        let detail = "Send the ETag of what you read in the header If-Match, so that nobody's change is overwritten unseen.";
        Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", detail))
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        match tags(headers, &header::IF_MATCH) {
            Ok(None) => Ok(Self::Absent),
            Ok(Some(Tags::Any)) => Ok(Self::Any),
            // A weak tag never matches where a change is to be made.
            Ok(Some(Tags::List(tags))) => {
                Ok(Self::OneOf(tags.into_iter().filter(|tag| !tag.weak).map(|tag| tag.text).collect()))
            }
            Err(()) => {
                let detail = "If-Match must be * or a list of ETags in double quotes.";
                Err(Problem::new(StatusCode::BAD_REQUEST, "if_match_invalid", detail))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Self::read(&parts.headers).map_err(IntoResponse::into_response)
    }
}

struct Tag {
    weak: bool,
    text: String,
}

enum Tags {
    Any,
    List(Vec<Tag>),
}

/// The tags of a header; an error when it is not a list of tags.
fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Result<Option<Tags>, ()> {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        lines.push(value.to_str().map_err(|_| ())?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let line = lines.join(",");
    if line.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let mut list = Vec::new();
    for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (weak, quoted) = part.strip_prefix("W/").map_or((false, part), |rest| (true, rest));
        let text = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(())?;
        if text.contains('"') || list.len() >= MOST_TAGS {
            return Err(());
        }
        list.push(Tag { weak, text: text.to_owned() });
    }
    if list.is_empty() { Err(()) } else { Ok(Some(Tags::List(list))) }
}

/// Gives JSON answers to a GET of the API an ETag, and answers 304 to who has it.
pub(crate) async fn not_modified(request: Request, next: Next) -> Response {
    if *request.method() != Method::GET || !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    let known = tags(request.headers(), &header::IF_NONE_MATCH);
    let response = next.run(request).await;
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let short = response.body().size_hint().upper().is_some_and(|most| most <= MOST_BYTES as u64);
    if response.status() != StatusCode::OK || !json || !short {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = match parts.headers.get(header::ETAG) {
        Some(tag) => tag.clone(),
        None => weak(&bytes),
    };
    parts.headers.insert(header::ETAG, tag.clone());
    // A header that cannot be read is as none: the whole answer is always right.
    let same = match known {
        Ok(Some(Tags::Any)) => true,
        Ok(Some(Tags::List(list))) => list.iter().any(|known| is(&tag, &known.text)),
        _ => false,
    };
    if !same {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

fn weak(bytes: &Bytes) -> HeaderValue {
    let text = format!("W/\"{}\"", short_hash(bytes));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Whether a tag of ours has this text, weak or not.
fn is(tag: &HeaderValue, text: &str) -> bool {
    let ours = tag.to_str().unwrap_or_default();
    ours.strip_prefix("W/").unwrap_or(ours).trim_matches('"') == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<IfMatch, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, value.parse().unwrap());
        }
        IfMatch::read(&headers).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_list_of_tags_is_read_and_weak_ones_match_no_change() {
        let one_of = |tags: &[&str]| Ok(IfMatch::OneOf(tags.iter().map(|&tag| tag.to_owned()).collect()));
        assert_eq!(read(&[]), Ok(IfMatch::Absent));
        assert_eq!(read(&["*"]), Ok(IfMatch::Any));
        assert_eq!(read(&["\"a\", \"b\"", "\"c\""]), one_of(&["a", "b", "c"]));
        assert_eq!(read(&["W/\"a\""]), one_of(&[]));
        for bad in ["a", "\"a", "a\"", "", ",", "\"a\" \"b\"", "w/\"a\""] {
            assert_eq!(read(&[bad]), Err(400), "{bad}");
        }
    }

    #[test]
    fn only_the_present_version_is_admitted() {
        let (old, new) = (Version::of(&[1, 2]), Version::of(&[1, 3]));
        assert_eq!(old, Version::of(&[1, 2]));
        let stale = IfMatch::of_form(old.as_str());
        assert!(stale.check(&old).is_ok());
        assert_eq!(stale.check(&new).unwrap_err().status.as_u16(), 412);
        assert_eq!(IfMatch::Absent.required().unwrap_err().status.as_u16(), 428);
        assert!(IfMatch::Any.required().is_ok() && IfMatch::Any.admits(&new) && IfMatch::Absent.admits(&new));
    }
}
