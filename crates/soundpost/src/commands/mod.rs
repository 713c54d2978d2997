//! The commands, one file a group.

mod belongings;
mod dead;
mod doctor;
mod explain;
mod gong;
mod keys;
mod migrate;
mod organizations;
mod probe;
mod serve;
mod work;

use crate::{
    cli::{Cli, Command, Explain, Jobs},
    exit::Exit,
};

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli) -> Result<(), Exit> {
    match cli.command {
        Command::Serve { no_workers } => serve::run(!no_workers).await,
        Command::Work => work::run().await,
        Command::Migrate => migrate::run().await,
        Command::Doctor { json } => doctor::run(json).await,
        Command::Probe { metrics, ready } => probe::run(metrics, ready).await,
        Command::Organizations(command) => organizations::organizations(command).await,
        Command::Users(command) => organizations::users(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Gong(command) => gong::run(command).await,
        Command::Jobs(Jobs::Dead(command)) => dead::run(command).await,
        Command::Explain(Explain::Call { gong_call_id, organization, json }) => {
            explain::call(&gong_call_id, organization, json).await
        }
    }
}
