//! Connect requests that were begun: one transaction with their line, told to open pages, over by themselves.

use std::time::Duration;

use reqwest::StatusCode;
use stories::World;

use crate::support::{Live, still_world};

#[tokio::test]
async fn ten_15_a_connect_request_without_its_line_is_none() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    sqlx::raw_sql(
        "create function full_disk() returns trigger language plpgsql as $$ begin raise exception 'no room'; end $$;
         create trigger full_disk before insert on audit_log for each row
         when (new.action = 'gong.connect_started') execute function full_disk()",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    let begun = acme.browser.begin_connect(None).await;
    assert_eq!(begun.status, StatusCode::SERVICE_UNAVAILABLE, "{}", begun.text);
    assert_eq!(world.number("select count(*) from gong_flows").await, 0);
    world.finish().await;
}

/// Reads on until the last status is this one, at most eight seconds.
async fn says(live: &mut Live, status: &str) {
    let wanted = format!("\"status\":\"{status}\"");
    let read = async {
        while !live.text.rsplit("event: status").next().unwrap_or_default().contains(&wanted) {
            assert!(live.read().await, "the stream ended: {}", live.text);
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(8), read).await;
    assert!(came.is_ok(), "{status} did not come: {}", live.text);
}

async fn watched() -> (World, stories::Org, Live) {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let live = Live::of_session(&acme.browser).await;
    (world, acme, live)
}

#[tokio::test]
async fn uix_01_open_pages_hear_of_a_connect_request_and_of_its_end() {
    let (world, acme, mut live) = watched().await;
    assert_eq!(acme.browser.begin_connect(None).await.status, 200);
    says(&mut live, "connecting").await;
    let cancelled = acme.browser.form("/settings/integrations/gong/connect/cancel", &[]).await;
    assert_eq!(cancelled.status, StatusCode::SEE_OTHER, "{}", cancelled.text);
    says(&mut live, "disconnected").await;
    // Gong says no: the request is used up.
    let begun = acme.browser.begin_connect(None).await.json();
    says(&mut live, "connecting").await;
    world.sim.set_consent(gong_sim::Consent::Error("access_denied".to_owned()));
    let callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    assert_eq!(acme.browser.get(callback.as_str()).await.status, 400);
    says(&mut live, "disconnected").await;
    world.finish().await;
}

#[tokio::test]
async fn uix_01_open_pages_hear_when_a_connect_request_is_over_by_itself() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    assert_eq!(acme.browser.begin_connect(None).await.status, 200);
    world.wait(Duration::from_secs(10 * 60 - 2));
    let mut live = Live::of_session(&acme.browser).await;
    says(&mut live, "connecting").await;
    says(&mut live, "disconnected").await;
    world.finish().await;
}
