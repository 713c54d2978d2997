//! TOK-09: what we ask for, what we do without, and how a company is known.

use std::time::Duration;

use gong_sim::{Consent, Endpoint, GeneratorOptions};
use stories::World;

use crate::support::{MINUTE, connection, record, titles};

const FIVE: [&str; 5] = [
    "api:calls:read:basic",
    "api:calls:read:extensive",
    "api:calls:read:transcript",
    "api:users:read",
    "api:workspaces:read",
];

#[tokio::test]
async fn tok_09_exactly_five_read_only_scopes_are_asked_for() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let begun = acme.browser.begin_connect(None).await.json();
    let url = url::Url::parse(begun["authorize_url"].as_str().unwrap()).unwrap();
    let scopes: Vec<String> =
        url.query_pairs().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned()).collect();
    assert_eq!(scopes.len(), 1, "the parameter stands once");
    let mut scopes: Vec<&str> = scopes[0].split_whitespace().collect();
    scopes.sort_unstable();
    assert_eq!(scopes, FIVE);
    world.finish().await;
}

#[tokio::test]
async fn tok_09_a_missing_transcript_scope_is_named_and_tried_once_an_hour() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &GeneratorOptions { calls: 20, days: 5, ..GeneratorOptions::default() });
    world.sim.adjust(|s| s.scope_granted = Some(FIVE.join(" ").replace("api:calls:read:transcript", "")));
    world.connect(&acme, Some(10)).await;
    world.settle().await;

    let status = acme.api.gong().await;
    assert_eq!(status["status"], "connected", "{status}");
    assert_eq!(status["scopes"]["missing"], serde_json::json!(["api:calls:read:transcript"]), "{status}");
    assert!(!acme.api.all_calls().await.is_empty(), "calls come in all the same");
    assert!(world.sim.count(Endpoint::Transcript) <= 1, "{}", world.sim.count(Endpoint::Transcript));

    acme.api
        .api(
            reqwest::Method::PATCH,
            "/api/v1/integrations/gong",
            Some(serde_json::json!({ "poll_every_seconds": 300 })),
        )
        .await;
    for minute in 0..11 {
        record(&world, &acme, &format!("Call {minute}"));
        world.pass(5 * MINUTE).await;
    }
    assert!(world.sim.count(Endpoint::Transcript) <= 1, "not within the hour");
    for _ in 0..6 {
        world.pass(30 * MINUTE).await;
    }
    let asked = world.sim.count(Endpoint::Transcript);
    assert!((2..=5).contains(&asked), "about once an hour: {asked}");

    // Gong grants the rest: everything that was left out comes in.
    world.sim.adjust(|s| s.scope_granted = None);
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.pass(5 * MINUTE).await;
    let status = acme.api.gong().await;
    assert_eq!(status["scopes"]["missing"], serde_json::json!([]), "{status}");
    assert_eq!(status["counts"]["wanted"], 0, "{status}");
    assert!(status["counts"]["stored"].as_i64().unwrap() > 11, "{status}");
    world.finish().await;
}

#[tokio::test]
async fn tok_09_a_scope_that_is_given_by_hand_is_noticed_within_the_hour() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    // Gong's answer claims less than the token may do.
    world.sim.generate(acme.company, &GeneratorOptions { calls: 5, days: 2, ..GeneratorOptions::default() });
    world.connect(&acme, Some(3)).await;
    sqlx::query("update gong_connections set missing_scopes = '{api:calls:read:transcript}'")
        .execute(world.db.pool())
        .await
        .unwrap();
    world.settle().await;
    world.pass(Duration::from_secs(3_700)).await;
    world.pass(MINUTE).await;
    let status = acme.api.gong().await;
    assert_eq!(status["counts"]["wanted"], 0, "{status}");
    assert!(status["counts"]["stored"].as_i64().unwrap() > 0, "{status}");
    assert_eq!(status["scopes"]["missing"], serde_json::json!([]), "{status}");
    world.finish().await;
}

#[tokio::test]
async fn a_company_is_learned_from_its_calls_when_gong_does_not_name_it() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &GeneratorOptions { calls: 30, days: 5, ..GeneratorOptions::default() });
    world.sim.adjust(|s| s.scope_granted = Some(FIVE[..4].join(" ")));
    world.connect(&acme, Some(10)).await;
    assert!(connection(&world, &acme).await.workspaces.is_empty());
    world.settle().await;
    world.pass(Duration::from_secs(4 * 3600)).await;

    let known = connection(&world, &acme).await;
    assert!(!known.workspaces.is_empty(), "{known:?}");
    let claims = world.number("select count(*) from gong_company_claims").await;
    assert_eq!(usize::try_from(claims).unwrap(), known.workspaces.len());

    // It knows only one of the company's two workspaces, as when no call of the other one came in yet.
    let other = world.sim.workspaces(acme.company)[1].clone();
    for query in [
        "delete from gong_company_claims where workspace_id = $1",
        "update gong_connections set workspaces = (select jsonb_agg(w) from jsonb_array_elements(workspaces) w where w->>'id' <> $1)",
    ] {
        sqlx::query(query).bind(&other).execute(world.db.pool()).await.unwrap();
    }

    // Another organization that Gong names no company for is stopped once its first calls show whose they are.
    let rival = world.organization("rival").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    assert_eq!(rival.browser.connect(Some(10)).await.status, 303);
    world.settle().await;
    world.pass(Duration::from_secs(4 * 3600)).await;
    let status = rival.api.gong().await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&"paused".into(), &"company_linked_elsewhere".into()),
        "{status}"
    );
    let told = "select count(*) from audit_log where action = 'gong.paused' and actor_kind = 'job' and detail->>'reason' = 'company_linked_elsewhere'";
    assert_eq!(world.number(told).await, 1, "and the activity says so");
    let left = world.number("select count(*) from gong_company_claims c join gong_connections k on k.id = c.connection_id where k.status = 'paused'");
    assert_eq!(left.await, 0, "it keeps no part of the company");
    let before = titles(&acme).await.len();
    record(&world, &acme, "Only for acme");
    world.pass(Duration::from_secs(4 * 3600)).await;
    assert_eq!(titles(&acme).await.len(), before + 1);
    assert!(!titles(&rival).await.contains(&"Only for acme".to_owned()));
    world.finish().await;
}
