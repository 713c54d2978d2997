//! Whose request it is: states, browsers, sessions.

use std::{collections::HashSet, time::Duration};

use gong_sim::Consent;
use kernel::{ExposeSecret, Scope};
use reqwest::StatusCode;
use stories::{PASSWORD, World};

use crate::support::{still_world, token_requests};

#[tokio::test]
async fn tok_01_a_link_that_was_approved_in_another_browser_connects_nothing() {
    let world = still_world().await;
    let mallory = world.organization("mallory").await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let elsewhere = world.browser();
    elsewhere.log_in(&mallory.email, PASSWORD).await;

    for (who, browser) in [
        ("nobody", world.browser()),
        ("another organization", acme.browser.clone()),
        ("another session", elsewhere),
    ] {
        let begun = mallory.browser.begin_connect(None).await.json();
        let callback = browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        let answer = browser.get(callback.as_str()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {}", answer.text);
    }

    assert_eq!(token_requests(&world), 0);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
    let noted = "select count(*) from audit_log where action = 'gong.connect_failed' and detail->>'code' = 'flow_other_browser'";
    assert_eq!(world.number(noted).await, 3, "each is a line in the audit log");
}

#[tokio::test]
async fn tok_01_a_session_that_ended_on_the_way_costs_no_token() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let begun = acme.browser.begin_connect(None).await.json();
    acme.browser.delete("/api/v1/session").await;
    let again = acme.browser.log_in(&acme.email, PASSWORD).await;
    assert!(again.status.is_success(), "{}", again.text);

    let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    let answer = acme.browser.get(callback.as_str()).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    assert_eq!(token_requests(&world), 0, "the session is looked at before the code is exchanged");
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
}

#[tokio::test]
async fn tok_02_a_strangers_code_is_never_taken() {
    let world = still_world().await;
    let victim = world.organization("victim").await;
    let mallory = world.organization("mallory").await;
    world.sim.set_consent(Consent::Approve(mallory.company));
    let old = victim.browser.begin_connect(None).await.json();
    let old_state = state_of(old["authorize_url"].as_str().unwrap());
    world.wait(Duration::from_secs(601));

    let mut refused = 0;
    for round in 0..25 {
        let begun = mallory.browser.begin_connect(None).await.json();
        let link = mallory.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        let code = link.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let foreign = state_of(link.as_str());
        let made_up = format!("made-up-{round}");
        for state in [None, Some(made_up.as_str()), Some(foreign.as_str()), Some(old_state.as_str())] {
            let mut url = link.clone();
            url.query_pairs_mut().clear().append_pair("code", &code);
            if let Some(state) = state {
                url.query_pairs_mut().append_pair("state", state);
            }
            let answer = victim.browser.get(url.as_str()).await;
            assert!(answer.status.is_client_error(), "{state:?}: {} {}", answer.status, answer.text);
            refused += 1;
        }
    }

    assert_eq!(refused, 100);
    assert_eq!(token_requests(&world), 0);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
}

#[tokio::test]
async fn tok_04_fifty_callbacks_at_once_make_one_connection() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let begun = acme.browser.begin_connect(None).await.json();
    let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;

    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (browser, callback) = (acme.browser.split(), callback.clone());
        calls.spawn(async move { browser.get(callback.as_str()).await.status });
    }
    let statuses = calls.join_all().await;

    assert_eq!(statuses.iter().filter(|s| **s == StatusCode::SEE_OTHER).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == StatusCode::CONFLICT).count(), 49, "{statuses:?}");
    assert_eq!(token_requests(&world), 1);
    assert_eq!(world.number("select count(*) from gong_connections").await, 1);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 1);
}

