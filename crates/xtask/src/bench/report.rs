//! The figures: what was promised, what was measured, and the page that keeps both. Knows no scenario.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Options;
use super::ground::Ground;
use super::machine;
use crate::fault::{Doing, Fault};
use crate::run;
use crate::workspace::Workspace;

/// One line of the table.
struct Figure {
    name: String,
    promise: String,
    measured: String,
    /// Nothing was promised where this is `None`.
    kept: Option<bool>,
}

impl Figure {
    fn verdict(&self) -> &'static str {
        match self.kept {
            Some(true) => "kept",
            Some(false) => "**missed**",
            None => "",
        }
    }
}

/// The figures of one scenario.
pub(super) struct Part {
    name: &'static str,
    figures: Vec<Figure>,
    notes: Vec<String>,
    details: Vec<(String, String)>,
    /// What disturbed the measurement.
    pub(super) noise: String,
}

impl Part {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, figures: Vec::new(), notes: Vec::new(), details: Vec::new(), noise: String::new() }
    }

    /// A figure that was promised to be at most `most`.
    pub(super) fn at_most(&mut self, name: &str, measured: f64, most: f64, unit: &str) {
        let promise = format!("<= {} {unit}", number(most));
        self.promised(name, &promise, &format!("{} {unit}", number(measured)), measured <= most);
    }

    /// A figure that was promised to be at least `least`.
    pub(super) fn at_least(&mut self, name: &str, measured: f64, least: f64, unit: &str) {
        let promise = format!(">= {} {unit}", number(least));
        self.promised(name, &promise, &format!("{} {unit}", number(measured)), measured >= least);
    }

    /// A figure with a promise in words.
    pub(super) fn promised(&mut self, name: &str, promise: &str, measured: &str, kept: bool) {
        self.push(name, promise, measured, Some(kept));
    }

    /// A figure that nothing was promised about.
    pub(super) fn told(&mut self, name: &str, measured: &str) {
        self.push(name, "", measured, None);
    }

    /// How it was measured.
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Lines that explain a figure.
    pub(super) fn detail(&mut self, title: &str, lines: &str) {
        self.details.push((title.to_owned(), lines.to_owned()));
    }

    fn push(&mut self, name: &str, promise: &str, measured: &str, kept: Option<bool>) {
        let (name, promise, measured) =
            (name.to_owned(), promise.trim().to_owned(), measured.trim().to_owned());
        self.figures.push(Figure { name, promise, measured, kept });
    }

    /// For the terminal.
    pub(super) fn print(&self) {
        for figure in &self.figures {
            let verdict = figure.verdict().trim_matches('*');
            println!("  {:<58} {:<16} {:<24} {verdict}", figure.name, figure.promise, figure.measured);
        }
        for (title, lines) in &self.details {
            println!("  {title}:\n    {}", lines.replace('\n', "\n    "));
        }
        println!("  others on this machine: {}", self.noise);
    }

    fn page(&self, stamp: &str) -> String {
        let mut text = format!("## {}\n\n", self.name);
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let _ = write!(text, "\n| figure | promise | measured | verdict |\n|---|---|---|---|\n");
        for figure in &self.figures {
            let Figure { name, promise, measured, .. } = figure;
            let _ = writeln!(text, "| {name} | {promise} | {measured} | {} |", figure.verdict());
        }
        for (title, lines) in &self.details {
            let _ = writeln!(text, "\n{title}:\n\n```text\n{lines}\n```");
        }
        let _ = writeln!(text, "\n{stamp} Used by others on this machine meanwhile: {}.", self.noise);
        text
    }
}

/// All figures of one run.
pub(super) struct Report {
    root: PathBuf,
    head: String,
    /// When, of what and how.
    stamp: String,
    parts: Vec<Part>,
}

