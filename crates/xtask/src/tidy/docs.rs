//! The docs name only what is there: paths, crates, commands.

use super::{File, Finding, Tree, Verdict, markdown};

/// Every path of this repository in backticks, and every link, leads somewhere.
pub(super) fn paths(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.docs() {
        for (line, text) in markdown::prose(&file.text) {
            let named = markdown::ticked(text).into_iter().filter(|word| is_path(word));
            let missing = named.map(without_place).filter(|path| !tree.paths.contains(*path));
            findings.extend(missing.map(|path| file.finding(line, format!("there is no `{path}`"))));
            let broken =
                markdown::links(text).into_iter().filter(|target| !leads_somewhere(file, target, tree));
            findings
                .extend(broken.map(|target| file.finding(line, format!("the link {target} leads nowhere"))));
        }
    }
    Ok(findings)
}

/// A path starts with a folder of the top level and holds no placeholder.
fn is_path(word: &str) -> bool {
    let top = word.split('/').next().unwrap_or_default();
    let tops = ["crates", "docs", "tests", "migrations", ".ci", ".config", ".cargo", ".sqlx"];
    word.contains('/') && tops.contains(&top) && !word.contains(['<', '*', '{', ' ', '$'])
}

/// `path:12`, `path#anchor` and `folder/` as the plain path.
fn without_place(word: &str) -> &str {
    let word = word.split('#').next().unwrap_or(word);
    let word = match word.rsplit_once(':') {
        Some((path, line)) if line.chars().all(|sign| sign.is_ascii_digit()) => path,
        _ => word,
    };
    word.trim_end_matches('/')
}

fn leads_somewhere(file: &File, target: &str, tree: &Tree) -> bool {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.is_empty() || tree.paths.contains(&parts.join("/"))
}

/// Every word in a column called `crate`, and every `name` beside the word crate, is a crate of ours.
pub(super) fn crates(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.docs() {
        for table in markdown::tables(&file.text) {
            let Some(column) = table.header.iter().position(|cell| cell == "crate" || cell == "crates")
            else {
                continue;
            };
            for (line, cells) in &table.rows {
                let words = cells.get(column).map(|cell| markdown::ticked(cell)).unwrap_or_default();
                findings.extend(words.into_iter().filter_map(|word| unknown(word, tree, file, *line)));
            }
        }
        for (line, text) in markdown::prose(&file.text) {
            let words = text.split("the crate `").skip(1).filter_map(|rest| rest.split('`').next());
            findings.extend(words.filter_map(|word| unknown(word, tree, file, line)));
        }
    }
    Ok(findings)
}

fn unknown(word: &str, tree: &Tree, file: &File, line: usize) -> Option<Finding> {
    let name = word.strip_prefix("crates/").unwrap_or(word);
    let known = tree.packages.iter().any(|package| package.name == name) || tree.paths.contains(word);
    (!known).then(|| file.finding(line, format!("there is no crate `{word}`")))
}

/// Every `cargo xtask x` is a command that this program has.
pub(super) fn commands(tree: &Tree) -> Verdict {
    let mut findings = Vec::new();
    for file in tree.docs() {
        for (at, text) in file.text.lines().enumerate() {
            for rest in text.split("cargo xtask ").skip(1) {
                let name: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
                if !name.is_empty() && !crate::has_command(&name) {
                    findings.push(file.finding(at + 1, format!("there is no command `cargo xtask {name}`")));
                }
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{commands, crates, paths};
    use crate::tidy::fixture::{house, places};
    use crate::workspace::Package;

    #[test]
    fn a_path_or_link_that_leads_nowhere_is_found() {
        let readme = "See `crates/a/src/lib.rs:3`, `docs/`, `docs/<page>.md` and `a/b`.\n\
            Not `crates/b/src/lib.rs`.\n[A](docs/A.md) [B](docs/B.md#x)\n```\n`docs/C.md`\n```\n";
        let page = "[up](../README.md) [beside](A.md) [lost](../A.md)\n";
        let tree = house(&[("README.md", readme), ("docs/A.md", page), ("crates/a/src/lib.rs", "//! a\n")]);
        assert_eq!(places(paths(&tree)), ["README.md:2", "README.md:3", "docs/A.md:1"]);
    }

    #[test]
    fn a_crate_that_is_gone_is_found() {
        let page = "| crate | what |\n|---|---|\n| `a` | x |\n| `gone` | `word` |\n\nIn the crate `lost`.\n";
        let mut tree = house(&[("docs/A.md", page)]);
        let manifest = "crates/a/Cargo.toml".to_owned();
        tree.packages.push(Package { name: "a".to_owned(), manifest, dependencies: Vec::new() });
        assert_eq!(places(crates(&tree)), ["docs/A.md:4", "docs/A.md:6"]);
    }

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        let tree = house(&[("README.md", "```\ncargo xtask test\ncargo xtask launch --now\n```\n")]);
        assert_eq!(places(commands(&tree)), ["README.md:3"]);
    }
}
