//! The refusals that operations share, for the description: which statuses a problem document may come with.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

fn problem(description: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
        .into()
}

fn problems(statuses: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    statuses.iter().map(|(status, words)| ((*status).to_owned(), problem(words))).collect()
}

const UNAUTHENTICATED: (&str, &str) = ("401", "Nobody is logged in, or the API key does not count.");
const FORBIDDEN: (&str, &str) = (
    "403",
    "The role does not allow it, the request comes from another site, or the initial password has to be changed first.",
);
const NOT_FOUND: (&str, &str) = ("404", "It does not exist, or belongs to another organization.");
const CONFLICT: (&str, &str) = ("409", "It does not fit how things stand now; the code says why.");
const INVALID: (&str, &str) = ("422", "A value cannot be accepted; `errors` names the field.");
const TOO_MANY: (&str, &str) = ("429", "Too many requests or tries; see Retry-After.");
const FAILED: (&str, &str) = ("500", "Something failed on our side.");
const UNAVAILABLE: (&str, &str) =
    ("503", "A part of Soundpost does not answer at the moment; see Retry-After.");

/// Reading without parameters.
pub(crate) struct Reading;
impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[UNAUTHENTICATED, FORBIDDEN, TOO_MANY, FAILED, UNAVAILABLE])
    }
}

/// Reading with a query.
pub(crate) struct Listing;
impl IntoResponses for Listing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[UNAUTHENTICATED, FORBIDDEN, INVALID, TOO_MANY, FAILED, UNAVAILABLE])
    }
}

/// Reading one thing.
pub(crate) struct ReadingOne;
impl IntoResponses for ReadingOne {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_MANY, FAILED, UNAVAILABLE])
    }
}

/// Changing something, with a body or without.
pub(crate) struct Writing;
impl IntoResponses for Writing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (
                "400",
                "The body is not valid JSON, could not be read to its end, or a header has the wrong form.",
            ),
            UNAUTHENTICATED,
            FORBIDDEN,
            NOT_FOUND,
            ("412", "It was changed meanwhile; read it again."),
            ("428", "A change here has to name the version that it starts from, in If-Match."),
            ("408", "The body did not arrive within 15 seconds."),
            CONFLICT,
            ("413", "The body is longer than 65,536 bytes."),
            ("415", "The body is not declared as application/json."),
            INVALID,
            TOO_MANY,
            FAILED,
            ("502", "Gong did not answer usefully."),
            UNAVAILABLE,
        ])
    }
}
