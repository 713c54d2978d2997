//! What cargo knows about this workspace: where it is, its crates and what they depend on.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fault::{Doing, Fault};
use crate::run;

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The name of the package.
    pub(crate) name: String,
    /// Whether only tests need it.
    pub(crate) for_tests: bool,
}

/// One crate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its `Cargo.toml`, relative to the workspace.
    pub(crate) manifest: String,
    /// What it depends on directly, ours and others.
    pub(crate) dependencies: Vec<Dependency>,
}

/// The workspace that this program belongs to.
pub(crate) struct Workspace {
    /// The folder with the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Our crates.
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Asks `cargo metadata`; resolves nothing and needs no network.
    pub(crate) fn read() -> Result<Self, Fault> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let text = run::output(run::cargo(&here).args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let json: Value = serde_json::from_str(&text).doing("reading what cargo metadata printed")?;
        let root = PathBuf::from(text_of(&json["workspace_root"]));
        let target = PathBuf::from(text_of(&json["target_directory"]));
        let packages = list(&json["packages"]).map(|package| package_from(package, &root)).collect();
        Ok(Self { root, target, packages })
    }

    /// The folder with the programs of one profile.
    pub(crate) fn programs(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }
}

fn package_from(package: &Value, root: &Path) -> Package {
    let manifest = PathBuf::from(text_of(&package["manifest_path"]));
    let manifest = manifest.strip_prefix(root).unwrap_or(&manifest).to_string_lossy().into_owned();
    let dependencies = list(&package["dependencies"])
        .map(|dependency| Dependency {
            name: text_of(&dependency["name"]),
            for_tests: dependency["kind"] == "dev",
        })
        .collect();
    Package { name: text_of(&package["name"]), manifest, dependencies }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
