//! Connecting with an access key instead of OAuth.

use std::time::Duration;

use gong_sim::{Endpoint, GeneratorOptions, Rule, What};
use reqwest::StatusCode;
use serde_json::{Value, json};
use stories::{Answer, Org, World};

use crate::support::{connection, open, record, sealed, titles, token_requests};

async fn connect(world: &World, org: &Org, key: &str, secret: &str) -> Answer {
    let body = json!({
        "access_key": key,
        "access_key_secret": secret,
        "api_base_url": world.sim.api_base(org.company),
        "history_days": 10,
    });
    org.browser.post("/api/v1/integrations/gong/connect-key", body).await
}

#[tokio::test]
async fn tok_36_a_wrong_access_key_is_told_at_its_field_and_stores_nothing() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let (key, secret) = world.sim.access_key(acme.company).unwrap();
    for (key, secret) in [(key.as_str(), "wrong-secret-canary"), ("WRONGKEY", secret.as_str())] {
        let answer = connect(&world, &acme, key, secret).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
        let body: Value = answer.json();
        assert_eq!(body["code"], "key_refused", "{body}");
        assert!(body["errors"].to_string().contains("access_key_secret"), "{body}");
        assert!(!answer.text.contains(secret), "the secret does not come back: {body}");
    }
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
    assert_eq!(acme.browser.gong().await["ever_connected"], false);
    world.finish().await;
}

#[tokio::test]
async fn tok_36_a_good_access_key_connects_and_a_revoked_one_asks_for_an_admin() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &GeneratorOptions { calls: 20, days: 5, ..GeneratorOptions::default() });
    let (key, secret) = world.sim.access_key(acme.company).unwrap();

    let answer = connect(&world, &acme, &key, &secret).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(!answer.text.contains(&secret) && !answer.text.contains(&key), "{}", answer.text);
    world.settle().await;

    let status = acme.api.gong().await;
    assert_eq!(
        (&status["status"], &status["auth_kind"]),
        (&"connected".into(), &"access_key".into()),
        "{status}"
    );
    assert!(!titles(&acme).await.is_empty());
    let row = sealed(&world, &acme).await;
    assert!(!row.access_sealed.contains(&secret) && row.refresh_sealed.is_none());
    assert_eq!(open(&world.keys, &acme, &row, "access").unwrap(), format!("{key}\n{secret}"));
    record(&world, &acme, "Two days later");
    world.pass(Duration::from_secs(48 * 3600)).await;
    assert!(titles(&acme).await.contains(&"Two days later".to_owned()), "it never ends by itself");
    assert_eq!(token_requests(&world), 0);

    for endpoint in [Endpoint::CallsExtensive, Endpoint::Transcript, Endpoint::Users, Endpoint::Workspaces] {
        world.sim.fault(Rule::always(endpoint, What::Status(401)));
    }
    world.sim.clear_memory();
    world.pass(Duration::from_secs(4 * 3600)).await;
    world.pass(Duration::from_secs(4 * 3600)).await;
    let status = acme.api.gong().await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&"reconnect_required".into(), &"access_refused".into()),
        "{status}"
    );
    assert!(world.sim.requests().len() <= 2, "{:#?}", world.sim.requests());

    // A new key of the same company goes on with the same connection.
    world.sim.clear_faults();
    let id = connection(&world, &acme).await.id;
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    assert_eq!(connect(&world, &acme, &key, &secret).await.status, StatusCode::OK);
    world.settle().await;
    let now = connection(&world, &acme).await;
    assert_eq!((now.id, now.status), (id, kernel::ConnectionStatus::Connected));
    world.finish().await;
}

#[tokio::test]
async fn tok_36_a_gong_that_cannot_be_reached_is_not_taken_for_a_good_key() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let (key, secret) = world.sim.access_key(acme.company).unwrap();
    world.sim.fault(Rule::always(Endpoint::Workspaces, What::Status(503)));
    let answer = connect(&world, &acme, &key, &secret).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_GATEWAY, "gong_unavailable"));
    assert_eq!(world.number("select count(*) from gong_credentials").await, 0);
    world.finish().await;
}
