//! `/docs` and `/docs/errors`: for people who build on the API. Open to everybody, like the codes themselves.

use axum::response::Response;

use super::{
    view::{
        plain::{CodeLine, DocsPage, ErrorsPage},
        shell::Here,
    },
    visit::{Visit, page},
};
use crate::{Problem, auth::SignedIn, messages};

fn frame(visit: &Visit, person: Option<&SignedIn>) -> super::view::shell::Frame {
    person.map_or_else(|| visit.bare(Here::Docs), |person| visit.frame(person, Here::Docs))
}

/// `GET /docs`
pub(super) async fn index(visit: Visit, person: Result<SignedIn, Response>) -> Result<Response, Problem> {
    page(&DocsPage { frame: frame(&visit, person.as_ref().ok()) })
}

/// `GET /docs/errors`
pub(super) async fn errors(visit: Visit, person: Result<SignedIn, Response>) -> Result<Response, Problem> {
    let mut codes: Vec<CodeLine> = messages::all()
        .map(|message| CodeLine {
            code: message.code,
            title: message.title,
            cause: message.cause,
            who: Some(message.who.words()),
        })
        .collect();
    codes.sort_by_key(|line| line.code);
    page(&ErrorsPage { frame: frame(&visit, person.as_ref().ok()), codes })
}
