//! `soundpost`: reads the configuration, builds everything, runs one command.
//!
//! Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 wrong use or configuration,
//! 3 not found, 4 checks found faults, 10 to 26 findings of `doctor` by class.

mod assemble;
mod cli;
mod commands;
mod damper;
mod exit;
mod gauges;
mod logging;
mod minds;
mod prometheus;
mod settings;
mod variables;

use std::process::ExitCode;

use clap::Parser;

use crate::{cli::Cli, exit::Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(Box::pin(commands::run(cli)));
            // Whatever still hangs in a blocking call must not keep the process from ending.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            result
        }
        Err(error) => Err(Exit::failed("starting the runtime", &error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
