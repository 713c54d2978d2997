//! The same work with and without PgBouncer, pooling by transaction, between our processes and PostgreSQL.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Options;
use super::report::{Part, number};
use crate::fault::{Doing, Fault};
use crate::guard::{Guarded, Launch};
use crate::lab::app::{App, BACKFILLED, UNLIMITED};
use crate::lab::ground::{Database, Ground};
use crate::lab::simulator::Simulator;
use crate::{postgres, run, stop};

/// Connections that the pooler keeps to the server.
const LENT: u32 = 8;
/// Worker processes.
const WORKERS: usize = 4;

/// What came of one way.
struct Way {
    stored: f64,
    seconds: f64,
    /// The most connections that the server had at a look.
    connections: f64,
    /// Lines that the processes wrote at `warn` or worse.
    complaints: String,
}

/// Both ways, one after the other.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls: u32 = if options.quick { 500 } else { 5_000 };
    let Some(pgbouncer) = run::find("pgbouncer") else {
        part.note("Not measured: pgbouncer is not installed (Debian: `apt install pgbouncer`).");
        return Ok(());
    };
    let version = run::output(std::process::Command::new(&pgbouncer).arg("--version"))?;
    let direct = way(ground, calls, None)?;
    let lent = way(ground, calls, Some(&pgbouncer))?;
    part.note(format!(
        "{WORKERS} `soundpost work` and one `serve --no-workers` take in {calls} calls, first straight, then with transactions through \
         {} (transaction mode, {LENT} connections to the server, `server_reset_query_always = 1`).",
        version.lines().next().unwrap_or("PgBouncer")
    ));
    part.told("straight: connections of the server, seconds", &told(&direct));
    part.told("pooled: connections of the server, seconds", &told(&lent));
    part.at_least("transcripts stored through the pooler", lent.stored, f64::from(calls), "");
    let quiet = lent.complaints.is_empty();
    part.promised(
        "warnings and errors through the pooler",
        "none",
        if quiet { "none" } else { "some" },
        quiet,
    );
    if !quiet {
        part.detail("What the processes complained about", &lent.complaints);
    }
    Ok(())
}

fn told(way: &Way) -> String {
    format!("{}, {} s", number(way.connections), number(way.seconds))
}

fn way(ground: &Ground, calls: u32, pgbouncer: Option<&std::path::PathBuf>) -> Result<Way, Fault> {
    let words = ["--load", &calls.to_string(), "--load-sentences", "50", "--no-limit"];
    let simulator = Simulator::start(ground, &words)?;
    let database = ground.database("pooler")?;
    let mut settings = UNLIMITED.to_vec();
    let pooler = match pgbouncer {
        Some(program) => Some(start(ground, &database, program)?),
        None => None,
    };
    if let Some((_, url)) = &pooler {
        settings.push(("SOUNDPOST_POOLER_URL", url));
    }
    let app = App::new(ground, &database, &simulator, &settings)?;
    app.connect_one()?;
    let began = Instant::now();
    let mut programs = vec![app.serve(&["--no-workers"])?];
    for _ in 0..WORKERS {
        programs.push(app.start(&["work"])?);
    }
    let end = began + Duration::from_secs(300);
    let mut connections = 0.0_f64;
    while database.query(BACKFILLED)? != "t" {
        stop::check()?;
        if Instant::now() > end {
            return Err(Fault::new("the history did not come within five minutes"));
        }
        let now = "select count(*) - 1 from pg_stat_activity where datname = current_database()";
        connections = connections.max(database.number(now)?);
        stop::sleep(Duration::from_millis(100));
    }
    let seconds = began.elapsed().as_secs_f64();
    let stored = database.number("select count(*) from gong_transcripts")?;
    let logs: Vec<String> = programs.iter().map(crate::lab::app::Program::log).collect();
    let complaints: Vec<&str> = logs
        .iter()
        .flat_map(|log| log.lines())
        .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
        .take(10)
        .collect();
    Ok(Way { stored, seconds, connections, complaints: complaints.join("\n") })
}

/// A PgBouncer in front of a database, and its address.
fn start(
    ground: &Ground,
    database: &Database,
    program: &std::path::Path,
) -> Result<(Guarded, String), Fault> {
    let strange = || Fault::new("the address of the test database has an unknown form");
    let rest = database.url.strip_prefix("postgres://").ok_or_else(strange)?;
    let (person, place) = rest.split_once('@').ok_or_else(strange)?;
    let (user, password) = person.split_once(':').ok_or_else(strange)?;
    let (address, name) = place.split_once('/').ok_or_else(strange)?;
    let (host, server_port) = address.split_once(':').ok_or_else(strange)?;
    let port = postgres::free_port()?;
    let file = ground.folder.join(format!("pgbouncer-{port}.ini"));
    let text = format!(
        "[databases]\n{name} = host={host} port={server_port} user={user} password={password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {LENT}\n\
         max_client_conn = 500\nignore_startup_parameters = extra_float_digits\nserver_reset_query_always = 1\n"
    );
    fs::write(&file, text).doing("writing pgbouncer.ini")?;
    let log = File::create(ground.folder.join("pgbouncer.log")).doing("creating the log of pgbouncer")?;
    let guarded = Guarded::start(Launch {
        name: "pgbouncer",
        program: program.to_path_buf(),
        arguments: vec![file.into()],
        environment: Vec::new(),
        folder: ground.folder.clone(),
        user: postgres::other_user(),
        signal: "INT",
        patience_seconds: 5,
        sweep: None,
        stdout: log.try_clone().map(Stdio::from).doing("sharing the log of pgbouncer")?,
        stderr: Stdio::from(log),
    })?;
    let end = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > end {
            return Err(Fault::new("pgbouncer did not start"));
        }
        stop::sleep(Duration::from_millis(50));
    }
    Ok((guarded, format!("postgres://{user}@127.0.0.1:{port}/{name}")))
}
