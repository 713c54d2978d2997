//! A long history at the pace that Gong allows: how few requests it takes, how near to the pace it comes, how flat the
//! memory stays.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use super::app::{App, BACKFILLED, Program};
use super::ground::{Database, Ground};
use super::report::{Part, median, number};
use super::simulator::Simulator;
use crate::fault::Fault;
use crate::stop;

/// Gong's own 3 requests a second, five times as fast: as fast as this machine can store what comes.
const SCALED: (u32, &str) = (15, "five");

/// As fast as was asked for: 3 requests a second, fifty times as fast.
const FIFTY: u32 = 150;

/// One history at one pace.
struct Told {
    seconds: f64,
    requests: f64,
    refused: f64,
    stored: f64,
    /// Of the worker, every half second.
    memory: Vec<f64>,
}

/// At the scaled pace, which is promised, and at fifty times Gong's, which is told.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls: u32 = if options.quick { 10_000 } else { 100_000 };
    let ideal = f64::from(calls) / 50.0;
    let told = once(ground, calls, SCALED.0)?;
    part.note(format!(
        "{} calls of 20 sentences, one `soundpost work`. Both sides have {} requests a second, {} times Gong's 3: what this machine \
         can store. The ideal are 100 calls in each list and 100 transcripts in each batch. Memory is that of the worker, after \
         the first tenth: the median of each further tenth, compared with the median of all. Then once more with {} a second, \
         fifty times Gong's, where storing is slower than asking.",
        number(f64::from(calls)), SCALED.0, SCALED.1, FIFTY,
    ));
    part.at_least("transcripts stored", told.stored, f64::from(calls), "");
    part.at_most("requests, of the ideal", told.requests / ideal, 1.1, "");
    part.at_least(
        "requests a second, of those allowed",
        told.requests / told.seconds / f64::from(SCALED.0),
        0.95,
        "",
    );
    part.at_most("429 answers", told.refused, 0.0, "");
    let (least, most) = tenths(&told.memory);
    part.promised(
        "memory of the worker, of its median",
        "0.90 to 1.10",
        &format!("{} to {}", number(least), number(most)),
        least >= 0.9 && most <= 1.1,
    );
    let seconds = format!("{} s, {} MB at its peak", number(told.seconds), number(peak(&told.memory)));
    part.told("seconds, memory", &seconds);
    let fast = once(ground, calls, FIFTY)?;
    part.told(
        "fifty times Gong's pace: requests a second, of the ideal, refused",
        &format!(
            "{}, {}, {}",
            number(fast.requests / fast.seconds),
            number(fast.requests / ideal),
            fast.refused
        ),
    );
    Ok(())
}

fn once(ground: &Ground, calls: u32, pace: u32) -> Result<Told, Fault> {
    let simulator = Simulator::start(ground, &["--load", &calls.to_string(), "--load-sentences", "20"])?;
    let limit = json!({ "limit": { "per_second": pace, "per_day": 10_000_000, "by_sim_clock": false } });
    simulator.tell("/config", &limit)?;
    let database = ground.database("history")?;
    let pace = pace.to_string();
    let settings = [("GONG_REQUESTS_PER_SECOND", pace.as_str()), ("GONG_REQUESTS_PER_DAY", "10000000")];
    let app = App::new(ground, &database, &simulator, &settings)?;
    app.connect_one()?;
    let before = simulator.counts()?;
    let mut worker = app.start(&["work"])?;
    let memory = watch(&database, &mut worker)?;
    let counts = simulator.counts()?;
    Ok(Told {
        seconds: database.number(
            "select extract(epoch from r.finished_at - (select min(created_at) from gong_calls)) from gong_runs r where r.kind = 'backfill'",
        )?,
        requests: (counts.api - before.api) as f64,
        refused: counts.refused as f64,
        stored: database.number("select count(*) from gong_transcripts")?,
        memory,
    })
}

/// What the worker holds, until the history is there.
fn watch(database: &Database, worker: &mut Program) -> Result<Vec<f64>, Fault> {
    let end = Instant::now() + Duration::from_secs(1_200);
    let mut memory = Vec::new();
    while database.ask(BACKFILLED)? != "t" {
        stop::check()?;
        worker.check()?;
        if Instant::now() > end {
            return Err(Fault::new("the history did not come within 20 minutes"));
        }
        memory.push(worker.memory()?);
        stop::sleep(Duration::from_millis(500));
    }
    Ok(memory)
}

/// The lowest and highest median of a tenth of the time, the first one left out, as shares of the median of all.
fn tenths(memory: &[f64]) -> (f64, f64) {
    let size = (memory.len() / 10).max(1);
    let later = memory.get(size..).unwrap_or_default();
    let middle = median(later.to_vec()).max(1.0);
    let shares = later.chunks(size).map(|tenth| median(tenth.to_vec()) / middle);
    shares.fold((1.0, 1.0), |(least, most): (f64, f64), share| (least.min(share), most.max(share)))
}

fn peak(memory: &[f64]) -> f64 {
    memory.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::tenths;

    #[test]
    fn memory_that_grows_is_not_flat() {
        let growing: Vec<f64> = (0..100).map(|n| 50.0 + f64::from(n)).collect();
        let (least, most) = tenths(&growing);
        assert!(least < 0.9 && most > 1.1, "{least} {most}");
        let flat: Vec<f64> = (0..100).map(|n| if n < 10 { 20.0 } else { 50.0 + f64::from(n % 3) }).collect();
        let (least, most) = tenths(&flat);
        assert!(least > 0.95 && most < 1.05, "{least} {most}");
    }
}
