//! What these stories look at and turn by hand: sessions, sealed rows, the simulator's memory.

use std::{sync::Arc, time::Duration};

use connector::{Connection, Connector, Session, SessionError};
use gong_sim::{Endpoint, NewCall};
use kernel::{ConnectionId, ExposeSecret, Scope};
use sqlx::FromRow;
use stories::{Org, World, WorldOptions};
use vault::{Context, KeyRing};

/// Long enough after connecting that the token of a day is due, and not yet over.
pub(crate) const UNTIL_DUE: Duration = Duration::from_secs(24 * 3600 - 4 * 60);
/// A minute.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A world whose jobs nobody does: only what a story asks for happens.
pub(crate) async fn still_world() -> World {
    World::with(WorldOptions { workers: false, ..WorldOptions::default() }).await
}

/// The connection as it stands.
pub(crate) async fn connection(world: &World, org: &Org) -> Connection {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    connector::current(&mut tx).await.unwrap().unwrap()
}

/// A session by this connector, as a job would ask for it.
pub(crate) async fn session(world: &World, by: &Connector, org: &Org) -> Result<Session, SessionError> {
    let scope = Scope::job(org.id);
    let connection = connection(world, org).await.id;
    by.session(&scope, world.rooms.gates.of(&scope, connection), None).await
}

/// Replaces the token when it is due, as the schedule would.
pub(crate) async fn refresh_if_due(world: &World, by: &Connector, org: &Org) {
    let scope = Scope::job(org.id);
    let connection = connection(world, org).await.id;
    by.refresh_if_due(&scope, connection, world.rooms.gates.of(&scope, connection)).await.unwrap();
}

/// Makes the token due now.
pub(crate) async fn make_due(world: &World, org: &Org) {
    sqlx::query(
        "update gong_credentials set refresh_due_at = $2, retry_at = null where organization_id = $1",
    )
    .bind(org.id)
    .bind(world.rooms.ambient.now())
    .execute(world.db.pool())
    .await
    .unwrap();
}

/// Sets when the next request of each company may leave, in seconds from now.
pub(crate) async fn set_next_slot(world: &World, seconds: f64) {
    let query = "update gong_budgets set next_slot_at = clock_timestamp() + make_interval(secs => $1)";
    sqlx::query(query).bind(seconds).execute(world.db.pool()).await.unwrap();
}

/// Does now what would happen once every lease has run out: thirty seconds of the database's time.
pub(crate) async fn let_leases_end(world: &World) {
    sqlx::query("update gong_credentials set lease_until = clock_timestamp() where lease_until is not null")
        .execute(world.db.pool())
        .await
        .unwrap();
}

/// A credential as it lies in the database.
#[derive(FromRow, Clone, PartialEq, Eq, Debug)]
pub(crate) struct SealedRow {
    pub(crate) connection_id: ConnectionId,
    pub(crate) key_id: String,
    pub(crate) access_sealed: String,
    pub(crate) refresh_sealed: Option<String>,
    pub(crate) generation: i64,
}

/// The sealed credential of an organization.
pub(crate) async fn sealed(world: &World, org: &Org) -> SealedRow {
    sqlx::query_as(
        "select connection_id, key_id, access_sealed, refresh_sealed, generation
         from gong_credentials where organization_id = $1",
    )
    .bind(org.id)
    .fetch_one(world.db.pool())
    .await
    .unwrap()
}

/// Writes a sealed credential by hand, as nobody but a person with the database's password can.
pub(crate) async fn write_sealed(world: &World, org: &Org, row: &SealedRow) {
    sqlx::query(
        "update gong_credentials set key_id = $2, access_sealed = $3, refresh_sealed = $4, generation = $5
         where organization_id = $1",
    )
    .bind(org.id)
    .bind(&row.key_id)
    .bind(&row.access_sealed)
    .bind(&row.refresh_sealed)
    .bind(row.generation)
    .execute(world.db.pool())
    .await
    .unwrap();
}

/// The secret behind a sealed field, opened with these keys; `None` when they do not open it.
pub(crate) fn open(keys: &KeyRing, org: &Org, row: &SealedRow, field: &'static str) -> Option<String> {
    let context =
        Context { organization: org.id, connection: row.connection_id, field, generation: row.generation };
    let text = if field == "access" { Some(&row.access_sealed) } else { row.refresh_sealed.as_ref() };
    keys.open(&context, &row.key_id, text?).ok().map(|secret| secret.expose_secret().to_owned())
}

/// A ring of these keys, the first of them sealing.
pub(crate) fn ring(keys: &[&kernel::SecretString]) -> Arc<KeyRing> {
    let text: Vec<&str> = keys.iter().map(|key| key.expose_secret()).collect();
    Arc::new(KeyRing::parse(&text.join(",").into()).unwrap())
}

/// Requests to Gong's API (not the token URL) so far.
pub(crate) fn api_requests(world: &World) -> usize {
    let outside = [Endpoint::Token, Endpoint::Authorize];
    world.sim.requests().iter().filter(|request| !outside.contains(&request.endpoint)).count()
}

/// Token requests so far.
pub(crate) fn token_requests(world: &World) -> u64 {
    world.sim.count(Endpoint::Token)
}

/// Records a call of now.
pub(crate) fn record(world: &World, org: &Org, title: &str) {
    let call =
        NewCall::new().started(world.sim.now()).title(title).say(0, "Hello.").say(1, "We need dark mode.");
    world.sim.add_call(org.company, call);
}

/// The titles of all calls that the organization holds, sorted.
pub(crate) async fn titles(org: &Org) -> Vec<String> {
    let calls = org.api.all_calls().await;
    let mut titles: Vec<String> =
        calls.iter().filter_map(|call| call["title"].as_str()).map(str::to_owned).collect();
    titles.sort();
    titles
}

/// Files that wait in escrow.
pub(crate) fn in_escrow(world: &World) -> usize {
    let files = std::fs::read_dir(&world.escrow).unwrap();
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "escrow")).count()
}

/// Waits until something holds, at most ten seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(holds(), "{what} did not come to pass");
}
