//! Erasing an organization: no row is left, nobody else loses anything, and whoever writes meanwhile is no obstacle.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use stories::{Org, World};

use crate::{
    erasing::{call, erased},
    support::*,
};

/// How many rows of which table belong to an organization, over the whole catalogue.
async fn rows_of(world: &World, org: &Org) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname) from pg_attribute a
         join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') join pg_namespace n on n.oid = c.relnamespace
         where a.attname = 'organization_id' and not a.attisdropped and n.nspname = 'public'",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    assert!(tables.len() >= 20, "the catalogue was read: {tables:?}");
    let mut counts = BTreeMap::new();
    let id = org.id.uuid();
    for table in tables {
        let query = format!("select count(*) from {table} where organization_id = $1");
        let count = sqlx::query_scalar(AssertSqlSafe(query)).bind(id).fetch_one(world.db.pool()).await;
        counts.insert(table, count.unwrap());
    }
    let jobs = "select count(*) from apalis.jobs where metadata -> 'sp.organization' = $1";
    let count = sqlx::query_scalar(jobs).bind(id.to_string()).fetch_one(world.db.pool()).await;
    counts.insert("apalis.jobs".into(), count.unwrap());
    let own = "select count(*) from organizations where id = $1";
    let count = sqlx::query_scalar(own).bind(id).fetch_one(world.db.pool()).await;
    counts.insert("organizations".into(), count.unwrap());
    counts
}

#[tokio::test]
async fn ten_18_an_erased_organization_leaves_no_row_and_others_keep_all_of_theirs() {
    let world = World::start().await;
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    for org in [&acme, &other] {
        for _ in 0..20 {
            world.sim.add_call(org.company, call());
        }
        world.connect(org, Some(7)).await;
        erased(&world, org, json!({ "email": "somebody@else.example" })).await;
        // Somebody who belongs to both, and somebody who belongs to one.
        org.browser
            .post("/api/v1/members", json!({ "email": "both@people.example", "role": "viewer" }))
            .await;
        let only = format!("only@{}.example", org.email.len());
        org.browser.post("/api/v1/members", json!({ "email": only, "role": "viewer" })).await;
    }
    world.settle().await;
    let letter = "insert into dead_letters (job_id, organization_id, lane, kind, priority, attempts, max_attempts, code)
                  values ('x', $1, 'fresh', 'poll', 0, 1, 8, 'failed')";
    sqlx::query(letter).bind(acme.id).execute(world.db.pool()).await.unwrap();
    let before = rows_of(&world, &other).await;
    assert!(rows_of(&world, &acme).await["public.gong_calls"] == 20);
    let erase = |name: &str| acme.browser.post("/api/v1/organization/erase", json!({ "name": name }));
    assert_eq!(acme.api.post("/api/v1/organization/erase", json!({ "name": "acme" })).await.status, 403);
    assert_eq!(erase("Acme").await.status, 422);
    assert_eq!(erase("acme").await.status, 204);
    let left = rows_of(&world, &acme).await;
    assert!(left.values().all(|count| *count == 0), "{left:?}");
    assert_eq!(rows_of(&world, &other).await, before);
    // People of no other organization are gone; who belongs to both stays.
    let people: Vec<String> = sqlx::query_scalar("select email from users order by email")
        .fetch_all(world.db.pool())
        .await
        .unwrap();
    assert_eq!(people.len(), 3, "{people:?}");
    assert!(people.contains(&"both@people.example".to_owned()) && !people.contains(&acme.email));
    assert_eq!(acme.browser.get("/api/v1/me").await.status, 401);
    assert_eq!(acme.api.get("/api/v1/calls").await.status, 401);
    // What stays names nobody.
    let stub: Value = sqlx::query_scalar("select to_jsonb(e) from erased_organizations e")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert_eq!((&stub["actor_kind"], &stub["counts"]["calls"]), (&json!("user"), &json!(20)));
    let asked = world.sim.count_of(acme.company, gong_sim::Endpoint::CallsExtensive);
    world.pass(DAY).await;
    assert_eq!(
        world.sim.count_of(acme.company, gong_sim::Endpoint::CallsExtensive),
        asked,
        "no request after it"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_18_an_organization_is_erased_while_somebody_writes_into_it() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(7)).await;
    // Holds a row of the organization, and wants to refer to the organization itself afterwards: each waits for the other.
    let mut writer = PgConnection::connect(&world.database.url).await.unwrap();
    // Whoever waits longest looks for the deadlock first: not the writer.
    sqlx::raw_sql("set deadlock_timeout = '30s'").execute(&mut writer).await.unwrap();
    let writer_is: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut writer).await.unwrap();
    let hold =
        format!("begin; update memberships set role = role where organization_id = '{}'", acme.id.uuid());
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut writer).await.unwrap();
    let waits = "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))";
    let erasing = acme.browser.post("/api/v1/organization/erase", json!({ "name": "acme" }));
    let writing = async {
        while !sqlx::query_scalar::<_, bool>(waits).bind(writer_is).fetch_one(world.db.pool()).await.unwrap()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let refer = format!(
            "insert into boards (id, organization_id, name, created_at) values (gen_random_uuid(), '{}', 'Late', now()); commit",
            acme.id.uuid()
        );
        sqlx::raw_sql(AssertSqlSafe(refer)).execute(&mut writer).await
    };
    let (erased, written) = tokio::join!(erasing, writing);
    written.unwrap();
    assert_eq!(erased.status, 204, "{}", erased.text);
    let left = rows_of(&world, &acme).await;
    assert!(left.values().all(|count| *count == 0), "{left:?}");
    world.finish().await;
}
