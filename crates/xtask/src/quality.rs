//! `cargo xtask train` and `cargo xtask eval`: the program `quality` with the model at hand. Knows what it is given, not what it does.

use std::path::PathBuf;
use std::process::Command;

use crate::args::Arguments;
use crate::fault::{Doing, Fault};
use crate::workspace::Workspace;
use crate::{model, run};

/// `cargo xtask train`.
pub(crate) fn train(arguments: Arguments) -> Result<bool, Fault> {
    arguments.end()?;
    start("train", None, &[])
}

/// `cargo xtask eval`.
pub(crate) fn eval(mut arguments: Arguments) -> Result<bool, Fault> {
    let data: Option<PathBuf> = arguments.value("--data")?;
    let only = arguments.list("--only");
    arguments.end()?;
    let data = data.map(|folder| folder.canonicalize().doing(format!("--data {}", folder.display())));
    start("eval", data.transpose()?, &only)
}

/// Builds the program with optimization, because it embeds thousands of texts, and runs it.
fn start(command: &str, data: Option<PathBuf>, only: &[String]) -> Result<bool, Fault> {
    let workspace = Workspace::read()?;
    let model = model::ensure(&workspace)?;
    println!("building the program that measures (minutes, the first time)");
    run::must(run::cargo(&workspace.root).args(["build", "--release", "--quiet", "--package", "quality"]))?;
    let mut program = Command::new(workspace.programs(true).join("quality"));
    program.arg(command).arg(&workspace.root).arg(model).arg(data.unwrap_or_default()).args(only);
    let mut git = Command::new("git");
    git.args(["rev-parse", "--short=12", "HEAD"]).current_dir(&workspace.root);
    program.env("COMMIT", run::output(&mut git).unwrap_or_default().trim());
    // More threads for one text cost more than they bring.
    program.env("RAYON_NUM_THREADS", "1");
    run::succeeds(&mut program)
}