#[tokio::test]
async fn tok_05_a_request_is_over_after_ten_minutes() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    for (seconds, works) in [(601, false), (590, true)] {
        let begun = acme.browser.begin_connect(None).await.json();
        world.wait(Duration::from_secs(seconds));
        // Gong's own code is fresh: only our request is old.
        let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        let answer = acme.browser.get(callback.as_str()).await;
        let wanted = if works { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, wanted, "after {seconds} seconds: {}", answer.text);
        assert_eq!(token_requests(&world), u64::from(works));
    }
}

#[tokio::test]
async fn tok_05_states_are_long_never_repeat_and_are_stored_as_hashes_only() {
    const STATES: usize = 1_000;
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let scope = Scope::job(acme.id);
    let (mut states, mut secrets) = (HashSet::new(), HashSet::new());
    for _ in 0..STATES {
        let mut tx = world.db.begin(&scope).await.unwrap();
        let begun = world.rooms.connector.begin(&mut tx, acme.owner, [7; 32], None).await.unwrap();
        tx.commit().await.unwrap();
        states.insert(state_of(begun.authorize_url.as_str()));
        secrets.insert(begun.browser_secret.expose_secret().to_owned());
    }

    assert_eq!((states.len(), secrets.len()), (STATES, STATES), "none comes twice");
    assert!(states.is_disjoint(&secrets));
    // 43 characters of 64 kinds are 256 bits; that they are random is shown by no two sharing even a quarter.
    assert!(states.iter().all(|state| state.len() == 43), "at least 128 bits");
    let beginnings: HashSet<&str> = states.iter().map(|state| &state[..11]).collect();
    assert_eq!(beginnings.len(), STATES);

    let dump: String = sqlx::query_scalar("select string_agg(f::text, E'\\n') from gong_flows f")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert_eq!(dump.lines().count(), STATES);
    for secret in states.iter().chain(&secrets) {
        let bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(secret) && !dump.contains(&bytes), "only hashes are stored");
    }
}

#[tokio::test]
async fn tok_06_no_other_site_can_begin_a_connection() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let json = r#"{"history_days":null}"#;
    let (api, page) = ("/api/v1/integrations/gong/connect", "/settings/integrations/gong/connect");
    let ways = [
        ("POST", api, "application/json", json),
        ("POST", api, "text/plain", json),
        ("POST", page, "application/x-www-form-urlencoded", "history=off"),
        ("GET", api, "", ""),
        ("GET", page, "", ""),
    ];
    let origins: [&[(&str, &str)]; 8] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://localhost")],
        &[("origin", "https://localhost:1"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
        &[("sec-fetch-site", "none")],
        &[
            ("origin", "http://evil.example"),
            ("referer", "http://localhost/"),
            ("sec-fetch-site", "same-origin"),
        ],
    ];
    let mut tries = 0;
    for (method, path, content_type, body) in ways {
        for origin in origins {
            let mut headers = origin.to_vec();
            if !content_type.is_empty() {
                headers.push(("content-type", content_type));
            }
            let body = (!body.is_empty()).then(|| body.to_owned());
            let answer = acme.browser.send(method.parse().unwrap(), path, &headers, body).await;
            assert!(!answer.text.contains("authorize"), "{method} {path} {origin:?}: {}", answer.text);
            tries += 1;
        }
    }
    assert_eq!(tries, 40);
    assert_eq!(world.number("select count(*) from gong_flows").await, 0);

    // From our own page the same request begins one.
    assert_eq!(acme.browser.begin_connect(None).await.status, StatusCode::OK);
    assert_eq!(world.number("select count(*) from gong_flows").await, 1);
}

/// The state in a URL.
fn state_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap_or_else(|_| panic!("{url}"));
    let state = url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
    state.unwrap_or_default()
}

#[tokio::test]
async fn a_company_that_is_connected_elsewhere_is_not_taken_over() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let rival = world.organization("rival").await;
    world.connect(&acme, None).await;
    world.sim.set_consent(Consent::Approve(acme.company));

    let answer = rival.browser.connect(None).await;

    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(rival.browser.gong().await["ever_connected"], false);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 1);
    world.settle().await;
    world.finish().await;
}
