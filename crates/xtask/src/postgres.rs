//! A private PostgreSQL of this checkout: for one test run (fast, forgetful) or for the demo (kept, durable).
//! Listens on 127.0.0.1 only, behind a random password; ends with us. Knows nothing of what is stored in it.

mod binaries;
mod cluster;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::Arguments;
use crate::fault::Fault;
use crate::guard::Guarded;
use crate::stop;
use crate::workspace::Workspace;

pub(crate) use cluster::free_port;

/// The user that PostgreSQL runs as when we are root, which it refuses: `nobody`.
const NOBODY: u32 = 65534;

/// Whom servers that refuse root run as; nobody else when we are not root.
pub(crate) fn other_user() -> Option<u32> {
    crate::run::is_root().then_some(NOBODY)
}

/// A running PostgreSQL.
pub(crate) struct Postgres {
    /// Superuser access: `postgres://soundpost:...@127.0.0.1:port/postgres`.
    pub(crate) url: String,
    /// For people: which version, from where.
    pub(crate) description: String,
    /// The folder with its programs.
    pub(crate) programs: PathBuf,
    /// Dropping it stops the server.
    server: Guarded,
    _folder: Option<Sweep>,
}

/// A folder that goes when this is dropped, should the server's guard have left it.
struct Sweep(PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Postgres {
    /// One for a test run: without fsync, in memory where there is room, gone afterwards.
    pub(crate) fn for_tests(workspace: &Workspace) -> Result<Self, Fault> {
        let binaries = binaries::find_or_install()?;
        cluster::start_for_tests(&binaries, &workspace.target.join("xtask"))
    }

    /// One for measuring: as durable as the demo's, on disk, gone afterwards. With the settings it was given.
    /// `environment` is added to ours.
    pub(crate) fn for_bench(
        workspace: &Workspace,
        environment: Vec<(String, String)>,
    ) -> Result<(Self, String), Fault> {
        let binaries = binaries::find_or_install()?;
        let postgres = cluster::start_for_bench(&binaries, &workspace.target.join("xtask"), environment)?;
        Ok((postgres, cluster::MEASURED.join(", ")))
    }

    /// One to break things on: on disk but without waiting for it, for many connections, gone afterwards. With its settings.
    pub(crate) fn for_proofs(workspace: &Workspace) -> Result<(Self, String), Fault> {
        let binaries = binaries::find_or_install()?;
        let postgres = cluster::start_for_proofs(&binaries, &workspace.target.join("xtask"))?;
        Ok((postgres, cluster::PROVED.join(", ")))
    }

    /// The process id above the server's.
    pub(crate) fn shell_id(&self) -> u32 {
        self.server.shell_id()
    }

    /// The one that keeps the data of this checkout's demo.
    pub(crate) fn for_demo(root: &Path, keep: &Path) -> Result<Self, Fault> {
        let made_by =
            demo_data(keep).and_then(|folder| std::fs::read_to_string(folder.join("data/PG_VERSION")).ok());
        let made_by: Option<u32> = made_by.and_then(|version| version.trim().parse().ok());
        let binaries = made_by.map_or_else(binaries::find_or_install, binaries::find_for)?;
        cluster::start_for_demo(&binaries, root, keep)
    }
}

/// Where the demo keeps the data of a checkout, when it exists.
pub(crate) fn demo_data(keep: &Path) -> Option<PathBuf> {
    cluster::recorded_data(keep)
}

/// `cargo xtask postgres`: a test server that stays up until Ctrl-C, for psql and single tests.
pub(crate) fn command(arguments: Arguments) -> Result<bool, Fault> {
    arguments.end()?;
    let postgres = Postgres::for_tests(&Workspace::read()?)?;
    println!(
        "{} is up until Ctrl-C:\n\nexport SOUNDPOST_TEST_DATABASE_URL={}\n",
        postgres.description, postgres.url
    );
    while !stop::asked() {
        stop::sleep(Duration::from_secs(3600));
    }
    Ok(true)
}
