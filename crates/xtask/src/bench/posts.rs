//! How soon a stored transcript is a post on the board, with the analyzer that needs nobody.

use std::time::Duration;

use super::Options;
use super::app::{App, UNLIMITED};
use super::ground::Ground;
use super::report::{Part, number};
use super::simulator::Simulator;
use crate::fault::Fault;
use crate::{demo, model, stop, workspace::Workspace};

const OWNER: &str = "owner@acme.example";
/// Calls that were looked at, with the seconds since their transcripts were stored.
const LOOKED_AT: &str = "feedback_calls where state in ('done', 'discarded')";

/// A new call every second.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let seconds = if options.quick { 30 } else { 180 };
    let model = model::ensure(&Workspace::read()?)?;
    let model = model.display().to_string();
    let simulator = Simulator::start(ground, &["--calls", "20", "--days", "60", "--fresh-every", "1"])?;
    let database = ground.database("posts")?;
    let settings = [
        &UNLIMITED[..],
        &[
            ("SOUNDPOST_POLL_EVERY", "2s"),
            ("SOUNDPOST_MODEL_DIR", model.as_str()),
            ("RAYON_NUM_THREADS", "1"),
        ],
    ]
    .concat();
    let app = App::new(ground, &database, &simulator, &settings)?;
    app.organization("Acme Inc", OWNER)?;
    let mut serve = app.serve(&[])?;
    let mut visitor = app.visitor(OWNER)?;
    demo::feedback::board(&mut visitor)?;
    visitor.connect_quietly()?;
    database.wait_for(
        "the first calls looked at",
        &format!("select count(*) >= 10 from {LOOKED_AT}"),
        Duration::from_secs(120),
    )?;
    let before = serve.usage();
    let first = database.number(&format!("select count(*) from {LOOKED_AT}"))?;
    stop::sleep(Duration::from_secs(seconds));
    stop::check()?;
    let after = serve.usage();
    let calls = database.number(&format!("select count(*) from {LOOKED_AT}"))? - first;
    let share = |share: f64| {
        database.number(&format!(
            "select percentile_cont({share}) within group (order by extract(epoch from finished_at - stored_at)) from {LOOKED_AT}"
        ))
    };
    let waiting = database.number("select count(*) from feedback_calls where state = 'wanted'")?;
    let posts = database.number("select count(*) from posts")?;
    part.note(format!(
        "A new call of a believable length every second for {seconds} s, a poll every 2 s; one `serve` with its workers, the local \
         model, no language model. Seconds from the moment a transcript is stored to the end of the last stage, at which its posts \
         are visible."
    ));
    part.at_most("from stored to visible, p95", share(0.95)?, 15.0, "s");
    part.told("from stored to visible, median", &format!("{} s", number(share(0.5)?)));
    part.at_most("calls that still waited at the end", waiting, 30.0, "");
    part.told("calls a second", &number(calls / seconds as f64));
    part.told(
        "CPU of the process for a call",
        &format!("{} ms", number((after.cpu - before.cpu) / calls.max(1.0) * 1000.0)),
    );
    part.at_most("peak memory of the process", after.peak_mb, 400.0, "MB");
    part.told("posts", &number(posts));
    Ok(())
}
