//! A database of its own for every story, copied from a template that was migrated once.

use sqlx::{Connection, PgConnection};

/// One database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its address, as the superuser of the test cluster.
    pub url: String,
    /// Its name.
    pub name: String,
}

/// A fresh, migrated, empty database on the cluster that `cargo xtask test` started.
///
/// # Panics
/// When there is no cluster, or it fails.
pub async fn fresh_database() -> Database {
    let admin_url = std::env::var("SOUNDPOST_TEST_DATABASE_URL")
        .expect("SOUNDPOST_TEST_DATABASE_URL is not set: run the tests with `cargo xtask test`");
    let template = template(&admin_url).await;
    let name = format!("story_{:032x}", u128::from_le_bytes(random()));
    let mut admin = PgConnection::connect(&admin_url).await.expect("the test cluster answers");
    let create = format!("create database {name} template {template} strategy file_copy");
    // Two copies of one template at a time are refused while somebody else is connected to it; nobody ever is.
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut admin).await.expect("a database can be created");
    Database { url: with_database(&admin_url, &name), name }
}

/// The migrated template; made by whoever comes first.
async fn template(admin_url: &str) -> String {
    let hash = db::MIGRATOR.iter().fold(0_u64, |hash, migration| {
        migration
            .checksum
            .iter()
            .fold(hash, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))
    });
    let name = format!("soundpost_template_{hash:016x}");
    let mut admin = PgConnection::connect(admin_url).await.expect("the test cluster answers");
    sqlx::query("select pg_advisory_lock(4242)").execute(&mut admin).await.expect("a lock can be had");
    let exists: bool = sqlx::query_scalar(
        "select exists (select 1 from pg_database where datname = $1 and not datallowconn)",
    )
    .bind(&name)
    .fetch_one(&mut admin)
    .await
    .expect("the catalogue answers");
    if !exists {
        for statement in [format!("drop database if exists {name}"), format!("create database {name}")] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .expect("a template can be made");
        }
        db::migrate(&with_database(admin_url, &name), queue::setup)
            .await
            .expect("the template can be migrated");
        let close = format!("alter database {name} with allow_connections false");
        sqlx::raw_sql(sqlx::AssertSqlSafe(close))
            .execute(&mut admin)
            .await
            .expect("the template can be closed");
    }
    sqlx::query("select pg_advisory_unlock(4242)")
        .execute(&mut admin)
        .await
        .expect("the lock can be given back");
    name
}

fn with_database(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).expect("SOUNDPOST_TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.into()
}

fn random() -> [u8; 16] {
    let ambient: &dyn kernel::Ambient = &kernel::SystemAmbient;
    ambient.random()
}
