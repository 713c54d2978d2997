//! What lies in the database: bound to its place, sealed with our keys only, re-sealed online.

use gong_sim::{Endpoint, Rule, What};
use kernel::ConnectionStatus;
use stories::{Org, World};
use vault::KeyRing;

use crate::support::{
    SealedRow, UNTIL_DUE, connection, make_due, open, refresh_if_due, ring, sealed, session, still_world,
    token_requests, until, write_sealed,
};

/// Puts a changed row in place, lets a poll come, and looks what became of it.
async fn is_refused(world: &World, org: &Org, story: &str, changed: &SealedRow, refreshing: bool) {
    let whole = sealed(world, org).await;
    write_sealed(world, org, changed).await;
    if refreshing {
        make_due(world, org).await;
    }
    world.sim.clear_memory();
    let answer = org.api.post("/api/v1/integrations/gong/poll", serde_json::json!({})).await;
    assert_eq!(answer.status, 202, "{story}: {}", answer.text);
    world.settle().await;

    assert!(world.sim.requests().is_empty(), "{story}: {:#?}", world.sim.requests());
    let status = org.api.gong().await;
    assert_eq!(
        (status["status"].as_str(), status["reason"].as_str()),
        (Some("paused"), Some("credential_misplaced")),
        "{story}: {status}"
    );
    write_sealed(world, org, &whole).await;
    sqlx::query("update gong_credentials set refresh_due_at = expires_at - interval '5 minutes', lease_until = null, lease_holder = null")
        .execute(world.db.pool())
        .await
        .unwrap();
    let resumed = org
        .api
        .api(
            reqwest::Method::PATCH,
            "/api/v1/integrations/gong",
            Some(serde_json::json!({ "paused": false })),
        )
        .await;
    assert_eq!(resumed.status, 200, "{}", resumed.text);
    world.settle().await;
    assert_eq!(org.api.gong().await["status"], "connected", "{story}: the row itself is good");
}

#[tokio::test]
async fn tok_24_a_ciphertext_opens_nowhere_but_in_its_place() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let rival = world.organization("rival").await;
    world.connect(&acme, None).await;
    world.connect(&rival, None).await;
    world.settle().await;
    let first = sealed(&world, &acme).await;
    make_due(&world, &acme).await;
    refresh_if_due(&world, &world.rooms.connector, &acme).await;
    let (own, other) = (sealed(&world, &acme).await, sealed(&world, &rival).await);
    assert_eq!(own.generation, first.generation + 1);

    let access = |text: &str| SealedRow { access_sealed: text.to_owned(), ..own.clone() };
    let refresh = |text: &Option<String>| SealedRow { refresh_sealed: text.clone(), ..own.clone() };
    let stories = [
        ("another organization's access token", access(&other.access_sealed), false),
        (
            "the whole row of another organization",
            SealedRow { connection_id: own.connection_id, ..other.clone() },
            false,
        ),
        ("the refresh token as access token", access(own.refresh_sealed.as_deref().unwrap()), false),
        ("an older access token under a new number", access(&first.access_sealed), false),
        (
            "a new access token under another number",
            SealedRow { generation: own.generation + 7, ..own.clone() },
            false,
        ),
        ("another organization's refresh token", refresh(&other.refresh_sealed), true),
        ("the access token as refresh token", refresh(&Some(own.access_sealed.clone())), true),
        ("an older refresh token under a new number", refresh(&first.refresh_sealed), true),
        ("no refresh token", refresh(&None), true),
        ("a torn ciphertext", access(&own.access_sealed[..own.access_sealed.len() / 2]), false),
    ];
    for (story, changed, refreshing) in &stories {
        is_refused(&world, &acme, story, changed, *refreshing).await;
    }
    assert_eq!(rival.api.gong().await["status"], "connected");
    world.finish().await;
}

#[tokio::test]
async fn tok_27_a_process_with_other_keys_is_not_ready_and_overwrites_nothing() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.wait(UNTIL_DUE);
    let row = sealed(&world, &acme).await;
    let key = KeyRing::generate_key();
    let stranger = world.connector(ring(&[&key]));
    let before = token_requests(&world);

    let beside = world.serve_beside(stranger.clone()).await;
    let began = tokio::time::Instant::now();
    let ready = beside.get("/readyz").await;

    assert_eq!(ready.status, 503, "{}", ready.text);
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
    assert!(
        ready.text.contains("keys") && ready.text.contains(&row.key_id),
        "it names the key: {}",
        ready.text
    );
    assert_eq!(beside.get("/livez").await.status, 200);
    session(&world, &stranger, &acme).await.unwrap_err();
    refresh_if_due(&world, &stranger, &acme).await;
    assert_eq!(connector::reseal(&stranger).await.unwrap(), connector::Resealed { done: 0, failed: 1 });
    assert_eq!(sealed(&world, &acme).await, row, "nothing was overwritten");
    assert_eq!(token_requests(&world), before);
    assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::Connected);
    // With the right keys everything goes on.
    assert_eq!(acme.browser.get("/readyz").await.status, 200);
    world.wait(std::time::Duration::from_secs(60));
    session(&world, &world.rooms.connector, &acme).await.unwrap().gong().workspaces().await.unwrap();
    assert_eq!(sealed(&world, &acme).await.generation, row.generation + 1);
}

