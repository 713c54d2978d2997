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

#[cfg(test)]
mod tests {
    use super::{LONGEST, allow, header, length, sql};
    use crate::tidy::fixture::{house, places};

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
