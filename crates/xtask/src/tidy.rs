//! The rules of the house that no compiler checks: floors, where SQL stands, sizes, and that the docs do not lie.
//! Every rule is a function from the files to what is wrong with them, so that tests can show it a bad house.

mod asvs;
mod codes;
mod container;
mod docs;
mod environment;
mod features;
mod floors;
mod markdown;
mod migrations;
mod monitoring;
mod source;
mod supply;
mod tables;

use std::collections::BTreeSet;
use std::path::Path;

use crate::args::Arguments;
use crate::fault::{Doing, Fault};
use crate::supply::Licence;
use crate::workspace::{Package, Workspace};

/// One text file.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

/// What the rules look at.
#[derive(Default)]
pub(crate) struct Tree {
    /// Text files that a rule may want to read.
    pub(crate) files: Vec<File>,
    /// Every file and folder.
    pub(crate) paths: BTreeSet<String>,
    /// Our crates.
    pub(crate) packages: Vec<Package>,
    /// Licences of everybody else's; empty where they cannot be listed.
    pub(crate) licences: Vec<Licence>,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    why: String,
}

/// What a rule says; a skipped one names what is not there yet.
type Verdict = Result<Vec<Finding>, &'static str>;

struct Rule {
    name: &'static str,
    about_docs: bool,
    check: fn(&Tree) -> Verdict,
}

const RULES: [Rule; 23] = [
    Rule { name: "floors", about_docs: false, check: floors::check },
    Rule { name: "sql in stores", about_docs: false, check: source::sql },
    Rule { name: "tables of rooms", about_docs: false, check: tables::check },
    Rule { name: "file length", about_docs: false, check: source::length },
    Rule { name: "file header", about_docs: false, check: source::header },
    Rule { name: "no allow", about_docs: false, check: source::allow },
    Rule { name: "migrations", about_docs: false, check: migrations::check },
    Rule { name: "no programs", about_docs: false, check: source::programs },
    Rule { name: "lints", about_docs: false, check: source::lints },
    Rule { name: "error codes", about_docs: true, check: codes::check },
    Rule { name: "environment", about_docs: true, check: environment::check },
    Rule { name: "paths in docs", about_docs: true, check: docs::paths },
    Rule { name: "crates in docs", about_docs: true, check: docs::crates },
    Rule { name: "commands in docs", about_docs: true, check: docs::commands },
    Rule { name: "features", about_docs: true, check: features::check },
    Rule { name: "licences", about_docs: false, check: supply::licences },
    Rule { name: "sources", about_docs: false, check: supply::sources },
    Rule { name: "cryptography", about_docs: true, check: supply::cryptography },
    Rule { name: "locked builds", about_docs: false, check: supply::locked_builds },
    Rule { name: "image", about_docs: false, check: container::image },
    Rule { name: "compose", about_docs: false, check: container::compose },
    Rule { name: "dashboard", about_docs: true, check: monitoring::check },
    Rule { name: "asvs", about_docs: true, check: asvs::check },
];

/// `cargo xtask tidy`.
pub(crate) fn command(arguments: Arguments) -> Result<bool, Fault> {
    arguments.end()?;
    check(&Workspace::read()?, false)
}

/// Checks all rules, or only those about the docs, and prints what is wrong.
pub(crate) fn check(workspace: &Workspace, only_docs: bool) -> Result<bool, Fault> {
    let tree = Tree::read(workspace)?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for rule in RULES.iter().filter(|rule| rule.about_docs || !only_docs) {
        match (rule.check)(&tree) {
            Ok(findings) if findings.is_empty() => passed += 1,
            Ok(findings) => {
                failed += 1;
                for Finding { path, line, why } in findings {
                    println!("{path}:{line}: {}: {why}", rule.name);
                }
            }
            Err(missing) => {
                skipped += 1;
                println!("SKIP {}: {missing}", rule.name);
            }
        }
    }
    println!("tidy: {passed} rules kept, {failed} broken, {skipped} skipped");
    Ok(failed == 0)
}

