//! Trains the basic analyzer and says how good everything is that finds, compares and joins feedback.
//!
//! `cargo xtask train` and `cargo xtask eval` start it. Data sets of others come by path and are never part of the repository.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on its terminal")]

mod cache;
mod curve;
mod eval;
mod fault;
mod fit;
mod judge;
mod labelled;
mod text;
mod train;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use cache::Cached;
use fault::{Doing, Fault};
use models::MiniLm;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match dispatch(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("quality: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// `train|eval ROOT MODEL [DATA [PART ...]]`: the repository, the folder of the model, the folder of other people's data, parts.
async fn dispatch(words: &[String]) -> Result<(), Fault> {
    let [command, root, model, ..] = words else {
        return Err(Fault::new("it is started by `cargo xtask train` and `cargo xtask eval`"));
    };
    let (root, folder) = (Path::new(root), PathBuf::from(model));
    let model = MiniLm::open(&folder).doing("opening the model")?;
    let cached = Arc::new(Cached::new(model, &folder.join("../vectors-of-quality.bin")));
    let labelled = root.join("crates/feedback/labelled");
    match command.as_str() {
        "train" => train::run(cached, &labelled, &root.join("crates/feedback/src/basic/weights.bin")).await,
        "eval" => {
            let data = words.get(3).filter(|word| !word.is_empty()).map(Path::new);
            eval::run(cached, root, data, words.get(4..).unwrap_or_default()).await
        }
        other => Err(Fault::new(format!("there is no {other:?}"))),
    }
}
