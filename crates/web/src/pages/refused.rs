//! Refusals and failures as pages: what happened, why, and one thing to do.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::{
    assets,
    view::{
        gong::ConnectProblemPage,
        plain::ErrorPage,
        shell::{Callout, Frame, Here, Remedy, Theme, Tone},
    },
};
use crate::{Problem, messages};

fn frame(here: Here, theme: Theme) -> Frame {
    Frame { theme, here, path: "/".into(), who: None, flash: None, assets: assets::addresses() }
}

/// Any refusal outside the API.
pub(crate) fn error_page(problem: &Problem, request_id: &str, theme: Theme) -> Response {
    let explained = messages::explain(problem.code);
    let (action, href) = match explained {
        Some(message) if message.action_href.starts_with('/') && message.action_href != "/docs/api" => {
            (message.action_label, message.action_href)
        }
        _ => ("To the overview", "/"),
    };
    let title = explained.map_or_else(|| short(problem.status), |message| message.title);
    let page = ErrorPage {
        frame: frame(Here::Elsewhere, theme),
        status: problem.status.as_u16(),
        title: title.into(),
        detail: problem.detail.clone(),
        code: problem.code.into(),
        request_id: request_id.into(),
        action,
        href: href.into(),
    };
    answer(page.render(), problem)
}

const fn short(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "This page is not here",
        403 => "This is not open to you",
        409 => "This does not fit at the moment",
        429 => "A little slower, please",
        503 => "Soundpost needs a moment",
        400..=499 => "This could not be done",
        _ => "Something failed on our side",
    }
}

/// Why Gong was not connected.
pub(crate) fn connect_problem(problem: &Problem, request_id: &str, theme: Theme) -> Response {
    let callout = match messages::explain(problem.code) {
        Some(message) => Callout {
            tone: Tone::Bad,
            code: message.code,
            title: message.title.into(),
            cause: message.cause.into(),
            who: Some(message.who.words().into()),
            remedy: Some(Remedy { label: message.action_label, href: message.action_href, post: false }),
        },
        None => Callout {
            tone: Tone::Bad,
            code: problem.code,
            title: "Gong could not be connected".into(),
            cause: problem.detail.clone(),
            who: None,
            remedy: Some(Remedy {
                label: "Back to the Gong settings",
                href: "/settings/integrations/gong",
                post: false,
            }),
        },
    };
    let frame = frame(Here::Elsewhere, theme);
    let page = ConnectProblemPage { frame, problem: callout, request_id: request_id.into() };
    answer(page.render(), problem)
}

/// A page that cannot even be worded is told in plain text.
fn answer(html: Result<String, askama::Error>, problem: &Problem) -> Response {
    match html {
        Ok(html) => (problem.status, Html(html)).into_response(),
        Err(_) => (problem.status, HeaderMap::new(), problem.detail.clone()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 200_000).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_names_its_code_and_its_request_and_escapes_its_detail() {
        let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "<b>no</b>");
        let response = error_page(&problem, "req_1234", Theme::Dark);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let html = text(response).await;
        assert!(html.contains("req_1234") && html.contains("/docs/errors#not_found"));
        assert!(!html.contains("<b>no"), "details are text");
    }

    /// TOK-10: every code of Gong's answer has a page of its own with one way on.
    #[tokio::test]
    async fn tok_10_every_connect_error_has_its_own_words_and_one_button() {
        let mut titles = std::collections::BTreeSet::new();
        for code in [
            "flow_unknown",
            "flow_expired",
            "flow_used",
            "flow_other_browser",
            "access_denied",
            "unauthorized_client",
            "invalid_scope",
            "server_error",
            "temporarily_unavailable",
            "invalid_request",
            "unsupported_response_type",
            "callback_malformed",
            "exchange_refused",
            "base_url_refused",
            "base_url_missing",
            "company_taken",
            "other_company",
        ] {
            let problem = Problem::new(StatusCode::BAD_REQUEST, code, "x");
            let html = text(connect_problem(&problem, "req_12345678", Theme::Auto)).await;
            assert_eq!(html.matches(&format!("remedy-{code}")).count(), 1, "{code}");
            titles.insert(messages::title(code).unwrap());
        }
        assert!(titles.len() >= 14, "the words differ: {titles:?}");
    }
}
