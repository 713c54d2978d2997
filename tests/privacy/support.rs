//! What the stories of privacy share.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use stories::{Org, World, WorldOptions};
pub(crate) use stories::{Workers, everything, tables_with};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A world without workers of its own.
pub(crate) async fn sleeping_world() -> World {
    World::with(WorldOptions { workers: false, ..WorldOptions::default() }).await
}

/// Lets a day pass with its sweep, and then the second look at what it missed.
pub(crate) async fn sweep(world: &World) {
    world.pass(DAY).await;
    world.pass(6 * MINUTE).await;
}

/// States of the calls that we hold by Gong's id.
pub(crate) async fn states(org: &Org) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let calls = org.api.all_calls().await;
    calls.iter().map(|call| (text(&call["gong_call_id"]), text(&call["transcript_state"]))).collect()
}

/// Gong's ids of the calls that we hold.
pub(crate) async fn held(org: &Org) -> BTreeSet<String> {
    states(org).await.into_keys().collect()
}

/// Why the tombstone of a call is there.
pub(crate) async fn tombstone(world: &World, gong_id: &str) -> Option<String> {
    sqlx::query_scalar("select reason from gong_tombstones where gong_call_id = $1")
        .bind(gong_id)
        .fetch_optional(world.db.pool())
        .await
        .unwrap()
}

/// The actions in the activity log, newest first.
pub(crate) async fn actions(org: &Org) -> Vec<String> {
    let page = org.api.get("/api/v1/activity?limit=100").await.json();
    let lines = page["items"].as_array().unwrap();
    lines.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}
