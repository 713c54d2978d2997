//! `GET /docs/api`: the API reference, rendered here, without a script. Open to everybody.

use askama::Template;
use axum::response::Response;

use super::{
    view::{
        icon::Icon,
        shell::{Frame, Here},
    },
    visit::{Visit, page},
};
use crate::{
    Problem,
    auth::SignedIn,
    docs::{self, Reference},
};

#[derive(Template)]
#[template(path = "docs/api.html")]
struct ReferencePage {
    frame: Frame,
    reference: &'static Reference,
}

/// `GET /docs/api`
pub(super) async fn show(visit: Visit, person: Result<SignedIn, Response>) -> Result<Response, Problem> {
    let frame = match &person {
        Ok(person) => visit.frame(person, Here::Docs),
        Err(_) => visit.bare(Here::Docs),
    };
    page(&ReferencePage { frame, reference: docs::reference() })
}
