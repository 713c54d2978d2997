//! Which crate may depend on which: an arrow goes only from a higher floor to a lower one, and the rooms of a
//! floor do not know each other.

use super::{Finding, Tree, Verdict};
use crate::workspace::Package;

/// A crate, what of ours it may use, and what of others it must never use.
struct Place {
    name: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static str],
}

const SERVERS: &[&str] = &["axum", "hyper"];

const HOUSE: &[Place] = &[
    // ground
    Place { name: "kernel", uses: &[], never: &["axum", "hyper", "reqwest", "tokio", "apalis"] },
    // tools
    Place { name: "vault", uses: &["kernel"], never: &["sqlx", "axum", "hyper", "reqwest"] },
    Place { name: "oauth", uses: &["kernel"], never: &["sqlx", "axum", "hyper"] },
    Place { name: "gong", uses: &["kernel"], never: &["sqlx", "axum", "hyper", "oauth2"] },
    Place { name: "queue", uses: &["kernel"], never: &["axum", "hyper", "reqwest"] },
    Place {
        name: "db",
        uses: &["kernel"],
        never: &["axum", "hyper", "reqwest", "apalis", "apalis-postgres"],
    },
    Place { name: "models", uses: &["kernel"], never: &["sqlx", "axum", "hyper"] },
    Place { name: "gong-sim", uses: &[], never: &["sqlx", "apalis", "apalis-postgres"] },
    Place { name: "model-sim", uses: &[], never: &["sqlx", "apalis", "apalis-postgres"] },
    // rooms
    Place { name: "accounts", uses: &["kernel", "vault", "queue", "db"], never: SERVERS },
    Place { name: "connector", uses: &["kernel", "vault", "oauth", "gong", "queue", "db"], never: SERVERS },
    Place { name: "ingest", uses: &["kernel", "gong", "queue", "db"], never: SERVERS },
    Place { name: "feedback", uses: &["kernel", "models", "queue", "db"], never: SERVERS },
    // doors
    Place { name: "web", uses: DOOR, never: &["apalis", "apalis-postgres", "apalis-core"] },
    Place { name: "jobs", uses: DOOR, never: &["axum"] },
    // roof
    Place { name: "soundpost", uses: ROOF, never: &[] },
    // beside the house
    Place { name: "stories", uses: EVERYTHING, never: &[] },
    Place {
        name: "quality",
        uses: &["kernel", "models", "feedback"],
        never: &["sqlx", "axum", "hyper", "reqwest"],
    },
    Place { name: "xtask", uses: &[], never: &["tokio", "reqwest", "sqlx", "serde_derive"] },
];

const DOOR: &[&str] =
    &["kernel", "vault", "oauth", "gong", "queue", "db", "accounts", "connector", "ingest", "feedback"];
const ROOF: &[&str] = &[
    "kernel",
    "vault",
    "oauth",
    "gong",
    "queue",
    "db",
    "models",
    "accounts",
    "connector",
    "ingest",
    "feedback",
    "web",
    "jobs",
];
const EVERYTHING: &[&str] = &[
    "kernel",
    "vault",
    "oauth",
    "gong",
    "queue",
    "db",
    "gong-sim",
    "model-sim",
    "models",
    "accounts",
    "connector",
    "ingest",
    "feedback",
    "web",
    "jobs",
];

/// What any crate may use in its tests: a peer to talk to, and a migrated database.
const FOR_TESTS: &[&str] = &["gong-sim", "model-sim", "db"];

/// Every crate has a place, and depends only on what its place may use.
pub(super) fn check(tree: &Tree) -> Verdict {
    Ok(tree.packages.iter().flat_map(|package| check_one(package, &tree.packages)).collect())
}

fn check_one(package: &Package, ours: &[Package]) -> Vec<Finding> {
    let finding = |why: String| Finding { path: package.manifest.clone(), line: 1, why };
    let Some(place) = HOUSE.iter().find(|place| place.name == package.name) else {
        let name = &package.name;
        return vec![finding(format!(
            "`{name}` has no floor; give it one in crates/xtask/src/tidy/floors.rs"
        ))];
    };
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let is_ours = ours.iter().any(|package| package.name == name);
        let for_a_test = dependency.for_tests && FOR_TESTS.contains(&name);
        if is_ours && !for_a_test && !place.uses.contains(&name) {
            findings.push(finding(format!("`{}` must not know `{name}`", place.name)));
        }
        if !dependency.for_tests && place.never.contains(&name) {
            findings.push(finding(format!("`{}` must never use the crate `{name}`", place.name)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::Tree;
    use crate::tidy::fixture::places;
    use crate::workspace::{Dependency, Package};

    fn house(packages: &[(&str, &[&str], &[&str])]) -> Tree {
        let dependency = |name: &&str, for_tests| Dependency { name: (*name).to_owned(), for_tests };
        let package = |(name, plain, tests): &(&str, &[&str], &[&str])| Package {
            name: (*name).to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: plain
                .iter()
                .map(|name| dependency(name, false))
                .chain(tests.iter().map(|name| dependency(name, true)))
                .collect(),
        };
        Tree { packages: packages.iter().map(package).collect(), ..Tree::default() }
    }

    #[test]
    fn arrows_that_go_down_are_fine() {
        let tree = house(&[
            ("kernel", &["serde"], &[]),
            ("gong-sim", &["axum"], &[]),
            ("db", &["kernel"], &[]),
            ("gong", &["kernel", "reqwest"], &["gong-sim", "axum"]),
            ("queue", &["kernel"], &["db"]),
            ("ingest", &["kernel", "gong"], &[]),
            ("web", &["ingest", "axum"], &[]),
        ]);
        assert!(places(check(&tree)).is_empty());
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        let tree = house(&[
            ("kernel", &["db"], &[]),
            ("db", &["kernel"], &[]),
            ("ingest", &["connector"], &[]),
            ("connector", &[], &["ingest"]),
            ("web", &["jobs"], &[]),
            ("jobs", &[], &[]),
            ("gong-sim", &["kernel"], &[]),
            ("soundpost", &["gong-sim"], &[]),
        ]);
        let expected = ["kernel", "ingest", "connector", "web", "gong-sim", "soundpost"];
        assert_eq!(places(check(&tree)), expected.map(|name| format!("crates/{name}/Cargo.toml:1")));
    }

    #[test]
    fn strange_crates_and_banned_ones_are_found() {
        let tree = house(&[("attic", &[], &[]), ("vault", &["sqlx"], &[]), ("ingest", &["axum"], &[])]);
        assert_eq!(places(check(&tree)).len(), 3);
    }
}
