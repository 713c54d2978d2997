//! What the stories of ingestion share: worlds, other processes, and the comparison of both sides.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gong_sim::{Endpoint, GeneratorOptions};
use serde_json::Value;
use sqlx::types::time::OffsetDateTime;
use stories::{Org, World, WorldOptions};
pub(crate) use stories::{Workers, everything, tables_with, until};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Public, short, transcribed calls without oddities.
pub(crate) fn plain(calls: usize, days: u32) -> GeneratorOptions {
    GeneratorOptions {
        calls,
        days,
        private_share: 0.0,
        unknown_privacy_share: 0.0,
        sentences: (2, 5),
        oddities: false,
        ..GeneratorOptions::default()
    }
}

/// A world with this pace; everything else as usual.
pub(crate) async fn world_at(per_second: f64) -> World {
    let mut options = WorldOptions::default();
    options.defaults.per_second = per_second;
    World::with(options).await
}

/// A world whose workers do not run yet.
pub(crate) async fn sleeping_world() -> World {
    World::with(WorldOptions { workers: false, ..WorldOptions::default() }).await
}

/// An organization with a finished, empty connection.
pub(crate) async fn connected(world: &World, name: &str, history: Option<i64>) -> Org {
    let org = world.organization(name).await;
    world.connect(&org, history).await;
    world.settle().await;
    org
}

/// The product's time.
pub(crate) fn now(world: &World) -> OffsetDateTime {
    world.rooms.ambient.now()
}

/// Ids of the calls that Gong lists as public now.
pub(crate) fn public_ids(world: &World, org: &Org) -> BTreeSet<String> {
    let expected = world.sim.expected(org.company);
    expected.into_iter().filter(|c| c.private == Some(false) && c.visible_now).map(|c| c.id).collect()
}

/// Ids of the calls that we hold; a doubled one fails.
pub(crate) async fn held_ids(org: &Org) -> BTreeSet<String> {
    let calls = org.api.all_calls().await;
    let ids: BTreeSet<String> = calls.iter().map(id).collect();
    assert_eq!(ids.len(), calls.len(), "a call is listed twice");
    ids
}

pub(crate) fn id(call: &Value) -> String {
    call["gong_call_id"].as_str().unwrap_or_default().to_owned()
}

/// Both sides hold the same calls, each once, each with its transcript.
pub(crate) async fn assert_all_here(world: &World, org: &Org) {
    assert_eq!(held_ids(org).await, public_ids(world, org));
    let counts = org.api.gong().await["counts"].clone();
    assert_eq!(counts["stored"], counts["calls"], "{counts}");
    let transcripts = world.number("select count(*) from gong_transcripts").await;
    let stored = world.number("select count(*) from gong_calls where transcript_state = 'stored'").await;
    assert_eq!(transcripts, stored);
}

/// States of the calls by Gong's id.
pub(crate) async fn states(org: &Org) -> BTreeMap<String, String> {
    let calls = org.api.all_calls().await;
    calls.iter().map(|call| (id(call), call["transcript_state"].as_str().unwrap().to_owned())).collect()
}

/// What the product says was said in a call, one sentence a line.
pub(crate) async fn our_text(org: &Org, gong_id: &str) -> String {
    let calls = org.api.all_calls().await;
    let call = calls.iter().find(|call| id(call) == gong_id).unwrap();
    let path = format!("/api/v1/calls/{}/transcript", call["id"].as_str().unwrap());
    let transcript = org.api.get(&path).await.json();
    let monologues = transcript["monologues"].as_array().unwrap();
    let sentences = monologues.iter().flat_map(|m| m["sentences"].as_array().unwrap());
    sentences.map(|s| s["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Requests to Gong's API about calls and transcripts of one company so far.
pub(crate) fn asked(world: &World, org: &Org) -> (u64, u64) {
    let count = |endpoint| world.sim.count_of(org.company, endpoint);
    (count(Endpoint::CallsExtensive), count(Endpoint::Transcript))
}

/// Lets time pass from event to event: everything that falls due is done at its moment.
pub(crate) async fn live(world: &World, time: Duration) {
    let end = now(world) + time;
    loop {
        let next: Option<OffsetDateTime> = sqlx::query_scalar(
            "select least(
                (select min(run_at) from apalis.jobs where status = 'Pending'),
                (select min(least(next_poll_at, next_sweep_at)) from gong_schedules where active),
                (select min(refresh_due_at) from gong_credentials where dead_since is null))",
        )
        .fetch_one(world.db.pool())
        .await
        .unwrap();
        let step = |to: OffsetDateTime| Duration::try_from(to - now(world)).unwrap_or_default();
        match next.filter(|next| *next < end) {
            Some(next) => world.pass(step(next) + Duration::from_millis(5)).await,
            None => return world.pass(step(end)).await,
        }
    }
}

/// Puts the daily sweep off, in stories that count requests.
pub(crate) async fn without_sweeps(world: &World) {
    let put_off = "update gong_schedules set next_sweep_at = next_sweep_at + interval '900 days'";
    sqlx::query(put_off).execute(world.db.pool()).await.unwrap();
}
