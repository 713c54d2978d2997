//! Rules about single Rust files: where SQL stands, how long they are, how they begin, no lint switched off.

use super::{Tree, Verdict};

/// Lines that a file may have before its tests.
const LONGEST: usize = 350;

/// Calls that send SQL.
const QUERIES: [&str; 7] =
    ["sqlx::query", "query(", "query_as(", "query_scalar(", "QueryBuilder", "raw_sql(", "query_with("];

/// SQL stands in `db`, `queue`, and in a room's `store` and `fleet`.
pub(super) fn sql(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.product().filter(|file| !may_hold_sql(&file.path)) {
        let uses_sqlx = file.text.contains("sqlx");
        for (line, text) in file.statements().filter(|_| uses_sqlx) {
            if QUERIES.iter().any(|query| calls(text, query)) {
                findings.push(
                    file.finding(line, "SQL belongs into `store.rs`, `store/` or `fleet.rs` of a room"),
                );
            }
        }
    }
    Ok(findings)
}

/// Whether `text` has `call` as a whole word.
fn calls(text: &str, call: &str) -> bool {
    text.match_indices(call).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == '.')
    })
}

fn may_hold_sql(path: &str) -> bool {
    let Some((folder, inner)) = path.strip_prefix("crates/").and_then(|path| path.split_once("/src/")) else {
        return path.starts_with("tests/");
    };
    match folder {
        "db" | "queue" => true,
        "web" | "jobs" | "soundpost" | "gong-sim" => false,
        _ => inner.split('/').any(|part| matches!(part, "store" | "store.rs" | "fleet" | "fleet.rs")),
    }
}

/// A file that one can read.
pub(super) fn length(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines = file.code().count();
        if lines > LONGEST {
            let why = format!(
                "{lines} lines before the tests, more than {LONGEST}; which idea wants a file of its own?"
            );
            findings.push(file.finding(LONGEST + 1, why));
        }
    }
    Ok(findings)
}

/// Every file says at its top what it knows.
pub(super) fn header(tree: &Tree) -> Verdict {
    let begins_well = |text: &str| text.starts_with("//! ") && !text.starts_with("//! (to be written)");
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    let bad = rust.filter(|file| !begins_well(&file.text));
    Ok(bad
        .map(|file| file.finding(1, "open the file with a `//!` line: what it knows and must never know"))
        .collect())
}

/// Lints are expected with a reason, never allowed.
pub(super) fn allow(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        for (at, text) in file.text.lines().enumerate() {
            let text = text.trim_start();
            if text.starts_with("#[allow(") || text.starts_with("#![allow(") {
                findings.push(file.finding(at + 1, "use `#[expect(lint, reason = \"...\")]`"));
            }
        }
    }
    Ok(findings)
}

/// The product starts no other program, so no word of anybody becomes a command.
pub(super) fn programs(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.product().filter(|file| file.path.starts_with("crates/")) {
        for (line, text) in file.statements().filter(|(_, text)| text.contains("process::Command")) {
            findings.push(file.finding(line, format!("starts a program: {}", text.trim())));
        }
    }
    Ok(findings)
}

/// Every crate of ours takes the lints of the workspace, which forbid unsafe code.
pub(super) fn lints(tree: &Tree) -> Verdict {
    let root = tree.file("Cargo.toml").ok_or("Cargo.toml is not there")?;
    let mut findings = Vec::new();
    if !root.text.lines().any(|line| line == "unsafe_code = \"forbid\"") {
        findings.push(root.finding(1, "the lints of the workspace have to forbid unsafe code"));
    }
    for package in &tree.packages {
        let manifest = tree.file(&package.manifest);
        let takes = manifest.is_some_and(|file| file.text.contains("[lints]\nworkspace = true"));
        if let (Some(file), false) = (manifest, takes) {
            findings.push(file.finding(1, "has to take the lints of the workspace"));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, allow, header, length, lints, programs, sql};
    use crate::tidy::fixture::{house, places};
    use crate::workspace::Package;

    #[test]
    fn sql_outside_of_a_store_is_found() {
        let query = "//! x\nuse sqlx;\nfn a() {\n    sqlx::query(\"select 1\");\n}\n";
        let tree = house(&[
            ("crates/ingest/src/store.rs", query),
            ("crates/ingest/src/store/calls.rs", query),
            ("crates/ingest/src/fleet.rs", query),
            ("crates/db/src/pool.rs", query),
            ("crates/ingest/tests/all.rs", query),
            ("tests/it/polls.rs", query),
            ("crates/ingest/src/poll.rs", query),
            ("crates/web/src/store.rs", query),
            ("crates/oauth/src/lib.rs", "//! no SQL\nfn a() { url.query(\"a\"); Query(1) }\n"),
            (
                "crates/jobs/src/a.rs",
                "//! x\nuse sqlx::query_scalar;\nfn a() {\n  query_scalar(\"select 1\");\n}\n",
            ),
        ]);
        let expected = [
            "crates/ingest/src/poll.rs:4",
            "crates/web/src/store.rs:4",
            "crates/jobs/src/a.rs:2",
            "crates/jobs/src/a.rs:4",
        ];
        assert_eq!(places(sql(&tree)), expected);
    }

    #[test]
    fn ops_18_a_product_that_starts_programs_or_is_unsafe_is_found() {
        let starts = "//! x\nuse std::process::Command;\nfn a() {}\n";
        let tree = house(&[
            ("crates/web/src/a.rs", starts),
            ("crates/xtask/src/b.rs", starts),
            ("tests/it/c.rs", starts),
        ]);
        assert_eq!(places(programs(&tree)), ["crates/web/src/a.rs:2"]);
        let of = |root: &str, own: &str| {
            let mut tree = house(&[("Cargo.toml", root), ("crates/a/Cargo.toml", own)]);
            let manifest = "crates/a/Cargo.toml".to_owned();
            tree.packages.push(Package { name: "a".to_owned(), manifest, dependencies: Vec::new() });
            places(lints(&tree)).len()
        };
        let (strict, takes) =
            ("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n", "[lints]\nworkspace = true\n");
        assert_eq!((of(strict, takes), of(strict, ""), of("", takes)), (0, 1, 1));
    }

    #[test]
    fn a_comment_or_a_test_about_sql_is_fine() {
        let text =
            "//! x\n// sqlx::query(\n#[cfg(test)]\nmod tests {\n    fn a() { sqlx::query(\"\"); }\n}\n";
        assert!(places(sql(&house(&[("crates/ingest/src/poll.rs", text)]))).is_empty());
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "//! x\n".repeat(LONGEST + 1);
        let tested = format!("//! x\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let tree = house(&[("crates/a/src/long.rs", &long), ("crates/a/src/tested.rs", &tested)]);
        assert_eq!(places(length(&tree)), [format!("crates/a/src/long.rs:{}", LONGEST + 1)]);
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        let tree = house(&[("crates/a/src/a.rs", "//! Knows.\n"), ("crates/a/src/b.rs", "use x;\n")]);
        assert_eq!(places(header(&tree)), ["crates/a/src/b.rs:1"]);
    }

    #[test]
    fn a_lint_that_is_switched_off_is_found_in_tests_too() {
        let text = "//! x\n#[expect(dead_code, reason = \"\")]\n#[cfg(test)]\nmod tests {\n    #[allow(dead_code)]\n}\n";
        assert_eq!(places(allow(&house(&[("tests/it/a.rs", text)]))), ["tests/it/a.rs:5"]);
    }
}
