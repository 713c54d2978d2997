//! What our programs are made of: the lock file, the licences, and the bill of materials that `cargo xtask sbom` writes
//! (CycloneDX 1.5, the same text for the same lock file).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::Arguments;
use crate::fault::{Doing, Fault};
use crate::run;
use crate::workspace::Workspace;

/// Our programs: everything that they need to be built is in the bill, what only tests need is not.
const PROGRAMS: [&str; 2] = ["soundpost", "gong-sim"];

/// One crate as Cargo.lock pins it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `None` for our own crates.
    pub(crate) source: Option<String>,
    pub(crate) checksum: Option<String>,
    /// Names, with a version where it takes one to tell them apart.
    pub(crate) dependencies: Vec<String>,
    /// The line where it begins.
    pub(crate) line: usize,
}

/// Reads a Cargo.lock.
pub(crate) fn locked(text: &str) -> Vec<Locked> {
    let mut found: Vec<Locked> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line == "[[package]]" {
            found.push(Locked { line: at + 1, ..Locked::default() });
        }
        let Some(last) = found.last_mut() else { continue };
        match line.split_once(" = ") {
            Some(("name", value)) => last.name = unquoted(value),
            Some(("version", value)) => last.version = unquoted(value),
            Some(("source", value)) => last.source = Some(unquoted(value)),
            Some(("checksum", value)) => last.checksum = Some(unquoted(value)),
            None if line.starts_with('"') => last.dependencies.push(unquoted(line.trim_end_matches(','))),
            _ => {}
        }
    }
    found
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches('"').to_owned()
}

/// The licence of one crate of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Licence {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression; `None` where only a file says it.
    pub(crate) expression: Option<String>,
}

/// The licences of all crates that are not ours, out of `cargo metadata`.
pub(crate) fn licences(root: &Path) -> Result<Vec<Licence>, Fault> {
    let metadata = metadata(root)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages
        .filter(|package| package["source"].is_string())
        .map(|package| Licence {
            name: text(&package["name"]),
            version: text(&package["version"]),
            expression: expression(package),
        })
        .collect())
}

/// What the manifest says, or the file that it names where that is the MIT licence to the letter of its first sentence.
fn expression(package: &Value) -> Option<String> {
    if let Some(said) = package["license"].as_str() {
        return Some(said.replace('/', " OR "));
    }
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
    let words = std::fs::read_to_string(folder.join(package["license_file"].as_str()?)).ok()?;
    let is_mit =
        words.starts_with("MIT License") && words.contains("Permission is hereby granted, free of charge");
    is_mit.then(|| "MIT".to_owned())
}

fn metadata(root: &Path) -> Result<Value, Fault> {
    let said = run::output(run::cargo(root).args(["metadata", "--locked", "--format-version", "1"]))?;
    serde_json::from_str(&said).doing("reading what cargo metadata printed")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `cargo xtask sbom`.
pub(crate) fn command(mut arguments: Arguments) -> Result<bool, Fault> {
    let output: Option<PathBuf> = arguments.value("--output")?;
    arguments.end()?;
    let workspace = Workspace::read()?;
    let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock")).doing("reading Cargo.lock")?;
    let bill = bill(&metadata(&workspace.root)?, &locked(&lock));
    let output = output.unwrap_or_else(|| workspace.target.join("soundpost.cdx.json"));
    let words = serde_json::to_string_pretty(&bill).doing("writing the bill")?;
    std::fs::write(&output, words + "\n").doing(format!("writing {}", output.display()))?;
    let parts = bill["components"].as_array().map_or(0, Vec::len);
    println!("{}: {parts} components", output.display());
    Ok(true)
}

/// The bill of materials out of what cargo knows and what the lock file pins.
fn bill(metadata: &Value, locked: &[Locked]) -> Value {
    let packages: BTreeMap<&str, &Value> = each(&metadata["packages"]).map(|p| (id(p), p)).collect();
    let needed: BTreeMap<&str, Vec<&str>> =
        each(&metadata["resolve"]["nodes"]).map(|node| (id(node), for_programs(node))).collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let is_program = |p: &Value| p["source"].is_null() && PROGRAMS.iter().any(|name| p["name"] == **name);
    let mut next: Vec<&str> = packages.iter().filter(|(_, p)| is_program(p)).map(|(id, _)| *id).collect();
    while let Some(one) = next.pop() {
        if reached.insert(one) {
            next.extend(needed.get(one).into_iter().flatten());
        }
    }
    let parts: Vec<&Value> = reached.iter().filter_map(|id| packages.get(id).copied()).collect();
    let graph = reached.iter().filter_map(|one| {
        let on: BTreeSet<String> =
            needed.get(one)?.iter().filter_map(|id| packages.get(id)).map(|p| reference(p)).collect();
        Some(json!({ "ref": reference(packages.get(one)?), "dependsOn": on }))
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "bom-ref": "soundpost",
            "name": "soundpost",
            "version": version(&parts),
        } },
        "components": parts.iter().map(|part| component(part, locked)).collect::<Vec<_>>(),
        "dependencies": graph.collect::<Vec<_>>(),
    })
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}

