//! A look at the server and the schema from outside, for `soundpost doctor`. Changes nothing; knows no table of any room.

use std::time::Duration;

use sqlx::{Connection, FromRow, PgConnection, PgPool, postgres::PgListener};
use time::OffsetDateTime;

use crate::{DbError, MIGRATOR};

/// The roles that transactions act as.
const TAKEN: [&str; 2] = ["soundpost_app", "soundpost_fleet"];
/// All that row-level security has to bind; nobody takes the one that owns the search.
const ROLES: [&str; 3] = ["soundpost_app", "soundpost_fleet", "soundpost_search"];
/// How long a message of ours to ourselves may be on its way.
const NEWS: Duration = Duration::from_secs(2);

/// Whether the server takes a connection, asked once: a pool would wait for a server that is starting.
///
/// # Errors
/// When the URL is not one, or no connection comes about.
pub async fn reach(url: &str) -> Result<(), DbError> {
    let connection = PgConnection::connect(url).await.map_err(DbError::while_doing("connecting"))?;
    connection.close().await.map_err(DbError::while_doing("ending a connection"))
}

/// How the server is set up for us.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Server {
    /// Such as 170002.
    pub version: i32,
    /// Whether it accepts no changes: a standby, or a database that is set to be read only.
    pub read_only: bool,
    /// After how many milliseconds a statement is cut off; 0 means never.
    pub statement_timeout: i64,
    /// How many connections we may have: the least of what server, database and user allow.
    pub connections: i64,
    /// The server's clock.
    pub now: OffsetDateTime,
    /// Names the database, so that two ways to it can be compared.
    pub identity: String,
}

/// Asks the server how it is set up.
///
/// # Errors
/// When it does not answer.
pub async fn server(pool: &PgPool) -> Result<Server, DbError> {
    sqlx::query_as(
        "select current_setting('server_version_num')::int as version,
            pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only,
            (select setting::bigint from pg_settings where name = 'statement_timeout') as statement_timeout,
            least(current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                  case when d.datconnlimit < 0 then 1000000 else d.datconnlimit end,
                  case when r.rolconnlimit < 0 then 1000000 else r.rolconnlimit end)::bigint as connections,
            clock_timestamp() as now,
            d.oid::text || '/' || d.datname || '/' || pg_postmaster_start_time()::text as identity
         from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user",
    )
    .fetch_one(pool)
    .await
    .map_err(DbError::while_doing("asking how the server is set up"))
}

/// How the walls between organizations stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walls {
    /// Roles that do not exist, or that our user may not take.
    pub roles_out_of_reach: Vec<String>,
    /// Roles of ours that row-level security does not bind.
    pub roles_too_strong: Vec<String>,
    /// Tables of organizations without forced row-level security or without a policy.
    pub tables_open: Vec<String>,
}

/// Looks at roles and row-level security.
///
/// # Errors
/// When the server does not answer.
pub async fn walls(pool: &PgPool) -> Result<Walls, DbError> {
    let failed = || DbError::while_doing("looking at the roles");
    let roles: Vec<(String, bool, bool)> = sqlx::query_as(
        "select wanted, r.oid is not null and pg_has_role(current_user, r.oid, 'member'),
                coalesce(r.rolsuper or r.rolbypassrls, false)
         from unnest($1::text[]) wanted left join pg_roles r on r.rolname = wanted",
    )
    .bind(ROLES)
    .fetch_all(pool)
    .await
    .map_err(failed())?;
    let tables_open = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and c.relkind in ('r', 'p')
           and (c.relname = 'organizations' or exists (select 1 from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped))
           and not (c.relrowsecurity and c.relforcerowsecurity
                and exists (select 1 from pg_policy p where p.polrelid = c.oid))
         order by 1",
    )
    .fetch_all(pool)
    .await
    .map_err(failed())?;
    let named = |wanted: fn(&(String, bool, bool)) -> bool| {
        roles.iter().filter(|role| wanted(role)).map(|role| role.0.clone()).collect()
    };
    Ok(Walls {
        roles_out_of_reach: named(|(name, reached, _)| TAKEN.contains(&name.as_str()) && !reached),
        roles_too_strong: named(|(_, _, strong)| *strong),
        tables_open,
    })
}

/// How the schema compares with this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schema {
    /// Migrations of this program that the database lacks.
    pub missing: usize,
    /// Migrations of the database that this program does not know: a newer one was here.
    pub newer: usize,
    /// Migrations that were applied with another content, or broke off.
    pub different: usize,
}

/// Compares what was applied with what this program brings.
///
/// # Errors
/// When the database cannot be asked.
pub async fn schema(pool: &PgPool) -> Result<Schema, DbError> {
    let failed = || DbError::while_doing("reading the applied migrations");
    let known: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(pool)
        .await
        .map_err(failed())?;
    if !known {
        return Ok(Schema { missing: MIGRATOR.iter().count(), ..Schema::default() });
    }
    let applied: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("select version, checksum, success from public._sqlx_migrations")
            .fetch_all(pool)
            .await
            .map_err(failed())?;
    let ours = |version: i64| MIGRATOR.iter().find(|ours| ours.version == version);
    let missing =
        MIGRATOR.iter().filter(|ours| !applied.iter().any(|(version, ..)| *version == ours.version)).count();
    let newer = applied.iter().filter(|(version, ..)| ours(*version).is_none()).count();
    let different = applied
        .iter()
        .filter(|(version, checksum, success)| {
            ours(*version).is_some_and(|ours| !success || *ours.checksum != **checksum)
        })
        .count();
    Ok(Schema { missing, newer, different })
}

/// Whether news come through: a message of ours to ourselves, on a channel that nobody else listens to. They do not where a
/// pooler lends connections by transaction.
///
/// # Errors
/// When the server does not answer.
pub async fn hears_news(pool: &PgPool) -> Result<bool, DbError> {
    let failed = || DbError::while_doing("listening for news");
    let mut listener = PgListener::connect_with(pool).await.map_err(failed())?;
    let channel = format!("soundpost_doctor_{}", std::process::id());
    listener.listen(&channel).await.map_err(failed())?;
    sqlx::query("select pg_notify($1, '')").bind(&channel).execute(pool).await.map_err(failed())?;
    match tokio::time::timeout(NEWS, listener.recv()).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(error)) => Err(failed()(error)),
        Err(_) => Ok(false),
    }
}