/// Each change of sealing stands in the activity once; one that was refreshed meanwhile changed by that.
async fn assert_told_once_each(world: &World) {
    let told =
        "select count(*) from audit_log where action = 'credentials.resealed' and actor_kind = 'operator'";
    assert_eq!(world.number(told).await, 5);
    let twice =
        "select count(*) from (select organization_id from audit_log where action = 'credentials.resealed'
        group by 1 having count(*) > 1) t";
    assert_eq!(world.number(twice).await, 0);
}

#[tokio::test]
async fn tok_26_keys_are_changed_online_and_a_killed_change_goes_on() {
    const ORGS: usize = 5;
    let world = still_world().await;
    let mut orgs = Vec::new();
    for n in 0..ORGS {
        let org = world.organization(&format!("org{n}")).await;
        world.connect(&org, None).await;
        orgs.push(org);
    }
    // The operator puts a new key before the old one.
    let new = KeyRing::generate_key();
    let both = ring(&[&new, &world.key]);
    let secret = open(&both, &orgs[0], &sealed(&world, &orgs[0]).await, "refresh").unwrap();
    let new_id = both.sealing_key_id().to_owned();
    let on_new = async || {
        sqlx::query_scalar::<_, i64>("select count(*) from gong_credentials where key_id = $1")
            .bind(&new_id)
            .fetch_one(world.db.pool())
            .await
            .unwrap()
    };

    // Killed in the middle: the fourth row is held until the process is gone.
    let mut lock = world.db.pool().begin().await.unwrap();
    sqlx::query(
        "select 1 from gong_credentials where connection_id =
         (select connection_id from gong_credentials order by connection_id offset 3 limit 1) for update",
    )
    .fetch_all(&mut *lock)
    .await
    .unwrap();
    let process = world.process(both.clone()).await;
    let connector = process.connector.clone();
    process.spawn(async move { connector::reseal(&connector).await.map(|_| ()) });
    for _ in 0..500 {
        if on_new().await == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    process.kill();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    lock.rollback().await.unwrap();
    assert_eq!(on_new().await, 3, "it was stopped in the middle");

    let other = world.connector(both.clone());
    for org in &orgs {
        session(&world, &other, org).await.unwrap().gong().workspaces().await.unwrap();
    }
    // It goes on under traffic: one of them is being refreshed at the same time.
    make_due(&world, &orgs[4]).await;
    let held = world.sim.fault(Rule::always(Endpoint::Token, What::HoldAnswer));
    let refreshing = world.process(both.clone()).await;
    let (scope, id) = (kernel::Scope::job(orgs[4].id), connection(&world, &orgs[4]).await.id);
    let (by, gate) = (refreshing.connector.clone(), refreshing.gates.of(&scope, id));
    let task = refreshing.spawn(async move { by.refresh_if_due(&scope, id, gate).await.map(drop) });
    until("the refresh is under way", || world.sim.fault_hits(held) == 1).await;
    let rest = connector::reseal(&other).await.unwrap();
    assert_eq!((rest.done, rest.failed), (2, 0));
    world.sim.release(held);
    task.await.unwrap().unwrap();
    refreshing.kill();

    assert_eq!(on_new().await, 5);
    let only_new = ring(&[&new]);
    let last = world.connector(only_new.clone());
    for org in &orgs {
        session(&world, &last, org).await.unwrap().gong().workspaces().await.unwrap();
    }
    assert_eq!(open(&only_new, &orgs[0], &sealed(&world, &orgs[0]).await, "refresh").unwrap(), secret);
    assert_eq!(connector::reseal(&last).await.unwrap(), connector::Resealed::default());
    assert_told_once_each(&world).await;
    make_due(&world, &orgs[0]).await;
    refresh_if_due(&world, &last, &orgs[0]).await;
    assert_eq!(connection(&world, &orgs[0]).await.status, ConnectionStatus::Connected);
    assert_eq!(world.sim.refresh_reuses(), 0);
}
