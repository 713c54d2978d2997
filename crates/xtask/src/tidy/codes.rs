//! Stable error codes: what the code can say stands in docs/ERRORS.md, and the other way round.

use std::collections::BTreeSet;

use super::{File, Finding, Tree, Verdict, literals, markdown};

const PAGE: &str = "docs/ERRORS.md";

/// Every code that a `fn code(&self)` returns has a row, and every row a code.
pub(super) fn check(tree: &Tree) -> Verdict {
    let page = tree.file(PAGE).ok_or("docs/ERRORS.md is not there yet")?;
    let listed: Vec<(usize, String)> = listed(page);
    let names: BTreeSet<&str> = listed.iter().map(|(_, code)| code.as_str()).collect();
    let mut findings: Vec<Finding> = Vec::new();
    let mut said = BTreeSet::new();
    for file in tree.product().filter(|file| file.folder() != Some("gong-sim")) {
        for (line, code) in returned(file) {
            if !names.contains(code) {
                findings.push(file.finding(line, format!("the code `{code}` has no row in {PAGE}")));
            }
        }
        said.extend(file.statements().flat_map(|(_, line)| literals(line)));
    }
    for (line, code) in &listed {
        if !said.contains(code.as_str()) {
            findings.push(page.finding(*line, format!("nothing in crates/ says `{code}` any more")));
        }
    }
    Ok(findings)
}

fn listed(page: &File) -> Vec<(usize, String)> {
    let first_cell = |cells: &[String]| {
        let code = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
        is_code(code).then(|| code.to_owned())
    };
    let rows = markdown::tables(&page.text).into_iter().flat_map(|table| table.rows);
    rows.filter_map(|(line, cells)| Some((line, first_cell(&cells)?))).collect()
}

/// The literals inside of `fn code`, with their lines.
fn returned(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut depth: Option<usize> = None;
    for (line, text) in file.statements() {
        if depth.is_none()
            && text.contains("fn code(")
            && text.contains("&'static str")
            && text.contains("self")
        {
            depth = Some(0);
        }
        let Some(open) = depth.as_mut() else { continue };
        found.extend(literals(text).into_iter().filter(|text| is_code(text)).map(|code| (line, code)));
        *open += text.matches('{').count();
        *open = open.saturating_sub(text.matches('}').count());
        if *open == 0 {
            depth = None;
        }
    }
    found
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::fixture::{house, places};

    const CODE: &str = "//! x\nimpl E {\n    pub fn code(&self) -> &'static str {\n        match self {\n            \
        Self::A => \"a_code\",\n            Self::B { .. } => \"b_code\",\n            Self::C(c) => c.code(),\n        }\n    }\n}\n\
        fn other() -> &'static str { \"other_code\" }\n";

    #[test]
    fn a_code_without_a_row_and_a_row_without_a_code_are_found() {
        let page = "# Errors\n\n| code | meaning |\n|---|---|\n| `a_code` | a |\n| `old_code` | gone |\n";
        let tree = house(&[("docs/ERRORS.md", page), ("crates/a/src/lib.rs", CODE)]);
        assert_eq!(places(check(&tree)), ["crates/a/src/lib.rs:6", "docs/ERRORS.md:6"]);
    }

    #[test]
    fn a_full_list_is_fine_and_a_missing_one_is_skipped() {
        let page = "| code | meaning |\n|---|---|\n| `a_code` | a |\n| `b_code` | b |\n";
        assert!(places(check(&house(&[("docs/ERRORS.md", page), ("crates/a/src/lib.rs", CODE)]))).is_empty());
        assert!(check(&house(&[("crates/a/src/lib.rs", CODE)])).is_err());
    }
}
