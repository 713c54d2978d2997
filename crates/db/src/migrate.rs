//! Brings a database to this version while it is in use: apalis' own tables first, then ours.
//!
//! A statement that changes a table waits for everybody who reads it, and everybody who comes later waits for that
//! statement. So none waits for long: it gives up, the migration is undone, and it is tried again.

use std::time::Duration;

use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::Instant;

use crate::{DbError, error::has_code};

/// Our migrations, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Orders processes that migrate at once.
const ORDER: i64 = 0x736f_756e_6470;
/// How long a statement may wait for a table, and everybody behind it. Requests have a second.
const LOCK_WAIT: &str = "700ms";
/// Every so many tries it waits longer, and what meets that fails once: PostgreSQL takes a table away from autovacuum only after
/// `deadlock_timeout`, which is a second unless somebody set it.
const LONGER_EVERY: u32 = 5;
const LONGER_LOCK_WAIT: &str = "1300ms";
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(800);
/// How long it is tried, and how long others that migrate are waited for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Applies what is missing; safe to run twice, from several processes at once, and after it was killed at any moment.
///
/// `prepare_jobs` creates the tables of the job library; ours refer to them, so it goes first.
///
/// # Errors
/// When the database cannot be reached, the user may not create roles or tables, a migration fails, or a table is not free
/// for a moment within a quarter of an hour.
pub async fn migrate<F, E>(url: &str, prepare_jobs: F) -> Result<(), DbError>
where
    F: AsyncFn(&PgPool) -> Result<(), E>,
    E: Into<sqlx::Error>,
{
    let failed = |error| DbError::while_doing("connecting to migrate")(error);
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    let mut guard = PgConnection::connect_with(&options).await.map_err(failed)?;
    wait_for_others(&mut guard).await?;
    let end = Instant::now() + PATIENCE;
    let mut tries = 0;
    let result = loop {
        tries += 1;
        let patience = if tries % LONGER_EVERY == 0 { LONGER_LOCK_WAIT } else { LOCK_WAIT };
        match try_once(&options, patience, &prepare_jobs).await {
            Err(error) if waited_in_vain(&error) && Instant::now() < end => {
                tracing::info!("A table was in use; the migration tries again.");
                tokio::time::sleep(PAUSE).await;
            }
            result => break result,
        }
    };
    guard.close().await.ok();
    result
}

/// Until nobody else migrates. Asks again and again: a statement that waits would keep a snapshot, and indexes that are built
/// beside the traffic wait for those.
async fn wait_for_others(guard: &mut PgConnection) -> Result<(), DbError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let ours: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(ORDER)
            .fetch_one(&mut *guard)
            .await
            .map_err(DbError::while_doing("waiting for other migrations"))?;
        if ours {
            return Ok(());
        }
        if Instant::now() > end {
            let error = sqlx::Error::Protocol("another migration does not end".to_owned());
            return Err(DbError::while_doing("waiting for other migrations")(error));
        }
        tokio::time::sleep(PAUSE / 4).await;
    }
}

async fn be_careful(connection: &mut PgConnection, patience: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('lock_timeout', $1, false)")
        .bind(patience)
        .execute(&mut *connection)
        .await?;
    // The server goes on with a statement whose client was killed, unless it looks; not every system lets it.
    sqlx::query("set client_connection_check_interval = '1s'").execute(connection).await.ok();
    Ok(())
}

/// Connections are of one try only: a failed one keeps the lock of whoever migrates.
async fn try_once<F, E>(
    options: &PgConnectOptions,
    patience: &'static str,
    prepare_jobs: &F,
) -> Result<(), DbError>
where
    F: AsyncFn(&PgPool) -> Result<(), E>,
    E: Into<sqlx::Error>,
{
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .after_connect(move |connection, _| Box::pin(async move { be_careful(connection, patience).await }))
        .connect_with(options.clone())
        .await
        .map_err(DbError::while_doing("connecting to migrate"))?;
    let result = match prepare_jobs(&pool).await {
        Ok(()) => ours(&pool, patience).await,
        Err(error) => Err(DbError::Jobs(error.into())),
    };
    pool.close().await;
    result
}

/// Our migrations, one after the other.
async fn ours(pool: &PgPool, patience: &str) -> Result<(), DbError> {
    if pending_migrations(pool).await? == 0 {
        // Looks whether what was applied is what we know.
        return MIGRATOR.run(pool).await.map_err(DbError::Migrate);
    }
    let failed = |error| DbError::while_doing("migrating")(error);
    let mut connection = pool.acquire().await.map_err(failed)?;
    connection.close_on_drop();
    sweep(&mut connection).await.map_err(failed)?;
    for migration in MIGRATOR.iter() {
        // What runs outside of a transaction is built beside the traffic, which does not wait for it: it may take its time.
        sqlx::query("select set_config('lock_timeout', $1, false)")
            .bind(if migration.no_tx { "0" } else { patience })
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        MIGRATOR.run_to(migration.version, &mut *connection).await.map_err(DbError::Migrate)?;
    }
    Ok(())
}

/// Removes indexes that a killed migration left half built, once nobody builds on them any longer.
async fn sweep(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    loop {
        let left: Vec<(String, bool)> = sqlx::query_as(
            "select format('%I.%I', n.nspname, c.relname),
                exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
             from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
             where not i.indisvalid and n.nspname = 'public' and c.relkind = 'i'",
        )
        .fetch_all(&mut *connection)
        .await?;
        if left.iter().any(|(_, in_work)| *in_work) {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        for (index, _) in left {
            let drop = sqlx::AssertSqlSafe(format!("drop index concurrently if exists {index}"));
            sqlx::raw_sql(drop).execute(&mut *connection).await?;
        }
        return Ok(());
    }
}

/// Whether somebody else used what a migration wanted to change.
fn waited_in_vain(error: &DbError) -> bool {
    has_code(error, &["55P03", "40P01"])
}

/// How many of our migrations this database lacks; all of them when it was never migrated.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pending_migrations(pool: &PgPool) -> Result<usize, DbError> {
    let known: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(pool)
        .await
        .map_err(DbError::while_doing("looking for the migrations table"))?;
    if !known {
        return Ok(MIGRATOR.iter().count());
    }
    let applied: Vec<i64> = sqlx::query_scalar("select version from public._sqlx_migrations where success")
        .fetch_all(pool)
        .await
        .map_err(DbError::while_doing("reading the applied migrations"))?;
    Ok(MIGRATOR.iter().filter(|m| !applied.contains(&m.version)).count())
}
