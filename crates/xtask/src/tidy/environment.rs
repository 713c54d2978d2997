//! Settings: what the binary reads stands in .env.example, and the other way round.

use std::collections::BTreeSet;

use super::{Tree, Verdict, literals};

const EXAMPLE: &str = ".env.example";

/// Compares the setting names in crates/soundpost with those in .env.example. `X_FILE` is a way to give `X`.
pub(super) fn check(tree: &Tree) -> Verdict {
    let example = tree.file(EXAMPLE).ok_or(".env.example is not there yet")?;
    let shown: Vec<(usize, &str)> = example
        .text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.trim_start_matches(['#', ' ']).split_once('=')?.0)))
        .filter(|(_, name)| is_setting(name))
        .collect();
    let names: BTreeSet<&str> = shown.iter().map(|(_, name)| *name).collect();
    let mut findings = Vec::new();
    let mut read = BTreeSet::new();
    for file in tree.product().filter(|file| file.folder() == Some("soundpost")) {
        for (line, text) in file.statements() {
            for name in literals(text).into_iter().filter(|name| is_setting(name)) {
                let plain = name.strip_suffix("_FILE").unwrap_or(name);
                if read.insert(plain) && !names.contains(plain) {
                    findings.push(file.finding(line, format!("the setting {plain} is not in {EXAMPLE}")));
                }
            }
        }
    }
    if read.is_empty() {
        return Err("crates/soundpost reads no setting yet");
    }
    for (line, name) in shown {
        if !read.contains(name.strip_suffix("_FILE").unwrap_or(name)) {
            findings.push(example.finding(line, format!("crates/soundpost does not read {name}")));
        }
    }
    Ok(findings)
}

fn is_setting(name: &str) -> bool {
    let known = name.starts_with("SOUNDPOST_") || name.starts_with("GONG_") || name == "DATABASE_URL";
    known
        && !name.ends_with('_')
        && name.chars().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_')
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::fixture::{house, places};

    #[test]
    fn settings_on_one_side_only_are_found() {
        let code = "//! x\nlet a = read(\"SOUNDPOST_KEYS\");\nlet b = read(\"GONG_CLIENT_ID\");\nlet c = p(\"SOUNDPOST_\");\n";
        let example = "# words\nSOUNDPOST_KEYS=\n# SOUNDPOST_OLD=1\nRUST_LOG=info\n# SOUNDPOST_KEYS_FILE=x\n";
        let tree = house(&[("crates/soundpost/src/config.rs", code), (".env.example", example)]);
        assert_eq!(places(check(&tree)), ["crates/soundpost/src/config.rs:3", ".env.example:3"]);
    }

    #[test]
    fn without_both_sides_there_is_nothing_to_compare() {
        assert!(check(&house(&[(".env.example", "SOUNDPOST_KEYS=\n")])).is_err());
        assert!(check(&house(&[("crates/soundpost/src/main.rs", "//! x\n")])).is_err());
    }
}
