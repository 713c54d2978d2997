//! What all listeners share: the world behind its lock, the stop signal and the state file.
//! Knows nothing of requests.

use crate::clock::Clock;
use crate::config::{CompaniesAt, SimError};
use crate::grants::Grants;
use crate::world::{Edit, World};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    born: Instant,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) app: SocketAddr,
    pub(crate) runtime: Handle,
    pub(crate) listeners: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) companies_at: CompaniesAt,
    pub(crate) earlier: Vec<SocketAddr>,
}

impl Shared {
    pub(crate) fn new(
        world: World,
        app: SocketAddr,
        config: &crate::Config,
        earlier: Vec<SocketAddr>,
    ) -> Self {
        Self {
            world: Mutex::new(world),
            born: Instant::now(),
            stop: watch::Sender::new(false),
            app,
            runtime: Handle::current(),
            listeners: Mutex::new(Vec::new()),
            state: config.state.clone(),
            companies_at: config.companies_at,
            earlier,
        }
    }

    /// The world; a panic elsewhere does not lock it for ever.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Real, monotonic microseconds since the start.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes the state file, when there is one.
    pub(crate) fn keep(&self, world: &World) {
        let Some(path) = &self.state else { return };
        let offset_seconds = match world.clock {
            Clock::Running { offset } => offset.as_seconds_f64(),
            Clock::Frozen(_) => 0.0,
        };
        let kept = Keeping {
            epoch: world.epoch,
            offset_seconds,
            app: self.app,
            companies: world.companies.iter().map(|company| company.address).collect(),
            grants: &world.grants,
            edits: &world.edits,
        };
        let partial = path.with_extension("partial");
        let written = serde_json::to_vec(&kept)
            .map_err(std::io::Error::other)
            .and_then(|bytes| std::fs::write(&partial, bytes))
            .and_then(|()| std::fs::rename(&partial, path));
        if let Err(error) = written {
            tracing::error!(error = %error, "the simulator could not write its state file");
        }
    }
}

#[derive(Serialize)]
struct Keeping<'a> {
    #[serde(with = "time::serde::rfc3339")]
    epoch: OffsetDateTime,
    offset_seconds: f64,
    app: SocketAddr,
    companies: Vec<SocketAddr>,
    grants: &'a Grants,
    edits: &'a [Edit],
}

/// What an earlier run left in the state file.
#[derive(Deserialize)]
pub(crate) struct Kept {
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) epoch: OffsetDateTime,
    pub(crate) offset_seconds: f64,
    pub(crate) app: SocketAddr,
    pub(crate) companies: Vec<SocketAddr>,
    pub(crate) grants: Grants,
    pub(crate) edits: Vec<Edit>,
}

impl Kept {
    /// Reads the state file; `None` when there is none yet.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, SimError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SimError::File { path: path.to_owned(), source }),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| SimError::Line {
            path: path.to_owned(),
            line: 1,
            source,
        })
    }
}
