//! Migrations beside what else is done with the tables.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// The last version before one that changes `posts`.
const BEFORE: i64 = 24;

/// Lets a table go once somebody has waited for it for a second (`deadlock_timeout`), as PostgreSQL's autovacuum does.
async fn give_way(mut holder: PgConnection, url: String) {
    let mut watcher = PgConnection::connect(&url).await.unwrap();
    let wanted = "select exists (select from pg_locks where relation = 'posts'::regclass and not granted
        and waitstart < clock_timestamp() - interval '1 s')";
    while !sqlx::query_scalar::<_, bool>(wanted).fetch_one(&mut watcher).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_11_a_migration_gets_a_table_that_autovacuum_holds() {
    let server = std::env::var("SOUNDPOST_TEST_DATABASE_URL").unwrap();
    let name = format!("migrated_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    let pool = PgPool::connect(url.as_str()).await.unwrap();
    queue::setup(&pool).await.unwrap();
    db::MIGRATOR.run_to(BEFORE, &pool).await.unwrap();
    let mut vacuum = PgConnection::connect(url.as_str()).await.unwrap();
    let hold = "begin; lock table posts in share update exclusive mode";
    sqlx::raw_sql(hold).execute(&mut vacuum).await.unwrap();
    let both = async {
        let migrated = db::migrate(url.as_str(), queue::setup);
        tokio::join!(migrated, give_way(vacuum, url.to_string())).0.unwrap();
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), both).await;
    in_time.expect("the migration waits long enough at some time");
    assert_eq!(db::pending_migrations(&pool).await.unwrap(), 0);
    pool.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)")))
        .execute(&mut admin)
        .await
        .unwrap();
}
