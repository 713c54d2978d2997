//! What an experiment found, and the page that keeps it. Figures come out of runs: nobody types docs/PROOFS.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Options;
use crate::fault::{Doing, Fault};
use crate::lab::machine;
use crate::run;

const PAGE: &str = "docs/PROOFS.md";
/// Runs of an experiment of one size that the page keeps, the newest first.
const KEPT: usize = 2;

/// One invariant of one run.
struct Check {
    invariant: String,
    worst: String,
    held: bool,
}

/// What one experiment found.
pub(super) struct Outcome {
    id: &'static str,
    faults: BTreeMap<&'static str, u64>,
    checks: Vec<Check>,
    notes: Vec<String>,
}

impl Outcome {
    pub(super) fn new(id: &'static str) -> Self {
        Self { id, faults: BTreeMap::new(), checks: Vec::new(), notes: Vec::new() }
    }

    /// Counts injected faults.
    pub(super) fn injected(&mut self, what: &'static str, count: u64) {
        *self.faults.entry(what).or_default() += count;
    }

    /// An invariant that must hold, with the worst that was seen.
    pub(super) fn holds(&mut self, invariant: &str, worst: impl Into<String>, held: bool) {
        let worst = worst.into();
        println!("  {:<8} {:<7} {invariant}: {worst}", self.id, if held { "held" } else { "BROKEN" });
        self.checks.push(Check { invariant: invariant.to_owned(), worst, held });
    }

    /// Nothing of the kind may exist; what exists is named.
    pub(super) fn none(&mut self, invariant: &str, found: &[String]) {
        let some: Vec<&str> = found.iter().take(3).map(String::as_str).collect();
        let worst = match found.len() {
            0 => "0".to_owned(),
            count => format!("{count} ({})", some.join(", ")),
        };
        self.holds(invariant, worst, found.is_empty());
    }

    /// A figure with a limit.
    pub(super) fn at_most(&mut self, invariant: &str, figure: f64, limit: f64, unit: &str) {
        let space = if unit.is_empty() || unit.starts_with('%') { "" } else { " " };
        let invariant = format!("{invariant} (at most {limit}{space}{unit})");
        self.holds(&invariant, format!("{}{space}{unit}", (figure * 100.0).round() / 100.0), figure <= limit);
    }

    /// How it was done.
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Whether everything held, and something was looked at.
    pub(super) fn held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }

    pub(super) fn id(&self) -> &'static str {
        self.id
    }

    /// A run that could not be brought to its end is a broken one.
    pub(super) fn failed(&mut self, fault: &Fault) {
        let words: String = fault.to_string().replace(['\n', '|'], " ").chars().take(300).collect();
        self.holds("the experiment comes to its end", words, false);
    }

    fn rows(&self, size: &str, seed: u64, when: &str) -> Vec<String> {
        let faults: Vec<String> = self.faults.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
        let row = |check: &Check| {
            let verdict = if check.held { "held" } else { "**broken**" };
            format!(
                "| {} | {size} | {seed} | {faults} | {} | {} | {verdict} | {when} |",
                self.id,
                check.invariant,
                check.worst.replace('|', "/")
            )
        };
        self.checks.iter().map(row).collect()
    }
}

/// What begins the part of docs/GUARANTEES.md that comes from experiments.
const HEADING: &str = "## Experiments";

/// The experiments of docs/PROOFS.md for docs/GUARANTEES.md, one row for each experiment and size.
pub(crate) fn summary(root: &Path) -> String {
    let page = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    let mut groups: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for row in page.lines().filter(|line| is_row(line)) {
        groups.entry((column(row, 0).to_owned(), column(row, 1).to_owned())).or_default().push(row);
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "{HEADING}\n\nWritten by `cargo xtask prove`; each invariant with its worst figure stands in [PROOFS.md](PROOFS.md).\n\n\
         | id | size | runs | seeds | faults injected | invariants | verdict |\n|---|---|---|---|---|---|---|\n"
    );
    for ((id, size), rows) in groups {
        let mut seeds: Vec<&str> = rows.iter().map(|row| column(row, 2)).collect();
        seeds.dedup();
        let broken: Vec<&str> =
            rows.iter().filter(|row| column(row, 6) != "held").map(|row| column(row, 4)).collect();
        let verdict =
            if broken.is_empty() { "held".to_owned() } else { format!("**broken**: {}", broken.join("; ")) };
        let faults = rows.first().map_or("", |row| column(row, 3));
        let (runs, all) = (seeds.len(), rows.len());
        let _ = writeln!(
            text,
            "| {id} | {size} | {runs} | {} | {faults} | {all} | {verdict} |",
            seeds.join(", ")
        );
    }
    text
}

