//! `gong-sim`: the simulator as a process of its own, for demos and for tests in other languages.
//! Knows only the library.

use clap::Parser;
use gong_sim::{
    CompaniesAt, Config, Consent, GeneratorOptions, OAuthClient, RedirectUris, Sim, SimError, Switches,
};
use serde_json::json;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{SignalKind, signal};

/// A simulated Gong that speaks real HTTP.
#[derive(Parser)]
#[command(version, about)]
struct Flags {
    /// Address of authorize page, token URL and control surface; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many companies.
    #[arg(long, default_value_t = 1)]
    companies: usize,
    /// All companies on 127.0.0.1, each at a port of its own, instead of an address for each.
    #[arg(long)]
    one_address: bool,
    /// How many generated calls for each company.
    #[arg(long, default_value_t = 60)]
    calls: usize,
    /// Over how many days before the epoch they are spread.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// JSON-lines file of conversations, added to the first company.
    #[arg(long)]
    conversations: Option<PathBuf>,
    /// Share of private calls, from 0 to 1.
    #[arg(long, default_value_t = 0.1)]
    private_share: f64,
    /// Serve this many calls of --load-sentences sentences from a pool instead of generated ones.
    #[arg(long)]
    load: Option<usize>,
    /// Sentences of a call of --load.
    #[arg(long, default_value_t = 300)]
    load_sentences: usize,
    /// How many requests are remembered one by one; counters stay exact beyond it.
    #[arg(long, default_value_t = 50_000)]
    remember: usize,
    /// No request limit.
    #[arg(long)]
    no_limit: bool,
    /// Approve every authorization at once, for the company of this number or name (the first one).
    #[arg(long, num_args = 0..=1, default_missing_value = "0")]
    auto_approve: Option<String>,
    /// OAuth client id.
    #[arg(long, env = "GONG_SIM_CLIENT_ID", default_value = "sim-client")]
    client_id: String,
    /// OAuth client secret.
    #[arg(long, env = "GONG_SIM_CLIENT_SECRET", default_value = "sim-secret", hide_env_values = true)]
    client_secret: String,
    /// Registered redirect URI; repeat it. Without any, every loopback URI is registered.
    #[arg(long)]
    redirect_uri: Vec<String>,
    /// Life of an access token in seconds.
    #[arg(long, default_value_t = 86_400)]
    token_life: i64,
    /// Seed of all data.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End of the span of generated calls, RFC 3339; the same seed and epoch give the same data.
    #[arg(long)]
    epoch: Option<String>,
    /// File that keeps tokens, epoch, addresses and changes over a restart.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Add a new call to each company every so many seconds.
    #[arg(long)]
    fresh_every: Option<u64>,
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
    let sim = Sim::start(config(&flags)?).await?;
    fill(&sim, &flags)?;
    announce(&sim, &flags)?;
    let fresh = async {
        let Some(seconds) = flags.fresh_every else { return std::future::pending::<()>().await };
        loop {
            tokio::time::sleep(Duration::from_secs(seconds.max(1))).await;
            for company in sim.companies() {
                sim.add_calls_now(company, 1);
            }
        }
    };
    tokio::select! {
        () = fresh => {}
        done = told_to_stop(flags.exit_with_parent) => done?,
    }
    sim.stop().await;
    // a thread that waits for standard input would keep the process from ending
    std::process::exit(0)
}

fn config(flags: &Flags) -> Result<Config, Stopped> {
    let redirect_uris = match flags.redirect_uri.is_empty() {
        true => RedirectUris::AnyLoopback,
        false => RedirectUris::Exact(flags.redirect_uri.clone()),
    };
    let (id, secret) = (flags.client_id.clone(), flags.client_secret.clone());
    let mut switches = Switches { token_life_seconds: flags.token_life, ..Switches::default() };
    if flags.no_limit {
        switches.limit = None;
    }
    let epoch = match &flags.epoch {
        Some(text) => Some(OffsetDateTime::parse(text, &Rfc3339).map_err(Stopped::Epoch)?),
        None => None,
    };
    Ok(Config {
        listen: flags.listen,
        companies_at: match flags.one_address {
            true => CompaniesAt::OneAddress,
            false if flags.listen.port() != 0 => CompaniesAt::OwnAddressSamePort,
            false => CompaniesAt::OwnAddress,
        },
        clients: vec![OAuthClient { id, secret, redirect_uris }],
        switches,
        seed: flags.seed,
        epoch,
        memory_cap: flags.remember,
        state: flags.state.clone(),
        ..Config::default()
    })
}

fn fill(sim: &Sim, flags: &Flags) -> Result<(), Stopped> {
    const NAMES: [&str; 6] = ["Orbit Desk", "Ferrowork", "Planwell", "Beamline", "Corvid", "Mosswood"];
    for number in 0..flags.companies.max(1) {
        let name = NAMES.get(number).map_or_else(|| format!("Company {number}"), |name| (*name).to_owned());
        let company = sim.add_company(&name);
        if let Some(calls) = flags.load {
            sim.uniform_load(company, calls, flags.load_sentences);
            continue;
        }
        let options = GeneratorOptions {
            seed: flags.seed,
            calls: flags.calls,
            days: flags.days,
            private_share: flags.private_share,
            ..GeneratorOptions::default()
        };
        sim.generate(company, &options);
    }
    if let (Some(path), Some(first)) = (&flags.conversations, sim.companies().first()) {
        sim.load_conversations(*first, path, flags.days)?;
    }
    sim.replay_edits();
    if let Some(company) = flags.auto_approve.as_deref().and_then(|word| sim.company(word)) {
        sim.set_consent(Consent::Approve(company));
    }
    Ok(())
}

fn announce(sim: &Sim, flags: &Flags) -> Result<(), Stopped> {
    let bases: Vec<String> = sim.companies().into_iter().map(|company| sim.api_base(company)).collect();
    if !flags.print_json {
        tracing::info!(authorize_url = sim.authorize_url(), "the simulated Gong is ready");
        return Ok(());
    }
    let line = json!({
        "authorize_url": sim.authorize_url(),
        "token_url": sim.token_url(),
        "api_bases": bases,
        "client_id": flags.client_id,
        "control_url": sim.control_url(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Stopped::Io)
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
    #[error("--epoch is not a time in RFC 3339")]
    Epoch(#[source] time::error::Parse),
    #[error("the terminal or signals could not be used")]
    Io(#[source] std::io::Error),
}
