//! `cargo xtask test`: everything that CI runs, one step after the other, with a table at the end.
//! A step that cannot run here says so in the table; it never passes silently.

mod browser;
mod guarantees;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::args::Arguments;
use crate::fault::Fault;
use crate::postgres::Postgres;
use crate::workspace::Workspace;
use crate::{install, model, prove, run, stop, tidy};

/// How a step ended.
pub(crate) enum Verdict {
    Passed,
    /// Passed at the second try, for all to see.
    Retried,
    Failed,
    Skipped(String),
}

const STEPS: [&str; 10] =
    ["fmt", "clippy", "tidy", "deny", "alerts", "unit", "stories", "browser", "prove", "docs"];

/// What several steps share.
pub(crate) struct Bench {
    workspace: Workspace,
    postgres: Option<Postgres>,
    built: Option<bool>,
    has_nextest: bool,
}

/// Runs all steps, or those after `--only`.
pub(crate) fn command(mut arguments: Arguments) -> Result<bool, Fault> {
    let only = arguments.list("--only");
    let without_browser = arguments.flag("--no-browser");
    arguments.end()?;
    if let Some(strange) = only.iter().find(|step| !STEPS.contains(&step.as_str())) {
        return Err(Fault::new(format!("there is no step {strange:?}; the steps are {}", STEPS.join(" "))));
    }
    let workspace = Workspace::read()?;
    let has_nextest = run::output(run::cargo(&workspace.root).args(["nextest", "--version"])).is_ok();
    let mut bench = Bench { workspace, postgres: None, built: None, has_nextest };
    let mut table: Vec<(&str, Duration, Verdict)> = Vec::new();
    for step in STEPS {
        // All rules about the docs are among those of tidy.
        let wanted = if only.is_empty() { step != "docs" } else { only.iter().any(|name| name == step) };
        if !wanted {
            continue;
        }
        println!("\n=== {step} ===");
        let start = Instant::now();
        let verdict = match step {
            "browser" if without_browser => Verdict::Skipped("left out by --no-browser".to_owned()),
            step => bench.step(step).unwrap_or_else(|fault| {
                eprintln!("xtask: {fault}");
                Verdict::Failed
            }),
        };
        table.push((step, start.elapsed(), verdict));
        if stop::asked() {
            break;
        }
    }
    if table.iter().any(|(step, ..)| *step == "stories") && table.iter().any(|(step, ..)| *step == "browser")
    {
        guarantees::write(&bench.workspace.root)?;
    }
    drop(bench);
    Ok(print(&table) && !stop::asked())
}

fn print(table: &[(&str, Duration, Verdict)]) -> bool {
    println!("\n{:<10} {:>8}  verdict", "step", "seconds");
    for (step, time, verdict) in table {
        let words = match verdict {
            Verdict::Passed => "ok".to_owned(),
            Verdict::Retried => "ok, AT THE SECOND TRY".to_owned(),
            Verdict::Failed => "FAILED".to_owned(),
            Verdict::Skipped(why) => format!("SKIP: {why}"),
        };
        println!("{step:<10} {:>8.1}  {words}", time.as_secs_f64());
    }
    let failed: Vec<&str> = table
        .iter()
        .filter(|(_, _, verdict)| matches!(verdict, Verdict::Failed))
        .map(|(step, _, _)| *step)
        .collect();
    if failed.is_empty() {
        println!("\nall good");
    } else {
        println!(
            "\nfailed: {}; once more with `cargo xtask test --only {}`",
            failed.join(" "),
            failed.join(" ")
        );
    }
    failed.is_empty()
}

impl Bench {
    fn step(&mut self, step: &str) -> Result<Verdict, Fault> {
        match step {
            "fmt" => cargo_step(self.cargo(["fmt", "--all", "--check"])),
            "clippy" => {
                let mut clippy = self.cargo(["clippy", "--workspace", "--all-targets"]);
                clippy.args(locked()).args(["--", "-D", "warnings"]);
                cargo_step(clippy)
            }
            "tidy" => Ok(verdict(tidy::check(&self.workspace, false)?)),
            "docs" => Ok(verdict(tidy::check(&self.workspace, true)?)),
            "deny" => self.deny(),
            "alerts" => self.alerts(),
            "unit" => self.tests("not package(stories)", &["--workspace", "--exclude", "stories"]),
            "stories" => self.tests("package(stories)", &["--workspace", "--test", "it"]),
            "browser" => browser::step(self),
            "prove" if !self.build()? => Ok(Verdict::Failed),
            "prove" => prove::step(&self.workspace),
            other => Err(Fault::new(format!("the step {other} has no code"))),
        }
    }

