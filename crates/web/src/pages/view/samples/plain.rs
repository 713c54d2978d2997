//! Pages outside the frame, and the documentation.

use super::{
    super::{
        plain::*,
        shell::{Frame, Here},
    },
    HOSTILE, Page, frame, out,
};

pub(super) fn pages() -> Vec<Page> {
    vec![
        (
            "login",
            out(&LoginPage {
                frame: Frame { who: None, ..frame(Here::Elsewhere) },
                email: "mara@northwind.example".into(),
                next: "/calls".into(),
                error: Some("E-mail or password is wrong.".into()),
                notice: None,
            }),
        ),
        (
            "password",
            out(&PasswordPage {
                frame: frame(Here::Elsewhere),
                forced: true,
                policy: "At least 12 characters. A sentence is fine.".into(),
                current_error: None,
                new_error: Some("Too short: at least 12 characters.".into()),
                again_error: None,
            }),
        ),
        ("docs", out(&DocsPage { frame: frame(Here::Docs) })),
        (
            "docs-errors",
            out(&ErrorsPage {
                frame: Frame { who: None, ..frame(Here::Docs) },
                codes: vec![CodeLine {
                    code: "not_found",
                    title: "Not found",
                    cause: "It does not exist, or belongs to somebody else.",
                    who: None,
                }],
            }),
        ),
        (
            "error",
            out(&ErrorPage {
                frame: frame(Here::Elsewhere),
                status: 404,
                title: "This page is not here".into(),
                detail: HOSTILE.into(),
                code: "not_found".into(),
                request_id: "0190f3a1c2d3".into(),
                action: "To the overview",
                href: "/".into(),
            }),
        ),
    ]
}
