//! How much a worker takes in when nobody limits it, what that costs, and what a plain COPY of the same bytes costs.

use std::time::Duration;

use super::Options;
use super::app::{App, BACKFILLED, UNLIMITED};
use super::ground::{Database, Ground};
use super::report::{Part, median, number};
use super::simulator::Simulator;
use crate::fault::Fault;

/// One measured ingest.
struct Run {
    seconds: f64,
    megabytes: f64,
    /// Kilobytes of disk for a call with its transcript, indexes and all.
    disk: f64,
    cpu: f64,
    peak_mb: f64,
    postgres_cpu: f64,
    copy: Copy,
    /// Where PostgreSQL's time went.
    statements: String,
}

/// The same rows by COPY.
struct Copy {
    seconds: f64,
    cpu: f64,
    postgres_cpu: f64,
}

/// Repeats the ingest and tells the medians.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls: u32 = if options.quick { 1_000 } else { 10_000 };
    let mut runs = Vec::new();
    for _ in 0..options.repeat.max(1) {
        let run = once(ground, calls)?;
        println!(
            "  {:.1} s, worker {:.2} CPU s and {:.0} MB, PostgreSQL {:.2} CPU s; COPY {:.1} s, PostgreSQL {:.2} CPU s",
            run.seconds, run.cpu, run.peak_mb, run.postgres_cpu, run.copy.seconds, run.copy.postgres_cpu
        );
        runs.push(run);
    }
    let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let (seconds, megabytes, calls) = (of(|run| run.seconds), of(|run| run.megabytes), f64::from(calls));
    part.note(format!(
        "{} calls of 300 sentences, limits off on both sides, one `soundpost work`; seconds from its start to the end of the \
         backfill. Medians of {} runs. The COPY is `\\copy` by psql of the stored rows into an equal table with an equal index.",
        number(calls),
        runs.len()
    ));
    part.told("transcript JSON stored", &format!("{} MB", number(megabytes)));
    part.at_least("calls a second", calls / seconds, 1_000.0, "");
    part.told("seconds", &format!("{} s", number(seconds)));
    part.told("transcript JSON a second", &format!("{} MB/s", number(megabytes / seconds)));
    part.at_most("CPU of the worker", of(|run| run.cpu), 3.5, "s");
    part.at_most("peak memory of the worker", of(|run| run.peak_mb), 150.0, "MB");
    part.told("CPU of PostgreSQL beside it", &format!("{} s", number(of(|run| run.postgres_cpu))));
    part.told(
        "disk for a call with its transcript, indexes and all",
        &format!("{} kB", number(of(|run| run.disk))),
    );
    let copy = (of(|run| run.copy.seconds), of(|run| run.copy.postgres_cpu), of(|run| run.copy.cpu));
    part.told(
        "plain COPY of the same rows",
        &format!(
            "{} s, CPU {} s of PostgreSQL and {} s of psql",
            number(copy.0),
            number(copy.1),
            number(copy.2)
        ),
    );
    if let Some(last) = runs.last() {
        part.detail("The statements that took most of PostgreSQL's time in the last run", &last.statements);
    }
    part.told("ratio of the seconds, ingest to COPY", &number(seconds / copy.0));
    Ok(())
}

fn once(ground: &Ground, calls: u32) -> Result<Run, Fault> {
    let simulator =
        Simulator::start(ground, &["--load", &calls.to_string(), "--load-sentences", "300", "--no-limit"])?;
    let database = ground.database("ingest")?;
    let app = App::new(ground, &database, &simulator, &UNLIMITED)?;
    app.connect_one()?;
    database.query("checkpoint")?;
    let postgres = ground.postgres_cpu();
    let began = database.query("select clock_timestamp()")?;
    let mut worker = app.start(&["work"])?;
    database.wait_for("the history", BACKFILLED, Duration::from_secs(600))?;
    let usage = worker.usage();
    let postgres_cpu = ground.postgres_cpu() - postgres;
    drop(worker);
    drop(simulator);
    let seconds = database.number(&format!(
        "select extract(epoch from finished_at - '{began}') from gong_runs where kind = 'backfill'"
    ))?;
    let statements = database.costliest(10)?;
    let stored = database.number("select count(*) from gong_transcripts")?;
    if stored < f64::from(calls) {
        return Err(Fault::new(format!("only {stored} transcripts of {calls} are stored")));
    }
    let megabytes = database.number("select sum(octet_length(body)) / 1e6 from gong_transcripts")?;
    let disk = database.number("select pg_database_size(current_database()) / 1e3")? / stored;
    let copy = copy(ground, &database)?;
    Ok(Run {
        seconds,
        megabytes,
        disk,
        cpu: usage.cpu,
        peak_mb: usage.peak_mb,
        postgres_cpu,
        copy,
        statements,
    })
}

fn copy(ground: &Ground, database: &Database) -> Result<Copy, Fault> {
    let file = ground.folder.join("transcripts.copy");
    let file = file.display();
    database.copy(&format!("\\copy gong_transcripts to '{file}'"))?;
    database.query("create table transcripts_copied (like gong_transcripts including all); checkpoint")?;
    let before = ground.postgres_cpu();
    let (seconds, cpu) = database.copy(&format!("\\copy transcripts_copied from '{file}'"))?;
    let postgres_cpu = ground.postgres_cpu() - before;
    // Seen from here psql's CPU holds what the server used meanwhile: both descend from us.
    Ok(Copy { seconds, cpu: (cpu - postgres_cpu).max(0.0), postgres_cpu })
}
