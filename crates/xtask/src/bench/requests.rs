//! How few requests a history costs, and a poll that brings nothing new.

use std::time::Duration;

use super::Options;
use super::app::{App, BACKFILLED, UNLIMITED};
use super::ground::Ground;
use super::report::Part;
use super::simulator::Simulator;
use crate::fault::Fault;
use crate::stop;

const CALLS: u32 = 1_000;

/// Counts at the simulator.
pub(super) fn measure(ground: &Ground, _: &Options, part: &mut Part) -> Result<(), Fault> {
    let simulator =
        Simulator::start(ground, &["--load", &CALLS.to_string(), "--load-sentences", "20", "--no-limit"])?;
    let database = ground.database("requests")?;
    let app = App::new(ground, &database, &simulator, &UNLIMITED)?;
    app.connect_one()?;
    let _worker = app.start(&["work"])?;
    database.wait_for("the history", BACKFILLED, Duration::from_secs(120))?;
    let history = simulator.counts()?;
    let stored = database.number("select count(*) from gong_transcripts")?;

    database.query("update gong_schedules set next_poll_at = now()")?;
    let polled = "select exists (select from gong_runs where kind = 'poll' and state = 'done')";
    database.wait_for("the poll", polled, Duration::from_secs(60))?;
    stop::sleep(Duration::from_secs(2));
    let idle = simulator.counts()?;
    let overlap = database.number(
        "select count(*) from gong_calls c, gong_runs r where r.kind = 'poll' and c.started_at between r.from_at and r.to_at",
    )?;

    part.note(format!(
        "{CALLS} public calls with transcripts, spread over 28 days; counted by the simulator from the connecting to the end \
         of the backfill. Then one poll with nothing new."
    ));
    part.at_least("transcripts stored", stored, f64::from(CALLS), "");
    part.at_most("requests for 1,000 calls of history", history.api as f64, 22.0, "");
    part.at_most(
        "transcripts asked again by an idle poll",
        (idle.transcripts - history.transcripts) as f64,
        0.0,
        "",
    );
    part.at_most(
        &format!("list requests of an idle poll ({overlap} calls inside the overlap)"),
        (idle.lists - history.lists) as f64,
        (overlap / 100.0).ceil().max(1.0),
        "",
    );
    Ok(())
}