    /// Licenses, duplicate and banned crates, sources. Advisories need a download that CI cannot make.
    fn deny(&self) -> Result<Verdict, Fault> {
        if run::output(&mut self.cargo(["deny", "--version"])).is_err() {
            return Ok(Verdict::Skipped(
                "cargo-deny is not installed (`cargo install cargo-deny`)".to_owned(),
            ));
        }
        cargo_step(self.cargo(["deny", "--workspace", "check", "bans", "licenses", "sources"]))
    }

    /// The alert rules and their unit tests, with promtool of Debian's package prometheus.
    fn alerts(&self) -> Result<Verdict, Fault> {
        if run::find("promtool").is_none() {
            if !install::has_apt() {
                return Ok(Verdict::Skipped(
                    "promtool is not installed (`sudo apt install prometheus`)".to_owned(),
                ));
            }
            install::apt(&["prometheus"])?;
        }
        let promtool = |words: [&str; 3]| {
            let mut command = Command::new("promtool");
            command.current_dir(&self.workspace.root).args(words);
            command
        };
        let checked = run::succeeds(&mut promtool(["check", "rules", "docs/monitoring/rules.yml"]))?;
        let mut tested = checked;
        for tests in ["docs/monitoring/rules.test.yml", "docs/monitoring/up.test.yml"] {
            tested &= run::succeeds(&mut promtool(["test", "rules", tests]))?;
        }
        Ok(verdict(tested))
    }

    fn tests(&mut self, filter: &str, fallback: &[&str]) -> Result<Verdict, Fault> {
        if !self.build()? {
            return Ok(Verdict::Failed);
        }
        let mut tests = if self.has_nextest {
            let mut tests = self.cargo(["nextest", "run", "--workspace", "--no-tests", "warn", "-E", filter]);
            tests.args(locked());
            tests
        } else {
            println!("cargo-nextest is not installed; using cargo test");
            let mut tests = self.cargo(["test", "--lib", "--bins"]);
            if fallback.contains(&"--test") {
                tests = self.cargo(["test"]);
            }
            tests.args(fallback).args(locked());
            tests
        };
        self.lend(&mut tests)?;
        if !fallback.contains(&"--test") {
            // Stories have a mind of their own; the programs that they start would all read the model for nothing.
            match model::ensure(&self.workspace) {
                Ok(folder) => {
                    tests.env("SOUNDPOST_MODEL_DIR", folder);
                }
                Err(fault) => println!("SKIPPED: the tests with the real local model; {fault}"),
            }
        }
        cargo_step(tests)
    }

    /// Everything at once: the programs then have the same dependencies as the tests, and nothing is built twice.
    fn build(&mut self) -> Result<bool, Fault> {
        if let Some(built) = self.built {
            return Ok(built);
        }
        let mut build = self.cargo(["build", "--workspace", "--all-targets"]);
        let built = run::succeeds(build.args(locked()))?;
        self.built = Some(built);
        Ok(built)
    }

    /// Tells a test runner where the private PostgreSQL and the built programs are.
    fn lend(&mut self, tests: &mut Command) -> Result<(), Fault> {
        if self.postgres.is_none() {
            let postgres = Postgres::for_tests(&self.workspace)?;
            println!("{} for the tests", postgres.description);
            self.postgres = Some(postgres);
        }
        tests.env_remove("DATABASE_URL");
        tests.env("SOUNDPOST_TEST_DATABASE_URL", self.postgres.as_ref().map_or("", |postgres| &postgres.url));
        tests.env("SOUNDPOST_BIN_DIR", self.workspace.programs(false));
        Ok(())
    }

    fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = run::cargo(&self.workspace.root);
        command.args(arguments);
        command
    }
}

fn cargo_step(mut command: Command) -> Result<Verdict, Fault> {
    Ok(verdict(run::succeeds(&mut command)?))
}

fn verdict(good: bool) -> Verdict {
    if good { Verdict::Passed } else { Verdict::Failed }
}

/// In CI a lock file that is out of date is a mistake, not something to mend on the way.
fn locked() -> Option<&'static str> {
    std::env::var_os("CI").map(|_| "--locked")
}
