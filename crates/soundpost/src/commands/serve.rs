//! `soundpost serve`: HTTP, and jobs unless they run elsewhere.

use std::sync::Arc;

use accounts::PasswordHasher;
use db::Events;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use web::{AppState, FeedbackOffers, Limits, Parts};

use super::work;
use crate::{
    assemble::{self, House},
    exit::{Doing, Exit},
    logging,
    minds::Minds,
    prometheus,
    settings::{self, Settings},
};

/// How many passwords are checked at once: each costs 19 MiB and most of a tenth of a second of one core.
const HASHES_AT_ONCE: usize = 2;

/// How many files and sockets we ask the operating system for; it may give fewer.
const OPEN_FILES: u64 = 8_192;
/// How many of them are for the database, Gong, the escrow and the log.
const OTHER_FILES: u64 = 640;

/// Serves until it is told to stop.
pub(crate) async fn run(workers: bool) -> Result<(), Exit> {
    logging::start()?;
    let settings = settings::read()?;
    let render = prometheus::start()?;
    let house = assemble::house(&settings)?;
    let listener = TcpListener::bind(settings.listen).await.doing("listening on SOUNDPOST_LISTEN")?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    metrics(&settings, render, &stop, &mut tasks).await?;
    work::watch(&house, &stop, &mut tasks);
    let state = state(&settings, &house, &stop);
    let address = listener.local_addr().doing("reading the address")?;
    let router = web::router(state);
    let http_stop = stop.clone();
    tasks.spawn(serve(listener, router, http_stop));
    if workers {
        work::start(&house, &settings, &stop, &mut tasks)?;
    }
    tracing::info!(address = %address, public.url = %settings.public_url, workers, "Serving.");
    let ended = work::until_stopped(&stop, &mut tasks).await;
    house.connector.drain().await;
    tracing::info!("Stopped.");
    ended
}

/// How many connections can be held: what the operating system lets us open, less what everything else needs.
fn limits() -> Limits {
    let most = Limits::default();
    let files = rlimit::increase_nofile_limit(OPEN_FILES).unwrap_or(1024);
    let spare = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    Limits { connections: spare.clamp(64, most.connections), ..most }
}

/// Serves until `stop`; a listener that breaks ends the process.
async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    if let Err(error) = web::serve(listener, router, limits(), stop.clone()).await {
        tracing::error!(error = &error as &dyn std::error::Error, "The listener broke.");
        stop.cancel();
    }
}

fn state(settings: &Settings, house: &House, stop: &CancellationToken) -> AppState {
    AppState::new(Parts {
        db: house.db.clone(),
        hasher: PasswordHasher::new(HASHES_AT_ONCE),
        connector: house.connector.clone(),
        ambient: house.ambient.clone(),
        events: Events::listen(house.db.pool().clone()),
        keys: settings.keys.clone(),
        api_per_minute: settings.api_per_minute,
        defaults: settings.defaults.clone(),
        public_url: settings.public_url.clone(),
        authorize_url: settings.authorize_url.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        feedback: settings.minds.as_ref().map_or_else(FeedbackOffers::default, Minds::offers),
        stop: stop.clone(),
    })
}

/// Serves metrics on their own listener, where one is configured.
pub(crate) async fn metrics(
    settings: &Settings,
    render: PrometheusHandle,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), Exit> {
    let upkeep = render.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let Some(address) = settings.metrics_listen else { return Ok(()) };
    let listener = TcpListener::bind(address).await.doing("listening on SOUNDPOST_METRICS_LISTEN")?;
    let router = web::metrics_router(Arc::new(move || render.render()));
    let stop = stop.clone();
    tasks.spawn(serve(listener, router, stop));
    Ok(())
}
