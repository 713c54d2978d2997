//! The browser tests: Node's test runner, playwright-core and a real headless Chromium against our real programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Bench, Verdict};
use crate::fault::{Doing, Fault};
use crate::{install, run};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ON_MACOS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Installs what is missing and runs every `tests/browser/*.test.mjs`.
pub(super) fn step(bench: &mut Bench) -> Result<Verdict, Fault> {
    let folder = bench.workspace.root.join("tests/browser");
    let tests = tests_in(&folder);
    if tests.is_empty() {
        return Ok(Verdict::Skipped("tests/browser has no test yet".to_owned()));
    }
    if !bench.build()? {
        return Ok(Verdict::Failed);
    }
    let node = program("node", &["node"], "nodejs")?;
    let chromium = program("Chromium", &BROWSERS, "chromium")?;
    if !folder.join("node_modules/playwright-core").is_dir() {
        install_packages(&folder)?;
    }
    let mut command = Command::new(node);
    let report = bench.workspace.root.join(super::guarantees::BROWSER);
    std::fs::create_dir_all(report.parent().unwrap_or(&report)).doing("making room for the report")?;
    command.args([
        "--test",
        "--test-concurrency=1",
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
    ]);
    command.arg("--test-reporter=junit").arg(format!("--test-reporter-destination={}", report.display()));
    command.args(tests);
    command.current_dir(&bench.workspace.root).env("SOUNDPOST_CHROMIUM", chromium);
    bench.lend(&mut command)?;
    if run::succeeds(&mut command)? {
        return Ok(Verdict::Passed);
    }
    // A browser on a busy machine is late now and then. Twice in a row is no accident.
    println!("\nThe browser tests failed; once more, to tell a slow machine from a fault.\n");
    Ok(if run::succeeds(&mut command)? { Verdict::Retried } else { Verdict::Failed })
}

fn tests_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path());
    let mut tests: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    tests.sort();
    tests
}

/// The program under one of its names, after installing Debian's package where that is possible.
fn program(what: &str, names: &[&str], package: &str) -> Result<PathBuf, Fault> {
    let look = || {
        let installed = names.iter().find_map(|name| run::find(name));
        installed.or_else(|| {
            let apps = ON_MACOS.iter().map(PathBuf::from);
            apps.filter(|_| package == "chromium").find(|app| app.is_file())
        })
    };
    if let Some(found) = look() {
        return Ok(found);
    }
    if install::has_apt() {
        install::apt(&[package])?;
    }
    look().ok_or_else(|| {
        Fault::new(format!(
            "the browser tests need {what}; install it (Debian: `sudo apt install {package}`) or leave them out with --no-browser"
        ))
    })
}

fn install_packages(folder: &Path) -> Result<(), Fault> {
    program("npm", &["npm"], "npm")?;
    println!("installing playwright-core and axe-core with npm into {}", folder.display());
    let way = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
    let mut npm = Command::new("npm");
    npm.args([way, "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
    if run::succeeds(&mut npm).doing("installing npm packages")? {
        Ok(())
    } else {
        Err(Fault::new(
            "npm could not install the packages of tests/browser; --no-browser leaves these tests out",
        ))
    }
}