impl Tree {
    fn read(workspace: &Workspace) -> Result<Self, Fault> {
        let licences = supply_licences(workspace);
        let mut tree = Self { packages: workspace.packages.clone(), licences, ..Self::default() };
        tree.walk(&workspace.root, "")?;
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &str) -> Result<(), Fault> {
        let doing = || format!("reading the folder {folder:?}");
        let mut entries: Vec<_> = std::fs::read_dir(root.join(folder)).doing(doing())?.collect();
        entries.sort_by_key(|entry| entry.as_ref().ok().map(std::fs::DirEntry::file_name));
        for entry in entries {
            let entry = entry.doing(doing())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let is_folder = entry.file_type().doing(doing())?.is_dir();
            if is_folder && matches!(name.as_str(), "target" | "node_modules" | ".git" | ".soundpost") {
                continue;
            }
            if is_folder {
                self.walk(root, &path)?;
            } else if is_read(&path) {
                let text = std::fs::read_to_string(root.join(&path)).doing(format!("reading {path}"))?;
                self.files.push(File { path: path.clone(), text });
            }
            self.paths.insert(path);
        }
        Ok(())
    }

    /// The file at exactly this path.
    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files of our crates that end up in a program: no tests, not this crate.
    fn product(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !file.path.starts_with("crates/xtask/"))
    }

    /// All Rust files of our crates but those that hold only tests.
    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_only_tests())
    }

    /// README.md and everything under docs/.
    fn docs(&self) -> impl Iterator<Item = &File> {
        let is_doc = |path: &str| path == "README.md" || path.starts_with("docs/");
        self.files.iter().filter(move |file| is_doc(&file.path) && file.path.ends_with(".md"))
    }
}

impl File {
    /// The lines before the test module, counted from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_tests = |at: usize| {
            lines[at] == "#[cfg(test)]"
                && lines[at + 1..]
                    .iter()
                    .find(|line| !line.starts_with('#'))
                    .is_some_and(|line| line.contains("mod "))
        };
        let end = (0..lines.len()).find(|at| is_tests(*at)).unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(at, line)| (at + 1, line))
    }

    /// The code without the lines that are only a comment.
    fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether no program contains it: stories, integration tests, test modules in a file of their own.
    fn is_only_tests(&self) -> bool {
        let inner = self.path.strip_prefix("crates/").and_then(|path| path.split_once('/'));
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/it/")
            || inner.is_some_and(|(_, path)| path.starts_with("tests/") || path.contains("/tests/"))
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    /// The name of the crate folder it is in.
    fn folder(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    fn finding(&self, line: usize, why: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, why: why.into() }
    }
}

/// The string literals of one line; escapes stay as they are written.
fn literals(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, sign) in line.char_indices() {
        match (start, sign) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (None, '"') => start = Some(at + 1),
            (Some(from), '"') => {
                found.push(&line[from..at]);
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// None where cargo cannot list them; the rule about them says so.
fn supply_licences(workspace: &Workspace) -> Vec<Licence> {
    crate::supply::licences(&workspace.root).unwrap_or_default()
}

fn is_read(path: &str) -> bool {
    let ends =
        [".rs", ".md", ".mjs", ".env.example", ".yml", "Dockerfile", "Cargo.lock", "Cargo.toml", "deny.toml"];
    let is_dashboard = path.starts_with("docs/monitoring/") && path.ends_with(".json");
    let is_migration = path.starts_with("migrations/");
    is_migration || ends.iter().any(|end| path.ends_with(end)) || path.starts_with(".ci/") || is_dashboard
}

#[cfg(test)]
mod fixture {
    use super::{File, Finding, Tree, Verdict};

    /// A house with these files, folders included.
    pub(super) fn house(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.files.push(File { path: (*path).to_owned(), text: (*text).to_owned() });
            for (end, _) in path.match_indices('/') {
                tree.paths.insert(path[..end].to_owned());
            }
            tree.paths.insert((*path).to_owned());
        }
        tree
    }

    /// Where a rule found something, as `path:line`.
    pub(super) fn places(verdict: Verdict) -> Vec<String> {
        verdict.unwrap().into_iter().map(|Finding { path, line, .. }| format!("{path}:{line}")).collect()
    }

    #[test]
    fn code_ends_where_the_tests_begin() {
        let tree = house(&[(
            "crates/a/src/lib.rs",
            "//! a\nfn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n",
        )]);
        assert_eq!(tree.files[0].code().count(), 2);
        let tree = house(&[("crates/a/src/lib.rs", "#[cfg(test)]\nuse x;\nfn a() {}\n")]);
        assert_eq!(tree.files[0].code().count(), 3);
    }

    #[test]
    fn literals_are_read_past_escapes() {
        assert_eq!(super::literals(r#"f("a", "b\"c", x) => "d""#), ["a", r#"b\"c"#, "d"]);
    }
}
