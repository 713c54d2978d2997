//! Processes of the product beside the one that a world runs: more connectors, and some that are killed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use connector::{Connector, Escrow, Parts};
use db::Db;
use gong::HostPolicy;
use gong_sim::Sim;
use kernel::SharedAmbient;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use url::Url;
use vault::KeyRing;

/// What every connector of one world shares.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    oauth: oauth::Client,
    escrow: PathBuf,
    ambient: SharedAmbient,
}

impl Desk {
    pub(crate) fn new(
        sim: &Sim,
        base: &Url,
        timeout: Duration,
        escrow: &Path,
        ambient: &SharedAmbient,
    ) -> Self {
        Self { oauth: oauth(sim, base, timeout), escrow: escrow.to_owned(), ambient: ambient.clone() }
    }

    pub(crate) fn connector(&self, db: Db, keys: Arc<KeyRing>) -> Connector {
        Connector::new(Parts {
            db,
            keys,
            oauth: self.oauth.clone(),
            http: gong::http("Soundpost/stories").expect("an HTTP client"),
            hosts: HostPolicy::parse(&hosts()).expect("host patterns"),
            escrow: Escrow::open(&self.escrow).expect("an escrow folder"),
            ambient: self.ambient.clone(),
            witness: Arc::new(jobs::Chronicle::new(self.ambient.clone())),
            refresh_before: Duration::from_secs(300),
        })
    }
}

/// Another process of the product, with a runtime and database connections of its own, that can be killed.
#[derive(Debug)]
pub struct Process {
    runtime: Runtime,
    /// Its connector.
    pub connector: Connector,
    /// Its gates; a pool of database connections dies with the runtime that it was used in.
    pub gates: ingest::Gates,
}

impl Process {
    /// Starts one on the database at `url`.
    pub(crate) async fn start(
        desk: Desk,
        url: String,
        keys: Arc<KeyRing>,
        defaults: ingest::Defaults,
    ) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let made = runtime.spawn(async move {
            let db = Db::connect(&url, 8).await.expect("the database answers");
            let gates = ingest::Gates::new(db.clone(), desk.ambient.clone(), defaults);
            (desk.connector(db, keys), gates)
        });
        let (connector, gates) = made.await.expect("a connector");
        Self { runtime, connector, gates }
    }

    /// Runs something in that process.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime.spawn(work)
    }

    /// Kills it: what it was doing stops where it stands, what it has in memory is gone, its sockets close.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

fn oauth(sim: &Sim, base: &Url, timeout: Duration) -> oauth::Client {
    let url = |text: String| Url::parse(&text).expect("a URL");
    oauth::Client::new(oauth::Config {
        client_id: "sim-client".into(),
        client_secret: "sim-secret".to_owned().into(),
        authorize_url: url(sim.authorize_url()),
        token_url: url(sim.token_url()),
        redirect_uri: base.join("/api/integrations/gong/callback").expect("a URL"),
        timeout,
    })
    .expect("an authorization client")
}

/// The companies' API hosts of one simulator.
fn hosts() -> String {
    (1..=60).map(|n| format!("http://127.0.0.{n}")).collect::<Vec<_>>().join(",")
}
