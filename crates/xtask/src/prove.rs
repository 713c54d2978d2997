//! `cargo xtask prove`: experiments that break things on purpose, with real processes, and check what must stay true.
//! Each could fail; how that was seen stands in docs/decisions/0007-experiments-seen-red.md. Speaks to our programs only as the outside does.

mod backfill;
mod chance;
mod chaos;
mod deploy;
mod herd;
mod invariants;
mod keys;
mod proxy;
mod purge;
mod queue;
pub(crate) mod report;
mod tokens;
mod town;
mod trouble;
mod turns;
mod upgrade;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::args::Arguments;
use crate::check::Verdict;
use crate::fault::{Doing, Fault};
use crate::lab::ground::Ground;
use crate::workspace::Workspace;
use crate::{run, secret, stop};
use report::Outcome;

/// What the person asked for.
#[derive(Clone)]
pub(crate) struct Options {
    /// A tenth of everything.
    quick: bool,
    /// Draws the faults.
    seed: u64,
    /// The programs were not built now.
    built: bool,
    /// How long LOD-05 lasts, where somebody says so.
    minutes: Option<u64>,
    /// A folder with a program from before the newest migration.
    earlier: Option<PathBuf>,
}

impl Options {
    fn size(&self) -> &'static str {
        if self.quick { "quick" } else { "full" }
    }
}

/// What one experiment stands on: nobody else uses it.
struct Stage {
    ground: Ground,
}

/// How many experiments of the quick size run beside each other: they mostly wait.
const AT_ONCE_QUICK: usize = 4;
/// What `cargo xtask test` draws its faults from: the same ones every time, so that a red run can be had again.
const STEP_SEED: u64 = 5;

/// Experiments that compare how fast something is with how fast it is alone.
const SPEEDS: [&str; 2] = ["TEN-11", "JOB-19"];

type Run = fn(&Stage, &Options, &mut Outcome) -> Result<(), Fault>;

const EXPERIMENTS: [(&str, Run); 18] = [
    // The longest first, so that those beside each other end together.
    ("JOB-01", backfill::survives_kills),
    ("TOK-16", tokens::escrow),
    ("TOK-26", keys::rotated),
    ("PRV-11", purge::killed),
    ("LOD-05", chaos::everything_at_once),
    ("TOK-13", tokens::single_flight),
    ("OPS-11", upgrade::under_traffic),
    ("JOB-20", backfill::survives_every_boundary),
    ("OPS-12", deploy::rolling),
    ("OPS-13", deploy::restored),
    ("JOB-07", queue::poison),
    ("TOK-21", tokens::unrelated_writes),
    ("TOK-14", tokens::holder_hangs),
    ("JOB-08", queue::comes_back),
    ("JOB-16", queue::strangers),
    ("TEN-11", queue::noisy_neighbour),
    ("JOB-14", queue::after_an_outage),
    ("JOB-19", turns::everybody),
];

/// Runs what was asked for; `false` when an invariant was broken.
pub(crate) fn command(mut arguments: Arguments) -> Result<bool, Fault> {
    let only = arguments.list("--only");
    let full = arguments.flag("--full");
    let quick = arguments.flag("--quick") || !full;
    let seed = match arguments.value("--seed")? {
        Some(seed) => seed,
        None => u64::from_str_radix(&secret::random_word(4)?, 16).doing("drawing a seed")?,
    };
    let programs: Option<PathBuf> = arguments.value("--programs")?;
    let built = arguments.flag("--built") || programs.is_some();
    let earlier: Option<PathBuf> = arguments.value("--earlier")?;
    let minutes: Option<u64> = arguments.value("--minutes")?;
    let at_once: usize = arguments.value("--at-once")?.unwrap_or(if quick { AT_ONCE_QUICK } else { 2 });
    arguments.end()?;
    let known: Vec<&str> = EXPERIMENTS.iter().map(|(id, _)| *id).collect();
    if let Some(strange) = only.iter().find(|id| !known.contains(&id.as_str())) {
        return Err(Fault::new(format!("there is no experiment {strange}; there are {}", known.join(" "))));
    }
    let workspace = Workspace::read()?;
    if !built {
        let mut build = run::cargo(&workspace.root);
        build.args(["build", "--workspace", "--bins"]);
        run::must(if quick { &mut build } else { build.arg("--release") })?;
    }
    let programs = programs.unwrap_or_else(|| workspace.programs(!quick));
    let earlier = earlier.or_else(|| upgrade::earlier(&workspace.target));
    let options = Options { quick, seed, built, minutes, earlier };
    let outcomes = perform_all(&only, at_once, &workspace, &programs, &options);
    report::write(&workspace.root, &outcomes, &options)?;
    Ok(outcomes.iter().all(Outcome::held) && !stop::asked())
}

