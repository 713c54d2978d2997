//! What the stories of privacy share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jobs::{Rooms, runtime};
use sqlx::Row;
use stories::{Org, Process, World, WorldOptions};
use tokio_util::sync::CancellationToken;

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

/// Every row of every table as text, with the table's name.
pub(crate) async fn everything(world: &World) -> Vec<(String, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'apalis')",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let query = format!("select t::text as line from {table} t");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(query)).fetch_all(world.db.pool()).await.unwrap();
        all.extend(rows.iter().map(|row| (table.clone(), row.get::<String, _>("line"))));
    }
    all
}

/// The tables in which a word stands, whatever its case, in letters or in bytes.
pub(crate) async fn tables_with(world: &World, word: &str) -> BTreeSet<String> {
    let word = word.to_lowercase();
    let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    let rows = everything(world).await.into_iter().map(|(table, line)| (table, line.to_lowercase()));
    rows.filter(|(_, line)| line.contains(&word) || line.contains(&hex)).map(|(table, _)| table).collect()
}

/// The actions in the activity log, newest first.
pub(crate) async fn actions(org: &Org) -> Vec<String> {
    let page = org.api.get("/api/v1/activity?limit=100").await.json();
    let lines = page["items"].as_array().unwrap();
    lines.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}

/// Workers that are another process as far as anything but memory protection goes.
pub(crate) struct Workers(Option<Process>);

/// Starts them; dead ones are noticed after a second.
pub(crate) async fn workers(world: &World) -> Workers {
    let process = world.process(world.keys.clone()).await;
    let (connector, ambient) = (process.connector.clone(), world.rooms.ambient.clone());
    let (url, defaults) = (world.database.url.clone(), world.rooms.defaults.clone());
    process.spawn(async move {
        let db = db::Db::connect(&url, 8).await.unwrap();
        let gates = ingest::Gates::new(db.clone(), ambient.clone(), defaults.clone());
        let rooms = Rooms { db: db.clone(), connector, gates, defaults, ambient: ambient.clone() };
        let settings = runtime::Settings {
            fresh: 4,
            bulk: 2,
            upkeep: 2,
            heartbeat: Duration::from_millis(250),
            missed: 4,
            ..runtime::Settings::default()
        };
        let stop = CancellationToken::new();
        runtime::run(db.pool().clone(), Arc::new(rooms), settings, ambient, stop).await.unwrap();
    });
    Workers(Some(process))
}

impl Workers {
    /// Kills them: what they were doing stops where it stands.
    pub(crate) fn kill(mut self) {
        self.0.take().unwrap().kill();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(process) = self.0.take() {
            process.kill();
        }
    }
}
