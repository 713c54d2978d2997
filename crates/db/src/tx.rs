//! The pool and the two kinds of transaction: one organization's, and the fleet's.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use kernel::{OrganizationId, Scope};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use crate::{DbError, Outage};

/// The role that organization transactions act as; it owns nothing and cannot bypass row-level security.
const APP_ROLE: &str = "soundpost_app";
/// The role of the few reads that cross organizations (modules called `fleet`).
const FLEET_ROLE: &str = "soundpost_fleet";

/// How long an idle connection may take to show that it lives.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// The same for one that was in use a moment ago. That one is slow rather than dead; a new one would cost a busy server more
/// than the answer does.
const IN_USE_ANSWERS_WITHIN: Duration = Duration::from_secs(3);
const A_MOMENT: Duration = Duration::from_secs(5);

/// The database as rooms and doors see it.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    /// Where transactions go when something between us and the server lends its connections by transaction.
    pooler: Option<PgPool>,
    /// Whether transactions can be had at all.
    outage: Outage,
}

impl Db {
    /// Opens a pool of at most `most` connections; fails when none can be had within ten seconds.
    ///
    /// # Errors
    /// When the URL is not one, or the server cannot be reached.
    pub async fn connect(url: &str, most: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse().map_err(DbError::while_doing("reading DATABASE_URL"))?;
        let options = options.application_name("soundpost").statement_cache_capacity(256);
        let pool = Self::pool_options(most)
            .connect_with(options)
            .await
            .map_err(DbError::while_doing("connecting"))?;
        Ok(Self { outage: Outage::of(&pool), pool, pooler: None })
    }

    /// Like [`Db::connect`], but does not wait for the server: the first use connects.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn connect_lazy(url: &str, most: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse().map_err(DbError::while_doing("reading DATABASE_URL"))?;
        let options = options.application_name("soundpost").statement_cache_capacity(256);
        let pool = Self::pool_options(most).connect_lazy_with(options);
        Ok(Self { outage: Outage::of(&pool), pool, pooler: None })
    }

    /// From now on transactions go through this address, of a pooler such as PgBouncer that lends a connection for the length
    /// of a transaction. What needs a session of its own (LISTEN, apalis, migrations) keeps to the first address.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn through(mut self, url: &str, most: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions =
            url.parse().map_err(DbError::while_doing("reading SOUNDPOST_POOLER_URL"))?;
        // A prepared statement stays with the server's connection, and the next transaction gets another one. The pooler has
        // to forget statements after each transaction (PgBouncer: server_reset_query_always = 1): sqlx counts their names anew.
        let options = options.application_name("soundpost").statement_cache_capacity(0);
        let pooler = Self::pool_options(most).connect_lazy_with(options);
        self.outage = Outage::of(&pooler);
        self.pooler = Some(pooler);
        Ok(self)
    }

    fn pool_options(most: u32) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .before_acquire(|connection, was| Box::pin(lives(connection, was.idle_for)))
            .idle_timeout(Duration::from_secs(300))
            .max_lifetime(Duration::from_secs(1800))
    }

    /// Begins a transaction that sees and changes only the things of the scope's organization.
    ///
    /// # Errors
    /// When no connection can be had in time, or the roles do not exist (not migrated).
    pub async fn begin(&self, scope: &Scope) -> Result<Tx, DbError> {
        let mut inner = self.open().await.map_err(DbError::while_doing("beginning a transaction"))?;
        sqlx::query("select set_config('role', $1, true), set_config('soundpost.organization', $2, true)")
            .bind(APP_ROLE)
            .bind(scope.organization().uuid().to_string())
            .execute(&mut *inner)
            .await
            .map_err(DbError::while_doing("entering an organization"))?;
        Ok(Tx { inner, scope: *scope, trace: None })
    }

    /// Begins a transaction of the fleet role: the reads that cross organizations.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn fleet(&self) -> Result<FleetTx, DbError> {
        let mut inner = self.open().await.map_err(DbError::while_doing("beginning a fleet transaction"))?;
        sqlx::query("select set_config('role', $1, true)")
            .bind(FLEET_ROLE)
            .execute(&mut *inner)
            .await
            .map_err(DbError::while_doing("entering the fleet role"))?;
        Ok(FleetTx { inner, claim: None })
    }

    /// One statement on a connection of its own.
    pub(crate) async fn at_once<T>(
        &self,
        ask: impl AsyncFnOnce(PgPool) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let pool = self.pooler.as_ref().unwrap_or(&self.pool).clone();
        self.outage.guard(ask(pool)).await
    }

    /// Begins to the end, even when the caller is dropped meanwhile (a request whose client left, a job cut off): sqlx
    /// returns a connection whose `begin` was under way to the pool inside that transaction, and what the next user writes
    /// without one of its own is never committed.
    async fn open(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let pool = self.pooler.as_ref().unwrap_or(&self.pool).clone();
        let begin = async {
            tokio::spawn(async move { pool.begin().await }).await.map_err(|_| sqlx::Error::WorkerCrashed)?
        };
        self.outage.guard(begin).await
    }

    /// Whether the database is away; while it is, transactions are refused at once.
    pub const fn outage(&self) -> &Outage {
        &self.outage
    }

    /// The bare pool, for what runs outside organizations: apalis, LISTEN, health checks. Never
    /// begin a transaction on it: dropped half-way, it would poison a connection (see `open`).
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Asks the server for a sign of life, on the way that transactions take.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), DbError> {
        let failed = DbError::while_doing("asking for a sign of life");
        let sign = async {
            let mut inner = self.open().await?;
            sqlx::query("select 1").execute(&mut *inner).await?;
            inner.rollback().await
        };
        sign.await.map_err(failed)
    }
}

