//! docs/FEATURES.md: what is said to work names a crate that exists and a test that exists.

use super::{Finding, Tree, Verdict, markdown};

const PAGE: &str = "docs/FEATURES.md";

/// Looks at the rows whose state is `works` in tables with the columns `crate`, `test` and `state`.
pub(super) fn check(tree: &Tree) -> Verdict {
    let page = tree.file(PAGE).ok_or("docs/FEATURES.md is not there yet")?;
    let tables = markdown::tables(&page.text);
    let columns = |table: &markdown::Table| {
        let test = table.column("test").or_else(|| table.column("tests"))?;
        Some((table.column("crate").or_else(|| table.column("crates"))?, test, table.column("state")?))
    };
    let mut findings: Vec<Finding> = Vec::new();
    let mut seen = false;
    for table in &tables {
        let Some((owner, test, state)) = columns(table) else { continue };
        seen = true;
        for (line, cells) in &table.rows {
            let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default();
            if !cell(state).starts_with("works") {
                continue;
            }
            let owners = names(cell(owner));
            let strange = owners.iter().filter(|name| !is_crate(name, tree));
            findings.extend(strange.map(|name| page.finding(*line, format!("there is no crate `{name}`"))));
            let tests = markdown::ticked(cell(test));
            if owners.is_empty() || tests.is_empty() {
                findings.push(page.finding(*line, "what works names its crate, and its test in backticks"));
            }
            let lost = tests.iter().filter(|name| !is_test(name, tree));
            findings.extend(lost.map(|name| page.finding(*line, format!("there is no test `{name}`"))));
        }
    }
    if !seen {
        findings.push(page.finding(1, "has no table with the columns `crate`, `test` and `state`"));
    }
    Ok(findings)
}

fn names(cell: &str) -> Vec<&str> {
    let words = cell.split([',', '`', ' ', '·', '+']).map(str::trim);
    words.filter(|word| word.chars().any(char::is_alphanumeric)).collect()
}

fn is_crate(name: &str, tree: &Tree) -> bool {
    let name = name.strip_prefix("crates/").unwrap_or(name);
    tree.packages.iter().any(|package| package.name == name) || tree.paths.contains(name)
}

/// A function of this name, a browser test of this title, or a file. `tok_01*` and `tok_01_` stand for what begins so.
pub(super) fn is_test(name: &str, tree: &Tree) -> bool {
    if tree.paths.contains(name) || tree.paths.contains(&format!("tests/it/{name}")) {
        return true;
    }
    let word = name.rsplit("::").next().unwrap_or(name).trim_end_matches("()");
    let function = match word.strip_suffix('*').or_else(|| word.ends_with('_').then_some(word)) {
        Some(start) => format!("fn {start}"),
        None => format!("fn {word}("),
    };
    tree.files.iter().any(|file| {
        let is_rust = file.path.ends_with(".rs") && file.text.contains(&function);
        is_rust || file.path.ends_with(".mjs") && file.text.contains(word)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::fixture::{house, places};
    use crate::workspace::Package;

    fn features(rows: &str) -> Vec<String> {
        let page = format!("| feature | crate | test | state |\n|---|---|---|---|\n{rows}");
        let mut tree = house(&[
            ("docs/FEATURES.md", &page),
            ("tests/it/tokens.rs", "//! x\nfn tok_01_a_token_is_renewed() {}\n"),
            ("tests/browser/pages.test.mjs", "test('uix_01 the page says who is needed')"),
        ]);
        let manifest = "crates/web/Cargo.toml".to_owned();
        tree.packages.push(Package { name: "web".to_owned(), manifest, dependencies: Vec::new() });
        places(check(&tree))
    }

    #[test]
    fn rows_with_a_crate_and_a_test_are_fine() {
        let rows = "| a | web | `tok_01_a_token_is_renewed` | works |\n| b | `web` | `tok_01*`, `tokens.rs` | works |\n\
            | c | web | `uix_01` | works |\n| d | attic | none | later |\n";
        assert!(features(rows).is_empty());
    }

    #[test]
    fn rows_that_promise_too_much_are_found() {
        let rows =
            "| a | attic | `tok_01*` | works |\n| b | web | `tok_02` | works |\n| c | web | soon | works |\n";
        assert_eq!(features(rows), ["docs/FEATURES.md:3", "docs/FEATURES.md:4", "docs/FEATURES.md:5"]);
    }
}
