//! `cargo xtask bench`: the promised figures, measured on this machine against the simulated Gong and a PostgreSQL that
//! forgets nothing. Prints a table and writes docs/BENCHMARKS.md. Speaks to our programs only as the outside does.

mod day;
mod fleet;
mod history;
mod ingest;
mod load;
mod logins;
mod pace;
mod pages;
mod pooler;
mod posts;
mod report;
mod requests;
mod start;

use crate::args::Arguments;
use crate::fault::Fault;
use crate::lab::{app, ground, machine, simulator};
use crate::run;
use crate::workspace::Workspace;
use ground::Ground;
use machine::Noise;
use report::{Part, Report};

/// What the person asked for.
pub(crate) struct Options {
    /// Smaller counts: a check that everything can be measured, not a measurement.
    quick: bool,
    /// How often the ingest is measured; the median counts.
    repeat: usize,
    /// The programs were not built now.
    built: bool,
    /// How long the day is, where somebody says so.
    hours: Option<u32>,
}

type Scenario = fn(&Ground, &Options, &mut Part) -> Result<(), Fault>;

/// In the order of the report.
const SCENARIOS: [(&str, Scenario); 14] = [
    ("requests", requests::measure),
    ("pace-3", pace::at_the_limit),
    ("pace-default", pace::by_default),
    ("ingest", ingest::measure),
    ("history", history::measure),
    ("fleet", fleet::measure),
    ("day", day::measure),
    ("start", start::measure),
    ("pages", pages::measure),
    ("million", load::million),
    ("streams", load::streams),
    ("logins", logins::measure),
    ("pooler", pooler::measure),
    ("posts", posts::measure),
];

/// Measures what was asked for; `false` when a promise was not kept.
pub(crate) fn command(mut arguments: Arguments) -> Result<bool, Fault> {
    let only = arguments.list("--only");
    let quick = arguments.flag("--quick");
    let repeat = arguments.value("--repeat")?.unwrap_or(if quick { 1 } else { 3 });
    let built = arguments.flag("--built");
    let hours = arguments.value("--hours")?;
    arguments.end()?;
    if let Some(name) = only.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != name)) {
        return Err(Fault::new(format!("there is no scenario {name:?}")));
    }
    let workspace = Workspace::read()?;
    if !built {
        run::must(run::cargo(&workspace.root).args(["build", "--release", "--workspace", "--bins"]))?;
    }
    let ground = Ground::measured(&workspace)?;
    let options = Options { quick, repeat, built, hours };
    let mut report = Report::new(&workspace, &ground, &options)?;
    for (name, scenario) in SCENARIOS {
        if !only.is_empty() && only.iter().all(|wanted| wanted != name) {
            continue;
        }
        println!("\n{name}");
        let noise = Noise::begin();
        let mut part = Part::new(name);
        scenario(&ground, &options, &mut part)?;
        part.noise = noise.end();
        part.print();
        report.add(part);
    }
    report.write(quick)
}
