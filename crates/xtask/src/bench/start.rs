//! How soon `serve` is ready, and how large the program is.

use std::time::Instant;

use super::Options;
use super::app::App;
use super::ground::{Ground, mebibytes};
use super::report::{Part, median};
use super::simulator::Simulator;
use crate::fault::Fault;

/// Starts it some times on a migrated database.
pub(super) fn measure(ground: &Ground, _: &Options, part: &mut Part) -> Result<(), Fault> {
    let simulator = Simulator::start(ground, &["--calls", "0"])?;
    let database = ground.database("start")?;
    let app = App::new(ground, &database, &simulator, &[])?;
    let mut milliseconds = Vec::new();
    let mut peak = 0.0_f64;
    for _ in 0..5 {
        let began = Instant::now();
        let mut serve = app.serve(&[])?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        peak = peak.max(serve.usage().peak_mb);
    }
    part.note("`serve` with its workers on a migrated database: from the start of the process to `/readyz` 200, median of 5.");
    part.at_most("ready", median(milliseconds), 1_000.0, "ms");
    part.at_most("release binary", mebibytes(&ground.programs.join("soundpost"))?, 40.0, "MiB");
    part.told("memory when ready", &format!("{peak:.0} MB"));
    Ok(())
}
