//! TOK-10: what a person reads when Gong says no.

use std::collections::HashSet;

use gong_sim::{Consent, Endpoint, Rule, What};
use serde_json::json;

use crate::support::{still_world, token_requests};

const HOSTILE: &str = "<script>alert('gong')</script><img src=x onerror=alert(1)>";

#[tokio::test]
async fn tok_10_each_error_of_gong_has_a_page_of_its_own_and_gongs_words_are_not_shown() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut pages = HashSet::new();
    let codes = [
        "access_denied",
        "unauthorized_client",
        "invalid_scope",
        "invalid_request",
        "unsupported_response_type",
        "server_error",
        "temporarily_unavailable",
    ];
    for code in codes {
        world.sim.set_consent(Consent::Error(code.to_owned()));
        let begun = acme.browser.begin_connect(None).await.json();
        let mut callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        let pairs: Vec<(String, String)> = callback
            .query_pairs()
            .filter(|(name, _)| name != "error_description")
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        callback.query_pairs_mut().clear().extend_pairs(&pairs).append_pair("error_description", HOSTILE);
        let answer = acme.browser.get(callback.as_str()).await;

        assert_eq!(answer.status, 400, "{code}: {}", answer.text);
        assert!(answer.header("content-type").starts_with("text/html"), "{code}");
        assert!(answer.text.contains(&format!("remedy-{code}")), "{code}: one way on: {}", answer.text);
        assert!(!answer.text.contains("alert("), "{code}: Gong's words stay out");
        assert!(pages.insert(heading(&answer.text)), "{code}: words of its own: {pages:?}");
    }
    assert_eq!(token_requests(&world), 0);
}

#[tokio::test]
async fn tok_10_a_word_that_nobody_knows_is_not_shown_either() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for hostile in [HOSTILE, "access_denied\"><script>alert(2)</script>", "%3Cscript%3Ealert(3)%3C/script%3E"]
    {
        world.sim.set_consent(Consent::Error(hostile.to_owned()));
        let begun = acme.browser.begin_connect(None).await.json();
        let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        let answer = acme.browser.get(callback.as_str()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(!answer.text.contains("alert("), "{hostile}: {}", answer.text);
    }
}

#[tokio::test]
async fn tok_10_a_code_that_gong_will_not_exchange_has_a_page_too() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let said = |error: &str| What::Json(400, json!({ "error": error, "error_description": HOSTILE }));
    for (what, code) in [
        (said("invalid_grant"), "exchange_refused"),
        (said("unauthorized_client"), "unauthorized_client"),
        (said(HOSTILE), "exchange_refused"),
        (What::Status(503), "gong_unavailable"),
        (What::Html(502), "gong_unavailable"),
        (What::Reset, "gong_unavailable"),
        (What::WrongTypes, "gong_unavailable"),
    ] {
        world.sim.fault(Rule::once(Endpoint::Token, what.clone()));
        let answer = acme.browser.connect(None).await;
        assert_eq!(answer.status, 502, "{what:?}: {}", answer.text);
        assert!(answer.text.contains(&format!("remedy-{code}")), "{what:?}: {}", answer.text);
        assert!(!answer.text.contains("alert("), "{what:?}");
        let noted: String = sqlx::query_scalar(
            "select detail ->> 'code' from audit_log where action = 'gong.connect_failed' order by line desc limit 1",
        )
        .fetch_one(world.db.pool())
        .await
        .unwrap();
        assert_eq!(noted, code, "{what:?}: the audit log says why");
    }
    let failed = "select count(*) from audit_log where action = 'gong.connect_failed'";
    assert_eq!(world.number(failed).await, 7, "one line each");
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
    assert_eq!(acme.browser.connect(None).await.status, 303, "nothing of it stays behind");
}

/// The text of the problem: everything that is not markup.
fn heading(html: &str) -> String {
    let main = html.split("<main").nth(1).unwrap_or(html);
    let mut text = String::new();
    let mut inside = false;
    for c in main.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
