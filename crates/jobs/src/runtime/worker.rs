//! One lane's worker: built, run, and built anew under a fresh name when it breaks.
//!
//! A name is used once: apalis leaves the jobs of a worker that comes back under its old name stuck for ever.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use apalis::prelude::{BoxDynError, Task, WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::Config;
use futures::{FutureExt, future::BoxFuture};
use queue::Lane;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio_util::task::AbortOnDropHandle;
use tower::{Service, service_fn};

use super::{
    Shared,
    attempt::{self, Taken},
    raw::Raw,
};

/// How long a worker's connections may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Runs workers of a lane, one after the other, until the process stops.
pub(super) async fn keep_running(shared: Shared, lane: Lane) {
    // Workers that ended and may still hold jobs.
    let mut ended = Vec::new();
    while !shared.stop.is_cancelled() {
        let name = format!("{}-{}", lane.as_str(), shared.ambient.uuid());
        if let Err(error) = run_once(&shared, lane, &name).await {
            tracing::error!(
                worker = name,
                lane = lane.as_str(),
                error,
                "A worker broke; a new one takes over."
            );
            metrics::counter!("soundpost_worker_restarts_total", "lane" => lane.as_str()).increment(1);
        }
        ended.push(name);
        // What it held is given back at once instead of after the missed heartbeats, and no attempt is counted. While the
        // database is away that has to wait, and with it the next worker, who could do nothing either.
        loop {
            let handed_back = hand_back_all(&shared, &mut ended).await;
            if shared.stop.is_cancelled() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1) + shared.ambient.jitter(Duration::from_secs(2))).await;
            if handed_back {
                break;
            }
        }
    }
}

/// Whether nothing of workers that ended is left with them.
async fn hand_back_all(shared: &Shared, ended: &mut Vec<String>) -> bool {
    while let Some(name) = ended.last() {
        match queue::hand_back(&shared.pool, name, &[], Duration::ZERO).await {
            Ok(_) => ended.pop(),
            Err(error) => {
                tracing::warn!(
                    worker = name,
                    error = &error as &dyn std::error::Error,
                    "Jobs could not be handed back yet."
                );
                return false;
            }
        };
    }
    true
}

/// Runs one worker until it breaks, or until the process stops and its jobs ended or were cut off.
async fn run_once(shared: &Shared, lane: Lane, name: &str) -> Result<(), String> {
    let crew = Arc::new(Crew { shared: shared.clone(), worker: name.to_owned(), working: Mutex::default() });
    let config = Config::default()
        .queue(lane.as_str())
        // More would keep the worker from heartbeating while its slots are busy.
        .batch_size(1)
        .heartbeat_interval(shared.settings.heartbeat)
        .missed_heartbeats(shared.settings.missed)
        // We settle jobs ourselves.
        .persist_results(false)
        .lock_tasks(false);
    let pool = own_pool(&shared.pool, shared.settings.gone_after());
    let worker = WorkerBuilder::new(name)
        .backend(Raw::new(&pool, config, shared.bells.hang(lane)))
        .concurrency(shared.settings.concurrency(lane))
        .build(service(crew.clone()));
    let stop = shared.stop.clone();
    let signal = async move {
        stop.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    // In a task of its own: apalis panics where we would rather start anew.
    let mut running = AbortOnDropHandle::new(tokio::spawn(worker.run_until(signal)));
    let drained = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(shared.settings.drain).await;
    };
    let result = tokio::select! {
        ended = &mut running => match ended {
            Ok(ended) => ended.map_err(|error| error.to_string()),
            Err(panicked) => Err(panicked.to_string()),
        },
        () = crew.find_strays() => Ok(()),
        () = drained => {
            tracing::warn!(worker = name, "Jobs did not end in time; they are handed back.");
            running.abort();
            running.await.ok();
            Ok(())
        }
    };
    // After this nothing that apalis began can still take a job.
    if tokio::time::timeout(CLOSE_WITHIN, pool.close()).await.is_err() {
        tracing::warn!(worker = name, "The connections of a worker did not close in time.");
    }
    result
}

/// Connections that only apalis uses. It drops transactions while they begin, which leaves sqlx's connections inside a
/// transaction that nobody ends: what anybody else wrote on them would be lost. Its own next transaction ends it.
/// Also, heartbeats do not wait for jobs that use up the shared pool.
fn own_pool(shared: &PgPool, gone_after: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .after_connect(move |connection, _| Box::pin(queue::gone_after(connection, gone_after)))
        // Longer than most restarts of a database; a worker that waits keeps its jobs.
        .acquire_timeout(Duration::from_secs(60))
        .connect_lazy_with((*shared.connect_options()).clone())
}

/// What apalis calls for each job that it fetched. Always well: the verdict is written by `queue`.
fn service(
    crew: Arc<Crew>,
) -> impl Service<
    Task<Vec<u8>>,
    Response = (),
    Error = BoxDynError,
    Future = BoxFuture<'static, Result<(), BoxDynError>>,
> + Send
+ 'static {
    service_fn(move |task: Task<Vec<u8>>| {
        let (crew, taken) = (crew.clone(), Taken::read(task));
        async move {
            crew.work(taken).await;
            Ok(())
        }
        .boxed()
    })
}

/// A worker, and the jobs it works on.
struct Crew {
    shared: Shared,
    worker: String,
    working: Mutex<HashSet<String>>,
}

impl Crew {
    async fn work(&self, taken: Taken) {
        let _listed = Listed::new(&self.working, taken.id.clone());
        attempt::run(&self.shared, &self.worker, taken).await;
    }

    /// Gives back, again and again, what the worker took and does not work on (a fetch whose answer was lost, a verdict that
    /// could not be written): apalis leaves the jobs of a living worker alone.
    async fn find_strays(&self) {
        let every = self.shared.settings.gone_after();
        loop {
            tokio::time::sleep(every).await;
            let working: Vec<String> =
                self.working.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            match queue::hand_back(&self.shared.pool, &self.worker, &working, every).await {
                Ok(0) => {}
                Ok(jobs) => tracing::warn!(worker = self.worker, jobs, "Forgotten jobs were handed back."),
                Err(error) => tracing::warn!(
                    worker = self.worker,
                    error = &error as &dyn std::error::Error,
                    "Forgotten jobs could not be looked for."
                ),
            }
        }
    }
}

/// A job is in the list for as long as this lives.
struct Listed<'a> {
    list: &'a Mutex<HashSet<String>>,
    id: String,
}

impl<'a> Listed<'a> {
    fn new(list: &'a Mutex<HashSet<String>>, id: String) -> Self {
        list.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        Self { list, id }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