/// Whether an idle connection still answers: asked each time one is lent. sqlx would ask without an end, and connections that
/// went silent would keep everybody waiting after an outage.
async fn lives(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    let patience = if idle < A_MOMENT { IN_USE_ANSWERS_WITHIN } else { ANSWERS_WITHIN };
    let answered = tokio::time::timeout(patience, connection.ping()).await;
    answered.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
}

/// Notes in the transaction itself that a request which is to be done once has an effect now.
async fn mark(conn: &mut PgConnection, claim: Option<Uuid>) -> Result<(), DbError> {
    let Some(claim) = claim else { return Ok(()) };
    let marked =
        sqlx::query("update request_claims set effected = true where id = $1 and answered_at is null")
            .bind(claim)
            .execute(conn)
            .await
            .map_err(DbError::while_doing("marking a request as done"))?;
    if marked.rows_affected() == 1 { Ok(()) } else { Err(DbError::ClaimLost) }
}

/// A transaction of one organization. Dropped without [`Tx::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    scope: Scope,
    trace: Option<String>,
}

impl Tx {
    /// Who acts for which organization.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The trace that this work belongs to (a `traceparent`), for the jobs that it sends.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Says which trace this work belongs to.
    pub fn set_trace(&mut self, trace: String) {
        self.trace = Some(trace);
    }

    /// Makes everything done in this transaction lasting.
    ///
    /// # Errors
    /// When the server does not confirm it; [`DbError::ClaimLost`] when the request was to be done once and is another's now.
    pub async fn commit(mut self) -> Result<(), DbError> {
        mark(&mut self.inner, self.scope.claim()).await?;
        self.inner.commit().await.map_err(DbError::while_doing("committing"))
    }

    /// Tells every process that something of this organization changed; sent when the transaction commits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announce(&mut self, topic: &'static str) -> Result<(), DbError> {
        announce(&mut self.inner, self.scope.organization(), topic).await
    }
}

async fn announce(
    conn: &mut PgConnection,
    organization: OrganizationId,
    topic: &'static str,
) -> Result<(), DbError> {
    let payload = format!("{}:{topic}", organization.uuid().simple());
    sqlx::query("select pg_notify('soundpost_news', $1)")
        .bind(payload)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(DbError::while_doing("announcing a change"))
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// A transaction that may read across organizations where the schema grants it.
#[derive(Debug)]
pub struct FleetTx {
    inner: Transaction<'static, Postgres>,
    claim: Option<Uuid>,
}

impl FleetTx {
    /// Says for whose request this is done: where that is to be done once, the commit counts only while its claim does.
    pub const fn on_behalf_of(&mut self, scope: &Scope) {
        self.claim = scope.claim();
    }

    /// Tells every process that something of an organization changed; sent when the transaction commits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announce(
        &mut self,
        organization: OrganizationId,
        topic: &'static str,
    ) -> Result<(), DbError> {
        announce(&mut self.inner, organization, topic).await
    }

    /// Makes everything done in this transaction lasting.
    ///
    /// # Errors
    /// As [`Tx::commit`].
    pub async fn commit(mut self) -> Result<(), DbError> {
        mark(&mut self.inner, self.claim).await?;
        self.inner.commit().await.map_err(DbError::while_doing("committing"))
    }
}

impl Deref for FleetTx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for FleetTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}
