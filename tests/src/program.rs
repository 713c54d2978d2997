//! The program itself, as a process of its own.

use std::{path::PathBuf, process::Command};

/// The program beside the tests; built when it is not there yet.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn program() -> PathBuf {
    let here = std::env::current_exe().expect("tests know where they are");
    let folder = here.parent().and_then(std::path::Path::parent).expect("target/debug").to_owned();
    let program = folder.join(format!("soundpost{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo).args(["build", "-q", "-p", "soundpost"]).status();
        assert!(built.expect("cargo runs").success(), "the program can be built");
    }
    program
}
