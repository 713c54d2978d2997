//! What the stories of jobs share: a database, scripted handlers, and looks into the queue.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use db::{Db, Tx};
use jobs::runtime::{self, Handler, RuntimeError, Settings};
use kernel::{OrganizationId, Scope, SystemAmbient};
use queue::{Job, Lane, NewJob, Verdict};
pub(crate) use stories::until;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// An organization in a database of its own.
pub(crate) struct Desk {
    pub(crate) db: Db,
    pub(crate) url: String,
    pub(crate) organization: OrganizationId,
}

pub(crate) async fn desk() -> Desk {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init().ok();
    Desk::at(stories::fresh_database().await.url).await
}

impl Desk {
    pub(crate) async fn at(url: String) -> Self {
        Self::with_connections(url, 24).await
    }

    pub(crate) async fn with_connections(url: String, most: u32) -> Self {
        let db = Db::connect(&url, most).await.unwrap();
        Self { db, url, organization: OrganizationId::mint(&SystemAmbient) }
    }

    pub(crate) async fn begin(&self) -> Tx {
        self.db.begin(&Scope::operator(self.organization)).await.unwrap()
    }

    /// A job of the fresh lane about the subject of this number; the number is its key, too.
    pub(crate) fn job(&self, kind: &'static str, subject: u128) -> NewJob {
        NewJob::new(
            Lane::Fresh,
            kind,
            self.organization,
            Uuid::from_u128(subject),
            format!("{kind}:{subject}"),
        )
    }

    pub(crate) async fn send(&self, job: &NewJob) -> bool {
        let mut tx = self.begin().await;
        let sent = queue::enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        sent
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.db.pool()).await.unwrap()
    }

    pub(crate) async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(self.db.pool()).await.unwrap()
    }

    pub(crate) async fn change(&self, sql: &'static str) -> u64 {
        sqlx::query(sql).execute(self.db.pool()).await.unwrap().rows_affected()
    }

    /// Codes of the dead letters, sorted.
    pub(crate) async fn dead(&self) -> Vec<String> {
        sqlx::query_scalar("select code from dead_letters where state = 'dead' order by code")
            .fetch_all(self.db.pool())
            .await
            .unwrap()
    }

    /// Waits until no job lives.
    pub(crate) async fn idle(&self, most: Duration) {
        let live = "select count(*) from apalis.jobs where status in ('Pending', 'Queued', 'Running')";
        assert!(until(most, async || self.number(live).await == 0).await, "jobs still live after {most:?}");
    }

    pub(crate) fn work(&self, actor: &Arc<Actor>) -> Work {
        self.work_with(actor, settings())
    }

    /// Workers as one process has them.
    pub(crate) fn work_with(&self, actor: &Arc<Actor>, settings: Settings) -> Work {
        let stop = CancellationToken::new();
        let (pool, told) = (self.db.pool().clone(), stop.clone());
        let run = runtime::run(pool, actor.clone(), settings, Arc::new(SystemAmbient), told);
        Work { stop, task: tokio::spawn(run) }
    }
}

/// A vanished worker is noticed after two seconds.
pub(crate) fn settings() -> Settings {
    Settings {
        fresh: 4,
        bulk: 2,
        upkeep: 2,
        heartbeat: Duration::from_millis(500),
        missed: 4,
        drain: Duration::from_secs(2),
        deadline: Duration::from_secs(20),
    }
}

/// Running workers; dropped, they vanish without a word.
pub(crate) struct Work {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Result<(), RuntimeError>>,
}

impl Work {
    /// Tells them to stop and says how long they took.
    pub(crate) async fn stop(mut self) -> Duration {
        let began = Instant::now();
        self.stop.cancel();
        (&mut self.task).await.unwrap().unwrap();
        began.elapsed()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A start of a job.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) subject: u128,
    pub(crate) attempt: i32,
    pub(crate) at: Instant,
}

type Act = dyn Fn(Job, CancellationToken) -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send + Sync;

/// Does with every job what the story says, and remembers.
pub(crate) struct Actor {
    act: Box<Act>,
    starts: Mutex<Vec<Start>>,
    pub(crate) active: AtomicI64,
}

impl Actor {
    pub(crate) fn new<F>(act: impl Fn(Job, CancellationToken) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        let act: Box<Act> = Box::new(move |job, stop| Box::pin(act(job, stop)));
        Arc::new(Self { act, starts: Mutex::default(), active: AtomicI64::new(0) })
    }

    /// Everything is done at once.
    pub(crate) fn willing() -> Arc<Self> {
        Self::new(|_, _| async { Verdict::Done })
    }

    pub(crate) fn starts(&self) -> Vec<Start> {
        self.starts.lock().unwrap().clone()
    }

    pub(crate) fn starts_of(&self, subject: u128) -> Vec<Start> {
        self.starts().into_iter().filter(|start| start.subject == subject).collect()
    }

    pub(crate) async fn started(&self, subject: u128, times: usize) {
        let most = Duration::from_secs(20);
        let came = until(most, async || self.starts_of(subject).len() >= times).await;
        assert!(came, "job {subject} did not start {times} times: {:?}", self.starts());
    }
}

#[async_trait]
impl Handler for Actor {
    async fn handle(&self, job: Job, stop: &CancellationToken) -> Verdict {
        let start = Start { subject: job.subject.as_u128(), attempt: job.attempt, at: Instant::now() };
        self.starts.lock().unwrap().push(start);
        self.active.fetch_add(1, Ordering::SeqCst);
        let verdict = (self.act)(job, stop.clone()).await;
        self.active.fetch_sub(1, Ordering::SeqCst);
        verdict
    }
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
