//! The page of figures: what was promised, what was measured, and the tables behind it.

use std::fmt::Write as _;

/// A figure against its promise.
struct Figure {
    name: String,
    promise: String,
    measured: String,
    kept: Option<bool>,
}

/// Grows while parts are measured; everything is printed at once as well.
pub(super) struct Report {
    figures: Vec<Figure>,
    sections: String,
    commit: String,
}

impl Report {
    /// Who starts us says of which commit we are.
    pub(super) fn new() -> Self {
        let commit = std::env::var("COMMIT").unwrap_or_default();
        Self { figures: Vec::new(), sections: String::new(), commit }
    }

    /// A figure that was promised to be at least so much.
    pub(super) fn at_least(&mut self, name: &str, measured: f64, least: f64, unit: &str) {
        self.figure(
            name,
            format!(">= {least}{unit}"),
            format!("{measured:.3}{unit}"),
            Some(measured >= least),
        );
    }

    /// A figure that was promised to be at most so much.
    pub(super) fn at_most(&mut self, name: &str, measured: f64, most: f64, unit: &str) {
        self.figure(name, format!("<= {most}{unit}"), format!("{measured:.3}{unit}"), Some(measured <= most));
    }

    /// A figure without a promise.
    pub(super) fn plain(&mut self, name: &str, measured: String) {
        self.figure(name, String::new(), measured, None);
    }

    /// Something that was not there to be measured.
    pub(super) fn absent(&mut self, name: &str, file: &str) {
        self.figure(name, String::new(), format!("not measured: {file} is not among the data"), None);
    }

    fn figure(&mut self, name: &str, promise: String, measured: String, kept: Option<bool>) {
        println!("{name}: {measured} {promise} {}", if kept == Some(false) { "MISSED" } else { "" });
        self.figures.push(Figure { name: name.to_owned(), promise, measured, kept });
    }

    /// A section of its own.
    pub(super) fn section(&mut self, title: &str, text: &str) {
        println!("\n## {title}\n{text}");
        let _ = write!(self.sections, "\n## {title}\n\n{}\n", text.trim());
    }

    /// The whole page.
    pub(super) fn page(&self) -> String {
        let mut page = String::from("# Quality\n\n");
        let _ = writeln!(
            page,
            "Written by `cargo xtask eval`; not edited by hand. {}, {}, commit `{}`, release program. The data sets of others are \
             handed over by path (`--data FOLDER`) and are no part of this repository; the labelled calls are \
             (`crates/feedback/labelled`, with their guide).\n",
            today(),
            machine(),
            self.commit
        );
        page.push_str("| figure | promised | measured | |\n|---|---|---|---|\n");
        for one in &self.figures {
            let verdict = match one.kept {
                Some(true) => "kept",
                Some(false) => "**missed**",
                None => "",
            };
            let _ = writeln!(page, "| {} | {} | {} | {verdict} |", one.name, one.promise, one.measured);
        }
        page.push_str(&self.sections);
        page
    }
}

/// A table in Markdown.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn today() -> String {
    let now = kernel::Ambient::now(&kernel::SystemAmbient);
    format!("{}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day())
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of =
        |name: &str| cpus.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(": "));
    let model = of("model name").map_or("unknown processor", |(_, model)| model.trim());
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("{cores} cores ({model})")
}
