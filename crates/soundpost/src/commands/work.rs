//! `soundpost work`: jobs and schedules, without HTTP (but for metrics).

use std::{sync::Arc, time::Duration};

use jobs::{Rooms, runtime};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    assemble::{self, House},
    damper,
    exit::{Doing, Exit},
    gauges, logging, prometheus, settings,
};

/// How often each process looks whether all traffic to Gong is stopped.
const HEED_EVERY: Duration = Duration::from_secs(2);

/// Works until it is told to stop.
pub(crate) async fn run() -> Result<(), Exit> {
    logging::start()?;
    let settings = settings::read()?;
    let metrics = prometheus::start()?;
    let house = assemble::house(&settings)?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    super::serve::metrics(&settings, metrics, &stop, &mut tasks).await?;
    watch(&house, &stop, &mut tasks);
    start(&house, &settings, &stop, &mut tasks)?;
    tracing::info!("Working on jobs.");
    let ended = until_stopped(&stop, &mut tasks).await;
    house.connector.drain().await;
    tracing::info!("Stopped.");
    ended
}

/// What every process does beside its work: gauges, an eye on the database, and the stop of all traffic.
pub(crate) fn watch(house: &House, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    tasks.spawn(gauges::show(house.db.clone(), house.ambient.clone(), stop.clone()));
    tasks.spawn(damper::watch(house.db.outage().clone(), stop.clone()));
    let (connector, stop) = (house.connector.clone(), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            // While the database is away, what was found last goes on.
            if let Ok(stopped) = connector.heed_stop().await {
                metrics::gauge!("soundpost_gong_stopped").set(f64::from(u8::from(stopped)));
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(HEED_EVERY) => {}
            }
        }
    });
}

/// Starts workers and schedules, with the models that they think with. Answers that a crash left in escrow are stored first.
pub(crate) fn start(
    house: &House,
    settings: &settings::Settings,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), Exit> {
    let rooms = Rooms {
        db: house.db.clone(),
        connector: house.connector.clone(),
        gates: house.gates.clone(),
        defaults: settings.defaults.clone(),
        ambient: house.ambient.clone(),
        feedback: settings.minds.as_ref().map(|minds| minds.engine(&house.ambient)).transpose()?,
    };
    let replayed = CancellationToken::new();
    let (begin, end) = (replayed.clone(), stop.clone());
    let schedules = jobs::schedule::run(rooms.clone(), stop.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = end.cancelled() => {}
            () = begin.cancelled() => schedules.await,
        }
    });
    let (workers, stop) = (settings.workers.clone(), stop.clone());
    tasks.spawn(async move {
        if !replay_escrow(&rooms, &stop).await {
            return;
        }
        replayed.cancel();
        let pool = rooms.db.pool().clone();
        let ambient = rooms.ambient.clone();
        if let Err(error) = runtime::run(pool, Arc::new(rooms), workers, ambient, stop).await {
            tracing::error!(error = &error as &dyn std::error::Error, "The workers ended.");
        }
    });
    Ok(())
}

/// Waits for the database as long as it takes; false when told to stop meanwhile.
async fn replay_escrow(rooms: &Rooms, stop: &CancellationToken) -> bool {
    loop {
        match rooms.connector.replay_escrow().await {
            Ok(0) => return true,
            Ok(tokens) => {
                tracing::warn!(tokens, "Tokens that a crash had left in escrow were stored.");
                return true;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "The escrow cannot be replayed yet."
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

/// Waits for SIGTERM or SIGINT, or until one of the tasks ends by itself, which none should; then for all of them to end,
/// at most 28 seconds. An error when it was not a signal that ended us, so that whoever watches us starts us again.
pub(crate) async fn until_stopped(stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Result<(), Exit> {
    let ended = tokio::select! {
        signal = wait_for_signal() => signal,
        () = stop.cancelled() => Err(Exit::broken()),
        ended = tasks.join_next() => {
            ended.into_iter().for_each(note);
            tracing::error!("A part of this process ended, so all of it stops.");
            Err(Exit::broken())
        }
    };
    stop.cancel();
    let drained = tokio::time::timeout(Duration::from_secs(28), async {
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    });
    if drained.await.is_err() {
        tracing::error!("Not everything ended in time; what was left is taken over by other processes.");
    }
    ended
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = %error, "A task did not end well.");
    }
}

async fn wait_for_signal() -> Result<(), Exit> {
    let mut terminate = signal(SignalKind::terminate()).doing("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).doing("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping."),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping."),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A task that goes on until it is told to stop, as all of ours do.
    fn dutiful(stop: &CancellationToken, tasks: &mut JoinSet<()>) {
        let stop = stop.clone();
        tasks.spawn(async move { stop.cancelled().await });
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process_and_says_so() {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        dutiful(&stop, &mut tasks);
        tasks.spawn(async { panic!("planted") });
        let ended = tokio::time::timeout(SOON, until_stopped(&stop, &mut tasks)).await.unwrap();
        assert!(ended.is_err() && stop.is_cancelled() && tasks.is_empty());
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_ends_the_process() {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        dutiful(&stop, &mut tasks);
        tasks.spawn(async {});
        let ended = tokio::time::timeout(SOON, until_stopped(&stop, &mut tasks)).await.unwrap();
        assert!(ended.is_err() && stop.is_cancelled() && tasks.is_empty());
    }

    #[tokio::test]
    async fn while_all_tasks_go_on_so_does_the_process() {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        dutiful(&stop, &mut tasks);
        let early = tokio::time::timeout(Duration::from_millis(200), until_stopped(&stop, &mut tasks)).await;
        assert!(early.is_err() && !stop.is_cancelled() && tasks.len() == 1);
    }
}
