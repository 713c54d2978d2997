//! Row-level security, asked in SQL, without the product in between.

use sqlx::{Acquire, PgConnection};
use stories::{Org, World};
use uuid::Uuid;

use crate::support::{person, tables};

/// Tables that belong to no organization; reviewed.
const OF_NOBODY: [&str; 8] = [
    "users",
    "sessions",
    "login_tries",
    "known_devices",
    "worker_heartbeats",
    "erased_organizations",
    "gong_stop",
    "worker_silence",
];

/// Rows of a table that the role sees with this setting; none where it may not look at all.
async fn seen(
    connection: &mut PgConnection,
    table: &str,
    setting: Option<Uuid>,
    foreign_to: Option<Uuid>,
) -> i64 {
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::query("set local role soundpost_app").execute(&mut *tx).await.expect("the role can be taken");
    if let Some(id) = setting {
        sqlx::query("select set_config('soundpost.organization', $1, true)")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await
            .expect("the setting can be made");
    }
    let column = if table == "organizations" { "id" } else { "organization_id" };
    let query = format!("select count(*) from {table} where $1::uuid is null or {column} <> $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(foreign_to).fetch_one(&mut *tx).await.unwrap_or(0)
}

async fn two(world: &World) -> (Org, Org) {
    let (one, other) = (world.organization("one").await, world.organization("other").await);
    for org in [&one, &other] {
        world.connect(org, Some(10)).await;
        person(world, org, "viewer").await;
    }
    world.settle().await;
    (one, other)
}

#[tokio::test]
async fn ten_02_the_database_itself_keeps_organizations_apart() {
    let world = World::start().await;
    let (one, other) = two(&world).await;
    let mut connection = world.db.pool().acquire().await.unwrap();
    let mut looked = 0;
    for table in tables(&world).await.iter().filter(|t| !OF_NOBODY.contains(&t.as_str())) {
        assert_eq!(seen(&mut connection, table, None, None).await, 0, "{table}, without an organization");
        let nobody = Some(Uuid::new_v4());
        assert_eq!(
            seen(&mut connection, table, nobody, None).await,
            0,
            "{table}, with an unknown organization"
        );
        let ours = Some(one.id.uuid());
        assert_eq!(seen(&mut connection, table, ours, ours).await, 0, "{table}, rows of others");
        looked += i64::from(seen(&mut connection, table, ours, Some(other.id.uuid())).await > 0);
    }
    assert!(
        looked >= 8,
        "only {looked} tables show the organization its own rows: the look itself is broken"
    );
    world.finish().await;
}

#[tokio::test]
async fn ten_02_nothing_can_be_written_into_another_organization() {
    let world = World::start().await;
    let (one, other) = two(&world).await;
    let mut connection = world.db.pool().acquire().await.unwrap();
    let user = Uuid::new_v4();
    sqlx::query("insert into users (id, email, password_hash, password_changed_at, created_at) values ($1, 'x@y.example', 'x', now(), now())")
        .bind(user)
        .execute(&mut *connection)
        .await
        .unwrap();
    for (target, fits) in [(one.id.uuid(), true), (other.id.uuid(), false)] {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("select set_config('role', 'soundpost_app', true), set_config('soundpost.organization', $1, true)")
            .bind(one.id.uuid().to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        let inserted = sqlx::query("insert into memberships (organization_id, user_id, role, created_at) values ($1, $2, 'viewer', now())")
            .bind(target)
            .bind(user)
            .execute(&mut *tx)
            .await;
        assert_eq!(inserted.is_ok(), fits, "{inserted:?}");
    }
    for statement in [
        "update gong_connections set status = 'disconnected' where organization_id = $1",
        "update memberships set organization_id = $1",
        "delete from memberships where organization_id = $1",
        "delete from gong_credentials where organization_id = $1",
        "update organizations set name = 'x' where id = $1",
        "delete from audit_log where organization_id = $1",
    ] {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("select set_config('role', 'soundpost_app', true), set_config('soundpost.organization', $1, true)")
            .bind(one.id.uuid().to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        let done = sqlx::query(statement).bind(other.id.uuid()).execute(&mut *tx).await;
        assert_eq!(done.map_or(0, |done| done.rows_affected()), 0, "{statement}");
    }
    world.finish().await;
}

#[tokio::test]
async fn ten_02_the_roles_own_nothing_and_cannot_step_over_policies() {
    let world = World::start().await;
    let free = "select count(*) from pg_roles where rolname in ('soundpost_app', 'soundpost_fleet')
        and not rolsuper and not rolbypassrls and not rolcanlogin and not rolcreaterole and not rolcreatedb";
    assert_eq!(world.number(free).await, 2);
    let owned = "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname in ('soundpost_app', 'soundpost_fleet')";
    assert_eq!(world.number(owned).await, 0);
    let members = "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname in ('soundpost_app', 'soundpost_fleet')";
    assert_eq!(world.number(members).await, 0, "they are members of nothing");
    let truncate = "select count(*) from information_schema.role_table_grants
        where grantee in ('soundpost_app', 'soundpost_fleet', 'PUBLIC') and privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES') and table_schema = 'public'";
    assert_eq!(world.number(truncate).await, 0, "policies do not hold for these");
    world.finish().await;
}

#[tokio::test]
async fn ten_03_every_table_belongs_to_an_organization_or_is_on_the_list() {
    let world = World::start().await;
    const { assert!(OF_NOBODY.len() <= 10) };
    let all = tables(&world).await;
    assert!(OF_NOBODY.iter().all(|name| all.iter().any(|table| table == name)), "{all:?}");
    for table in all.iter().filter(|t| !OF_NOBODY.contains(&t.as_str())) {
        let (forced, column, policy): (bool, bool, bool) = sqlx::query_as(
            "select c.relrowsecurity and c.relforcerowsecurity,
                exists (select 1 from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
                    and a.attname = case c.relname when 'organizations' then 'id' else 'organization_id' end),
                exists (select 1 from pg_policies p where p.schemaname = 'public' and p.tablename = c.relname
                    and p.roles = '{soundpost_app}' and p.qual like '%soundpost_organization()%' and p.with_check like '%soundpost_organization()%')
                and not exists (select 1 from pg_policies p where p.schemaname = 'public' and p.tablename = c.relname
                    and p.roles && '{soundpost_app,public}' and (p.qual = 'true' or p.with_check = 'true'))
             from pg_class c where c.relname = $1 and c.relnamespace = 'public'::regnamespace",
        )
        .bind(table)
        .fetch_one(world.db.pool())
        .await
        .unwrap();
        assert!(forced && column && policy, "{table}: forced {forced}, column {column}, policy {policy}");
    }
    // What belongs to no organization is closed to the role that acts for one, or shows only those who belong to it.
    for table in OF_NOBODY.iter().filter(|table| **table != "users") {
        // Every transaction has to know whether all traffic is stopped; none may change it.
        let rights =
            if *table == "gong_stop" { "insert, update, delete" } else { "select, insert, update, delete" };
        let open: bool = sqlx::query_scalar("select has_table_privilege('soundpost_app', $1, $2)")
            .bind(*table)
            .bind(rights)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        assert!(!open, "{table}");
    }
    world.finish().await;
}
