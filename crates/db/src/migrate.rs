//! Brings a database to this version: apalis' own tables first, then ours.

use sqlx::{Connection, PgConnection, PgPool, migrate::Migrator};

use crate::DbError;

/// Our migrations, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Applies what is missing; safe to run twice and from several processes at once (an advisory lock orders them).
///
/// `prepare_jobs` creates the tables of the job library; ours refer to them, so it goes first.
///
/// # Errors
/// When the database cannot be reached, the user may not create roles or tables, or a migration fails.
pub async fn migrate<F, E>(url: &str, prepare_jobs: F) -> Result<(), DbError>
where
    F: AsyncFnOnce(&PgPool) -> Result<(), E>,
    E: Into<sqlx::Error>,
{
    const ORDER: i64 = 0x736f_756e_6470;
    let mut guard =
        PgConnection::connect(url).await.map_err(DbError::while_doing("connecting to migrate"))?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(ORDER)
        .execute(&mut guard)
        .await
        .map_err(DbError::while_doing("waiting for other migrations"))?;
    let pool = PgPool::connect(url).await.map_err(DbError::while_doing("connecting to migrate"))?;
    let prepared = prepare_jobs(&pool).await.map_err(|e| DbError::Jobs(e.into()));
    let result = match prepared {
        Ok(()) => MIGRATOR.run(&pool).await.map_err(DbError::Migrate),
        Err(error) => Err(error),
    };
    pool.close().await;
    guard.close().await.ok();
    result
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