impl Report {
    pub(super) fn new(workspace: &Workspace, ground: &Ground, options: &Options) -> Result<Self, Fault> {
        let git = |words: &[&str]| run::output(Command::new("git").args(words).current_dir(&workspace.root));
        let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|_| "unknown".to_owned());
        let dirty =
            git(&["status", "--porcelain", "--", "crates", "migrations"]).is_ok_and(|text| !text.is_empty());
        let date = run::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
        let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--built").collect();
        words.insert(0, "cargo xtask".to_owned());
        let commit = format!("{}{}", commit.trim(), if dirty { " with uncommitted changes" } else { "" });
        let programs = match options.built {
            // They may be of any age: the commit says nothing about them.
            true => format!("with programs that were built before (the checkout stands at {commit})"),
            false => format!("at commit {commit}"),
        };
        let stamp = format!("Measured {} by `{}` {programs}.", date.trim(), words.join(" "));
        let head = format!(
            "- Machine: {}\n- Database: {}, with {}; everything else is its default, so that commits wait for the disk\n",
            machine::describe(),
            ground.postgres(),
            ground.settings(),
        );
        Ok(Self { root: workspace.root.clone(), head, stamp, parts: Vec::new() })
    }

    pub(super) fn add(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// Writes the page, where sections that were not measured now stay as they are; nothing after a quick run. Says whether
    /// every promise was kept.
    pub(super) fn write(&self, quick: bool) -> Result<bool, Fault> {
        let figures = || self.parts.iter().flat_map(|part| &part.figures);
        let missed = figures().filter(|figure| figure.kept == Some(false)).count();
        println!("\n{} figures promised, {missed} missed", figures().filter(|f| f.kept.is_some()).count());
        if !quick {
            let path = self.root.join("docs/BENCHMARKS.md");
            let before = fs::read_to_string(&path).unwrap_or_default();
            fs::write(&path, self.page(&before)).doing(format!("writing {}", path.display()))?;
            println!("written to docs/BENCHMARKS.md");
        }
        Ok(missed == 0)
    }

    fn page(&self, before: &str) -> String {
        let mut text = "# Benchmarks\n\nWritten by `cargo xtask bench`; do not edit by hand. Promises are those of the first \
            milestone. Soundpost, the simulated Gong and PostgreSQL share the cores of one machine; CPU seconds and \
            memory are those of the process named, from `/proc`.\n\n"
            .to_owned();
        text.push_str(&self.head);
        for (name, _) in super::SCENARIOS {
            let measured =
                self.parts.iter().find(|part| part.name == name).map(|part| part.page(&self.stamp));
            if let Some(section) = measured.or_else(|| section(before, name)) {
                let _ = write!(text, "\n{section}");
            }
        }
        text
    }
}

/// The section of this name in a page, its title included.
fn section(page: &str, name: &str) -> Option<String> {
    let title = format!("## {name}\n");
    let from = page.find(&title)?;
    let rest = &page[from + title.len()..];
    let to = rest.find("\n## ").map_or(rest.len(), |at| at + 1);
    Some(format!("{title}{}\n", rest[..to].trim_end()))
}

/// A number with as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => {
            let whole = format!("{value:.0}");
            let digits = whole.len();
            let mut text = String::new();
            for (at, sign) in whole.chars().enumerate() {
                if at > 0 && (digits - at).is_multiple_of(3) && digits > 4 {
                    text.push(',');
                }
                text.push(sign);
            }
            text
        }
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The middle one of some measurements.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The value that `share` of the measurements do not exceed.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a short list")]
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{median, number, percentile, section};

    #[test]
    fn numbers_are_short() {
        let texts = [0.123, 3.5, 22.0, 42.42, 150.4, 9_999.0, 10_000.0, 1_234_567.8].map(number);
        assert_eq!(texts, ["0.12", "3.50", "22", "42.4", "150", "9999", "10,000", "1,234,568"]);
    }

    #[test]
    fn a_section_is_found_with_its_title_and_without_the_next() {
        let page = "# Page\n\n## one\n\ntext\n\n## two\n\nmore\n";
        assert_eq!(section(page, "one").unwrap(), "## one\n\ntext\n");
        assert_eq!(section(page, "two").unwrap(), "## two\n\nmore\n");
        assert_eq!(section(page, "three"), None);
    }

    #[test]
    fn the_middle_and_the_slowest_are_found() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        let mut hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut hundred, 0.95), 95.0);
        assert_eq!(percentile(&mut hundred, 0.99), 99.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
