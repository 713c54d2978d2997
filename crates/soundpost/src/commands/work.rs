//! `soundpost work`: jobs and schedules, without HTTP (but for metrics).

use std::{sync::Arc, time::Duration};

use jobs::{Rooms, runtime};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assemble::{self, House},
    exit::{Doing, Exit},
    gauges, logging, prometheus, settings,
};

/// Works until it is told to stop.
pub(crate) async fn run() -> Result<(), Exit> {
    logging::start()?;
    let settings = settings::read()?;
    let metrics = prometheus::start()?;
    let house = assemble::house(&settings)?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    super::serve::metrics(&settings, metrics, &stop, &mut tasks).await?;
    tasks.spawn(gauges::show(house.db.clone(), house.ambient.clone(), stop.clone()));
    start(&house, &settings, &stop, &mut tasks);
    tracing::info!("Working on jobs.");
    until_stopped(&stop, &mut tasks).await;
    house.connector.drain().await;
    tracing::info!("Stopped.");
    Ok(())
}

/// Starts workers and schedules. Answers that a crash left in escrow are stored first.
pub(crate) fn start(
    house: &House,
    settings: &settings::Settings,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let rooms = Rooms {
        db: house.db.clone(),
        connector: house.connector.clone(),
        gates: house.gates.clone(),
        defaults: settings.defaults.clone(),
        ambient: house.ambient.clone(),
    };
    let workers = settings.workers.clone();
    let stop = stop.clone();
    tasks.spawn(async move {
        if !replay_escrow(&rooms, &stop).await {
            return;
        }
        let schedules = tokio::spawn(jobs::schedule::run(rooms.clone(), stop.clone()));
        let pool = rooms.db.pool().clone();
        let ambient = rooms.ambient.clone();
        if let Err(error) = runtime::run(pool, Arc::new(rooms), workers, ambient, stop.clone()).await {
            tracing::error!(error = &error as &dyn std::error::Error, "The workers ended.");
            stop.cancel();
        }
        schedules.await.ok();
    });
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

/// Waits for SIGTERM or SIGINT (or for `stop`), then for the tasks to end; at most 30 seconds.
pub(crate) async fn until_stopped(stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    if let Err(exit) = wait_for_signal(stop).await {
        exit.report();
    }
    stop.cancel();
    let drained = tokio::time::timeout(Duration::from_secs(28), async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = %error, "A task did not end well.");
            }
        }
    });
    if drained.await.is_err() {
        tracing::error!("Not everything ended in time; what was left is taken over by other processes.");
    }
}

async fn wait_for_signal(stop: &CancellationToken) -> Result<(), Exit> {
    let mut terminate = signal(SignalKind::terminate()).doing("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).doing("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping."),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping."),
        () = stop.cancelled() => {}
    }
    Ok(())
}
