//! Runs other programs and waits for them. Programs that stay are in `guard`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fault::{Doing, Fault};

/// Cargo, the same one that runs us.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo run` told us about our own package would mislead the build scripts of others.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}

/// Runs to the end with our own terminal; `false` when it failed.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool, Fault> {
    let name = name_of(command);
    let status = command.status().doing(format!("starting {name}"))?;
    crate::stop::check()?;
    Ok(status.success())
}

/// Runs to the end with our own terminal; fails when it fails.
pub(crate) fn must(command: &mut Command) -> Result<(), Fault> {
    let name = name_of(command);
    if succeeds(command)? { Ok(()) } else { Err(Fault::new(format!("{name} failed"))) }
}

/// What it printed on stdout; fails with what it printed on stderr.
pub(crate) fn output(command: &mut Command) -> Result<String, Fault> {
    let name = name_of(command);
    let output = command.stdin(Stdio::null()).output().doing(format!("starting {name}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::new(format!("{name} failed ({}): {}", output.status, why.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where a program of this name is on the search path, links resolved.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether we are root: initdb and Chromium behave differently then.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn name_of(command: &Command) -> String {
    let mut words = vec![command.get_program()];
    words.extend(command.get_args().take(3));
    words.iter().map(|word: &&OsStr| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