/// The quick size as a step of `cargo xtask test`, with the programs that were built for the tests; writes no page. Whatever
/// broke is tried once more, to tell a busy machine from a fault. What cannot be had here is left out, and says so.
pub(crate) fn step(workspace: &Workspace) -> Result<Verdict, Fault> {
    let earlier = upgrade::earlier(&workspace.target);
    let mut wanted: Vec<String> = EXPERIMENTS.iter().map(|(id, _)| (*id).to_owned()).collect();
    println!(
        "SKIPPED: {}; they compare speeds, which says something of release programs only",
        SPEEDS.join(" ")
    );
    wanted.retain(|id| !SPEEDS.contains(&id.as_str()));
    if earlier.is_none() {
        println!(
            "SKIPPED: OPS-11; target/{} holds no program from before the newest migration",
            upgrade::EARLIER
        );
        wanted.retain(|id| id != "OPS-11");
    }
    let options = Options { quick: true, seed: STEP_SEED, built: true, minutes: None, earlier };
    let programs = workspace.programs(false);
    for (at_once, verdict) in [(AT_ONCE_QUICK, Verdict::Passed), (1, Verdict::Retried)] {
        let outcomes = perform_all(&wanted, at_once, workspace, &programs, &options);
        stop::check()?;
        wanted = outcomes.iter().filter(|o| !o.held()).map(|o| o.id().to_owned()).collect();
        if wanted.is_empty() {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Failed)
}

/// Performs what is wanted, or everything, some beside each other.
fn perform_all(
    only: &[String],
    at_once: usize,
    workspace: &Workspace,
    programs: &Path,
    options: &Options,
) -> Vec<Outcome> {
    println!("{} with seed {}, programs of {}", options.size(), options.seed, programs.display());
    let wanted = EXPERIMENTS.iter().filter(|(id, _)| only.is_empty() || only.iter().any(|name| name == id));
    let queue = Mutex::new(wanted.collect::<VecDeque<_>>());
    let done = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            scope.spawn(|| {
                while let Some((id, run)) = next(&queue) {
                    let outcome = perform(id, *run, workspace, programs, options);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let broken: Vec<&str> = outcomes.iter().filter(|o| !o.held()).map(Outcome::id).collect();
    println!("\n{} experiments in {:.0} s", outcomes.len(), began.elapsed().as_secs_f64());
    if !broken.is_empty() {
        println!(
            "BROKEN: {}; once more with `--{} --seed {} --only {}`",
            broken.join(" "),
            options.size(),
            options.seed,
            broken.join(" ")
        );
    }
    outcomes
}

fn next<'a>(queue: &Mutex<VecDeque<&'a (&'static str, Run)>>) -> Option<&'a (&'static str, Run)> {
    if stop::asked() {
        return None;
    }
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Runs one experiment on a ground of its own; its logs stay when something broke.
fn perform(id: &'static str, run: Run, workspace: &Workspace, programs: &Path, options: &Options) -> Outcome {
    let began = Instant::now();
    let mut outcome = Outcome::new(id);
    match Ground::sturdy(workspace, programs) {
        Err(fault) => outcome.failed(&fault),
        Ok(ground) => {
            let stage = Stage { ground };
            if let Err(fault) = run(&stage, options, &mut outcome) {
                outcome.failed(&fault);
            }
            if !outcome.held() {
                stage.ground.keep_folder();
                println!("  {id:<8} logs stay in {}", stage.ground.folder.display());
            }
        }
    }
    println!("  {id:<8} {:.0} s", began.elapsed().as_secs_f64());
    outcome
}
