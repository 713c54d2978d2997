//! How near to Gong's limit a backfill comes, and that it never goes over.

use std::time::Duration;

use super::Options;
use super::app::{App, BACKFILLED};
use super::ground::{Database, Ground};
use super::report::{Part, number};
use super::simulator::Simulator;
use crate::fault::Fault;

/// With Gong's own 3 a second as the setting.
pub(super) fn at_the_limit(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls = if options.quick { 1_000 } else { 10_000 };
    let simulator = Simulator::start(ground, &["--load", &calls.to_string(), "--load-sentences", "20"])?;
    let database = ground.database("pace")?;
    let app = App::new(ground, &database, &simulator, &[("GONG_REQUESTS_PER_SECOND", "3.0")])?;
    app.connect_one()?;
    let before = simulator.counts()?;
    let _worker = app.start(&["work"])?;
    let seconds = backfill(&database)?;
    let counts = simulator.counts()?;
    let requests = (counts.api - before.api) as f64;
    part.note(format!(
        "{calls} calls, one worker process; seconds from its first request to the end of the backfill."
    ));
    told(part, &database, counts.api)?;
    part.at_most("seconds, at requests / 3", seconds, 1.05 * requests / 3.0, "s");
    part.at_most("429 answers", counts.refused as f64, 0.0, "");
    part.at_most("requests in any sliding second", counts.most_in_a_second as f64, 3.0, "");
    Ok(())
}

/// With the default, and four processes that all want something.
pub(super) fn by_default(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls = if options.quick { 1_000 } else { 3_000 };
    let simulator = Simulator::start(ground, &["--load", &calls.to_string(), "--load-sentences", "20"])?;
    let database = ground.database("pace")?;
    let app = App::new(ground, &database, &simulator, &[("SOUNDPOST_POLL_EVERY", "2s")])?;
    app.connect_one()?;
    let workers = (0..4).map(|_| app.start(&["work"])).collect::<Result<Vec<_>, _>>()?;
    let seconds = backfill(&database)?;
    let counts = simulator.counts()?;
    let polls = database.number("select count(*) from gong_runs where kind = 'poll' and state = 'done'")?;
    drop(workers);
    part.note(format!("{calls} calls, the default of 2.5 a second, four worker processes, a poll every 2 s beside the backfill."));
    told(part, &database, counts.api)?;
    part.told("polls meanwhile", &number(polls));
    part.told("seconds", &format!("{} s", number(seconds)));
    part.at_most("requests in any sliding second", counts.most_in_a_second as f64, 3.0, "");
    part.at_most("429 answers", counts.refused as f64, 0.0, "");
    Ok(())
}

/// Waits for the end of the backfill; its seconds from the first page on.
fn backfill(database: &Database) -> Result<f64, Fault> {
    database.wait_for("the history", BACKFILLED, Duration::from_secs(600))?;
    database.number(
        "select extract(epoch from r.finished_at - (select min(created_at) from gong_calls))
         from gong_runs r where r.kind = 'backfill'",
    )
}

fn told(part: &mut Part, database: &Database, requests: u64) -> Result<(), Fault> {
    let stored = database.number("select count(*) from gong_transcripts")?;
    part.told("transcripts stored, requests", &format!("{}, {requests}", number(stored)));
    Ok(())
}