fn version(parts: &[&Value]) -> String {
    parts
        .iter()
        .find(|part| part["name"] == "soundpost")
        .map_or_else(String::new, |part| text(&part["version"]))
}

/// What a crate needs beside what only its tests need.
fn for_programs(node: &Value) -> Vec<&str> {
    let dependencies = each(&node["deps"]);
    let kept = dependencies.filter(|d| each(&d["dep_kinds"]).any(|kind| kind["kind"] != "dev"));
    kept.filter_map(|d| d["pkg"].as_str()).collect()
}

fn reference(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
}

fn component(package: &Value, locked: &[Locked]) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let reference = reference(package);
    let mut component = json!({
        "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
    });
    if let Some(expression) = expression(package) {
        component["licenses"] = json!([{ "expression": expression }]);
    }
    let pinned = locked.iter().find(|one| one.name == name && one.version == version);
    if let Some(checksum) = pinned.and_then(|one| one.checksum.as_ref()) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bill, locked};

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"soundpost\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n\n\
        [[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"registry+https://x\"\nchecksum = \"00ff\"\n";

    #[test]
    fn a_lock_file_is_read() {
        let found = locked(LOCK);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].dependencies.join(" ").as_str()), ("soundpost", "a"));
        assert_eq!((found[1].line, found[1].checksum.as_deref()), (10, Some("00ff")));
    }

    #[test]
    fn ops_15_the_bill_lists_what_programs_need_with_versions_licences_and_hashes() {
        let package = |name: &str, source: Option<&str>| json!({ "id": name, "name": name, "version": "1.2.3", "source": source, "license": "MIT/Apache-2.0" });
        let dependency =
            |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [package("soundpost", None), package("a", Some("r")), package("built", Some("r")),
                package("tested", Some("r")), package("stranger", Some("r"))],
            "resolve": { "nodes": [
                { "id": "soundpost", "deps": [dependency("a", None), dependency("built", Some("build")), dependency("tested", Some("dev"))] },
                { "id": "a", "deps": [] },
            ] },
        });
        let bill = bill(&metadata, &locked(LOCK));
        let names: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["a", "built", "soundpost"]);
        let a = &bill["components"][0];
        assert_eq!(
            (a["purl"].as_str(), a["bom-ref"].as_str()),
            (Some("pkg:cargo/a@1.2.3"), Some("pkg:cargo/a@1.2.3"))
        );
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(a["hashes"][0]["content"], "00ff");
        let whole =
            bill["dependencies"].as_array().unwrap().iter().find(|d| d["ref"] == "pkg:cargo/soundpost@1.2.3");
        assert_eq!(whole.unwrap()["dependsOn"], json!(["pkg:cargo/a@1.2.3", "pkg:cargo/built@1.2.3"]));
    }
}
