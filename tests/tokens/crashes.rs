//! A process dies in the middle of a refresh.

use std::time::Duration;

use gong_sim::{Endpoint, Rule, What};
use kernel::{ConnectionStatus, Scope};
use stories::{Org, Process, World};

use crate::support::{
    UNTIL_DUE, connection, in_escrow, let_leases_end, refresh_if_due, sealed, session, still_world,
    token_requests, until,
};

const ORGS: u64 = 3;

/// Connected organizations whose tokens are due.
async fn due(world: &World) -> Vec<Org> {
    let mut orgs = Vec::new();
    for n in 0..ORGS {
        let org = world.organization(&format!("org{n}")).await;
        world.connect(&org, None).await;
        orgs.push(org);
    }
    world.wait(UNTIL_DUE);
    orgs
}

/// Lets a process begin to refresh all of them.
async fn begin_refreshes(world: &World, process: &Process, orgs: &[Org]) {
    for org in orgs {
        let (scope, id) = (Scope::job(org.id), connection(world, org).await.id);
        let (connector, gate) = (process.connector.clone(), process.gates.of(&scope, id));
        process.spawn(async move { connector.session(&scope, gate, None).await.map(drop) });
    }
}

#[tokio::test]
async fn tok_17_a_crash_before_gong_rotated_costs_nothing() {
    let world = still_world().await;
    let orgs = due(&world).await;
    let before = token_requests(&world);
    let held = world.sim.fault(Rule::always(Endpoint::Token, What::Hold));
    let process = world.process(world.keys.clone()).await;
    begin_refreshes(&world, &process, &orgs).await;
    until("every request is held", || world.sim.fault_hits(held) == ORGS).await;
    process.kill();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    world.sim.clear_faults();

    let other = world.connector(world.keys.clone());
    for org in &orgs {
        session(&world, &other, org).await.unwrap().gong().workspaces().await.unwrap();
    }
    assert_eq!(token_requests(&world) - before, ORGS, "while the lease lasts the old token does");
    let_leases_end(&world).await;
    for org in &orgs {
        let old = sealed(&world, org).await.generation;
        session(&world, &other, org).await.unwrap().gong().workspaces().await.unwrap();
        assert_eq!(sealed(&world, org).await.generation, old + 1);
        assert_eq!(connection(&world, org).await.status, ConnectionStatus::Connected);
    }
    assert_eq!(token_requests(&world) - before, 2 * ORGS, "one more request each");
    assert_eq!(world.sim.refresh_reuses(), 0);
}

/// Kills a process for which Gong has rotated every token, when the answers are in escrow and not yet in the database.
async fn die_between_answer_and_commit(world: &World, orgs: &[Org]) {
    let held = world.sim.fault(Rule::always(Endpoint::Token, What::HoldAnswer));
    let process = world.process(world.keys.clone()).await;
    begin_refreshes(world, &process, orgs).await;
    until("Gong has rotated", || world.sim.fault_hits(held) == ORGS).await;
    let mut lock = world.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from gong_credentials for update").fetch_all(&mut *lock).await.unwrap();
    world.sim.release(held);
    until("every answer is in escrow", || in_escrow(world) == orgs.len()).await;
    process.kill();
    // What waits for the lock would go through after all: the database does not look whether somebody still listens.
    let waiting = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let ended = world.number(waiting).await;
    assert!(ended <= i64::try_from(orgs.len()).unwrap(), "{ended} waited");
    lock.rollback().await.unwrap();
    world.sim.clear_faults();
    let begun = "select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null and state <> 'idle'";
    let over = async || world.number(begun).await == 0;
    assert!(stories::until(Duration::from_secs(10), over).await, "nothing of the dead is open");
}

#[tokio::test]
async fn tok_16_a_crash_between_answer_and_commit_is_made_good_at_the_next_start() {
    let world = still_world().await;
    let orgs = due(&world).await;
    let before = (token_requests(&world), sealed(&world, &orgs[0]).await.generation);
    die_between_answer_and_commit(&world, &orgs).await;
    assert_eq!(sealed(&world, &orgs[0]).await.generation, before.1, "the database knows nothing of it");

    let other = world.connector(world.keys.clone());
    assert_eq!(other.replay_escrow().await.unwrap(), orgs.len());

    assert_eq!(in_escrow(&world), 0);
    for org in &orgs {
        assert_eq!(connection(&world, org).await.status, ConnectionStatus::Connected);
        session(&world, &other, org).await.unwrap().gong().workspaces().await.unwrap();
    }
    assert_eq!(sealed(&world, &orgs[0]).await.generation, before.1 + 1);
    assert_eq!(token_requests(&world) - before.0, ORGS, "nothing was asked again");
    assert_eq!(other.replay_escrow().await.unwrap(), 0, "once is enough");
    // The new refresh token is the good one: the next rotation works.
    world.wait(UNTIL_DUE);
    for org in &orgs {
        refresh_if_due(&world, &other, org).await;
    }
    assert_eq!(sealed(&world, &orgs[0]).await.generation, before.1 + 2);
    assert_eq!(world.sim.refresh_reuses(), 0);
}

#[tokio::test]
async fn tok_16_a_running_process_finds_what_another_left_in_escrow() {
    let world = still_world().await;
    let orgs = due(&world).await;
    let before = token_requests(&world);
    die_between_answer_and_commit(&world, &orgs).await;
    let_leases_end(&world).await;
    for org in &orgs {
        session(&world, &world.rooms.connector, org).await.unwrap().gong().workspaces().await.unwrap();
        assert_eq!(connection(&world, org).await.status, ConnectionStatus::Connected);
    }
    assert_eq!((in_escrow(&world), token_requests(&world) - before), (0, ORGS));
    assert_eq!(world.sim.refresh_reuses(), 0);
}

#[tokio::test]
async fn tok_16_without_escrow_the_loss_is_told_at_once() {
    let world = still_world().await;
    let orgs = due(&world).await;
    die_between_answer_and_commit(&world, &orgs).await;
    for file in std::fs::read_dir(&world.escrow).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let_leases_end(&world).await;
    for org in &orgs {
        refresh_if_due(&world, &world.rooms.connector, org).await;
        let connection = connection(&world, org).await;
        assert_eq!(connection.status, ConnectionStatus::ReconnectRequired);
        assert_eq!(connection.reason.as_deref(), Some("authorization_revoked"));
    }
}

#[tokio::test]
async fn what_lies_in_escrow_of_an_earlier_life_never_replaces_a_newer_token() {
    let world = still_world().await;
    let orgs = due(&world).await;
    die_between_answer_and_commit(&world, &orgs).await;
    let acme = &orgs[0];
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    assert_eq!(acme.api.delete("/api/v1/integrations/gong").await.status, 204);
    world.connect(acme, None).await;
    let row = sealed(&world, acme).await;

    let stored = world.connector(world.keys.clone()).replay_escrow().await.unwrap();

    assert_eq!(stored, orgs.len() - 1);
    assert_eq!(sealed(&world, acme).await, row);
    assert_eq!(in_escrow(&world), 0, "it is of no use to anybody");
}
