//! `model-sim`: the simulator as a process of its own, for demos and for tests in other languages. Knows only the library.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use clap::Parser;
use model_sim::{Config, Sim, SimError, Switches};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A simulated server of language models, embeddings and vectors that speaks real HTTP.
#[derive(Parser)]
#[command(version, about)]
struct Flags {
    /// Address; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The key that every request has to bring.
    #[arg(long, env = "MODEL_SIM_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Numbers in a vector.
    #[arg(long, default_value_t = 256)]
    width: usize,
    /// Milliseconds before every answer.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Print one line of JSON with all addresses when ready.
    #[arg(long)]
    print_json: bool,
    /// End when standard input is closed.
    #[arg(long)]
    exit_with_parent: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Flags::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the simulator could not run");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Stopped> {
    let switches =
        Switches { key: flags.key, width: flags.width, delay_ms: flags.delay_ms, ..Switches::default() };
    let sim = Sim::start(Config { listen: flags.listen, switches }).await?;
    if flags.print_json {
        let line =
            json!({ "base_url": sim.base(), "qdrant_url": sim.qdrant(), "control_url": sim.control() });
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Stopped::Io)?;
    } else {
        tracing::info!(
            base_url = sim.base(),
            qdrant_url = sim.qdrant(),
            "the simulated model server is ready"
        );
    }
    told_to_stop(flags.exit_with_parent).await?;
    drop(sim);
    // a thread that waits for standard input would keep the process from ending
    std::process::exit(0)
}

async fn told_to_stop(exit_with_parent: bool) -> Result<(), Stopped> {
    let mut terminated = signal(SignalKind::terminate()).map_err(Stopped::Io)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Stopped::Io)?;
    let closed = async {
        if !exit_with_parent {
            return std::future::pending::<()>().await;
        }
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            let mut bytes = [0_u8; 64];
            while std::io::stdin().read(&mut bytes).is_ok_and(|read| read > 0) {}
            drop(sender);
        });
        drop(receiver.await);
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = closed => {}
    }
    Ok(())
}

/// Why the process ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("the simulator failed")]
    Sim(#[from] SimError),
    #[error("the terminal or signals could not be used")]
    Io(#[source] std::io::Error),
}