/// Puts the summary in the place of the one that docs/GUARANTEES.md has.
fn tell_guarantees(root: &Path) -> Result<(), Fault> {
    let file = root.join("docs/GUARANTEES.md");
    let old = fs::read_to_string(&file).doing("reading docs/GUARANTEES.md")?;
    let kept = old.split(HEADING).next().unwrap_or_default().trim_end();
    fs::write(&file, format!("{kept}\n\n{}", summary(root))).doing("writing docs/GUARANTEES.md")
}

/// Puts the outcomes into the page; what was not run now stays.
pub(super) fn write(root: &Path, outcomes: &[Outcome], options: &Options) -> Result<(), Fault> {
    let file = root.join(PAGE);
    let old = fs::read_to_string(&file).unwrap_or_default();
    let date = run::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))?;
    let commit = run::output(Command::new("git").args(["rev-parse", "--short=9", "HEAD"]).current_dir(root))
        .unwrap_or_else(|_| "unknown".to_owned());
    let when = match options.built {
        // They may be of any age: the commit says nothing about them.
        true => format!("{}, programs from before {}", date.trim(), commit.trim()),
        false => format!("{} at {}", date.trim(), commit.trim()),
    };
    let mut rows: Vec<String> = old.lines().filter(|line| is_row(line)).map(|line| line.to_owned()).collect();
    let mut notes: BTreeMap<String, String> = old
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**: "))
        .map(|(id, words)| (id.to_owned(), words.to_owned()))
        .collect();
    for outcome in outcomes {
        rows = merged(rows, outcome.rows(options.size(), options.seed, &when));
        if !outcome.notes.is_empty() {
            notes.insert(outcome.id.to_owned(), outcome.notes.join(" "));
        }
    }
    rows.sort_by(|a, b| (column(a, 0), column(a, 1)).cmp(&(column(b, 0), column(b, 1))));
    fs::write(&file, page(&rows, &notes)).doing(format!("writing {PAGE}"))?;
    tell_guarantees(root)
}

fn is_row(line: &str) -> bool {
    line.starts_with("| ") && column(line, 0).contains('-') && column(line, 2).parse::<u64>().is_ok()
}

fn column(row: &str, number: usize) -> &str {
    row.split('|').nth(number + 1).unwrap_or_default().trim()
}

/// The new rows before the old ones; of an experiment of one size only the newest runs stay.
fn merged(old: Vec<String>, new: Vec<String>) -> Vec<String> {
    let Some(first) = new.first() else { return old };
    let (id, size, seed) =
        (column(first, 0).to_owned(), column(first, 1).to_owned(), column(first, 2).to_owned());
    let mut seeds = vec![seed];
    let mut kept = new;
    for row in old {
        if column(&row, 0) != id || column(&row, 1) != size {
            kept.push(row);
            continue;
        }
        let of = column(&row, 2).to_owned();
        if of == seeds[0] {
            continue;
        }
        if !seeds.contains(&of) {
            seeds.push(of.clone());
        }
        if seeds.iter().position(|seed| *seed == of).is_some_and(|at| at < KEPT) {
            kept.push(row);
        }
    }
    kept
}

fn page(rows: &[String], notes: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Proofs\n\nWritten by `cargo xtask prove`; do not edit. Each experiment starts real processes on a PostgreSQL of its own against the\n\
         simulated Gong, breaks things by a schedule that its seed draws (`--seed N` draws it again), and then compares what the simulator\n\
         remembers, what the database holds and what the API says. `quick` is a tenth of `full`. Machine of the newest run: {}.\n\n\
         | id | size | seed | faults injected | invariant | worst | verdict | run |\n|---|---|---|---|---|---|---|---|\n",
        machine::describe()
    );
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    if !notes.is_empty() {
        text.push_str("\n## How each was done\n\n");
        for (id, words) in notes {
            let _ = writeln!(text, "- **{id}**: {words}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Outcome, column, is_row, merged};

    fn rows(seed: u64, held: bool) -> Vec<String> {
        let mut outcome = Outcome::new("JOB-01");
        outcome.injected("kills", 3);
        outcome.holds("nothing is missing", "0", held);
        outcome.rows("quick", seed, "today")
    }

    #[test]
    fn a_page_keeps_the_newest_runs_of_each_size() {
        let mut page = rows(1, true);
        for seed in [2, 3, 2] {
            page = merged(page, rows(seed, seed == 3));
        }
        let seeds: Vec<&str> = page.iter().map(|row| column(row, 2)).collect();
        assert_eq!(seeds, ["2", "3"]);
        assert!(page[0].contains("**broken**") && page[1].contains("held"));
        assert!(page.iter().all(|row| is_row(row)));
    }

    #[test]
    fn nothing_looked_at_is_nothing_proved() {
        assert!(!Outcome::new("JOB-01").held());
    }
}
