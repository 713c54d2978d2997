//! The handle that tests and the binary hold: start, stop, switches, troubles, memory.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    serve,
    world::{Endpoint, Request, Switches, Trouble, World},
};

/// How it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What it is set to.
    pub switches: Switches,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 0).into(), switches: Switches::default() }
    }
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be had.
    #[error("{address} cannot be listened on")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    /// The world; a panic elsewhere does not lock it for ever.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running simulator. Everything stops when it is dropped.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Sim {
    /// Binds the address and starts to answer. Call it inside of a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(config: Config) -> Result<Self, SimError> {
        let failed = |source| SimError::Bind { address: config.listen, source };
        let bound = TcpListener::bind(config.listen).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let address = bound.local_addr().map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(bound).map_err(failed)?;
        let world = Mutex::new(World::of(config.switches));
        let shared = Arc::new(Shared { world, stop: watch::Sender::new(false) });
        tokio::spawn(serve::listen(Arc::clone(&shared), listener));
        Ok(Self { shared, address })
    }

    /// The base address for models, up to and with the version.
    pub fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The base address of the simulated Qdrant.
    pub fn qdrant(&self) -> String {
        format!("http://{}/qdrant", self.address)
    }

    /// The control surface.
    pub fn control(&self) -> String {
        format!("http://{}/sim", self.address)
    }

    /// Changes what it is set to.
    pub fn adjust(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.shared.lock().switches);
    }

    /// The next `times` requests to this endpoint run into trouble, behind those that were planned before.
    pub fn trouble(&self, endpoint: Endpoint, times: u32, what: Trouble) {
        self.shared.lock().plan(endpoint, times, what);
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests().cloned().collect()
    }

    /// How often an endpoint was asked.
    pub fn asked(&self, endpoint: Endpoint) -> usize {
        self.shared.lock().requests().filter(|request| request.endpoint == endpoint).count()
    }

    /// Forgets requests and planned troubles; collections and switches stay.
    pub fn clear(&self) {
        self.shared.lock().clear();
    }

    /// The points of a collection of the simulated Qdrant: (id, payload), in the order of their ids.
    pub fn points(&self, collection: &str) -> Vec<(String, serde_json::Value)> {
        self.shared.lock().collections.points(collection)
    }

    /// The collections of the simulated Qdrant, in alphabetical order.
    pub fn collections(&self) -> Vec<String> {
        self.shared.lock().collections.names()
    }

    /// Throws a collection of the simulated Qdrant away, as an operator may.
    pub fn drop_collection(&self, collection: &str) {
        self.shared.lock().collections.remove(collection);
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}
